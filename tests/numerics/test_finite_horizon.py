"""Finite horizons: (D1) without cancellation, the flow to its escape, and T = 25 told from T = inf."""

from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.compiling import evaluate
from numerics.escape import escape_time
from numerics.landscape import Landscape
from numerics.run import Outcome
from oracles import (
    fraction,
    gradient_by_quadrature,
    hessian_by_quadrature,
    raw_terms,
    raw_units,
    squared_error_by_quadrature,
)
from strategies import problems_at_any_horizon
from theory import flow
from theory.kernels import Exponential, Gaussian
from theory.landscape import overlap_of_exponentials, s
from theory.problem import Problem, Target, transform
from theory.rnn import LinearRNN
from tolerances import agree, encloses

ARB = Arb(60)
PAIR_AT_INFINITY = "192126.7701435007006369265"  # L = 20, by the escape at T = inf, to 25 digits


def pair(horizon, lag="20", drop="1/20"):
    """rho = e^{-t} + exp(-(t - L)^2/2), the start on the fit with one spare unit."""
    return Problem(Target([Exponential(), Gaussian(lag=lag)]), LinearRNN([("1", "1"), ("0", "0.7")]), drop, horizon)


def at(problem, step, arithmetic):
    """(gradient, Hessian) at the start of a problem on the fit, displaced by Fractions."""
    with arithmetic.working():
        landscape = Landscape(problem, arithmetic)
        y = arithmetic.array(sp.Rational(each.numerator, each.denominator) for each in step)
        return landscape.gradient_and_hessian(y)


def displaced(problem, step):
    units, m = raw_units(problem.start), problem.start.width
    return tuple((a + step[i], w + step[m + i]) for i, (a, w) in enumerate(units))


@settings(max_examples=8, derandomize=True)
@given(problem=problems_at_any_horizon(), at=st.fractions(Fraction(1, 10), 5, max_denominator=10).map(sp.Rational))
def test_excess_minus_bump_is_network_minus_target_at_any_horizon(problem, at):
    T = problem.horizon
    terms = [
        flow.excess_block(T)[0].subs(
            {s: at, flow.alpha: a - a_star, flow.beta: w - w_star, flow.fitted_a: a_star, flow.fitted_w: w_star}
        )
        for (a, w), (a_star, w_star) in zip(problem.start.units, problem.reference, strict=True)
    ]
    network = sp.Add(*(a * overlap_of_exponentials(at + w, T) for a, w in problem.start.units))
    with ARB.working():
        left, right = sp.Add(*terms) - problem.bump_transform(at), network - transform(problem.target.terms, at, T)
        # Rejects D_0 at s + w for s + w*, or the bump's transform at T = inf.
        assert agree(evaluate(left, ARB), evaluate(right, ARB), digits=40, scale=1)


@pytest.mark.parametrize("order", range(3))
@pytest.mark.parametrize("T", [sp.Rational(1, 4), sp.Integer(25)])
def test_explicit_divided_moments_are_the_excess_block(order, T):
    """(D1) by calculus: what is displayed, in closed form, is the difference of two plain terms."""
    a, b, p, q = sp.symbols("a b p q", positive=True)
    block = flow.excess_block(T)[order].subs({flow.alpha: a, flow.beta: b, flow.fitted_a: p, flow.fitted_w: q})
    written = block.replace(lambda each: hasattr(each, "explicit"), lambda each: each.explicit())
    plain = (p + a) * (1 - sp.exp(-(s + q + b) * T)) / (s + q + b) - p * (1 - sp.exp(-(s + q) * T)) / (s + q)
    values = {s: sp.Rational(1, 3), a: sp.Rational(2, 7), b: sp.Rational(1, 5), p: 2, q: sp.Rational(3, 4)}
    assert agree(sp.N((written - sp.diff(plain, s, order)).subs(values), 60), 0, digits=45, scale=1)


