"""The dense network against plain loops, the diagonal network, SciPy's matrix exponential, and quadrature of (M3).

The oracles are loops over time and Gauss-Legendre sums in complex arithmetic, so that complex steps differentiate
them; their exponentials are SciPy's, where the module has its own.
"""

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm, expm_frechet

from verify import dense_network, network
from verify.dense_network import DenseTask, dense_loss_and_gradient, dense_parameters, extrapolate_dense, train_dense
from verify.simulate import Outcome

SEEDS = st.integers(0, 10_000)
TURNING = {"recurrent": [[-0.6, 0.5], [-0.4, -0.9]], "input_weights": [[1.0], [0.3]], "readout": [0.8, -0.2]}
BOTH = TURNING | {"input_weights": [[1.0, 0.2], [0.3, -0.5]]}


def bump(t):
    return np.exp(-((t - 2) ** 2) / 2)


def decay(t):
    return np.exp(-t)


def start(m, d, seed):
    """A random start, its recurrent weights shifted until they are stable."""
    generator = np.random.default_rng(seed)
    recurrent = generator.uniform(-1, 1, (m, m))
    recurrent -= (np.max(np.linalg.eigvals(recurrent).real) + 0.2) * np.eye(m)
    return dense_parameters(recurrent, generator.uniform(-1, 1, (m, d)), generator.uniform(-1, 1, m))


def random_task(d, steps, batch, dt, seed):
    generator = np.random.default_rng(seed)
    return DenseTask(generator.standard_normal((d, steps, batch)), generator.standard_normal((steps, batch)), dt)


def loss_by_loop(theta, task):
    """Oracle for (J1)-(J2): one sequence after the other, one time step after the other; theta may be complex."""
    m, total = len(theta), 0
    recurrent, input_weights, readout = theta[:, :m], theta[:, m:-1], theta[:, -1]
    decays = expm(recurrent * task.dt / 2)
    for b in range(task.inputs.shape[2]):
        hidden = np.zeros(m)
        for n in range(task.inputs.shape[1]):  # decay for half a step, receive the input, decay for half a step
            hidden = decays @ (decays @ hidden + input_weights @ task.inputs[:, n, b] * task.dt)
            total += task.dt * (readout @ hidden - task.desired[n, b]) ** 2
    return total


def complex_steps(function, theta):
    steps = 1e-30j * np.eye(theta.size).reshape(-1, *theta.shape)
    return np.array([function(theta + step).imag / 1e-30 for step in steps]).reshape(theta.shape)


