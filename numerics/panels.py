r"""Gauss-Legendre panels for the moments of a density, halved until their error is proved for an interval of s.

    m_n(s) = int_lower^upper t^n e^{-st} f(t) dt  ~  sum_k W_k t_k^n e^{-s t_k} ,  n = 0..3                 (Q1)
    S_n(s) = sum_k |W_k| t_k^n e^{-s t_k} ,   error <= 10^-digits S_n(s)  for every s of an interval        (Q2)

R, R', R'' share nodes t_k and weights W_k = weight_k f(t_k), so that they stay derivatives of one another. The error is
measured against S_n because R itself may be as small as e^{-20 s}, and the rule must be good there too.

One panel [c-h, c+h], N points. Let |f| <= M in the ellipse with the foci c-h, c+h and the semi-axes a = h (r + 1/r)/2
and h (r - 1/r)/2, r > 1. There |t^n e^{-st}| <= (|c|+a)^n E_a(s), E_a(s) = e^{-s(c-a)} or e^{-s(c+a)}, whichever is
larger: the second for s < 0. The Chebyshev coefficients of an integrand bounded by B are at most 2 B r^-k; the rule is
exact below degree 2N, and integral and rule of a Chebyshev polynomial are at most 2h each, for the weights are positive
with the sum 2h. The sum over k >= 2N:

    error <= 8 h r^{-2N} / (1 - 1/r) M (|c|+a)^n E_a(s)                                                      (Q3)
    error <= 4 h M (|c|+h)^n E_h(s) ,   M = sup of |f| on the panel itself; written as r = 1                  (Q4)

M comes from numerics/complex_balls.py, infinite where the ellipse meets a branch cut or a pole. (Q4) needs no
analyticity: panels that shrink towards a square root, or a corner, end with it.

All s of an interval at once: ln S_n is convex, its slope minus a mean of t_k, and lies above its tangents at the points
of a grid. Between two breakpoints, points of the grid or where two tangents meet, the tangent is linear in s and ln of
(Q3), (Q4) is convex, and so is their difference: largest at one end,

    ln S_n >= the tangents ,                                                                                 (Q5)
    error / S_n <= min over r of the larger quotient (Q3) / (Q5) at two neighbouring breakpoints               (Q6)

What lies beyond X falls at least as fast as e^{-sX}, and S_n, all its nodes below X, at most so fast; hence

    int_X^inf t^n e^{-st} |f| dt / S_n(s)  is largest at the smallest s                                    (Q7)

with the bound of numerics/tails.py above the line. The panels double in width from the lower end, where the first is as
wide as 1/s for the largest s, or 1 if that is less: the density may fade long before 1/s. X doubles until (Q7) is
small; panels with too large a quotient (Q6) are halved. The logarithms that are compared are rounded to float64:
panels, tail and radii of W_k take an eighth of 10^-digits each, so that they may be wrong by ln 2.

(Q3)-(Q7) derived here from Bernstein's bound on Chebyshev coefficients (Trefethen, Approximation Theory and
Approximation Practice, theorem 8.1, read there).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Array
from numerics.complex_balls import Density
from numerics.tails import log_tail
from theory.decay import Envelope, envelope

RADII = (1.0, 1.4, 2.0, 3.0, 4.5, 7.0)  # r of (Q3); 1 stands for (Q4)
SHARE = math.log(1 / 8)  # of 10^-digits: what panels, tail and rounding may take each
GAP = 2.0  # ln of how far tangents may lie below S_n before the grid gets a point more (Q5)
MOST_PANELS = 5000
FAR, FARTHEST = 1e75, 1e300  # where a tail must have a bound, and where it has to be small at last


@dataclass(frozen=True)
class Panel:
    """[left, right], its part of the rule, and ln of the bounds (Q3), (Q4) at n = s = 0, shape (radii,)."""

    left: flint.arb
    right: flint.arb
    nodes: list[flint.arb]
    weights: list[flint.arb]
    times: Array  # ln t_k, shape (N,)
    sizes: Array  # a lower bound of ln |W_k|, shape (N,)
    bounds: Array
    far: Array  # ln(|c| + a)
    near: Array  # c - a


def panel(density: Density, points: int, left: flint.arb, right: flint.arb) -> Panel:
    """The panel [left, right] with so many points. Use inside `density.balls.working()`."""
    centre, half = (left + right) / 2, (right - left) / 2
    across = [half * (r + 1 / r) / 2 for r in RADII]
    nodes, weights = [], []
    for x, weight in _legendre(points, density.balls.bits):
        node = centre + half * x
        nodes.append(node)
        weights.append(half * weight * density.value(node))
    bounds = [density.bound(centre, a, half * (r - 1 / r) / 2) for r, a in zip(RADII, across, strict=True)]
    return Panel(
        left,
        right,
        nodes,
        weights,
        times=np.array([math.log(float(node)) for node in nodes]),
        sizes=np.array([_log_below(weight) for weight in weights]),
        bounds=np.array([_log_above(half * M) + _log_error(r, points) for r, M in zip(RADII, bounds, strict=True)]),
        far=np.array([_log_above(abs(centre) + a) for a in across]),
        near=np.array([float(centre - a) for a in across]),
    )


def _log_error(r: float, points: int) -> float:
    """ln of the factor of h M in (Q3), or in (Q4) for r = 1."""
    return math.log(8 / (1 - 1 / r)) - 2 * points * math.log(r) if r > 1 else math.log(4)


@lru_cache(maxsize=64)
def _legendre(points: int, bits: int) -> list[tuple[flint.arb, flint.arb]]:
    """Nodes and weights on [-1, 1]."""
    with flint.ctx.workprec(bits):
        return [flint.arb.legendre_p_root(points, k, weight=True) for k in reversed(range(points))]


def _log_above(x: flint.arb) -> float:
    if not x.is_finite():
        return math.inf
    top = x.upper()
    return float(top.log()) if top > 0 else -math.inf


def _log_below(x: flint.arb) -> float:
    bottom = x.abs_lower()
    return float(bottom.log()) if bottom > 0 else -math.inf


class Proof:
    """Panels, refined until (Q2) is proved for s in [low, high]; use inside `density.balls.working()`."""

    def __init__(self, density: Density, points: int, low: float, high: float, orders: range, digits: int) -> None:
        self.density, self.points, self.low, self.orders = density, points, low, orders
        self.grid = np.zeros(1)  # of s; at rest
        largest = max(-low, high)
        if largest > 0:
            least = low if low > 0 else min(-low, high)
            positive = np.geomspace(least, high, 1 + math.ceil(math.log2(high / least)))
            self.grid = positive if low > 0 else np.concatenate([[low, 0.0], positive])
        self.first = 1 / max(1.0, largest)
        self.narrowest = self.first * 0.5 ** (2 * density.balls.bits + 128)
        self.share = SHARE - digits * math.log(10)
        self.panels: list[Panel] = []

    def run(self, lower: flint.arb, upper: flint.arb | None) -> list[Panel] | None:
        """The panels of a rule with (Q2); None where the density needs more digits."""
        if self.density.vanishes:
            return [self._panel(lower, lower + 1)]
        if upper is not None:
            self._cover(lower, upper)
        while True:
            if upper is None:
                self._reach(lower)
            points, floors = self._floors()
            if not np.isfinite(floors).all():
                return None
            quotients = self._quotients(points, floors)
            if _log_sum(quotients, axis=0).max() <= self.share:
                return self.panels if self._rounding(points, floors) <= self.share else None
            self._halve(quotients.max(axis=(1, 2)) > self.share - math.log(len(self.panels)))

    def _panel(self, left: flint.arb, right: flint.arb) -> Panel:
        return panel(self.density, self.points, left, right)

    def _cover(self, lower: flint.arb, upper: flint.arb) -> None:
        """Panels of doubling width up to a finite end."""
        left, width = lower, self.first
        while left + 2 * width < upper:
            self.panels.append(self._panel(left, left + width))
            left, width = left + width, 2 * width
        self.panels.append(self._panel(left, upper))

    def _reach(self, lower: flint.arb) -> None:
        """Panels of doubling width until the tail is small."""
        if (self._tails(FAR) == math.inf).any():
            raise ValueError(self._failure("their tails have no bound; it is not integrable, or not known to be"))
        sums = self._sums(self.panels)
        while True:
            X = self.panels[-1].right if self.panels else lower
            below = max(0.0, math.nextafter(float(X), -math.inf))
            if self.panels and np.max(self._tails(below) - sums) <= self.share:  # (Q7)
                return
            if float(X) > FARTHEST:
                raise ValueError(self._failure(f"too much lies beyond t = {FARTHEST:g}; it decays too slowly"))
            self.panels.append(self._panel(X, X + max(self.first, float(X - lower))))
            sums = np.logaddexp(sums, self._sums(self.panels[-1:]))

    def _tails(self, x: float) -> Array:
        """ln of upper bounds of int_x^inf t^n e^{-st} |f| at the smallest s, shape (orders,)."""
        fading = _envelope(self.density.formula)
        return np.array([log_tail(fading, x, self.low, n) for n in self.orders])

    def _failure(self, why: str) -> str:
        moments = ", ".join(map(str, self.orders))
        return f"density must fade: of the moments {moments} of {self.density} at s = {self.low:g} {why}"

    def _sums(self, panels: list[Panel]) -> Array:
        """ln S_n at the smallest s, shape (orders,)."""
        if not panels:
            return np.full(len(self.orders), -math.inf)
        return _log_sums(*_weights(panels), np.array([self.low]), self.orders)[:, 0]

    def _floors(self) -> tuple[Array, Array]:
        """Breakpoints and ln of a lower bound of S_n there (Q5), both of shape (orders, breakpoints)."""
        sizes, times = _weights(self.panels)
        while True:
            value, slope = (each(sizes, times, self.grid, self.orders) for each in (_log_sums, _slopes))
            left, right = self.grid[:-1], self.grid[1:]
            rise = value[:, :-1] - value[:, 1:] + slope[:, 1:] * right - slope[:, :-1] * left
            meet = rise / (slope[:, 1:] - slope[:, :-1])
            meet = np.clip(np.where(np.isfinite(meet), meet, left), left, right)
            tangents = value[:, :-1] + slope[:, :-1] * (meet - left), value[:, 1:] + slope[:, 1:] * (meet - right)
            below = np.minimum(*tangents)
            chord = value[:, :-1] + (value[:, 1:] - value[:, :-1]) * (meet - left) / (right - left)
            coarse = (chord - below > GAP).any(axis=0)
            if not coarse.any():
                break
            middle = np.where(left > 0, np.sqrt(left * right), (left + right) / 2)
            self.grid = np.sort(np.concatenate([self.grid, middle[coarse]]))
        points, floors = (np.empty((len(self.orders), 2 * len(self.grid) - 1)) for _ in range(2))
        points[:, ::2], points[:, 1::2] = self.grid, meet
        floors[:, ::2], floors[:, 1::2] = value, below
        return points, floors

    def _quotients(self, points: Array, floors: Array) -> Array:
        """ln of (Q6), shape (panels, orders, gaps between breakpoints)."""
        orders = np.array(self.orders)[:, None]
        parts = ([getattr(each, name) for each in self.panels] for name in ("bounds", "far", "near"))
        bounds, far, near = (np.array(each)[:, :, None, None] for each in parts)
        decay = np.minimum(points * near, points * np.exp(far))  # -ln of E_a in (Q3), E_h in (Q4)
        logs = bounds + orders * far - decay - floors
        if points.shape[1] > 1:
            logs = np.maximum(logs[..., :-1], logs[..., 1:])
        return logs.min(axis=1)

    def _rounding(self, points: Array, floors: Array) -> float:
        """ln of what the radii of the weights amount to, in units of S_n; convex above tangents like (Q6)."""
        radii = np.array([_log_above(weight.rad()) for each in self.panels for weight in each.weights])
        _, times = _weights(self.panels)
        sums = [_log_sums(radii, times, s, range(n, n + 1))[0] for s, n in zip(points, self.orders, strict=True)]
        return float(np.max(np.array(sums) - floors))

    def _halve(self, chosen: Array) -> None:
        panels = []
        for each, coarse in zip(self.panels, chosen, strict=True):
            if not coarse:
                panels.append(each)
                continue
            middle = (each.left + each.right) / 2
            if each.right - each.left < self.narrowest or len(self.panels) > MOST_PANELS:
                raise ValueError(
                    "density must be bounded, analytic but for a few corners, and not oscillate for ever: "
                    f"{self.density} near t = {float(middle):.6g} is too much for {len(self.panels)} panels; "
                    "let it fade faster, or give a finite horizon"
                )
            panels += [self._panel(each.left, middle), self._panel(middle, each.right)]
        self.panels = panels


def _weights(panels: list[Panel]) -> tuple[Array, Array]:
    """Lower bounds of ln |W_k|, and ln t_k, over all panels."""
    return np.concatenate([each.sizes for each in panels]), np.concatenate([each.times for each in panels])


def _log_sum(logarithms: Array, axis: int) -> Array:
    """ln sum exp along an axis; -inf for a sum of zeros."""
    peak = np.maximum(logarithms.max(axis=axis, keepdims=True), -1e300)
    total: Array = np.log(np.exp(logarithms - peak).sum(axis=axis)) + peak.squeeze(axis)
    return total


def _log_sums(sizes: Array, times: Array, s: Array, orders: range) -> Array:
    """ln S_n(s) (Q2), shape (orders, s), of weights and nodes given by their logarithms."""
    decays = sizes - np.multiply.outer(s, np.exp(times))
    return np.array([_log_sum(decays + n * times, axis=-1) for n in orders])


def _slopes(sizes: Array, times: Array, s: Array, orders: range) -> Array:
    """d/ds ln S_n(s), shape (orders, s): minus the mean of t_k; the quotient of two S_n would lose digits if tiny."""
    decays = sizes - np.multiply.outer(s, np.exp(times))
    slopes = []
    for n in orders:
        logs = decays + n * times
        summands = np.exp(logs - logs.max(axis=-1, keepdims=True))
        slopes.append(-(summands @ np.exp(times)) / summands.sum(axis=-1))
    return np.array(slopes)


@lru_cache(maxsize=64)
def _envelope(formula: sp.Lambda) -> Envelope:
    return envelope(formula.expr, formula.variables[0])
