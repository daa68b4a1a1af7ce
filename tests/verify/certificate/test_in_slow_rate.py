"""Recipe 2: enclosures that hold the truth, and everything that must break or widen them."""

import json
import random
import tomllib
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import flint
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, _objects
from numerics.escape import escape_time
from numerics.landscape import Landscape
from numerics.slow_flow import slow_escape_time
from theory.kernels import Box, Erlang, Exponential, Gaussian
from theory.parametrisation import Exp
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate import slow_field
from verify.certificate.dyadic import digits_of, outwards
from verify.certificate.in_slow_rate import Recorded, prove
from verify.certificate.proved import NotProved
from verify.certificate.recording_slow import record

REFERENCE = tomllib.loads((Path(__file__).parents[2] / "reference-values.toml").read_text(encoding="utf-8"))
PAIR = (["1", "0"], ["1", "0.7"])
MATCHED = (Exponential(),)


@cache
def pair(lag, drop):
    return problem(Gaussian(lag=lag), drop=drop)


def problem(*bump, drop, start=PAIR, matched=MATCHED, **more):
    return Problem(Target((*matched, *bump)), LinearRNN.of(*start), drop, **more)


recorded = cache(record)


@cache
def proved(given, digits):
    return prove(given, recorded(given, digits))


def contains(found, value):
    """Whether a passage, a pair of exact numbers, holds a decimal, give or take a unit of its last digit."""
    with Arb(120).working():
        unit = flint.arb(10) ** -(len(value.partition(".")[2].partition("e")[0]))
        unit *= flint.arb(10) ** int(value.partition("e")[2] or 0)
        lower, upper = found
        return lower <= flint.arb(value).mid() + unit and upper >= flint.arb(value).mid() - unit


def digits(found):
    return digits_of(*outwards(*found, 60))


def wider(found, other):
    with Arb(120).working():
        return found[1] - found[0] > other[1] - other[0]


@pytest.mark.slow
def test_a_start_up_that_outlasts_the_first_piece():
    """So many digits take longer to settle than the slow rate needs for its first piece, which is then left out."""
    given = pair("20", "0.05")
    found = recorded(given, 42)
    assert found.pieces[0].top < 0  # of the displacement, which is 0 at the start
    (times,) = proved(given, 42).passages
    assert contains(times, REFERENCE["escape"]["pair"]["20"]) and digits(times) >= 40


@pytest.mark.parametrize("lag", ["20", pytest.param("30", marks=pytest.mark.slow)])
def test_reference_values_are_enclosed(lag):
    (found,) = proved(pair(lag, "0.05"), 20).passages
    assert contains(found, REFERENCE["escape"]["pair"][lag]) and digits(found) >= 20


@pytest.mark.parametrize(
    ("lag", "drop", "asked"),
    [("1000000", "0.000001", 25), pytest.param("1000", "0.001", 15, marks=pytest.mark.slow)],
)
def test_long_plateaus_enclose_the_slow_flow_integral(lag, drop, asked):
    """(M14) is off by e^{-w0 L}: by nothing that shows. Rejects a clock that is off by one unit in 1e25."""
    given = pair(lag, drop)
    (found,) = proved(given, asked).passages
    assert contains(found, slow_escape_time(given, 40).value) and digits(found) >= asked


def test_one_precision_for_every_memory():
    assert recorded(pair("100", "0.01"), 25).digits == recorded(pair("1000000", "0.000001"), 25).digits == 41


OTHERS = {
    "two exponentials": problem(
        Gaussian(lag=40),
        matched=(Exponential(), Exponential(2, 3)),
        start=(["1", "2", "0"], ["1", "3", "0.7"]),
        drop="0.02",
    ),
    "box": problem(Box(start=40, end=43), drop="0.02"),
    "a lagged exponential": problem(Exponential(1, "1/2", lag=40), drop="0.02"),
    "erlang without a lag of its own": problem(Erlang(order=5, rate=2, lag=30), drop="0.001"),
    "two bumps, one negative": problem(Gaussian(lag=40), Gaussian(amplitude="-1/4", lag=50), drop="0.01"),
    "a finite horizon": problem(Gaussian(lag=40), drop="0.02", horizon=42),
    "two spares": problem(Gaussian(lag=200), start=(["1", "0", "0"], ["1", "0.7", "0.6"]), drop="0.005"),
}


FEW = ("box",)  # the others are slow


@pytest.mark.parametrize(
    "name", [each if each in FEW else pytest.param(each, marks=pytest.mark.slow) for each in OTHERS]
)
def test_other_plateaus_enclose_what_an_integrator_finds(name):
    (found,) = proved(OTHERS[name], 15).passages
    assert digits(found) >= 15
    assert contains(found, escape_time(OTHERS[name], digits=18).tau)