def escape_by_quadrature(targets, theta, *, drop, horizon):
    """Oracle for the escape time of gradient flow: (M3) by Gauss-Legendre, complex steps, and SciPy's integrator."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    times, weights = (nodes + 1) * horizon / 2, weights * horizon / 2
    wanted, m = np.stack([target(times) for target in targets], axis=-1), len(theta)

    def loss(theta):
        kernel = theta[:, -1] @ expm(theta[:, :m] * times[:, np.newaxis, np.newaxis]) @ theta[:, m:-1]
        return np.sum(weights @ (kernel - wanted) ** 2)

    def escaped(_, flat):
        return loss(flat.reshape(theta.shape)) - loss(theta) + drop

    escaped.terminal = True
    flow = solve_ivp(lambda _, flat: -complex_steps(loss, flat.reshape(theta.shape)).ravel(), (0, 100), theta.ravel(),
                     "DOP853", events=escaped, rtol=1e-8, atol=1e-10)
    return float(flow.t_events[0][0])


@settings(deadline=None, max_examples=25)
@given(m=st.integers(1, 4), size=st.sampled_from([1e-3, 0.1, 1.0, 10.0]), seed=SEEDS)
def test_exponential_and_its_derivative_are_scipys(m, size, seed):
    """Relative 1e-13 of the largest entry. Rejects a squaring too few, a term of the series lost, and G e^M for F."""
    matrix, direction = np.random.default_rng(seed).uniform(-size, size, (2, m, m))
    expected, slope = expm_frechet(matrix, direction)
    assert np.max(np.abs(dense_network.exponential(matrix) - expected)) <= 1e-13 * np.max(np.abs(expected))
    for factor in (1, 1e9):  # linear in G, without loss
        found = dense_network.frechet(matrix, factor * direction)
        assert np.max(np.abs(found - factor * slope)) <= 1e-13 * factor * np.max(np.abs(slope))


def test_an_exponential_out_of_range_is_not_finite():
    """Found in review: dividing 8e307 by 2.0**1024 raised OverflowError."""
    with np.errstate(over="ignore", invalid="ignore"):
        for size in (1e4, 8e307, 1.7e308, np.inf, np.nan):
            assert not np.isfinite(dense_network.exponential(np.array([[size]]))[0, 0])


@settings(deadline=None, max_examples=40)
@given(steps=st.integers(1, 40), m=st.integers(1, 3), batch=st.integers(1, 3), seed=SEEDS)
def test_doubling_scan_is_the_plain_loop(steps, m, batch, seed):
    """Any number of steps. Rejects a last pass left out, and columns shifted by one, not by a time step."""
    generator = np.random.default_rng(seed)
    step, drive = generator.uniform(-0.6, 0.6, (m, m)), generator.standard_normal((m, steps, batch))
    hidden, states = np.zeros((m, batch)), []
    for n in range(steps):
        hidden = step @ hidden + drive[:, n]
        states.append(hidden)
    found = dense_network.scan(step, drive.reshape(m, -1), batch)
    assert np.allclose(found, np.stack(states, axis=1).reshape(m, -1), rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(m=st.integers(1, 3), d=st.integers(1, 2), steps=st.integers(1, 11), batch=st.integers(1, 2),
       dt=st.floats(0.05, 0.8), seed=SEEDS)
def test_loss_and_backpropagation_are_those_of_a_plain_loop(m, d, steps, batch, dt, seed):
    """Roundoff only. Rejects A^T for A in (J4), g_n h_{n+1}, a missing dt or 2, the half step of B left out of (J6)."""
    theta, task = start(m, d, seed), random_task(d, steps, batch, dt, seed + 1)
    loss, gradient = dense_loss_and_gradient(theta, task)
    assert loss == pytest.approx(loss_by_loop(theta, task), rel=1e-12)
    expected = complex_steps(lambda each: loss_by_loop(each, task), theta)
    assert np.max(np.abs(gradient - expected)) <= 1e-11 * max(np.max(np.abs(expected)), 1)


def test_gradient_is_that_of_finite_differences():
    """Central differences of the plain loop, 1e-5 apart: real arithmetic, on the impulses of two inputs."""
    theta = dense_parameters(**BOTH)
    task = dense_network.impulses([bump(np.arange(0.1, 6, 0.2)), decay(np.arange(0.1, 6, 0.2))], dt=0.2)
    steps = 1e-5 * np.eye(theta.size).reshape(-1, *theta.shape)
    expected = [(loss_by_loop(theta + step, task) - loss_by_loop(theta - step, task)) / 2e-5 for step in steps]
    assert np.allclose(dense_loss_and_gradient(theta, task)[1].ravel(), expected, rtol=1e-8, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(units=st.lists(st.tuples(st.floats(-2, 2), st.floats(0.3, 2), st.floats(0.1, 3)), min_size=1, max_size=3))
def test_a_diagonal_network_is_that_of_network_py(units):
    """a = c u: dJ/dc = u dJ/da, dJ/du = c dJ/da, dJ/dW_ii = -dJ/dw. The two modules share no line of the recurrence."""
    readout, entry, rates = (np.array(column) for column in zip(*units, strict=True))
    m, samples = len(units), network.target_samples(bump, dt=0.2, length=8)
    loss, by_unit = network.loss_and_gradient(np.array([readout * entry, rates]), network.impulse(samples, dt=0.2))
    theta = dense_parameters(np.diag(-rates), entry[:, np.newaxis], readout)
    dense_loss, gradient = dense_loss_and_gradient(theta, dense_network.impulses([samples], dt=0.2))
    assert dense_loss == pytest.approx(loss, rel=1e-12)
    expected = [-by_unit[1], readout * by_unit[0], entry * by_unit[0]]
    assert np.allclose([np.diagonal(gradient), gradient[:, m], gradient[:, -1]], expected, rtol=1e-8, atol=1e-10)


@settings(deadline=None, max_examples=15)
@given(m=st.integers(2, 3), seed=SEEDS)
def test_hidden_coordinates_change_nothing(m, seed):
    """W -> S W S^-1, U -> S U, c -> S^-T c is the same memory kernel: the same loss."""
    theta, change = start(m, 2, seed), np.eye(m) + np.random.default_rng(seed).uniform(-0.3, 0.3, (m, m))
    back = np.linalg.inv(change)
    moved = np.column_stack([change @ theta[:, :m] @ back, change @ theta[:, m:-1], back.T @ theta[:, -1]])
    task = dense_network.impulses([bump(np.arange(0.1, 6, 0.2)), decay(np.arange(0.1, 6, 0.2))], dt=0.2)
    assert dense_loss_and_gradient(moved, task)[0] == pytest.approx(dense_loss_and_gradient(theta, task)[0], rel=1e-11)


def test_loss_tends_to_the_definition_at_order_2():
    """(M3) by quadrature, both inputs, T = 5. The input at the start of a step or a loss averaged over inputs fails."""
    theta, recurrent = dense_parameters(**BOTH), np.array(BOTH["recurrent"])

    def squared_error(t):
        kernel = BOTH["readout"] @ expm(recurrent * t) @ BOTH["input_weights"]
        return np.sum((kernel - [bump(t), decay(t)]) ** 2)

    definition = quad(squared_error, 0, 5, epsabs=1e-12)[0]
    errors = []
    for dt in (0.2, 0.1, 0.05):
        samples = [network.target_samples(target, dt=dt, length=5) for target in (bump, decay)]
        errors.append(dense_loss_and_gradient(theta, dense_network.impulses(samples, dt=dt))[0] - definition)
    assert 0 < abs(errors[-1]) < 1e-3 * definition
    for coarse, fine in pairwise(errors):
        assert np.log2(coarse / fine) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(("targets", "weights", "drop"), [([bump], TURNING, 0.8), ([bump, decay], BOTH, 1.2)],
                         ids=["one input", "two inputs"])
def test_extrapolated_escape_times_are_those_of_the_flow(targets, weights, drop):
    """Flow of the definition (M3), T = 5. Rejects a parameter not trained, order 2 in eta, and order 1 in dt."""
    expected = escape_by_quadrature(targets, dense_parameters(**weights), drop=drop, horizon=5)
    found = extrapolate_dense(targets, **weights, drop=drop, dt=0.1, eta=0.008, length=5, levels=3)
    assert found.escape_time == pytest.approx(expected, rel=1e-6)
    assert abs(found.escape_time - expected) <= found.error < 1e-5 * expected
    assert 0.97 < found.eta_order < 1.03 and 1.95 < found.dt_order < 2.05
    assert len(found.runs) == 6


def test_descent_takes_the_step_of_the_gradient_and_goes_on_from_its_state():
    """Three steps against the loop's gradient; the state has the names and shapes of the arguments."""
    run = partial(train_dense, [bump, decay], drop=0.9, dt=0.25, eta=0.05, length=5)
    result, theta = run(**BOTH, max_steps=3), dense_parameters(**BOTH)
    samples = [target((np.arange(20) + 0.5) * 0.25) for target in (bump, decay)]
    task = dense_network.impulses(samples, dt=0.25)
    for _ in range(3):
        theta = theta - 0.05 * complex_steps(lambda each: loss_by_loop(each, task), theta)
    assert result.steps == 3 and result.mode == "population" and result.outcome is Outcome.STOPPED
    assert np.allclose(dense_parameters(**result.state), theta, rtol=1e-12)
    assert np.allclose(dense_parameters(**run(**run(**BOTH, max_steps=2).state, max_steps=1).state), theta, rtol=1e-12)


