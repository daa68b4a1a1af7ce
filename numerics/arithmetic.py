"""Three arithmetics behind one small interface: float64, mpmath, Arb.

Numbers live in numpy arrays: float64 natively, mpmath and Arb as arrays of objects, so that one expression over units
and stages serves all three. An arithmetic knows how to make a number, its table of special functions, and how to
compute inside its precision. mpmath is the reference, Arb the fast path.

    m_n(z) = int_0^inf u^n e^{-zu - u^2/2} du ,   m_n / m_n-1 = n / (z + m_n+1 / m_n)  > 0                   (A1)

(A1), Laplace's continued fraction, replaces the closed form of a truncated Gaussian moment (theory/special.py) in
float64 where that cancels, z = (s sigma^2 - L)/sigma > 3: every term is positive. Backward from a ratio 60 terms deep
the error is below 1e-15 there for the n <= 3 that occur. Derived here from integration by parts.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from math import ceil, log2
from typing import Any, Protocol

import flint
import mpmath
import numpy as np
import scipy.special
import sympy as sp
from scipy.linalg import lapack

Array = np.ndarray[Any, Any]
BITS_PER_DIGIT = log2(10)
TAIL, RATIOS = 3.0, 60  # where (A1) takes over, and how deep it begins: 45 deep at z = 2 would leave 1e-9


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


def _gaussian_moment(closed: Array, n: int, s: Any, lag: float, width: float) -> Array:
    """The closed form where it is good, (A1) where it cancels; arguments as in theory.special."""
    largest = s.max() if isinstance(s, np.ndarray) else s  # a constant moment has a plain number
    if largest * width**2 - lag <= TAIL * width:
        return closed
    z = (s * width**2 - lag) / width
    deep = np.maximum(z, TAIL)
    tail, moment = np.zeros_like(deep), np.sqrt(np.pi / 2) * scipy.special.erfcx(deep / np.sqrt(2))
    ratios = []
    for order in range(RATIOS, 0, -1):
        tail = order / (deep + tail)
        if order <= n:
            ratios.append(tail)
    for ratio in ratios:
        moment = moment * ratio
    return np.where(z > TAIL, width ** (n + 1) * np.exp(-(lag**2) / (2 * width**2)) * moment, closed)


class Float64:
    """IEEE double precision, vectorised."""

    name, digits = "float64", 15

    def __init__(self) -> None:
        self.functions = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "erfc": scipy.special.erfc}
        self.functions |= {"pi": lambda: np.pi, "GaussianMoment": _gaussian_moment}

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


def _elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    ufunc = np.frompyfunc(function, 1, 1)
    return lambda x: ufunc(x) if isinstance(x, np.ndarray) else function(x)


def _keep_closed(closed: Any, *_: Any) -> Any:
    return closed


class Mpmath:
    """mpmath in a private context of `digits` decimal digits: the reference."""

    name = "mpmath"

    def __init__(self, digits: int) -> None:
        self.digits = digits
        self.context = mpmath.mp.clone()
        self.context.dps = digits
        ctx = self.context
        self.functions = {name: _elementwise(getattr(ctx, name)) for name in ("exp", "log", "sqrt", "erfc")}
        self.functions |= {"pi": lambda: +ctx.pi, "GaussianMoment": _keep_closed}

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
        self.functions = {name: _elementwise(getattr(flint.arb, name)) for name in ("exp", "log", "sqrt", "erfc")}
        self.functions |= {"pi": flint.arb.pi, "GaussianMoment": _keep_closed}
        self._midpoint = np.frompyfunc(flint.arb.mid, 1, 1)

    def number(self, exact: sp.Rational | int) -> Any:
        exact = sp.Rational(exact)
        return flint.arb(flint.fmpq(int(exact.p), int(exact.q)))

    def array(self, values: Iterable[Any]) -> Array:
        return _objects(flint.arb(v) if isinstance(v, float | flint.arb) else self.number(v) for v in values)

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

    def working(self) -> AbstractContextManager[Any]:
        return flint.ctx.workprec(self.bits)


def _matrix(entries: Array) -> flint.arb_mat:
    rows, columns = entries.shape
    return flint.arb_mat(int(rows), int(columns), list(entries.ravel()))


def _objects(values: Iterable[Any]) -> Array:
    return np.fromiter(values, dtype=object)
