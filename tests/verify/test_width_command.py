"""`memcurse width` and what it is about: studies with [width], the JSON, the table, cells that fail, bad input."""

import json
import math

import pytest

from theory.kernels import Exponential
from theory.problem import Target
from verify import sweep, width_study
from verify.cli import main
from verify.study import StudyError, load
from verify.widths import measure

FINITE = """# A target of rank two.
[target]
terms = [{kind = "exponential"}, {kind = "exponential", rate = "2"}]
[width]
widths = [2, 1]
eps = ["1e-2"]
[sweep]
"target.terms.1.rate" = ["2", "1/2"]
"""
BOTH = """[target]
terms = [{kind = "exponential"}]
[start]
amplitudes = ["1/2"]
rates = ["1"]
[escape]
drop = "0.01"
[width]
widths = [1]
[sweep]
"start.rates.0" = ["2", "3"]
"target.terms.0.rate" = ["1", "2"]
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, "utf-8")
        return str(path)

    return write


def test_the_json_has_the_names_that_were_agreed(written, tmp_path, capsys):
    assert main(["width", written(FINITE), "--json", "--digits", "8", "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err == "" and set(document) == {"cells", "provenance"} and document["provenance"]["digits"] == 8
    assert json.loads((tmp_path / "out" / "results.json").read_text("utf-8")) == document
    first, second = document["cells"]
    assert set(first) == {"parameters", "hankel", "widths", "least_width"}
    assert [each["parameters"]["target.terms.1.rate"] for each in (first, second)] == ["2", "1/2"]
    assert first["hankel"][2] == "0" and len(first["hankel"]) == 3  # of rank two
    one, two = first["widths"]
    assert (one["m"], two["m"]) == (1, 2)
    assert set(one) == {"m", "lower", "upper", "slowest_rate"}
    assert set(one["lower"]) == {"value", "guarantee"} and set(one["upper"]) == {"value", "guarantee", "method"}
    assert 0 < float(one["lower"]["value"]) < float(one["upper"]["value"])
    assert (two["lower"]["value"], float(two["upper"]["value"])) == ("0", 0)  # the target itself
    assert first["least_width"] == {"eps": "1e-2", "lower": 2, "upper": 2}


def test_null_comes_with_a_reason(written, capsys):
    formula = '{kind = "expression", rho = "exp(-t)*cos(3*t)"}'  # of rank two
    assert main(["width", written(f"[target]\nterms = [{formula}]\n[width]\nwidths = [2]\n"), "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    assert cell["hankel"][2] is None and "too small beside the first" in cell["reason"]


def test_several_accuracies_are_a_list_and_none_is_an_empty_one(written, capsys):
    for eps, expected in ((["1", "1/2"], ["1", "1/2"]), ([], [])):
        line = f"eps = {json.dumps(eps)}" if eps else ""
        main(["width", written(FINITE.replace('eps = ["1e-2"]', line)), "--json"])
        found = json.loads(capsys.readouterr().out)["cells"][0]["least_width"]
        assert [each["eps"] for each in found] == expected


def test_the_whole_norm_takes_no_unit_at_all(written, capsys):
    main(["width", written(FINITE.replace("1e-2", "1.6").replace('"2", "1/2"', '"2"')), "--json"])
    least = json.loads(capsys.readouterr().out)["cells"][0]["least_width"]
    assert least == {"eps": "1.6", "lower": 0, "upper": 0}  # int e^-t + e^-2t = 1.5


STABLE = FINITE.replace('eps = ["1e-2"]', 'betas = ["1", "1e-2"]').replace('"2", "1/2"', '"2"')


def test_stability_curves_are_in_the_json_and_the_table(written, capsys):
    """The network of two units is the target e^-t + e^-2t itself, so that its curve is the limit, in closed form."""
    assert main(["width", written(STABLE), "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    curves = {(each["parametrisation"], each["m"]): each["errors"] for each in cell["stability"]}
    assert list(curves)[:4] == [("identity", 1), ("identity", 2), ("identity", "inf"), ("exp", 1)] and len(curves) == 12
    assert [each["beta"] for each in curves["exp", "inf"]] == ["1e-2", "1"]  # rising
    moved = 1 / 0.99 + 1 / 1.99 - 1.5
    for m, word in ((2, "enclosed"), ("inf", "estimated")):
        small, large = curves["identity", m]
        assert float(small["lower"]) == pytest.approx(moved, rel=1e-3) == float(small["upper"])
        assert small["guarantee"] == word and (large["upper"], large["guarantee"]) == ("inf", "exact")
        assert float(curves["exp", m][1]["upper"]) == pytest.approx(1.5 * (math.e - 1), rel=1e-3)
    assert main(["width", written(STABLE)]) == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    assert ["rate", "=", "2", "identity", "inf", "0.01261", "inf"] in rows


def test_a_table_for_people(written, capsys):
    assert main(["width", written(FINITE)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["cell", "m"] and rows[0].split()[:4] == ["rate", "=", "2", "1"]
    assert any(row.split()[-4:-1] == ["1e-2", "2", "2"] for row in rows)


def test_fewer_digits_than_asked_are_told(written, capsys):
    bump = 'terms = [{kind = "gaussian", lag = "3"}]'
    study = "[target]\n" + bump + "\n[width]\nwidths = [8]\n[precision]\ndigits = 12\n"
    code = main(["width", written(study), "--json"])
    out, err = capsys.readouterr()
    assert code == ("digits of its singular values" in err)
    assert all(value is None or float(value) > 0 for value in json.loads(out)["cells"][0]["hankel"])


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(written, capsys):
    """Erlang kernels are no mixture of exponentials, so width 61 is beyond the realisation of the second cell."""
    text = FINITE.replace("[2, 1]", "[61]").replace('eps = ["1e-2"]', "")
    text = text.replace('"target.terms.1.rate" = ["2", "1/2"]', '"target.terms.1.amplitude" = ["1", "-3"]')
    assert main(["width", written(text), "--json"]) == 1
    out, err = capsys.readouterr()
    good, failed = json.loads(out)["cells"]
    assert good["widths"][0]["m"] == 61 and "error" not in good
    assert failed["widths"] == [] and failed["hankel"] == [] and failed["least_width"] is None
    assert "from 1 to 60, got 61" in failed["error"] and "amplitude = -3 failed" in err
    assert main(["width", written(text)]) == 1
    assert "failed" in capsys.readouterr().out


def test_a_study_may_ask_for_both(written):
    study = load(written(BOTH))
    assert len(study.cells) == 4 and [cell.parameters for cell in study.width.cells] == [
        {"target.terms.0.rate": "1"}, {"target.terms.0.rate": "2"},
    ]  # fmt: skip
    assert study.width.cells[1].target == Target([Exponential(rate=2)])
    assert (study.width.digits, study.width.asked) == (width_study.DIGITS, False)
    with pytest.raises(ValueError, match="must have a section"):
        measure(load("pair"))
    with pytest.raises(ValueError, match="must have a start and an escape"):
        sweep.run(load("width"))


@pytest.mark.parametrize(("old", "new", "message"), [
    ("[2, 1]", "[0]", "width.widths.0: must be an integer from 1 to 199, got 0"),
    ("[2, 1]", "[1.5]", "width.widths.0: must be exact, not a float, got 1.5"),
    ("[2, 1]", "[]", "width.widths: must be a list of at least one entry"),
    ("widths = [2, 1]", "", "width.widths: is missing"),
    ("widths =", "width =", "width.width: is not a known key; did you mean 'widths'"),
    ('"1e-2"', '"0"', "width.eps.0: must be > 0"),
    ('"1e-2"', '"-1"', "width.eps.0: must be > 0"),
    ('"1e-2"', "0.01", "width.eps.0: must be exact, not a float"),
    ('eps = ["1e-2"]', 'betas = ["0"]', "width.betas.0: must be > 0 for anything to be perturbed"),
    ('eps = ["1e-2"]', "betas = []", "width.betas: must be a list of at least one entry"),
    ("[width]", 'horizon = "9"\n[width]', "target.horizon: must be 'inf' for [width], got '9'"),
    ('{kind = "exponential"}', '{kind = "exponential", input = 2}', "target: the target must have one input"),
    ('{kind = "exponential"}', '{kind = "power-law", omega = "-1/2"}', "omega: must be > 0"),
    ('{kind = "exponential"}', '{kind = "delay"}', "a pure delay has no kernel, and no width approximates it"),
    ('{kind = "exponential"}', '{kind = "expression", rho = "1/(1+t)"}', "must be integrable"),
])  # fmt: skip
def test_bad_input_is_told_before_any_work(written, capsys, old, new, message):
    assert main(["width", written(FINITE.replace(old, new, 1))]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and "Traceback" not in err and err.count("\n") == 1


def test_what_does_not_go_together_is_refused(written, capsys):
    study = written(FINITE)
    for command in ("escape", "plateaus", "simulate"):
        assert main([command, study]) == 2
        assert "the study is about width only" in capsys.readouterr().err
    assert main(["width", "pair"]) == 2
    assert "width: is missing; add a section [width]" in capsys.readouterr().err
    assert main(["width", study, "--digits", "61"]) == 2
    assert "--digits: must be an integer from 2 to 60" in capsys.readouterr().err


def test_swept_values_that_width_refuses_name_their_cell(written):
    with pytest.raises(StudyError, match=r"got 0 \(in the cell target.terms.1.rate = 0"):
        load(written(FINITE.replace('"1/2"]', '"0"]')))
