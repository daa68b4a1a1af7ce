"""A row of the cross-check table, and the rows that diagonal and dense networks share (verify/compare.py)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sympy as sp

from numerics.arithmetic import Mpmath
from theory.dense import DenseProblem
from theory.problem import Problem
from verify.simulate import Extrapolation

DIGITS = 40  # working digits of the checks
MOST_SAMPLES = 100_000  # time steps of a sequence through the network


@dataclass(frozen=True)
class Check:
    """One row: two numbers for the same thing, how far apart they are, how far they may be, and why.

    All numbers are decimal strings; `difference` and `tolerance` are relative unless the reason says otherwise.
    """

    name: str
    cell: str
    left_name: str
    left: str
    right_name: str
    right: str
    difference: str
    tolerance: str
    reason: str
    passed: bool

    @property
    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Name and number of both sides."""
        return (self.left_name, self.left), (self.right_name, self.right)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def row(name: str, left: tuple[str, Any], right: tuple[str, Any], tolerance: float, reason: str) -> Check:
    """A row of two numbers (decimal strings or mpmath numbers), which may differ by `tolerance`, relatively."""
    ctx = Mpmath(DIGITS).context
    x, y = ctx.mpf(left[1]), ctx.mpf(right[1])
    difference = abs(x - y) / max(abs(x), abs(y)) if x != y else ctx.mpf(0)
    first, second = (value if isinstance(value, str) else ctx.nstr(value, 20) for _, value in (left, right))
    apart = ctx.nstr(difference, 3)
    return Check(
        name, "", left[0], first, right[0], second, apart, f"{tolerance:.3g}", reason, bool(difference <= tolerance)
    )


def training(tau: str, found: Extrapolation) -> Iterator[Check]:
    """The flow against the network that was trained, and the orders of what training neglects."""
    own = abs((found.error or 0) / (found.escape_time or 1))
    yield row(
        "escape time",
        ("flow", tau),
        ("gradient descent, eta, dt -> 0", f"{found.escape_time:.12g}"),
        max(1e-4, own),
        "extrapolated in eta and dt^2: 1e-4, or the extrapolation's own error bar where that is wider",
    )
    for order, what, expected, allowed in (
        (found.eta_order, "eta", 1, 0.03),
        (found.dt_order, "dt", 2, 0.05),
    ):
        if order is not None:
            reason = f"gradient descent is of order {expected} in {what}; asymptotic range, so within {allowed:.0%}"
            yield row(f"order in {what}", ("theory", str(expected)), ("measured", f"{order:.4f}"), allowed, reason)


def grid(end: Problem | DenseProblem) -> float | None:
    """A time step of at most 0.04 of which every jump of the target, and the horizon, is a multiple."""
    marks = [*end.target.breaks, *([end.horizon] if end.horizon is not sp.oo else [])]
    if not marks:
        return 0.04
    if not all(mark.is_Rational for mark in marks):
        return None
    common = sp.gcd_list([sp.Integer(1), *marks])
    step = common / sp.ceiling(common * 25)
    return float(step) if step > sp.Rational(1, 400) else None
