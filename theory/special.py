r"""Special functions that have a name of their own because their closed form cannot be evaluated everywhere.

Truncated Gaussian moments, n = 0, 1, 2, ...; lag L, width sigma:

    M_n(s) = int_0^inf t^n exp(-s t - (t-L)^2 / (2 sigma^2)) dt
    M_0    = sigma sqrt(pi/2) exp(-s L + s^2 sigma^2/2) erfc((s sigma^2 - L)/(sigma sqrt 2))                (M10)
    M_n+1  = (L - s sigma^2) M_n + n sigma^2 M_n-1 + [n = 0] sigma^2 exp(-L^2/(2 sigma^2))                (S1)
    M_n'   = -M_n+1                                                                                       (S2)

(M10) is the square completed; (S1) integrates d/dt (t^n exp(...)) from 0 to infinity; both derived here. The boundary
term of (S1) is written as it stands, never as a product of a huge and a tiny number. For s sigma^2 > L the two sides
of (S1) cancel: float64 takes another way there (numerics/arithmetic.py), Arb and mpmath have digits to spare.
"""

from typing import Any

import sympy as sp
from sympy.core.function import ArgumentIndexError


class GaussianMoment(sp.Function):
    """M_n(s) with arguments (n, s, lag, width); stays unevaluated until `closed` is asked for. Exact.

    >>> s = sp.Symbol("s", positive=True)
    >>> GaussianMoment(0, s, 10, 1).diff(s)
    -GaussianMoment(1, s, 10, 1)
    """

    nargs = (4,)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        n, s, lag, width = self.args
        if argindex != 2:
            raise ArgumentIndexError(self, argindex)  # SymPy then writes a formal derivative
        return -GaussianMoment(n + 1, s, lag, width)  # (S2)

    def closed(self) -> sp.Expr:
        """The moment through exp and erfc, by (M10) and (S1)."""
        n, s, lag, width = self.args
        if n == 0:
            tail = sp.erfc((s * width**2 - lag) / (width * sp.sqrt(2)))
            return width * sp.sqrt(sp.pi / 2) * sp.exp(-s * lag + s**2 * width**2 / 2) * tail  # (M10)
        below = GaussianMoment(n - 1, s, lag, width).closed()
        if n == 1:
            return (lag - s * width**2) * below + width**2 * sp.exp(-(lag**2) / (2 * width**2))  # (S1)
        two_below = GaussianMoment(n - 2, s, lag, width).closed()
        return (lag - s * width**2) * below + (n - 1) * width**2 * two_below  # (S1)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        n, s, lag, width = (printer.doprint(argument) for argument in self.args)
        name = rf"M_{{{n}}}\left({s}; {lag}, {width}\right)"
        return name if exp is None else rf"{name}^{{{exp}}}"
