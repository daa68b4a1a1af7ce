r"""The coincided start in digits: the share that the slower unit is left with, and the escape time that follows.

    tau = 4w* I(p0) / (-kappa_3 kappa_2^{3/2}) ,   kappa_2 > 0 > kappa_3                                    (M15)

p0 is the share of the slower unit after merging. Where the bump is as good as absent, in the flow on rho_bar alone, the
rates merge like D ~ tau^{-1/2}, and the share on the way is p = p0 + c D^2 + O(D^3). So after every step

    p0 ~ p - D^2 (p - p_before) / (D^2 - D_before^2)                                                         (U8)

until two of these agree. A spare faster than w* arrives with p0 = 1 (U7), after the time that numerics/slow_path.py
finds. Steps grow with tau, so each digit costs a few of them. The signals are of order D^3 among
numbers of order one, and working digits cover that.

Compared with the flow itself (w = (1, 1.3), a = (1/2, 1/2), a* = w* = 1, unit bump, drop 0.02), true time over (M15):
0.66, 0.91, 0.98 at L = 16, 20, 24; what is missing falls like L^2 e^{-w* L/2}. With a spare at rate 1.3, true time over
(U7): 1.024, 1.0037, 1.00029, 1.000029 at L = 16, 20, 24, 28. (M15), (U7) from theory/coincidence.py; (U8) derived here.
"""

from typing import Any

import flint
import sympy as sp

from numerics.answer import Answer, check_count, decimal
from numerics.arithmetic import BITS_PER_DIGIT, Arb, Float64
from numerics.compiling import evaluate
from numerics.flow import GradientFlow
from numerics.integrator import Integrator, StepFailed
from numerics.slow_path import NoEscape, SlowPath, Undecided
from theory.coincidence import Coincidence, NotCoincided, coincidence
from theory.problem import Problem, Target

FEWEST_DIGITS, MOST_DIGITS = 2, 30  # the law itself is good to far fewer than thirty
MOST_STEPS = 2_000
CLOSE = 1e-4  # D^2 below which (U8) is looked at
VANISHED = 1e-6  # p (1-p) below which one unit has given up its amplitude without merging
GUARD = 15  # working digits beyond those that (U8), or the law, needs


def merged_share(problem: Problem, digits: int = 8) -> Answer:
    """p0: which share of the whole amplitude the slower unit has once both have merged on their exponential.

    problem: two units on one exponential; its bump plays no part. digits: significant digits wanted, 2 to 30.
    Returns an Answer with exactly `digits` digits, estimated: None with a reason where the law of the coincided start
    cannot apply, and where the units do not merge.
    Raises TypeError or ValueError for bad digits.

    >>> from theory.kernels import Exponential, Gaussian
    >>> from theory.rnn import LinearRNN
    >>> shared = Target([Exponential(), Gaussian(lag="40")])
    >>> merged_share(Problem(shared, LinearRNN([("0.5", "1"), ("0.5", "1.3")]), "0.02")).value
    '0.55100792'
    """
    check_count(digits, FEWEST_DIGITS, MOST_DIGITS)
    try:
        here = coincidence(problem)
        share = decimal(1.0, digits) if here.arrival else _merged_share(problem, here, digits)
        return Answer(share, "estimated", digits)
    except NotCoincided as reason:
        return Answer(None, "estimated", reason=str(reason))


def coincided_escape_time(problem: Problem, digits: int = 6) -> Answer:
    """The law (M15) of two units that share one exponential, in gradient-flow time.

    digits: significant digits wanted, 2 to 30; digits of the law, not of the true escape time (see the module).
    Returns an Answer with exactly `digits` digits, estimated: None with a reason where the law does not apply.
    Raises TypeError or ValueError for bad digits.
    """
    check_count(digits, FEWEST_DIGITS, MOST_DIGITS)
    try:
        here = coincidence(problem)
        share = "1" if here.arrival else _merged_share(problem, here, digits + 3)
        value = _law(problem, here, sp.Rational(share), digits)
    except (NotCoincided, NoEscape) as reason:
        return Answer(None, "estimated", reason=str(reason))
    return Answer(decimal(value, digits), "estimated", digits)


