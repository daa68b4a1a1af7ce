"""Exact expressions of theory/, compiled once and bound to an arithmetic.

A Program holds Python source with common subexpressions out. Everything without free symbols is a constant, computed
once when the program is bound, from exact integers and rationals at the precision of the arithmetic: no decimal is
ever typed, no 1/3 becomes 0.333. Functions are looked up in the arithmetic's table; a special function with a
`closed` form is written out through it, and the arithmetic may replace the value where that form cancels; a moment
with an `integrand` that the table lacks is computed by the rule of numerics/quadrature.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from numerics.arithmetic import Arithmetic
from theory.special import MomentBase

SMALL = 2**31  # integers up to here stay Python ints in the source; larger ones become numbers of the arithmetic


@dataclass(frozen=True)
class Program:
    """Source of a function of `arguments`, and the exact constants and moments (name, function) it uses."""

    source: str
    constants: tuple[tuple[str, sp.Expr], ...]
    moments: tuple[tuple[str, sp.Function], ...]

    def bind(self, arithmetic: Arithmetic) -> Callable[..., tuple[Any, ...]]:
        """The function in an arithmetic; call it inside `arithmetic.working()` with numbers or arrays of them."""
        with arithmetic.working():
            scope = arithmetic.functions | {name: _moment(each, arithmetic) for name, each in self.moments}
            scope |= {name: _value(exact, arithmetic, scope) for name, exact in self.constants}
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
        return f"power({base}, {self._print(exponent)})"

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        *pieces, (printed, _) = [(self._print(value), condition) for value, condition in expr.args]
        for value, condition in reversed(pieces):
            printed = f"where({self._print(condition)}, {value}, {printed})"
        return printed

    def _print_Relational(self, expr: sp.Rel) -> str:
        return f"({self._print(expr.lhs)} {expr.rel_op} {self._print(expr.rhs)})"

    def _print_And(self, expr: sp.And) -> str:
        return "*".join(self._print(each) for each in expr.args)  # for numbers and arrays alike

    def _print_MomentBase(self, expr: sp.Function) -> str:
        order, *arguments = expr.args
        return f"{type(expr).__name__}({int(order)}, {', '.join(self._print(each) for each in arguments)})"

    def _print_Pi(self, expr: Any) -> str:
        return "pi()"

    def _print_Exp1(self, expr: Any) -> str:
        return f"exp({self._print(sp.S.One)})"

    def _print_Function(self, expr: sp.Function) -> str:
        arguments = ", ".join(self._print(argument) for argument in expr.args)
        return f"{type(expr).__name__}({arguments})"


class _Replaceable(sp.Function):
    """A special function as its closed form followed by its arguments; printed under the special function's name."""


Moments = dict[tuple[Any, ...], tuple[str, sp.Function]]


def _write_out(expr: sp.Expr, moments: Moments) -> sp.Expr:
    """Special functions as the arithmetic's table knows them.

    One with a `closed` form becomes Name(closed form, arguments); a moment with an `integrand` becomes NAME(n, s), and
    what NAME stands for is noted in `moments`.
    """

    def named(function: sp.Function) -> sp.Expr:
        if hasattr(function, "closed"):
            return type(type(function).__name__, (_Replaceable,), {})(function.closed(), *function.args)
        order, s, *of = function.args
        name, _ = moments.setdefault((type(function), *of), (f"moment_{len(moments)}", function))
        return type(name, (MomentBase,), {})(order, s)

    return expr.replace(lambda each: hasattr(each, "closed") or hasattr(each, "integrand"), named)


def _moment(function: sp.Function, arithmetic: Arithmetic) -> Callable[[int, Any], Any]:
    """(n, s) -> the moment in an arithmetic, from its table if that has it; "rule" there builds those of a density."""
    from numerics.quadrature import rule  # which compiles the density: each needs the other

    if direct := arithmetic.functions.get(type(function).__name__):
        parameters = [evaluate(each, arithmetic) for each in function.args[2:]]
        return lambda n, s: direct(n, s, *parameters)
    density, lower, upper = function.integrand
    return arithmetic.functions.get("rule", rule)(density, lower, upper, arithmetic)


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
    moments: Moments = {}
    written = [_write_out(sp.sympify(each), moments).xreplace(names) for each in expressions]
    reciprocals, divided = _by_reciprocals(written)
    printer = _Source(hoist=True)
    lines = [f"    {name} = 1/({printer.doprint(base)})" for name, base in reciprocals.items()]
    shared, results = sp.cse(divided, symbols=sp.numbered_symbols("shared_", real=True))
    lines += [f"    {name} = {printer.doprint(value)}" for name, value in shared]
    returned = ", ".join(printer.doprint(result) for result in results)
    signature = ", ".join(str(name) for name in names.values())
    source = "\n".join([f"def program({signature}):", *lines, f"    return ({returned},)"])
    constants = tuple((name, exact) for exact, name in printer.constants.items())
    return Program(source, constants, tuple(moments.values()))


def evaluate(exact: sp.Expr, arithmetic: Arithmetic) -> Any:
    """A constant expression as a number of the arithmetic; call it inside `arithmetic.working()`."""
    moments: Moments = {}
    written = _write_out(sp.sympify(exact), moments)
    scope = arithmetic.functions | {name: _moment(each, arithmetic) for name, each in moments.values()}
    return _value(written, arithmetic, scope)


def _value(written: sp.Expr, arithmetic: Arithmetic, functions: dict[str, Callable[..., Any]]) -> Any:
    """A constant expression, its special functions written out, as a number."""
    if written.is_Rational:
        return arithmetic.number(written)
    printer = _Source(hoist=False)
    source = printer.doprint(written)
    scope = functions | {name: arithmetic.number(rational) for rational, name in printer.constants.items()}
    return eval(source, scope)  # noqa: S307 - printed above from a SymPy expression


def bind(
    arguments: Sequence[sp.Symbol], expressions: Sequence[sp.Expr], arithmetic: Arithmetic
) -> Callable[..., tuple[Any, ...]]:
    """Compile (remembered) and bind in one go."""
    return compiled(tuple(arguments), tuple(expressions)).bind(arithmetic)
