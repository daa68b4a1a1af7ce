"""What a computed number comes with: its guarantee word, its digits, or the reason why there is none."""

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
