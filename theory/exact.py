"""Exact numbers: what may enter memcurse, and what is refused.

Strings ("0.7", "1/3", "1e400"), ints, Fractions and float-free SymPy expressions are taken at their exact value.
A binary float is never quietly taken for a decimal: 0.1 is 3602879701896397/36028797018963968, not 1/10.
"""

import re
from fractions import Fraction
from typing import Any, TypeAlias

import sympy as sp

Exact: TypeAlias = int | str | Fraction | sp.Expr

DECIMAL = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,8})?\s*", re.ASCII)
QUOTIENT = re.compile(r"\s*[+-]?\d+\s*/\s*\d+\s*", re.ASCII)
LONGEST = 4_000  # characters; a longer number is a mistake or an attack, and Python reads 4300 digits at most
LARGEST_EXPONENT = 1_000_000  # tau ~ 10^600000 is real; ten times this exponent takes ten seconds to read


def exact(value: Any, name: str) -> sp.Expr:
    """An int, Fraction, string like '1/3' or float-free SymPy expression, as SymPy. No rounding.

    name: what the caller calls the argument; every error message begins with it.
    Raises TypeError for the wrong kind of thing (floats and booleans included), ValueError for a bad string.

    >>> exact("0.7", "rate")
    7/10
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got the boolean {value!r}; pass '1', '0' or another number")
    if isinstance(value, sp.Basic):
        if not isinstance(value, sp.Expr):
            raise TypeError(f"{name} must be an exact number, got the SymPy {type(value).__name__} {value}")
        if floats := value.atoms(sp.Float):
            culprit = min(floats, key=str)
            raise TypeError(
                f"{name} must be exact, got {value} with the float {culprit}; use a Rational, as in Rational('0.1')"
            )
        if value.has(sp.nan, sp.oo, -sp.oo, sp.zoo):
            raise ValueError(f"{name} must be finite, got {value}")
        return value
    if isinstance(value, int | Fraction):
        return sp.Rational(value)
    if isinstance(value, str):
        return _parse(value, name)
    if isinstance(value, float):
        raise TypeError(f"{name} must be exact, got the float {float(value)!r}; pass '{float(value)!r}' or a Fraction")
    kind = type(value).__name__
    raise TypeError(f"{name} must be an exact number, got {value!r} of type {kind}; pass a string like '0.7'")


def _parse(text: str, name: str) -> sp.Rational:
    shown = text if len(text) <= 60 else text[:57] + "..."
    if len(text) > LONGEST:
        raise ValueError(f"{name} has {len(text)} characters, at most {LONGEST} are read: '{shown}'")
    if QUOTIENT.fullmatch(text):
        numerator, denominator = text.split("/")
        if int(denominator) == 0:
            raise ValueError(f"{name} must be finite, got '{shown}' with the denominator 0")
        return sp.Rational(int(numerator), int(denominator))
    match = DECIMAL.fullmatch(text)
    if not match:
        raise ValueError(f"{name} must be a number such as '0.7', '1/3' or '1e-6', got '{shown}'")
    if abs(int((match[3] or "e0")[1:])) > LARGEST_EXPONENT:
        raise ValueError(f"{name} must have an exponent of at most {LARGEST_EXPONENT}, got '{shown}'")
    return sp.Rational(text.strip())


def positive(value: Any, name: str, why: str) -> sp.Expr:
    """Like `exact`, for a number that must be > 0; `why` ends the message: what the condition is good for."""
    number = exact(value, name)
    if not number.is_positive:
        hint = "" if not number.free_symbols else " (declare a symbol with positive=True)"
        raise ValueError(f"{name} must be > 0 {why}, got {_shown(number)}{hint}")
    return number


def real(value: Any, name: str) -> sp.Expr:
    """Like `exact`, for a number that must be real."""
    number = exact(value, name)
    if not number.is_real:
        hint = "" if not number.free_symbols else " (declare a symbol with real=True)"
        raise ValueError(f"{name} must be real, got {number}{hint}")
    return number


def _shown(number: sp.Expr) -> str:
    """A number in an error message; a long one is rounded, for Python prints 4300 digits at most."""
    long = number.is_Rational and max(abs(number.p), number.q) >= 10**60
    return str(sp.N(number, 6) if long else number)
