"""Gradient, Hessian, gain and loss in three arithmetics against quadrature of (M3) and of its derivatives."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.compiling import evaluate
from numerics.landscape import Landscape
from oracles import (
    fraction,
    gradient_by_quadrature,
    hessian_by_quadrature,
    raw_terms,
    raw_units,
    squared_error_by_quadrature,
)
from strategies import ANY_PROBLEMS, CLOSED_KERNELS, HORIZONS, KERNELS, problems_at_any_horizon, problems_on_the_fit
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree, encloses

ARB = Arb(60)
SMALL = st.fractions(Fraction(-1, 10), Fraction(1, 10), max_denominator=30)
PAIR = Problem(Target([Exponential(), Gaussian(lag="6")]), LinearRNN([("1", "1"), ("0", "0.7")]), "1/20")


@st.composite
def states(draw, problems=ANY_PROBLEMS):
    """A problem and a displacement from its start: rates stay positive, for RATES begin at 1/5."""
    problem = draw(problems)
    return problem, tuple(draw(SMALL) for _ in range(2 * problem.start.width))


def moved(problem, step):
    """The units after the step, as Fractions."""
    units, m = [(fraction(a), fraction(w)) for a, w in problem.start.units], problem.start.width
    return tuple((a + step[i], w + step[m + i]) for i, (a, w) in enumerate(units))


def displacement(problem, step):
    """The state of a Landscape: exact displacements from rho_bar."""
    units = moved(problem, step)
    of = lambda column: [u[column] - fraction(r[column]) for u, r in zip(units, problem.reference, strict=True)]
    return [sp.Rational(each.numerator, each.denominator) for each in (*of(0), *of(1))]


def evaluated(problem, step, arithmetic):
    """(J, gain, gradient, Hessian) at the start plus a step."""
    with arithmetic.working():
        landscape = Landscape(problem, arithmetic)
        y = arithmetic.array(displacement(problem, step))
        gradient, hessian = landscape.gradient_and_hessian(y)
        return landscape.loss(y), landscape.gain(y), gradient, hessian


def at_horizon(problem, horizon):
    return Problem(problem.target, problem.start, problem.drop, horizon)


@settings(max_examples=3, derandomize=True)
@given(states() | states(problems_at_any_horizon()))
@example((PAIR, (Fraction(0),) * 4))
@example((at_horizon(PAIR, "7"), (Fraction(1, 30), Fraction(0), Fraction(-1, 20), Fraction(1, 7))))
def test_loss_gradient_and_hessian_are_those_of_the_integral(state):
    problem, step = state
    horizon = None if problem.horizon is sp.oo else fraction(problem.horizon)
    units, terms = moved(problem, step), raw_terms(problem.target.terms)
    loss, _, gradient, hessian = evaluated(problem, step, ARB)
    in_float64 = evaluated(problem, step, Float64())
    in_mpmath = evaluated(problem, step, Mpmath(60))
    direct = squared_error_by_quadrature(units, terms, horizon)
    # 40 digits in balls and mpmath, 12 in float64 (scale 1: the sums over units cancel off the fit). Wrong signs of F,
    # a pair block on the diagonal counted twice, or a transposed (a, w) block are off by O(1).
    assert encloses(loss, direct, digits=40, scale=1)
    assert agree(in_mpmath[0], direct, digits=40, scale=1)
    assert agree(in_float64[0], direct, digits=12, scale=100)
    for k, direct in enumerate(gradient_by_quadrature(units, terms, horizon)):
        assert encloses(gradient[k], direct, digits=40, scale=1)
        assert agree(in_mpmath[2][k], direct, digits=40, scale=1)
        assert agree(in_float64[2][k], direct, digits=12, scale=100)
    for (p, q), direct in hessian_by_quadrature(units, terms, horizon).items():
        for entry in ((p, q), (q, p)):
            assert encloses(hessian[entry], direct, digits=40, scale=1)
            assert agree(in_mpmath[3][entry], direct, digits=40, scale=1)
            assert agree(in_float64[3][entry], direct, digits=12, scale=100)


@settings(max_examples=6, derandomize=True)
@given(states() | states(problems_at_any_horizon(CLOSED_KERNELS)), st.randoms(use_true_random=False))
def test_reordering_the_units_changes_nothing(state, random):
    problem, step = state
    m = problem.start.width
    order = random.sample(range(m), m)
    start = LinearRNN(tuple(problem.start.units[i] for i in order))
    shuffled = Problem(problem.target, start, problem.drop, problem.horizon)
    both = [*order, *(m + i for i in order)]
    loss, _, gradient, hessian = evaluated(problem, step, ARB)
    loss_, _, gradient_, hessian_ = evaluated(shuffled, [step[i] for i in both], ARB)
    # The pairing may change where units tie, and with it gain and reference, but not J.
    pairs = [(loss, loss_), *zip(gradient[both], gradient_, strict=True)]
    pairs += zip(hessian[np.ix_(both, both)].flat, hessian_.flat, strict=True)
    assert all(agree(x, y, digits=40, scale=1) for x, y in pairs)


def faster(problem, c):
    """t -> c t: every rate times c, every lag and width of the target divided by it."""

    def scaled(term):
        if isinstance(term, Exponential):
            return Exponential(term.amplitude, term.rate * c)
        return Gaussian(term.amplitude, term.width / c, term.lag / c)

    start = LinearRNN(tuple((a, w * c) for a, w in problem.start.units))
    return Problem(Target([scaled(term) for term in problem.target.terms]), start, problem.drop, problem.horizon / c)


@settings(max_examples=6, derandomize=True)
@given(states() | states(problems_at_any_horizon(KERNELS)), st.sampled_from([2, 3, sp.Rational(1, 4)]))
def test_multiplying_every_rate_by_a_factor_divides_the_loss_by_it(state, c):
    problem, step = state
    m, factor = problem.start.width, fraction(c)
    scaled_step = [*step[:m], *(factor * each for each in step[m:])]
    loss, gain, gradient, _ = evaluated(problem, step, ARB)
    loss_, gain_, gradient_, _ = evaluated(faster(problem, sp.Rational(c)), scaled_step, ARB)
    powers = [factor] * m + [factor**2] * m  # dJ/da divides by c, dJ/dw by c^2
    with ARB.working():
        pairs = [(loss, factor, loss_), (gain, factor, gain_), *zip(gradient, powers, gradient_, strict=True)]
        assert all(agree(x, y * flint.fmpq(p.numerator, p.denominator), digits=40, scale=1) for x, p, y in pairs)


@settings(max_examples=6, derandomize=True)
@given(problems_on_the_fit(), HORIZONS)
def test_on_the_fit_nothing_is_gained_and_the_loss_is_that_of_the_bump(problem, horizon):
    problem = at_horizon(problem, horizon)
    with ARB.working():
        landscape = Landscape(problem, ARB)
        loss = landscape.loss(landscape.start)
        assert encloses(landscape.start_gain, 0, digits=50, scale=1)
        assert encloses(loss, evaluate(problem.initial_loss, ARB), digits=40, scale="1e-12")


@pytest.mark.parametrize("horizon", ["inf", "3"])
@pytest.mark.parametrize("arithmetic", [Float64(), Mpmath(60), ARB], ids=lambda each: each.name)
def test_at_the_target_the_loss_and_its_gradient_are_exactly_zero(arithmetic, horizon):
    terms = [Exponential("2", "1/3"), Exponential("-1", "1.7")]
    problem = Problem(Target(terms), LinearRNN([("-1", "1.7"), ("2", "1/3"), ("0", "5")]), 1, horizon)
    with arithmetic.working():
        landscape = Landscape(problem, arithmetic)
        gradient, hessian = landscape.gradient_and_hessian(landscape.start)
        assert landscape.loss(landscape.start) == 0
    assert all(each == 0 for each in gradient)
    assert all(agree(x, y, digits=14) for x, y in zip(hessian.flat, hessian.T.flat, strict=True))


EVERY_KIND = [
    Gaussian("1", "1/2", "3"),
    Box("2", "1", "5/2", "1/2"),
    Erlang("1", 2, "3/2", "1"),
    PowerLaw("1", "1/2", "2"),
    Airy("1", "1", "2"),
    Expression("exp(-t)*cos(3*t)", "1"),
    Exponential("1", "2", "1"),
]


@pytest.mark.parametrize("horizon", ["inf", "4"])
@pytest.mark.parametrize("kernel", EVERY_KIND, ids=lambda kernel: kernel.kind)
def test_every_kind_of_kernel_in_the_gradient_and_the_hessian(kernel, horizon):
    target = Target([Exponential("1", "1"), kernel])
    problem = Problem(target, LinearRNN([("1/2", "6/5"), ("-1/3", "2/5")]), "1/20", horizon)
    units, terms, T = raw_units(problem.start), raw_terms(target.terms), None if horizon == "inf" else Fraction(horizon)
    loss, _, gradient, hessian = evaluated(problem, (Fraction(0),) * 4, Arb(50))
    _, _, rough, rough_hessian = evaluated(problem, (Fraction(0),) * 4, Float64())
    assert encloses(loss, squared_error_by_quadrature(units, terms, T), digits=40, scale=1)
    for k, direct in enumerate(gradient_by_quadrature(units, terms, T)):
        assert encloses(gradient[k], direct, digits=40, scale=1)
        assert agree(rough[k], direct, digits=12, scale=1)
    for pair, direct in hessian_by_quadrature(units, terms, T).items():
        assert encloses(hessian[pair], direct, digits=40, scale=1)
        assert agree(rough_hessian[pair], direct, digits=12, scale=1)


def test_on_a_plateau_float64_keeps_its_digits_whatever_the_memory():
    # Displacements and gradient ~ e^{-0.7 L} = 1e-91: the plain form (M5), (M6) would return roundoff, 1e-17.
    problem = Problem(Target([Exponential(), Gaussian(lag="300")]), PAIR.start, "1/1000")
    step = [Fraction(k, 10**91) for k in (3, -2, 5, 7)]
    _, _, gradient, _ = evaluated(problem, step, Float64())
    _, _, ball, _ = evaluated(problem, step, Arb(150))
    assert all(agree(x, y, digits=12) for x, y in zip(gradient, ball, strict=True))


@pytest.mark.parametrize("horizon", ["inf", "7"])
@pytest.mark.parametrize("arithmetic", [Float64(), ARB], ids=lambda each: each.name)
def test_stages_are_evaluated_at_once(arithmetic, horizon):
    with arithmetic.working():
        landscape = Landscape(at_horizon(PAIR, horizon), arithmetic)
        steps = [[sp.Rational(k * i, 50) for k in (1, -1, 2, 1)] for i in range(3)]
        stages = np.stack([arithmetic.array(step) for step in steps])
        gradients, hessians = landscape.gradient_and_hessian(stages)
        for y, gradient, hessian in zip(stages, gradients, hessians, strict=True):
            alone, alone_hessian = landscape.gradient_and_hessian(y)
            same = lambda x, y: agree(x, y, digits=13, scale=1)
            assert all(map(same, gradient, alone))
            assert all(map(same, hessian.flat, alone_hessian.flat))
            assert all(map(same, landscape.gradient(y), alone))
    assert (gradients.shape, hessians.shape) == ((3, 4), (3, 4, 4))


def test_units_and_drop_of_a_state():
    with ARB.working():
        landscape = Landscape(PAIR, ARB)
        y = ARB.array(displacement(PAIR, (Fraction(1, 8), Fraction(1, 4), Fraction(0), Fraction(-1, 8))))
        a, w = landscape.units(y)
        assert [float(each) for each in (*a, *w)] == [1.125, 0.25, 1.0, 0.575]
        assert agree(landscape.drop(y), landscape.loss(landscape.start) - landscape.loss(y), digits=50, scale=1)


def test_cancellation_counts_the_digits_that_opposite_units_lose():
    near = lambda gap: Problem(Target([Gaussian(lag="40")]), LinearRNN([(1, 1), (-1, sp.Integer(1) + gap)]), "1/20")
    for exponent in (3, 6):
        with ARB.working():
            landscape = Landscape(near(sp.Rational(1, 10**exponent)), ARB)
            assert landscape.cancellation(landscape.start) == pytest.approx(exponent + 0.5, abs=0.5)
    with ARB.working():
        landscape = Landscape(PAIR, ARB)
        assert landscape.cancellation(landscape.start) == 0


def test_balls_contain_the_value_and_are_narrow():
    _, _, gradient, _ = evaluated(PAIR, (Fraction(1, 3), Fraction(-1, 7), Fraction(1, 11), Fraction(1, 13)), Arb(30))
    _, _, finer, _ = evaluated(PAIR, (Fraction(1, 3), Fraction(-1, 7), Fraction(1, 11), Fraction(1, 13)), Arb(90))
    assert all(encloses(ball, value, digits=25) for ball, value in zip(gradient, finer, strict=True))


def test_global_precision_is_left_alone():
    before = mpmath.mp.prec, flint.ctx.prec, np.geterr()
    for arithmetic in (Float64(), Mpmath(50), Arb(50)):
        evaluated(PAIR, (Fraction(0),) * 4, arithmetic)
        assert (mpmath.mp.prec, flint.ctx.prec, np.geterr()) == before


def test_irrational_numbers_are_welcome():
    problem = Problem(Target([Exponential(), Gaussian(lag="6")]), LinearRNN([(1, 1), (0, sp.sqrt(2) / 2)]), "1/20")
    with ARB.working():
        landscape = Landscape(problem, ARB)
        assert agree(landscape.units(landscape.start)[1][1], sp.sqrt(2) / 2, digits=55)
