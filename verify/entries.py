"""Entries of a study: one value each, taken exactly or refused with its dotted path, the condition and a way out.

A number is a string or an integer. Floats are kept as they were written, for the message that refuses them.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import sympy as sp

from theory.exact import exact, positive

Table: TypeAlias = dict[str, Any]


class StudyError(ValueError):
    """What is wrong with a study: 'study NAME: key.path: condition, value; way out'."""


@dataclass(frozen=True)
class Float:
    """A float of the file, as it was written there; nothing but a refusal is made of it."""

    text: str


def bad(path: str, condition: str, value: Any, way_out: str) -> StudyError:
    """The StudyError for an entry that breaks a condition."""
    return StudyError(f"{path}: {condition}, got {shown(value)}; {way_out}")


def shown(value: Any) -> str:
    """A value of a study for a message, not longer than a line."""
    text = value.text if isinstance(value, Float) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def did_you_mean(value: Any, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(value, list(known), 1) if isinstance(value, str) else []
    return f"did you mean {close[0]!r}? " if close else ""


def known_keys(table: Table, path: str, known: Iterable[str]) -> None:
    """StudyError unless every key of the table is known."""
    known = tuple(known)
    for key in table:
        full = f"{path}.{key}" if path else key
        here = f"known here: {', '.join(known)}"
        if key not in known:
            raise StudyError(f"{full}: is not a known key; {did_you_mean(key, known)}{here}")


def entries(table: Table, section: str, key: str, why: str) -> list[Any]:
    """The list table[key], which must have at least one entry."""
    if key not in table:
        raise StudyError(f"{section}.{key}: is missing; {why}")
    if not isinstance(table[key], list) or not table[key]:
        raise bad(f"{section}.{key}", "must be a list of at least one entry", table[key], why)
    return list(table[key])


def number(value: Any, path: str, check: Callable[[Any, str], sp.Expr] = exact) -> sp.Expr:
    """The exact number, after a check of theory.exact."""
    if isinstance(value, Float):
        raise bad(path, "must be exact, not a float", value, f'write it as a string, "{value.text}"')
    if not isinstance(value, str | int):
        raise bad(path, "must be a number in a string or an integer", value, 'write for example "0.7"')
    try:
        return check(value, f"{path}:")
    except (TypeError, ValueError) as error:
        raise StudyError(str(error)) from None


def positive_number(value: Any, path: str, why: str) -> sp.Expr:
    """The exact number, > 0."""
    return number(value, path, partial(positive, why=why))


def count(value: Any, path: str, least: int, most: int | None, what: str) -> int:
    """An integer from `least` to `most`."""
    exactly = number(value, path)
    if not exactly.is_Integer or exactly < least or (most is not None and exactly > most):
        condition = f"must be an integer >= {least}" if most is None else f"must be an integer from {least} to {most}"
        raise bad(path, condition, value, what)
    return int(exactly)


def choice(value: Any, path: str, known: Iterable[str]) -> str:
    """One of the known words."""
    known = tuple(known)
    if not isinstance(value, str) or value not in known:
        way_out = f"{did_you_mean(value, known)}known here: {', '.join(known)}"
        raise bad(path, "must be a known word", value, way_out)
    return value
