"""The cross-checks of a dense network (verify/compare.py): its Gramians against routes that have none.

    loss through the Gramians (H4)        vs  the overlaps of the exact memory kernels          at the start
    gradient through them (H5)            vs  backpropagation through the network that runs     at the start
    Rhat(-l), Rhat'(-l)                   vs  R(-l), R'(-l) at the eigenvalues l of W (M7)      where the run has ended
    escape time of the flow               vs  gradient descent, extrapolated
"""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import sympy as sp

from numerics.answer import decimal
from numerics.arithmetic import Arb
from numerics.compiling import evaluate
from numerics.dense_flow import DenseState
from numerics.escape import EscapeTime
from numerics.gramian import DenseLandscape
from numerics.run import Outcome
from theory.dense import DenseProblem
from verify.check import DIGITS, MOST_SAMPLES, Check, grid, row, training
from verify.dense_network import dense_loss_and_gradient, dense_parameters, impulses
from verify.network import target_samples
from verify.sampling import Simulated, dense_network
from verify.simulate import Extrapolation


def of_dense_cell(problem: DenseProblem, escape: EscapeTime, simulated: Simulated | None) -> Iterator[Check]:
    """The rows of a dense network, at the start and, for (M7), at the end of its run; all in float64."""
    surface = DenseLandscape(problem)
    with suppress(NotImplementedError):  # the exact kernel of a large W has no closed form
        yield _dense_loss(problem, surface)
    if (found := _dense_backpropagation(problem, surface)) is not None:
        yield found
    if escape.outcome is Outcome.stationary and isinstance(escape.end, DenseState):
        yield _tangential(surface, escape.end)
    if escape.tau and simulated and isinstance(simulated.found, Extrapolation) and simulated.found.escape_time:
        yield from training(escape.tau, simulated.found)


def _dense_loss(problem: DenseProblem, surface: DenseLandscape) -> Check:
    """J through the Gramians against the overlaps of the exact memory kernels."""
    arithmetic = Arb(DIGITS)
    with arithmetic.working():
        exact_loss = decimal(evaluate(problem.initial_loss, arithmetic), 20)
    return row(
        "loss at the start",
        ("Gramians, float64 (H4)", f"{surface.loss(surface.start):.17g}"),
        ("exact memory kernels", exact_loss),
        1e-11,
        "15 digits less 4 for cancellation between Gramian and target; a transposed W changes the first digit",
    )


def _dense_backpropagation(problem: DenseProblem, surface: DenseLandscape) -> Check | None:
    """The gradient through both Gramians against backpropagation through the dense network that runs."""
    dt = grid(problem)
    rate = -float(np.linalg.eigvals(surface.network(surface.start).recurrent).real.max())
    length = float(problem.target.reach) + 20 / rate if problem.horizon is sp.oo else float(problem.horizon)
    if dt is None or length / dt > MOST_SAMPLES:
        return None
    closed = surface.network(surface.gradient(surface.start))
    by_steps = []
    for step in (dt, dt / 2):
        targets, *network = dense_network(problem)
        samples = [target_samples(target, dt=step, length=length) for target in targets]
        theta = dense_parameters(*network)
        by_steps.append(dense_loss_and_gradient(theta, impulses(samples, dt=step))[1])
    run = (4 * by_steps[1] - by_steps[0]) / 3
    expected = np.column_stack([closed.recurrent, closed.input_weights, closed.readout])
    difference = float(np.linalg.norm(run - expected) / np.linalg.norm(expected))
    return Check(
        "gradient, as a vector",
        "",
        "two Gramians (H5), norm",
        f"{np.linalg.norm(expected):.10g}",
        "backpropagation, dt -> 0, norm",
        f"{np.linalg.norm(run):.10g}",
        f"{difference:.3g}",
        "1e-06",
        f"relative, of the vectors; dt^2 extrapolated from {dt:.3g} and half",
        difference <= 1e-6,
    )


def _tangential(surface: DenseLandscape, end: DenseState) -> Check:
    """(M7) at the eigenvalues of W, of the network printed at the end of the run."""
    numbers = (*end.readout, *(x for row in (*end.recurrent, *end.input_weights) for x in row))
    residuals = surface.transfer_residuals(np.array([float(x) for x in numbers]))
    worst = max((max(each.value, each.slope) for each in residuals), default=0.0)
    return Check(
        "critical point, worst condition (M7)",
        "",
        "Rhat(-l) - R(-l), relative",
        f"{worst:.3g}",
        "zero",
        "0",
        f"{worst:.3g}",
        "1e-3",
        "the run stops where its Hessian predicts next to no fall, near the minimum and not at it",
        worst <= 1e-3,
    )
