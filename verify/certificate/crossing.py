"""Where the drop is passed within one piece: found, not proved. What it finds is tried on either side by a proof."""

from collections.abc import Callable

import flint

MOST_STEPS = 100
Loss = Callable[[flint.arb], tuple[flint.arb, flint.arb]]  # x -> (J(0) - J, a ball; nearly its derivative by x)


def crossing(fallen: Loss, goal: flint.arb, begin: flint.arb) -> flint.arb:
    """x in [begin, 1] where J(0) - J is nearly the goal, exact: Newton's method, kept in an interval by bisection."""
    low, high = begin.mid(), flint.arb(1)
    x = ((low + high) / 2).mid()
    for _ in range(MOST_STEPS):
        reached, slope = fallen(x)
        missing = (goal - reached).mid()
        if not reached.rad() < abs(missing):
            break
        low, high = (x, high) if missing > 0 else (low, x)
        newton = (x + missing / slope).mid()
        x = newton if low < newton < high else ((low + high) / 2).mid()
    return x
