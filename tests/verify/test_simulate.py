"""The simulated network against plain loops, quadrature of the definition (M3), sampling, and the flow's escape times.

The oracles are Python loops over time and Gauss-Legendre sums in complex arithmetic, so that complex steps
differentiate them.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from verify import network, simulate
from verify.simulate import Outcome, extrapolate, train

ROOT = Path(__file__).resolve().parents[2]
AMPLITUDES = st.floats(-2, 2)
RATES = st.floats(0.1, 3)
UNITS = st.lists(st.tuples(AMPLITUDES, RATES), min_size=1, max_size=3)
FLOW = {8: 15.02589977590923, 10: 42.59553865938014, 12: 137.595837321411}  # reference-values.toml
PAIR = {"amplitudes": (1, 0), "rates": (1, 0.7)}
BOUNDED = ("inverse-square", 2.0, 0.5)
DEFINITIONS = {  # (N9) for mpmath: phi, and v where it is hard
    "identity": (lambda v: v, [0.3, 7.0]),
    "exp": (mpmath.exp, [-600.0, -1.0, 0.0, 2.0, 600.0]),
    "softplus": (lambda v: mpmath.log1p(mpmath.exp(v)), [-600.0, -30.0, -1.0, 0.0, 2.0, 40.0, 900.0]),
    BOUNDED: (lambda v: 1 / (2 * v**2 + mpmath.mpf(1) / 2), [1e-3, 0.5, 3.0, 1e8]),
}
EACH = pytest.mark.parametrize("parametrisation", DEFINITIONS, ids=lambda each: each if each != BOUNDED else each[0])


def exponential_and_bump(lag, t):
    return np.exp(-t) + np.exp(-((t - lag) ** 2) / 2)


def loss_by_loop(theta, inputs, target, dt, scheme, last_only):
    """Oracle for (N1)-(N6): mean over sequences, one time step after the other; theta may be complex."""
    total = 0
    for sequence in inputs.tolist():
        hidden = [0] * len(theta[0])
        for n, x in enumerate(sequence):
            for i, w in enumerate(theta[1]):
                if scheme == "euler":
                    hidden[i] += dt * (x - w * hidden[i])
                else:  # decay for half a step, receive the input, decay for half a step
                    hidden[i] = (hidden[i] * np.exp(-w * dt / 2) + x * dt) * np.exp(-w * dt / 2)
            wanted = sum(dt * target((k + 0.5) * dt) * sequence[n - k] for k in range(n + 1))
            square = (np.dot(theta[0], hidden) - wanted) ** 2
            if not last_only:
                total += dt * square
        if last_only:
            total += square
    return total / len(inputs)


def gradient_by_complex_step(theta, *arguments):
    steps = 1e-30j * np.eye(theta.size).reshape(-1, *theta.shape)
    return np.array([loss_by_loop(theta + step, *arguments).imag / 1e-30 for step in steps]).reshape(theta.shape)


def rates_of(v, parametrisation):
    """(N9) for complex v, as it stands."""
    return {"identity": lambda: v, "exp": lambda: np.exp(v), "softplus": lambda: np.log(1 + np.exp(v)),
            BOUNDED: lambda: 1 / (2 * v**2 + 0.5)}[parametrisation]()


def v_of(rates, parametrisation):
    w = np.array(rates, dtype=float)
    return {"identity": w, "exp": np.log(w), "softplus": np.log(np.exp(w) - 1),
            BOUNDED: np.sqrt((1 / w - 0.5) / 2)}[parametrisation]


def escape_by_quadrature(target, amplitudes, v, *, drop, horizon, parametrisation):
    """Oracle for the escape time of gradient flow in (a, v): (M3) by Gauss-Legendre, complex steps, and SciPy."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    times, weights = (nodes + 1) * horizon / 2, weights * horizon / 2
    theta, wanted = np.array([*amplitudes, *v]), target(times)
    steps = 1e-30j * np.vstack([np.eye(len(theta)), np.zeros(len(theta))])

    def losses(thetas):
        a, w = np.split(thetas, 2, axis=1)
        kernels = np.sum(a[..., np.newaxis] * np.exp(-rates_of(w, parametrisation)[..., np.newaxis] * times), axis=1)
        return (kernels - wanted) ** 2 @ weights

    def escaped(_, theta):
        return losses(theta[np.newaxis])[0] - start + drop

    start = losses(theta[np.newaxis])[0]
    escaped.terminal = True
    flow = solve_ivp(lambda _, theta: -losses(theta + steps).imag[:-1] / 1e-30, (0, 1e3), theta, "DOP853",
                     events=escaped, rtol=1e-11, atol=1e-13)
    return float(flow.t_events[0][0])


