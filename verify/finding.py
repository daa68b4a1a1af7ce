"""What a study found, said: sentences with the numbers filled in, and numbers as a person reads them.

Results come as decimal strings of any size and are rounded only here, where they are printed. A cell is called by what
the sweep varies: its memory L, the horizon T or the parametrisation.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import floor
from typing import Any

import mpmath
import sympy as sp
from markupsafe import Markup

from theory.parametrisation import IDENTITY, InverseSquare, Parametrisation, written_out
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from verify.cell import LAWS, CellResult
from verify.simulate import Extrapolation
from verify.sweep import StudyResult, label

LAG_PATH = re.compile(r"target\.terms\.(\d+)\.lag")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
VAST = 300  # decades, of which a float has little more
LAW_NAMES = {"coincided": "law of coincided units"}


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


def between(lower: str, upper: str) -> str:
    """Two decimals as one for the tables: the digits they share, then both ends of the rest.

    >>> between("192126.7701425", "192126.7701428").replace("\\u202f", " ")
    '192126.77014 2[5, 8]'
    >>> between("1.2341e+30", "1.2343e+30"), between("9.99e+30", "1.001e+31")
    ('1.234[1, 3] × 10³⁰', '[9.99 × 10³⁰, 1.001 × 10³¹]')
    """
    (low, _, power), (high, _, above) = lower.partition("e"), upper.partition("e")
    shared = next((i for i, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    if shared < 2 or len(low) != len(high) or power != above:
        return f"[{grouped(lower)}, {grouped(upper)}]"
    whole, times, exponent = grouped(f"{low[:shared]}e{power}" if power else low[:shared]).partition(" ×")
    return f"{whole}[{low[shared:]}, {high[shared:]}]{times}{exponent}"


def plain(number: sp.Expr) -> str:
    """An exact number as a decimal where that is exact and short, else as it is; infinity as its sign.

    >>> plain(sp.Rational(7, 10)), plain(sp.Rational(1, 3))
    ('0.7', '1/3')
    """
    if not number.is_Rational:
        return "∞" if number is sp.oo else str(number)
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


def power_of_ten(logarithm: float, digits: int = 9) -> str:
    """10^x as a decimal string, for any x; digits: significant ones, as many as a float has left of x at most.

    >>> power_of_ten(-1.5), power_of_ten(-600000.25)
    ('0.0316227766', '5.62341325e-600001')
    """
    if -300 < logarithm < 300:
        return f"{10**logarithm:.{digits}g}"
    whole = floor(logarithm)
    return f"{10 ** (logarithm - whole):.{digits}g}e{whole}"


def vast(value: str | None) -> bool:
    """Whether a decimal string is too large for most programs, so that its logarithm is worth a line."""
    return value is not None and log10(value) > VAST


# ---- cells --------------------------------------------------------------------------------------------------------


def memory(cell: CellResult) -> sp.Expr | None:
    """The memory L of a cell, the lag of the nearest term of its bump; None without one.

    A dense network has no fit, and the bump is what has a lag. Where the nearest term has its lag swept, L is that lag,
    even if the term begins later.
    """
    problem = cell.problem
    found = [kernel.exponent() for kernel in (problem.bump if isinstance(problem, Problem) else problem.target.terms)]
    begins = [exponent[1] for exponent in found if exponent]
    if not begins or (isinstance(problem, Problem) and len(begins) < len(found)):
        return None
    swept = [problem.target.terms[term] for term in swept_lags(cell)]
    if len(swept) == 1 and (exponent := swept[0].exponent()) and exponent[1] == min(begins):
        lag: sp.Expr = swept[0].lag  # type: ignore[attr-defined]  # it could be swept, so it is there
        return lag
    return min(begins)


def swept_lags(cell: CellResult) -> list[int]:
    """The terms of the target whose lag is swept."""
    return [int(found[1]) for path in cell.parameters if (found := LAG_PATH.fullmatch(path))]


def cell_name(cell: CellResult) -> str:
    """A cell's name on the page: its memory, horizon or parametrisation where that is all that is swept."""
    swept = list(cell.parameters)
    if swept == ["target.horizon"]:
        return f"T = {plain(cell.problem.horizon)}"
    if swept == ["start.parametrisation"] and isinstance(cell.problem, Problem):
        return parametrisation_name(cell.problem.parametrisation)
    lag = memory(cell)
    if lag is not None and (not swept or (len(swept) == 1 and LAG_PATH.fullmatch(swept[0]))):
        return f"L = {plain(lag)}"
    return label(cell.parameters)


def parametrisation_name(parametrisation: Parametrisation) -> str:
    """A parametrisation in a word or a short formula.

    >>> parametrisation_name(InverseSquare("1", "1/2"))
    '1/(v² + 0.5)'
    """
    if not isinstance(parametrisation, InverseSquare):
        return parametrisation.name
    factor = "" if parametrisation.a == 1 else f"{plain(parametrisation.a)} "
    return f"1/({factor}v² + {plain(parametrisation.b)})"


def trained(simulation: Any) -> Any:
    """The Extrapolation or Training of a cell, or None."""
    return getattr(simulation, "found", simulation)


