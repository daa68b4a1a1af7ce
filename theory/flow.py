r"""Gradient flow, and the form of it that does not cancel on a plateau.

    theta'(tau) = -grad J(theta) ,  theta = (a, w)                                                           (M8)

Write the target as rho = rho_bar + b, rho_bar = sum_j a*_j e^{-w*_j t} paired with the units (a* = 0 for a spare), and
the state by its displacement a_j = a*_j + alpha_j, w_j = w*_j + beta_j. Then rho_hat - rho_bar has the transform

    E(s) = sum_j [ a_j K(s + w_j) - a*_j K(s + w*_j) ]
         = sum_j [ alpha_j K(s + w_j) - a*_j beta_j / ((s + w_j)(s + w*_j)) ]                                (D1)

and (L1) holds with F = E - B, B the transform of the bump b. In the second line, and in its derivatives, rho_bar has
been subtracted analytically: every term is as small as the bump's e^{-wL}. With e = rho_hat - rho_bar the loss is

    J = |b|^2 - gain ,   gain = 2 <e, b> - |e|^2 = sum_j [ a_j G(w_j) - a*_j G(w*_j) ] ,  G = 2 B - E        (D2)

(D1), (D2) derived here, for every pairing; SymPy does the subtraction of (D1), and the tests check it as an identity.
"""

from functools import cache

import sympy as sp

from theory.landscape import F0, A, J, W, a, gradient, gradient_block, k, overlap_of_exponentials, s
from theory.latex import Statement

alpha, beta, fitted_a, fitted_w = sp.symbols("alpha beta a^* w^*", real=True)  # one unit j of the sum (D1)


@cache
def excess_block() -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Unit j's contribution to E(s), E'(s), E''(s) without cancellation (D1). Exact.

    Arguments: s, and alpha, beta, fitted_a, fitted_w of unit j; its rate is fitted_w + beta.
    """
    p, q = sp.symbols("p q")  # 1/(s + w_j) and 1/(s + w*_j), so that p - q = -beta p q
    there = {p: 1 / (s + fitted_w + beta), q: 1 / (s + fitted_w)}

    def contribution(order: int) -> sp.Expr:
        new, old = (sp.diff(overlap_of_exponentials(), s, order).subs(s, 1 / each) for each in (p, q))
        difference = -beta * p * q * sp.cancel((new - old) / (p - q))
        return (alpha * new + fitted_a * difference).subs(there)

    return contribution(0), contribution(1), contribution(2)


def flow() -> tuple[Statement, ...]:
    """The gradient flow (M8) in generic k, for display."""
    tau = sp.Symbol("tau", nonnegative=True)
    return tuple(
        Statement("flow", sp.Derivative(of.left.variables[0], tau, evaluate=False), -of.right, "M8")
        for of in gradient()
    )


def cancellation_free() -> tuple[Statement, Statement]:
    """The gradient through E and B, and E as the sum (D1), for display."""
    E, B = sp.Function("E"), sp.Function("B")
    j, m = sp.symbols("j m", integer=True, positive=True)
    displaced = {alpha: sp.IndexedBase("alpha")[j], beta: sp.IndexedBase("beta")[j]}
    displaced |= {fitted_a: sp.IndexedBase("a^*")[j], fitted_w: sp.IndexedBase("w^*")[j]}
    by_amplitude = gradient_block()[0].subs({F0: E(W[k]) - B(W[k]), a: A[k]})
    subject = "cancellation-free flow"
    return (
        Statement(subject, sp.Derivative(J, A[k], evaluate=False), by_amplitude, "M5"),
        Statement(subject, E(s), sp.Sum(excess_block()[0].subs(displaced), (j, 1, m)), "D1"),
    )
