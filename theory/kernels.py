r"""Memory kernels: the terms that a target is made of.

A kernel states rho(t) and its Laplace transform; everything else follows from these two:

    R(s) = int_0^inf e^{-st} rho(t) dt ,   R'(s) = -int t e^{-st} rho ,   R''(s) = int t^2 e^{-st} rho
    exponential  a e^{-wt}                         R = a/(s + w)
    gaussian     A exp(-(t-L)^2/(2 sigma^2))       R = A M_0(s)                                 (M10), theory/special.py
    overlap      <p, q>_s = int_0^inf e^{-st} p(t) q(t) dt
                 p = a e^{-wt}:        a R_q(s + w)                                                           (K1)
                 two Gaussians:        their product is a Gaussian again                                      (K2)

with, in (K2), precision 1/sigma^2 = 1/sigma_1^2 + 1/sigma_2^2, lag L/sigma^2 = L_1/sigma_1^2 + L_2/sigma_2^2 and
amplitude A_1 A_2 exp(-(L_1-L_2)^2 / (2 (sigma_1^2 + sigma_2^2))). (K1), (K2) derived here.

To add a kernel: write one frozen dataclass below, derived from Kernel with kind="its-name", its fields declared by
`number` or `positive_number`; give it `rho` and `laplace`. Studies, the command line and LaTeX then know it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import sympy as sp

from theory.exact import Exact, positive, real
from theory.special import GaussianMoment

KINDS: dict[str, type["Kernel"]] = {}
t = sp.Symbol("t", nonnegative=True)


def number(default: str) -> Any:
    """A real field of a kernel."""
    return field(default=default, metadata={"check": real})


def positive_number(default: str, why: str) -> Any:
    """A field that must be > 0; `why` completes the error message."""

    def check(value: Any, name: str) -> sp.Expr:
        return positive(value, name, why)

    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class Kernel:
    """A memory kernel rho(t), t >= 0, in output / (input * time); immutable and exact."""

    kind: ClassVar[str]

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind
        KINDS[kind] = cls

    def __post_init__(self) -> None:
        for each in fields(self):
            check: Callable[[Any, str], sp.Expr] = each.metadata["check"]
            object.__setattr__(self, each.name, check(getattr(self, each.name), f"{self.kind}: {each.name}"))

    def rho(self, t: sp.Expr) -> sp.Expr:
        """The kernel at time t >= 0."""
        raise NotImplementedError

    def laplace(self, s: sp.Expr) -> sp.Expr:
        """R(s), s >= 0 in 1 / time. Derivatives by SymPy: `kernel.laplace(s).diff(s)`."""
        raise NotImplementedError

    def exponent(self) -> tuple[Callable[[sp.Expr], sp.Expr], sp.Expr] | None:
        """(M, L) with R(s) ~ M(s) e^{-sL} for long memory L, for (M14); None where there is no such lag."""
        return None

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \rho(t) = {sp.latex(self.rho(t))}$"


@dataclass(frozen=True)
class Exponential(Kernel, kind="exponential"):
    """rho(t) = a e^{-wt}: exponentially fading memory of length 1/w.

    >>> Exponential("1", "0.7").laplace(sp.Integer(1))
    10/17
    """

    amplitude: sp.Expr = number("1")
    rate: sp.Expr = positive_number("1", "for the memory to fade; rates are minus the eigenvalues of W")

    def rho(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude * sp.exp(-self.rate * t)

    def laplace(self, s: sp.Expr) -> sp.Expr:
        return self.amplitude / (s + self.rate)


@dataclass(frozen=True)
class Gaussian(Kernel, kind="gaussian"):
    """rho(t) = A exp(-(t-L)^2/(2 sigma^2)): a memory of what happened about L ago. L is its centre; nothing is cut.

    >>> Gaussian(lag="10").laplace(sp.Integer(1))
    GaussianMoment(0, 1, 10, 1)
    """

    amplitude: sp.Expr = number("1")
    width: sp.Expr = positive_number("1", "for a bump")
    lag: sp.Expr = number("0")

    def rho(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude * sp.exp(-((t - self.lag) ** 2) / (2 * self.width**2))

    def laplace(self, s: sp.Expr) -> sp.Expr:
        return self.amplitude * GaussianMoment(0, s, self.lag, self.width)

    def exponent(self) -> tuple[Callable[[sp.Expr], sp.Expr], sp.Expr]:
        def mass(s: sp.Expr) -> sp.Expr:
            return self.amplitude * self.width * sp.sqrt(2 * sp.pi) * sp.exp(s**2 * self.width**2 / 2)  # (M14)

        return mass, self.lag


def overlap(p: Kernel, q: Kernel, s: Exact) -> sp.Expr:
    """<p, q>_s = int_0^inf e^{-st} p(t) q(t) dt, s >= 0. Exact.

    Raises NotImplementedError for a pair of kinds without a closed form.

    >>> overlap(Exponential(), Exponential("2", "3"), 0)
    1/2
    """
    for one, other in ((p, q), (q, p)):
        if isinstance(one, Exponential):
            return one.amplitude * other.laplace(s + one.rate)  # (K1)
    if isinstance(p, Gaussian) and isinstance(q, Gaussian):
        variance = p.width**2 * q.width**2 / (p.width**2 + q.width**2)
        lag = variance * (p.lag / p.width**2 + q.lag / q.width**2)
        apart = sp.exp(-((p.lag - q.lag) ** 2) / (2 * (p.width**2 + q.width**2)))
        return p.amplitude * q.amplitude * apart * GaussianMoment(0, s, lag, sp.sqrt(variance))  # (K2)
    raise NotImplementedError(f"no closed overlap of the kinds {p.kind} and {q.kind}")