def impulse_task(target, *, dt, length, scheme="exponential"):
    return network.impulse(network.target_samples(target, dt=dt, length=length), dt=dt, scheme=scheme)


def population_loss(theta, target, **steps):
    return float(network.losses(np.array(theta, dtype=float), impulse_task(target, **steps))[0])


@settings(deadline=None, max_examples=25)
@given(units=UNITS, dt=st.floats(0.05, 0.4), scheme=st.sampled_from(["exponential", "euler"]), noise=st.booleans(),
       seed=st.integers(0, 99))
def test_loss_and_backpropagation_are_those_of_a_plain_loop(units, dt, scheme, noise, seed):
    """Roundoff only. Rejects a transposed time index, a missing 2, dq/dw left out, h_{n+1} for h_n in dL/dp."""
    target, theta = partial(exponential_and_bump, 2.0), np.array(units).T
    samples = network.target_samples(target, dt=dt, length=12 * dt)
    task = (network.white_noise(samples, 3, np.random.default_rng(seed), dt=dt, scheme=scheme) if noise
            else network.impulse(samples, dt=dt, scheme=scheme))
    arguments = (task.inputs, target, dt, scheme, noise)
    loss, gradient = network.loss_and_gradient(theta, task)
    direct = loss_by_loop(theta, *arguments)
    assert abs(loss - direct) <= 1e-12 * max(direct, 1)
    assert abs(network.losses(theta, task).mean() - direct) <= 1e-12 * max(direct, 1)
    expected = gradient_by_complex_step(theta, *arguments)
    assert np.max(np.abs(gradient - expected)) <= 1e-11 * max(np.max(np.abs(expected)), 1)


def test_impulse_is_answered_by_the_memory_kernel_at_mid_interval():
    """The norm of the sampled kernel, target 0. Sampling at k dt or (k+1) dt is off by 5 %."""
    t = (np.arange(80) + 0.5) * 0.1
    kernel = 2 * np.exp(-0.5 * t) - np.exp(-1.5 * t)
    assert population_loss([[2, -1], [0.5, 1.5]], np.zeros_like, dt=0.1, length=8) == pytest.approx(
        0.1 * np.sum(kernel**2), rel=1e-13)


@pytest.mark.parametrize(("scheme", "order"), [("exponential", 2), ("euler", 1)])
def test_population_loss_tends_to_the_definition_at_its_order(scheme, order):
    """(M3) by quadrature. The window rejects order 1 for the exact step and order 2 for Euler's."""
    target, theta = partial(exponential_and_bump, 3.0), [[1, 0.2], [1, 0.7]]
    definition = quad(lambda t: (np.exp(-t) + 0.2 * np.exp(-0.7 * t) - target(t)) ** 2, 0, 12, epsabs=1e-13)[0]
    errors = [population_loss(theta, target, dt=dt, length=12, scheme=scheme) - definition
              for dt in (0.04, 0.02, 0.01)]
    assert 0 < abs(errors[2]) < 0.02 * definition
    for coarse, fine in pairwise(errors):
        assert np.log2(coarse / fine) == pytest.approx(order, abs=0.05)


