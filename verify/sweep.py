"""Sweeps: every cell of a study computed, by whatever executor the caller owns, and the law over its memories.

A cell that raises is recorded as failed, with its error, and the others go on; results come in the order of the cells.
What crosses to a worker and back is a Problem and strings, so processes, Dask and MPI executors all serve. At most
WINDOW cells are handed out at a time. A worker says first what it computes with: one whose sources or libraries differ
from ours would give numbers of another kind under our key, and ends the sweep.

With a store, finished cells are taken from it and each new one is in it before the next is looked at.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from numerics import scaling
from numerics.scaling import ScalingLaw, scaling_law
from theory.exact import exact
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from verify.cell import CellResult, compute
from verify.identity import basis, key
from verify.provenance import provenance
from verify.store import Store
from verify.study import Cell, Limits, Study

Progress = Callable[[int, int, CellResult], None]
T = TypeVar("T")
C = TypeVar("C")
WINDOW = 500  # more than workers there are, and few enough to be held and sent


class OtherSources(Exception):
    """A worker has other sources or libraries than the process that asks it; the message says which."""


@dataclass(frozen=True)
class StudyResult:
    """The cells of a study, in its order. digits: those asked for, which is the study's wish or the caller's.

    found: how many of the cells were in the store.
    """

    study: Study
    digits: int
    cells: tuple[CellResult, ...]
    law: ScalingLaw
    found: int = 0

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """A sentence for every cell that failed or has fewer digits than asked."""
        found = []
        for cell in self.cells:
            name = label(cell.parameters)
            if cell.outcome == "failed":
                found.append(f"{name} failed: {cell.error or (cell.escape and cell.escape.reason)}")
            elif cell.escape and cell.escape.digits is not None and cell.escape.digits < self.digits:
                found.append(f"{name} has {cell.escape.digits} digits, {self.digits} were asked")
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, with the names that architecture.md fixes."""
        return {
            "cells": [cell.as_dict() for cell in self.cells],
            "law": self.law.as_dict(),
            "provenance": provenance(self.study.name, self.study.source, self.digits),
        }


def label(parameters: dict[str, str]) -> str:
    """A cell's name for a person: the last part of every path swept, and the one before it where the last is an index.

    >>> label({"target.terms.1.lag": "8", "start.rates.1": "0.7"})
    'lag = 8, rates.1 = 0.7'
    """

    def last(path: str) -> str:
        parts = path.split(".")
        return ".".join(parts[-2:] if parts[-1].isdecimal() else parts[-1:])

    return ", ".join(f"{last(path)} = {value}" for path, value in parameters.items()) or "the cell"


def run(
    study: Study,
    *,
    digits: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
    fresh: bool = False,
) -> StudyResult:
    """Compute every cell of a study.

    digits:   significant digits wanted of each escape time; None for the study's own.
    executor: any concurrent.futures.Executor, owned by the caller; None computes here, one cell after the other.
    progress: called with (cells done, cells in all, CellResult) as they come in, in any order.
    store:    an open Store, or None; what is final in it is not computed again, unless fresh=True.

    Returns a StudyResult; a cell that raises is in it as failed. On KeyboardInterrupt, cells not begun are cancelled.
    Raises StoreError where the store cannot be used, OtherSources where a worker does not compute what we would.
    """
    if not study.cells:
        way_out = "verify.widths.measure serves one without"
        raise ValueError(f"study {study.name} must have a start and an escape; {way_out}")
    wanted = study.digits if digits is None else digits
    results: dict[int, CellResult] = {}
    found = 0

    def done(index: int, result: CellResult) -> None:
        results[index] = result
        if progress:
            progress(len(results), len(study.cells), result)

    def missing() -> Iterator[int]:
        """The cells that are not in the store; a look at it is taken just before each is computed."""
        nonlocal found
        for index, cell in enumerate(study.cells):
            kept = store.get(key(cell, wanted, study.limits), cell) if store and not fresh else None
            if kept is None:
                yield index
            else:
                found += 1
                done(index, kept)

    with closing(_computed(study, missing(), wanted, executor)) as computed:
        for finished in computed:
            if store:
                keyed = [(key(study.cells[index], wanted, study.limits), result) for index, result in finished]
                store.put(keyed, study.name, wanted)
            for index, result in finished:
                done(index, result)
    cells = tuple(results[index] for index in range(len(study.cells)))
    return StudyResult(study, wanted, cells, _law(study, cells), found)


