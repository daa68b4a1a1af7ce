r"""Moments of a memory kernel without a closed form: one Gauss-Legendre rule, its error enclosed.

    m_n(s) = int_lower^upper t^n e^{-st} f(t) dt  ~  sum_k W_k t_k^n e^{-s t_k} ,  n = 0..3                 (Q1)
    S_n(s) = sum_k |W_k| t_k^n e^{-s t_k} ,   error <= 10^-digits S_n(s)  for every s of an interval        (Q2)

R, R', R'' share nodes t_k and weights W_k = weight_k f(t_k), so that they stay derivatives of one another. The error is
measured against S_n because R itself may be as small as e^{-20 s}, and the rule must be good there too.

One panel [c-h, c+h], N points. Let |f| <= M in the ellipse with the foci c-h, c+h and the semi-axes a = h (r + 1/r)/2
and h (r - 1/r)/2, r > 1. There |t^n e^{-st}| <= (|c|+a)^n e^{-s(c-a)}. The Chebyshev coefficients of an integrand
bounded by B are at most 2 B r^-k; the rule is exact below degree 2N, and integral and rule of a Chebyshev polynomial
are at most 2h each, for the weights are positive with the sum 2h. The sum over k >= 2N:

    error <= 8 h r^{-2N} / (1 - 1/r) M (|c|+a)^n e^{-s(c-a)}                                               (Q3)
    error <= 4 h M (|c|+h)^n e^{-s(c-h)} ,   M = sup of |f| on the panel itself; written as r = 1              (Q4)

M comes from one evaluation in complex balls over the rectangle around the ellipse; it is infinite if that meets a
branch cut or a pole. (Q4) needs no analyticity: panels that shrink towards a square root, or a corner, end with it.

All s of an interval at once: ln S_n is convex, with the slope -S_n+1 / S_n, and lies above its tangents at the points
of a grid. Between two breakpoints, points of the grid or where two tangents meet, the tangent and ln of (Q3), (Q4) are
linear in s, and so is their difference: largest at one end,

    ln S_n >= the tangents ,                                                                                 (Q5)
    error / S_n <= min over r of the larger quotient (Q3) / (Q5) at two neighbouring breakpoints               (Q6)

What lies beyond X falls at least as fast as e^{-sX}, and S_n, all its nodes below X, at most so fast; hence

    int_X^inf t^n e^{-st} |f| dt / S_n(s)  is largest at the smallest s                                    (Q7)

with the bound of theory/decay.py above the line. The panels double in width from the lower end, where the first is as
wide as 1/s for the largest s; X doubles until (Q7) is small; panels with too large a quotient (Q6) are halved. The
logarithms that are compared are rounded to float64: panels, tail and radii of W_k take an eighth of 10^-digits each, so
that they may be wrong by ln 2.

Arb's own bound of the Airy function over a wide ball explodes where the function oscillates; there

    |Ai(x+iy)| <= e^{eta^3/3 - x eta + y^2/(4 eta)} / (2 sqrt(pi eta)) ,  any eta > 0; least near Re sqrt(x+iy) (Q8)

from Ai(z) = int e^{i(u^3/3 + zu)} du / (2 pi) over u = k + i eta, whose integrand has the size
e^{eta^3/3 - x eta - eta k^2 - y k}.

(Q3)-(Q8) derived here from Bernstein's bound on Chebyshev coefficients (Trefethen, Approximation Theory and
Approximation Practice, theorem 8.1, cited second-hand).
"""

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Arithmetic, Array
from numerics.compiling import bind, evaluate
from theory.decay import Envelope, envelope

