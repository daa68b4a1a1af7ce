r"""One run of the gradient flow: from the start until something happens.

Escape     J(0) - J first exceeds the drop (M12). J falls strictly along the flow, so the crossing is unique; it is
           located by repeating the step to it, with Newton's method on J and dJ/dtau (Y2).
Minimum    the state has entered a trap (numerics/stationary.py) whose minimum is short of the drop. A trap is geometry
           of J, and J falls along the flow of every parametrisation: what it proves, it proves for all of them.
Last rate  an inverse square reaches no rate beyond 1/b: driven towards it a rate comes to rest at v = 0, a minimum in
           v. Rates within 1e-6 of it and pushed further, a positive Hessian in everything else, and what they and a
           Newton step would still gain below 1e-3 of the drop still missing. Estimated.
Runaway    two units within 1 % of each other with opposite amplitudes, the largest amplitude beyond 100 times its
           start, and tau |dJ/dtau| below 1e-3 of the drop still missing, all this over two decades of tau. Estimated.
Limits     tau_max, max_steps, max_seconds.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Array, Float64
from numerics.compiling import evaluate
from numerics.flow import GradientFlow
from numerics.integrator import Integrator, Step, StepFailed
from numerics.landscape import Landscape
from numerics.stationary import Minimum, have_merged, merged_trap, might_trap, trap
from theory.parametrisation import IDENTITY

MOST_STEPS = 20_000
LOOK_EVERY = 5  # accepted steps between looks for a minimum or a runaway
TRAP_DIGITS = 40
AT_THE_END = 1e-6  # relative distance of a rate from the end of its range
STUCK = 1e-7  # relative change of the event's time at which Newton's method may end by not getting any better
AT_REST = "a rate has come to the end {} of its range, the flow ends there"
SHORT = " short of the drop; it never escapes"
Engine = Literal["time", "slow rate", "slow rate, then time"]  # what tells the time; see numerics/slow_rate.py
Watch = Callable[[Any, Step], None]


class Outcome(Enum):
    """How a run of the gradient flow ended."""

    escaped = "the loss fell by more than the drop"
    stationary = "the flow ends in a minimum short of the drop; it never escapes"
    runaway = "units coalesce with diverging alternating amplitudes, short of the drop"
    unreachable = "the drop is at least the loss at the start; no network can reach it"
    tau_max = "tau_max came before the escape"
    stopped = "max_steps or max_seconds came before the escape; the state is in `end`"
    failed = "the integrator gave up; ask for more digits"


@dataclass(frozen=True)
class Limits:
    """Where a run stops at the latest: gradient-flow time, accepted steps, a time.perf_counter() deadline, and the
    digits that may be lost to cancellation before the run is not worth going on.
    """

    tau_max: sp.Rational | None = None
    max_steps: int = MOST_STEPS
    deadline: float = math.inf
    cancellation: float = math.inf


@dataclass(frozen=True)
class Run:
    """How one run ended: tau, displacements (2m,) and J(0) - J in its own arithmetic, and what it took."""

    outcome: Outcome
    flow: GradientFlow
    tau: Any
    state: Array
    drop: Any
    accepted: int
    rejected: int
    cancellation: float  # digits lost in sums over units, worst seen
    minimum: Minimum | None = None
    reason: str = ""
    engine: Engine = "time"


def run(
    flow: GradientFlow,
    integrator: Integrator,
    limits: Limits,
    watch: Watch | None = None,
    begin: tuple[Any, Array, Any] | None = None,
    past_the_drop: bool = False,
) -> Run:
    """Integrate until something happens: every Outcome but `unreachable`.

    watch: called with (tau before the step, Step) after every accepted step. begin: (tau, state, first step to try)
    where it is not the start of the problem. past_the_drop: no escape ends the run, nor is a minimum too deep to end
    it; the drop is then but the scale on which what is left is little. Guarantee: estimated.
    """
    arithmetic, landscape = flow.arithmetic, flow.landscape
    with arithmetic.working(), Float64().working():
        target = evaluate(landscape.problem.drop, arithmetic)
        latest = None if limits.tau_max is None else evaluate(limits.tau_max, arithmetic)
        clock, y, dropped, first = Clock(arithmetic), landscape.start, arithmetic.number(0), 0.01
        if begin:
            tau, y, first = begin
            clock.advance(tau)
            dropped = landscape.drop(y)
        cancellation, runaway_since = 0.0, None
        awaited = "the end" if past_the_drop else "the escape"

        def end(outcome: Outcome, minimum: Minimum | None = None, reason: str = "") -> Run:
            counts = integrator.accepted, integrator.rejected
            return Run(outcome, flow, clock.tau, y, dropped, *counts, cancellation, minimum, reason or outcome.value)

        try:
            for step in integrator.steps(y, first):
                if watch:
                    watch(clock.tau, step)
                reached = landscape.drop(step.after)
                if not reached > dropped - target / 1000:
                    raise StepFailed  # J falls along the flow: this is not it
                if reached > target and not past_the_drop:
                    h, y = locate(integrator, flow, step, target)
                    clock.advance(h)
                    dropped = landscape.drop(y)
                    return end(Outcome.escaped if latest is None or clock.tau <= latest else Outcome.tau_max)
                y, dropped = step.after, reached
                clock.advance(step.h)
                if latest is not None and clock.tau > latest:
                    return end(Outcome.tau_max, reason=f"tau_max came before {awaited}")
                if integrator.accepted % LOOK_EVERY == 0:
                    missing = target if past_the_drop else target - dropped
                    if minimum := _minimum(flow, y, past_the_drop):
                        return end(Outcome.stationary, minimum)
                    if _at_the_end(flow, y, missing):
                        rest = AT_REST.format(landscape.problem.parametrisation.highest)
                        return end(Outcome.stationary, reason=rest if past_the_drop else rest + SHORT)
                    runaway_since = _running_away(flow, y, clock.tau, missing, runaway_since)
                    if runaway_since is not None and clock.tau > 100 * runaway_since:
                        return end(Outcome.runaway)
                    cancellation = max(cancellation, landscape.cancellation(y))
                    if cancellation > limits.cancellation:
                        return end(Outcome.failed, reason="cancellation has outgrown the working precision")
                if integrator.accepted >= limits.max_steps:
                    return end(Outcome.stopped, reason=f"max_steps = {limits.max_steps} came before {awaited}")
                if time.perf_counter() > limits.deadline:
                    return end(Outcome.stopped, reason=f"max_seconds came before {awaited}")
        except StepFailed:
            return end(Outcome.failed)
    raise AssertionError("the integrator never stops by itself")


class Clock:
    """Gradient-flow time as a sum of steps of very different size, without loss."""

    def __init__(self, arithmetic: Any) -> None:
        self.midpoint = arithmetic.midpoint
        self.tau = self.rounded = arithmetic.number(0)

    def advance(self, h: Any) -> None:
        """Add one step, and what rounding left of the steps before: compensated summation."""
        step = h + self.rounded
        tau = self.midpoint(self.tau + step)
        self.rounded = self.midpoint(step - (tau - self.tau))
        self.tau = tau


def locate(integrator: Integrator, flow: GradientFlow, step: Step, target: Any) -> tuple[Any, Array]:
    """(h, state) where the drop is reached inside a step; every trial is a fresh step, as accurate as any."""
    landscape = flow.landscape
    low, high = 0.0, 1.0  # in units of the step; bisect its polynomial for a first guess
    for _ in range(8):
        middle = (low + high) / 2
        row = integrator.method.interpolation(np.array([middle])).astype(step.stages.dtype)
        crossed = landscape.drop(step.before + (row @ step.stages)[0]) > target
        low, high = (low, middle) if crossed else (middle, high)
    h, below, above = step.h * high, 0 * step.h, step.h
    goal, previous = integrator.accuracy, math.inf
    for _ in range(100):
        cut = integrator.within(step, h)
        missing = target - landscape.drop(cut.after)
        below, above = (h, above) if missing > 0 else (below, h)
        newton = flow.arithmetic.midpoint(h + missing / flow.descent(cut.after))
        change = abs(float((newton - h) / h))
        inside = below < newton < above
        if change < goal or (change < STUCK and (change > previous / 4 or not inside)):
            return h, cut.after
        if inside:
            previous, h = change, newton
        else:
            previous, h = math.inf, (below + above) / 2 if below > 0 else h / 1000
    raise StepFailed  # the loss is not resolved to the accuracy asked


def _minimum(flow: GradientFlow, y: Array, past_the_drop: bool = False) -> Minimum | None:
    """The trap tests, always in balls, where a look in the run's own arithmetic is promising."""
    landscape = flow.landscape
    merged = have_merged(*landscape.units(y))
    if not merged and not might_trap(landscape.gradient_and_hessian(y)[1]):
        return None
    geometry = replace(landscape.problem, parametrisation=IDENTITY)  # a rate at the end of its range is no bad start
    if past_the_drop:
        more_than_all = math.ceil(float(landscape.loss(landscape.start))) + 1  # no minimum is deeper
        geometry = replace(geometry, drop=sp.Integer(more_than_all))
    balls = Landscape(geometry, Arb(TRAP_DIGITS))
    with balls.arithmetic.working():
        z = balls.arithmetic.array(y)
        return merged_trap(balls, z, flow.copies) if merged else trap(balls, z)


