r"""Extended precision: numpy's longdouble where the processor has 64 bits of mantissa, a fourth arithmetic.

Some 18 digits, vectorised like float64, and exponents to 1e+-4932: for plateaus whose signals leave the range of
float64, and for close spares, whose sums over units cancel too many digits for it. Linear algebra stays in float64;
residuals in extended precision correct it (numerics/integrator.py). What scipy.special lacks in it:

    erf x    = 2/sqrt(pi) e^{-x^2} sum_n 2^n x^{2n+1} / (1 3 5 .. (2n+1)) ,  every term positive for x > 0   (X1)
    erfc x   = sqrt(2/pi) e^{-x^2} m_0(x sqrt 2) ,  m_0 by (A1) of numerics/arithmetic.py                    (X2)
    erfc(-x) = 2 - erfc x

(X1) for |x| <= 3/2, (X2) beyond; good to 1e-17. It serves an infinite horizon and kernels whose transforms need nothing
else. (X1) is DLMF 7.6.2, cited second-hand; (X2) is the definition of erfc with u = sqrt 2 (t - x).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import ELEMENTARY, Array, Float64, gaussian_moment, reduced_moment
from theory.problem import Problem, weighted_square

PRECISION = np.finfo(np.longdouble)
AVAILABLE = bool(PRECISION.eps < 1e-18 and PRECISION.maxexp > 16000)  # not on every machine
SWITCH, TERMS = 1.5, 40  # where (X2) takes over, and terms of (X1): (2 SWITCH^2)^40 / (3 5 .. 81) < 1e-30
INVISIBLE = 7.0  # erfc of it is less than roundoff beside 2
RATIOS = 450.0  # (A1) begins 8 + RATIOS/z deep, measured to be enough for 1e-19 at z > SWITCH sqrt 2
REFINEMENTS = 3  # of a solution found in float64


class Extended:
    """Extended precision, vectorised; use inside `working()`."""

    name, digits = "extended", 18

    def __init__(self) -> None:
        self.functions: dict[str, Callable[..., Any]] = {name: getattr(np, name) for name in ELEMENTARY}
        self.functions |= {"power": np.power, "where": np.where, "erfc": erfc, "pi": lambda: _number(sp.pi)}
        self.functions |= {"GaussianMoment": partial(gaussian_moment, RATIOS)}

    def number(self, exact: sp.Rational | int) -> np.longdouble:
        return _number(sp.Rational(exact))

    def array(self, values: Iterable[Any]) -> Array:
        if isinstance(values, np.ndarray) and values.dtype != object:
            return values.astype(np.longdouble)
        return np.array([_number(value) for value in values], dtype=np.longdouble)

    def midpoint(self, values: Any) -> Any:
        return values

    def linear(self, matrix: Array) -> Callable[[Array], Array]:
        return matrix.__matmul__

    def solver(self, matrix: Array) -> Callable[[Array], Array]:
        near = Float64().solver(matrix.astype(float))

        def solution(right: Array) -> Array:
            x = near(right.astype(float)).astype(np.longdouble)
            for _ in range(REFINEMENTS):
                x = x + near((right - matrix @ x).astype(float))
            return x

        return solution

    def working(self) -> AbstractContextManager[Any]:
        return Float64().working()


def _number(value: Any) -> np.longdouble:
    """A float, an exact number or an Arb midpoint, rounded once."""
    if isinstance(value, float | np.longdouble):
        return np.longdouble(value)
    exact = value.mid().str(30, radius=False) if isinstance(value, flint.arb) else str(sp.N(value, 30))
    return np.longdouble(exact)


def erfc(x: Any) -> Any:
    """erfc of a longdouble or an array of them, to 1e-17 of the larger of erfc x and erf |x| (X1), (X2)."""
    if np.max(x) < -INVISIBLE:
        return 2 + 0 * x
    size = abs(x)
    near, far = np.minimum(size, SWITCH), np.maximum(size, SWITCH)
    term = series = near
    for n in range(1, TERMS):
        term = term * (2 * near**2 / (2 * n + 1))
        series = series + term
    root = np.sqrt(2 / _number(sp.pi))
    inside = 1 - np.sqrt(np.longdouble(2)) * root * np.exp(-(near**2)) * series  # (X1)
    beyond = root * np.exp(-(far**2)) * reduced_moment(RATIOS, 0, far * np.sqrt(np.longdouble(2)))  # (X2)
    tail = np.where(size > SWITCH, beyond, inside)
    return np.where(x < 0, 2 - tail, tail)


def serves(problem: Problem) -> bool:
    """Whether extended precision is to be had, and knows all the functions that the flow of a problem needs."""
    s, phi = sp.Symbol("s", positive=True), problem.parametrisation
    loss = weighted_square(problem.bump, sp.Integer(0), problem.horizon)
    needed = [problem.bump_transform(s), loss, problem.drop, phi.metric(s), phi.metric_slope(s)]
    needed += [number for unit in (*problem.reference, *problem.start.units) for number in unit]
    functions = {type(each).__name__ for expr in needed for each in sp.sympify(expr).atoms(sp.Function)}
    return AVAILABLE and problem.horizon == sp.oo and functions <= Extended().functions.keys()
