r"""Where a run is slow: the cores and extents of plateaus, from what is kept of its accepted steps.

    v = -dJ/dtau ,   J falls from J(0) by the drop along the run                                         (Y2), (Y3)

Core    a local minimum of ln v whose prominence is at least ln F on both sides: on the way to a lower value ln v rises
        by that much. The start counts as high. The level of a core is J there.
Extent  where |J - level| <= delta, one stretch of time since J falls; overlapping ones are merged, and have the level
        of the slowest of their cores.

v is |Delta z/h|^2 over the pieces between a step's nodes: a gradient evaluated at a point of a long plateau would be
roundoff in the fast directions. Around a core the pieces are made finer, to find the time at which v is least; J is
straight there, so its level is good to about the square of an error in that time. Where J passes a value the step is
cut and solved afresh, as for an escape (numerics/run.py).
"""

from collections.abc import Sequence
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
    return found, extreme if falling and len(ln_v) else None


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


def overlapping(slow: Sequence[Core], delta: Any) -> list[list[Core]]:
    """Cores, in order of time, gathered where their extents |J - level| <= delta overlap."""
    groups: list[list[Core]] = []
    for core in slow:
        if groups and core.drop - groups[-1][-1].drop <= 2 * delta:
            groups[-1].append(core)
        else:
            groups.append([core])
    return groups


@dataclass(frozen=True)
class Extent:
    """A plateau from `start` to `end`, None where it has not ended; `core` is its slowest, `duration` end - start."""

    core: Core
    start: Passage
    end: Passage | None
    duration: Any


class Record:
    """The accepted steps of one run, kept by `watch` for numerics.run.run; the rest is for afterwards."""

    def __init__(self, flow: GradientFlow, integrator: Integrator) -> None:
        self.flow, self.integrator = flow, integrator
        self._nodes = flow.arithmetic.array(integrator.method.nodes)
        self._fine = np.linspace(0, 1, FINE + 1)
        self._refine = integrator.method.interpolation(self._fine)
        self.taus: list[Any] = []
        self.steps: list[Step] = []
        self.drops: list[Any] = [flow.arithmetic.number(0)]  # at the beginning of every step, and at the last end
        self.ln_v: list[float] = []  # over the pieces between the nodes of all steps

    def watch(self, tau: Any, step: Step) -> None:
        """Keep one accepted step that begins at tau."""
        self.taus.append(tau)
        self.steps.append(step)
        self.drops.append(self.flow.landscape.drop(step.after))
        nodes = np.concatenate([0 * step.stages[:1], step.stages])
        self.ln_v += self._log_descents(step, nodes, self._nodes)

    @property
    def course(self) -> Course:
        """The run for a picture of it; inside the arithmetic's `working()`."""
        log, landscape = self.flow.arithmetic.functions["log"], self.flow.landscape
        rows = []
        for tau, step in zip(self.taus, self.steps, strict=True):
            for stage in np.linspace(0, len(step.stages) - 1, SHOWN + 1)[1:].astype(int):
                y, then = step.before + step.stages[stage], tau + step.h * self._nodes[stage + 1]
                rates = landscape.units(y)[1].astype(float)
                rows.append([float(log(then)) / np.log(10), float(landscape.drop(y)), *rates])
        table = np.array(rows).reshape(-1, 2 + landscape.width)
        return Course(table[:, 0], table[:, 1], table[:, 2:])

    def extents(self, delta: Any, rise: float, ended: bool) -> list[Extent]:
        """The plateaus in order of time. Raises StepFailed where the loss does not resolve an end of one.

        delta: in the run's arithmetic, inside its `working()`. rise: ln F. ended: whether the run came to its end: then
        what is within delta of it is that end; else it is a plateau that has not ended.
        """
        found, still_open = cores(self.ln_v, rise)
        slow = [self._core(piece) for piece in found]
        if still_open is not None and not ended:
            last = self._core(still_open)
            if last.drop + delta >= self.drops[-1]:  # else it has been left, with too small a rise
                slow.append(last)
        extents = []
        for group in overlapping(slow, delta):
            enters, leaves = group[0].drop - delta, group[-1].drop + delta
            if ended and leaves >= self.drops[-1]:
                break
            start = self._passing(enters)
            end = self._passing(leaves) if leaves < self.drops[-1] else None
            slowest = min(group, key=lambda core: core.ln_v)
            extents.append(Extent(slowest, start, end, self._between(start, end) if end else None))
        return extents

    def _log_descents(self, step: Step, displacements: Array, points: Array) -> list[float]:
        """ln v over the pieces between n points of a step, with displacements of shape (n, 2m) there."""
        velocities = np.diff(displacements, axis=0) / (np.diff(points) * step.h)[:, None]
        after = step.before + displacements[1:]
        return [self.flow.log_descent(y, velocity) for y, velocity in zip(after, velocities, strict=True)]

    def _passing(self, drop: Any) -> Passage:
        """Where J(0) - J passes a value below its last; the start, for one that it had from the beginning."""
        if drop <= 0:
            return Passage(self.taus[0], self.steps[0].before, 0, 0 * self.steps[0].h)
        step = next(i for i, reached in enumerate(self.drops[1:]) if reached > drop)
        h, state = locate(self.integrator, self.flow, self.steps[step], drop)
        return Passage(self.flow.arithmetic.midpoint(self.taus[step] + h), state, step, h)

    def _between(self, start: Passage, end: Passage) -> Any:
        """The time from one passage to a later one, summed from the steps: their taus may share all their digits."""
        return sum((step.h for step in self.steps[start.step : end.step]), end.since - start.since)

    def _core(self, piece: int) -> Core:
        """The slowest moment in the step of a piece between two nodes, and in a step that the piece borders on."""
        k, node = divmod(piece, len(self._nodes) - 1)
        last = len(self._nodes) - 2
        near = self.steps[max(0, k - (node == 0)) : k + 1 + (node == last)]
        ends = np.cumsum([float(step.h / self.steps[k].h) for step in near])  # in units of step k
        begins, ln_v = np.append(0, ends[:-1]), []
        for step in near:
            ln_v += self._log_descents(step, self._refine.astype(step.stages.dtype) @ step.stages, self._fine)
        middles = begins[:, None] + np.outer(ends - begins, self._fine[1:] - 0.5 / FINE)
        least = _vertex(middles.ravel(), np.array(ln_v))
        inside = int(np.searchsorted(ends[:-1], least))
        step, part = near[inside], (least - begins[inside]) / (ends - begins)[inside]
        row = self.integrator.method.interpolation(np.array([part])).astype(step.stages.dtype)
        state = step.before + (row @ step.stages)[0]
        return Core(state, self.flow.landscape.drop(state), min(ln_v))


def _vertex(times: Array, values: Array) -> float:
    """Where the parabola through the least value and its neighbours is least; 0 where the first value is the least."""
    i = int(np.argmin(values))
    if not 0 < i < len(values) - 1 or not np.isfinite(values[i - 1 : i + 2]).all():
        return float(times[i]) if i else 0.0
    (t0, t, t1), (v0, v, v1) = times[i - 1 : i + 2], values[i - 1 : i + 2]
    left, right = (v0 - v) / (t - t0), (v1 - v) / (t1 - t)  # how steeply the values rise to both sides
    if left + right == 0:
        return float(t)
    return float(t + (left * (t1 - t) - right * (t - t0)) / (2 * (left + right)))
