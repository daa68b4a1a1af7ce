r"""Looking for a minimum, a trap about it and a way into it, for stationary.py to prove. Not trusted.

The centre is a zero of grad phi by Newton's method. The edge of a trap lies by E = (1 - kappa) r^2/2 above it (V62);
kappa grows like r, and E is largest where kappa = 2/3. Where the start is not in that trap, a way into it is recorded:
over a plateau in the slow rate until the loss has fallen half as far, for the slow rate is no clock at rest; then, or
all the way, in time to |x| < r/4, where by (V61) J - phi(c) <= (1 + kappa) r^2/32 = 5 r^2/96 is well below E = r^2/6.
"""

import math
from dataclasses import replace

import flint
import sympy as sp

from numerics.arithmetic import Arb, Array
from numerics.escape import EscapeTime, escape_time
from numerics.run import Outcome
from theory.problem import Problem
from verify.certificate import in_slow_rate, in_time, recording_slow, recording_time
from verify.certificate.proved import NotProved
from verify.certificate.stationary import Distinct, Recorded, Trap, contraction, directions, inverse, settle
from verify.certificate.tube import norm

GUARD = 15  # working digits beyond those of the limit
NEWTON_STEPS = 20
BEST = 2 / 3  # kappa
SMALL = flint.arb(2) ** -30  # a radius at which kappa is proportional to it
SMALLEST, SHRINK = flint.arb(2) ** -60, 0.9
ESTIMATE_DIGITS = 10  # of where the flow ends
OVER_DIGITS, AFTERWARDS = 20, "1e4"  # of a plateau's time, and how long the flow may take from there into the trap
MARGIN = 4  # digits of E that the trajectory's end is to have
INNER = 4  # r over its distance from the centre


def record(
    problem: Problem, digits: int = 20, estimate: EscapeTime | None = None, max_seconds: float = math.inf
) -> Recorded:
    """A minimum in which the flow seems to end, recorded for stationary.prove.

    digits: wanted of the limit network. estimate: of escape_time on this problem, where it is at hand; max_seconds
    limits it where it is not. Raises NotProved with the reason where nothing is found.
    """
    try:
        trap = trap_about(problem, problem.start.units, digits)
        settle(problem, trap)
        return Recorded(trap)
    except NotProved:  # the start is not in a trap itself
        pass
    found = estimate or escape_time(problem, digits=ESTIMATE_DIGITS, max_seconds=max_seconds)
    if found.outcome is not Outcome.stationary or found.end is None:
        raise NotProved(f"no minimum short of the drop is in sight: {found.reason}")
    ends = zip(map(sp.Rational, found.end.amplitudes), map(sp.Rational, found.end.rates), strict=True)
    trap = trap_about(problem, tuple(ends), digits)
    try:
        return _by_the_slow_rate(problem, trap, sp.Rational(found.end.drop) / 2)
    except NotProved:  # no plateau that needs it
        return Recorded(trap, _path(problem, trap, found.end.tau))


def trap_about(problem: Problem, units: tuple[tuple[sp.Expr, sp.Expr], ...], digits: int) -> Trap:
    """The trap about the minimum next to a network of units (a, w). Raises NotProved where there seems to be none."""
    arithmetic = Arb(digits + GUARD)
    with arithmetic.working():
        phi = Distinct(problem, arithmetic)
        pairs = list(zip(units, problem.reference, strict=True))
        apart = [here[part] - fitted[part] for part in (0, 1) for here, fitted in pairs]
        c = _zero_of_gradient(phi, arithmetic.array(apart)[phi.own])
        Q, _ = directions(phi, c)
        r = (SMALL * BEST / contraction(phi, c, SMALL, Q)).mid()
        while not (r > 0 and contraction(phi, c, r, Q) < BEST):
            r = (r * SHRINK).mid()
            if not r > SMALLEST:
                raise NotProved("the Hessian at the minimum is too nearly singular, or a rate there too small")
        return Trap(c, r, arithmetic.digits)


def _zero_of_gradient(phi: Distinct, y: Array) -> Array:
    """Newton's method for grad phi = 0, until it no longer gets any better."""
    arithmetic = phi.landscape.arithmetic
    for _ in range(NEWTON_STEPS):
        gradient, hessian = phi.gradient_and_hessian(y)
        try:
            y = arithmetic.midpoint(y - arithmetic.solver(hessian)(gradient))
        except ZeroDivisionError:
            break
        if not phi.reached(y):
            break
    else:
        return y
    raise NotProved("Newton's method does not find a minimum next to where the flow seems to end")


def _by_the_slow_rate(problem: Problem, trap: Trap, drop: sp.Expr) -> Recorded:
    """Over the plateau in the slow rate, until the loss has fallen by `drop`, and in time from there on."""
    slow = recording_slow.record(replace(problem, drop=drop), OVER_DIGITS)
    passed = in_slow_rate.prove(problem, slow, ()).end
    assert passed is not None
    path = _path(problem, trap, AFTERWARDS, passed[0])
    settle(problem, trap, in_time.prove(problem, path, (), passed).end)
    return Recorded(trap, path, slow)


def _path(problem: Problem, trap: Trap, span: str, begin: Array | None = None) -> in_time.Recorded:
    """A trajectory, from the start or another state, into the inner part of the trap, where J is low enough (V63)."""
    arithmetic = Arb(trap.digits)
    with arithmetic.working():
        phi = Distinct(problem, arithmetic)
        back = inverse(directions(phi, trap.centre)[0])

    def caught(z: Array) -> bool:
        return bool(norm(back @ (z[phi.own] - trap.centre)) < trap.radius / INNER)

    digits = MARGIN - math.floor(math.log10((1 - BEST) * float(trap.radius) ** 2 / 2))
    return recording_time.record(problem, digits, until=caught, span=span, begin=begin)
