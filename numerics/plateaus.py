r"""Every plateau and every escape along one trajectory, followed past the drop to where the flow ends.

A plateau is where an observer of the loss would say that training has stopped: the loss stays within delta of a level
at which it falls slowest, F times as slowly as before and after (numerics/slowness.py has the definition; delta and F
are ours, and stated with every result). It ends with an escape, at which the loss is delta below the level; the unit
that moves is the one whose |ln w| has changed most from the slowest moment to the escape.

Ending  a minimum, proved by a trap or estimated (numerics/stationary.py), a runaway (numerics/run.py), or open: a limit
came. Towards a minimum or in a runaway the loss falls ever more slowly for ever: what begins within delta of its last
value is the ending, and no plateau. Where a limit came nobody knows: what is slow then, within delta of the loss
reached, is listed as a plateau that has not ended.

Nothing waits for problem.drop here, and delta takes its place as the scale on which what is left to gain is little. Two
runs, at two tolerances and working precisions, must find the same plateaus; the digits they share are those printed.
After an escape the network is off the fit, where float64 may not do; then all is repeated in Arb.
"""

import math
import time
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.answer import Guarantee, decimal
from numerics.arithmetic import Arb, Float64
from numerics.compiling import evaluate
from numerics.escape import (
    GUARD,
    Plan,
    State,
    check_digits,
    check_limits,
    end_of,
    first_plan,
    name_of,
    shared_digits,
)
from numerics.flow import GradientFlow
from numerics.integrator import Integrator, StepFailed
from numerics.run import MOST_STEPS, Limits, Outcome, Run, run
from numerics.slowness import Course, Extent, Record
from numerics.stationary import Minimum
from numerics.unreachable import unreachable
from theory.exact import Exact, exact, positive
from theory.problem import Problem

DELTA, PROMINENCE = "0.02", 10  # the definition's
OFF_THE_FIT = 20  # digits in reserve for the cancellation there
SLOPE_DIGITS = 3
ALONE = 4  # digits shown of what only one run has found
FEWEST = 10  # digits planned for: fewer would be no cheaper
ROUNDS = 5  # of two runs, before one alone is shown
UNCONFIRMED = "; shown is one run alone, for a second one does not confirm it"


class Ending(Enum):
    """How a trajectory ends, as far as it was followed."""

    minimum = "the flow ends in a minimum"
    runaway = "units coalesce with diverging alternating amplitudes, and the loss comes to rest"
    still = "the loss at the start is at most delta, no fall of it counts as an escape"
    open = "a limit came first: tau_max, max_steps or max_seconds"
    failed = "the integrator gave up; ask for more digits"


ENDINGS = {
    Outcome.stationary: Ending.minimum,
    Outcome.runaway: Ending.runaway,
    Outcome.tau_max: Ending.open,
    Outcome.stopped: Ending.open,
    Outcome.failed: Ending.failed,
}


@dataclass(frozen=True)
class Plateau:
    """One plateau, decimal strings; gradient-flow time, J in output^2 / input^2 * time.

    start, end:  of the extent |J - level| <= delta; the end is the escape. end and duration are None where it has not
                 ended. level: J where it falls slowest. slope: -dJ/dtau there.
    mover:       the unit that leaves it, counted from 0; None where it has not ended.
    digits:      shared by two runs in start, end, duration and level, at most those asked; None for a single run.
    """

    start: str
    level: str
    slope: str
    end: str | None = None
    duration: str | None = None
    mover: int | None = None
    digits: int | None = None


