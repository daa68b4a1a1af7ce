"""What memcurse derives for a study, to be shown: the statements of theory/, object by object.

Loss, gradient, flow and its cancellation-free form hold for any target and width, in generic i, j, k; slow flow, lower
bound and the law of coincided units are those of one problem. A dense network has its loss and gradient through the
Gramians instead.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from theory import dense, flow, landscape
from theory.bounds import lower_bound
from theory.coincidence import NotCoincided, coincidence
from theory.dense import DenseProblem
from theory.landscape import J, W, k
from theory.latex import Statement, align
from theory.parametrisation import IDENTITY, Parametrisation, written_out
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from verify.mathml import named

RELATIONS = {"=": sp.Eq, r"\ge": sp.Ge, r"\le": sp.Le, r"\sim": sp.Eq}


@dataclass(frozen=True)
class Derived:
    """One object and its statements. reason: why there are none; None if there are.

    given: of a theorem, first what is known of it (proved, asymptotic, conjectured), then its hypotheses.
    """

    name: str
    statements: tuple[Statement, ...]
    reason: str | None = None
    given: tuple[str, ...] = ()

    @property
    def latex(self) -> str | None:
        """The body of an align* environment; None without statements."""
        return align(self.statements) if self.statements else None

    @property
    def unicode(self) -> str:
        """The statements as text, or the reason why there are none."""
        if not self.statements:
            return f"  {self.reason}"
        given = [f"  {self.given[0]}, if {'; '.join(self.given[1:])}"] if self.given else []
        return "\n\n".join([*given, *(_unicode(each) for each in self.statements)])

    def as_dict(self) -> dict[str, Any]:
        found = {"object": self.name, "latex": self.latex, "reason": self.reason}
        return found | ({"word": self.given[0], "hypotheses": list(self.given[1:])} if self.given else {})


@dataclass(frozen=True)
class Lettered(Problem):
    """A Problem with letters in its target or horizon, where a study sweeps them; its numbers have been looked at."""

    def __post_init__(self) -> None:
        """Letters are welcome."""


def derived(problem: Problem | DenseProblem) -> tuple[Derived, ...]:
    """Loss, gradient, flow, cancellation-free form, and what is known of the plateau of the problem. Exact."""
    if isinstance(problem, DenseProblem):
        return (_dense(problem),)
    T, parametrisation = problem.horizon, problem.parametrisation
    found = [
        Derived("loss", (landscape.loss(T),)),
        Derived("gradient", landscape.gradient(T)),
        Derived("flow", flow.flow(T, parametrisation)),
        Derived("cancellation-free form", flow.cancellation_free(T)),
        _where_it_holds("slow flow", lambda: plateau(problem).statements()),
        _where_it_holds("lower bound", lambda: lower_bound(problem).statements()),
    ]
    if parametrisation != IDENTITY:
        found.insert(3, parametrised([parametrisation]))
    if problem.off_the_fit:  # on the fit the two above are the laws to ask for
        found.append(_where_it_holds("coincided start", lambda: coincidence(problem).statements()))
    return tuple(replace(each, statements=tuple(map(_through_exp, each.statements))) for each in found)


def parametrised(parametrisations: Iterable[Parametrisation]) -> Derived:
    """w = phi(v) and the flow of the rates (M9) for each parametrisation."""
    v, w, tau = sp.Symbol("v", positive=True), sp.Symbol("w", positive=True), sp.Symbol("tau", nonnegative=True)
    statements: list[Statement] = []
    for each in parametrisations:
        speed = -written_out(each.metric(W[k])) * sp.Derivative(J, W[k])
        statements.append(Statement("parametrisation", w, each.rate(v), "M9"))
        statements.append(Statement("parametrisation", sp.Derivative(W[k], tau, evaluate=False), speed, "M9"))
    return Derived("parametrisation", tuple(statements))


def as_latex(objects: Iterable[Derived]) -> str:
    """A comment line that names the object, then the body of its align* environment; an empty line between objects."""
    return "\n\n".join(f"{_comment(each)}\n{each.latex or f'% none: {each.reason}'}" for each in objects)


def _comment(each: Derived) -> str:
    given = [f"% {each.given[0]}, if {'; '.join(each.given[1:])}"] if each.given else []
    return "\n".join([f"% {each.name}", *given])


def _dense(problem: DenseProblem) -> Derived:
    if problem.horizon is sp.oo:
        return Derived("dense network", dense.statements())
    reason = f"the Gramian equations are shown for T = inf, and the horizon is {problem.horizon}"
    return Derived("dense network", (), reason)


def _where_it_holds(name: str, statements: Callable[[], tuple[Statement, ...]]) -> Derived:
    try:
        return Derived(name, statements())
    except (NoPlateau, NotCoincided) as error:
        return Derived(name, (), str(error))


def _through_exp(statement: Statement) -> Statement:
    return replace(statement, right=written_out(statement.right))


def _unicode(statement: Statement) -> str:
    """left = right (number), with the relation sign on the line of the fractions."""
    equation = RELATIONS[statement.relation](named(statement.left), named(statement.right), evaluate=False)
    shown = sp.pretty(equation, use_unicode=True, wrap_line=False)
    if statement.relation == r"\sim":
        shown = shown.replace(" = ", " ∼ ", 1)
    lines = shown.splitlines()
    middle = len(lines) // 2
    return "\n".join(f"{f'({statement.number})' if i == middle else '':8}{line}" for i, line in enumerate(lines))
