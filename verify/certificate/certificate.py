"""One entry for every certificate: record, prove, and with more digits again where fewer were proved than asked.

    unreachable  the drop is at least J(0)                                     no data
    slow-rate    recipe 2: tau with the slow rate as the clock                 where there is a plateau
    time         recipe 1: tau with time as the variable                       everywhere else
    minimum      the flow converges to a minimum short of the drop             where a run of the flow ends in one

    plateaus     when each plateau is entered and left, one after the other    only when asked for

The others are tried in this order. What one has against a problem is why it is the next one's turn. Recorders are not
trusted: each gives data, and the outcome is what verify/certificate/checking.py proves from them after they have been
text. So what is claimed is what a file can prove.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from numerics.answer import check_count
from numerics.escape import FEWEST_DIGITS, MOST_DIGITS
from numerics.run import Outcome
from theory.dense import DenseProblem
from theory.problem import Problem
from verify.certificate import recording_ordering, recording_slow, recording_stationary, recording_time
from verify.certificate.checking import Conclusion, Data, prove
from verify.certificate.dyadic import digits_of
from verify.certificate.file import Claim, Filed
from verify.certificate.proved import NotProved
from verify.deadline import TimeIsUp, deadline

Recipe = Literal["time", "slow-rate", "plateaus"]
RECORDERS: dict[str, Callable[[Problem, int], Any]] = {
    "slow-rate": recording_slow.record,
    "time": recording_time.record,
}
NOT_CERTIFIED = "not certified"
EXTRA = 2  # digits asked of a recorder beyond those wanted
ATTEMPTS = 3  # at a proof, with more digits each time
FIRST = {"slow-rate": "a plateau, whose slow rate tells the time"}  # why a recipe, where none before it was refused
KEPT = "its file was there, and is proved again"
MORE = 8  # digits asked beyond those of an attempt that proved nothing
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Certificate:
    """What is proved of a problem: an escape time between two decimals, or that there is none. Guarantee: enclosed.

    outcome: escaped, stationary (never escapes), unreachable, ordered (of plateaus), or "not certified", for `reason`.
    lower, upper: decimals that enclose tau, rounded outwards; None unless escaped. digits: what these certify; asked:
    those wanted. recipe: how it is proved; why: what the recipes before it had against it. working_digits: of the
    balls. also: what else is proved; data: what is recorded, for a file; both ready for JSON. seconds: of both parts.
    """

    problem: Problem | DenseProblem = field(repr=False)
    outcome: str
    reason: str
    asked: int
    lower: str | None = None
    upper: str | None = None
    digits: int | None = None
    recipe: str | None = None
    why: str = ""
    working_digits: int | None = None
    also: dict[str, Any] | None = None
    data: Data = field(default_factory=dict, repr=False)
    seconds: float = 0.0

    @property
    def guarantee(self) -> Literal["enclosed"] | None:
        """enclosed, unless nothing is proved."""
        return None if self.outcome == NOT_CERTIFIED else "enclosed"

    @property
    def short(self) -> bool:
        """Whether less is proved than was asked."""
        return self.guarantee is None or (self.digits is not None and self.digits < self.asked)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the problem and the data, ready for JSON."""
        names = ("outcome", "reason", "lower", "upper", "guarantee", "digits", "asked", "recipe", "why")
        found = {name: getattr(self, name) for name in (*names, "working_digits", "seconds")}
        return found | ({"also": self.also} if self.also else {})

    def filed(self, parameters: dict[str, str]) -> Filed:
        """For a file; ValueError where nothing is proved."""
        if self.recipe is None or isinstance(self.problem, DenseProblem):
            raise ValueError(f"a certificate must prove something to be filed, and this is {self.outcome}")
        claim = Claim(self.outcome, self.lower, self.upper)
        return Filed(parameters, self.problem, self.recipe, claim, self.data)


