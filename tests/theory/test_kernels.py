"""Kernels against quadrature of their definitions."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import laplace_by_quadrature, overlap_by_quadrature, raw_terms
from strategies import EXPONENTIALS, KERNELS
from theory.kernels import KINDS, Exponential, Gaussian, Kernel, overlap
from tolerances import agree, working

s = sp.Symbol("s", positive=True)
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


@settings(max_examples=10)
@given(kernel=KERNELS, at=POINTS)
def test_rho_is_the_function_the_oracle_integrates(kernel, at):
    [(kind, *numbers)] = raw_terms([kernel])
    ctx = working(30)
    amplitude, *shape, at_ = (ctx.mpf(each.numerator) / each.denominator for each in (*numbers, at))
    by_hand = {
        "exponential": lambda w: amplitude * ctx.exp(-w * at_),
        "gaussian": lambda sigma, lag: amplitude * ctx.npdf(at_, lag, sigma) * sigma * ctx.sqrt(2 * ctx.pi),
    }
    assert agree(kernel.rho(sp.Rational(at)), by_hand[kind](*shape), digits=30)


def test_the_leading_exponential_of_a_bump_far_away():
    mass, lag = Gaussian("2", "3/2", "40").exponent()
    ratio = Gaussian("2", "3/2", "40").laplace(sp.Rational(1, 2)) / (mass(sp.Rational(1, 2)) * sp.exp(-lag / 2))
    assert agree(ratio, 1, digits=100)  # erfc(-27.6) = 2 - 1e-332: rejects any missing factor of M
    assert Exponential().exponent() is None


def test_every_kind_is_known_by_its_name():
    assert {"exponential": Exponential, "gaussian": Gaussian}.items() <= KINDS.items()
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
    ],
)
def test_errors_name_the_kernel_and_the_field(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_a_kernel_without_closed_overlap_says_so(monkeypatch):
    monkeypatch.setattr("theory.kernels.KINDS", dict(KINDS))

    class Nameless(Kernel, kind="nameless"):
        pass

    with pytest.raises(NotImplementedError, match="no closed overlap of the kinds nameless and gaussian"):
        overlap(Nameless(), Gaussian(), 0)
    for method in (Nameless().rho, Nameless().laplace):
        with pytest.raises(NotImplementedError):
            method(sp.Integer(1))
