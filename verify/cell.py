"""One cell of a study: its escape time, and beside it what theory says of it.

A cell of a diagonal network has its escape time and the plateau formulas (M13)-(M21); of a dense one, whose flow is
another, the escape time alone. This module, theory/ and numerics/ are all that the numbers of a cell come from, and
verify/identity.py hashes them.

max_seconds. The integration ends by itself when they are over, with the outcome `stopped`. What else a cell does, its
set-up before and the formulas beside it, has GRACE longer and is then cut off (verify/deadline.py): a formula leaves
its reason, a set-up fails the cell. Such a cell is not final, for a faster machine would have told more.

The precision of Arb belongs to the process, so threads take turns: whoever computes a cell holds TURN.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from numerics.answer import Answer
from numerics.bounds import flow_lower_bound
from numerics.coincidence import coincided_escape_time
from numerics.dense_flow import dense_escape_time
from numerics.escape import EscapeTime, escape_time
from numerics.run import Outcome
from numerics.slow_flow import leading_order, slow_escape_time
from theory.dense import DenseProblem
from theory.problem import Problem
from verify.deadline import TimeIsUp, deadline
from verify.study import Cell, Limits

Laws: TypeAlias = tuple[Answer, Answer, Answer, Answer]
LAWS = ("slow_flow", "leading_order", "coincided", "lower_bound")  # what theory says of an escape time
_NONE = Answer(None, "estimated", reason="the plateau formulas are those of a diagonal network's flow in (a, w)")
NOT_DENSE: Laws = (_NONE, _NONE, _NONE, _NONE)
_NEVER = Answer(None, "enclosed", reason=Outcome.unreachable.value)
UNREACHED: Laws = (_NEVER, _NEVER, _NEVER, _NEVER)
GRACE = 1.0, 0.1  # seconds, or this part of max_seconds: the longer one, for what does not look at the clock
TURN = threading.Lock()


@dataclass(frozen=True)
class CellResult:
    """What is known of one cell: its escape time, and beside it what the plateau formulas say (M13)-(M21).

    Where `error` is not None the computation raised, and the results are None. final: computing it again would give
    the same again; False for a lost worker, an error of the machine, and where max_seconds came first.
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
    final: bool = True

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


def compute(cell: Cell, digits: int, limits: Limits) -> CellResult:
    """The cell: escape time, slow flow, leading order, coincided start and lower bound. Never raises an Exception."""
    with TURN:
        began = time.perf_counter()
        found = _computed(cell, digits, limits, began)
        return replace(found, seconds=time.perf_counter() - began)


def _computed(cell: Cell, digits: int, limits: Limits, began: float) -> CellResult:
    problem, most = cell.problem, limits.max_seconds
    end = began + most + max(GRACE[0], GRACE[1] * most)
    nothing = CellResult(cell.parameters, problem)
    over = f"max_seconds = {most:g} came first"
    try:
        with deadline(end):
            solve: Callable[..., EscapeTime] = dense_escape_time if isinstance(problem, DenseProblem) else escape_time
            escape = solve(problem, digits=digits, **vars(limits))
    except TimeIsUp:
        return replace(nothing, error=f"TimeIsUp: {over}, before the integration could end by itself", final=False)
    except Exception as error:
        again = isinstance(error, MemoryError | OSError)
        return replace(nothing, error=f"{type(error).__name__}: {error}", final=not again)
    in_time = time.perf_counter() < began + most
    if isinstance(problem, DenseProblem):
        laws = NOT_DENSE
    elif escape.outcome is Outcome.unreachable:
        laws = UNREACHED
    else:
        laws = _laws(problem, digits, end, cut := Answer(None, "estimated", reason=over))
        in_time = in_time and cut not in laws
    return CellResult(cell.parameters, problem, escape, *laws, final=in_time)


def _laws(problem: Problem, digits: int, end: float, cut: Answer) -> Laws:
    """What theory says of the escape time, in the order of LAWS; `cut` for what is not known by the end."""

    def answered(formula: Callable[[], Answer]) -> Answer:
        try:
            with deadline(end):
                return formula()
        except TimeIsUp:
            return cut
        except Exception as error:  # it must not cost the escape time beside it
            return Answer(None, "estimated", reason=f"{type(error).__name__}: {error}")

    return (
        answered(lambda: slow_escape_time(problem, digits)),
        answered(lambda: leading_order(problem, digits)),
        answered(lambda: coincided_escape_time(problem)),
        answered(lambda: flow_lower_bound(problem)),
    )
