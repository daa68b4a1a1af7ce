"""Statements: equations that show themselves, in a notebook, on the command line and in the report."""

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class Statement:
    """left = right, with the object it belongs to ("loss", "gradient", ...) and its number: M… in
    mathematics.md, others in the module that derives it.

    relation: LaTeX for what stands between the two sides; a bound has another one than "=".
    """

    subject: str
    left: sp.Expr
    right: sp.Expr
    number: str
    relation: str = "="

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {sp.latex(self.left)} {self.relation} {sp.latex(self.right)}$"


def align(statements: Iterable[Statement]) -> str:
    r"""One compilable align* body: a line a statement, aligned at its relation sign.

    >>> x = sp.Symbol("x")
    >>> print(align([Statement("square", x, sp.Integer(4), "M0")]))
    x &= 4 \tag{M0}
    """
    lines = [
        rf"{sp.latex(each.left)} &{each.relation} {sp.latex(each.right)} \tag{{{each.number}}}" for each in statements
    ]
    return " \\\\\n".join(lines)
