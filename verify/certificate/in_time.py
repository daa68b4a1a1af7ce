r"""Recipe "time": an enclosure of the escape time around any recorded piecewise polynomial trajectory.

Recorded are nodes -1 = x_0 < ... < x_s = 1, durations h_k and values at the nodes of each piece, all exact dyadics.
They define a continuous p: the last value of a piece is the first one of the next. Nothing is known of how p was found,
and nothing needs to be: a tube around each piece holds the flow (tube.py), from

    |y - p| at tau = 0  <=  |start - p(0)|                                                                   (V5)

on. J falls strictly along the flow, unless it rests, so J(0) - J exceeds a drop for the first time between tau_1 and
tau_2 > tau_1 if

    J(0) - J(y(tau_1)) < drop < J(0) - J(y(tau_2))                                                           (V6)

which (V4) decides at two points near the crossing of p, times t_k + h_k (1 + x)/2 with exact x. Units that start alike
stay alike, for the flow treats them alike. Of them only the first one's values are read, and p is alike too by
definition: y - p is in that subspace, and the logarithmic norm is taken there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import flint
import sympy as sp

from numerics.arithmetic import Arb, Array
from numerics.compiling import evaluate
from numerics.landscape import copies
from theory.parametrisation import IDENTITY
from theory.problem import Problem
from verify.certificate import chebyshev
from verify.certificate.crossing import crossing
from verify.certificate.dyadic import check_integers, column, fields_of, rectangle, texts
from verify.certificate.proved import NotProved, Proved
from verify.certificate.tube import Tube, Tubes, norm

RECIPE = "time"
FEWEST_DIGITS, MOST_DIGITS = 10, 5000  # of working precision
MARGINS = 60  # doublings of the distance from the crossing at which (V6) is tried


@dataclass(frozen=True, eq=False)
class Recorded:
    """A piecewise polynomial displacement p of n pieces of degree s, exact dyadics; a guess, and trusted in nothing.

    nodes: shape (s + 1,), from -1 to 1. durations: shape (n,). values: shape (n s + 1, 2m), those of piece k in the
    rows k s to k s + s. digits: working digits for the proof.
    """

    nodes: Array
    durations: Array
    values: Array
    digits: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: dyadics as text."""
        return {name: texts(getattr(self, name)) for name in ("nodes", "durations", "values")} | {"digits": self.digits}

    @classmethod
    def from_dict(cls, written: Any) -> "Recorded":
        """Back from `as_dict`; ValueError for anything else."""
        nodes, durations, values, digits = fields_of(written, ("nodes", "durations", "values", "digits"), "data")
        check_integers(digits=digits)
        return cls(column(nodes, "nodes"), column(durations, "durations"), rectangle(values, "values"), digits)

    def pieces(self, values: Array) -> Iterator[tuple[flint.arb, Array]]:
        """Duration and values of each piece, of values of this shape."""
        degree = len(self.nodes) - 1
        for k, h in enumerate(self.durations):
            yield h, values[k * degree : (k + 1) * degree + 1]


def prove(
    problem: Problem,
    recorded: Recorded,
    drops: Sequence[sp.Expr] | None = None,
    passed: tuple[Array, flint.arb] | None = None,
) -> Proved:
    """Enclose the first times at which J(0) - J exceeds each of the drops, exact numbers > 0; by default problem.drop.

    passed: (centre, radius) of a ball of displacements that the flow enters, where the recorded trajectory does not
    begin at the start; there are no drops then, only an end. Guarantee: enclosed. Raises NotProved where the recorded
    trajectory does not carry the proof.
    """
    if passed is not None and drops != ():
        raise ValueError("times are counted from the start; of a trajectory from elsewhere drops must be ()")
    _check(problem, recorded)
    balls = Arb(recorded.digits)
    with balls.working():
        goals = [evaluate(drop, balls) for drop in (drops if drops is not None else (problem.drop,))]
        found: list[tuple[flint.arb, flint.arb] | None] = [None] * len(goals)
        tubes, through = Tubes(problem, recorded.digits), chebyshev.through(recorded.nodes)
        known = _alike(problem, recorded.values, balls)
        centre, radius = passed or (tubes.landscape.start, flint.arb(0))
        error = (norm(known[0] - centre) + radius).upper()  # (V5)
        begin, last = flint.arb(0), None
        for h, values in recorded.pieces(known):
            tube = tubes.around(chebyshev.product(through, values), h, error)
            reached, _ = tubes.drop(tube, flint.arb(1))
            for i, goal in enumerate(goals):
                if found[i] is None and reached > goal:
                    found[i] = _passage(tubes, goal, begin, tube, last)
            begin, error, last = begin + h, tube.errors[-1], tube
        passages = [each for each in found if each is not None]
        if len(passages) < len(goals):
            raise NotProved("the recorded trajectory ends before the loss has fallen by the drop")
        centre = balls.midpoint(known[-1])
        end = centre, (error + norm(known[-1] - centre)).upper()
    return Proved(RECIPE, tuple(passages), recorded.digits, end)


