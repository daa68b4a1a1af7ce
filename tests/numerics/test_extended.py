"""Extended precision: its numbers and functions, what it leaves to others, escape times that float64 cannot tell."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64
from numerics.compiling import bind
from numerics.escape import escape_time
from numerics.extended import AVAILABLE, Extended, erfc, serves
from numerics.flow import fits_extended, fits_float64
from numerics.run import Outcome
from theory.kernels import Airy, Box, Erlang, Exponential, Gaussian, PowerLaw
from theory.parametrisation import Exp, Softplus
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from theory.special import GaussianMoment
from tolerances import agree, working

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="longdouble has no 64 bits of mantissa here")
s = sp.Symbol("s", positive=True)


def plateau(lag, spares, drop, *bump):
    target = Target((Exponential(), *(bump or (Gaussian(lag=lag),))))
    return Problem(target, LinearRNN([(1, 1), *((0, rate) for rate in spares)]), drop)


def evenly(first, last, count):
    return [first + (last - first) * Fraction(i, count - 1) for i in range(count)]


@settings(max_examples=30)
@given(fraction=st.fractions())
def test_a_rational_is_rounded_once(fraction):
    """A way through float64 loses three digits."""
    assert agree(Extended().number(sp.Rational(fraction.numerator, fraction.denominator)), fraction, digits=19)


def test_arrays_take_floats_their_own_rationals_and_balls():
    with Arb(30).working():
        third = Arb(30).number(sp.Rational(1, 3))
        array = Extended().array([0.1, np.longdouble(2), sp.Rational(1, 3), third])
        back = Arb(30).array(array)
    assert array.dtype == np.longdouble and array[0] == 0.1 and array[2] == array[3]
    assert agree(array[2], Fraction(1, 3), 19) and agree(back[2], Fraction(1, 3), 19)


@settings(max_examples=60)
@given(x=st.floats(-12, 12))
@example(1.4999)
@example(-1.4999)
def test_erfc_is_good_to_seventeen_digits(x):
    """Relative to 1 below x = 3/2 and to erfc x beyond: coefficients rounded to float64 are wrong by 1e-16.

    Just below 3/2 half as many terms of (X1) are wrong by 1e-13.
    """
    ctx = working(40, guard=0)
    found = erfc(np.array([x, 0.0]).astype(np.longdouble))[0]
    assert agree(found, ctx.erfc(x), 16.8, scale=1 if x < 1.5 else 0)


@pytest.mark.parametrize("x", [-5.2, -6.9, -7.1])
def test_erfc_is_two_only_where_nothing_is_left_beside_it(x):
    """One number alone may take the short cut: taken from -5 on, it would be wrong by 1e-12."""
    assert agree(erfc(np.longdouble(x)), working(40, guard=0).erfc(x), 18.5)


@pytest.mark.parametrize(("at", "lag", "width"), [("1/2", 30, 1), ("4", 1, 1), ("401/100", 1, 1), ("40", 1, 2)])
def test_moments_agree_with_balls(at, lag, width):
    """On both sides of z = 3, where the continued fraction takes over from a closed form that cancels."""
    found = []
    for arithmetic in (Extended(), Arb(80)):
        with arithmetic.working():
            moments = bind((s,), [GaussianMoment(n, s, lag, width) for n in range(3)], arithmetic)
            found.append([np.asarray(each).item() for each in moments(arithmetic.array([sp.Rational(at)]))])
    assert all(agree(x, ball, 14) for x, ball in zip(*found, strict=True))


def test_the_solver_refines_what_float64_finds():
    """A Hilbert matrix of condition 1e10: float64 alone is wrong in the seventh digit."""
    n = 8
    hilbert = 1 / (np.arange(1, n + 1)[:, None] + np.arange(n)).astype(np.longdouble)
    x = np.arange(1, n + 1).astype(np.longdouble)
    assert abs(Extended().solver(hilbert)(hilbert @ x) - x).max() < 1e-7
    right = (hilbert @ x).astype(np.longdouble)
    assert abs(hilbert @ Extended().solver(hilbert)(right) - right).max() < 1e-17
    assert abs(hilbert @ Float64().solver(hilbert.astype(float))(right.astype(float)) - right).max() > 1e-17


def test_it_serves_where_it_knows_the_functions():
    known, box = [Gaussian(lag=20), Erlang(order=2, lag=20), Exponential(rate=2, lag=20)], Box(start=20, end=22)
    assert all(serves(plateau(20, ["0.7"], "0.05", bump)) for bump in known)
    assert not any(serves(plateau(20, ["0.7"], "0.05", bump)) for bump in (PowerLaw(omega=2), Airy(shift=9), box))
    pair = plateau(20, ["0.7"], "0.05")
    finite = replace(pair, horizon=60)
    assert not serves(finite)
    assert serves(replace(pair, parametrisation=Exp())) and not serves(replace(pair, parametrisation=Softplus()))


@pytest.mark.parametrize("phi", [Exp(), Softplus()], ids=["exp", "softplus"])
def test_several_spares_escape_under_every_parametrisation(phi):
    """Whatever functions the metric needs, something serves."""
    problem = replace(plateau(18, ["8/9", "17/27"], "0.05"), parametrisation=phi)
    assert escape_time(problem, digits=6).outcome is Outcome.escaped


def test_its_range_is_that_of_plateaus_a_thousand_long():
    long, longer = (plateau(lag, ["0.7"], "0.001") for lag in (1000, 10**4))
    assert not fits_float64(long) and fits_extended(long) and not fits_extended(longer)


def test_signals_beyond_float64_are_no_reason_for_balls():
    """e^{2 w0 L} is 1e304: the squared signal leaves the range of float64. At 1e290 the spare has learnt its share.

    Its amplitude is P/N at rest, mathematics.md (M13): P ~ B(w0) = sqrt(2 pi) e^{w0^2/2 - w0 L}, N = (3/17)^4/(2 w0).
    """
    found = escape_time(plateau(500, ["0.7"], "0.002"), digits=10, engine="time", tau_max=sp.Integer(10) ** 290)
    assert found.arithmetic == "extended" and found.outcome is Outcome.tau_max
    share = np.sqrt(2 * np.pi) * np.exp(0.245 - 350) * 1.4 * (17 / 3) ** 4
    assert float(found.end.amplitudes[1]) == pytest.approx(share, rel=1e-6)


@pytest.mark.slow
def test_an_escape_beyond_the_range_of_float64():
    problem = plateau(500, ["0.7"], "0.002")
    found = escape_time(problem, digits=10, engine="time")
    assert found.arithmetic == "extended" and found.digits == 10
    assert agree(found.tau, escape_time(problem, digits=11, engine="slow").tau, 9)


WIDE = {  # spares evenly from 0.9 to 0.5 at L = 40; tau from runs in balls, 46 to 51 digits wide
    3: "487868219.139314726",
    7: "28556832.956275",
}


@pytest.mark.parametrize("count", [3, pytest.param(7, marks=pytest.mark.slow)])
def test_close_spares_do_not_need_balls(count):
    """The sums over units cancel six digits, and float64 fails; ten digits are left in extended precision."""
    found = escape_time(plateau(40, evenly(Fraction(9, 10), Fraction(1, 2), count), "0.02"), digits=10)
    assert found.arithmetic == "extended" and found.digits == 10
    assert agree(found.tau, WIDE[count], 9)


@pytest.mark.slow
def test_close_spares_in_extended_precision_and_in_balls():
    problem = plateau(40, evenly(Fraction(9, 10), Fraction(1, 2), 7), "0.02")
    assert agree(escape_time(problem, digits=10).tau, escape_time(problem, digits=16).tau, 9)
