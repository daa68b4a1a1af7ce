"""Trajectories against SciPy's integrator on the quadrature of the definition, and against direct simulation."""

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import PchipInterpolator

from numerics.escape import Outcome, escape_time
from numerics.trajectory import INSIDE, MANY, _Recorder, trajectory
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import working
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
    assert path.log10_drop[0] == -np.inf
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
    assert unreachable.log10_drop.tolist() == [-np.inf]
    assert unreachable.initial_loss == pytest.approx(math.sqrt(math.pi), rel=1e-6)


class SlowFlow:
    """Oracle: (M13) and (M14) for the pair with a Gaussian of lag L, typed from mathematics.md, in mpmath."""

    def __init__(self, lag):
        self.ctx, self.lag = working(30), lag

    def transform(self, w):
        return self.ctx.sqrt(2 * self.ctx.pi) * self.ctx.exp(w**2 / 2 - w * self.lag)

    def gain(self, w):
        """P^2/N."""
        at_1, slope_at_1 = self.transform(1), (1 - self.lag) * self.transform(1)
        P = self.transform(w) - 4 * w / (1 + w) ** 2 * at_1 + 4 * (1 - w) / (1 + w) ** 2 * slope_at_1
        return P**2 * 2 * w / ((w - 1) / (w + 1)) ** 4

    def tau(self, w):
        """int_w^w0 dw / |d/dw P^2/N|."""
        inverse = lambda u: -1 / self.ctx.diff(self.gain, u)
        w0, unit = self.ctx.mpf(7) / 10, self.ctx.mpf(1) / self.lag
        marks = [w0, *(w0 - k * unit for k in (1, 3, 8, 20) if w0 - k * unit > w), w]
        return self.ctx.quad(inverse, marks[::-1])


@pytest.mark.slow
def test_a_long_plateau_is_what_the_slow_flow_says():
    """Off by e^{-w L}, below 1e-20 where compared. Rejects (C5) of a whole piece for (C6), kappa at its top for kappa,
    and drops by (D2), which are 10^-350 here instead of 10^-604.
    """
    path, oracle = trajectory(pair("1000", "0.001")), SlowFlow(1000)
    assert path.escape.engine == "slow rate"
    assert path.log10_tau[-1] == pytest.approx(float(path.escape.log10_tau), abs=1e-9)
    w = path.rates[:, 1]
    early = np.flatnonzero((w < 0.7 - 1e-6) & (w > 0.6))
    assert len(early) > 5 and min(early) < 60
    for i in early:  # 0.7 - w has 9 digits at least
        assert path.log10_tau[i] == pytest.approx(float(oracle.ctx.log10(oracle.tau(oracle.ctx.mpf(w[i])))), abs=1e-8)
    plateau = np.flatnonzero((w < 0.7 - 1e-6) & (w > 0.05))
    assert len(plateau) > 50
    for i in plateau:
        gain = oracle.ctx.log10(oracle.gain(oracle.ctx.mpf(w[i])))
        assert path.log10_drop[i] == pytest.approx(float(gain), abs=1e-9)


def test_every_decade_of_a_plateau_has_its_point():
    """Before the rate moves by anything that a float can tell: 10^2 to 10^597."""
    path = trajectory(pair("1000", "0.001"))
    assert np.diff(path.log10_tau[1:]).max() < 60
    assert (np.diff(path.log10_drop[1:]) >= 0).all()
    resting = path.log10_drop[(path.log10_tau > 10) & (path.log10_tau < 580)]
    gain = SlowFlow(1000).gain(mpmath.mpf(7) / 10)
    assert len(resting) > 25 and np.allclose(resting, float(mpmath.log10(gain)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("engine", ["time", "slow"])
def test_a_million_is_no_further_than_a_hundred(engine):
    lag, drop = {"time": ("100", "0.01"), "slow": ("1000000", "1e-6")}[engine]
    path = trajectory(pair(lag, drop), engine=engine)
    assert path.escape.steps < 300 and 100 < len(path.log10_tau) <= 400
    assert np.isfinite(path.log10_drop[1:]).all() and np.isfinite(path.rates).all()
    assert path.log10_drop[-1] == pytest.approx(math.log10(float(drop)), abs=1e-9)
    assert (path.drop[1] == 0) == (engine == "slow")  # 10^-304061


def test_both_engines_record_one_path():
    slow, fast = (trajectory(pair("40"), engine=engine) for engine in ("slow", "time"))
    assert (slow.escape.engine, fast.escape.engine) == ("slow rate", "time")
    w, moving = fast.rates[:, 1], (slow.rates[:, 1] < 0.65) & (slow.rates[:, 1] > 0.1)
    for name in ("log10_drop", "amplitudes"):
        ours, theirs = (getattr(path, name).reshape(len(path.drop), -1)[:, -1] for path in (slow, fast))
        if name == "amplitudes":
            ours, theirs = (np.log10(np.maximum(each, 1e-30)) for each in (ours, theirs))
        rising, at = np.unique(w[1:], return_index=True)
        spline = PchipInterpolator(rising, theirs[1:][at])
        assert abs(spline(slow.rates[moving, 1]) - ours[moving]).max() < 2e-3  # interpolated; without kappa: 5


def test_a_minimum_beyond_a_long_plateau_is_recorded_by_both_engines_in_turn():
    path = trajectory(pair("1000", "0.0028"))
    assert path.escape.outcome is Outcome.stationary and path.escape.engine == "slow rate, then time"
    assert path.drop[-1] == pytest.approx(float(path.escape.minimum.drop), rel=1e-3)
    assert (np.diff(path.log10_drop[1:]) >= 0).all() and len(path.drop) > 100


def test_the_recorder_forgets_while_it_watches():
    problem, held = pair("60", "0.02"), []
    recorder = _Recorder(problem, 30)

    def watch(tau, step):
        recorder.watch(tau, step)
        held.append(len(recorder.states))

    found = escape_time(problem, digits=8, engine="time", watch=watch)
    assert found.steps > 80 and max(held) <= MANY * INSIDE + INSIDE
    assert recorder.inside < INSIDE / 4


@pytest.mark.parametrize("points", [1, True, 2.0])
def test_points_out_of_range_are_refused(points):
    with pytest.raises(ValueError, match="points must be an int >= 2"):
        trajectory(pair("8"), points=points)
