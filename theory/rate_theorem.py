r"""The rate theorem: how fast linear RNNs approximate a smooth memory that fades exponentially.

y is the output for a unit step, so y' = rho. If rho has alpha continuous derivatives and, for some beta > 0,

    e^{beta t} y^{(k)}(t) -> 0 ,   sup_t |e^{beta t} y^{(k)}(t)| / beta^k <= gamma ,   k = 1 .. alpha + 1    (M11')

then a network of width m with the rates k beta/(alpha+1), k = 1 .. m, reaches the L1 error

    E_m <= gamma (2 alpha + 1)!/alpha! (pi/4)^alpha (m - alpha)!/m! ,   m >= alpha                           (M11)

(the construction s = e^{-beta t/(alpha+1)} and the theorem of Favard and Jackson). Errors of d inputs add up. As quoted
the bound carries another factor 1/beta, which cannot be: c rho(ct) has the same E_m and gamma, and c beta for beta.

Hypotheses are checked, and gamma found, for sums of terms P(t) e^{Q(t)} after a lag, P and Q polynomials: exponentials,
Erlang kernels, Gaussians and formulas of that form. There y^{(k)} e^{beta t} = P_k e^{Q + beta t},

    P_1 = P ,   P_{k+1} = P_k' + Q' P_k ,   largest at t = 0 or at a real root of P_k' + (Q' + beta) P_k     (T1)

A sum of terms has at most the sum of their gammas. A lag L multiplies by e^{beta L}; where rho or a derivative jumps at
the lag, alpha ends below it: t^n e^{-wt} begins with n - 1 continuous derivatives.

(M11) from mathematics.md; the source is Li, Han, E, Li, ICLR 2021, arXiv:2009.07799, second-hand. (T1) derived here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from theory.exact import Exact, exact, positive
from theory.hankel import memory
from theory.kernels import Airy, Box, Kernel, PowerLaw, t
from theory.latex import Statement
from theory.problem import Target
from theory.theorem import Theorem

SHARES = tuple(sp.Rational(share) for share in ("1/4", "1/2", "2/3", "4/5", "9/10", "19/20", "99/100", "999/1000"))
OCTAVES = tuple(sp.Integer(k) for k in range(-2, 7))  # of beta times the reach, for what fades faster than e^{-wt}
MOST_SMOOTH = 12  # alpha, where nothing else ends it: (2 alpha + 1)!/alpha! grows too fast for more to help
beta = sp.Symbol("beta", positive=True)


class NoRate(ValueError):
    """The rate theorem does not hold for this kernel, or its gamma is not found; the message says which and why."""


@dataclass(frozen=True)
class RateBound:
    """(M11) for one kernel: alpha >= 1 continuous derivatives, beta > 0 in 1/time, gamma in output/input. Exact."""

    alpha: int
    beta: sp.Expr
    gamma: sp.Expr

    def error(self, width: int) -> sp.Expr:
        """The right side of (M11): a proved upper bound of the L1 error E_m at m = width >= alpha."""
        if width < self.alpha:
            raise ValueError(f"width must be >= alpha = {self.alpha}, got {width}; take a bound of lower smoothness")
        smooth = sp.factorial(2 * self.alpha + 1) / sp.factorial(self.alpha) * (sp.pi / 4) ** self.alpha
        return self.gamma * smooth * sp.factorial(width - self.alpha) / sp.factorial(width)  # (M11)

    def theorem(self) -> Theorem:
        """(M11) with the hypotheses as they were found."""
        m = sp.Symbol("m", integer=True, positive=True)
        smooth = sp.factorial(2 * self.alpha + 1) / sp.factorial(self.alpha) * (sp.pi / 4) ** self.alpha
        bound = self.gamma * smooth * sp.factorial(m - self.alpha) / sp.factorial(m)
        hypotheses = (
            f"rho has {self.alpha} continuous derivative{'s' * (self.alpha != 1)}",
            f"e^(beta t) y^(k) -> 0 and |e^(beta t) y^(k)| / beta^k <= gamma for k = 1 .. {self.alpha + 1}, "
            f"beta = {self.beta}, gamma = {self.gamma}",
            f"the width m is at least {self.alpha}",
        )
        statement = Statement("rate theorem", sp.Symbol("E_m"), bound, "M11", r"\le")
        return Theorem("rate theorem", hypotheses, (statement,), "proved", "Li, Han, E, Li, ICLR 2021, second-hand")


@dataclass(frozen=True)
class _Term:
    """P(u) e^{Q(u)} from u = t - lag = 0 on, 0 before."""

    P: sp.Poly
    Q: sp.Poly
    lag: sp.Expr

    @property
    def smoothness(self) -> sp.Expr:
        """How many continuous derivatives it has on t >= 0, -1 for a jump; infinity where there is no lag."""
        if self.lag == 0:
            return sp.oo
        return min(monomial for (monomial,) in self.P.monoms()) - 1

    @property
    def fastest(self) -> sp.Expr:
        """The supremum of the beta with e^{beta t} rho -> 0."""
        return sp.oo if self.Q.degree() > 1 else -self.Q.coeff_monomial(t)

    def gamma(self, alpha: int, rate: sp.Expr, roots: Callable[[sp.Poly], list[sp.Expr]]) -> sp.Expr:
        """max over k = 1 .. alpha + 1 of sup |e^{beta t} y^{(k)}| / beta^k (T1); roots: finds real roots."""
        P, slope, sizes = self.P, self.Q.diff(t), []
        for k in range(1, alpha + 2):
            turning = P.diff(t) + (slope + sp.Poly(rate, t)) * P
            times = [sp.S.Zero, *(root for root in roots(turning) if root.is_positive)]
            sizes += [abs(P.eval(time)) * sp.exp(self.Q.eval(time) + rate * time) / rate**k for time in times]
            P = P.diff(t) + slope * P
        return sp.exp(rate * self.lag) * max(sizes, key=lambda size: sp.N(size, 30))


def _exact_roots(polynomial: sp.Poly) -> list[sp.Expr]:
    return [root for root, _ in sp.real_roots(polynomial, multiple=False)] if polynomial.degree() > 0 else []


def _rough_roots(polynomial: sp.Poly) -> list[sp.Expr]:
    found = polynomial.nroots(n=15, maxsteps=500) if polynomial.degree() > 0 else []
    return [sp.re(root) for root in found if abs(sp.im(root)) <= 1e-6 * abs(root)]


def rate_bound(target: Target | Kernel | Sequence[Kernel], alpha: int, rate: Exact) -> RateBound:
    """The hypotheses (M11') checked for a kernel at given alpha and beta = rate, and gamma found. Exact.

    Raises NoRate, with the reason, where they fail or are beyond (T1); ValueError for alpha < 1 or rate <= 0.

    >>> from theory.kernels import Erlang
    >>> rate_bound(Erlang(order=1), 1, "1/2").gamma
    4
    """
    if type(alpha) is not int or alpha < 1:
        raise ValueError(f"alpha must be an int >= 1, got {alpha!r}; with alpha = 0 the bound does not fall with m")
    value = positive(rate, "rate", "for beta, an exponential decay")
    terms = _terms(memory(target))
    smooth, fastest = sp.Min(*(each.smoothness for each in terms)), sp.Min(*(each.fastest for each in terms))
    if alpha > smooth:
        raise NoRate(f"rho has {smooth} continuous derivatives on t >= 0, fewer than alpha = {alpha}; lower alpha")
    if not value < fastest:
        raise NoRate(f"rho fades like e^(-{fastest} t), so beta must be < {fastest}, got {value}; lower the rate")
    return RateBound(alpha, value, _gamma(terms, alpha, value, _exact_roots))


def best_rate_bound(target: Target | Kernel | Sequence[Kernel], width: int) -> RateBound:
    """The RateBound with nearly the smallest error at a width, over alpha and beta; exact wherever it ends.

    The search is in numbers: beta is a rational of a few digits. Raises NoRate as `rate_bound`.
    """
    terms = _terms(memory(target))
    count = exact(width, "width")
    if not (count.is_Integer and count >= 1):
        raise ValueError(f"width must be an int >= 1, got {width!r}")
    most = int(sp.Min(*(each.smoothness for each in terms), count, MOST_SMOOTH))
    fastest = sp.Min(*(each.fastest for each in terms))
    rates = [fastest * share for share in SHARES] if fastest.is_finite else [2**k / _span(terms) for k in OCTAVES]

    def size(choice: tuple[int, sp.Expr]) -> float:
        alpha, rate = choice
        return float(sp.N(RateBound(alpha, rate, _gamma(terms, alpha, rate, _rough_roots)).error(int(count)), 15))

    best = min(((1, rate) for rate in rates), key=size)
    for more in range(2, most + 1):
        smoother = min(((more, rate) for rate in rates), key=size)
        if size(smoother) >= size(best):
            break
        best = smoother
    alpha, rate = best
    return RateBound(alpha, rate, _gamma(terms, alpha, rate, _exact_roots))


@lru_cache(maxsize=1024)  # the widths of a search share it
def _gamma(terms: tuple[_Term, ...], alpha: int, rate: sp.Expr, roots: Callable[[sp.Poly], list[sp.Expr]]) -> sp.Expr:
    return sp.Add(*(each.gamma(alpha, rate, roots) for each in terms))


def _span(terms: Sequence[_Term]) -> sp.Expr:
    """About how far back the Gaussian terms reach: where the exponent of each is largest, and its width."""
    spans = [sp.Integer(1)]
    for each in terms:
        curvature = -each.Q.coeff_monomial(t**2)
        if curvature.is_positive:
            spans.append(abs(each.Q.coeff_monomial(t)) / (2 * curvature) + sp.Rational(sp.N(1 / sp.sqrt(curvature), 3)))
    return sp.nsimplify(sp.N(max(spans), 6), rational=True)


def _terms(kernels: Sequence[Kernel]) -> tuple[_Term, ...]:
    """The kernel as a sum of P e^Q. Raises NoRate where the theorem does not hold or a term is of no such form."""
    found: list[_Term] = []
    for kernel in kernels:
        for summand in sp.Add.make_args(sp.expand(_form(kernel))):
            found.append(_term(summand, kernel))
    if not found:
        raise NoRate("the kernel is zero; a network of any width is exact")
    for each in found:
        if each.smoothness < 1:
            what = "jumps" if each.smoothness < 0 else "has a kink"
            raise NoRate(f"rho {what} at t = {each.lag}, so not even alpha = 1 continuous derivative exists")
    return tuple(found)


def _form(kernel: Kernel) -> sp.Expr:
    if isinstance(kernel, PowerLaw):
        raise NoRate(
            f"a power law fades like t^-{1 + kernel.omega}: e^(beta t) rho grows for every beta > 0. No exponential "
            "rate exists; see theory/width_laws.py"
        )
    if isinstance(kernel, Box):
        raise NoRate(f"a box jumps at t = {kernel.support[1]}; not even alpha = 1 continuous derivative exists")
    if isinstance(kernel, Airy):
        raise NoRate("the suprema of e^(beta t) times an Airy function have no closed form; give gamma to RateBound")
    return kernel.shape(t)


def _term(summand: sp.Expr, kernel: Kernel) -> _Term:
    P, Q = sp.Integer(1), sp.Integer(0)
    for factor in sp.Mul.make_args(sp.powsimp(summand)):
        if isinstance(factor, sp.exp):
            Q += factor.args[0]
        else:
            P *= factor
    exponent = sp.expand(Q)
    known = P.is_polynomial(t) and exponent.is_polynomial(t) and exponent.has(t)
    if not known or not sp.Poly(exponent, t).LC().is_negative:
        raise NoRate(
            f"{summand} is not a polynomial times e^(a polynomial that falls); its suprema have no closed form here, "
            "give gamma to RateBound"
        )
    return _Term(sp.Poly(P, t), sp.Poly(exponent, t), kernel.delay)
