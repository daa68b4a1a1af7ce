"""The trap: what it must prove, and what it must refuse."""

import flint
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from numerics.arithmetic import Arb
from numerics.landscape import Landscape
from numerics.stationary import might_trap, trap
from theory.kernels import Exponential, Gaussian
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
