"""The L1 error in balls: against quadrature of the definition, one method against the other, scaling, bad input."""

import math
from fractions import Fraction
from itertools import pairwise

import flint
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

import numerics.l1_enclosure as module
from numerics.arithmetic import Arb, Float64
from numerics.balanced import balanced_truncation
from numerics.l1_enclosure import l1_error, rounded_outward
from numerics.sign_changes import ErrorCurve, float_changes
from numerics.taylor_cells import Series, _beyond, _cell, absolute_integral, tail_bound
from oracles import raw_terms, raw_units, rho, support
from strategies import AMPLITUDES, NETWORKS, RATES
from theory.dense import DenseRNN
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.mixtures import mixture
from theory.pairs import Mode, kernels, of_modes
from theory.problem import Target
from theory.rnn import LinearRNN

COMPLETELY_MONOTONE = st.lists(
    st.builds(Exponential, st.integers(1, 3).map(Fraction), RATES)
    | st.builds(PowerLaw, st.integers(1, 2).map(Fraction), st.sampled_from([Fraction(1), Fraction(5, 3)])),
    min_size=1,
    max_size=2,
).map(Target)
OTHER_KERNELS = [
    Gaussian(lag="5"),
    Box(start="1/3", end="2"),
    Erlang("2", 3, "2"),
    Airy("1", "1", "2"),
    Exponential("1", "2", "1/3"),
    Expression("exp(-t)*cos(3*t)"),
]


def by_quadrature(network, target):
    """int |e| from the definition: SciPy's quadrature of e between the sign changes of a dense scan."""
    units, terms = raw_units(network), raw_terms(target.terms)
    end = Fraction(40) / min([w for _, w in units] + [Fraction(1, 5)])
    inner = {edge for term in terms for edge in support(term) if edge is not None and edge < end}
    total = 0.0
    for lower, upper in pairwise(map(float, sorted({Fraction(0), end, *inner}))):
        present = [each for each in terms if covers(support(each), (lower + upper) / 2)]

        def error(t, present=present):
            return sum(float(a) * math.exp(-w * t) for a, w in units) - float(rho(present, flint.acb(t)).real)

        scan = lower + (upper - lower) * np.linspace(0, 1, 700) ** 3
        values = [error(t) for t in scan]
        cuts = [brentq(error, *scan[k : k + 2]) for k in range(699) if values[k] * values[k + 1] < 0]
        for x, y in pairwise([lower, *cuts, upper]):
            total += abs(quad(error, x, y, limit=200, epsabs=1e-9, epsrel=1e-9)[0])
    late = sp.Rational(end.numerator, end.denominator)
    return total + sum(abs(float(term.tail(late))) for term in target.terms if isinstance(term, PowerLaw))


def covers(interval, t):
    begin, end = interval
    return begin <= t and (end is None or t <= end)


@settings(deadline=None, max_examples=8)
@given(target=COMPLETELY_MONOTONE, network=NETWORKS)
def test_the_ball_contains_quadrature_of_the_definition(target, network):
    found = l1_error(target, network, digits=6)
    direct = by_quadrature(network, target)
    assert float(found.lower) - 1e-6 <= direct <= float(found.upper) + 1e-6
    assert float(found.upper) - float(found.lower) <= 1e-4 * float(found.upper)


@pytest.mark.parametrize("kernel", OTHER_KERNELS, ids=lambda each: each.kind)
def test_any_kernel_has_a_ball(kernel):
    target, network = Target([kernel]), LinearRNN([("1/2", "1"), ("-1/3", "1/4")])
    found = l1_error(target, network, digits=5)
    assert found.guarantee == "enclosed" and found.method == "Taylor cells"
    direct = by_quadrature(network, target)
    assert float(found.lower) - 1e-6 <= direct <= float(found.upper) + 1e-6
    assert float(found.upper) - float(found.lower) <= 1e-4


@settings(deadline=None, max_examples=6)
@given(network=NETWORKS, omega=st.sampled_from(["1", "1/2"]))
def test_sign_changes_and_taylor_cells_meet(network, omega):
    target = Target([PowerLaw(omega=omega)])
    found = l1_error(target, network, digits=10)
    with flint.ctx.workprec(200):
        cells = absolute_integral(target.terms, kernels(network), 6)
        assert cells.overlaps(flint.arb(found.lower).union(flint.arb(found.upper)))
        assert float(cells.rad()) < 1e-5 * float(cells.mid())


@settings(deadline=None, max_examples=8)
@given(a=AMPLITUDES, w=RATES, scale=st.sampled_from([Fraction(1, 7), Fraction(30)]))
def test_scaling_the_time_leaves_the_error(a, w, scale):
    """rho(t) -> c rho(ct) and the same of the network."""
    target = Target([Exponential("1", "1"), Exponential("2", "4")])
    scaled = Target([Exponential(scale, scale), Exponential(2 * scale, 4 * scale)])
    one = l1_error(target, LinearRNN([(a, w)]), digits=6)
    other = l1_error(scaled, LinearRNN([(a * scale, w * scale)]), digits=6)
    assert abs(sp.Rational(one.upper) - sp.Rational(other.upper)) <= 2e-6 * sp.Rational(one.upper)


