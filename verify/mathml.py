"""Formulas as MathML: SymPy expressions set as a reader of mathematics expects them, for a page without scripts.

SymPy's own printer names functions by its rules, orders terms by degree and brackets what needs none. This one leaves
the letters as theory/ writes them, puts sums and a positive term first, numerical factors outside sums, signs outside
fractions, and brackets only where the formula would be another without them. Moments (theory/special.py) are called by
one letter where they have a name, and written out where they have none.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import sympy as sp
from markupsafe import Markup
from sympy.printing.mathml import MathMLPresentationPrinter

from theory import landscape
from theory.special import DividedMoment, ExponentialMoment, GaussianMoment, Moment, MomentBase, PowerMoment

LETTERS: dict[type[MomentBase], str] = {GaussianMoment: "M", DividedMoment: "D", PowerMoment: "H"}
FUNCTIONS = {"airyai": "Ai", "log": "ln", "atan": "arctan", "acos": "arccos", "gamma": "Γ"}
FINEST_FRACTION = 10  # a fraction of that denominator or finer is a decimal, where it can be


class Presentation(MathMLPresentationPrinter):
    """SymPy's MathML with the letters left as they are, a sign for every sum, and no more brackets than needed."""

    in_exponent = False  # of a power or exp, whose fractions stand on one line

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
        return self._call(self._name(expr), expr.args)

    def _name(self, expr: Any) -> Any:
        """The name of a function; Rhat has its hat."""
        name = expr.func.__name__
        shown = self._print(sp.Symbol(FUNCTIONS.get(name, name).removesuffix("hat")))
        return self._node("mover", shown, self._node("mo", "^")) if name.endswith("hat") else shown

    def _print_Abs(self, expr: Any) -> Any:
        return self._row(self._node("mo", "|"), self._print(expr.args[0]), self._node("mo", "|"))

    def _print_MatrixBase(self, matrix: Any) -> Any:
        rows = [
            self._node("mtr", *(self._node("mtd", self._print(entry)) for entry in matrix.row(i)))
            for i in range(matrix.rows)
        ]
        return self._row(self._node("mo", "["), self._node("mtable", *rows), self._node("mo", "]"))

    def _print_exp(self, expr: Any) -> Any:
        return self._node("msup", self._node("mi", "e"), self._raised(expr.args[0]))

    def _print_Pi(self, _: Any) -> Any:  # SymPy's are entities, which XML does not know
        return self._node("mi", "π")

    def _print_Exp1(self, _: Any) -> Any:
        return self._node("mi", "e")

    def _raised(self, exponent: Any) -> Any:
        """An exponent, its fractions on one line."""
        outside, self.in_exponent = self.in_exponent, True
        printed = self._print(exponent)
        self.in_exponent = outside
        return printed

    def _ratio(self, above: Any, below: Any) -> Any:
        """above / below, products both."""
        if not self.in_exponent:
            return self._node("mfrac", self._product(above), self._product(below))
        top = self._fenced(self._print(above)) if above.is_Add else self._product(above)
        bottom = self._product(below)
        return self._row(top, self._node("mo", "/"), self._fenced(bottom) if below.is_Mul or below.is_Add else bottom)

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

    def _print_Limit(self, expr: Any) -> Any:
        """Towards infinity, where one side is all there is."""
        body, variable, point, _ = expr.args
        towards = self._row(self._print(variable), self._node("mo", "→"), self._print(point))
        sign = self._node("munder", self._node("mo", "lim"), towards)
        return self._row(sign, self._fenced(self._print(body)) if body.is_Add else self._print(body))

    def _print_Add(self, expr: Any, order: Any = None) -> Any:
        """Sums first, cases last, and a positive term in front."""
        terms = sorted(self._as_ordered_terms(expr, order), key=lambda term: (term.has(sp.Piecewise), -_signs(term)))
        front = next((term for term in terms if not term.could_extract_minus_sign()), terms[0])
        terms = [front, *(term for term in terms if term is not front)]
        row = [self._print(terms[0])]
        for term in terms[1:]:
            negative = term.could_extract_minus_sign() and not term.is_Add
            row += [self._node("mo", "−" if negative else "+"), self._print(-term if negative else term)]
        return self._row(*row)

    def _print_Mul(self, expr: Any) -> Any:
        """Sign, fraction, then sums, integrals and limits, which reach to the end."""
        coefficient, factors = expr.as_coeff_mul()
        flipped = [f for f in factors if f.is_Add and all(each.could_extract_minus_sign() for each in f.args)]
        factors = [-f if f in flipped else f for f in factors]
        coefficient *= (-1) ** len(flipped)
        last = [f for f in factors if isinstance(f, sp.Sum | sp.Integral | sp.Limit)]
        above, below = sp.fraction(abs(coefficient) * sp.Mul(*(f for f in factors if f not in last)), exact=True)
        row = [self._node("mo", "−")] if coefficient < 0 else []
        if below != 1:
            row.append(self._ratio(above, below))
        elif above != 1:
            row.append(self._product(above))
        return self._row(*row, *(self._print(f) if f is last[-1] else self._fenced(self._print(f)) for f in last))

    def _product(self, expr: Any) -> Any:
        """A product without a denominator: numbers, letters, the time, functions, brackets."""

        def rank(f: Any) -> int:
            if f.is_number:
                return 0
            if isinstance(f, sp.Symbol | sp.Indexed):
                return 2 if f.name == "t" else 1
            return 5 if isinstance(f, sp.Derivative) else 4 if f.is_Add else 3

        factors = sorted(sp.Mul.make_args(expr), key=rank)
        if len(factors) == 1:
            return self._print(factors[0])
        return self._row(*(self._fenced(self._print(f)) if f.is_Add else self._print(f) for f in factors))

    def _print_Pow(self, expr: Any) -> Any:
        if expr.exp == sp.Rational(1, 2):
            return super()._print_Pow(expr)
        if expr.exp.is_number and expr.exp.is_negative:
            return self._ratio(sp.Integer(1), 1 / expr)
        base = self._print(expr.base)
        bare = isinstance(expr.base, sp.Symbol | sp.Indexed) or expr.base.is_Function or expr.base.is_Integer
        return self._node("msup", base if bare else self._fenced(base), self._raised(expr.exp))

    def _print_Integer(self, expr: Any) -> Any:
        number = self._node("mn", str(abs(int(expr))))
        return self._row(self._node("mo", "−"), number) if expr < 0 else number

    def _print_Rational(self, expr: Any) -> Any:
        """0.7, and 1/2 as a fraction."""
        if expr.q >= FINEST_FRACTION and 10**9 % expr.q == 0:
            number = self._node("mn", f"{abs(Decimal(int(expr.p)) / Decimal(int(expr.q))):f}")
            return self._row(self._node("mo", "−"), number) if expr < 0 else number
        ratio = self._ratio(sp.Integer(abs(expr.p)), sp.Integer(expr.q))
        return self._row(self._node("mo", "−"), ratio) if expr < 0 else ratio

    def _print_Piecewise(self, expr: Any) -> Any:
        def cell(child: Any) -> Any:
            node = self._node("mtd", child)
            node.setAttribute("style", "text-align: left")
            return node

        def condition(where: Any) -> Any:
            return self._node("mtext", "otherwise") if where == sp.true else self._print(where)

        rows = (self._node("mtr", cell(self._print(value)), cell(condition(where))) for value, where in expr.args)
        return self._row(self._node("mo", "{"), self._node("mtable", *rows))

    def _print_And(self, expr: Any) -> Any:
        """begin <= t <= end, as a kernel states its support."""
        for lower, upper in permutations(expr.args, 2):
            if len(expr.args) == 2 and lower.gts == upper.lts:
                ends = self._print(lower.lts), self._print(lower.gts), self._print(upper.gts)
                return self._row(ends[0], self._node("mo", "≤"), ends[1], self._node("mo", "≤"), ends[2])
        return super()._print_And(expr)

    def _print_Subs(self, expr: Any) -> Any:
        """The derivative of a function at a point, with a prime."""
        prime = self._node("msup", self._name(expr.expr.expr), self._node("mo", "′"))
        return self._call(prime, expr.point)

    def _print_MatMul(self, expr: Any) -> Any:
        coefficient, rest = expr.as_coeff_mmul()
        shown = [self._fenced(self._print(f)) if f.is_MatAdd else self._print(f) for f in sp.MatMul.make_args(rest)]
        return self._row(*([] if coefficient == 1 else [self._print(coefficient)]), *shown)

    def _print_MatAdd(self, expr: Any) -> Any:
        """Positive terms first."""
        terms = sorted(expr.args, key=lambda term: bool(term.as_coeff_mmul()[0].could_extract_minus_sign()))
        row: list[Any] = []
        for term in terms:
            negative = term.as_coeff_mmul()[0].could_extract_minus_sign()
            sign = "−" if negative else "+"
            row += [*([self._node("mo", sign)] if row or negative else []), self._print(-term if negative else term)]
        return self._row(*row)

    def _print_ZeroMatrix(self, expr: Any) -> Any:
        return self._node("mn", "0")

    def _print_Derivative(self, expr: Any) -> Any:
        inner, (variable, order) = expr.expr, expr.variable_count[0]
        if inner.is_Function and inner.args == (variable,):  # R'(w_k), y^(k)(t)
            sign = self._node("mo", "′") if order == 1 else self._fenced(self._print(order))
            return self._call(self._node("msup", self._name(inner), sign), inner.args)
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


