r"""E_m(beta) as curves: the error of wider and wider networks as their rates move by up to beta, and the limit.

Each value is a pair of bounds, enclosed (numerics/stable.py); the limit m -> inf (PE4) is estimated, its bounds one
number. Memory can be approximated stably if and only if that limit tends to 0 with beta. Of the bounds between which
E_m(beta) lies the lower one is refined only where they are further apart than NEAR, which is where beta moves the error
about as much as there was of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from numerics.stable import PerturbedError, limit_error, perturbed_error
from theory.dense import DenseRNN
from theory.exact import Exact, positive
from theory.mixtures import NoMixture
from theory.parametrisation import IDENTITY, Exp, InverseSquare, Parametrisation, Softplus
from theory.problem import Target
from theory.rnn import LinearRNN

COMPARED = (IDENTITY, Exp(), Softplus(), InverseSquare(sp.Integer(1), sp.Rational(1, 100)))
NEAR = sp.Rational(1, 10)  # relative distance of two bounds that a figure hardly shows


@dataclass(frozen=True)
class StabilityCurve:
    """E_m(beta) of one network under one parametrisation.

    width: m; None for the limit m -> inf. errors: in the order of the betas; empty where `reason` says why.
    """

    parametrisation: Parametrisation
    width: int | None
    errors: tuple[PerturbedError, ...]
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As in the JSON of `memcurse width`; the limit has m = 'inf'."""
        found = {
            "parametrisation": self.parametrisation.name,
            "m": "inf" if self.width is None else self.width,
            "errors": [each.as_dict() for each in self.errors],
        }
        return found if self.reason is None else found | {"reason": self.reason}


def stability_curves(
    target: Target, networks: Iterable[tuple[int, LinearRNN | DenseRNN]], betas: Iterable[Exact]
) -> tuple[StabilityCurve, ...]:
    """The curves of every parametrisation in COMPARED: those of the networks, by width, and then their limit.

    networks: pairs (m, network). betas: each > 0, in units of v.
    Guarantee: enclosed for networks, estimated for the limit, exact where it is infinite. Raises ValueError for
    beta <= 0, TypeError for floats, and as `l1_error`.

    >>> from theory.kernels import Exponential
    >>> curves = stability_curves(Target([Exponential()]), [(1, LinearRNN([("1", "1")]))], ["1/2", 1])
    >>> [(each.width, [error.upper for error in each.errors]) for each in curves[:2]]  # 1/(1 - 1/2) - 1 , inf
    [(1, ['1', 'inf']), (None, ['1.000', 'inf'])]
    """
    sizes = tuple(positive(beta, f"beta {i}", "for anything to be perturbed") for i, beta in enumerate(betas))
    known = tuple(networks)
    found = []
    for form in COMPARED:
        found += [_curve(target, width, network, sizes, form) for width, network in known]
        found.append(_limit(target, sizes, form))
    return tuple(found)


def _curve(
    target: Target, width: int, network: LinearRNN | DenseRNN, betas: Sequence[sp.Expr], form: Parametrisation
) -> StabilityCurve:
    if not isinstance(network, LinearRNN):
        return StabilityCurve(form, width, (), "the rates of the network are complex pairs, which phi is not about")
    fastest = max(rate for a, rate in network.units)
    if not fastest < form.highest:
        return StabilityCurve(form, width, (), f"{form.name} reaches rates below {form.highest} only, got {fastest}")
    errors = (perturbed_error(target, network, beta, form, enough=NEAR) for beta in betas)
    return StabilityCurve(form, width, tuple(errors))


def _limit(target: Target, betas: Sequence[sp.Expr], form: Parametrisation) -> StabilityCurve:
    try:
        values = [limit_error(target, beta, form) for beta in betas]
    except NoMixture:
        return StabilityCurve(form, None, (), "the limit is known for completely monotone targets only")
    errors = (
        PerturbedError(beta, value.value, value.value, value.guarantee)
        for beta, value in zip(betas, values, strict=True)
        if value.value is not None
    )
    return StabilityCurve(form, None, tuple(errors))
