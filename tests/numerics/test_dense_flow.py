"""The dense flow against gradient descent on the definition and SciPy on quadrature; its invariants; how it ends."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from numerics import dense_flow
from numerics.dense_flow import DenseState, dense_escape_time, dense_trajectory
from numerics.escape import Outcome, escape_time
from numerics.gramian import DenseLandscape, NotHurwitz
from oracles import raw_terms, raw_units, squared_error_by_quadrature
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

PAIR = LinearRNN([(1, 1), (0, "0.7")])


def bump(lag):
    return Target([Exponential(), Gaussian(lag=lag)])


def pair(lag, drop="0.05", **horizon):
    return DenseProblem(bump(lag), DenseRNN.of(PAIR), drop, **horizon)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(120)  # on 0 <= t <= 36
NODES, WEIGHTS = 18 * (NODES + 1), 18 * WEIGHTS
RHO = np.exp(-NODES) + np.exp(-((NODES - 8) ** 2) / 2)
START = np.array([1, 0, -1, 0, 0, -0.7, 1, 1])  # c, W by rows, U


def loss_of_the_definition(thetas):
    """Oracle: (M3) of two units at lag 8, for a stack of (c, W, U), through eigenvalues that are still apart."""
    c, W, u = thetas[:, :2], thetas[:, 2:6].reshape(-1, 2, 2), thetas[:, 6:]
    rates, V = np.linalg.eig(W)
    amplitudes = np.einsum("ni,nij->nj", c, V) * np.linalg.solve(V, u[..., None])[..., 0]
    actual = np.einsum("nj,njt->nt", amplitudes, np.exp(rates[..., None] * NODES))
    return ((actual - RHO) ** 2 @ WEIGHTS).real


def slope_of_the_definition(theta):
    """Its gradient by central differences: errors of about 1e-10."""
    step = 1e-5
    shifts = step * np.vstack((np.eye(8), -np.eye(8)))
    values = loss_of_the_definition(theta + shifts)
    return (values[:8] - values[8:]) / (2 * step)


def descend(eta, drop):
    """eta * steps of gradient descent until the drop, the last step in part."""
    theta, steps = START.copy(), 0
    begin = before = loss_of_the_definition(theta[None])[0]
    while True:
        theta = theta - eta * slope_of_the_definition(theta)
        after = loss_of_the_definition(theta[None])[0]
        if begin - after > drop:
            return eta * (steps + (before - begin + drop) / (before - after))
        before, steps = after, steps + 1


def test_escape_time_is_the_limit_of_gradient_descent():
    found = dense_escape_time(pair("8"))
    assert found.outcome is Outcome.escaped
    assert found.digits == len(found.tau.replace(".", "")) == 8
    assert [float(rate) for rate in found.end.rates] == pytest.approx([0.40, 1.06], abs=0.01)  # by rising rate
    coarse, fine = descend(0.04, 0.05), descend(0.02, 0.05)
    tau = float(found.tau)
    assert 1.9 < (coarse - tau) / (fine - tau) < 2.1  # first order in the step
    assert 2 * fine - coarse == pytest.approx(tau, rel=1e-3)  # dJ/dW halved is 30 % off
    diagonal = escape_time(Problem(bump("8"), PAIR, "0.05"), digits=6)
    assert tau < 0.5 * float(diagonal.tau)  # the same start, another flow


@pytest.fixture(scope="module")
def oracle():
    """The escape time of pair("8") by DOP853 on the definition."""

    def escape(tau, theta):
        return begin - loss_of_the_definition(theta[None])[0] - 0.05

    escape.terminal = True
    begin = loss_of_the_definition(START[None])[0]
    path = solve_ivp(
        lambda tau, theta: -slope_of_the_definition(theta),
        (0, 10),
        START,
        "DOP853",
        events=escape,
        rtol=1e-9,
        atol=1e-11,
    )
    return path.t_events[0][0]


def test_escape_time_is_that_of_another_integrator_on_the_definition(oracle):
    assert float(dense_escape_time(pair("8"), digits=9).tau) == pytest.approx(oracle, rel=3e-8)


def test_no_more_digits_are_claimed_than_two_runs_share():
    """The reference is by DOP853 and Radau at rtol 1e-11 on this landscape: 4.581894676184 and 4.581894676185."""
    found = dense_escape_time(pair("8"), digits=12)
    assert found.digits in (9, 10)
    assert float(found.tau) == pytest.approx(4.5818946761845, rel=2 * 10.0**-found.digits)


def ended_at(tau, landscape):
    path = tuple(dense_flow._Point(each, landscape.start, 0.05) for each in (0.0, tau / 2, tau))
    return dense_flow._Run(Outcome.escaped, "", path)


def test_digits_are_those_of_the_best_pair(monkeypatch):
    """An integrator whose errors fall like the cube root of its tolerance: five digits between the last two runs."""

    def poor(landscape, tolerance, limits, watch=None):
        return ended_at(3 * (1 + 0.02 * tolerance ** (1 / 3)), landscape)

    monkeypatch.setattr(dense_flow, "_run", poor)
    found = dense_escape_time(pair("8"), digits=10)
    assert found.digits == 5  # 0.02 (1e-12)^(1/3) (1 - 10^(-1/3)) = 1.07e-6
    assert found.tau == "3.0000"


def test_orthogonal_change_of_the_units_changes_no_escape_time():
    Q = sp.Matrix([["3/5", "-4/5"], ["4/5", "3/5"]])
    W, U, c = DenseRNN.of(PAIR).matrices
    turned = DenseProblem(bump("8"), DenseRNN(Q * W * Q.T, Q * U, list(Q * c)), "0.05")
    assert float(dense_escape_time(turned).tau) == pytest.approx(float(dense_escape_time(pair("8")).tau), rel=1e-7)


def test_two_inputs_of_one_memory_are_learned_as_one_and_forgotten_inputs_change_nothing():
    """Inputs (u, 0) with the target (rho, 0): the second column stays zero, and the flow is that of one input."""
    W, U, c = DenseRNN.of(PAIR).matrices
    wide = DenseRNN(W, U.row_join(sp.zeros(2, 1)), list(c))
    found = dense_escape_time(DenseProblem(bump("8"), wide, "0.05"))
    assert float(found.tau) == pytest.approx(float(dense_escape_time(pair("8")).tau), rel=1e-7)
    assert [float(row[1]) for row in found.end.input_weights] == [0, 0]


def test_a_finer_run_that_agrees_less_is_not_reported(monkeypatch):
    taus = iter([3, 3.00002, 3.1, 3.3])
    monkeypatch.setattr(dense_flow, "_run", lambda landscape, *others: ended_at(next(taus), landscape))
    path = dense_trajectory(pair("8"), digits=8)
    assert next(taus, None) is None
    assert path.escape.tau == "3.0000"  # 3 and 3.00002 share five digits
    assert 10 ** path.log10_tau[-1] == pytest.approx(3.00002, rel=1e-12)


@pytest.fixture(scope="module")
def path():
    return dense_trajectory(pair("10"))


def test_trajectory_falls_to_the_escape(path):
    assert path.log10_tau[0] == -np.inf
    assert path.drop[0] == 0
    assert (np.diff(path.log10_tau) > 0).all()
    assert (np.diff(path.drop) > -1e-14).all()
    assert path.loss[-1] == pytest.approx(path.initial_loss - 0.05, rel=1e-9)
    assert path.log10_tau[-1] == pytest.approx(math.log10(float(path.escape.tau)), abs=1e-7)


ALONE = DenseProblem(bump("8"), DenseRNN([["-1"]], [["1"]], ["1"]), "0.05")  # it ends in a minimum


@pytest.mark.parametrize("problem", [pair("8"), ALONE])
def test_trajectory_is_the_run_of_the_record(problem):
    path = dense_trajectory(problem)
    end = path.escape.end
    assert path.escape.outcome is (Outcome.stationary if problem is ALONE else Outcome.escaped)
    assert len(path.drop) == path.escape.steps + 1
    assert path.drop[-1] == pytest.approx(float(end.drop), rel=1e-7)  # what is shown of it
    assert DenseLandscape(problem).drop(path.parameters[-1]) == path.drop[-1]
    assert 10 ** path.log10_tau[-1] == pytest.approx(float(end.tau), rel=1e-7)
    assert path.parameters[-1] == pytest.approx(
        [float(x) for x in (*end.readout, *sum(end.recurrent + end.input_weights, ()))], rel=1e-7
    )


def test_a_watch_sees_the_finer_runs_from_start_to_end():
    rows = []
    found = dense_escape_time(pair("8"), digits=6, watch=lambda *row: rows.append(row))
    begins = [i for i, (tau, _, _) in enumerate(rows) if tau == 0]
    assert len(rows) - begins[-1] == found.steps + 1
    assert rows[-1][0] == pytest.approx(float(found.tau), rel=1e-5)
    assert rows[-1][2] == pytest.approx(0.05, rel=1e-9)


def test_flow_conserves_what_the_similarities_demand(path):
    """(H6); the flow of a diagonal W that stays diagonal, or of U with c fixed, conserves nothing of the kind."""

    def conserved(theta):
        c, W, U = DenseLandscape(pair("10")).network(theta)
        return W @ W.T - W.T @ W + U @ U.T - np.outer(c, c)

    assert conserved(path.parameters[-1]) == pytest.approx(conserved(path.parameters[0]), abs=1e-7)
    assert abs(path.parameters[-1] - path.parameters[0]).max() > 0.1


def test_loss_falls_as_fast_as_the_gradient_says(path):
    landscape = DenseLandscape(pair("10"))
    taus = 10**path.log10_tau
    middle = len(taus) // 2
    for i in (middle, len(taus) - 10):
        speed = (landscape.gradient(path.parameters[i]) ** 2).sum()
        slopes = np.diff(path.drop[i - 1 : i + 2]) / np.diff(taus[i - 1 : i + 2])
        assert min(slopes) * 0.999 < speed < max(slopes) * 1.001


def test_long_memory_costs_a_dense_network_the_same_exponent():
    tau = [float(dense_escape_time(pair(lag), digits=5).tau) for lag in ("12", "14")]
    diagonal = [float(escape_time(Problem(bump(lag), PAIR, "0.05"), digits=6).tau) for lag in ("12", "14")]
    assert tau[1] / tau[0] > 3
    assert 0.5 < tau[0] / diagonal[0] < tau[1] / diagonal[1] < 1  # and tends to 1: 0.995 at L = 20


def test_a_minimum_short_of_the_drop_is_recognised():
    found = dense_escape_time(ALONE, tau_max="1e400")
    assert found.outcome is Outcome.stationary
    assert "it never escapes: |grad J|" in found.reason
    assert (found.tau, found.digits) == (None, None)
    # m = d = 1: J depends on c u and W only, so this is the minimum of the diagonal network
    diagonal = escape_time(Problem(bump("8"), LinearRNN([(1, 1)]), "0.05"), digits=6)
    assert diagonal.outcome is Outcome.stationary
    assert float(found.end.drop) == pytest.approx(diagonal.minimum.drop, rel=1e-6)
    assert isinstance(found.end, DenseState)
    assert float(found.end.rates[0]) == pytest.approx(float(diagonal.minimum.rates[0]), rel=1e-3)


def test_a_saddle_is_no_minimum():
    """At c = U = 0 the Hessian couples c and U with both signs; beside it the flow leaves, on it it stays."""
    quiet = DenseProblem(Target([Exponential()]), DenseRNN([["-1"]], [["1e-7"]], ["1e-7"]), "0.1")
    assert dense_escape_time(quiet, digits=10).outcome is Outcome.escaped
    silent = DenseProblem(Target([Exponential()]), DenseRNN([["-1"]], [["0"]], ["0"]), "0.1")
    found = dense_escape_time(silent)
    assert found.outcome is Outcome.stationary
    assert found.reason == "the gradient is zero at the start; the flow stays there and never escapes"


def look(target, theta, missing):
    """What _minimum says, at a time so early that it does look."""
    problem = DenseProblem(target, DenseRNN([["-1"]], [["1"]], ["1"]), "0.05")
    return dense_flow._minimum(DenseLandscape(problem), 1e-9, np.array(theta), missing)


def test_newtons_step_must_end_at_a_smaller_gradient():
    near, far = (look(Target([Exponential()]), [c, -1.0, 1.0], 1e9) for c in (1.0001, 1.5))
    assert "least curvature 0.22" in near
    assert far is None  # the Hessian is positive and little is to fall, but the step leaves a seventh of |grad J|


def test_between_two_minima_is_no_minimum():
    """One unit on two memories: the least J at a rate w is const - 2 w R(w)^2, which has a maximum between its minima.

    There only the sign of the curvature tells: the gradient is 1e-8, the fall predicted nothing, Newton's step good.
    """
    best = lambda w: 1 / (1 + w) + math.sqrt(2 * math.pi) * math.exp(-10 * w + w**2 / 2)  # R
    slope = lambda w: -1 / (1 + w) ** 2 - math.sqrt(2 * math.pi) * (10 - w) * math.exp(-10 * w + w**2 / 2)
    w = brentq(lambda w: best(w) + 2 * w * slope(w), 0.2, 0.6)
    assert look(bump("10"), [2 * w * best(w) + 1e-8, -w, 1.0], 0.05) is None


def test_a_direction_that_may_as_well_be_flat_makes_no_minimum():
    """An amplitude of 1e-4 bends J by 1e-8 in its rate: the Hessian is positive, and Newton's step good."""
    assert look(Target([Exponential("1e-4")]), [1.0000001e-4, -1.0, 1.0], 0.05) is None
    assert look(Target([Exponential("1e-2")]), [1.0000001e-2, -1.0, 1.0], 0.05)


