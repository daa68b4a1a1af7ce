"""The coincided start: projections, integral and law against quadrature, invariances, and where it does not apply."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb
from numerics.compiling import evaluate
from oracles import ball, integral, long_enough, raw_terms, rho
from strategies import GAUSSIANS, RATES
from theory.coincidence import Coincidence, NotCoincided, coincidence, drift_integral
from theory.kernels import Exponential, Gaussian
from theory.latex import align
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import agree, encloses, working

SHARED = ((Fraction(1, 2), 1), (Fraction(1, 2), Fraction(13, 10)))
BUMP = Gaussian(lag="16")
TERMS = (Exponential(), BUMP)


def problem(units=SHARED, terms=TERMS, drop="0.02", **kwargs):
    return Problem(Target(terms), LinearRNN(units), drop, **kwargs)


def laguerre(k, x):
    """L_k by its three-term recurrence."""
    before, here = 0 * x, 1 + 0 * x
    for n in range(k):
        before, here = here, ((2 * n + 1 - x) * here - n * before) / (n + 1)
    return here


@settings(max_examples=12, derandomize=True, deadline=None)
@given(bump=st.lists(GAUSSIANS, min_size=1, max_size=2), rate=RATES, k=st.integers(0, 4))
@example(bump=[BUMP], rate=Fraction(1), k=3)
def test_projections_are_inner_products_with_laguerre_functions(bump, rate, k):
    """Rejects L_k(2t) for a rate other than 1, a norm without sqrt(2w*), and any sign of a derivative of B."""
    terms = raw_terms(bump)

    def integrand(t, _):
        x = 2 * ball(rate) * t
        return rho(terms, t) * laguerre(k, x) * (-x / 2).exp()

    direct = integral(integrand, long_enough(terms, shift=rate))
    arithmetic = Arb(60)
    with arithmetic.working():
        found = evaluate(Coincidence(Exponential(1, rate), tuple(bump), sp.Integer(0)).projection(k), arithmetic)
        assert encloses(found / evaluate(sp.sqrt(2 * sp.Rational(rate)), arithmetic), direct, 25, scale=1)


@pytest.mark.parametrize("p", ["1/1000", "1/3", "551/1000", "1"])
def test_the_integral_of_the_drift(p):
    """At 1/1000 the closed form cancels six digits; rejects any other power, p^{5/2} 2/5 there too."""
    ctx = working(25)
    end = ctx.mpf(Fraction(p).numerator) / Fraction(p).denominator
    direct = ctx.quad(lambda q: (q * (1 - q)) ** 1.5, [0, end / 2, end])
    assert agree(drift_integral(sp.Rational(p)), direct, 20)


def test_the_integral_is_differentiated_back():
    p = sp.Symbol("p")
    integrand = (p * (1 - p)) ** sp.Rational(3, 2)
    assert sp.simplify(sp.diff(drift_integral(p), p) / integrand) == 1
    assert drift_integral(sp.Integer(0)) == 0


def value(expression):
    arithmetic = Arb(60)
    with arithmetic.working():
        return evaluate(expression, arithmetic)


@pytest.mark.parametrize("units", [SHARED, SHARED[::-1]], ids=["in order", "permuted"])
def test_the_law_is_the_one_of_the_page_of_mathematics(units):
    """16 sqrt2 I / (|P_3| (4 sqrt2 P_2)^{3/2}) at a* = w* = 1, every part by mpmath's quadrature."""
    ctx = working(30)
    marks = [0, *range(4, 29, 4)]

    def projected(k):
        weight = lambda t: ctx.sqrt(2) * ctx.laguerre(k, 0, 2 * t) * ctx.exp(-t)
        return ctx.quad(lambda t: ctx.exp(-((t - 16) ** 2) / 2) * weight(t), marks)

    p0 = ctx.mpf(11) / 20
    drifted = ctx.quad(lambda q: (q * (1 - q)) ** 1.5, [0, p0 / 2, p0])
    by_hand = 16 * ctx.sqrt(2) * drifted / (abs(projected(3)) * (4 * ctx.sqrt(2) * projected(2)) ** 1.5)
    assert agree(value(coincidence(problem(units)).coincided_time("11/20")), by_hand, 20)


@pytest.mark.parametrize("amplitude", ["7/2", "-2"])
def test_the_law_scales_like_the_flow(amplitude):
    """t -> t/3 makes every rate 3 times as large and J a third, so tau is 3 times as long (rates hardly move);
    amplitudes times c make J and |theta'|^2 c^2 times as large, so tau stays."""
    plain = coincidence(problem()).coincided_time("11/20")
    c = sp.Rational(amplitude)
    units = tuple((c * a, 3 * w) for a, w in SHARED)
    terms = (Exponential(c, 3), Gaussian(c, "1/3", "16/3"))
    scaled = coincidence(problem(units, terms, c**2 / 150)).coincided_time("11/20")
    assert agree(value(scaled / plain), 3, 40)


