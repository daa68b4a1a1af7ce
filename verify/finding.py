"""What a study found, said: sentences with the numbers filled in, and numbers as a person reads them.

Results come as decimal strings of any size and are rounded only here, where they are printed. A cell is called by its
memory L where that is all that the sweep varies, and the target is then written with L, too.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import mpmath
import sympy as sp
from markupsafe import Markup

from theory.dense import DenseProblem
from theory.kernels import Kernel, t
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from verify.mathml import mathml
from verify.simulate import Extrapolation
from verify.sweep import LAWS, CellResult, StudyResult, label

LAG = sp.Symbol("L", positive=True)
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


# ---- numbers ------------------------------------------------------------------------------------------------------


def shown(value: str | None, digits: int = 6, rounding: str = ROUND_HALF_EVEN) -> str:
    """A decimal string for reading: at most `digits` significant digits, scientific from a million on.

    rounding: of the decimal module; ROUND_FLOOR keeps a lower bound one.

    >>> shown("192126.7701435"), shown("6.559020396066914e10")
    ('192127', '6.55902\xa0×\xa010¹⁰')
    """
    if value is None:
        return "–"
    context = Context(prec=digits, rounding=rounding, Emax=10**12, Emin=-(10**12))
    number = context.create_decimal(value)
    exponent = number.adjusted()
    positional = number == 0 or -5 <= exponent < 6
    power = "" if positional else f"\u00a0×\u00a010{str(exponent).translate(RAISED)}"
    return f"{number if positional else number.scaleb(-exponent, context):f}".replace("-", "−") + power


def grouped(value: str | None) -> str:
    """A decimal string with a narrow space after every fifth decimal, for the tables.

    >>> grouped("15.02589977590923123276").replace("\\u202f", " ")
    '15.02589 97759 09231 23276'
    """
    if value is None:
        return "–"
    mantissa, _, exponent = value.partition("e")
    whole, _, decimals = mantissa.partition(".")
    parts = "\u202f".join(re.findall(".{1,5}", decimals))
    power = f" × 10{exponent.lstrip('+').translate(RAISED)}" if exponent else ""
    return (f"{whole}.{parts}" if parts else whole) + power


def plain(number: sp.Expr) -> str:
    """An exact number as a decimal where that is exact and short, else as it is.

    >>> plain(sp.Rational(7, 10)), plain(sp.Rational(1, 3))
    ('0.7', '1/3')
    """
    if not number.is_Rational:
        return str(number)
    decimal = f"{Decimal(int(number.p)) / Decimal(int(number.q)):f}"
    return decimal if len(decimal) < 12 and sp.Rational(decimal) == number else str(number)


def decade(n: float) -> str:
    """10^n as text, n rounded to an integer.

    >>> decade(-3)
    '10⁻³'
    """
    return f"10{f'{n:.0f}'.translate(RAISED)}"


def log10(value: str) -> float:
    """log10 of a positive decimal string of any size."""
    return float(mpmath.log10(mpmath.mpf(value)))


# ---- cells --------------------------------------------------------------------------------------------------------


def memory(problem: Problem | DenseProblem) -> sp.Expr | None:
    """The memory L of a problem, the lag of the nearest term of its bump; None without one.

    A dense network has no fit, and the bump is what has a lag.
    """
    found = [kernel.exponent() for kernel in problem.bump] if isinstance(problem, Problem) else []
    if isinstance(problem, DenseProblem):
        found = [exponent for kernel in problem.target.terms if (exponent := kernel.exponent())]
    lags = [exponent[1] for exponent in found if exponent]
    return min(lags) if lags and len(lags) == len(found) else None


def cell_name(cell: CellResult) -> str:
    """A cell's name in a figure: its memory where that is all that is swept."""
    swept = list(cell.parameters)
    lag = memory(cell.problem)
    if lag is not None and (not swept or (len(swept) == 1 and swept[0].endswith(".lag"))):
        return f"L = {plain(lag)}"
    return label(cell.parameters)


def trained(simulation: Any) -> Any:
    """The Extrapolation or Training of a cell, or None."""
    return getattr(simulation, "found", simulation)


def with_simulations(cells: Sequence[CellResult], simulations: Sequence[Any]) -> list[tuple[CellResult, Any]]:
    return [(cell, trained(simulations[i]) if i < len(simulations) else None) for i, cell in enumerate(cells)]


def common_two_w0(cells: Iterable[CellResult]) -> str | None:
    """2 w0, if it is the same for all cells."""
    problems = [cell.problem for cell in cells]
    try:
        spares = {plateau(problem).spare for problem in problems if isinstance(problem, Problem)}
    except NoPlateau:
        return None
    return str(sp.N(2 * spares.pop(), 6)) if len(spares) == 1 else None


# ---- sentences ----------------------------------------------------------------------------------------------------


