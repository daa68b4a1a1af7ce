"""The width part of a report, its figures, the statements shown, and the cross-checks of `memcurse verify`."""

import csv
import json
import os
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest

from studies import LAG, pair_study
from theory.kernels import PowerLaw
from theory.problem import Target
from verify import report, width_compare
from verify.cli import main
from verify.study import load
from verify.width_derivation import derived_of_width
from verify.width_figures import width_pictures
from verify.width_finding import sentences, title
from verify.widths import measure

POWER = """# Two power laws, quickly.
[target]
terms = [{kind = "power-law", omega = "1"}]
[width]
widths = [1, 2, 3]
eps = ["1/5"]
betas = ["1e-3", "1e-1"]
[sweep]
"target.terms.0.omega" = ["1", "2"]
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "power.toml"
    path.write_text(POWER, "utf-8")
    return path


@pytest.fixture(scope="module")
def found(path):
    return measure(load(path))


@pytest.fixture(scope="module")
def rows(found):
    return width_compare.checks(found)


def test_a_report_about_width_only_is_the_width_part(found, rows):
    page = report._page(found.study, None, rows, [], width_pictures(found), None, found)
    ElementTree.fromstring(page)  # well-formed
    assert "How many hidden units a target needs" in page and "Escape times" not in page and "8 of 8 passed" in page
    assert "For an L1 error of 1/5 a network needs so many hidden units: omega = 1: 1 to 2; omega = 2: 1." in page
    assert "Wide networks, the rates w themselves off by up to 1e-3, tend to the error: omega = 1: infinite;" in page
    assert "ln w off by up to 1e-3, tend to the error: omega = 1: 0.00100; omega = 2: 0.000500." in page
    assert "exponentially many neurons” means: it is false" in page and "no curve" not in page
    assert "Inverse theorem (proved)" in page and "<mo>lim</mo>" in page and "(N1)" in page
    assert "(M18)" in page and "(D5)" in page and "If ρ = (1+t)^-(1+ω), ω &gt; 0:" in page


@pytest.mark.slow
def test_the_command_writes_page_figures_and_numbers(path, tmp_path, capsys):
    assert main(["report", str(path), "--out", str(tmp_path / "out"), "--json"]) == 0
    out = tmp_path / "out"
    names = sorted(each.name for each in (out / "figures").glob("*.svg"))
    assert names == ["width-error.svg", "width-hankel.svg", "width-least.svg", "width-rate.svg",
                     "width-stability.svg"]
    ElementTree.parse(out / "index.html")  # well-formed
    document = json.loads((out / "results.json").read_text("utf-8"))
    assert len(document["cells"]) == 2 and len(document["checks"]) == 8 and document["simulations"] == []
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("report") == str(out / "index.html") and printed == document


def test_figures_draw_what_the_tables_say(found):
    tables = {each.name: list(csv.DictReader(each.csv().splitlines())) for each in width_pictures(found)}
    first = tables["width-error"][0]
    widths = found.cells[0].widths
    drawn = first["cell"], first["m"], first["lower"], first["upper"]
    assert drawn == ("omega = 1", "1", widths[0].lower, widths[0].upper)
    assert float(first["source"]) == 1 and float(tables["width-error"][2]["source"]) == pytest.approx(1 / 3)
    assert first["rate theorem (M11)"] == ""  # a power law has none
    third = tables["width-hankel"][3]
    assert float(third["law (M18)"]) == pytest.approx(float(third["sigma_k"]), rel=0.1)
    assert [row["achieved"] for row in tables["width-least"]] == ["1", "2"]  # by rising memory 1/omega
    errors = [float(row["error"]) for row in tables["width-rate"][:3]]
    assert errors == sorted(errors, reverse=True)


def test_the_curves_of_stability_are_what_the_table_says(found):
    (picture,) = (each for each in width_pictures(found) if each.name == "width-stability")
    assert len(picture.figure.axes) == 8  # two cells, four parametrisations
    rows = list(csv.DictReader(picture.csv().splitlines()))
    assert len(rows) == 2 * 4 * 4 * 2  # cells, parametrisations, three widths and the limit, betas
    exp = next(each for each in found.cells[0].stability if each.parametrisation.name == "exp" and each.width == 2)
    (drawn,) = (line for line in picture.figure.axes[1].lines if line.get_label() == "m = 2")
    assert 10 ** drawn.get_ydata()[1] == pytest.approx(float(exp.errors[1].upper))
    assert list(drawn.get_xdata()) == pytest.approx([-3, -1])
    lost = [line for line in picture.figure.axes[0].lines if line.get_marker() == "^"]
    assert list(lost[-1].get_xdata()) == pytest.approx([-3, -1])  # of the limit, for plain rates
    assert [row["guarantee"] for row in rows if row["m"] == "inf"][:4] == ["exact", "exact", "estimated", "estimated"]


def test_the_finding_says_what_failed(found):
    broken = replace(found, cells=(replace(found.cells[0], hankel=None, error="ValueError: no"),))
    assert title(broken) == "No width is known" and sentences(broken) == ["Not known: omega = 1."]
    assert width_pictures(broken) == [] and width_compare.checks(broken) == ()
    assert broken.shortcomings == ("omega = 1 failed: ValueError: no",)


def test_an_error_achieved_is_said_no_smaller_than_it_is(found):
    best = replace(found.cells[0].widths[-1], upper="0.0123401")
    cell = replace(found.cells[0], widths=(best,), least=())
    said = sentences(replace(found, cells=(cell,), question=replace(found.question, eps=())))
    assert said[0] == "omega = 1: 3 hidden units reach 0.0124."


def test_a_bound_above_an_error_of_zero_fails(found):
    cell = replace(found.cells[0], widths=(replace(found.cells[0].widths[-1], lower="0.1", upper="0"),))
    corridor = next(row for row in width_compare.checks(replace(found, cells=(cell,))) if "bound" in row.left_name)
    assert not corridor.passed


def test_everything_is_computed_twice(rows):
    assert len(rows) == 8 and all(row.passed for row in rows)
    assert sum("worst input" in row.right_name for row in rows) == 2


def test_a_wrong_number_fails_its_check(found):
    """An error off by a thousandth, singular values off by a millionth, a bound above the error: each row says so."""
    cell = found.cells[0]
    best = cell.widths[-1]
    wrong = replace(best, upper=str(float(best.upper) * 1.001), lower="1")
    sigma = tuple(str(float(value) * (1 + 2e-6)) for value in cell.hankel.values)
    spoilt = replace(cell, widths=(wrong,), hankel=replace(cell.hankel, values=sigma))
    enclosed, precise, corridor, run = width_compare.checks(replace(found, cells=(spoilt,)))
    assert precise.passed and not enclosed.passed and not corridor.passed and not run.passed


def test_the_statements_come_with_their_hypotheses(path, capsys):
    objects = {each.name: each for each in derived_of_width(Target([PowerLaw()]))}
    assert "No exponential rate exists" in objects["rate theorem"].reason
    assert objects["width"].given[0] == "conjectured" and objects["pure delay"].given[0] == "proved"
    assert main(["derive", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    law = next(each for each in document["objects"] if each["object"] == "width at a margin")
    assert law["word"] == "proved" and len(law["hypotheses"]) == 2 and r"\tag{M19}" in law["latex"]
    assert main(["derive", str(path), "--latex"]) == 0
    assert "% proved, if" in capsys.readouterr().out
    assert main(["derive", str(path)]) == 0
    assert "  asymptotic, if rho = (1+t)^-(1+omega)" in capsys.readouterr().out


def test_an_exact_network_leaves_nothing_to_draw_or_to_run(tmp_path):
    path = tmp_path / "finite.toml"
    path.write_text('[target]\nterms = [{kind = "exponential"}]\n[width]\nwidths = [1, 2]\neps = ["1/3"]\n', "utf-8")
    found = measure(load(path))
    assert [each.name for each in width_pictures(found)] == ["width-hankel"]
    rows = width_compare.checks(found)
    assert all(row.passed for row in rows) and not any("worst input" in row.right_name for row in rows)
    assert sentences(found)[0] == "For an L1 error of 1/3 a network needs so many hidden units: 1."


def test_no_memory_at_all_leaves_nothing_to_draw(tmp_path):
    path = tmp_path / "zero.toml"
    path.write_text('[target]\nterms = [{kind = "box", amplitude = "0"}]\n[width]\nwidths = [1]\n', "utf-8")
    found = measure(load(path))
    assert found.cells[0].error is None and width_pictures(found) == []


def test_ticks_are_whole_decades_in_however_small_a_range(tmp_path):
    path = tmp_path / "narrow.toml"
    path.write_text('[target]\nterms = [{kind = "erlang", order = 3}]\n[width]\nwidths = [1]\n', "utf-8")
    for picture in width_pictures(measure(load(path))):
        (axes,) = picture.figure.axes
        low, high = axes.get_ylim()
        assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2
        assert all(float(tick).is_integer() for tick in axes.get_yticks())


def test_a_lost_worker_is_told_and_ends_nothing(tmp_path):
    path = tmp_path / "finite.toml"
    path.write_text('[target]\nterms = [{kind = "exponential"}]\n[width]\nwidths = [1]\n', "utf-8")
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(os._exit, 1)
        lost = measure(load(path), executor=pool)
    assert lost.cells[0].hankel is None and "the worker was lost: BrokenProcessPool" in lost.shortcomings[0]


@pytest.mark.slow
def test_a_study_of_both_has_both_on_its_page(tmp_path, capsys):
    both = pair_study({LAG: ["6"]}, digits=6) + "[width]\nwidths = [1]\n"
    (tmp_path / "both.toml").write_text(both, "utf-8")
    assert main(["report", str(tmp_path / "both.toml"), "--out", str(tmp_path / "out"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cells"][0]["outcome"] == "escaped" and document["width"][0]["widths"][0]["m"] == 1
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "Escape times" in page and "Width: how many hidden units" in page
