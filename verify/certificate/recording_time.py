r"""A trajectory for recipe "time", by the time integrator: not trusted, only good.

The proof adds the defects d of the pieces, each amplified by what is left of the plateau, which is about the time left.
For a relative error 10^-digits of tau, |f(tau)| tau 10^-digits of the state may be left at the escape, so a piece may have

    d h <= 10^-goal / (100 (2 + tau - t)) ,   10^-goal = 10^-digits tau |f(tau)|                            (V7)

with tau known from a cheap run. The tail of a step's Legendre series is about d h in size, relative to the largest
component; that sets the integrator's tolerance, anew at each step. Radau nodes serve as they are: at its stages a
collocation polynomial has no defect.
"""

from collections.abc import Iterator
from math import ceil, log

import flint
import numpy as np

from numerics.arithmetic import Arb, Array, Float64, _objects
from numerics.compiling import evaluate
from numerics.escape import escape_time
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator, Step
from numerics.landscape import Landscape
from numerics.run import Outcome
from theory.problem import Problem
from verify.certificate.in_time import Recorded
from verify.certificate.proved import NotProved

MARGIN = 2.0
LEAST_GOAL = 9.0  # below, the tube of a long plateau grows wider than the Hessian's variation allows
GUARD = 12  # working digits beyond those that (V7) resolves
FIRST = 0.01  # step size to try
BEYOND = flint.arb(1.001)  # times the drop, where the trajectory may end
ESTIMATE = 8  # digits of the escape time that the steps are controlled with


def record(problem: Problem, digits: int, *, span: str | None = None, stages: int | None = None) -> Recorded:
    """A trajectory from the start past the escape that should carry `digits` certified digits of tau. Guarantee: none.

    span: decimal, a time to end at instead, where the state is to have `digits` absolute digits. stages: of the steps.
    Raises NotProved where the flow is not seen to escape, or the integrator gives up.
    """
    tau, goal = (flint.arb(span), float(digits)) if span else _goal(problem, digits)
    decades = max(0.0, float(tau.log()) / log(10))
    working = Arb(ceil(goal + 1.5 * decades + GUARD))
    stages = stages or round(10 + 0.4 * (goal + decades))
    flow = GradientFlow(problem, working)
    twin = GradientFlow(problem, Float64()) if fits_float64(problem) else None
    integrator = Integrator(flow, stages, 1.0, 1.0, twin, flow.copies)
    with working.working(), Float64().working():
        target = flow.landscape.start_gain if span else evaluate(problem.drop, working)
        y, t, steps = flow.landscape.start, flint.arb(0), list[Step]()
        size = max(abs(flow.rhs(y)))
        for step in _controlled(integrator, y, size, goal, tau):
            steps.append(step)
            t = (t + step.h).mid()
            if (t >= tau) if span else flow.landscape.drop(step.after) > target * BEYOND:
                break
        nodes = _objects((2 * each - 1).mid() for each in integrator.method.nodes)
        values = np.concatenate([y[None], *(step.before + step.stages for step in steps)])
        exact = _objects(each.mid() for each in values.ravel()).reshape(values.shape)
    return Recorded(nodes, _objects(flint.arb(step.h).mid() for step in steps), exact, working.digits)


def _goal(problem: Problem, digits: int) -> tuple[flint.arb, float]:
    """An estimate of tau, and the goal of (V7)."""
    estimate = escape_time(problem, digits=ESTIMATE)
    if estimate.outcome is not Outcome.escaped or estimate.end is None:
        raise NotProved(f"no escape to certify: {estimate.reason}")
    landscape = Landscape(problem, Arb(30))
    with landscape.arithmetic.working():
        units = _objects(map(flint.arb, (*estimate.end.amplitudes, *estimate.end.rates)))
        f = landscape.gradient(units - np.concatenate((landscape.fitted_a, landscape.fitted_w)))
        tau = flint.arb(estimate.end.tau)
        lost = float((tau * (f * f).sum().sqrt()).log()) / log(10)
    return tau, max(digits - lost + MARGIN, LEAST_GOAL)


def _controlled(integrator: Integrator, y: Array, size: flint.arb, goal: float, tau: flint.arb) -> Iterator[Step]:
    """Steps whose defects keep to (V7); size: of the displacement, to begin with."""
    t = flint.arb(0)

    def control() -> None:
        allowed = 1 / (100 * (2 + max(tau - t, flint.arb(0))) * size)
        integrator.tolerance = float(allowed) * 10**-goal
        integrator.accuracy = integrator.tolerance / 100

    control()
    for step in integrator.steps(y, FIRST):
        yield step
        t = (t + step.h).mid()
        size = max(*abs(step.after), *abs(step.stages).max(axis=0))
        control()