def test_runs_go_to_the_callers_executor_and_pickle():
    arguments = {**TURNING, "drop": 0.3, "dt": 0.2, "eta": 0.05, "length": 6}
    with ThreadPoolExecutor(2) as executor:
        found = extrapolate_dense([bump], **arguments, map=lambda run, *steps: executor.map(
            pickle.loads(pickle.dumps(run)), *steps))
    assert [(run.eta, run.dt) for run in found.runs] == [(0.05, 0.2), (0.05, 0.1), (0.025, 0.2), (0.025, 0.1)]
    assert found.escape_time == extrapolate_dense([bump], **arguments).escape_time
    assert found.runs[0].escape_time == train_dense([bump], **arguments).escape_time


@pytest.mark.parametrize(("change", "outcome", "advice"), [
    ({"max_steps": 7}, Outcome.STOPPED, "raise max_steps"),
    ({"max_seconds": 1e-9}, Outcome.STOPPED, "max_seconds"),
    ({"eta": 1e10}, Outcome.DIVERGED, "eta = 10000000000.0 is too large"),
    ({"eta": 1e300}, Outcome.DIVERGED, "too large"),
    ({"drop": 9.0}, Outcome.UNREACHABLE, "smaller drop"),
])
def test_not_escaping_is_an_outcome(change, outcome, advice):
    result = train_dense([bump], **TURNING, **{"drop": 0.9, "dt": 0.2, "eta": 0.001, "length": 6} | change)
    assert result.outcome is outcome and result.escape_time is None
    assert advice in result.reason


