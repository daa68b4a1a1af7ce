"""Formulas as MathML: the letters, signs and brackets that a reader sees."""

import html
import re

import pytest
import sympy as sp

from theory import dense, flow, landscape
from theory.inverse_theorem import inverse_theorem
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw, t
from theory.latex import Statement
from theory.special import DividedMoment, ExponentialMoment
from verify.mathml import ShownIntegral, mathml, named

L, T, w = sp.symbols("L T w", positive=True)


def text_of(statement):
    """The characters of a formula, tags dropped."""
    shown = mathml(statement.left, statement.right, statement.relation)
    return html.unescape(re.sub(r"<[^>]*>", "", shown)).replace("\u2062", "")


def right_of(expr):
    return text_of(Statement("test", sp.Symbol("J"), expr, "M0")).removeprefix("J=")


def test_formulas_keep_letters_signs_and_both_sums():
    assert text_of(landscape.loss()) == "J=∑i=1m∑j=1maiajwi+wj−2∑i=1maiR(wi)+∫0∞ρ(t)2dt"
    by_amplitude, by_rate = landscape.gradient()
    assert text_of(by_amplitude) == "∂J∂ak=2∑j=1majwj+wk−2R(wk)"
    assert text_of(by_rate) == "∂J∂wk=−2ak(∑j=1maj(wj+wk)2+R′(wk))"
    assert text_of(flow.cancellation_free()[1]) == "E(s)=∑j=1m(αjs+βj+wj*−aj*βj(s+wj*)(s+βj+wj*))"


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        ("-x", "−x"),
        ("(x - 3)**2/y", "(x−3)2y"),
        ("exp(-x)*y", "ye−x"),
        ("-x - y", "−x−y"),
        ("z*(-x - y)", "−z(x+y)"),
        ("x/3", "x3"),
        ("sqrt(x)", "x"),
        ("1/x", "1x"),
    ],
)
def test_formulas_are_written_as_a_reader_expects(expr, text):
    right = sp.sympify(expr, locals={"x": sp.Symbol("x"), "y": sp.Symbol("y"), "z": sp.Symbol("z")})
    assert text_of(Statement("test", sp.Symbol("J"), right, "M0")) == f"J={text}"


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (Gaussian(lag="10"), "e−(t−10)2/2"),
        (Box(end=2), "1t≤20otherwise"),
        (Box(end=2, lag=L), "1L≤t≤L+20otherwise"),
        (PowerLaw(omega="1/2", lag=L), "1(t−L+1)3/2L≤t0otherwise"),
        (Airy(shift="2.338", lag="8"), "Ai(t−10.338)t≥80otherwise"),
        (Expression("t^2*cos(3*t)/2"), "t2cos(3t)2"),
    ],
)
def test_a_memory_says_where_it_begins_and_ends(kernel, text):
    assert right_of(kernel.rho(t)).removeprefix("{") == text
    if kernel.rho(t).has(sp.Piecewise):
        assert right_of(sp.exp(-t) + kernel.rho(t)) == "e−t+{" + text  # the cases come last


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (Gaussian(lag=L).laplace(w), "M0(w,L,1)"),
        (Gaussian(lag=L).laplace(w).diff(w), "−M1(w,L,1)"),
        (PowerLaw(omega="1/2").laplace(w), "H0(w,32)"),
        (DividedMoment(0, w, L, T), "D0(w,L)"),
        (ExponentialMoment(0, w, T), "1−e−Tww"),
        (4 * w * ExponentialMoment(0, 1, 2), "4(1−e−2)w"),
        (Exponential(rate=2).laplace(w, T), "1−e−T(w+2)w+2"),
        (Erlang(order=2, lag=L).laplace(w), "2e−Lw(w+1)3"),
        (Airy(lag=L).laplace(w), "e−Lw∫0∞Ai(t)e−wtdt"),
    ],
)
def test_moments_have_a_letter_or_are_written_out(expr, text):
    assert right_of(expr) == text


def test_written_out_moments_are_the_integrals_they_stand_for():
    rate, horizon = sp.Rational(7, 10), sp.Integer(3)
    cases = (
        (ExponentialMoment(1, rate, horizon), t, 0),
        (Airy(lag="2").laplace(rate, horizon), sp.airyai(t - 2), 2),
    )
    for moment, density, start in cases:
        by_quadrature = sp.Integral(density * sp.exp(-rate * t), (t, start, horizon)).evalf(15)
        shown = named(moment).replace(ShownIntegral, sp.Integral)
        assert abs(shown.evalf(15) - by_quadrature) < 1e-12


def test_matrices_and_their_equations():
    shown = [text_of(each) for each in dense.statements()]
    assert shown[:3] == ["PWT+UUT+WP=0", "QW+ccT+WTQ=0", "J−∫0∞|ρ(t)|2dt=cTPc−2cTX"]
    assert shown[3:6] == ["∂J∂c=2Pc−2X", "∂J∂U=2QU−2Y", "∂J∂W=2QP−2Z"]
    assert shown[6:] == ["R^(−λ)=R(−λ)", "R^′(−λ)bT=R′(−λ)bT"]
    matrix = mathml(sp.Symbol("W"), sp.ImmutableMatrix([[-1, sp.Rational(-7, 10)], [sp.Rational(1, 3), 0]]))
    assert matrix.count("<mtr>") == 2
    assert text_of(Statement("test", sp.Symbol("W"), sp.ImmutableMatrix([[sp.Rational(-7, 10)]]), "M0")) == "W=[−0.7]"


def test_relations():
    x = sp.Symbol("x")
    assert [text_of(Statement("test", x, sp.S(1), "M0", sign)) for sign in ("=", r"\ge", r"\le", r"\sim")] == [
        "x=1",
        "x≥1",
        "x≤1",
        "x∼1",
    ]


def test_the_inverse_theorem_is_a_limit():
    (statement,) = inverse_theorem().conclusions
    assert text_of(statement) == "limt→∞eβty(k)(t)=0"
    body = statement.left.args[0]
    assert right_of(2 * sp.Limit(body + 1, t, sp.oo)) == "2limt→∞(eβty(k)(t)+1)"
    assert right_of(sp.Function("y")(t).diff(t, 2)) == "y(2)(t)" != right_of(sp.Function("y")(t).diff(t))


def test_a_flow_over_a_horizon_shows_the_horizon():
    assert text_of(landscape.loss(T)) == "J=∑i=1m∑j=1maiaj(1−e−T(wi+wj))wi+wj−2∑i=1maiR(wi)+∫0Tρ(t)2dt"


def test_no_integral_is_computed_to_be_printed():
    assert not named(Airy(lag="2").laplace(sp.Integer(1))).is_number
