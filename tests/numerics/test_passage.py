"""The insides of steps: against the same step cut short and solved afresh, and quadrature of the flow."""

from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy as sp

from numerics.answer import log10
from numerics.arithmetic import Arb, Float64
from numerics.flow import GradientFlow
from numerics.integrator import Integrator
from numerics.landscape import Landscape
from numerics.passage import Reader, _drop, inside, spread
from numerics.slow_manifold import SlowManifold
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree

TWO_SPARES = LinearRNN(((1, 1), (0, Fraction(7, 10)), (0, Fraction(3, 5))))
PROBLEM = Problem(Target((Exponential(), Gaussian(lag=40))), TWO_SPARES, "0.02")
POINTS = np.array([1e-3, 0.1, 0.4, 0.8, 1])


@pytest.fixture(scope="module")
def piece():
    flow = GradientFlow(PROBLEM, Arb(35))
    with flow.arithmetic.working():
        return SlowManifold(flow, 2).piece(flow.landscape.start, flow.arithmetic.number(1) / 32, 16, 1e-22, True)


def test_a_state_inside_a_piece_is_the_end_of_a_shorter_one(piece):
    """Rejects amplitudes in units of kappa at the top (a factor e^{L h} = 3.5), and U where v belongs."""
    manifold = piece.manifold
    _, states = inside(piece, POINTS)
    with manifold.arithmetic.working():
        for x, state in zip(POINTS, states, strict=True):
            shorter = manifold.piece(piece.before, piece.h * x, 16, 1e-22, False, piece)
            assert all(agree(one, other, 12, scale=1e-18) for one, other in zip(state, shorter.after, strict=True))


def test_time_inside_a_piece_is_the_integral_of_the_flow(piece):
    """int h dx / |w'| by Gauss and Legendre. Rejects (C5) with the polynomial of the whole piece for that of a part."""
    manifold = piece.manifold
    nodes, weights = np.polynomial.legendre.leggauss(20)
    times, _ = inside(piece, POINTS)
    with manifold.arithmetic.working():
        for x, time in zip(POINTS, times, strict=True):
            _, states = inside(piece, x * (1 + nodes) / 2)
            slopes = [float(manifold.flow.rhs(state)[manifold.clock]) for state in states]
            assert float(time) == pytest.approx(float(piece.h) * x / 2 * sum(weights / -np.array(slopes)), rel=1e-11)
    assert float(times[-1]) == pytest.approx(float(piece.duration), rel=1e-13)


@pytest.mark.parametrize("arithmetic", [Float64(), Arb(30)], ids=["float64", "arb"])
def test_a_state_inside_a_step_in_time_is_the_end_of_a_shorter_one(arithmetic):
    flow = GradientFlow(PROBLEM, arithmetic)
    with arithmetic.working():
        integrator = Integrator(flow, 9, 1e-7, 1e-13)
        steps = integrator.steps(flow.landscape.start, 0.01)
        step = [next(steps) for _ in range(6)][-1]
        times, states = inside(step, POINTS)
        for x, time, state in zip(POINTS, times, states, strict=True):
            shorter = integrator.within(step, step.h * x)
            assert agree(time, shorter.h, 12)
            assert all(agree(one, other, 6) for one, other in zip(state, shorter.after, strict=True))


def test_points_are_spread_over_the_decades_that_pass(piece):
    with Arb(35).working():
        points = spread(flint.arb(10) ** -300, piece, 60)
        times, _ = inside(piece, points)
        logs = np.array([log10(time) for time in times])
    assert logs[0] == pytest.approx(-301, abs=0.1) and 0 < np.diff(logs).max() < 20
    assert points[-1] == 1 and logs[-1] == pytest.approx(log10(piece.duration))
    assert len(spread(piece.duration, piece, 60)) == 60  # no decades: close at both ends


def test_a_reader_gives_the_end_of_a_step_exactly(piece):
    found = Reader(PROBLEM).read(flint.arb(0), piece)
    with Arb(35).working():
        a, w = (units.astype(float) for units in piece.manifold.flow.landscape.units(piece.after))
        assert found.log10_tau[0] == pytest.approx(log10(piece.duration), abs=1e-14)
        assert found.log10_drop[0] == pytest.approx(log10(piece.manifold.flow.landscape.drop(piece.after)), abs=1e-12)
    assert found.amplitudes.tolist() == [a.tolist()] and found.rates.tolist() == [w.tolist()]


def test_logarithms_are_taken_first():
    assert log10(flint.arb("1e-600000")) == pytest.approx(-600000)
    assert log10(0.0) == -np.inf and np.isnan(log10(-1.0)) and log10(100.0) == 2


def test_the_work_done_is_the_loss_gained():
    """(C7) at 50 digits against (D2) at 120, a spare's rate far from where it began; (D2) at 50 has lost 17.

    Rejects the sum for the mean, sqrt 11 for sqrt 12, and a path that begins at the spare's first rate.
    """
    moved = ("2e-17", "-1e-17", "3e-18", "1e-17", "-1/50", "-1/25")
    drops = []
    for arithmetic, drop in ((Arb(50), _drop), (Arb(120), Landscape.drop)):
        landscape = Landscape(PROBLEM, arithmetic)
        with arithmetic.working():
            u = arithmetic.array([sp.Rational(each) for each in moved])
            drops.append(drop(landscape, landscape.start + u))
    assert agree(*drops, 40)
