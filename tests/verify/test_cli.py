"""The command itself: exit codes, one message on stderr, JSON on stdout, files that are whole or not there."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studies import LAG, pair_study
from verify.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "verify.cli"]
QUICK = "# Quick.\n" + pair_study({LAG: ["8", "9"]}, digits=6)
SLOW = QUICK.replace('["8", "9"]', '["60", "61", "62", "63"]').replace("0.05", "0.01").replace("= 6", "= 150")



def written(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


@pytest.fixture
def quick(tmp_path):
    return written(tmp_path, QUICK)


def run(*arguments, **options):
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


def refused(capsys, *arguments):
    """The message of a command that ends with exit code 2 and prints nothing else."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err and err.endswith("\n")
    return err


def test_escape_prints_the_agreed_json(quick, capsys):
    assert main(["escape", quick, "--json", "--digits", "8"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err == "" and set(document) == {"cells", "law", "provenance"}
    assert [cell["parameters"] for cell in document["cells"]] == [{"target.terms.1.lag": lag} for lag in ("8", "9")]
    assert document["cells"][0]["escape_time"] == "15.025900" and document["cells"][0]["digits"] == 8
    assert document["provenance"]["digits"] == 8 and document["provenance"]["study_text"] == QUICK


def test_escape_prints_a_plain_table_to_a_pipe(quick, capsys):
    assert main(["escape", quick]) == 0
    out, err = capsys.readouterr()
    head, *rows = out.splitlines()
    assert head.split()[:2] == ["cell", "outcome"] and len(rows) == 2 and err == ""
    assert "15.0259" in rows[0] and rows[1].startswith("lag = 9")


def test_times_beyond_a_float_are_printed_with_their_logarithm(tmp_path, capsys):
    study = tmp_path / "far.toml"
    study.write_text(QUICK.replace('"8", "9"', '"1000"').replace("0.05", "0.001"))
    assert main(["escape", str(study), "--digits", "8"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert "log10" in head.split() and {"1.7695412e+597", "597.24786068"} <= set(row.split())


def test_out_holds_the_same_json_the_store_and_nothing_else(quick, tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert main(["escape", quick, "--json", "--out", str(folder)]) == 0
    assert json.loads((folder / "results.json").read_text("utf-8")) == json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in folder.iterdir()) == ["cells.sqlite", "results.json"]


def test_jobs_change_nothing(quick):
    (code, one, _), (again, two, _) = (run("escape", quick, "--json", "--jobs", jobs) for jobs in ("1", "2"))
    costs = r'"(setup_)?seconds": [^,\n]*'
    assert code == again == 0 and re.sub(costs, "", one) == re.sub(costs, "", two)


def test_derive_latex_is_a_named_body_for_each_object(capsys):
    assert main(["derive", "default", "--latex"]) == 0
    objects = capsys.readouterr().out.strip().split("\n\n")
    names = ["loss", "gradient", "flow", "cancellation-free form", "slow flow", "lower bound"]
    assert [each.splitlines()[0] for each in objects] == [f"% {name}" for name in names]
    for each in objects:
        body = each.splitlines()[1:]
        assert all(line.count("&") == 1 and r"\tag{" in line for line in body)
        assert all(line.endswith(r"\\") for line in body[:-1]) and not body[-1].endswith(r"\\")
        assert each.count("{") == each.count("}") and each.count(r"\left") == each.count(r"\right")


def test_derive_says_why_there_is_no_slow_flow(capsys):
    assert main(["derive", "coincided", "--json"]) == 0
    objects = {each["object"]: each for each in json.loads(capsys.readouterr().out)["objects"]}
    assert objects["slow flow"]["latex"] is None and "not on the fit" in objects["slow flow"]["reason"]
    assert objects["loss"]["latex"].startswith("J &=") and objects["loss"]["reason"] is None
    assert main(["derive", "coincided", "--latex"]) == 0
    assert "% slow flow\n% none: the start is not on the fit" in capsys.readouterr().out


def test_derive_is_readable_text(capsys):
    assert main(["derive", "default"]) == 0
    out = capsys.readouterr().out
    assert "lower bound" in out and "τ₀ ≥" in out and "∞" in out


def test_simulate_trains_what_is_affordable(tmp_path, capsys):
    path = written(tmp_path, QUICK.replace('"9"', '"30"') + '[simulate]\ndt = "0.2"\neta = "0.08"\n')
    assert main(["simulate", path, "--json"]) == 0
    trained, too_long = json.loads(capsys.readouterr().out)["simulations"]
    assert float(trained["escape_time"]) == pytest.approx(15.0259, rel=1e-3) and len(trained["runs"]) == 4
    assert too_long["escape_time"] is None and "gradient steps" in too_long["reason"]
    assert main(["simulate", path]) == 0
    assert "gradient steps" in capsys.readouterr().out


def test_verify_and_its_exit_code(quick, capsys, monkeypatch):
    from verify import compare

    assert main(["verify", quick, "--digits", "12"]) == 0
    out, err = capsys.readouterr()
    assert "pass" in out and "FAIL" not in out and err == ""
    failing = compare.Check("tides", "lag = 8", "one", "1", "other", "2", "0.5", "0", "none", False)
    monkeypatch.setattr(compare, "checks", lambda *_, **__: (failing,))
    assert main(["verify", quick, "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["checks"][0]["passed"] is False
    assert err == "memcurse: 1 of 1 cross-checks failed: tides (lag = 8)\n"


def test_report_is_whole_and_says_where_it_is(quick, tmp_path, capsys):
    folder = tmp_path / "out"
    assert main(["report", quick, "--digits", "12", "--out", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out == f"The report is {folder}/index.html\n" and err == ""
    names = {path.name for path in folder.iterdir()}
    assert {"index.html", "results.json"} <= names and not any(name.startswith(".") for name in names)
    assert all(check["passed"] for check in json.loads((folder / "results.json").read_text("utf-8"))["checks"])


def test_failed_cells_and_missing_digits_exit_with_1(quick, capsys, monkeypatch):
    from dataclasses import replace

    from verify import cell

    honest = cell.escape_time

    def fewer(problem, **options):
        if problem.target.terms[1].lag == 9:
            raise ArithmeticError("no luck")
        return replace(honest(problem, **options), digits=5)

    monkeypatch.setattr(cell, "escape_time", fewer)
    assert main(["escape", quick, "--json"]) == 1
    out, err = capsys.readouterr()
    assert [cell["outcome"] for cell in json.loads(out)["cells"]] == ["escaped", "failed"]
    assert err == "memcurse: lag = 8 has 5 digits, 6 were asked; lag = 9 failed: ArithmeticError: no luck\n"


def test_outcomes_short_of_the_drop_exit_with_0(tmp_path, capsys):
    path = written(tmp_path, QUICK.replace('["8", "9"]', '["60"]'))
    assert main(["escape", path]) == 0
    assert "stationary" in capsys.readouterr().out


SHIPPED = [
    "airy", "box", "coincided", "dense", "faster-spare", "finite-horizon", "pair", "power-law", "reach",
    "spares", "stable", "stages", "two-memories", "width", "width-bump",
]


def test_studies_are_listed(capsys):
    assert main(["studies"]) == 0
    assert "coincided" in capsys.readouterr().out
    assert main(["studies", "--json"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)["studies"]] == ["default", *SHIPPED]


@pytest.mark.parametrize(("old", "new", "message"), [
    ('"gaussian"', '"gausian"', "target.terms.1.kind: must be a kind of kernel, got 'gausian'; did you mean 'gaus"),
    ("lag = ", "lagg = ", "target.terms.1.lagg: is not a known key; did you mean 'lag'?"),
    ('"0.7"', '"0"', "start.rates.1: must be > 0 for the memory to fade; rates are minus the eigenvalues of W, got 0"),
    ('"0.7"', "0.7", 'start.rates.1: must be exact, not a float, got 0.7; write it as a string, "0.7"'),
    ('"0.7"', "true", "start.rates.1: must be a number, got the boolean True; pass '1', '0' or another number"),
    (', "0.7"', "", "start.rates: must be as many as the 2 amplitudes, got ['1']"),
    ('["1", "0"]', "[]", "start.amplitudes: must be a list of at least one entry, got []"),
    ('"0.05"', '"-1"', "escape.drop: must be > 0 for the loss to fall by it, got -1"),
    ('"0.05"', '"a bit"', "escape.drop: must be a number such as '0.7', '1/3' or '1e-6', got 'a bit'"),
    ("digits = 6", "digits = 4", "precision.digits: must be an integer from 5 to 150, got 4"),
    ("[escape]", "[escape", "must be valid TOML"),
])
def test_a_bad_study_is_told_and_nothing_is_made(tmp_path, capsys, old, new, message):
    path = written(tmp_path, QUICK.replace(old, new, 1))
    for command in ("escape", "report"):
        err = refused(capsys, command, path, "--out", str(tmp_path / "out"))
        assert err.startswith(f"memcurse: study mine: {message}") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("options", "message"), [
    (["--digits", "4"], "--digits: must be an integer from 5 to 150, got 4; it is how many significant digits"),
    (["--digits", "151"], "--digits: must be an integer from 5 to 150, got 151"),
    (["--digits", "20.5"], "argument --digits: must be an integer, got '20.5'; write for example 20"),
    (["--digits", "9" * 5000], "argument --digits: must be an integer, got '999"),
    (["--jobs", "0"], "--jobs: must be >= 1, got 0; it is the number of worker processes"),
    (["--jobs", "100000"], "--jobs: must be <= 1000, got 100000; one a core serves best"),
    (["--jobs", "two"], "argument --jobs: must be an integer, got 'two'"),
    (["--dask", "tcp://127.0.0.1:1", "--jobs", "2"], "--dask: has workers of its own; leave out --jobs"),
    (["--dask", "nonsense"], "--dask: no Dask scheduler answers at 'nonsense': missing port number in address"),
    (["--dask", ""], "--dask: no Dask scheduler answers at '': missing port number in address"),
    (["--dask", "http://127.0.0.1:1"], "answers at 'http://127.0.0.1:1': unknown address scheme 'http'"),
    (["--jsn"], "unrecognized arguments: --jsn"),
])
def test_bad_options_are_named(capsys, options, message):
    assert message in refused(capsys, "escape", "pair", *options)


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "COMMAND"),
    (["escpe", "pair"], "invalid choice: 'escpe'"),
    (["escape"], "STUDY"),
    (["escape", "pear"], "study pear: no such file, and no shipped study of that name; did you mean 'pair'?"),
    (["escape", "/"], "study /: cannot be read: Is a directory"),
    (["simulate", "pair"], "study pair: simulate: is missing; add a section [simulate]"),
])
def test_bad_usage(capsys, arguments, message):
    assert message in refused(capsys, *arguments)


def test_a_binary_file_through_the_real_command(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\x80\x81\x82")
    code, out, err = run("escape", str(path), "--json")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert f"study {path}: must be a text file in UTF-8, but its byte 0 is 0x80; give a TOML file" in err


def test_an_unwritable_folder_is_refused_before_any_work(tmp_path, quick, capsys, monkeypatch):
    from verify import sweep

    monkeypatch.setattr(sweep, "run", lambda *_, **__: pytest.fail("it computed"))
    for folder in (quick, f"{quick}/below"):
        err = refused(capsys, "escape", quick, "--out", folder)
        assert err.startswith(f"memcurse: --out: must be a writable folder, got '{folder}': ")
        assert "choose a folder" in err
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.geteuid() == 0:
        pytest.skip("nothing is unwritable for root")
    assert "Permission denied" in refused(capsys, "escape", quick, "--out", str(locked))


def test_what_was_in_the_folder_survives_a_failure(tmp_path, quick, monkeypatch):
    from verify import sweep

    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "results.json").write_text("before", "utf-8")
    monkeypatch.setattr(sweep, "run", lambda *_, **__: [][0])
    with pytest.raises(IndexError):  # a mistake of ours keeps its traceback
        main(["escape", quick, "--out", str(folder)])
    assert sorted(path.name for path in folder.iterdir()) == ["cells.sqlite", "results.json"]
    assert (folder / "results.json").read_text("utf-8") == "before"



@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_nothing_but_the_store(tmp_path, jobs):
    """SIGINT to the whole process group, as a terminal sends it, once the command computes."""
    path, folder = written(tmp_path, SLOW), tmp_path / "out" / "deeper"
    command = [*COMMAND, "escape", path, "--out", str(folder), "--jobs", jobs]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (folder / "cells.sqlite").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    kept = folder / "cells.sqlite"
    assert out == ""
    assert err == f"memcurse: interrupted, 0 cells are safe in {kept}; the same command goes on from there\n"
    assert list(folder.iterdir()) == [kept]
    with pytest.raises(ProcessLookupError):  # no worker is left in its group
        for _ in range(200):
            os.killpg(process.pid, 0)
            time.sleep(0.05)


def test_a_closed_pipe_is_quiet(quick):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        process = subprocess.run(
            [*COMMAND, "escape", quick], stdout=closed, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=60
        )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_nothing_heavy(option):
    heavy = {"sympy", "mpmath", "numpy", "scipy", "flint", "matplotlib", "rich", "jinja2", "theory", "numerics"}
    code = f"import sys; from verify.cli import main; main([{option!r}]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith(("usage: memcurse", "memcurse "))
    assert not heavy & {name.split(".")[0] for name in done.stderr.split()}


def test_every_command_explains_itself(capsys):
    for command in ("derive", "escape", "width", "simulate", "verify", "report", "export", "studies"):
        assert main([command, "--help"]) == 0
        assert f"usage: memcurse {command}" in capsys.readouterr().out
