"""The flow without cancellation: (D1) and (D2) as identities, and what they are for."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Float64
from numerics.compiling import bind
from strategies import ANY_PROBLEMS
from theory import flow, landscape
from theory.flow import alpha, beta, fitted_a, fitted_w
from theory.landscape import s
from theory.problem import transform, weighted_square
from theory.special import ExponentialMoment

UNIT = (s, alpha, beta, fitted_a, fitted_w)
POINTS = st.fractions(Fraction(1, 10), 5, max_denominator=10).map(sp.Rational)


@pytest.mark.parametrize("order", range(3))
def test_excess_block_is_the_difference_it_claims_to_be(order):
    plain = (fitted_a + alpha) / (s + fitted_w + beta) - fitted_a / (s + fitted_w)
    assert sp.simplify(flow.excess_block()[order] - sp.diff(plain, s, order)) == 0


@pytest.mark.parametrize("order", range(3))
def test_excess_block_does_not_cancel(order):
    # Displacements of 1e-200 keep 14 digits in float64; the plain difference has none left.
    tiny = sp.Rational(10) ** -200
    values = (sp.Rational(1, 3), 3 * tiny, -2 * tiny, sp.Rational(2), sp.Rational(7, 10))
    exact = flow.excess_block()[order].subs(dict(zip(UNIT, values, strict=True)))
    [found] = bind(UNIT, [flow.excess_block()[order]], Float64())(*map(float, values))
    assert found == pytest.approx(float(exact), rel=1e-14, abs=0)


def excess(problem, at):
    """E(at), by the blocks of (D1)."""
    block = flow.excess_block()[0]
    return sum(
        block.subs({s: at, alpha: a - a_star, beta: w - w_star, fitted_a: a_star, fitted_w: w_star})
        for (a, w), (a_star, w_star) in zip(problem.start.units, problem.reference, strict=True)
    )


@settings(max_examples=12)
@given(problem=ANY_PROBLEMS, at=POINTS)
def test_excess_minus_bump_is_network_minus_target_for_every_pairing(problem, at):
    network = sum(a / (at + w) for a, w in problem.start.units)
    plain = network - transform(problem.target.terms, at)
    assert sp.expand(excess(problem, at) - transform(problem.bump, at) - plain) == 0  # exactly, as rationals


@settings(max_examples=10)
@given(problem=ANY_PROBLEMS)
def test_bump_minus_gain_is_the_loss_for_every_pairing(problem):
    potential = lambda at: 2 * transform(problem.bump, at) - excess(problem, at)  # G of (D2)
    gain = sum(
        a * potential(w) - a_star * potential(w_star)
        for (a, w), (a_star, w_star) in zip(problem.start.units, problem.reference, strict=True)
    )
    assert sp.expand(weighted_square(problem.bump, sp.Integer(0)) - gain - problem.initial_loss) == 0


@pytest.mark.parametrize("order", range(3))
def test_excess_block_at_a_finite_horizon_does_not_cancel(order):
    # T = 3: at displacements of 1e-200 the plain difference of two K has no digit left in float64.
    values = (sp.Rational(1, 3), *(sp.Rational(k, 10**200) for k in (3, -2)), sp.Rational(2), sp.Rational(7, 10))
    block = flow.excess_block(sp.Integer(3))[order]
    K = ExponentialMoment(0, s, sp.Integer(3)).explicit()
    a_0, b_0, a_1, w_1 = values[1:]
    first_order = a_0 * sp.diff(K, s, order) + a_1 * b_0 * sp.diff(K, s, order + 1)  # the rest is 1e-400
    with Float64().working():
        [found] = bind(UNIT, [block], Float64())(*map(float, values))
    assert float(found) == pytest.approx(float(first_order.subs(s, values[0] + w_1).evalf(40)), rel=1e-13, abs=0)


@pytest.mark.parametrize("horizon", [sp.oo, sp.Integer(4)])
def test_the_flow_that_is_displayed_descends_the_gradient(horizon):
    for moving, slope in zip(flow.flow(horizon), landscape.gradient(horizon), strict=True):
        assert moving.right == -slope.right
        assert moving.left.expr == slope.left.variables[0]


@pytest.mark.parametrize("horizon", [sp.oo, sp.Integer(4)])
def test_the_cancellation_free_form_that_is_displayed_is_the_block(horizon):
    gradient, total = flow.cancellation_free(horizon)
    E, B = sp.Function("E"), sp.Function("B")
    assert gradient.right == 2 * (E(landscape.W[landscape.k]) - B(landscape.W[landscape.k]))  # (M5) with F = E - B
    assert isinstance(total.right, sp.Sum)
    named = {"alpha": alpha, "beta": beta, "a^*": fitted_a, "w^*": fitted_w}
    unnamed = {indexed: named[str(indexed.base)] for indexed in total.right.function.atoms(sp.Indexed)}
    assert sp.simplify(total.right.function.xreplace(unnamed) - flow.excess_block(horizon)[0]) == 0
