"""Exact texts of dyadics, and decimals rounded outwards: Python's own fractions are the judge."""

from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verify.certificate.dyadic import array, digits_of, dyadic, inside, outwards, parse, text, texts

MANTISSAS = st.integers(-(2**200), 2**200)
DYADICS = st.builds(dyadic, MANTISSAS, st.integers(-400, 400))


def fraction(number: flint.arb) -> Fraction:
    mantissa, exponent = map(int, number.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


@settings(deadline=None, max_examples=60)
@given(DYADICS)
def test_text_and_back_is_the_same_number(number: flint.arb) -> None:
    back = parse(text(number))
    assert back.is_exact() and fraction(back) == fraction(number)


@settings(deadline=None, max_examples=150)
@given(DYADICS, DYADICS, st.integers(1, 60))
def test_decimals_enclose_and_are_tight(one: flint.arb, other: flint.arb, digits: int) -> None:
    lower, upper = sorted((one, other), key=fraction)
    low, high = map(Fraction, outwards(lower, upper, digits))
    largest = max(abs(fraction(lower)), abs(fraction(upper)))
    assert low <= fraction(lower) <= fraction(upper) <= high
    assert fraction(lower) - low < Fraction(10) / 10**digits * largest + (largest == 0)
    assert high - fraction(upper) < Fraction(10) / 10**digits * largest + (largest == 0)
    assert inside(lower, upper, outwards(lower, upper, digits))


@settings(deadline=None, max_examples=60)
@given(DYADICS, st.integers(-30, 5))
def test_inside_is_decided_at_the_last_bit(number: flint.arb, power: int) -> None:
    """A number that is a decimal is inside itself; moved by 2^-1000 outwards it is not."""
    whole = int(fraction(number).numerator) % 10**40
    exact, tiny = dyadic(whole, 0), Fraction(1, 2**1000)
    claim = f"{whole}e+0"
    with flint.ctx.workprec(1300):
        above, below = exact + dyadic(1, -1000), exact - dyadic(1, -1000)
    assert fraction(above) == whole + tiny
    assert inside(exact, exact, (claim, claim))
    assert not inside(exact, above, (claim, claim)) and not inside(below, exact, (claim, claim))
    assert power or inside(below, exact, (str(whole - 1), claim))


@pytest.mark.parametrize(
    ("number", "digits", "shown"),
    [
        ("0x1*2^0", 5, ("1.0000", "1.0000")),  # exact: nothing to round
        ("0x1*2^-1", 1, ("0.5", "0.5")),
        ("0x3e7*2^0", 2, ("9.9e+2", "1.00e+3")),  # 999: the upper end gets another digit
        ("0x1*2^-30", 3, ("9.31e-10", "9.32e-10")),
        ("-0x1*2^-30", 3, ("-9.32e-10", "-9.31e-10")),
        ("0x1*2^-2", 1, ("0.2", "0.3")),
        ("0x0*2^0", 3, ("0", "0")),
        ("0x1*2^100", 4, ("1.267e+30", "1.268e+30")),
    ],
)
def test_hard_cases(number: str, digits: int, shown: tuple[str, str]) -> None:
    assert outwards(parse(number), parse(number), digits) == shown


def test_a_time_beyond_every_float_is_printed_at_once() -> None:
    """2^{5 10^6} = 8.79...e+1505149: the digits are Python's own of the first 40 decimals."""
    low, high = outwards(dyadic(1, 5_000_000), dyadic(1, 5_000_000), 30)
    with flint.ctx.workdps(40):
        mantissa, power = (flint.arb(2) ** 5_000_000).str(30, radius=False).split("e")
    assert low.endswith(f"e{power}") and low[:25] == high[:25] == mantissa[:25] and low != high


@pytest.mark.parametrize(
    ("lower", "upper", "digits"),
    [("1", "1.1", 1), ("0.9", "1", 1), ("100", "100.01", 4), ("-2", "-1.9", 1), ("0", "1", 0), ("9.9e+30", "1e+31", 2)],
)
def test_digits_are_those_of_the_relative_width(lower: str, upper: str, digits: int) -> None:
    """The largest n with width 10^n <= |upper|, judged by fractions."""
    assert digits_of(lower, upper) == digits


@pytest.mark.parametrize(
    "bad",
    [
        1.5, None, "", "0.5", "0x1", "0x1*2^", "0x2*2^0", "0x0*2^1", "-0x0*2^0", "0X1*2^0", "0x1*2^0 ", "0x01*2^0",
        "0x1*2^-00", "0x1*2^+1", "0x1*2^999999999", "0x" + "f" * 20_001 + "*2^0", "٣*2^0", ["0x1*2^0"],
    ],
)  # fmt: skip
def test_text_that_is_no_dyadic_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="dyadic"):
        parse(bad)


def test_balls_with_a_radius_are_refused() -> None:
    for ball in (flint.arb(1, 1), flint.arb("nan"), flint.arb("inf"), flint.arb("0.1")):
        with pytest.raises(ValueError, match="exact"):
            text(ball)


def test_arrays_keep_their_shape_and_say_where_they_are_wrong() -> None:
    values = np.array([[dyadic(1, -1), dyadic(3, 0)], [dyadic(0, 0), dyadic(-7, 5)]], object)
    assert texts(array(texts(values), (2, 2), "values")) == texts(values)
    with pytest.raises(ValueError, match=r"values.1: must be a list of 2 entries"):
        array([["0x1*2^0"] * 2, ["0x1*2^0"]], (2, 2), "values")
    with pytest.raises(ValueError, match=r"values.0.1: a dyadic must be text"):
        array([["0x1*2^0", "0.5"], ["0x1*2^0"] * 2], (2, 2), "values")


@pytest.mark.parametrize("bad", ["", "1e", "1.e5", ".5", "nan", "1" * 5000, "1e+999999999", 3, "1,5"])
def test_text_that_is_no_decimal_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="decimal"):
        inside(dyadic(1, 0), dyadic(1, 0), (bad, "2"))  # type: ignore[arg-type]
