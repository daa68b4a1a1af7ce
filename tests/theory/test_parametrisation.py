"""Parametrisations: the metric against SymPy's derivative of phi, its digits, and what the slow flow and bounds say."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.compiling import bind
from theory.bounds import lower_bound, w_e
from theory.kernels import Exponential, Gaussian
from theory.latex import align
from theory.parametrisation import IDENTITY, NAMED, Exp, InverseSquare, Softplus, written_out
from theory.plateau import NoPlateau, plateau, w
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree, encloses, number, working

EVERY = [IDENTITY, Exp(), Softplus(), InverseSquare(1, "1/2"), InverseSquare("2/3", "1/5")]
MOVED = EVERY[1:]  # by a metric other than 1
RATES = st.fractions(Fraction(1, 50), Fraction(19, 10), max_denominator=50)  # below 2 = 1/b
NAMES = {"ids": lambda value: getattr(value, "name", None)}


def on_a_plateau(parametrisation, horizon=sp.oo):
    target = Target([Exponential(), Gaussian(lag="20")])
    return Problem(target, LinearRNN([("1", "1"), ("0", "0.7")]), "0.05", horizon, parametrisation)


@pytest.mark.parametrize("phi", EVERY, **NAMES)
@settings(max_examples=10)
@given(rate=RATES)
def test_the_metric_is_the_square_of_the_derivative(phi, rate):
    """30 digits: rejects phi' for phi'^2, w for 1 - e^{-w}, and any other power of w."""
    v, rate = sp.Symbol("v"), sp.Rational(rate)
    here = written_out(phi.inverse(rate))
    by_hand = sp.diff(phi.rate(v), v).subs(v, here) ** 2
    assert agree(written_out(phi.metric(rate)), number(by_hand, working(40))[0], digits=30)
    assert agree(phi.rate(here), rate, digits=30)  # the inverse is one


@pytest.mark.parametrize("phi", EVERY, **NAMES)
def test_the_slope_is_the_derivative_of_the_metric(phi):
    exact = sp.diff(written_out(phi.metric(w)), w)
    assert sp.simplify(written_out(phi.metric_slope(w)) - exact) == 0


@pytest.mark.parametrize("phi", EVERY, **NAMES)
def test_the_distance_is_the_length_of_the_way_in_v(phi):
    """dv = dw / phi', and phi'^2 = g; rejects a wrong sign where phi falls."""
    high, low = sp.symbols("high low", positive=True)
    distance = written_out(phi.distance(high, low))
    assert distance.subs(low, high) == 0
    assert sp.simplify(sp.diff(distance, low) ** 2 * written_out(phi.metric(low))) == 1
    assert distance.subs({high: sp.Rational(3, 2), low: sp.Rational(1, 3)}) > 0


@pytest.mark.parametrize("phi", MOVED, **NAMES)
@pytest.mark.parametrize("rate", ["1e-12", "1e-3", "0.3", "1.9"])
def test_float64_has_the_digits_of_the_metric(phi, rate):
    """1 - e^{-w} taken at its word has 4 digits left at 1e-12."""
    exact = written_out(phi.metric(sp.Rational(rate))), written_out(phi.metric_slope(w)).subs(w, sp.Rational(rate))
    for found, expected in zip(jet(phi, Float64(), float(rate)), exact, strict=True):
        assert float(found) == pytest.approx(float(sp.N(expected, 40)), rel=4e-15, abs=0)


@pytest.mark.parametrize("phi", MOVED, **NAMES)
def test_balls_and_mpmath_have_the_digits_of_the_metric(phi):
    ctx, balls, reference = working(120), Arb(40), Mpmath(40)
    for rate in ("1e-30", "1.2"):
        expected = number(written_out(phi.metric(sp.Rational(rate))), ctx)[0]
        with balls.working():
            assert encloses(jet(phi, balls, balls.number(sp.Rational(rate)))[0], expected, digits=37)
        assert agree(jet(phi, reference, reference.number(sp.Rational(rate)))[0], expected, digits=37)


def jet(phi, arithmetic, rate):
    """g and g' at a number of the arithmetic."""
    return bind((w,), (phi.metric(w), phi.metric_slope(w)), arithmetic)(rate)


