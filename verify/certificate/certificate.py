"""One entry for every certificate: record, prove, and with more digits again where fewer were proved than asked.

    unreachable  the drop is at least J(0)                                     no data
    slow-rate    recipe 2: tau with the slow rate as the clock                 where there is a plateau
    time         recipe 1: tau with time as the variable                       everywhere else
    minimum      the flow converges to a minimum short of the drop             where a run of the flow ends in one

They are tried in this order. Recorders are not trusted: each gives data, and the outcome is what `prove` of
verify/certificate/checking.py makes of them after they have been text, so what is claimed is what a file can prove.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from numerics.answer import check_count
from numerics.escape import FEWEST_DIGITS, MOST_DIGITS, escape_time
from numerics.run import Outcome
from numerics.slow_rate import NoSlowRate
from theory.dense import DenseProblem
from theory.problem import Problem
from verify.certificate.checking import Conclusion, Data, prove
from verify.certificate.dyadic import digits_of
from verify.certificate.file import Claim, Filed
from verify.certificate.proved import NotProved
from verify.deadline import TimeIsUp, deadline

Recipe = Literal["time", "slow-rate"]
RECIPES: tuple[Recipe, ...] = ("slow-rate", "time")
NOT_CERTIFIED = "not certified"
EXTRA = 2  # digits asked of a recorder beyond those wanted
ATTEMPTS = 3  # at a proof, with more digits each time
LOOK_DIGITS = 10  # of the run that tells how a flow ends which has no escape to prove
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Certificate:
    """What is proved of a problem: an escape time between two decimals, or that there is none. Guarantee: enclosed.

    outcome: escaped, stationary (never escapes), unreachable, or "not certified", for `reason`. lower, upper: decimals
    that enclose tau, rounded outwards; None unless escaped. digits: certified by what is printed; asked: those wanted.
    recipe: how it is proved; why: this recipe. working_digits: of the balls. also: what else is proved, ready for JSON.
    data: what is recorded, ready for JSON, for a file. seconds: recording and proving.
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
    recipe:      "time", "slow-rate", or None to have it chosen.
    max_seconds: wall time after which the attempt ends, not certified.
    progress:    called with a few words before each part.

    Returns a Certificate; that nothing could be proved is an outcome, with its reason, and never raises.
    Raises TypeError or ValueError for an argument out of range.

    >>> from verify.study import load
    >>> certify(load("pair").cells[0].problem, 10).lower[:12]
    '15.025899775'
    """
    check_count(digits, FEWEST_DIGITS, MOST_DIGITS, "it counts the digits of tau to be certified")
    if recipe is not None and recipe not in RECIPES:
        raise ValueError(f"recipe must be one of {', '.join(RECIPES)} or None, got {recipe!r}; None has it chosen")
    if isinstance(problem, DenseProblem):
        return Certificate(problem, NOT_CERTIFIED, "no recipe is for the flow of a dense network", digits)
    began = time.perf_counter()
    try:
        with deadline(began + max_seconds):
            found = _certified(problem, digits, recipe, progress or (lambda part: None))
    except TimeIsUp:
        found = Certificate(problem, NOT_CERTIFIED, f"max_seconds = {max_seconds:g} came first", digits)
    return replace(found, seconds=time.perf_counter() - began)


def _certified(problem: Problem, digits: int, recipe: Recipe | None, tell: Progress) -> Certificate:
    """The first recipe that goes through, in the order of the module."""
    refused = list[str]()

    def tried(word: str, attempt: Callable[[], Certificate]) -> Certificate | None:
        try:
            return attempt()
        except (NotProved, NoSlowRate, NotImplementedError) as reason:
            refused.append(f"{word}: {reason}")
            return None

    with_words = "; ".join
    tell("unreachable")
    if found := tried("unreachable", lambda: _proved(problem, "unreachable", {}, digits)):
        return replace(found, why="the drop is at least the loss at the start")
    refused.clear()
    for word in RECIPES if recipe is None else (recipe,):
        why = "as asked" if recipe else with_words(refused) or "there is a plateau, whose slow rate tells the time"
        if word == "time" and (ended := _how_it_ends(problem, tell)):
            outcome, reason = ended
            if outcome is Outcome.stationary and (found := tried("minimum", lambda: _settled(problem, digits, tell))):
                return replace(found, why=reason)
            refused.append(reason)
            continue
        if found := tried(word, lambda word=word: _escaped(problem, digits, word, tell)):  # type: ignore[misc]
            return replace(found, why=why)
    return Certificate(problem, NOT_CERTIFIED, with_words(refused), digits)


def _how_it_ends(problem: Problem, tell: Progress) -> tuple[Outcome, str] | None:
    """How the flow ends by an estimate, with the reason; None where it escapes."""
    tell("how the flow ends")
    found = escape_time(problem, digits=LOOK_DIGITS)
    return None if found.outcome is Outcome.escaped else (found.outcome, f"{found.outcome.name}: {found.reason}")


def _escaped(problem: Problem, digits: int, recipe: str, tell: Progress) -> Certificate:
    """By one of RECIPES. Raises NotProved."""
    asked, best = digits + EXTRA, None
    for _ in range(ATTEMPTS):
        tell(f"{recipe}: recording {asked} digits")
        try:
            data = _record(recipe)(problem, asked).as_dict()
            tell(f"{recipe}: proving")
            found = _proved(problem, recipe, data, digits)
        except NotProved:
            if best is None:
                raise
            break
        if best is None or (found.digits or 0) > (best.digits or 0):
            best = found
        if not best.short:
            break
        asked += digits - (found.digits or 0) + EXTRA
    assert best is not None
    return best


def _settled(problem: Problem, digits: int, tell: Progress) -> Certificate:
    """By a minimum. Raises NotProved."""
    from verify.certificate.recording_stationary import record

    tell("minimum: recording")
    data = record(problem).as_dict()
    tell("minimum: proving")
    return _proved(problem, "minimum", data, digits)


def _record(recipe: str) -> Callable[[Problem, int], Any]:
    """The recorder of a recipe: untrusted."""
    if recipe == "time":
        from verify.certificate.recording_time import record
    else:
        from verify.certificate.recording_slow import record
    return record


def _proved(problem: Problem, recipe: str, data: Data, digits: int) -> Certificate:
    """What the data prove, printed. Raises NotProved."""
    found: Conclusion = prove(problem, recipe, data)
    claim = found.claim(digits)
    reached = digits_of(claim.lower, claim.upper) if claim.lower and claim.upper else None
    return Certificate(
        problem, found.outcome, Outcome[found.outcome].value, digits, claim.lower, claim.upper, reached,
        recipe=recipe, working_digits=found.digits, also=found.also, data=data,
    )  # fmt: skip
