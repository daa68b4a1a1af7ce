"""Sweeps: every cell of a study computed, by whatever executor the caller owns, and the law over its memories.

A cell of a diagonal network has its escape time and, beside it, what the plateau formulas say; of a dense one, whose
flow is another, the escape time alone.

A cell that raises is recorded as failed, with its error, and the others go on; results come in the order of the cells.
What crosses to a worker and back is a Problem and strings, so processes, Dask and MPI executors all serve.
"""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numerics import scaling
from numerics.answer import Answer
from numerics.bounds import flow_lower_bound
from numerics.coincidence import coincided_escape_time
from numerics.dense_flow import dense_escape_time
from numerics.escape import EscapeTime, escape_time
from numerics.run import Outcome
from numerics.scaling import ScalingLaw, scaling_law
from numerics.slow_flow import leading_order, slow_escape_time
from theory.dense import DenseProblem
from theory.exact import exact
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from verify.provenance import provenance
from verify.study import Cell, Limits, Study

Progress = Callable[[int, int, "CellResult"], None]
Laws: TypeAlias = tuple[Answer, Answer, Answer, Answer]
LAWS = ("slow_flow", "leading_order", "coincided", "lower_bound")  # what theory says of an escape time
_NONE = Answer(None, "estimated", reason="the plateau formulas are those of a diagonal network's flow in (a, w)")
NOT_DENSE: Laws = (_NONE, _NONE, _NONE, _NONE)
_NEVER = Answer(None, "enclosed", reason=Outcome.unreachable.value)
UNREACHED: Laws = (_NEVER, _NEVER, _NEVER, _NEVER)


@dataclass(frozen=True)
class CellResult:
    """What is known of one cell: its escape time, and beside it what the plateau formulas say (M13)-(M21).

    Where `error` is not None the computation raised, and the results are None.
    """

    parameters: dict[str, str]
    problem: Problem | DenseProblem = field(repr=False)
    escape: EscapeTime | None = None
    slow_flow: Answer | None = None
    leading_order: Answer | None = None
    coincided: Answer | None = None
    lower_bound: Answer | None = None
    error: str | None = None
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        """The name of the Outcome; failed, if the computation raised."""
        return self.escape.outcome.name if self.escape else "failed"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; `reason`, `reasons` and `error` explain every null."""
        answers = {name: getattr(self, name) for name in LAWS}
        values = {name: answer.value if answer else None for name, answer in answers.items()}
        if not self.escape:
            nothing = dict.fromkeys(("escape_time", "digits", "guarantee", "arithmetic"))
            why: dict[str, Any] = {"outcome": self.outcome, "reason": self.error, "error": self.error}
            why["reasons"] = dict.fromkeys(values, "the cell failed")
            return {"parameters": self.parameters, **why, **nothing, **values, "steps": 0, "seconds": self.seconds}
        return {
            "parameters": self.parameters,
            **self.escape.as_dict(),
            **values,
            "guarantees": {name: answer.guarantee for name, answer in answers.items() if answer and answer.value},
            "reasons": {name: answer.reason for name, answer in answers.items() if answer and answer.value is None},
        }


@dataclass(frozen=True)
class StudyResult:
    """The cells of a study, in its order. digits: those asked for, which is the study's wish or the caller's."""

    study: Study
    digits: int
    cells: tuple[CellResult, ...]
    law: ScalingLaw

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
    study: Study, *, digits: int | None = None, executor: Executor | None = None, progress: Progress | None = None
) -> StudyResult:
    """Compute every cell of a study.

    digits:   significant digits wanted of each escape time; None for the study's own.
    executor: any concurrent.futures.Executor, owned by the caller; None computes here, one cell after the other.
    progress: called with (cells done, cells in all, CellResult) as they come in, in any order.

    Returns a StudyResult; a cell that raises is in it as failed. On KeyboardInterrupt, cells not begun are cancelled.
    """
    wanted = study.digits if digits is None else digits
    results: dict[int, CellResult] = {}

    def done(index: int, result: CellResult) -> None:
        results[index] = result
        if progress:
            progress(len(results), len(study.cells), result)

    if executor is None:
        for index, cell in enumerate(study.cells):
            done(index, compute(cell, wanted, study.limits))
    else:
        futures: dict[Future[CellResult], int] = {
            executor.submit(compute, cell, wanted, study.limits): index for index, cell in enumerate(study.cells)
        }
        try:
            for future in as_completed(futures):
                index = futures[future]
                error = future.exception()  # a worker that died; what the cell itself raises is in its result
                cell = study.cells[index]
                lost = CellResult(cell.parameters, cell.problem, error=f"the worker was lost: {error!r}")
                done(index, lost if error else future.result())
        finally:
            for future in futures:
                future.cancel()
    cells = tuple(results[index] for index in range(len(study.cells)))
    return StudyResult(study, wanted, cells, _law(study, cells))


def compute(cell: Cell, digits: int, limits: Limits) -> CellResult:
    """One cell: escape time, slow flow, leading order, coincided start and lower bound. Never raises an Exception."""
    began = time.perf_counter()
    problem = cell.problem
    try:
        if isinstance(problem, DenseProblem):
            escape, laws = dense_escape_time(problem, digits=digits, **vars(limits)), NOT_DENSE
        else:
            escape = escape_time(problem, digits=digits, **vars(limits))
            laws = UNREACHED if escape.outcome is Outcome.unreachable else _laws(problem, digits)
    except Exception as error:
        seconds = time.perf_counter() - began
        return CellResult(cell.parameters, problem, error=f"{type(error).__name__}: {error}", seconds=seconds)
    return CellResult(cell.parameters, problem, escape, *laws, None, time.perf_counter() - began)


def _laws(problem: Problem, digits: int) -> Laws:
    """What theory says of the escape time, in the order of LAWS."""
    return (
        _answered(lambda: slow_escape_time(problem, digits)),
        _answered(lambda: leading_order(problem, digits)),
        _answered(lambda: coincided_escape_time(problem)),
        _answered(lambda: flow_lower_bound(problem)),
    )


def _answered(formula: Callable[[], Answer]) -> Answer:
    """The answer of a formula; one that raises must not cost the escape time beside it."""
    try:
        return formula()
    except Exception as error:
        return Answer(None, "estimated", reason=f"{type(error).__name__}: {error}")


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
