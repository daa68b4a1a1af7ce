"""What a computed number comes with: its guarantee word, its digits, or the reason why there is none."""

from dataclasses import dataclass
from typing import Literal

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
