"""What memcurse derives for a study, to be shown: the statements of theory/, object by object.

Loss, gradient, flow and its cancellation-free form hold for any target and width, in generic i, j, k; slow flow and
lower bound are those of one problem. A dense network has its loss and gradient through the Gramians instead.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory import dense, flow, landscape
from theory.bounds import lower_bound
from theory.dense import DenseProblem
from theory.latex import Statement, align
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem


@dataclass(frozen=True)
class Derived:
    """One object and its statements. reason: why there are none; None if there are."""

    name: str
    statements: tuple[Statement, ...]
    reason: str | None = None

    @property
    def latex(self) -> str | None:
        """The body of an align* environment; None without statements."""
        return align(self.statements) if self.statements else None

    @property
    def unicode(self) -> str:
        """The statements as text, or the reason why there are none."""
        if not self.statements:
            return f"  {self.reason}"
        return "\n\n".join(_unicode(each) for each in self.statements)

    def as_dict(self) -> dict[str, Any]:
        return {"object": self.name, "latex": self.latex, "reason": self.reason}


def derived(problem: Problem | DenseProblem) -> tuple[Derived, ...]:
    """Loss, gradient, flow, cancellation-free form, and the slow flow and lower bound of the problem. Exact."""
    if isinstance(problem, DenseProblem):
        return (Derived("dense network", dense.statements()),)
    T = problem.horizon
    return (
        Derived("loss", (landscape.loss(T),)),
        Derived("gradient", landscape.gradient(T)),
        Derived("flow", flow.flow(T, problem.parametrisation)),
        Derived("cancellation-free form", flow.cancellation_free(T)),
        _on_the_fit("slow flow", lambda: plateau(problem).statements()),
        _on_the_fit("lower bound", lambda: lower_bound(problem).statements()),
    )


def as_latex(objects: Iterable[Derived]) -> str:
    """A comment line that names the object, then the body of its align* environment; an empty line between objects."""
    return "\n\n".join(f"% {each.name}\n{each.latex or f'% none: {each.reason}'}" for each in objects)


def _on_the_fit(name: str, statements: Callable[[], tuple[Statement, ...]]) -> Derived:
    try:
        return Derived(name, statements())
    except NoPlateau as error:
        return Derived(name, (), str(error))


def _unicode(statement: Statement) -> str:
    """left = right (number), with the relation sign on the line of the fractions."""
    relation = {"=": sp.Eq, r"\ge": sp.Ge, r"\le": sp.Le}[statement.relation]
    equation = relation(statement.left, statement.right, evaluate=False)
    shown = sp.pretty(equation, use_unicode=True, wrap_line=False).splitlines()
    middle = len(shown) // 2
    return "\n".join(f"{f'({statement.number})' if i == middle else '':8}{line}" for i, line in enumerate(shown))
