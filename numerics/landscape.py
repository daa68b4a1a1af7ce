"""The loss landscape of one problem in one arithmetic: gradient, Hessian and gain at any displacement from rho_bar.

The state is the displacement y = (alpha_1..alpha_m, beta_1..beta_m), last axis 2m; leading axes (stages, points) are
free. Amplitudes and rates are a = a* + alpha, w = w* + beta, with (a*, w*) the problem's `reference`. What is
evaluated are the blocks of theory/: excess (D1), unit and pair blocks (L1), (L2), and the bump's transform; here they
are only summed.
"""

from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from numerics.arithmetic import Arithmetic, Array
from numerics.compiling import bind, evaluate
from theory import flow, landscape
from theory.problem import Problem, weighted_square


class Landscape:
    """Gradient, Hessian and gain of a problem, compiled and bound to an arithmetic.

    Call the methods inside `arithmetic.working()`. Unit of J: output^2 / input^2 * time.
    """

    def __init__(self, problem: Problem, arithmetic: Arithmetic) -> None:
        self.problem, self.arithmetic, self.width = problem, arithmetic, problem.start.width
        s, a, a_j = landscape.s, landscape.a, landscape.a_j
        F0, F1, F2 = landscape.F0, landscape.F1, landscape.F2
        B, K = problem.bump_transform(s), landscape.overlap_of_exponentials(s, problem.horizon)
        bump = [sp.diff(B, s, order) for order in range(3)]
        excess = flow.excess_block(problem.horizon)
        unit = (s, flow.alpha, flow.beta, flow.fitted_a, flow.fitted_w)
        rate = flow.fitted_w + flow.beta  # of unit j, seen from s = w_k
        pair = {symbol: sp.diff(K, s, order).subs(s, s + rate) for order, symbol in enumerate(landscape.K)}
        coupling = landscape.coupling_block().subs({**pair, a_j: flow.fitted_a + flow.alpha})
        gradient, curvature = landscape.gradient_block(), landscape.curvature_block()
        with arithmetic.working():
            self._bump = [bind((s,), bump[:orders], arithmetic) for orders in (1, 2, 3)]
            self._excess = [bind(unit, excess[:orders], arithmetic) for orders in (1, 2)]
            self._pair = bind((*unit, a), [*excess, *coupling], arithmetic)
            self._gradient = bind((a, F0, F1), gradient, arithmetic)
            self._unit = bind((a, F0, F1, F2), [*gradient, curvature[0, 1], curvature[1, 1]], arithmetic)
            numbers = lambda values: arithmetic.array(evaluate(each, arithmetic) for each in values)
            self.fitted_a = numbers(a for a, _ in problem.reference)
            self.fitted_w = numbers(w for _, w in problem.reference)
            here = [a - fitted for (a, _), (fitted, _) in zip(problem.start.units, problem.reference, strict=True)]
            there = [w - fitted for (_, w), (_, fitted) in zip(problem.start.units, problem.reference, strict=True)]
            self.start = numbers([*here, *there])
            self.start_gain = self.gain(self.start)

    def units(self, y: Array) -> tuple[Array, Array]:
        """Amplitudes and rates, shape (..., m) each, of a state of shape (..., 2m)."""
        return self.fitted_a + y[..., : self.width], self.fitted_w + y[..., self.width :]

    def bump(self, rate: Any) -> tuple[Any, Any]:
        """B and B' at a rate, or at an array of rates."""
        B, slope = self._bump[1](rate)
        return B, slope

    def _excess_terms(self, y: Array) -> tuple[Array, tuple[Array, ...]]:
        """Rates (..., m) and the terms of E(w_k), E'(w_k), shape (..., m, m): unit k sees unit j (D1)."""
        rates = self.fitted_w + y[..., self.width :]
        alpha, beta = y[..., None, : self.width], y[..., None, self.width :]
        return rates, self._excess[1](rates[..., :, None], alpha, beta, self.fitted_a, self.fitted_w)

    def gradient(self, y: Array) -> Array:
        """grad J, shape (..., 2m) (M5), (M6)."""
        rates, terms = self._excess_terms(y)
        F0, F1 = (term.sum(axis=-1) - B for term, B in zip(terms, self._bump[1](rates), strict=True))
        return np.concatenate(self._gradient(self.fitted_a + y[..., : self.width], F0, F1), axis=-1)

    def gradient_and_hessian(self, y: Array) -> tuple[Array, Array]:
        """grad J and the Hessian of J, shapes (..., 2m) and (..., 2m, 2m) (L1), (L2)."""
        m = self.width
        a, w = self.units(y)
        alpha, beta = y[..., None, :m], y[..., None, m:]
        *terms, aa, aw, wa, ww = self._pair(w[..., :, None], alpha, beta, self.fitted_a, self.fitted_w, a[..., :, None])
        F = (term.sum(axis=-1) - B for term, B in zip(terms, self._bump[2](w), strict=True))
        g_a, g_w, d_aw, d_ww = self._unit(a, *F)
        hessian = np.empty((*y.shape[:-1], 2 * m, 2 * m), dtype=y.dtype)
        hessian[..., :m, :m], hessian[..., :m, m:], hessian[..., m:, :m], hessian[..., m:, m:] = aa, aw, wa, ww
        diagonal = hessian.reshape(*y.shape[:-1], 4 * m * m)  # a view; the unit block of (L2) is diagonal in k
        diagonal[..., m : 2 * m * m : 2 * m + 1] += d_aw
        diagonal[..., 2 * m * m :: 2 * m + 1] += d_aw
        diagonal[..., 2 * m * m + m :: 2 * m + 1] += d_ww
        return np.concatenate((g_a, g_w), axis=-1), hessian

    def gain(self, y: Array) -> Any:
        """|b|^2 - J at a state of shape (2m,) (D2); zero on the fit."""
        m = self.width
        a, w = self.units(y)
        s = np.concatenate((w, self.fitted_w))
        (terms,) = self._excess[0](s[:, None], y[:m], y[m:], self.fitted_a, self.fitted_w)
        G = 2 * self._bump[0](s)[0] - terms.sum(axis=-1)
        return (a * G[:m] - self.fitted_a * G[m:]).sum()

    def drop(self, y: Array) -> Any:
        """J(0) - J at a state of shape (2m,)."""
        return self.gain(y) - self.start_gain

    def loss(self, y: Array) -> Any:
        """J at a state of shape (2m,) (M4), through (D2)."""
        return self._bump_loss - self.gain(y)

    @cached_property
    def _bump_loss(self) -> Any:
        """|b|^2 of (D2)."""
        return evaluate(weighted_square(self.problem.bump, sp.Integer(0), self.problem.horizon), self.arithmetic)

    def cancellation(self, y: Array) -> float:
        """Digits lost in the sums over units of (D1): log10 of the largest sum |terms| over the largest |sum|; >= 0.

        The largest, over units, of either: on a plateau a matched unit sees far less than the spare, and may.
        """
        rates, terms = self._excess_terms(y)
        worst = 0.0
        for term, B in zip(terms, self._bump[1](rates), strict=True):
            size = max(abs(term).sum(axis=-1))
            left = max(abs(term.sum(axis=-1)) + abs(B))
            if size > left > 0:
                worst = max(worst, float(np.log10(float(size / left))))
        return worst


def copies(problem: Problem) -> tuple[tuple[int, int], ...]:
    """(component, earlier component) of units that start alike: the flow moves them alike, and roundoff would not."""
    m = problem.start.width
    seen: dict[object, int] = {}
    pairs: list[tuple[int, int]] = []
    for unit, alike in enumerate(problem.start.units):
        first = seen.setdefault(alike, unit)
        if first != unit:
            pairs += [(unit, first), (m + unit, m + first)]
    return tuple(pairs)