def _merged_share(problem: Problem, here: Coincidence, digits: int) -> str:
    """p0 by (U8), a decimal string."""
    resolved = 2 * digits + 4  # digits: of p, and of the signals D^3 once D^3 has fallen below 10^-digits
    arithmetic = Arb(resolved + GUARD)
    alone = Problem(Target((here.exponential,)), problem.start, problem.drop, parametrisation=problem.parametrisation)
    flow = GradientFlow(alone, arithmetic)
    integrator = Integrator(flow, round(8 + 0.35 * digits), 10.0 ** -(digits / 2 + 1), 10.0**-resolved)
    with arithmetic.working(), Float64().working():
        rate, amplitude = (evaluate(each, arithmetic) for each in (here.exponential.rate, here.exponential.amplitude))
        before: tuple[Any, Any] | None = None
        last = flint.arb("nan")
        try:
            for step in integrator.steps(flow.landscape.start, 0.01):
                a, w = flow.landscape.units(step.after)
                slower = int(w[0] > w[1])
                share, square = a[slower] / a.sum(), ((w[1] - w[0]) / (2 * rate)) ** 2
                if square < CLOSE and before is not None:
                    found = share - square * (share - before[0]) / (square - before[1])  # (U8)
                    if abs(found - last) < 10.0 ** -(digits + 2):
                        return _checked(found.mid(), digits)
                    last = found
                elif 2 * rate * flow.landscape.loss(step.after) < (VANISHED * amplitude * square) ** 2:  # (U2), (U3)
                    raise NotCoincided("the units do not merge: one of them loses its amplitude and keeps its rate")
                before = share, square
                if integrator.accepted >= MOST_STEPS:
                    raise NotCoincided(f"the units have not merged after {MOST_STEPS} steps of the flow on rho_bar")
        except StepFailed:
            raise NotCoincided("the units' merging could not be followed; ask for more digits") from None
    raise AssertionError("the integrator never stops by itself")


def _checked(share: Any, digits: int) -> str:
    if not 0 < share < 1:
        shown = decimal(share, 3)
        raise NotCoincided(f"the units merge with amplitudes of opposite signs; the slower one's share is {shown}")
    return decimal(share, digits)


def _law(problem: Problem, here: Coincidence, share: sp.Rational, digits: int) -> Any:
    """(M15) as a ball that has the digits, its conditions decided."""
    for working in (digits + GUARD, 4 * digits + 10 * GUARD):
        arithmetic = Arb(working)
        with arithmetic.working():
            two, three = (evaluate(here.ratio(k), arithmetic) for k in (2, 3))
            if two < 0 or three > 0:
                wrong = "kappa_2 < 0, so nothing pins their gap" if two < 0 else "kappa_3 > 0, so the faster one fades"
                raise NotCoincided(f"the bump does not slow one of the merged units down: {wrong}")
            first, drop = (evaluate(each, arithmetic) for each in (here.first_drop, problem.drop))
            if first >= drop:
                raise NotCoincided(f"the drop is reached while the units merge: that alone is {decimal(first, 3)}")
            if evaluate((1 - share) / share, arithmetic) * two >= 1:
                raise NotCoincided("the bump is too strong: it keeps the units so far apart that they never merge")
            tau = evaluate(here.coincided_time(share), arithmetic)
            if here.arrival:
                try:
                    tau += SlowPath(here.arrival, arithmetic).time_down_to(here.exponential.rate)  # (U7)
                except Undecided:
                    continue
            if first < drop and two > 0 > three and tau.rel_accuracy_bits() > (digits + 2) * BITS_PER_DIGIT:
                return tau
    raise NotCoincided(f"undecided with {working} working digits whether the law applies")
