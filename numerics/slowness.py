r"""Where a run is slow: the cores and extents of plateaus, from what is kept of its accepted steps.

    v = -dJ/dtau ,   J falls from J(0) by the drop along the run                                         (Y2), (Y3)

Core    a local minimum of ln v whose prominence is at least ln F on both sides: on the way to a lower value ln v rises
        by that much. The start counts as high. The level of a core is J there.
Extent  where |J - level| <= delta, one stretch of time since J falls; overlapping ones are merged, and have the level
        of the slowest of their cores.

v is |Delta z/h|^2 over the pieces between a step's nodes: a gradient evaluated at a point of a long plateau would be
roundoff in the fast directions. These numbers are kept of every step, with the state, the time and the drop at its
beginning. Where more is wanted the step is made again: around a core, to find the time at which v is least (J is
straight there, so its level is good to about the square of an error in that time), and where J passes a value, as for
an escape (numerics/run.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numerics.arithmetic import Array
from numerics.flow import GradientFlow
from numerics.integrator import Integrator, Step
from numerics.run import locate

FINE = 100  # pieces of a step around a core
SHOWN = 3  # points of a step that a course shows


def cores(ln_v: Sequence[float], rise: float) -> tuple[list[int], int | None]:
    """Local minima with a prominence of at least `rise` on both sides, and the one that is still open at the end.

    ln_v: in order of time; the start counts as high. Open is the lowest value since ln v last was as high, unless it
    has risen since. Of equal values the first counts.

    >>> cores([0, -5, 0, -3, -1, -9, -8], rise=2)
    ([1, 3], 5)
    """
    found: list[int] = []
    extreme, falling = 0, True
    for i, value in enumerate(ln_v):
        if value < ln_v[extreme] if falling else value > ln_v[extreme]:
            extreme = i
        elif abs(value - ln_v[extreme]) >= rise:
            found += [extreme] * falling
            extreme, falling = i, not falling
    return found, extreme if falling else None


@dataclass(frozen=True)
class Course:
    """A run in float64 for a picture of it, n points; the stages of its steps, so about half of its digits are good.

    log10_tau: shape (n,), rising; the start is left out. drop: J(0) - J, shape (n,). rates: 1 / time, shape (n, m).
    """

    log10_tau: Array
    drop: Array
    rates: Array


@dataclass(frozen=True)
class Passage:
    """A moment of a run: tau, and the state there, shape (2m,). since: of the beginning of accepted step `step`."""

    tau: Any
    state: Array
    step: int
    since: Any


@dataclass(frozen=True)
class Core:
    """The slowest moment of a plateau: its state, shape (2m,), J(0) - J and ln v there."""

    state: Array
    drop: Any
    ln_v: float


@dataclass(frozen=True)
class Extent:
    """A plateau from `start` to `end`, None where it has not ended; `core` is its slowest, `duration` end - start."""

    core: Core
    start: Passage
    end: Passage | None
    duration: Any


class Record:
    """What is kept of the accepted steps of one run; `watch` is for numerics.run.run, the rest for afterwards."""

    def __init__(self, flow: GradientFlow, integrator: Integrator) -> None:
        self.flow, self.integrator = flow, integrator
        arithmetic, method = flow.arithmetic, integrator.method
        with arithmetic.working():
            self._gaps = np.diff(arithmetic.array(method.nodes))
        self._fine = np.linspace(0, 1, FINE + 1)
        self._refine = method.interpolation(self._fine)
        self.taus: list[Any] = []
        self.lengths: list[Any] = []
        self.states: list[Array] = []
        self.drops: list[Any] = [arithmetic.number(0)]  # at the beginning of every step, and at the end of the last
        self.ln_v: list[float] = []  # of the pieces of all steps
        self._course: list[list[float]] = []

    def watch(self, tau: Any, step: Step) -> None:
        """Keep one accepted step that begins at tau."""
        self.taus.append(tau)
        self.lengths.append(step.h)
        self.states.append(step.before)
        self.drops.append(self.flow.landscape.drop(step.after))
        nodes = np.concatenate([0 * step.stages[:1], step.stages])
        self.ln_v += self._log_descents(step, nodes, self._gaps)
        log, landscape = self.flow.arithmetic.functions["log"], self.flow.landscape
        for stage in np.linspace(0, len(step.stages) - 1, SHOWN + 1)[1:].astype(int):
            then = tau + step.h * self.integrator.method.float_nodes[stage + 1]
            y = step.before + step.stages[stage]
            rates = landscape.units(y)[1].astype(float)
            self._course.append([float(log(then)) / np.log(10), float(landscape.drop(y)), *rates])

    @property
    def course(self) -> Course:
        """The run for a picture of it."""
        table = np.array(self._course)
        return Course(table[:, 0], table[:, 1], table[:, 2:])

    def extents(self, delta: Any, rise: float, ended: bool) -> list[Extent]:
        """The plateaus in order of time. Raises StepFailed where a step cannot be made again.

        delta: in the run's arithmetic. rise: ln F. ended: whether the run came to its end: then what is within delta of
        it is that end; else it is a plateau that has not ended.
        """
        found, still_open = cores(self.ln_v, rise)
        slow = [self._core(piece) for piece in found]
        if still_open is not None and not ended:
            last = self._core(still_open)
            slow += [last] * (last.drop + delta >= self.drops[-1])  # else it has been left, with too small a rise
        groups: list[list[Core]] = []
        for core in slow:
            if groups and core.drop - groups[-1][-1].drop <= 2 * delta:
                groups[-1].append(core)
            else:
                groups.append([core])
        extents = []
        for group in groups:
            enters, leaves = group[0].drop - delta, group[-1].drop + delta
            if ended and leaves >= self.drops[-1]:
                break
            start = self._passing(enters)
            end = self._passing(leaves) if leaves < self.drops[-1] else None
            slowest = min(group, key=lambda core: core.ln_v)
            extents.append(Extent(slowest, start, end, self._between(start, end) if end else None))
        return extents

    def _log_descents(self, step: Step, states: Array, lengths: Array) -> list[float]:
        """ln v over pieces of a step: between displacements, shape (n + 1, 2m), apart by n lengths in units of h."""
        velocities = np.diff(states, axis=0) / (lengths * step.h)[:, None]
        after = step.before + states[1:]
        return [self.flow.log_descent(y, velocity) for y, velocity in zip(after, velocities, strict=True)]

    def _again(self, step: int) -> Iterator[tuple[Any, Step]]:
        """The flow from the beginning of an accepted step on: (time since then, Step), for ever."""
        since = 0 * self.lengths[step]
        for again in self.integrator.steps(self.states[step], self.lengths[step]):
            yield since, again
            since = self.flow.arithmetic.midpoint(since + again.h)

    def _passing(self, drop: Any) -> Passage:
        """Where J(0) - J passes a value below its last; the start, for one that it had from the beginning."""
        if drop <= 0:
            return Passage(self.taus[0], self.states[0], 0, 0 * self.lengths[0])
        step = next(i for i, reached in enumerate(self.drops[1:]) if reached > drop)
        since, again = next(pair for pair in self._again(step) if self.flow.landscape.drop(pair[1].after) > drop)
        h, state = locate(self.integrator, self.flow, again, drop)
        midpoint = self.flow.arithmetic.midpoint
        since = midpoint(since + h)
        return Passage(midpoint(self.taus[step] + since), state, step, since)

    def _between(self, start: Passage, end: Passage) -> Any:
        """The time from one passage to a later one, summed from the steps: their taus may share all their digits."""
        return sum(self.lengths[start.step : end.step], end.since - start.since)

    def _core(self, piece: int) -> Core:
        """The slowest moment in and next to a piece between two nodes."""
        step, node = divmod(piece, len(self._gaps))
        first = max(step - (node == 0), 0)
        unit = self.lengths[step]
        last = float(sum(self.lengths[first : step + 2], 0 * unit) / unit)
        begins, steps, middles, ln_v = [], [], [], []
        for since, again in self._again(first):
            begin, long = float(since / unit), float(again.h / unit)
            if begin >= last:
                break
            begins.append(begin)
            steps.append(again)
            middles += list(begin + long * (self._fine[1:] + self._fine[:-1]) / 2)
            fine = self._refine.astype(again.stages.dtype) @ again.stages
            ln_v += self._log_descents(again, fine, np.diff(self._fine).astype(again.stages.dtype))
        least = _vertex(middles, ln_v)
        inside = max(i for i, begin in enumerate(begins) if begin <= least)
        again = steps[inside]
        part = (least - begins[inside]) / float(again.h / unit)
        row = self.integrator.method.interpolation(np.array([part])).astype(again.stages.dtype)
        state = again.before + (row @ again.stages)[0]
        return Core(state, self.flow.landscape.drop(state), min(ln_v))


def _vertex(times: list[float], values: list[float]) -> float:
    """Where the parabola through the least value and its neighbours is least; at the ends, the first or last time."""
    i = int(np.argmin(values))
    if not 0 < i < len(values) - 1 or not np.isfinite(values[i - 1 : i + 2]).all():
        return times[i] if i else 0.0
    (t0, t, t1), (v0, v, v1) = times[i - 1 : i + 2], values[i - 1 : i + 2]
    left, right = (v0 - v) / (t - t0), (v1 - v) / (t1 - t)  # both >= 0: slopes to either side
    if left + right == 0:
        return t
    return t + (left * (t1 - t) - right * (t - t0)) / (2 * (left + right))