def test_many_digits_of_a_sum_known_in_closed_form():
    """|e^{-t} - 2 e^{-2t}| has its only root at ln 2: the norm is 1/2, and so is 2 F(ln 2) - F(0)."""
    found = l1_error(Target([Exponential("2", "2")]), LinearRNN([("1", "1")]), digits=60)
    assert found.changes == 1 and sp.Rational(found.lower) <= sp.Rational(1, 2) <= sp.Rational(found.upper)
    assert sp.Rational(found.upper) - sp.Rational(found.lower) < sp.Rational(1, 10**59)


@pytest.mark.parametrize("unit", [("1", 1 + Fraction(1, 10**20)), (1 - Fraction(1, 10**20), "1")])
def test_a_sign_that_floats_do_not_see_is_not_believed(unit):
    """The error e^{-wt} - e^{-t} or (a - 1) e^{-t} has one sign, below what float64 resolves: the norm is 1e-20."""
    found = l1_error(Target([Exponential()]), LinearRNN([unit]))
    exact = 1 - Fraction(unit[0]) / Fraction(unit[1])
    assert found.changes == 0 and Fraction(found.lower) <= exact <= Fraction(found.upper) < 2 * exact


def test_a_late_begin_is_not_rounded_away():
    """10^17 + 1 is no float: with a first T before the begin, the closed tail would be that of e^{-(t-L)} at L - 1."""
    found = l1_error(Target([Exponential(lag=10**17 + 1)]), LinearRNN([("1", "1")]), digits=5)
    assert Fraction(found.lower) <= 2 <= Fraction(found.upper) < Fraction(2001, 1000)


def test_what_40_digits_do_not_tell_apart_is_no_integral_of_zero():
    sliver = Box(10**60, "1", 1 + Fraction(1, 10**50))  # of the mass 10^10
    with pytest.raises(ArithmeticError, match="digits tell apart"):
        l1_error(Target([Exponential(), sliver]), LinearRNN([("1", "1")]))


@pytest.mark.parametrize(
    ("kernel", "norm"),
    [
        (Gaussian(lag="3000"), math.sqrt(2 * math.pi)),
        (Gaussian(lag="30", width="1/100"), math.sqrt(2 * math.pi) / 100),
        (Box(start="1000", end="1001"), 1.0),
        (Exponential("1", "10", lag="1000"), 0.1),
        (Gaussian(0), 0.0),
    ],
)
def test_what_is_short_and_late_is_found(kernel, norm):
    with flint.ctx.workprec(200):
        ball = absolute_integral([kernel], (), 5)
        assert abs(float(ball.mid()) - norm) <= float(ball.rad()) + 1e-14 and float(ball.rad()) <= 1e-5 * norm


def test_a_wrong_count_of_sign_changes_proves_nothing(monkeypatch):
    """Balls decide: were the bound believed to be 2 lower, a missed pair could go unseen, so counts must match."""
    target, network = Target([PowerLaw()]), balanced_truncation(Target([PowerLaw()]), 2)
    whole = l1_error(target, network)
    assert (whole.changes, whole.method) == (4, "sign changes")
    float_changes = module.float_changes
    monkeypatch.setattr(module, "float_changes", lambda *given: (-float_changes(*given)[0], float_changes(*given)[1]))
    assert l1_error(target, network).method == "Taylor cells"  # the wrong first sign is found out
    monkeypatch.setattr(
        module, "float_changes", lambda *given: (float_changes(*given)[0], float_changes(*given)[1][:2])
    )
    assert l1_error(target, network).method == "Taylor cells"  # and so are two changes too few
    monkeypatch.setattr(
        module, "float_changes", lambda *given: (float_changes(*given)[0], float_changes(*given)[1][[0, 1, 0, 3]])
    )
    assert l1_error(target, network).method == "Taylor cells"  # and one that is counted twice, its signs all right


def test_wide_brackets_make_a_wide_ball():
    kernel, network = mixture([PowerLaw()]), balanced_truncation(Target([PowerLaw()]), 2)
    found = l1_error(Target([PowerLaw()]), network, digits=20)
    with Arb(60).working():
        a, w = (np.array([float(x) for x in each]) for each in (network.amplitudes, network.rates))
        first, changes = float_changes(ErrorCurve(kernel, Float64()), a, w)
        ball = module._ball(ErrorCurve(kernel, Arb(60)), network, first, changes, 2)  # of a per cent
        assert ball.contains(flint.arb(found.lower).union(flint.arb(found.upper)))


def test_a_change_at_once_is_seen():
    found = l1_error(Target([Exponential()]), LinearRNN([(1 + Fraction(1, 10**7), "2")]))  # near t = 1e-7
    assert found.changes == 1


