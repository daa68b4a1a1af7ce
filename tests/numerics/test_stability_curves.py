"""Curves of E_m(beta): between their bounds, above their limit, cheap bounds that hold, and reasons for gaps."""

import pytest
import sympy as sp

from numerics.l1_refined import l1_refined
from numerics.realisation import realised
from numerics.stability_curves import COMPARED, NEAR, stability_curves
from numerics.stable import perturbed_error
from theory.kernels import Exponential, Gaussian, PowerLaw
from theory.problem import Target
from theory.rnn import LinearRNN

POWER = Target([PowerLaw(omega="1")])
BETAS = ("1e-4", "1e-2", "1")
WIDTHS = (1, 2, 4)


@pytest.fixture(scope="module")
def curves():
    found = stability_curves(POWER, [(m, l1_refined(POWER, m)) for m in WIDTHS], BETAS)
    return {(each.parametrisation, each.width): each for each in found}


def test_every_parametrisation_has_its_curves_and_their_limit(curves):
    assert list(curves) == [(form, m) for form in COMPARED for m in (*WIDTHS, None)]
    assert all([error.beta for error in each.errors] == [*map(sp.Rational, BETAS)] for each in curves.values())


def test_curves_rise_with_beta_and_come_near_to_the_limit(curves):
    """(PE3): E(beta) is within E of its sum over the units, which tends to (PE4)."""
    for form in COMPARED[1:]:
        limit = [float(each.upper) for each in curves[form, None].errors]
        for m in WIDTHS:
            errors = curves[form, m].errors
            lower, upper = [float(each.lower) for each in errors], [float(each.upper) for each in errors]
            assert all(low <= high for low, high in zip(lower, upper, strict=True))
            assert sorted(upper) == upper and sorted(lower) == lower
        # Four units; rejects twice the limit, which at beta = 1 is far above the upper bound, and half of it.
        assert lower[2] * 0.97 <= limit[2] <= upper[2] * 1.03
        assert upper[0] < 0.019 and limit[0] < 2e-4  # the error of the network itself is what is left


def test_plain_rates_of_a_power_law_have_no_limit(curves):
    identity = COMPARED[0]
    assert [each.upper for each in curves[identity, None].errors] == ["inf"] * 3
    assert [each.upper == "inf" for each in curves[identity, 4].errors] == [False, False, True]
    assert {each.guarantee for each in curves[identity, None].errors} == {"exact"}


@pytest.mark.parametrize("form", COMPARED, ids=lambda each: each.name)
@pytest.mark.parametrize("signs", [(1, 1), (1, -1)])
def test_bounds_near_enough_contain_the_better_ones(form, signs):
    """Where no perturbed network is tried the bounds are still bounds, and as near as was said to be enough."""
    network = LinearRNN([(signs[0], "1/2"), (signs[1] * sp.Rational(1, 4), "3")])
    for beta in ("1e-4", "1/20", "1/3"):
        rough = perturbed_error(POWER, network, beta, form, enough=NEAR)
        fine = perturbed_error(POWER, network, beta, form)
        assert float(rough.lower) <= float(fine.lower) <= float(fine.upper) == float(rough.upper)
        assert float(rough.lower) >= 0.9 * float(rough.upper) or rough.lower == fine.lower


def test_what_there_is_no_curve_of_has_a_reason():
    bump = Target([Exponential(), Gaussian(lag="5")])
    networks = [(1, LinearRNN([("1", "1")])), (2, LinearRNN([("1", "1"), ("1", "200")])), (4, realised(bump, 4))]
    plain, fast, pairs, limit = stability_curves(bump, networks, ["1/10"])[-4:]  # 1/(v^2 + 1/100)
    assert plain.errors and plain.reason is None and "reason" not in plain.as_dict()
    assert "rates below 100 only, got 200" in fast.reason and "complex pairs" in pairs.reason
    assert "completely monotone" in limit.reason and limit.as_dict()["m"] == "inf"
    with pytest.raises(ValueError, match="beta 1 must be > 0"):
        stability_curves(POWER, [], ["1", "0"])
