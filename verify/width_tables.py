"""The tables of `memcurse width`: a line a width, then a line an accuracy, then a line a curve of stability."""

from verify import terminal
from verify.sweep import label
from verify.widths import StudyWidths


def print_widths(found: StudyWidths) -> None:
    """Errors of widths and least widths. Lower bounds are rounded down; upper ones are printed as they are."""
    errors: list[tuple[object, ...]] = []
    least: list[tuple[object, ...]] = []
    stability: list[tuple[object, ...]] = []
    for cell in found.cells:
        name = label(cell.parameters)
        if cell.hankel is None:
            errors.append((name, "failed", *[None] * 4, cell.error))
            continue
        for each in cell.widths:
            sigma = cell.hankel.values[each.width]
            errors.append((name, each.width, sigma, each.lower, each.upper, each.slowest_rate, each.method))
        for (eps, _), one in zip(found.question.eps, cell.least, strict=True):
            slowest = one.achieved.slowest_rate if one.achieved else None
            upper = "not found" if one.upper is None else one.upper
            least.append((name, eps, one.lower, upper, slowest))
        for curve in cell.stability:
            above = [each.upper for each in curve.errors] if curve.errors else [None] * len(found.question.betas)
            stability.append((name, curve.parametrisation.name, "inf" if curve.width is None else curve.width, *above))
    proved = "error at least", "error achieved"
    columns: tuple[str, ...] = ("cell", "m", "sigma_(m+1)", *proved, "slowest rate", "network")
    terminal.table(f"Study {found.study.name}: L1 errors of m hidden units, proved", columns, errors)
    if least:
        columns = ("cell", "eps", "m at least", "m achieved", "its slowest rate")
        print()
        terminal.table("Least width for an L1 error of eps, proved", columns, least)
    if stability:
        columns = ("cell", "phi", "m", *(f"beta = {text}" for text, _ in found.question.betas))
        print()
        title = "L1 error at most, with each v moved by beta, w = phi(v): proved, for m = inf estimated"
        terminal.table(title, columns, stability)
