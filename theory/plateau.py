r"""Plateaus: the slow flow of the spare units, and how long it takes.

rho_bar = sum_j a*_j e^{-w*_j t} is fitted; a spare unit has rate w and amplitude ~ 0; all but the rates of the spares
relaxes at O(1) rates and is eliminated. V is what the fast directions span, b the bump, B its Laplace transform:

    V = span{ e^{-w*_j t} , t e^{-w*_j t} } (+ e^{-w_l t} for every other spare)
    P(w) = <e^{-wt}, (I - proj_V) b> ,   N(w) = ||(I - proj_V) e^{-wt}||^2
    N(w) = (1/2w) prod_j ((w-w*_j)/(w+w*_j))^4  prod_l ((w-w_l)/(w+w_l))^2
    w' = d/dw [ P(w)^2 / N(w) ]                                                                              (M13)
    tau_esc = int_{w_esc}^{w0} dw / |d/dw (P^2/N)| ,   P^2/N (w_esc) = drop - ||proj_V b||^2
            ~ N(w0) e^{2 w0 L} / (4 L^2 M(w0)^2) ,     B ~ M(w) e^{-wL}                                      (M14)

With the basis v_p(t) = t^{n_p} e^{-r_p t}, Gram matrix G and beta_p = <v_p, b> = (-1)^{n_p} B^{(n_p)}(r_p):

    P(w) = B(w) - c(w)^T beta ,   c = G^{-1} g ,   g_p(w) = <e^{-wt}, v_p>                                   (P1)
    ||proj_V b||^2 = beta^T G^{-1} beta                                                                      (P2)

c needs no inverse. With A(s) = prod_q ((s - r_q)/(s + r_q))^{m_q}, m_q = 2 for a matched rate and 1 for another spare,
(I - proj_V) e^{-wt} has the transform A(w) A(s) / (s + w): it vanishes at every r_q to the order m_q, as orthogonality
to V demands, and its residue at s = -w is 1. The other residues are -c. With A_q = A without the factor of r_q and
h(s) = (s - r_q)^2 A_q(s),

    c(w) =  A_q(w) (h(-r_q) - h'(-r_q) (w - r_q)) / (w + r_q)^2    on   e^{-r_q t} ,  r_q matched
    c(w) = -A_q(w) h(-r_q) (w - r_q) / (w + r_q)^2                 on t e^{-r_q t} ,  r_q matched
    c(w) =  2 r_q A_q(w) A_q(-r_q) / (w + r_q)                     on   e^{-r_q t} ,  r_q another spare      (P3)

A parametrisation w = phi(v) with the metric g(w) (M9) changes the speed alone. Gradient flow in (a, v) still relaxes
the fast directions, amplitudes at rates of order 1 and matched units at rates of order g(w*_j), to the same minimum
over them, for the loss does not know about v. What is left of it is |b|^2 - ||proj_V b||^2 - P^2/N, and its gradient
flow in v = phi^{-1}(w) is, in w,

    w' = g(w) d/dw [ P(w)^2 / N(w) ] ,   tau_esc = int_{w_esc}^{w0} dw / (g(w) |d/dw (P^2/N)|)               (P4)

with the same w_esc; the leading term of (M14) is divided by g(w0), so that exponent and prefactor L^{-2} stay and
tau / tau_identity -> 1/g(w0) = 1/phi'(v0)^2.

Several spares, of rates w_1 < w_2 < ..., move together. Their amplitudes are fast, all their rates are slow, and what
they gain at rest over the fit is F. P_l, N_l are P, N at w = w_l with the other spares in V, and p_l is P at w_l with
none of them in V; F - P_l^2/N_l does not depend on w_l, so

    F = sum_l (P_l/N_l) p_l ,   w_l' = g(w_l) dF/dw_l = g(w_l) d/dw [ P_l^2/N_l ] ,   amplitudes P_l/N_l     (P5)

until ||proj_V b||^2 + F, V of the fit alone, is the drop. For long memory only e^{-w_1 t} sees the bump: F ~ P^2/N with
N(w_1) as above, and dF/dw_1 alone brings down a factor L. The others drift the same way, 2 w_1/(L (w_l^2 - w_1^2))
times as fast, so that the slowest moves first where L (w_l - w_1) >> 1. While it moves by 1/(2L) they move by
O(1/L^2), and N with them: against other spares that stand still,

    tau = tau_esc (1 - (4/L^2) sum_l (g(w_l)/g(w0)) (w0/(w_l^2 - w0^2))^2 + O(L^-3))                         (P6)

The leading term of (M14) is left as it is.

The most one spare unit can gain over the start, the others standing still, is the reachable drop,
||proj_V b||^2 + max_{0 < w <= w0} P^2/N. T = inf throughout. All derived here. (P1)-(P3), N and (P5)'s F are
identities, tested; (M13) eliminates the fast directions and (M14) is for long memory, so what follows from them is
estimated.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from theory.kernels import Kernel
from theory.latex import Statement
from theory.parametrisation import IDENTITY, Parametrisation, written_out
from theory.problem import Problem, transform

w = sp.Symbol("w", positive=True)  # the rate of the spare unit


class NoPlateau(ValueError):
    """The slow flow does not describe this problem; the message says why."""


@dataclass(frozen=True)
class Plateau:
    """A fit, a bump and the spares: all that the slow flow (M13), (P5) depends on.

    matched: rates w*_j of the fit, shape (k,). bump: Kernels. spare: w0, the rate of the spare that moves first.
    others: the rates of the other spares. Rates in 1 / time; symbols are welcome. parametrisation: of the rates (M9).
    """

    matched: tuple[sp.Expr, ...]
    bump: tuple[Kernel, ...]
    spare: sp.Expr
    others: tuple[sp.Expr, ...] = ()
    parametrisation: Parametrisation = IDENTITY

    @cached_property
    def basis(self) -> tuple[tuple[int, sp.Expr], ...]:
        """(n_p, r_p) of the functions t^n e^{-rt} that span V."""
        return tuple((order, rate) for rate in self.matched for order in (0, 1)) + tuple(
            (0, rate) for rate in self.others
        )

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
    def coefficients(self) -> tuple[sp.Expr, ...]:
        """c_p(w): proj_V e^{-wt} = sum_p c_p v_p, in the order of `basis` (P3). Exact, rational in w."""
        s = sp.Symbol("s")
        multiplicity = dict.fromkeys(self.matched, 2) | dict.fromkeys(self.others, 1)

        def without(rate: sp.Expr, at: sp.Expr) -> sp.Expr:
            return sp.Mul(*(((at - q) / (at + q)) ** n for q, n in multiplicity.items() if q != rate))

        found: list[sp.Expr] = []
        for rate in self.matched:
            h = (s - rate) ** 2 * without(rate, s)
            here, slope = h.subs(s, -rate), sp.diff(h, s).subs(s, -rate)
            shared = without(rate, w) / (w + rate) ** 2
            found += [shared * (here - slope * (w - rate)), -shared * here * (w - rate)]
        found += [2 * rate * without(rate, w) * without(rate, -rate) / (w + rate) for rate in self.others]
        return tuple(found)

    @cached_property
    def projection(self) -> sp.Expr:
        """P(w), the bump as the spare unit sees it (P1). Exact."""
        seen = zip(self.coefficients, self.bump_on_basis, strict=True)
        return transform(self.bump, w) - sp.Add(*(c * beta for c, beta in seen))

    @cached_property
    def norm(self) -> sp.Expr:
        """N(w), the part of the spare unit's exponential that the fit cannot imitate (M13). Exact."""
        doubled = sp.Mul(*(((w - rate) / (w + rate)) ** 4 for rate in self.matched))
        single = sp.Mul(*(((w - rate) / (w + rate)) ** 2 for rate in self.others))
        return doubled * single / (2 * w)

    @cached_property
    def slopes(self) -> tuple[sp.Expr, sp.Expr]:
        """P'(w) and N'(w), short for any number of units: products are derived as f' = f (ln f)'. Exact.

        Holds where w is no rate of another unit; there, differentiate `projection` and `norm` themselves.
        """
        seen = zip(self.coefficients, self.bump_on_basis, strict=True)
        by_parts = sp.Add(*(c * _logarithmic_derivative(c) * beta for c, beta in seen))
        return sp.diff(transform(self.bump, w), w) - by_parts, self.norm * _logarithmic_derivative(self.norm)

    @cached_property
    def gain(self) -> sp.Expr:
        """P(w)^2 / N(w): how far the loss lies below the plateau when the spare has rate w."""
        return self.projection**2 / self.norm

    @property
    def gain_slope(self) -> sp.Expr:
        """d/dw (P^2/N) = (P/N) (2 P' - P N'/N), from `slopes`: the pull on the spare's rate. Exact."""
        (dP, dN), P, N = self.slopes, self.projection, self.norm
        return P / N * (2 * dP - P * dN / N)

    @property
    def amplitudes(self) -> tuple[sp.Expr, ...]:
        """P_l/N_l of every spare, the one that moves first: the amplitudes to which they relax at their rates (P5)."""
        spares = (self.spare, *self.others)
        seen = (replace(self, spare=rate, others=spares[:l] + spares[l + 1 :]) for l, rate in enumerate(spares))
        return tuple((each.projection / each.norm).subs(w, each.spare) for each in seen)

    def drift_correction(self) -> sp.Expr:
        """The coefficient of 1/L^2 in (P6): how the drift of the other spares changes the escape time; estimated."""
        pull = ((rate, self.spare / (rate**2 - self.spare**2)) for rate in self.others)
        slow = self.metric.subs(w, self.spare)
        return -4 * sp.Add(*(self.metric.subs(w, rate) / slow * each**2 for rate, each in pull))

    @property
    def metric(self) -> sp.Expr:
        """g(w), the factor of the spare's speed in (P4); 1 for the identity. Exact."""
        return self.parametrisation.metric(w)

    def length_in_basis(self, moments: sp.Matrix) -> sp.Expr:
        """||proj_V f||^2 of any f from its moments <v_p, f>, shape (len(basis), 1) (P2). Exact."""
        return (moments.T * self.gram_inverse * moments)[0, 0]

    @property
    def fast_drop(self) -> sp.Expr:
        """||proj_V b||^2: what the fast directions alone gain over the start (P2)."""
        return self.length_in_basis(self.bump_on_basis)

    def leading_order(self) -> sp.Expr:
        """The leading term of the escape time (M14) for long memory L; estimated. Raises NoPlateau without a lag L."""
        exponents = [exponent for kernel in self.bump if (exponent := kernel.exponent())]
        if not exponents or len(exponents) < len(self.bump):
            raise NoPlateau("a term of the bump has no lag L with B(w) ~ M(w) e^{-wL}")
        nearest = min(lag for _, lag in exponents)
        mass = sum(M(w) for M, lag in exponents if lag == nearest)
        if not nearest.is_positive:
            raise NoPlateau(f"the bump's memory must be > 0 for a leading term, its lag is {nearest}")
        law = self.norm * sp.exp(2 * w * nearest) / (4 * nearest**2 * mass**2)  # (M14)
        return (law / self.metric).subs(w, self.spare)  # (P4)

    def statements(self) -> tuple[Statement, ...]:
        """P, N and the slow flow, for display."""
        P, N, tau = sp.Function("P"), sp.Function("N"), sp.Symbol("tau")
        speed, number = written_out(self.metric), "M13" if self.metric == 1 else "P4"
        slow = speed * sp.Derivative(P(w) ** 2 / N(w), w)
        return (
            Statement("slow flow", sp.Derivative(w, tau, evaluate=False), slow, number),
            Statement("slow flow", P(w), self.projection, "P1"),
            Statement("slow flow", N(w), self.norm, "M13"),
        )

    def _repr_latex_(self) -> str:
        speed = "" if self.metric == 1 else sp.latex(written_out(self.metric)) + " "
        return rf"$\displaystyle w' = {speed}\frac{{d}}{{dw}} \left[ {sp.latex(self.gain)} \right]$"


