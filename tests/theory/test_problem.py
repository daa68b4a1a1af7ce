"""Problems: which part of the target is rho_bar, when a start is on the fit, and the loss at the start."""

from fractions import Fraction
from itertools import product

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb
from numerics.compiling import evaluate
from oracles import (
    fraction,
    laplace_by_quadrature,
    raw_terms,
    raw_units,
    squared_error_by_quadrature,
    squared_error_by_tanh_sinh,
    weighted_square_by_quadrature,
)
from strategies import ANY_PROBLEMS, EVERY_KERNEL, EXPONENTIALS, HORIZONS, PROBLEMS, problems_on_the_fit
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.parametrisation import Exp, InverseSquare
from theory.problem import Problem, Target, transform, weighted_square
from theory.rnn import LinearRNN
from tolerances import agree

BUMP = Gaussian(lag="10")
ARB = Arb(50)


def pair(target, amplitudes, rates, drop="1/20", **how):
    return Problem(Target(target), LinearRNN.of(amplitudes, rates), drop, **how)


@settings(max_examples=8)
@given(PROBLEMS)
def test_initial_loss_is_the_squared_error_of_the_definition(problem):
    direct = squared_error_by_quadrature(raw_units(problem.start), raw_terms(problem.target.terms))
    # Rejects a cross term counted once, and a double sum over i < j without its factor 2.
    assert agree(problem.initial_loss, direct, digits=35, scale=1)


def test_the_two_oracles_of_the_loss_agree():
    units, terms = ((Fraction(1), Fraction(1)), (Fraction(1, 2), Fraction(1, 3))), raw_terms([BUMP, Exponential(2)])
    first = squared_error_by_quadrature(units, terms)
    assert agree(first, squared_error_by_tanh_sinh(units, terms, 30), digits=30)


@settings(max_examples=15)
@given(st.lists(EXPONENTIALS, min_size=1, max_size=3))
def test_loss_is_exactly_zero_at_the_target(terms):
    start = LinearRNN(tuple((term.amplitude, term.rate) for term in terms))
    assert Problem(Target(terms), start, 1).initial_loss == 0


@settings(max_examples=12, derandomize=True)
@given(st.lists(EVERY_KERNEL, min_size=1, max_size=2), st.fractions(Fraction(1, 4), 2, max_denominator=4), HORIZONS)
def test_transform_and_weighted_square_of_a_target(terms, at, horizon):
    raw, T = raw_terms(terms), None if horizon is sp.oo else fraction(horizon)
    with ARB.working():
        found, square = (evaluate(f(terms, sp.Rational(at), horizon), ARB) for f in (transform, weighted_square))
    assert agree(found, laplace_by_quadrature(raw, at, horizon=T), digits=35, scale=1)  # the sum of its terms
    assert agree(square, weighted_square_by_quadrature(raw, at, T), digits=35, scale=1)  # rejects e^{-st}


@settings(max_examples=15)
@given(ANY_PROBLEMS)
def test_paired_terms_and_bump_are_the_target(problem):
    assert sorted(map(repr, (*problem.pairing.values(), *problem.bump))) == sorted(map(repr, problem.target.terms))
    exponentials = [term for term in problem.target.terms if isinstance(term, Exponential)]
    assert len(problem.pairing) == min(problem.start.width, len(exponentials))


@settings(max_examples=15)
@given(PROBLEMS)
def test_no_unit_and_term_would_both_be_nearer_to_each_other_than_to_their_partners(problem):
    distance = lambda unit, term: max(problem.start.rates[unit] / term.rate, term.rate / problem.start.rates[unit])
    partners = [(unit, term, distance(unit, term)) for unit, term in problem.pairing.items()]
    far = sp.oo
    for unit, term in product(range(problem.start.width), problem.target.terms):
        if isinstance(term, Exponential):
            mine = next((d for u, _, d in partners if u == unit), far)
            its = max((d for _, other, d in partners if other == term), default=far)
            assert distance(unit, term) >= min(mine, its)


