"""All cells of a store, as CSV or JSON: one row a cell, its parameters as columns, numbers as decimal strings.

Every row is there, those of earlier sources too: `sources` tells them apart, by the first digits of their hash.
"""

import csv
import json
from collections.abc import Iterator
from typing import Any, TextIO

from verify.store import Row, Store

COLUMNS = ("outcome", "escape_time", "log10_escape_time", "digits", "guarantee", "arithmetic", "engine", "slow_flow",
           "leading_order", "coincided", "lower_bound", "steps", "seconds", "reason")  # fmt: skip
ABOUT = ("final", "recorded", "attempts", "sources", "key")


def write_csv(store: Store, file: TextIO) -> None:
    """A line of names, and a line a cell; what is not known is empty. Parameters are named as the study sweeps them."""
    parameters = list(dict.fromkeys(name for row in store.rows() for name in row.document["parameters"]))
    writer = csv.DictWriter(file, ["study", *parameters, "digits_asked", *COLUMNS, *ABOUT], lineterminator="\n")
    writer.writeheader()
    for row in store.rows():
        numbers = {name: row.document.get(name) for name in COLUMNS}
        known = {"study": row.study, "digits_asked": row.digits, **numbers, **_about(row)}
        writer.writerow(row.document["parameters"] | known)


def write_json(store: Store, file: TextIO) -> None:
    """{"cells": [...]}, each as `memcurse escape --json` has it and with what the store adds, its whole basis too."""

    def cells() -> Iterator[dict[str, Any]]:
        for row in store.rows():
            about = _about(row) | {"basis": row.basis}
            yield {"study": row.study, **row.document, "digits_asked": row.digits, **about}

    json.dump({"cells": list(cells())}, file, indent=1, allow_nan=False)
    file.write("\n")


def _about(row: Row) -> dict[str, Any]:
    """What the store adds to a cell."""
    return {
        "final": int(row.final),
        "recorded": row.recorded,
        "attempts": row.attempts,
        "sources": row.basis["sources"][:12],
        "key": row.key,
    }