def _at_the_end(flow: GradientFlow, y: Array, missing: Any) -> bool:
    """Whether rates rest at the end of the range of phi and all else at a minimum short of the drop; see the module."""
    landscape, m = flow.landscape, flow.landscape.width
    highest = landscape.problem.parametrisation.highest
    if highest == sp.oo:
        return False
    gradient, hessian = landscape.gradient_and_hessian(y)
    left = evaluate(highest, flow.arithmetic) - landscape.units(y)[1]
    resting = (left < AT_THE_END * float(highest)) & (gradient[m:] < 0)
    free = np.append(np.full(m, True), ~resting.astype(bool))
    slope, curvature = gradient[free], hessian[free][:, free]
    if not resting.any() or not might_trap(curvature):
        return False
    gain = (slope * flow.arithmetic.solver(curvature)(slope)).sum() / 2 - (left * gradient[m:])[~free[m:]].sum()
    return bool(gain < missing / 1000)


def _running_away(flow: GradientFlow, y: Array, tau: Any, missing: Any, since: Any) -> Any:
    """Since which tau the state has looked like a runaway; None if it does not."""
    landscape = flow.landscape
    a, w = (units.astype(float) for units in landscape.units(y))
    start = landscape.units(landscape.start)[0].astype(float)
    order = np.argsort(w)
    close = any(w[j] - w[i] < 0.01 * w[i] and a[i] * a[j] < 0 for i, j in pairwise(order))
    if not close or abs(a).max() < 100 * abs(start).max():
        return None
    if tau * flow.descent(y) > missing / 1000:
        return None
    return tau if since is None else since