@pytest.mark.parametrize(("change", "message"), [
    ({"readout": [1.0]}, r"shapes \(m, m\), \(m, d\) and \(m,\), m and d >= 1, got \(2, 2\), \(2, 1\), \(1,\)"),
    ({"input_weights": [1.0, 0.3]}, r"got \(2, 2\), \(2,\), \(2,\); give W and U by rows"),
    ({"recurrent": [-1.0, -2.0]}, r"got \(2,\), \(2, 1\), \(2,\)"),
    ({"input_weights": [[], []]}, r"m and d >= 1, got \(2, 2\), \(2, 0\)"),
    ({"readout": [1.0, float("nan")]}, r"readout must be finite, got \[1.0, nan\]"),
    ({"recurrent": [[0.0, 1.0], [-1.0, 0.0]]}, "recurrent must have eigenvalues of real part < 0 .* got 0"),
    ({"targets": [bump, decay]}, "targets must be one function for each of the d = 1 columns .* got 2"),
    ({"targets": [lambda t: 1.0]}, r"target 0 must map times of shape \(30,\)"),
    ({"dt": -0.1}, "dt must be finite and > 0, got -0.1"),
    ({"drop": 0.0}, "drop must be finite and > 0, got 0.0"),
    ({"eta": 0.0}, "eta must be finite and > 0, got 0.0"),
    ({"length": 0.1}, "length must be >= dt, got 0.1 < 0.2"),
    ({"max_steps": -1}, "max_steps must be an integer >= 0, got -1"),
])
def test_bad_arguments_are_named(change, message):
    arguments = {"targets": [bump], **TURNING, "drop": 0.05, "dt": 0.2, "eta": 0.01, "length": 6} | change
    with pytest.raises(ValueError, match=message):
        train_dense(**arguments)
