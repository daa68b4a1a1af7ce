"""The gradient flow of a problem as a system for the integrator, and where float64 may serve.

    y' = -grad J ,  Jacobian -Hess J                                                                         (M8)

float64 holds the flow while every signal the units act on stays inside its range: the bump's transform B(w*) at matched
rates, and B(w)^2, which moves a spare, at the others. So plateaus end where a squared signal would underflow.
"""

import flint
import sympy as sp

from numerics.arithmetic import Arb, Arithmetic, Array
from numerics.compiling import evaluate
from numerics.landscape import Landscape
from theory.problem import Problem, transform

SMALLEST = flint.arb(10) ** -280  # leaves room for products of signals and tolerances above 1e-308


class GradientFlow:
    """y' = -grad J(y) in displacement coordinates (numerics/landscape.py), in one arithmetic."""

    def __init__(self, problem: Problem, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self.landscape = Landscape(problem, arithmetic)
        self.copies = _copies(problem)

    def rhs(self, y: Array) -> Array:
        """-grad J, shape (..., 2m)."""
        return -self.landscape.gradient(y)

    def rhs_and_jacobian(self, y: Array) -> tuple[Array, Array]:
        """-grad J and -Hess J, shapes (..., 2m) and (..., 2m, 2m)."""
        gradient, hessian = self.landscape.gradient_and_hessian(y)
        return -gradient, -hessian


def _copies(problem: Problem) -> tuple[tuple[int, int], ...]:
    """(component, earlier component) of units that start alike: the flow keeps them alike, roundoff would not."""
    m = problem.start.width
    seen: dict[object, int] = {}
    pairs: list[tuple[int, int]] = []
    for unit, alike in enumerate(zip(problem.start.units, problem.reference, strict=True)):
        first = seen.setdefault(alike, unit)
        if first != unit:
            pairs += [(unit, first), (m + unit, m + first)]
    return tuple(pairs)


def fits_float64(problem: Problem) -> bool:
    """Whether the signals at the start and on its plateau stay inside the range of float64."""
    arithmetic = Arb(20)
    with arithmetic.working():
        for unit, (_, rate) in enumerate(problem.start.units):
            signal = abs(evaluate(sp.sympify(transform(problem.bump, rate)), arithmetic))
            power = 1 if unit in problem.pairing else 2
            if signal != 0 and not signal**power > SMALLEST:
                return False
    return True
