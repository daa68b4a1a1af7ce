"""Kernels against their definitions; tests/numerics/test_kernel_transforms.py has the digits of every kind."""

from dataclasses import replace
from functools import partial

import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb
from numerics.compiling import evaluate
from oracles import ball, fraction, laplace_by_quadrature, overlap_by_quadrature, raw_term, raw_terms, support, value_at
from strategies import DELAYS, ERLANGS, EVERY_KERNEL, EXPONENTIALS, GAUSSIANS, HORIZONS, KERNELS, POWER_LAWS
from theory.kernels import (
    KINDS,
    Airy,
    Box,
    Erlang,
    Exponential,
    Expression,
    Gaussian,
    Kernel,
    PowerLaw,
)
from theory.overlaps import overlap, product
from theory.special import GaussianMoment, Moment
from tolerances import agree

s, t = sp.Symbol("s", positive=True), sp.Symbol("t", nonnegative=True)
ARB = Arb(50)
DELAYED_KINDS = [Exponential, Box, Erlang, PowerLaw, Airy, partial(Expression, "exp(-t)")]
POINTS = st.fractions(0, 5, max_denominator=10)


@settings(max_examples=20)
@given(kernel=KERNELS, at=POINTS, order=st.integers(0, 2))
def test_laplace_transform_and_its_derivatives_are_the_integrals_they_claim_to_be(kernel, at, order):
    closed = (-1) ** order * sp.diff(kernel.laplace(s), s, order).subs(s, sp.Rational(at))
    # Rejects sigma^2 for sigma, an erfc argument without the sqrt 2, a lost boundary term of (S1): all O(1).
    assert agree(closed, laplace_by_quadrature(raw_terms([kernel]), at, order), digits=30, scale="1e-6")


@settings(max_examples=20)
@given(p=KERNELS, q=KERNELS, at=POINTS)
def test_overlap_is_the_integral_it_claims_to_be(p, q, at):
    direct = overlap_by_quadrature(*raw_terms([p, q]), at)
    # Rejects (K2) with s_1^2 + s_2^2 for the variance, or the lags averaged without weights.
    assert agree(overlap(p, q, sp.Rational(at)), direct, digits=30, scale="1e-6")


@settings(max_examples=10)
@given(p=KERNELS, q=KERNELS, at=POINTS)
def test_overlap_is_symmetric(p, q, at):
    at = sp.Rational(at)
    assert agree(overlap(p, q, at), overlap(q, p, at), digits=30, scale="1e-20")


@given(p=EXPONENTIALS, q=EXPONENTIALS)
def test_exponentials_overlap_exactly(p, q):
    assert overlap(p, q, 0) == p.amplitude * q.amplitude / (p.rate + q.rate)


@settings(max_examples=40, derandomize=True)
@given(kernel=EVERY_KERNEL, at=POINTS)
def test_rho_is_the_function_the_oracle_integrates(kernel, at):
    term, (begin, end) = raw_term(kernel), kernel.support
    assert (fraction(begin), None if end is sp.oo else fraction(end)) == support(term)
    inside = begin <= at <= end  # rejects a delay that moves the shape and not where it begins
    with ARB.working():
        expected = value_at(term, ball(at)).real if inside else 0
        assert agree(evaluate(kernel.rho(sp.Rational(at)), ARB), expected, digits=40)


def test_rho_in_the_symbol_t_is_cut_where_the_kernel_is():
    box = Box("2", "1", "3", "1/2").rho(t)
    assert [box.subs(t, at) for at in (1, sp.Rational(3, 2), 3, 4)] == [0, 2, 2, 0]
    assert Exponential().rho(t) == sp.exp(-t)  # nothing to cut
    assert Gaussian(lag="-1").rho(t) == sp.exp(-((t + 1) ** 2) / 2)


@settings(max_examples=25, derandomize=True)
@given(kernel=EVERY_KERNEL.filter(lambda each: not isinstance(each, Gaussian)), delay=DELAYS, horizon=HORIZONS)
def test_a_delay_is_an_exponential_and_takes_from_the_horizon(kernel, delay, horizon):
    prompt, later, delay = replace(kernel, lag=0), replace(kernel, lag=delay), sp.Rational(delay)
    left = prompt.laplace(s, horizon - delay) if horizon > delay else 0
    assert sp.simplify(later.laplace(s, horizon) - sp.exp(-s * delay) * left) == 0  # (K0)
    assert later.reach == prompt.reach + delay
    if delay and later.support[0] == delay:
        mass, lag = later.exponent()
        assert lag == delay
        assert sp.simplify(mass(s) - prompt.laplace(s)) == 0


@settings(max_examples=12, derandomize=True)
@given(pair=st.sampled_from([GAUSSIANS, ERLANGS, POWER_LAWS]).flatmap(lambda kind: st.tuples(kind, kind)))
def test_kernels_of_one_kind_multiply_to_their_kind(pair):
    p, q = pair
    assume(isinstance(p, Gaussian) or p.lag == q.lag)
    both = product(p, q)
    assert type(both) is type(p) is type(q)
    assert sp.simplify(both.density(t) - p.density(t) * q.density(t)) == 0  # (K2)