ORDERS = range(4)  # of the moments: R, R', R'', and what the derivative of a Hessian takes
RADII = (1.0, 1.4, 2.0, 3.0, 4.5, 7.0)  # r of (Q3); 1 stands for (Q4)
GUARD = 10  # digits of nodes and weights beyond those asked
DOUBLINGS = 4  # of the digits, before a density that cancels is given up
POINTS_PER_DIGIT = 0.8  # on each panel: 0.5 and 1.6 take a third more nodes in all
SHARE = math.log(1 / 8)  # of 10^-digits: what panels, tail and rounding may take each
GAP = 2.0  # ln of how far tangents may lie below S_n before the grid gets a point more (Q5)
MOST_PANELS = 5000
FAR, FARTHEST = 1e75, 1e300  # where a tail must have a bound, and where it has to be small at last
SMALLEST, LARGEST = 1e-200, 1e200  # of s > 0; float64 holds all that is needed between them
REMEMBERED = 64  # rules; a rule in balls takes about a megabyte


def _airy(z: Any) -> Any:
    value, x, y = z.airy_ai(), z.real.lower(), z.imag.abs_upper()
    eta = flint.acb(x, y).sqrt().real.mid()
    if not eta > 0:
        return value
    size = (eta**3 / 3 - x * eta + y**2 / (4 * eta)).exp() / (2 * (flint.arb.pi() * eta).sqrt())  # (Q8)
    wide = not value.is_finite() or size < value.abs_upper()
    return flint.acb(flint.arb(0, size), flint.arb(0, size)) if wide else value


class _Plane(Arb):
    """Complex balls with the functions a density may use; analytic: not-a-number where a branch cut is met."""

    name = "acb"

    def __init__(self, digits: int, analytic: bool) -> None:
        super().__init__(digits)

        def log(z: Any) -> Any:
            return z.log(analytic=analytic)

        def power(base: Any, exponent: Any) -> Any:
            base, exponent = flint.acb(base), flint.acb(exponent)
            value = base.pow(exponent, analytic=analytic)
            if value.is_finite() or analytic or not exponent.real > 0:
                return value
            size = flint.arb(0, base.abs_upper() ** exponent.real)  # the branch point lies inside
            return flint.acb(size, size)

        def atan(z: Any) -> Any:
            turned = flint.acb(0, 1) * z
            return flint.acb(0, 0.5) * (log(1 - turned) - log(1 + turned))  # Arb's own does not see its branch cuts

        plain = ("exp", "sin", "cos", "sinh", "cosh", "tanh", "erf", "erfc")
        self.functions = {name: getattr(flint.acb, name) for name in plain}
        self.functions |= {"airyai": _airy, "pi": flint.acb.pi, "log": log, "atan": atan}
        self.functions |= {"Abs": lambda z: z.real_abs(analytic=analytic)}
        self.functions |= {"power": power, "sqrt": lambda z: power(z, 0.5)}

    def number(self, exact: sp.Rational | int) -> Any:
        return flint.acb(super().number(exact))


FUNCTIONS = frozenset(_Plane(15, analytic=True).functions) - {"power", "pi"}


@dataclass(frozen=True)
class _Panel:
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


