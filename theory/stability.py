r"""Stable approximation: what a perturbation of the trained parameters does to the error of a diagonal network.

    E(beta) = sup { ||rho - rho_hat'||_1 : |v_i' - v_i| <= beta for all i } ,   w_i = phi(v_i)              (PE1)

with the amplitudes held, rho_hat' = sum_i a_i e^{-w_i' t}. (Wang, Li, Li, ICLR 2024, perturb all parameters in one
norm; an absolute error beta of an amplitude adds beta/w_i, without a bound as w_i -> 0 whatever phi is, and one
relative to it adds at most beta ||rho_hat||_1: that is the amplitudes' own parametrisation, and left out here.)
One unit moves by |1/w' - 1/w| in L1, for e^{-w't} - e^{-wt} has one sign. 1/phi is convex for each phi of
theory/parametrisation.py (for softplus since ln(1 + e^v) <= e^v), so the farthest w' is the slowest, w^-:

    d(w) = 1/w^- - 1/w ,   w^- = the least phi(v') for |v' - v| <= beta                                     (PE2)

and, with E = E(0), the lower bound for a_i >= 0 with every rate at its slowest,

    E(beta) <= E + sum_i |a_i| d(w_i) ,   E(beta) >= sum_i a_i d(w_i) - E                                   (PE3)

which are 2 E apart. For networks rho_m -> rho with positive amplitudes, E -> 0, of a completely monotone
rho = int e^{-lt} dmu(l), both tend to

    int d(l) dmu(l) ,   e.g. (e^beta - 1) ||rho||_1 for phi = exp ;
                             int (e^{beta t} - 1) rho dt for the identity, if mu lives on l > beta, else inf  (PE4)

Stable means that (PE4) -> 0 with beta: true for exp, softplus and 1/(a v^2 + b) (their relative change of w is bounded
by a g(beta) -> 0), and for the identity if and only if rho fades exponentially. Derived here.
"""

import sympy as sp

from theory.parametrisation import IDENTITY, InverseSquare, Parametrisation

w, beta = sp.symbols("w beta", positive=True)


def memories(parametrisation: Parametrisation) -> tuple[sp.Expr, sp.Expr]:
    """1/phi(v - beta) and 1/phi(v + beta) in (w, beta), the longer first: 1/w^- (PE2). Exact; w > beta if the identity.

    >>> memories(IDENTITY)
    (1/(-beta + w), 1/(beta + w))
    """
    v = parametrisation.inverse(w)
    moved = 1 / parametrisation.rate(v - beta), 1 / parametrisation.rate(v + beta)
    return moved[::-1] if isinstance(parametrisation, InverseSquare) else moved  # that phi falls


def may_stop_fading(parametrisation: Parametrisation, rate: sp.Expr, by: sp.Expr) -> bool:
    """Whether a rate may be moved to 0 or below: then E(beta) is infinite. Exact."""
    return parametrisation == IDENTITY and bool(rate <= by)