def with_simulations(cells: Sequence[CellResult], simulations: Sequence[Any]) -> list[tuple[CellResult, Any]]:
    return [(cell, trained(simulations[i]) if i < len(simulations) else None) for i, cell in enumerate(cells)]


def by_memory(cells: Iterable[CellResult]) -> list[tuple[sp.Expr, CellResult]]:
    """(L, cell) by rising memory; empty where two cells share one, or where one has none."""
    known = [(lag, cell) for cell in cells if (lag := memory(cell)) is not None]
    alone = len({lag for lag, _ in known}) == len(known) == len(list(cells))
    return sorted(known, key=lambda each: each[0]) if alone else []


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
    said = _escapes(result.cells)
    errors = {
        cell_name(cell): abs(found.escape_time / float(tau) - 1) for cell, found in cells
        if isinstance(found, Extrapolation) and found.escape_time is not None and (tau := _tau(cell))
    }  # fmt: skip
    if errors:
        worst = shown(f"{max(errors.values()):.1e}", 2)
        names = ", ".join(errors) if len(cells) > 1 else ""
        really = f"Networks really trained by gradient descent ({names})" if names else "A network really trained"
        said.append(f"{really} {'agree' if names else 'agrees'} with it to {worst} or better.")
    if failed := sum(not check.passed for check in checks):
        said.append(f"{failed} of {len(checks)} cross-checks FAILED; see the table.")
    elif checks:
        said.append(f"All {len(checks)} cross-checks passed.")
    return said


def _tau(cell: CellResult) -> str | None:
    return cell.escape.tau if cell.escape else None


def title(cells: Sequence[CellResult]) -> str:
    """The heading of the page, true of the cells."""
    times = [log10(tau) for _, cell in by_memory(cells) if (tau := _tau(cell))]
    swept = list(cells[0].parameters)
    if len(times) > 1 and times == sorted(times) and times[-1] - times[0] > 0.1:  # less is no growth to speak of
        return "The curse of memory: learning what lies further back takes exponentially longer"
    if swept == ["target.horizon"]:
        return "How far the loss looks back, and what that does to training time"
    if swept == ["start.parametrisation"]:
        return "One memory, trained through different parameters"
    return "How long a linear network trains until it finds the memory"


def _escapes(cells: Sequence[CellResult]) -> list[str]:
    """What the escape times of the flow say, by what the study sweeps."""
    escaped = [cell for cell in cells if _tau(cell)]
    if len(known := [(lag, cell) for lag, cell in by_memory(cells) if _tau(cell)]) > 1:
        return _growth(known) + _without_escape(cells)
    if len(escaped) > 1 and list(cells[0].parameters) == ["target.horizon"]:
        return _by_horizon(escaped) + _without_escape(cells)
    if len(escaped) > 1 and list(cells[0].parameters) == ["start.parametrisation"]:
        return _by_parametrisation(escaped) + _without_escape(cells)
    if len(cells) == 1 and escaped:
        digits = shown(_tau(escaped[0]), 10)
        return [f"The loss has fallen by {plain(escaped[0].problem.drop)} at the gradient-flow time τ = {digits}."]
    counted = [f"{len(escaped)} of {len(cells)} cells escape."] if len(cells) > 1 else []
    return counted + _without_escape(cells)


def _without_escape(cells: Sequence[CellResult]) -> list[str]:
    """How the cells without an escape time ended."""
    ends: dict[str, list[str]] = {}
    for cell in cells:
        if not _tau(cell):
            end = cell.escape.outcome.value if cell.escape else "the computation failed"
            ends.setdefault(end, []).append(cell_name(cell))
    return [f"{', '.join(names)}: {end}." for end, names in ends.items()]


def _growth(cells: list[tuple[sp.Expr, CellResult]]) -> list[str]:
    """How the escape time grows over a sweep of memories, and what the law says that describes it."""
    (first, begin), (before, near), (last, end) = cells[0], cells[-2], cells[-1]
    taus = [str(_tau(cell)) for cell in (begin, near, end)]
    said: list[str] = []
    law = _exponent([cell for _, cell in cells])
    if law:
        factor = shown(mpmath.nstr(mpmath.exp(mpmath.mpf(law[1])), 8), 3)
        headline = Markup("Each unit of memory multiplies the training time by e<sup>{}</sup> = {} in the long run.")
        said.append(headline.format(law[2], factor))
    times = shown(mpmath.nstr(mpmath.mpf(taus[2]) / mpmath.mpf(taus[0]), 2), 2)
    said.append(
        f"From L = {plain(first)} to L = {plain(last)} the escape time of gradient flow "
        f"{'grew' if log10(taus[2]) > log10(taus[0]) else 'fell'} from {shown(taus[0], 4)} to {shown(taus[2], 4)}, "
        f"{times} times."
    )

    def rise(values: Sequence[str]) -> float:
        return (log10(values[1]) - log10(values[0])) * float(mpmath.log(10)) / float(last - before)

    slope = f"Between the last two, ln τ grows by {rise(taus[1:]):.4f} for each unit"
    theory = [answer.value for cell in (near, end) if law and (answer := getattr(cell, law[0])) and answer.value]
    if law and len(theory) == 2:
        limit = f"{law[2]} = {float(law[1]):.4g} is the limit"
        said.append(f"{slope}; the {law[3]} derived below says {rise(theory):.4f}, and {limit}.")
    elif not law:
        said.append(f"{slope}.")
    return said