def test_pairing_is_nearest_in_the_logarithm_of_the_rate():
    problem = pair([Exponential(1, 1), BUMP], [0, 0], ["1/4", "2"])  # 1/4 is nearer by |w - w*|
    assert problem.pairing == {1: Exponential(1, 1)}
    assert problem.reference == ((0, sp.Rational(1, 4)), (1, 1))
    assert problem.bump == (BUMP,)


def test_equal_amplitudes_pair_first_among_equal_rates():
    problem = pair([Exponential(2, 1), BUMP], [1, 2], [1, 1])
    assert problem.pairing == {1: Exponential(2, 1)}


def test_the_same_term_twice_is_two_terms():
    twice = Exponential()
    problem = pair([twice, twice], [1], [1])  # found by identity, the second copy once vanished from the bump
    assert problem.bump == (twice,)
    assert problem.off_the_fit


@settings(max_examples=15)
@given(problems_on_the_fit())
def test_starts_on_the_fit_are_recognised(problem):
    assert problem.off_the_fit is None
    assert all(isinstance(term, Gaussian) for term in problem.bump)
    assert problem.reference == problem.start.units


@settings(max_examples=15)
@given(problems_on_the_fit(), st.data())
def test_any_change_of_a_unit_leaves_the_fit(problem, data):
    moved = data.draw(st.integers(0, problem.start.width - 1))
    units = [(a + (unit == moved), w) for unit, (a, w) in enumerate(problem.start.units)]
    changed = Problem(problem.target, LinearRNN(tuple(units)), problem.drop)
    what = "its exponential" if moved in changed.pairing else "zero amplitude"
    assert changed.off_the_fit == f"the start is not on the fit: unit {moved} differs from {what}"


@pytest.mark.parametrize(("rate", "on_the_fit"), [("1.01", False), ("1", True)])
def test_the_rate_of_a_matched_unit_counts_too(rate, on_the_fit):
    assert (pair([Exponential(), BUMP], [1, 0], [rate, "0.7"]).off_the_fit is None) == on_the_fit


def test_an_exponential_without_a_unit_is_off_the_fit():
    problem = pair([Exponential(1, 1), Exponential(1, 3), BUMP], [1], [1])
    assert problem.off_the_fit == "the start is not on the fit: an exponential of the target has no unit"
    assert problem.bump == (Exponential(1, 3), BUMP)


def test_a_delayed_exponential_is_no_term_to_pair_with():
    delayed = Exponential(lag="1/2")
    problem = pair([Exponential(), delayed], [1, 0], [1, 1])
    assert problem.pairing == {0: Exponential()}
    assert problem.bump == (delayed,)
    assert problem.off_the_fit is None


def test_where_a_target_may_jump_and_how_far_it_reaches():
    target = Target([Exponential(), Box(start=1, end=3, lag=2), Box(end="1/2"), Exponential(lag=4), BUMP])
    assert target.breaks == (sp.Rational(1, 2), 3, 4, 5)
    assert target.reach == 10
    assert Target([Exponential(), Box(start=1, end=3, lag=2)]).reach == 5


def test_a_horizon_is_infinite_unless_given():
    assert pair([BUMP], [0], [1]).horizon is sp.oo
    assert pair([BUMP], [0], [1], horizon="inf").horizon is sp.oo
    assert pair([BUMP], [0], [1], horizon="25").horizon == 25
    assert pair([BUMP], [0], [1], horizon="25") != pair([BUMP], [0], [1])


def test_a_target_beyond_the_horizon_is_no_target():
    problem = pair([Box(start=5, end=6)], [1], [2], horizon=5)
    assert problem.bump_transform(w) == 0
    with ARB.working():
        assert agree(evaluate(problem.initial_loss, ARB), (1 - sp.exp(-20)) / 4, digits=40)


@pytest.mark.parametrize("formula", ["1/(1+t)^(1/2)", "cos(t)", "1 + exp(-t)"])
def test_a_target_without_a_norm_needs_a_finite_horizon(formula):
    terms = [Exponential(), Expression(formula)]
    with pytest.raises(ValueError, match=r"target term 1 must be square-integrable .* or give a finite horizon"):
        pair(terms, [1], [1])
    assert pair(terms, [1], [1], horizon=10).horizon == 10