class ShownIntegral(sp.Integral):
    """An integral to be printed: SymPy would compute a number, for many seconds, to put the terms of a sum in order."""

    is_number = False


def named(expr: sp.Expr) -> sp.Expr:
    """The expression with its moments as a reader meets them: by a letter, through exp, or as the integral.

    >>> s, t = sp.symbols("s t", positive=True)
    >>> named(GaussianMoment(0, s, 10, 1)), named(Moment(0, s, sp.Lambda(t, sp.airyai(t)), 0, sp.oo))
    (M_0(s, 10, 1), Integral(exp(-s*t)*airyai(t), (t, 0, oo)))
    """

    def name(moment: Any) -> Any:
        n, s, *rest = moment.args
        if isinstance(moment, ExponentialMoment):
            return moment.explicit()
        if isinstance(moment, Moment):
            f, lower, upper = rest
            (t,) = f.variables
            return ShownIntegral(sp.powsimp(t**n * sp.exp(-s * t) * f.expr), (t, lower, upper))
        shown = rest[:1] if isinstance(moment, DividedMoment) else rest  # the horizon is said elsewhere
        return sp.Function(f"{LETTERS[type(moment)]}_{n}")(s, *shown)

    return expr.replace(lambda each: isinstance(each, MomentBase), name) if expr.has(MomentBase) else expr


def mathml(left: sp.Expr, right: sp.Expr, relation: str = "=") -> Markup:
    """left = right as a MathML block; relation is a LaTeX sign, as in theory.latex.Statement."""
    printer = Presentation()
    sign = {"=": "=", r"\ge": "≥", r"\le": "≤", r"\sim": "∼"}[relation]
    sides = [printer._print(_signs_outside(named(side))).toxml() for side in (left, right)]
    body = f"{sides[0]}<mo>{sign}</mo>{sides[1]}".replace("&amp;", "&").replace("&InvisibleTimes;", "\u2062")
    return Markup(f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow>{body}</mrow></math>')
