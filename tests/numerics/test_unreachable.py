"""The drop that no network reaches: equality included, and decided exactly where it can be."""

from fractions import Fraction

import pytest

from numerics.unreachable import unreachable
from oracles import raw_terms, raw_units, squared_error_by_quadrature
from theory.kernels import Box, Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

BOX, BUMP = Box("3", "1", "3"), Gaussian(lag="8")  # the box loses 9 * 2 = 18 to a network that ignores it
FITTED = LinearRNN((("1", "1"),))
HAIR = Fraction(1, 10**80)  # far below what balls of 60 digits tell apart


@pytest.mark.parametrize(("drop", "out"), [(18, True), (18 + HAIR, True), (18 - HAIR, False), (17, False)])
def test_rational_numbers_are_compared_exactly(drop, out):
    assert unreachable(Problem(Target((Exponential(), BOX)), FITTED, drop)) == out


def test_other_numbers_are_compared_in_balls_with_the_integral_by_quadrature():
    problem = Problem(Target((Exponential(), BUMP)), FITTED, 1)
    loss = squared_error_by_quadrature(raw_units(problem.start), raw_terms(problem.target.terms))
    for shift, out in ((Fraction(1, 10**30), True), (-Fraction(1, 10**30), False)):
        drop = Fraction(str(loss.mid().str(40, radius=False))) + shift
        assert unreachable(Problem(problem.target, FITTED, drop)) == out
