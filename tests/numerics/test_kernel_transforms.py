"""R, R', R'' of every kind of kernel, at both kinds of horizon, compiled in each arithmetic, against quadrature."""

from fractions import Fraction
from itertools import combinations_with_replacement

import flint
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.compiling import bind, evaluate
from oracles import laplace_by_quadrature, overlap_by_quadrature, raw_term, tail_by_quadrature
from strategies import CLOSED_KERNELS
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.overlaps import overlap
from tolerances import agree

s = sp.Symbol("s", positive=True)
ARB, MPMATH, FLOAT64 = Arb(55), Mpmath(55), Float64()
SLOW_AND_FAST = [Fraction(1, 1000), Fraction(1, 3), Fraction(121, 3)]
HORIZONS = [sp.oo, sp.Rational(1, 3), sp.Integer(5)]  # 5 is later than every lag below but one
SAMPLES = {
    "exponential": Exponential("2", "0.7"),
    "exponential later": Exponential("-1", "1/3", "4"),
    "gaussian": Gaussian("2", "3/2", "4"),
    "gaussian before the start": Gaussian("1", "1/2", "-2"),
    "gaussian beyond the horizon": Gaussian("1", "1", "30"),
    "box": Box("3/2", "1/7", "7/2"),
    "box later": Box("1", "0", "3", "7/3"),
    "erlang": Erlang("1", 3, "1/2"),
    "erlang later": Erlang("2", 2, "3/2", "3"),
    "power-law": PowerLaw("1", "1/2"),
    "power-law later": PowerLaw("2", "5/3", "3"),
    "airy": Airy("1", "3/2", "2", "1"),
    "expression": Expression("exp(-t)*cos(3*t)"),
    "expression with a branch cut": Expression("sqrt(t+1)*exp(-2*t)"),
    "expression later": Expression("exp(-t)/(t^2+1)", "2"),
}
EVERY_KIND = pytest.mark.parametrize("kernel", SAMPLES.values(), ids=list(SAMPLES))
EVERY_HORIZON = pytest.mark.parametrize("horizon", HORIZONS, ids=lambda T: f"T={T}")


def jets(kernel, horizon, points, arithmetic):
    """(R, R', R'') at each point, shape (points, 3)."""
    with arithmetic.working():
        R = kernel.laplace(s, horizon)
        program = bind((s,), [sp.diff(R, s, n) for n in range(3)], arithmetic)
        values = program(arithmetic.array(map(sp.Rational, points)))
        return np.array([np.broadcast_to(np.asarray(each), len(points)) for each in values], dtype=object).T


def finite(horizon):
    return None if horizon is sp.oo else Fraction(int(horizon.p), int(horizon.q))


def direct_jet(kernel, horizon, point):
    with flint.ctx.workprec(250):
        moments = [laplace_by_quadrature([raw_term(kernel)], point, n, finite(horizon)) for n in range(3)]
        return [moments[0], -moments[1], moments[2]]


@EVERY_HORIZON
@EVERY_KIND
def test_transforms_are_the_integrals_they_claim_to_be(kernel, horizon):
    # Relative, however small: rejects a rest of the kernel subtracted where it is nearly all of it.
    points = SLOW_AND_FAST[1:] if isinstance(kernel, PowerLaw) and horizon is sp.oo else SLOW_AND_FAST
    in_balls, in_float64 = (jets(kernel, horizon, points, each) for each in (ARB, FLOAT64))
    for point, balls, floats in zip(points, in_balls, in_float64, strict=True):
        for found, rough, direct in zip(balls, floats, direct_jet(kernel, horizon, point), strict=True):
            assert agree(found, direct, digits=40)
            assert agree(rough, direct, digits=12)


@pytest.mark.parametrize("name", ["gaussian", "box later", "erlang", "power-law", "expression later"])
def test_mpmath_agrees(name):
    for horizon in (sp.oo, sp.Integer(5)):
        found, balls = (jets(SAMPLES[name], horizon, [Fraction(2, 7)], each)[0] for each in (MPMATH, ARB))
        assert all(agree(x, y, digits=40) for x, y in zip(found, balls, strict=True))


@settings(max_examples=12, derandomize=True)
@given(CLOSED_KERNELS, st.sampled_from([*HORIZONS, sp.Rational(1, 100)]), st.fractions(0, 8, max_denominator=6))
def test_closed_transforms_of_any_numbers(kernel, horizon, point):
    for arithmetic, digits in ((ARB, 40), (FLOAT64, 12)):
        [found] = jets(kernel, horizon, [point], arithmetic)
        assert all(agree(x, y, digits) for x, y in zip(found, direct_jet(kernel, horizon, point), strict=True))


