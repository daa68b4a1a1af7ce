"""Hankel singular values against the definition on a grid, Gramians, finite sections, reference values; identities."""

import tomllib
from dataclasses import replace
from fractions import Fraction
from math import gamma
from pathlib import Path

import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.special
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Float64
from numerics.hankel import differencing_singular_values, singular_values
from numerics.hankel_bounds import enclosed_singular_values
from numerics.nystrom import Mesh, matrix
from oracles import double_exponential, hankel_by_lyapunov, hankel_on_a_grid, uniform
from strategies import AMPLITUDES, RATES
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw, t
from theory.problem import Target
from theory.width_laws import differencing_singular_value
from tolerances import agree

REFERENCE = tomllib.loads((Path(__file__).parents[1] / "reference-values.toml").read_text())["hankel"]


def floats(found):
    return np.array([float(each or 0) for each in found.values])


@pytest.mark.parametrize("omega", REFERENCE["power_law"])
def test_power_laws_to_the_digits_of_the_reference(omega):
    found = singular_values(PowerLaw(omega=omega), 6, digits=12)
    assert found.digits == 12 and found.guarantee == "estimated"
    for value, known in zip(found.values, REFERENCE["power_law"][omega]["sigma"], strict=True):
        assert agree(mpmath.mpf(value), mpmath.mpf(known), digits=11)  # the twelfth is rounded


@pytest.mark.parametrize("lag", REFERENCE["bump_count"])
def test_how_many_values_of_a_bump_lie_above_eps(lag):
    values = floats(singular_values([Exponential(), Gaussian(lag=lag)], 36, digits=4))
    for eps, known in REFERENCE["bump_count"][lag].items():
        assert (values > float(eps)).sum() == known


@pytest.mark.parametrize("omega", ["1/4", "1", "5/2"])
def test_the_definition_on_a_double_exponential_grid(omega):
    # rejects a density without its Gamma(1 + om), or with l^(om-1)
    power = float(Fraction(omega))
    direct = hankel_on_a_grid(lambda t: (1 + t) ** -(1 + power), 5, *double_exponential())
    assert floats(singular_values(PowerLaw(omega=omega), 5)) == pytest.approx(direct, rel=1e-9)


GENERAL = {
    "bump": ([Exponential(), Gaussian(lag=6)], lambda t: np.exp(-t) + np.exp(-((t - 6) ** 2) / 2), 40),
    "airy": (Airy(shift=3), lambda t: scipy.special.airy(t - 3)[0], 30),
    "formula": (Expression("t*exp(-t**2)"), lambda t: t * np.exp(-(t**2)), 12),
}


@pytest.mark.parametrize("name", GENERAL)
def test_smooth_kernels_against_the_definition(name):
    kernel, rho, end = GENERAL[name]
    found = singular_values(kernel, 6)
    assert found.digits == 12
    assert floats(found) == pytest.approx(hankel_on_a_grid(rho, 6, *uniform(end, 240)), rel=1e-11)


@pytest.mark.parametrize("omega", ["1/2", pytest.param("1/4", marks=pytest.mark.slow)])
def test_slow_power_laws_keep_their_digits_on_panels_in_t(omega):
    # cut at t = 5e16 for omega = 1/2, with panels no narrower than a part of that not one digit is right; for
    # omega = 1/4 it takes too many panels, unless it is cut earlier
    formula = Expression(f"(1+t)**(-(1+{omega}))")
    assert singular_values(formula, 4).values == singular_values(PowerLaw(omega=omega), 4).values


def test_a_delayed_power_law_is_within_its_bounds():
    found = singular_values(PowerLaw(omega="1/2", lag=2), 3)
    assert found.digits >= 9
    bounds = enclosed_singular_values(PowerLaw(omega="1/2", lag=2), 3, digits=4)
    for value, bound in zip(floats(found), bounds, strict=True):
        assert float(bound.lower) <= value < 1.002 * float(bound.lower)


def test_a_delayed_exponential_jumps_and_keeps_its_digits():
    # the bounds in balls from below, and the definition by the midpoint rule
    found = floats(singular_values(Exponential(lag=2), 3))
    for k, value in enumerate(enclosed_singular_values(Exponential(lag=2), 3, digits=5)):
        assert float(value.lower) < found[k] < 1.0001 * float(value.lower)
    coarse, fine = (
        hankel_on_a_grid(
            lambda t: np.where(t > 2, np.exp(2 - t), 0), 3, (np.arange(n) + 0.5) * 24 / n, np.full(n, 24 / n)
        )
        for n in (300, 600)
    )
    assert abs(fine - found).max() < 0.6 * abs(coarse - found).max() < 0.02


