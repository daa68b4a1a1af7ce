"""Trajectories against SciPy's integrator on the quadrature of the definition, and against direct simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import PchipInterpolator

from numerics.escape import Outcome
from numerics.trajectory import trajectory
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.simulate import train


def pair(lag, drop="0.05"):
    return Problem(Target([Exponential(), Gaussian(lag=lag)]), LinearRNN([("1", "1"), ("0", "0.7")]), drop)


@pytest.fixture(scope="module")
def short():
    return trajectory(pair("8"))


NODES, WEIGHTS = (30 * x for x in np.polynomial.legendre.leggauss(200))  # Gauss-Legendre on 0 <= t <= 60


def minus_gradient(tau, theta):
    """Oracle for -grad J: quadrature of the definition (M3), differentiated under the integral by hand."""
    t, a, w = NODES + 30, theta[:2, None], theta[2:, None]
    error = (a * np.exp(-w * t)).sum(axis=0) - np.exp(-t) - np.exp(-((t - 8) ** 2) / 2)
    return -2 * np.concatenate([np.exp(-w * t), -a * t * np.exp(-w * t)]) @ (WEIGHTS * error)


def test_trajectory_is_the_flow_that_scipy_integrates(short):
    taus = 10 ** short.log10_tau
    start = [1, 0, 1, 0.7]
    oracle = solve_ivp(minus_gradient, (0, taus[-1]), start, method="Radau", t_eval=taus, rtol=1e-9, atol=1e-12)
    ours = np.column_stack([short.amplitudes, short.rates])
    # stages are good to 10^(-digits/2); twice the gradient, or a node c_i off by one, errs by more than 1e-2
    assert abs(ours - oracle.y.T).max() < 1e-5


@pytest.mark.parametrize("lag", ["8", "20", "30"])
def test_loss_strictly_falls_to_the_escape(lag):
    path = trajectory(pair(lag))
    assert path.log10_tau[0] == -np.inf
    assert path.drop[0] == 0
    assert (np.diff(path.drop) > 0).all()
    assert (np.diff(path.log10_tau[1:]) >= 0).all()
    assert 100 < len(path.drop) <= 400
    end = path.escape.end
    assert path.log10_tau[-1] == pytest.approx(math.log10(float(path.escape.tau)), abs=1e-12)
    assert path.drop[-1] == pytest.approx(0.05, rel=1e-9)
    assert path.rates[-1].tolist() == [float(x) for x in end.rates]
    assert path.amplitudes[-1].tolist() == [float(x) for x in end.amplitudes]


def test_loss_is_that_of_a_trained_network(short):
    run = train(
        lambda t: np.exp(-t) + np.exp(-((t - 8) ** 2) / 2),
        [1.0, 0.0], [1.0, 0.7], drop=0.05, dt=0.1, eta=0.005, length=25.0,
    )  # fmt: skip
    tau, loss = np.transpose(run.trajectory[1:-2])
    ours = PchipInterpolator(short.log10_tau[1:], short.loss[1:])(np.log10(tau))
    assert abs(ours - loss).max() < 4e-3  # O(eta), largest at the escape; half the rate of descent would miss by 4e-2


@pytest.mark.parametrize("points", [2, 10, 100])
def test_thinning_keeps_the_ends(short, points):
    path = trajectory(pair("8"), points=points)
    assert len(path.drop) <= points
    assert path.drop[0] == 0
    assert path.drop[-1] == short.drop[-1]


def test_trajectory_in_balls_is_the_one_in_float64():
    path, balls = (trajectory(pair("40"), digits=digits) for digits in (10, 16))
    assert path.escape.arithmetic == "float64"
    assert balls.escape.arithmetic.startswith("arb")
    assert (np.diff(balls.drop) > 0).all()
    w, drop, w_float, drop_float = balls.rates[:, 1], balls.drop, path.rates[:, 1], path.drop
    moving = (w < 0.65) & (w > 0.1)
    ours = np.interp(w[moving], w_float[:0:-1], np.log(drop_float[:0:-1]))
    assert abs(ours - np.log(drop[moving])).max() < 0.05  # interpolated linearly; w for 2w is 16 off


def test_a_flow_that_does_not_escape_is_recorded_to_its_end():
    alone = Problem(pair("8").target, LinearRNN([("1", "1")]), "0.05")
    path = trajectory(alone)
    assert path.escape.outcome is Outcome.stationary
    assert len(path.drop) > 50
    assert (np.diff(path.drop) > 0).all()
    assert path.rates[-1, 0] == float(path.escape.end.rates[0])
    unreachable = trajectory(pair("8", "100"))
    assert unreachable.drop.tolist() == [0]
    assert unreachable.initial_loss == pytest.approx(math.sqrt(math.pi), rel=1e-6)


@pytest.mark.parametrize("points", [1, True, 2.0])
def test_points_out_of_range_are_refused(points):
    with pytest.raises(ValueError, match="points must be an int >= 2"):
        trajectory(pair("8"), points=points)