@EVERY_KIND
def test_slow_rates_leave_the_moments_of_a_finite_horizon(kernel):
    # R -> int rho, R' -> -int t rho, R'' -> int t^2 rho: all digits, where s T = 1e-8 and closed forms would have 0/0.
    T, point = sp.Rational(1, 3) + kernel.support[0], Fraction(1, 10**8)
    [found] = jets(kernel, T, [point], FLOAT64)
    assert all(agree(x, y, digits=12) for x, y in zip(found, direct_jet(kernel, T, point), strict=True))


@pytest.mark.parametrize("horizon", [sp.Integer(30)])
@pytest.mark.parametrize("name", ["gaussian", "exponential", "erlang", "airy", "expression"])
def test_a_long_horizon_is_an_infinite_one(name, horizon):
    # What is cut falls like the kernel's own tail, so the two differ, but by no more than that.
    kernel = SAMPLES[name]
    with ARB.working():
        gap = abs(jets(kernel, sp.oo, [Fraction(1)], ARB)[0, 0] - jets(kernel, horizon, [Fraction(1)], ARB)[0, 0])
        left = abs(tail_by_quadrature(raw_term(kernel), Fraction(int(horizon)))) * flint.arb(-int(horizon)).exp()
        assert gap < 2 * left + flint.arb(10) ** -50
        assert gap > left / 100 or left < flint.arb(10) ** -45


NONNEGATIVE = [name for name, kernel in SAMPLES.items() if name not in ("exponential later", "airy", "expression")]


@EVERY_HORIZON
@pytest.mark.parametrize("name", NONNEGATIVE)
def test_transforms_of_nonnegative_kernels_are_completely_monotone(name, horizon):
    kernel = SAMPLES[name]
    R = kernel.laplace(s, horizon)
    if R == 0:
        pytest.skip("the kernel begins after the horizon")
    with ARB.working():
        for point in SLOW_AND_FAST:
            values = bind((s,), [sp.diff(R, s, n) for n in range(4)], ARB)(ARB.number(sp.Rational(point)))
            moments = [(-1) ** n * value for n, value in enumerate(values)]
            assert all(moment > 0 for moment in moments)  # proved: the whole ball is
            assert moments[0] * moments[2] > moments[1] ** 2  # Cauchy-Schwarz, also proved
            assert moments[1] * moments[3] > moments[2] ** 2


def test_a_kernel_that_changes_sign_is_not_completely_monotone():
    [(_, slope, _)] = jets(SAMPLES["expression"], sp.oo, [Fraction(1, 10)], ARB)
    assert slope > 0  # so the signs above say something


ONE_OF_EACH = ("exponential later", "gaussian", "box", "erlang", "power-law", "airy", "expression", "expression later")
FEW = [SAMPLES[name] for name in ONE_OF_EACH]


@pytest.mark.parametrize(("p", "q"), list(combinations_with_replacement(FEW, 2)), ids=lambda kernel: kernel.kind)
def test_overlaps_of_all_pairs_of_kinds(p, q):
    for at in (Fraction(0), Fraction(1, 3)):
        exact = overlap(p, q, sp.Rational(at), sp.Integer(5))
        direct = overlap_by_quadrature(raw_term(p), raw_term(q), at, Fraction(5))
        for arithmetic, digits in ((ARB, 40), (FLOAT64, 12)):
            with arithmetic.working():
                assert agree(evaluate(exact, arithmetic), direct, digits)  # rejects a lag, or a factor e^{wL}, lost


@pytest.mark.slow
@pytest.mark.parametrize(("p", "q"), list(combinations_with_replacement(FEW, 2)), ids=lambda kernel: kernel.kind)
def test_overlaps_of_all_pairs_of_kinds_without_a_horizon(p, q):
    for at in (Fraction(0), Fraction(1, 3)):
        exact = overlap(p, q, sp.Rational(at))
        direct = overlap_by_quadrature(raw_term(p), raw_term(q), at)
        for arithmetic, digits in ((ARB, 40), (FLOAT64, 12)):
            with arithmetic.working():
                assert agree(evaluate(exact, arithmetic), direct, digits)


@pytest.mark.parametrize("horizon", [sp.oo, sp.Integer(4)])
@EVERY_KIND
def test_squared_norms(kernel, horizon):
    arithmetic = Arb(18)
    raw = raw_term(kernel)
    with arithmetic.working():
        found = evaluate(overlap(kernel, kernel, 0, horizon), arithmetic)
    assert agree(found, overlap_by_quadrature(raw, raw, Fraction(0), finite(horizon)), digits=15)


@EVERY_KIND
def test_tails_are_the_integrals_they_claim_to_be(kernel):
    reach = kernel.reach
    for T in (reach, reach + sp.Rational(1, 7), reach + 3):
        exact = kernel.tail(T)
        if exact is None:
            pytest.skip("no closed tail of this kind")
        direct = tail_by_quadrature(raw_term(kernel), finite(T))
        with ARB.working():
            assert agree(evaluate(exact, ARB), abs(direct), digits=40)
