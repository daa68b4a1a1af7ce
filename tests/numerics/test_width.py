"""The corridor: the best known least widths, its two sides, what it says of finite sums, bad input."""

import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.hankel_bounds import enclosed_singular_values
from numerics.l1_enclosure import l1_error
from numerics.l1_refined import l1_refined
from numerics.width import LeastWidth, least_width, width_errors
from strategies import RATES
from theory.kernels import Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.problem import Target

REFERENCE = tomllib.loads((Path(__file__).parents[1] / "reference-values.toml").read_text())
BEST_KNOWN = {
    "1": {"1e-1": (1, 3), "1e-2": (3, 5), "1e-3": (5, 9), "1e-4": (8, 13)},
    "1/2": {"1e-1": (2, 5), "1e-2": (5, 10), "1e-3": (9, 17), "1e-4": (15, 24)},
    "1/4": {"1e-1": (4, 11), "1e-2": (9, 22), "1e-3": (17, 35), "1e-4": (27, 50)},
}
FAST = [("1", "1e-1"), ("1", "1e-3"), ("1/2", "1e-2"), ("1/4", "1e-1")]
EVERY = [(omega, eps) for omega, row in BEST_KNOWN.items() for eps in row]


def test_both_sides_of_the_reference():
    (found,) = width_errors(Target([PowerLaw(omega="1/2")]), [4])
    best = REFERENCE["width"]["power_law"]["1/2"]["4"]
    sigma = float(REFERENCE["hankel"]["power_law"]["1/2"]["sigma"][4])  # sigma_{m+1}; sigma_m is twice as large
    assert 0.999 * sigma < float(found.lower) <= sigma
    assert float(found.lower) < float(found.upper) <= float(best)


def check_cell(omega, eps):
    found = least_width(Target([PowerLaw(omega=omega)]), eps)
    lower, upper = BEST_KNOWN[omega][eps]
    assert lower <= found.lower <= found.upper <= upper
    achieved = found.achieved
    assert achieved.network.width == achieved.width == found.upper
    assert sp.Rational(achieved.lower) <= sp.Rational(achieved.upper) <= sp.Rational(eps)
    assert float(achieved.slowest_rate) == pytest.approx(float(min(achieved.network.rates)), rel=1e-5)


@pytest.mark.parametrize(("omega", "eps"), FAST)
def test_least_widths_are_no_wider_than_the_best_known(omega, eps):
    check_cell(omega, eps)


@pytest.mark.slow
@pytest.mark.parametrize(("omega", "eps"), [cell for cell in EVERY if cell not in FAST])
def test_all_least_widths_are_no_wider_than_the_best_known(omega, eps):
    check_cell(omega, eps)


@settings(deadline=None, max_examples=2)
@given(
    terms=st.lists(st.tuples(st.integers(1, 3), RATES), min_size=2, max_size=4, unique_by=lambda each: each[1]),
    omega=st.sampled_from(["1/2", "2"]),
)
def test_errors_lie_between_their_bounds_and_fall(terms, omega):
    target = Target([*(Exponential(a, w) for a, w in terms), PowerLaw(omega=omega)])
    errors = width_errors(target, [4, 1, 2])
    assert [each.width for each in errors] == [1, 2, 4]
    for each in errors:
        assert 0 < sp.Rational(each.lower) <= sp.Rational(each.upper)
        assert sp.Rational(l1_error(target, each.network).lower) <= sp.Rational(each.upper)
    for attribute in ("lower", "upper"):
        values = [sp.Rational(getattr(each, attribute)) for each in errors]
        assert all(later <= earlier for earlier, later in pairwise(values))


def test_a_narrower_network_stands_in_for_a_worse_one():
    one, two = width_errors(Target([Box(start=1, end=2)]), [1, 2])  # the realisation of width 2 is the worse one
    assert two.upper == one.upper and two.network == one.network and two.width == 2


def test_the_width_of_a_finite_sum_is_its_number_of_rates():
    target = Target([Exponential("1", "1"), Exponential("1", "2"), Exponential("1", "40"), Exponential("1", "2")])
    found = least_width(target, "1e-12")
    assert (found.lower, found.upper) == (3, 3) and found.achieved.upper == "0"


@pytest.mark.slow
def test_a_bump_needs_a_width_in_proportion_to_its_lag():
    found = {lag: least_width(Target([Gaussian(lag=lag)]), "1/10", widest=20) for lag in (3, 6)}
    assert all(each.lower <= each.upper <= each.lower + 4 for each in found.values())
    assert found[6].lower > found[3].lower + 1  # the law (L/pi sg) sqrt(2 ln(A sg sqrt(2 pi)/eps)): 2.4 and 4.9
    assert found[3].achieved.method == "realisation"


def test_with_much_error_allowed_no_unit_is_needed():
    target = Target([PowerLaw(omega="1/2")])  # int rho = 2
    assert least_width(target, "2.001") == LeastWidth(sp.Rational("2.001"), 0, 0, None)
    assert least_width(target, 2).upper == 0  # no ball tells
    assert least_width(Target([Box(end=3)]), 4).upper == 0


def test_less_error_than_the_norm_takes_one_unit_though_no_singular_value_says_so():
    for target, eps in ((Target([PowerLaw(omega="1/2")]), "1.9999999"), (Target([Gaussian(lag=1)]), "2")):  # 2.1
        found = least_width(target, eps)
        assert sp.Rational(found.achieved.lower) < sp.Rational(eps)  # sigma_2; nor does sigma_1:
        assert float(enclosed_singular_values(target, 1)[0].lower) < 2 and found.lower == 1 <= found.upper


