r"""Overlaps of two memory kernels: the inner products that a loss is made of.

    <p, q>_s = int_0^T e^{-st} p(t) q(t) dt
    p = a e^{-w(t-L)}, and q begins no earlier:    a e^{wL} R_q(s + w)                                       (K1)
    two Gaussians, Erlangs or power laws:          their product is another one                             (K2)
    any two:                                       the moment (S6) of the product of their densities        (K3)

with, in (K2) for Gaussians, precision 1/sigma^2 = 1/sigma_1^2 + 1/sigma_2^2, lag L/sigma^2 = L_1/sigma_1^2 +
L_2/sigma_2^2 and amplitude A_1 A_2 exp(-(L_1-L_2)^2 / (2 (sigma_1^2 + sigma_2^2))). All derived here.
"""

import sympy as sp

from theory.exact import Exact, exact
from theory.kernels import Erlang, Exponential, Gaussian, Kernel, PowerLaw, t
from theory.special import moment


def product(p: Kernel, q: Kernel) -> Kernel | None:
    """The kernel p(t) q(t) where it is of their own kind (K2), else None. Exact."""
    if isinstance(p, Gaussian) and isinstance(q, Gaussian):
        variance = p.width**2 * q.width**2 / (p.width**2 + q.width**2)
        lag = variance * (p.lag / p.width**2 + q.lag / q.width**2)
        apart = sp.exp(-((p.lag - q.lag) ** 2) / (2 * (p.width**2 + q.width**2)))
        return Gaussian(p.amplitude * q.amplitude * apart, sp.sqrt(variance), lag)
    if isinstance(p, Erlang) and isinstance(q, Erlang) and p.lag == q.lag:
        return Erlang(p.amplitude * q.amplitude, p.order + q.order, p.rate + q.rate, p.lag)
    if isinstance(p, PowerLaw) and isinstance(q, PowerLaw) and p.lag == q.lag:
        return PowerLaw(p.amplitude * q.amplitude, p.omega + q.omega + 1, p.lag)
    return None


def overlap(p: Kernel, q: Kernel, s: Exact, horizon: sp.Expr = sp.oo) -> sp.Expr:
    """<p, q>_s = int_0^horizon e^{-st} p(t) q(t) dt, s >= 0; 0 for kernels of different inputs. Exact.

    >>> overlap(Exponential(), Exponential("2", "3"), 0)
    1/2
    """
    s = exact(s, "s")
    if p.input != q.input:
        return sp.Integer(0)
    for one, other in ((p, q), (q, p)):
        if isinstance(one, Exponential) and (one.lag == 0 or one.lag <= other.support[0]):
            return one.amplitude * sp.exp(one.rate * one.lag) * other.laplace(s + one.rate, horizon)  # (K1)
    if (both := product(p, q)) is not None:
        return both.laplace(s, horizon)  # (K2)
    begin = sp.Max(p.support[0], q.support[0])
    end = sp.Min(p.support[1], q.support[1], horizon)
    return moment(p.density(t) * q.density(t), s, begin, end)  # (K3)
