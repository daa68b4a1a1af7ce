r"""Special functions that have a name of their own because no one closed form can be evaluated everywhere.

All are moments int t^n e^{-st} f(t) dt of some f, n = 0, 1, 2, ..., so each obeys

    d/ds (n-th moment) = -((n+1)-th moment)                                                                  (S1)

Truncated Gaussian moments; lag L, width sigma:

    M_n(s) = int_0^inf t^n exp(-s t - (t-L)^2 / (2 sigma^2)) dt
    M_0    = sigma sqrt(pi/2) exp(-s L + s^2 sigma^2/2) erfc((s sigma^2 - L)/(sigma sqrt 2))                (M10)
    M_n+1  = (L - s sigma^2) M_n + n sigma^2 M_n-1 + [n = 0] sigma^2 exp(-L^2/(2 sigma^2))                   (S2)

(M10) is the square completed; (S2) integrates d/dt (t^n exp(...)) from 0 to infinity. The boundary term of (S2) is
written as it stands, never as a product of a huge and a tiny number. For s sigma^2 > L the two sides of (S2) cancel:
float64 takes another way there (numerics/arithmetic.py), Arb and mpmath have digits to spare.

Exponential moments over the horizon T, and their divided differences:

    E_n(s)       = int_0^T t^n e^{-st} dt ,   E_0 = K ,   K(s) = (1 - e^{-sT})/s ,   E_n = n!/s^{n+1} for T = inf
    E_n          = (n E_n-1 - T^n e^{-sT}) / s                                                               (S3)
    D_n(s, beta) = int_0^T t^n e^{-st} (1 - e^{-beta t})/beta dt = [E_n(s) - E_n(s + beta)] / beta
    D_n          = (E_n(s) + n D_n-1 - T^n e^{-sT} K(beta)) / (s + beta) ,   D_0 = 1/(s (s+beta)) for T = inf (S4)

(S3) by parts; (S4), n = 0, is K(s) - K(s+beta) with e^{-(s+beta)T} = e^{-sT} (1 - beta K(beta)), and its n-th
derivative is the rest. Both cancel where the rates are slow beside 1/T: numerics/windowed.py knows the way around.

Power-law moments, and those of any other density:

    H_n(s) = int_0^inf t^n (1+t)^{-p} e^{-st} dt = n! U(n+1, n+2-p, s) ,   U Tricomi's function               (S5)
    int_lower^upper t^n e^{-st} f(t) dt                                                                      (S6)

(S5) is the integral representation of U (DLMF 13.4.4, cited second-hand). (S6) has no closed form:
numerics/quadrature.py builds a rule for it, and for (S5) in float64. (S2)-(S4) derived here.
"""

from typing import Any

import sympy as sp
from sympy.core.function import ArgumentIndexError

t = sp.Symbol("t", nonnegative=True)


class MomentBase(sp.Function):
    """A moment with the arguments (n, s, ...), differentiated by (S1). (SymPy's printers heed bases so named.)"""

    is_commutative = True  # SymPy would ask the density of a Moment, and the identity t -> t has no answer

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        n, *rest = self.args
        if argindex != 2:
            raise ArgumentIndexError(self, argindex)  # SymPy then writes a formal derivative
        return -self.func(n + 1, *rest)  # (S1)


def _raised(latex: str, exponent: str | None) -> str:
    """LaTeX of something to a power, as SymPy's printer asks for."""
    return latex if exponent is None else rf"\left({latex}\right)^{{{exponent}}}"


class GaussianMoment(MomentBase):
    """M_n(s) with arguments (n, s, lag, width); stays unevaluated until `closed` is asked for. Exact.

    >>> s = sp.Symbol("s", positive=True)
    >>> GaussianMoment(0, s, 10, 1).diff(s)
    -GaussianMoment(1, s, 10, 1)
    """

    nargs = (4,)

    def closed(self) -> sp.Expr:
        """The moment through exp and erfc, by (M10) and (S2)."""
        n, s, lag, width = self.args
        if n == 0:
            tail = sp.erfc((s * width**2 - lag) / (width * sp.sqrt(2)))
            return width * sp.sqrt(sp.pi / 2) * sp.exp(-s * lag + s**2 * width**2 / 2) * tail  # (M10)
        below = GaussianMoment(n - 1, s, lag, width).closed()
        if n == 1:
            return (lag - s * width**2) * below + width**2 * sp.exp(-(lag**2) / (2 * width**2))  # (S2)
        two_below = GaussianMoment(n - 2, s, lag, width).closed()
        return (lag - s * width**2) * below + (n - 1) * width**2 * two_below  # (S2)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        n, s, lag, width = (printer.doprint(argument) for argument in self.args)
        name = rf"M_{{{n}}}\left({s}; {lag}, {width}\right)"
        return name if exp is None else rf"{name}^{{{exp}}}"


