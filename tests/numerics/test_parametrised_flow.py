"""The flow of the network that trains v, w = phi(v): against SciPy in (a, v), against the slow flow, against bounds."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import numerics.run
from numerics.arithmetic import Arb, Float64
from numerics.bounds import flow_lower_bound, momentum_lower_bound
from numerics.compiling import bind
from numerics.escape import escape_time
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator, StepFailed
from numerics.run import Limits, Outcome, run
from numerics.slow_flow import drop_from_fraction, leading_order, slow_escape_time
from theory.bounds import lower_bound, s, w_e
from theory.kernels import Exponential, Gaussian
from theory.parametrisation import IDENTITY, Exp, InverseSquare, Softplus
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree

HALF = InverseSquare(1, "1/2")
MOVED = [Exp(), Softplus(), HALF]
TWO = Target([Exponential(), Gaussian(lag=4)])
NAMES = {"ids": lambda value: getattr(value, "name", None)}


def pair(lag, phi, drop="0.05", rate="0.7", **bump):
    """e^{-t} and a bump at `lag`, from the fit, with one spare."""
    target = Target([Exponential(), Gaussian(lag=lag, **bump)])
    return Problem(target, LinearRNN([("1", "1"), ("0", rate)]), drop, sp.oo, phi)


def away_from_the_fit(phi):
    target = Target([Exponential(2, "0.5"), Gaussian(lag=3)])
    return Problem(target, LinearRNN([("1", "1.3"), ("-0.5", "0.4"), ("1", "1.9")]), "0.1", sp.oo, phi)


# phi and phi' typed once more, for the oracle
PHI = {
    "exp": (np.exp, np.exp, np.log),
    "softplus": (lambda v: np.log1p(np.exp(v)), lambda v: 1 / (1 + np.exp(-v)), lambda w: np.log(np.expm1(w))),
    HALF.name: (lambda v: 1 / (v * v + 0.5), lambda v: -2 * v / (v * v + 0.5) ** 2, lambda w: np.sqrt(1 / w - 0.5)),
}


def escape_by_scipy(phi, lag, drop):
    """Oracle: theta' = -dJ/dtheta for theta = (a, v), J and its gradient by quadrature over t of the definition."""
    rate, slope, inverse = PHI[phi.name]
    x, weights = np.polynomial.legendre.leggauss(20)
    t = np.concatenate([panel + (1 + x) / 2 for panel in range(80)])
    dt = np.tile(weights / 2, 80)
    rho = np.exp(-t) + np.exp(-((t - lag) ** 2) / 2)

    def error(theta):
        a, v = theta[:2, None], theta[2:, None]
        decays = np.exp(-rate(v) * t)
        return decays, (a * decays).sum(axis=0) - rho

    def descend(_, theta):
        decays, e = error(theta)
        by_rate = -theta[:2, None] * t * decays
        return -2 * np.concatenate([decays @ (e * dt), slope(theta[2:]) * (by_rate @ (e * dt))])

    def loss(theta):
        return (error(theta)[1] ** 2 * dt).sum()

    start = np.concatenate([[1.0, 0.0], inverse(np.array([1.0, 0.7]))])
    before = loss(start)
    fallen = lambda _, theta: before - loss(theta) - drop
    fallen.terminal = True
    return solve_ivp(descend, (0, 1000), start, "DOP853", events=fallen, rtol=1e-11, atol=1e-13).t_events[0][0]


@pytest.mark.parametrize("phi", MOVED, **NAMES)
def test_scipy_sees_the_same_escape_in_v(phi):
    """Rejects phi' for phi'^2, a metric on the amplitudes too, and one frozen at the start."""
    found = escape_time(pair("8", phi), digits=10)
    assert found.outcome is Outcome.escaped and found.arithmetic == "float64"
    assert float(found.tau) == pytest.approx(escape_by_scipy(phi, 8, 0.05), rel=1e-9)


# tau / tau of the identity for the pair with drop 0.05, and its limit 1/g(0.7) = 1/phi'(v0)^2
RATIOS = [(Exp(), 2.176, 0.7**-2), (Softplus(), 4.12, (1 - np.exp(-0.7)) ** -2), (HALF, 1.215, 1 / (4 * 0.343 * 0.65))]