def test_a_box_has_a_closed_form_that_the_general_route_finds_too():
    closed = singular_values(Box(amplitude="-2", end=3), 5)
    assert closed.guarantee == "exact" and closed.values[0] == "3.81971863421"
    halves = [Box(amplitude="-2", end=1), Box(amplitude="-2", start=1, end=3)]  # the same kernel, in two pieces
    assert floats(singular_values(halves, 5)) == pytest.approx(floats(closed), rel=1e-11)


def test_a_line_may_cut_panels_anywhere():
    # a box on [0, 2], (K4), on panels that do not fit it; without the corners of the split it would be good to 1e-4
    pieces = (sp.Integer(1), sp.Integer(0))
    mesh = Mesh((sp.S.Zero, sp.Rational(7, 10), sp.Integer(2)), (sp.S.Zero, sp.Integer(2)), pieces)
    sizes = np.sort(abs(np.linalg.eigvalsh(matrix(mesh, 16, Float64()))))[::-1]
    assert sizes[:3] == pytest.approx([4 / np.pi, 4 / (3 * np.pi), 4 / (5 * np.pi)], rel=1e-12)
    jump = replace(mesh, pieces=(sp.S.Zero, sp.exp(-t)), ends=(*mesh.ends, sp.Integer(3)))
    assert np.array_equal(matrix(jump, 8, Float64()), matrix(jump, 8, Float64()).T)


@settings(max_examples=15)
@given(terms=st.dictionaries(RATES, AMPLITUDES, min_size=1, max_size=4))
def test_a_sum_of_k_exponentials_has_k_singular_values(terms):
    found = singular_values([Exponential(a, w) for w, a in terms.items()], 6)
    k, values = len(terms), floats(found)
    assert all(each not in (None, "0") for each in found.values[:k]) and set(found.values[k:]) <= {"0"}
    rates, amplitudes = np.array([*map(float, terms)]), np.array([*map(float, terms.values())])
    known = hankel_by_lyapunov(-np.diag(rates), np.ones(k), amplitudes, k)
    assert values[:k] == pytest.approx(known, rel=1e-6, abs=1e-7 * known[0])  # the Gramians lose half the digits


def test_an_erlang_kernel_is_a_jordan_block():
    chain = -np.eye(4) + np.diag(np.ones(3), -1)  # t^3/3! e^{-t} at its end
    known = 6 * hankel_by_lyapunov(chain, np.eye(4)[0], np.eye(4)[3], 4)
    assert floats(singular_values(Erlang(order=3), 5)) == pytest.approx([*known, 0], rel=1e-8)


@settings(max_examples=5)
@given(c=st.fractions(Fraction(1, 50), 50, max_denominator=50), lag=st.integers(0, 6))
def test_time_in_other_units_changes_nothing(c, lag):
    kernel, faster = Gaussian(lag=lag), Gaussian(amplitude=c, width=1 / c, lag=lag / c)  # c rho(ct)
    assert floats(singular_values(faster, 5)) == pytest.approx(floats(singular_values(kernel, 5)), rel=1e-10)


SUMS = st.sampled_from(
    [
        (PowerLaw(), Exponential(rate="1/3")),
        (PowerLaw(omega="1/2"), PowerLaw(amplitude="-1/2", omega=2)),
        (Gaussian(lag=4), Erlang(order=2)),
        (Exponential(lag=1), Box(end=2)),
    ]
)


@settings(max_examples=4)
@given(pair=SUMS)
def test_weyls_inequalities(pair):
    one, other, both = (floats(singular_values(terms, 5)) for terms in (pair[0], pair[1], list(pair)))
    for i in range(5):
        for j in range(5 - i):
            assert both[i + j] <= (one[i] + other[j]) * (1 + 1e-10)


@pytest.mark.parametrize(
    "kernel",
    [
        PowerLaw(omega=2),
        [PowerLaw(omega="3/2"), Exponential(amplitude="-1/10")],
        Box(start=1, end="5/2"),
        pytest.param(Exponential(lag=2), marks=pytest.mark.slow),
    ],
)
def test_more_digits_continue_fewer(kernel):
    few, many = singular_values(kernel, 3, digits=10), singular_values(kernel, 3, digits=20)
    assert many.digits == 20
    for x, y in zip(few.values, many.values, strict=True):
        assert agree(mpmath.mpf(x), mpmath.mpf(y), digits=9)


