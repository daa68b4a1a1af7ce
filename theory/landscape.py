r"""Reduced loss of a diagonal linear RNN on a target memory kernel rho, derived block by block, for any horizon T.

Definition  J(a, w) = int_0^T |rho_hat - rho|^2 dt                                                           (M3)
Closed      J = sum_ij a_i a_j K(w_i + w_j) - 2 sum_i a_i R(w_i) + int rho^2 ,  K(s) = int_0^T e^{-st} dt    (M4)
Gradient    dJ/da_k = 2 [ sum_j a_j K(w_k + w_j) - R(w_k) ]                                                  (M5)
            dJ/dw_k = 2 a_k [ sum_j a_j K'(w_k + w_j) - R'(w_k) ]                                            (M6)

J is quadratic in the error e = rho_hat - rho, so with F(s) = int e^{-st} e(t) dt = sum_j a_j K(s + w_j) - R(s),

    dJ/dtheta_k             = d/dtheta_k [2 a_k F(w_k)]  with F held fixed ,  theta_k = a_k or w_k           (L1)
    d^2 J/dtheta_k dtheta_j = d^2/dtheta_k dtheta_j [2 a_k a_j K(w_k + w_j)]
                              + (k = j)  d^2/dtheta_k^2 [2 a_k F(w_k)]  with F held fixed                    (L2)

Width appears nowhere: a unit block and a pair block are all there is, and sums over units stay sums. (M4)-(M6) and
(L1), (L2) are derived here; the tests check them against quadrature of (M3). Source of (M2), (M3): Li, Han, E, Li,
ICLR 2021, arXiv:2009.07799, as mathematics.md of this project states them.
"""

from functools import cache

import sympy as sp

from theory.latex import Statement
from theory.special import ExponentialMoment

s, t = sp.symbols("s t", positive=True)
a, w, a_j, w_j = sp.symbols("a w a_j w_j", real=True)  # unit k, and the other unit j of a pair
F0, F1, F2 = sp.symbols("F_0 F_1 F_2", real=True)  # F(w), F'(w), F''(w)
K = K0, K1, K2 = sp.symbols("K_0 K_1 K_2", real=True)  # K(w + w_j), K', K''

i, j, k = sp.symbols("i j k", integer=True)
m = sp.Symbol("m", integer=True, positive=True)
A, W = sp.IndexedBase("a"), sp.IndexedBase("w")
R, rho, J = sp.Function("R"), sp.Function("rho"), sp.Symbol("J")


def overlap_of_exponentials(argument: sp.Expr = s, horizon: sp.Expr = sp.oo) -> sp.Expr:
    """K(s) = int_0^T e^{-st} dt (theory/special.py)."""
    return ExponentialMoment(0, argument, horizon)


def _jet(f0: sp.Symbol, f1: sp.Symbol, f2: sp.Symbol, shift: sp.Expr) -> sp.Expr:
    """A function known by its value and two derivatives at the point where shift = 0."""
    return f0 + f1 * shift + f2 * shift**2 / 2


@cache
def gradient_block() -> tuple[sp.Expr, sp.Expr]:
    """(dJ/da_k, dJ/dw_k) in a, F0, F1: the unit block of (L1). Exact."""
    x = sp.Symbol("x")
    field = 2 * a * _jet(F0, F1, F2, x - w)
    return sp.diff(field, a).subs(x, w), sp.diff(field, x).subs(x, w)  # (M5), (M6)


@cache
def curvature_block() -> sp.Matrix:
    """The part of the Hessian that stands on the diagonal only, k = j in (L2): 2 x 2 in (a, w), from a, F1, F2."""
    x = sp.Symbol("x")
    field = 2 * a * _jet(F0, F1, F2, x - w)
    return sp.hessian(field, (a, x)).subs(x, w)


@cache
def coupling_block() -> sp.Matrix:
    """d^2 J / d(a_k, w_k) d(a_j, w_j) of the pair block in (L2): 2 x 2, from a, a_j, K0, K1, K2."""
    x, y = sp.symbols("x y")
    pair = 2 * a * a_j * _jet(K0, K1, K2, (x - w) + (y - w_j))
    here = {x: w, y: w_j}
    return sp.Matrix(2, 2, [sp.diff(pair, p, q).subs(here) for p in (a, x) for q in (a_j, y)])


def loss(horizon: sp.Expr = sp.oo) -> Statement:
    """J (M4) of a network of any width m, for display. Exact."""
    double_sum = sp.Sum(A[i] * A[j] * overlap_of_exponentials(W[i] + W[j], horizon), (i, 1, m), (j, 1, m))
    constant = sp.Integral(rho(t) ** 2, (t, 0, horizon))
    return Statement("loss", J, double_sum - 2 * sp.Sum(A[i] * R(W[i]), (i, 1, m)) + constant, "M4")


def gradient(horizon: sp.Expr = sp.oo) -> tuple[Statement, Statement]:
    """The gradient (M5), (M6) in generic k: the unit block (L1) with F written out."""
    seen = overlap_of_exponentials(s + W[j], horizon)
    transform = sp.Sum(A[j] * seen, (j, 1, m)) - R(s)
    slope = sp.Sum(A[j] * sp.diff(seen, s), (j, 1, m)) - sp.Derivative(R(s), s)
    there = {F0: transform.subs(s, W[k]), F1: slope.xreplace({s: W[k]}), a: A[k]}
    by_amplitude, by_rate = (block.xreplace(there) for block in gradient_block())
    return (
        Statement("gradient", sp.Derivative(J, A[k]), by_amplitude, "M5"),
        Statement("gradient", sp.Derivative(J, W[k]), by_rate, "M6"),
    )
