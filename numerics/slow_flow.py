r"""The slow flow of a plateau in digits: escape time, leading order, reachable drop.

The spare rate w obeys w' = g(w) Q'(w), Q = P^2/N and g the metric of the parametrisation (M13), (P4), from w0 to the
w_esc with Q(w_esc) = drop - ||proj_V b||^2; several spares move together (P5), which numerics/slow_path.py follows:

    tau_esc = int_{w_esc}^{w0} dw / (g(w) |Q'(w)|)  ~  N(w0) e^{2 w0 L} / (4 L^2 M(w0)^2 g(w0))              (P4)
    drop    = ||proj_V b||^2 + f max_{0 < w <= w0} Q(w) ,   0 < f < 1                                        (F1)

w falls while Q' < 0, so w_esc is met before the first maximum w_c of Q below w0 or never. For (F1) the maxima are
bracketed on the grid w0 (19/20)^k and bisected; the grid ends where P has become P(0), so that w (ln Q)' = 1.

Every number is an Arb ball, from the rates to the last sum, so cancellation in P (a difference of close B's) is
measured, not guessed: whenever a comparison is undecided or the result has too few digits, the working precision
grows and all is done again. What balls do not cover, the truncation of the quadrature and structure of Q finer than
its panels or the grid, makes the guarantee *estimated*; so does (M13) itself. Its error relative to the true escape
time is of the order of the spares' amplitudes P/N at the start, and falls with them like e^{-w0 L}.

(M13), (M14) from mathematics.md, derived there; (P4), from theory/plateau.py, is (M14) for any metric g; (F1) is a
definition of ours.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import sympy as sp

from numerics.answer import Answer, check_count, decimal
from numerics.arithmetic import BITS_PER_DIGIT, Arb
from numerics.compiling import bind, evaluate
from numerics.slow_path import NoEscape, SlowPath, Undecided, sign
from theory.exact import Exact, positive
from theory.plateau import NoPlateau, Plateau, plateau, w
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

GUARD = 15  # working digits beyond those wanted, to begin with
TIE = 1000  # further digits after which an undecided comparison is taken for a tie
FEWEST_DIGITS, MOST_DIGITS = 2, 2000
SPARE_DIGITS = 2  # of the result, beyond those printed
GRID = sp.Rational(19, 20)  # neighbouring rates looked at on the way down
FRACTION_DIGITS = 6  # of a drop given as a fraction (F1)


@dataclass(frozen=True)
class _Point:
    """A rate w with Q(w) and Q'(w): balls."""

    w: Any
    gain: Any
    slope: Any


def slow_escape_time(problem: Problem, digits: int = 20) -> Answer:
    """The slow-flow integral (M14), for several spares (P5): how long they take to the drop, in gradient-flow time.

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
        return _answer(lambda arithmetic: SlowPath(here, arithmetic).escape(problem.drop), digits)
    except (NoPlateau, NoEscape) as reason:
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
        flow = _OneSpare(here, arithmetic)
        return flow.fast_drop + flow.largest_gain()

    return _answer(reach, digits)


def drop_from_fraction(target: Target, start: LinearRNN, fraction: Exact) -> sp.Rational:
    """The drop that stands for `fraction` of what one spare unit can gain (F1), rounded to 6 significant digits.

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
        flow = _OneSpare(here, arithmetic)
        return flow.fast_drop + evaluate(f, arithmetic) * flow.largest_gain()  # (F1)

    value = sp.Rational(_answer(drop, FRACTION_DIGITS).value or 0)
    if not value:
        raise ValueError("fraction needs a bump for the spare unit to gain from; the bump of this target is zero")
    return value


def check_digits(digits: Any) -> None:
    """Raise TypeError or ValueError unless `digits` is an int from 2 to 2000."""
    check_count(digits, FEWEST_DIGITS, MOST_DIGITS)


def _answer(compute: Callable[[Arb], Any], digits: int) -> Answer:
    """compute(arithmetic) at a working precision that grows until the ball it returns has the digits."""
    working = digits + GUARD
    while working <= 4 * digits + TIE:
        arithmetic = Arb(working)
        with arithmetic.working():
            try:
                value = compute(arithmetic)
                missing = digits + SPARE_DIGITS - value.rel_accuracy_bits() / BITS_PER_DIGIT
            except Undecided:
                missing = working
        if missing <= 0:
            return Answer(decimal(value, digits), "estimated", digits)
        working = math.ceil(working + min(missing, working)) + 2
    return Answer(None, "estimated", reason=f"a tie: still undecided with {working} working digits")


class _OneSpare:
    """Q = P^2/N of the slowest spare, the others standing still; construct and use inside `arithmetic.working()`."""

    def __init__(self, here: Plateau, arithmetic: Arb) -> None:
        self.here, self.arithmetic = here, arithmetic
        moments = sp.symbols(f"beta:{len(here.basis)}", real=True)
        values = [evaluate(beta, arithmetic) for beta in here.bump_on_basis]
        length = here.length_in_basis(sp.Matrix(moments))
        self.fast_drop = bind(moments, [length], arithmetic)(*values)[0]
        self.spare = evaluate(here.spare, arithmetic)

    @cached_property
    def _functions(self) -> Callable[[Any], tuple[Any, ...]]:
        """Q and Q' of w."""
        return bind((w,), (self.here.gain, self.here.gain_slope), self.arithmetic)

    def at(self, rate: Any) -> _Point:
        return _Point(rate, *self._functions(rate))

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
        """max Q over 0 < w <= w0 (F1)."""
        points = list(self._downwards())
        best = points[0].gain
        for high, low in pairwise(points):
            if sign(low.slope) > 0 > sign(high.slope):
                best = best.max(self._maximum(low, high).gain)
        return best
