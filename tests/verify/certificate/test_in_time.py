"""Recipe 1: enclosures that hold the truth, and everything that must break or widen them."""

import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import combinations, combinations_with_replacement
from pathlib import Path

import flint
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb
from numerics.escape import escape_time
from numerics.landscape import Landscape
from numerics.run import Outcome
from theory.kernels import Box, Erlang, Exponential, Gaussian, PowerLaw
from theory.parametrisation import Exp
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate import chebyshev
from verify.certificate.dyadic import digits_of, outwards
from verify.certificate.in_time import Recorded, _not_yet, _passage, prove
from verify.certificate.proved import NotProved
from verify.certificate.recording_time import record
from verify.certificate.tube import Tubes

REFERENCE = tomllib.loads((Path(__file__).parents[2] / "reference-values.toml").read_text(encoding="utf-8"))["escape"]
E, ONE, SPARE = Exponential(), ("1", "1"), ("0", "0.7")


def problem(*bump, drop="0.05", units=(ONE, SPARE), fitted=(E,), horizon="inf"):
    return Problem(Target([*fitted, *bump]), LinearRNN(units), drop, horizon)


@cache
def pair(lag):
    return problem(Gaussian(lag=lag))


recorded = cache(record)


@cache
def proved(given, digits):
    return prove(given, recorded(given, digits)).passages[0]


def digits(found):
    return digits_of(*outwards(*found, 60))


def contains(found, value):
    """Whether a passage holds a decimal, give or take a unit of its last digit."""
    with Arb(120).working():
        unit = flint.arb(10) ** -len(value.partition(".")[2])
        truth = flint.arb(Fraction(value).numerator) / Fraction(value).denominator
        return bool(found[0] <= truth + unit and found[1] >= truth - unit)


def width(found):
    with Arb(120).working():
        return float(found[1] - found[0])


@pytest.mark.parametrize("lag", ["8", "12", "20"])
def test_reference_values_are_enclosed_with_the_digits_asked(lag):
    found = proved(pair(lag), 20)
    assert contains(found, REFERENCE["pair"][lag]) and digits(found) >= 20


