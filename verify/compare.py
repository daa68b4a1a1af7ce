"""Cross-checks: everything that matters computed twice, by routes that share no formula or no arithmetic.

    closed form of the loss       vs  quadrature of its definition (M3)                  at the end state of a run
    gradient in Arb               vs  mpmath                                             at the end state
    gradient in closed form       vs  backpropagation through the network that runs
    escape time in Arb            vs  float64                                            where float64 serves
    escape time of the flow       vs  the slow-flow integral (M14)                       where that is trusted
    escape time of the flow       vs  the lower bound (M21): an inequality
    escape time of the flow       vs  gradient descent, extrapolated in eta, then dt^2; and the orders of its errors

Every row carries its tolerance and the reason for it. A row that a cell cannot support (no escape, off the fit, too
long to train) is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from numerics.answer import decimal
from numerics.arithmetic import Arb, Mpmath
from numerics.compiling import bind, evaluate
from numerics.escape import escape_time
from numerics.flow import fits_float64
from numerics.landscape import Landscape
from numerics.run import Outcome
from theory.exact import exact
from theory.kernels import t
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from theory.rnn import LinearRNN
from verify.network import impulse, loss_and_gradient, parameters, target_samples
from verify.sampling import Sampled, Simulated
from verify.simulate import Extrapolation
from verify.study import Study
from verify.sweep import CellResult, StudyResult, label

DIGITS = 40  # working digits of the checks
FLOAT64_DIGITS = 10  # asked of float64
TRUSTED = 14  # w0 L beyond which the slow flow is compared with (mathematics of (M14))


@dataclass(frozen=True)
class Check:
    """One row: two numbers for the same thing, how far apart they are, how far they may be, and why.

    All numbers are decimal strings; `difference` and `tolerance` are relative unless the reason says otherwise.
    """

    name: str
    cell: str
    left_name: str
    left: str
    right_name: str
    right: str
    difference: str
    tolerance: str
    reason: str
    passed: bool

    @property
    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Name and number of both sides."""
        return (self.left_name, self.left), (self.right_name, self.right)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


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
        rows += [replace(row, cell=name) for row in _of_cell(cell, simulated)]
        if progress:
            progress(index + 1, len(result.cells))
    return tuple(rows)


def _of_cell(cell: CellResult, simulated: Simulated | None) -> Iterator[Check]:
    problem, escape = cell.problem, cell.escape
    if escape is None or escape.end is None:
        return
    end = _ended(problem, escape.end.amplitudes, escape.end.rates)
    yield _loss(end)
    yield _arithmetics(end)
    yield _backpropagation(end)
    if escape.tau is None:
        return
    if escape.arithmetic != "float64" and (row := _float64(problem, escape.tau, escape.digits or 0)) is not None:
        yield row
    if cell.slow_flow and cell.slow_flow.value and (row := _slow_flow(problem, escape.tau, cell.slow_flow.value)):
        yield row
    if cell.lower_bound and cell.lower_bound.value:
        yield _lower_bound(escape.tau, cell.lower_bound.value)
    if simulated and isinstance(simulated.found, Extrapolation) and simulated.found.escape_time is not None:
        yield from _simulation(escape.tau, simulated.found)


def _row(name: str, left: tuple[str, Any], right: tuple[str, Any], tolerance: float, reason: str) -> Check:
    """A row of two numbers (decimal strings or mpmath numbers), which may differ by `tolerance`, relatively."""
    ctx = Mpmath(DIGITS).context
    x, y = ctx.mpf(left[1]), ctx.mpf(right[1])
    difference = abs(x - y) / max(abs(x), abs(y)) if x != y else ctx.mpf(0)
    first, second = (value if isinstance(value, str) else ctx.nstr(value, 20) for _, value in (left, right))
    apart = ctx.nstr(difference, 3)
    return Check(
        name, "", left[0], first, right[0], second, apart, f"{tolerance:.3g}", reason, bool(difference <= tolerance)
    )


def _ended(problem: Problem, amplitudes: Sequence[str], rates: Sequence[str]) -> Problem:
    """The same problem, started at the network where its run ended."""
    units = [(exact(a, "amplitude"), exact(w, "rate")) for a, w in zip(amplitudes, rates, strict=True)]
    return Problem(problem.target, LinearRNN(tuple(units)), problem.drop)


def _loss(end: Problem) -> Check:
    arithmetic = Arb(DIGITS + 20)
    with arithmetic.working():
        closed = decimal(evaluate(end.initial_loss, arithmetic), 20)
    reference = Mpmath(DIGITS)
    error = bind((t,), (end.start.kernel(t) - end.target.rho(t),), reference)
    marks = [0, *sorted({float(sp.Max(0, term.lag)) for term in end.target.terms if hasattr(term, "lag")} - {0.0})]
    panels = [marks[0], *(mark + offset for mark in marks for offset in (-8, -4, 0, 4, 8, 40) if mark + offset > 0)]
    quadrature = reference.context.quad(lambda time: error(time)[0] ** 2, [*sorted(set(panels)), reference.context.inf])
    return _row(
        "loss at the end of the run",
        ("closed form (M4)", closed),
        ("quadrature of (M3)", quadrature),
        1e-19,
        "tanh-sinh quadrature with 40 digits; a sign or a factor in (M4) changes the first digit",
    )