@pytest.mark.parametrize(("horizon", "lag"), [("5", "8"), ("25", "20")])
def test_gradient_of_the_pair_is_that_of_the_integral(horizon, lag):
    problem = pair(horizon, lag)
    units, terms = raw_units(problem.start), raw_terms(problem.target.terms)
    direct = gradient_by_quadrature(units, terms, Fraction(horizon))
    gradient, _ = at(problem, [Fraction(0)] * 4, Arb(45))
    for found, wanted in zip(gradient[:3], direct[:3], strict=True):
        assert agree(found, wanted, digits=25)  # relative; T = inf would agree to 9 digits at T = 25
    assert gradient[3] == 0  # of the spare's rate: its amplitude is 0
    in_float64, _ = at(problem, [Fraction(0)] * 4, Float64())
    assert all(agree(x, y, digits=12) for x, y in zip(in_float64[:3], gradient[:3], strict=True))


PLATEAU = pair("60", lag="55", drop="1/1000")
STEP = [Fraction(k, 10**20) for k in (3, -2, 5, 7)]


@cache
def plateau_by_quadrature():
    units, terms = displaced(PLATEAU, STEP), raw_terms(PLATEAU.target.terms)
    return gradient_by_quadrature(units, terms, Fraction(60)), hessian_by_quadrature(units, terms, Fraction(60))


@pytest.mark.parametrize("arithmetic", [Float64(), Mpmath(30), Arb(30)], ids=lambda each: each.name)
def test_a_plateau_keeps_its_relative_digits(arithmetic):
    # The gradient is 1e-16 to 1e-36 there: K(x + w) - K(x + w*) formed as a difference has no digit of it in float64.
    direct, _ = plateau_by_quadrature()
    digits = 12 if arithmetic.name == "float64" else 20
    gradient, _ = at(PLATEAU, STEP, arithmetic)
    for found, wanted in zip(gradient[:3], direct[:3], strict=True):
        assert abs(float(wanted)) < 1e-15
        assert agree(found, wanted, digits)
    assert agree(gradient[3], direct[3], min(digits, 12))  # an amplitude of 2e-20 times that; the oracle has 15 digits


def test_the_hessian_of_a_plateau():
    _, direct = plateau_by_quadrature()
    for arithmetic in (Float64(), Arb(45)):
        _, hessian = at(PLATEAU, STEP, arithmetic)
        for (p, q), wanted in direct.items():
            assert agree(hessian[p, q], wanted, digits=12)  # relative, from O(1) down to 1e-33
            assert agree(hessian[q, p], wanted, digits=12)


@settings(max_examples=4, derandomize=True)
@given(problems_at_any_horizon())
def test_balls_at_any_horizon_contain_the_loss(problem):
    horizon = None if problem.horizon is sp.oo else fraction(problem.horizon)
    with ARB.working():
        landscape = Landscape(problem, ARB)
        loss, exact = landscape.loss(landscape.start), evaluate(problem.initial_loss, ARB)
    direct = squared_error_by_quadrature(raw_units(problem.start), raw_terms(problem.target.terms), horizon)
    assert encloses(loss, direct, digits=40, scale=1)
    assert encloses(exact, direct, digits=40, scale=1)


def test_the_loss_rises_with_the_horizon_to_that_of_an_infinite_one():
    losses = []
    for T in ("1/10", "1", "5", "7", "20", "inf"):
        with ARB.working():
            losses.append(evaluate(pair(T, lag="6").initial_loss, ARB))
    assert all(earlier < later for earlier, later in pairwise(losses[:4]))
    assert agree(losses[-1], losses[-2], digits=40)  # e^{-14^2} of the bump's square is left


def test_a_horizon_of_25_shows_in_the_ninth_digit():
    found = escape_time(pair("25"), digits=11)
    assert found.outcome is Outcome.escaped
    assert found.digits >= 11
    assert agree(found.tau, PAIR_AT_INFINITY, digits=8)
    assert not agree(found.tau, PAIR_AT_INFINITY, digits=8.1)  # by 9.2e-9
    assert agree(found.tau, "192126.77190789513", digits=10)


