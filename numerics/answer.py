"""What a computed number comes with: its guarantee word, its digits, or the reason why there is none."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import flint
import mpmath
import numpy as np

Guarantee = Literal["exact", "enclosed", "estimated", "sampled", "conjectured"]


@dataclass(frozen=True)
class Answer:
    """A decimal string with its guarantee, or None with the reason.

    An enclosed lower bound is rounded down, so that the printed decimal is still a lower bound.
    """

    value: str | None
    guarantee: Guarantee
    digits: int | None = None
    reason: str | None = None


def check_count(digits: object, fewest: int, most: int, why: str = "it counts the significant digits wanted") -> None:
    """Raise TypeError or ValueError unless `digits` is an int from `fewest` to `most`; why: ends the message."""
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise TypeError(f"digits must be an int, got {digits!r}; {why}")
    if not fewest <= digits <= most:
        raise ValueError(f"digits must be from {fewest} to {most}, got {digits}; {why}")


def log10(value: Any) -> float:
    """log10 of a float, a longdouble or a ball, whose exponent may be beyond float64; -inf for 0, nan for less."""
    if isinstance(value, flint.arb):
        value = value.mid()
        return float(value.log() / flint.arb(10).log()) if value > 0 else log10(float(value))
    return float(np.log10(value)) if value > 0 else (-math.inf if value == 0 else math.nan)


def context(digits: int) -> Any:
    """An mpmath context of our own with `digits` decimal digits; the caller's precision is not touched."""
    own = mpmath.mp.clone()
    own.dps = digits
    return own


def decimal(value: Any, digits: int) -> str:
    """A float, longdouble or Arb midpoint to `digits` significant digits; scientific where positional would mislead.

    >>> decimal(137.59583732, 6)
    '137.596'
    """
    ctx = context(digits + 10)
    if isinstance(value, flint.arb):
        mantissa, exponent = value.mid().man_exp()
        number = ctx.ldexp(ctx.mpf(int(mantissa)), int(exponent))
    else:
        number = ctx.mpf(str(value) if isinstance(value, np.longdouble) else float(value))
    text = str(ctx.nstr(number, digits, strip_zeros=False, min_fixed=-6, max_fixed=digits))
    return text.replace(".e", "e").removesuffix(".")
