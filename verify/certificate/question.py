"""The problem of a certificate, in the terms of a study and whole: what the file says is what is proved.

The same tables and keys as in a study (verify/study.py reads them too), every number a string, one problem, the drop
itself and no limits. Read here by the exact constructors of theory/ alone, without a default and without a word of what
might have been meant: a key too many is refused.
"""

from dataclasses import fields
from typing import Any

import sympy as sp

from theory.kernels import KINDS, Expression, Kernel
from theory.parametrisation import NAMED, InverseSquare, Parametrisation
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.entries import StudyError, Table, bad, choice, known_keys


def as_document(problem: Problem) -> Table:
    """The problem as tables of strings; ValueError where a number of it is not rational.

    >>> from verify.study import load
    >>> as_document(load("pair").cells[0].problem)["start"]
    {'amplitudes': ['1', '0'], 'rates': ['1', '7/10'], 'parametrisation': 'identity'}
    """
    start = problem.start
    return {
        "target": {
            "terms": [_term(term, f"target.terms.{i}") for i, term in enumerate(problem.target.terms)],
            "horizon": "inf" if problem.horizon is sp.oo else _number(problem.horizon, "target.horizon"),
        },
        "start": {
            "amplitudes": [_number(a, f"start.amplitudes.{i}") for i, a in enumerate(start.amplitudes)],
            "rates": [_number(w, f"start.rates.{i}") for i, w in enumerate(start.rates)],
            "parametrisation": _trained(problem.parametrisation),
        },
        "escape": {"drop": _number(problem.drop, "escape.drop")},
    }


def problem_in(document: Any) -> Problem:
    """The problem that `as_document` has written, or a person; StudyError, which is a ValueError, for what is none."""
    tables = {"target": ("terms", "horizon"), "start": ("amplitudes", "rates", "parametrisation"), "escape": ("drop",)}
    exactly(document, "problem", tuple(tables))
    for name, keys in tables.items():
        exactly(document[name], f"problem.{name}", keys)
    target, start = document["target"], document["start"]
    try:
        terms = [_kernel(term, f"problem.target.terms.{i}") for i, term in enumerate(_list(target, "target", "terms"))]
        network = LinearRNN.of(_list(start, "start", "amplitudes"), _list(start, "start", "rates"))
        drop, horizon = _text(document["escape"], "drop"), _text(target, "horizon")
        return Problem(Target(tuple(terms)), network, drop, horizon, _parametrisation(start["parametrisation"]))
    except StudyError:
        raise
    except (TypeError, ValueError) as error:
        raise StudyError(f"problem: {error}") from None


def exactly(table: Any, path: str, keys: tuple[str, ...]) -> None:
    """StudyError unless `table` is one with these keys, all of them and no other."""
    if not isinstance(table, dict):
        raise bad(path, "must be a table", table, f"it has {', '.join(keys)}")
    known_keys(table, path, keys)
    for key in keys:
        if key not in table:
            raise StudyError(f"{path}.{key}: is missing; a certificate leaves nothing out")


def _number(number: sp.Expr, path: str) -> str:
    if not number.is_Rational:
        raise ValueError(f"{path}: must be rational for a certificate to hold it, got {number}")
    return str(number)


def _term(term: Kernel, path: str) -> Table:
    if not type(term).__module__.startswith("theory."):  # elsewhere it would mean nothing
        raise ValueError(f"{path}: must be a kernel of theory/kernels.py for a certificate to hold it, got {term!r}")
    table = {"kind": term.kind}
    for each in fields(term):
        key, value = each.metadata.get("key", each.name), getattr(term, each.name)
        formula = isinstance(term, Expression) and each.name == "formula"
        table[key] = str(value) if formula else _number(value, f"{path}.{key}")
    return table


def _kernel(term: Any, path: str) -> Kernel:
    if not isinstance(term, dict):
        raise bad(path, "must be a table", term, "it is a kernel with all its numbers")
    kind = KINDS[choice(term.get("kind"), f"{path}.kind", KINDS)]
    names = {each.metadata.get("key", each.name): each.name for each in fields(kind)}
    exactly(term, path, ("kind", *names))
    return kind(**{name: _text(term, key) for key, name in names.items()})


def _trained(parametrisation: Parametrisation) -> str | Table:
    if isinstance(parametrisation, InverseSquare):
        return {key: _number(getattr(parametrisation, key), f"start.parametrisation.{key}") for key in ("a", "b")}
    return parametrisation.name


def _parametrisation(written: Any) -> Parametrisation:
    path = "problem.start.parametrisation"
    if isinstance(written, dict):
        exactly(written, path, ("a", "b"))
        return InverseSquare(_text(written, "a"), _text(written, "b"))
    return NAMED[choice(written, path, NAMED)]


def _text(table: Table, key: str) -> Any:
    """table[key], a string; Any, for the constructors take it from there."""
    if not isinstance(table[key], str):
        raise bad(key, "must be a number in a string", table[key], 'write for example "7/10"')
    return table[key]


def _list(table: Table, section: str, key: str) -> list[Any]:
    found = table[key]
    if not isinstance(found, list) or not found or not all(isinstance(each, str | dict) for each in found):
        condition = "must be a list of at least one entry, text or table"
        raise bad(f"problem.{section}.{key}", condition, found, "a float is neither")
    return found