def test_expected_batch_loss_is_the_population_loss():
    """20000 sequences, seed 5, k = 4 standard errors of about 1 %. Rejects noise of variance 1 or dt (off 10x)."""
    samples = network.target_samples(partial(exponential_and_bump, 4.0), dt=0.1, length=10)
    theta = network.parameters([1.0, 0.3], [1.0, 0.5], dt=0.1)
    drawn = network.losses(theta, network.white_noise(samples, 20_000, np.random.default_rng(5), dt=0.1))
    assert drawn.shape == (20_000,)
    expected = float(network.losses(theta, network.impulse(samples, dt=0.1))[0])
    assert abs(drawn.mean() - expected) <= 4 * drawn.std() / np.sqrt(drawn.size)


@settings(deadline=None, max_examples=25)
@given(units=st.lists(st.tuples(AMPLITUDES, RATES), min_size=2, max_size=4), data=st.data())
def test_order_of_the_units_changes_nothing(units, data):
    shuffled = data.draw(st.permutations(range(len(units))))
    task = impulse_task(partial(exponential_and_bump, 3.0), dt=0.2, length=8)
    theta = np.array(units).T
    loss, gradient = network.loss_and_gradient(theta, task)
    again, permuted = network.loss_and_gradient(theta[:, shuffled], task)
    assert again == pytest.approx(loss, rel=1e-12)
    assert np.allclose(permuted, gradient[:, shuffled], rtol=1e-10, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(units=UNITS, factor=st.floats(0.2, 5))
def test_faster_clock_divides_the_loss(units, factor):
    """rho(c t), rates c w, dt / c: the same network in other units of time; J / c, dJ/da / c, dJ/dw / c^2."""
    theta, target = np.array(units).T, partial(exponential_and_bump, 3.0)
    loss, gradient = network.loss_and_gradient(theta, impulse_task(target, dt=0.1, length=8))
    fast = theta * [[1], [factor]]
    task = impulse_task(lambda t: target(factor * t), dt=0.1 / factor, length=8 / factor)
    scaled, slope = network.loss_and_gradient(fast, task)
    assert scaled * factor == pytest.approx(loss, rel=1e-10)
    assert np.allclose(slope * [[factor], [factor**2]], gradient, rtol=1e-9, atol=1e-11)


def test_descent_takes_the_step_of_the_gradient():
    """Three steps against the loop's gradient. Rejects + for -, and an eta that is halved or applied twice."""
    target = partial(exponential_and_bump, 2.0)
    result = train(target, [0.5, 0.2], [1.0, 0.6], drop=0.9, dt=0.25, eta=0.05, length=5, max_steps=3)
    theta, inputs = np.array([[0.5, 0.2], [1.0, 0.6]]), np.eye(1, 20) / 0.25
    for _ in range(3):
        theta = theta - 0.05 * gradient_by_complex_step(theta, inputs, target, 0.25, "exponential", False)
    assert result.steps == 3
    assert np.allclose([*result.state.values()], theta, rtol=1e-12)


@EACH
def test_parametrisations_are_their_definitions(parametrisation):
    """mpmath, 60 digits; the slope by its finite differences. A softplus as it stands gives inf at 900, 0 at -600."""
    form, (definition, points) = network.phi(parametrisation), DEFINITIONS[parametrisation]
    for v in points:
        with mpmath.workdps(60):
            rate, slope = float(definition(mpmath.mpf(v))), float(mpmath.diff(definition, mpmath.mpf(v)))
        at = np.array([v])
        assert form.rate(at)[0] == pytest.approx(rate, rel=1e-14)
        assert form.slope(at)[0] == pytest.approx(slope, rel=1e-12)
        assert form.rate(form.inverse(form.rate(at)))[0] == pytest.approx(rate, rel=1e-12)


@EACH
def test_descent_in_v_is_that_of_a_plain_loop(parametrisation):
    """Complex steps in (a, v). Rejects phi' left out or squared, and rates stepped instead of v."""
    target, rates = partial(exponential_and_bump, 2.0), [1.0, 0.6]
    result = train(target, [0.5, 0.2], rates, drop=0.9, dt=0.25, eta=0.05, length=5, max_steps=3,
                   parametrisation=parametrisation)
    theta, steps = np.array([[0.5, 0.2], v_of(rates, parametrisation)]), 1e-30j * np.eye(4).reshape(4, 2, 2)
    for _ in range(3):
        slopes = [loss_by_loop(np.array([a, rates_of(v, parametrisation)]), np.eye(1, 20) / 0.25, target, 0.25,
                               "exponential", False).imag / 1e-30 for a, v in theta + steps]
        theta = theta - 0.05 * np.array(slopes).reshape(2, 2)
    assert np.allclose(result.state["amplitudes"], theta[0], rtol=1e-12)
    assert np.allclose(result.state["rates"], rates_of(theta[1], parametrisation), rtol=1e-12)


def test_a_run_goes_on_from_its_state():
    """The state in the names of the arguments; it holds rates, not v."""
    run = partial(train, partial(exponential_and_bump, 4), drop=0.9, dt=0.2, eta=0.02, length=12,
                  parametrisation="softplus")
    halfway, whole = run(**PAIR, max_steps=2), run(**PAIR, max_steps=5)
    resumed = run(**halfway.state, max_steps=3)
    assert resumed.trajectory[0][1] == pytest.approx(halfway.trajectory[-1][1], rel=1e-13)
    assert np.allclose([*resumed.state.values()], [*whole.state.values()], rtol=1e-13)


@EACH
def test_a_finite_horizon_is_simulated_exactly(parametrisation):
    """T = 5 cuts the bump at lag 4 in its side: the flow's escape by quadrature, and the orders stay 1 and 2.

    Rejects one time step too many, and phi' or phi'^4 for phi'^2 in the flow (M9).
    """
    target, form = partial(exponential_and_bump, 4.0), {"parametrisation": parametrisation}
    expected = escape_by_quadrature(target, [1, 0], v_of([1, 0.7], parametrisation), drop=0.5, horizon=5, **form)
    run = partial(extrapolate, target, **PAIR, drop=0.5, dt=0.1, eta=0.01, **form)
    found = run(length=5, levels=3)
    assert found.escape_time == pytest.approx(expected, rel=5e-6)
    assert abs(found.escape_time - expected) <= found.error < 5e-5 * expected
    assert 0.97 < found.eta_order < 1.03 and 1.95 < found.dt_order < 2.05
    assert abs(run(length=5.1).escape_time / expected - 1) > 0.01


@settings(deadline=None, max_examples=50)
@given(steps=st.integers(1, 5000), dt=st.fractions("1/1000", 2, max_denominator=3000).map(float))
def test_a_length_of_whole_steps_is_honoured(steps, dt):
    """Rejects floor(length / dt), which loses a step at 0.3 / 0.1."""
    assert network.time_steps(steps * dt, dt) == steps
    assert network.time_steps(float(f"{steps * dt:.12g}"), dt / 8) == 8 * steps


@pytest.mark.parametrize(("end", "order"), [(2.0, 2), (2.01, 0)])
def test_a_jump_keeps_the_order_only_on_the_grid(end, order):
    """box 1[1, end) against one unit. At 2.01 the midpoints see nothing of the last 0.01 until dt is as small."""
    box = lambda t: 1.0 * ((t >= 1) & (t < end))
    squares = quad(lambda t: 0.25 * np.exp(-t), 0, 12, epsabs=1e-14)[0] + end - 1
    definition = squares - quad(lambda t: np.exp(-t / 2), 1, end, epsabs=1e-14)[0]
    errors = [population_loss([[0.5], [0.5]], box, dt=dt, length=12) - definition for dt in (0.2, 0.1, 0.05)]
    for coarse, fine in pairwise(errors):
        assert np.log2(coarse / fine) == pytest.approx(order, abs=0.05)


def test_raw_escape_time_of_the_reference_run():
    """reference-values.toml: 8.2e-4 at dt = 0.1, eta = 0.01. A crossing not interpolated would be off by 2e-4."""
    result = train(partial(exponential_and_bump, 10), **PAIR, drop=0.05, dt=0.1, eta=0.01, length=25)
    assert result.outcome is Outcome.ESCAPED and result.reason is None
    assert result.escape_time / FLOW[10] - 1 == pytest.approx(8.2e-4, abs=0.05e-4)
    assert (result.steps - 1) * 0.01 < result.escape_time <= result.steps * 0.01
    taus, losses = zip(*result.trajectory, strict=True)
    assert len(taus) == simulate.THINNED and taus[0] == 0 and taus[-1] == 0.01 * result.steps
    assert losses[0] - losses[-1] > 0.05 and list(losses) == sorted(losses, reverse=True)


@pytest.mark.parametrize("lag", [8, 10, pytest.param(12, marks=pytest.mark.slow)])
def test_extrapolated_escape_times_are_those_of_the_flow(lag):
    """Relative 5e-6; the raw run is 5e-4 to 8e-3 off, extrapolation in dt instead of dt^2, or in eta^2, >= 1e-4."""
    result = extrapolate(partial(exponential_and_bump, lag), **PAIR, drop=0.05, dt=0.2, eta=0.04, length=lag + 15,
                         levels=3)
    assert result.escape_time == pytest.approx(FLOW[lag], rel=5e-6)
    assert abs(result.escape_time - FLOW[lag]) <= result.error < 1e-4 * FLOW[lag]
    assert 0.97 < result.eta_order < 1.03
    assert 1.9 < result.dt_order < 2.1
    assert len(result.runs) == 6


def test_two_levels_take_four_runs_on_the_callers_executor():
    seen, horizons = [], set()
    arguments = {**PAIR, "drop": 0.05, "dt": 0.2, "eta": 0.08, "length": 23.08, "levels": 2}

    def target(t):
        horizons.add(round(t[0] + t[-1], 9))
        return exponential_and_bump(8, t)

    with ThreadPoolExecutor(2) as executor:
        result = extrapolate(target, **arguments, map=executor.map, progress=lambda *counts: seen.append(counts))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert horizons == {23.0}  # the same at every dt, though 23.08 would round to 23.1 at the finer
    assert [(run.eta, run.dt) for run in result.runs] == [(0.08, 0.2), (0.08, 0.1), (0.04, 0.2), (0.04, 0.1)]
    assert result.escape_time == pytest.approx(FLOW[8], rel=3e-4)  # raw: 1.5e-2
    assert abs(result.escape_time - FLOW[8]) <= result.error
    assert result.eta_order is None and result.dt_order is None
    assert result.escape_time == extrapolate(partial(exponential_and_bump, 8), **arguments).escape_time


def test_extrapolation_without_an_escape_says_which_run():
    result = extrapolate(partial(exponential_and_bump, 8), **PAIR, drop=0.05, dt=0.2, eta=0.04, length=23, max_steps=5)
    assert result.escape_time is None and result.error is None and len(result.runs) == 4
    assert "eta = 0.04, dt = 0.2" in result.reason and "max_steps" in result.reason


def test_crossing_is_exact_where_the_drop_is_one_over_the_time_left():
    """D = 1 / (10.3 - n): polynomial in 1/D. Linear interpolation in D is off by 0.02 here."""
    history = [5.0] + [5 - 1 / (10.3 - n) for n in range(1, 11)]
    assert simulate._crossing(history, 9, 0.5) == pytest.approx(8.3, abs=1e-12)
    assert simulate._crossing([*history[:10], 7.0], 9, 0.5) == pytest.approx(8.3, abs=1e-12)  # it rises afterwards
    assert simulate._crossing([5.0, 4.0, 1.0], 1, 0.25) == 0.25  # at once: a line


def test_crossing_stays_between_its_steps_when_the_loss_collapses():
    """Found by the test above: interpolating tau as a polynomial in 1/D answered -15 steps here."""
    history = [2.0, 1.4, 1.0, 0.7, 0.6, 0.59]
    assert 1 < simulate._crossing(history, 2, 0.9) < 2


def test_fast_escapes_extrapolate_too():
    """26 steps to a drop of 1: order 1 in eta, where interpolation in 1/D for tau measured 0.78."""
    result = extrapolate(partial(exponential_and_bump, 3), **PAIR, drop=1, dt=0.2, eta=0.02, length=18, levels=3)
    assert 0.97 < result.eta_order < 1.03 and 1.9 < result.dt_order < 2.1


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=5))
def test_neville_reproduces_a_polynomial(coefficients):
    nodes = [0.5, 1.0, 2.0, 2.5, 4.0]
    values = [float(np.polyval(coefficients, x)) for x in nodes]
    assert simulate.neville(nodes, values, 3.0) == pytest.approx(np.polyval(coefficients, 3.0), abs=1e-9)