class _Density:
    """f in balls: on the line, over the rectangle around an ellipse, and beyond some X. Use inside `working()`."""

    def __init__(self, density: sp.Lambda, points: int, balls: Arb) -> None:
        self.density, self.points, self.balls = density, points, balls
        bound = [bind(density.variables, [density.expr], _Plane(balls.digits, analytic)) for analytic in (False, True)]
        self.on_line, self.on_plane = bound

    @property
    def vanishes(self) -> bool:
        return bool(self.density.expr == 0)

    def __str__(self) -> str:
        return str(self.density.expr)

    def panel(self, left: flint.arb, right: flint.arb) -> _Panel:
        centre, half = (left + right) / 2, (right - left) / 2
        across = [half * (r + 1 / r) / 2 for r in RADII]
        nodes, weights = [], []
        for x, weight in _legendre(self.points, self.balls.bits):
            node = centre + half * x
            value = flint.acb(self.on_line(flint.acb(node))[0])
            if not (value.is_finite() and value.imag.contains(0)):
                raise ValueError(f"density must be real and finite, got {self} = {value} at t = {float(node):.6g}")
            nodes.append(node)
            weights.append(half * weight * value.real)
        return _Panel(
            left,
            right,
            nodes,
            weights,
            times=np.array([math.log(float(node)) for node in nodes]),
            sizes=np.array([_log_below(weight) for weight in weights]),
            bounds=np.array([self._bound(r, a, centre, half) for r, a in zip(RADII, across, strict=True)]),
            far=np.array([_log_above(abs(centre) + a) for a in across]),
            near=np.array([float(centre - a) for a in across]),
        )

    def _bound(self, r: float, a: flint.arb, centre: flint.arb, half: flint.arb) -> float:
        """ln of the bound (Q3), or (Q4) for r = 1, at n = s = 0."""
        region = flint.acb(centre + flint.arb(0, a), flint.arb(0, half * (r - 1 / r) / 2))
        [value] = (self.on_plane if r > 1 else self.on_line)(region)
        logarithm = _log_above(flint.acb(value).abs_upper() * half)  # ln h M
        return logarithm + (math.log(8 / (1 - 1 / r)) - 2 * self.points * math.log(r) if r > 1 else math.log(4))

    def tails(self, X: flint.arb, s: float, orders: range) -> Array:
        """ln of upper bounds of int_X^inf t^n e^{-st} |f|, shape (orders,)."""
        x = max(0.0, math.nextafter(float(X), -math.inf))
        fading = _envelope(self.density)
        return np.array([fading.log_tail(x, s, n) for n in orders])


@lru_cache(maxsize=64)
def _envelope(density: sp.Lambda) -> Envelope:
    return envelope(density.expr, density.variables[0])


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


def _log_sum(logarithms: Array, axis: int) -> Array:
    """ln sum exp along an axis; -inf for a sum of zeros."""
    peak = np.maximum(logarithms.max(axis=axis, keepdims=True), -1e300)
    total: Array = np.log(np.exp(logarithms - peak).sum(axis=axis)) + peak.squeeze(axis)
    return total


def _log_sums(sizes: Array, times: Array, s: Array, orders: range) -> Array:
    """ln S_n(s) (Q2), shape (orders, s), of weights and nodes given by their logarithms."""
    decays = sizes - np.multiply.outer(s, np.exp(times))
    return np.array([_log_sum(decays + n * times, axis=-1) for n in orders])


