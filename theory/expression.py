"""Formulas in t as a user writes them, read into SymPy by a whitelist; no text is ever evaluated.

    formula   t, pi, decimals, + - * /, ^ or ** for powers, ( ), and the functions in FUNCTIONS
    a^b       b real and free of t, or a > 0 free of t                                                       (X1)

^ becomes ** before Python's parser sees the text, for there ^ binds more weakly than +. A decimal is taken from the
text, never through a float: 0.1 is 1/10. By (X1) t^t is refused: where the base moves, the power is a fixed number.

SymPy works out powers of integers at once, so a short formula can ask for more memory than there is. Two bounds stop
that before the power is formed; a third keeps what is formed small.

    an exponent free of t                      |b| <= 1000                                                   (X2)
    e^b or a^b = e^{b ln a}                    numbers beside a logarithm <= 10^6, for e^{n ln a} is a^n     (X3)
    any integer, any constant                  at most 100 digits; between 10^-100 and 10^100                (X4)
"""

import ast
import difflib
import re
from typing import Any, NoReturn

import sympy as sp

from theory.exact import exact

t = sp.Symbol("t", nonnegative=True)

FUNCTIONS: dict[str, Any] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "atan": sp.atan,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "airy": sp.airyai,
}
NAMES = {"t": t, "pi": sp.pi}
ALLOWED = f"allowed are t, pi, numbers, + - * / ^ and the functions {', '.join(FUNCTIONS)}"

LONGEST = 1_000  # characters
DEEPEST = 20  # brackets, powers and functions within each other
LARGEST_POWER = 1_000  # (X2)
LARGEST_BESIDE_A_LOGARITHM = 10**6  # (X3)
LARGEST = 100  # (X4): digits of an integer, decimal exponent of a constant

SAMPLES = (*(sp.Rational(k, 4) for k in range(25)), *map(sp.Integer, (7, 8, 10, 12, 15, 20, 30, 50)))

FOREIGN = re.compile(r"[^A-Za-z0-9_+\-*/^().,\s]")
MISSING_STAR = re.compile(r"(?<![\w.])(?>[\d.]+(?:[eE][+-]?\d+)?)\s*[A-Za-z_(]")


