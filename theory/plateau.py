r"""Plateaus: the slow flow of a spare unit, and how long it takes.

rho_bar = sum_j a*_j e^{-w*_j t} is fitted; one spare unit has rate w and amplitude ~ 0; every other direction relaxes at
O(1) rates and is eliminated. V is what the fast directions span, b the bump, B its Laplace transform:

    V = span{ e^{-w*_j t} , t e^{-w*_j t} } (+ e^{-w_l t} for every other spare, its rate frozen: estimated)
    P(w) = <e^{-wt}, (I - proj_V) b> ,   N(w) = ||(I - proj_V) e^{-wt}||^2
    N(w) = (1/2w) prod_j ((w-w*_j)/(w+w*_j))^4  prod_l ((w-w_l)/(w+w_l))^2
    w' = d/dw [ P(w)^2 / N(w) ]                                                                              (M13)
    tau_esc = int_{w_esc}^{w0} dw / |d/dw (P^2/N)| ,   P^2/N (w_esc) = drop - ||proj_V b||^2
            ~ N(w0) e^{2 w0 L} / (4 L^2 M(w0)^2) ,     B ~ M(w) e^{-wL}                                      (M14)

With the basis v_p(t) = t^{n_p} e^{-r_p t}, Gram matrix G and beta_p = <v_p, b> = (-1)^{n_p} B^{(n_p)}(r_p):

    P(w) = B(w) - g(w)^T G^{-1} beta ,   g_p(w) = <e^{-wt}, v_p> ,   ||proj_V b||^2 = beta^T G^{-1} beta     (P1)

The most one spare unit can gain over the start is the reachable drop, ||proj_V b||^2 + max_{0 < w <= w0} P^2/N.
(M13), (M14) and (P1) are derived here; G and its inverse are exact. The product formula for N is an identity, tested.
"""

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from theory.kernels import Kernel
from theory.latex import Statement
from theory.problem import Problem, transform

w = sp.Symbol("w", positive=True)  # the rate of the spare unit


class NoPlateau(ValueError):
    """The slow flow does not describe this problem; the message says why."""


@dataclass(frozen=True)
class Plateau:
    """A fit, a bump and the spares: all that the slow flow (M13) depends on.

    matched: rates w*_j of the fit, shape (k,). bump: Kernels. spare: w0, the rate of the spare that moves.
    others: the rates of the other spares. Rates in 1 / time; symbols are welcome.
    """

    matched: tuple[sp.Expr, ...]
    bump: tuple[Kernel, ...]
    spare: sp.Expr
    others: tuple[sp.Expr, ...] = ()

    @cached_property
    def basis(self) -> tuple[tuple[int, sp.Expr], ...]:
        """(n_p, r_p) of the functions t^n e^{-rt} that span V."""
        return tuple((order, rate) for rate in self.matched for order in (0, 1)) + tuple((0, rate) for rate in self.others)

    @cached_property
    def gram_inverse(self) -> sp.Matrix:
        size = len(self.basis)
        return sp.Matrix(size, size, lambda p, q: _moment(self.basis[p], self.basis[q])).inv()

    @cached_property
    def bump_on_basis(self) -> sp.Matrix:
        """beta_p = <v_p, b>, shape (len(basis), 1)."""
        s = sp.Symbol("s", positive=True)
        B = transform(self.bump, s)
        return sp.Matrix([(-1) ** order * sp.diff(B, s, order).subs(s, rate) for order, rate in self.basis])

    @cached_property
    def projection(self) -> sp.Expr:
        """P(w), the bump as the spare unit sees it (P1). Exact."""
        g = sp.Matrix([_moment((0, w), each) for each in self.basis])
        coefficients = g.T * self.gram_inverse  # rational in w
        return transform(self.bump, w) - sum(sp.factor(c) * b for c, b in zip(coefficients, self.bump_on_basis, strict=True))

    @cached_property
    def norm(self) -> sp.Expr:
        """N(w), the part of the spare unit's exponential that the fit cannot imitate (M13). Exact."""
        doubled = sp.Mul(*(((w - rate) / (w + rate)) ** 4 for rate in self.matched))
        single = sp.Mul(*(((w - rate) / (w + rate)) ** 2 for rate in self.others))
        return doubled * single / (2 * w)

    @cached_property
    def gain(self) -> sp.Expr:
        """P(w)^2 / N(w): how far the loss lies below the plateau when the spare has rate w."""
        return self.projection**2 / self.norm

    @cached_property
    def fast_drop(self) -> sp.Expr:
        """||proj_V b||^2: what the fast directions alone gain over the start (P1)."""
        return (self.bump_on_basis.T * self.gram_inverse * self.bump_on_basis)[0, 0]

    def leading_order(self) -> sp.Expr:
        """The leading term of the escape time (M14) for long memory L; estimated. Raises NoPlateau without a lag L."""
        exponents = [kernel.exponent() for kernel in self.bump]
        if not exponents or None in exponents:
            raise NoPlateau("a term of the bump has no lag L with B(w) ~ M(w) e^{-wL}")
        nearest = min(lag for _, lag in exponents)
        mass = sum(M(w) for M, lag in exponents if lag == nearest)
        if not nearest.is_positive:
            raise NoPlateau(f"the bump's memory must be > 0 for a leading term, its lag is {nearest}")
        law = self.norm * sp.exp(2 * w * nearest) / (4 * nearest**2 * mass**2)  # (M14)
        return law.subs(w, self.spare)

    def statements(self) -> tuple[Statement, ...]:
        """P, N and the slow flow, for display."""
        P, N, tau = sp.Function("P"), sp.Function("N"), sp.Symbol("tau")
        fast = sp.Derivative(P(w) ** 2 / N(w), w)
        return (
            Statement("slow flow", sp.Derivative(w, tau, evaluate=False), fast, "M13"),
            Statement("slow flow", P(w), self.projection, "P1"),
            Statement("slow flow", N(w), self.norm, "M13"),
        )

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle w' = \frac{{d}}{{dw}} \left[ {sp.latex(self.gain)} \right]$"


def _moment(p: tuple[int, sp.Expr], q: tuple[int, sp.Expr]) -> sp.Expr:
    """<t^n e^{-rt}, t^l e^{-qt}> over t >= 0."""
    order = p[0] + q[0]
    return sp.factorial(order) / (p[1] + q[1]) ** (order + 1)


def plateau(problem: Problem) -> Plateau:
    """The Plateau that the start of a problem sits on.

    Raises NoPlateau, with the reason, where (M13) does not apply: off the fit, no spare unit, no bump, or a spare that would
    have to pass a matched rate on its way to slower rates.
    """
    if problem.off_the_fit:
        raise NoPlateau(problem.off_the_fit)
    spares = sorted(rate for unit, (_, rate) in enumerate(problem.reference) if unit not in problem.pairing)
    matched = tuple(term.rate for term in problem.pairing.values())
    if not spares:
        raise NoPlateau("every unit is matched to an exponential; there is no spare unit to move")
    if not problem.bump:
        raise NoPlateau("the target has no bump; the start is the target")
    if any(rate <= spares[0] for rate in matched):
        raise NoPlateau(f"the slowest spare rate {spares[0]} is not below every matched rate; it would meet a matched unit on its way")
    if len(set(spares)) < len(spares):
        raise NoPlateau("two spares have the same rate; the slow flow moves one unit at a time")
    return Plateau(matched, problem.bump, spares[0], tuple(spares[1:]))
