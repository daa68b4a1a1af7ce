r"""The diagonal linear RNN and its memory kernel.

    h' = W h + U x ,   y = c^T h ,   W = -diag(w) ,   a_i = c_i u_i
    rho_hat(t) = sum_i a_i e^{-w_i t}                                                                        (M2)

Only the products a_i enter the memory kernel, so a unit is a pair (a_i, w_i): amplitude and rate.
Source: the model of Li, Han, E, Li, ICLR 2021, arXiv:2009.07799, as mathematics.md of this project states it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.exact import Exact, positive, real
from theory.kernels import t


def _listed(values: Any, name: str) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, got {values!r}; write for example [('1', '1'), ('0', '0.7')]")
    return list(values)


@dataclass(frozen=True)
class LinearRNN:
    """A diagonal linear RNN of width m, by its units (a_i, w_i).

    units: pairs, shape (m, 2). Amplitudes a_i in output / (input * time), any sign; rates w_i > 0 in 1 / time.
    Raises ValueError for no unit at all or a rate <= 0, TypeError for a float.

    >>> LinearRNN([("1", "1"), ("0", "0.7")]).width
    2
    """

    units: tuple[tuple[sp.Expr, sp.Expr], ...]

    def __post_init__(self) -> None:
        pairs = [_listed(unit, f"unit {i}") for i, unit in enumerate(_listed(self.units, "units"))]
        for i, pair in enumerate(pairs):
            if len(pair) != 2:
                raise ValueError(f"unit {i} must be a pair (amplitude, rate), got {pair}")
        why = "for the memory to fade; rates are minus the eigenvalues of W"
        units = tuple((real(a, f"amplitude {i}"), positive(w, f"rate {i}", why)) for i, (a, w) in enumerate(pairs))
        if not units:
            raise ValueError("the network must have at least one unit, got none; give amplitudes and rates")
        object.__setattr__(self, "units", units)

    @classmethod
    def of(cls, amplitudes: Iterable[Exact], rates: Iterable[Exact]) -> "LinearRNN":
        """The network with these readout amplitudes and rates; their lengths must match."""
        a, w = _listed(amplitudes, "amplitudes"), _listed(rates, "rates")
        if len(a) != len(w):
            counts = f"{len(a)} amplitudes and {len(w)} rates"
            raise ValueError(f"amplitudes and rates must have one entry a unit, got {counts}")
        return cls(tuple(zip(a, w, strict=True)))

    @property
    def amplitudes(self) -> tuple[sp.Expr, ...]:
        return tuple(a for a, _ in self.units)

    @property
    def rates(self) -> tuple[sp.Expr, ...]:
        return tuple(w for _, w in self.units)

    @property
    def width(self) -> int:
        """The number of hidden units m."""
        return len(self.units)

    def kernel(self, t: sp.Expr) -> sp.Expr:
        """The memory kernel rho_hat(t)."""
        return sp.Add(*(a * sp.exp(-w * t) for a, w in self.units))  # (M2)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \hat\rho(t) = {sp.latex(self.kernel(t))}$"