@pytest.mark.slow
def test_gradient_noise_delays_the_escape():
    """Ratio 1.440 +- 0.023 (100 seeds); 30 seeds, 0..29, k = 4 of their own standard errors and the reference's.

    Rejects a noise variance off by 2, which moves the excess 0.44 by a factor of about 2.
    """
    run = partial(train, partial(exponential_and_bump, 10), **PAIR, drop=0.05, dt=0.2, eta=0.1, length=25)
    ratios = np.array([run(mode="online", batch=100, seed=seed).escape_time for seed in range(30)]) / run().escape_time
    error = np.hypot(ratios.std(ddof=1) / np.sqrt(ratios.size), 0.023)
    assert abs(ratios.mean() - 1.440) <= 4 * error


def test_modes_draw_what_they_say():
    """batch: one draw, a loss of its own that descent lowers; online: fresh draws, judged by the population loss."""
    target = partial(exponential_and_bump, 4)
    run = partial(train, target, **PAIR, drop=0.3, dt=0.2, eta=0.02, length=12, batch=500)
    population, fixed, online = run(), run(mode="batch", seed=1), run(mode="online", seed=1)
    assert {result.outcome for result in (population, fixed, online)} == {Outcome.ESCAPED}
    start = population.trajectory[0][1]
    assert online.trajectory[0][1] == pytest.approx(start, rel=1e-14) and fixed.trajectory[0][1] != start
    assert fixed.trajectory[0][1] == pytest.approx(start, rel=0.4)  # 500 squares: 6 sigma
    losses = [loss for _, loss in fixed.trajectory]
    assert losses == sorted(losses, reverse=True)
    assert online.escape_time == online.steps * 0.02
    assert run(mode="online", seed=1).escape_time == online.escape_time  # the seed is all the chance there is
    seen = run(mode="online", parametrisation="exp", max_steps=0).trajectory  # judged by its rates, not by v
    assert seen[0][1] == pytest.approx(start, rel=1e-14)
    assert run(mode="online", seed=2).state != online.state
    for steps, same in ((1, True), (2, False)):  # the first batch is the same, the second is not
        assert (run(mode="online", max_steps=steps).state == run(mode="batch", max_steps=steps).state) is same


