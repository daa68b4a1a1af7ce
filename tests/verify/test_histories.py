"""The command `plateaus`: its JSON, table, figure and place in the report."""

import json
import os
import re
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest

from numerics.plateaus import plateaus
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify import histories, report, sweep
from verify.cli import main
from verify.histories import follow
from verify.history_figure import history_picture
from verify.study import load

STUDY = """# Two memories, quickly.
[target]
terms = [{kind = "exponential"}, {kind = "gaussian", amplitude = "0.5", lag = "6"}, {kind = "gaussian", lag = "40"}]
[start]
amplitudes = ["1", "0", "0"]
rates = ["1", "0.65", "0.6"]
[escape]
drop = "0.05"
[precision]
digits = 20
"""
DENSE = """[target]
terms = [{kind = "exponential"}, {kind = "gaussian", lag = "6"}]
[start]
recurrent = [["-1"]]
input_weights = [["1"]]
readout = ["1"]
[escape]
drop = "0.01"
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "two.toml"
    path.write_text(STUDY, "utf-8")
    return path


@pytest.fixture(scope="module")
def found(path):
    return follow(load(path))


def test_the_command_prints_the_agreed_json_and_writes_it_with_a_figure(path, tmp_path, capsys):
    assert main(["plateaus", str(path), "--json", "--digits", "8", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    (cell,) = document["cells"]
    assert err == "" and set(document) == {"cells", "provenance"} and document["provenance"]["digits"] == 8
    assert cell["parameters"] == {} and cell["ending"] == "minimum" and cell["guarantee"] == "estimated"
    assert [each["mover"] for each in cell["plateaus"]] == [2, 1]
    assert set(cell["plateaus"][0]) == {"start", "level", "slope", "end", "duration", "mover", "digits"}
    assert json.loads((tmp_path / "results.json").read_text("utf-8")) == document
    names = ["history.csv", "history.pdf", "history.svg", "results.json"]
    assert sorted(each.name for each in tmp_path.iterdir()) == names


def test_the_table_has_a_line_a_plateau_and_one_for_the_ending(path, capsys):
    assert main(["plateaus", str(path)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["cell", "plateau"] and len(lines) == 3
    assert re.search(r"the cell\s+1\s+0\s+4\.77\d+", lines[0])
    assert "minimum" in lines[2] and lines[2].endswith("the flow ends in a minimum")


def test_a_cell_that_fails_is_told_and_the_others_go_on(tmp_path, capsys):
    path = tmp_path / "dense.toml"
    path.write_text(DENSE, "utf-8")
    assert main(["plateaus", str(path), "--json"]) == 1
    out, err = capsys.readouterr()
    (cell,) = json.loads(out)["cells"]
    assert (cell["ending"], cell["plateaus"]) == ("failed", []) and "diagonal" in cell["reason"]
    assert err.startswith("memcurse: the cell failed: ") and "diagonal" in err
    assert main(["plateaus", str(path)]) == 1
    assert "diagonal" in capsys.readouterr().out


def test_the_study_says_what_a_plateau_is(path, tmp_path):
    asked = tmp_path / "asked.toml"
    asked.write_text(STUDY + '[plateaus]\nprominence = "1e4"\n', "utf-8")
    (cell,) = follow(load(asked), digits=6).cells
    assert cell.history.prominence == "10000" and len(cell.history.plateaus) < 2


def test_an_executor_changes_nothing_and_progress_is_told(path, found):
    told = []
    with ThreadPoolExecutor(1) as executor:
        again = follow(load(path), executor=executor, progress=lambda *done: told.append(done))
    assert again.cells[0].history.plateaus == found.cells[0].history.plateaus and told == [(1, 1)]


def test_the_figure_shades_every_plateau_and_names_who_leaves(found):
    history = found.cells[0].history
    picture = history_picture(history)
    top, bottom = picture.figure.axes
    assert [text.get_text() for text in top.texts] == ["1: unit 2", "2: unit 1"]
    assert len(top.patches) == len(bottom.patches) == 2
    assert len(picture.columns) == 5 and len(picture.rows) == len(history.course.drop) > 50
    assert "left by unit 2" in picture.alt and picture.caption.endswith(".")
    ElementTree.fromstring(picture.svg)
    open_ended = Problem(Target([Exponential(), Gaussian(lag="20")]), LinearRNN([("1", "1"), ("0", "0.7")]), "1")
    drawn = history_picture(plateaus(open_ended, tau_max="100"), cell="L = 20")
    assert [text.get_text() for text in drawn.figure.axes[0].texts] == ["1: not ended"]
    assert "has not ended" in drawn.caption and "L = 20" in drawn.caption


def test_the_report_has_a_section_where_the_study_asks(path, found, tmp_path):
    study = load(path)
    result = sweep.run(study, digits=6)
    page = report.write(study, result, (), (), tmp_path / "with", histories=found).read_text("utf-8")
    assert "Every plateau, to the end" in page and 'href="figures/history.csv"' in page and "unit 2" in page
    ElementTree.fromstring(page.replace("<!DOCTYPE html>", "").replace("&nbsp;", " "))
    document = json.loads((tmp_path / "with" / "results.json").read_text("utf-8"))
    assert [each["mover"] for each in document["histories"][0]["plateaus"]] == [2, 1]


def test_a_lost_worker_is_told_and_ends_nothing(path):
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(os._exit, 1)
        lost = follow(load(path), executor=pool)
    assert lost.cells[0].history is None and "the worker was lost: BrokenProcessPool" in lost.shortcomings[0]


def test_threads_take_turns(path, monkeypatch):
    """Arb's precision belongs to the process, as in verify/cell.py."""
    study, inside, most = load(path), [], []

    def watched(*_, **__):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        raise ArithmeticError("enough was seen")

    monkeypatch.setattr(histories, "plateaus", watched)
    with ThreadPoolExecutor(3) as pool:
        follow(replace(study, cells=study.cells * 3), executor=pool)
    assert most == [1, 1, 1]


def test_there_is_no_store_of_plateaus(path, tmp_path, capsys):
    assert main(["plateaus", str(path), "--store", str(tmp_path / "cells.sqlite")]) == 2
    assert "unrecognized arguments: --store" in capsys.readouterr().err