CASES = {
    "three units": problem(Gaussian(lag=5), units=(ONE, SPARE, ("0", "0.6"))),
    "two exponentials": problem(Gaussian(lag=5), fitted=(E, Exponential("1", "2")), units=(ONE, SPARE, ("1", "2"))),
    "finite horizon": problem(Gaussian(lag=6), horizon="12"),
    "off the fit": problem(Gaussian(lag=6), units=(("0.8", "1.2"), ("0.1", "0.7")), drop="1/5"),
    "coincided": problem(Gaussian(lag=12), units=(("0.5", "1"), ("0.5", "1.3")), drop="0.02"),
    "alike": problem(Gaussian(lag=6), units=(ONE, SPARE, SPARE)),
    "alike, one of them matched": problem(Gaussian(lag=4), units=(ONE, ONE)),
    "negative": problem(Gaussian("-1", lag=6)),
    "box": problem(Box(start=4, end=6)),
    "erlang": problem(Erlang(order=3, lag=4)),
    "power-law": problem(PowerLaw(omega="1/2"), drop="0.3"),
    "delayed": problem(Exponential("1", "0.5", lag="3")),
    "no exponential": problem(Gaussian(lag=2), fitted=(), units=(("0.3", "0.5"),), drop="0.01"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_problem_is_enclosed(name):
    """Rejects a moment, a start or a subspace that is taken wrong in one of them."""
    found = proved(CASES[name], 12)
    assert digits(found) >= 12
    assert contains(found, escape_time(CASES[name], digits=15).tau)


def test_the_value_of_the_literature_of_a_coincided_start():
    assert str(REFERENCE["coincided"]["12"]) == "817.8"
    assert abs(float(proved(CASES["coincided"], 12)[0]) - 817.8) < 0.06


def test_enclosures_from_other_stages_digits_and_precisions_meet_in_pairs():
    given_ = pair("8")
    records = [record(given_, 12, stages=14), recorded(given_, 20), record(given_, 24, stages=30)]
    records.append(replace(records[1], digits=80))
    found = [prove(given_, each).passages[0] for each in records]
    assert all(one[0] <= other[1] and other[0] <= one[1] for one, other in combinations(found, 2))
    assert len({width(each) for each in found}) == 4


def noisy(data, size):
    rng = np.random.default_rng(3)
    with Arb(200).working():
        noise = [flint.arb(int(k)) * flint.arb(size) for k in rng.integers(-(2**20), 2**20, data.values.size)]
        noise = np.array(noise, dtype=object).reshape(data.values.shape) / 2**20
        return replace(data, values=np.frompyfunc(flint.arb.mid, 1, 1)(data.values + noise))


def test_noise_on_all_stage_values_widens_and_still_holds_the_truth():
    data, clean = recorded(pair("8"), 32), proved(pair("8"), 32)
    found = prove(pair("8"), noisy(data, "1e-32")).passages[0]
    assert width(found) > 3 * width(clean) and digits(found) < digits(clean)
    assert contains(found, escape_time(pair("8"), digits=34).tau)
    with pytest.raises(NotProved):
        prove(pair("8"), noisy(data, "1e-4"))


def test_a_record_of_another_lag_still_leads_to_the_truth():
    """tau moves by about 1e-18 relative: an enclosure narrower than that would be that of the other problem."""
    other = problem(Gaussian(lag=8 * (1 + sp.Rational(1, 10**18))))
    data = record(other, 20)
    found, own = prove(pair("8"), data).passages[0], prove(other, data).passages[0]
    assert contains(found, REFERENCE["pair"]["8"]) and width(found) > 1e3 * width(own)
    assert not contains(own, REFERENCE["pair"]["8"])
    with pytest.raises(NotProved):
        prove(pair("10"), data)


@pytest.mark.parametrize("entry", list(combinations_with_replacement(range(4), 2)))
def test_a_changed_sign_in_the_hessian_breaks_the_certificate(monkeypatch, entry):
    data, right, (i, j) = recorded(pair("8"), 20), Landscape.gradient_and_hessian, entry

    def wrong(self, y):
        gradient, hessian = right(self, y)
        hessian[..., i, j] *= -1
        return gradient, hessian

    monkeypatch.setattr(Landscape, "gradient_and_hessian", wrong)
    with pytest.raises(NotProved):
        prove(pair("8"), data)


def test_a_changed_sign_in_the_gradient_breaks_it_too(monkeypatch):
    data, right = recorded(pair("8"), 20), Landscape.gradient
    monkeypatch.setattr(Landscape, "gradient", lambda self, y: right(self, y) * np.array([1, 1, 1, -1]))
    with pytest.raises(NotProved):
        prove(pair("8"), data)


def test_a_tampered_stage_value_or_duration_refuses_or_widens():
    data, clean = recorded(pair("8"), 20), proved(pair("8"), 20)
    row = len(data.values) // 2
    for size, refused in (("1e-21", False), ("1e-2", True)):
        values = data.values.copy()
        with Arb(100).working():
            values[row, 3] = (values[row, 3] + flint.arb(size)).mid()
        tampered = replace(data, values=values)
        if refused:
            with pytest.raises(NotProved):
                prove(pair("8"), tampered)
        else:
            found = prove(pair("8"), tampered).passages[0]
            assert width(found) > 2 * width(clean) and contains(found, REFERENCE["pair"]["8"])
    durations = data.durations.copy()
    durations[1] = (durations[1] * flint.arb(1.125)).mid()
    with pytest.raises(NotProved):
        prove(pair("8"), replace(data, durations=durations))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: {"digits": 5}, "working digits"),
        (lambda d: {"values": d.values[:-1]}, "do not fit"),
        (lambda d: {"nodes": d.nodes[::-1]}, "rise from -1 to 1"),
        (lambda d: {"durations": -d.durations}, "durations"),
        (lambda d: {"values": d.values + flint.arb(0, 1e-30)}, "exact"),
        (lambda d: {"durations": d.durations[:-6], "values": d.values[: -6 * (len(d.nodes) - 1)]}, "ends before"),
        (lambda d: {"values": d.values + flint.arb(1) / 2**10}, "too wide"),  # another start
    ],
)
def test_data_that_do_not_carry_the_proof_are_refused(change, said):
    data = recorded(pair("8"), 20)
    with Arb(100).working():
        changed = replace(data, **change(data))
    with pytest.raises(NotProved, match=said):
        prove(pair("8"), changed)


