"""The gradient flow of a problem as a system for the integrator, and where float64 may serve.

    y' = -G grad J ,  G = diag(1, .., 1, g(w_1), .., g(w_m))                                            (M8), (M9)
    Jacobian          = -G Hess J - diag(0, .., 0, g'(w_k) dJ/dw_k)                                          (Y1)
    dJ/dtau           = grad J . y' = -(sum_k (dJ/da_k)^2 + sum_k g(w_k) (dJ/dw_k)^2)                        (Y2)
                      = -(sum_k a_k'^2 + sum_k w_k'^2 / g(w_k))                                              (Y3)

g is the metric of the problem's parametrisation, g = 1 for the identity. The true flow never leaves the rates that phi
reaches; a step that would is refused, and the integrator tries a shorter one. Pushed against the end of that range a
rate comes to rest there, g = 0, and where roundoff carries it across, the flow carries it back.

float64 holds the flow while every signal the units act on stays inside its range: the bump's transform B(w*) at matched
rates, and B(w)^2, which moves a spare, at the others; so plateaus end where a squared signal would underflow. And while
it has the digits of g at the start, which it has not for w next to 1/b of an inverse square. (Y1), (Y2) derived here.
"""

from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Arithmetic, Array, Float64
from numerics.compiling import bind, evaluate
from numerics.extended import serves
from numerics.integrator import StepFailed
from numerics.landscape import Landscape, copies
from theory.problem import Problem

SMALLEST = flint.arb(10) ** -280  # leaves room for products of signals and tolerances above 1e-308
SMALLEST_EXTENDED = flint.arb(10) ** -4800  # and above 1e-4932
ACROSS = 1e-9  # how far, relatively, roundoff may carry a rate across the end of the range of phi
LOST = 1e-14  # relative error of g in float64 beyond which 12 digits of the escape time are not safe

w = sp.Symbol("w", positive=True)  # a rate


class GradientFlow:
    """y' = -G grad J(y) in displacement coordinates (numerics/landscape.py), in one arithmetic."""

    def __init__(self, problem: Problem, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self.landscape = Landscape(problem, arithmetic)
        self.copies = copies(problem)
        g, slope = problem.parametrisation.metric(w), problem.parametrisation.metric_slope(w)
        self._metric: list[Callable[..., Any]] = []  # (g,) and (g, g') of rates; empty for g = 1, which costs nothing
        self._highest = np.inf
        if g != 1:
            self._highest = float(problem.parametrisation.highest) * (1 + ACROSS)
            self._metric = [bind((w,), jet, arithmetic) for jet in ((g,), (g, slope))]

    def rhs(self, y: Array) -> Array:
        """-G grad J, shape (..., 2m). Raises StepFailed at a rate that phi does not reach."""
        metric = self._at_rates(y, 0)
        gradient = self.landscape.gradient(y)
        if metric:
            gradient[..., self.landscape.width :] *= metric[0]
        return -gradient

    def rhs_and_jacobian(self, y: Array) -> tuple[Array, Array]:
        """-G grad J and its Jacobian (Y1), shapes (..., 2m) and (..., 2m, 2m). Raises StepFailed like `rhs`."""
        metric = self._at_rates(y, 1)
        gradient, hessian = self.landscape.gradient_and_hessian(y)
        if metric:
            (g, slope), m = metric, self.landscape.width
            hessian[..., m:, :] *= g[..., None]
            diagonal = hessian.reshape(*y.shape[:-1], 4 * m * m)[..., 2 * m * m + m :: 2 * m + 1]  # of w, a view
            diagonal += slope * gradient[..., m:]
            gradient[..., m:] *= g
        return -gradient, -hessian

    def descent(self, y: Array) -> Any:
        """-dJ/dtau >= 0 at a state of shape (2m,) (Y2)."""
        metric = self._at_rates(y, 0)
        squares = self.landscape.gradient(y) ** 2
        if metric:
            squares[self.landscape.width :] *= metric[0]
        return squares.sum()

    def log_descent(self, y: Array, velocity: Array) -> float:
        """ln of -dJ/dtau at a state that moves with this velocity, shapes (2m,) (Y3); -inf at rest.

        The largest velocity is taken out before any is squared, so that none underflows.
        """
        for g in self._at_rates(y, 0):
            rates = velocity[self.landscape.width :]
            rates[g > 0] /= g[g > 0] ** 0.5  # at the end of the range of phi nothing moves
        largest, log = abs(velocity).max(), self.arithmetic.functions["log"]
        if not largest > 0:
            return -np.inf
        return float(2 * log(largest) + log(((velocity / largest) ** 2).sum()))

    def _at_rates(self, y: Array, order: int) -> tuple[Array, ...]:
        """g, and for order 1 g' too, at the rates of y; nothing for g = 1. StepFailed beyond the reach of phi."""
        if not self._metric:
            return ()
        _, rates = self.landscape.units(y)
        if not ((rates > 0) & (rates < self._highest)).all():
            raise StepFailed
        return self._metric[order](rates)


def fits_float64(problem: Problem) -> bool:
    """Whether the signals at the start and on its plateau, and the metric there, are within the reach of float64."""
    return _in_range(problem, SMALLEST) and _metric_error(problem) < LOST


def fits_extended(problem: Problem) -> bool:
    """The same for extended precision (numerics/extended.py), and whether it is to be had and knows the functions."""
    return serves(problem) and _in_range(problem, SMALLEST_EXTENDED) and _metric_error(problem) < 1000 * LOST


def _in_range(problem: Problem, smallest: flint.arb) -> bool:
    arithmetic = Arb(20)
    with arithmetic.working():
        for unit, (_, rate) in enumerate(problem.start.units):
            signal = abs(evaluate(sp.sympify(problem.bump_transform(rate)), arithmetic))
            power = 1 if unit in problem.pairing else 2
            if signal != 0 and not signal**power > smallest:
                return False
    return True


def _metric_error(problem: Problem) -> float:
    """The largest relative error of g at the start's rates in float64."""
    g = problem.parametrisation.metric(w)
    if g == 1:
        return 0.0
    worst, native, balls = 0.0, Float64(), Arb(60)
    with native.working(), balls.working():
        rates = native.array(problem.start.rates)
        (found,) = bind((w,), (g,), native)(rates)
        for each, approximate in zip(problem.start.rates, found, strict=True):
            exact = evaluate(g.subs(w, each), balls)
            worst = max(worst, abs(float(flint.arb(float(approximate)) / exact - 1)))
    return worst
