"""Statements: equations that show themselves, in a notebook, on the command line and in the report."""

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class Statement:
    """left = right, with the object it belongs to ("loss", "gradient", ...) and its number in mathematics.md."""

    subject: str
    left: sp.Expr
    right: sp.Expr
    number: str

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {sp.latex(self.left)} = {sp.latex(self.right)}$"


def align(statements: Iterable[Statement]) -> str:
    r"""One compilable align* body: a line a statement, aligned at the equality sign.

    >>> x = sp.Symbol("x")
    >>> print(align([Statement("square", x, sp.Integer(4), "M0")]))
    x &= 4 \tag{M0}
    """
    lines = [rf"{sp.latex(each.left)} &= {sp.latex(each.right)} \tag{{{each.number}}}" for each in statements]
    return " \\\\\n".join(lines)
