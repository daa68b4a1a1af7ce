"""Hypothesis strategies for exact kernels, networks, targets and problems, on the fit and off it, at any horizon."""

from fractions import Fraction

import sympy as sp
from hypothesis import strategies as st

from oracles import FORMULAS
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

AMPLITUDES = st.integers(-3, 3).filter(bool).map(Fraction)
RATES = st.fractions(Fraction(1, 5), 4, max_denominator=12)
WIDTHS = st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(3, 2)])
LAGS = st.fractions(-1, 8, max_denominator=4)  # a bump may have its centre before t = 0
DELAYS = st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(4)])

EXPONENTIALS = st.builds(Exponential, AMPLITUDES, RATES)
GAUSSIANS = st.builds(Gaussian, AMPLITUDES, WIDTHS, LAGS)
STARTS = st.fractions(0, 2, max_denominator=3)
BOXES = st.builds(lambda A, start, wide, lag: Box(A, start, start + wide, lag), AMPLITUDES, STARTS, RATES, DELAYS)
ERLANGS = st.builds(Erlang, AMPLITUDES, st.integers(0, 3), RATES, DELAYS)
POWER_LAWS = st.builds(PowerLaw, AMPLITUDES, st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(5, 3)]), DELAYS)
AIRYS = st.builds(Airy, AMPLITUDES, st.sampled_from([Fraction(1), Fraction(3, 2)]), STARTS, DELAYS)
EXPRESSIONS = st.builds(Expression, st.sampled_from(sorted(FORMULAS)), DELAYS)
DELAYED = st.builds(Exponential, AMPLITUDES, RATES, DELAYS)

KERNELS = EXPONENTIALS | GAUSSIANS
CLOSED_KERNELS = KERNELS | DELAYED | BOXES | ERLANGS
EVERY_KERNEL = CLOSED_KERNELS | POWER_LAWS | AIRYS | EXPRESSIONS
TARGETS = st.lists(KERNELS, min_size=1, max_size=3).map(Target)
UNITS = st.tuples(st.integers(-3, 3).map(Fraction), RATES)
NETWORKS = st.lists(UNITS, min_size=1, max_size=3).map(tuple).map(LinearRNN)
DROPS = st.fractions(Fraction(1, 100), 1, max_denominator=100)
PROBLEMS = st.builds(Problem, TARGETS, NETWORKS, DROPS)
HORIZONS = st.sampled_from([sp.oo, sp.Rational(1, 2), sp.Integer(5)])


@st.composite
def problems_on_the_fit(draw):
    """The start equals the exponentials of the target; spares have amplitude 0, and the units come in any order."""
    rates = draw(st.lists(RATES, min_size=2, max_size=3, unique=True))
    matched = draw(st.integers(1, len(rates)))
    amplitudes = [draw(AMPLITUDES) for _ in range(matched)]
    fitted = list(zip(amplitudes, rates, strict=False))
    bumps = draw(st.lists(GAUSSIANS, min_size=1, max_size=2))
    units = draw(st.permutations([*fitted, *((Fraction(0), rate) for rate in rates[matched:])]))
    return Problem(Target([*(Exponential(a, w) for a, w in fitted), *bumps]), LinearRNN(tuple(units)), draw(DROPS))


ANY_PROBLEMS = PROBLEMS | problems_on_the_fit()


@st.composite
def problems_at_any_horizon(draw, kernels=EVERY_KERNEL):
    """An exponential and a kernel of any kind, at most two units, T = inf or finite."""
    terms = [draw(EXPONENTIALS), draw(kernels)]
    start = LinearRNN(tuple(draw(st.lists(UNITS, min_size=1, max_size=2))))
    return Problem(Target(terms), start, draw(DROPS), draw(HORIZONS))
