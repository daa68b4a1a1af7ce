"""The flow on its way to the escape: the states that a run passes, in time or in the slow rate.

escape_time shows every accepted step of a run to a watcher (numerics/passage.py reads what lies inside). The recorder
thins while it watches, so that memory is bounded whatever a run takes: points inside a step are collected until there
are MANY times as many as wanted, then half of these are kept, and from there on half as many are taken from each step.
What is kept lies at equal distances along the path in (log tau, a, w): the plateau (decades of tau in which little
moves) and the escape (much moves in no time) are both resolved. The last step overshoots in time: it is cut at the
escape, whose state closes the trajectory. Where the slow rate tells the time a start-up in time comes first.
"""

from dataclasses import dataclass, field
from typing import Any

import flint
import numpy as np

from numerics.answer import log10
from numerics.arithmetic import Arb, Array
from numerics.compiling import evaluate
from numerics.escape import EscapeTime, State, escape_time
from numerics.integrator import Step
from numerics.passage import DIGITS, Reader, inside, spread
from numerics.slow_manifold import Piece
from theory.problem import Problem

MANY = 8  # times the points wanted, before they are thinned
INSIDE, LEAST_INSIDE = 64, 4  # points taken from a step at first, and at least


@dataclass(frozen=True)
class Trajectory:
    """States on the way from the start to the end of a run, n of them, for a network of width m. Guarantee: estimated.

    log10_tau:    shape (n,), log10 of gradient-flow time, -inf for the start, then rising; close to the escape from a
                  long plateau neighbours may share a float.
    log10_drop:   shape (n,), log10 of J(0) - J in output^2 / input^2 * time, -inf at the start, then rising; neighbours
                  on a very long plateau may share a float. J(0) - drop would round a plateau away, and the drop itself
                  leaves the floats like e^{-2wL}.
    amplitudes:   shape (n, m), output / (input * time), 0 below 1e-308. rates: shape (n, m), 1 / time.
    initial_loss: J(0). escape: the run's EscapeTime, whose end is the last point.

    First and last point have the digits asked, the others about half as many.
    """

    log10_tau: Array
    log10_drop: Array
    amplitudes: Array
    rates: Array
    initial_loss: float
    escape: EscapeTime = field(repr=False)

    @property
    def problem(self) -> Problem:
        """The problem whose flow this is."""
        assert isinstance(self.escape.problem, Problem)  # a dense network has a DenseTrajectory
        return self.escape.problem

    @property
    def drop(self) -> Array:
        """J(0) - J, shape (n,), 0 below 1e-308."""
        return np.power(10.0, self.log10_drop)

    @property
    def loss(self) -> Array:
        """J, shape (n,)."""
        return self.initial_loss - self.drop


def trajectory(problem: Problem, *, digits: int = 10, points: int = 400, **limits: Any) -> Trajectory:
    """The flow recorded along one run of escape_time, by whichever engine that takes.

    problem: Problem of width m. digits: of the escape time, 5 to 150; up to 12 mostly run in float64.
    points:  about how many to keep, >= 2. limits: tau_max, max_steps, max_seconds, engine, as escape_time takes them.

    Returns a Trajectory; of an unreachable drop, the start alone.
    Raises TypeError or ValueError for an argument out of range.
    """
    if type(points) is not int or points < 2:
        raise ValueError(f"points must be an int >= 2, got {points!r}; the start and the end are always kept")
    recorder = _Recorder(problem, points - 2)
    escape = escape_time(problem, digits=digits, watch=recorder.watch, **limits)
    start = map(float, (*problem.start.amplitudes, *problem.start.rates))
    rows = [np.array([-np.inf, -np.inf, *start])]  # log10 tau, log10 drop, amplitudes, rates
    if escape.end and flint.arb(escape.end.tau) > 0:
        end = _row(escape.end)
        rows += [*recorder.before(end), end]
    table = np.array(rows)
    m, balls = problem.start.width, Arb(DIGITS)
    with balls.working():
        initial_loss = float(evaluate(problem.initial_loss, balls))
    return Trajectory(table[:, 0], table[:, 1], table[:, 2 : 2 + m], table[:, 2 + m :], initial_loss, escape)


class _Recorder:
    """A watcher that keeps the states of the latest run, never more than MANY * points and those of one step."""

    def __init__(self, problem: Problem, points: int) -> None:
        self.reader, self.points = Reader(problem), points
        self._begin()

    def _begin(self) -> None:
        self.paths: list[Array] = []  # log10 tau, amplitudes, rates
        self.states: list[Array] = []
        self.inside = INSIDE

    def watch(self, tau: Any, step: Step | Piece) -> None:
        """Take points from the inside of a step that begins at tau."""
        if tau == 0:
            self._begin()
        times, states = inside(step, spread(tau, step, self.inside))
        self.paths += list(self.reader.rows(tau, times, states))
        self.states += list(states)
        if len(self.paths) > (most := MANY * max(self.points, INSIDE)):
            self._keep(_evenly(np.array(self.paths), most // 2))
            self.inside = max(LEAST_INSIDE, self.inside // 2)

    def before(self, end: Array) -> list[Array]:
        """Rows (log10 tau, log10 drop, a, w) of the states kept from before the end, about `points` of them."""
        low, high = 0, len(self.states)
        while low < high:  # by the drop, as tau is rounded
            middle = (low + high) // 2
            passed = self._drop(middle) >= end[1]
            low, high = (low, middle) if passed else (middle + 1, high)
        self._keep(np.arange(low))
        if low == 0 or self.points == 0:
            return []
        rows, highest = [], -np.inf
        for i in _evenly(np.minimum(self.paths, [end[0], *np.full(len(end) - 2, np.inf)]), self.points):
            drop = self._drop(i)
            if highest <= drop < end[1]:  # the loss falls; stage errors are left out
                rows.append(np.array([min(self.paths[i][0], end[0]), drop, *self.paths[i][1:]]))
                highest = drop
        return rows

    def _drop(self, i: int) -> float:
        return float(self.reader.log10_drop(self.states[i][None])[0])

    def _keep(self, kept: Array) -> None:
        self.paths, self.states = [self.paths[i] for i in kept], [self.states[i] for i in kept]


def _evenly(paths: Array, points: int) -> Array:
    """Indices of at most `points` rows, at equal distances along the path in units of the span of each column."""
    spans = np.ptp(paths, axis=0)
    length = np.append(0, np.cumsum(abs(np.diff(paths / np.where(spans > 0, spans, 1), axis=0)).sum(axis=1)))
    return np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)))


def _row(end: State) -> Array:
    """(log10 tau, log10 drop, a, w) of where the run ended."""
    numbers = map(float, (*end.amplitudes, *end.rates))
    return np.array([log10(flint.arb(end.tau)), log10(flint.arb(end.drop)), *numbers])