def _computed(
    study: Study, indices: Iterable[int], digits: int, executor: Executor | None
) -> Generator[list[tuple[int, CellResult]], None, None]:
    """(index, result) of the cells with these indices, as they finish: all those that have since the last look."""
    todo, running = iter(indices), dict[Future[CellResult], int]()
    if executor is None:
        for index in todo:
            yield [(index, compute(study.cells[index], digits, study.limits))]
        return
    try:
        while True:
            for index in islice(todo, WINDOW - len(running)):
                asked = study.cells[index], digits, study.limits, dict(basis())
                running[submitted(executor, compute_there, *asked)] = index
            if not running:
                return
            ready = [(future, running.pop(future)) for future in wait(running, return_when=FIRST_COMPLETED).done]
            yield [(index, _outcome(future, study.cells[index])) for future, index in ready]
    finally:
        for future in running:
            future.cancel()


def submitted(executor: Executor, function: Callable[..., T], *arguments: Any) -> Future[T]:
    """executor.submit(function, *arguments), and where that raises, a future that does."""
    try:
        return executor.submit(function, *arguments)
    except Exception as error:  # a worker that died can take a whole pool with it
        lost = Future[T]()
        lost.set_exception(error)
        return lost


def in_order(
    work: Callable[[C], T], cells: Sequence[C], lost: Callable[[C, str], T], executor: Executor | None
) -> Iterator[T]:
    """work(cell) for every cell, in order; where a worker died, lost(cell, what is known of that)."""
    if executor is None:
        yield from map(work, cells)
        return
    running = [submitted(executor, work, cell) for cell in cells]
    try:
        for cell, future in zip(cells, running, strict=True):
            try:
                found = future.result()
            except (Exception, CancelledError) as error:
                found = lost(cell, f"the worker was lost: {error!r}")
            yield found
    finally:
        for future in running:
            future.cancel()


def _outcome(future: Future[CellResult], cell: Cell) -> CellResult:
    """What the worker found; where it died, a result that says so and is not final."""
    try:
        return future.result()
    except OtherSources:
        raise
    except (Exception, CancelledError) as error:
        return CellResult(cell.parameters, cell.problem, error=f"the worker was lost: {error!r}", final=False)


def compute_there(cell: Cell, digits: int, limits: Limits, ours: Mapping[str, str]) -> CellResult:
    """A worker's part: `compute`, after `same_basis`."""
    same_basis(ours)
    return compute(cell, digits, limits)


def same_basis(ours: Mapping[str, str]) -> None:
    """OtherSources unless this process computes with the sources and the libraries of `ours`."""
    pairs = ((name, value, ours.get(name)) for name, value in basis().items())
    different = [f"{name} {there} there, {here} here" for name, there, here in pairs if there != here]
    if different:
        raise OtherSources(f"{', '.join(different)}; install the same memcurse and libraries on the workers")


def _law(study: Study, cells: tuple[CellResult, ...]) -> ScalingLaw:
    """The scaling law over the one lag that is swept; without one, nulls and the reason."""
    swept = list(study.cells[0].parameters)
    if len(swept) != 1 or not swept[0].endswith(".lag"):
        reason = f"a law needs a sweep over exactly one lag; swept: {', '.join(swept) or 'nothing'}"
        return ScalingLaw((), None, None, None, None, reason)
    try:
        known = [_on_the_law(cell, swept[0]) for cell in cells]
        return scaling_law(sorted(known, key=lambda each: each.memory))
    except ValueError as error:
        return ScalingLaw((), None, None, None, None, str(error))


def _on_the_law(cell: CellResult, swept: str) -> scaling.Cell:
    tau = cell.escape.tau if cell.escape else None
    slow_flow = cell.slow_flow.value if cell.slow_flow else None
    spare = None
    if isinstance(cell.problem, Problem):
        with suppress(NoPlateau):
            spare = plateau(cell.problem).spare
    return scaling.Cell(exact(cell.parameters[swept], swept), tau, slow_flow, spare)