def _moment(p: tuple[int, sp.Expr], q: tuple[int, sp.Expr]) -> sp.Expr:
    """<t^n e^{-rt}, t^l e^{-qt}> over t >= 0."""
    order = p[0] + q[0]
    return sp.factorial(order) / (p[1] + q[1]) ** (order + 1)


def _logarithmic_derivative(product: sp.Expr) -> sp.Expr:
    """d/dw ln |product|, factor by factor."""
    return sp.Add(*(sp.diff(factor, w) / factor for factor in sp.Mul.make_args(product)))


def plateau(problem: Problem) -> Plateau:
    """The Plateau that the start of a problem sits on.

    Raises NoPlateau, with the reason, where (M13) does not apply: a finite horizon, off the fit, no spare unit, no
    bump, or a spare that would have to pass a matched rate on its way to slower rates.
    """
    if problem.horizon != sp.oo:
        raise NoPlateau(f"the slow flow is derived for T = inf, and the horizon is {problem.horizon}")
    if problem.off_the_fit:
        raise NoPlateau(problem.off_the_fit)
    spares = sorted(rate for unit, (_, rate) in enumerate(problem.reference) if unit not in problem.pairing)
    matched = tuple(term.rate for term in problem.pairing.values())
    if not spares:
        raise NoPlateau("every unit is matched to an exponential; there is no spare unit to move")
    if problem.bump_vanishes:
        raise NoPlateau("the target has no bump, or its bump is zero; the start is the target")
    if not matched:
        raise NoPlateau("the target has no exponential for a unit to match; there is no fit to start from")
    if any(rate <= spares[0] for rate in matched):
        raise NoPlateau(
            f"the slowest spare rate {spares[0]} is not below every matched rate; it would meet a matched unit"
        )
    if len(set(spares)) < len(spares):
        raise NoPlateau("two spares have the same rate; the slow flow tells spares apart by their rates")
    return Plateau(matched, problem.bump, spares[0], tuple(spares[1:]), problem.parametrisation)