class _Proof:
    """Panels, refined until (Q2) is proved on [low, high] for the orders wanted."""

    def __init__(self, density: _Density, low: float, high: float, orders: range, digits: int) -> None:
        self.density, self.low, self.orders = density, low, orders
        doublings = math.ceil(math.log2(high / low)) if low < high else 0
        self.grid = np.geomspace(low, high, 1 + doublings) if doublings else np.array([low])
        self.first = 1 / high if high else 1.0
        self.narrowest = self.first * 0.5 ** (2 * density.balls.bits + 128)
        self.share = SHARE - digits * math.log(10)
        self.panels: list[_Panel] = []

    def run(self, lower: flint.arb, upper: flint.arb | None) -> list[_Panel] | None:
        """The panels of a rule with (Q2); None where the density needs more digits."""
        if self.density.vanishes:
            return [self.density.panel(lower, lower + 1)]
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

    def _cover(self, lower: flint.arb, upper: flint.arb) -> None:
        """Panels of doubling width up to a finite end."""
        left, width = lower, self.first
        while left + 2 * width < upper:
            self.panels.append(self.density.panel(left, left + width))
            left, width = left + width, 2 * width
        self.panels.append(self.density.panel(left, upper))

    def _reach(self, lower: flint.arb) -> None:
        """Panels of doubling width until the tail is small."""
        if (self.density.tails(flint.arb(FAR), self.low, self.orders) == math.inf).any():
            raise ValueError(self._failure("their tails have no bound; it is not integrable, or not known to be"))
        sums = self._sums(self.panels)
        while True:
            X = self.panels[-1].right if self.panels else lower
            if self.panels and np.max(self.density.tails(X, self.low, self.orders) - sums) <= self.share:  # (Q7)
                return
            if float(X) > FARTHEST:
                raise ValueError(self._failure(f"too much lies beyond t = {FARTHEST:g}; it decays too slowly"))
            self.panels.append(self.density.panel(X, X + max(self.first, float(X - lower))))
            sums = np.logaddexp(sums, self._sums(self.panels[-1:]))

    def _failure(self, why: str) -> str:
        moments = ", ".join(map(str, self.orders))
        return f"density must fade: of the moments {moments} of {self.density} at s = {self.low:g} {why}"

    def _sums(self, panels: list[_Panel]) -> Array:
        """ln S_n at the smallest s, shape (orders,)."""
        if not panels:
            return np.full(len(self.orders), -math.inf)
        return _log_sums(*_weights(panels), np.array([self.low]), self.orders)[:, 0]

    def _floors(self) -> tuple[Array, Array]:
        """Breakpoints and ln of a lower bound of S_n there (Q5), both of shape (orders, breakpoints)."""
        sizes, times = _weights(self.panels)
        while True:
            sums = _log_sums(sizes, times, self.grid, range(self.orders.start, self.orders.stop + 1))
            value, slope = sums[:-1], -np.exp(sums[1:] - sums[:-1])
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
            self.grid = np.sort(np.concatenate([self.grid, np.sqrt(left * right)[coarse]]))
        points, floors = (np.empty((len(self.orders), 2 * len(self.grid) - 1)) for _ in range(2))
        points[:, ::2], points[:, 1::2] = self.grid, meet
        floors[:, ::2], floors[:, 1::2] = value, below
        return points, floors

    def _quotients(self, points: Array, floors: Array) -> Array:
        """ln of (Q6), shape (panels, orders, gaps between breakpoints)."""
        orders = np.array(self.orders)[:, None]
        parts = ([getattr(each, name) for each in self.panels] for name in ("bounds", "far", "near"))
        bounds, far, near = (np.array(each)[:, :, None, None] for each in parts)
        logs = bounds + orders * far - points * near - floors
        if points.shape[1] > 1:
            logs = np.maximum(logs[..., :-1], logs[..., 1:])
        return logs.min(axis=1)

    def _rounding(self, points: Array, floors: Array) -> float:
        """ln of what the radii of the weights amount to, in units of S_n; convex above tangents like (Q6)."""
        radii = np.array([_log_above(weight.rad()) for panel in self.panels for weight in panel.weights])
        _, times = _weights(self.panels)
        sums = [_log_sums(radii, times, s, range(n, n + 1))[0] for s, n in zip(points, self.orders, strict=True)]
        return float(np.max(np.array(sums) - floors))

    def _halve(self, chosen: Array) -> None:
        panels = []
        for panel, coarse in zip(self.panels, chosen, strict=True):
            if not coarse:
                panels.append(panel)
                continue
            middle = (panel.left + panel.right) / 2
            if panel.right - panel.left < self.narrowest or len(self.panels) > MOST_PANELS:
                raise ValueError(
                    f"density must be bounded, and analytic but for a few corners; {self.density} near "
                    f"t = {float(middle):.6g} cannot be integrated by {len(self.panels)} panels"
                )
            panels += [self.density.panel(panel.left, middle), self.density.panel(middle, panel.right)]
        self.panels = panels


def _weights(panels: list[_Panel]) -> tuple[Array, Array]:
    """Lower bounds of ln |W_k|, and ln t_k, over all panels."""
    return np.concatenate([each.sizes for each in panels]), np.concatenate([each.times for each in panels])


