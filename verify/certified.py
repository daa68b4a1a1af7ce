"""The cells of a study certified, one by one, and the study's own wish for it.

A cell that raises is recorded with its error, and the others go on; results come in the order of the cells. With a
folder each certificate is a file there as soon as it is made. A file that is there already, with the cell's problem and
digits enough, is not trusted either: it is proved again, which takes less than finding the proof did.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from verify.cell import TURN
from verify.certificate.certificate import NOT_CERTIFIED, Certificate, Recipe, certify, proved_again
from verify.certificate.file import BadFile, read, write
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


def certify_study(
    study: Study,
    *,
    digits: int | None = None,
    recipe: Recipe | None = None,
    max_seconds: float | None = None,
    folder: Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StudyCertificates:
    """Certify every cell of a study.

    digits:      to be certified of each escape time; None for the study's own: of [certify], else of [precision].
    recipe:      "time", "slow-rate", or None to have it chosen. max_seconds: of each cell; None for the study's own.
    folder:      of certificate files, numbered from 1 in the order of the study; it must be there.
    executor:    any concurrent.futures.Executor, owned by the caller; None computes here, one cell after the other.
    progress:    called with (cells done, cells in all).

    Raises OSError where a file cannot be written; the certificates before it are kept.
    """
    wanted, found = digits or study.certify or study.digits, list[CertifiedCell]()
    paths = [folder and folder / FILE.format(i) for i in range(1, len(study.cells) + 1)]
    work = partial(_certified, wanted, recipe, study.limits.max_seconds if max_seconds is None else max_seconds)
    places = list(zip(study.cells, paths, strict=True))
    for path, cell in zip(paths, in_order(work, places, partial(_lost, wanted), executor), strict=True):
        if path and cell.certificate.guarantee:
            write(cell.certificate.filed(cell.parameters), path, version())
        found.append(cell)
        if progress:
            progress(len(found), len(study.cells))
    return StudyCertificates(study, wanted, tuple(found))


def _lost(digits: int, place: tuple[Cell, Path | None], error: str) -> CertifiedCell:
    cell, _ = place
    return CertifiedCell(cell.parameters, Certificate(cell.problem, NOT_CERTIFIED, error, digits))


def _certified(
    digits: int, recipe: Recipe | None, max_seconds: float, place: tuple[Cell, Path | None]
) -> CertifiedCell:
    """One cell, and where its file may be. Never raises an Exception."""
    cell, path = place
    try:
        with TURN:  # threads take turns: the precision of balls is one for all of them
            found = _there_already(path, cell, digits, recipe) if path else None
            found = found or certify(cell.problem, digits, recipe=recipe, max_seconds=max_seconds)
        return CertifiedCell(cell.parameters, found)
    except Exception as error:
        return _lost(digits, place, f"{type(error).__name__}: {error}")


def _there_already(path: Path, cell: Cell, digits: int, recipe: Recipe | None) -> Certificate | None:
    """The certificate in a file, proved again, if it answers what is asked; None for no such file."""
    if not path.exists():
        return None
    try:
        filed = read(path)
    except BadFile:
        return None
    asked = filed.recipe != "plateaus" if recipe is None else filed.recipe == recipe
    return proved_again(filed, digits) if asked and filed.problem == cell.problem else None
