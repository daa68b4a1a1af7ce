"""A certificate as a file: JSON that holds the problem, the recipe, the recorded data and the claim, and nothing else.

    format      FORMAT, the version of these rules        memcurse    the version that wrote it; not read for a proof
    parameters  the cell's, as the study writes them; for a person, not for the proof, but not at odds with the problem
    problem     target, start, escape (verify/certificate/question.py)
    recipe      how it is proved (verify/certificate/checking.py), and data: what the recipe needs, dyadics as text
    claim       outcome; of an escape, lower and upper, decimals that enclose tau

Whatever is in a file may have been written by anyone: a key too many or too few, a key twice, a float, a number or a
file that is too large raise BadFile. What the data say is for the proof to judge.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from theory.exact import exact
from theory.problem import Problem
from verify.certificate.dyadic import digits_of
from verify.certificate.question import as_document, exactly, problem_in
from verify.entries import Float, StudyError, bad, choice, shown

FORMAT = "memcurse certificate 1"
LARGEST = 100_000_000  # bytes
OUTCOMES = ("escaped", "stationary", "unreachable", "ordered")  # what can be claimed
KEYS = ("format", "memcurse", "parameters", "problem", "recipe", "claim", "data")


class BadFile(ValueError):
    """The file holds no certificate; the message says why."""


@dataclass(frozen=True)
class Claim:
    """What is said to be proved. lower, upper: decimals that enclose tau, of an escape; else None."""

    outcome: str
    lower: str | None = None
    upper: str | None = None


@dataclass(frozen=True)
class Filed:
    """A certificate as it is in a file. data: of the recipe, JSON, whose prover reads it strictly."""

    parameters: dict[str, str]
    problem: Problem
    recipe: str
    claim: Claim
    data: dict[str, Any] = field(repr=False)


def write(filed: Filed, path: Path, version: str) -> None:
    """Write a certificate, the whole file at once; ValueError where the problem is none that a file can hold."""
    document = {
        "format": FORMAT,
        "memcurse": version,
        "parameters": filed.parameters,
        "problem": as_document(filed.problem),
        "recipe": filed.recipe,
        "claim": vars(filed.claim),
        "data": filed.data,
    }
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def read(path: Path) -> Filed:
    """The certificate in a file; raises BadFile."""
    try:
        document = _document(path)
        exactly(document, "certificate", KEYS)
        choice(document["format"], "format", (FORMAT,))
        if not isinstance(document["memcurse"], str):
            raise bad("memcurse", "must be text", document["memcurse"], "it is the version that wrote the file")
        parameters = document["parameters"]
        if not isinstance(parameters, dict) or not all(isinstance(each, str) for each in parameters.values()):
            raise bad("parameters", "must be a table of strings", parameters, "they are for a person")
        if not isinstance(document["recipe"], str):
            raise bad("recipe", "must be a word", document["recipe"], "it says how the claim is proved")
        if not isinstance(document["data"], dict):
            raise bad("data", "must be a table", document["data"], "it is what the recipe has recorded")
        problem, claim = problem_in(document["problem"]), _claim(document["claim"])
        _check_parameters(parameters, document["problem"])
        return Filed(parameters, problem, document["recipe"], claim, document["data"])
    except ValueError as error:
        raise BadFile(f"{path}: {error}") from None


def _document(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise StudyError(f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST:
        raise StudyError(f"is longer than {LARGEST} bytes, so it is no certificate")
    try:
        return json.loads(content.decode(), object_pairs_hook=_table, parse_float=Float, parse_constant=_no_number)
    except RecursionError:
        raise StudyError("must be JSON of a sensible depth") from None
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(f"must be JSON in UTF-8: {error}") from None


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise StudyError(f"{twice}: must be there once, and is there twice")
    return table


def _no_number(text: str) -> NoReturn:
    raise StudyError(f"must hold numbers only, got {text}")


def _check_parameters(parameters: dict[str, str], problem: Any) -> None:
    """StudyError where a parameter names a number of the problem and gives another: that would be some other cell."""
    for path, value in parameters.items():
        here = problem
        for part in path.split("."):
            table = {str(i): each for i, each in enumerate(here)} if isinstance(here, list) else here
            here = table.get(part) if isinstance(table, dict) else None
        if isinstance(here, str) and not _same(here, value):
            raise bad(f"parameters.{path}", "must be that of the problem", value, f"there it is {shown(here)}")


def _same(one: str, other: str) -> bool:
    """Whether two entries are the same number, or the same word."""
    try:
        return bool(exact(one, "this") == exact(other, "that"))
    except ValueError:
        return one == other


def _claim(written: Any) -> Claim:
    exactly(written, "claim", ("outcome", "lower", "upper"))
    outcome = choice(written["outcome"], "claim.outcome", OUTCOMES)
    lower, upper = written["lower"], written["upper"]
    if outcome == "escaped":
        try:
            digits_of(lower, upper)
        except ValueError as error:
            raise StudyError(f"claim: {error}") from None
    elif lower is not None or upper is not None:
        raise bad("claim", "must have null for lower and upper", [lower, upper], f"{outcome} is no time")
    return Claim(outcome, lower, upper)