@pytest.mark.slow
@settings(deadline=None, max_examples=6)
@given(
    lag=st.integers(22, 130),
    rate=st.sampled_from(["0.6", "0.7", "0.8", "0.85"]),
    width=st.sampled_from(["1/2", "1", "2"]),
    amplitude=st.sampled_from(["1", "-1", "2", "1/3"]),
    part=st.fractions(Fraction(1, 10), Fraction(9, 10), max_denominator=50),
)
def test_random_pairs_are_enclosed_or_refused(lag, rate, width, amplitude, part):
    """Part of about the largest drop that one spare can reach, 2.3/lag for a bump of area sqrt(2 pi)."""
    drop = part * 2 / lag * (Fraction(amplitude) * Fraction(width)) ** 2
    bump = Gaussian(amplitude=amplitude, width=width, lag=lag)
    given_problem = problem(bump, start=(["1", "0"], ["1", rate]), drop=drop)
    try:
        (found,) = prove(given_problem, record(given_problem, 15)).passages
    except NotProved as reason:
        assert "plateau" in str(reason) or "rest" in str(reason)
        return
    assert digits(found) >= 14
    assert contains(found, escape_time(given_problem, digits=18).tau)


THREE_SPARES = problem(Gaussian(lag=200), start=(["1", "0", "0", "0"], ["1", "0.8", "0.7", "0.6"]), drop="0.005")


@pytest.mark.slow
def test_three_spares_enclose_what_an_integrator_in_time_finds():
    """Beside rates of order one the slowest fast one is 1e-8, and U follows v 1e8 times as far."""
    (found,) = proved(THREE_SPARES, 15).passages
    assert digits(found) >= 15
    assert contains(found, escape_time(THREE_SPARES, digits=12, engine="time").tau)


@pytest.mark.slow
def test_three_exponentials_enclose_what_an_integrator_in_time_finds():
    matched = (Exponential(), Exponential(1, 2), Exponential(2, 3))
    start = ["1", "1", "2", "0"], ["1", "2", "3", "0.7"]
    given = problem(Gaussian(lag=40), matched=matched, start=start, drop="0.01")
    (found,) = proved(given, 15).passages
    assert digits(found) >= 15
    assert contains(found, escape_time(given, digits=14, engine="time").tau)


def test_two_recordings_intersect():
    """With other stages, pieces and precisions."""
    given = pair("100", "0.01")
    ((low, high),), ((lower, higher),) = (proved(given, digits).passages for digits in (15, 25))
    assert low <= higher and lower <= high and wider((low, high), (lower, higher))


def test_several_drops_are_passed_in_order():
    given = pair("100", "0.01")
    drops = [sp.Rational(1, 1000), sp.Rational(1, 100)]
    found = prove(given, recorded(given, 15), drops).passages
    assert found[0][0] <= found[1][1]  # all within 1e-40 of the plateau's length
    for drop, passage in zip(drops, found, strict=True):
        assert contains(passage, escape_time(replace(given, drop=drop), digits=14).tau)


def test_a_recording_goes_through_json_unchanged():
    written = recorded(pair("100", "0.01"), 15).as_dict()
    again = Recorded.from_dict(json.loads(json.dumps(written)))
    assert again.as_dict() == written
    assert prove(pair("100", "0.01"), again).passages == proved(pair("100", "0.01"), 15).passages


# ---- what must fail or widen --------------------------------------------------------------------------------------


def changed(values, relative, seed=1):
    """Every entry moved at random by at most so much of the largest of its column; exact."""
    source, columns = random.Random(seed), np.moveaxis(np.atleast_2d(values.T), 0, -1)
    sizes = abs(columns).max(axis=0)
    noise = np.array([[source.uniform(-relative, relative) for _ in sizes] for _ in columns])
    moved = _objects(each.mid() for each in (columns + sizes * noise).ravel())
    return moved.reshape(values.shape)


def with_noise(given, relative):
    with Arb(60).working():
        pieces = tuple(
            replace(each, path=changed(each.path, relative), slowness=changed(each.slowness, relative))
            for each in given.pieces
        )
    return replace(given, pieces=pieces)


def test_noise_widens_and_the_truth_stays_inside():
    given = pair("100", "0.01")
    exact = recorded(given, 25)
    (noisy,) = prove(given, with_noise(exact, 1e-14)).passages
    (clean,) = proved(given, 25).passages
    assert wider(noisy, clean) and noisy[0] <= clean[0] and clean[1] <= noisy[1]
    assert 5 < digits(noisy) < 20


