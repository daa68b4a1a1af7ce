"""Exponential moments over a horizon and their divided differences, where rates are slow, fast, equal and nearly so."""

from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy as sp

from numerics.arithmetic import Arb, Float64, Mpmath
from oracles import divided_by_quadrature, laplace_by_quadrature
from tolerances import agree, encloses

HORIZON = Fraction(7, 2)
ARITHMETICS = [(Float64(), 12), (Mpmath(60), 40), (Arb(60), 40)]
TINY = Fraction(1, 10**12)
JUST_BELOW, JUST_ABOVE = Fraction(999, 1000), Fraction(1001, 1000)  # of a border between two ways to compute
SLOWNESS = [TINY, Fraction(3, 1000), JUST_BELOW, JUST_ABOVE, Fraction(2), Fraction(17, 5), Fraction(1000)]  # s T
SPLITS = [Fraction(0), Fraction(1, 10**30), Fraction(1, 1000), Fraction(1, 3), JUST_BELOW, JUST_ABOVE, Fraction(20)]
SOME = [TINY, Fraction(3, 1000), JUST_BELOW, Fraction(17, 5), Fraction(1000)]
PAIRS = [(x, sign * y) for x in SOME for y in SPLITS for sign in (1, -1) if x + sign * y > 0]
PAIRS += [(Fraction(1000), Fraction(-999)), (Fraction(3), Fraction(-2)), (TINY, Fraction(1000))]
PAIRS += [(Fraction(2), Fraction(-3, 2)), (Fraction(1000), Fraction(-1999, 2)), (Fraction(1, 2), Fraction(-6, 5))]
PAIRS += [(x, TINY - x) for x in (Fraction(2), Fraction(20))]  # (W2) has no digit left there, but a difference all


def number(value, arithmetic):
    return arithmetic.number(sp.Rational(value.numerator, value.denominator))


def call(name, arithmetic, n, *arguments):
    """The arithmetic's function of order n at exact arguments."""
    with arithmetic.working():
        return arithmetic.functions[name](n, *(number(each, arithmetic) for each in arguments))


@pytest.mark.parametrize("n", range(4))
def test_exponential_moments_are_the_integrals_they_claim_to_be(n):
    # Relative: (S3) everywhere would lose 12 (n + 1) digits at sT = 1e-12, and float64 a power series all at sT = 1000.
    for x in SLOWNESS:
        direct = laplace_by_quadrature([("box", Fraction(1), Fraction(0), HORIZON)], x / HORIZON, n)
        for arithmetic, digits in ARITHMETICS:
            found = call("ExponentialMoment", arithmetic, n, x / HORIZON, HORIZON)
            assert agree(found, direct, digits), (arithmetic.name, x)


@pytest.mark.parametrize("n", range(4))
def test_divided_moments_are_the_integrals_they_claim_to_be(n):
    # Relative: the difference of two moments has no digit left at beta T = 1e-30, (W2) none at sT = 1e-12.
    for x, y in PAIRS:
        direct = divided_by_quadrature(n, x / HORIZON, y / HORIZON, HORIZON)
        for arithmetic, digits in ARITHMETICS:
            found = call("DividedMoment", arithmetic, n, x / HORIZON, y / HORIZON, HORIZON)
            assert agree(found, direct, digits), (arithmetic.name, x, y)


@pytest.mark.parametrize("arithmetic", [Mpmath(40), Arb(40)], ids=lambda each: each.name)
def test_a_horizon_may_be_a_plain_integer(arithmetic):
    # As compiled programs pass it. 5^3/3 in Python integers is a float: 16 digits, for all the precision around it.
    with arithmetic.working():
        s, beta = (number(Fraction(1, k), arithmetic) for k in (30, 70))
        moment = arithmetic.functions["ExponentialMoment"](2, s, 5)
        divided = arithmetic.functions["DividedMoment"](2, s, beta, 5)
    window = ("box", Fraction(1), Fraction(0), Fraction(5))
    assert agree(moment, laplace_by_quadrature([window], Fraction(1, 30), 2), digits=35)
    assert agree(divided, divided_by_quadrature(2, Fraction(1, 30), Fraction(1, 70), 5), digits=35)


