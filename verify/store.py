"""Where finished cells are kept: one SQLite file, one row a cell, written as the cells finish.

    application_id = 0x6D656D63 ("memc"), user_version = VERSION: whose file it is, and how to read it
    cells(key, study, digits, final, document, record, basis, recorded, attempts)

    key        content hash of all that determines the result (verify/identity.py); one row a key
    study      name of the study that computed it; digits: those that were asked for
    final      1: taken from here ever after, also where the cell failed. 0: a lost worker, or max_seconds came first;
               the row says so, and the cell is computed again by the next run
    document   the cell as `memcurse escape --json` prints it, for people and other programs
    record     what a CellResult is rebuilt from (verify/record.py)
    basis      JSON: the hash of the sources and the versions of the libraries it was computed with
    recorded   UTC. attempts: how many times this cell was computed and recorded

The cells that have finished since the last look are one transaction, on the disk before it ends: after kill -9, a full
disk or a power cut they are there or they are not. It takes a disk some 5 to 30 ms, and no worker waits for it. The
journal is SQLite's rollback journal and not its write-ahead log, which would be faster and does not serve on a network
file system; there a store is as safe as the locks are. Only the process that owns the sweep writes. Any number of them
may share a store: each looks a cell up just before it hands it out, both may have it at hand, and the last one writes;
a final row is never replaced by one that is not.

A file of another program, of another version or no SQLite file at all is refused and not touched.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verify import record
from verify.cell import CellResult
from verify.identity import basis
from verify.study import Cell

APPLICATION, VERSION = 0x6D656D63, 1
PATIENCE = 30.0  # seconds that a lock of another program is waited for
SCHEMA = f"""
    CREATE TABLE cells (
        key TEXT PRIMARY KEY,
        study TEXT NOT NULL,
        digits INTEGER NOT NULL,
        final INTEGER NOT NULL,
        document TEXT NOT NULL,
        record TEXT NOT NULL,
        basis TEXT NOT NULL,
        recorded TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 1
    );
    PRAGMA application_id = {APPLICATION};
    PRAGMA user_version = {VERSION};
"""
RECORD = """
    INSERT INTO cells (key, study, digits, final, document, record, basis, recorded) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET (study, digits, final, document, record, basis, recorded, attempts) =
        (excluded.study, excluded.digits, excluded.final, excluded.document, excluded.record, excluded.basis,
         excluded.recorded, attempts + 1)
    WHERE excluded.final >= cells.final
"""
PAGE = """
    SELECT rowid, key, study, digits, final, document, basis, recorded, attempts FROM cells
    WHERE rowid > ? ORDER BY rowid LIMIT 500
"""
WAYS_OUT = {
    "SQLITE_BUSY": "is locked by another program; end that program, or wait for it, and run the command again",
    "SQLITE_FULL": "cannot grow, the disk is full; what is in it is intact: make room, and run the command again",
    "SQLITE_NOTADB": "is no SQLite file; name another one, or a new one",
    "SQLITE_READONLY": "may not be written to; name a file that you may write to",
    "SQLITE_CANTOPEN": "cannot be opened; name a file that you may write to, in a folder that is there",
    "SQLITE_CORRUPT": "is damaged; put it aside, and name a new one",
}


class StoreError(Exception):
    """The store cannot be used; the message names the file, and says why and the way out."""


@dataclass(frozen=True)
class Row:
    """One cell of a store, as the module describes it."""

    key: str
    study: str
    digits: int
    final: bool
    document: dict[str, Any]
    basis: dict[str, str]
    recorded: str
    attempts: int


class Store:
    """An open store. Use it in one thread, and close it: it is a context manager.

    path: of the file; it is made where there is none, unless create=False.
    patience: seconds to wait for a lock.
    Raises StoreError where it cannot be used, here before anything is computed and in every method.
    """

    def __init__(self, path: Path, *, create: bool = True, patience: float = PATIENCE) -> None:
        self.path = path
        self.safe = 0  # final rows that were found or recorded through this object
        if not create and not path.is_file():
            raise StoreError(f"store '{path}': there is no such file; `memcurse escape STUDY --store {path}` makes it")
        with self._explained():
            self._file = sqlite3.connect(path, timeout=patience, isolation_level=None)
        try:
            with self._explained():
                self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        """Checks whose file it is; BEGIN IMMEDIATE tells at once whether it can be written to."""
        self._file.execute("BEGIN IMMEDIATE")
        application, version = (self._one(f"PRAGMA {name}") for name in ("application_id", "user_version"))
        new = application == version == self._one("SELECT count(*) FROM sqlite_master") == 0
        if new:
            for statement in SCHEMA.split(";")[:-1]:
                self._file.execute(statement)
        elif application != APPLICATION:
            raise StoreError(f"store '{self.path}': is an SQLite file of another program; name another, or a new one")
        elif version != VERSION:
            age = "an older" if version < VERSION else "a newer"
            what = f"was written by {age} memcurse, as version {version} of a store where this one has {VERSION}"
            raise StoreError(f"store '{self.path}': {what}; name a new file, or use it with the memcurse that wrote it")
        self._file.execute("COMMIT")

    def _one(self, question: str) -> Any:
        return self._file.execute(question).fetchall()[0][0]

    def get(self, key: str, cell: Cell) -> CellResult | None:
        """The final result under the key of a cell; None where there is none."""
        with self._explained():
            found = self._file.execute("SELECT record FROM cells WHERE key = ? AND final", (key,)).fetchall()
        if not found:
            return None
        try:
            result = record.read(found[0][0], cell)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            why = f"has a row that memcurse did not write, {key}: {error!r}; delete the row, or name a new file"
            raise StoreError(f"store '{self.path}': {why}") from None
        self.safe += 1
        return result

    def put(self, results: Sequence[tuple[str, CellResult]], study: str, digits: int) -> None:
        """Record (key, result) pairs, all or none; they are on the disk when this returns.

        study: its name. digits: those asked for.
        """
        now, about = datetime.now(UTC).isoformat(timespec="milliseconds"), json.dumps(dict(basis()))
        rows = [
            (key, study, digits, result.final, json.dumps(result.as_dict()), record.written(result), about, now)
            for key, result in results
        ]
        with self._explained(), self._file:  # which commits, or rolls back
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(RECORD, rows)
        self.safe += sum(result.final for _, result in results)

    def rows(self) -> Iterator[Row]:
        """All rows, in the order in which they were first recorded."""
        last = 0
        while True:
            with self._explained():  # page by page: who reads slowly keeps no one from writing
                page = self._file.execute(PAGE, (last,)).fetchall()
            if not page:
                return
            last = page[-1][0]
            for _, key, study, digits, final, document, basis_, recorded, attempts in page:
                yield Row(key, study, digits, bool(final), json.loads(document), json.loads(basis_), recorded, attempts)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns SQLite's errors into StoreError."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            primary = "_".join(name.split("_")[:2])  # SQLITE_READONLY_DIRECTORY is a kind of SQLITE_READONLY
            why = WAYS_OUT.get(primary, f"{error}; name another file, or mend this one")
            raise StoreError(f"store '{self.path}': {why}") from None

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
