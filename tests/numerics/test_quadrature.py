"""Gauss-Legendre rules: the integrals they stand for, enclosed; rebuilt where s leads; what has no rule says why."""

from fractions import Fraction
from functools import lru_cache

import flint
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.complex_balls import Density, _airy
from numerics.panels import Proof, panel
from numerics.quadrature import Rule, rule
from oracles import ball
from tolerances import agree, encloses

t = sp.Symbol("t", nonnegative=True)
ZERO = sp.Integer(0)
ORACLE_BITS = 190

I = flint.acb(0, 1)


def third_root(z, analytic):
    return (z.log(analytic=analytic) / 3).exp()


def arctangent(z, analytic):
    return ((1 + I * z).log(analytic=analytic) - (1 - I * z).log(analytic=analytic)) / (2 * I)


DENSITIES = {  # |f| <= 1 each; the same formula for SymPy and, typed again, for Arb's integrator (z, analytic)
    "bump": (sp.exp(-((t - 20) ** 2) / 2), lambda z, _: (-((z - 20) ** 2) / 2).exp()),
    "airy": (sp.airyai(t - 5), lambda z, _: (z - 5).airy_ai()),
    "power law": ((1 + t) ** sp.Rational(-3, 2), lambda z, a: 1 / ((1 + z) * (1 + z).sqrt(analytic=a))),
    "cube root": ((1 + t) ** sp.Rational(-4, 3), lambda z, a: 1 / ((1 + z) * third_root(1 + z, a))),
    "wave": (sp.exp(-t) * sp.sin(5 * t), lambda z, _: (-z).exp() * (5 * z).sin()),
    "stretched": (sp.exp(-sp.sqrt(1 + t)), lambda z, a: (-(1 + z).sqrt(analytic=a)).exp()),
    "product": (sp.exp(-((t - 3) ** 2) / 2) / (1 + t) ** 3, lambda z, _: (-((z - 3) ** 2) / 2).exp() / (1 + z) ** 3),
    "step": (sp.exp(-t) * sp.tanh(4 * t - 12), lambda z, _: (-z).exp() * (4 * z - 12).tanh()),
    "turn": (sp.exp(-t) * sp.atan(9 * t - 20) / 2, lambda z, a: (-z).exp() * arctangent(9 * z - 20, a) / 2),
}
BY_NAME = pytest.mark.parametrize("name", DENSITIES)
WORK = {"float64": Float64(), "mpmath": Mpmath(30), "arb": Arb(40)}
KEPT = {"float64": 12, "mpmath": 27, "arb": 37}  # of 15, 30, 40 digits; Airy and the wave cancel two
FINE = Arb(40)
BY_ARITHMETIC = pytest.mark.parametrize("arithmetic", WORK.values(), ids=WORK)


@lru_cache
def moment(name, order, s, lower=Fraction(0), upper=None):
    """(Q1) by Arb's adaptive integrator; for upper = None, |f| <= 1 leaves Gamma(n+1, 300)/s^{n+1} beyond 300/s."""
    with flint.ctx.workprec(ORACLE_BITS):
        s, function = ball(Fraction(s)), DENSITIES[name][1]
        end = 300 / s if upper is None else ball(upper)
        tiny = flint.arb(10) ** -50
        found = flint.acb.integral(
            lambda z, a: z**order * (-s * z).exp() * function(z, a), ball(lower), end, abs_tol=tiny**8, rel_tol=tiny
        ).real
        rest = flint.arb(300).gamma_upper(flint.arb(order + 1)) / s.real ** (order + 1)
        return found if upper is not None else found + flint.arb(0, rest)


def the_rule(name, arithmetic, lower=ZERO, upper=sp.oo):
    return Rule(sp.Lambda(t, DENSITIES[name][0]), lower, upper, arithmetic)


def as_number(s, arithmetic):
    return arithmetic.number(sp.Rational(s.numerator, s.denominator))


def is_the(found, expected, arithmetic):
    digits = KEPT[arithmetic.name]
    return encloses(found, expected, digits) if arithmetic.name == "arb" else agree(found, expected, digits)


def at(density, order, s, arithmetic=FINE, lower=0, upper=sp.oo):
    """A moment of any density at one s, exact."""
    with arithmetic.working():
        integral = Rule(sp.Lambda(t, density), sp.sympify(lower), sp.sympify(upper), arithmetic)
        return integral(order, arithmetic.number(sp.Rational(s)))