def test_divided_moments_of_balls_are_enclosed():
    x = Fraction(1, 7)
    for y in (Fraction(-1, 11), JUST_BELOW - x, Fraction(2)):
        direct = divided_by_quadrature(1, x, y, Fraction(1))
        for digits in (5, 20):
            assert encloses(call("DividedMoment", Arb(digits), 1, x, y, Fraction(1)), direct, digits - 2)


WIDE = [  # s, beta and the radius of beta, at T = 1
    ("1/5", "0", "4"),  # the series serves its middle only
    ("1/5", "1/2", "3/5"),  # at one end too large
    ("1/5", "1/2", "3/10"),
    ("1/5", "0", "9/10"),
    ("1/5", "-4", "2"),
    ("1/10", "-11/10", "1/20"),
    ("2", "-3/2", "1/10"),
    ("3", "1/2", "3/10"),
    ("-3", "1/4", "1/2"),
]


@pytest.mark.parametrize("digits", [5, 20])
def test_a_wide_ball_holds_the_divided_moments_of_its_points(digits):
    # A series cut off by what its middle says misses D_0(1/5, -4) = 2.648 of the first: its terms are all 0 there.
    for s, beta, radius in WIDE:
        (s, beta, radius), arithmetic = map(Fraction, (s, beta, radius)), Arb(digits)
        with arithmetic.working():
            doubt = number(radius, arithmetic) * flint.arb(0, 1)
            wide = number(beta, arithmetic) + doubt
            for n, near in ((0, 0), (2, doubt / 50)):
                found = arithmetic.functions["DividedMoment"](n, number(s, arithmetic) + near, wide, 1)
                for share in (Fraction(each, 4) for each in range(-4, 5)):
                    direct = divided_by_quadrature(n, s, beta + share * radius, 1)
                    assert not found.is_finite() or found.overlaps(direct), (s, beta, n, share)
                assert found.is_finite() == (abs(beta) > radius or abs(beta) + radius < 1), (s, beta)


def test_the_series_of_a_wide_ball_ends_where_its_farthest_point_lets_it():
    # A symmetric ball: every second term has the middle 0. Cut off by that, the sum is wider by two thirds.
    s, radius, arithmetic = Fraction(1, 5), Fraction(9, 10), Arb(20)
    with arithmetic.working():
        beta = number(radius, arithmetic) * flint.arb(0, 1)
        found = arithmetic.functions["DividedMoment"](0, number(s, arithmetic), beta, 1)
        largest, middle = (divided_by_quadrature(0, s, each, 1) for each in (-radius, 0))
        assert found.rad() < (largest - middle) * 1.1


def test_what_a_series_leaves_out_is_in_the_ball():
    # At five digits but a hundred bits, rounding hides nothing: the truncated series alone misses the value.
    arithmetic = Arb(5)
    arithmetic.bits = 100
    x, y = Fraction(1, 7), Fraction(-1, 11)
    found = call("DividedMoment", arithmetic, 1, x, y, Fraction(1))
    assert encloses(found, divided_by_quadrature(1, x, y, Fraction(1)), digits=5)
    assert found.rel_accuracy_bits() < 60


def test_float64_takes_arrays_of_any_shape_and_a_slow_rate_among_fast_ones():
    rates, splits = np.array([[1e-9], [0.4], [30.0]]), np.array([0.0, -1e-10, 2.0, 1e-3])
    functions, T = Float64().functions, float(HORIZON)
    with Float64().working():
        for n in range(3):
            table = functions["DividedMoment"](n, rates, splits, T)
            assert table.shape == (3, 4)
            alone = [[functions["DividedMoment"](n, s, beta, T) for beta in splits] for s in rates[:, 0]]
            assert table == pytest.approx(np.array(alone, dtype=float), rel=1e-15)
            column = functions["ExponentialMoment"](n, rates, T)
            alone = [[float(functions["ExponentialMoment"](n, s, T))] for s in rates[:, 0]]
            assert column == pytest.approx(np.array(alone), rel=1e-15)


def test_a_rate_below_zero_is_no_obstacle():
    # A unit may grow over a finite horizon: by parts there, for an incomplete gamma function knows no such argument.
    for n in range(4):
        direct = laplace_by_quadrature([("box", Fraction(1), Fraction(0), HORIZON)], Fraction(-4), n)
        for arithmetic, digits in ARITHMETICS:
            assert agree(call("ExponentialMoment", arithmetic, n, Fraction(-4), HORIZON), direct, digits)
