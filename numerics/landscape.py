"""The loss landscape of one problem in one arithmetic: gradient, Hessian and gain at any displacement from rho_bar.

The state is the displacement y = (alpha_1..alpha_m, beta_1..beta_m), last axis 2m; leading axes (stages, points) are free.
Amplitudes and rates are a = a* + alpha, w = w* + beta, with (a*, w*) the problem's `reference`. What is evaluated are the
blocks of theory/: excess (D1), unit and pair blocks (L1), (L2), and the bump's transform; here they are only summed.
"""

from typing import Any

import numpy as np
import sympy as sp

from numerics.arithmetic import Arithmetic, Array
from numerics.compiling import bind, evaluate
from theory import flow, landscape
from theory.problem import Problem, transform, weighted_square


class Landscape:
    """Gradient, Hessian and gain of a problem, compiled and bound to an arithmetic.

    Call the methods inside `arithmetic.working()`. Unit of J: output^2 / input^2 * time.
    """

    def __init__(self, problem: Problem, arithmetic: Arithmetic) -> None:
        self.problem, self.arithmetic, self.width = problem, arithmetic, problem.start.width
        s = landscape.s
        B = transform(problem.bump, s)
        jet = [B, sp.diff(B, s), sp.diff(B, s, 2)]
        unit = (s, flow.alpha, flow.beta, flow.fitted_a, flow.fitted_w)
        excess, K = flow.excess_block(), landscape.overlap_of_exponentials()
        a, a_j = landscape.a, landscape.a_j
        F, KK = (landscape.F0, landscape.F1, landscape.F2), (landscape.K0, landscape.K1, landscape.K2)
        with arithmetic.working():
            self._bump = [bind((s,), jet[:orders], arithmetic) for orders in (1, 2, 3)]
            self._excess = [bind(unit, excess[:orders], arithmetic) for orders in (1, 2, 3)]
            self._overlap = bind((s,), [sp.diff(K, s, order) for order in range(3)], arithmetic)
            self._gradient = bind((a, F[0], F[1]), landscape.gradient_block(), arithmetic)
            self._curvature = bind((a, F[1], F[2]), list(landscape.curvature_block()), arithmetic)
            self._coupling = bind((a, a_j, *KK), list(landscape.coupling_block()), arithmetic)
            self.fitted_a = arithmetic.array(a for a, _ in problem.reference)
            self.fitted_w = arithmetic.array(w for _, w in problem.reference)
            here = [a - fitted for (a, _), (fitted, _) in zip(problem.start.units, problem.reference, strict=True)]
            there = [w - fitted for (_, w), (_, fitted) in zip(problem.start.units, problem.reference, strict=True)]
            self.start = arithmetic.array([*here, *there])
            self.bump_loss = evaluate(weighted_square(problem.bump, sp.Integer(0)), arithmetic)
            self.start_gain = self.gain(self.start)

    def units(self, y: Array) -> tuple[Array, Array]:
        """Amplitudes and rates, shape (..., m) each, of a state of shape (..., 2m)."""
        return self.fitted_a + y[..., : self.width], self.fitted_w + y[..., self.width :]

    def _excess_terms(self, y: Array, orders: int) -> tuple[Array, tuple[Array, ...]]:
        """Rates (..., m) and the terms of E^(n)(w_k), n < orders, shape (..., m, m): unit k sees unit j (D1)."""
        rates = self.fitted_w + y[..., self.width :]
        alpha, beta = y[..., None, : self.width], y[..., None, self.width :]
        return rates, self._excess[orders - 1](rates[..., :, None], alpha, beta, self.fitted_a, self.fitted_w)

    def _field(self, y: Array, orders: int) -> tuple[Array, ...]:
        """F^(n)(w_k) = E^(n) - B^(n), n < orders."""
        rates, terms = self._excess_terms(y, orders)
        bump = self._bump[orders - 1](rates)
        return tuple(term.sum(axis=-1) - B for term, B in zip(terms, bump, strict=True))

    def gradient(self, y: Array) -> Array:
        """grad J, shape (..., 2m) (M5), (M6)."""
        F0, F1 = self._field(y, 2)
        return np.concatenate(self._gradient(self.fitted_a + y[..., : self.width], F0, F1), axis=-1)

    def gradient_and_hessian(self, y: Array) -> tuple[Array, Array]:
        """grad J and the Hessian of J, shapes (..., 2m) and (..., 2m, 2m) (L1), (L2)."""
        m = self.width
        F0, F1, F2 = self._field(y, 3)
        a, w = self.units(y)
        gradient = np.concatenate(self._gradient(a, F0, F1), axis=-1)
        pairs = self._overlap(w[..., :, None] + w[..., None, :])
        aa, aw, wa, ww = self._coupling(a[..., :, None], a[..., None, :], *pairs)
        hessian = np.empty((*y.shape[:-1], 2 * m, 2 * m), dtype=y.dtype)
        hessian[..., :m, :m], hessian[..., :m, m:], hessian[..., m:, :m], hessian[..., m:, m:] = aa, aw, wa, ww
        _, d_aw, d_wa, d_ww = self._curvature(a, F1, F2)
        k = np.arange(m)
        hessian[..., k, k + m] += d_aw
        hessian[..., k + m, k] += d_wa
        hessian[..., k + m, k + m] += d_ww
        return gradient, hessian

    def gain(self, y: Array) -> Any:
        """|b|^2 - J at a state of shape (2m,) (D2); zero on the fit."""
        a, w = self.units(y)
        now = self._potential(y, w)
        before = self._potential(y, self.fitted_w)
        return (a * now - self.fitted_a * before).sum()

    def _potential(self, y: Array, s: Array) -> Array:
        """G(s) = 2 B(s) - E(s) of (D2) at the points s, shape (m,)."""
        terms = self._excess[0](s[:, None], y[: self.width], y[self.width :], self.fitted_a, self.fitted_w)[0]
        return 2 * self._bump[0](s)[0] - terms.sum(axis=-1)

    def drop(self, y: Array) -> Any:
        """J(0) - J at a state of shape (2m,)."""
        return self.gain(y) - self.start_gain

    def loss(self, y: Array) -> Any:
        """J at a state of shape (2m,) (M4), through (D2)."""
        return self.bump_loss - self.gain(y)

    def cancellation(self, y: Array) -> float:
        """Digits lost in the sums over units of (D1): log10 of sum |terms| over |sum|, worst unit and order; >= 0."""
        rates, terms = self._excess_terms(y, 2)
        worst = 0.0
        for term, B in zip(terms, self._bump[1](rates), strict=True):
            kept = abs(term.sum(axis=-1)) + abs(B)
            for size, left in zip(abs(term).sum(axis=-1), kept, strict=True):
                if left > 0 and size > left:
                    worst = max(worst, float(np.log10(float(size / left))))
        return worst