@pytest.mark.parametrize(("change", "outcome", "advice"), [
    ({"max_steps": 7}, Outcome.STOPPED, "raise max_steps"),
    ({"max_seconds": 1e-9}, Outcome.STOPPED, "max_seconds"),
    ({"eta": 5.0, "max_steps": 50}, Outcome.STOPPED, "eta is too large"),
    ({"eta": 1e10}, Outcome.DIVERGED, "eta = 10000000000.0 is too large"),
    ({"drop": 1.9}, Outcome.UNREACHABLE, "smaller drop"),
])
def test_not_escaping_is_an_outcome(change, outcome, advice):
    arguments = {**PAIR, "drop": 0.05, "dt": 0.2, "eta": 0.01, "length": 25.0} | change
    result = train(partial(exponential_and_bump, 10), **arguments)
    assert result.outcome is outcome and result.escape_time is None
    assert advice in result.reason
    if "max_steps" in change:
        assert result.steps == change["max_steps"] == round(result.trajectory[-1][0] / result.eta)


@pytest.mark.parametrize(("change", "message"), [
    ({"amplitudes": (1, 0, 0)}, "same length >= 1.* got 3 and 2"),
    ({"amplitudes": (), "rates": ()}, "same length >= 1"),
    ({"amplitudes": (1, float("nan"))}, "amplitude 1 must be finite"),
    ({"rates": (1, -0.7)}, "rate 1 must be finite and > 0, got -0.7"),
    ({"dt": 0.0}, "dt must be finite and > 0, got 0.0"),
    ({"eta": -0.1}, "eta must be finite and > 0, got -0.1"),
    ({"drop": 0.0}, "drop must be finite and > 0, got 0.0"),
    ({"length": 0.1}, "length must be >= dt, got 0.1 < 0.2"),
    ({"length": float("inf")}, "length must be finite"),
    ({"mode": "offline"}, "mode must be one of population, batch, online, got 'offline'"),
    ({"scheme": "heun"}, "scheme must be one of exponential, euler, got 'heun'"),
    ({"scheme": "euler", "dt": 2.5}, r"rate 0 times dt must be < 2 .* got 1 \* 2.5; take dt < 2"),
    ({"parametrisation": "tanh"}, r"one of identity, exp, softplus or \('inverse-square', alpha, beta\), got 'tanh'"),
    ({"parametrisation": ("inverse-square", 1)}, r"parametrisation must be .* got \('inverse-square', 1\)"),
    ({"parametrisation": ("inverse-square", 0, 1)}, "alpha must be finite and > 0, got 0"),
    ({"parametrisation": ("inverse-square", 1, -1)}, "beta must be finite and > 0, got -1"),
    ({"parametrisation": ("inverse-square", 1, 1.25)}, r"rate 0 must be < 1/beta = 0.8 .* got 1.0; .* smaller beta"),
    ({"batch": 0}, "batch must be an integer >= 1, got 0"),
    ({"max_steps": 1.5}, "max_steps must be an integer >= 0, got 1.5"),
    ({"max_seconds": 0}, "max_seconds must be finite and > 0, got 0"),
    ({"target": lambda t: 1.0}, r"target must map times of shape \(125,\).* got shape \(\)"),
    ({"target": lambda t: t + float("inf")}, "finite: False"),
])
def test_bad_arguments_are_named(change, message):
    arguments = {"target": partial(exponential_and_bump, 10), **PAIR, "drop": 0.05, "dt": 0.2, "eta": 0.01,
                 "length": 25.0} | change
    with pytest.raises(ValueError, match=message):
        train(**arguments)


def test_bad_levels_are_named():
    with pytest.raises(ValueError, match="levels must be an integer >= 1, got 0"):
        extrapolate(np.exp, [1], [1], drop=0.1, dt=0.1, eta=0.1, length=1, levels=0)


def test_importing_the_simulation_loads_nothing_it_is_meant_to_check():
    code = ("import sys, verify.simulate, verify.dense_network; "
            "print(sorted({name.split('.')[0] for name in sys.modules}"
            " & {'theory', 'numerics', 'sympy', 'mpmath', 'flint', 'matplotlib'}))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