class ExponentialMoment(MomentBase):
    """E_n(s) with arguments (n, s, T). Exact; evaluated at once for T = inf and for s = 0.

    >>> s = sp.Symbol("s", positive=True)
    >>> ExponentialMoment(0, s, sp.oo), ExponentialMoment(1, 0, 4), ExponentialMoment(0, s, 4).explicit()
    (1/s, 8, (1 - exp(-4*s))/s)
    """

    nargs = (3,)

    @classmethod
    def eval(cls, n: sp.Expr, s: sp.Expr, T: sp.Expr) -> sp.Expr | None:
        if T is sp.oo:
            return sp.factorial(n) / s ** (n + 1)
        return T ** (n + 1) / (n + 1) if s == 0 else None

    def explicit(self) -> sp.Expr:
        """Through exp, for display and symbolic work."""
        n, s, T = self.args
        if n == 0:
            return (1 - sp.exp(-s * T)) / s
        return (n * ExponentialMoment(n - 1, s, T).explicit() - T**n * sp.exp(-s * T)) / s  # (S3)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        explicit = self.explicit()
        shown = printer.doprint(explicit)
        bare = exp is not None or not explicit.is_Add  # a sum may stand in a product, and SymPy would not know
        return _raised(shown if bare else rf"\left({shown}\right)", exp)


class DividedMoment(MomentBase):
    """D_n(s, beta) with arguments (n, s, beta, T). Exact; D_0 is evaluated at once for T = inf.

    >>> s, beta = sp.symbols("s beta", positive=True)
    >>> DividedMoment(0, s, beta, sp.oo)
    1/(s*(beta + s))
    """

    nargs = (4,)

    @classmethod
    def eval(cls, n: sp.Expr, s: sp.Expr, beta: sp.Expr, T: sp.Expr) -> sp.Expr | None:
        return 1 / (s * (s + beta)) if T is sp.oo and n == 0 else None  # (S4)

    def explicit(self) -> sp.Expr:
        """Through exp, for display and symbolic work; beta != 0."""
        n, s, beta, T = self.args
        near, far = (ExponentialMoment(n, each, T).explicit() for each in (s, s + beta))
        return (near - far) / beta

    def _latex(self, printer: Any, exp: Any = None) -> str:
        n, s, beta, _ = (printer.doprint(argument) for argument in self.args)
        name = rf"D_{{{n}}}\left({s}, {beta}\right)"
        return name if exp is None else rf"{name}^{{{exp}}}"


class PowerMoment(MomentBase):
    """H_n(s) with arguments (n, s, p), p > 1. Exact; evaluated at once for n = s = 0.

    >>> PowerMoment(0, 0, sp.Rational(3, 2))
    2
    """

    nargs = (3,)

    @classmethod
    def eval(cls, n: sp.Expr, s: sp.Expr, p: sp.Expr) -> sp.Expr | None:
        return 1 / (p - 1) if n == 0 and s == 0 else None

    @property
    def integrand(self) -> tuple[sp.Lambda, sp.Expr, sp.Expr]:
        """f, lower, upper of (S6)."""
        return sp.Lambda(t, (1 + t) ** -self.args[2]), sp.Integer(0), sp.oo

    def _latex(self, printer: Any, exp: Any = None) -> str:
        n, s, p = (printer.doprint(argument) for argument in self.args)
        name = rf"H_{{{n}}}\left({s}; {p}\right)"
        return name if exp is None else rf"{name}^{{{exp}}}"


class Moment(MomentBase):
    """(S6) with arguments (n, s, f, lower, upper), f a Lambda of t that is analytic in between. Exact.

    >>> s, t = sp.symbols("s t", nonnegative=True)
    >>> Moment(0, s, sp.Lambda(t, sp.airyai(t)), 0, sp.oo).diff(s)
    -Moment(1, s, Lambda(t, airyai(t)), 0, oo)
    """

    nargs = (5,)

    @property
    def integrand(self) -> tuple[sp.Lambda, sp.Expr, sp.Expr]:
        """f, lower, upper of (S6)."""
        return self.args[2], self.args[3], self.args[4]

    def _latex(self, printer: Any, exp: Any = None) -> str:
        n, s, f, lower, upper = self.args
        t = f.variables[0]
        return _raised(printer.doprint(sp.Integral(t**n * sp.exp(-s * t) * f.expr, (t, lower, upper))), exp)


def moment(density: sp.Expr, s: sp.Expr, lower: sp.Expr, upper: sp.Expr) -> sp.Expr:
    """(S6) of order 0, the density in t; 0 for an empty interval. Exact."""
    if density == 0 or not lower < upper:
        return sp.Integer(0)
    if not density.has(t):
        return density * sp.exp(-s * lower) * ExponentialMoment(0, s, upper - lower)
    return Moment(0, s, sp.Lambda(t, density), lower, upper)
