"""Figures: files that other programs can read, tables that hold the numbers drawn, and a landscape that is the loss."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from scipy.optimize import minimize

from numerics.dense_flow import dense_trajectory
from numerics.relaxed import relaxed_drop
from numerics.trajectory import trajectory
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import Exponential, Gaussian
from theory.parametrisation import InverseSquare
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify import figures

LAGS = ("8", "10", "12")


def pair(lag):
    return Problem(Target([Exponential(), Gaussian(lag=lag)]), LinearRNN([("1", "1"), ("0", "0.7")]), "0.05")


@pytest.fixture(scope="module")
def paths():
    return [trajectory(pair(lag)) for lag in LAGS]


@pytest.fixture(scope="module")
def points(paths):
    taus = [path.escape.tau for path in paths]
    simulated = {"simulated": "15.03", "error": "0.01"}
    return [
        figures.CursePoint("8", taus[0], None, "0.019", None, **simulated),
        figures.CursePoint("10", taus[1], "2.96", "0.2", None),
        figures.CursePoint("12", taus[2], "20.4", "2.3", "0.5"),
    ]


@pytest.fixture(scope="module")
def pictures(paths, points):
    labels = [f"L = {lag}" for lag in LAGS]
    return {
        "plateaus": figures.plateaus(labels, paths),
        "curse": figures.curse(points, two_w0="1.4"),
        "landscape": figures.landscape(paths[2], "L = 12"),
    }


@pytest.mark.parametrize("name", ["plateaus", "curse", "landscape"])
def test_a_picture_saves_three_files_that_others_read(pictures, name, tmp_path):
    picture = pictures[name]
    picture.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.csv", f"{name}.pdf", f"{name}.svg"]
    svg = (tmp_path / f"{name}.svg").read_text("utf-8")
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall(".//{http://www.w3.org/2000/svg}path")) > 20
    assert not re.search(r"<(script|image)\b|<metadata>", svg)
    assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / f"{name}.csv").read_text("utf-8") == picture.csv()
    assert picture.caption.endswith(".")
    assert picture.alt.endswith(".")


def test_saving_twice_gives_the_same_bytes_and_changes_no_setting(points, tmp_path):
    before = dict(matplotlib.rcParams)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        figures.curse(points, two_w0="1.4").save(tmp_path / folder)
    for name in ("curse.svg", "curse.pdf", "curse.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert dict(matplotlib.rcParams) == before


def rows(picture):
    return list(csv.DictReader(io.StringIO(picture.csv())))


def test_curse_table_holds_the_numbers_drawn(pictures, points):
    table, (axes,) = rows(pictures["curse"]), pictures["curse"].figure.axes
    flow = next(line for line in axes.get_lines() if line.get_label().startswith("gradient flow"))
    assert flow.get_xdata().tolist() == [float(row["memory"]) for row in table]
    assert flow.get_ydata() == pytest.approx([np.log10(float(row["flow"])) for row in table], abs=1e-12)
    assert [row["slow_flow"] for row in table] == ["", "2.96", "20.4"]
    assert (table[0]["simulated"], table[0]["error"]) == (points[0].simulated, points[0].error)


def test_plateaus_table_holds_the_numbers_drawn(pictures, paths):
    table, (axes,) = rows(pictures["plateaus"]), pictures["plateaus"].figure.axes
    for lag, path, line in zip(LAGS, paths, axes.get_lines()[::2], strict=True):
        mine = [row for row in table if row["cell"] == f"L = {lag}"]
        assert line.get_ydata() == pytest.approx([float(row["loss / J(0)"]) for row in mine], abs=1e-14)
        assert line.get_xdata() == pytest.approx([float(row["log10_tau"]) for row in mine], abs=1e-8)
        assert float(mine[-1]["J(0) - loss"]) == pytest.approx(0.05)
        assert len(mine) == len(path.drop) - 1


def test_curse_draws_escape_times_beyond_any_float():
    points = [figures.CursePoint(str(L), f"3e{600 * L}", f"3.1e{600 * L}") for L in (1, 1000)]
    picture = figures.curse(points, two_w0="1381.55")
    ElementTree.fromstring(picture.svg)
    assert "3e600000" in picture.csv()


def far(lag, drop):
    return Problem(pair(lag).target, pair(lag).start, drop)


@pytest.fixture(scope="module")
def far_paths():
    return [trajectory(pair("12")), trajectory(far("100", "0.01")), trajectory(far("10000", "1e-4"))]


def test_memories_of_several_decades_have_logarithmic_axes(far_paths):
    lags, labels = ("12", "100", "10000"), ["L = 12", "L = 100", "L = 10000"]
    points = [figures.CursePoint(lag, path.escape.tau) for lag, path in zip(lags, far_paths, strict=True)]
    picture = figures.curse(points, two_w0="1.4")
    (axes,) = picture.figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log") and "ten times the decades" in picture.caption
    flow = next(line for line in axes.get_lines() if line.get_label().startswith("gradient flow"))
    assert flow.get_ydata() == pytest.approx([float(path.escape.log10_tau) for path in far_paths])
    picture.figure.canvas.draw()
    assert {"10¹⁰⁰", "10¹⁰⁰⁰"} <= {tick.get_text() for tick in axes.get_yticklabels()}
    (guide,) = [text for text in axes.texts if "each unit of memory" in text.get_text()]
    assert 25 < guide.get_rotation() < 65  # of a slope of 1 on these axes
    plateaus = figures.plateaus(labels, far_paths)
    (axes,) = plateaus.figure.axes
    assert axes.get_xscale() == "symlog" and "still missing" in axes.get_ylabel() and axes.get_legend() is None
    for label, path, line in zip(labels, far_paths, axes.get_lines()[::2], strict=True):
        assert line.get_xdata()[-1] == path.log10_tau[-1] and abs(line.get_ydata()[-1]) < 1e-9
        first = next(row for row in rows(plateaus) if row["cell"] == label)
        mantissa, _, exponent = first["J(0) - loss"].partition("e")
        assert np.log10(float(mantissa)) + int(exponent) == pytest.approx(path.log10_drop[1], abs=1e-6)
    assert float(path.log10_drop[1]) < -6000
    ElementTree.fromstring(plateaus.svg)


def test_memories_of_one_decade_keep_linear_ones(pictures):
    assert [picture.figure.axes[0].get_xscale() for picture in pictures.values()] == ["linear"] * 3


def test_a_single_cell_and_one_without_escape_can_be_drawn():
    figures.curse([figures.CursePoint("8", "15.0")], two_w0="1.4").svg  # noqa: B018
    alone = trajectory(Problem(pair("8").target, LinearRNN([("1", "1")]), "0.05"))
    picture = figures.plateaus(["alone"], [alone])
    assert "Crosses" in picture.caption
    assert "stationary" in [text.get_text().split(": ")[-1] for text in picture.figure.axes[0].texts]


def test_curves_that_end_together_are_named_in_a_legend(paths):
    apart = figures.plateaus(["a", "b", "c"], paths).figure.axes[0]
    assert apart.get_legend() is None
    assert [text.get_text() for text in apart.texts] == ["a", "b", "c"]
    names = [f"rates.1 = 0.{digit}, lag = 8" for digit in range(4)]
    together = figures.plateaus(names, [paths[0]] * 4, story=" A story.")
    (axes,) = together.figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
    assert not axes.texts
    assert "asked for. A story." in together.caption


def test_a_dense_network_has_its_curve():
    start = DenseRNN([["-1"]], [["1"]], ["1/2"])
    path = dense_trajectory(DenseProblem(Target([Exponential()]), start, "0.1"))
    picture = figures.plateaus(["dense"], [path])
    last = rows(picture)[-1]
    assert float(last["log10_tau"]) == pytest.approx(np.log10(0.495594), abs=1e-6)
    assert float(last["loss / J(0)"]) == pytest.approx(0.025 / 0.125)  # J(0) = (1/2)^2 / 2


def test_the_law_of_coincided_units_is_drawn():
    points = [figures.CursePoint("12", "818", coincided="2862"), figures.CursePoint("16", "5.3e6", coincided="8.1e6")]
    picture = figures.curse(points)
    (axes,) = picture.figure.axes
    line = next(line for line in axes.get_lines() if "coincided" in line.get_label())
    assert line.get_ydata() == pytest.approx(np.log10([2862, 8.1e6]))
    assert [row["coincided"] for row in rows(picture)] == ["2862", "8.1e6"]


def test_labels_of_the_clock_do_not_touch(paths):
    """The last percent of the time may be a twentieth of the way: only the escape is named there."""
    problem = Problem(pair("10").target, pair("10").start, "0.05", parametrisation=InverseSquare("1", "1/2"))
    shown = [text.get_text() for text in figures.landscape(trajectory(problem)).figure.axes[1].texts]
    assert shown == ["50 % of the time", "90 %", "escape"]
    assert "99 %" in [text.get_text() for text in figures.landscape(paths[2]).figure.axes[1].texts]


NODES, WEIGHTS = (30 * x for x in np.polynomial.legendre.leggauss(200))  # Gauss-Legendre on 0 <= t <= 60


def loss_by_quadrature(a, w, lag):
    t = NODES + 30
    error = (np.asarray(a)[:, None] * np.exp(-np.asarray(w)[:, None] * t)).sum(axis=0)
    return float((WEIGHTS * (error - np.exp(-t) - np.exp(-((t - lag) ** 2) / 2)) ** 2).sum())


def test_the_map_is_the_loss_minimised_over_the_matched_unit(pictures):
    on_map = [row for row in rows(pictures["landscape"]) if row["what"] == "map"]
    assert len(on_map) > 0.8 * figures.GRID**2
    start = loss_by_quadrature([1, 0], [1, 0.7], 12)
    for row in on_map[:: len(on_map) // 6]:
        a, w = float(row["amplitude"]), float(row["rate"])
        least = minimize(lambda x, a=a, w=w: loss_by_quadrature([x[0], a], [x[1], w], 12), [1, 1], tol=1e-12).fun
        # leaving the matched unit where it started errs by more than 1e-3 at all but one of these points
        assert float(row["J(0) - J"]) == pytest.approx(start - least, abs=1e-6)


def test_the_path_lies_on_the_map_or_above_it(paths):
    path = paths[2]
    relaxed = relaxed_drop(path, 1, path.rates[:, 1], path.amplitudes[:, 1])
    assert (relaxed >= path.drop - 1e-12).all()
    assert relaxed[-1] == pytest.approx(0.05, rel=0.2)