class _Sum:
    """The sums (Q1) over some panels, in an arithmetic."""

    def __init__(self, panels: list[_Panel], bits: int, arithmetic: Arithmetic, error: sp.Rational) -> None:
        self.arithmetic, self.bits, self.balls = arithmetic, bits, arithmetic.name == "arb"
        self.nodes = [node for panel in panels for node in panel.nodes]
        self.weights = [weight for panel in panels for weight in panel.weights]
        self.error = arithmetic.number(error)
        self.times = arithmetic.array(self.nodes)
        self.rows: dict[int, Any] = {}

    def decays(self, s: Array) -> Any:
        """e^{-s t_k}, shape (nodes, s)."""
        table = self.arithmetic.functions["exp"](np.multiply.outer(-self.times, s))
        return flint.arb_mat(len(self.times), len(s), list(table.ravel())) if self.balls else table

    def moments(self, order: int, decays: Any) -> Array:
        """m_n(s), shape (s,)."""
        if order not in self.rows:
            self.rows[order] = self._row(order)
        if not self.balls:
            return self.rows[order] @ decays
        both = (self.rows[order] * decays).entries()
        sums, sizes = both[: decays.ncols()], both[decays.ncols() :]
        return _objects(m + flint.arb(0, self.error * S) for m, S in zip(sums, sizes, strict=True))  # (Q2)

    def _row(self, order: int) -> Any:
        """W_k t_k^n; in balls with |W_k| t_k^n beneath."""
        with flint.ctx.workprec(self.bits):
            terms = [weight * node**order for node, weight in zip(self.nodes, self.weights, strict=True)]
        if not self.balls:
            return self.arithmetic.array(terms)
        return flint.arb_mat(2, len(terms), terms + [abs(term) for term in terms])


@dataclass(frozen=True)
class _Evaluated:
    """The last s as it was given, its values, and their decays: other orders of it follow at once."""

    given: Any
    values: Array
    total: _Sum
    decays: Any


class Rule:
    """Moments (Q1) of a density as numbers of an arithmetic; built when first called, and again for s out of its reach.

    density: f(t), exact; lower, upper: 0 <= lower < upper <= oo, in time. f must be bounded, analytic there but for a
    few corners and roots, and made of FUNCTIONS, powers and rational numbers; for upper = oo theory/decay.py must know
    how it fades.

    >>> t, arithmetic = sp.Symbol("t"), Arb(20)
    >>> airy = Rule(sp.Lambda(t, sp.airyai(t)), sp.Integer(0), sp.oo, arithmetic)
    >>> with arithmetic.working():
    ...     airy(0, arithmetic.number(0)).str(10, radius=False)  # int_0^oo Ai = 1/3
    '0.3333333333'
    """

    def __init__(self, density: sp.Lambda, lower: sp.Expr, upper: sp.Expr, arithmetic: Arithmetic) -> None:
        if not 0 <= lower < upper:
            raise ValueError(f"lower must be >= 0 and < upper = {upper}, got {lower}; memory is of the past")
        unknown = {type(each).__name__ for each in density.expr.atoms(sp.Function)} - FUNCTIONS
        if unknown:
            raise ValueError(
                f"density must be made of {', '.join(sorted(FUNCTIONS))}, powers and rational numbers, "
                f"got {', '.join(sorted(unknown))} in {density.expr}"
            )
        self.density, self.lower, self.upper, self.arithmetic = density, lower, upper, arithmetic
        self._low, self._high = math.inf, 0.0  # (Q2) is proved between them
        self._sum: _Sum | None = None
        self._at_rest: dict[int, Any] = {}  # the moments at s = 0, of which not all need exist
        self._last: _Evaluated | None = None

    @property
    def error(self) -> sp.Rational:
        """10^-digits, the bound (Q2) in units of S_n(s). Enclosed; the rounding of float64 and mpmath comes on top."""
        return sp.Rational(1, 10**self.arithmetic.digits)

    def __call__(self, order: int, s: Any) -> Any:
        """m_n(s) (Q1) of order n = 0..3 at s >= 0, in 1/time: a number, or an array of any shape. Use in `working()`.

        Enclosed in Arb; in float64 and mpmath `error` is, and rounding comes on top. Not-a-number where s is neither 0
        nor within [1e-200, 1e200], or is a ball that touches 0. Raises ValueError for another order, and where the
        moment does not exist or cannot be shown to.
        """
        if order not in ORDERS:
            raise ValueError(f"order must be one of {list(ORDERS)}, got {order}")
        if isinstance(s, np.ndarray):
            return self._moments(order, s.ravel(), s).reshape(s.shape)
        return self._moments(order, self.arithmetic.array([s]), s)[0]

    def _moments(self, order: int, values: Array, given: Any) -> Array:
        if self._last is None or self._last.given is not given or not _same(self._last.values, values, given):
            low, high = _ends(values)
            inside = (low >= SMALLEST) & (high <= LARGEST)
            if not inside.any() or not inside.all():
                return self._piecewise(order, values, inside, (low == 0) & (high == 0))
            total = self._widened(low.min(), high.max())
            self._last = _Evaluated(given, values.copy(), total, total.decays(values))
        return self._last.total.moments(order, self._last.decays)

    def _piecewise(self, order: int, values: Array, inside: Array, at_rest: Array) -> Array:
        found = self.arithmetic.array([math.nan] * len(values))
        if at_rest.any():
            if order not in self._at_rest:
                total = self._build(0.0, 0.0, range(order, order + 1))
                self._at_rest[order] = total.moments(order, total.decays(values[at_rest][:1]))[0]
            found[at_rest] = self._at_rest[order]
        if inside.any():
            rest = values[inside]
            found[inside] = self._moments(order, rest, rest)
        return found

    def _widened(self, low: float, high: float) -> _Sum:
        """The sum with (Q2) on an open interval around [low, high]: their rounding does not matter."""
        if self._sum is None or not self._low < low <= high < self._high:
            low, high = min(self._low, low / 2), max(self._high, 2 * high)
            self._sum = self._build(low, high, ORDERS)
            self._low, self._high = low, high
        return self._sum

    def _build(self, low: float, high: float, orders: range) -> _Sum:
        digits = self.arithmetic.digits + GUARD
        points = math.ceil(POINTS_PER_DIGIT * digits)
        for doubling in range(DOUBLINGS):
            balls = Arb(digits << doubling)
            with balls.working(), np.errstate(all="ignore"):
                proof = _Proof(_Density(self.density, points, balls), low, high, orders, self.arithmetic.digits)
                upper = None if self.upper is sp.oo else evaluate(self.upper, balls)
                panels = proof.run(evaluate(self.lower, balls), upper)
            if panels is not None:
                return _Sum(panels, balls.bits, self.arithmetic, self.error)
        raise ValueError(
            f"density must not cancel: {balls.digits} digits of {self.density.expr} leave "
            f"{self.arithmetic.digits} of its moments unsure; write it without a difference of equal numbers"
        )


