"""P and N of the slow flow (M13): closed form for one exponential, product formula, projection by quadrature."""

from fractions import Fraction

import pytest
import sympy as sp

from oracles import laplace_by_quadrature, overlap_by_quadrature
from theory.kernels import Gaussian
from theory.plateau import Plateau, w
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
