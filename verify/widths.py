"""How many hidden units the targets of a study need: singular values, errors of widths and least widths, cell by cell.

A cell that raises is recorded with its error, and the others go on; results come in the order of the cells.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

from numerics.hankel import SingularValues, singular_values
from numerics.hankel_bounds import MOST_DIGITS as MOST_DIGITS
from numerics.stability_curves import StabilityCurve, stability_curves
from numerics.width import LeastWidth, WidthError, least_width, width_errors
from theory.problem import Target
from verify.cell import TURN
from verify.provenance import provenance
from verify.study import Study
from verify.sweep import StudyResult, in_order, label
from verify.width_study import WidthCell, WidthQuestion


@dataclass(frozen=True)
class CellWidths:
    """What is known of one target, or the error that came instead.

    hankel: sigma_1 .. sigma_{M+1}, M the largest width asked. least: in the order of the study's eps.
    stability: E_m(beta) for the study's betas, if it has any.
    """

    parameters: dict[str, str]
    target: Target
    hankel: SingularValues | None = None
    widths: tuple[WidthError, ...] = ()
    least: tuple[LeastWidth, ...] = ()
    stability: tuple[StabilityCurve, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class StudyWidths:
    """The widths of the cells of a study, in its order. digits: the most that were wanted of singular values."""

    study: Study
    question: WidthQuestion
    digits: int
    asked: bool
    cells: tuple[CellWidths, ...]

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """A sentence for every cell that failed or has fewer digits than asked."""
        said = []
        for cell in self.cells:
            if cell.hankel is None:
                said.append(f"{label(cell.parameters)} failed: {cell.error}")
            elif self.asked and cell.hankel.digits < self.digits:
                reached = f"{cell.hankel.digits} digits of its singular values, {self.digits} were asked"
                said.append(f"{label(cell.parameters)} has {reached}")
        return tuple(said)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON. least_width: an object for one eps, else a list; `reason` explains a null.

        stability: a list of curves, where the study has betas.
        """
        cells = [self._cell(cell) for cell in self.cells]
        return {"cells": cells, "provenance": provenance(self.study.name, self.study.source, self.digits)}

    def _cell(self, cell: CellWidths) -> dict[str, Any]:
        found: dict[str, Any] = {
            "parameters": cell.parameters,
            "hankel": list(cell.hankel.values) if cell.hankel else [],
            "widths": [each.as_dict() for each in cell.widths],
        }
        if None in found["hankel"]:
            found["reason"] = "a singular value that is null is too small beside the first to be told from 0"
        if cell.error is not None:
            return found | {"least_width": None, "error": cell.error}
        eps = [text for text, _ in self.question.eps]
        least = [each.as_dict() | {"eps": text} for text, each in zip(eps, cell.least, strict=True)]
        found["least_width"] = least[0] if len(least) == 1 else least
        return found | ({"stability": [self._curve(each) for each in cell.stability]} if self.question.betas else {})

    def _curve(self, curve: StabilityCurve) -> dict[str, Any]:
        """With every beta as the study writes it."""
        found = curve.as_dict()
        texts = [text for text, _ in self.question.betas]
        return found | {"errors": [each | {"beta": text} for text, each in zip(texts, found["errors"], strict=False)]}


def measure(
    study: Study,
    *,
    digits: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StudyWidths:
    """What a study with a section [width] asks about width.

    digits:   significant digits wanted of singular values, 2 to 60; None for the study's wish, 12 if it has none.
    executor: any concurrent.futures.Executor, owned by the caller; None computes here, one cell after the other.
    progress: called with (cells done, cells in all).
    """
    question = study.width
    if question is None:
        raise ValueError(f"study {study.name} must have a section [width], and has none")
    wanted, found = digits or question.digits, list[CellWidths]()
    for cell in in_order(partial(_measured, question, wanted), question.cells, _lost, executor):
        found.append(cell)
        if progress:
            progress(len(found), len(question.cells))
    return StudyWidths(study, question, wanted, digits is not None or question.asked, tuple(found))


def document(result: StudyResult | None, widths: StudyWidths | None) -> dict[str, Any]:
    """What a study found, ready for JSON: its escapes, and its widths under "width"; or its widths only."""
    if result is None:
        return widths.as_dict() if widths else {}
    return result.as_dict() | ({"width": widths.as_dict()["cells"]} if widths else {})


def _lost(cell: WidthCell, error: str) -> CellWidths:
    return CellWidths(cell.parameters, cell.target, error=error)


def _measured(question: WidthQuestion, digits: int, cell: WidthCell) -> CellWidths:
    """One cell. Never raises an Exception."""
    try:
        with TURN:  # threads take turns: the precision of balls is one for all of them
            widths = width_errors(cell.target, question.widths)  # refuses a width before any work
            hankel = singular_values(cell.target, question.widths[-1] + 1, digits=digits)
            least = tuple(least_width(cell.target, eps) for _, eps in question.eps)
            networks = [(each.width, each.network) for each in widths]
            betas = [beta for _, beta in question.betas]
            stability = stability_curves(cell.target, networks, betas) if betas else ()
    except Exception as error:
        return CellWidths(cell.parameters, cell.target, error=f"{type(error).__name__}: {error}")
    return CellWidths(cell.parameters, cell.target, hankel, widths, least, stability)
