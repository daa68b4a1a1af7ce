r"""A trajectory for recipe "time", by the time integrator: not trusted, only good.

The proof adds the defects d of the pieces, each amplified by what is left of the plateau, which is about the time
left. For a relative error 10^-digits of tau, |f(tau)| tau 10^-digits of the state may be left at the escape, so a piece
may have

    d h <= 10^-goal / (100 (2 + tau - t)) ,   10^-goal = 10^-digits tau |f(tau)|                            (V7)

with tau known from a cheap run, to a few digits, and 1/mu in place of tau - t where these no longer tell. The
integrator controls its steps by this, looking for d at a few points between its stages; at these a collocation
polynomial has no defect. On a plateau d h is not the error of a step but more: a fast component that lies off the slow
manifold by an error counts h times its rate.
"""

from collections.abc import Callable
from dataclasses import replace
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
from verify.certificate import chebyshev
from verify.certificate.in_time import Recorded
from verify.certificate.majorant import Majorant
from verify.certificate.proved import NotProved
from verify.certificate.tube import norm

MARGIN = 2.0
LEAST_GOAL, SHARE = 7.5, 0.2  # and of the digits asked; with less, the tube around a long plateau grows too wide
GUARD = 12  # working digits beyond those that (V7) resolves
NEWTON = 0.01  # of the allowed defect that Newton's method may leave
LOOKS = 7  # points at which the defect is looked for
FIRST = 0.01  # step size to try
BEYOND = flint.arb(1.001)  # times the drop, where the trajectory may end
MOST_STAGES = 40
LATEST = 4  # times the time expected, when it is given up
ESTIMATE = 8  # digits of the escape time that the steps are controlled with


def record(
    problem: Problem,
    digits: int,
    *,
    until: Callable[[Array], bool] | None = None,
    span: str | None = None,
    begin: Array | None = None,
    stages: int | None = None,
) -> Recorded:
    """A trajectory from the start past the escape that should carry `digits` certified digits of tau. Guarantee: none.

    until: tells of a displacement, shape (2m,), whether the trajectory may end there instead, with `digits` absolute
    digits; span: decimal, the time at which that is expected, roughly. begin: a displacement to begin at instead of
    the start. stages: of the steps.
    Raises NotProved where the flow is not seen to escape, or the integrator gives up.
    """
    Majorant(problem)  # raises for a kernel that no proof is for, before anything is integrated
    tau, goal = (flint.arb(span), float(digits)) if span else _goal(problem, digits)
    decades = max(0.0, float(tau.log()) / log(10))
    goal += decades if span else 0.0  # what is left is not known to the last digits of a long span
    working = Arb(ceil(goal + 1.5 * decades + GUARD))
    stages = stages or min(round(12 + 0.65 * (goal + decades)), MOST_STAGES)
    flow = GradientFlow(problem, working)
    twin = GradientFlow(problem, Float64()) if fits_float64(problem) else None
    integrator = _Controlled(flow, stages, goal, tau, twin)
    with working.working(), Float64().working():
        target = evaluate(problem.drop, working) * BEYOND
        y = flow.landscape.start if begin is None else begin
        t, steps = flint.arb(0), list[Step]()
        for step in integrator.steps(y, FIRST):
            steps.append(step)
            t = (t + step.h).mid()
            integrator.left = max((tau - t).mid(), _time_left(flow, step.after))
            if until(step.after) if until else flow.landscape.drop(step.after) > target:
                break
            if t > LATEST * tau + 1:
                if until is None and flow.landscape.drop(step.after) * BEYOND > target:
                    break  # a drop that is nearly all there is
                raise NotProved("the trajectory does not come to its end in the time expected")
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
    return tau, max(digits - lost + MARGIN, LEAST_GOAL + SHARE * digits)


def _time_left(flow: GradientFlow, y: Array) -> flint.arb:
    """1/mu with mu the growth of f along the flow, f . f' f / |f|^2: on a plateau about the time left; else 0."""
    f, jacobian = flow.rhs_and_jacobian(y)
    growth = f @ jacobian @ f
    return ((f @ f) / growth).mid() if growth > 0 else flint.arb(0)


class _Controlled(Integrator):
    """An integrator whose error estimate is (V7): d h in units of what is allowed, d looked for at a few points.

    left: time until the escape, to be kept up.
    """

    def __init__(
        self, flow: GradientFlow, stages: int, goal: float, left: flint.arb, twin: GradientFlow | None
    ) -> None:
        super().__init__(flow, stages, 1.0, 1.0, twin, flow.copies)
        self.goal, self.left, self.flow = goal, left, flow
        with flow.arithmetic.working():
            nodes = 2 * self.method.nodes - 1
            between = np.linspace(0, stages - 1, LOOKS).astype(int)
            here = flow.arithmetic.midpoint((nodes[between] + nodes[between + 1]) / 2)
            whole = np.array(chebyshev.through(nodes).tolist())
            values = chebyshev.basis(here, stages) @ whole
            slopes = chebyshev.basis(here, stages - 1) @ chebyshev.derivative(whole)
            self._looks = [flow.arithmetic.linear(flow.arithmetic.midpoint(each[:, 1:])) for each in (values, slopes)]

    def step(self, y: Array, h: flint.arb, guess: Array) -> Step:
        """As every step, with another error."""
        allowed = flint.arb(10) ** flint.arb(-self.goal) / (100 * (2 + self.left))
        self.accuracy = NEWTON * float(allowed / self._scale(y, h, guess))
        step = super().step(y, h, guess)
        values, slopes = (look(step.stages) for look in self._looks)
        defect = 2 * slopes / h - self.flow.rhs(y + values)
        largest = max(map(norm, defect))
        return replace(step, error=float(largest * h / allowed))

    def _scale(self, y: Array, h: flint.arb, guess: Array) -> flint.arb:
        """What a relative error of the displacement is multiplied with in d h."""
        size = self._lift(np.maximum(abs(y), abs(guess).max(axis=0)))
        moved = abs(self.flow.rhs_and_jacobian(y)[1]) @ size
        return max(*size, *(h * each for each in moved))