def test_the_time_is_the_integral_of_the_drift():
    here, ctx = coincidence(problem()), working(20)
    p = sp.Rational(1, 5)
    one = ctx.mpf(value(here.drift(p) * (p * (1 - p)) ** sp.Rational(3, 2)).str(40, radius=False))
    waited = ctx.quad(lambda q: (q * (1 - q)) ** 1.5 / -one, [0, 0.2, 0.4])
    assert agree(value(here.coincided_time("2/5")), waited, 15)


def test_the_first_drop_is_that_of_merging():
    """For a bump far away the start loses all its distance from rho_bar, int (e^{-t} - e^{-1.3t})^2 / 4 dt."""
    far = coincidence(problem(terms=(Exponential(), Gaussian(lag="200")))).first_drop
    distance = (Fraction(1, 2) - 2 * Fraction(10, 23) + Fraction(10, 26)) / 4
    assert agree(value(far), distance, 40)


def test_the_first_drop_knows_what_merged_units_see_of_the_bump():
    """The start's distance less the part of a near bump that e^{-t}, t e^{-t}, t^2 e^{-t} cannot reach.

    The Gram matrix of these is n! / 2^{n+1}, n the sum of both powers. Rejects one function too few.
    """
    ctx = working(40, guard=0)
    b = lambda t: ctx.exp(-((t - 4) ** 2) / 2)
    apart = lambda t: (ctx.exp(-ctx.mpf(13) / 10 * t) - ctx.exp(-t)) / 2
    pieces = [0, 2, 4, 6, 10, 20, 60, 120]
    gram = ctx.matrix(3, 3)
    for n in range(3):
        for k in range(3):
            gram[n, k] = ctx.factorial(n + k) / ctx.mpf(2) ** (n + k + 1)
    seen = ctx.matrix([ctx.quad(lambda t, n=n: t**n * ctx.exp(-t) * b(t), pieces) for n in range(3)])
    reached = (seen.T * ctx.lu_solve(gram, seen))[0]
    start = ctx.quad(lambda t: apart(t) ** 2 - 2 * apart(t) * b(t), pieces)
    found = coincidence(problem(terms=(Exponential(), Gaussian(lag="4")))).first_drop
    assert agree(value(found), start + reached, 20)


def test_statements_say_what_the_code_computes():
    here = coincidence(problem())
    _, drift, law, two, three = here.statements()
    known = {two.left: two.right, three.left: three.right, sp.Symbol("p"): sp.Rational(1, 3)}
    assert agree(value(drift.right.subs(known)), value(here.drift(sp.Rational(1, 3))), 40)
    (waited,) = law.right.atoms(sp.Integral)
    assert agree(sp.N(waited.subs(sp.Symbol("p_0"), 1), 20), sp.N(drift_integral(sp.Integer(1)), 20), 15)
    closed = law.right.subs(waited, drift_integral(sp.Rational(1, 3))).subs(known)
    assert agree(value(closed), value(here.coincided_time("1/3")), 40)
    assert r"\tag{U4}" in align(here.statements()) and r"\tau_{0} \sim" in here._repr_latex_()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"units": (*SHARED, (0, 2))}, "two units"),
        ({"terms": (Exponential(), Exponential(1, 2), BUMP)}, "it has two or more"),
        ({"terms": (BUMP,)}, "it has none"),
        ({"terms": (Exponential(),)}, "no bump"),
        ({"units": ((1, 1), (0, "0.7"))}, "unit 1 has 0"),
        ({"units": (("-0.5", 1), (1, "1.3"))}, "unit 0 has -1/2, the exponential 1"),
        ({"units": (("1/2", "1.3"), ("1/2", "1.3"))}, "start alike"),
        ({"units": (("1/3", 1), ("2/3", 1))}, "start merged"),
        ({"horizon": "40"}, "infinite horizon, not for 40"),
    ],
)
def test_where_it_does_not_apply_it_says_why(changed, reason):
    with pytest.raises(NotCoincided, match=reason):
        coincidence(problem(**changed))


def test_one_rate_but_not_alike_will_part_and_merge_again():
    assert coincidence(problem((("1/3", "1.2"), ("2/3", "1.2")))) is not None


@pytest.mark.parametrize("share", ["0", "3/2", "-1/2"])
def test_a_share_outside_is_refused(share):
    with pytest.raises(ValueError, match="share must be > 0 and <= 1"):
        coincidence(problem()).coincided_time(share)


def test_a_float_share_is_refused_and_a_symbol_is_not():
    p0 = sp.Symbol("p_0", positive=True)
    assert coincidence(problem()).coincided_time(p0).has(p0)
    with pytest.raises(TypeError, match=r"share must be exact, got the float 0\.55"):
        coincidence(problem()).coincided_time(0.55)