@BY_ARITHMETIC
@BY_NAME
def test_moments_are_the_integrals_they_stand_for(name, arithmetic):
    integral = the_rule(name, arithmetic)
    near, far = [Fraction(1, 2), Fraction(3)], [Fraction(1, 50), Fraction(25)]
    with arithmetic.working():
        several = arithmetic.array([sp.Rational(s.numerator, s.denominator) for s in near])
        found = {(n, s): value for n in range(3) for s, value in zip(near, integral(n, several), strict=True)}
        found |= {(n, s): integral(n, as_number(s, arithmetic)) for s in far for n in (0, 3)}  # rebuilt, twice
    for (n, s), value in found.items():
        assert is_the(value, moment(name, n, s), arithmetic), (n, s)


@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    name=st.sampled_from(sorted(DENSITIES)),
    digits=st.integers(3, 12),
    order=st.integers(0, 3),
    s=st.fractions(-3, 30, max_denominator=4),
    ends=st.tuples(st.fractions(0, 12, max_denominator=3), st.fractions(1, 30, max_denominator=3)),
)
@example(name="bump", digits=5, order=0, s=Fraction(8), ends=(Fraction(1, 3), Fraction(30)))
@example(name="power law", digits=3, order=3, s=Fraction(0), ends=(Fraction(0), Fraction(12)))
@example(name="wave", digits=4, order=1, s=Fraction(-5, 2), ends=(Fraction(0), Fraction(20)))
def test_few_digits_are_enclosed_too(name, digits, order, s, ends):
    """Here the rule is so coarse that a bound too small would show."""
    lower, upper = ends[0], sum(ends)
    integral = the_rule(name, Arb(digits), *(sp.Rational(end.numerator, end.denominator) for end in (lower, upper)))
    with flint.ctx.workprec(150):  # the rounding of few digits would hide the error of the rule
        found = integral(order, flint.arb(flint.fmpq(s.numerator, s.denominator)))
    expected = moment(name, order, s, lower, upper)
    assert found.rad() * 10**digits > 0.999 * abs(found.mid())  # (Q2) is in the ball, and S_n >= |m_n|
    assert encloses(found, expected, 0, scale=expected)
    with flint.ctx.workprec(150):
        largest = ball(max(-s, Fraction(0)) * upper).exp().real  # of e^{-st}
    assert encloses(found, expected, digits - 2, scale=largest)


@pytest.mark.parametrize("ends", [(0.5, 6.0), (-20.0, 2.0)])
@pytest.mark.parametrize("name", ["power law", "wave", "stretched", "turn"])
def test_the_proof_holds_for_a_panel_of_three_points(name, ends):
    """So few points that (Q6) is within a factor 2000 of the truth: no factor of it can be missing."""
    low, high = ends
    with FINE.working(), np.errstate(all="ignore"):
        density = Density(sp.Lambda(t, DENSITIES[name][0]), FINE)
        proof = Proof(density, 3, low, high, range(4), digits=5)
        proof.panels = [alone] = [panel(density, 3, flint.arb(4), flint.arb(5))]
        points, floors = proof._floors()
        claims = np.exp(proof._quotients(points, floors)[0].max(axis=-1))
        assert (points[:, 0] == low).all() and (points[:, -1] == high).all()
        at_high = Proof(density, 3, high, high, range(4), digits=5)
        at_high.panels = proof.panels
        alike = np.exp(at_high._quotients(*at_high._floors())[0].max(axis=-1))
        assert (claims >= alike * (1 - 1e-9)).all()  # rejects (Q6) without the quotients at one end of each gap
        largest = np.zeros(4)
        for s in map(Fraction, np.linspace(low, high, 12)):
            for n in range(4):
                parts = [
                    weight * node**n * (-node * float(s)).exp()
                    for node, weight in zip(alone.nodes, alone.weights, strict=True)
                ]
                size = sum(map(abs, parts))
                floor = np.interp(float(s), points[n], floors[n])
                assert floor - 1e-9 <= float(size.log()) <= floor + 2.1  # (Q5); a chord lies above
                error = abs(sum(parts) - moment(name, n, s, Fraction(4), Fraction(5)))
                largest[n] = max(largest[n], float(error / size))
    assert (largest <= claims).all() and (claims <= 2000 * largest).all()


@pytest.mark.parametrize("density", [sp.sqrt(t - 3), sp.log(t - 3), (t - 3) ** sp.Rational(1, 3), sp.atan(t - 4)])
def test_an_ellipse_across_a_branch_cut_gives_no_bound(density):
    """A bound there would be finite, and wrong: the function jumps."""
    with FINE.working():
        bounds = panel(Density(sp.Lambda(t, density), FINE), 20, flint.arb(4), flint.arb(5)).bounds
    assert np.isfinite(bounds[:2]).all() and bounds[-1] == np.inf