def test_much_noise_is_refused():
    given = pair("100", "0.01")
    with pytest.raises(NotProved, match="tube"):
        prove(given, with_noise(recorded(given, 25), 1e-3))


@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_flipped_sign_in_the_hessian_is_refused(monkeypatch, row):
    class Flipped(Landscape):
        def gradient_and_hessian(self, y):
            gradient, hessian = super().gradient_and_hessian(y)
            hessian[..., row, 2] = -hessian[..., row, 2]
            return gradient, hessian

    monkeypatch.setattr(slow_field, "Landscape", Flipped)
    given = pair("100", "0.01")
    with pytest.raises(NotProved, match="tube"):
        prove(given, recorded(given, 15))


def tampered(given, **changes):
    first, *rest = given.pieces
    return replace(given, pieces=(replace(first, **changes), *rest))


def test_a_tampered_coefficient_widens_or_is_refused():
    given = pair("100", "0.01")
    exact, truth = recorded(given, 25), proved(given, 25).passages[0]
    with Arb(60).working():
        path = exact.pieces[0].path.copy()
        path[3, 1] = (path[3, 1] * flint.arb("1.000000001").mid()).mid()
    found = prove(given, tampered(exact, path=path)).passages[0]
    assert wider(found, truth) and found[0] <= truth[0] and truth[1] <= found[1]
    with Arb(60).working():
        path[3, 1] = 2 * path[3, 1]
    with pytest.raises(NotProved):
        prove(given, tampered(exact, path=path))


def test_other_tampering_is_refused():
    given = pair("100", "0.01")
    exact = recorded(given, 15)
    first = exact.pieces[0]
    durations = exact.start_up.durations.copy()
    ball = first.slowness.copy()
    ball[0] = flint.arb(-1, 1e-20)
    with Arb(60).working():
        scale, lag, bottom = 2 * first.scale, first.lag + 1, first.bottom + flint.arb(2) ** -40
        slowness, durations[-1] = -first.slowness, durations[-1] / 2
    for bad, reason in [
        (tampered(exact, scale=scale), "tube"),
        (tampered(exact, lag=lag), "tube"),
        (tampered(exact, bottom=bottom), "begin where"),
        (tampered(exact, slowness=slowness), "q < 0"),
        (tampered(exact, slowness=ball), "exact and finite"),
        (tampered(exact, path=first.path[:, :2]), "do not fit together"),
        (replace(exact, pieces=exact.pieces[1:]), "does not end on the first piece"),
        (replace(exact, pieces=exact.pieces[:-1]), "end before the loss has fallen"),
        (replace(exact, pieces=()), "at least one piece"),
        (replace(exact, spare=0), "clock must be the rate of a spare"),
        (replace(exact, digits=10**6), "working digits"),
        (replace(exact, start_up=replace(exact.start_up, durations=durations)), "tube"),
    ]:
        with pytest.raises(NotProved, match=reason):
            prove(given, bad)


def test_a_wrong_radius_hint_cannot_be_given():
    """Radii are the prover's own: a start-up that stops too early makes a wider tube, or none."""
    given = pair("100", "0.01")
    exact = recorded(given, 15)
    steps = len(exact.start_up.durations) - 2
    values = exact.start_up.values[: steps * (len(exact.start_up.nodes) - 1) + 1]
    early = replace(exact.start_up, durations=exact.start_up.durations[:steps], values=values)
    try:
        found = prove(given, replace(exact, start_up=early)).passages[0]
    except NotProved:
        return
    truth = proved(given, 25).passages[0]
    assert found[0] <= truth[0] and truth[1] <= found[1]


def test_a_recording_of_another_lag_widens():
    given = pair("20", "0.05")
    other = pair(str(20 + sp.Rational(1, 10**18)), "0.05")
    (found,) = prove(given, recorded(other, 20)).passages
    (truth,) = proved(given, 20).passages
    assert wider(found, truth) and found[0] <= truth[0] and truth[1] <= found[1]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (pair("16", "0.05"), "the plateau is too short"),
        (problem(Gaussian(lag=40), start=(["1", "0.1"], PAIR[1]), drop="0.02"), "not on the fit"),
        (problem(Gaussian(lag=40), start=(["1"], ["1"]), drop="0.02"), "no spare unit"),
    ],
)
def test_where_the_slow_rate_is_no_clock_the_recorder_says_why(given, reason):
    with pytest.raises(NotProved, match=reason):
        record(given, 15)


def test_other_parametrisations_are_refused():
    given = pair("100", "0.01")
    with pytest.raises(NotProved, match="w = v only"):
        prove(replace(given, parametrisation=Exp()), recorded(given, 15))