def _check(problem: Problem, recorded: Recorded) -> None:
    """NotProved unless the recorded data have the shapes and the exactness that the proof takes for granted."""
    if problem.parametrisation != IDENTITY:
        raise NotProved(f"recipe {RECIPE} proves the flow of w = v only, not {problem.parametrisation.name}")
    nodes, durations, values = recorded.nodes, recorded.durations, recorded.values
    if not FEWEST_DIGITS <= recorded.digits <= MOST_DIGITS:
        raise NotProved(f"working digits must be from {FEWEST_DIGITS} to {MOST_DIGITS}, got {recorded.digits}")
    degree, pieces = len(nodes) - 1, len(durations)
    if degree < 1 or pieces < 1 or values.shape != (pieces * degree + 1, 2 * problem.start.width):
        raise NotProved(f"{pieces} pieces of degree {degree} and values of shape {values.shape} do not fit together")
    for each in (*nodes, *durations, *values.ravel()):
        if not (isinstance(each, flint.arb) and each.is_exact() and each.is_finite()):
            raise NotProved(f"recorded numbers must be exact and finite, got {each}")
    if nodes[0] != -1 or nodes[-1] != 1 or not all(x < y for x, y in pairwise(nodes)):
        raise NotProved("the nodes must rise from -1 to 1")
    if not all(h > 0 for h in durations):
        raise NotProved("durations must be > 0")


def _alike(problem: Problem, values: Array, balls: Arb) -> Array:
    """The values that define p, balls: those recorded of the first of units that start alike, for all of them."""
    m, values = problem.start.width, values.copy()
    for copy, original in copies(problem):
        part = copy // m  # 0 for amplitudes, 1 for rates
        apart = problem.reference[original % m][part] - problem.reference[copy % m][part]
        values[:, copy] = values[:, original] + evaluate(apart, balls)
    return values


def _passage(
    tubes: Tubes, goal: flint.arb, begin: flint.arb, tube: Tube, last: Tube | None
) -> tuple[flint.arb, flint.arb]:
    """(V6) for a drop that is passed before the end of this piece, which begins at the time `begin`."""
    x = crossing(lambda x: tubes.drop(tube, x), goal, flint.arb(-1))
    reached, slope = tubes.drop(tube, x)
    margin = (2 * abs(reached - goal).upper() / slope).mid()
    lower = upper = None
    for _ in range(MARGINS):
        if upper is None and tubes.drop(tube, later := min((x + margin).mid(), flint.arb(1)))[0] > goal:
            upper = (begin + tube.h * (1 + later) / 2).upper()
        if lower is None:
            lower = _not_yet(tubes, goal, begin, tube, last, x - margin)
        if lower is not None and upper is not None:
            return lower, upper
        margin = 2 * margin
    raise NotProved("the crossing of the drop is not resolved; ask for more digits")


def _not_yet(
    tubes: Tubes, goal: flint.arb, begin: flint.arb, tube: Tube, last: Tube | None, x: flint.arb
) -> flint.arb | None:
    """A time, exact, before the drop is passed: near x of this piece, or of the one before for x < -1; 0 for none."""
    if x < -1:
        if last is None:
            return flint.arb(0)
        x, begin, tube = 1 + (x + 1) * tube.h / last.h, begin - last.h, last
    x = max(x.mid(), flint.arb(-1))
    if tubes.drop(tube, x)[0] < goal:
        return (begin + tube.h * (1 + x) / 2).lower()
    return None
