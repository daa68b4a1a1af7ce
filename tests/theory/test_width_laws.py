"""Width laws: against computed singular values, against a network's tail, and their errors."""

import math

import numpy as np
import pytest
import sympy as sp

from numerics.hankel import singular_values
from theory import width_laws
from theory.kernels import Gaussian, PowerLaw
from theory.width_laws import (
    bump_width,
    delay_law,
    least_coefficients_at_margin,
    least_width,
    least_width_at_margin,
    log_singular_value,
    margin_time,
    singular_value,
    source_width,
    theorems,
)


def computed(kernel, count, digits=8):
    return np.array([float(each or 0) for each in singular_values(kernel, count, digits=digits).values])


@pytest.mark.parametrize("omega", ["1/2", "3/4", "1"])
def test_the_conjectured_law_is_within_five_per_cent(omega):
    # from m = 5 on; m + 1 in place of m + 1/2 is off by 15 %
    found = computed(PowerLaw(omega=omega), 40)
    for m in range(5, 40):
        assert float(singular_value(m, omega)) == pytest.approx(found[m], rel=0.05)


def test_the_phase_space_count_leaves_less_and_less():
    # without the logarithm what is left between 15 and 60 grows by om ln 2 = 0.69, and a phase space of pi sqrt(om m)
    # instead would leave far more
    found = np.log(computed(PowerLaw(), 60))
    left = [found[m - 1] - float(log_singular_value(m, 1)) for m in (15, 60)]
    assert abs(left[1] - left[0]) < 0.2


def test_the_least_width_is_the_count_solved_for_m():
    # ln sigma = -pi sqrt(2 om m) at m = least_width
    for omega in (sp.Rational(1, 3), sp.Integer(2)):
        width = least_width("1e-6", omega)
        assert sp.simplify(sp.pi * sp.sqrt(2 * omega * width) - sp.log(10**6)) == 0
    assert source_width("1e-2", "1/2") == 5000 and float(least_width("1e-2", "1/2")) < 3


def test_the_bump_law_grows_with_the_lag_as_the_singular_values_do():
    eps = "1e-2"
    counts = [(computed(Gaussian(lag=lag), 2 * lag, digits=4) > 1e-2).sum() for lag in (10, 25)]
    law = [float(bump_width(eps, lag)) for lag in (10, 25)]
    assert (counts[1] - counts[0]) / (law[1] - law[0]) == pytest.approx(1, abs=0.1)  # O(ln 1/eps) falls out
    assert float(bump_width(eps, 40, width=2, amplitude=3)) == pytest.approx(
        40 / (2 * math.pi) * math.sqrt(2 * math.log(6 * math.sqrt(2 * math.pi) / 0.01))
    )


def test_margins_by_hand():
    # omega = 1/2, eps = 1e-2: (1+T)^{-1/2} = 1/100
    assert margin_time("1e-2", "1/2") == 9999
    expected = 1 + (9999 / 20 - math.log(201)) / math.log(4 * math.e)
    assert float(least_width_at_margin("1e-2", "1/2", "1/10")) == pytest.approx(expected)
    assert sp.log(least_coefficients_at_margin("1e-2", "1/2", "1/10")) < 1000
    assert float(sp.log(least_coefficients_at_margin("1e-2", "1/2", "1/10"))) == pytest.approx(999.9 + math.log(1e-3))


def test_a_network_with_a_margin_obeys_them():
    # rho = (1+t)^-2 by least squares on rates >= mu: its L1 error eps is above what m and C allow
    margin, rates = 0.2, np.array([0.2, 0.5, 1.2, 3.0])
    t = np.expm1(np.linspace(0, 12, 20_001))
    step = np.diff(t, append=t[-1])
    exponentials, rho = np.exp(-np.outer(t, rates)), (1 + t) ** -2.0
    amplitudes = np.linalg.lstsq(exponentials * np.sqrt(step)[:, None], rho * np.sqrt(step), rcond=None)[0]
    error = sp.Rational(float(step @ abs(exponentials @ amplitudes - rho)))
    assert least_width_at_margin(error, 1, sp.Rational(str(margin))) <= len(rates)
    assert least_coefficients_at_margin(error, 1, sp.Rational(str(margin))) <= abs(amplitudes).sum()


def test_every_law_says_how_far_it_is_proved():
    words = {each.statements()[0].number: each.word for each in theorems()}
    assert words == {
        "M17": "asymptotic",
        "M18": "conjectured",
        "M19": "proved",
        "M20": "proved",
        "D4": "asymptotic",
        "D5": "proved",
    }
    assert all(each.hypotheses and "$" in each._repr_latex_() for each in theorems())
    assert [each.right for each in delay_law().statements()] == [1, 1]
    assert theorems()[2].statements()[0].right.subs(
        {width_laws.omega: sp.Rational(1, 2), width_laws.eps: sp.Rational(1, 100), width_laws.mu: 1}
    ) == least_width_at_margin("1e-2", "1/2", 1)


def test_bad_numbers():
    with pytest.raises(ValueError, match="eps must be < 1/"):
        least_width_at_margin("1", "1/2", 1)
    with pytest.raises(ValueError, match="omega must be > 0"):
        singular_value(3, 0)
    with pytest.raises(ValueError, match="eps must be > 0"):
        least_width(0, 1)
    with pytest.raises(ValueError, match="below the area"):
        bump_width(3, 10)
    with pytest.raises(TypeError, match="must be exact"):
        source_width(0.1, 1)


def test_the_law_of_the_coefficients_is_met_by_the_least_of_them():
    (law,) = next(each for each in theorems() if each.name == "coefficients at a margin").conclusions
    right = law.right.subs({width_laws.omega: sp.Rational(1, 2), width_laws.mu: 3})
    (C,) = right.free_symbols - {law.left}
    at = sp.Rational(1, 5)
    least = least_coefficients_at_margin(at, "1/2", 3)
    assert sp.simplify(right.subs({C: least, law.left: at}) - at) == 0