def test_a_norm_known_in_balls_only_decides_what_it_can():
    target = Target([Exponential("1", "1"), Exponential("-1", "2")])  # >= 0, int rho = 1 - 1/2; sigma_1 = 0.2
    lower = {eps: least_width(target, eps).lower for eps in ("0.501", "0.5", "0.499")}
    assert lower == {"0.501": 0, "0.5": 0, "0.499": 1}
    assert least_width(target, "0.501").upper == 0 < least_width(target, "0.5").upper


def test_at_the_norm_itself_no_unit_is_needed_and_just_below_one_is():
    target = Target([PowerLaw(omega="1/2", amplitude="2/3"), Exponential("1", "3")])  # 4/3 + 1/3
    assert least_width(target, "5/3").upper == 0
    assert least_width(target, "1.66666666666666666666").upper == 1


def test_a_network_of_finite_rank_is_the_target_itself():
    terms = [Erlang(amplitude="-3", order=2, rate="1/2"), Exponential("2", "1/2"), Exponential("-1", "3")]
    target = Target(terms)
    found = least_width(target, "1e-30")
    assert (found.lower, found.upper, found.achieved.upper) == (4, 4, "0")
    assert found.achieved.slowest_rate == "0.500000"
    network = found.achieved.network
    assert l1_error(target, network).guarantee == "exact"
    W, U, c = (np.array(each, dtype=float) for each in network.matrices)
    for time in (0.0, 0.7, 5.0):  # (M2) by a matrix exponential
        rho = (2 - 3 * time**2) * np.exp(-time / 2) - np.exp(-3 * time)
        assert (c.ravel() @ scipy.linalg.expm(W * time) @ U).item() == pytest.approx(rho, rel=1e-12)


@pytest.mark.parametrize("terms", [[Box(amplitude=0)], [Exponential(amplitude=0)], [Exponential(), Exponential("-1")]])
def test_nothing_to_remember_takes_no_unit(terms):
    (found,) = width_errors(Target(terms), [2])
    assert (found.lower, found.upper) == ("0", "0")
    assert least_width(Target(terms), "1e-9").upper == 0


def test_no_error_is_larger_than_that_of_no_output():
    (found,) = width_errors(Target([Gaussian(lag=10)]), [2])  # the realisation errs by more than int rho
    assert float(found.upper) == pytest.approx(float(np.sqrt(2 * np.pi)), rel=1e-6)
    assert found.method == "no output" and float(found.lower) > 1.8


def test_a_singular_value_that_may_be_eps_proves_nothing():
    target = Target([PowerLaw()])
    second = enclosed_singular_values(target, 8, digits=4)[1].lower
    found = least_width(target, second)
    assert found.lower == 1  # sigma_2 >= eps, perhaps equal: one unit is not excluded
    assert found.achieved.lower == enclosed_singular_values(target, 8, digits=4)[found.upper].lower  # sigma_{m+1}


def test_balanced_truncation_stands_in_where_newton_fails():
    """Three atoms a million times apart in time: the L1-optimal network of two units is not found, a good one is."""
    target = Target([Exponential("1", "1"), Exponential("1e-12", "1e-6"), Exponential("1", "1e6")])
    with pytest.raises(ArithmeticError, match="does not at width 2"):
        l1_refined(target, 2)
    one, two = width_errors(target, [1, 2])
    assert (one.method, two.method) == ("L1-optimal", "balanced truncation") and float(two.upper) < float(one.upper)
    found = least_width(target, "1.6e-6")
    assert (found.lower, found.upper, found.achieved.method) == (1, 2, "balanced truncation")
    error = l1_error(target, found.achieved.network)
    assert float(error.upper) <= 1.6e-6 and error.guarantee == "enclosed"


def test_amplitudes_beyond_float64():
    for amplitude in ("1e-400", "1e400"):
        with pytest.raises(ValueError, match="amplitudes must be within the range of float64"):
            width_errors(Target([PowerLaw(amplitude)]), [1])
    beside = width_errors(Target([PowerLaw("1e-400"), PowerLaw(omega="2")]), [2])
    assert beside[0].upper == width_errors(Target([PowerLaw(omega="2")]), [2])[0].upper


def test_a_search_may_end_without_a_network():
    found = least_width(Target([Box(end=2)]), "1e-2", widest=4)
    assert (found.upper, found.achieved) == (None, None) and found.lower >= 4
    said = found.as_dict()
    assert "no network found" in said.pop("reason")
    assert said == {"eps": "1/100", "lower": found.lower, "upper": None}


def test_the_dictionary_is_that_of_the_command_line():
    (cell,) = width_errors(Target([PowerLaw()]), [2])
    assert cell.as_dict() == {
        "m": 2,
        "lower": {"value": cell.lower, "guarantee": "enclosed"},
        "upper": {"value": cell.upper, "guarantee": "enclosed", "method": "L1-optimal"},
        "slowest_rate": cell.slowest_rate,
    }


def test_bad_input_is_refused():
    target = Target([PowerLaw()])
    for eps in (0, "-1/2"):
        with pytest.raises(ValueError, match="eps must be > 0"):
            least_width(target, eps)
    with pytest.raises(TypeError, match="eps must be exact"):
        least_width(target, 0.1)
    with pytest.raises(ValueError, match="width must be from 1"):
        width_errors(target, [0, 1])
    with pytest.raises(ValueError, match="at least one width"):
        width_errors(target, [])
    with pytest.raises(ValueError, match="width must be from 1 to 60"):
        width_errors(Target([Gaussian()]), [61])
    with pytest.raises(ValueError, match="one input"):
        least_width(Target([Exponential(input=2)]), "1/10")
    with pytest.raises(ValueError, match="integrable"):
        least_width(Target([Expression("1/(1+t)")]), "1/10")
