r"""Plateaus in their order, proved: each is entered and left within enclosed times, one after the other.

A plateau is given by how far the loss has fallen on it, D_k, and by delta, half its height: numerics/plateaus.py finds
them. It is entered and left when

    J(0) - J = D_k - delta ,  at tau = 0 if that is <= 0 ,  and  J(0) - J = D_k + delta                          (V66)

first comes. D_k and delta are exact numbers, so the plateaus are compared exactly; they are apart where

    D_k + delta < D_{k+1} - delta                                                                            (V67)

and since J falls strictly along the flow, the times then follow one another as the drops do. A recipe encloses each of
them, T in [T-, T+]. The stay s_k from entering to leaving and the passage p_k from there to the next plateau lie within

    T-(later) - T+(earlier)  <=  s_k, p_k  <=  T+(later) - T-(earlier)                                       (V68)

and are proved > 0 one by one. A plateau is worth its name if it outlasts the passages next to it:

    s_k >= c p_k ,  s_{k+1} >= c p_k ,  c = the least lower bound of a stay over the upper one of a passage    (V69)

How slowly the loss falls on a plateau, and that there is no other, is not proved. (V66)-(V69) derived here.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import flint
import sympy as sp

from numerics.arithmetic import Arb
from numerics.compiling import evaluate
from theory.exact import Exact, exact, positive
from theory.problem import Problem
from verify.certificate import in_time
from verify.certificate.dyadic import fields_of, outwards
from verify.certificate.proved import NotProved, Proved

Bracket = tuple[flint.arb, flint.arb]  # exact numbers, lower <= upper


@dataclass(frozen=True)
class Levels:
    """Where plateaus are said to be: D_k = J(0) - level in order, and delta; exact numbers, units of J (V66).

    Raises ValueError for plateaus that are not apart (V67), one that the loss has left at the start, and none.
    """

    falls: tuple[sp.Expr, ...]
    delta: sp.Expr

    def __post_init__(self) -> None:
        falls = tuple(exact(each, f"fall {k}") for k, each in enumerate(self.falls))
        delta = positive(self.delta, "delta", "for a plateau to have a height")
        if not all(each.is_Rational for each in (*falls, delta)):
            raise ValueError("falls and delta must be rational, for plateaus to be compared exactly")
        if not falls or not falls[0] + delta > 0:
            raise ValueError("the first plateau must be left after the start, so its fall must exceed -delta")
        for k, (one, other) in enumerate(pairwise(falls)):
            if not one + delta < other - delta:
                raise ValueError(f"plateaus {k} and {k + 1} must be more than 2 delta apart, got {one} and {other}")
        object.__setattr__(self, "falls", falls)
        object.__setattr__(self, "delta", delta)

    @property
    def drops(self) -> tuple[sp.Expr, ...]:
        """The drops at which plateaus are entered and left, rising; not the entering of one that holds the start."""
        ends = (end for fall in self.falls for end in (fall - self.delta, fall + self.delta))
        return tuple(end for end in ends if end > 0)


@dataclass(frozen=True)
class Recorded:
    """Levels, and recipe 1's record of a trajectory that leaves the last of them; not trusted."""

    levels: Levels
    path: in_time.Recorded

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        falls = [str(each) for each in self.levels.falls]
        return {"falls": falls, "delta": str(self.levels.delta), "path": self.path.as_dict()}

    @classmethod
    def from_dict(cls, written: Any) -> "Recorded":
        """Back from `as_dict`; ValueError for anything else."""
        falls, delta, path = fields_of(written, ("falls", "delta", "path"), "data")
        if not isinstance(falls, list) or not all(isinstance(each, str) for each in (*falls, delta)):
            raise ValueError("falls and delta of a record of plateaus must be numbers in strings")
        return cls(Levels(tuple(falls), delta), in_time.Recorded.from_dict(path))


@dataclass(frozen=True)
class Stay:
    """One plateau: D_k, and brackets of when it is entered, when it is left, and how long it lasts."""

    fall: sp.Expr
    entered: Bracket
    left: Bracket
    lasts: Bracket

    def as_dict(self, digits: int) -> dict[str, Any]:
        """Ready for JSON: decimal strings, rounded outwards."""
        brackets = {"entered": self.entered, "left": self.left, "lasts": self.lasts}
        return {"fall": str(self.fall)} | {name: list(outwards(*each, digits)) for name, each in brackets.items()}


@dataclass(frozen=True)
class Ordered:
    """Plateaus proved to follow one another. Guarantee: enclosed; times in gradient-flow time.

    plateaus: in order; delta: half their height. passages: brackets of the time from each but the last to the next.
    outlasts: c of (V69), exact; None of a single plateau. digits: working digits.
    """

    plateaus: tuple[Stay, ...]
    delta: sp.Expr
    passages: tuple[Bracket, ...]
    outlasts: flint.arb | None
    digits: int

    def as_dict(self, digits: int = 10) -> dict[str, Any]:
        """Ready for JSON: decimal strings, rounded outwards; `outlasts` is a lower bound."""
        return {
            "plateaus": [each.as_dict(digits) for each in self.plateaus],
            "delta": str(self.delta),
            "passages": [list(outwards(*each, digits)) for each in self.passages],
            "outlasts": None if self.outlasts is None else outwards(self.outlasts, self.outlasts, digits)[0],
            "guarantee": "enclosed",
        }


def prove(problem: Problem, recorded: Recorded, least: Exact = 1) -> Ordered:
    """Prove when each recorded plateau is entered and left, and that they outlast the passages between them.

    least: exact number > 0 that c of (V69) must exceed. Raises NotProved where the proof does not go through.
    """
    return order(recorded.levels, in_time.prove(problem, recorded.path, recorded.levels.drops), least)


def order(levels: Levels, proved: Proved, least: Exact = 1) -> Ordered:
    """The order of plateaus from what either recipe proves of `levels.drops`. Raises like `prove`."""
    c = positive(least, "least", "for a plateau to outlast a passage by it")
    if len(proved.passages) != len(levels.drops):
        raise ValueError(f"there must be one passage for each of {len(levels.drops)} drops, got {len(proved.passages)}")
    at_once = [(flint.arb(0), flint.arb(0))] * (2 * len(levels.falls) - len(levels.drops))
    times = [*at_once, *proved.passages]
    balls = Arb(proved.digits)
    with balls.working():
        apart = [_apart(*pair) for pair in pairwise(times)]
        stays, passages = apart[::2], tuple(apart[1::2])
        beside = [(stay[0], passage[1]) for k, passage in enumerate(passages) for stay in stays[k : k + 2]]
        outlasts = min(((stay / passage).lower() for stay, passage in beside), default=None)  # (V69)
        if outlasts is not None and not outlasts > evaluate(c, balls):
            raise NotProved(f"a plateau is not proved to last {c} times as long as a passage next to it")
    plateaus = map(Stay, levels.falls, times[::2], times[1::2], stays)
    return Ordered(tuple(plateaus), levels.delta, passages, outlasts, proved.digits)


def _apart(earlier: Bracket, later: Bracket) -> Bracket:
    """(V68). Raises NotProved where the two times are not told apart."""
    least, most = (later[0] - earlier[1]).lower(), (later[1] - earlier[0]).upper()
    if not least > 0:
        raise NotProved("two times at which plateaus are entered or left are not told apart; ask for more digits")
    return least, most
