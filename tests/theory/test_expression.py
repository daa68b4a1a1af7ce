"""Formulas are read as written, exactly, and nothing else is read."""

import re
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from theory.expression import LONGEST, parse
from tolerances import working

t = sp.Symbol("t", nonnegative=True)
HALF = sp.Rational(1, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(-(t-10)^2/2)", sp.exp(-((t - 10) ** 2) / 2)),
        ("1/(1+t)^(3/2)", (1 + t) ** (-3 * HALF)),
        ("airy(t - 3)*exp(-t/5)", sp.airyai(t - 3) * sp.exp(-t / 5)),
        ("0.1*t", t / 10),  # not 3602879701896397/36028797018963968
        ("1.5e-3", sp.Rational(3, 2000)),
        ("12345678901234567890.1", sp.Rational("12345678901234567890.1")),  # more digits than a float has
        ("-t^2", -(t**2)),  # Python's own ^ would give (-t)^2 or worse
        ("t+1^2*3", t + 3),
        ("2^3^2*t", 512 * t),
        ("2**-t", 2**-t),
        ("+t", t),
        ("pi*t", sp.pi * t),
        ("t^sqrt(2)", t ** sp.sqrt(2)),
        ("(-8)^3", sp.Integer(-512)),
        ("log(1 + t)/sqrt(1\n + t)", sp.log(1 + t) / sp.sqrt(1 + t)),
        ("sin(t)+cos(t)+sinh(t)+cosh(t)", sp.sin(t) + sp.cos(t) + sp.sinh(t) + sp.cosh(t)),
        ("tanh(t)+atan(t)+erf(t)+erfc(t)", sp.tanh(t) + sp.atan(t) + sp.erf(t) + sp.erfc(t)),
        ("exp(-t - 1000)", sp.exp(-t - 1000)),
        ("+".join(["t"] * 500), 500 * t),  # long, not deep
    ],
)
def test_a_formula_is_what_it_looks_like(text, expected):
    assert parse(text, "rho") == expected


RATIONALS = st.recursive(
    st.sampled_from(["t", "2", "0.3", "t", "5", "1.25"]),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["+", "-", "*", "/", " - "]), part).map("".join),
        st.tuples(part, st.sampled_from(["^2", "^3", "**2", "^-1"])).map("".join),
        part.map("({})".format),
        part.map("-{}".format),
    ),
    max_leaves=8,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(text=RATIONALS, at=st.fractions(0, 3, max_denominator=7))
def test_a_rational_formula_has_the_value_of_exact_arithmetic(text, at):
    # Oracle: Python's own arithmetic of Fractions. Rejects ^ read as Python reads it, and decimals that pass a float.
    written = re.sub(r"([\d.]+)", r"F('\1')", text.replace("^", "**"))
    try:
        expected = eval(written, {"F": Fraction, "t": at})  # noqa: S307 - the text was drawn above
        found = parse(text, "rho").subs(t, sp.Rational(at.numerator, at.denominator))
    except ZeroDivisionError:
        assume(False)
    except ValueError as refused:  # such as 1/(t - t), or the power of a power of a power
        assert re.search("not finite|digits|exponent|a real number|a pole", str(refused))
        assume(False)
    assume(isinstance(expected, Fraction) and found.is_finite)
    assert Fraction(int(found.p), int(found.q)) == expected


