"""Enclosed singular values: they hold the estimates and each other, are narrow, and end at the rank."""

import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import compression
from numerics.compression import greedy, leja, onto_exponentials
from numerics.hankel import singular_values
from numerics.hankel_bounds import _enclosed, enclosed_singular_values
from numerics.inertia import Pencil, positive_pivots
from oracles import double_exponential, hankel_on_a_grid, uniform
from strategies import AMPLITUDES, RATES
from theory.finite_rank import finite_rank
from theory.kernels import Airy, Box, Erlang, Exponential, Gaussian, PowerLaw
from theory.mixtures import mixture
from tolerances import number

POSITIVE = [(PowerLaw(),), (PowerLaw(omega="5/2", amplitude="1e-9"),), (PowerLaw(), Exponential(rate="1e-3"))]


def ends(found):
    return [(Fraction(each.lower), None if each.upper is None else Fraction(each.upper)) for each in found]


def test_ten_of_the_power_law_to_ten_digits():
    for lower, upper in ends(enclosed_singular_values(PowerLaw(omega="1/2"), 10, digits=10)):
        assert 0 < upper - lower <= Fraction(1, 10**10) * lower


@pytest.mark.parametrize("kernels", POSITIVE)
@pytest.mark.parametrize("digits", [3, 9])
def test_positive_kernels_hold_their_estimates(kernels, digits):
    estimates = singular_values(kernels, 6, digits=12).values
    for (lower, upper), value in zip(ends(enclosed_singular_values(kernels, 6, digits=digits)), estimates, strict=True):
        assert lower < Fraction(value) < upper <= lower * (1 + Fraction(10, 10**digits))


def test_the_definition_lies_inside():
    direct = hankel_on_a_grid(lambda t: (1 + t) ** -1.75, 4, *double_exponential())
    for (lower, upper), value in zip(
        ends(enclosed_singular_values(PowerLaw(omega="3/4"), 4, digits=6)), direct, strict=True
    ):
        assert lower < value < upper


@settings(max_examples=10)
@given(terms=st.dictionaries(RATES, AMPLITUDES, min_size=1, max_size=4), order=st.integers(0, 2))
def test_a_kernel_of_finite_rank_ends_at_its_rank(terms, order):
    kernels = [Exponential(a, w) for w, a in terms.items()]
    if order:
        kernels.append(Erlang(order=order, rate=7))
    rank = len(terms) + (order + 1 if order else 0)
    found = enclosed_singular_values(kernels, rank + 2, digits=8)
    assert all(0 < lower < upper <= lower * (1 + Fraction(1, 10**7)) for lower, upper in ends(found[:rank]))
    assert {(each.lower, each.upper) for each in found[rank:]} == {("0", "0")}


INDEFINITE = {
    "bump": ([Exponential(), Gaussian(lag=8)], lambda t: np.exp(-t) + np.exp(-((t - 8) ** 2) / 2), 40),
    "signs": ([PowerLaw(), Gaussian("-1", lag=3)], None, None),
    "jump": (Exponential(lag=1), None, None),
    "airy": (Airy(shift=2), None, None),
    "difference": ([PowerLaw(omega=2), Exponential("-1/2", 3)], None, None),  # a mixture, but not a positive one
}


@pytest.mark.parametrize("name", INDEFINITE)
def test_others_are_bounded_from_below_and_closely(name):
    kernel, rho, end = INDEFINITE[name]
    found = enclosed_singular_values(kernel, 5, digits=4)
    values = [float(each) for each in singular_values(kernel, 5).values]
    if rho:
        assert values == pytest.approx(hankel_on_a_grid(rho, 5, *uniform(end, 200)), rel=1e-10)
    for each, value in zip(found, values, strict=True):
        assert each.upper is None and each.guarantee == "enclosed"
        assert value * (1 - 2e-3) < float(each.lower) < value * (1 + 1e-12)


def test_enclosures_at_other_digits_meet():
    for kernel in (PowerLaw(omega=2), [Exponential(), Erlang("-1", order=1, rate=2)], Box(end=2)):
        coarse, fine = (ends(enclosed_singular_values(kernel, 3, digits=digits)) for digits in (4, 15))
        assert all(a <= d and c <= b for (a, b), (c, d) in zip(coarse, fine, strict=True))


def test_tiny_ones_keep_their_digits():
    # of e^{-t} + .. + e^{-12 t} the last is 1e-18 of the first; float64 vectors do not see it
    for lower, upper in ends(enclosed_singular_values([Exponential(rate=k) for k in range(1, 13)], 12, digits=6)):
        assert 0 < lower < upper < lower * (1 + Fraction(1, 10**5))