def parse(text: str, name: str) -> sp.Expr:
    """The formula `text` in the time t >= 0 as a SymPy expression in Symbol("t", nonnegative=True). Exact.

    name: what the caller calls the formula; every error message begins with it.
    Raises TypeError if text is not a string; ValueError, naming what was found, for anything that is not in the
    grammar, too large, or not real and finite: poles of rational parts are found, other places are looked at for some
    t only.

    >>> parse("exp(-0.1*(t - 10)^2)", "rho")
    exp(-(t - 10)**2/10)
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a formula in t as a string, got {text!r} of type {type(text).__name__}")
    return _Formula(text, name).expression()


class _Formula:
    """One text on its way into SymPy; holds what error messages need."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.shown = text if len(text) <= 60 else text[:57] + "..."
        self.text = " ".join(text.replace("^", "**").split())

    def refuse(self, found: str) -> NoReturn:
        raise ValueError(f"{self.name} must be a formula in t, {found} in '{self.shown}'; {ALLOWED}")

    def expression(self) -> sp.Expr:
        if len(self.text) > LONGEST:
            self.refuse(f"{len(self.text)} characters, at most {LONGEST} are read,")
        if foreign := FOREIGN.search(self.text):
            self.refuse(f"found the character {foreign[0]!r}")
        if found := MISSING_STAR.search(self.text):
            self.refuse(f"found '{found[0]}', a number times something is written with *,")
        try:
            tree = ast.parse(self.text, mode="eval")
            value = self.read(tree.body, 0)
        except SyntaxError as error:
            self.refuse(f"found no formula ({error.msg})")
        except (RecursionError, MemoryError):
            self.refuse("brackets, powers or functions are nested too deep")
        for power in value.atoms(sp.Pow):
            base = sp.Poly(power.base, t) if power.exp.is_negative and power.base.is_polynomial(t) else None
            if base is not None and base.domain.is_Numerical and base.domain.is_Exact and base.count_roots(0):
                self.refuse(f"found a pole where {power.base} = 0 at some t >= 0")
        for time in SAMPLES if not value.is_real else ():
            found = sp.N(value.subs(t, time))
            if not (found.is_real and found.is_finite):
                self.refuse(f"found {found} at t = {time}, where a memory must be a real number,")
        return value

    def read(self, node: ast.AST, depth: int) -> sp.Expr:
        if depth > DEEPEST:
            self.refuse(f"brackets, powers or functions are nested more than {DEEPEST} deep")
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                value = exact(ast.get_source_segment(self.text, node), self.name)
            case ast.Name(id=identifier):
                value = self.named(identifier)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                sign = -1 if isinstance(node.op, ast.USub) else 1
                value = sign * self.read(operand, depth + 1)
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                value = self.power(self.read(left, depth + 1), self.read(right, depth + 1))
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                # A long sum leans to the left: its terms are beside each other, not within.
                value = self.combined(node.op, self.read(node.left, depth), self.read(node.right, depth + 1))
            case ast.Call():
                value = self.called(node, depth)
            case _:
                self.refuse(f"found '{ast.get_source_segment(self.text, node)}'")
        return self.checked(value, node)

    def named(self, identifier: str) -> sp.Expr:
        if identifier in NAMES:
            return NAMES[identifier]
        if identifier in FUNCTIONS:
            self.refuse(f"found the function '{identifier}' without its argument, as in {identifier}(t),")
        self.unknown(identifier, [*NAMES, *FUNCTIONS])

    def unknown(self, identifier: str, known: list[str]) -> NoReturn:
        near = difflib.get_close_matches(identifier, known, 1)
        self.refuse(f"found the name '{identifier}'" + (f" (did you mean '{near[0]}'?)" if near else ""))

    def combined(self, operator: ast.operator, left: sp.Expr, right: sp.Expr) -> sp.Expr:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case _:
                return left / right

    def power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if exponent.has(t):
            if base.has(t) or not base.is_positive:
                self.refuse(f"found the power ({base})^({exponent}), whose base must be > 0 and free of t,")  # (X1)
            self.check_exponent(exponent * sp.log(base))
        elif abs(sp.N(exponent)) > LARGEST_POWER:
            self.refuse(f"found an exponent beyond {LARGEST_POWER}")  # (X2)
        return base**exponent

    def called(self, node: ast.Call, depth: int) -> sp.Expr:
        function = node.func
        if not isinstance(function, ast.Name) or function.id in NAMES:
            left = ast.get_source_segment(self.text, function)
            self.refuse(f"found '{left}' before a bracket, a product is written with *,")
        if function.id not in FUNCTIONS:
            self.unknown(function.id, list(FUNCTIONS))
        if len(node.args) != 1:
            self.refuse(f"found {function.id} with {len(node.args)} arguments instead of one")
        argument = self.read(node.args[0], depth + 1)
        if function.id == "exp":
            self.check_exponent(argument)
        return FUNCTIONS[function.id](argument)

    def check_exponent(self, exponent: sp.Expr) -> None:
        numbers = exponent.atoms(sp.Rational) if exponent.has(sp.log) else set()
        if any(abs(each) > LARGEST_BESIDE_A_LOGARITHM for each in numbers):
            self.refuse(f"found a number beyond {LARGEST_BESIDE_A_LOGARITHM} beside a logarithm in an exponent")  # (X3)

    def checked(self, value: sp.Expr, node: ast.AST) -> sp.Expr:
        """The value of a part, if it is finite, real and of a size that can be worked with."""
        source = ast.get_source_segment(self.text, node)
        if value.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
            self.refuse(f"found '{source}', which is not finite,")
        if value.is_real is False or value.has(sp.I):
            self.refuse(f"found '{source}', which is not real,")
        if any(max(abs(each.p), each.q) >= 10**LARGEST for each in value.atoms(sp.Rational)):
            self.refuse(f"found '{source}', with an integer of more than {LARGEST} digits,")  # (X4)
        if value.has(t):
            if value.is_Pow and not value.exp.has(t) and abs(sp.N(value.exp)) > LARGEST_POWER:
                self.refuse(f"found '{source}', an exponent beyond {LARGEST_POWER},")  # (X2), powers of powers
            if value.has(sp.Abs, sp.sign):
                self.refuse(f"found '{source}', which has a kink: write it for each side of the kink,")
        elif not value.is_Rational:
            self.check_constant(value, str(source))
        return value

    def check_constant(self, value: sp.Expr, source: str) -> None:
        size = sp.N(value)
        if not size.is_real:
            self.refuse(f"found '{source}', which is not real,")
        if not sp.Rational(1, 10**LARGEST) <= abs(size) <= 10**LARGEST:
            self.refuse(f"found '{source}', beyond 10^{LARGEST} or too small to be told from zero,")  # (X4)