def of_cell(error, lower, upper, allowed):
    """The ball of one Taylor cell."""
    with Series(40).working():
        return _cell(error, flint.arb(lower), flint.arb(upper), flint.arb(allowed))


def test_what_a_polynomial_leaves_out_is_in_the_ball_of_its_cell():
    # 300 + cos 1000 t over 12 e-folds of its phase: the sixteenth term is a tenth of the oscillation
    exact = 300 * 0.012 + (math.sin(12) - math.sin(0)) / 1000
    ball = of_cell(lambda t: 300 + (1000 * t).cos(), 0, 0.012, 1)
    assert abs(float(ball.mid()) - exact) <= float(ball.rad()) < 0.01


@pytest.mark.parametrize("root", ["0.3", "1.9999999999", "2e-10"])
def test_a_root_near_the_end_of_a_cell(root):
    root = flint.arb(root)
    ball = of_cell(lambda t: t - root, 0, 2, "1e-20")
    with flint.ctx.workprec(300):
        assert ball.contains((root**2 + (2 - root) ** 2) / 2) and float(ball.rad()) < 1e-13


def test_two_roots_in_a_cell_are_not_overlooked():
    # 0.9 x^2 + x + 1/4, x = t - 1: positive at both ends of [0, 2] and negative between its roots
    assert of_cell(lambda t: flint.arb("0.9") * (t - 1) ** 2 + (t - 1) + flint.arb("0.25"), 0, 2, "1e-20") is None


def test_what_lies_beyond_may_add_or_cancel():
    known, unknown = lambda T: (flint.arb(1), 1), tail_bound(Expression("exp(-t)*cos(t)"))
    with flint.ctx.workprec(100):
        bound, sign = unknown(2.0)
        assert sign == 0 and 0.05 < float(bound) < 0.5  # int_2^inf e^{-t} |cos t| is 0.09
        together = _beyond([(-1, known), (1, unknown)], 2.0)
        assert together.contains(1 + bound.mid()) and together.contains(1 - bound.mid())
        assert float(_beyond([(-1, known), (1, lambda T: (flint.arb(0.25), 1))], 2.0).lower()) == pytest.approx(0.75)


def test_a_far_end_is_that_of_the_ball():
    with flint.ctx.workprec(100):
        below, above = map(float, rounded_outward(flint.arb(2, 0.5), 4))
    assert below <= 1.5 and above >= 2.5


def test_an_irrational_rate_is_a_number_like_any_other():
    found = l1_error(Target([Exponential()]), LinearRNN([("1", sp.sqrt(2))]), digits=20)
    assert sp.Rational(found.lower) <= 1 - 1 / sp.sqrt(2) <= sp.Rational(found.upper)
    assert float(found.upper) - float(found.lower) < 1e-15 and found.guarantee == "enclosed"


def test_the_target_itself_has_no_error():
    network = LinearRNN([("1", "1"), ("1/3", "2")])
    target = Target([Exponential("1/3", "2"), Exponential("2/3", "1"), Exponential("1/3", "1")])
    assert l1_error(target, network).as_dict() == {
        "lower": "0",
        "upper": "0",
        "guarantee": "exact",
        "method": "the target itself",
        "changes": 0,
    }


def test_complex_pairs_cancel_too():
    target = Target([Expression("exp(-t)*cos(3*t)")])
    found = l1_error(target, of_modes([Mode("1", "0", "1", "3.001")]))
    # |cos 3t - cos 3.001t| ~ t |sin 3t|/1000: int t e^{-t} |sin 3t| is near 2/pi.
    assert float(found.upper) == pytest.approx(1e-3 * 2 / np.pi, rel=0.1)
    assert float(found.upper) - float(found.lower) < 1e-3 * float(found.upper)


def test_decimals_are_rounded_outward():
    with flint.ctx.workprec(100):
        below, above = rounded_outward(flint.arb(2).sqrt(), 5)
    assert (below, above) == ("1.4142", "1.4143")
    assert rounded_outward(flint.arb(0, 1), 3)[0] == "0"


def test_bad_input_is_refused():
    target, network = Target([PowerLaw()]), LinearRNN([("1", "1")])
    with pytest.raises(ValueError, match="digits must be from 2"):
        l1_error(target, network, digits=1)
    with pytest.raises(TypeError, match="digits must be an int"):
        l1_error(target, network, digits=2.5)
    with pytest.raises(ValueError, match="one input"):
        l1_error(Target([PowerLaw(input=2)]), network)
    with pytest.raises(ValueError, match="blocks"):
        l1_error(target, DenseRNN([["-1", "2"], ["1", "-3"]], [["1"], ["0"]], ["1", "0"]))


def test_the_precision_of_the_caller_is_left_alone():
    before = flint.ctx.prec, flint.ctx.cap
    l1_error(Target([Gaussian(lag="2")]), LinearRNN([("1", "1")]), digits=3)
    assert (flint.ctx.prec, flint.ctx.cap) == before