@pytest.mark.parametrize(
    "kernel", [BUMP, Box(), Erlang(order=2), PowerLaw(omega="1/100"), Airy(), Expression("exp(-t)")]
)
def test_every_kind_has_a_norm_on_an_infinite_horizon(kernel):
    assert pair([kernel], [0], [1]).bump == (kernel,)


def test_a_parametrisation_says_which_rates_it_reaches():
    inverse = InverseSquare(1, "1/2")  # rates below 2
    assert pair([BUMP], [0, 0], [1, "1.9"], parametrisation=inverse).parametrisation == inverse
    for rate in (2, 3):
        with pytest.raises(ValueError, match=rf"rate 1 must be < .*2 for .* to reach it.*, got {rate}"):
            pair([BUMP], [0, 0], [1, rate], parametrisation=inverse)
    assert pair([BUMP], [0], [3], parametrisation=Exp()).start.rates == (3,)


w = sp.Symbol("w", positive=True)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Target([]), ValueError, "at least one term, got none; add an exponential or a gaussian"),
        (lambda: Target([BUMP, "gaussian"]), TypeError, "target term 1 must be a Kernel, got 'gaussian'"),
        (lambda: Target(BUMP), TypeError, r"must be a list of Kernels, got one Kernel .*; write \[kernel\]"),
        (lambda: pair([BUMP], [0], [1], drop=0), ValueError, "drop must be > 0 for the loss to fall by it, got 0"),
        (lambda: pair([BUMP], [0], [1], drop="-0.1"), ValueError, "drop must be > 0 .* got -1/10"),
        (lambda: pair([BUMP], [0], [1], drop=0.05), TypeError, r"drop must be exact, got the float 0\.05"),
        (lambda: pair([BUMP], [0], [1], drop=True), TypeError, "drop must be a number, got the boolean True"),
        (lambda: pair([BUMP], [0], [1], drop=w), ValueError, "must be all numbers, got the symbols w; substitute"),
        (lambda: pair([BUMP], [0], [w]), ValueError, "must be all numbers, got the symbols w"),  # though 0 e^{-wt} = 0
        (lambda: pair([Gaussian(lag=w)], [0], [1]), ValueError, "must be all numbers, got the symbols w"),
        (lambda: Problem(BUMP, LinearRNN.of([1], [1]), 1), TypeError, "target must be a Target, got Gaussian"),
        (lambda: Problem(Target([BUMP]), [(1, 1)], 1), TypeError, "start must be a LinearRNN, got"),
        (lambda: pair([BUMP], [0], [1], horizon=0), ValueError, "horizon must be > 0 for a loss to be .*got 0"),
        (lambda: pair([BUMP], [0], [1], horizon="-1"), ValueError, "horizon must be > 0 .* got -1"),
        (lambda: pair([BUMP], [0], [1], horizon=25.0), TypeError, r"horizon must be exact, got the float 25\.0"),
        (lambda: pair([BUMP], [0], [1], horizon=float("inf")), TypeError, "horizon must be exact, got the float inf"),
        (lambda: pair([BUMP], [0], [1], horizon=None), TypeError, "horizon must be an exact number, got None"),
        (lambda: pair([BUMP], [0], [1], horizon=-sp.oo), ValueError, "horizon must be finite, got -oo"),
        (lambda: pair([BUMP], [0], [1], horizon=w), ValueError, "horizon must be a number, got w; substitute"),
        (lambda: pair([Exponential(), Box(input=2)], [0], [1]), ValueError, "target term 1 must be of input 1, got 2"),
        (lambda: pair([BUMP], [0], [1], parametrisation="exp"), TypeError, "must be a Parametrisation, got 'exp'"),
        (lambda: InverseSquare(0, 1), ValueError, "parametrisation: a must be > 0 .* got 0"),
        (lambda: InverseSquare(1, 0), ValueError, "parametrisation: b must be > 0 .* got 0"),
    ],
)
def test_errors_teach(build, error, message):
    with pytest.raises(error, match=message):
        build()
