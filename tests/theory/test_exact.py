"""What may enter memcurse and what is refused, with the message that says why."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory.exact import LARGEST_EXPONENT, LONGEST, exact, positive, real

x = sp.Symbol("x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.1", sp.Rational(1, 10)),  # not 3602879701896397/36028797018963968
        ("1/3", sp.Rational(1, 3)),
        (" -2 / 4 ", sp.Rational(-1, 2)),
        ("+.5", sp.Rational(1, 2)),
        ("5.", sp.Integer(5)),
        ("1e400", sp.Integer(10) ** 400),  # beyond float64
        ("1.5E-3", sp.Rational(3, 2000)),
        (7, sp.Integer(7)),
        (Fraction(2, 3), sp.Rational(2, 3)),
        (sp.sqrt(2), sp.sqrt(2)),
        (x, x),
    ],
)
def test_exact_values_are_kept(value, expected):
    assert exact(value, "rate") == expected


@given(st.fractions())
def test_a_fraction_survives_as_itself_and_as_a_string(fraction):
    expected = sp.Rational(fraction.numerator, fraction.denominator)
    assert exact(fraction, "rate") == exact(str(fraction), "rate") == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_a_decimal_string_is_taken_at_its_exact_value(decimal):
    assert exact(str(decimal), "rate") == sp.Rational(*decimal.as_integer_ratio())


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0.7, TypeError, r"^rate must be exact, got the float 0\.7; pass '0\.7' or a Fraction$"),
        (np.float64(0.7), TypeError, r"got the float 0\.7; pass '0\.7'"),
        (np.float32(0.5), TypeError, "must be an exact number, got .* of type float32"),
        (True, TypeError, "must be a number, got the boolean True; pass '1'"),
        (None, TypeError, "must be an exact number, got None of type NoneType"),
        (1j, TypeError, "of type complex"),
        (sp.Float("0.1") * x, TypeError, r"got 0\.1\*x with the float 0\.1.*; use a Rational"),
        (sp.true, TypeError, "got the SymPy BooleanTrue"),
        (sp.oo, ValueError, "must be finite, got oo"),
        (sp.nan, ValueError, "must be finite, got nan"),
        ("one", ValueError, r"must be a number such as '0\.7', '1/3' or '1e-6', got 'one'"),
        ("", ValueError, "got ''"),
        ("1/0", ValueError, "with the denominator 0"),
        ("1/2/3", ValueError, "got '1/2/3'"),
        ("inf", ValueError, "got 'inf'"),
        ("__import__('os')", ValueError, "must be a number such as"),
        ("x" * 61, ValueError, r"got 'x{57}\.\.\.'$"),
        ("1" * (LONGEST + 1), ValueError, f"has {LONGEST + 1} characters, at most {LONGEST} are read"),
        (f"1e{LARGEST_EXPONENT + 1}", ValueError, f"must have an exponent of at most {LARGEST_EXPONENT}"),
        ("1e999999999", ValueError, "must be a number such as"),
    ],
)
def test_what_is_not_exact_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        exact(value, "rate")


def test_the_longest_numbers_allowed_can_be_read():
    digits = "1" * LONGEST  # Python itself stops at 4300 digits
    assert exact(digits, "drop") == sp.Rational(10**LONGEST - 1, 9)
    assert exact("1e100000", "tau_max") == sp.Integer(10) ** 100000


@pytest.mark.parametrize("value", ["0", "-1/3", sp.Integer(-2), x, sp.sqrt(2) - 2])
def test_positive_refuses_everything_not_known_to_be_positive(value):
    with pytest.raises(ValueError, match="rate must be > 0 for the memory to fade, got"):
        positive(value, "rate", "for the memory to fade")


def test_hints_tell_how_to_declare_a_symbol():
    with pytest.raises(ValueError, match=r"got x \(declare a symbol with positive=True\)"):
        positive(x, "rate", "here")
    with pytest.raises(ValueError, match=r"amplitude must be real, got x \(declare a symbol with real=True\)"):
        real(x, "amplitude")
    with pytest.raises(ValueError, match=r"amplitude must be real, got I$"):
        real(sp.I, "amplitude")
    assert positive(sp.Symbol("w", positive=True), "rate", "here").is_positive


def test_a_long_number_is_rounded_in_the_message():
    with pytest.raises(ValueError, match=r"drop must be > 0 here, got -1\.00000e\+5000$"):
        positive("-1e5000", "drop", "here")
