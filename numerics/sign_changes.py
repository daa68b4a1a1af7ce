"""The error of an exponential sum against a mixture of exponentials, its sign changes, and its L1 norm through them.

Evaluates the blocks of theory/l1.py in an arithmetic: sums over units stay array operations. Amplitudes and rates are
arrays of shape (m,), times of shape (n,). In float64 the error has a relative accuracy of about m 1e-16 of rho, enough
for networks down to errors of 1e-10; slow rates are no harm, for nothing is subtracted from them.

Sign changes are looked for on a grid even in ln t; a pair of them between two of its points is missed: estimated.
"""

from typing import Any

import numpy as np
import sympy as sp

from numerics.arithmetic import Arithmetic, Array
from numerics.compiling import bind
from theory import l1
from theory.mixtures import Mixture

POINTS, POINTS_A_UNIT = 2000, 60  # of the grid
BEFORE, BEYOND = 1e-4, 100.0  # the grid lies between BEFORE / fastest rate and BEYOND / slowest rate
HALVINGS = 60


class ErrorCurve:
    """e = rho_hat - rho for a mixture rho, in an arithmetic. Call the methods inside `arithmetic.working()`."""

    def __init__(self, kernel: Mixture, arithmetic: Arithmetic) -> None:
        self.kernel, self.arithmetic = kernel, arithmetic
        beyond = l1.tail(kernel)
        target = [beyond, -sp.diff(beyond, l1.t), -sp.diff(beyond, l1.t, 2)]
        with arithmetic.working():
            self._target = bind((l1.t,), target, arithmetic)
            self._unit = bind((l1.a, l1.w, l1.t), l1.unit_block(), arithmetic)

    def rho(self, times: Array) -> Array:
        """rho(t), shape (n,)."""
        value: Array = self._target(times)[1]
        return value

    def tail(self, a: Array, w: Array, times: Array) -> Array:
        """F(t) (LE1), shape (n,)."""
        return self._difference(0, a, w, times)

    def error(self, a: Array, w: Array, times: Array) -> Array:
        """e(t), shape (n,)."""
        return self._difference(1, a, w, times)

    def slope(self, a: Array, w: Array, times: Array) -> Array:
        """e'(t), shape (n,)."""
        return self._difference(2, a, w, times)

    def _difference(self, which: int, a: Array, w: Array, times: Array) -> Array:
        units, target = self._unit(a, w, times[:, None])[which], self._target(times)[which]
        difference: Array = units.sum(axis=1) - target
        return difference

    def norm(self, a: Array, w: Array, first: int, changes: Array) -> Any:
        """||e||_1 (LE1), for e of the sign `first` before the first of these times, where it changes."""
        times = np.concatenate([self.arithmetic.array([0]), changes])
        return coefficients(first, len(changes)) @ self.tail(a, w, times)


def coefficients(first: int, changes: int) -> Array:
    """c_0 .. c_n of (LE1), integers."""
    alternating = first * (-1) ** np.arange(changes + 1)
    return np.where(np.arange(changes + 1) > 0, 2 * alternating, alternating)


def float_changes(curve: ErrorCurve, a: Array, w: Array) -> tuple[int, Array]:
    """(sign of e at first, times of its changes), for a curve in float64."""
    rates = np.concatenate([w, [float(rate) for _, rate in curve.kernel.atoms]])
    ends = BEFORE / rates.max(), BEYOND / rates.min()
    times = np.concatenate([[0.0], np.geomspace(*ends, POINTS + POINTS_A_UNIT * len(w))])
    signs = np.sign(curve.error(a, w, times))
    times, signs = times[signs != 0], signs[signs != 0]
    before = np.flatnonzero(signs[1:] != signs[:-1])
    low, high, sign = times[before], times[before + 1], signs[before]
    for _ in range(HALVINGS):
        middle = np.where(low > 0, np.sqrt(low * high), high / 2)
        same = np.sign(curve.error(a, w, middle)) == sign
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return int(signs[0]) if len(signs) else 1, (low + high) / 2