@dataclass(frozen=True)
class History:
    """The plateaus of one trajectory in order of time, and its ending.

    initial_loss, final_loss: J at the start and where the run stopped. end: the state there. ending: of Ending, with
    the reason in words. minimum: where it ends in one. digits: the fewest of a plateau; None for a single run, and
    where there is no plateau. delta, prominence: of the definition. arithmetic, steps, rejected: of the run that is
    reported. course: that run in float64, for a picture. seconds: of integration, all runs; setup_seconds: of
    derivation and compilation.
    """

    problem: Problem = field(repr=False)
    plateaus: tuple[Plateau, ...]
    ending: Ending
    reason: str
    initial_loss: str
    final_loss: str
    delta: str
    prominence: str
    digits: int | None = None
    guarantee: Guarantee = "estimated"
    arithmetic: str = "arb"
    steps: int = 0
    rejected: int = 0
    seconds: float = 0.0
    setup_seconds: float = 0.0
    end: State | None = None
    minimum: Minimum | None = None
    course: Course | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Everything but problem and course, ready for JSON: decimal strings, counts as integers, seconds as floats."""
        shown = {name: value for name, value in vars(self).items() if name not in ("problem", "course")}
        shown["plateaus"] = [asdict(plateau) for plateau in self.plateaus]
        shown["ending"] = self.ending.name
        shown["end"] = asdict(self.end) if self.end else None
        shown["minimum"] = self.minimum and self.minimum.as_dict()
        return shown


def plateaus(
    problem: Problem,
    *,
    digits: int = 10,
    delta: Exact = DELTA,
    prominence: Exact = PROMINENCE,
    tau_max: Any = None,
    max_steps: int = MOST_STEPS,
    max_seconds: float = math.inf,
) -> History:
    """Follow the gradient flow to its end, and list every plateau on the way.

    problem:     Problem of width m; its drop is not used. digits: wanted of start, end and level, 5 to 150; a plateau
                 says how many it has, often fewer where it is short.
    delta:       exact number > 0, in units of J: half the height of a plateau's extent.
    prominence:  F, exact number > 1: how many times as slowly as before and after the loss falls on it.
    tau_max, max_steps, max_seconds: limits as escape_time takes them; reaching one is the ending "open".

    Returns a History. Guarantee: estimated (two runs agree; that no shorter plateau was stepped over is not proved).
    Raises TypeError or ValueError for an argument out of range.

    >>> from theory.kernels import Exponential, Gaussian
    >>> from theory.problem import Target
    >>> from theory.rnn import LinearRNN
    >>> pair = Target([Exponential(), Gaussian(lag="10")])
    >>> found = plateaus(Problem(pair, LinearRNN([("1", "1"), ("0", "0.7")]), "0.05"))
    >>> [(each.end[:4], each.mover) for each in found.plateaus], found.ending.name
    ([('42.2', 1)], 'minimum')
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {problem!r}; plateaus are those of a diagonal network")
    check_digits(digits)
    check_limits(max_steps, max_seconds)
    latest = None if tau_max is None else positive(tau_max, "tau_max", "for the flow to run at all")
    measured = replace(problem, drop=positive(delta, "delta", "for an extent to have a height"))
    F = exact(prominence, "prominence")
    if not F > 1:
        raise ValueError(f"prominence must be > 1 for the loss to fall more slowly on a plateau, got {F}")
    began = time.perf_counter()
    limits = Limits(latest, max_steps, began + max_seconds)
    definition = f"{float(measured.drop):.6g}", f"{float(F):.6g}"
    if unreachable(measured):
        balls = Arb(digits + GUARD)
        with balls.working():
            loss = decimal(evaluate(problem.initial_loss, balls), digits)
        still, setup = Ending.still, time.perf_counter() - began
        return History(problem, (), still, still.value, loss, loss, *definition, None, "enclosed", setup_seconds=setup)
    path, shared, setup = _confirmed(measured, digits, limits, float(sp.log(F)))
    last = path.run
    ending = ENDINGS[last.outcome]
    reason = ending.value if last.reason == last.outcome.value else last.reason
    return History(
        problem,
        tuple(_plateau(path, i, shared[i] if shared else None) for i in range(len(path.extents))),
        ending,
        reason if shared is not None else reason + UNCONFIRMED,
        decimal(path.loss(0), digits),
        decimal(path.loss(last.drop), digits),
        *definition,
        digits=min(shared, default=None) if shared is not None else None,
        arithmetic=name_of(last.flow.arithmetic),
        steps=last.accepted,
        rejected=last.rejected,
        seconds=time.perf_counter() - began - setup,
        setup_seconds=setup,
        end=end_of(last, digits),
        minimum=last.minimum,
        course=path.course,
    )


@dataclass(frozen=True)
class _Path:
    """One run, the plateaus it passes, and who leaves each of them."""

    run: Run
    course: Course
    extents: list[Extent]
    movers: list[int | None]

    def loss(self, drop: Any) -> Any:
        """J where it has fallen by this much, in the run's arithmetic."""
        landscape = self.run.flow.landscape
        with self.run.flow.arithmetic.working():
            return landscape.loss(landscape.start) - drop

    def numbers(self, i: int) -> dict[str, Any]:
        """What there is to print of plateau i."""
        extent = self.extents[i]
        last = {"end": extent.end.tau, "duration": extent.duration} if extent.end else {}
        return {"start": extent.start.tau, "level": self.loss(extent.core.drop), **last}


