"""The rows that hold an estimate against a proof: they pass for the truth and fail for anything else."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.run import Outcome
from verify.compare_certified import enclosed, same_outcome

NUMBERS = st.tuples(st.integers(1, 10**12), st.integers(-20, 20))


@pytest.mark.parametrize(
    ("tau", "lower", "upper", "passes"),
    [
        ("192126.7701", "192126.77014350070063", "192126.77014350070064", True),
        ("192126.7702", "192126.77014350070063", "192126.77014350070064", True),  # rounded up: one unit off at most
        ("192126.7703", "192126.77014350070063", "192126.77014350070064", False),
        ("192126.7700", "192126.77014350070063", "192126.77014350070064", False),
        ("192126.77014350070065", "192126.77014350070063", "192126.77014350070064", True),
        ("192126.77014350070066", "192126.77014350070063", "192126.77014350070064", False),
        ("192126.77014350070064", "192126.7701", "192126.7702", True),  # the proof may be the coarser one
        ("192126.77014350070064", "192126.7702", "192126.7703", False),
        ("3.178e+607995", "3.1782622923e+607995", "3.1782622924e+607995", True),
        ("3.180e+607995", "3.1782622923e+607995", "3.1782622924e+607995", False),
        ("3.178e+607994", "3.1782622923e+607995", "3.1782622924e+607995", False),
    ],
)
def test_the_estimate_lies_in_the_enclosure_up_to_its_last_digit(tau, lower, upper, passes):
    row = enclosed(tau, lower, upper)
    assert row.passed is passes
    assert (row.left, row.right) == (tau, lower)
    assert Decimal(row.tolerance) > 0 and (Decimal(row.difference) > Decimal(row.tolerance)) is not passes


@settings(deadline=None, max_examples=50)
@given(NUMBERS, NUMBERS, st.integers(0, 10**6))
def test_it_is_decided_as_decimals_decide_it(estimate, end, width):
    (digits, power), (low, other) = estimate, end
    tau, lower, upper = Decimal(digits).scaleb(power), Decimal(low).scaleb(other), Decimal(low + width).scaleb(other)
    last = Decimal(1).scaleb(power)
    texts = (f"{digits}e{power:+d}", f"{low}e{other:+d}", f"{low + width}e{other:+d}")
    assert enclosed(*texts).passed is (lower - last <= tau <= upper + last)


@pytest.mark.parametrize("estimated", [Outcome.escaped, Outcome.stationary, Outcome.runaway, Outcome.unreachable])
@pytest.mark.parametrize("proved", [Outcome.escaped, Outcome.stationary, Outcome.unreachable])
def test_outcomes_agree_or_the_row_fails(estimated, proved):
    row = same_outcome(estimated, proved)
    assert row.passed is (estimated is proved)
    assert {row.left, row.right} <= {"0", "1"} and proved.name in row.right_name
