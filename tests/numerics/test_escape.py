"""Escape times: reference values, every outcome, and properties of the flow."""

import pickle
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import numerics.escape
from numerics import slow_rate
from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.compiling import evaluate
from numerics.escape import COARSER, FEWEST_DIGITS, FINER, MOST_DIGITS, EscapeTime, escape_time, first_plan
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator
from numerics.run import Limits, Outcome, run
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree, working

REFERENCE = tomllib.loads((Path(__file__).parents[1] / "reference-values.toml").read_text())["escape"]
PAIR = ((1, 1), (0, Fraction(7, 10)))


def pair(lag, drop="0.05", units=PAIR, **bump):
    target = Target((Exponential(), Gaussian(lag=lag, **bump)))
    return Problem(target, LinearRNN(units), drop)


def agrees_with(reference, found):
    """To one unit in the last digit that the reference or the result gives."""
    digits = min(len(reference.split("e")[0].replace(".", "").lstrip("0")), found.digits)
    return agree(mpmath.mpf(reference) if digits < 15 else reference, found.tau, digits - 1)


@pytest.mark.parametrize("lag", ["8", "10", "16", "20", "30"])
def test_pair_to_twenty_digits(lag):
    """Rejects any change of the formulas, a float in the chain, and an event taken from the dense output."""
    found = escape_time(pair(lag), digits=20)
    assert found.outcome is Outcome.escaped and found.digits == 20 and found.guarantee == "estimated"
    assert agree(found.tau, REFERENCE["pair"][lag], 19)
    assert len(found.tau.replace(".", "")) == 20


@pytest.mark.parametrize(
    ("problem", "reference"),
    [
        (pair("12"), REFERENCE["pair"]["12"]),
        *((pair(lag, "0.02"), value) for lag, value in REFERENCE["pair_threshold_0_02"].items()),
        *((pair("20", units=((1, 1), (0, rate))), value) for rate, value in REFERENCE["second_rate"].items()),
    ],
)
def test_float64_agrees_with_the_references(problem, reference):
    found = escape_time(problem, digits=9)
    assert found.arithmetic == "float64"
    assert agrees_with(reference, found)


def test_coincided_starts_get_the_precision_that_their_cancellation_needs():
    problem = pair("12", "0.02", (("0.5", 1), ("0.5", "1.3")))
    found = escape_time(problem, digits=8)
    assert agrees_with(REFERENCE["coincided"]["12"], found)
    assert found.arithmetic.startswith("arb")


@pytest.mark.slow
@pytest.mark.parametrize("lag", ["16", "20"])
def test_long_coincided_starts(lag):
    found = escape_time(pair(lag, "0.02", (("0.5", 1), ("0.5", "1.3"))), digits=8)
    assert agrees_with(REFERENCE["coincided"][lag], found)


def test_fifty_digits_begin_with_the_twenty():
    found = escape_time(pair("20"), digits=50)
    assert found.digits == 50
    assert agree(found.tau, REFERENCE["pair"]["20"], 24)


def test_a_run_in_mpmath_agrees_with_the_one_in_arb():
    problem = pair("5", "0.02")
    taus = []
    for arithmetic in (Mpmath(30), Arb(30)):
        flow = GradientFlow(problem, arithmetic)
        taus.append(run(flow, Integrator(flow, 5, 1e-6, 1e-20), Limits()).tau)
    assert agree(*taus, digits=18)  # the same method in two arithmetics


def test_scipys_radau_sees_the_same_escape():
    """Another integrator, an event of its own; rejects a wrong clock or event."""
    problem = pair("10")
    flow = GradientFlow(problem, Float64())

    def missing(_, y):
        return flow.landscape.drop(y) - 0.05

    missing.terminal = True
    found = solve_ivp(
        lambda _, y: flow.rhs(y),
        (0, 100),
        flow.landscape.start,
        "Radau",
        events=missing,
        rtol=1e-10,
        atol=1e-14,
        jac=lambda _, y: flow.rhs_and_jacobian(y)[1],
    )
    assert found.t_events[0][0] == pytest.approx(float(REFERENCE["pair"]["10"]), rel=1e-8)