@given(x=st.floats(-60, 30), y=st.floats(-6, 6), wide=st.sampled_from([0.1, 1.0, 3.0]))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_the_airy_function_of_a_wide_ball_holds_it_and_not_much_more(x, y, wide):
    with FINE.working():
        inside = flint.acb(x, y)
        found = _airy(flint.acb(flint.arb(x - wide / 2, wide), flint.arb(0, abs(y) + wide / 2)))
        low = x - 1.5 * wide
        corner = flint.acb(low, abs(y) + wide / 2).airy_ai()
        assert found.contains(inside.airy_ai())  # a ball that is too small by a factor 2 does not hold its corner
        assert found.contains(corner)
        assert found.abs_upper() < 1000 * (1 + abs(corner).upper())


def test_an_interval_of_s_only_grows(monkeypatch):
    built = []
    build = Rule._build
    monkeypatch.setattr(Rule, "_build", lambda self, *where: built.append(where[:2]) or build(self, *where))
    integral = the_rule("stretched", FINE)
    with FINE.working():
        for s in (1, 30, 1, 0.7, 0.01, 59):
            integral(0, flint.arb(s))
    assert built == [(0.5, 2.0), (0.5, 240.0), (0.00125, 240.0)]


WILD = [Fraction(2) ** k for k in (0, 465, -40, 2, -465)]


@pytest.mark.parametrize("arithmetic", [Float64(), Arb(20)], ids=["float64", "arb"])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_wild_trial_has_its_value_and_leaves_the_rule_as_it_was(arithmetic, reverse, monkeypatch):
    """Whatever is asked first; one interval of 150 decades would have 500 panels."""
    built = []
    build = Rule._build
    monkeypatch.setattr(Rule, "_build", lambda self, *where: built.append(where[:2]) or build(self, *where))
    integral = the_rule("wave", arithmetic)
    with arithmetic.working():
        one_by_one = [integral(0, as_number(s, arithmetic)) for s in (WILD[::-1] if reverse else WILD)]
        several = arithmetic.array([sp.Rational(s.numerator, s.denominator) for s in WILD])
        again = integral(0, several)
        first = the_rule("wave", arithmetic)(0, several)
    for s, *found in zip(WILD, one_by_one[::-1] if reverse else one_by_one, again, first, strict=True):
        assert all(agree(each, Fraction(5) / ((1 + s) ** 2 + 25), 12) for each in found), s
    assert all(high < 1e13 * low for low, high in built)


@BY_ARITHMETIC
def test_a_rate_may_cross_zero_before_a_finite_end(arithmetic, monkeypatch):
    built = []
    build = Rule._build
    monkeypatch.setattr(Rule, "_build", lambda self, *where: built.append(where[:2]) or build(self, *where))
    integral = the_rule("product", arithmetic, upper=sp.Integer(8))
    trials = [Fraction(2), Fraction(1, 9), Fraction(-1, 10), Fraction(0), Fraction(-1, 10**9), Fraction(-30)]
    with arithmetic.working():
        found = {(n, s): integral(n, as_number(s, arithmetic)) for s in trials for n in (0, 3)}
        several = integral(1, arithmetic.array([sp.Rational(s.numerator, s.denominator) for s in trials]))
        wild = integral(0, as_number(Fraction(-(10**12)), arithmetic))
    found |= {(1, s): value for s, value in zip(trials, several, strict=True)}
    for (n, s), value in found.items():
        assert is_the(value, moment("product", n, s, upper=Fraction(8)), arithmetic), (n, s)
    assert built[:3] == [(1.0, 4.0), (-1.0, 4.0), (-240.0, 4.0)] and str(wild)[:3] == "nan"


def test_the_answer_is_nan_where_float64_cannot_hold_the_proof():
    """e^{-5s}, s = 10^11, is proved at once; slopes from the quotient of two such numbers take minutes or fail."""
    with FINE.working():
        integral = the_rule("wave", FINE, lower=sp.Integer(5))
        s = flint.arb(10) ** 11
        found, moved = integral(0, s), s + 1
        expected = (moved * flint.arb(25).sin() + 5 * flint.arb(25).cos()) / (moved**2 + 25)
        assert encloses(found * (5 * moved).exp(), expected, 27)
        assert not integral(0, 100 * s).is_finite()


@pytest.mark.parametrize("arithmetic", [Float64(), Arb(30)], ids=["float64", "arb"])
def test_squared_norms_at_rest(arithmetic):
    heavy = at((1 + t) ** sp.Rational(-6, 5), 0, 0, arithmetic)  # half of its digits come from beyond t = 1e35
    airy = at(sp.airyai(t) ** 2, 0, 0, arithmetic)
    with flint.ctx.workprec(200):
        third = flint.arb(1) / 3
        slope = (flint.arb(3) ** third * third.gamma()) ** -2  # Ai'(0)^2, for (t Ai^2 - Ai'^2)' = Ai^2
    digits = 13 if arithmetic.name == "float64" else 28
    assert agree(heavy, 5, digits) and agree(airy, slope, digits)