def test_a_flow_from_another_start_is_as_far_off_as_its_start():
    """A trajectory without a defect, 1e-12 off from the begin on (V5)."""
    other = problem(Gaussian(lag="8"), units=(ONE, ("1e-12", "0.7")))
    found, own = prove(pair("8"), record(other, 20)).passages[0], prove(other, record(other, 20)).passages[0]
    assert contains(found, REFERENCE["pair"]["8"]) and not contains(own, REFERENCE["pair"]["8"])


def test_values_recorded_of_a_copy_are_not_read():
    data = recorded(CASES["alike"], 12)
    values = data.values.copy()
    values[:, 2] = values[:, 5] = flint.arb(7)
    assert prove(CASES["alike"], replace(data, values=values)).passages[0] == proved(CASES["alike"], 12)


@pytest.fixture(scope="module")
def last_tubes():
    """Tubes of the last two pieces of a proof, the drop in the last, and its begin as a wide ball."""
    data = recorded(pair("8"), 12)
    with Arb(data.digits).working():
        tubes, through = Tubes(pair("8"), data.digits), chebyshev.through(data.nodes)
        pieces, error = [], flint.arb(0)
        for h, values in data.pieces(data.values):
            pieces.append(tubes.around(chebyshev.product(through, values), h, error))
            error = pieces[-1].errors[-1]
        return tubes, *pieces[-2:]


def test_what_is_not_decided_is_no_end_of_a_passage(last_tubes):
    """(V6): a point at which the ball of the loss holds the drop is neither before nor after."""
    tubes, last, tube = last_tubes
    with tubes.balls.working():
        goal, begin = flint.arb(0.05), flint.arb(3, 0.5)
        lower, upper = _passage(tubes, goal, begin, tube, last)
        assert upper - lower > 1  # what is not known of the begin is not known of the passage
        x = 1 - 1 / flint.arb(8)
        assert tubes.drop(tube, x)[0] > goal and _not_yet(tubes, goal, begin, tube, last, x) is None
        wide = replace(tube, errors=tube.errors * 0 + flint.arb(0.0625))
        assert tubes.drop(wide, flint.arb(-1))[0].contains(goal)
        assert _not_yet(tubes, goal, begin, wide, last, flint.arb(-1)) is None
        with pytest.raises(NotProved, match="not resolved"):
            _passage(tubes, goal, begin, wide, None)


@pytest.mark.parametrize("x", [-0.5, -1.0, -1.25])
def test_a_time_before_the_passage_is_rounded_down_in_its_own_piece_or_the_one_before(last_tubes, x):
    tubes, last, tube = last_tubes
    with tubes.balls.working():
        begin = flint.arb(10) / 3
        found = _not_yet(tubes, flint.arb(1), begin, tube, last, flint.arb(x))
        time = begin + tube.h * (1 + flint.arb(x)) / 2
        assert found <= time and float(found) == pytest.approx(float(time), rel=1e-9)
        assert _not_yet(tubes, flint.arb(1), begin, tube, None, flint.arb(-1.25)) == 0


def test_fewer_working_digits_widen_until_they_refuse():
    data = recorded(pair("8"), 20)
    low = prove(pair("8"), replace(data, digits=24)).passages[0]
    assert contains(low, REFERENCE["pair"]["8"]) and width(low) > width(proved(pair("8"), 20))
    with pytest.raises(NotProved):
        prove(pair("8"), replace(data, digits=10))


