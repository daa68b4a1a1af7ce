"""Balanced truncation and the H2-optimal network against high precision, equations (M7), and random search."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

from numerics.arithmetic import Arb
from numerics.balanced import balanced_truncation, truncation
from numerics.h2_optimal import _stationary, h2_optimal, loss_left
from numerics.hankel_bounds import enclosed_singular_values
from numerics.landscape import Landscape
from oracles import laplace_by_quadrature, raw_terms
from theory.kernels import Exponential, Gaussian, PowerLaw
from theory.mixtures import NoMixture, completely_monotone
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree, working


def truncated_by_eigenvectors(terms, width, digits):
    """(rates, amplitudes) from the definition: eigenvectors of the Gramian, in so many digits."""
    ctx = working(digits)
    a, w = ([ctx.mpf(x.numerator) / x.denominator for x in column] for column in zip(*terms, strict=True))
    n = len(a)
    P = ctx.matrix(n, n)
    for i in range(n):
        for j in range(n):
            P[i, j] = ctx.sqrt(a[i] * a[j]) / (w[i] + w[j])
    _, V = ctx.eigsy(P)
    Q = V[:, n - width :]
    values, U = ctx.eigsy(Q.T * ctx.diag(w) * Q)
    b = U.T * Q.T * ctx.matrix([ctx.sqrt(x) for x in a])
    return list(values), [x**2 for x in b]


def test_slow_rates_are_not_lost_beside_fast_ones():
    # Rates from 1e-24 to 10, as a power law would have: a plain eigensolver in float64 finds none below 1e-15.
    terms = [(Fraction(10) ** (-k) * Fraction(2) ** k, Fraction(10) ** (1 - k)) for k in range(26)]
    target = Target([Exponential(a, w) for a, w in terms])
    network = balanced_truncation(target, 10)
    rates, amplitudes = truncated_by_eigenvectors(terms, 10, 120)
    assert float(rates[0]) < 1e-22
    for (a, w), rate, amplitude in zip(network.units, rates, amplitudes, strict=True):
        assert agree(float(w), rate, 11) and agree(float(a), amplitude, 10)


@pytest.mark.parametrize("omega", ["1/2", "1"])
def test_the_error_at_frequency_zero_is_twice_the_sum_of_what_is_cut_off(omega):
    target, width = Target([PowerLaw(omega=omega)]), 5
    network = balanced_truncation(target, width)
    missing = 1 / sp.Rational(omega) - sum(a / w for a, w in network.units)
    kept = enclosed_singular_values(target, width, digits=10)
    # 2 (trace - sum_{k<=m}), the trace being 1/(2 omega): rejects a factor 1 and a missing singular value.
    cut_off = 1 / float(sp.Rational(omega)) - 2 * sum(float(each.lower) for each in kept)
    assert float(missing) == pytest.approx(cut_off, rel=1e-6)


@pytest.mark.parametrize("kernel", [PowerLaw(omega="1/2"), PowerLaw("2", "2")], ids=["1/2", "2"])
@pytest.mark.parametrize("width", [1, 4])
def test_the_h2_optimal_network_meets_the_transform_twice_at_each_rate(kernel, width):
    network = h2_optimal(Target([kernel]), width)
    for _, rate in network.units:
        rate = Fraction(int(rate.p), int(rate.q))
        wanted = [laplace_by_quadrature(raw_terms([kernel]), rate, order) for order in range(2)]
        poles = [(Fraction(int(a.p), int(a.q)), Fraction(int(w.p), int(w.q))) for a, w in network.units]
        found = [sum(a / (rate + w) ** (order + 1) for a, w in poles) for order in range(2)]
        assert all(agree(have, want, 9) for have, want in zip(found, wanted, strict=True))  # (M7)


def test_slow_rates_of_wide_networks_are_stationary_in_balls():
    """One Newton step for J in 60 digits moves no parameter by more than 1e-7 of itself."""
    target = Target([PowerLaw(omega="1/4")])
    network = h2_optimal(target, 12)
    assert network.rates[0] < sp.Rational(1, 10**4)
    balls = Arb(60)
    with balls.working():
        landscape = Landscape(Problem(target, network, "1"), balls)
        gradient, hessian = landscape.gradient_and_hessian(landscape.start)
        step = balls.solver(balls.midpoint(hessian))(balls.midpoint(-gradient))
        here = np.concatenate(landscape.units(landscape.start))
        assert max(abs(float(move / value)) for move, value in zip(step, here, strict=True)) < 1e-7


def test_no_random_start_beats_the_h2_optimal_network():
    target, width = Target([PowerLaw(omega="1/2")]), 2
    found = h2_optimal(target, width)

    def laplace(s):
        return float(mpmath.exp(s) * mpmath.expint(1.5, s))

    def gain(units):
        """J - int rho^2 (M4), from numbers alone."""
        a, w = units[:width], np.exp(units[width:])
        return float(a @ (1 / np.add.outer(w, w)) @ a - 2 * sum(x * laplace(s) for x, s in zip(a, w, strict=True)))

    ours = gain(np.array([*map(float, found.amplitudes), *np.log([float(w) for w in found.rates])]))
    rng = np.random.default_rng(5)
    tried = []
    for _ in range(4):
        start = np.concatenate([rng.uniform(0, 1, width), rng.uniform(-4, 1, width)])
        tried.append(minimize(gain, start, method="BFGS").fun)
    assert min(tried) >= ours - 1e-9 and min(tried) == pytest.approx(ours, abs=1e-7)
    balanced = balanced_truncation(target, width)
    assert gain(np.array([*map(float, balanced.amplitudes), *np.log([float(w) for w in balanced.rates])])) > ours + 1e-6


def few_a_decade(omega):
    """The power law as 100 exponentials, two for each factor of e: (B1) of benchmarks/reduction.py, as floats."""
    om = float(Fraction(omega))
    rates = 50 * np.exp(-0.5 * np.arange(100))
    return rates, 0.5 * rates ** (1 + om) * np.exp(-rates) / math.gamma(1 + om)


def loss_in_many_digits(rates, weights, found):
    """J (M4) of floats, where the sum over all pairs loses twenty digits of sixty."""
    ctx = working(60)
    units = [*zip(rates, -weights, strict=True), *((w, a) for a, w in zip(*found, strict=True))]
    numbers = [(ctx.mpf(float(w)), ctx.mpf(float(a))) for w, a in units]
    return ctx.fsum(a * b / (w + v) for w, a in numbers for v, b in numbers)


@pytest.mark.parametrize(("omega", "width", "better", "rel"), [("1/2", 24, 1, 1e-6), ("1", 40, 0, 2e-2)])
def test_the_better_of_two_minima_is_taken(omega, width, better, rel):
    """Each search ends in the worse minimum of one of these sums: with max for min, or one of them alone, a test fails.

    An L2 error of 7e-15 (omega = 1) is known to a percent, for amplitudes in float64.
    """
    rates, weights = few_a_decade(omega)
    target = Target([Exponential(repr(float(p)), repr(float(w))) for p, w in zip(weights, rates, strict=True)])
    network = h2_optimal(target, width)
    _, _, start = truncation(completely_monotone(target), width)
    ends = [_stationary(rates, weights, np.log(each)) for each in (start, np.sqrt(start * start[-1]))]
    found = [loss_in_many_digits(rates, weights, each) for each in ends]
    ours = loss_in_many_digits(rates, weights, (network.amplitudes, network.rates))
    assert found[better] < 0.97 * found[1 - better] and float(ours / found[better]) == pytest.approx(1, rel=rel)
    for (_, chosen), loss in zip(ends, found, strict=True):
        assert loss_left(rates, weights, chosen) == pytest.approx(float(loss), rel=rel)  # (IK2)
    a, w = (np.array([float(each) for each in values]) for values in (network.amplitudes, network.rates))
    for power in (1, 2):  # (M7): Rhat and Rhat' meet those of the sum at every rate
        wanted = (weights / np.add.outer(w, rates) ** power).sum(axis=1)
        assert (a / np.add.outer(w, w) ** power).sum(axis=1) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("method", [balanced_truncation, h2_optimal])
def test_a_sum_that_fits_is_returned_as_it_is(method):
    target = Target([Exponential("1/3", "2"), Exponential("1", "1")])
    assert set(method(target, 3).units) == {(sp.Rational(1, 3), sp.Integer(2)), (sp.Integer(1), sp.Integer(1))}
    assert method(target, 1).width == 1


@pytest.mark.parametrize("method", [balanced_truncation, h2_optimal])
def test_bad_input_is_refused(method):
    good = Target([PowerLaw()])
    with pytest.raises(NoMixture, match=r"numerics\.realisation"):
        method(Target([Gaussian()]), 2)
    with pytest.raises(ValueError, match="width must be from 1 to"):
        method(good, 0)
    with pytest.raises(TypeError, match="width must be an int"):
        method(good, "3")


def test_scaling_the_time_scales_the_rates():
    slow = balanced_truncation(Target([Exponential("1", "1"), Exponential("1", "3"), Exponential("1", "9")]), 2)
    fast = balanced_truncation(Target([Exponential("8", "8"), Exponential("8", "24"), Exponential("8", "72")]), 2)
    for one, other in zip(LinearRNN(slow.units).units, fast.units, strict=True):
        assert all(agree(8 * float(x), float(y), 12) for x, y in zip(one, other, strict=True))
