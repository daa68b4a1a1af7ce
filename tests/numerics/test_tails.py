"""Tails of formulas are bounded, and not absurdly; oracle: mpmath's quadrature and incomplete gamma functions."""

import math

import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numerics.tails import log_tail
from theory.decay import Envelope, envelope
from tolerances import working

CTX = working(20)
t = sp.Symbol("t", nonnegative=True)
FUNCTIONS = {  # SymPy's formula, and the same typed again; of one sign each
    "exp(-t)": lambda u: CTX.exp(-u),
    "t**3*exp(-t)": lambda u: u**3 * CTX.exp(-u),
    "(1+t)**(-2)": lambda u: (1 + u) ** -2,
    "(1+t)**(-9/8)": lambda u: (1 + u) ** CTX.mpf("-1.125"),
    "(1+t)**(-1/2)": lambda u: 1 / CTX.sqrt(1 + u),
    "sqrt(1+t)": lambda u: CTX.sqrt(1 + u),
    "exp(-sqrt(t))": lambda u: CTX.exp(-CTX.sqrt(u)),
    "exp(-t**2)": lambda u: CTX.exp(-u * u),
    "exp(-t**2)/(1+t)**3": lambda u: CTX.exp(-u * u) / (1 + u) ** 3,
    "1/cosh(t)": CTX.sech,
    "erfc(t)": CTX.erfc,
    "t*exp(-t)+exp(-2*t)": lambda u: u * CTX.exp(-u) + CTX.exp(-2 * u),
}


def find(text):
    return envelope(sp.sympify(text, locals={"t": t}, rational=True), t)


def real(x):
    return CTX.mpf(x.numerator) / x.denominator


def log_integral(text, x, s, order):
    """Oracle: ln int_x^inf t^order e^{-st} f(t) dt, over pieces that grow with t."""
    x, f = CTX.mpf(x), FUNCTIONS[text]
    ends = [x, x + 1, *(x + CTX.mpf(2) ** k for k in range(1, 12)), CTX.inf]
    return CTX.log(CTX.quad(lambda u: u**order * CTX.exp(-s * u) * f(u), ends))


@pytest.mark.parametrize(
    ("text", "x", "s", "order"),
    [
        ("exp(-t)", 3.0, 0.0, 0),
        ("exp(-t)", 300.0, 0.5, 2),
        ("t**3*exp(-t)", 20.0, 0.0, 0),
        ("t**3*exp(-t)", 20.0, 0.0, 4),
        ("(1+t)**(-2)", 5000.0, 0.0, 0),
        ("(1+t)**(-2)", 50.0, 0.01, 0),
        ("(1+t)**(-9/8)", 50.0, 0.0, 0),
        ("(1+t)**(-1/2)", 50.0, 0.25, 1),
        ("sqrt(1+t)", 50.0, 0.25, 0),
        ("exp(-sqrt(t))", 100.0, 0.0, 0),
        ("exp(-sqrt(t))", 100.0, 0.0, 3),
        ("exp(-sqrt(t))", 100.0, 0.5, 1),
        ("exp(-t**2)", 5.0, 1.0, 1),
        ("exp(-t**2)/(1+t)**3", 5.0, 0.0, 0),
        ("1/cosh(t)", 9.0, 0.0, 0),
        ("erfc(t)", 4.0, 0.0, 0),
        ("t*exp(-t)+exp(-2*t)", 10.0, 0.0, 0),
    ],
)
def test_the_tail_is_bounded_and_not_absurdly(text, x, s, order):
    # Above by less than a factor 100. Rejects the tail of the integrand taken for that of the integral where it
    # decides: e^{-sqrt t}, x = 100, is short of its tail by 2 (sqrt(x) + 1) = 22.
    true, claimed = log_integral(text, x, s, order), log_tail(find(text), x, s, order)
    assert true <= claimed <= true + math.log(100)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    power=st.fractions(-4, 4, max_denominator=4),
    rate=st.fractions(0, 3, max_denominator=3),
    stretch=st.fractions("1/4", 3, max_denominator=4),
    x=st.floats(1, 60),
    s=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_the_tail_of_an_envelope_is_that_of_an_incomplete_gamma_function(power, rate, stretch, x, s):
    # Oracle: int_x^inf t^p e^{-r t^q} dt = Gamma((p+1)/q, r x^q) / (q r^{(p+1)/q}), for s = 0 or q = 1.
    found = Envelope(
        *(sp.Rational(each.numerator, each.denominator) for each in (1 + 0 * power, power, rate, stretch)), 1
    )
    claimed = log_tail(found, x, s)
    p, r, q, x = real(power), real(rate), real(stretch), CTX.mpf(x)
    if r == 0 or (s and q == 1):
        r, q = r + s, CTX.mpf(1)
    assume(s == 0 or q == 1)
    if r == 0:
        assert claimed == math.inf if p >= -1 else claimed >= CTX.log(x ** (p + 1) / (-p - 1))
    else:
        tail = CTX.gammainc((p + 1) / q, r * x**q) / (q * r ** ((p + 1) / q))
        assert claimed >= CTX.log(tail)
        assert claimed < math.inf or r * q * x**q < p + 1 + CTX.mpf("0.01")  # inf only where t^{p+1} e^{-r t^q} rises


def test_a_tail_too_early_is_infinite_and_a_far_one_is_a_logarithm():
    found = find("exp(-(t-10)**2/2)")
    assert log_tail(found, float(found.since) - 0.01) == math.inf
    assert log_tail(find("t**9*exp(-t)"), 5.0) == math.inf  # still rising
    assert log_tail(find("1"), 5.0) == math.inf
    assert log_tail(find("1"), 1e6, s=1.0) == pytest.approx(-1e6, rel=1e-6)
    assert -1e300 <= log_tail(find("exp(-t**3)"), 1e200) < -1e299  # t^3 overflows, the bound does not
    assert log_tail(find("t - t"), 5.0) == -math.inf


@pytest.mark.parametrize(("x", "s"), [(math.nan, 0.0), (math.inf, 0.0), (2.0, -1.0), (2.0, math.nan)])
def test_a_tail_needs_numbers(x, s):
    with pytest.raises(ValueError, match="the tail needs a finite x and a finite s >= 0"):
        log_tail(find("exp(-t)"), x, s)