def _gradient(problem: Problem, arithmetic: Arb | Mpmath) -> list[Any]:
    landscape = Landscape(problem, arithmetic)
    with arithmetic.working():
        return list(landscape.gradient(landscape.start))


def _arithmetics(end: Problem) -> Check:
    ctx = Mpmath(DIGITS).context
    by_arb = [ctx.mpf(decimal(x, DIGITS)) for x in _gradient(end, Arb(DIGITS + 15))]
    by_mpmath = [ctx.mpf(x) for x in _gradient(end, Mpmath(DIGITS + 15))]
    worst = max(range(len(by_arb)), key=lambda i: abs(by_arb[i] - by_mpmath[i]) / max(abs(by_arb[i]), ctx.eps))
    return _row(
        "gradient, worst component",
        ("Arb", by_arb[worst]),
        ("mpmath", by_mpmath[worst]),
        1e-30,
        "both carry 55 digits; 15 are allowed for cancellation, 10 for printing",
    )


def _backpropagation(end: Problem) -> Check:
    """|gradient| of the network that runs, extrapolated in dt^2, against the closed form; compared as vectors."""
    closed = np.array([float(x) for x in _gradient(end, Mpmath(30))])
    a, w = ([float(x) for x in units] for units in (end.start.amplitudes, end.start.rates))
    lags = [float(term.lag) for term in end.target.terms if hasattr(term, "lag")]
    length = max([0.0, *lags]) + 20 / min(w)
    by_steps = []
    for dt in (0.04, 0.02):
        samples = target_samples(Sampled(end.target), dt=dt, length=length)
        loss, slopes = loss_and_gradient(parameters(a, w, dt=dt), impulse(samples, dt=dt))
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
        "relative to 2 |error| |exponential|, since the gradient may vanish; dt^2 extrapolated from 0.04 and 0.02",
        difference <= tolerance,
    )


def _float64(problem: Problem, tau: str, digits: int) -> Check | None:
    if problem.off_the_fit or not fits_float64(problem):
        return None
    found = escape_time(problem, digits=FLOAT64_DIGITS)
    if found.outcome is not Outcome.escaped or found.arithmetic != "float64" or found.tau is None:
        return None
    shared = min(FLOAT64_DIGITS, digits)
    tolerance, reason = 10.0 ** (1 - shared), f"both have {shared} digits, the last one rounded"
    return _row("escape time", ("flow", tau), ("flow in float64", found.tau), tolerance, reason)


def _slow_flow(problem: Problem, tau: str, integral: str) -> Check | None:
    try:
        leading = plateau(problem)
        memory = min(lag for _, lag in (kernel.exponent() or (None, sp.oo) for kernel in leading.bump))
    except NoPlateau:
        return None
    reach = float(leading.spare * memory)
    if not TRUSTED <= reach < np.inf:
        return None
    tolerance = min(0.05, 1e5 * float(np.exp(-reach)))
    reason = f"w0 L = {reach:.3g}; the error falls like 2e4 e^(-w0 L) as measured on the pair, 5 times that is allowed"
    return _row("escape time", ("flow", tau), ("slow-flow integral (M14)", integral), tolerance, reason)


def _lower_bound(tau: str, bound: str) -> Check:
    ctx = Mpmath(DIGITS).context
    ratio = ctx.mpf(bound) / ctx.mpf(tau)
    reason = "a proved lower bound must not exceed the flow; the difference shown is bound / flow"
    return Check(
        "escape time", "", "flow", tau, "lower bound (M21)", bound, ctx.nstr(ratio, 3), "1", reason, bool(ratio <= 1)
    )


def _simulation(tau: str, found: Extrapolation) -> Iterator[Check]:
    own = abs((found.error or 0) / (found.escape_time or 1))
    yield _row(
        "escape time",
        ("flow", tau),
        ("gradient descent, eta, dt -> 0", f"{found.escape_time:.12g}"),
        max(1e-4, own),
        "extrapolated in eta and dt^2: 1e-4, or the extrapolation's own error bar where that is wider",
    )
    for order, what, expected, allowed in (
        (found.eta_order, "eta", 1, 0.03),
        (found.dt_order, "dt", 2, 0.05),
    ):
        if order is not None:
            reason = f"gradient descent is of order {expected} in {what}; asymptotic range, so within {allowed:.0%}"
            yield _row(f"order in {what}", ("theory", str(expected)), ("measured", f"{order:.4f}"), allowed, reason)