@pytest.mark.parametrize(("phi", "ratio", "limit"), RATIOS, **NAMES)
def test_a_parametrisation_costs_a_factor(phi, ratio, limit):
    at = {}
    for lag in ("24", "32"):
        plain, moved = (escape_time(pair(lag, each), digits=10) for each in (IDENTITY, phi))
        at[lag] = float(moved.tau) / float(plain.tau)
        slow = float(slow_escape_time(pair(lag, phi)).value) / float(moved.tau)
        assert slow == pytest.approx(1, abs={"24": 1e-3, "32": 5e-6}[lag])  # as for the identity
    assert at["32"] == pytest.approx(ratio, abs=0.005)
    assert limit < at["32"] < at["24"]
    far = pair("100000", phi, "1e-5"), pair("100000", IDENTITY, "1e-5")
    for law, rel in ((slow_escape_time, 1e-4), (leading_order, 1e-9)):
        tau, plain = (mpmath.mpf(law(problem).value) for problem in far)
        assert float(tau / plain) == pytest.approx(limit, rel=rel)


@pytest.mark.parametrize("phi", MOVED, **NAMES)
def test_twenty_digits_begin_with_the_ten(phi):
    ten, twenty = (escape_time(pair("16", phi), digits=digits) for digits in (10, 20))
    assert ten.arithmetic == "float64" and twenty.arithmetic.startswith("arb")
    assert agree(ten.tau, twenty.tau, 9) and twenty.digits == 20