def test_a_plateau_is_no_minimum():
    """At lag 16 the gradient is 1e-9 for a thousand units of time, and every one of these looks sees it."""
    found = dense_escape_time(pair("16"), digits=5, tau_max=1500)
    assert found.outcome is Outcome.tau_max


CUBIC = DenseRNN([["0", "1", "0"], ["0", "0", "1"], ["-1", "-3", "-2"]], [["0"], ["0"], ["1"]], ["1", "0", "0"])


def test_a_drop_beside_the_loss_is_compared_in_balls():
    """1e-20 above and below J(0), which float64 knows to 1e-16."""
    ball = squared_error_by_quadrature(raw_units(PAIR), raw_terms(bump("8").terms))
    loss = sp.Rational(ball.mid().str(30, radius=False))
    assert dense_escape_time(pair("8", loss + sp.Rational(1, 10**20))).outcome is Outcome.unreachable
    assert dense_escape_time(pair("8", loss - sp.Rational(1, 10**20)), max_steps=3).outcome is Outcome.stopped


def test_a_drop_beside_a_loss_without_closed_form_is_compared_in_float64():
    problem = DenseProblem(bump("8"), CUBIC, "1")
    with pytest.raises(NotImplementedError):
        problem.initial_loss  # noqa: B018 - a property that raises
    landscape = DenseLandscape(problem)
    loss = sp.Rational(landscape.loss(landscape.start))
    above, below = (DenseProblem(bump("8"), CUBIC, loss * (1 + sign * sp.Rational(1, 10**12))) for sign in (1, -1))
    assert dense_escape_time(above).outcome is Outcome.unreachable
    assert dense_escape_time(below, max_steps=3).outcome is Outcome.stopped


