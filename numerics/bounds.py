r"""Lower bounds on the escape time, in balls: what no gradient flow, and no momentum method from rest, can beat.

    tau_0 >= (w_min - w_e)^2 / D(w_e, s)  wherever 0 < s < w_e < w_min and D <= drop                       (M21)
    tau_0 >= (w_min - w_e) / sqrt(2 D(w_e, s)) = sqrt( (M21) / 2 )                                          (M22)

with d = |phi^{-1}(w_min) - phi^{-1}(w_e)| in place of w_min - w_e under a parametrisation w = phi(v) (B1).
Every such pair gives a bound, so the search for a good one may be careless and the proof need not know of it. What the
search uses (derived here, from the D of theory/bounds.py):

    s -> ln D(w_e, s) is convex: a sum of -ln(w_e - s), of a log-sum-exp of multiples of
        ln((w_e + s)/(w_e - s)) = 2 artanh(s/w_e), and of the logarithm of a Laplace transform in s           (F3)
    w_e -> D(w_e, s) falls, every factor of it does: where D <= drop can be had is an interval up to w_min   (F4)

So: a golden section for y = ln(1 - s/w_e) inside another for x = ln(1 - w_e/w_min), which maximises d^2/D, and where
its optimum has D > drop, bisection for the least w_e that has not. All of it on logarithms, rounded from balls, so that
e^{-2wL} may have any size. Then w_e and s become rationals of a few digits, w_e upwards (F4); D <= drop is proved and
the bound evaluated once, in balls at the digits wanted, and the lower end is printed, rounded down. One pair serves
both bounds.

(M21), (M22) from mathematics.md, derived there; (B1) in theory/bounds.py.
"""

import math
from collections.abc import Callable
from typing import Any

import flint
import sympy as sp

from numerics.answer import Answer, decimal
from numerics.arithmetic import BITS_PER_DIGIT, Arb
from numerics.compiling import bind, evaluate
from numerics.slow_flow import check_digits
from theory.bounds import LowerBound, lower_bound, s, w_e
from theory.plateau import NoPlateau
from theory.problem import Problem

SEARCH_DIGITS = 40  # of the balls whose logarithms are searched: e^{-10^6} costs a few of them
PAIR_DIGITS = 8  # of the gaps 1 - w_e/w_min and 1 - s/w_e
DEEPEST, SHALLOWEST = math.log(1e-12), math.log(0.999_999)  # of x and y; the optimum is near 1/(w_min L)
MARGIN = 1e-9  # of ln drop, so that D <= drop survives the rounding of s
GOLDEN = (math.sqrt(5) - 1) / 2


def flow_lower_bound(problem: Problem, digits: int = 6) -> Answer:
    """(M21): gradient flow needs at least this time for the drop, whatever its width.

    digits: significant digits printed, 2 to 2000.
    Returns an Answer, enclosed: the decimal is rounded down and is itself a bound. None with a reason off the fit,
    without a bump, and where D <= drop for no pair (w_e, s).
    Raises TypeError or ValueError for bad digits.

    >>> from theory.kernels import Exponential, Gaussian
    >>> from theory.problem import Target
    >>> from theory.rnn import LinearRNN
    >>> pair = Target([Exponential(), Gaussian(lag="40")])
    >>> flow_lower_bound(Problem(pair, LinearRNN([("1", "1"), ("0", "0.7")]), "0.05"), digits=4).value
    '2.420e+11'
    """
    return _bound(problem, digits, lambda bound: bound.flow)


def momentum_lower_bound(problem: Problem, digits: int = 6) -> Answer:
    """(M22): theta'' + gamma theta' = -grad J from rest needs at least this time for the drop, for any gamma >= 0.

    digits, result, errors: as for `flow_lower_bound`.
    """
    return _bound(problem, digits, lambda bound: bound.momentum)


