"""The slow rate as the clock: against the time integrator, the slow-flow integral, and the flow it claims to follow."""

from fractions import Fraction
from itertools import pairwise

import flint
import mpmath
import numpy as np
import pytest

from numerics.arithmetic import Arb
from numerics.escape import escape_time
from numerics.flow import GradientFlow
from numerics.integrator import Step
from numerics.run import Outcome
from numerics.slow_clock import moments
from numerics.slow_flow import slow_escape_time
from numerics.slow_manifold import Piece, SlowManifold
from numerics.slow_rate import NoSlowRate, clock
from theory.kernels import Box, Erlang, Exponential, Gaussian
from theory.parametrisation import Exp
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree, number, working

FIT = (Exponential(),)
PAIR = ((1, 1), (0, Fraction(7, 10)))


def problem(*bump, drop, units=PAIR, matched=FIT, **more):
    return Problem(Target((*matched, *bump)), LinearRNN(units), drop, **more)


def pair(lag, drop):
    return problem(Gaussian(lag=lag), drop=drop)


@pytest.mark.parametrize(("lag", "drop"), [(20, "0.05"), (30, "0.05"), (40, "0.02"), (100, "0.01")])
def test_both_engines_agree_on_the_pair(lag, drop):
    """Rejects a start-up left out (20 to 40), a lag term L U left out of (C4), an event a piece too late; and late
    pieces so loose (1e-10) that the state at the end has 17 digits.
    """
    slow, fast = (escape_time(pair(lag, drop), digits=20, engine=engine) for engine in ("slow", "time"))
    assert slow.outcome is fast.outcome is Outcome.escaped and slow.digits == fast.digits == 20
    assert (slow.engine, fast.engine) == ("slow rate", "time")
    assert agree(slow.tau, fast.tau, 19)
    assert all(agree(x, y, 18) for x, y in zip(slow.end.rates, fast.end.rates, strict=True))
    assert all(agree(x, y, 18) for x, y in zip(slow.end.amplitudes, fast.end.amplitudes, strict=True))
    assert agree(slow.end.drop, drop, 18)


