"""A CellResult as JSON text and back, without loss, and without running what it finds: a store may be anyone's.

A dataclass becomes a table of its fields with its name under "class", a tuple a list, an Outcome its name. Problem and
parameters are left out: they are those of the cell that asks.
"""

import json
from dataclasses import fields, is_dataclass
from typing import Any

from numerics.answer import Answer
from numerics.dense_flow import DenseState
from numerics.escape import EscapeTime, State
from numerics.run import Outcome
from numerics.stationary import Minimum
from verify.cell import CellResult
from verify.study import Cell

CLASSES = {each.__name__: each for each in (CellResult, EscapeTime, Answer, State, DenseState, Minimum)}
FROM_THE_CELL = ("problem", "parameters")


def written(result: CellResult) -> str:
    """The result as JSON, its problem and parameters left out."""
    return json.dumps(_table(result), separators=(",", ":"))


def read(text: str, cell: Cell) -> CellResult:
    """The result that was written for a problem equal to that of `cell`.

    Raises AttributeError, KeyError, RecursionError, TypeError or ValueError for a text that `written` did not write.
    """
    result = _value(json.loads(text), cell)
    if not isinstance(result, CellResult):
        raise TypeError(f"the record must be a CellResult, got a {type(result).__name__}")
    return result


def _table(value: Any) -> Any:
    if is_dataclass(value):
        kept = [each.name for each in fields(value) if each.name not in FROM_THE_CELL]
        return {"class": type(value).__name__} | {name: _table(getattr(value, name)) for name in kept}
    if isinstance(value, Outcome):
        return {"outcome": value.name}
    return [_table(each) for each in value] if isinstance(value, tuple) else value


def _value(table: Any, cell: Cell) -> Any:
    if isinstance(table, list):
        return tuple(_value(each, cell) for each in table)
    if not isinstance(table, dict):
        return table
    if "class" not in table:
        return Outcome[table["outcome"]]
    known = CLASSES[table["class"]]
    given = {each.name: getattr(cell, each.name) for each in fields(known) if each.name in FROM_THE_CELL}
    return known(**given, **{name: _value(each, cell) for name, each in table.items() if name != "class"})
