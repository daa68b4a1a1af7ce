"""What a study found about width, said: title and sentences of the report."""

from decimal import ROUND_CEILING

from theory.parametrisation import IDENTITY, Exp
from verify.finding import shown
from verify.sweep import label
from verify.widths import CellWidths, StudyWidths

INFINITE = "infinite"


def title(found: StudyWidths) -> str:
    """The heading of a report that is about width only."""
    return "How many hidden units a target needs" if known(found) else "No width is known"


def sentences(found: StudyWidths) -> list[str]:
    """The least widths, or else the errors, of the cells; and what did not come about."""
    said = []
    for i, (eps, _) in enumerate(found.question.eps):
        least = "; ".join(f"{_named(cell)}{_range(cell, i)}" for cell in known(found))
        if least:
            said.append(f"For an L1 error of {eps} a network needs so many hidden units: {least}.")
    for cell in known(found) if not said else []:
        best = cell.widths[-1]
        said.append(f"{_named(cell)}{best.width} hidden units reach {shown(best.upper, 3, ROUND_CEILING)}.")
    if known(found):
        said.append("Fewer are impossible and as many are enough, both proved; what is between is open.")
    said += _stability(found)
    failed = [label(cell.parameters) for cell in found.cells if cell.error]
    return said + ([f"Not known: {', '.join(failed)}."] if failed else [])


def known(found: StudyWidths) -> list[CellWidths]:
    """The cells that have not failed."""
    return [cell for cell in found.cells if cell.error is None]


def _stability(found: StudyWidths) -> list[str]:
    """What is left of ever wider networks at the least beta asked, for plain rates and for exp."""
    said = []
    for form, how in ((IDENTITY, "the rates w themselves"), (Exp(), "ln w")):
        limits = [
            f"{_named(cell)}{INFINITE if (left := curve.errors[0].upper) == 'inf' else shown(left, 3)}"
            for cell in known(found) for curve in cell.stability
            if curve.parametrisation == form and curve.width is None and curve.errors
        ]  # fmt: skip
        if limits:
            beta, _ = found.question.betas[0]
            said.append(f"Wide networks, {how} off by up to {beta}, tend to the error: {'; '.join(limits)}.")
    return said


def _named(cell: CellWidths) -> str:
    """What is swept, to stand before what was found; nothing for a cell alone."""
    return f"{label(cell.parameters)}: " if cell.parameters else ""


def _range(cell: CellWidths, i: int) -> str:
    least = cell.least[i]
    if least.upper is None:
        return f"{least.lower} or more"
    return str(least.lower) if least.lower == least.upper else f"{least.lower} to {least.upper}"
