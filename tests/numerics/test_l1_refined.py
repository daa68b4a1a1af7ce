"""The L1-optimal network: the reference, its conditions by quadrature, more digits, and random search."""

import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.optimize import brentq, minimize

from numerics.balanced import balanced_truncation
from numerics.l1_enclosure import l1_error
from numerics.l1_refined import l1_refined
from theory.kernels import Box, Exponential, PowerLaw
from theory.mixtures import NoMixture
from theory.problem import Target
from theory.rnn import LinearRNN
from tolerances import agree

REFERENCE = tomllib.loads((Path(__file__).parents[1] / "reference-values.toml").read_text())["width"]["power_law"]
HALF = Target([PowerLaw(omega="1/2")])


def floats(network):
    return np.array([[float(a), float(w)] for a, w in network.units]).T


@pytest.mark.parametrize("width", ["4", "8"])
def test_the_reference_is_reached(width):
    found = l1_error(HALF, l1_refined(HALF, int(width)))
    assert sp.Rational(found.upper) <= sp.Rational(REFERENCE["1/2"][width])  # known to be 1e-4 above the best


def error_and_changes(network, omega):
    """The sign changes of e, from numbers alone."""
    a, w = floats(network)
    error = lambda t: float(a @ np.exp(-w * t)) - (1 + t) ** (-1 - omega)
    times = [0.0, *np.geomspace(1e-5 / w.max(), 1e2 / w.min(), 4000)]
    return [brentq(error, x, y, xtol=1e-14) for x, y in pairwise(times) if error(x) * error(y) < 0]


def test_the_sign_of_the_error_is_orthogonal_to_the_units():
    network = l1_refined(HALF, 3)
    changes = error_and_changes(network, 0.5)
    assert len(changes) == 6
    edges = [0.0, *changes, np.inf]
    for _, w in network.units:
        for power in (0, 1):
            weight = lambda t, w=float(w), power=power: t**power * np.exp(-w * t)
            parts = [quad(weight, x, y, epsabs=0, epsrel=1e-10)[0] for x, y in pairwise(edges)]
            total = sum((-1) ** k * part for k, part in enumerate(parts))
            # Rejects the H2-optimal network, for which e itself is orthogonal: its total is a tenth of the whole.
            assert abs(total) < 1e-6 * sum(parts)


@pytest.mark.parametrize("omega", ["1", "1/4"])
def test_more_digits_agree_with_fewer(omega):
    target = Target([PowerLaw(omega=omega)])
    rough, fine, finer = (l1_refined(target, 6, digits=digits) for digits in (15, 30, 50))
    for one, other, last in zip(rough.units, fine.units, finer.units, strict=True):
        assert all(agree(float(x), y, 11) for x, y in zip(one, other, strict=True))
        assert all(agree(x, y, 29) for x, y in zip(other, last, strict=True))


def test_rates_of_1e_20_come_without_loss():
    target = Target([PowerLaw(omega="1/4")])
    rough, fine = (l1_refined(target, 50, digits=digits) for digits in (15, 25))
    assert fine.rates[0] < sp.Rational(1, 10**20)
    assert all(agree(float(x), y, 10) for x, y in zip(rough.rates, fine.rates, strict=True))


def test_no_random_start_beats_it():
    ours = float(l1_error(HALF, l1_refined(HALF, 2)).upper)
    t = np.concatenate([[0.0], np.geomspace(1e-5, 1e6, 3001)])  # the rest beyond is |rho| alone, up to e^-1000
    wanted, rest = (1 + t) ** -1.5, 2 * (1 + t[-1]) ** -0.5

    def norm(theta):
        error = np.exp(-np.multiply.outer(t, np.exp(theta[2:]))) @ np.exp(theta[:2]) - wanted
        return np.trapezoid(abs(error), t) + rest

    rng = np.random.default_rng(1)
    tried = [
        minimize(norm, rng.uniform(-4, 1, 4), method="Nelder-Mead", options={"maxiter": 2000, "maxfev": 2000}).fun
        for _ in range(5)
    ]
    assert ours - 1e-4 < min(tried) < ours + 1e-3


def test_it_beats_the_balanced_truncation_by_little():
    for width in (1, 3, 6):
        start, end = (float(l1_error(HALF, method(HALF, width)).upper) for method in (balanced_truncation, l1_refined))
        assert 0.9 * start < end < 0.999 * start


def test_wide_networks_converge_though_their_start_is_far():
    found = l1_error(HALF, l1_refined(HALF, 40), digits=4)
    assert float(found.upper) < 1.91e-6 and found.changes == 80


def test_a_target_of_exponentials():
    target = Target([Exponential(str(sp.Rational(1, k)), str(k)) for k in (1, 2, 4, 8, 16)])
    found = [l1_error(target, l1_refined(target, width)) for width in range(1, 6)]
    assert [each.changes for each in found] == [2, 4, 6, 8, 0]
    uppers = [float(each.upper) for each in found]
    assert all(later < earlier / 3 for earlier, later in pairwise(uppers)) and uppers[-1] == 0


def test_bad_input_is_refused():
    with pytest.raises(NoMixture, match=r"numerics\.realisation"):
        l1_refined(Target([Box()]), 2)
    with pytest.raises(ValueError, match="width must be from 1"):
        l1_refined(HALF, 0)
    with pytest.raises(ValueError, match="digits must be from 15"):
        l1_refined(HALF, 2, digits=14)
    assert isinstance(l1_refined(HALF, 1), LinearRNN)