def test_several_drops_are_passed_in_their_order_and_the_end_is_enclosed():
    given_, drops = pair("8"), [sp.Rational(1, 100), sp.Rational(3, 100), sp.Rational(1, 20)]
    found = prove(given_, recorded(given_, 20), drops)
    assert all(one[1] < other[0] for one, other in zip(found.passages, found.passages[1:], strict=False))
    for drop, passage in zip(drops[:1], found.passages, strict=False):
        assert contains(passage, escape_time(replace(given_, drop=drop), digits=15).tau)
    centre, radius = prove(given_, recorded(given_, 20), []).end
    other, wider = prove(given_, record(given_, 16), []).end
    assert centre.shape == (4,) and radius < 1e-19 and radius < wider and (centre != other).all()


def test_what_does_not_escape_or_is_not_known_is_refused():
    with pytest.raises(NotProved, match="no escape to certify"):
        record(problem(Gaussian(lag=10), units=(ONE,)), 15)
    reparametrised = replace(pair("8"), parametrisation=Exp())
    with pytest.raises(NotProved, match="not exp"):
        prove(reparametrised, recorded(pair("8"), 20))


def test_a_record_goes_through_json_unchanged():
    data = recorded(pair("8"), 20)
    again = Recorded.from_dict(json.loads(json.dumps(data.as_dict())))
    assert all((getattr(again, name) == getattr(data, name)).all() for name in ("nodes", "durations", "values"))
    assert prove(pair("8"), again).passages[0] == proved(pair("8"), 20)


def test_the_proof_loads_no_integrator():
    untrusted = "integrator", "slow_manifold", "slow_rate", "run", "escape", "collocation"
    loaded = f"{{'numerics.' + each for each in {untrusted}}} & set(sys.modules)"
    program = f"import sys, verify.certificate.in_time; assert not {loaded}, {loaded}"
    subprocess.run([sys.executable, "-c", program], check=True)


FACTORS = st.sampled_from(["1", "2", "1/2"])
RATES = st.lists(st.sampled_from(["0.5", "0.7", "0.9", "1", "1.25", "1.6"]), min_size=1, max_size=3, unique=True)


@st.composite
def small_problems(draw):
    """m = 1..3, L = 3..12: on the fit or moved off it, and one bump of any kind."""
    rates, matched, moved = draw(RATES), draw(st.integers(0, 1)), draw(st.booleans())
    fitted = [Exponential(draw(FACTORS), rate) for rate in rates[:matched]]
    lag, size = draw(st.integers(3, 12)), draw(FACTORS)
    bump = draw(st.sampled_from([Gaussian(size, lag=lag), Box(size, lag, lag + 1), Erlang(size, 2, "2", lag)]))
    amplitudes = [str(term.amplitude) for term in fitted] + ["1/4" if moved else "0"] * (len(rates) - matched)
    units = LinearRNN(tuple(zip(amplitudes, rates, strict=True)))
    return Problem(Target([*fitted, bump]), units, draw(st.sampled_from(["0.02", "0.05"])))


def check_against_twice_the_digits(given_):
    estimate = escape_time(given_, digits=20, max_steps=600)
    if estimate.outcome is not Outcome.escaped:
        with pytest.raises(NotProved):
            prove(given_, record(pair("8"), 10))
        return
    found = prove(given_, record(given_, 10)).passages[0]
    assert digits(found) >= 10 and contains(found, estimate.tau)


@settings(deadline=None, max_examples=6)
@given(given_=small_problems())
def test_random_small_problems_are_enclosed(given_):
    check_against_twice_the_digits(given_)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(given_=small_problems())
def test_many_random_small_problems_are_enclosed(given_):
    check_against_twice_the_digits(given_)


@pytest.mark.slow
@pytest.mark.parametrize(("lag", "drop"), [("30", "0.05"), ("40", "0.05"), ("60", "0.03")])
def test_long_plateaus_are_enclosed(lag, drop):
    given_ = problem(Gaussian(lag=lag), drop=drop)
    found = proved(given_, 20)
    assert digits(found) >= 20 and contains(found, escape_time(given_, digits=35).tau)
