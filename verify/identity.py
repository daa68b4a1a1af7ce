"""What determines the numbers of a cell, as a hash: two cells of one key have the same result.

Into the key goes, as canonical text,

    problem     target, start, drop, horizon, parametrisation: every exact number and formula, by its SymPy tree
    wanted      digits; tau_max and max_steps, which are outcomes. Not max_seconds: what it cuts is never final
    basis       the sources of theory/, numerics/ and verify/cell.py, byte by byte, and the versions of the libraries
                that numbers come from: SymPy, mpmath, NumPy, SciPy, python-flint

So a changed comment computes a study again, which costs time and never a wrong number. Of a class of the caller's own,
a kernel in most cases, the source of the class is part of the key; not what the class calls elsewhere.

Not in the key: the names of the study and of its parameters, the machine, the version of Python, who computes.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sympy as sp

import numerics
import theory
import verify
from verify.provenance import LIBRARIES
from verify.study import Cell, Limits

OURS = ("theory", "sympy", "builtins")  # what the basis covers


def key(cell: Cell, digits: int, limits: Limits) -> str:
    """The content hash of a cell, 64 hexadecimal digits.

    Raises ValueError for a class without a source that can be read, as one typed at a prompt has.

    >>> from verify.study import load
    >>> pair = load("pair")
    >>> len({key(cell, digits, pair.limits) for cell in pair.cells for digits in (10, 20)}) == 2 * len(pair.cells)
    True
    """
    lasting = {name: canonical(limit) for name, limit in vars(limits).items() if name != "max_seconds"}
    question = [canonical(cell.problem), digits, lasting, dict(basis())]
    text = json.dumps(question, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def basis() -> Mapping[str, str]:
    """What the numbers are computed with here: the hash of the sources, and the versions of the libraries."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.parent.name}/{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    versions = {library: metadata.version(library) for library in LIBRARIES}
    return MappingProxyType({"sources": digest.hexdigest(), **versions})


def _sources() -> list[Path]:
    rooms = [Path(room.__path__[0]) for room in (theory, numerics)]
    return [*(path for room in rooms for path in sorted(room.rglob("*.py"))), Path(verify.__path__[0]) / "cell.py"]


def canonical(value: Any) -> Any:
    """Exact values as nested lists, strings and integers, equal if and only if the values are.

    >>> canonical((sp.Rational("0.7"), sp.sqrt(2), None))
    ['7/a', ['Pow', '2/1', '1/2'], None]
    """
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, tuple):
        return list(map(canonical, value))
    if isinstance(value, sp.Rational):
        return f"{value.p:x}/{value.q:x}"  # hexadecimal: no limit of digits, and fast for 1e1000000
    if isinstance(value, sp.Basic):
        return [_kind(type(value)), *map(canonical, value.args)] if value.args else sp.srepr(value)
    return [_kind(type(value)), *(canonical(getattr(value, each.name)) for each in fields(value))]


def _kind(cls: type) -> Any:
    """The name of a class; with its source, where the basis does not cover it."""
    foreign = [each for each in cls.__mro__ if each.__module__.partition(".")[0] not in OURS]
    try:
        return [cls.__name__, *map(inspect.getsource, foreign)] if foreign else cls.__name__
    except (OSError, TypeError):
        way_out = "define it in a file, or leave the store out"
        raise ValueError(f"store: must know the source of {cls.__qualname__}, which has none; {way_out}") from None
