r"""The scaling law over a sweep of memories: with which exponent does the escape time grow?

    slope between neighbours      (ln tau_{i+1} - ln tau_i) / (L_{i+1} - L_i)                               (F5)
    slope of the whole sweep      sum_i (L_i - <L>) (ln tau_i - <ln tau>) / sum_i (L_i - <L>)^2             (F6)
    what (M14) says of them       ln tau = 2 w0 L - 2 ln L + const + O(1/L) ,  so both tend to 2 w0         (F7)

From below, like 2 w0 - 2/L and faster than that while the leading order is poor: compare with the same slopes of the
slow-flow integral, which are known to many digits, rather than with 2 w0. Logarithms are taken of decimal strings in
extended range, so tau ~ 10^600000 is a number like any other. Cells that did not escape are left out.

(F5), (F6) are definitions, (F7) a corollary of (M14) of mathematics.md. Guarantee: estimated, like the escape times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mpmath
import sympy as sp

from numerics.answer import context
from theory.exact import exact, positive

GUARD = 10  # working digits beyond the longest number given


@dataclass(frozen=True)
class Cell:
    """One memory of a sweep.

    memory: L, exact. tau: escape time, a decimal string, or None where the flow did not escape. slow_flow: the integral
    (M14), likewise. spare: w0, the slowest spare rate, exact, or None where there is no plateau.
    """

    memory: sp.Expr
    tau: str | None
    slow_flow: str | None = None
    spare: sp.Expr | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "memory", exact(self.memory, "memory"))
        for name in ("tau", "slow_flow"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and _positive_decimal(value)):
                raise ValueError(f"{name} must be a decimal string > 0 such as '1.5e600000' or None, got {value!r}")
        if self.spare is not None:
            object.__setattr__(self, "spare", positive(self.spare, "spare", "for the memory to fade"))


@dataclass(frozen=True)
class ScalingLaw:
    """Slopes of ln tau against L (F5), (F6), in 1 / time; decimal strings.

    memories: L of the cells that escaped, shape (k,). slopes, slow_flow_slopes: between neighbours of these, shape
    (k - 1,); a slow-flow slope is None where one of the two has no integral. slope: of the whole; None with a reason
    for fewer than two cells. two_w0: 2 w0, or None where the cells do not share one spare rate.
    """

    memories: tuple[str, ...]
    slopes: tuple[str, ...] | None
    slow_flow_slopes: tuple[str | None, ...] | None
    slope: str | None
    two_w0: str | None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: decimal strings and lists of them."""
        return {
            "slope": self.slope,
            "local_slopes": None if self.slopes is None else list(self.slopes),
            "slow_flow_slopes": None if self.slow_flow_slopes is None else list(self.slow_flow_slopes),
            "two_w0": self.two_w0,
            "memories": list(self.memories),
            "reason": self.reason,
        }


def scaling_law(cells: Iterable[Cell], digits: int = 10) -> ScalingLaw:
    """The slopes of ln tau against L over the cells that escaped.

    cells: in increasing L. digits: significant digits printed, at most; trailing zeros are not. They are digits of the
    slope of the decimals given: a tau of d digits moves a local slope by 10^-d / (L_{i+1} - L_i).
    Raises ValueError where the memories do not increase.

    >>> law = scaling_law([Cell(L, tau, spare="0.7") for L, tau in (("30", "6.56e10"), ("40", "3.72e16"))], digits=4)
    >>> law.slope, law.two_w0
    ('1.325', '1.4')
    """
    known = list(cells)
    for i, (one, other) in enumerate(pairwise(known)):
        if not one.memory < other.memory:
            raise ValueError(f"memory {i + 1} must be > memory {i} in a sweep, got {other.memory} after {one.memory}")
    escaped = [cell for cell in known if cell.tau is not None]
    ctx = context(digits + GUARD + max((len(cell.tau or "") for cell in escaped), default=0))

    def shown(value: Any) -> str:
        return str(ctx.nstr(value, digits, min_fixed=-6, max_fixed=digits)).removesuffix(".0")

    def real(value: sp.Expr) -> Any:
        return ctx.mpf(str(sp.N(value, ctx.dps)))

    spares = {cell.spare for cell in known}
    spare = spares.pop() if len(spares) == 1 else None
    two_w0 = None if spare is None else shown(2 * real(spare))
    L = [real(cell.memory) for cell in escaped]
    memories = tuple(shown(each) for each in L)
    if len(escaped) < 2:
        reason = f"a slope needs two cells that escaped, got {len(escaped)}"
        return ScalingLaw(memories, None, None, None, two_w0, reason)
    logarithms = [ctx.log(ctx.mpf(cell.tau)) for cell in escaped]
    integrals = [None if cell.slow_flow is None else ctx.log(ctx.mpf(cell.slow_flow)) for cell in escaped]
    slopes = _between_neighbours(L, logarithms)
    slow = _between_neighbours(L, integrals)
    whole = _least_squares(L, logarithms)
    return ScalingLaw(
        memories,
        tuple(shown(slope) for slope in slopes),
        tuple(None if slope is None else shown(slope) for slope in slow),
        shown(whole),
        two_w0,
        _why_null(two_w0, slow),
    )


def _why_null(two_w0: str | None, slow: Sequence[Any]) -> str | None:
    """What is missing from a law that has slopes."""
    missing = []
    if two_w0 is None:
        missing.append("no 2 w0, since the cells share no one spare rate")
    if None in slow:
        missing.append("no slow-flow slope beside a cell without a slow-flow time")
    return "; ".join(missing) or None


def _between_neighbours(x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
    """(F5); None where a y is missing."""
    points = pairwise(zip(x, y, strict=True))
    return [None if None in (y0, y1) else (y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in points]


def _least_squares(x: Sequence[Any], y: Sequence[Any]) -> Any:
    """(F6)."""
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return above / sum((a - x_mean) ** 2 for a in x)


def _positive_decimal(text: str) -> bool:
    try:
        return bool(0 < mpmath.mp.mpf(text) < mpmath.inf)
    except ValueError:
        return False