def test_functions_are_the_ones_they_are_named_for():
    ctx = working(20)
    at = ctx.mpf("0.7")
    names = ["exp", "log", "sqrt", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf", "erfc"]
    for name, function in [*((name, getattr(ctx, name)) for name in names), ("airy", ctx.airyai)]:
        found = sp.N(parse(f"{name}(t + 1/5)", "rho").subs(t, sp.Rational(1, 2)), 25)
        assert abs(ctx.mpf(str(found)) - function(at)) < ctx.mpf("1e-20")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found no formula"),
        ("exp(t", "found no formula"),
        ("x", "found the name 'x'"),
        ("__import__", "found the name '__import__'"),
        ("sen(t)", r"found the name 'sen' \(did you mean 'sin'\?\)"),
        ("tt", r"found the name 'tt' \(did you mean 't'\?\)"),
        ("sin", r"found the function 'sin' without its argument"),
        ("sin(t, 1)", "found sin with 2 arguments"),
        ("sin()", "found sin with 0 arguments"),
        ("sin(*t)", r"found '\*t'"),
        ("sin(x=t)", "found the character '='"),
        ("t.real", r"found 't\.real'"),
        ("t if t else 1", "found 't if t else 1'"),
        ("t and t", "found 't and t'"),
        ("not t", "found 'not t'"),
        ("lambda: t", "found the character ':'"),
        ("t < 1", "found the character '<'"),
        ("t//2", "found 't//2'"),
        ("t % 2", "found the character '%'"),
        ("'t'", 'found the character "\'"'),
        ("t # comment", "found the character '#'"),
        ("(t, 1)", r"found '\(t, 1\)'"),
        ("True*t", "found 'True'"),
        ("...", r"found '\.\.\.'"),
        ("1j*t", "found '1j'"),
        ("0x10*t", "found '0x'"),
        ("1_000*t", "found '1_'"),
        ("2t", r"found '2t', a number times something is written with \*"),
        ("2 exp(t)", r"found '2 e', a number times"),
        ("1e5t", "found '1e5t', a number times"),
        ("(1+t)(1-t)", r"found '1\+t' before a bracket, a product is written with \*"),
        ("t(1+t)", "found 't' before a bracket"),
        ("t^t", r"found the power \(t\)\^\(t\), whose base must be > 0 and free of t"),
        ("(1+t)^t", "free of t"),
        ("(-2)^t", "whose base must be > 0"),
        ("1/0", "found '1/0', which is not finite"),
        ("log(0)*t", "not finite"),
        ("sqrt(-1-t)", "not real"),
        ("log(-2)", "not real"),
        ("(-8)^(1/3)", "not real"),
        ("sqrt(log(2)-1)*t", "not real"),
        ("sqrt((t-1)^2)", "which has a kink"),
        ("1/(sin(1)^2+cos(1)^2-1)", "too small to be told from zero"),
        ("t" * (LONGEST + 1), f"{LONGEST + 1} characters, at most {LONGEST}"),
        ("sin(" * 25 + "t" + ")" * 25, "nested more than 20 deep"),
        ("-" * 400 + "t", "nested"),
        ("(" * 300 + "t" + ")" * 300, "nested|no formula"),
        ("1e200*t", "an integer of more than 100 digits"),
        ("1e999999999999*t", "such as"),
        ("exp(1000)*t", r"beyond 10\^100"),
        ("sqrt(t-1)*exp(-t)", r"found 1\.0\*I at t = 0, where a memory must be a real number"),
        ("1/(t-3)^2", "found a pole where t - 3 = 0 at some t >= 0"),
        ("exp(-t)/(t-2.1)", "found a pole where t - 21/10 = 0 at some t >= 0"),
        ("exp(-t)/(t^2-2)^(3/2)", "found a pole where "),
        ("exp(-t)*log(t)", "found -?zoo at t = 0"),
    ],
)
def test_anything_else_is_refused_with_a_reason(text, found):
    with pytest.raises(ValueError, match=f"^rho must be .*({found})"):
        parse(text, "rho")


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9**9",
        "((9^9)^9)^9",
        "(t^1000)^1000",
        "(10^99*t)^1000",
        "t^1e6",
        "2^(10^99)",
        "exp(10^99*log(2))",  # SymPy would write it as an integer
        "exp(10^99*log(2*t))",
        "exp(10^99*log(2) + t)",
        "2^(10^99*t*log(3)/log(2))",
        "exp(exp(exp(10)))",
    ],
)
@pytest.mark.timeout(10)
def test_what_would_fill_the_memory_is_refused_at_once(text):
    with pytest.raises(
        ValueError, match=r"^rho must be a formula in t, found .*(exponent|beyond|digits).*; allowed are t, pi, numbers"
    ):
        parse(text, "rho")


@pytest.mark.parametrize("text", [None, 1, b"t", t])
def test_only_a_string_is_a_formula(text):
    with pytest.raises(TypeError, match="rho must be a formula in t as a string, got"):
        parse(text, "rho")