def certify(
    problem: Problem | DenseProblem,
    digits: int = 20,
    *,
    recipe: Recipe | None = None,
    max_seconds: float = math.inf,
    progress: Progress | None = None,
) -> Certificate:
    """Prove the escape time of a problem, or that there is none.

    digits:      to be certified, 5 to 150: (upper - lower) / upper <= 10^-digits of the decimals printed.
    recipe:      "time", "slow-rate", or None to have it chosen; "plateaus" for these in place of an escape time.
    max_seconds: wall time after which the attempt ends, not certified.
    progress:    called with a few words before each part.

    Returns a Certificate; that nothing could be proved is an outcome, with its reason, and never raises.
    Raises TypeError or ValueError for an argument out of range.

    >>> from verify.study import load
    >>> certify(load("pair").cells[0].problem, 10).lower[:12]
    '15.025899775'
    """
    check_count(digits, FEWEST_DIGITS, MOST_DIGITS, "it counts the digits of tau to be certified")
    if recipe not in (None, *get_args(Recipe)):
        known = ", ".join(get_args(Recipe))
        raise ValueError(f"recipe must be one of {known} or None, got {recipe!r}; None has it chosen")
    if isinstance(problem, DenseProblem):
        return Certificate(problem, NOT_CERTIFIED, "no recipe is for the flow of a dense network", digits)
    began = time.perf_counter()
    try:
        with deadline(began + max_seconds):
            found = _certified(problem, digits, recipe, progress or (lambda part: None))
    except TimeIsUp:
        found = Certificate(problem, NOT_CERTIFIED, f"max_seconds = {max_seconds:g} came first", digits)
    return replace(found, seconds=time.perf_counter() - began)


def proved_again(filed: Filed, digits: int) -> Certificate | None:
    """The certificate that a file holds, proved from its data; None where they do not prove so many digits."""
    began = time.perf_counter()
    try:
        found = _proved(filed.problem, filed.recipe, filed.data, digits)
    except (ArithmeticError, ValueError):
        return None
    return None if found.short else replace(found, why=KEPT, seconds=time.perf_counter() - began)


def _certified(problem: Problem, digits: int, recipe: Recipe | None, tell: Progress) -> Certificate:
    """The first recipe that goes through, in the order of the module; else why none does."""
    refused = list[str]()
    order = ("unreachable", *(RECORDERS if recipe is None else (recipe,)), "minimum")
    for word in order if recipe != "plateaus" else (recipe,):
        try:
            found = _escaped(problem, digits, word, tell) if word in RECORDERS else _ended(problem, digits, word, tell)
            return replace(found, why="; ".join(refused) or FIRST.get(word, ""))
        except Exception as reason:  # whatever a recorder raises, it is the next one's turn
            if word != "unreachable":
                refused.append(f"{word}: {str(reason) or type(reason).__name__}")
    return Certificate(problem, NOT_CERTIFIED, "; ".join(refused), digits)


def _ended(problem: Problem, digits: int, recipe: str, tell: Progress) -> Certificate:
    """By a recipe that gives no escape time. Raises NotProved."""
    tell(f"{recipe}: recording")
    data: Data = {}
    if recipe == "minimum":
        data = recording_stationary.record(problem, digits).as_dict()
    elif recipe == "plateaus":
        data = recording_ordering.record(problem, digits).as_dict()
    tell(f"{recipe}: proving")
    return _proved(problem, recipe, data, digits)


def _escaped(problem: Problem, digits: int, recipe: str, tell: Progress) -> Certificate:
    """By one of RECORDERS. Raises NotProved."""
    asked, best, reason = digits + EXTRA, None, NotProved("nothing was tried")
    for _ in range(ATTEMPTS):
        tell(f"{recipe}: recording {asked} digits")
        data = RECORDERS[recipe](problem, asked).as_dict()
        tell(f"{recipe}: proving")
        try:
            found = _proved(problem, recipe, data, digits)
        except NotProved as error:
            reason, asked = error, asked + MORE
            continue
        if not found.short:
            return found
        best, asked = found, asked + digits - (found.digits or 0) + EXTRA
    if best is None:
        raise reason
    return best


def _proved(problem: Problem, recipe: str, data: Data, digits: int) -> Certificate:
    """What the data prove, printed. Raises NotProved."""
    found: Conclusion = prove(problem, recipe, data)
    claim = found.claim(digits)
    reached = digits_of(claim.lower, claim.upper) if claim.lower and claim.upper else None
    return Certificate(
        problem, found.outcome, _sentence(found.outcome), digits, claim.lower, claim.upper, reached,
        recipe=recipe, working_digits=found.digits, also=found.also, data=data,
    )  # fmt: skip


def _sentence(outcome: str) -> str:
    return "its plateaus follow one another" if outcome == "ordered" else str(Outcome[outcome].value)
