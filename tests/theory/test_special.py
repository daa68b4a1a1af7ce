"""Moments against quadrature and as identities; tests/numerics has their digits in each arithmetic."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import divided_by_quadrature, laplace_by_quadrature
from strategies import LAGS, WIDTHS
from theory.special import DividedMoment, ExponentialMoment, GaussianMoment, Moment, PowerMoment
from tolerances import agree

s, T, beta = sp.symbols("s T beta", positive=True)
t = sp.Symbol("t", nonnegative=True)
EVERY_MOMENT = [
    GaussianMoment(0, s, 3, 1),
    ExponentialMoment(0, s, T),
    DividedMoment(0, s, beta, T),
    PowerMoment(0, s, sp.Rational(3, 2)),
    Moment(0, s, sp.Lambda(t, sp.airyai(t)), 0, sp.oo),
]


def moment(n, at, lag, width):
    return GaussianMoment(n, *map(sp.sympify, (at, lag, width)))


@settings(max_examples=25)
@given(n=st.integers(0, 4), at=st.fractions(0, 30, max_denominator=4), lag=LAGS, width=WIDTHS)
def test_closed_moments_are_the_integrals_they_claim_to_be(n, at, lag, width):
    direct = laplace_by_quadrature([("gaussian", Fraction(1), width, lag)], at, n)
    # (S2) without its boundary term, or with n for n - 1, is off by O(1) of the largest term.
    assert agree(moment(n, at, lag, width), direct, digits=20, scale="1e-15")


@settings(max_examples=10)
@given(n=st.integers(0, 3), at=st.fractions(0, 3, max_denominator=4), lag=LAGS, width=WIDTHS)
def test_derivative_of_a_moment_is_the_derivative_of_its_closed_form(n, at, lag, width):
    by_rule = sp.diff(moment(n, s, lag, width), s)  # (S1)
    by_calculus = sp.diff(moment(n, s, lag, width).closed(), s)
    assert agree(by_rule.subs(s, at), by_calculus.subs(s, at), digits=25, scale="1e-15")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_recurrence_as_an_identity_in_symbols(n):
    lag, width = sp.symbols("L sigma", positive=True)
    M = [GaussianMoment(order, s, lag, width) for order in range(n + 2)]
    recurrence = (lag - s * width**2) * M[n] + n * width**2 * M[n - 1]  # (S2)
    written = recurrence.replace(GaussianMoment, lambda *arguments: GaussianMoment(*arguments).closed())
    assert sp.expand(M[n + 1].closed() - written) == 0


def test_a_derivative_by_another_argument_stays_formal():
    lag = sp.Symbol("L", positive=True)
    assert GaussianMoment(0, s, lag, 1).diff(lag).has(sp.Derivative)  # formal, not a wrong closed form


def test_chain_rule_reaches_the_moment():
    assert GaussianMoment(0, 2 * s, 3, 1).diff(s) == -2 * GaussianMoment(1, 2 * s, 3, 1)
    assert GaussianMoment(0, s, 3, 1).diff(s, 2) == GaussianMoment(2, s, 3, 1)


@pytest.mark.parametrize("moment", EVERY_MOMENT, ids=lambda each: type(each).__name__)
def test_derivatives_are_moments_of_higher_order(moment):
    kind, (_, *rest) = type(moment), moment.args
    assert [sp.diff(moment, s, n) for n in range(4)] == [(-1) ** n * kind(n, *rest) for n in range(4)]  # (S1)


@pytest.mark.parametrize("moment", EVERY_MOMENT[1:], ids=lambda each: type(each).__name__)
def test_a_derivative_by_any_other_argument_stays_formal(moment):
    others = moment.free_symbols - {s}
    assert all(moment.diff(symbol).has(sp.Derivative, sp.Subs) for symbol in others)


@pytest.mark.parametrize("n", range(4))
def test_exponential_moments_in_closed_form(n):
    by_calculus = sp.integrate(t**n * sp.exp(-s * t), (t, 0, T))
    assert sp.simplify(ExponentialMoment(n, s, T).explicit() - by_calculus) == 0  # (S3)
    assert ExponentialMoment(n, s, sp.oo) == sp.integrate(t**n * sp.exp(-s * t), (t, 0, sp.oo))
    assert ExponentialMoment(n, sp.Integer(0), T) == sp.integrate(t**n, (t, 0, T))


@pytest.mark.parametrize("n", range(3))
def test_divided_moments_in_closed_form(n):
    at, split, horizon = sp.Rational(2, 3), sp.Rational(-1, 4), sp.Rational(5, 2)
    exact = DividedMoment(n, at, split, horizon).explicit()
    direct = divided_by_quadrature(n, Fraction(2, 3), Fraction(-1, 4), Fraction(5, 2))
    assert agree(exact, direct, digits=30)  # rejects E_n(s - beta), and the sign of the difference


def test_divided_moments_of_an_infinite_horizon_are_rational():
    divided = DividedMoment(0, s, beta, sp.oo)
    assert divided == 1 / (s * (s + beta))
    assert sp.simplify(divided - (ExponentialMoment(0, s, sp.oo) - ExponentialMoment(0, s + beta, sp.oo)) / beta) == 0
    assert divided.subs(beta, 0) == 1 / s**2  # no 0/0


@pytest.mark.parametrize("n", [1, 2])
def test_recurrence_of_divided_moments(n):
    """(S4), with K(beta) written out."""
    D = [DividedMoment(order, s, beta, T).explicit() for order in range(n + 1)]
    E = ExponentialMoment(n, s, T).explicit()
    boundary = T**n * sp.exp(-s * T) * ExponentialMoment(0, beta, T).explicit()
    assert sp.simplify(D[n] - (E + n * D[n - 1] - boundary) / (s + beta)) == 0


def test_power_moments_at_rest():
    assert PowerMoment(0, sp.Integer(0), sp.Rational(5, 2)) == sp.Rational(2, 3)
    assert PowerMoment(1, sp.Integer(0), sp.Rational(5, 2)).func is PowerMoment  # no closed value claimed
    f, lower, upper = PowerMoment(0, s, sp.Integer(2)).integrand
    assert (f(sp.Integer(1)), lower, upper) == (sp.Rational(1, 4), 0, sp.oo)


@pytest.mark.parametrize("moment", EVERY_MOMENT, ids=lambda each: type(each).__name__)
def test_moments_are_displayed(moment):
    assert sp.latex(moment**2) in (rf"\left({sp.latex(moment)}\right)^{{2}}", rf"{sp.latex(moment)}^{{2}}")
