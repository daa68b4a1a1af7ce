"""The trap: what it must prove, and what it must refuse."""

from types import SimpleNamespace

import flint
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import airy

from numerics.arithmetic import Arb
from numerics.escape import escape_time
from numerics.landscape import Landscape
from numerics.run import Outcome
from numerics.stationary import merged_trap, might_trap, trap
from theory.kernels import Airy, Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

ARITHMETIC = Arb(40)


def landscape(units=(("1", "1"),), drop="0.05", lag="8"):
    return Landscape(Problem(Target((Exponential(), Gaussian(lag=lag))), LinearRNN(units), drop), ARITHMETIC)


def test_the_minimum_is_the_one_that_scipy_finds_on_the_definition():
    """Quadrature of (M3) and Nelder-Mead know nothing of gradients."""

    def loss(theta):
        a, w = theta
        error = lambda t: (a * np.exp(-w * t) - np.exp(-t) - np.exp(-((t - 8) ** 2) / 2)) ** 2
        return quad(error, 0, 40, points=[4, 8, 12], epsabs=1e-13, limit=200)[0]

    found = minimize(loss, [1, 1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15})
    with ARITHMETIC.working():
        scape = landscape()
        minimum = trap(scape, ARITHMETIC.array([-0.0816, -0.1634]))
    (a,), (w,) = minimum.amplitudes, minimum.rates
    assert (float(a), float(w)) == pytest.approx(found.x, abs=1e-6)
    assert minimum.drop == pytest.approx(loss([1, 1]) - found.fun, abs=1e-9)
    assert minimum.contraction < 1 and minimum.distance < minimum.radius


@pytest.mark.parametrize("state", [[0, 0], [1, 0.5], [-0.5, 3]])
def test_a_state_outside_the_trap_is_refused(state):
    """From (1; 1) itself Newton arrives, but the ellipsoid through so distant a state is not proved to be convex."""
    with ARITHMETIC.working():
        assert trap(landscape(), ARITHMETIC.array(state)) is None


def test_a_minimum_below_the_drop_is_no_end():
    with ARITHMETIC.working():
        near = ARITHMETIC.array([-0.0816, -0.1634])
        assert trap(landscape(), near) is not None
        assert trap(landscape(drop="0.001"), near) is None  # its drop is 0.00134


def test_a_plateau_is_not_taken_for_a_minimum():
    """One spare unit: the slow direction has negative curvature, tiny beside the others; scaling shows it."""
    with ARITHMETIC.working():
        scape = landscape((("1", "1"), ("0", "0.7")), lag="20")
        plateau = ARITHMETIC.array([1.7e-5, 5e-5, -1.6e-5, -1e-4])
        assert not might_trap(scape.gradient_and_hessian(plateau)[1])
        assert trap(scape, plateau) is None


@pytest.mark.parametrize("entry", [(0, 0), (1, 1), (0, 1)])
def test_a_flipped_sign_in_the_hessian_breaks_the_proof(entry, monkeypatch):
    scape = landscape()
    honest = scape.gradient_and_hessian

    def flipped(y):
        gradient, hessian = honest(y)
        if (y - scape.start != 0).all() and y[0].rad() > 0:  # inside the proof, which evaluates on a box
            hessian[entry] = -hessian[entry]
        return gradient, hessian

    monkeypatch.setattr(scape, "gradient_and_hessian", flipped)
    with ARITHMETIC.working():
        assert trap(scape, ARITHMETIC.array([-0.0816, -0.1634])) is None


