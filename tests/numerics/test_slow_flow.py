"""Slow flow: P, N and the fast drop against projections of functions on t, the integral against mpmath, references."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from mpmath.calculus.quadrature import GaussLegendre
from scipy.integrate import quad, solve_ivp

from numerics import slow_flow
from numerics.arithmetic import Arb
from numerics.compiling import bind
from numerics.slow_flow import drop_from_fraction, leading_order, reachable_drop, slow_escape_time
from numerics.slow_path import SlowPath
from theory.kernels import Exponential, Gaussian
from theory.plateau import Plateau, plateau, w
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree, number, working


def pair(lag, drop="0.05", spares=("0.7",), **bump):
    """e^{-t} and a bump at `lag`, from the fit, with spares of amplitude 0."""
    target = Target([Exponential(), Gaussian(lag=lag, **bump)])
    return Problem(target, LinearRNN([("1", "1"), *(("0", spare) for spare in spares)]), drop)


BITS = 160
EXP = np.frompyfunc(flint.arb.exp, 1, 1)


class Projections:
    """Oracle for (P1)-(P3): functions sampled on a composite Gauss-Legendre grid over t, least squares by Gram-Schmidt.

    Good to about 25 digits for rates >= 1/2 and bumps of width >= 1 that end before t = 50. Raw rationals in; use
    inside flint.ctx.workprec(BITS).
    """

    def __init__(self, matched, others, bump):
        ctx = working(30)
        nodes = GaussLegendre(ctx).calc_nodes(4, ctx.prec)  # 24 a panel of length 1
        x, weights = (np.array([flint.arb(str(pair[i])) for pair in nodes]) for i in (0, 1))
        self.t = np.concatenate([panel + (1 + x) / 2 for panel in range(70)])
        self.weights = np.concatenate([weights / 2] * 70)
        self.basis = []
        for rate in matched:
            self._add(self._decay(rate))
            self._add(self.t * self._decay(rate))
        for rate in others:
            self._add(self._decay(rate))
        self.bump = sum(A * EXP(-(((self.t - L) / s) ** 2) / 2) for A, s, L in bump)
        self.fast_drop = sum(self._dot(q, self.bump) ** 2 for q in self.basis)

    def _decay(self, rate):
        return EXP(-ball(rate) * self.t)

    def _dot(self, f, g):
        return (f * g * self.weights).sum()

    def _without_basis(self, f):
        for q in self.basis:
            f = f - self._dot(q, f) * q
        return f

    def _add(self, f):
        f = self._without_basis(self._without_basis(f))
        self.basis.append(f / self._dot(f, f).sqrt())

    def at(self, rate):
        """P, N, P', N' at a rate."""
        decay = self._decay(rate)
        slope, left = -self.t * decay, self._without_basis(decay)
        inner = self._dot
        return (
            inner(left, self.bump),
            inner(left, left),
            inner(self._without_basis(slope), self.bump),
            2 * inner(left, slope),
        )

    def slope(self, rate):
        """d/dw (P^2/N)."""
        P, N, dP, dN = self.at(rate)
        return 2 * P * dP / N - P**2 * dN / N**2


def ball(value):
    return flint.arb(flint.fmpq(value.numerator, value.denominator)) if isinstance(value, Fraction) else value


CASES = {
    "one exponential": ((Fraction(1),), (), Fraction(7, 10), [(1, 1, 10)]),
    "two exponentials": ((Fraction(1), Fraction(3, 2)), (), Fraction(3, 5), [(2, 1, 12)]),
    "another spare": ((Fraction(1),), (Fraction(4, 5),), Fraction(7, 10), [(1, 1, 9)]),
    "a slower matched rate than another spare, two bumps": (
        (Fraction(1), Fraction(9, 10)),
        (Fraction(2), Fraction(19, 20)),
        Fraction(1, 2),
        [(1, 1, 8), (-3, 2, 14)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_P_and_N_are_least_squares_projections(case):
    # 20 digits reject every wrong sign or power in (P3); N with squares for fourth powers is off by a factor
    matched, others, spare, bump = CASES[case]
    kernels = tuple(Gaussian(A, width, lag) for A, width, lag in bump)
    here = Plateau(tuple(map(sp.Rational, matched)), kernels, sp.Rational(spare), tuple(map(sp.Rational, others)))
    with flint.ctx.workprec(BITS):
        oracle = Projections(matched, others, bump)
        assert agree(here.fast_drop, oracle.fast_drop, digits=20)
        for rate in (spare, spare * Fraction(6, 7)):
            found = (here.projection, here.norm, *here.slopes)
            for expression, expected in zip(found, oracle.at(rate), strict=True):
                assert agree(expression.subs(w, sp.Rational(rate)), expected, digits=20)


def test_the_slopes_are_derivatives():
    for problem in (pair("15"), pair("15", spares=("0.8", "0.7", "0.6"))):
        here = plateau(problem)
        exact = (sp.diff(here.projection, w), sp.diff(here.norm, w))
        for short, long in zip(here.slopes, exact, strict=True):
            at = {w: sp.Rational(3, 10)}
            assert agree(short.subs(at), number(long.subs(at), working(40))[0], digits=30)


def test_P_and_N_are_regular_where_the_spare_meets_a_unit():
    here = plateau(pair("10", spares=("0.7", "0.8")))
    for rate in (1, sp.Rational(4, 5)):
        assert agree(here.projection.subs(w, rate), 0, digits=40, scale=1)
        assert here.norm.subs(w, rate) == 0


def integral_by_mpmath(lag, spare, drop, digits):
    """Oracle for (M14), e^{-t} and a unit bump: the closed P of one exponential, numerical derivatives, tanh-sinh."""
    ctx = working(digits, guard=16)
    lag, spare, drop = (ctx.mpf(each) for each in (lag, spare, drop))

    def B(s):
        return ctx.sqrt(ctx.pi / 2) * ctx.exp(s * s / 2 - s * lag) * ctx.erfc((s - lag) / ctx.sqrt(2))

    B1, dB1 = B(ctx.mpf(1)), ctx.diff(B, 1, h=ctx.mpf(10) ** -(digits // 2 + 10))

    def gain(s):
        P = B(s) - 4 * s / (1 + s) ** 2 * B1 + 4 * (1 - s) / (1 + s) ** 2 * dB1
        return P**2 * 2 * s * ((1 + s) / (1 - s)) ** 4

    def slope(s):
        h = ctx.mpf(10) ** -(digits // 4 + 5)
        return (8 * (gain(s + h) - gain(s - h)) - gain(s + 2 * h) + gain(s - 2 * h)) / (12 * h)

    # ||proj_V b||^2 through the orthonormal sqrt2 e^{-t}, sqrt2 (1 - 2t) e^{-t}
    fast = 2 * B1**2 + 2 * (B1 + 2 * dB1) ** 2
    end = ctx.findroot(lambda s: ctx.log(gain(s) / (drop - fast)), (1 / lag, 3 / lag), solver="anderson")
    marks = [end, *(spare - (spare - end) * ctx.mpf(2) ** -k for k in range(1, 6)), spare]
    return ctx.quad(lambda s: -1 / slope(s), marks)


@pytest.mark.parametrize(("lag", "spare", "drop"), [("20", "0.7", "0.05"), ("60", "0.4", "0.01")])
def test_the_integral_agrees_with_mpmath(lag, spare, drop):
    # rejects a wrong sign in P, N or (F1); a level without ||proj_V b||^2 only in the next test
    found = slow_escape_time(pair(lag, drop, (spare,)), digits=14)
    assert found.digits == 14 and found.guarantee == "estimated"
    assert agree(found.value, integral_by_mpmath(lag, spare, drop, 14), digits=13)


def test_the_integral_agrees_with_projections_where_the_fast_drop_counts():
    # ||proj_V b||^2 is 1 % of the drop here: a level without it changes the second digit of tau
    with flint.ctx.workprec(BITS):
        oracle = Projections([Fraction(1)], [], [(1, 1, 10)])
        spare, drop = flint.arb(7) / 10, flint.arb(6) / 25

        def reached(rate):
            P, N, _, _ = oracle.at(rate)
            return P**2 / N + oracle.fast_drop > drop

        low, high = flint.arb(3) / 20, spare
        assert reached(low) and not reached(high)
        for _ in range(50):
            middle = ((low + high) / 2).mid()
            low, high = (middle, high) if reached(middle) else (low, middle)
        nodes = GaussLegendre(working(20)).calc_nodes(5, 100)
        half, centre = (spare - high) / 2, (spare + high) / 2
        points = [(flint.arb(str(x)), flint.arb(str(weight))) for x, weight in nodes]
        expected = half * sum(-weight / oracle.slope(centre + half * x) for x, weight in points)
        found = slow_escape_time(pair("10", "0.24"), digits=12)
        assert agree(found.value, expected.mid(), digits=10)


def time_on_samples(lag, spares, drop):
    """Oracle for (P5), e^{-t} and a unit bump: sampled functions, least squares, time as the clock, in float64.

    With the residual r of the least-squares fit and its amplitudes a, w_l' = 2 a_l <r, -t e^{-w_l t}>.
    """
    x, weights = np.polynomial.legendre.leggauss(16)
    t = np.concatenate([2 * panel + 1 + x for panel in range(50)])
    root = np.sqrt(np.tile(weights, 50))
    bump = np.exp(-((t - lag) ** 2) / 2) * root

    def fitted(rates):
        decays = np.exp(-np.outer(t, rates)) * root[:, None]
        basis = np.column_stack([np.exp(-t) * root, t * np.exp(-t) * root, decays])
        amplitudes = np.linalg.lstsq(basis, bump)[0]
        return amplitudes[2:], decays, bump - basis @ amplitudes

    def speeds(_, rates):
        amplitudes, decays, residual = fitted(rates)
        return 2 * amplitudes * (residual @ (-t[:, None] * decays))

    def missing(_, rates):
        return bump @ bump - fitted(rates)[2] @ fitted(rates)[2] - drop

    missing.terminal = True
    run = solve_ivp(speeds, (0, 1e4), spares, "DOP853", events=missing, rtol=1e-11, atol=1e-13)
    return run.t_events[0][0], run.y[:, -1]


@pytest.mark.parametrize(
    ("lag", "spares", "drop"),
    [("12", ("0.7", "0.8"), "0.19"), ("12", ("0.6", "0.8", "1.5"), "0.2"), ("14", ("0.7", "0.72"), "0.1")],
)
def test_all_spares_move_together(lag, spares, drop):
    # the slowest alone, the others standing still, takes 9 % longer or more; see also the next test
    found = slow_escape_time(pair(lag, drop, spares), digits=12)
    time, _ = time_on_samples(float(lag), [float(rate) for rate in spares], float(drop))
    assert agree(found.value, time, digits=8)


def test_the_gain_of_several_spares_is_a_squared_projection():
    here = plateau(pair("12", spares=("0.6", "0.8", "1.5")))
    with flint.ctx.workprec(BITS):
        oracle = Projections([Fraction(1)], [Fraction(3, 5), Fraction(4, 5), Fraction(3, 2)], [(1, 1, 12)])
        path = SlowPath(here, Arb(45))
        assert agree(path.fast_drop + path.gain(path.rates), oracle.fast_drop, digits=20)


def standing_still(here, lag):
    """The time that the slowest spare, of rate 3/5, takes beside others that stand still: a ball, but to 10 digits."""
    slope = bind((w,), [here.gain_slope], Arb(45))
    shrunk = (flint.arb(6 * lag) / 5).exp()

    def step(x):
        return float(-1 / (slope(flint.arb(3) / 5 - flint.arb(x) / lag)[0] * lag * shrunk))

    return quad(step, 0, 20, epsabs=0, epsrel=1e-11)[0] * shrunk


def test_the_drift_of_the_other_spares_shortens_the_wait_as_predicted():
    # (P6) at L = 400 and 800 without its next power of 1/L; a sign or a factor 2 would leave its size behind
    left = []
    for lag in (400, 800):
        problem = pair(str(lag), "0.001", ("0.6", "0.7"))
        here = plateau(problem)
        with flint.ctx.workprec(BITS):
            ratio = float(flint.arb(slow_escape_time(problem, 11).value) / standing_still(here, lag))
        left.append((ratio - 1) * lag**2 / float(here.drift_correction()) - 1)
    assert abs(left[1]) < 0.05 and left[1] / left[0] == pytest.approx(0.5, abs=0.05)


# True escape times with several spares, from numerics/escape.py to 12 digits: (L, drop, spares, tau, error)
SEVERAL = [
    ("40", "1/40", ("0.7", "0.6"), "662454582006", 1.1e-5),
    ("60", "1/60", ("0.7", "0.6"), "5.33091068766e+21", 8.8e-11),
    ("40", "1/40", ("0.7", "0.69"), "3.03593061407e+13", 2.7e-6),
    ("60", "1/60", ("0.9", "0.6"), "2.84555211007e+22", 1.2e-10),
    ("200", "1/200", ("0.7", "0.69"), "5.27435394106e+106", 1e-11),
]


@pytest.mark.parametrize(("lag", "drop", "spares", "tau", "error"), SEVERAL)
def test_several_spares_are_as_good_as_one(lag, drop, spares, tau, error):
    # with the others standing still: 6 %, 3 %, 43 %, 0.3 %, 16 %
    found = Fraction(slow_escape_time(pair(lag, drop, spares)).value) / Fraction(tau) - 1
    assert abs(float(found)) < 1.1 * error


def test_other_spares_are_drawn_along_while_the_slowest_moves():
    # 2 w_1 / (L (w_2^2 - w_1^2)) times as fast, to leading order in 1/L
    for lag in (500, 1000):
        with flint.ctx.workprec(BITS):
            path = SlowPath(plateau(pair(str(lag), "0.001", ("0.6", "0.9"))), Arb(45))
            first = next(path._pieces(path.rates[0] * (1 - flint.arb(1) / 10**6)))
        ratio = (path.rates[1] - first.after[1][1]) / (path.rates[0] - first.after[1][0])
        assert float(ratio) * lag * (0.81 - 0.36) / 1.2 == pytest.approx(1, abs=15 / lag)


# True escape times of the pair, certified elsewhere, and the relative error of the integral (L, drop, tau, error).
TRUE = [
    ("12", "0.05", "137.595837321411", -0.85),
    ("16", "0.05", "2371.436286885915508431", -0.34),
    ("20", "0.05", "192126.7701435007006369265", -0.0175),
    ("24", "0.02", "28365070.2172889", -0.00092),
    ("28", "0.02", "4849456087.90459", -0.00006),
    ("30", "0.05", "65590203960.66914794305", -0.000015),
]


@pytest.mark.parametrize(("lag", "drop", "tau", "error"), TRUE)
def test_the_true_escape_time_approaches_the_integral(lag, drop, tau, error):
    # the last line rejects any constant factor, such as 2 for 4 in (F1), and any power of L
    found = Fraction(slow_escape_time(pair(lag, drop)).value) / Fraction(tau) - 1
    assert float(found) == pytest.approx(error, rel=0.02)


@pytest.mark.parametrize(
    ("lag", "drop", "start"),
    [("400", "0.002", "1.77249455e+233"), ("1000", "0.001", "1.7695e+597"), ("1000000", "1e-6", "3.178e+607995")],
)
def test_any_memory(lag, drop, start):
    mantissa, exponent = start.split("e")
    found = slow_escape_time(pair(lag, drop)).value
    assert found.startswith(mantissa) and found.endswith(f"e{exponent}")


@pytest.mark.parametrize(
    "problem",
    [
        pair("100000", "1e-5"),
        pair("20"),
        pair("100", "0.01", ("0.7", "0.6")),
        pytest.param(pair("100", "0.01", ("0.7", "0.73", "0.76")), marks=pytest.mark.slow),
    ],
    ids=["long memory", "short memory", "two spares", "three close spares"],
)
def test_the_digits_shown_are_digits(problem):
    ten, forty = (slow_escape_time(problem, digits).value for digits in (10, 40))
    assert agree(ten, forty, digits=9)
    assert len(ten.split("e")[0].replace(".", "")) == 10


def test_the_working_precision_grows_until_the_digits_are_there(monkeypatch):
    # fewer working digits than wanted to begin with: measured balls, not the guard, decide when to stop
    expected = slow_escape_time(pair("100000", "1e-5"), 60).value
    monkeypatch.setattr(slow_flow, "GUARD", -10)
    assert agree(slow_escape_time(pair("100000", "1e-5"), 40).value, expected, digits=39)


def test_a_drop_next_to_the_maximum_has_its_digits():
    # the integrand has a logarithmic singularity just outside
    twenty, forty = (slow_escape_time(pair("20", "0.14461906"), digits).value for digits in (20, 40))
    assert agree(twenty, forty, digits=19)
    assert twenty.startswith("188763.50062513480510")


def test_the_leading_order_lags_behind_as_predicted():
    # leading / integral = (1 - c/L)^2 (1 + O(1/L^2)); 4 L^2 for L^2 or e^{w0 L} for e^{2 w0 L} is far off
    for spare, c in (("0.7", 9.26), ("0.9", 22.5)):
        problem = pair("10000", "1e-5", (spare,))
        ratio = Fraction(leading_order(problem).value) / Fraction(slow_escape_time(problem).value)
        assert float(ratio) == pytest.approx((1 - c / 10000) ** 2, abs=3e-6)


def test_the_reachable_drop_is_what_the_mathematics_says():
    assert float(reachable_drop(plateau(pair("20")), 10).value) == pytest.approx(2.89 / 20, rel=1e-3)
    order = 2 * mpmath.pi / mpmath.e
    far = reachable_drop(plateau(pair("1000000")), 12)
    assert float(far.value) * 10**6 == pytest.approx(float(order), rel=1e-5)
    assert far.guarantee == "estimated"


def test_the_reachable_drop_separates_times_from_reasons():
    reach = reachable_drop(plateau(pair("20")), 12).value
    for factor, escapes in ((1 - Fraction(1, 10**8), True), (1 + Fraction(1, 10**8), False)):
        answer = slow_escape_time(pair("20", Fraction(reach) * factor))
        assert (answer.value is not None) == escapes
    assert "minimum" in answer.reason


def test_the_largest_of_several_maxima_counts():
    # a negative bump of short memory and one of long memory: P changes sign, P^2/N has two maxima
    target = Target([Exponential(), Gaussian("-1", lag="10"), Gaussian(lag="1000", amplitude="100")])
    start = LinearRNN([("1", "1"), ("0", "0.7")])
    here = plateau(Problem(target, start, "1"))
    gain = sp.lambdify(w, here.gain.replace(lambda e: hasattr(e, "closed"), lambda e: e.closed()), "mpmath")
    grid = [mpmath.mpf(7) / 10 * mpmath.mpf(97) ** k / mpmath.mpf(100) ** k for k in range(250)]
    best = max(gain(rate) for rate in grid)
    assert float(reachable_drop(here, 10).value) == pytest.approx(float(best), rel=1e-3)


def test_a_fraction_becomes_an_exact_drop():
    problem = pair("20")
    drop = drop_from_fraction(problem.target, problem.start, "0.1")
    assert drop == sp.Rational("0.0144619")  # 0.1 x 0.14461906...
    near = drop_from_fraction(pair("3").target, problem.start, "1/2")  # here ||proj_V b||^2 is most of it
    reach = reachable_drop(plateau(pair("3")), 12).value
    fast = number(plateau(pair("3")).fast_drop, working(20))[0]
    assert float(near) == pytest.approx((float(reach) + float(fast)) / 2, rel=1e-5)


@pytest.mark.parametrize("fraction", ["0", "1", "1.5", "-0.1"])
def test_a_fraction_lies_between_0_and_1(fraction):
    problem = pair("20")
    with pytest.raises(ValueError, match="fraction must be"):
        drop_from_fraction(problem.target, problem.start, fraction)


def test_a_fraction_needs_a_plateau():
    target = pair("20").target
    with pytest.raises(ValueError, match="not on the fit"):
        drop_from_fraction(target, LinearRNN([("1", "1.1"), ("0", "0.7")]), "0.1")
    with pytest.raises(ValueError, match="bump"):
        drop_from_fraction(Target([Exponential(), Gaussian("0")]), LinearRNN([("1", "1"), ("0", "0.7")]), "0.1")
    with pytest.raises(TypeError, match="exact"):
        drop_from_fraction(target, pair("20").start, 0.1)


NO_TIME = {
    "not on the fit": Problem(pair("20").target, LinearRNN([("1", "1.1"), ("0", "0.7")]), "0.05"),
    "no spare unit": Problem(pair("20").target, LinearRNN([("1", "1")]), "0.05"),
    "no bump": Problem(Target([Exponential()]), LinearRNN([("1", "1"), ("0", "0.7")]), "0.05"),
    "fast directions alone": pair("20", "1e-14"),
    "amplitudes alone": pair("20", "1e-12"),
    "slow flow ends": pair("20", "0.15"),
    "bump is zero": pair("20", "0.05", amplitude="0"),
}


@pytest.mark.parametrize("reason", NO_TIME)
def test_why_there_is_no_slow_escape_time(reason):
    answer = slow_escape_time(NO_TIME[reason])
    assert answer.value is None and answer.digits is None and reason in answer.reason


@pytest.mark.slow
def test_spares_that_are_too_close_are_refused():
    answer = slow_escape_time(pair("100", "0.01", ("0.7", "0.700001", "0.700002", "0.700003")), 8)
    assert answer.value is None and "close to each other" in answer.reason


@pytest.mark.parametrize("digits", [1, 2001])
def test_digits_out_of_range(digits):
    with pytest.raises(ValueError, match="digits must be from 2 to 2000"):
        slow_escape_time(pair("20"), digits)


@pytest.mark.parametrize("digits", [True, 20.0, "20"])
def test_digits_of_the_wrong_kind(digits):
    with pytest.raises(TypeError, match="digits must be an int"):
        slow_escape_time(pair("20"), digits)
