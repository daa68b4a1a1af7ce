"""Plateaus proved to follow one another: the brackets, what they must hold, and what is refused."""

import json
from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

from numerics.plateaus import plateaus
from verify.certificate.ordering import Levels, Recorded, order, prove
from verify.certificate.proved import NotProved, Proved
from verify.certificate.recording_ordering import record
from verify.study import load

TWO = load("two-memories").cells[1].problem
LEVELS = Levels(("0.01", "0.25"), "1/50")  # left at 0.03, entered at 0.23, left at 0.27


def proved(*times):
    """Passages as a recipe would give them."""
    exact = lambda x: flint.arb(x).mid()
    return Proved("time", tuple((exact(low), exact(high)) for low, high in times), 30)


def test_levels_are_compared_exactly():
    assert LEVELS.drops == (sp.Rational(3, 100), sp.Rational(23, 100), sp.Rational(27, 100))
    assert Levels(("0.03",), "0.02").drops == (sp.Rational(1, 100), sp.Rational(5, 100))
    hair = sp.Rational(1, 10**60)
    assert Levels((0, sp.Rational(1, 25) + hair), "0.02")
    with pytest.raises(ValueError, match="more than 2 delta apart"):
        Levels((0, sp.Rational(1, 25)), "0.02")  # one is left where the next is entered
    with pytest.raises(ValueError, match="more than 2 delta apart"):
        Levels(("0.25", "0.01"), "0.02")


@pytest.mark.parametrize(
    ("falls", "delta", "why"),
    [((), "0.02", "left after the start"), (("-0.03",), "0.02", "left after"), ((sp.pi,), 1, "rational")],
)
def test_levels_that_are_none_are_errors(falls, delta, why):
    with pytest.raises(ValueError, match=why):
        Levels(falls, delta)


def test_stays_and_passages_are_the_differences_rounded_outwards():
    """Entered at 0, left in [4, 5], entered in [6, 8], left in [100, 101]; every end counts in the worse way."""
    found = order(LEVELS, proved((4, 5), (6, 8), (100, 101)), "0.9")
    assert [[float(x) for x in each.lasts] for each in found.plateaus] == [[4, 5], [92, 95]]
    assert [[float(x) for x in each] for each in found.passages] == [[1, 4]]
    assert float(found.outlasts) == 1  # 4 at least, over 4 at most
    assert found.as_dict(3) == {
        "plateaus": [
            {"fall": "1/100", "entered": ["0", "0"], "left": ["4.00", "5.00"], "lasts": ["4.00", "5.00"]},
            {"fall": "1/4", "entered": ["6.00", "8.00"], "left": ["100", "101"], "lasts": ["92.0", "95.0"]},
        ],
        "delta": "1/50",
        "passages": [["1.00", "4.00"]],
        "outlasts": "1.00",
        "guarantee": "enclosed",
    }


def test_a_plateau_must_outlast_the_passages_beside_it_by_what_is_asked():
    times = proved((4, 5), (6, 8), (100, 101))
    with pytest.raises(NotProved, match="last 1 times as long"):
        order(LEVELS, times)  # 4 is not more than 4
    with pytest.raises(NotProved, match="last 2 times as long"):
        order(LEVELS, proved((40, 41), (42, 43), (44, 45)), 2)  # the second one lasts 1 at least
    assert order(LEVELS, proved((40, 41), (42, 43), (52, 53)), 2)


@pytest.mark.parametrize("times", [((4, 6), (5, 8), (100, 101)), ((4, 5), (6, 8), (8, 9)), ((0, 5), (6, 8), (9, 10))])
def test_times_that_are_not_told_apart_are_refused(times):
    with pytest.raises(NotProved, match="told apart"):
        order(LEVELS, proved(*times))


def test_a_passage_for_each_drop():
    with pytest.raises(ValueError, match="one passage for each of 3 drops"):
        order(LEVELS, proved((4, 5), (6, 8)))


# ---- a real trajectory --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history():
    return plateaus(TWO)


@pytest.fixture(scope="module")
def two(history):
    recorded = record(TWO, 8, history)
    return recorded, prove(TWO, recorded)


def test_two_memories_hold_the_times_of_scipys_flow_on_the_definition(two):
    """Quadrature of (M3), Radau of SciPy, the loss by the same quadrature; levels and delta as recorded."""
    recorded, found = two
    edges = np.array([0, *range(2, 61, 2), 100, 150, 250, 400])
    points, weights = np.polynomial.legendre.leggauss(10)
    t = ((edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * points).ravel()
    weight = (np.diff(edges)[:, None] / 2 * weights).ravel()
    rho = np.exp(-t) + np.exp(-((t - 6) ** 2) / 2) / 2 + np.exp(-((t - 40) ** 2) / 2)

    def error(theta):
        return theta[:3] @ np.exp(-np.outer(theta[3:], t)) - rho

    def downhill(_, theta):
        decay = np.exp(-np.outer(theta[3:], t))
        return -2 * np.concatenate([decay, -theta[:3, None] * t * decay]) @ (weight * error(theta))

    start = np.array([1, 0, 0, 1, 0.7, 0.6])
    before = weight @ error(start) ** 2
    events = [lambda _, y, d=float(drop): before - weight @ error(y) ** 2 - d for drop in recorded.levels.drops]
    flow = solve_ivp(downhill, (0, 300), start, method="Radau", rtol=1e-8, atol=1e-11, events=events)
    first, second = found.plateaus
    brackets = [first.left, second.entered, second.left]
    for (lower, upper), (passed,) in zip(brackets, flow.t_events, strict=True):
        assert float(lower) == pytest.approx(passed, rel=1e-5) == float(upper)
        assert 0 < float(upper - lower) < 1e-7 * passed
    assert 2.9 < float(found.outlasts) < 3.0  # 4.37 of the first plateau over 1.48


def test_plateaus_by_estimate_are_those_proved(two, history):
    """numerics.plateaus finds where they begin and end by another way; its digits must agree."""
    _, found = two
    for ours, theirs in zip(found.plateaus, history.plateaus, strict=True):
        assert float(ours.left[0]) == pytest.approx(float(theirs.end), rel=1e-4)  # levels of fewer digits
        assert float(ours.entered[0]) == pytest.approx(float(theirs.start), rel=1e-4)


def test_a_record_goes_through_json_unchanged(two):
    recorded, _ = two
    again = Recorded.from_dict(json.loads(json.dumps(recorded.as_dict())))
    assert again.as_dict() == recorded.as_dict()
    with pytest.raises(NotProved, match="last 3 times"):
        prove(TWO, again, 3)


def test_a_tampered_record_is_refused_or_an_error(two):
    recorded, _ = two
    written = recorded.as_dict()
    for wrong in ({"falls": ["0.25", "0.01"]}, {"falls": "0.25"}, {"delta": 0.02}, {"more": 1}, {"delta": "0"}):
        with pytest.raises(ValueError):
            Recorded.from_dict(written | wrong)
    deeper = Recorded.from_dict(written | {"falls": [written["falls"][0], str(Fraction(written["falls"][1]) + 1)]})
    with pytest.raises(NotProved):
        prove(TWO, deeper)  # the recorded trajectory does not go so far