@pytest.mark.parametrize("phi", [IDENTITY, *MOVED], **NAMES)
def test_the_loss_falls_as_the_descent_says(phi):
    """grad J . y' along a run, by a central difference of J in balls: rejects |y'|^2, which (Y2) is for g = 1 only."""
    states = []
    flow = GradientFlow(pair("8", phi), Float64())
    run(flow, Integrator(flow, 9, 1e-6, 1e-12), Limits(), lambda tau, step: states.append(step.after))
    balls = GradientFlow(pair("8", phi), Arb(60))
    with balls.arithmetic.working():
        for state in states[:: len(states) // 4]:
            y, h = balls.arithmetic.array(state), balls.arithmetic.number(sp.Rational("1e-15"))
            ahead, behind = (balls.landscape.drop(y + sign * h * balls.rhs(y)) for sign in (1, -1))
            assert agree(balls.descent(y), (ahead - behind) / (2 * h), digits=25)


@pytest.mark.parametrize("phi", MOVED, **NAMES)
def test_the_jacobian_is_the_derivative(phi):
    """Off the fit, where every term of (Y1) counts: rejects g' left out, or beside the diagonal of the rates."""
    flow = GradientFlow(away_from_the_fit(phi), Arb(60))
    with flow.arithmetic.working():
        y, h = flow.landscape.start, flow.arithmetic.number(sp.Rational("1e-15"))
        jacobian = flow.rhs_and_jacobian(y)[1]
        for column in range(6):
            ahead = y.copy()
            ahead[column] += h
            behind = 2 * y - ahead
            for found, difference in zip(jacobian[:, column], flow.rhs(ahead) - flow.rhs(behind), strict=True):
                assert agree(found, difference / (2 * h), digits=25, scale=1e-3)


@pytest.mark.parametrize("phi", MOVED, **NAMES)
def test_every_stage_is_treated_alike(phi):
    flow = GradientFlow(away_from_the_fit(phi), Float64())
    y = flow.landscape.start + 0.01 * np.arange(24).reshape(4, 6)[::-1] / 24
    rhs, jacobian = flow.rhs_and_jacobian(y)
    assert (rhs == flow.rhs(y)).all()
    for k, state in enumerate(y):
        one, derivative = flow.rhs_and_jacobian(state)
        assert rhs[k] == pytest.approx(one, rel=1e-13) and jacobian[k] == pytest.approx(derivative, rel=1e-12)


def test_the_identity_costs_nothing():
    flow = GradientFlow(away_from_the_fit(IDENTITY), Float64())
    y = flow.landscape.start
    gradient, hessian = flow.landscape.gradient_and_hessian(y)
    rhs, jacobian = flow.rhs_and_jacobian(y)
    assert (rhs == -gradient).all() and (jacobian == -hessian).all()
    assert flow.descent(y) == (flow.rhs(y) ** 2).sum()


@pytest.mark.parametrize(("phi", "faster"), [(Exp(), Exp()), (HALF, InverseSquare("1/3", "1/6"))], **NAMES)
def test_time_may_be_measured_in_other_units(phi, faster):
    """Time three times as fast and three times as much of J: v moves as before, where phi has no time scale of its own.

    J falls to a third with tau' = 3 tau; the identity has v' three times as fast again and no such law.
    """
    slow = Problem(Target([Exponential(), Gaussian(lag=9)]), LinearRNN([(1, 1), (0, "0.6")]), "0.06", sp.oo, phi)
    target = Target([Exponential(1, 3), Gaussian(width="1/3", lag=3)])
    fast = Problem(target, LinearRNN([(1, 3), (0, "1.8")]), "0.02", sp.oo, faster)
    tau, other = (escape_time(problem, digits=15).tau for problem in (slow, fast))
    assert agree(3 * mpmath.mpf(tau), other, digits=13)


SPARES = st.fractions(Fraction(3, 5), Fraction(9, 10), max_denominator=40)


@settings(max_examples=8)
@given(
    phi=st.sampled_from([*MOVED, InverseSquare("3", "1/4")]),
    spares=st.lists(SPARES, min_size=1, max_size=2, unique=True),
    lag=st.integers(18, 30),
    width=st.sampled_from(["1/2", "1", "3/2"]),
    fraction=st.fractions(Fraction(1, 4), Fraction(3, 4), max_denominator=8),
)
def test_the_bound_lies_below_the_escape_time(phi, spares, lag, width, fraction):
    target = Target([Exponential(), Gaussian(lag=lag, width=width)])
    start = LinearRNN([(1, 1), *((0, spare) for spare in spares)])
    problem = Problem(target, start, drop_from_fraction(target, start, fraction), sp.oo, phi)
    flow, momentum = flow_lower_bound(problem), momentum_lower_bound(problem)
    assume(flow.value is not None)  # no w_e with D(w_e) <= drop
    assert agree(mpmath.mpf(momentum.value) ** 2 * 2, mpmath.mpf(flow.value), digits=4)
    run = escape_time(problem, digits=6, max_steps=1500)
    assume(run.outcome is Outcome.escaped)  # two spares may run away
    assert mpmath.mpf(flow.value) < mpmath.mpf(run.tau)


@pytest.mark.parametrize(("phi", "gain"), [(Exp(), 2.0), (Softplus(), 3.9), (HALF, 1.1)], **NAMES)
def test_the_bound_grows_with_the_way_in_v(phi, gain):
    """Nearly by 1/g(w_min), as tau does; the distance in w in place of that in v would leave it unchanged."""
    moved, plain = (Fraction(flow_lower_bound(pair("100", each, "0.01")).value) for each in (phi, IDENTITY))
    assert gain < moved / plain < 1.1 * gain


@pytest.mark.parametrize("phi", [Exp(), HALF], **NAMES)
def test_the_best_bound_is_found(phi):
    """Beside a grid of (w_e, s); the pair that is best for the identity is 0.6 % off at this memory."""
    bound = lower_bound(pair("16", phi))
    falls = -np.expm1(np.linspace(-6, -0.05, 200))
    end, share = np.meshgrid(0.7 * falls, falls)
    with Float64().working():
        values, reach = bind((w_e, s), (bound.flow, bound.reach), Float64())(end, end * share)
    assert float(flow_lower_bound(pair("16", phi)).value) > 0.999 * values[reach <= 0.05].max()


def test_a_rate_is_driven_to_the_end_of_its_range():
    """A target of rate 3 for a unit that reaches none beyond 2: there a = 4/5, and J has fallen by 11/225."""
    problems = [Problem(Target([Exponential(1, 3)]), LinearRNN([(1, "1.5")]), drop, sp.oo, HALF) for drop in BEYOND]
    short, beyond = (escape_time(problem, digits=8) for problem in problems)
    assert short.outcome is Outcome.escaped
    assert beyond.outcome is Outcome.stationary and "the end 2 of its range" in beyond.reason
    assert float(beyond.end.amplitudes[0]) == pytest.approx(4 / 5, abs=1e-6)
    assert float(beyond.end.rates[0]) == pytest.approx(2, abs=1e-5)


# J(0) = 1/3 - 2/4.5 + 1/6 on the start, J = 1/6 - (1/5)^2 x 4 at the end
FALLS = Fraction(1, 3) - Fraction(4, 9) + Fraction(4, 25)
BEYOND = (FALLS * Fraction(999, 1000), FALLS * Fraction(1001, 1000))


def test_a_rate_at_the_end_of_its_range_decides_only_when_all_else_rests():
    """At w = 2, a unit of a = 4/5 is at rest, one of a = 3/2 can still gain (7/10)^2/4."""
    flow = GradientFlow(Problem(Target([Exponential(1, 3)]), LinearRNN([(1, "1.5")]), "0.1", sp.oo, HALF), Float64())
    with flow.arithmetic.working():
        for amplitude, missing, rests in ((0.8, 1e-3, True), (1.5, 100, False), (1.5, 200, True)):
            assert numerics.run._at_the_end(flow, np.array([amplitude - 1, 2 - 3]), missing) == rests


def test_a_trap_is_looked_for_where_a_rate_was_carried_across_the_end_of_its_range():
    """Merged units beside it: a smaller network that starts there is no Problem of this parametrisation."""
    target = Target([Exponential(-1, "1.1"), Gaussian(lag=12)])
    start = LinearRNN([("-0.4", "1.1"), ("-0.6", "1.1"), ("-0.01", "1.9")])
    flow = GradientFlow(Problem(target, start, "0.1", sp.oo, HALF), Float64())
    y = flow.landscape.start.copy()
    y[5] += 0.1 * (1 + 1e-12)
    assert numerics.run._minimum(flow, y) is None


def test_a_runaway_is_judged_by_how_fast_the_loss_falls():
    flow = GradientFlow(Problem(TWO, LinearRNN([("1", "0.5"), ("-1", "0.502")]), "0.1", sp.oo, Exp()), Float64())
    y = flow.landscape.start.copy()
    y[:2] = np.array([200, -200]) - flow.landscape.fitted_a
    falls, other = flow.descent(y), (flow.rhs(y) ** 2).sum()  # per unit of time, and what is not that under exp
    between = 1000 * np.sqrt(falls * other)
    assert other < 0.9 * falls
    assert numerics.run._running_away(flow, y, 1.0, between, None) is None
    assert numerics.run._running_away(flow, y, 1.0, 1001 * falls, None) == 1.0


@pytest.mark.parametrize("phi", MOVED, **NAMES)
def test_a_step_beyond_the_reach_of_phi_is_refused(phi):
    flow = GradientFlow(away_from_the_fit(phi), Float64())
    beyond = [0.0] if phi is not HALF else [0.0, 2.1]
    for rate in beyond:
        y = flow.landscape.start.copy()
        y[3] = rate - flow.landscape.fitted_w[0]
        for use in (flow.rhs, flow.rhs_and_jacobian, flow.descent):
            with pytest.raises(StepFailed):
                use(y)


@pytest.mark.parametrize(("rate", "fits"), [("0.7", True), ("1.9", True), ("1.99999999", False)])
def test_float64_serves_only_where_it_has_the_digits_of_the_metric(rate, fits):
    target = Target([Exponential(1, rate), Gaussian(lag=8)])
    assert fits_float64(Problem(target, LinearRNN([(1, rate)]), "0.1", sp.oo, HALF)) == fits
    assert fits_float64(Problem(target, LinearRNN([(1, rate)]), "0.1"))