def _confirmed(problem: Problem, digits: int, limits: Limits, rise: float) -> tuple[_Path, list[int] | None, float]:
    """The finer of two runs that tell the same story, the digits they share of every plateau, seconds of preparation.

    None for the digits, and the run that came farthest, where the limits leave no room for that.
    """
    plan = _reserved(first_plan(problem, max(digits, FEWEST), 0))
    paths, setup = [], 0.0
    for _ in range(ROUNDS):
        pair: list[_Path] = []
        for fine in (False, True):
            now = time.perf_counter()
            prepared = plan.prepare(problem, fine)
            setup += time.perf_counter() - now
            pair.append(_follow(*prepared, replace(limits, cancellation=plan.harmless), rise))
            if (failed := pair[-1].run.outcome is Outcome.failed) or time.perf_counter() > limits.deadline:
                break
        paths += pair
        if failed and pair[-1].run.cancellation > plan.harmless:
            plan = _reserved(plan.with_reserve(pair[-1].run.cancellation))
        elif failed and not plan.last_resort:
            plan = _reserved(plan.tightened())
        elif len(pair) == 2 and (shared := _shared(pair[0], pair[1], digits)) is not None:
            return pair[1], shared, setup
        else:
            plan = replace(plan, digits=plan.digits + 3)
        if time.perf_counter() > limits.deadline:
            break
    return max(paths, key=lambda path: flint.arb(path.run.tau)), None, setup


def _reserved(plan: Plan) -> Plan:
    """In Arb, with digits for what cancels off the fit."""
    return replace(plan, reserve=max(plan.reserve, OFF_THE_FIT)) if plan.last_resort else plan


def _follow(flow: GradientFlow, integrator: Integrator, limits: Limits, rise: float) -> _Path:
    """Run to the end, and look at what has been passed."""
    record = Record(flow, integrator)
    found = run(flow, integrator, limits, record.watch, past_the_drop=True)
    ended = ENDINGS[found.outcome] in (Ending.minimum, Ending.runaway)
    with flow.arithmetic.working(), Float64().working():
        course, delta = record.course, evaluate(flow.landscape.problem.drop, flow.arithmetic)
        try:
            extents = record.extents(delta, rise, ended)
        except StepFailed:
            return _Path(replace(found, outcome=Outcome.failed, reason=Outcome.failed.value), course, [], [])
        if limits.tau_max is not None:
            extents = _before(evaluate(limits.tau_max, flow.arithmetic), extents)
        return _Path(found, course, extents, [_mover(flow, extent) for extent in extents])


def _before(latest: Any, extents: list[Extent]) -> list[Extent]:
    """What begins before tau_max; the last step goes beyond it, and so may an end."""
    return [
        replace(each, end=None, duration=None) if each.end and each.end.tau > latest else each
        for each in extents
        if each.start.tau < latest
    ]


def _mover(flow: GradientFlow, extent: Extent) -> int | None:
    """The unit with the largest |Delta ln w| from the core to the escape; the first of equals."""
    if extent.end is None:
        return None
    before, after = (flow.landscape.units(y)[1].astype(float) for y in (extent.core.state, extent.end.state))
    return int(np.argmax(abs(np.log(after / before))))


def _shared(one: _Path, other: _Path, most: int) -> list[int] | None:
    """Digits that two runs share of every plateau; None where they do not tell the same story."""
    if ENDINGS[one.run.outcome] is not ENDINGS[other.run.outcome] or one.movers != other.movers:
        return None
    shared = []
    for i in range(len(one.extents)):
        pairs = zip(one.numbers(i).values(), other.numbers(i).values(), strict=True)
        shared.append(min(shared_digits(x, y, most) for x, y in pairs))
    return shared if min(shared, default=1) > 0 else None


def _plateau(path: _Path, i: int, shared: int | None) -> Plateau:
    """Plateau i of a path, as it is printed."""
    numbers = {name: decimal(value, shared or ALONE) if value > 0 else "0" for name, value in path.numbers(i).items()}
    slope = decimal(flint.arb(path.extents[i].core.ln_v).exp(), SLOPE_DIGITS)
    return Plateau(**numbers, slope=slope, mover=path.movers[i], digits=shared)
