"""The store with real files: what is in it is what was put there, whoever kills, locks, fills or shares it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import verify.cell
from numerics.escape import State
from numerics.run import Outcome
from studies import LAG, pair_study
from theory.dense import DenseProblem
from theory.problem import Problem
from verify import export, record, sweep
from verify.cell import CellResult, compute
from verify.cli import main
from verify.identity import key
from verify.store import APPLICATION, VERSION, Store, StoreError
from verify.study import load

ROOT = Path(__file__).resolve().parents[2]


def written(folder, lags, name="mine"):
    path = folder / f"{name}.toml"
    path.write_text(pair_study({LAG: lags}, digits=6), "utf-8")
    return str(path)


def study(folder, lags, name="mine"):
    return load(written(folder, lags, name))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.sqlite"


@pytest.fixture
def counted(monkeypatch):
    """The lags whose escape times are computed."""
    honest, lags = verify.cell.escape_time, []

    def counting(problem, **options):
        lags.append(str(problem.target.terms[1].lag))
        return honest(problem, **options)

    monkeypatch.setattr(verify.cell, "escape_time", counting)
    return lags


def ask(path, question):
    """What another program sees in the file."""
    connection = sqlite3.connect(path, timeout=20)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


KEPT = ["pair", "dense", "coincided", "reach", "stationary", "unreachable", "tau_max", "stopped", "failed"]


@pytest.mark.parametrize("what", KEPT)
def test_a_stored_cell_is_the_cell(tmp_path, path, what, monkeypatch):
    """Every kind of result, with every class it is made of; floats to the last bit."""
    studied = {
        "stationary": lambda: study(tmp_path, ["60"]),
        "unreachable": lambda: load(_changed(written(tmp_path, ["8"]), '"0.05"', '"50"')),
        "tau_max": lambda: load(_changed(written(tmp_path, ["8"]), '"0.05"', '"0.05"\ntau_max = "3"')),
        "stopped": lambda: load(_changed(written(tmp_path, ["8"]), '"0.05"', '"0.05"\nmax_steps = 2')),
        "failed": lambda: study(tmp_path, ["8"]),
    }.get(what, lambda: load(what))()
    if what == "failed":
        monkeypatch.setattr(verify.cell, "escape_time", lambda *_, **__: 1 / 0)
    studied = replace(studied, cells=studied.cells[:1], digits=min(studied.digits, 8))
    with Store(path) as store:
        fresh, again = (sweep.run(studied, store=store) for _ in range(2))
    assert (fresh.found, again.found) == (0, 1)
    assert again.cells == fresh.cells and again.as_dict() == fresh.as_dict()
    assert again.cells[0].outcome == (what if what in KEPT[4:] else "escaped")
    assert json.loads(ask(path, "SELECT document FROM cells")[0][0]) == json.loads(json.dumps(fresh.cells[0].as_dict()))


def _changed(path, old, new):
    Path(path).write_text(Path(path).read_text("utf-8").replace(old, new), "utf-8")
    return path


def test_only_what_is_missing_is_computed(tmp_path, path, counted):
    few, more = study(tmp_path, ["8", "9"]), study(tmp_path, ["9", "10", "8.0"], "more")
    with Store(path) as store:
        sweep.run(few, store=store)
        seen = []
        result = sweep.run(more, store=store, progress=lambda done, total, cell: seen.append((done, total)))
        assert counted == ["8", "9", "10"] and result.found == 2 and seen == [(1, 3), (2, 3), (3, 3)]
        assert [cell.parameters["target.terms.1.lag"] for cell in result.cells] == ["9", "10", "8.0"]
        sweep.run(more, store=store, digits=7)
        assert len(counted) == 6  # other digits are another question
        sweep.run(few, store=store, fresh=True)
        assert counted[6:] == ["8", "9"]
    assert sorted(ask(path, "SELECT attempts, count(*) FROM cells GROUP BY attempts")) == [(1, 4), (2, 2)]


def test_a_failed_cell_is_recorded_and_the_rest_goes_on(tmp_path, path, monkeypatch, counted):
    counting = verify.cell.escape_time

    def broken(problem, **options):
        if problem.target.terms[1].lag == 9:
            raise ArithmeticError("out of luck")
        return counting(problem, **options)

    monkeypatch.setattr(verify.cell, "escape_time", broken)
    cells = study(tmp_path, ["8", "9", "10"])
    with Store(path) as store:
        assert [cell.outcome for cell in sweep.run(cells, store=store).cells] == ["escaped", "failed", "escaped"]
        monkeypatch.setattr(verify.cell, "escape_time", counting)
        again = sweep.run(cells, store=store)
        assert again.found == 3 and again.cells[1].error == "ArithmeticError: out of luck"
        assert counted == ["8", "10"]
        assert sweep.run(cells, store=store, fresh=True).shortcomings == ()


@pytest.mark.parametrize("trouble", [MemoryError("no room"), OSError("no disk"), verify.cell.TimeIsUp()])
def test_what_the_machine_did_is_recorded_and_tried_again(tmp_path, path, monkeypatch, trouble):
    def unlucky(*_, **__):
        raise trouble

    cells = study(tmp_path, ["8"])
    with Store(path) as store:
        with monkeypatch.context() as patched:
            patched.setattr(verify.cell, "escape_time", unlucky)
            assert sweep.run(cells, store=store).cells[0].outcome == "failed"
        ((final, document),) = ask(path, "SELECT final, document FROM cells")
        assert final == 0 and type(trouble).__name__ in json.loads(document)["error"]
        again = sweep.run(cells, store=store)
        assert again.found == 0 and again.cells[0].outcome == "escaped"
        with monkeypatch.context() as patched:
            patched.setattr(verify.cell, "escape_time", unlucky)
            sweep.run(cells, store=store, fresh=True)
        assert sweep.run(cells, store=store).found == 1  # what was final is not lost to a failure
    assert ask(path, "SELECT final, attempts FROM cells") == [(1, 2)]


def test_kill_9_twice_loses_and_repeats_nothing(tmp_path, path):
    """Workers and all; what was recorded before a kill is there after it, untouched, and computed once."""
    lags = [str(lag) for lag in range(8, 24)]
    command = [sys.executable, "-m", "verify.cli", "escape", written(tmp_path, lags), "--store", str(path), "--json"]
    before = []
    for wanted in (2, 6):
        process = subprocess.Popen([*command, "--jobs", "2"], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
        while not path.exists() or len(rows := finished(path)) < wanted:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.kill()  # the command alone, as the kernel does when memory runs out: its workers must end by themselves
        process.communicate(timeout=30)
        assert rows[: len(before)] == before
        before = finished(path)
        assert len(before) >= len(rows)
        with pytest.raises(ProcessLookupError):
            for _ in range(400):
                os.killpg(process.pid, 0)
                time.sleep(0.05)
    assert len(before) < len(lags), "nothing was left to resume"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert finished(path)[: len(before)] == before
    assert ask(path, "SELECT count(*), sum(attempts) FROM cells") == [(len(lags), len(lags))]
    assert [cell["parameters"]["target.terms.1.lag"] for cell in json.loads(done.stdout)["cells"]] == lags


def finished(path):
    try:
        return ask(path, "SELECT key, recorded, record, attempts FROM cells ORDER BY rowid")
    except sqlite3.OperationalError as error:
        assert "no such table" in str(error)  # the file is there a moment before its table
        return []


def test_two_commands_write_one_store_at_once(tmp_path, path):
    """Half of the cells are common to both; no row is lost and none is twice."""
    ranges = [range(8, 16), range(12, 20)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "verify.cli", "escape", written(tmp_path, list(map(str, lags)), f"s{i}"), "--json",
             "--store", str(path)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i, lags in enumerate(ranges)
    ]  # fmt: skip
    for process, lags in zip(processes, ranges, strict=True):
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert len(json.loads(out)["cells"]) == len(lags)
    assert ask(path, "SELECT count(*), count(DISTINCT key), min(final) FROM cells") == [(12, 12, 1)]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def refused(path, message, **options):
    before = path.read_bytes()
    with pytest.raises(StoreError, match=message) as caught:
        Store(path, **options)
    assert str(caught.value).startswith(f"store '{path}': ") and path.read_bytes() == before


@pytest.mark.parametrize(("version", "age"), [(VERSION - 1, "an older"), (VERSION + 1, "a newer")])
def test_a_store_of_another_version_is_refused_and_not_misread(path, version, age):
    Store(path).close()
    ask(path, f"PRAGMA user_version = {version}")
    refused(path, f"was written by {age} memcurse, as version {version} of a store where this one has {VERSION}; name")


def test_a_foreign_file_is_refused(path, tmp_path):
    ask(path, "CREATE TABLE cells (key TEXT)")
    refused(path, "is an SQLite file of another program; name another, or a new one")
    path.write_text("no SQLite file, and long enough for its header to be looked for in vain", "utf-8")
    refused(path, "is no SQLite file; name another one, or a new one")
    for folder in (tmp_path, tmp_path / "none" / "there"):
        with pytest.raises(StoreError, match="cannot be opened; name a file that you may write to"):
            Store(folder)
    with pytest.raises(StoreError, match="there is no such file; `memcurse escape STUDY"):
        Store(tmp_path / "absent", create=False)
    assert not (tmp_path / "absent").exists()


def test_a_store_says_whose_it_is(path):
    Store(path).close()
    assert ask(path, "PRAGMA application_id") == [(APPLICATION,)] and ask(path, "PRAGMA user_version") == [(VERSION,)]


def test_a_lock_of_another_program_is_waited_for_and_then_told(tmp_path, path):
    cells = study(tmp_path, ["8"])
    with Store(path, patience=0.1) as store:
        sweep.run(cells, store=store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        refused(path, "is locked by another program; end that program, or wait", patience=0.1)
        with pytest.raises(StoreError, match="is locked by another program"):
            sweep.run(cells, store=store)
        other.execute("ROLLBACK")
        other.execute("BEGIN IMMEDIATE")  # readers pass, writers wait
        with pytest.raises(StoreError, match="is locked by another program"):
            sweep.run(study(tmp_path, ["9"]), store=store)
        other.close()
        assert sweep.run(cells, store=store).found == 1
        assert sweep.run(study(tmp_path, ["9"]), store=store).found == 0


def test_a_full_disk_ends_the_sweep_and_harms_no_row(tmp_path, path, monkeypatch):
    """The page limit of SQLite is a full disk to it; a cell takes about a page."""
    with Store(path) as store:
        sweep.run(study(tmp_path, ["8", "9"]), store=store)
        before = ask(path, "SELECT * FROM cells")
        limit = store._one("PRAGMA page_count") + 1
        store._one(f"PRAGMA max_page_count = {limit}")
        with pytest.raises(StoreError, match="cannot grow, the disk is full; what is in it is intact: make room"):
            sweep.run(study(tmp_path, list(map(str, range(8, 20))), "many"), store=store)
        after = ask(path, "SELECT * FROM cells")
        assert after[:2] == before and 2 <= len(after) < 12
        store._one("PRAGMA max_page_count = 1000000")
        assert sweep.run(study(tmp_path, list(map(str, range(8, 20))), "many"), store=store).found == len(after)


def test_a_row_that_someone_else_wrote_is_told(tmp_path, path):
    cells = study(tmp_path, ["8"])
    with Store(path) as store:
        sweep.run(cells, store=store)
        for text in ("{", "{}", '{"class": "Popen"}', '{"class": "CellResult", "surprise": 1}', "[]", 99_999 * "["):
            other = sqlite3.connect(path)
            other.execute("UPDATE cells SET record = ?", (text,))
            other.commit()
            other.close()
            with pytest.raises(StoreError, match=r"has a row that memcurse did not write, [0-9a-f]{64}: "):
                sweep.run(cells, store=store)


def test_every_outcome_and_every_class_of_a_result_can_be_kept():
    cell = load("pair").cells[0]
    result = compute(cell, 6, load("pair").limits)
    for outcome in Outcome:
        ended = replace(result, escape=replace(result.escape, outcome=outcome))
        assert record.read(record.written(ended), cell) == ended
    kinds, new = set(), {CellResult}
    while new:  # a class that a field may hold, and those that its fields may hold
        kinds |= new
        hints = [hint for kind in new for hint in get_type_hints(kind).values()]
        parts = {part for hint in hints for part in (hint, *get_args(hint))}
        new = {part for part in parts if is_dataclass(part) and not issubclass(part, Problem | DenseProblem)} - kinds
    assert kinds <= set(record.CLASSES.values())


def test_dense_states_and_tuples_of_tuples_come_back():
    cell = load("dense").cells[0]
    result = compute(cell, 6, load("dense").limits)
    again = record.read(record.written(result), cell)
    assert again == result and type(again.escape.end) is not State and type(again.escape.end.recurrent[0]) is tuple


def test_export_has_a_row_a_cell_and_a_column_a_parameter(tmp_path, path, capsys):
    import csv

    first = study(tmp_path, ["8", "9"])
    other = load(_changed(written(tmp_path, ["8"], "other"), "target.terms.1.lag", "escape.drop"))
    with Store(path) as store:
        found = sweep.run(first, store=store), sweep.run(replace(other, cells=other.cells[:1]), store=store)
    assert main(["export", str(path)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["study"] for row in rows] == ["mine", "mine", "other"]
    assert [row["target.terms.1.lag"] for row in rows] == ["8", "9", ""]
    assert [row["escape.drop"] for row in rows] == ["", "", "8"]
    escapes = [cell.escape.tau or "" for result in found for cell in result.cells]
    assert [row["escape_time"] for row in rows] == escapes and escapes[0] == "15.0259"
    assert rows[0]["digits_asked"] == "6" and rows[0]["final"] == rows[0]["attempts"] == "1"
    assert rows[0]["key"] == key(first.cells[0], 6, first.limits)
    assert main(["export", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cells"][0]["reasons"] and document["cells"][0]["basis"]["sources"].startswith(rows[0]["sources"])
    assert set(export.ABOUT) < set(document["cells"][2])
    assert main(["export", str(tmp_path / "absent")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_the_command_keeps_resumes_and_says_so(tmp_path, path, capsys):
    few, more = written(tmp_path, ["8"]), written(tmp_path, ["8", "9"], "more")
    assert main(["escape", few, "--store", str(path)]) == 0
    assert capsys.readouterr().err == ""
    assert main(["escape", more, "--store", str(path)]) == 0
    assert capsys.readouterr().err == f"memcurse: 1 of 2 cells were in {path}\n"
    assert main(["escape", more, "--store", str(path), "--fresh", "--json"]) == 0
    assert capsys.readouterr().err == ""
    assert ask(path, "SELECT attempts FROM cells ORDER BY rowid") == [(2,), (2,)]
    assert main(["escape", few, "--fresh"]) == 2
    assert "--fresh: is about a store, and there is none" in capsys.readouterr().err
    path.write_text("x" * 200, "utf-8")
    assert main(["escape", few, "--store", str(path)]) == 2
    assert capsys.readouterr().err == f"memcurse: store '{path}': is no SQLite file; name another one, or a new one\n"


def test_ctrl_c_says_how_much_is_safe(tmp_path, path):
    command = [sys.executable, "-m", "verify.cli", "escape", written(tmp_path, list(map(str, range(8, 50))))]
    process = subprocess.Popen(
        [*command, "--store", str(path)], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not path.exists() or len(finished(path)) < 2:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    err = process.communicate(timeout=30)[1]
    safe = len(finished(path))
    assert process.returncode == 130 and safe < 42
    assert err == f"memcurse: interrupted, {safe} cells are safe in {path}; the same command goes on from there\n"