def test_other_ends():
    assert dense_escape_time(pair("8", "100")).outcome is Outcome.unreachable
    exponentials = DenseProblem(Target([Exponential()]), DenseRNN([["-1"]], [["1"]], ["1/2"]), "1/8")  # J(0) = 1/8
    assert exponentials.initial_loss == exponentials.drop
    assert dense_escape_time(exponentials).outcome is Outcome.unreachable
    stopped = dense_escape_time(pair("14"), max_steps=20)
    assert stopped.outcome is Outcome.stopped
    assert "max_steps = 20" in stopped.reason
    assert 0 < float(stopped.end.tau) < 313
    assert dense_escape_time(pair("14"), max_seconds=1e-3).outcome is Outcome.stopped
    faint = dense_escape_time(pair("8", "1e-14"))
    assert faint.outcome is Outcome.failed
    assert "float64 does not resolve" in faint.reason
    assert len(dense_trajectory(pair("14"), max_steps=20).drop) == 21
    assert dense_trajectory(pair("8", "100")).drop.tolist() == [0]


@pytest.mark.parametrize(("refused", "outcome"), [(range(60, 64), Outcome.escaped), (range(60, 10**9), Outcome.failed)])
def test_a_trial_outside_the_hurwitz_matrices_is_tried_again_shorter(monkeypatch, refused, outcome):
    calls, gradient = [], DenseLandscape.gradient

    def reluctant(self, theta):
        calls.append(None)
        if len(calls) in refused:
            raise NotHurwitz
        return gradient(self, theta)

    expected = float(dense_escape_time(pair("8"), digits=6).tau)
    monkeypatch.setattr(DenseLandscape, "gradient", reluctant)
    found = dense_escape_time(pair("8"), digits=6)
    assert found.outcome is outcome
    if outcome is Outcome.escaped:
        assert float(found.tau) == pytest.approx(expected, rel=1e-5)
    else:
        assert "keeps leaving the Hurwitz matrices" in found.reason