@pytest.mark.parametrize("omega", ["1", pytest.param("1/2", marks=pytest.mark.slow)])
def test_thirty_digits_lie_in_the_enclosure(omega):
    found = singular_values(PowerLaw(omega=omega), 3, digits=30)
    assert found.digits == 30
    with mpmath.workdps(40):
        for value, bounds in zip(
            found.values, enclosed_singular_values(PowerLaw(omega=omega), 3, digits=12), strict=True
        ):
            assert mpmath.mpf(bounds.lower) < mpmath.mpf(value) < mpmath.mpf(bounds.upper)


@pytest.mark.parametrize("d", ["1/10", "1/4", "2/5"])
def test_differencing_against_its_matrix(d):
    # the first n rows as they are; the rest of each sum by the midpoint rule, its error O(n^-3) times that of a tail
    power, n = float(Fraction(d)), 150
    far, weights = double_exponential()
    times, weights = np.append(np.arange(n), n - 0.5 + far), np.append(np.ones(n), weights)

    def entry(k):  # -psi_{k+1}
        return power * scipy.special.beta(k + 1 - power, 1 + power) / gamma(1 - power) / gamma(1 + power)

    by_recurrence = np.cumprod((np.arange(1, n) - power) / np.arange(2, n + 1)) * power
    assert entry(np.arange(1, n)) == pytest.approx(by_recurrence)
    direct = hankel_on_a_grid(entry, 5, times, weights)
    assert floats(differencing_singular_values(d, 5)) == pytest.approx(direct, rel=3e-6)
    section = scipy.linalg.hankel(entry(np.arange(n)), entry(np.arange(n - 1, 2 * n - 1)))
    assert np.linalg.eigvalsh(section).max() < direct[0] * (1 - 1e-4)  # which is why finite sections are not used


@pytest.mark.parametrize("d", ["1/10", "1/4", "2/5"])
def test_the_law_of_differencing(d):
    # off by 0.044, 0.014, -0.010 at k = 40, twice that at k = 10; with the term d ln(...) of (M17) off by d ln X > 0.2
    found = floats(differencing_singular_values(d, 40, digits=8))
    off = [float(sp.log(differencing_singular_value(k, d)) - sp.log(found[k - 1])) for k in (10, 40)]
    assert abs(off[1]) < 0.05 and abs(off[0]) / abs(off[1]) == pytest.approx(2, abs=0.35)


def test_what_cannot_be_told_from_zero_is_none():
    found = singular_values(Expression("exp(-t)*cos(3*t)"), 3)  # two complex exponentials
    assert found.values[2] is None and found.digits == 12
    rotation = np.array([[-1.0, 3.0], [-3.0, -1.0]])
    assert floats(found)[:2] == pytest.approx(hankel_by_lyapunov(rotation, [1, 0], [1, 0], 2), rel=1e-11)
    assert found.as_dict()["hankel"] == list(found.values)


@pytest.mark.parametrize("zero", [Exponential(amplitude=0), Target([Box(amplitude=0), Gaussian(amplitude=0)])])
def test_a_kernel_of_zeros(zero):
    assert singular_values(zero, 2).values == ("0", "0")


BAD = {
    "count must be from 1": lambda: singular_values(PowerLaw(), 0),
    "count must be an int": lambda: singular_values(PowerLaw(), "3"),
    "digits must be from 2": lambda: singular_values(PowerLaw(), 3, digits=61),
    "digits must be an int": lambda: enclosed_singular_values(PowerLaw(), 3, digits=3.0),
    "must be integrable": lambda: singular_values(Expression("1/(1+t)")),
    "omega must be > 0": lambda: singular_values(PowerLaw(omega="0")),
    "one input": lambda: singular_values([Exponential(), Exponential(input=2)]),
    "list of Kernels": lambda: singular_values(1),
    "over 162 panels": lambda: singular_values(Gaussian(lag=1000)),
    "omega must be larger": lambda: singular_values(PowerLaw(omega="1/500"), 50),
    "d must be > 0": lambda: differencing_singular_values("-1/4"),
    "d must be < 1": lambda: differencing_singular_values(1),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_told_what_is_wrong(message):
    with pytest.raises((TypeError, ValueError), match=message):
        BAD[message]()