OTHERS = {
    "two exponentials": Problem(
        Target((Exponential(), Exponential(2, 3), Gaussian(lag=12))), LinearRNN(((1, 1), (2, 3), (0, "0.7"))), "0.05"
    ),
    "three spares": Problem(
        Target((Exponential(), Gaussian(lag=14))), LinearRNN(((1, 1), (0, "0.7"), (0, "0.6"), (0, "0.9"))), "0.05"
    ),
    "a wide bump": pair("12", "0.05", amplitude="0.5", width="2"),
    "a negative bump": pair("10", amplitude="-1"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_three_arithmetics_agree_on_other_problems(name):
    fast, extended, slow = (escape_time(OTHERS[name], digits=digits) for digits in (9, 13, 16))
    assert fast.outcome is extended.outcome is slow.outcome is Outcome.escaped
    assert fast.arithmetic == ("extended" if name == "three spares" else "float64")
    assert extended.arithmetic == "extended" and slow.arithmetic.startswith("arb")
    assert agree(fast.tau, slow.tau, 8) and agree(extended.tau, slow.tau, 12)


@pytest.mark.slow
def test_the_float_range_is_left_for_arb_at_long_memory():
    problem = pair("600", "0.002")
    assert not fits_float64(problem)
    found = escape_time(problem, digits=12)
    assert found.tau.startswith("3.1049798") and found.tau.endswith("e+354")  # the slow-flow integral says the same


@pytest.mark.parametrize(("units", "lag"), [(((1, 1),), "8"), (((1, 1),), "20"), (PAIR, "60")])
def test_minima_short_of_the_drop_are_recognised(units, lag):
    """The width-1 start is a minimum; so is one spare unit when 2.3/L < drop."""
    found = escape_time(pair(lag, units=units), digits=15)
    assert found.outcome is Outcome.stationary and found.tau is None and found.digits is None
    minimum = found.minimum
    assert 0 < minimum.drop < 0.05 and minimum.smallest_eigenvalue > 0 and minimum.gradient_norm < 0.1
    landscape = GradientFlow(found.problem, Float64()).landscape
    fitted = np.concatenate((landscape.fitted_a, landscape.fitted_w))
    there = np.array([float(x) for x in (*minimum.amplitudes, *minimum.rates)]) - fitted
    gradient, hessian = landscape.gradient_and_hessian(there)
    assert np.linalg.norm(gradient) < 1e-13
    assert np.linalg.eigvalsh(hessian)[0] == pytest.approx(minimum.smallest_eigenvalue, rel=1e-6)


def test_results_pickle():
    """Cells cross process borders."""
    for problem in (pair("8"), pair("8", units=((1, 1),))):
        found = escape_time(problem, digits=8)
        assert pickle.loads(pickle.dumps(found)).as_dict() == found.as_dict()


def test_unreachable_is_decided_before_integrating():
    assert escape_time(pair("8", "1.8")).outcome is Outcome.unreachable  # J(0) = sqrt(pi) to 7 digits, 1.7724539
    found = escape_time(pair("8", "1.78"))
    assert found.outcome is Outcome.unreachable and found.guarantee == "enclosed" and found.steps == 0
    network = Problem(Target((Exponential(),)), LinearRNN(((0, 1),)), "1/2")  # J(0) = 1/2 exactly
    assert escape_time(network).outcome is Outcome.unreachable


def test_limits_are_outcomes_with_the_state_reached():
    early = escape_time(pair("20"), digits=10, tau_max="1000")
    assert early.outcome is Outcome.tau_max and early.tau is None and float(early.end.tau) > 1000
    assert escape_time(pair("8"), digits=10, tau_max="15.02").outcome is Outcome.tau_max
    assert escape_time(pair("8"), digits=10, tau_max="15.03").outcome is Outcome.escaped
    few = escape_time(pair("20"), digits=10, max_steps=5)
    assert few.outcome is Outcome.stopped and "max_steps = 5" in few.reason and few.steps <= 5
    short = escape_time(pair("20"), digits=30, max_seconds=1e-9)
    assert short.outcome is Outcome.stopped and "max_seconds" in short.reason


@pytest.mark.slow
def test_a_negative_bump_makes_units_run_away():
    """Two units meet with growing opposite amplitudes; no minimum, no escape."""
    found = escape_time(pair("10", "0.9", amplitude="-1"), digits=8, max_seconds=120)
    assert found.outcome is Outcome.runaway
    a, w = (np.array([float(x) for x in units]) for units in (found.end.amplitudes, found.end.rates))
    assert a[0] * a[1] < 0 and abs(a).max() > 100 and abs(w[0] / w[1] - 1) < 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"digits": 4}, "digits must be from 5 to 150, got 4"),
        ({"digits": 10**9}, "digits must be from 5 to 150"),
        ({"digits": 12.0}, "digits must be an int, got 12.0"),
        ({"digits": True}, "digits must be an int, got True"),
        ({"max_steps": 0}, "max_steps must be >= 1 and an int, got 0"),
        ({"max_seconds": -1}, "max_seconds must be > 0, got -1"),
        ({"tau_max": "-3"}, "tau_max must be > 0"),
        ({"tau_max": 0.5}, "tau_max must be exact, got the float 0.5"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        escape_time(pair("8"), **arguments)


def test_the_result_carries_its_evidence_and_no_precision_is_left_behind():
    before = flint.ctx.prec, mpmath.mp.prec
    found = escape_time(pair("8"), digits=12)
    assert (flint.ctx.prec, mpmath.mp.prec) == before
    assert isinstance(found, EscapeTime) and found.steps > 0 and found.seconds > 0 and found.problem == pair("8")
    row = found.as_dict()
    assert row["escape_time"] == found.tau and row["end"]["tau"] == found.tau
    assert abs(float(row["end"]["drop"]) - 0.05) < 1e-11


@settings(max_examples=3)
@given(lag=st.integers(5, 9))
def test_permuting_the_units_changes_no_digit(lag):
    problem = pair(str(lag), "0.02")
    swapped = Problem(problem.target, LinearRNN(problem.start.units[::-1]), problem.drop)
    assert escape_time(swapped, digits=15).tau == escape_time(problem, digits=15).tau


@settings(max_examples=5)
@given(st.integers(4, 9), st.sampled_from(["0.5", "0.7", "0.8"]))
def test_the_loss_falls_by_the_squared_gradient(lag, rate):
    """dJ/dtau = -|grad J|^2: the drop over a step is the integral of |y'|^2, by the step's own quadrature weights."""
    problem = pair(str(lag), "0.02", ((1, 1), (0, rate)))
    flow = GradientFlow(problem, Float64())
    integrator = Integrator(flow, 9, 1e-8, 1e-13)
    weights = np.linalg.inv(integrator.method.derivative.astype(float))[-1]
    before = 0.0
    for count, step in enumerate(integrator.steps(flow.landscape.start, 0.01)):
        slopes = flow.rhs(step.before + step.stages)
        after = flow.landscape.drop(step.after)
        assert after - before == pytest.approx(step.h * weights @ (slopes**2).sum(axis=1), rel=1e-6, abs=1e-14)
        before = after
        if count == 8:
            break


def test_the_event_is_located_to_the_digits_claimed():
    """The loss at the state reported, by the plain closed form (M4), is J(0) - drop; 1e-9 off in tau would show."""
    problem = pair("10")
    found = escape_time(problem, digits=25)
    units = tuple(zip(found.end.amplitudes, found.end.rates, strict=True))
    there = Problem(problem.target, LinearRNN(units), "0.05")
    arithmetic = Arb(40)
    with arithmetic.working():
        fallen = evaluate(problem.initial_loss - there.initial_loss, arithmetic)
    assert agree(fallen, Fraction(1, 20), 22)


@pytest.mark.parametrize("digits", [10, 15])
def test_only_digits_that_two_runs_share_are_claimed(digits, monkeypatch):
    """Every coarse run is off by 3e-8: 7 digits are shared, however many are asked, however often it is tightened."""
    honest = numerics.escape.run

    def off(flow, integrator, limits, *watch):
        found = honest(flow, integrator, limits, *watch)
        if watch:
            return found
        with flow.arithmetic.working():
            return replace(found, tau=found.tau * (1 + 3e-8))

    monkeypatch.setattr(numerics.escape, "run", off)
    found = escape_time(pair("8"), digits=digits)
    assert found.outcome is Outcome.escaped and found.digits == 7
    assert found.tau == "15.02590"


@pytest.mark.parametrize("digits", [5, 9, 13, 20])
def test_the_two_runs_are_never_one_and_the_same(digits):
    """Below ten digits both once had one tolerance: what they shared told nothing."""
    plan = first_plan(pair("8"), digits, 0)
    while True:
        coarse, fine = (plan.prepare(pair("8"), fine)[1] for fine in (False, True))
        assert coarse.method.stages < fine.method.stages and coarse.tolerance > fine.tolerance
        if plan.last_resort:
            break
        plan = plan.tightened()


def test_nor_are_they_in_the_slow_rate():
    every = range(FEWEST_DIGITS, MOST_DIGITS + 20)
    assert all(slow_rate.stages(digits + COARSER) < slow_rate.stages(digits + FINER) for digits in every)


def test_a_finer_run_that_cancels_is_repeated_with_more_reserve(monkeypatch):
    """Six digits may cancel at first. The coarse run is content, the finer one sees a seventh."""
    honest = numerics.escape.run

    def cancelling(flow, integrator, limits, *watch):
        found = honest(flow, integrator, limits, *watch)
        too_much = watch and limits.cancellation < 7
        return replace(found, outcome=Outcome.failed, cancellation=7.0) if too_much else found

    monkeypatch.setattr(numerics.escape, "run", cancelling)
    found = escape_time(pair("8"), digits=20)
    assert found.outcome is Outcome.escaped and found.tau.startswith("15.02589977590923123")


def test_steps_are_those_taken():
    seen = []
    found = escape_time(pair("8"), digits=10, watch=lambda tau, step: seen.append(tau))
    assert found.steps == len(seen)
    assert escape_time(pair("8"), digits=10, max_steps=5).steps == 5


def test_a_run_that_cancels_is_repeated_with_the_reserve_measured(monkeypatch):
    """Working digits: 8 wanted, 15 of guard, and at least 2.5 for each of the 12 that cancel."""
    monkeypatch.setattr("numerics.landscape.Landscape.cancellation", lambda self, y: 12.0)
    found = escape_time(pair("8", "0.02", (("0.5", 1), ("0.5", "1.3"))), digits=8)
    assert int(found.arithmetic.removeprefix("arb, ").removesuffix(" digits")) >= 8 + 15 + 30


@pytest.mark.parametrize(("drop", "digits"), [("1e-12", 10), ("1e-30", 10), ("1e-40", 20)])
def test_faint_drops_come_after_drop_over_the_squared_gradient(drop, digits):
    """tau = drop / |grad J(0)|^2 to first order; the gradient by the definition, 2 int b e^{-wt} and so on."""
    ctx = working(40, guard=0)
    moments = [
        ctx.quad(lambda t, f=f: f(t) * ctx.exp(-((t - 20) ** 2) / 2), [0, 10, 15, 20, 25, 30, 60])
        for f in (lambda t: ctx.exp(-t), lambda t: t * ctx.exp(-t), lambda t: ctx.exp(-ctx.mpf(7) / 10 * t))
    ]
    first = ctx.mpf(drop) / sum((2 * moment) ** 2 for moment in moments)
    found = escape_time(pair("20", drop), digits=digits)
    assert found.outcome is Outcome.escaped and found.digits == digits
    assert abs(ctx.mpf(found.tau) / first - 1) < max(10 * first, ctx.mpf(10) ** (1 - digits))


def test_a_drop_below_all_resolution_is_a_failure_with_its_reason():
    found = escape_time(pair("20", "1e-99999"), digits=10)
    assert found.outcome is Outcome.failed and "nothing is resolved" in found.reason


def test_units_that_start_alike_stay_alike():
    """Unstable: roundoff would part them. 382835.7077 is Radau's on the subspace w_2 = w_3, a_2 = a_3."""
    found = escape_time(pair("20", "0.02", (*PAIR, (0, Fraction(7, 10)))), digits=12)
    assert agree(found.tau, "382835.7077", 9)
    assert found.end.rates[1] == found.end.rates[2] and found.end.amplitudes[1] == found.end.amplitudes[2]


def test_units_alike_but_for_their_pairing_stay_alike():
    """Two halves of one exponential: one is paired with it, the other a spare, and both are one unit for ever."""
    halves = LinearRNN((("0.5", "1"), ("0.5", "1")))
    target = Target((Exponential(), Gaussian(lag=10)))
    found = escape_time(Problem(target, halves, "0.02"), digits=8, max_seconds=60)
    whole = escape_time(Problem(target, LinearRNN((("1", "1"),)), "0.02"), digits=8)
    assert found.outcome is whole.outcome is Outcome.stationary
    assert found.minimum.rates == whole.minimum.rates and found.end.amplitudes[0] == found.end.amplitudes[1]


def test_a_rest_that_float64_cannot_tell_is_found_in_balls():
    """A rate of 1000 that speeds up for ever slower; steps grew past 1e308, and the ratio of two was no number."""
    problem = Problem(Target((Exponential(1, 1000), Gaussian(lag=5))), LinearRNN((("1", "1000"), ("0", "0.7"))), "0.5")
    assert escape_time(problem, digits=10, max_seconds=60).outcome is Outcome.stationary


@pytest.mark.parametrize("arguments", [{"max_seconds": None}, {"max_seconds": "1"}, {"max_seconds": True}])
def test_seconds_are_a_number(arguments):
    problem = Problem(Target((Exponential(),)), LinearRNN((("1/2", "1"),)), "0.1")
    with pytest.raises(TypeError, match="max_seconds must be a number of seconds, got"):
        escape_time(problem, **arguments)


def test_what_is_no_problem_is_named():
    with pytest.raises(TypeError, match="problem must be a Problem, got None; a DenseProblem goes to dense_escape"):
        escape_time(None)