def _bound(problem: Problem, digits: int, choose: Callable[[LowerBound], sp.Expr]) -> Answer:
    check_digits(digits)
    try:
        bound = lower_bound(problem)
    except NoPlateau as reason:
        return Answer(None, "enclosed", reason=str(reason))
    if bound.reach == 0:
        return Answer(None, "enclosed", reason="the bump is zero; the loss never falls")
    pair = _good_pair(bound)
    if pair is None:
        return Answer(None, "enclosed", reason="no w_e below every rate has D(w_e) <= drop; the bound says nothing")
    for working in (digits + SEARCH_DIGITS, 4 * (digits + SEARCH_DIGITS)):
        arithmetic = Arb(working)
        with arithmetic.working():
            end, shift = (arithmetic.number(each) for each in pair)
            value, reach = bind((w_e, s), (choose(bound), bound.reach), arithmetic)(end, shift)
            slowest, drop = (evaluate(each, arithmetic) for each in (bound.slowest, bound.drop))
            proved = 0 < pair[1] < pair[0] and end < slowest and reach <= drop
            if proved and value.rel_accuracy_bits() > (digits + 5) * BITS_PER_DIGIT:
                return Answer(_rounded_down(value, digits), "enclosed", digits)
    return Answer(None, "enclosed", reason="D(w_e) <= drop could not be proved in balls for the best pair found")


def _good_pair(bound: LowerBound) -> tuple[sp.Rational, sp.Rational] | None:
    """(w_e, s), rationals that nearly maximise (M21) and (M22); None where D > drop everywhere."""
    arithmetic = Arb(SEARCH_DIGITS)
    with arithmetic.working():
        slowest = evaluate(bound.slowest, arithmetic)
        enough = float(evaluate(bound.drop, arithmetic).log()) - MARGIN
        reach, distance = bind((w_e, s), (bound.reach,), arithmetic), bind((w_e,), (bound.distance,), arithmetic)

        def log_reach(end: Any, y: float) -> float:
            """ln D(w_e, w_e - w_e e^y)."""
            D = reach(end, -end * flint.arb(y).expm1())[0]
            return float(D.log()) if D > 0 else math.inf

        def end_at(x: float) -> Any:
            """w_e = w_min - w_min e^x."""
            return -slowest * flint.arb(x).expm1()

        def below(x: float) -> tuple[float, float]:
            """ln D at w_e, the least over s (F3), and its y."""
            end = end_at(x)
            y = _golden(lambda y: log_reach(end, y), DEEPEST, SHALLOWEST)
            return log_reach(end, y), y

        def log_distance(x: float) -> float:
            """ln d at w_e."""
            d = distance(end_at(x))[0]
            return float(d.log()) if d > 0 else -math.inf

        if below(DEEPEST)[0] > enough:
            return None  # and nowhere below the drop (F4)
        x = _golden(lambda x: below(x)[0] - 2 * log_distance(x), DEEPEST, SHALLOWEST)  # -ln of (M21)
        if below(x)[0] > enough:
            low, high = DEEPEST, x
            while high - low > 1e-6:  # (F4)
                middle = (low + high) / 2
                low, high = (middle, high) if below(middle)[0] <= enough else (low, middle)
            x = low
        y = below(x)[1]
    whole = bound.slowest if bound.slowest.is_Rational else sp.Rational(str(sp.N(bound.slowest, SEARCH_DIGITS)))
    end = whole * (1 - _few_digits(x))
    return end, end * (1 - _few_digits(y))


def _golden(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one minimum in [low, high] has it, to 1e-4."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2


def _few_digits(logarithm: float) -> sp.Rational:
    """e^logarithm as a decimal of a few digits, rounded down: the gap below w_min shrinks, so D does not grow (F4)."""
    value = math.exp(logarithm)
    unit = sp.Integer(10) ** (math.floor(math.log10(value)) - PAIR_DIGITS + 1)
    return math.floor(sp.Rational(value) / unit) * unit


def _rounded_down(value: Any, digits: int) -> str:
    """The largest decimal of `digits` digits that is below every point of a positive ball."""
    ten = flint.arb(10)
    place = math.floor(float((value.log() / ten.log()).mid())) - digits + 2  # one place coarse, then as needed
    while (leading := (value / ten**place).lower().floor().unique_fmpz()) < 10 ** (digits - 1):
        place -= 1
    return decimal(flint.arb(leading) * ten**place, digits)