OTHERS = {
    "two exponentials": problem(
        Gaussian(lag=40), matched=(Exponential(), Exponential(2, 3)), units=((1, 1), (2, 3), (0, "0.7")), drop="0.02"
    ),
    "two spares": problem(Gaussian(lag=40), units=(*PAIR, (0, "0.6")), drop="0.02"),
    "box": problem(Box(start=40, end=43), drop="0.02"),
    "a lagged exponential": problem(Exponential(1, "1/2", lag=40), drop="0.02"),
    "erlang without a lag of its own": problem(Erlang(order=5, rate=2, lag=30), drop="0.001"),
    "two bumps": problem(Gaussian(lag=40), Gaussian(amplitude=2, lag=50), drop="0.02"),
    "a negative bump": problem(Gaussian(amplitude=-1, lag=40), drop="0.02"),
    "parametrisation exp": problem(Gaussian(lag=40), drop="0.02", parametrisation=Exp()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_both_engines_agree_on_other_plateaus(name):
    """Rejects other spares that are held, and a metric left out of w' (a factor 2 in tau)."""
    slow, fast = (escape_time(OTHERS[name], digits=13, engine=engine) for engine in ("slow", "time"))
    assert slow.engine == "slow rate" and slow.digits == fast.digits == 13
    assert agree(slow.tau, fast.tau, 12)


@pytest.mark.slow
def test_both_engines_agree_on_close_spares():
    close = problem(Gaussian(lag=40), units=(*PAIR, (0, "0.6"), (0, "0.9")), drop="0.05")
    assert escape_time(close, digits=12).engine == "slow rate"  # chosen for it: fast components nearly dependent
    assert escape_time(close, digits=10).engine == "time"  # here extended precision holds what they cancel
    slow, fast = (escape_time(close, digits=12, engine=engine) for engine in ("slow", "time"))
    assert agree(slow.tau, fast.tau, 11)


@pytest.mark.slow
def test_a_case_of_nearly_dependent_spares():
    """Seven spares 0.05 apart: the slowest fast rate is 2e-19. The time integrator took four minutes, in balls.

    Without the fast components following every change of the rates, Newton's method does not get beyond w = 0.55.
    """
    rates = [Fraction(18 - i, 20) for i in range(7)]
    found = escape_time(problem(Gaussian(lag=100), units=((1, 1), *((0, w) for w in rates)), drop="0.01"), digits=10)
    assert found.engine == "slow rate" and found.digits == 10
    assert agree(found.tau, "1.5913181082017915509e33", 9)


@pytest.mark.parametrize(("lag", "drop", "digits"), [(1000, "0.001", 40), (10**4, "1e-4", 12), (10**6, "1e-6", 30)])
def test_long_plateaus_take_what_the_slow_flow_integral_says(lag, drop, digits):
    """(M14) is off by e^{-w0 L}: by nothing that shows. Rejects any error in the clock (C5)."""
    found = escape_time(pair(lag, drop), digits=digits)
    assert found.outcome is Outcome.escaped and found.digits == digits and found.engine == "slow rate"
    assert found.arithmetic.startswith("arb") and found.steps < 60
    assert agree(found.tau, slow_escape_time(found.problem, digits).value, digits - 1)


def test_tau_beyond_any_float_has_a_logarithm():
    found = escape_time(pair(1000, "0.001"), digits=8)
    assert found.tau == "1.7695412e+597" and found.log10_tau == "597.24786068"
    assert found.as_dict()["log10_escape_time"] == found.log10_tau
    assert escape_time(pair(8, "1.78")).log10_tau is None


def test_the_engine_is_chosen_by_itself():
    assert escape_time(pair(20, "0.05"), digits=10).engine == "time"
    assert escape_time(pair(150, "0.005"), digits=10).engine == "slow rate"


def test_a_watcher_is_shown_the_start_up_in_time_and_then_the_pieces():
    seen = []
    watched = escape_time(pair(150, "0.005"), digits=6, watch=lambda tau, step: seen.append((tau, step)))
    assert watched.engine == "slow rate"
    last_run = seen[max(i for i, (tau, _) in enumerate(seen) if tau == 0) :]
    kinds = [type(step) for _, step in last_run]
    first = kinds.index(Piece)
    assert 0 < first < len(kinds) == watched.steps and set(kinds[:first]) == {Step} and set(kinds[first:]) == {Piece}
    with Arb(30).working():
        for (tau, step), (after, _) in pairwise(last_run):
            assert agree(tau + step.duration, after, 15)
        tau, step = last_run[-1]  # cut at the escape, not beyond it
        assert agree(tau + step.duration, watched.tau, 5)


def test_a_minimum_short_of_the_drop_is_left_to_the_time_integrator():
    """The most one spare gains is (2 pi/e)/L = 0.0023 at L = 1000."""
    found = escape_time(pair(1000, "0.0028"), digits=10)
    assert found.outcome is Outcome.stationary and found.engine == "slow rate, then time"
    assert 0.0022 < float(found.minimum.drop) < 0.0024
    assert found.end.tau.endswith("e+597")


def test_limits_are_outcomes_of_the_slow_rate_too():
    long = pair(1000, "0.001")
    early = escape_time(long, digits=10, tau_max="1e500")
    assert early.outcome is Outcome.tau_max and early.tau is None
    assert escape_time(long, digits=10, tau_max="1e598").outcome is Outcome.escaped
    few = escape_time(long, digits=10, max_steps=2)
    assert few.outcome is Outcome.stopped and few.steps == 2 and "max_steps = 2" in few.reason
    short = escape_time(long, digits=10, max_seconds=1e-9)
    assert short.outcome is Outcome.stopped and "max_seconds" in short.reason


@pytest.mark.parametrize(
    ("unsuited", "reason"),
    [
        (problem(Gaussian(lag=40), units=((1, 1),), drop="0.02"), "there is no spare unit to move"),
        (problem(Gaussian(lag=40), units=((1, 1), ("0.1", "0.7")), drop="0.02"), "the start is not on the fit"),
        (problem(Gaussian(lag=40), drop="0.02", horizon=60), "the slow flow is derived for T = inf"),
        (pair(16, "0.05"), "the plateau is too short for a slow clock"),
        (pair(10, "0.05"), "the slowest spare gains nothing by becoming slower"),
        (pair(40, "1e-30"), "the amplitudes alone drop by as much"),
    ],
)
def test_where_the_slow_rate_is_no_clock_the_reason_is_said(unsuited, reason):
    with pytest.raises(NoSlowRate, match=reason):
        escape_time(unsuited, digits=10, engine="slow")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "fast"}, "engine must be 'time', 'slow' or None, got 'fast'"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        escape_time(pair(100, "0.01"), digits=10, **arguments)


def test_a_clock_says_how_long_the_plateau_is():
    """g = 2 N(w0) to leading order, the projected norm of the spare's exponential (M13), here within a few per cent."""
    found = clock(pair(100, "0.01"))
    assert found.spare == 1
    assert found.slowest == pytest.approx(2 * (0.3 / 1.7) ** 4 / 1.4, rel=0.6)
    assert 48 < found.decades < 50


def test_the_clock_weights_are_integrals_of_legendre_polynomials():
    ctx = working(30)
    with Arb(40).working():
        for z in (Fraction(1, 3), Fraction(20)):
            found = moments(flint.arb(flint.fmpq(z.numerator, z.denominator)), 6)
            for k, moment in enumerate(found):
                rate = 2 * ctx.mpf(z.numerator) / z.denominator
                direct = ctx.quad(
                    lambda x, k=k, rate=rate: ctx.legendre(k, 2 * x - 1) * ctx.exp(-rate * x), [0, 0.1, 1]
                )
                assert agree(number(moment, ctx)[0], direct, 20, scale=mpmath.mpf(10) ** -5)
        assert [float(each) for each in moments(flint.arb(0), 3)] == [1, 0, 0]


@pytest.mark.parametrize("free", [True, False])
def test_a_piece_follows_the_flow_between_its_nodes(free):
    """dy/dw of the polynomial is y'/w' of the flow at points that are no nodes; its duration is int dw/w'."""
    flow = GradientFlow(OTHERS["two spares"], Arb(35))
    with flow.arithmetic.working():
        manifold = SlowManifold(flow, 2)
        h = flint.arb(1) / 1024
        piece = manifold.piece(flow.landscape.start, h, 12, 1e-22, True)
        if not free:
            piece = manifold.piece(piece.after, h, 12, 1e-22, False, piece)
        assert piece.error < 1e-14
        rest = piece.before[manifold.clock]
        nodes, weights = np.polynomial.legendre.leggauss(20)
        x, duration = (1 + nodes) / 2, 0.0
        for at, weight in zip(x, weights, strict=True):
            y, slope = _inside(manifold, piece, rest, at)
            f = flow.rhs(y)
            expected = f / f[manifold.clock]
            for component in manifold.others:
                assert agree(slope[component], expected[component], 6, scale=1e-14)
            duration += weight / 2 * float(h / -f[manifold.clock])
        assert duration == pytest.approx(float(piece.duration), rel=1e-10)


def _inside(manifold, piece, rest, x):
    """State and dy/dw at x by differences of the piece's own polynomial, interpolated afresh (Lagrange)."""
    from numerics.collocation import radau

    nodes = radau(len(piece.values) - 1, 35).nodes

    def state(at):
        basis = [np.prod([(at - c) / (node - c) for c in nodes if c is not node]) for node in nodes]
        U = np.array(basis, dtype=object) @ piece.values
        kappa = piece.frame.kappa * (piece.frame.lag * piece.h * at).exp()
        y = np.zeros(2 * manifold.flow.landscape.width, dtype=object)
        y[manifold.others] = np.where(manifold.fast, kappa * U, U)
        y[manifold.clock] = rest - piece.h * at
        return y

    at, step = flint.arb(float(x)), flint.arb(2) ** -40
    return state(at), (state(at + step) - state(at - step)) / (-2 * step * piece.h)
