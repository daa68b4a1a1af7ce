r"""The slow flow of a plateau in digits: escape time, leading order, reachable drop.

The spare rate w obeys w' = g(w) Q'(w), Q = P^2/N and g the metric of the parametrisation (M13), (P4), from w0 to the
w_esc with Q(w_esc) = drop - ||proj_V b||^2:

    tau_esc = int_{w_esc}^{w0} dw / (g(w) |Q'(w)|)  ~  N(w0) e^{2 w0 L} / (4 L^2 M(w0)^2 g(w0))              (P4)
    Q'      = (P/N) (2 P' - P N'/N)                                                                          (F1)
    drop    = ||proj_V b||^2 + f max_{0 < w <= w0} Q(w) ,   0 < f < 1                                        (F2)

w falls while Q' < 0, so w_esc is met before the first maximum w_c of Q below w0 or never; on (w_c, w0) Q is monotone
and the root unique. w_c is bracketed on the grid w0 (19/20)^k and bisected; the grid ends where P has become P(0), so
that w (ln Q)' = 1. The root is refined by Newton steps on ln Q, which is nearly linear. The integrand grows like
e^{2wL} towards w0: Gauss-Legendre panels are halved, the one at w0 first, until whole and halves agree relative to the
sum so far. Panels far below w0 hold a part e^{-2(w0-w)L} of it and pass at once, so the work grows like ln L.

Every number is an Arb ball, from the rates to the last sum, so cancellation in P (a difference of close B's) is
measured, not guessed: whenever a comparison is undecided or the result has too few digits, the working precision
grows and all is done again. What balls do not cover, the truncation of the quadrature and structure of Q finer than
the grid, makes the guarantee *estimated*; so does (M13) itself, whose error relative to the true escape time falls like
e^{-w0 L} from a large constant: trust it for w0 L > 14.

(M13), (M14) from mathematics.md, derived there; (P4), from theory/plateau.py, is (M14) for any metric g; (F1) is the
quotient rule, (F2) a definition of ours.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import flint
import sympy as sp

from numerics.answer import Answer, decimal
from numerics.arithmetic import BITS_PER_DIGIT, Arb
from numerics.compiling import bind, evaluate
from theory.exact import Exact, positive
from theory.plateau import NoPlateau, Plateau, plateau, w
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

GUARD = 15  # working digits beyond those wanted, to begin with
TIE = 1000  # further digits after which an undecided comparison is taken for a tie
FEWEST_DIGITS, MOST_DIGITS = 2, 2000
SPARE_DIGITS = 2  # of the result, beyond those printed
GRID = sp.Rational(19, 20)  # neighbouring rates looked at on the way down
FRACTION_DIGITS = 6  # of a drop given as a fraction (F2)


class _Undecided(Exception):
    """A ball too wide for a decision; more digits will tell."""


class _NoEscape(Exception):
    """The slow flow never reaches the drop, or does not decide it; the message says why."""


@dataclass(frozen=True)
class _Point:
    """A rate w with Q(w) and Q'(w): balls."""

    w: Any
    gain: Any
    slope: Any


def slow_escape_time(problem: Problem, digits: int = 20) -> Answer:
    """The slow-flow integral (M14): how long the slowest spare takes from w0 to w_esc, in gradient-flow time.

    digits: significant digits wanted, 2 to 2000; the working precision is higher.
    Returns an Answer with exactly `digits` digits, estimated; they are digits of the integral, not of the true escape
    time (see the module). None with a reason where there is no plateau, where the drop is beyond what the spare gains,
    and where the amplitudes alone drop by it.
    Raises TypeError or ValueError for bad digits.

    >>> from theory.kernels import Exponential, Gaussian
    >>> pair = Target([Exponential(), Gaussian(lag="100")])
    >>> slow_escape_time(Problem(pair, LinearRNN([("1", "1"), ("0", "0.7")]), "0.01"), digits=8).value
    '1.2942963e+52'
    """
    check_digits(digits)
    try:
        here = plateau(problem)
        return _answer(lambda arithmetic: _SlowFlow(here, arithmetic).escape(problem.drop), digits)
    except (NoPlateau, _NoEscape) as reason:
        return Answer(None, "estimated", reason=str(reason))


def leading_order(problem: Problem, digits: int = 20) -> Answer:
    """The leading term of (M14) for long memory, in gradient-flow time.

    Leading term / integral ~ (1 - c/L)^2 with c = 9.26 for w0 = 0.7: prefer the integral.
    digits: significant digits wanted, 2 to 2000. Returns an Answer, estimated: None with a reason where there is no
    plateau or the bump has no lag L. Raises TypeError or ValueError for bad digits.
    """
    check_digits(digits)
    try:
        law = plateau(problem).leading_order()
    except NoPlateau as reason:
        return Answer(None, "estimated", reason=str(reason))
    return _answer(lambda arithmetic: evaluate(law, arithmetic), digits)