def test_a_steep_start_is_no_trouble():
    """Rate 1e-3: |grad J| = 1e6, and the escape comes after 4e-13; dJ/dtau = -|grad J|^2 hardly changes until then."""
    slow = DenseProblem(Target([Exponential()]), DenseRNN([["-1/1000"]], [["1"]], ["1"]), "0.1")
    landscape = DenseLandscape(slow)
    speed = (landscape.gradient(landscape.start) ** 2).sum()
    assert float(dense_escape_time(slow, digits=6).tau) == pytest.approx(0.1 / speed, rel=1e-3, abs=0)


@pytest.mark.slow
def test_a_horizon_before_the_bump_leaves_nothing_to_learn(oracle):
    loss = dense_escape_time(pair("30", "1e-3", horizon=10))
    assert loss.outcome is Outcome.unreachable
    seen = dense_escape_time(pair("8", horizon=20), digits=8)
    tau = float(seen.tau)
    assert tau == pytest.approx(oracle, rel=1e-6)  # beyond 20 the network's square is e^{-2 * 0.4 * 20} = 1e-7
    assert abs(tau / oracle - 1) > 2e-8  # but it is


def test_complex_rates_are_reported_with_their_frequencies():
    spiral = DenseRNN([["-1", "-2"], ["2", "-1"]], [["1"], ["0"]], ["1", "0"])
    end = dense_escape_time(DenseProblem(Target([Exponential()]), spiral, "0.1"), digits=5).end
    assert end.rates[0] == end.rates[1]
    assert float(end.frequencies[0]) == -float(end.frequencies[1]) > 0
    assert float(end.frequencies[0]) ** 2 + float(end.rates[0]) ** 2 == pytest.approx(
        np.linalg.det(np.array(end.recurrent, dtype=float)), rel=1e-3
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"digits": 4}, ValueError, "digits must be from 5"),
        ({"max_steps": 0}, ValueError, "max_steps must be >= 1"),
        ({"max_seconds": 0}, ValueError, "max_seconds must be > 0"),
        ({"tau_max": 1.5}, TypeError, "tau_max must be exact"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        dense_escape_time(pair("8"), **arguments)
