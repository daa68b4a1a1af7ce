"""Problems: which part of the target is rho_bar, when a start is on the fit, and the loss at the start."""

from fractions import Fraction
from itertools import product

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import (
    laplace_by_quadrature,
    raw_terms,
    raw_units,
    squared_error_by_quadrature,
    squared_error_by_tanh_sinh,
    weighted_square_by_quadrature,
)
from strategies import ANY_PROBLEMS, EXPONENTIALS, PROBLEMS, TARGETS, problems_on_the_fit
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target, transform, weighted_square
from theory.rnn import LinearRNN
from tolerances import agree

BUMP = Gaussian(lag="10")


def pair(target, amplitudes, rates, drop="1/20"):
    return Problem(Target(target), LinearRNN.of(amplitudes, rates), drop)


@settings(max_examples=15)
@given(PROBLEMS)
def test_initial_loss_is_the_squared_error_of_the_definition(problem):
    direct = squared_error_by_quadrature(raw_units(problem.start), raw_terms(problem.target.terms))
    # Rejects a cross term counted once, and a double sum over i < j without its factor 2.
    assert agree(problem.initial_loss, direct, digits=35, scale=1)


def test_the_two_oracles_of_the_loss_agree():
    units, terms = ((Fraction(1), Fraction(1)), (Fraction(1, 2), Fraction(1, 3))), raw_terms([BUMP, Exponential(2)])
    first = squared_error_by_quadrature(units, terms)
    assert agree(first, squared_error_by_tanh_sinh(units, terms, 30), digits=30)


@settings(max_examples=25)
@given(st.lists(EXPONENTIALS, min_size=1, max_size=3))
def test_loss_is_exactly_zero_at_the_target(terms):
    start = LinearRNN(tuple((term.amplitude, term.rate) for term in terms))
    assert Problem(Target(terms), start, 1).initial_loss == 0


@settings(max_examples=10)
@given(TARGETS, st.fractions(0, 2, max_denominator=4))
def test_transform_and_weighted_square_of_a_target(target, at):
    terms = raw_terms(target.terms)
    direct = laplace_by_quadrature(terms, at)
    assert agree(transform(target.terms, sp.Rational(at)), direct, digits=35, scale=1)
    direct = weighted_square_by_quadrature(terms, at)
    assert agree(weighted_square(target.terms, sp.Rational(at)), direct, digits=35, scale=1)  # rejects e^{-st}


@settings(max_examples=25)
@given(ANY_PROBLEMS)
def test_paired_terms_and_bump_are_the_target(problem):
    assert sorted(map(repr, (*problem.pairing.values(), *problem.bump))) == sorted(map(repr, problem.target.terms))
    exponentials = [term for term in problem.target.terms if isinstance(term, Exponential)]
    assert len(problem.pairing) == min(problem.start.width, len(exponentials))


@settings(max_examples=25)
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


@settings(max_examples=25)
@given(problems_on_the_fit())
def test_starts_on_the_fit_are_recognised(problem):
    assert problem.off_the_fit is None
    assert all(isinstance(term, Gaussian) for term in problem.bump)
    assert problem.reference == problem.start.units


@settings(max_examples=25)
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
    ],
)
def test_errors_teach(build, error, message):
    with pytest.raises(error, match=message):
        build()
