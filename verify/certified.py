"""The cells of a study certified, one by one, and the study's own wish for it.

A cell that raises is recorded with its error, and the others go on; results come in the order of the cells.
"""

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from verify.cell import TURN
from verify.certificate.certificate import NOT_CERTIFIED, Certificate, Recipe, certify
from verify.certificate.file import write
from verify.provenance import provenance, version
from verify.study import Cell, Study
from verify.sweep import in_order, label

FILE = "certificate-{:03d}.json"  # of a cell, in the folder of --out


@dataclass(frozen=True)
class CertifiedCell:
    """A cell and its certificate."""

    parameters: dict[str, str]
    certificate: Certificate


@dataclass(frozen=True)
class StudyCertificates:
    """The certificates of the cells of a study, in its order. digits: those asked."""

    study: Study
    digits: int
    cells: tuple[CertifiedCell, ...]

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """A sentence for every cell of which less is proved than was asked."""
        said = []
        for cell in self.cells:
            name, found = label(cell.parameters), cell.certificate
            if found.guarantee is None:
                said.append(f"{name} is not certified: {found.reason}")
            elif found.short:
                said.append(f"{name} has {found.digits} certified digits, {self.digits} were asked")
        return tuple(said)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        cells = [{"parameters": cell.parameters, **cell.certificate.as_dict()} for cell in self.cells]
        return {"cells": cells, "provenance": provenance(self.study.name, self.study.source, self.digits)}

    def save(self, folder: Path) -> None:
        """A file for every cell of which something is proved, numbered from 1 in the order of the study."""
        for i, cell in enumerate(self.cells, 1):
            if cell.certificate.guarantee:
                write(cell.certificate.filed(cell.parameters), folder / FILE.format(i), version())


def certify_study(
    study: Study,
    *,
    digits: int | None = None,
    recipe: Recipe | None = None,
    max_seconds: float = math.inf,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StudyCertificates:
    """Certify every cell of a study.

    digits:      to be certified of each escape time; None for the study's own: of [certify], else of [precision].
    recipe:      "time", "slow-rate", or None to have it chosen. max_seconds: of each cell.
    executor:    any concurrent.futures.Executor, owned by the caller; None computes here, one cell after the other.
    progress:    called with (cells done, cells in all).
    """
    wanted, found = digits or study.certify or study.digits, list[CertifiedCell]()
    work = partial(_certified, wanted, recipe, max_seconds)
    for cell in in_order(work, study.cells, partial(_lost, wanted), executor):
        found.append(cell)
        if progress:
            progress(len(found), len(study.cells))
    return StudyCertificates(study, wanted, tuple(found))


def _lost(digits: int, cell: Cell, error: str) -> CertifiedCell:
    return CertifiedCell(cell.parameters, Certificate(cell.problem, NOT_CERTIFIED, error, digits))


def _certified(digits: int, recipe: Recipe | None, max_seconds: float, cell: Cell) -> CertifiedCell:
    """One cell. Never raises an Exception."""
    try:
        with TURN:  # threads take turns: the precision of balls is one for all of them
            return CertifiedCell(cell.parameters, certify(cell.problem, digits, recipe=recipe, max_seconds=max_seconds))
    except Exception as error:
        return _lost(digits, cell, f"{type(error).__name__}: {error}")
