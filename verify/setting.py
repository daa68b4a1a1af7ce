"""The setting of a study as mathematics and in words: target, start, horizon, what is trained.

What the sweep varies has a letter, L for one lag and T for the horizon; of anything else the first cell is shown.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sympy as sp

from theory.dense import DenseProblem
from theory.exact import exact
from theory.kernels import t
from theory.parametrisation import IDENTITY, Parametrisation
from theory.problem import Problem, Target
from verify.finding import LAG_PATH, cell_name, memory, plain, shown, swept_lags
from verify.mathml import mathml
from verify.sweep import CellResult, StudyResult, label

LAG, HORIZON = sp.symbols("L T", positive=True)


def lettered(result: StudyResult) -> tuple[Target, sp.Expr]:
    """Target and horizon of the first cell, with L for a lag and T for the horizon where the sweep is over them."""
    cells = result.cells
    target, horizon = cells[0].problem.target, cells[0].problem.horizon
    values = {
        exact(cell.parameters[path], path) for cell in cells for path in cell.parameters if LAG_PATH.fullmatch(path)
    }
    swept = swept_lags(cells[0])
    if len(swept) == 1 and len(values) > 1 and min(values) > 0:
        at_lag: dict[str, Any] = {"lag": LAG}
        terms = enumerate(target.terms)
        target = Target(tuple(replace(term, **at_lag) if i == swept[0] else term for i, term in terms))
    return target, HORIZON if "target.horizon" in cells[0].parameters else horizon


def setting(result: StudyResult) -> dict[str, Any]:
    """What there is to say of a study's problem before it is solved; empty where there is nothing to say.

    rho: a formula for each input. matrices: W, U, c of a dense start. units: of a diagonal one. rates: w = phi(v),
    where it is v that is trained. drop, horizon, waits, swept: text.
    """
    problem = result.cells[0].problem
    target, horizon = lettered(result)
    shown: dict[str, Any] = {"matrices": [], "rates": [], "units": ""}
    names = ["rho"]
    if isinstance(problem, DenseProblem):
        shown["matrices"] = [mathml(sp.Symbol(x), X) for x, X in zip("WUc", problem.start.matrices, strict=True)]
        if problem.start.inputs > 1:
            names = [f"rho_{k + 1}" for k in range(problem.start.inputs)]
    else:
        shown["units"] = ", ".join(f"({plain(a)}; {plain(w)})" for a, w in problem.start.units)
    v, w = sp.symbols("v w", positive=True)
    trained = parametrisations(result.cells)
    if set(trained) - {IDENTITY}:
        shown["rates"] = [mathml(w, each.rate(v)) for each in trained]
    memories = [sp.Add(*(term.rho(t) for term in target.terms if term.input == k + 1)) for k in range(len(names))]
    return shown | {
        "rho": [mathml(sp.Function(name)(t), rho) for name, rho in zip(names, memories, strict=True)],
        "drop": _drop(result.cells),
        "horizon": "" if horizon is sp.oo else "T" if horizon == HORIZON else f"T = {plain(horizon)}",
        "waits": waits(result.cells),
        "swept": _swept(result, target),
    }


def parametrisations(cells: Sequence[CellResult]) -> list[Parametrisation]:
    """Those of the cells, each once; none of dense networks."""
    return list(dict.fromkeys(cell.problem.parametrisation for cell in cells if isinstance(cell.problem, Problem)))


def _swept(result: StudyResult, target: Target) -> str:
    """What the cells differ in, and which of them the formulas show."""
    letters, others = [], []
    for path in result.cells[0].parameters:
        values = ", ".join(dict.fromkeys(cell.parameters[path] for cell in result.cells))
        if LAG_PATH.fullmatch(path) and any(LAG in term.rho(t).free_symbols for term in target.terms):
            letters.append(f"L = {values}")
        elif path == "target.horizon":
            letters.append(f"T = {values.replace('inf', '∞')}")
        elif path != "start.parametrisation":
            others.append(label({path: values}))
    told = f"The study takes {' and '.join(letters)}." if letters else ""
    return f"{told} It sweeps {' and '.join(others)}; shown is the first.".strip() if others else told


def _drop(cells: Sequence[CellResult]) -> str:
    """The drop asked for, or where it differs those of the first and the last cell."""
    first, last = cells[0], cells[-1]
    if len({cell.problem.drop for cell in cells}) == 1:
        return plain(first.problem.drop)
    ends = (f"{shown(str(sp.N(cell.problem.drop, 6)))} at {cell_name(cell)}" for cell in (first, last))
    return " … ".join(ends)


def waits(cells: Sequence[CellResult]) -> str:
    """Why training waits on a plateau, where it does."""
    because = "to feel the distant part of the memory a unit must already remember that far"
    if any(cell.coincided and cell.coincided.value for cell in cells):
        return f"Its two units first merge on one exponential and wait together: {because}."
    if memory(cells[0]) is not None and _starts_on_the_fit(cells[0].problem):
        return f"The longer the memory, the longer it sits on a plateau first: {because}."
    return ""


def _starts_on_the_fit(problem: Problem | DenseProblem) -> bool:
    """Whether the start is all of the target but for what lies further back, with a unit to spare."""
    if isinstance(problem, Problem):
        return not problem.off_the_fit and len(problem.pairing) < problem.start.width
    near = [term for term in problem.target.terms if not term.exponent()]
    try:
        start = problem.start.kernels()
    except NotImplementedError:  # no closed form
        return False
    for k in range(1, problem.start.inputs + 1):
        learned, asked = (sp.Add(*(term.rho(t) for term in terms if term.input == k)) for terms in (start, near))
        if sp.simplify(learned - asked) != 0:
            return False
    return len(near) < problem.start.width
