r"""Stable approximation in numbers: the error that remains when the rates are trained no better than to beta.

Both bounds (PE3) in balls. Where they are not near enough, the lower one is the error of two networks that beta admits:
all rates as slow as they may be, or as fast, which is worse where the error of the network leans that way. The limit
(PE4) by the long sum (CF1) of a completely monotone kernel.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from numerics.answer import Answer, Guarantee, decimal
from numerics.arithmetic import Arb, Array
from numerics.compiling import bind, evaluate
from numerics.l1_enclosure import Bounds, l1_error, rounded_outward
from numerics.long_sum import long_sum
from theory.exact import Exact, exact, positive
from theory.mixtures import completely_monotone
from theory.parametrisation import IDENTITY, Parametrisation
from theory.problem import Target
from theory.rnn import LinearRNN
from theory.stability import beta as movable
from theory.stability import may_stop_fading, memories, w

DIGITS = 6
GUARD = 40  # digits beyond those that a slow rate takes away
INSIDE = sp.Rational(1, 10**12)  # relative, by which the slowest rates stay within the ball
SMALLEST = 1e-9  # singular value that the long sum still has, for (PE4)


@dataclass(frozen=True)
class PerturbedError:
    """lower <= E(beta) <= upper (PE1), decimal strings in output / input, or both 'inf'."""

    beta: sp.Expr
    lower: str
    upper: str
    guarantee: Guarantee

    def as_dict(self) -> dict[str, Any]:
        return {"beta": str(self.beta), "lower": self.lower, "upper": self.upper, "guarantee": self.guarantee}


def perturbed_error(
    target: Target, network: LinearRNN, beta: Exact, parametrisation: Parametrisation = IDENTITY, *, enough: Exact = 0
) -> PerturbedError:
    """The largest L1 error of the network while every v_i, w_i = phi(v_i), moves by at most beta (PE1).

    beta: > 0, in units of v: those of w, 1/time, for the identity. Amplitudes are held.
    enough: relative distance of the two bounds that is near enough: then no perturbed network is tried.
    Enclosed; 'inf', exact, where a rate may reach 0. The bounds are at most 2 E apart for positive amplitudes.
    Raises ValueError for beta <= 0 and rates that phi does not reach, TypeError for floats, and as `l1_error`.

    >>> from theory.kernels import Exponential
    >>> perturbed_error(Target([Exponential()]), LinearRNN([("1", "1")]), "1/2").upper  # 1/(1 - 1/2) - 1
    '1'
    """
    moved_by = positive(beta, "beta", "for anything to be perturbed")
    for i, rate in enumerate(network.rates):
        parametrisation.check(rate, f"rate {i}")
    before = _unperturbed(target, network)
    heard = tuple((a, rate) for a, rate in network.units if a != 0)
    if not heard:
        return PerturbedError(moved_by, before.lower, before.upper, before.guarantee)
    network = LinearRNN(heard)  # a unit without amplitude may do what it likes
    if any(may_stop_fading(parametrisation, rate, moved_by) for rate in network.rates):
        return PerturbedError(moved_by, "inf", "inf", "exact")
    arithmetic = _precise(min(map(float, network.rates)))
    with arithmetic.working():
        rates, amplitudes = (
            arithmetic.array([evaluate(each, arithmetic) for each in values])  # perhaps irrational
            for values in (network.rates, network.amplitudes)
        )
        memory = _memories(parametrisation, rates, moved_by, arithmetic)
        corners = [[_inside(*each) for each in zip(column, network.rates, strict=True)] for column in memory]
        error = arithmetic.number(sp.Rational(before.upper))
        moved = abs(amplitudes) @ (memory[0] - 1 / rates)
        _, above = rounded_outward(moved + error, DIGITS)  # (PE3)
        apart_at_least, _ = rounded_outward(moved - error, DIGITS)
    found = [before.lower]
    if all(a > 0 for a in network.amplitudes):
        found.append(apart_at_least)  # (PE3)
    if 1 - max(map(sp.Rational, found)) / sp.Rational(above) > exact(enough, "enough"):
        moved_networks = (LinearRNN.of(network.amplitudes, corner) for corner in corners)
        found += [l1_error(target, each, digits=DIGITS).lower for each in moved_networks]
    return PerturbedError(moved_by, max(found, key=sp.Rational), above, "enclosed")


def limit_error(target: Target, beta: Exact, parametrisation: Parametrisation = IDENTITY) -> Answer:
    """(PE4): what E(beta) tends to as ever wider good networks approach a completely monotone target.

    Estimated, four digits; 'inf', exact, where that is infinite. Rates that phi does not reach are left out.
    Raises NoMixture for a target that is not completely monotone, ValueError for beta <= 0.
    """
    moved_by = positive(beta, "beta", "for anything to be perturbed")
    kernel = completely_monotone(target)
    slowest = min((rate for _, rate in kernel.atoms), default=sp.Integer(0)) if not kernel.power_laws else sp.Integer(0)
    if may_stop_fading(parametrisation, slowest, moved_by):
        return Answer("inf", "exact")
    rates, weights = long_sum(kernel, SMALLEST)
    reached = rates < float(sp.Min(parametrisation.highest, 1e300))
    rates, weights = rates[reached], weights[reached]
    arithmetic = _precise(rates.min())
    with arithmetic.working():
        balls = arithmetic.array(rates)
        moved = weights @ (_memories(parametrisation, balls, moved_by, arithmetic)[0] - 1 / balls).astype(float)
    return Answer(decimal(moved, 4), "estimated", 4)  # (PE4)


@lru_cache(maxsize=64)
def _unperturbed(target: Target, network: LinearRNN) -> Bounds:
    """E, which every beta and every parametrisation shares."""
    return l1_error(target, network, digits=DIGITS)


def _precise(slowest: float) -> Arb:
    """softplus and the inverse square lose as many digits as the slowest rate has zeros."""
    return Arb(GUARD + 2 * max(0, round(-np.log10(slowest))))


def _memories(parametrisation: Parametrisation, rates: Array, by: sp.Expr, arithmetic: Arb) -> tuple[Array, Array]:
    """1/w' of the slowest and of the fastest rate that beta admits, for every rate."""
    program, beta = bind((w, movable), memories(parametrisation), arithmetic), evaluate(by, arithmetic)
    slow, fast = np.array([program(rate, beta) for rate in rates], dtype=object).T
    return slow, fast


def _inside(memory: Any, rate: sp.Expr) -> sp.Expr:
    """A rational rate near 1/memory, between it and the rate as it was."""
    nearly = sp.Rational((1 / memory).str(20, radius=False))
    return min(nearly * (1 + INSIDE), rate) if nearly < rate else max(nearly * (1 - INSIDE), rate)
