"""The pair problem as the peers get it: as anyone would write it, and in our form that does not cancel.

    J = sum_ij a_i a_j / (w_i + w_j) - 2 sum_i a_i R(w_i) + const ,  R(s) = 1/(1 + s) + B(s)                     (M4)
    B(s) = sqrt(pi/2) e^{s^2/2 - sL} erfc((s - L)/sqrt 2)                                                       (M10)

`plain_gain` types (M4) once, for SymPy and for heyoka alike, and each differentiates it by its own means. Nothing of
theory/ is in it, so that a peer's agreement with the reference values means something. The state is (a, w).
`cancellation_free` sums the blocks (D1), (D2) of theory/ instead; the state is the displacement (alpha, beta) from the
fit. Both are compiled for one state at a time, which is how a solver calls them: in plain Python floats that is far
quicker than arrays of two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from benchmarks.problems import START, Pair
from theory import flow, landscape

Scalar = Callable[[Sequence[float]], Any]
STATE = sp.symbols("y:4", real=True)


@dataclass(frozen=True)
class System:
    """y' = rhs(y) from y = start, until `missing` (of the drop) falls to zero; exact expressions in STATE."""

    start: tuple[sp.Rational, ...]
    rhs: tuple[sp.Expr, ...]
    missing: sp.Expr

    @property
    def jacobian(self) -> list[list[sp.Expr]]:
        """d rhs_i / d y_j, shape (4, 4)."""
        return [[sp.diff(component, y) for y in STATE] for component in self.rhs]


def plain_gain(state: Sequence[Any], pair: Pair, package: Any, number: Callable[[int], Any]) -> Any:
    """|rho|^2 - J (M4), with the exp, erfc, sqrt and pi of a package whose numbers `number` makes."""
    a, w = state[:2], state[2:]
    two, lag = number(2), number(int(pair.lag))

    def R(s: Any) -> Any:
        weight = package.sqrt(package.pi / two) * package.exp(s * s / two - s * lag)
        return 1 / (1 + s) + weight * package.erfc((s - lag) / package.sqrt(two))  # (M10)

    overlap = a[0] * a[0] / (two * w[0]) + two * a[0] * a[1] / (w[0] + w[1]) + a[1] * a[1] / (two * w[1])
    return two * (a[0] * R(w[0]) + a[1] * R(w[1])) - overlap


def plain(pair: Pair) -> System:
    """(M4), its gradient and its Hessian by SymPy."""
    start = tuple(sp.Rational(each) for each in START)
    gain = plain_gain(STATE, pair, sp, sp.Integer)
    missing = gain.subs(dict(zip(STATE, start, strict=True))) + sp.Rational(pair.drop) - gain
    return System(start, tuple(sp.diff(gain, y) for y in STATE), missing)


def cancellation_free(pair: Pair) -> System:
    """The same flow and the same drop through (D1) and (D2)."""
    problem = pair.problem
    s, m = landscape.s, problem.start.width
    fitted = problem.reference
    units = [(fitted[j][0] + STATE[j], fitted[j][1] + STATE[m + j]) for j in range(m)]
    excess = sp.Add(*(_of_unit(flow.excess_block()[0], j, fitted[j]) for j in range(m)))
    transform = problem.bump_transform(s)
    F = [sp.diff(excess - transform, s, order) for order in (0, 1)]
    gradient = landscape.gradient_block()
    seen = [{landscape.a: a, landscape.F0: F[0].subs(s, w), landscape.F1: F[1].subs(s, w)} for a, w in units]
    rhs = [-block.xreplace(at) for block in gradient for at in seen]  # all amplitudes, then all rates
    G = 2 * transform - excess
    gain = sum(a * G.subs(s, w) - a0 * G.subs(s, w0) for (a, w), (a0, w0) in zip(units, fitted, strict=True))
    closed = [each.replace(_has_closed_form, lambda moment: moment.closed()) for each in (*rhs, problem.drop - gain)]
    return System((sp.Integer(0),) * 2 * m, tuple(closed[:-1]), closed[-1])


def _of_unit(block: sp.Expr, unit: int, fitted: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """A block of (D1) for one unit, its displacement in STATE."""
    names = (flow.alpha, flow.beta, flow.fitted_a, flow.fitted_w)
    return block.subs(dict(zip(names, (STATE[unit], STATE[2 + unit], *fitted), strict=True)))


def _has_closed_form(expression: sp.Expr) -> bool:
    return hasattr(expression, "closed")


def float64(expression: Any) -> Scalar:
    """An expression in STATE, or a list of them, in Python floats; nan where it leaves their range or divides by 0."""
    function = sp.lambdify([STATE], expression, "math", cse=True)
    beyond = np.full(np.shape(expression), np.nan)

    def guarded(y: Sequence[float]) -> Any:
        try:
            return function(y)
        except (OverflowError, ZeroDivisionError):
            return beyond

    return guarded