def reachable_drop(here: Plateau, digits: int = 20) -> Answer:
    """||proj_V b||^2 + max_{0 < w <= w0} P^2/N, in units of J: what one spare unit can gain.

    About (2 pi/e)/L for a unit bump. It estimates, a few per cent too high, the drop that the flow reaches: a drop
    above it was never reached in our runs, one just below need not be.
    digits: significant digits wanted, 2 to 2000. Returns an Answer, estimated.
    Raises TypeError or ValueError for bad digits.
    """
    check_digits(digits)

    def reach(arithmetic: Arb) -> Any:
        flow = _SlowFlow(here, arithmetic)
        return flow.fast_drop + flow.largest_gain()

    return _answer(reach, digits)


def drop_from_fraction(target: Target, start: LinearRNN, fraction: Exact) -> sp.Rational:
    """The drop that stands for `fraction` of what one spare unit can gain (F2), rounded to 6 significant digits.

    fraction: exact, 0 < f < 1. Returns an exact rational in units of J.
    Raises ValueError where f is out of range or the start has no plateau (off the fit, no spare, no bump).
    """
    f = positive(fraction, "fraction", "for the loss to fall at all")
    if not f < 1:
        raise ValueError(f"fraction must be < 1, got {f}; one spare unit gains no more than the whole")
    try:
        here = plateau(Problem(target, start, sp.Integer(1)))  # a plateau depends on everything but the drop
    except NoPlateau as reason:
        raise ValueError(f"fraction needs a start on a plateau: {reason}; give the drop itself") from None

    def drop(arithmetic: Arb) -> Any:
        flow = _SlowFlow(here, arithmetic)
        return flow.fast_drop + evaluate(f, arithmetic) * flow.largest_gain()  # (F2)

    value = sp.Rational(_answer(drop, FRACTION_DIGITS).value or 0)
    if not value:
        raise ValueError("fraction needs a bump for the spare unit to gain from; the bump of this target is zero")
    return value


def check_digits(digits: Any) -> None:
    """Raise TypeError or ValueError unless `digits` is an int from 2 to 2000."""
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise TypeError(f"digits must be an int, got {digits!r}; it counts the significant digits wanted")
    if not FEWEST_DIGITS <= digits <= MOST_DIGITS:
        known = f"digits must be from {FEWEST_DIGITS} to {MOST_DIGITS}"
        raise ValueError(f"{known}, got {digits}; it counts the significant digits wanted")


def _answer(compute: Callable[[Arb], Any], digits: int) -> Answer:
    """compute(arithmetic) at a working precision that grows until the ball it returns has the digits."""
    working = digits + GUARD
    while working <= 4 * digits + TIE:
        arithmetic = Arb(working)
        with arithmetic.working():
            try:
                value = compute(arithmetic)
                missing = digits + SPARE_DIGITS - value.rel_accuracy_bits() / BITS_PER_DIGIT
            except _Undecided:
                missing = working
        if missing <= 0:
            return Answer(decimal(value, digits), "estimated", digits)
        working = math.ceil(working + min(missing, working)) + 2
    return Answer(None, "estimated", reason=f"a tie: still undecided with {working} working digits")


def _sign(ball: Any) -> int:
    """The sign of every point of the ball."""
    if ball > 0:
        return 1
    if ball < 0:
        return -1
    if ball == 0:
        return 0
    raise _Undecided


