"""From a study to verify/simulate.py: the target as data, and the cells whose training can be afforded.

The simulation knows no formula of theory/; what it is handed is rho(t) at the times it asks for, and floats. Training
takes about tau / eta gradient steps, so only cells that escape early can be trained; for the others the reason is kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from numerics.arithmetic import Array, Float64
from numerics.compiling import bind
from theory.dense import DenseProblem
from theory.kernels import t
from theory.parametrisation import InverseSquare, Parametrisation
from theory.problem import Problem, Target
from verify.dense_network import extrapolate_dense
from verify.simulate import Extrapolation, Training, extrapolate, train
from verify.study import Simulation
from verify.sweep import CellResult, StudyResult

AFFORDABLE = 100_000  # gradient steps of all runs of a cell together: about 15 s on a core
FEWEST = 20  # gradient steps of an escape, below which no order in eta can be measured
PAST_LAG = 15  # simulated time beyond the longest lag: e^{-2 * 15} of the loss of a unit rate is cut off


@dataclass(frozen=True)
class Sampled:
    """rho as a function of an array of times, in float64; picklable, so that it can go to another process."""

    target: Target

    def __call__(self, times: Array) -> Array:
        arithmetic = Float64()
        rho = bind((t,), (self.target.rho(t),), arithmetic)
        with arithmetic.working():
            return np.broadcast_to(rho(times)[0], np.shape(times))


@dataclass(frozen=True)
class Simulated:
    """Direct simulation of one cell. reason: why there is no escape time. flow: that of the gradient flow.

    found: an Extrapolation to eta = dt = 0 (estimated), one Training with noise (sampled), or None if not affordable.
    """

    parameters: dict[str, str]
    flow: str | None
    found: Extrapolation | Training | None
    reason: str | None

    @property
    def runs(self) -> tuple[Training, ...]:
        """The runs of gradient descent, the coarsest first."""
        if isinstance(self.found, Extrapolation):
            return self.found.runs
        return (self.found,) if self.found else ()

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; trajectories are left out."""
        extrapolated = self.found if isinstance(self.found, Extrapolation) else None
        orders = {name: _decimal(getattr(extrapolated, name, None)) for name in ("error", "eta_order", "dt_order")}
        return {
            "parameters": self.parameters,
            "flow": self.flow,
            "escape_time": _decimal(self.found.escape_time if self.found else None),
            "guarantee": "estimated" if extrapolated else "sampled" if self.found else None,
            **orders,
            "runs": [_run(each) for each in self.runs],
            "reason": self.reason,
            "seconds": sum(each.seconds for each in self.runs),
        }


def gradient_steps(settings: Simulation, tau: float) -> float:
    """Estimated gradient steps to tau, of all the runs that verify.simulate makes of a cell."""
    levels = range(settings.levels if settings.mode == "population" else 1)
    return tau / float(settings.eta) * sum(2**k for k in levels for j in levels if k + j < max(len(levels), 3))


def length(problem: Problem | DenseProblem, settings: Simulation) -> float:
    """The simulated time of a sequence: the study's, or the target's reach + PAST_LAG, and never beyond the horizon."""
    wanted = problem.target.reach + PAST_LAG if settings.length is None else settings.length
    return float(sp.Min(wanted, problem.horizon))


def unaffordable(cell: CellResult, settings: Simulation) -> str | None:
    """Why a cell is not trained; None if it is."""
    if cell.escape is None or cell.escape.tau is None:
        return "the gradient flow has no escape time to compare with"
    if isinstance(cell.problem, DenseProblem) and settings.mode != "population":
        return f"a dense network is trained in the mode 'population' only, not in {settings.mode!r}"
    ends = [*cell.problem.target.breaks, *([cell.problem.horizon] if cell.problem.horizon is not sp.oo else [])]
    if off_grid := [end for end in ends if not (end / settings.dt).is_Integer]:
        what = "the target jumps or the horizon ends"
        return f"{what} at {off_grid[0]}, off the grid of dt = {settings.dt}; take a dt that divides it"
    if float(cell.escape.tau) < FEWEST * float(settings.eta):
        return f"the escape takes fewer than {FEWEST} gradient steps of eta = {settings.eta}; take a smaller eta"
    steps = gradient_steps(settings, float(cell.escape.tau))
    if steps > AFFORDABLE:
        return f"it would take about {steps:.1e} gradient steps, more than the {AFFORDABLE:.0e} that are afforded"
    return None


