r"""Memory kernels that are mixtures of exponentials, with their densities over the rate.

    rho(t) = int_0^inf e^{-lt} s(l) dl + sum_j a_j e^{-w_j t}                                                (X1)
    A (1+t)^{-(1+om)}:  s(l) = A l^om e^{-l} / Gamma(1+om)                                                   (X2)

(X2) is Euler's integral of Gamma(1+om) in l (1+t). By Bernstein's theorem rho is completely monotone if and only if
the mixture is positive, and by Widder's, so is then the Hankel operator: with W f(t) = int f(l) s(l)^{1/2} e^{-lt} dl

    Gamma = W W^T ,   (W^T W)(l, l') = s(l)^{1/2} s(l')^{1/2} / (l + l')                                     (X3)

so its singular values are the eigenvalues of a weighted Cauchy kernel. Its trace is

    tr Gamma = int_0^inf rho(2t) dt = R(0) / 2                                                               (X4)
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from theory.kernels import Exponential, Kernel, PowerLaw
from theory.problem import Target, numbers_only

l = sp.Symbol("l", positive=True)  # the rate of an exponential in the mixture


class NoMixture(ValueError):
    """The kernel is no mixture of decaying exponentials that is known here; the message says why."""


@dataclass(frozen=True)
class Mixture:
    """(X1): atoms, pairs (a_j, w_j) of distinct rates; power_laws, pairs (A, omega) of distinct omegas; no zeros."""

    atoms: tuple[tuple[sp.Expr, sp.Expr], ...]
    power_laws: tuple[tuple[sp.Expr, sp.Expr], ...]

    @property
    def density(self) -> sp.Expr:
        """s(l), what the power laws add up to (X2). Exact."""
        return sp.Add(*(A * l**omega * sp.exp(-l) / sp.gamma(1 + omega) for A, omega in self.power_laws))

    @property
    def positive(self) -> bool:
        """Whether every amplitude is > 0: then rho is completely monotone and Gamma positive, exact.

        False does not prove the contrary for sums that share their rates, (1+t)^-2 - e^{-t}/9 say.
        """
        return all(amplitude.is_positive for amplitude, _ in (*self.atoms, *self.power_laws))


def mixture(kernels: Iterable[Kernel]) -> Mixture:
    """The mixture (X1) of a sum of exponentials and power laws without lag. Exact.

    Raises NoMixture, naming the term and the way out, for any other.

    >>> mixture([PowerLaw(omega=1), Exponential("1/2", 3)]).density
    l*exp(-l)
    """
    atoms: dict[sp.Expr, sp.Expr] = {}
    laws: dict[sp.Expr, sp.Expr] = {}
    for i, kernel in enumerate(kernels):
        if not isinstance(kernel, Exponential | PowerLaw) or kernel.lag != 0:
            raise NoMixture(
                f"term {i} must be an exponential or a power law that begins at once, got {kernel!r}; no Laplace "
                "density over the rate is known for it, so use a method for general kernels"
            )
        found, key = (atoms, kernel.rate) if isinstance(kernel, Exponential) else (laws, kernel.omega)
        found[key] = found.get(key, sp.S.Zero) + kernel.amplitude
    by_rate, by_omega = (tuple((a, key) for key, a in found.items() if a != 0) for found in (atoms, laws))
    return Mixture(by_rate, by_omega)


def completely_monotone(target: Target) -> Mixture:
    """The target as a mixture (X1) of a positive measure. Exact.

    Raises NoMixture, with the way out, where it is not one or not known to be; ValueError for symbols or more inputs.
    """
    numbers_only(target, ())
    if any(term.input != 1 for term in target.terms):
        raise ValueError("the target must have one input to be completely monotone; take several one by one")
    advice = "numerics.realisation approximates any kernel"
    try:
        found = mixture(target.terms)
    except NoMixture as reason:
        raise NoMixture(f"target must be completely monotone: {reason}; {advice}") from reason
    if not (found.positive and (found.atoms or found.power_laws)):
        raise NoMixture(
            "target must be completely monotone, a mixture of exponentials with positive amplitudes, got the terms "
            f"{', '.join(map(repr, target.terms))}; {advice}"
        )
    return found
