"""What a proof leaves: enclosures of the times at which the loss has fallen by given drops, or a reason why not."""

from dataclasses import dataclass

import flint

from numerics.arithmetic import Array


class NotProved(ArithmeticError):
    """The proof does not go through; the message says where. Nothing is known of the claim then, true or false."""


@dataclass(frozen=True)
class Proved:
    """Enclosures of one trajectory of the gradient flow. Guarantee: enclosed.

    recipe:   word for how it was proved. digits: working digits of the balls.
    passages: for each drop a pair (lower, upper), exact: the first gradient-flow time at which J(0) - J exceeds the
              drop lies in [lower, upper].
    end:      (centre, radius): the displacement of the flow at the recorded end lies within `radius`, in the Euclidean
              norm, of `centre`, shape (2m,), exact; None where the recipe does not enclose it.
    """

    recipe: str
    passages: tuple[tuple[flint.arb, flint.arb], ...]
    digits: int
    end: tuple[Array, flint.arb] | None = None
