"""The three norms of an error: against quadrature, closed forms, and each other."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings

from numerics.approximation import approximation_errors
from numerics.balanced import balanced_truncation
from numerics.h2_optimal import h2_optimal
from numerics.l1_refined import l1_refined
from oracles import raw_terms, raw_units, squared_error_by_quadrature
from strategies import NETWORKS, TARGETS
from theory.kernels import Box, Exponential, Gaussian, PowerLaw
from theory.pairs import Mode, of_modes
from theory.problem import Target
from theory.rnn import LinearRNN

HALF = Target([PowerLaw(omega="1/2")])


@settings(deadline=None, max_examples=3)
@given(network=NETWORKS, target=TARGETS)
def test_norms_of_any_error(network, target):
    errors = approximation_errors(target, network)
    square = float(squared_error_by_quadrature(raw_units(network), raw_terms(target.terms)))
    if square > 1e-12:
        assert float(errors.l2.value) ** 2 == pytest.approx(square, rel=1e-6)
    # |E(is)| <= int |e|, attained only by an error of one sign.
    assert float(errors.h_infinity.value) <= float(errors.l1.upper) * (1 + 1e-6) + 1e-12


def test_each_method_is_best_in_its_norm():
    found = [approximation_errors(HALF, method(HALF, 4)) for method in (l1_refined, h2_optimal, balanced_truncation)]
    l1, l2, sup = (
        np.array([float(value) for value in column])
        for column in zip(*((each.l1.upper, each.l2.value, each.h_infinity.value) for each in found), strict=True)
    )
    assert (l1.argmin(), l2.argmin(), sup.argmin()) == (0, 1, 2)


def test_the_largest_error_of_balanced_truncation_is_at_frequency_zero():
    network = balanced_truncation(HALF, 5)
    at_zero = 2 - sum(a / w for a, w in network.units)
    assert float(approximation_errors(HALF, network).h_infinity.value) == pytest.approx(float(at_zero), rel=1e-7)


@pytest.mark.parametrize("kernel", [Gaussian(lag="5"), Box(end="2")])
def test_a_resonance_is_found(kernel):
    """An error that oscillates at 3 has its largest transform there: against a fine scan of the definition."""
    network = of_modes([Mode("1", "0", "1/10", "3")])
    errors = approximation_errors(Target([kernel]), network)
    times = np.linspace(0, 120, 60_001)
    rho = sp.lambdify(sp.Symbol("t", nonnegative=True), kernel.rho(sp.Symbol("t", nonnegative=True)), "numpy")(times)
    error = np.exp(-times / 10) * np.cos(3 * times) - rho
    scan = [abs(np.trapezoid(error * np.exp(-1j * s * times), times)) for s in np.linspace(2.9, 3.1, 41)]
    assert float(errors.h_infinity.value) == pytest.approx(max(scan), rel=2e-3)
    assert float(errors.l2.value) == pytest.approx(np.sqrt(np.trapezoid(error**2, times)), rel=1e-3)
    assert errors.l2.guarantee == "estimated" and errors.l1.guarantee == "enclosed"


def test_the_norm_of_an_error_that_cancels_is_enclosed_to_all_its_digits():
    """e = e^-t (cosh(h t) - 1) ~ h^2 t^2 e^-t / 2, J = 3 h^4 / 16 beside terms of 1: 40 digits hold but three of it."""
    h = sp.Rational(5, 10**10)
    network = LinearRNN([("1/2", 1 - h), ("1/2", 1 + h)])
    l2 = approximation_errors(Target([Exponential()]), network).l2
    assert (l2.value, l2.guarantee) == ("1.0825318e-19", "enclosed")  # h^2 sqrt(3)/4


def test_a_power_law_that_comes_late_is_transformed_with_its_lag():
    """A scan of the definition; without its lag the largest value is 1/2, that at s = 0."""
    target, network = Target([PowerLaw("1", "2", lag="2")]), LinearRNN([("1", "1")])
    times = np.linspace(0, 400, 400_001)
    error = np.exp(-times) - np.where(times >= 2, (np.maximum(times, 2) - 1) ** -3.0, 0)
    error[times == 2] += 0.5  # half the jump, for the trapezoidal rule
    scan = [abs(np.trapezoid(error * np.exp(-1j * s * times), times)) for s in np.linspace(0.5, 1.5, 101)]
    found = float(approximation_errors(target, network).h_infinity.value)
    assert found == pytest.approx(max(scan), rel=1e-4) and found > 0.8


def test_words_and_numbers_as_a_dictionary():
    errors = approximation_errors(Target([Exponential()]), LinearRNN([("1", "2")])).as_dict()
    assert errors["l2"] == {"value": "0.28867513", "guarantee": "enclosed"}  # 1/2 - 2/3 + 1/4 = 1/12
    assert errors["h_infinity"] == {"value": "0.50000000", "guarantee": "estimated"}
    assert errors["l1"]["guarantee"] == "enclosed"
