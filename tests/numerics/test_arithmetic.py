"""Three arithmetics behind one interface: exact rationals, private precision, moments that do not cancel."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.compiling import bind
from oracles import laplace_by_quadrature
from strategies import LAGS, WIDTHS
from theory.special import GaussianMoment, PowerMoment
from tolerances import agree, encloses, working

ARITHMETICS = [Float64(), Mpmath(60), Arb(60)]
BY_NAME = pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda each: each.name)
s = sp.Symbol("s", positive=True)


@BY_NAME
@settings(max_examples=30)
@given(fraction=st.fractions())
def test_a_rational_is_rounded_once(arithmetic, fraction):
    with arithmetic.working():
        number = arithmetic.number(sp.Rational(fraction.numerator, fraction.denominator))
    assert agree(number, fraction, digits=15 if arithmetic.name == "float64" else 60)


@pytest.mark.parametrize("digits", [20, 60, 200])
def test_a_third_has_all_its_digits(digits):
    ctx = working(digits)
    for arithmetic in (Mpmath(digits), Arb(digits)):
        with arithmetic.working():
            third = arithmetic.number(sp.Rational(1, 3))
        assert agree(third, ctx.mpf(1) / 3, digits)  # rejects 0.333... through a float, and a radius of one digit more


def test_arb_numbers_are_balls_around_the_exact_value():
    arithmetic = Arb(40)
    with arithmetic.working():
        tenth = arithmetic.number(sp.Rational(1, 10))
        assert tenth.contains(flint.fmpq(1, 10))
    assert tenth.rad() < flint.arb("1e-40")
    assert arithmetic.midpoint(arithmetic.array([tenth])).item().rad() == 0


@BY_NAME
def test_nothing_global_has_changed(arithmetic):
    before = mpmath.mp.prec, flint.ctx.prec, np.geterr()
    with arithmetic.working():
        [function] = [bind((s,), [sp.exp(-s) + GaussianMoment(2, s, 3, 1)], arithmetic)]
        function(arithmetic.array([1, 2]))
    with pytest.raises(ZeroDivisionError), arithmetic.working():
        raise ZeroDivisionError
    assert (mpmath.mp.prec, flint.ctx.prec, np.geterr()) == before


@BY_NAME
def test_arrays_take_exact_numbers_floats_and_their_own(arithmetic):
    with arithmetic.working():
        mine = arithmetic.number(sp.Rational(1, 4))
        array = arithmetic.array([sp.Rational(1, 4), 0.25, mine, 1])
    assert array.shape == (4,)
    assert [float(each) for each in array] == [0.25, 0.25, 0.25, 1.0]


@BY_NAME
def test_linear_is_the_matrix_product(arithmetic):
    with arithmetic.working():
        matrix = arithmetic.array(range(6)).reshape(2, 3)
        found = arithmetic.linear(matrix)(arithmetic.array(range(12)).reshape(3, 4))
    expected = np.arange(6).reshape(2, 3) @ np.arange(12).reshape(3, 4)
    assert np.array_equal(np.vectorize(float)(found), expected)


@BY_NAME
def test_a_formula_with_cases_takes_numbers_and_arrays(arithmetic):
    cases = sp.Piecewise((s**2, s < 2), (sp.Integer(-1), s <= 3), (s / 4, True))
    points = np.array([[1, 2], [3, 4]])
    with arithmetic.working():
        function = bind((s,), [cases], arithmetic)
        [found] = function(arithmetic.array(points.ravel().tolist()).reshape(2, 2))
        alone = [function(arithmetic.number(int(point)))[0] for point in points.flat]
    assert found.shape == (2, 2)
    assert [float(each) for each in found.flat] == [float(each) for each in alone] == [1.0, -1.0, -1.0, 1.0]


MOMENTS = [GaussianMoment(n, s, sp.Symbol("L", real=True), sp.Symbol("sigma", positive=True)) for n in range(4)]
MOMENT_ARGUMENTS = MOMENTS[0].args[1:]


def moments(arithmetic, at, lag, width):
    with arithmetic.working():
        values = [arithmetic.array([sp.Rational(each)]) for each in (at, lag, width)]
        return [np.asarray(moment).item() for moment in bind(MOMENT_ARGUMENTS, MOMENTS, arithmetic)(*values)]


@settings(max_examples=12)
@given(at=st.fractions(0, 50, max_denominator=8), lag=LAGS, width=WIDTHS)
def test_moments_agree_in_all_arithmetics(at, lag, width):
    balls = moments(Arb(120), at, lag, width)
    for in_float64, in_mpmath, ball in zip(
        moments(Float64(), at, lag, width), moments(Mpmath(120), at, lag, width), balls, strict=True
    ):
        assert agree(in_float64, ball, digits=12)  # relative: rejects the closed form where it cancels
        assert agree(in_mpmath, ball, digits=60)


@pytest.mark.parametrize(
    ("at", "lag", "width"),
    [
        ("100", "1", "1"),  # s sigma^2 >> L: the closed form is 0 times infinity in float64
        ("1e4", "0", "2"),
        ("4", "1", "1"),  # z = 3: where the two ways meet
        ("401/100", "1", "1"),
        ("399/100", "1", "1"),
        ("1/10", "-8", "1"),  # centre long before t = 0
        ("1/2", "30", "1/4"),
        ("0", "0", "1"),
        ("7/10", "1000", "1"),  # e^{-700}
    ],
)
def test_float64_moments_keep_twelve_digits_far_from_the_bump(at, lag, width):
    for in_float64, ball in zip(moments(Float64(), at, lag, width), moments(Arb(200), at, lag, width), strict=True):
        assert agree(in_float64, ball, digits=12)


@pytest.mark.parametrize("n", range(4))
def test_the_continued_fraction_is_good_where_it_takes_over(n):
    # Just above z = 3, 60 terms deep; 45 terms are wrong in the 13th digit for n = 3.
    at = sp.Rational(3) + sp.Rational(1, 10**6)
    assert agree(moments(Float64(), at, 0, 1)[n], moments(Arb(60), at, 0, 1)[n], digits=14)


def test_moments_of_many_points_at_once():
    arithmetic, points = Float64(), np.array([[0.1, 3.0], [20.0, 1.0]])  # both ways in one array
    with arithmetic.working():
        together = bind((s,), [GaussianMoment(1, s, 2, 1)], arithmetic)(points)[0]
        alone = [bind((s,), [GaussianMoment(1, s, 2, 1)], arithmetic)(np.float64(point))[0] for point in points.flat]
    assert together.shape == (2, 2)
    assert together.ravel() == pytest.approx(np.array(alone), rel=1e-15)


def power_moment(arithmetic, n, at, p):
    with arithmetic.working():
        return bind((s,), [PowerMoment(n, s, sp.Rational(p))], arithmetic)(arithmetic.array([sp.Rational(at)]))[
            0
        ].item()


@pytest.mark.parametrize("p", ["3/2", "8/3", "21/20", "4"])
@pytest.mark.parametrize("at", ["1/1000", "1/3", "1", "121/3", "400"])
def test_power_moments_are_the_integrals_they_claim_to_be(at, p):
    # At s = 40 Tricomi's function is a difference of numbers 1e17 times its size: that must cost no digit of a ball
    # whose s and p are no binary fractions. mpmath gets there by itself, float64 by quadrature.
    term = ("power-law", Fraction(1), Fraction(p) - 1)
    for n in range(3):
        direct = laplace_by_quadrature([term], Fraction(at), n)
        assert agree(power_moment(ARITHMETICS[2], n, at, p), direct, digits=40)
        assert agree(power_moment(ARITHMETICS[0], n, at, p), direct, digits=12)
    assert agree(power_moment(ARITHMETICS[1], 1, at, p), laplace_by_quadrature([term], Fraction(at), 1), digits=40)


def test_a_power_moment_of_a_wide_ball_contains_those_of_its_points():
    arithmetic = Arb(30)
    with arithmetic.working():
        wide = arithmetic.functions["PowerMoment"](1, flint.arb(2, "0.1"), flint.arb("1.5", "0.01"))
        for at, p in (("1.9", "1.49"), ("2", "1.5"), ("2.1", "1.51"), ("1.9", "1.51")):
            assert wide.contains(arithmetic.functions["PowerMoment"](1, flint.arb(at), flint.arb(p)).mid())
        assert wide.rad() < 0.1


def test_a_ball_moment_contains_the_exact_one():
    [*balls] = moments(Arb(40), "3/7", "5", "1/2")
    for n, ball in enumerate(balls):
        exact = GaussianMoment(n, sp.Rational(3, 7), 5, sp.Rational(1, 2))
        assert encloses(ball, exact, digits=35)


def test_airy_fades_however_late():
    airy = bind((s,), (sp.airyai(s),), Float64())
    assert airy(np.array([1e2, 1e7, 1e60]))[0].tolist() == [pytest.approx(2.6344821520881845e-291), 0.0, 0.0]
