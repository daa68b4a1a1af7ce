"""Cross-checks: everything that matters computed twice, by routes that share no formula or no arithmetic.

    closed form of the loss       vs  quadrature of its definition (M3)                  at the end state of a run
    gradient in Arb               vs  mpmath                                             at the end state
    gradient in closed form       vs  backpropagation through the network that runs
    Rhat(w_k), Rhat'(w_k)         vs  R(w_k), R'(w_k), by quadrature (M7)                at a minimum
    escape time in Arb            vs  float64 or extended precision                      where these serve
    escape time, time as clock    vs  the slow rate as clock                             where both apply
    escape time of the flow       vs  the slow-flow integral (M14)                       where that is trusted; beyond
                                      60 decades of tau in place of the time integrator, whose steps grow like L
    escape time of the flow       vs  the law of coincided starts (M15)                  where that is trusted
    escape time of the flow       vs  the lower bound (M21): an inequality
    escape time of the flow       vs  gradient descent, extrapolated in eta, then dt^2; and the orders of its errors

A dense network has rows of its own (verify/compare_dense.py).
Every row carries its tolerance and the reason for it. A row that a cell cannot support (no escape, off the fit, too
long to train) is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp

from numerics.answer import decimal
from numerics.arithmetic import Arb, Mpmath
from numerics.compiling import bind, evaluate
from numerics.escape import BLUNT, EscapeTime, escape_time
from numerics.flow import fits_float64
from numerics.landscape import Landscape
from numerics.run import Outcome
from numerics.slow_rate import NoSlowRate, clock
from theory.dense import DenseProblem
from theory.exact import exact
from theory.kernels import t
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from theory.rnn import LinearRNN
from verify.check import DIGITS, MOST_SAMPLES, Check, grid, row, training
from verify.compare_dense import of_dense_cell
from verify.network import impulse, loss_and_gradient, parameters, target_samples
from verify.sampling import Sampled, Simulated
from verify.simulate import Extrapolation
from verify.study import Study
from verify.sweep import CellResult, StudyResult, label

FLOAT64_DIGITS = 10  # asked of float64
AFFORDABLE, ENGINE_DIGITS = 60, 20  # decades of tau that are integrated in time too, and digits asked
TRUSTED = 4e-3  # amplitude of the spares at the start below which the slow flow is compared with


def checks(
    study: Study,
    result: StudyResult,
    simulations: Sequence[Simulated],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Check, ...]:
    """The cross-check table of a study: rows of every cell, in the order of the cells.

    simulations: one per cell, or none at all. progress: called with (cells done, cells in all).
    Empty where no cell has run, as when every drop is unreachable.
    """
    rows: list[Check] = []
    for index, cell in enumerate(result.cells):
        simulated = simulations[index] if simulations else None
        name = label(cell.parameters)
        rows += [replace(each, cell=name) for each in _of_cell(cell, simulated)]
        if progress:
            progress(index + 1, len(result.cells))
    return tuple(rows)


def _of_cell(cell: CellResult, simulated: Simulated | None) -> Iterator[Check]:
    problem, escape = cell.problem, cell.escape
    if escape is None or escape.end is None:
        return
    if isinstance(problem, DenseProblem):
        yield from of_dense_cell(problem, escape, simulated)
        return
    try:
        end = _ended(problem, escape.end.amplitudes, escape.end.rates)
    except ValueError:  # seen through a finite horizon, a memory may grow; the rows are of networks whose fades
        end = problem
    yield replace(_loss(end), name=f"loss at the {'start' if end is problem else 'end of the run'}")
    yield _arithmetics(end)
    if (found := _backpropagation(end)) is not None:
        yield found
    if escape.minimum is not None:
        yield _critical_point(_ended(problem, escape.minimum.amplitudes, escape.minimum.rates))
    if escape.tau is None:
        return
    if (found := _machine_numbers(problem, escape.tau, escape.digits or 0, escape.arithmetic)) is not None:
        yield found
    if (found := _other_engine(problem, escape)) is not None:
        yield found
    if cell.slow_flow and cell.slow_flow.value and (found := _slow_flow(problem, escape, cell.slow_flow.value)):
        yield found
    if cell.coincided and cell.coincided.value and (found := _coincided(problem, escape.tau, cell.coincided.value)):
        yield found
    if cell.lower_bound and cell.lower_bound.value:
        yield _lower_bound(escape.tau, cell.lower_bound.value)
    if simulated and isinstance(simulated.found, Extrapolation) and simulated.found.escape_time is not None:
        yield from training(escape.tau, simulated.found)


def _ended(problem: Problem, amplitudes: Sequence[str], rates: Sequence[str]) -> Problem:
    """The same problem, started at the network where its run ended; ValueError where a rate fell to 0 or below."""
    units = [(exact(a, "amplitude"), exact(w, "rate")) for a, w in zip(amplitudes, rates, strict=True)]
    return replace(problem, start=LinearRNN(tuple(units)))


def _loss(end: Problem) -> Check:
    arithmetic = Arb(DIGITS + 20)
    with arithmetic.working():
        closed = decimal(evaluate(end.initial_loss, arithmetic), 20)
    return row(
        "loss at the end of the run",
        ("closed form (M4)", closed),
        ("quadrature of (M3)", _quadrature(end, lambda error, _: error**2)),
        1e-19,
        "tanh-sinh quadrature with 40 digits; a sign or a factor in (M4) changes the first digit",
    )


def _quadrature(end: Problem, integrand: Callable[[Any, Any], Any]) -> Any:
    """int_0^T integrand(rho_hat(t) - rho(t), t) dt by mpmath, piece by piece between the jumps of rho."""
    reference = Mpmath(DIGITS)
    around = {term.reach + offset for term in end.target.terms for offset in (-8, -4, 0, 4, 8, 40)} | {sp.Integer(40)}
    total = reference.context.mpf(0)
    edges = [sp.Integer(0), *(each for each in end.target.breaks if each < end.horizon), end.horizon]
    for start, stop in pairwise(edges):
        error = bind((t,), (end.start.kernel(t) - end.target.piece(start),), reference)
        panels = [start, *sorted(mark for mark in around if start < mark < stop), stop]
        numbers = [reference.context.inf if each is sp.oo else evaluate(each, reference) for each in panels]
        total += reference.context.quad(lambda time, error=error: integrand(error(time)[0], time), numbers)
    return total


def _gradient(problem: Problem, arithmetic: Arb | Mpmath) -> list[Any]:
    landscape = Landscape(problem, arithmetic)
    with arithmetic.working():
        return list(landscape.gradient(landscape.start))


def _arithmetics(end: Problem) -> Check:
    ctx = Mpmath(DIGITS).context
    by_arb = [ctx.mpf(decimal(x, DIGITS)) for x in _gradient(end, Arb(DIGITS + 15))]
    by_mpmath = [ctx.mpf(x) for x in _gradient(end, Mpmath(DIGITS + 15))]
    worst = max(range(len(by_arb)), key=lambda i: abs(by_arb[i] - by_mpmath[i]) / max(abs(by_arb[i]), ctx.eps))
    return row(
        "gradient, worst component",
        ("Arb", by_arb[worst]),
        ("mpmath", by_mpmath[worst]),
        1e-30,
        "both carry 55 digits; 15 are allowed for cancellation, 10 for printing",
    )


def _backpropagation(end: Problem) -> Check | None:
    """|gradient| of the network that runs, extrapolated in dt^2, against the closed form; compared as vectors.

    None where the jumps of the target, or the horizon, lie on no grid that is affordable.
    """
    closed = np.array([float(x) for x in _gradient(end, Mpmath(30))])
    a, w = ([float(x) for x in units] for units in (end.start.amplitudes, end.start.rates))
    dt = grid(end)
    if dt is None:
        return None
    length = float(end.target.reach) + 20 / min(w) if end.horizon is sp.oo else float(end.horizon)
    if length / dt > MOST_SAMPLES:
        return None
    by_steps = []
    for step in (dt, dt / 2):
        samples = target_samples(Sampled(end.target), dt=step, length=length)
        loss, slopes = loss_and_gradient(parameters(a, w, dt=step), impulse(samples, dt=step))
        by_steps.append(slopes.ravel())
    run = (4 * by_steps[1] - by_steps[0]) / 3
    scale = 2 * np.sqrt(loss / (2 * min(w)))  # |dJ/da| <= 2 |e| |e^{-wt}|: what a gradient could be at this loss
    difference, tolerance = float(np.linalg.norm(run - closed) / scale), 1e-6
    return Check(
        "gradient, as a vector",
        "",
        "closed form (M5), (M6), norm",
        f"{np.linalg.norm(closed):.10g}",
        "backpropagation, dt -> 0, norm",
        f"{np.linalg.norm(run):.10g}",
        f"{difference:.3g}",
        f"{tolerance:.3g}",
        f"relative to 2 |error| |exponential|, since the gradient may vanish; dt^2 extrapolated from {dt:.3g} and half",
        difference <= tolerance,
    )


def _critical_point(minimum: Problem) -> Check:
    """(M7): the network's transform and its slope meet the target's at every rate with a nonzero amplitude."""
    reference = Mpmath(DIGITS)
    ctx = reference.context

    def apart(order: int, rate: sp.Expr) -> tuple[Any, Any]:
        """|int t^order e^{-wt} (rho_hat - rho) dt|, relative to that of 1 in place of the error, and itself."""
        w = reference.number(rate)
        weight = lambda time: time**order * ctx.exp(-w * time)
        size = _quadrature(minimum, lambda _, time: weight(time))
        difference = _quadrature(minimum, lambda error, time: error * weight(time))
        return abs(difference) / size, difference

    rates = [rate for amplitude, rate in minimum.start.units if amplitude != 0]
    worst, difference = max((apart(order, rate) for order in (0, 1) for rate in rates), key=lambda each: each[0])
    return Check(
        "critical point, worst condition (M7)",
        "",
        "Rhat - R or its slope, by quadrature",
        ctx.nstr(difference, 10),
        "zero",
        "0",
        ctx.nstr(worst, 3),
        "1e-12",
        "relative to the transform of 1; the minimum is printed to 15 digits, a rate off by 1e-6 shows at 1e-7",
        bool(worst <= 1e-12),
    )


def _machine_numbers(problem: Problem, tau: str, digits: int, arithmetic: str) -> Check | None:
    """Against float64, or extended precision where several spares need it; not against the same `arithmetic`."""
    if arithmetic == "float64" or problem.off_the_fit or not fits_float64(problem):
        return None
    found = escape_time(problem, digits=FLOAT64_DIGITS, engine="time")
    same = found.arithmetic == arithmetic or found.arithmetic.startswith("arb")
    if found.outcome is not Outcome.escaped or same or found.tau is None:
        return None
    shared = min(FLOAT64_DIGITS, digits)
    tolerance, reason = 10.0 ** (1 - shared), f"both have {shared} digits, the last one rounded"
    return row("escape time", ("flow", tau), (f"flow in {found.arithmetic}", found.tau), tolerance, reason)


def _other_engine(problem: Problem, escape: EscapeTime) -> Check | None:
    """The time integrator against the slow rate as the clock, where both apply and neither costs much."""
    if _out_of_reach(escape):
        return None
    slow = escape.engine != "time"
    digits = escape.digits or 0
    try:
        if slow and clock(problem).slowest < BLUNT:
            return None
        found = escape_time(problem, digits=min(digits, ENGINE_DIGITS), engine="time" if slow else "slow")
    except NoSlowRate:
        return None
    if found.outcome is not Outcome.escaped or found.tau is None or found.engine == escape.engine:
        return None
    shared = min(digits, found.digits or 0)
    reason = f"integrated in time and in the slow rate; both have {shared} digits, the last one rounded"
    sides = (escape.engine, str(escape.tau)), (found.engine, found.tau)
    return row("escape time", *sides, 10.0 ** (1 - shared), reason)


def _out_of_reach(escape: EscapeTime) -> bool:
    """Whether the slow rate has told a time that the time integrator would need too many steps for."""
    return escape.engine != "time" and float(escape.log10_tau or 0) > AFFORDABLE


def _slow_flow(problem: Problem, escape: EscapeTime, integral: str) -> Check | None:
    """The flow against (M14), (P5): what they neglect is of the order of the spares' amplitudes at the start."""
    arithmetic = Arb(DIGITS)
    try:
        leading = plateau(problem)
        with arithmetic.working():
            largest = max(abs(evaluate(each, arithmetic)).mid() for each in leading.amplitudes)
    except NoPlateau:
        return None
    if escape.tau is None or not largest < TRUSTED:
        return None
    last_digit = 10.0 ** (1 - (escape.digits or 0))
    tolerance = max(last_digit, min(0.05, 50 * float(largest)))
    reason = f"spares relax to {decimal(largest, 3)}; the error is up to 45 times that, as measured on a dozen problems"
    if tolerance == last_digit:
        reason += f", so below the {escape.digits} digits"
    if _out_of_reach(escape):
        reason += f"; it stands in for the time integrator, not run: over {AFFORDABLE} decades of tau take it too long"
    return row("escape time", ("flow", escape.tau), ("slow-flow integral (M14)", integral), tolerance, reason)


def _coincided(problem: Problem, tau: str, law: str) -> Check | None:
    """The flow against (M15), where its error, about 5 L^2 e^{-w* L/2} as measured on the coincided study, is small."""
    lags = [exponent[1] for kernel in problem.bump if (exponent := kernel.exponent())]
    if not lags:
        return None
    w, L = float(next(iter(problem.pairing.values())).rate), float(min(lags))
    tolerance = 10 * (w * L) ** 2 * float(np.exp(-w * L / 2))
    if tolerance > 0.2:
        return None
    reason = f"w* L = {w * L:.3g}; the error falls like 5 (w* L)^2 e^(-w* L/2) as measured, twice that is allowed"
    return row("escape time", ("flow", tau), ("law of coincided starts (M15)", law), tolerance, reason)


def _lower_bound(tau: str, bound: str) -> Check:
    ctx = Mpmath(DIGITS).context
    ratio = ctx.mpf(bound) / ctx.mpf(tau)
    reason = "a proved lower bound must not exceed the flow; the difference shown is bound / flow"
    return Check(
        "escape time", "", "flow", tau, "lower bound (M21)", bound, ctx.nstr(ratio, 3), "1", reason, bool(ratio <= 1)
    )