def sentences(result: StudyResult, checks: Sequence[Any], simulations: Sequence[Any]) -> list[str]:
    """What the study found, in sentences with the numbers filled in; the first is the headline."""
    cells = with_simulations(result.cells, simulations)
    taus = {cell.problem: cell.escape.tau for cell in result.cells if cell.escape and cell.escape.tau}
    known = [(lag, problem) for problem in taus if (lag := memory(problem)) is not None]
    lags = sorted(known, key=lambda each: each[0])
    said = []
    if len({lag for lag, _ in lags}) == len(lags) > 1:
        said += _growth(lags, taus, result.cells)
    elif len(cells) == 1:
        tau = next(iter(taus.values()), None)
        end = f"leaves the plateau at τ = {shown(tau, 10)}" if tau else f"does not escape: {result.cells[0].outcome}"
        said.append(f"The gradient flow {end}.")
    else:
        said.append(f"{len(taus)} of {len(cells)} cells escape.")
    errors = {
        cell_name(cell): abs(found.escape_time / float(taus[cell.problem]) - 1) for cell, found in cells
        if isinstance(found, Extrapolation) and found.escape_time is not None and cell.problem in taus
    }  # fmt: skip
    if errors:
        worst = shown(f"{max(errors.values()):.1e}", 2)
        names = ", ".join(errors)
        said.append(f"Networks really trained by gradient descent ({names}) agree with it to {worst} or better.")
    if failed := sum(not check.passed for check in checks):
        said.append(f"{failed} of {len(checks)} cross-checks FAILED; see the table.")
    elif checks:
        said.append(f"All {len(checks)} cross-checks passed.")
    return said


def _growth(lags: list[tuple[Any, Problem]], taus: dict[Problem, str], cells: Sequence[CellResult]) -> list[str]:
    """How the escape time grows over a sweep of memories."""
    (first, begin), (before, near), (last, end) = lags[0], lags[-2], lags[-1]
    two_w0 = common_two_w0(cells)
    said: list[str] = []
    if two_w0:
        factor = shown(mpmath.nstr(mpmath.exp(mpmath.mpf(two_w0)), 8), 3)
        headline = Markup("Each unit of memory multiplies the training time by e<sup>2w₀</sup> = {} in the long run.")
        said.append(headline.format(factor))
    decades = log10(taus[end]) - log10(taus[begin])
    times = shown(f"{10 ** (decades % 1):.1f}e{int(decades // 1)}", 2)
    said.append(
        f"From L = {plain(first)} to L = {plain(last)} the escape time of gradient flow grew from "
        f"{shown(taus[begin], 4)} to {shown(taus[end], 4)}, {times} times."
    )
    slow = {cell.problem: cell.slow_flow.value for cell in cells if cell.slow_flow and cell.slow_flow.value}
    if two_w0 and near in slow and end in slow:
        rise, theory = (
            (log10(values[end]) - log10(values[near])) * float(mpmath.log(10)) / float(last - before)
            for values in (taus, slow)
        )
        said.append(
            f"Between the last two, ln τ grows by {rise:.4f} for each unit; the slow flow derived below says "
            f"{theory:.4f}, and 2w₀ = {float(two_w0):.4g} is the limit."
        )
    return said


def missing(cells: Sequence[CellResult]) -> list[tuple[str, str, str]]:
    """(what, why, cells) of the theory's numbers that do not exist."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        escaping = [what for what in LAWS[:3] if (answer := getattr(cell, what)) and answer.value]
        for what in LAWS:
            answer = getattr(cell, what)
            if answer and answer.value is None and not (what == "coincided" and escaping):
                found.setdefault((what.replace("_", " "), str(answer.reason)), []).append(cell_name(cell))
    return [(what, why, ", ".join(names)) for (what, why), names in found.items()]


def setting(result: StudyResult) -> dict[str, Any]:
    """Target and start as mathematics, with the memory as L where that is what the sweep varies."""
    problem = result.cells[0].problem
    lags = {memory(cell.problem) for cell in result.cells}
    rho = problem.target.rho(t)
    if len(lags) > 1 and (lag := memory(problem)) is not None:
        terms = (_at_lag(term, LAG) if _lag(term) == lag else term for term in problem.target.terms)
        rho = sp.Add(*(term.rho(t) for term in terms))
    units = ", ".join(f"({plain(a)}; {plain(w)})" for a, w in problem.start.units)
    return {"rho": mathml(sp.Function("rho")(t), rho), "units": units, "drop": plain(problem.drop)}


def _lag(term: Kernel) -> sp.Expr | None:
    return getattr(term, "lag", None)


def _at_lag(term: Kernel, lag: sp.Expr) -> Kernel:
    """The same kernel further back."""
    changed: dict[str, Any] = {"lag": lag}
    return replace(term, **changed)