def test_the_last_of_thirty_is_found_far_below_float64():
    found = enclosed_singular_values([Exponential(rate=k) for k in range(1, 31)], 30, digits=2)
    lower, upper = ends(found)[-1]
    assert 0 < lower < upper < lower * Fraction(11, 10) and upper < Fraction(1, 10**40)


def test_equal_ones_are_enclosed_too():
    # w e^{-wt} has the one value 1/2, and terms so far apart do not touch: no few of the twelve are the largest
    kernels = [Exponential(10 ** (4 * k), 10 ** (4 * k)) for k in range(12)]
    (first, _) = enclosed_singular_values(kernels, 2, digits=3)
    assert Fraction(1, 2) < Fraction(first.upper) < Fraction(6, 10)


def test_entries_have_the_digits_asked_however_near_the_rates():
    kernels = [Exponential(rate=1 + Fraction(k, 10**4)) for k in range(5)]
    logs = [1e-6 * k for k in range(8)]
    for matrix in (compression.of_finite_rank(finite_rank(kernels), 4).matrix, onto_exponentials(kernels, logs, 4)):
        assert max(float(each.rad()) for each in matrix.entries()) < 1e-3


def test_greedy_leaves_what_it_was_asked_to_leave():
    for kernels in ([PowerLaw(omega="1/2")], [PowerLaw(), Exponential("2", "1/3")]):
        mixed = mixture(kernels)
        asked = [10.0 ** (-2 - k / 5) for k in range(8)]
        left = [float(compression.of_mixture(kernels, mixed, rest, 30).rest) / rest for rest in asked]
        assert 0.6 < max(left) < 1.3  # the last exponential takes away a part of it


def test_a_compression_only_loses_and_its_trace_says_how_much(monkeypatch):
    # with few exponentials the lower ends fall below and the upper ones rise above, by no more than the trace left over
    exact = [float(each) for each in singular_values(PowerLaw(), 3).values]
    monkeypatch.setattr(compression, "MOST_RATES", 8)
    rough = ends(enclosed_singular_values(PowerLaw(), 3, digits=8))
    for (lower, upper), value in zip(rough, exact, strict=True):
        assert lower < value < upper and upper - lower > Fraction(1, 10**4)


def test_the_basis_is_orthonormal_and_the_compression_that_of_the_definition():
    # e^{-3t} has the one eigenvalue 1/6, so its compression has the trace |P e^{-3t}|^2, less than it
    logs = [math.log(x) for x in (1.0, 2.5, 4.0)]
    matrix = onto_exponentials([Exponential(rate=3)], logs, 20)
    gram = np.array([[1 / (x + y) for y in (1.0, 2.5, 4.0)] for x in (1.0, 2.5, 4.0)])
    overlaps = np.array([1 / (x + 3) for x in (1.0, 2.5, 4.0)])
    assert float(matrix.trace()) == pytest.approx(overlaps @ np.linalg.solve(gram, overlaps), rel=1e-10)
    assert float(matrix.trace()) < 1 / 6


def test_points_differ():
    chosen = greedy(mixture([PowerLaw(), Exponential()]), 1e-6)
    assert chosen[0] == 0 and len(set(chosen)) == len(chosen)  # the atom first
    assert len({*leja(-1, 1, 30, [0.0]), 0.0}) == 31


def balls(rows):
    return flint.arb_mat([[flint.arb(x) for x in row] for row in rows])


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), shift=st.fractions(-2, 2, max_denominator=50))
def test_pivots_count_positive_eigenvalues(seed, shift):
    matrix = np.random.default_rng(seed).normal(size=(5, 5))
    matrix = matrix + matrix.T - 2 * float(shift) * np.eye(5)
    rows = [[flint.arb(matrix[i, j]) for j in range(i, 5)] for i in range(5)]
    assert positive_pivots(rows) == (np.linalg.eigvalsh(matrix) > 0).sum()


def test_a_pivot_that_may_be_zero_proves_nothing():
    assert positive_pivots([[flint.arb(0, 1e-20)]]) is None


@pytest.mark.parametrize("lead", [3, 6])
def test_a_pencil_proves_what_is_true_and_nothing_else(lead):
    sizes = [2.0, -1.0, 0.5, 1e-3, -1e-4, 1e-5]
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(6, 6)))
    with flint.ctx.workprec(200):
        pencil = Pencil(balls(turn @ np.diag(sizes) @ turn.T), balls(turn), lead)
        for k, size in enumerate(map(abs, sizes[:3]), 1):
            near, far = flint.arb(size) * (1 - flint.arb(1e-10)), flint.arb(size) * (1 + flint.arb(1e-10))
            assert pencil.at_least(k, near) and not pencil.at_least(k, far)
            assert pencil.at_most(k, far) and not pencil.at_most(k, near)
        assert not pencil.at_most(3, flint.arb(1e-4)) and (lead == 6 or not pencil.at_most(4, flint.arb(5e-4)))