def test_a_long_horizon_is_an_infinite_one():
    # At the escape the spare has slowed to 0.08, so T = 60 still cuts e^{-10} of its square: the 11th digit differs.
    for T, digits in (("60", 10), ("150", 12)):
        assert agree(escape_time(pair(T), digits=12).tau, PAIR_AT_INFINITY, digits - 0.5)  # half a unit is rounding


@pytest.mark.slow
@pytest.mark.parametrize(("horizon", "tau"), [("25", "192126.7719078951"), ("150", PAIR_AT_INFINITY)])
def test_escape_times_in_balls(horizon, tau):
    found = escape_time(pair(horizon), digits=16)
    assert found.arithmetic.startswith("arb")
    assert agree(found.tau, tau, digits=15)


def test_a_short_horizon_escapes_when_quadrature_says_so():
    """T = 5 by SciPy: an explicit method on gradients from 60 Gauss points, nothing of ours."""
    problem = Problem(
        Target([Exponential(), Gaussian(lag="3")]), LinearRNN([("1", "1.2"), ("1/2", "0.3")]), "1/10", "5"
    )
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t, weights = 2.5 * (nodes + 1), 2.5 * weights

    def error(theta):
        decays = np.exp(-np.outer(theta[2:], t))
        return theta[:2] @ decays - np.exp(-t) - np.exp(-((t - 3) ** 2) / 2), decays

    def descent(_, theta):
        e, decays = error(theta)
        return -2 * np.concatenate((decays @ (weights * e), -theta[:2] * (decays @ (weights * t * e))))

    def missing(_, theta):
        return weights @ error(start)[0] ** 2 - weights @ error(theta)[0] ** 2 - 0.1

    missing.terminal = True
    start = np.array([1, 0.5, 1.2, 0.3])
    run = scipy.integrate.solve_ivp(descent, (0, 1e3), start, "DOP853", rtol=1e-11, atol=1e-13, events=missing)
    found = escape_time(problem, digits=10)
    assert agree(found.tau, run.t_events[0][0], digits=8)  # T = inf escapes at another time by tens of per cent
    assert not agree(found.tau, escape_time(Problem(problem.target, problem.start, "1/10"), digits=6).tau, digits=1)


def test_a_rate_may_fall_below_zero():
    """One unit, a bump of which T = 4.5 sees the rise only: the best memory grows. SciPy on Gauss points."""
    target, T = Target((Gaussian(lag=5),)), 4.5
    run = escape_time(Problem(target, LinearRNN((("0.1", "0.5"),)), "0.3", horizon="4.5"), digits=8)
    x, weights = np.polynomial.legendre.leggauss(60)
    t, weights = (x + 1) * T / 2, weights * T / 2
    rho = np.exp(-((t - 5) ** 2) / 2)

    def loss(y):
        return weights @ (y[0] * np.exp(-y[1] * t) - rho) ** 2

    def slope(_, y):
        decay = np.exp(-y[1] * t)
        error = weights * (y[0] * decay - rho)
        return [-2 * error @ decay, 2 * y[0] * error @ (t * decay)]

    def escaped(_, y):
        return loss([0.1, 0.5]) - loss(y) - 0.3

    escaped.terminal = True
    expected = scipy.integrate.solve_ivp(slope, (0, 10), [0.1, 0.5], "DOP853", rtol=1e-11, atol=1e-12, events=escaped)
    assert float(run.end.rates[0]) < 0
    assert agree(float(run.tau), float(expected.t_events[0][0]), digits=7)


def test_a_horizon_beyond_all_reason_is_refused():
    with pytest.raises(ValueError, match=r"horizon must be at most 1e\+100 or 'inf'"):
        Problem(Target((Exponential(),)), LinearRNN((("1", "1"),)), "0.1", horizon="1e160")


def test_a_long_finite_horizon_does_not_overflow():
    """T^2 is no float64 here; the memory has long faded."""
    problem = Problem(Target((Exponential(), Gaussian(lag=5))), LinearRNN((("1", "1"), ("0", "0.7"))), "0.05")
    far = Problem(problem.target, problem.start, problem.drop, horizon="1e99")
    assert escape_time(far, digits=8).tau == escape_time(problem, digits=8).tau