def _exponent(cells: Sequence[CellResult]) -> tuple[str, str, str, str] | None:
    """(law, exponent for long memory as a decimal, as a formula, name of the law); None where none is known."""
    if two_w0 := common_two_w0(cells):
        return "slow_flow", two_w0, "2w₀", "slow flow"
    problems = [cell.problem for cell in cells if cell.coincided and cell.coincided.value]
    rates = {term.rate for each in problems if isinstance(each, Problem) for term in each.pairing.values()}
    if len(problems) == len(cells) and len(rates) == 1:
        return "coincided", str(sp.N(sp.Rational(5, 2) * rates.pop(), 6)), "5w*/2", LAW_NAMES["coincided"]
    return None


def _by_horizon(escaped: Sequence[CellResult]) -> list[str]:
    """What cutting the loss off does to the escape time."""
    *cut, longest = sorted(escaped, key=lambda cell: cell.problem.horizon)
    later = [_later(cell, longest) for cell in cut]
    times = f"τ = {shown(_tau(cut[0]), 6)} instead of {shown(_tau(longest), 6)}"
    said = [f"With the loss cut off at {cell_name(cut[0])} the escape comes {later[0]}: {times}."]
    if len(cut) > 1:
        listed = ", ".join(f"{text} at {cell_name(cell)}" for cell, text in zip(cut[1:], later[1:], strict=True))
        said.append(f"Against {cell_name(longest)} it comes {listed}.")
    return said


def _later(cell: CellResult, reference: CellResult) -> str:
    """How much later a cell escapes than another, in words."""
    ratio = mpmath.mpf(_tau(cell)) / mpmath.mpf(_tau(reference))
    if ratio == 1:
        return "at the same time"
    if not 0.5 < ratio < 2:
        return f"after {shown(mpmath.nstr(ratio, 3), 3)} times as long"
    return f"{shown(mpmath.nstr(100 * abs(ratio - 1), 2), 2)} % {'later' if ratio > 1 else 'earlier'}"


def _by_parametrisation(escaped: Sequence[Any]) -> list[str]:
    """What training through phi does to the escape time, and what the slow flow says for long memory."""
    reference = next((cell for cell in escaped if cell.problem.parametrisation == IDENTITY), escaped[0])
    others = [cell for cell in escaped if cell is not reference]

    def listed(ratios: Iterable[Any]) -> str:
        numbers = (shown(mpmath.nstr(mpmath.mpf(ratio), 5), 4) for ratio in ratios)
        return ", ".join(f"{cell_name(cell)}: {number}" for cell, number in zip(others, numbers, strict=True))

    measured = listed(mpmath.mpf(_tau(cell)) / mpmath.mpf(_tau(reference)) for cell in others)
    base = f"{cell_name(reference)} (τ = {shown(_tau(reference), 6)})"
    said = [f"Escape times in units of that of the parametrisation {base}: {measured}."]
    if reference.problem.parametrisation != IDENTITY:
        return said  # the limits 1/phi'(v0)^2 are relative to it
    try:
        spare = plateau(reference.problem).spare
    except NoPlateau:
        return said
    speeds = {id(cell): sp.N(written_out(cell.problem.parametrisation.metric(spare))) for cell in escaped}
    limits = listed(speeds[id(reference)] / speeds[id(cell)] for cell in others)
    return [*said, f"For long memory the slow flow says 1/φ′(v₀)²: {limits}."]


# ---- what does not exist ------------------------------------------------------------------------------------------


def missing(cells: Sequence[CellResult]) -> list[tuple[str, str, str]]:
    """(what, why, cells) of the theory's numbers that do not exist, alike reasons together.

    The law of coincided units is missed only off the fit: on it the other laws are those to ask for.
    """
    by_cell: dict[tuple[str, str], list[str]] = {}  # (cell, why) -> what
    for cell in cells:
        on_the_fit = isinstance(cell.problem, Problem) and not cell.problem.off_the_fit
        for what in LAWS:
            answer = getattr(cell, what)
            if answer and answer.value is None and not (what == "coincided" and on_the_fit):
                name = LAW_NAMES.get(what, what.replace("_", " "))
                by_cell.setdefault((cell_name(cell), str(answer.reason)), []).append(name)
    alike: dict[tuple[str, str], list[tuple[str, str]]] = {}  # (what, why without its numbers) -> (cell, why)
    for (name, why), whats in by_cell.items():
        alike.setdefault((", ".join(whats), re.sub(r"\d[\d.e+-]*|\binf\b", "", why)), []).append((name, why))
    found = []
    for (what, _), told in alike.items():
        (first, why), names = told[0], [name for name, _ in told]
        example = f" (numbers of {first})" if len({why for _, why in told}) > 1 else ""
        found.append((what, why + example, ", ".join(names)))
    return found
