r"""The best L1 approximation of a completely monotone kernel by m real exponentials: Newton's method for (LE3).

Unknowns a_i, ln w_i and ln t_j, j = 1..2m, the sign changes of the error; equations (LE3), the last of them as
e(t_j)/rho(t_j) = 0. The start is the balanced truncation, whose error has 2m sign changes already and is a few per cent
too large. A step is cut so that no sign change comes nearer to the next by more than PART of its distance, and nothing
moves by more than a length: a long one first, from the start again with shorter ones where that does not converge. The
same code in float64, and then in the midpoints of balls for more digits.
"""

from typing import Any

import numpy as np

from numerics.arithmetic import Arb, Arithmetic, Array, Float64
from numerics.balanced import check_int, check_width, exact_sum, network, truncation
from numerics.compiling import bind
from numerics.sign_changes import ErrorCurve, coefficients, float_changes
from theory import l1
from theory.mixtures import Mixture, completely_monotone
from theory.problem import Target
from theory.rnn import LinearRNN

FLOAT = 15  # digits
STEPS = 120
PART, LENGTHS = 0.4, (0.3, 0.05, 0.01)  # of a step: LENGTHS relative for amplitudes, else of logarithms
CONVERGED = 1e-8  # a step of Newton's method; the next would be far smaller
GUARD = 25  # digits beyond those asked


def l1_refined(target: Target, width: int, *, digits: int = FLOAT) -> LinearRNN:
    """The network that solves (LE3) for a completely monotone target: of the least L1 error, as far as is known.

    width: hidden units m, 1 to 199. digits: of amplitudes and rates, from 15, which float64 gives, to 200.
    Returns a LinearRNN, by rising rate; the target itself where m is enough for it.
    Guarantee: estimated (stationary, not proved to be optimal); numerics.l1_enclosure encloses its error.
    Raises as `balanced_truncation`, and ArithmeticError where Newton's method does not converge.
    """
    kernel = completely_monotone(target)
    check_width(width)
    check_int(digits, "digits", FLOAT, 200, f"{FLOAT} is what float64 gives")
    if (whole := exact_sum(kernel, width)) is not None:
        return whole
    a, w = truncation(kernel, width)[1:]
    rough = _Optimality(kernel, Float64())
    with rough.arithmetic.working():
        first, changes = float_changes(rough.curve, a, w)
        if len(changes) != 2 * width:
            raise ArithmeticError(f"the error must have {2 * width} sign changes to start from, and has {len(changes)}")
        solved = (rough.solve(a, w, changes, first, CONVERGED, longest) for longest in LENGTHS)
        found = next((each for each in solved if each is not None), None)
        if found is None:
            raise ArithmeticError(f"Newton's method must converge, and does not at width {width}; try a narrower one")
        a, w, changes = found
    if digits == FLOAT:
        return network(a, w)
    fine = _Optimality(kernel, Arb(digits + GUARD))
    with fine.arithmetic.working():
        a, w, changes = (fine.arithmetic.array(each) for each in (a, w, changes))
        polished = fine.solve(a, w, changes, first, 10.0 ** -(digits / 2 + 5), LENGTHS[0])
        if polished is None:
            raise ArithmeticError(
                f"Newton's method must reach {digits} digits, and not at width {width}; ask less"
            )
        units = ([each.str(digits + 2, radius=False) for each in values] for values in polished[:2])
        return LinearRNN.of(*units)


class _Optimality:
    """The equations (LE3) and their Jacobian, in an arithmetic."""

    def __init__(self, kernel: Mixture, arithmetic: Arithmetic) -> None:
        self.arithmetic, self.curve = arithmetic, ErrorCurve(kernel, arithmetic)
        with arithmetic.working():
            self._conditions = bind((l1.w, l1.t), l1.optimality_block(), arithmetic)
            self._units = bind((l1.a, l1.w, l1.t), l1.unit_block(), arithmetic)

    def solve(
        self, a: Array, w: Array, changes: Array, first: int, close: float, longest: float
    ) -> tuple[Array, Array, Array] | None:
        """(a, w, changes) after the step that is smaller than `close`; None where none is."""
        exp, midpoint, m = self.arithmetic.functions["exp"], self.arithmetic.midpoint, len(w)
        for _ in range(STEPS):
            step = midpoint(self._newton_step(a, w, changes, first, longest))
            if not np.isfinite(size := float(abs(step).max())):
                return None
            a, w = midpoint(a * (1 + step[:m])), midpoint(w * exp(step[m : 2 * m]))
            changes = midpoint(changes * exp(step[2 * m :]))
            if size < close:
                return (a, w, changes) if (a > 0).all() and (np.diff(w) > 0).all() else None
        return None

    def _newton_step(self, a: Array, w: Array, changes: Array, first: int, longest: float) -> Array:
        m, c = len(w), coefficients(first, 2 * len(w))
        times = np.concatenate([self.arithmetic.array([0]), changes])
        phi, phi_v, slope, slope_v = self._conditions(w, times[:, None])
        _, e, change = self._units(a, w, changes[:, None])
        rho = self.curve.rho(changes)
        jacobian: Array = np.full((4 * m, 4 * m), self.arithmetic.number(0))
        unit, late = np.arange(m), 2 * m + np.arange(2 * m)
        jacobian[unit, m + unit], jacobian[m + unit, m + unit] = c @ slope, c @ slope_v
        jacobian[:m, 2 * m :], jacobian[m : 2 * m, 2 * m :] = (c[1:, None] * slope[1:]).T, (c[1:, None] * slope_v[1:]).T
        by_log_rate = change * changes[:, None]  # of a e^{-wt}, a function of w t
        jacobian[2 * m :, :m], jacobian[2 * m :, m : 2 * m] = e / rho[:, None], by_log_rate / rho[:, None]
        jacobian[late, late] = self.curve.slope(a, w, changes) * changes / rho
        residual = np.concatenate([c @ phi, c @ phi_v, self.curve.error(a, w, changes) / rho])  # (LE3)
        midpoint = self.arithmetic.midpoint
        step = self.arithmetic.solver(midpoint(jacobian))(midpoint(-residual))
        return step * min(1.0, *_lengths(step[2 * m :], changes), longest / float(abs(step).max()))


def _lengths(moves: Any, changes: Array) -> tuple[float, ...]:
    """How much of a step keeps every sign change before the next."""
    gaps = np.diff(np.log(changes.astype(float)))
    return tuple(PART * gaps / np.maximum(abs(np.diff(moves.astype(float))), 1e-300))
