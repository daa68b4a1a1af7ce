"""The rate theorem: gamma against a fine grid of its definition, the bound above every singular value, no rate."""

from math import exp, inf

import mpmath
import numpy as np
import pytest
import sympy as sp

from numerics.hankel import singular_values
from theory.inverse_theorem import inverse_theorem
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw, t
from theory.latex import align
from theory.rate_theorem import NoRate, RateBound, best_rate_bound, rate_bound

SMOOTH = {
    "exponential": (Exponential("-2", 3), "5/2", 4),
    "erlang": (Erlang(order=2, rate=2), "1", 3),
    "gaussian": (Gaussian(lag=3, width="1/2"), "7/3", 2),
    "before zero": (Gaussian(lag=-1), "1/3", 2),
    "formula": (Expression("(t-1)*exp(-t)"), "1/2", 2),
    "lag": (Erlang(order=4, lag=2), "1/2", 3),
}


def supremum(kernel, beta, alpha):
    """max_k sup_t |e^{beta t} d^{k-1}/dt^{k-1} rho| / beta^k, k = 1 .. alpha + 1, on a grid from the lag on."""
    lag = float(kernel.delay)
    times, found = lag + np.linspace(0, 40, 400_001), []
    for k in range(1, alpha + 2):
        value = sp.lambdify(t, sp.exp(beta * t) * sp.diff(kernel.density(t), t, k - 1) / beta**k, "numpy")
        found.append(abs(value(times) * np.ones_like(times)).max())
    return max(found)


@pytest.mark.parametrize("name", SMOOTH)
def test_gamma_is_the_supremum_of_its_definition(name):
    kernel, beta, alpha = SMOOTH[name]
    found = rate_bound(kernel, alpha, beta)
    assert float(found.gamma) == pytest.approx(supremum(kernel, sp.Rational(beta), alpha), rel=1e-7)
    assert found.beta == sp.Rational(beta) and not found.gamma.has(sp.Float)


def test_a_sum_has_at_most_the_sum_of_its_gammas():
    pair = [Exponential(), Gaussian(lag=3)]
    found, parts = rate_bound(pair, 1, "1/2"), [rate_bound(each, 1, "1/2") for each in pair]
    assert found.gamma == sp.Add(*(each.gamma for each in parts))
    whole = supremum(Expression("exp(-t) + exp(-(t-3)**2/2)"), sp.Rational(1, 2), 1)
    assert whole <= float(found.gamma)


@pytest.mark.parametrize(
    "kernel", [Exponential(), Erlang(order=3, rate=2), [Exponential(), Gaussian(lag=2)], Gaussian()]
)
@pytest.mark.parametrize("width", [1, 4, 9])
def test_no_bound_is_below_a_singular_value(kernel, width):
    bound = best_rate_bound(kernel, width)
    least = float(singular_values(kernel, width + 1, digits=6).values[width] or 0)
    assert least <= float(bound.error(width))
    assert 1 <= bound.alpha <= width


def test_the_error_is_the_formula_with_numbers():
    # (M11) at alpha = 2, m = 5: 5!/2! (pi/4)^2 3!/5!
    assert RateBound(2, sp.Integer(1), sp.Integer(7)).error(5) == 7 * 60 * (sp.pi / 4) ** 2 / 20


def test_time_in_other_units_leaves_gamma_and_error():
    for c in (sp.Rational(1, 7), sp.Integer(30)):
        faster = rate_bound(Gaussian(amplitude=c, width=1 / c, lag=3 / c), 1, c / 2)  # c rho(ct), c beta
        slower = rate_bound(Gaussian(lag=3), 1, sp.Rational(1, 2))
        assert mpmath.mpf(sp.N(faster.gamma / slower.gamma, 30)) == pytest.approx(1, abs=1e-25)


def test_best_is_better_than_its_neighbours():
    best = best_rate_bound(Erlang(order=2), 12)
    others = [(best.alpha + 1, best.beta), (best.alpha, best.beta / 2), (best.alpha, (1 + best.beta) / 2)]
    assert all(best.error(12) < rate_bound(Erlang(order=2), *other).error(12) for other in others)


NO_RATE = {
    "power law": (PowerLaw(), "no exponential|No exponential"),
    "box": (Box(end=2), "jumps at t = 2"),
    "delayed exponential": (Exponential(lag=3), "jumps at t = 3"),
    "delayed ramp": (Erlang(order=1, lag=3), "kink at t = 3"),
    "airy": (Airy(), "no closed form"),
    "oscillation": (Expression("exp(-t)*cos(t)"), "not a polynomial times"),
    "sum": ([Exponential(), PowerLaw(omega=2)], "t\\^-3"),
    "zero": (Exponential(0), "zero"),
}


@pytest.mark.parametrize("name", NO_RATE)
def test_why_there_is_no_rate(name):
    kernel, reason = NO_RATE[name]
    for attempt in (lambda: rate_bound(kernel, 1, "1/10"), lambda: best_rate_bound(kernel, 3)):
        with pytest.raises(NoRate, match=reason):
            attempt()


def test_bad_alpha_beta_width():
    with pytest.raises(NoRate, match="beta must be < 1, got 1"):
        rate_bound(Exponential(), 1, 1)
    with pytest.raises(NoRate, match="fewer than alpha = 3"):
        rate_bound(Erlang(order=3, lag=1), 3, "1/2")
    with pytest.raises(ValueError, match="alpha must be an int >= 1"):
        rate_bound(Exponential(), 0, "1/2")
    with pytest.raises(ValueError, match="width must be >= alpha = 2"):
        rate_bound(Exponential(), 2, "1/2").error(1)
    with pytest.raises(ValueError, match="width must be an int >= 1"):
        best_rate_bound(Exponential(), 0)


def test_a_power_of_time_may_begin_smoothly_after_a_lag():
    assert best_rate_bound(Erlang(order=2, lag=1), 5).alpha == 1
    assert rate_bound(Erlang(order=3, lag=1), 2, "1/2").gamma < inf


def test_the_theorems_show_themselves():
    found = rate_bound(Erlang(order=1), 1, "1/2").theorem()
    assert found.word == "proved" and len(found.hypotheses) == 3 and "gamma = 4" in str(found)
    assert align(found.statements()).startswith(r"E_{m} &\le \frac{6 \pi \left(m - 1\right)!}{m!} \tag{M11}")
    converse = inverse_theorem()
    assert len(converse.hypotheses) == 3 and r"\lim_{t \to \infty}" in converse._repr_latex_()


def test_a_supremum_inside_counts():
    # of e^{9t/10} t e^{-t} and of its neighbour (1-t), both largest far from t = 0: by a scan of the definition
    found = float(rate_bound(Erlang(order=1), 1, "9/10").gamma)
    scan = [0.001 * k for k in range(60_000)]
    largest = max(max(t * exp(-0.1 * t) / 0.9, abs(1 - t) * exp(-0.1 * t) / 0.81) for t in scan)
    assert largest > 4 and largest <= found * (1 + 1e-12) and found < largest * (1 + 1e-6)
