r"""The way down of all spares of a plateau together: the slow flow (P5) with the slowest rate as its clock.

w_1 < w_2 < ... are the rates of the spares, F the loss they have gained with their amplitudes and all that is fast at
rest (P5), F_l its derivative by w_l. In the clock w = w_1, which falls,

    dw_l/dw = g(w_l) F_l / (g(w) F_1) ,   tau = int dw / (g(w) |F_1|)                                        (S1)

The first are as smooth as the rates are far apart, and small: of order 1/L, for F_1 alone brings down a factor L from
e^{-2wL}. On a panel [a, b] of w the slopes at the Gauss-Legendre nodes x_j determine the rates of the others there,

    w_l(x_i) = w_l(b) - half sum_j I_ij (dw_l/dw)(x_j) ,   I_ij = int_{x_i}^1 l_j(x) dx
    I_ij     = (b_j/2) [ 1 - x_i - sum_{0 < k < n} P_k(x_j) (P_{k+1}(x_i) - P_{k-1}(x_i)) ]                  (S2)

(collocation: l_j the Lagrange polynomials, b_j the weights, P_k Legendre's), solved by iteration: each turn gains the
factor that one rate's pull on another's slope has, which is small on a short panel. tau is the same rule's quadrature.
The radii of these rates are dropped, or balls would count the same rounding again on every panel; that of tau remains.
A panel is halved until whole and halves agree, in tau relative to the sum so far and in the rates. The integrand grows
like e^{2wL} towards the start, where all digits of tau come from; panels further down hold a part e^{-2(w0-w)L} of it.

One spare has no others: (S1) is the integral (M14), and (S2) idle. The path ends where F is the drop, found by Newton
steps on ln F, or where F_1 = 0 is approached: the slowest spare then rests, in a minimum if it is the only one.

Every number is an Arb ball; a comparison that balls leave open raises Undecided, for the caller to try more digits.
What they do not cover is the truncation of the panels: estimated. (S1), (S2) derived here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

import flint
import numpy as np
import sympy as sp

from numerics.answer import decimal
from numerics.arithmetic import Arb, Array
from numerics.compiling import bind, evaluate
from theory.plateau import Plateau, w

LOST = 7  # digits of the working precision that the panels leave to rounding
MOST_TURNS = 20  # of the iteration for (S2) before a panel is halved
CLOSE = 1e-7  # of w: a panel that the iteration must manage; it fails where spares push each other away in no time
SETTLED = 1e-6  # of w0: a rate below which P has become P(0)

Rates: TypeAlias = list[Any]  # of the spares, the slowest first: balls, or arrays of them over the nodes of a panel


class Undecided(Exception):
    """A ball too wide for a decision; more digits will tell."""


class NoEscape(Exception):
    """The slow flow never reaches the drop, or does not decide it; the message says why."""


@dataclass(frozen=True)
class _Spare:
    """A spare unit at rest: its amplitude P_l/N_l, F_l, and its speed g F_l (P5); balls or arrays of them."""

    amplitude: Any
    slope: Any
    speed: Any


@dataclass(frozen=True)
class _Piece:
    """Part of the path: from (time, rates) `before` to `after`."""

    before: tuple[Any, Rates]
    after: tuple[Any, Rates]


class SlowPath:
    """The slow flow of all spares of a plateau, in balls; construct and use inside `arithmetic.working()`."""

    def __init__(self, here: Plateau, arithmetic: Arb) -> None:
        self.arithmetic = arithmetic
        self.rates = [evaluate(rate, arithmetic) for rate in (here.spare, *here.others)]
        others = sp.symbols(f"w_2:{len(self.rates) + 1}", positive=True)
        seen, alone = replace(here, others=others), replace(here, others=())
        functions = (seen.projection / seen.norm, seen.gain_slope, seen.metric * seen.gain_slope)
        self._seen = bind((w, *others), functions, arithmetic)  # of one spare beside the others (P5)
        self._alone = bind((w,), (alone.projection,), arithmetic)
        moments = sp.symbols(f"beta:{len(alone.basis)}", real=True)
        values = [evaluate(beta, arithmetic) for beta in alone.bump_on_basis]
        self.fast_drop = bind(moments, [alone.length_in_basis(sp.Matrix(moments))], arithmetic)(*values)[0]
        self.tolerance = flint.arb(10) ** -(arithmetic.digits - LOST)

    def _at(self, rates: Rates) -> list[_Spare]:
        """Every spare, at these rates."""
        return [_Spare(*self._seen(rate, *rates[:l], *rates[l + 1 :])) for l, rate in enumerate(rates)]

    def gain(self, rates: Rates) -> Any:
        """F: what the spares have gained beyond the fast directions of the fit (P5)."""
        spares = zip(rates, self._at(rates), strict=True)
        return sum((spare.amplitude * self._alone(rate)[0] for rate, spare in spares), _ZERO)

    def escape(self, drop: sp.Expr) -> Any:
        """Gradient-flow time until ||proj_V b||^2 + F is the drop, a ball. Raises NoEscape, Undecided."""
        level = evaluate(drop, self.arithmetic) - self.fast_drop
        if sign(level) <= 0:
            raise NoEscape(f"the fast directions alone drop by {decimal(self.fast_drop, 6)}; no slow flow decides")
        gain, slowest = self.gain(self.rates), decimal(self.rates[0], 6)
        if sign(level - gain) <= 0:
            reached = decimal(self.fast_drop + gain, 6)
            raise NoEscape(f"the amplitudes alone drop by {reached}, before a rate moves; no slow flow decides")
        if sign(self._at(self.rates)[0].slope) >= 0:
            raise NoEscape(f"the slowest spare, of rate {slowest}, gains nothing by becoming slower")
        rates = self.rates
        for piece in self._pieces(_ZERO):
            _, rates = piece.after
            gain = self.gain(rates)
            if sign(gain - level) >= 0:
                return piece.before[0] + self._last(piece.before[1], rates[0], level)
            settled = abs(float(self._at(rates)[0].slope * rates[0] / gain) - 1) < 1e-3
            if settled and rates[0] < self.rates[0] * SETTLED:
                raise NoEscape(f"P^2/N grows no further below the rate {decimal(rates[0], 6)}; the drop is beyond it")
        gain = self.gain(rates)  # at rest to half its digits, where F is as good as its maximum
        if not self._at(rates)[0].slope < 0 or not level - gain > self.tolerance * gain:
            raise Undecided
        ends = "ends in a minimum of the loss" if len(rates) == 1 else "has brought the slowest spare to rest"
        raise NoEscape(f"the drop is beyond {decimal(self.fast_drop + gain, 6)}, where the slow flow {ends}")

    def time_down_to(self, floor: sp.Expr) -> Any:
        """Gradient-flow time until the slowest spare has the rate `floor`, a ball. Raises NoEscape, Undecided."""
        end = evaluate(floor, self.arithmetic).mid()
        if sign(self._at(self.rates)[0].slope) >= 0:
            raise NoEscape("the slowest spare gains nothing by becoming slower")
        total, rates = _ZERO, self.rates
        for piece in self._pieces(end):
            total, rates = piece.after
        if rates[0] > end:
            raise NoEscape(f"the slowest spare comes to rest at the rate {decimal(rates[0], 6)}")
        return total

    def _last(self, rates: Rates, low: Any, level: Any) -> Any:
        """The time from `rates` to F = level, which is met before the rate `low`; its doubt is in the ball."""
        high = rates[0]
        rate = low
        for _ in range(20 * self.arithmetic.bits):
            panel = self._panel(rates, rate)
            if panel is None:
                break
            time, there = panel
            at, gain = self._at(there), self.gain(there)
            speed = at[0].speed
            slope = sum((each.speed * each.slope for each in at), _ZERO) / speed  # dF/dw along the path
            missing, change = level - gain, gain / slope * (level / gain).log()  # Newton on ln F
            doubt = 2 * change.abs_upper()
            if missing.contains(0) or doubt * 2 ** (self.arithmetic.bits - 8) < rate:
                return time + flint.arb(0, (doubt / speed).abs_upper())
            low, high = (low, rate) if missing > 0 else (rate, high)
            rate = (rate + change).mid()
            if not low < rate < high:
                rate = ((low + high) / 2).mid()
        raise Undecided

    def _pieces(self, floor: Any) -> Iterator[_Piece]:
        """The path down to the floor, or to where the clock stands still, in panels that are accurate."""
        time, rates, width = _ZERO, self.rates, self.rates[0].mid() / 2
        while rates[0] > floor:
            step = self._halved_panel(rates, (rates[0] - width).mid().max(floor), time)
            if step is not None:
                after = time + step[0], step[1]
                yield _Piece((time, rates), after)
                (time, rates), width = after, (2 * width).min(after[1][0].mid() / 2)
            elif (width := width / 2) < rates[0] * flint.arb(10) ** (-self.arithmetic.digits // 2):
                return

    def _halved_panel(self, rates: Rates, end: Any, total: Any) -> tuple[Any, Rates] | None:
        """Time and rates after the panel from `rates` to the slowest rate `end`; None where its halves disagree."""
        whole = self._panel(rates, end)
        first = self._panel(rates, ((rates[0] + end) / 2).mid()) if whole else None
        second = self._panel(first[1], end) if first else None
        if not (whole and first and second):
            return None
        time = first[0] + second[0]
        close = [abs((whole[0] - time).mid()) <= self.tolerance * (total + time).mid() + time.rad()]
        close += [abs(one - two) <= self.tolerance * two for one, two in zip(whole[1], second[1], strict=True)]
        return (time, second[1]) if all(close) else None

    def _panel(self, rates: Rates, end: Any) -> tuple[Any, Rates] | None:
        """Time and rates after one panel (S2); None where the iteration or the clock fails on it."""
        order = 8 + self.arithmetic.digits // 2
        x, weights = gauss_legendre(order, self.arithmetic.bits)
        half = (rates[0] - end) / 2
        nodes, middle = end + half * (1 + x), self.arithmetic.midpoint
        inside = [nodes, *(rate + 0 * x for rate in rates[1:])]
        for _ in range(MOST_TURNS):
            speeds = [spare.speed for spare in self._at(inside)]
            if not all(speed < 0 for speed in speeds[0]):
                return None
            tilts = [speed / speeds[0] for speed in speeds[1:]]  # (S1)
            if not tilts:
                break
            inner = _inner(order, self.arithmetic.bits)
            turned = zip(rates[1:], tilts, strict=True)
            after = [nodes, *(middle(rate - half * (inner @ tilt)) for rate, tilt in turned)]
            moved = max(abs((a - b).mid()) for a, b in zip(np.ravel(after), np.ravel(inside), strict=True))
            inside = after
            if moved < self.tolerance * end:
                break
        else:
            if rates[0] - end < CLOSE * end:
                raise NoEscape("spares are so close to each other that their rates cannot be followed; part them")
            return None
        time = half * (weights @ (-1 / speeds[0]))
        reached = [(rate - half * (weights @ tilt)).mid() for rate, tilt in zip(rates[1:], tilts, strict=True)]
        return (time, [end, *reached]) if time.is_finite() else None


_ZERO = flint.arb(0)


def sign(ball: Any) -> int:
    """The sign of every point of the ball. Raises Undecided."""
    if ball > 0:
        return 1
    if ball < 0:
        return -1
    if ball == 0:
        return 0
    raise Undecided


@lru_cache(maxsize=32)
def gauss_legendre(order: int, bits: int) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1], as balls; call at a working precision of `bits`."""
    pairs = [flint.arb.legendre_p_root(order, k, weight=True) for k in range(order)]
    nodes, weights = zip(*pairs, strict=True)
    return np.array(nodes, dtype=object), np.array(weights, dtype=object)


@lru_cache(maxsize=32)
def _inner(order: int, bits: int) -> Array:
    """I_ij of (S2), as balls; call at a working precision of `bits`."""
    x, weights = gauss_legendre(order, bits)
    P = np.array([[flint.arb(s).legendre_p(k) for s in x] for k in range(order + 1)], dtype=object)
    rest = (P[: order - 1] - P[2:]).T @ P[1:order]
    return (1 - x[:, None] + rest) * weights / 2