def test_the_balls_of_a_distance_are_narrow_for_slow_rates():
    balls, end = Arb(40), sp.Rational("1e-200")
    with balls.working():
        (distance,) = bind((w_e,), (Softplus().distance(sp.Integer(1), w_e),), balls)(balls.number(end))
    exact = written_out(Softplus().distance(sp.Integer(1), end))
    assert encloses(distance, number(exact, working(300))[0], digits=37)


def test_what_a_study_may_name():
    assert list(NAMED) == ["identity", "exp", "softplus"]
    assert InverseSquare(1, "1/2").name == "1/(1 v^2 + 1/2)"


@pytest.mark.parametrize(("a", "b"), [("0", "1"), ("-1", "1"), ("1", "0"), ("1", "-1/2")])
def test_an_inverse_square_needs_positive_numbers(a, b):
    with pytest.raises(ValueError, match=r"parametrisation: [ab] must be > 0"):
        InverseSquare(a, b)


def test_an_inverse_square_needs_exact_numbers():
    with pytest.raises(TypeError, match="parametrisation: a must be exact"):
        InverseSquare(0.5, 1)


@pytest.mark.parametrize("rate", ["2", "3"])
def test_a_start_beyond_the_reach_of_phi_is_refused(rate):
    """At w = 1/b itself phi' = 0, and the rate would never move."""
    message = rf"rate 1 must be < 2 for 1/\(1 v\^2 \+ 1/2\) to reach it and move it, got {rate}"
    with pytest.raises(ValueError, match=message):
        Problem(Target([Exponential()]), LinearRNN([(1, 1), (0, rate)]), "0.1", sp.oo, InverseSquare(1, "1/2"))


@pytest.mark.parametrize("phi", EVERY, **NAMES)
def test_the_leading_order_is_divided_by_the_metric(phi):
    ratio = plateau(on_a_plateau(phi)).leading_order() / plateau(on_a_plateau(IDENTITY)).leading_order()
    v = sp.Symbol("v")
    slope = sp.diff(phi.rate(v), v).subs(v, written_out(phi.inverse(sp.Rational(7, 10))))
    assert agree(written_out(ratio) * slope**2, 1, digits=30)


@pytest.mark.parametrize("phi", EVERY, **NAMES)
def test_the_statements_show_the_metric(phi):
    flow, *rest = plateau(on_a_plateau(phi)).statements()
    slow, *same = plateau(on_a_plateau(IDENTITY)).statements()
    metric = written_out(phi.metric(w))
    assert flow.right == metric * slow.right and rest == same  # P and N know nothing of it
    assert flow.number == ("P4" if phi in MOVED else "M13")
    shown = sp.latex(metric) + " " if phi in MOVED else ""
    assert rf"w' = {shown}\frac{{d}}{{dw}}" in plateau(on_a_plateau(phi))._repr_latex_()


def test_the_bound_shows_where_the_flow_has_to_go():
    flow, momentum, _ = align(lower_bound(on_a_plateau(Exp())).statements()).split(" \\\\\n")
    assert r"\left(- \log{\left(w_{e} \right)} + \log{\left(\frac{7}{10} \right)}\right)^{2}}{D" in flow
    assert flow.endswith(r"\tag{B1}") and momentum.endswith(r"\tag{B1}")


@pytest.mark.parametrize("state", [plateau, lower_bound])
def test_a_finite_horizon_has_neither_a_slow_flow_nor_a_bound(state):
    with pytest.raises(NoPlateau, match="derived for T = inf, and the horizon is 30"):
        state(on_a_plateau(IDENTITY, horizon=30))
