r"""Gradient flow, and the form of it that does not cancel on a plateau.

    theta'(tau) = -grad J(theta) ,  theta = (a, w)                                                           (M8)

Write the target as rho = rho_bar + b, rho_bar = sum_j a*_j e^{-w*_j t} paired with the units (a* = 0 for a spare), and
the state by its displacement a_j = a*_j + alpha_j, w_j = w*_j + beta_j. Then rho_hat - rho_bar has the transform

    E(s) = sum_j [ a_j K(s + w_j) - a*_j K(s + w*_j) ]
         = sum_j [ alpha_j K(s + w_j) - a*_j beta_j D_0(s + w*_j, beta_j) ]                                  (D1)

and (L1) holds with F = E - B, B the transform of the bump b. D_0 is the divided difference of K (theory/special.py),
1/((s + w_j)(s + w*_j)) for T = inf. In the second line, and in its derivatives, rho_bar has been subtracted
analytically: every term is as small as the bump's e^{-wL}. With e = rho_hat - rho_bar the loss is

    J = |b|^2 - gain ,   gain = 2 <e, b> - |e|^2 = sum_j [ a_j G(w_j) - a*_j G(w*_j) ] ,  G = 2 B - E        (D2)

(D1), (D2) derived here, for every pairing and horizon; the tests check them as identities.
"""

from functools import cache

import sympy as sp

from theory.landscape import F0, A, J, W, a, gradient, gradient_block, k, overlap_of_exponentials, s
from theory.latex import Statement
from theory.parametrisation import IDENTITY, Parametrisation
from theory.special import DividedMoment

alpha, beta, fitted_a, fitted_w = sp.symbols("alpha beta a^* w^*", real=True)  # one unit j of the sum (D1)


@cache
def excess_block(horizon: sp.Expr = sp.oo) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Unit j's contribution to E(s), E'(s), E''(s) without cancellation (D1). Exact.

    Arguments: s, and alpha, beta, fitted_a, fitted_w of unit j; its rate is fitted_w + beta.
    """
    moved = overlap_of_exponentials(s + fitted_w + beta, horizon)
    term = alpha * moved - fitted_a * beta * DividedMoment(0, s + fitted_w, beta, horizon)
    return term, sp.diff(term, s), sp.diff(term, s, 2)


def flow(horizon: sp.Expr = sp.oo, parametrisation: Parametrisation = IDENTITY) -> tuple[Statement, Statement]:
    """The gradient flow (M8), its rates those of a parametrisation (M9), in generic k, for display."""
    tau = sp.Symbol("tau", nonnegative=True)
    by_amplitude, by_rate = (of.right for of in gradient(horizon))
    speed = parametrisation.metric(W[k])
    return (
        Statement("flow", sp.Derivative(A[k], tau, evaluate=False), -by_amplitude, "M8"),
        Statement("flow", sp.Derivative(W[k], tau, evaluate=False), -speed * by_rate, "M8" if speed == 1 else "M9"),
    )


def cancellation_free(horizon: sp.Expr = sp.oo) -> tuple[Statement, Statement]:
    """The gradient through E and B, and E as the sum (D1), for display."""
    E, B = sp.Function("E"), sp.Function("B")
    j, m = sp.symbols("j m", integer=True, positive=True)
    displaced = {alpha: sp.IndexedBase("alpha")[j], beta: sp.IndexedBase("beta")[j]}
    displaced |= {fitted_a: sp.IndexedBase("a^*")[j], fitted_w: sp.IndexedBase("w^*")[j]}
    by_amplitude = gradient_block()[0].subs({F0: E(W[k]) - B(W[k]), a: A[k]})
    subject = "cancellation-free flow"
    return (
        Statement(subject, sp.Derivative(J, A[k], evaluate=False), by_amplitude, "M5"),
        Statement(subject, E(s), sp.Sum(excess_block(horizon)[0].subs(displaced), (j, 1, m)), "D1"),
    )
