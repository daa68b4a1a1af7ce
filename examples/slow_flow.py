r"""Why the escape time grows like e^{2 w0 L}/L^2: the slow flow of one spare unit, followed by SymPy as L grows.

The target is e^{-t}, already learned, plus a Gaussian bump L in the past. A spare unit of rate w, amplitude ~ 0, obeys

    w' = d/dw [ P(w)^2 / N(w) ]                                                                              (M13)

and the escape time is the time that this flow takes from the start w0 to slow rates.

    .venv/bin/python examples/slow_flow.py
"""

import mpmath
import sympy as sp

from theory.kernels import Gaussian
from theory.plateau import Plateau, w
from theory.special import GaussianMoment

START = sp.Rational(7, 10)  # w0, below the learned rate 1; change it and the exponent follows
LEARNED = sp.Integer(1)
L = sp.Symbol("L", positive=True)

# 1. P and N, exactly, with the lag L a symbol. The moments of the bump are its transform B and derivatives.
plateau = Plateau((LEARNED,), (Gaussian(lag=L),), START)
in_words = plateau.projection.replace(GaussianMoment, lambda n, s, *_: (-1) ** n * sp.Function("B" + "'" * int(n))(s))
print(f"The bump as the spare unit sees it:            P(w) = {in_words}")
print(f"What the fit cannot imitate of the unit:       N(w) = {plateau.norm}")

# 2. Long memory: erfc((w - L)/sqrt 2) -> 2 and e^{-L^2/2} -> 0, both faster than any e^{-wL}.
closed = plateau.projection.replace(GaussianMoment, lambda *arguments: GaussianMoment(*arguments).closed())
P = closed.replace(sp.erfc, lambda _: sp.Integer(2)).subs(sp.exp(-(L**2) / 2), 0)
N = plateau.norm
M = sp.limit(sp.expand(P.subs(w, START) * sp.exp(START * L)), L, sp.oo)
print(f"\nAs L grows, P(w0) e^(w0 L) tends to            M(w0) = {M} at w0 = {START}")

# 3. The speed: P P' brings down a factor L; what comes through the learned unit dies out like L e^{-(1 - w0) L}.
speed = sp.diff(P**2 / N, w)
constant = sp.limit(sp.expand(speed.subs(w, START) * sp.exp(2 * START * L)) / L, L, sp.oo)
print(f"and dw/dtau / (L e^(-2 w0 L)) to               -2 M^2/N = {sp.simplify(constant)}")
assert sp.simplify(constant + 2 * M**2 / N.subs(w, START)) == 0

# 4. The time is int dw/|w'|, all of it spent near w0: int e^{2wL} dw brings another factor 1/(2L).
tau = sp.exp(2 * START * L) / (2 * L) / (-constant * L)
assert sp.simplify(tau / plateau.leading_order()) == 1  # what the library says (M14)
print(f"\nThe escape time is                             tau ~ {sp.simplify(tau)}")
print(f"limit of d ln tau / dL = {sp.limit(sp.diff(sp.log(tau), L), L, sp.oo)} = 2 w0")
print(f"limit of tau e^(-2 w0 L) L^2 = {sp.limit(sp.simplify(tau * sp.exp(-2 * START * L) * L**2), L, sp.oo)}")

# 5. How soon is that true? The integral of (M14) by quadrature, x = 2 L (w0 - w), down to half the start.
slope = sp.lambdify((w, L), speed, "mpmath", cse=True)


def escape_time(lag: mpmath.mpf) -> mpmath.mpf:
    start = mpmath.mpf(START.p) / START.q
    inverse = lambda x: -1 / slope(start - x / (2 * lag), lag) / (2 * lag)
    return mpmath.quad(inverse, [0, 3, 6, min(start * lag, 30)])


print("\n   L    d ln tau / dL    the same + 2/L")
for lag in map(mpmath.mpf, (20, 40, 80, 160)):
    growth = mpmath.log(escape_time(lag + 1) / escape_time(lag - 1)) / 2
    print(f"{int(lag):4d}    {mpmath.nstr(growth, 7):13s}    {mpmath.nstr(growth + 2 / lag, 7)}")