@BY_ARITHMETIC
def test_a_square_root_at_the_lower_end(arithmetic):
    found = at(sp.sqrt(t) * sp.exp(-t), 1, 2, arithmetic)
    with flint.ctx.workprec(200):
        expected = flint.arb("2.5").gamma() / flint.arb(3) ** flint.arb("2.5")
    assert is_the(found, expected, arithmetic)


def test_a_corner_inside_and_a_root_at_the_upper_end():
    corner = at(abs(t - 5), 0, 0, Arb(20), upper=8)
    assert encloses(corner, 17, 19)
    with flint.ctx.workprec(150):
        assert encloses(at(sp.sqrt(1 - t**2), 0, 0, Arb(20), upper=1), flint.arb.pi() / 4, 19)


def test_a_density_that_cancels_gets_more_digits():
    """1 - cos(10^-12 t): 24 of the 25 digits in hand are gone."""
    tiny = sp.Rational(1, 10**12)
    found = at(1 - sp.cos(tiny * t), 0, 0, Float64(), upper=1)
    assert agree(found, Fraction(1, 6 * 10**24), 14)


@BY_ARITHMETIC
def test_shapes_rest_and_what_has_no_value(arithmetic):
    integral = the_rule("wave", arithmetic)
    with arithmetic.working():
        s = arithmetic.array([1, 0, 2, 3]).reshape(2, 2)
        found = integral(0, s)
        moved = integral(0, arithmetic.array([0, 3, 2, 1]))
        each = [integral(0, one) for one in s.ravel()]
        none = integral(0, arithmetic.array([]))
        wrong = integral(0, arithmetic.array([-1, 1, float("nan"), float("inf")]))
    assert found.shape == (2, 2)
    for one, of_array, s in zip(each, found.ravel(), (1, 0, 2, 3), strict=True):
        expected = Fraction(5, (1 + s) ** 2 + 25)
        assert agree(one, expected, 14) and agree(of_array, expected, 14)
    assert agree(moved[1], Fraction(5, 41), 14) and none.shape == (0,)
    assert [str(value)[:3] == "nan" for value in wrong] == [True, False, True, True]


@BY_ARITHMETIC
def test_an_array_changed_in_place_is_evaluated_again(arithmetic):
    integral = the_rule("wave", arithmetic)
    with arithmetic.working():
        s = arithmetic.array([1, 2])
        integral(0, s)
        s[:] = arithmetic.array([2, 3])
        found = integral(1, s)
    assert agree(found[0], Fraction(30, 34**2), 14)


def test_a_ball_holds_the_moments_of_all_its_points():
    integral = the_rule("stretched", FINE)
    with FINE.working():
        found = integral(2, flint.arb(1, 0.01))
        assert all(found.contains(integral(2, flint.arb(s))) for s in (0.99, 1, 1.01))
        assert not integral(0, flint.arb(0, 0.01)).is_finite()


def test_one_rule_for_all_users():
    density = sp.Lambda(t, DENSITIES["wave"][0])
    shared = rule(density, ZERO, sp.oo, Arb(40))
    assert shared is rule(density, ZERO, sp.oo, Arb(40))
    assert shared is not rule(density, ZERO, sp.oo, Arb(41))
    assert shared is not rule(density, ZERO, sp.Integer(7), Arb(40))
    assert shared.error == sp.Rational(1, 10**40)


@pytest.mark.parametrize(("density", "value"), [(ZERO, 0), (sp.exp(-(t**6)), sp.gamma(sp.Rational(7, 6)))])
def test_densities_that_end_at_once(density, value):
    assert agree(at(density, 0, 0, Float64()), value, 14)


@pytest.mark.parametrize(
    ("density", "order", "message"),
    [
        (1 / (1 + t), 0, "not integrable"),
        ((1 + t) ** sp.Rational(-3, 2), 1, "not integrable"),
        (sp.exp(-t) / sp.sqrt(t), 0, "must be bounded"),
        (sp.exp(-t) * sp.gamma(t), 0, "made of .*, got gamma"),
        (sp.exp(-t) * sp.sqrt(t - 1), 0, "must be real"),
        (sp.exp(t), 0, "no envelope"),
        (sp.exp(-t), 4, "order must be one of"),
    ],
)
def test_what_has_no_rule_says_why(density, order, message):
    with pytest.raises(ValueError, match=message):
        at(density, order, 0, Float64())


@pytest.mark.parametrize(("lower", "upper"), [(-1, sp.oo), (2, 2), (sp.oo, sp.oo)])
def test_an_empty_interval_or_one_of_the_future_is_refused(lower, upper):
    with pytest.raises(ValueError, match="lower must be >= 0 and < upper"):
        at(sp.exp(-t), 0, 1, lower=lower, upper=upper)
