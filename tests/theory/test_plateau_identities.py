"""P and N of the slow flow (M13): closed form for one exponential, product formula, projection by quadrature."""

from fractions import Fraction

import pytest
import sympy as sp

from oracles import laplace_by_quadrature, overlap_by_quadrature
from theory.kernels import Exponential, Gaussian
from theory.parametrisation import IDENTITY, Exp
from theory.plateau import NoPlateau, Plateau, plateau, w
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from theory.special import GaussianMoment
from tolerances import agree, number, working

t = sp.Symbol("t", positive=True)
RATES = sp.symbols("w_1 w_2", positive=True)


def test_projection_for_one_exponential_at_rate_one():
    lag, sigma = sp.symbols("L sigma", positive=True)
    B = lambda s, n=0: (-1) ** n * GaussianMoment(n, s, lag, sigma)  # B and its derivatives
    found = Plateau((sp.Integer(1),), (Gaussian("1", sigma, lag),), sp.Rational(7, 10)).projection
    by_hand = B(w) - 4 * w / (1 + w) ** 2 * B(sp.Integer(1)) + 4 * (1 - w) / (1 + w) ** 2 * B(sp.Integer(1), 1)
    assert sp.simplify(found - by_hand) == 0  # rejects the wrong sign of <t e^{-t}, b> = -B'(1)


def inner(f, g):
    return sp.integrate(sp.expand(f * g), (t, 0, sp.oo))


@pytest.mark.parametrize(
    ("matched", "others"),
    [(RATES[:1], ()), ((sp.Integer(1), sp.Rational(5, 2)), ()), ((sp.Integer(1),), (sp.Rational(4, 5), sp.Integer(3)))],
    ids=["one symbol", "two", "one and two spares"],
)
def test_norm_is_the_gram_form_of_its_definition(matched, others):
    basis = [t**n * sp.exp(-rate * t) for rate in matched for n in (0, 1)] + [sp.exp(-rate * t) for rate in others]
    unit = sp.exp(-w * t)
    gram = sp.Matrix(len(basis), len(basis), lambda p, q: inner(basis[p], basis[q]))
    against = sp.Matrix([inner(unit, each) for each in basis])
    by_gram = inner(unit, unit) - (against.T * gram.LUsolve(against))[0]
    product = Plateau(matched, (Gaussian(lag="10"),), sp.Rational(7, 10), others).norm
    assert sp.factor(by_gram - product) == 0  # rejects the power 2 for a matched rate, or 4 for a spare


def test_projection_and_fast_drop_are_those_of_the_inner_products():
    """I - proj_V by linear algebra at 60 digits on inner products that are integrated, not derived."""
    bump = ("gaussian", Fraction(2), Fraction(1, 2), Fraction(3))
    matched, spare, at = (Fraction(1), Fraction(5, 2)), Fraction(4, 5), Fraction(3, 10)
    basis = [(n, rate) for rate in matched for n in (0, 1)] + [(0, spare)]
    ctx = working(45)

    def moment(p, q):
        """<t^n e^{-rt}, t^l e^{-qt}>."""
        return number(laplace_by_quadrature([("exponential", Fraction(1), p[1])], q[1], p[0] + q[0]), ctx)[0]

    gram = ctx.matrix([[moment(p, q) for q in basis] for p in basis])
    on_bump = ctx.matrix([number(laplace_by_quadrature([bump], rate, n), ctx)[0] for n, rate in basis])
    seen = ctx.matrix([moment((0, at), each) for each in basis])
    direct = number(overlap_by_quadrature(("exponential", Fraction(1), at), bump, Fraction(0)), ctx)[0]

    rates, others = tuple(map(sp.Rational, matched)), (sp.Rational(spare),)
    plateau = Plateau(rates, (Gaussian(2, "1/2", 3),), sp.Rational("0.1"), others)
    projection = direct - (seen.T * ctx.lu_solve(gram, on_bump))[0]
    assert agree(plateau.projection.subs(w, sp.Rational(at)), projection, digits=25)
    assert agree(plateau.fast_drop, (on_bump.T * ctx.lu_solve(gram, on_bump))[0], digits=25)


THREE_SPARES = Plateau(
    (sp.Integer(1), sp.Rational(5, 2)), (Gaussian(lag="3"),), sp.Rational("0.4"), (sp.Rational("0.7"), sp.Integer(2))
)


def test_amplitudes_at_rest_are_those_of_the_projection_on_everything():
    """On V and all spares at once, by linear algebra. Rejects spares that see themselves, or swapped."""
    ctx = working(45)
    rates = (THREE_SPARES.spare, *THREE_SPARES.others)
    basis = [(n, rate) for rate in THREE_SPARES.matched for n in (0, 1)] + [(0, rate) for rate in rates]
    gram = ctx.matrix(
        [[number(sp.factorial(n + k) / (r + q) ** (n + k + 1), ctx)[0] for k, q in basis] for n, r in basis]
    )
    bump = ("gaussian", Fraction(1), Fraction(1), Fraction(3))
    seen = [number(laplace_by_quadrature([bump], Fraction(int(r.p), int(r.q)), n), ctx)[0] for n, r in basis]
    solved = ctx.lu_solve(gram, ctx.matrix(seen))
    assert all(agree(x, y, 20) for x, y in zip(THREE_SPARES.amplitudes, list(solved)[-3:], strict=True))


def test_the_pull_is_the_slope_of_the_gain():
    """By the difference of two gains 2e-20 apart. Rejects the wrong sign of N'."""
    at, apart = sp.Rational(3, 10), sp.Rational(1, 10**20)
    above, below = (sp.N(THREE_SPARES.gain.subs(w, at + side * apart), 70) for side in (1, -1))
    assert agree(sp.N(THREE_SPARES.gain_slope.subs(w, at), 50), (above - below) / (2 * apart), 25)


@pytest.mark.parametrize(("parametrisation", "expected"), [(IDENTITY, "-16/9"), (Exp(), "-64/9")])
def test_the_drift_of_another_spare_by_hand(parametrisation, expected):
    """(P6) for spares 1/2 and 1: -4 (1/2 / (3/4))^2, and four times that where g = w^2."""
    found = Plateau((sp.Integer(2),), (Gaussian(lag="30"),), sp.Rational(1, 2), (sp.Integer(1),), parametrisation)
    assert found.drift_correction() == sp.Rational(expected)


def test_the_nearest_bump_sets_the_leading_order():
    near, far = Gaussian(lag="20"), Gaussian(lag="30")
    both, one = (Plateau((sp.Integer(1),), bump, sp.Rational("0.7")).leading_order() for bump in ((far, near), (near,)))
    assert both == one


def test_a_spare_at_the_matched_rate_has_no_plateau():
    target = Target((Exponential(), Gaussian(lag="20")))
    with pytest.raises(NoPlateau, match="not below every matched rate"):
        plateau(Problem(target, LinearRNN(((1, 1), (0, 1))), "0.05"))