def simulate(
    result: StudyResult,
    *,
    map: Callable[..., Iterable[Any]] = map,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Simulated, ...]:
    """Train the affordable cells of a study, in its order; empty for a study without [simulate].

    map: the builtin, or the map of a concurrent.futures executor that the caller owns; runs of a cell are spread by it.
    progress: called with (cells done, cells in all).
    """
    settings = result.study.simulate
    if settings is None:
        return ()
    found = []
    for cell in result.cells:
        found.append(_simulated(cell, settings, map))
        if progress:
            progress(len(found), len(result.cells))
    return tuple(found)


def _simulated(cell: CellResult, settings: Simulation, map: Callable[..., Iterable[Any]]) -> Simulated:
    tau = cell.escape.tau if cell.escape else None
    if reason := unaffordable(cell, settings):
        return Simulated(cell.parameters, tau, None, reason)
    problem = cell.problem
    options: dict[str, Any] = {"dt": float(settings.dt), "eta": float(settings.eta), "drop": float(problem.drop)}
    options |= {"length": length(problem, settings), "max_steps": AFFORDABLE}
    found: Extrapolation | Training
    try:
        if isinstance(problem, DenseProblem):
            found = extrapolate_dense(*dense_network(problem), **options, levels=settings.levels, map=map)
        else:
            target, (a, w) = Sampled(problem.target), (_floats(problem.start.amplitudes), _floats(problem.start.rates))
            options |= {"parametrisation": _trained(problem.parametrisation)}
            if settings.mode == "population":
                found = extrapolate(target, a, w, **options, levels=settings.levels, map=map)
            else:
                noise: dict[str, Any] = {"mode": settings.mode, "batch": settings.batch, "seed": settings.seed}
                found = train(target, a, w, **options, **noise)
    except ValueError as error:
        return Simulated(cell.parameters, tau, None, str(error))
    return Simulated(cell.parameters, tau, found, found.reason)


def _trained(parametrisation: Parametrisation) -> Any:
    """The parametrisation in the words of verify/network.py."""
    if isinstance(parametrisation, InverseSquare):
        return "inverse-square", float(parametrisation.a), float(parametrisation.b)
    return parametrisation.name


def dense_network(problem: DenseProblem) -> tuple[Any, ...]:
    """Targets by input, recurrent, input weights and readout as verify/dense_network.py takes them."""
    d, start = problem.start.inputs, problem.start
    by_input = [[term for term in problem.target.terms if term.input == k + 1] for k in range(d)]
    targets = [Sampled(Target(tuple(terms))) if terms else np.zeros_like for terms in by_input]
    W, U = ([_floats(row) for row in rows] for rows in (start.recurrent, start.input_weights))
    return targets, W, U, _floats(start.readout)


def _floats(numbers: Iterable[sp.Expr]) -> list[float]:
    return [float(each) for each in numbers]


def _run(training: Training) -> dict[str, Any]:
    numbers = {name: _decimal(getattr(training, name)) for name in ("eta", "dt", "escape_time")}
    return {
        **numbers,
        "outcome": training.outcome.name.lower(),
        "mode": training.mode,
        "steps": training.steps,
        "reason": training.reason,
        "seconds": training.seconds,
    }


def _decimal(value: float | None) -> str | None:
    return None if value is None else f"{value:.12g}"