@pytest.mark.parametrize("digits", [2, 15, 40])
def test_closed_bounds_are_rounded_outwards(digits):
    with mpmath.workdps(70):
        for k, (lower, upper) in enumerate(ends(enclosed_singular_values(Box("-3", end="1/3"), 9, digits=digits)), 1):
            exact = 2 / ((2 * k - 1) * mpmath.pi)
            assert number(lower, mpmath)[0] < exact < number(upper, mpmath)[0]
            assert upper - lower < lower / 10**digits


def test_an_amplitude_that_cancels_keeps_its_digits():
    amplitude = sp.sqrt(10**40 + 1) - 10**20  # near 5e-21
    (found,) = enclosed_singular_values(Box(amplitude), 1, digits=2)
    exact = Fraction(str(sp.N(amplitude * 2 / sp.pi, 30)))
    assert Fraction(found.lower) < exact < Fraction(found.upper) < exact * Fraction(101, 100)


def test_atoms_that_are_one_float_count_as_one_exponential():
    near = [PowerLaw(), Exponential(), Exponential(rate=1 + Fraction(1, 10**20))]
    same = [PowerLaw(), Exponential("2")]
    found, expected = (ends(enclosed_singular_values(kernels, 2, digits=4)) for kernels in (near, same))
    assert all(a < d and c < b for (a, b), (c, d) in zip(found, expected, strict=True))


def test_a_singular_basis_proves_no_upper_bound():
    # both columns are the eigenvector of 1e-3: the eigenvalue 1 does not show
    with flint.ctx.workprec(100):
        pencil = Pencil(balls(np.diag([1.0, 1e-3])), balls(np.array([[0.0, 0.0], [1.0, 1.0]])), 2)
        assert not pencil.at_most(1, flint.arb(0.5)) and not pencil.at_least(1, flint.arb(0.5))


def test_a_basis_that_is_not_orthonormal_is_no_harm():
    with flint.ctx.workprec(100):
        short = Pencil(balls(np.diag([1.0, 0.5])), balls(np.diag([1.0, 0.1])), 1)  # N_22 is 1/100
        assert not short.at_most(2, flint.arb(0.2)) and short.at_most(2, flint.arb(0.6))
        # M is diagonal here, and only N couples: the block alone would have the eigenvalue 1 below 0.82
        skew = Pencil(balls(np.diag([1.0, 0.1])), balls(np.array([[1.0, -0.05], [0.5, 1.0]])), 1)
        assert not skew.at_most(1, flint.arb(0.9)) and skew.at_most(1, flint.arb(1.5))


def test_the_radius_of_what_couples_counts():
    with flint.ctx.workprec(100):
        matrix = flint.arb_mat([[flint.arb(1), flint.arb(0.3, 0.1)], [flint.arb(0.3, 0.1), flint.arb(0.1)]])
        pencil = Pencil(matrix, balls(np.eye(2)), 1)
        assert not pencil.at_most(1, flint.arb(1.05)) and pencil.at_most(1, flint.arb(1.3))  # 1.0379 to 1.1521


def test_what_is_left_of_the_operator_is_added_to_what_is_proved():
    # the basis is turned: the largest eigenvalue 1 looks like 0.9, and with 1/2 left sigma may be 3/2
    turn = np.array([[np.sqrt(8.0), -1.0], [1.0, np.sqrt(8.0)]]) / 3
    with flint.ctx.workprec(100):
        found = _enclosed(Pencil(balls(np.diag([1.0, 0.1])), balls(turn), 2), 1, flint.arb(0.5), 3)
    assert found.upper is None or float(found.upper) >= 1.5
    assert float(found.lower) <= 1


def test_what_couples_the_blocks_counts():
    # the larger eigenvalue is 1.0908; the leading block alone would have it below 1.05
    with flint.ctx.workprec(100):
        pencil = Pencil(balls(np.array([[1.0, 0.3], [0.3, 0.1]])), balls(np.eye(2)), 1)
        assert not pencil.at_most(1, flint.arb(1.05)) and pencil.at_most(1, flint.arb(1.2))
        assert pencil.at_least(1, flint.arb(0.99)) and not pencil.at_least(1, flint.arb(1.05))  # the block has none
