"""What the page says of a study before it is solved: the target in letters, the start, why training waits."""

import html
import re

import pytest
import sympy as sp

from numerics.answer import Answer
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import Box, Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify import setting
from verify.study import load
from verify.sweep import CellResult, StudyResult

STUDY = """
[target]
terms = [{kind = "exponential"}, {kind = "box", start = 1, end = 2, lag = "6"}]
[start]
amplitudes = ["1", "0"]
rates = ["1", "0.7"]
[escape]
drop = "0.05"
[sweep]
"""


def told(sweep, tmp_path, text=STUDY):
    path = tmp_path / "study.toml"
    path.write_text(text + sweep, "utf-8")
    study = load(path)
    result = StudyResult(study, 10, tuple(CellResult(cell.parameters, cell.problem) for cell in study.cells), None)
    return setting.setting(result)


def text_of(formula):
    return html.unescape(re.sub(r"<[^>]*>", "", formula)).replace("\u2062", "")


def test_what_is_swept_has_a_letter(tmp_path):
    lags = told('"target.terms.1.lag" = ["6", "8"]', tmp_path)
    assert text_of(lags["rho"][0]) == "ρ(t)=e−t+{1L+1≤t≤L+20otherwise"
    assert (lags["swept"], lags["horizon"], lags["units"]) == ("The study takes L = 6, 8.", "", "(1; 1), (0; 0.7)")
    horizons = told('"target.horizon" = ["8", "inf"]', tmp_path)
    assert "7≤t≤8" in text_of(horizons["rho"][0])
    assert (horizons["swept"], horizons["horizon"]) == ("The study takes T = 8, ∞.", "T")


def test_what_has_no_letter_is_shown_by_the_first_cell(tmp_path):
    rates = told('"start.rates.1" = ["0.7", "0.6"]', tmp_path)
    assert rates["swept"] == "It sweeps rates.1 = 0.7, 0.6; shown is the first."
    both = told('"target.terms.1.lag" = ["6"]\n"target.horizon" = ["9"]', tmp_path)
    assert "7≤t≤8" in text_of(both["rho"][0])  # one lag needs no letter


def test_what_is_trained(tmp_path):
    assert told("", tmp_path)["rates"] == []
    trained = told('"start.parametrisation" = ["identity", "softplus", {a = "1", b = "1/2"}]', tmp_path)
    assert [text_of(each) for each in trained["rates"]] == ["w=v", "w=ln(ev+1)", "w=1v2+12"]
    assert trained["swept"] == ""


def test_a_dense_start_is_its_matrices_and_every_input_has_its_memory(tmp_path):
    text = """
    [target]
    terms = [{kind = "exponential"}, {kind = "gaussian", lag = "6", input = 2}]
    [start]
    recurrent = [["-1", "0.5"], ["0", "-2"]]
    input_weights = [["1", "0"], ["0", "1/3"]]
    readout = ["1", "0"]
    [escape]
    drop = "0.05"
    """
    shown = told("", tmp_path, text)
    assert [text_of(rho) for rho in shown["rho"]] == ["ρ1(t)=e−t", "ρ2(t)=e−(t−6)2/2"]
    assert [text_of(each) for each in shown["matrices"]] == ["W=[−1120−2]", "U=[10013]", "c=[10]"]


BUMP, UNITS = Gaussian(lag="10"), [("1", "1"), ("0", "0.7")]
DENSE = [["-1", "0"], ["0", "-0.7"]], [["1"], ["1"]]


@pytest.mark.parametrize(
    ("problem", "waits"),
    [
        (Problem(Target([Exponential(), BUMP]), LinearRNN(UNITS), "0.05"), True),
        (Problem(Target([Exponential(), BUMP]), LinearRNN(UNITS), "0.05", horizon="11"), True),
        (Problem(Target([Exponential(), BUMP]), LinearRNN(UNITS[:1]), "0.05"), False),  # no unit to spare
        (Problem(Target([Exponential(), BUMP]), LinearRNN([("1", "1"), ("1/9", "0.7")]), "0.05"), False),
        (Problem(Target([Exponential(), Box()]), LinearRNN(UNITS), "0.05"), False),  # nothing lies far back
        (DenseProblem(Target([Exponential(), BUMP]), DenseRNN(*DENSE, ["1", "0"]), "0.05"), True),
        (DenseProblem(Target([Exponential(), BUMP]), DenseRNN(*DENSE, ["1", "1/9"]), "0.05"), False),
        (DenseProblem(Target([Exponential()]), DenseRNN(*DENSE, ["1", "0"]), "0.05"), False),
    ],
)
def test_training_waits_where_only_the_distant_part_is_missing(problem, waits):
    assert bool(setting.waits([CellResult({}, problem)])) == waits


def test_coincided_units_wait_together():
    problem = Problem(Target([Exponential(), BUMP]), LinearRNN([("1/2", "1"), ("1/2", "1.3")]), "0.02")
    assert setting.waits([CellResult({}, problem)]) == ""
    assert "merge" in setting.waits([CellResult({}, problem, coincided=Answer("1e5", "estimated"))])


def test_letters_are_positive():
    assert setting.LAG.is_positive and setting.HORIZON.is_positive
    assert sp.Symbol("L") != setting.LAG