@pytest.mark.parametrize(
    ("p", "q"),
    [(Gaussian("2", "1/2", "3"), Gaussian("-1", "3/2", "5")), (PowerLaw("2", "1/2"), PowerLaw("3", "4/3"))],
)
def test_a_product_is_the_product(p, q):
    for at in (0, 1, sp.Rational(7, 2)):
        assert agree(product(p, q).rho(sp.sympify(at)), p.rho(sp.sympify(at)) * q.rho(sp.sympify(at)), digits=40)


@settings(max_examples=12, derandomize=True)
@given(p=EVERY_KERNEL, q=EVERY_KERNEL)
def test_other_kernels_have_no_product_of_a_kind(p, q):
    assume(type(p) is not type(q) or isinstance(p, Box | Exponential | Airy | Expression))
    assert product(p, q) is None


@pytest.mark.parametrize("kind", [Erlang, PowerLaw])
def test_delays_that_differ_leave_no_product_of_the_kind(kind):
    assert product(kind(lag=1), kind(lag=2)) is None
    assert product(kind(lag=2), kind(lag=2)).lag == 2


def test_kernels_of_different_inputs_do_not_overlap():
    assert overlap(Exponential(), Exponential(input=2), 0) == 0
    assert overlap(Exponential(input=2), Exponential(input=2), 0) == sp.Rational(1, 2)
    assert overlap(Gaussian(), Box(input=3), 0, sp.Integer(5)) == 0


def test_kernels_that_never_meet_do_not_overlap():
    early, late = Box(start=0, end=1), Box(start=2, end=3)
    assert overlap(early, late, 0) == 0
    assert overlap(early, Airy(lag=1), 0) == 0
    assert overlap(Exponential(lag=4), Gaussian(), 0, sp.Integer(4)) == 0


@pytest.mark.parametrize(
    "kernel", [Exponential(lag=5), Box(start=5, end=6), Erlang(lag=7), Airy(lag=5), Expression("exp(-t)", "5")]
)
def test_a_kernel_that_begins_after_the_horizon_is_not_seen(kernel):
    assert kernel.laplace(s, sp.Integer(5)) == 0
    assert overlap(kernel, kernel, 0, sp.Integer(5)) == 0


def test_the_lag_of_a_gaussian_is_its_centre_and_no_delay():
    assert Gaussian(lag="4").delay == 0
    assert Gaussian(lag="4").support == (0, sp.oo)
    assert [Gaussian(lag=lag).reach for lag in ("4", "-4")] == [4, 0]


def test_an_airy_function_that_ends_before_it_begins_reaches_nowhere():
    assert [Airy(shift=shift).reach for shift in ("3", "-2")] == [3, 0]


def test_a_box_is_cut_by_the_horizon():
    box = Box("2", "1", "4", "1/2")
    assert box.laplace(sp.Integer(0), sp.Integer(3)) == 3
    assert box.laplace(sp.Integer(0), sp.Rational(9, 2)) == box.laplace(sp.Integer(0)) == 6
    assert box.laplace(sp.Integer(0), sp.Integer(1)) == 0


def test_a_bump_of_which_the_horizon_holds_little_is_not_a_difference():
    assert Gaussian(lag="4").laplace(s, sp.Integer(5)).has(GaussianMoment)
    for bump in (Gaussian(lag="6"), Gaussian(width="6")):
        assert isinstance(bump.laplace(s, sp.Integer(5)), Moment)


def test_an_order_and_a_rate_of_an_erlang():
    chain = Erlang("3", 2, "2")
    assert chain.laplace(s) == 6 / (s + 2) ** 3
    assert Erlang(rate="2").laplace(s) == Exponential(rate="2").laplace(s)
    assert chain.reach == 1  # the peak of t^2 e^{-2t}


def test_a_kernel_need_only_state_its_shape(monkeypatch):
    """As the module promises: transforms and overlaps then come by quadrature."""
    monkeypatch.setattr("theory.kernels.KINDS", dict(KINDS))

    class Ramp(Kernel, kind="ramp"):
        def shape(self, t):
            return t * (3 - t)

        @property
        def extent(self):
            return sp.Integer(0), sp.Integer(3)

    ramp = Ramp()
    with ARB.working():
        moment = evaluate(ramp.laplace(sp.Integer(0)), ARB)
        assert agree(moment, sp.Rational(9, 2), digits=40)
        assert agree(evaluate(ramp.laplace(sp.Integer(0), sp.Integer(1)), ARB), sp.Rational(7, 6), digits=40)
        assert agree(evaluate(overlap(ramp, Box("2", "1", "5"), 0), ARB), sp.Rational(20, 3), digits=40)
        assert agree(evaluate(overlap(ramp, ramp, 0), ARB), sp.Rational(81, 10), digits=40)
    assert ramp.tail(sp.Integer(1)) is None
    assert ramp.exponent() is None
    assert ramp.delay == ramp.reach == 0


