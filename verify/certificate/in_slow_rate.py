r"""Recipe 2: an escape time enclosed with the slow rate as the clock; neither cost nor precision grow with the memory.

Recorded are a trajectory in time from the start to a time t_1, and from there pieces of the slow manifold: polynomials
P(w) near X = (U, v) and q(w) near 1/G, in the units of verify/certificate/slow_field.py. Nothing of it is trusted.

    start-up  Recipe 1 (in_time.py) encloses the state at t_1: a ball. Its slow rate lies in the first piece, which
              begins above the start, and V = X - P is small there: as far as it decays, an error of the start-up
              costs its size over the slowest fast rate.
    pieces    The tubes of slow_tube.py, one after the other. Each gives the time through it, a ball.
    passage   J falls strictly, so J(0) - J passes a drop once: between two points of a piece on either side of the
              drop, as (V56) decides, and between the times (V54) at which the flow is there.                (V57)

What is trusted: Arb, the closed forms of theory/ and the modules of this room. Guarantee: enclosed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import Any

import flint
import sympy as sp

from numerics.arithmetic import Arb
from numerics.compiling import evaluate
from theory.parametrisation import IDENTITY
from theory.problem import Problem
from verify.certificate import in_time
from verify.certificate.crossing import crossing
from verify.certificate.dyadic import check_integers, fields_of, listed
from verify.certificate.proved import NotProved, Proved
from verify.certificate.slow_field import Stretch
from verify.certificate.slow_tube import SlowTubes, Tube

RECIPE = "slow-rate"
FEWEST_DIGITS, MOST_DIGITS = 10, 5000  # of working precision
MARGINS = 40  # doublings of the distance from the crossing at which (V57) is tried


@dataclass(frozen=True, eq=False)
class Recorded:
    """A start-up in time and pieces in the slow rate, exact dyadics; trusted in nothing.

    spare: the unit whose rate is the clock. pieces: each begins where the one before it ends; X has 2m - 1 components:
    amplitudes, matched rates, then rates of other spares. digits: working digits with which the proof went through.
    """

    spare: int
    start_up: in_time.Recorded
    pieces: tuple[Stretch, ...]
    digits: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: dyadics as text."""
        pieces = [each.as_dict() for each in self.pieces]
        return {"spare": self.spare, "start_up": self.start_up.as_dict(), "pieces": pieces, "digits": self.digits}

    @classmethod
    def from_dict(cls, written: Any) -> "Recorded":
        """Back from `as_dict`; ValueError for anything else."""
        spare, start_up, pieces, digits = fields_of(written, ("spare", "start_up", "pieces", "digits"), "data")
        check_integers(spare=spare, digits=digits)
        stretches = tuple(Stretch.from_dict(each, f"pieces.{i}") for i, each in enumerate(listed(pieces, "pieces")))
        return cls(spare, in_time.Recorded.from_dict(start_up), stretches, digits)


def prove(problem: Problem, recorded: Recorded, drops: Sequence[sp.Expr] | None = None) -> Proved:
    """Enclose the first times at which J(0) - J exceeds each of the drops, exact numbers > 0; by default problem.drop.

    Guarantee: enclosed. Raises NotProved where what is recorded does not carry the proof.
    """
    balls = Arb(recorded.digits)
    with balls.working():
        _check(problem, recorded)
        started = in_time.prove(problem, replace(recorded.start_up, digits=recorded.digits), ())
        assert started.end is not None
        goals = [evaluate(drop, balls) for drop in (drops if drops is not None else (problem.drop,))]
        found: list[tuple[flint.arb, flint.arb] | None] = [None] * len(goals)
        tubes = SlowTubes(problem, recorded.spare, balls)
        begin, offset = tubes.handover(recorded.pieces[0], *started.end)
        tau: Any = recorded.start_up.durations.sum()
        for piece, following in zip_longest(recorded.pieces, recorded.pieces[1:]):
            tube = tubes.around(piece, begin, offset)
            reached, _ = tubes.drop(tube, flint.arb(1))
            for i, goal in enumerate(goals):
                if found[i] is None and reached > goal:
                    before, behind = _bracket(tubes, tube, goal)
                    found[i] = (tau + tube.time(before)).lower(), (tau + tube.time(behind)).upper()
            tau = tau + tube.time(flint.arb(1))
            if following is not None:
                begin, offset = flint.arb(-1), tubes.joint(tube, following)
    passages = [each for each in found if each is not None and all(end.is_finite() for end in each)]
    if len(passages) < len(goals):
        raise NotProved("the recorded pieces end before the loss has fallen by the drop")
    return Proved(RECIPE, tuple(passages), recorded.digits, tubes.end(tube))


def _check(problem: Problem, recorded: Recorded) -> None:
    """NotProved unless the recorded data have the shapes and the exactness that the proof takes for granted."""
    if problem.parametrisation != IDENTITY:
        raise NotProved(f"recipe {RECIPE} proves the flow of w = v only, not {problem.parametrisation.name}")
    if not FEWEST_DIGITS <= recorded.digits <= MOST_DIGITS:
        raise NotProved(f"working digits must be from {FEWEST_DIGITS} to {MOST_DIGITS}, got {recorded.digits}")
    m = problem.start.width
    if not 0 <= recorded.spare < m or problem.reference[recorded.spare][0] != 0:
        raise NotProved(f"the clock must be the rate of a spare unit, got unit {recorded.spare}")
    if not recorded.pieces:
        raise NotProved("there must be at least one piece")
    for piece in recorded.pieces:
        size = len(piece.slowness)
        if size < 2 or piece.slowness.shape != (size,) or piece.path.shape != (size, 2 * m - 1):
            raise NotProved(f"a path of shape {piece.path.shape} and {size} coefficients of q do not fit together")
        for each in (piece.top, piece.bottom, piece.scale, piece.lag, piece.h, *piece.path.ravel(), *piece.slowness):
            if not (isinstance(each, flint.arb) and each.is_exact() and each.is_finite()):
                raise NotProved(f"recorded numbers must be exact and finite, got {each}")
        if not (piece.h > 0 and piece.scale > 0 and piece.lag >= 0 and piece.slowness.sum() < 0):
            raise NotProved("a piece must go down, in units k > 0 and L >= 0, with q < 0")
    if any(above.bottom != below.top for above, below in pairwise(recorded.pieces)):
        raise NotProved("a piece must begin where the one before it ends")


def _bracket(tubes: SlowTubes, tube: Tube, goal: flint.arb) -> tuple[flint.arb, flint.arb]:
    """Two points of a piece, exact, between which the flow passes the drop (V57)."""
    x = crossing(lambda x: tubes.drop(tube, x), goal, tube.begin)
    reached, slope = tubes.drop(tube, x)
    margin = (2 * abs(reached - goal).upper() / slope).mid()
    before = behind = None
    for _ in range(MARGINS):
        if behind is None and tubes.drop(tube, later := min((x + margin).mid(), flint.arb(1)))[0] > goal:
            behind = later
        if before is None and tubes.drop(tube, sooner := max((x - margin).mid(), tube.begin.upper()))[0] < goal:
            before = sooner
        if before is not None and behind is not None:
            return before, behind
        margin = 2 * margin
    raise NotProved("the crossing of the drop is not resolved; ask for more digits")