def test_might_trap_wants_a_positive_definite_matrix():
    assert might_trap(np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert might_trap(np.array([[1e-40, 1e-61], [1e-61, 1e-80]]))  # scaled before it is judged
    assert not might_trap(np.array([[1.0, 2.0], [2.0, 1.0]]))
    assert not might_trap(np.array([[1.0, 0.0], [0.0, 0.0]]))
    balls = np.array([[flint.arb(4), flint.arb(1)], [flint.arb(1), flint.arb(4)]], dtype=object)
    assert might_trap(balls)


class Bowl:
    """J = x^2/2 + c x^3 + y^2/2 + rho x y about (1, 1), grad J known to +-doubt; J(0) - J = 0.04 at the minimum."""

    width, arithmetic, problem = 1, ARITHMETIC, SimpleNamespace(drop=sp.Rational(1, 20))

    def __init__(self, c=0.0, rho=0.0, doubt=0.0):
        self.c, self.rho, self.doubt, self.boxes = c, rho, flint.arb(0, doubt), []

    def units(self, z):
        return z[:1], z[1:] + 1000

    def loss(self, z):
        x, y = z - 1
        return x * x / 2 + self.c * x**3 + y * y / 2 + self.rho * x * y

    def gradient(self, z):
        x, y = z - 1
        slope = x + 3 * self.c * x * x + self.rho * y, y + self.rho * x
        return np.array([each + self.doubt for each in slope], dtype=object)

    def gradient_and_hessian(self, z):
        self.boxes.append(z)
        rho = flint.arb(self.rho)
        return self.gradient(z), np.array([[1 + 6 * self.c * (z[0] - 1), rho], [rho, flint.arb(1)]], dtype=object)


def trapped(bowl, *state):
    with ARITHMETIC.working():
        return trap(bowl, ARITHMETIC.array(state), flint.arb("0.04"))


@pytest.mark.parametrize(("bend", "held"), [(0.0, True), (0.28, True), (0.32, False), (0.4, False)])
def test_the_edge_must_be_higher_than_the_state_by_the_bounds_T1(bend, held):
    """d = 1, r = 2, kappa = 2 bend, g = 0: (1 + kappa)/2 < 2 (1 - kappa) means bend < 0.3."""
    assert (trapped(Bowl(c=bend / 6), 2, 1) is not None) == held


@pytest.mark.parametrize(("doubt", "held"), [(0.01, True), (0.12, False), (4.0, False)])
def test_a_doubtful_gradient_counts_against_the_trap(doubt, held):
    """g = sqrt2 doubt: 0.04 + g^2/2 exceeds the drop from doubt = 0.1 on; 4 would let the flow over the edge."""
    assert (trapped(Bowl(doubt=doubt), 2, 1) is not None) == held


def test_a_slope_that_could_carry_the_flow_over_the_edge_is_refused():
    """g = 0.14 at d = 0.01: g d + d^2/2 < r^2/2 - g r has no solution among r = 2 d, 4 d, 16 d; the drop is far off."""
    bowl = Bowl(doubt=0.1)
    bowl.problem = SimpleNamespace(drop=sp.Integer(1))
    assert trapped(bowl, "1.1", 1) is not None
    assert trapped(bowl, "1.01", 1) is None


def test_the_box_holds_the_ellipsoid():
    """Its half axes are r sqrt((H^-1)_ii) = r / sqrt(1 - rho^2)."""
    bowl = Bowl(rho=0.8)
    minimum = trapped(bowl, 2, 1)
    assert [float(x.rad()) for x in bowl.boxes[-1]] == pytest.approx([minimum.radius / 0.6] * 2, rel=1e-6)


@pytest.mark.parametrize(
    ("bump", "spread", "shares", "held"),
    [
        ("-0.1", 0, (0.5, 0.5), True),
        ("-0.1", 1e-7, (0.3, 0.7), True),
        ("-0.1", 1e-2, (0.5, 0.5), False),  # not merged
        ("-0.1", 0, (1.5, -0.5), False),  # opposite signs: a runaway, no minimum
        ("0.1", 0, (0.5, 0.5), False),  # merging is unstable
    ],
)
def test_merged_units_end_in_the_minimum_of_the_smaller_network(bump, spread, shares, held):
    target = Target((Exponential(), Gaussian(amplitude=bump, lag="8")))
    with ARITHMETIC.working():
        alone = Landscape(Problem(target, LinearRNN(((1, 1),)), "1"), ARITHMETIC)
        there = trap(alone, alone.start)
        pair = Landscape(Problem(target, LinearRNN((("0.5", 1), ("0.5", "1.3"))), "0.05"), ARITHMETIC)
        a, w = flint.arb(there.amplitudes[0]), flint.arb(there.rates[0])
        state = ARITHMETIC.array([a * shares[0], a * shares[1], w, w * (1 + spread)])
        found = merged_trap(pair, state - np.concatenate((pair.fitted_a, pair.fitted_w)))
        assert (found is not None) == held
        if held:
            fallen = pair.loss(pair.start) - alone.loss(alone.start) + there.drop
            assert found.rates == there.rates and found.drop == pytest.approx(float(fallen), rel=1e-9)


def test_units_of_opposite_sign_that_merge_are_one_unit():
    """Seen through T = 4 the best is one exponential; SciPy finds it on the definition, Airy's function its own."""
    target = Target((Exponential(), Airy(shift="3", lag="2")))
    problem = Problem(target, LinearRNN((("1", "1"), ("0", "0.7"))), "0.01", horizon="4")
    run = escape_time(problem, digits=8, max_seconds=60)
    amplitudes = [float(a) for a in run.minimum.amplitudes]
    assert run.outcome is Outcome.stationary and len(amplitudes) == 1
    assert float(run.end.amplitudes[0]) * float(run.end.amplitudes[1]) < 0

    def loss(theta):
        a, w = theta
        rho = lambda t: np.exp(-t) + (airy(t - 5)[0] if t >= 2 else 0)
        return quad(lambda t: (a * np.exp(-w * t) - rho(t)) ** 2, 0, 4, points=[2], epsabs=1e-13, limit=200)[0]

    found = minimize(loss, [1, 1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15})
    assert run.minimum.drop == pytest.approx(loss([1, 1]) - found.fun, abs=1e-9)
