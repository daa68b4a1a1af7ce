"""The flow on its way to the escape: the states that a run of the integrator passes.

escape_time shows every accepted step of its finer run to a watcher, before it looks for the escape in it. Inside a step
the state is the collocation polynomial (C1) through the stages, read here at points that cluster at both ends; it has
the accuracy of the stages, about the square root of the escape time's. The last step overshoots: it is cut at the
escape, whose state closes the trajectory. The points are then thinned to equal distances along the path in (log tau, a,
w), so that the plateau (decades of tau in which little moves) and the escape (much moves in no time) are both resolved.
"""

from dataclasses import dataclass, field
from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Arb, Arithmetic, Array, Float64
from numerics.collocation import radau
from numerics.escape import GUARD, EscapeTime, State, escape_time
from numerics.extended import Extended
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator, Step
from numerics.landscape import Landscape
from numerics.run import Limits, run
from theory.problem import Problem


@dataclass(frozen=True)
class Trajectory:
    """States on the way from the start to the end of a run, n of them, for a network of width m. Guarantee: estimated.

    log10_tau:    shape (n,), log10 of gradient-flow time, -inf for the start, then rising; close to the escape from a
                  long plateau neighbours may share a float.
    drop:         shape (n,), J(0) - J in output^2 / input^2 * time, 0 at the start, then strictly rising. Kept because
                  J(0) - drop rounds a plateau away; where it underflows float64, points are left out.
    amplitudes:   shape (n, m), output / (input * time). rates: shape (n, m), 1 / time.
    initial_loss: J(0). escape: the run's EscapeTime, whose end is the last point.

    First and last point have the digits asked, the others about half as many.
    """

    log10_tau: Array
    drop: Array
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
    def loss(self) -> Array:
        """J, shape (n,)."""
        return self.initial_loss - self.drop


def trajectory(problem: Problem, *, digits: int = 10, points: int = 400, **limits: Any) -> Trajectory:
    """The flow recorded along one run of escape_time.

    problem: Problem of width m. digits: of the escape time, 5 to 150; up to 12 mostly run in float64.
    points:  about how many to keep, >= 2. limits: tau_max, max_steps, max_seconds, as escape_time takes them.

    Returns a Trajectory; where the flow neither escapes nor fits float64, it holds only the start and the end reached.
    Raises TypeError or ValueError for an argument out of range.
    """
    if type(points) is not int or points < 2:
        raise ValueError(f"points must be an int >= 2, got {points!r}; the start and the end are always kept")
    steps: list[tuple[Any, Step]] = []

    def watch(tau: Any, step: Step) -> None:
        if tau == 0:  # a run begins: the first one, or another with more digits
            steps.clear()
        steps.append((tau, step))

    escape = escape_time(problem, digits=digits, watch=watch, **limits)
    if escape.end and not steps and problem.off_the_fit is None and fits_float64(problem):
        flow = GradientFlow(problem, Float64())  # without an escape there is no finer run: repeat the coarse one
        run(flow, Integrator(flow, 9, 1e-6, 1e-12), Limits(max_steps=escape.steps + 10), watch)
    kind = steps[0][1].before.dtype.char if steps else "O"  # of numbers: d for double, g for longdouble, or objects
    arithmetic: Arithmetic = Float64() if kind == "d" else Extended() if kind == "g" else Arb(digits + GUARD)
    landscape = Landscape(problem, arithmetic)
    with arithmetic.working():
        start = np.concatenate(_floats(landscape.units(landscape.start)))
        initial_loss = float(landscape.loss(landscape.start))
        rows = [np.array([-np.inf, 0.0, *start])]  # log10 tau, drop, amplitudes, rates
        if escape.end and flint.arb(escape.end.tau) > 0:
            end = _row(escape.end)
            if steps:
                rows += _between(landscape, steps, end, points - 2)
            rows.append(end)
    table = np.array(rows)
    m = problem.start.width
    return Trajectory(table[:, 0], table[:, 1], table[:, 2 : 2 + m], table[:, 2 + m :], initial_loss, escape)


def _between(landscape: Landscape, steps: list[tuple[Any, Step]], end: Array, points: int) -> list[Array]:
    """Rows (log10 tau, drop, a, w) of the states inside the steps and before the end, about `points` of them."""
    method = radau(len(steps[0][1].stages))
    inside = (1 - np.cos(np.linspace(0, np.pi, max(method.stages, 2 * points // len(steps)) + 1)[1:])) / 2
    through = method.interpolation(inside).astype(steps[0][1].stages.dtype)
    taus = [_log10(tau + step.h * float(c)) for tau, step in steps for c in inside]
    states = np.concatenate([step.before + through @ step.stages for _, step in steps])
    last = len(states) - len(inside)  # into the step with the escape; decided by drop, as tau is rounded
    while last < len(states) and float(landscape.drop(states[last])) < end[1]:
        last += 1
    paths = np.column_stack([np.minimum(taus, end[0]), *_floats(landscape.units(states))])[:last]
    spans = np.ptp(paths, axis=0)
    length = np.append(0, np.cumsum(abs(np.diff(paths / np.where(spans > 0, spans, 1), axis=0)).sum(axis=1)))
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)))
    rows, highest = [], 0.0
    for i in kept:
        drop = float(landscape.drop(states[i]))
        if highest < drop < end[1]:  # the loss falls strictly; stage errors and the last overshoot are left out
            rows.append(np.array([paths[i, 0], drop, *paths[i, 1:]]))
            highest = drop
    return rows


def _row(end: State) -> Array:
    """(log10 tau, drop, a, w) of where the run ended."""
    return np.array([_log10(flint.arb(end.tau)), *map(float, (end.drop, *end.amplitudes, *end.rates))])


def _log10(tau: Any) -> float:
    """log10 of a float, a longdouble or a ball, whose exponents may be beyond float64."""
    return float(tau.log() / flint.arb(10).log()) if isinstance(tau, flint.arb) else float(np.log10(tau))


def _floats(units: tuple[Array, Array]) -> tuple[Array, Array]:
    amplitudes, rates = units
    return amplitudes.astype(float), rates.astype(float)
