"""Proving a claim from what was recorded, and checking a file: trusted, like the provers it asks, and all there is.

A recipe is a word, and a prover in a module of its own. This module and the provers import no integrator; what it did
is data to them (docs/proof.md). A proof gives an outcome, and of an escape two exact numbers that enclose tau. A claim
stands if and only if

    the outcomes are the same, and lower_claimed <= lower_proved, upper_proved <= upper_claimed                 (V90)

compared exactly: the claim then holds a proved enclosure, so it encloses tau itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flint

from numerics.unreachable import unreachable
from theory.problem import Problem
from verify.certificate import in_slow_rate, in_time, ordering, stationary
from verify.certificate.dyadic import digits_of, inside, outwards
from verify.certificate.file import BadFile, Claim, read
from verify.certificate.proved import NotProved, Proved
from verify.certificate.question import as_document

SHOWN = 30  # digits at most of an interval that is only told
Data = dict[str, Any]


@dataclass(frozen=True)
class Conclusion:
    """What a proof gives. lower, upper: exact, of an escape. digits: working digits, 0 where none were needed.

    also: what else is proved, ready for JSON.
    """

    outcome: str
    lower: flint.arb | None = None
    upper: flint.arb | None = None
    digits: int = 0
    also: dict[str, Any] | None = None

    def claim(self, digits: int) -> Claim:
        """The claim with tau to so many digits, or as many as are proved, rounded outwards."""
        if self.lower is None or self.upper is None:
            return Claim(self.outcome)
        for extra in (1, 2):  # a unit or two of the last place is lost by rounding
            shown = outwards(self.lower, self.upper, digits + extra)
            if (reached := digits_of(*shown)) >= digits:
                return Claim(self.outcome, *shown)
        return Claim(self.outcome, *outwards(self.lower, self.upper, reached + 2))

    def proves(self, claim: Claim) -> bool:
        """Whether the claim stands (V90)."""
        if claim.outcome != self.outcome:
            return False
        if self.lower is None or self.upper is None:
            return claim.lower is None and claim.upper is None
        ends = claim.lower, claim.upper
        return None not in ends and inside(self.lower, self.upper, ends)  # type: ignore[arg-type]


def prove(problem: Problem, recipe: str, data: Data) -> Conclusion:
    """What the data prove of the problem by this recipe.

    Raises NotProved where they do not, ValueError where they are no data of this recipe.
    """
    if recipe not in PROVERS:
        raise ValueError(f"recipe: must be one of {', '.join(PROVERS)}, got {recipe!r}")
    return PROVERS[recipe](problem, data)


def _unreachable(problem: Problem, data: Data) -> Conclusion:
    """drop >= J(0), exactly or in balls: nothing is recorded."""
    if data:
        raise ValueError(f"a drop out of reach needs no data, got {', '.join(data)}")
    if not unreachable(problem):
        raise NotProved("the drop is not proved to be at least the loss at the start")
    return Conclusion("unreachable")


def _in_time(problem: Problem, data: Data) -> Conclusion:
    return _escaped(in_time.prove(problem, in_time.Recorded.from_dict(data)))


def _in_slow_rate(problem: Problem, data: Data) -> Conclusion:
    return _escaped(in_slow_rate.prove(problem, in_slow_rate.Recorded.from_dict(data)))


def _escaped(found: Proved) -> Conclusion:
    (passage,) = found.passages
    return Conclusion("escaped", *passage, found.digits)


def _minimum(problem: Problem, data: Data) -> Conclusion:
    found = stationary.prove(problem, stationary.Recorded.from_dict(data))
    return Conclusion("stationary", digits=found.digits, also=found.as_dict())


def _plateaus(problem: Problem, data: Data) -> Conclusion:
    found = ordering.prove(problem, ordering.Recorded.from_dict(data))
    return Conclusion("ordered", digits=found.digits, also=found.as_dict())


PROVERS: dict[str, Callable[[Problem, Data], Conclusion]] = {
    "unreachable": _unreachable,
    "slow-rate": _in_slow_rate,
    "time": _in_time,
    "minimum": _minimum,
    "plateaus": _plateaus,
}


@dataclass(frozen=True)
class Verdict:
    """What became of a file. problem, claim: of the file, None where there is none. provable: what its data prove.

    also: what else they prove. bad: whether it is no certificate at all. reason: why it is accepted, or is not.
    """

    file: str
    accepted: bool
    reason: str
    parameters: dict[str, str] | None = None
    problem: Problem | None = None
    recipe: str | None = None
    claim: Claim | None = None
    provable: Claim | None = None
    also: dict[str, Any] | None = None
    seconds: float = 0.0
    bad: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        found = {name: value for name, value in vars(self).items() if name != "bad"}
        found["problem"] = self.problem and as_document(self.problem)
        return found | {name: claim and vars(claim) for name in ("claim", "provable") for claim in [found[name]]}


def check(path: Path) -> Verdict:
    """Prove a file's claim again, from its data alone. Never raises an Exception."""
    began = time.perf_counter()
    try:
        filed = read(path)
    except BadFile as error:
        return Verdict(str(path), False, str(error), bad=True)

    def verdict(accepted: bool, reason: str, **found: Any) -> Verdict:
        known = filed.parameters, filed.problem, filed.recipe, filed.claim
        return Verdict(str(path), accepted, reason, *known, seconds=time.perf_counter() - began, **found)

    try:
        found = prove(filed.problem, filed.recipe, filed.data)
        accepted, provable = found.proves(filed.claim), found.claim(SHOWN)
    except NotProved as error:
        return verdict(False, f"its data do not prove it: {error}")
    except ValueError as error:
        return verdict(False, f"{path}: {error}", bad=True)
    except Exception as error:  # data that break a proof off prove nothing
        return verdict(False, f"its data do not prove it: {type(error).__name__}: {error}")
    if accepted:
        return verdict(True, "proved again, from its data alone", provable=provable, also=found.also)
    proved = f"[{provable.lower}, {provable.upper}]" if provable.lower else provable.outcome
    return verdict(False, f"its data prove {proved}, and that is not what it claims", provable=provable)
