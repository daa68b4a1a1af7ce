"""Truncated Gaussian moments against quadrature, also where their closed form cancels."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import laplace_by_quadrature
from strategies import LAGS, WIDTHS
from theory.special import GaussianMoment
from tolerances import agree

s = sp.Symbol("s", positive=True)


def moment(n, at, lag, width):
    return GaussianMoment(n, *map(sp.sympify, (at, lag, width)))


@settings(max_examples=25)
@given(n=st.integers(0, 4), at=st.fractions(0, 30, max_denominator=4), lag=LAGS, width=WIDTHS)
def test_closed_moments_are_the_integrals_they_claim_to_be(n, at, lag, width):
    direct = laplace_by_quadrature([("gaussian", Fraction(1), width, lag)], at, n)
    # (S1) without its boundary term, or with n for n - 1, is off by O(1) of the largest term.
    assert agree(moment(n, at, lag, width), direct, digits=20, scale="1e-15")


@settings(max_examples=10)
@given(n=st.integers(0, 3), at=st.fractions(0, 3, max_denominator=4), lag=LAGS, width=WIDTHS)
def test_derivative_of_a_moment_is_the_derivative_of_its_closed_form(n, at, lag, width):
    by_rule = sp.diff(moment(n, s, lag, width), s)  # (S2)
    by_calculus = sp.diff(moment(n, s, lag, width).closed(), s)
    assert agree(by_rule.subs(s, at), by_calculus.subs(s, at), digits=25, scale="1e-15")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_recurrence_as_an_identity_in_symbols(n):
    lag, width = sp.symbols("L sigma", positive=True)
    M = [GaussianMoment(order, s, lag, width) for order in range(n + 2)]
    recurrence = (lag - s * width**2) * M[n] + n * width**2 * M[n - 1]  # (S1)
    written = recurrence.replace(GaussianMoment, lambda *arguments: GaussianMoment(*arguments).closed())
    assert sp.expand(M[n + 1].closed() - written) == 0


def test_a_derivative_by_another_argument_stays_formal():
    lag = sp.Symbol("L", positive=True)
    assert GaussianMoment(0, s, lag, 1).diff(lag).has(sp.Derivative)  # formal, not a wrong closed form


def test_chain_rule_reaches_the_moment():
    assert GaussianMoment(0, 2 * s, 3, 1).diff(s) == -2 * GaussianMoment(1, 2 * s, 3, 1)
    assert GaussianMoment(0, s, 3, 1).diff(s, 2) == GaussianMoment(2, s, 3, 1)
