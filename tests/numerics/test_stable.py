"""Perturbed networks: random perturbations stay between the bounds, closed forms, the limit of wide networks."""

import math

import flint
import numpy as np
import pytest
import sympy as sp

from numerics.l1_enclosure import l1_error
from numerics.l1_refined import l1_refined
from numerics.stable import _inside, limit_error, perturbed_error
from theory.kernels import Exponential, Gaussian, PowerLaw
from theory.mixtures import NoMixture
from theory.parametrisation import IDENTITY, Exp, InverseSquare, Softplus
from theory.problem import Target
from theory.rnn import LinearRNN

POWER = Target([PowerLaw(omega="1")])
FADING = Target([Exponential("1", "1"), Exponential("1", "3"), Exponential("1", "9")])
EVERY = [IDENTITY, Exp(), Softplus(), InverseSquare("1", "1/100")]
PHI = {
    "identity": (lambda v: v, lambda w: w),
    "exp": (math.exp, math.log),
    "softplus": (lambda v: math.log1p(math.exp(v)), lambda w: math.log(math.expm1(w))),
    "1/(1 v^2 + 1/100)": (lambda v: 1 / (v * v + 0.01), lambda w: math.sqrt(1 / w - 0.01)),
}


@pytest.mark.parametrize("parametrisation", EVERY, ids=lambda each: each.name)
def test_no_random_perturbation_leaves_the_bounds(parametrisation):
    network, beta = l1_refined(POWER, 3), 0.03
    found = perturbed_error(POWER, network, "0.03", parametrisation)
    phi, inverse = PHI[parametrisation.name]
    rng = np.random.default_rng(3)
    corners = [np.full(3, sign) for sign in (-1.0, 1.0)]
    worst = 0.0
    for move in [*corners, *rng.uniform(-1, 1, (3, 3))]:
        rates = [phi(inverse(float(w)) + beta * x) for w, x in zip(network.rates, move, strict=True)]
        moved = LinearRNN.of(network.amplitudes, [repr(float(w)) for w in rates])
        worst = max(worst, float(l1_error(POWER, moved, digits=4).upper))
        assert worst <= float(found.upper) * (1 + 1e-3)
    # The worst corner is found: rejects a bound from the fast side, or from half of beta.
    assert worst <= float(found.lower) * (1 + 1e-3) and worst == pytest.approx(float(found.lower), rel=1e-3)
    assert float(found.upper) - float(found.lower) <= 2 * float(l1_error(POWER, network).upper) + 1e-6


def test_one_unit_has_a_closed_form():
    target, network = Target([Exponential("2", "1")]), LinearRNN([("2", "1")])
    found = perturbed_error(target, network, "1/4")
    assert float(found.lower) == pytest.approx(2 / 0.75 - 2, rel=1e-5) == float(found.upper)
    relative = perturbed_error(target, network, "1/4", Exp())
    assert float(relative.upper) == pytest.approx(2 * math.expm1(0.25), rel=1e-5) == float(relative.lower)


def test_irrational_rates_are_numbers_like_any_other():
    target, network = Target([Exponential("1", sp.sqrt(2))]), LinearRNN([("1", sp.sqrt(2))])
    found = perturbed_error(target, network, "1/4")
    assert float(found.lower) == pytest.approx(1 / (2**0.5 - 0.25) - 0.5**0.5, rel=1e-5) == float(found.upper)


def test_a_rate_that_may_reach_zero_loses_everything():
    network = l1_refined(POWER, 3)
    found = perturbed_error(POWER, network, network.rates[0])
    assert (found.lower, found.upper, found.guarantee) == ("inf", "inf", "exact")
    assert perturbed_error(POWER, network, network.rates[0], Exp()).upper != "inf"


def test_a_unit_without_amplitude_changes_nothing():
    found = perturbed_error(POWER, LinearRNN([("1", "1"), ("0", "1/10"), ("0", "1/2")]), "1/2")
    assert found == perturbed_error(POWER, LinearRNN([("1", "1")]), "1/2")
    alone = perturbed_error(POWER, LinearRNN([("0", "1/2")]), "1/2")
    assert sp.Rational(alone.lower) <= 1 <= sp.Rational(alone.upper) < sp.Rational("1.001")  # ||rho||


def test_a_moved_rate_stays_within_beta():
    with flint.ctx.workprec(200):
        assert sp.Rational(1, 3) < _inside(flint.arb(3), sp.Rational(1, 2)) < sp.Rational(1, 2)
        assert sp.Rational(1, 2) < _inside(flint.arb(1) / 3, sp.Rational(1, 2)) < 3


@pytest.mark.parametrize("parametrisation", EVERY[1:], ids=lambda each: each.name)
def test_wide_networks_tend_to_the_limit_where_it_is_stable(parametrisation):
    limits = [float(limit_error(POWER, beta, parametrisation).value) for beta in ("1/10", "1/100", "1/1000")]
    assert limits[0] > 5 * limits[1] > 25 * limits[2]
    found = perturbed_error(POWER, l1_refined(POWER, 9), "1/10", parametrisation)
    assert float(found.lower) * (1 - 1e-3) - 6e-4 <= limits[0] <= float(found.upper) * (1 + 1e-3) + 6e-4


def test_limits_have_closed_forms():
    assert float(limit_error(POWER, "1/5", Exp()).value) == pytest.approx(math.expm1(0.2), rel=1e-3)  # ||rho|| = 1
    moved = sum(1 / (w - 0.5) - 1 / w for w in (1, 3, 9))
    assert float(limit_error(FADING, "1/2").value) == pytest.approx(moved, rel=1e-3)
    whole = perturbed_error(FADING, l1_refined(FADING, 3), "1/2")
    assert float(whole.upper) == pytest.approx(moved, rel=1e-4) == float(whole.lower)


def test_plain_rates_are_stable_only_for_exponential_memory():
    assert limit_error(POWER, "1e-9").value == "inf"
    assert float(limit_error(FADING, "1e-3").value) < 2e-3
    assert limit_error(FADING, 1).value == "inf"


def test_bad_input_is_refused():
    network = LinearRNN([("1", "1")])
    with pytest.raises(ValueError, match="beta must be > 0"):
        perturbed_error(POWER, network, 0)
    with pytest.raises(TypeError, match="beta must be exact"):
        limit_error(POWER, 0.1)
    with pytest.raises(ValueError, match="rate 0 must be <"):
        perturbed_error(POWER, LinearRNN([("1", "200")]), "1/10", InverseSquare("1", "1/100"))
    with pytest.raises(NoMixture, match="completely monotone"):
        limit_error(Target([Gaussian()]), "1/10")
    assert perturbed_error(POWER, network, "1/2").as_dict()["beta"] == str(sp.Rational(1, 2))