class _SlowFlow:
    """Q = P^2/N of a plateau, and the metric g, in balls; construct and use inside `arithmetic.working()`."""

    def __init__(self, here: Plateau, arithmetic: Arb) -> None:
        self.here, self.arithmetic = here, arithmetic
        moments = sp.symbols(f"beta:{len(here.basis)}", real=True)
        values = [evaluate(beta, arithmetic) for beta in here.bump_on_basis]
        length = here.length_in_basis(sp.Matrix(moments))
        self.fast_drop = bind(moments, [length], arithmetic)(*values)[0]
        self.spare = evaluate(here.spare, arithmetic)

    @cached_property
    def _functions(self) -> Callable[[Any], tuple[Any, ...]]:
        """P, N, P', N' of w; compiled only where the drop calls for them."""
        return bind((w,), (self.here.projection, self.here.norm, *self.here.slopes), self.arithmetic)

    def at(self, rate: Any) -> _Point:
        P, N, dP, dN = self._functions(rate)
        return _Point(rate, P**2 / N, P / N * (2 * dP - P * dN / N))  # (F1)

    @cached_property
    def _metric(self) -> Callable[[Any], tuple[Any, ...]]:
        """g of w."""
        return bind((w,), (self.here.metric,), self.arithmetic)

    def _speed(self, rate: Any) -> Any:
        """w' (P4)."""
        return self._metric(rate)[0] * self.at(rate).slope

    def _downwards(self) -> Iterator[_Point]:
        """The grid from w0 towards 0, to where P has become P(0)."""
        ratio, rate = evaluate(GRID, self.arithmetic), self.spare
        while True:
            here = self.at(rate)
            yield here
            settled = here.gain == 0 or abs(float(here.slope * rate / here.gain) - 1) < 1e-3
            if settled and rate < self.spare * 1e-6:
                return
            rate = rate * ratio

    def _maximum(self, low: _Point, high: _Point) -> _Point:
        """The maximum of Q between Q'(low) > 0 and Q'(high) < 0, so close that Q is as good as its ball."""
        for _ in range(self.arithmetic.bits // 2 + 8):  # Q is flat there: half the bits of w are all the bits of Q
            middle = self.at(((low.w + high.w) / 2).mid())
            low, high = (low, middle) if middle.slope < 0 else (middle, high)  # undecided: either side will do
        return high

    def largest_gain(self) -> Any:
        """max Q over 0 < w <= w0 (F2)."""
        points = list(self._downwards())
        best = points[0].gain
        for high, low in pairwise(points):
            if _sign(low.slope) > 0 > _sign(high.slope):
                best = best.max(self._maximum(low, high).gain)
        return best

    def escape(self, drop: sp.Expr) -> Any:
        """The integral (M14) for a drop. Raises _NoEscape."""
        level = evaluate(drop, self.arithmetic) - self.fast_drop
        if _sign(level) <= 0:
            raise _NoEscape(f"the fast directions alone drop by {decimal(self.fast_drop, 6)}; no slow flow decides")
        start = self.at(self.spare)
        if _sign(level - start.gain) <= 0:
            reached = decimal(self.fast_drop + start.gain, 6)
            raise _NoEscape(f"the amplitudes alone drop by {reached}, before a rate moves; no slow flow decides")
        if _sign(start.slope) >= 0:
            raise _NoEscape(f"the slowest spare, of rate {self.here.spare}, gains nothing by becoming slower")
        return self._time_between(self._crossing(level, start), self.spare)

    def _crossing(self, level: Any, start: _Point) -> Any:
        """w_esc: the root of Q = level nearest to w0, as a ball with the doubt of Newton's method in its radius."""
        high = low = start
        for low in self._downwards():
            if _sign(low.slope) > 0:
                low = self._maximum(low, high)
                if _sign(low.gain - level) < 0:
                    reached = decimal(self.fast_drop + low.gain, 6)
                    raise _NoEscape(f"the drop is beyond {reached}, where the slow flow ends in a minimum of the loss")
            if _sign(low.gain - level) >= 0:
                break
            high = low
        else:
            raise _NoEscape(f"P^2/N grows no further below the rate {decimal(low.w, 6)}; the drop is beyond it")
        rate = high.w
        for _ in range(20 * self.arithmetic.bits):
            here = self.at(rate)
            missing = level - here.gain
            high, low = (here, low) if missing > 0 else (high, here)
            step = here.gain / here.slope * (level / here.gain).log()  # Newton on ln Q
            doubt = 2 * step.abs_upper()
            if missing.contains(0) or doubt * 2 ** (self.arithmetic.bits - 8) < rate:
                return rate + flint.arb(0, doubt)
            rate = (rate + step).mid()
            if not low.w < rate < high.w:
                rate = ((low.w + high.w) / 2).mid()
        raise _Undecided

    def _time_between(self, end: Any, start: Any) -> Any:
        """int dw / (g(w) |Q'(w)|) from `end` up to `start` (P4)."""
        digits = self.arithmetic.digits
        nodes = _gauss_legendre(8 + digits // 2, self.arithmetic.bits)
        tolerance = flint.arb(10) ** -(digits - GUARD // 2)

        def panel(a: Any, b: Any) -> Any:
            centre, half = (a + b) / 2, (b - a) / 2
            return half * sum((weight / -self._speed(centre + half * x) for x, weight in nodes), flint.arb(0))

        waiting = [(end, start, panel(end, start))]
        total = flint.arb(0)
        while waiting:
            a, b, whole = waiting.pop()
            middle = (a + b) / 2
            left, right = panel(a, middle), panel(middle, b)
            both = left + right
            if not both.is_finite():
                raise _Undecided  # the slope is lost in its ball, near the end of the slow flow
            wrong = abs((whole - both).mid())
            if wrong <= tolerance * (total + both).mid() + both.rad():
                total += both
            else:
                waiting += [(a, middle, left), (middle, b, right)]  # the right one, the larger, is next
        return total


@lru_cache(maxsize=32)
def _gauss_legendre(order: int, bits: int) -> tuple[tuple[Any, Any], ...]:
    """Nodes and weights on [-1, 1], as balls; call at a working precision of `bits`."""
    return tuple(flint.arb.legendre_p_root(order, k, weight=True) for k in range(order))
