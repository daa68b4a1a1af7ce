"""What is known of width, to be shown for a study: theorems and laws, their hypotheses, and what is proved."""

from theory.inverse_theorem import inverse_theorem
from theory.problem import Target
from theory.rate_theorem import NoRate, best_rate_bound
from theory.theorem import Theorem
from theory.width_laws import theorems
from verify.derivation import Derived

RATE_WIDTH = 4  # for which alpha and beta of the rate theorem are chosen


def derived_of_width(target: Target) -> list[Derived]:
    """The rate theorem for the target, or why there is none; the inverse theorem; the width laws. Exact."""
    try:
        rate = _derived(best_rate_bound(target, RATE_WIDTH).theorem())
    except NoRate as reason:
        rate = Derived("rate theorem", (), str(reason))
    return [rate, *map(_derived, (inverse_theorem(), *theorems()))]


def _derived(theorem: Theorem) -> Derived:
    return Derived(theorem.name, theorem.statements(), given=(theorem.word, *theorem.hypotheses))
