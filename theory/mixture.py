r"""Kernels as mixtures of exponentials, and how often the error of a network can change its sign.

    rho(t) = int_0^inf e^{-lt} dmu(l) ,   mu = sum_j a_j delta_{w_j} + sum_k A_k s_k(l) dl                  (MX1)
    s_k(l) = l^om e^{-l} / Gamma(1+om)   gives   (1+t)^{-(1+om)}                                            (MX2)

for exponentials and power laws without lag. rho is completely monotone if mu >= 0 (Bernstein). A network with real
rates is a mixture of point masses, so the error e = rho_hat - rho is one too, of the measure nu = mu_hat - mu.

    zeros of int e^{-lt} dnu(l) on the line, with multiplicity  <=  sign changes of nu along l > 0          (MX3)

by the total positivity of e^{-lt} (Karlin; Descartes' rule for exponential sums). All power laws of one sign leave a
density of one sign between the masses: a width m makes at most 2m changes. (MX2) is the Gamma integral.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp

from theory.kernels import Erlang, Exponential, Kernel, PowerLaw
from theory.problem import Target, numbers_only
from theory.rnn import LinearRNN

Pairs = tuple[tuple[sp.Expr, sp.Expr], ...]


class NoMixture(ValueError):
    """The kernel is no mixture of exponentials, or not one that is asked for; the message says why and the way out."""


@dataclass(frozen=True)
class Mixture:
    """(MX1). masses: (a_j, w_j) by rising rate, rates distinct, a_j != 0; powers: (A_k, om_k), A_k != 0. Exact."""

    masses: Pairs
    powers: Pairs

    @property
    def completely_monotone(self) -> bool:
        """Whether the measure is positive. Exact."""
        return all(weight > 0 for weight, _ in (*self.masses, *self.powers))

    @property
    def rank(self) -> int | None:
        """The least width that reproduces the kernel; None where none does."""
        return None if self.powers else len(self.masses)

    def kernels(self) -> tuple[Kernel, ...]:
        """The terms of (MX1)."""
        exponentials = (Exponential(a, w) for a, w in self.masses)
        return (*exponentials, *(PowerLaw(A, omega) for A, omega in self.powers))

    def most_sign_changes(self, network: LinearRNN) -> int | None:
        """The bound (MX3) on the zeros of rho_hat - rho for t >= 0. Exact; None where the density has no one sign.

        >>> mixture(Target([PowerLaw()])).most_sign_changes(LinearRNN([("1", "1"), ("1", "2")]))
        4
        """
        signs = {sp.sign(A) for A, _ in self.powers}
        if len(signs) > 1:
            return None
        between = [-sign for sign in signs]
        sequence = list(between)
        for weight in _by_rate((*network.units, *((-a, w) for a, w in self.masses))):
            sequence += [sp.sign(weight[0]), *between]
        return sum(one != other for one, other in pairwise(sequence))


def _by_rate(pairs: Pairs) -> Pairs:
    """(sum of weights, rate) by rising rate, without those that cancel."""
    total: defaultdict[sp.Expr, sp.Expr] = defaultdict(lambda: sp.Integer(0))
    for weight, rate in pairs:
        total[rate] += weight
    return tuple((total[rate], rate) for rate in sorted(total) if total[rate] != 0)


def mixture(target: Target) -> Mixture:
    """The target as a mixture (MX1). Exact.

    Raises NoMixture for a term that is none, or of another input than the first; ValueError for symbols.

    >>> mixture(Target([Exponential("1", "2"), Exponential("1", "2")])).masses
    ((2, 2),)
    """
    numbers_only(target, [])
    masses: list[tuple[sp.Expr, sp.Expr]] = []
    powers: list[tuple[sp.Expr, sp.Expr]] = []
    for i, term in enumerate(target.terms):
        begins = isinstance(term, Exponential | Erlang | PowerLaw) and term.lag == 0 and term.input == 1
        if begins and isinstance(term, PowerLaw):
            powers.append((term.amplitude, term.omega))
        elif begins and (isinstance(term, Exponential) or (isinstance(term, Erlang) and term.order == 0)):
            masses.append((term.amplitude, term.rate))
        else:
            raise NoMixture(
                f"target term {i} must be an exponential or a power law of input 1 without lag, to be a mixture of "
                f"exponentials, got {term!r}; numerics.realisation approximates any kernel"
            )
    return Mixture(_by_rate(tuple(masses)), _by_rate(tuple(powers)))


def completely_monotone(target: Target) -> Mixture:
    """The target as a mixture of a positive measure. Exact.

    Raises NoMixture where it is not one: also for a sum whose negative terms are hidden by positive ones.
    """
    found = mixture(target)
    if not (found.completely_monotone and (found.masses or found.powers)):
        raise NoMixture(
            f"target must be completely monotone, a mixture of exponentials with positive amplitudes, got {found}; "
            "numerics.realisation approximates any kernel"
        )
    return found
