"""Exact expressions of theory/, compiled once and bound to an arithmetic.

A Program holds Python source with common subexpressions out. Everything without free symbols is a constant, computed
once when the program is bound, from exact integers and rationals at the precision of the arithmetic: no decimal is
ever typed, no 1/3 becomes 0.333. Functions are looked up in the arithmetic's table; a special function with a
`closed` form is written out through it, and the arithmetic may replace the value where that form cancels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from numerics.arithmetic import Arithmetic

SMALL = 2**31  # integers up to here stay Python ints in the source; larger ones become numbers of the arithmetic


@dataclass(frozen=True)
class Program:
    """Source of a function of `arguments`, and the exact constants it uses."""

    source: str
    constants: tuple[tuple[str, sp.Expr], ...]

    def bind(self, arithmetic: Arithmetic) -> Callable[..., tuple[Any, ...]]:
        """The function in an arithmetic; call it inside `arithmetic.working()` with numbers or arrays of them."""
        with arithmetic.working():
            scope = dict(arithmetic.functions)
            for name, exact in self.constants:
                scope[name] = evaluate(exact, arithmetic)
            exec(self.source, scope)  # noqa: S102 - the source is printed below from a SymPy expression
        return scope["program"]


class _Source(StrPrinter):
    """Prints an expression as Python, moving what is constant into `constants`."""

    def __init__(self, hoist: bool) -> None:
        super().__init__()
        self.hoist = hoist
        self.constants: dict[sp.Expr, str] = {}

    def _constant(self, expr: sp.Expr) -> str:
        return self.constants.setdefault(expr, f"constant_{len(self.constants)}")

    def _print(self, expr: Any, **kwargs: Any) -> str:
        if isinstance(expr, sp.Integer) and self.hoist and abs(expr) < SMALL:
            return f"({int(expr)})" if expr < 0 else str(expr)
        if isinstance(expr, sp.Rational) or (self.hoist and isinstance(expr, sp.Expr) and not expr.free_symbols):
            return self._constant(expr)
        return super()._print(expr, **kwargs)

    def _print_Mul(self, expr: sp.Mul) -> str:
        coefficient, rest = expr.as_independent(*expr.free_symbols, as_Add=False) if self.hoist else (sp.S.One, expr)
        if coefficient == -1:
            return f"-({self._print(rest)})"
        if coefficient != 1:
            return f"{self._print(coefficient)}*({self._print(rest)})"
        numerator, denominator = expr.as_numer_denom() if not self.hoist else sp.fraction(expr, exact=True)
        if denominator == 1:
            return "*".join(f"({self._print(factor)})" for factor in expr.args)
        return f"({self._print(numerator)})/({self._print(denominator)})"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = self._print(expr.base), expr.exp
        if exponent.is_Integer:
            power = "*".join([f"({base})"] * abs(exponent)) if abs(exponent) <= 4 else f"({base})**{abs(exponent)}"
            return power if exponent > 0 else f"(1/({power}))"
        if abs(exponent) == sp.Rational(1, 2):
            return f"sqrt({base})" if exponent > 0 else f"(1/sqrt({base}))"
        return f"({base})**({self._print(exponent)})"

    def _print_Pi(self, expr: Any) -> str:
        return "pi()"

    def _print_Exp1(self, expr: Any) -> str:
        return f"exp({self._print(sp.S.One)})"

    def _print_Function(self, expr: sp.Function) -> str:
        arguments = ", ".join(self._print(argument) for argument in expr.args)
        return f"{type(expr).__name__}({arguments})"


class _Replaceable(sp.Function):
    """A special function as its closed form followed by its arguments; printed under the special function's name."""


def _write_out(expr: sp.Expr) -> sp.Expr:
    """Every special function that has a `closed` form as Name(closed form, arguments), for the arithmetic's table."""

    def named(function: sp.Function) -> sp.Expr:
        placeholder = type(type(function).__name__, (_Replaceable,), {})
        return placeholder(function.closed(), *function.args)

    return expr.replace(lambda each: hasattr(each, "closed") and not isinstance(each, _Replaceable), named)


def _divides(expr: sp.Expr) -> bool:
    return isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp < 0 and bool(expr.base.free_symbols)


def _by_reciprocals(expressions: list[sp.Expr]) -> tuple[dict[sp.Symbol, sp.Expr], list[sp.Expr]]:
    """Divisions taken out: symbols for 1/base, each divided once, and the expressions as products of them."""
    bases = {power.base for each in expressions for power in each.atoms(sp.Pow) if _divides(power)}
    plain = sorted((base for base in bases if not any(map(_divides, base.atoms(sp.Pow)))), key=sp.default_sort_key)
    symbols = dict(zip(plain, sp.numbered_symbols("reciprocal_", real=True), strict=False))
    powers = {
        power: symbols[power.base] ** -power.exp
        for each in expressions
        for power in each.atoms(sp.Pow)
        if _divides(power) and power.base in symbols
    }
    return {symbol: base for base, symbol in symbols.items()}, [each.xreplace(powers) for each in expressions]


@lru_cache(maxsize=256)
def compiled(arguments: tuple[sp.Symbol, ...], expressions: tuple[sp.Expr, ...]) -> Program:
    """The Program that computes the tuple of expressions from the arguments."""
    names = {symbol: sp.Symbol(f"argument_{i}", real=True) for i, symbol in enumerate(arguments)}
    written = [_write_out(sp.sympify(each)).xreplace(names) for each in expressions]
    reciprocals, divided = _by_reciprocals(written)
    printer = _Source(hoist=True)
    lines = [f"    {name} = 1/({printer.doprint(base)})" for name, base in reciprocals.items()]
    shared, results = sp.cse(divided, symbols=sp.numbered_symbols("shared_", real=True))
    lines += [f"    {name} = {printer.doprint(value)}" for name, value in shared]
    returned = ", ".join(printer.doprint(result) for result in results)
    signature = ", ".join(str(name) for name in names.values())
    source = "\n".join([f"def program({signature}):", *lines, f"    return ({returned},)"])
    return Program(source, tuple((name, exact) for exact, name in printer.constants.items()))


def evaluate(exact: sp.Expr, arithmetic: Arithmetic) -> Any:
    """A constant expression as a number of the arithmetic; call it inside `arithmetic.working()`."""
    exact = sp.sympify(exact)
    if exact.is_Rational:
        return arithmetic.number(exact)
    printer = _Source(hoist=False)
    source = printer.doprint(_write_out(exact))
    scope = dict(arithmetic.functions)
    scope |= {name: arithmetic.number(rational) for rational, name in printer.constants.items()}
    return eval(source, scope)  # noqa: S307 - printed above from a SymPy expression


def bind(
    arguments: Sequence[sp.Symbol], expressions: Sequence[sp.Expr], arithmetic: Arithmetic
) -> Callable[..., tuple[Any, ...]]:
    """Compile (remembered) and bind in one go."""
    return compiled(tuple(arguments), tuple(expressions)).bind(arithmetic)