def _same(kept: Array, values: Array, given: Any) -> bool:
    """Whether an array given again still holds what it held; numbers never change."""
    if not isinstance(given, np.ndarray):
        return True
    if values.dtype != object:
        return np.array_equal(kept, values)
    return len(kept) == len(values) and all(map(operator.is_, kept, values))


def _ends(values: Array) -> tuple[Array, Array]:
    """The lower and upper ends of numbers as floats; 0 only for an exact 0."""
    if values.dtype != object:
        return values, values
    ends = ((each.lower(), each.upper()) if isinstance(each, flint.arb) else (each, each) for each in values)
    rounded = [[float(end) or (0.0 if end == 0 else math.ulp(0.0)) for end in both] for both in ends]
    lows, highs = np.array(rounded).reshape(-1, 2).T
    return lows, highs


def _objects(values: Iterable[Any]) -> Array:
    return np.fromiter(values, dtype=object)


_rules: dict[tuple[Any, ...], Rule] = {}


def rule(density: sp.Lambda, lower: sp.Expr, upper: sp.Expr, arithmetic: Arithmetic) -> Rule:
    """The Rule of a density, one for all its users in arithmetics of the same name and digits.

    In mpmath one for all users of the same context, to which its numbers belong.
    """
    key = density, lower, upper, arithmetic.name, arithmetic.digits, getattr(arithmetic, "context", None)
    if key not in _rules:
        if len(_rules) >= REMEMBERED:
            del _rules[next(iter(_rules))]
        _rules[key] = Rule(density, lower, upper, arithmetic)
    return _rules[key]
