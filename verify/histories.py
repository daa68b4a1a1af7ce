"""The plateaus of every cell of a study, each along its whole trajectory.

A cell that raises is recorded with its error, and the others go on; results come in the order of the cells.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

from numerics.plateaus import Ending, History, plateaus
from theory.dense import DenseProblem
from verify.cell import TURN
from verify.provenance import provenance
from verify.study import Cell, Study
from verify.sweep import in_order, label

DIGITS = 10  # at most; float64 has them where it serves
NOT_DENSE = "plateaus are followed along the flow of a diagonal network in (a, w) only"


@dataclass(frozen=True)
class CellHistory:
    """The History of one cell, or the error that came instead."""

    parameters: dict[str, str]
    history: History | None
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; `reason` explains the nulls."""
        if self.history is None:
            why = {"ending": Ending.failed.name, "reason": self.error, "error": self.error}
            return {"parameters": self.parameters, "plateaus": [], **why}
        return {"parameters": self.parameters, **self.history.as_dict()}


@dataclass(frozen=True)
class StudyHistories:
    """The histories of the cells of a study, in its order. digits: the most that were asked."""

    study: Study
    digits: int
    cells: tuple[CellHistory, ...]

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """A sentence for every cell that failed."""
        said = []
        for cell in self.cells:
            if cell.history is None or cell.history.ending is Ending.failed:
                said.append(f"{label(cell.parameters)} failed: {cell.error or (cell.history and cell.history.reason)}")
        return tuple(said)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        cells = [cell.as_dict() for cell in self.cells]
        return {"cells": cells, "provenance": provenance(self.study.name, self.study.source, self.digits)}


def follow(
    study: Study,
    *,
    digits: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StudyHistories:
    """Follow every cell of a study to its end.

    digits:   at most so many of each number; None for 10, however many the study wants of its escape times.
    executor: any concurrent.futures.Executor, owned by the caller; None computes here, one cell after the other.
    progress: called with (cells done, cells in all).
    """
    wanted = DIGITS if digits is None else digits
    found = []
    for cell in in_order(partial(_followed, study, wanted), study.cells, _lost, executor):
        found.append(cell)
        if progress:
            progress(len(found), len(study.cells))
    return StudyHistories(study, wanted, tuple(found))


def _lost(cell: Cell, error: str) -> CellHistory:
    return CellHistory(cell.parameters, None, error)


def _followed(study: Study, digits: int, cell: Cell) -> CellHistory:
    """One cell. Never raises an Exception."""
    if isinstance(cell.problem, DenseProblem):
        return CellHistory(cell.parameters, None, NOT_DENSE)
    definition = {"delta": study.plateaus.delta, "prominence": study.plateaus.prominence}
    try:
        with TURN:
            history = plateaus(cell.problem, digits=digits, **definition, **vars(study.limits))
    except Exception as error:
        return CellHistory(cell.parameters, None, f"{type(error).__name__}: {error}")
    return CellHistory(cell.parameters, history)
