r"""What lies beyond a time, at most: the tail of a moment of a formula, from its envelope (theory/decay.py).

|f(t)| <= c t^p e^{-r t^q} for t >= since. With u = t^o, where o = q if r > 0 and q < 1, else o = 1, for x >= since

    int_x^inf t^n e^{-st} |f(t)| dt <= c/o int_{x^o}^inf u^k e^{-r u^{q/o} - s u^{1/o}} du , k = (p+n+1)/o - 1  (I1)

q/o >= 1 and, for s > 0, 1/o >= 1, so for k >= 0 the logarithm psi(u) of the integrand is concave, below its tangent at
v = x^o; for k < 0, u^k <= v^k comes out first, and k counts as 0 in psi':

    int_v^inf e^{psi(u)} du <= e^{psi(v)} / |psi'(v)|   if psi'(v) < 0                                       (I2)
    int_x^inf t^{n+p} e^{-r t^q - st} dt <= e^{-r x^q - sx} x^{n+p+1} / (-n-p-1)   if n + p + 1 < 0          (I3)

The smaller of both counts. They are taken as logarithms, in float64, and rounded outward by SLACK: e^{-x} and x^p may
be far out of its range. Derived here.
"""

import math

import sympy as sp

from theory.decay import Envelope
from theory.sizes import SLACK, capped_exp, fraction, ln

STEEP = 1e-4  # of a sum that cancels, what must be left for its sign and its logarithm to be worth SLACK


def log_tail(envelope: Envelope, x: float, s: float = 0.0, order: int = 0) -> float:
    """A number that ln int_x^inf t^order e^{-st} |f(t)| dt does not exceed, by (I1)-(I3); s >= 0 in 1/time.

    inf where nothing is shown: x < since, or t^order e^{-st} times the envelope is still rising at x, or not
    integrable. Enclosed, float logarithms rounded outward by SLACK. Raises ValueError for x or s not finite, or s < 0.

    >>> from theory.decay import envelope
    >>> t = sp.Symbol("t", nonnegative=True)
    >>> round(log_tail(envelope(t * sp.exp(-t), t), 100.0), 3)  # of ln(101 e^-100) = -95.385, rounded up
    -95.385
    """
    if not (math.isfinite(x) and math.isfinite(s) and s >= 0):
        raise ValueError(f"the tail needs a finite x and a finite s >= 0, got x = {x!r}, s = {s!r}")
    if sp.Rational(x) < envelope.since:
        return math.inf
    if envelope.constant == 0:
        return -math.inf
    rate, stretch = float(envelope.rate), float(envelope.stretch)
    outer = stretch if rate > 0 and stretch < 1 else 1.0  # o
    k = (float(envelope.power) + order + 1) / outer - 1  # (I1)
    lnx = math.log(x)
    fading = [-rate * capped_exp(stretch * lnx), -min(s * x, 1e300)]
    parts = [ln(fraction(envelope.constant)), *fading]
    slopes = [max(k, 0.0), fading[0] * stretch / outer, fading[1] / outer]  # v psi'(v)
    bounds = []
    if -sum(slopes) > STEEP * sum(map(abs, slopes)):
        bounds.append([*parts, (k + 1) * outer * lnx, -math.log(-sum(slopes)), -math.log(outer)])  # (I2)
    excess = float(-envelope.power - order - 1)
    if excess > 0:
        bounds.append([*parts, -excess * lnx, -math.log(excess)])  # (I3)
    return min((sum(each) + SLACK * (1 + sum(map(abs, each))) for each in bounds), default=math.inf)
