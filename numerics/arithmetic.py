"""Three arithmetics behind one small interface: float64, mpmath, Arb.

Numbers live in numpy arrays: float64 natively, mpmath and Arb as arrays of objects, so that one expression over units
and stages serves all three. An arithmetic knows how to make a number, its table of special functions, and how to
compute inside its precision. mpmath is the reference, Arb the fast path.

    m_n(z) = int_0^inf u^n e^{-zu - u^2/2} du ,   m_n / m_n-1 = n / (z + m_n+1 / m_n)  > 0 ,
                                                  m_0         = 1 / (z + m_1 / m_0)                          (A1)

(A1), Laplace's continued fraction, replaces the closed form of a truncated Gaussian moment (theory/special.py) in
float64 where that cancels, z = (s sigma^2 - L)/sigma > 3: every term is positive. Backward from a ratio 8 + 180/z terms
deep the error is below 1e-16 there for the n <= 3 that occur. Derived here from integration by parts.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import ceil, factorial, log2
from typing import Any, Protocol

import flint
import numpy as np
import scipy.special
import sympy as sp
from scipy.linalg import lapack

from numerics.answer import context
from numerics.windowed import divided_moment, float_divided_moment, float_moment, size

Array = np.ndarray[Any, Any]
BITS_PER_DIGIT = log2(10)
ELEMENTARY = ("exp", "log", "sqrt", "sin", "cos", "sinh", "cosh", "tanh")
INVERSE = ("atan", "acos")
AIRY_IS_0 = 1e3  # where Ai(x) is below 1e-9000
TAIL, RATIOS = 3.0, 180.0  # where (A1) takes over; it begins 8 + RATIOS/z deep, measured to be enough


class Arithmetic(Protocol):
    """What compiled expressions and the integrator need of a number system."""

    name: str
    digits: int
    functions: dict[str, Callable[..., Any]]

    def number(self, exact: sp.Rational | int) -> Any:
        """An exact rational, rounded once."""

    def array(self, values: Iterable[Any]) -> Array:
        """Numbers of this arithmetic, floats, exact rationals or Arb midpoints as an array of shape (n,)."""

    def midpoint(self, values: Any) -> Any:
        """The same number or array of numbers without error balls."""

    def linear(self, matrix: Array) -> Callable[[Array], Array]:
        """The map Z -> matrix Z, for Z of shape (matrix.shape[1], n)."""

    def solver(self, matrix: Array) -> Callable[[Array], Array]:
        """The map b -> x with matrix x = b, b of shape (n,); ArithmeticError for a singular matrix."""

    def working(self) -> AbstractContextManager[Any]:
        """Inside it, operations run at this precision; outside, nothing has changed."""


def gaussian_moment(ratios: float, closed: Array, n: int, s: Any, lag: Any, width: Any) -> Array:
    """The closed form where it is good, (A1) where it cancels; `ratios` sets its depth, the rest is as in theory."""
    largest = s.max() if isinstance(s, np.ndarray) else s  # a constant moment has a plain number
    if largest * width**2 - lag <= TAIL * width:
        return closed
    z = (s * width**2 - lag) / width
    moment = reduced_moment(ratios, n, np.maximum(z, TAIL))
    return np.where(z > TAIL, width ** (n + 1) * np.exp(-(lag**2) / (2 * width**2)) * moment, closed)


def reduced_moment(ratios: float, n: int, z: Any) -> Any:
    """m_n(z) of (A1), z > 0, float64 or longdouble; the continued fraction begins 8 + ratios/z deep."""
    tail, moment = 0 * z, 1
    for order in range(8 + ceil(ratios / float(np.min(z))), 0, -1):
        tail = order / (z + tail)
        moment = moment * tail if order <= n else moment
    return moment / (z + tail)


def _airy(x: Any) -> Any:
    return scipy.special.airy(np.minimum(x, AIRY_IS_0))[0]  # SciPy has nan for it from 1e7 on


class Float64:
    """IEEE double precision, vectorised."""

    name, digits = "float64", 15

    def __init__(self) -> None:
        self.functions = {name: getattr(np, name) for name in ELEMENTARY} | {"power": np.power}
        self.functions |= {"atan": np.arctan, "acos": np.arccos}
        self.functions |= {"erf": scipy.special.erf, "erfc": scipy.special.erfc, "pi": lambda: np.pi, "where": np.where}
        self.functions |= {"gamma": scipy.special.gamma, "airyai": _airy}
        self.functions |= {"GaussianMoment": partial(gaussian_moment, RATIOS)}
        self.functions |= {"ExponentialMoment": float_moment, "DividedMoment": float_divided_moment}

    def number(self, exact: sp.Rational | int) -> np.float64:
        return np.float64(sp.Rational(exact))

    def array(self, values: Iterable[Any]) -> Array:
        return np.array([float(value) for value in values])

    def midpoint(self, values: Any) -> Any:
        return values

    def linear(self, matrix: Array) -> Callable[[Array], Array]:
        return matrix.__matmul__

    def solver(self, matrix: Array) -> Callable[[Array], Array]:
        factors, pivots, singular = lapack.dgetrf(matrix)
        if singular:
            raise ZeroDivisionError("singular matrix")
        return lambda right: lapack.dgetrs(factors, pivots, right)[0]

    def working(self) -> AbstractContextManager[Any]:
        return np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")


def _elementwise(function: Callable[..., Any], arguments: int = 1) -> Callable[..., Any]:
    """A function of numbers as one of numbers or arrays of them, whose shapes broadcast."""
    ufunc = np.frompyfunc(function, arguments, 1)

    def mapped(*values: Any) -> Any:
        return ufunc(*values) if any(isinstance(each, np.ndarray) for each in values) else function(*values)

    return mapped


def _where(condition: Any, one: Any, other: Any) -> Any:
    return one if condition else other


def _largest(ball: flint.arb) -> float:
    """|x| of the point farthest from 0."""
    return float(abs(ball).upper())


def _keep_closed(closed: Any, *_: Any) -> Any:
    return closed


class Mpmath:
    """mpmath in a private context of `digits` decimal digits: the reference."""

    name = "mpmath"

    def __init__(self, digits: int) -> None:
        self.digits = digits
        self.context = ctx = context(digits)
        names = (*ELEMENTARY, *INVERSE, "erf", "erfc", "airyai", "gamma")
        self.functions = {name: _elementwise(getattr(ctx, name)) for name in names}
        self.functions |= {"pi": lambda: +ctx.pi, "GaussianMoment": _keep_closed, "where": _elementwise(_where, 3)}
        self.functions |= {"power": _elementwise(lambda x, p: x**p, 2)}

        def exponential(n: int, s: Any, T: Any) -> Any:
            return ctx.hyp1f1(n + 1, n + 2, -s * T) * T ** (n + 1) / (n + 1)  # (W1); T may be a plain integer

        def power_law(n: int, s: Any, p: Any) -> Any:
            return ctx.factorial(n) * ctx.hyperu(n + 1, n + 2 - p, s)  # (S5)

        divided = partial(divided_moment, exponential, ctx.exp, size, digits, 0)
        self.functions |= {"ExponentialMoment": _elementwise(exponential, 3), "DividedMoment": _elementwise(divided, 4)}
        self.functions |= {"PowerMoment": _elementwise(power_law, 3)}

    def number(self, exact: sp.Rational | int) -> Any:
        exact = sp.Rational(exact)
        return self.context.mpf(int(exact.p)) / int(exact.q)

    def array(self, values: Iterable[Any]) -> Array:
        return _objects(self._number(v) for v in values)

    def _number(self, value: Any) -> Any:
        if isinstance(value, float | self.context.mpf):
            return self.context.mpf(value)
        if isinstance(value, flint.arb):
            mantissa, exponent = value.mid().man_exp()
            return self.context.ldexp(int(mantissa), int(exponent))
        return self.number(value)

    def midpoint(self, values: Any) -> Any:
        return values

    def linear(self, matrix: Array) -> Callable[[Array], Array]:
        return matrix.__matmul__

    def solver(self, matrix: Array) -> Callable[[Array], Array]:
        rows = self.context.matrix(matrix.tolist())
        return lambda right: _objects(self.context.lu_solve(rows, self.context.matrix(right.tolist())))

    def working(self) -> AbstractContextManager[Any]:
        return nullcontext()  # numbers of a private context carry their precision with them


class Arb:
    """Arb balls through python-flint at `digits` decimal digits; use inside `working()`."""

    name = "arb"

    def __init__(self, digits: int) -> None:
        self.digits = digits
        self.bits = ceil(digits * BITS_PER_DIGIT) + 2
        arb = flint.arb
        names = (*ELEMENTARY, *INVERSE, "erf", "erfc", "gamma")
        self.functions = {name: _elementwise(getattr(arb, name)) for name in names}
        self.functions |= {"airyai": _elementwise(arb.airy_ai), "where": _elementwise(_where, 3)}
        self.functions |= {"pi": arb.pi, "GaussianMoment": _keep_closed, "power": _elementwise(lambda x, p: x**p, 2)}
        divided = partial(divided_moment, self._exponential, arb.exp, _largest, digits, arb(0, 1))
        self.functions |= {"ExponentialMoment": _elementwise(self._exponential, 3)}
        self.functions |= {"DividedMoment": _elementwise(divided, 4), "PowerMoment": _elementwise(self._power_law, 3)}
        self._midpoint = np.frompyfunc(flint.arb.mid, 1, 1)

    def number(self, exact: sp.Rational | int) -> Any:
        exact = sp.Rational(exact)
        return flint.arb(flint.fmpq(int(exact.p), int(exact.q)))

    def array(self, values: Iterable[Any]) -> Array:
        return _objects(self._number(v) for v in values)

    def _number(self, value: Any) -> Any:
        if isinstance(value, np.longdouble):
            return flint.arb(str(value)).mid()
        return flint.arb(value) if isinstance(value, float | flint.arb) else self.number(value)

    def midpoint(self, values: Any) -> Any:
        return self._midpoint(values)

    def linear(self, matrix: Array) -> Callable[[Array], Array]:
        rows = _matrix(matrix)

        def product(Z: Array) -> Array:
            return _objects((rows * _matrix(Z)).entries()).reshape(len(matrix), -1)

        return product

    def solver(self, matrix: Array) -> Callable[[Array], Array]:
        rows = _matrix(matrix)

        def solution(right: Array) -> Array:
            return _objects(rows.solve(_matrix(right[:, None]), algorithm="approx").entries())

        return solution

    def inverse(self, matrix: Array) -> Array:
        """The inverse, nearly: as good as the condition of the matrix and the working precision allow.

        Raises ZeroDivisionError where they do not allow any.
        """
        identity = _matrix(np.eye(len(matrix), dtype=int).astype(object))
        return _objects(_matrix(matrix).solve(identity, algorithm="approx").entries()).reshape(matrix.shape)

    def working(self) -> AbstractContextManager[Any]:
        return flint.ctx.workprec(self.bits)

    def _exponential(self, n: int, s: Any, T: Any) -> Any:
        """E_n(s): by parts from expm1 where that does not cancel, else (W1)."""
        y = s * T
        if not abs(y) > n + 1:
            return (-y).hypgeom_1f1(n + 1, n + 2) * T ** (n + 1) / (n + 1)  # (W1); T may be a plain integer
        moment = -(-y).expm1() / s
        for k in range(1, n + 1):
            moment = (k * moment - T**k * (-y).exp()) / s  # (S3)
        return moment

    def _power_law(self, n: int, s: Any, p: Any) -> Any:
        """H_n(s) (S5), which falls in s and in p: between its values at both ends of the balls, where it is exact.

        Tricomi's function may cancel inside. That would blow up the radii of s and p; rounding is met with more bits.
        """
        p = flint.arb(p)
        below = self._tricomi(n, s.upper(), p.upper())
        return below if s.is_exact() and p.is_exact() else below.union(self._tricomi(n, s.lower(), p.lower()))

    def _tricomi(self, n: int, s: Any, p: Any) -> Any:
        for more in (16, 64, 256):
            with flint.ctx.workprec(self.bits + more):
                moment = factorial(n) * s.hypgeom_u(flint.arb(n + 1), n + 2 - p)
            if moment.rel_accuracy_bits() >= self.bits:
                break
        return +moment


def _matrix(entries: Array) -> flint.arb_mat:
    rows, columns = entries.shape
    return flint.arb_mat(int(rows), int(columns), list(entries.ravel()))


def _objects(values: Iterable[Any]) -> Array:
    return np.fromiter(values, dtype=object)
