"""Histories against SciPy's integrator on the definition, and what must hold whatever the numbers are."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

from numerics.arithmetic import Float64
from numerics.escape import Outcome, escape_time
from numerics.flow import GradientFlow
from numerics.plateaus import Ending, _mover, plateaus
from numerics.slowness import Core, Extent, Passage
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.study import load

TWO = load("two-memories").cells[1].problem
STAGES = load("stages").cells[1].problem
FREE = LinearRNN([("1", "1"), ("0", "0.7")])
UNFITTED = Problem(Target([Exponential(), Exponential("0.5", "0.3"), Gaussian(lag="20")]), FREE, "0.05")


def pair(lag="10", amplitude="1", **more):
    return Problem(Target([Exponential(), Gaussian(amplitude=amplitude, lag=lag)]), FREE, "0.05", **more)


@pytest.fixture(scope="module")
def two():
    return plateaus(TWO)


# ---- the oracle: the flow by quadrature of (M3), Radau of SciPy, and the definition on a dense grid of times ------

EDGES = np.array([0, *range(2, 61, 2), 100, 150, 250, 400, 700, 1200])
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(12)
TIMES = ((EDGES[1:] + EDGES[:-1])[:, None] / 2 + np.diff(EDGES)[:, None] / 2 * POINTS).ravel()
WEIGHT = (np.diff(EDGES)[:, None] / 2 * WEIGHTS).ravel()


def naive(problem, last, delta=0.02, F=10.0):
    """[(start, end, level, mover)] of the plateaus that end before tau = last."""
    kernels = [(float(term.amplitude), term) for term in problem.target.terms]
    rho = sum(
        a * (np.exp(-float(k.rate) * TIMES) if k.kind == "exponential" else np.exp(-((TIMES - float(k.lag)) ** 2) / 2))
        for a, k in kernels
    )
    m = problem.start.width

    def parts(theta):
        a, w = theta[:m, None], theta[m:, None]
        decay = np.exp(-w * TIMES)
        return a, decay, (a * decay).sum(axis=0) - rho

    def minus_gradient(_, theta):
        a, decay, error = parts(theta)
        return -2 * np.concatenate([decay, -a * TIMES * decay]) @ (WEIGHT * error)

    start = [float(x) for x in (*problem.start.amplitudes, *problem.start.rates)]
    flow = solve_ivp(minus_gradient, (0, last), start, method="Radau", rtol=1e-10, atol=1e-13, dense_output=True)
    tau = np.concatenate([[0], np.geomspace(1e-3, last, 4000)])
    states = flow.sol(tau).T
    loss = np.array([(WEIGHT * parts(theta)[2] ** 2).sum() for theta in states])
    speed = np.array([(minus_gradient(0, theta) ** 2).sum() for theta in states])
    found = []
    for i in range(len(tau)):
        before, after = np.flatnonzero(speed[:i] <= speed[i]), np.flatnonzero(speed[i + 1 :] < speed[i])
        left = speed[before[-1] : i].max() if len(before) else np.inf
        right = speed[i + 1 : i + 1 + after[0] if len(after) else None].max(initial=0)
        if min(left, right) < F * speed[i] or loss[i] - loss[-1] <= delta:
            continue
        moment = lambda level: float(np.interp(-level, -loss, tau)) if level < loss[0] else 0.0
        begin, end = moment(loss[i] + delta), moment(loss[i] - delta)
        moved = np.log(flow.sol(end)[m:] / states[i, m:])
        found.append((begin, end, loss[i], int(np.argmax(abs(moved)))))
    return found


@pytest.mark.parametrize(
    ("problem", "last"), [(pair("8"), 60), (TWO, 300), (UNFITTED, 130)], ids=["pair", "two", "off the fit"]
)
def test_plateaus_are_those_of_the_definition_on_scipys_flow(problem, last):
    found = [each for each in plateaus(problem).plateaus if each.end]
    oracle = naive(problem, last)
    assert len(found) == len(oracle) > 0
    for ours, (start, end, level, mover) in zip(found, oracle, strict=True):
        assert ours.mover == mover
        # times of the oracle's grid are 0.3 % apart; a level half a step beside the core would miss by 1e-4 and more
        assert float(ours.level) == pytest.approx(level, abs=1e-5)
        assert float(ours.start) == pytest.approx(start, rel=1e-4, abs=1e-4)
        assert float(ours.end) == pytest.approx(end, rel=1e-4)


def test_an_escape_is_the_one_of_escape_time():
    """One plateau: J(0) - level + delta is a drop to wait for."""
    problem = pair("20")
    history = plateaus(problem)
    (only,) = history.plateaus
    drop = sp.Rational(history.initial_loss) - sp.Rational(only.level) + sp.Rational("0.02")
    assert float(only.end) == pytest.approx(float(escape_time(replace(problem, drop=drop), digits=10).tau), rel=1e-8)
    assert only.digits >= 9 and only.start == "0" and only.duration == only.end


# ---- what must hold -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [TWO, pytest.param(STAGES, marks=pytest.mark.slow)], ids=["two", "stages"])
def test_plateaus_follow_one_another_down(problem):
    history = plateaus(problem)
    first, second = history.plateaus
    assert history.ending is Ending.minimum and history.minimum is not None
    assert float(first.start) < float(first.end) < float(second.start) < float(second.end) < float(history.end.tau)
    assert float(history.initial_loss) > float(first.level) > float(second.level) + 0.04 > float(history.final_loss)
    for each in (first, second):
        assert float(each.duration) == pytest.approx(float(each.end) - float(each.start), rel=1e-5)
        assert each.digits >= 5 and len(each.level.replace(".", "")) == each.digits
    assert history.digits == min(first.digits, second.digits)


def test_renaming_the_units_renames_the_movers(two):
    order = (2, 0, 1)
    renamed = plateaus(replace(TWO, start=LinearRNN(tuple(TWO.start.units[i] for i in order))))
    assert [order[each.mover] for each in renamed.plateaus] == [each.mover for each in two.plateaus] == [2, 1]
    for ours, theirs in zip(renamed.plateaus, two.plateaus, strict=True):
        assert float(ours.end) == pytest.approx(float(theirs.end), rel=1e-5)


def test_a_target_twice_as_fast_and_high_takes_twice_as_long(two):
    """rho -> c rho(ct), a -> ca, w -> cw: J -> cJ, and both a and w move c times as slowly, relatively, as before."""
    terms = [Exponential("2", "2"), Gaussian("1", "0.5", "3"), Gaussian("2", "0.5", "20")]
    start = LinearRNN([(2 * a, 2 * w) for a, w in TWO.start.units])
    faster = plateaus(Problem(Target(terms), start, "1"), delta="0.04")
    assert [each.mover for each in faster.plateaus] == [each.mover for each in two.plateaus]
    for ours, theirs in zip(faster.plateaus, two.plateaus, strict=True):
        for name in ("start", "end", "duration", "level"):
            assert float(getattr(ours, name)) == pytest.approx(2 * float(getattr(theirs, name)), rel=1e-5)


def test_both_parameters_of_the_definition_count(two):
    """The first core rises to the height of its escape, the second by 1e5; J falls by 0.22 between them."""
    rises = plateaus(TWO, prominence="1e3", digits=6).plateaus
    assert [each.mover for each in rises] == [1]
    merged = plateaus(TWO, delta="0.12", digits=6)
    assert [(each.end, each.mover) for each in merged.plateaus] == []  # one extent, and the minimum is within it
    narrow = plateaus(TWO, delta="0.005", digits=6).plateaus
    assert float(narrow[0].end) < float(two.plateaus[0].end) < 2 * float(narrow[0].end)
    assert float(narrow[1].start) > float(two.plateaus[1].start)


def test_the_mover_is_the_one_whose_rate_changes_by_the_largest_factor():
    flow = GradientFlow(pair(), Float64())
    fitted = np.concatenate([flow.landscape.fitted_a, flow.landscape.fitted_w])
    before, after = (np.array([1, 0, *rates]) - fitted for rates in ([2, 0.1], [3, 0.05]))
    end = Passage(1.0, after, 0, 1.0)
    assert _mover(flow, Extent(Core(before, 0.0, 0.0), end, end, 1.0)) == 1  # by |Delta w| it would be unit 0


@pytest.mark.slow
def test_a_merged_plateau_has_the_level_of_its_slowest_core():
    """For L = 10 the saddle is slower than the wait for the memory; it comes first, and the second ends later."""
    problem = load("stages").cells[0].problem
    first, second = plateaus(problem).plateaus
    (only,) = plateaus(problem, delta="0.19").plateaus
    assert float(first.slope) < float(second.slope)
    assert only.start == "0" and only.level[:6] == first.level[:6] and float(only.end) > float(second.end)


# ---- endings ------------------------------------------------------------------------------------------------------


def test_a_runaway_is_an_ending_and_no_plateau():
    history = plateaus(pair("12", "-1"))
    (only,) = history.plateaus
    assert history.ending is Ending.runaway and only.mover == 1 and float(only.end) == pytest.approx(134.244, rel=1e-4)
    assert float(only.level) - float(history.final_loss) > 0.4


@pytest.mark.parametrize("tau_max", ["50", "100000"])
def test_a_limit_on_a_plateau_leaves_it_open(tau_max):
    history = plateaus(pair("20"), tau_max=tau_max)
    (only,) = history.plateaus
    assert history.ending is Ending.open and "tau_max" in history.reason and history.minimum is None
    assert (only.start, only.end, only.duration, only.mover) == ("0", None, None, None)


def test_what_lies_beyond_tau_max_is_not_told():
    whole = plateaus(TWO, tau_max="1e6")
    assert [each.end is None for each in whole.plateaus] == [False, False]
    cut = plateaus(TWO, tau_max="100")
    assert [each.end is None for each in cut.plateaus] == [False, True]
    assert cut.plateaus[0] == whole.plateaus[0]
    assert plateaus(TWO, tau_max="5").plateaus[0].end is not None  # left at 4.4; what comes at 5.8 is not there yet


def test_one_run_alone_has_no_digits_to_share():
    history = plateaus(pair("20"), max_steps=12)
    assert history.ending is Ending.open and "max_steps = 12" in history.reason
    hurried = plateaus(pair("20"), max_seconds=1e-9)
    assert hurried.ending is Ending.open and hurried.digits is None and "one run alone" in hurried.reason


def test_a_loss_within_delta_of_its_start_has_no_plateau():
    still = plateaus(pair(), delta="2")
    assert (still.ending, still.plateaus, still.end, still.guarantee) == (Ending.still, (), None, "enclosed")
    shallow = plateaus(Problem(pair("8").target, LinearRNN([("1", "1")]), "1"))
    assert (shallow.ending, shallow.plateaus) == (Ending.minimum, ())  # it falls by 0.00134 in all


def test_nothing_waits_for_the_drop(two):
    other = plateaus(replace(TWO, drop=sp.Integer(1)))
    assert other.problem.drop == 1 and other.plateaus == two.plateaus
    assert escape_time(replace(TWO, drop=sp.Integer(1)), digits=8).outcome is Outcome.stationary


@pytest.mark.slow
def test_a_network_of_sixteen():
    units = [("1", "1"), *(("0", sp.Rational(95 - 3 * i, 100)) for i in range(15))]
    history = plateaus(Problem(Target([Exponential(), Gaussian(lag="10")]), LinearRNN(units), "1"), tau_max="12")
    assert history.digits is not None
    assert history.plateaus[0].mover == 15  # the slowest moves first (mathematics.md, section 3)


def test_as_dict_is_ready_for_json(two):
    import json

    document = json.loads(json.dumps(two.as_dict()))
    assert document["plateaus"][1]["mover"] == 1 and document["ending"] == "minimum" and document["digits"] >= 5
    assert document["delta"] == "0.02" and document["prominence"] == "10" and "course" not in document


@pytest.mark.slow
def test_a_plateau_beyond_the_floats():
    history = plateaus(pair("600"), delta="0.002")
    assert history.plateaus[0].end.partition("e+")[2] > "350" and history.plateaus[0].digits >= 8


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"delta": 0.02}, TypeError, "delta must be exact, got the float 0.02"),
        ({"delta": "0"}, ValueError, "delta must be > 0"),
        ({"prominence": 10.0}, TypeError, "prominence must be exact"),
        ({"prominence": "1"}, ValueError, "prominence must be > 1"),
        ({"digits": 3}, ValueError, "digits must be from 5"),
        ({"tau_max": "-1"}, ValueError, "tau_max must be > 0"),
        ({"max_steps": 0}, ValueError, "max_steps must be >= 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        plateaus(pair(), **arguments)


def test_a_dense_problem_is_refused():
    with pytest.raises(TypeError, match="diagonal"):
        plateaus(load("dense").cells[0].problem)
