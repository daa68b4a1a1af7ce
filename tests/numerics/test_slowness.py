"""The definition of a plateau on sequences made by hand, against a naive reading of it."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64
from numerics.flow import GradientFlow
from numerics.slowness import Core, _vertex, cores, overlapping
from theory.kernels import Exponential, Gaussian
from theory.parametrisation import NAMED, InverseSquare
from theory.problem import Problem, Target
from theory.rnn import LinearRNN


def high_on_the_left(values, i, rise):
    """Whether, going back from i, the values rise that much before one is as low; the start counts as high."""
    before = values[:i][::-1]
    lower = next((k for k, value in enumerate(before) if value <= values[i]), None)
    return lower is None or max(before[:lower], default=-math.inf) >= values[i] + rise


def right_of(values, i, rise):
    """True: the values rise that much after i before one is lower. False: one is lower first. None: neither."""
    for value in values[i + 1 :]:
        if value < values[i] or value >= values[i] + rise:
            return bool(value >= values[i])
    return None


@settings(max_examples=300)
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=25), st.integers(1, 5))
@example([0, -5, 0, -5, 0], 5)
def test_cores_are_the_minima_of_that_prominence(values, rise):
    candidates = [i for i in range(len(values)) if high_on_the_left(values, i, rise)]
    found, still_open = cores(values, rise)
    assert found == [i for i in candidates if right_of(values, i, rise) is True]
    assert [still_open] * (still_open is not None) == [i for i in candidates if right_of(values, i, rise) is None]


@pytest.mark.parametrize(("rise", "expected"), [(9.99, [1, 3]), (10.0, [1, 3]), (10.01, [3])])
def test_a_prominence_just_below_the_one_asked_is_no_core(rise, expected):
    """1 is as high above its surroundings as 10 on its right; 3 is deeper."""
    assert cores([0, -12, -2, -20, 0], rise)[0] == expected


def test_a_flow_may_begin_on_a_plateau_and_end_on_one():
    assert cores([-30, -20, -3, -9, -8], 2.3) == ([0], 3)
    assert cores([-3, -9, -20], 2.3) == ([], 2)
    assert cores([-30, -3, -2], 2.3) == ([0], None)
    assert cores([], 2.3) == ([], None)
    assert cores([-math.inf, -math.inf, 0], 2.3) == ([0], None)


@pytest.mark.parametrize(
    ("drops", "groups"),
    [
        ([0.0, 0.04, 0.1], [[0.0, 0.04], [0.1]]),  # the first two extents touch, at 0.02
        ([0.0, 0.0401, 0.1], [[0.0], [0.0401], [0.1]]),
        ([0.0, 0.03, 0.06, 0.2], [[0.0, 0.03, 0.06], [0.2]]),  # a chain
        ([], []),
    ],
)
def test_extents_that_overlap_are_one_plateau(drops, groups):
    slow = [Core(np.zeros(2), drop, 0.0) for drop in drops]
    assert [[core.drop for core in group] for group in overlapping(slow, 0.02)] == groups


def test_the_slowest_moment_is_the_vertex_of_a_parabola():
    """Rejects the other side of the least value, and the formula for points at equal distances."""
    times = np.array([0.0, 1.0, 1.5, 4.0])
    assert _vertex(times, 3 * (times - 1.7) ** 2 - 5) == pytest.approx(1.7, abs=1e-14)
    assert _vertex(times, 3 * (times - 1.1) ** 2 - 5) == pytest.approx(1.1, abs=1e-14)
    assert _vertex(times, times) == 0 and _vertex(times, -times) == 4
    assert _vertex(times, np.array([0.0, -1.0, -math.inf, 0.0])) == 1.5


@pytest.mark.parametrize("arithmetic", [Float64(), Arb(30)], ids=["float64", "arb"])
@pytest.mark.parametrize("phi", [*NAMED.values(), InverseSquare("1", "1/2")], ids=lambda phi: phi.name)
def test_the_velocity_knows_how_fast_the_loss_falls(phi, arithmetic):
    """(Y3) from the velocity is (Y2) from the gradient; without g it would be off by a factor of the order of one."""
    target = Target([Exponential(), Gaussian(lag="3")])
    start = LinearRNN([("1/2", "1"), ("1/3", "0.7")])
    flow = GradientFlow(Problem(target, start, "1", parametrisation=phi), arithmetic)
    with arithmetic.working():
        y = flow.landscape.start
        expected = float(flow.descent(y))
        assert math.exp(flow.log_descent(y, flow.rhs(y))) == pytest.approx(expected, rel=1e-12)
        assert flow.log_descent(y, 0 * y) == -math.inf


def test_a_velocity_whose_square_underflows_has_a_logarithm():
    flow = GradientFlow(Problem(Target([Exponential()]), LinearRNN([("1", "1")]), "1"), Float64())
    slow = np.array([3e-250, 4e-250])
    assert flow.log_descent(flow.landscape.start, slow) == pytest.approx(2 * math.log(5e-250), rel=1e-12)