@pytest.mark.parametrize(
    ("formula", "square_integrable"),
    [
        ("exp(-t)", True),
        ("(1+t)^(-0.6)", True),
        ("(1+t)^(-1/2)", False),
        ("1 + exp(-t)", False),
        ("cos(t)", False),
        ("t", False),
    ],
)
def test_whether_an_expression_has_a_norm(formula, square_integrable):
    assert Expression(formula).square_integrable == square_integrable


def test_the_leading_exponential_of_a_bump_far_away():
    mass, lag = Gaussian("2", "3/2", "40").exponent()
    ratio = Gaussian("2", "3/2", "40").laplace(sp.Rational(1, 2)) / (mass(sp.Rational(1, 2)) * sp.exp(-lag / 2))
    assert agree(ratio, 1, digits=100)  # erfc(-27.6) = 2 - 1e-332: rejects any missing factor of M
    assert Exponential().exponent() is None


def test_every_kind_is_known_by_its_name():
    kinds = {"exponential": Exponential, "gaussian": Gaussian, "box": Box, "erlang": Erlang, "power-law": PowerLaw}
    assert (kinds | {"airy": Airy, "expression": Expression}).items() <= KINDS.items()
    assert all(cls.kind == kind for kind, cls in KINDS.items())


def test_kernels_are_immutable_values():
    assert Exponential("1/2", "0.7") == Exponential(sp.Rational(1, 2), "7/10")
    assert len({Gaussian(lag="1"), Gaussian(lag=1), Gaussian(lag=2)}) == 2
    with pytest.raises(AttributeError):
        Exponential().rate = sp.Integer(2)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Exponential("1", "0"), ValueError, "exponential: rate must be > 0 for the memory to fade.*got 0"),
        (lambda: Exponential("1", "-1"), ValueError, "rates are minus the eigenvalues of W, got -1"),
        (lambda: Exponential(1, 0.5), TypeError, r"exponential: rate must be exact, got the float 0\.5"),
        (lambda: Gaussian(width=0), ValueError, "gaussian: width must be > 0 for a bump, got 0"),
        (lambda: Gaussian(lag=10.0), TypeError, r"gaussian: lag must be exact, got the float 10\.0"),
        (lambda: Gaussian(amplitude=sp.I), ValueError, "gaussian: amplitude must be real, got I"),
        (lambda: PowerLaw(omega=0), ValueError, "power-law: omega must be > 0 for the kernel to be integrable, got 0"),
        (lambda: PowerLaw(omega="-1/2"), ValueError, "power-law: omega must be > 0 .* got -1/2"),
        (lambda: PowerLaw(omega=0.5), TypeError, r"power-law: omega must be exact, got the float 0\.5"),
        (lambda: Erlang(order=-1), ValueError, "erlang: order must be an integer from 0 to 1000, got -1; it is a "),
        (lambda: Erlang(order="1/2"), ValueError, "erlang: order must be an integer from 0 to 1000, got 1/2"),
        (lambda: Erlang(order=True), TypeError, "erlang: order must be a number, got the boolean True"),
        (lambda: Erlang(rate=0), ValueError, "erlang: rate must be > 0 for the memory to fade, got 0"),
        (lambda: Box(start=2, end=2), ValueError, "box: end must be > start = 2, got 2; the box would be empty"),
        (lambda: Box(start=2, end=1), ValueError, "box: end must be > start = 2, got 1"),
        (lambda: Box(start="-1"), ValueError, "box: start must be >= 0, for no memory is of the future, got -1"),
        (lambda: Airy(scale="-1"), ValueError, "airy: scale must be > 0 for the memory to fade, got -1"),
        (lambda: Airy(shift=0.5), TypeError, r"airy: shift must be exact, got the float 0\.5"),
        (lambda: Expression(3.5), TypeError, "expression: rho must be a formula in t"),
        (lambda: Expression("exp(-x)"), ValueError, "expression: rho.* found the name 'x'"),
        (lambda: Exponential(input=0), ValueError, "exponential: input must be an integer from 1 to 1000, got 0"),
        (lambda: Box(input="1/2"), ValueError, "box: input must be an integer from 1 to 1000, got 1/2"),
        (lambda: Exponential(lag=0.5), TypeError, r"exponential: lag must be exact, got the float 0\.5"),
        *((lambda kind=kind: kind(lag=-1), ValueError, r": lag must be >= 0, .* got -1") for kind in DELAYED_KINDS),
    ],
)
def test_errors_name_the_kernel_and_the_field(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_a_kernel_without_a_shape_says_so(monkeypatch):
    monkeypatch.setattr("theory.kernels.KINDS", dict(KINDS))

    class Nameless(Kernel, kind="nameless"):
        pass

    for method in (Nameless().rho, Nameless().laplace):
        with pytest.raises(NotImplementedError):
            method(sp.Integer(1))
