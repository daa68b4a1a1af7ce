"""Formulas as MathML: SymPy expressions set as a reader of mathematics expects them, for a page without scripts.

SymPy's own printer names functions by its rules, orders terms by degree and brackets what needs none. This one leaves
the letters as theory/ writes them, puts sums and a positive term first, numerical factors outside sums, signs outside
fractions, and brackets only where the formula would be another without them.
"""

from collections.abc import Sequence
from typing import Any

import sympy as sp
from markupsafe import Markup
from sympy.printing.mathml import MathMLPresentationPrinter

from theory import landscape


class Presentation(MathMLPresentationPrinter):
    """SymPy's MathML with the letters left as they are, a sign for every sum, and no more brackets than needed."""

    def _row(self, *children: Any) -> Any:
        return self._node("mrow", *children)

    def _node(self, tag: str, *children: Any) -> Any:
        node = self.dom.createElement(tag)
        for child in children:
            node.appendChild(self.dom.createTextNode(child) if isinstance(child, str) else child)
        return node

    def _fenced(self, *children: Any) -> Any:
        return self._row(self._node("mo", "("), *children, self._node("mo", ")"))

    def _call(self, name: Any, arguments: Sequence[Any]) -> Any:
        listed = [self._print(arguments[0])]
        for argument in arguments[1:]:
            listed += [self._node("mo", ","), self._print(argument)]
        return self._row(name, self._fenced(*listed))

    def _print_Function(self, expr: Any) -> Any:
        return self._call(self._print(sp.Symbol(expr.func.__name__)), expr.args)

    def _print_GaussianMoment(self, expr: Any) -> Any:
        return self._call(self._node("msub", self._node("mi", "M"), self._print(expr.args[0])), expr.args[1:])

    def _print_exp(self, expr: Any) -> Any:
        return self._node("msup", self._node("mi", "e"), self._print(expr.args[0]))

    def _print_Indexed(self, expr: Any) -> Any:
        name, _, starred = str(expr.base).partition("^")
        parts = [self._print(sp.Symbol(name)), self._row(*map(self._print, expr.indices))]
        return self._node("msubsup", *parts, self._node("mo", starred)) if starred else self._node("msub", *parts)

    def _print_Sum(self, expr: Any) -> Any:
        signs = [
            self._node(
                "munderover",
                self._node("mo", "∑"),
                self._row(self._print(index), self._node("mo", "="), self._print(first)),
                self._print(last),
            )
            for index, first, last in expr.limits
        ]
        body = self._print(expr.function)
        return self._row(*signs, self._fenced(body) if expr.function.is_Add else body)

    def _print_Integral(self, expr: Any) -> Any:
        variable, first, last = expr.limits[0]
        sign = self._node("msubsup", self._node("mo", "∫"), self._print(first), self._print(last))
        d = self._node("mi", "d")
        d.setAttribute("mathvariant", "normal")
        space = self._node("mspace")
        space.setAttribute("width", "0.17em")
        return self._row(sign, self._print(expr.function), space, d, self._print(variable))

    def _print_Add(self, expr: Any, order: Any = None) -> Any:
        """Sums first, and a positive term in front."""
        terms = sorted(self._as_ordered_terms(expr, order), key=lambda term: -_signs(term))
        front = next((term for term in terms if not term.could_extract_minus_sign()), terms[0])
        terms = [front, *(term for term in terms if term is not front)]
        row = [self._print(terms[0])]
        for term in terms[1:]:
            negative = term.could_extract_minus_sign() and not term.is_Add
            row += [self._node("mo", "−" if negative else "+"), self._print(-term if negative else term)]
        return self._row(*row)

    def _print_Mul(self, expr: Any) -> Any:
        """Sign, fraction, then sums and integrals, which reach to the end."""
        coefficient, factors = expr.as_coeff_mul()
        flipped = [f for f in factors if f.is_Add and all(each.could_extract_minus_sign() for each in f.args)]
        factors = [-f if f in flipped else f for f in factors]
        coefficient *= (-1) ** len(flipped)
        last = [f for f in factors if isinstance(f, sp.Sum | sp.Integral)]
        above, below = sp.fraction(abs(coefficient) * sp.Mul(*(f for f in factors if f not in last)), exact=True)
        row = [self._node("mo", "−")] if coefficient < 0 else []
        if below != 1:
            row.append(self._node("mfrac", self._product(above), self._product(below)))
        elif above != 1:
            row.append(self._product(above))
        return self._row(*row, *(self._print(f) if f is last[-1] else self._fenced(self._print(f)) for f in last))

    def _product(self, expr: Any) -> Any:
        """A product without a denominator: numbers, letters, functions, brackets."""

        def rank(f: Any) -> int:
            return 0 if f.is_number else 1 if f.is_Symbol or isinstance(f, sp.Indexed) else 3 if f.is_Add else 2

        factors = sorted(sp.Mul.make_args(expr), key=rank)
        if len(factors) == 1:
            return self._print(factors[0])
        return self._row(*(self._fenced(self._print(f)) if f.is_Add else self._print(f) for f in factors))

    def _print_Pow(self, expr: Any) -> Any:
        if (expr.exp.is_number and expr.exp.is_negative) or expr.exp == sp.Rational(1, 2):
            return super()._print_Pow(expr)
        base = self._print(expr.base)
        bare = expr.base.is_Symbol or expr.base.is_Function or expr.base.is_Integer
        return self._node("msup", base if bare else self._fenced(base), self._print(expr.exp))

    def _print_Derivative(self, expr: Any) -> Any:
        inner, variable = expr.expr, expr.variables[0]
        if inner.is_Function and inner.args == (variable,):  # R'(w_k)
            prime = self._node("msup", self._print(sp.Symbol(inner.func.__name__)), self._node("mo", "′"))
            return self._call(prime, inner.args)
        sign = "∂" if inner == landscape.J else "d"
        d, over = self._node("mi", sign), self._node("mi", sign)
        for each in (d, over):
            each.setAttribute("mathvariant", "normal")
        small = isinstance(inner, sp.Symbol | sp.Indexed)
        top = self._row(over, self._print(inner)) if small else over
        ratio = self._node("mfrac", top, self._row(d, self._print(variable)))
        return ratio if small else self._row(ratio, self._fenced(self._print(inner)))


def _signs(term: sp.Expr) -> int:
    """How many summation signs a term has."""
    return sum(len(each.limits) for each in term.atoms(sp.Sum))


def _signs_outside(expr: sp.Expr) -> sp.Expr:
    """Numerical factors moved out of sums."""

    def outside(function: Any, *limits: Any) -> Any:
        coefficient, rest = function.as_coeff_Mul()
        return coefficient * sp.Sum(rest, *limits)

    return expr.replace(sp.Sum, outside)


def mathml(left: sp.Expr, right: sp.Expr, relation: str = "=") -> Markup:
    """left = right as a MathML block; relation is a LaTeX sign, as in theory.latex.Statement."""
    printer = Presentation()
    sign = {"=": "=", r"\ge": "≥", r"\le": "≤"}[relation]
    sides = [printer._print(_signs_outside(side)).toxml() for side in (left, right)]
    body = f"{sides[0]}<mo>{sign}</mo>{sides[1]}".replace("&amp;", "&").replace("&InvisibleTimes;", "\u2062")
    return Markup(f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow>{body}</mrow></math>')
