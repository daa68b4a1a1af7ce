"""`memcurse certify`: what it prints, the files it writes, and files that it proves again, or refuses."""

import copy
import json
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import flint
import pytest

from studies import LAG, pair_study
from verify import compare_certified, sweep
from verify.certificate.certificate import KEPT, Certificate
from verify.certificate.checking import check
from verify.certificate.dyadic import digits_of, parse, text
from verify.certified import CertifiedCell, StudyCertificates, certify_study
from verify.cli import main
from verify.study import load

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = tomllib.loads((ROOT / "tests" / "reference-values.toml").read_text("utf-8"))["escape"]["pair"]
STUDY = "# Two short memories.\n" + pair_study({LAG: ["8", "10"]}, digits=10)
NEVER = """[target]
terms = [{kind = "exponential"}, {kind = "gaussian", lag = "12"}]
[start]
amplitudes = ["1"]
rates = ["1"]
[escape]
drop = "0.5"
"""


def written(folder, content, name="mine.toml"):
    path = folder / name
    path.write_text(content, "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(study, folder of certificates, what was printed) of a run that proves both cells."""
    folder = tmp_path_factory.mktemp("certify")
    study = written(folder, STUDY)
    asked = [sys.executable, "-m", "verify.cli", "certify", study, "--json", "--out", str(folder / "out")]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=True)
    return study, folder / "out", json.loads(done.stdout)


def test_the_json_has_the_names_that_were_agreed(made):
    _, folder, document = made
    assert set(document) == {"cells", "provenance"} and document["provenance"]["digits"] == 10
    assert json.loads((folder / "results.json").read_text("utf-8")) == document
    for cell, lag in zip(document["cells"], ("8", "10"), strict=True):
        assert cell["parameters"] == {LAG: lag} and cell["guarantee"] == "enclosed" and cell["outcome"] == "escaped"
        assert {"reason", "recipe", "why", "asked", "working_digits"} < set(cell)
        assert isinstance(cell["seconds"], float)
        assert cell["digits"] == digits_of(cell["lower"], cell["upper"]) >= 10
        assert Decimal(cell["lower"]) < Decimal(REFERENCE[lag]) < Decimal(cell["upper"])
    assert sorted(each.name for each in folder.iterdir()) == [
        "certificate-001.json", "certificate-002.json", "results.json",
    ]  # fmt: skip


def test_another_process_proves_the_files_again(made):
    _, folder, document = made
    files = [str(folder / f"certificate-00{i}.json") for i in (1, 2)]
    asked = [sys.executable, "-m", "verify.cli", "certify", "--json", "--check", *files]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=True)
    found = json.loads(done.stdout)["files"]
    assert [each["file"] for each in found] == files and all(each["accepted"] for each in found)
    for each, cell in zip(found, document["cells"], strict=True):
        assert each["claim"] == {name: cell[name] for name in ("outcome", "lower", "upper")}
        assert Decimal(cell["lower"]) <= Decimal(each["provable"]["lower"])
        assert Decimal(each["provable"]["upper"]) <= Decimal(cell["upper"])


def bits(power):
    """Adds 2^power to a stored number."""

    def change(stored):
        with flint.ctx.workprec(10_000):
            return text(parse(stored) + flint.arb((1, power)))

    return change


def at(*path, change):
    """A tampering: the entry at the end of a path, changed."""

    def tamper(document):
        here = document
        for part in path[:-1]:
            here = here[part]
        here[path[-1]] = change(here[path[-1]])

    return tamper


def claimed(lower, upper):
    """Moves the ends of the claim by so many units of their last place."""

    def tamper(document):
        for end, units in (("lower", lower), ("upper", upper)):
            number = Decimal(document["claim"][end])
            document["claim"][end] = str(number + units * Decimal(1).scaleb(number.as_tuple().exponent))

    return tamper


def another_lag(document):
    """Of the problem, and of the parameters: at odds with these it would not be looked at."""
    lag = f"{document['problem']['target']['terms'][1]['lag']}.001"
    document["problem"]["target"]["terms"][1]["lag"] = document["parameters"][LAG] = lag


def values(document):
    return document["data"]["values"]


TAMPERED = {
    "a stage value": at("data", "values", 57, 1, change=bits(-20)),
    "a rate": at("data", "values", 201, 3, change=bits(-30)),
    "the start": at("data", "values", 0, 0, change=bits(-20)),
    "a duration": at("data", "durations", 3, change=bits(-20)),
    "a node": at("data", "nodes", 2, change=bits(-20)),
    "the last value": at("data", "values", -1, 0, change=bits(-10)),
    "the lag of the study": another_lag,
    "the drop": at("problem", "escape", "drop", change=lambda drop: "0.0501"),
    "a rate of the start": at("problem", "start", "rates", 1, change=lambda rate: "0.7001"),
    "the horizon": at("problem", "target", "horizon", change=lambda horizon: "12"),
    "too few working digits": at("data", "digits", change=lambda digits: 12),
    "a claim that ends below the proof": claimed(-10, -4),
    "a claim that begins above it": claimed(4, 10),
    "a claim of a point": lambda document: document["claim"].update(upper=document["claim"]["lower"]),
    "another outcome": lambda document: document.update(claim={"outcome": "stationary", "lower": None, "upper": None}),
    "the end cut off": lambda document: document["data"].update(
        durations=document["data"]["durations"][:-2],
        values=values(document)[: -2 * (len(document["data"]["nodes"]) - 1)],
    ),
}


@pytest.fixture
def tampered(made, tmp_path):
    """Writes the first certificate after a tampering; what the file says, and where it is."""

    def tamper(change):
        document = json.loads((made[1] / "certificate-001.json").read_text("utf-8"))
        change(document)
        return document, Path(written(tmp_path, json.dumps(document), "tampered.json"))

    return tamper


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_what_was_tampered_with_is_refused(tampered, change):
    _, path = tampered(change)
    verdict = check(path)
    assert not verdict.accepted and not verdict.bad and verdict.reason


@pytest.mark.parametrize("power", [-140, -70, -50, -40, -30, -20])
def test_a_little_noise_widens_what_is_provable(tampered, power):
    """Whatever is then proved still contains the truth; and it is accepted only inside the claim."""
    document, path = tampered(at("data", "values", 57, 1, change=bits(power)))
    verdict, truth = check(path), Decimal(REFERENCE["8"])
    if verdict.provable:
        assert Decimal(verdict.provable.lower) <= truth <= Decimal(verdict.provable.upper)
    assert not verdict.accepted or Decimal(document["claim"]["lower"]) <= truth <= Decimal(document["claim"]["upper"])
    assert verdict.accepted or power > -60
    assert not verdict.accepted or power < -30


def test_a_wider_claim_stands(tampered):
    _, path = tampered(claimed(-3, 3))
    assert check(path).accepted


BROKEN = {
    "a lag that is not the cell's": at("problem", "target", "terms", 1, "lag", change=lambda lag: f"{lag}.001"),
    "recipe": at("recipe", change=lambda recipe: "minimum"),
    "a radius": at("data", "values", 5, 0, change=lambda stored: "1 +/- 1"),
    "a float": at("data", "values", 5, 0, change=lambda stored: 0.5),
    "a row too few": lambda document: values(document).pop(),
    "a column too few": at("data", "values", 5, change=lambda row: row[1:]),
    "columns too few": lambda document: document["data"].update(values=[row[1:] for row in values(document)]),
    "another key": lambda document: document["data"].update(radius="0x1*2^0"),
    "digits in words": at("data", "digits", change=str),
    "no table": at("data", change=lambda data: []),
    "no values": at("data", "values", change=lambda stored: []),
    "values of another kind": at("data", "values", change=lambda stored: None),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_data_that_are_none_are_no_certificate(tampered, change, capsys):
    _, path = tampered(change)
    assert main(["certify", "--check", str(path), "--json"]) in (1, 2)
    out, err = capsys.readouterr()
    (found,) = json.loads(out)["files"]
    assert not found["accepted"] and found["provable"] is None and err.startswith("memcurse: ") and "Trace" not in err


def test_the_data_of_another_cell_prove_nothing(made, tampered):
    other = json.loads((made[1] / "certificate-002.json").read_text("utf-8"))
    _, path = tampered(lambda document: document.update(data=other["data"]))
    assert not check(path).accepted


# ---- recipe "slow-rate" -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """The document of a certificate in the slow rate, L = 20."""
    folder = tmp_path_factory.mktemp("slow")
    study = written(folder, pair_study({LAG: ["20"]}, digits=10))
    assert main(["certify", study, "--recipe", "slow-rate", "--out", str(folder / "out")]) == 0
    document = json.loads((folder / "out" / "certificate-001.json").read_text("utf-8"))
    assert Decimal(document["claim"]["lower"]) < Decimal(REFERENCE["20"]) < Decimal(document["claim"]["upper"])
    return document


def piece(k, *path, change):
    return at("data", "pieces", k, *path, change=change)


TAMPERED_SLOW = {
    "nothing": lambda document: None,
    "a coefficient of the path": piece(1, "path", 3, 1, change=bits(-20)),
    "a coefficient of the slowness": piece(0, "slowness", 2, change=bits(-5)),
    "another path": piece(1, "path", 0, 0, change=lambda stored: "0x1*2^0"),
    "the top of the first piece": piece(0, "top", change=bits(-20)),
    "the units of a piece": piece(1, "scale", change=lambda stored: "0x1*2^0"),
    "the lag of the units": piece(1, "lag", change=bits(3)),
    "a value of the start-up": at("data", "start_up", "values", 30, 1, change=bits(-20)),
    "a duration of the start-up": at("data", "start_up", "durations", 1, change=bits(-20)),
    "another clock": at("data", "spare", change=lambda spare: 0),
    "a clock that is no unit": at("data", "spare", change=lambda spare: -1),
    "too few working digits": at("data", "digits", change=lambda digits: 12),
    "the pieces in another order": at("data", "pieces", change=lambda pieces: pieces[::-1]),
    "a piece left out": at("data", "pieces", change=lambda pieces: pieces[:1] + pieces[2:]),
    "the last piece left out": at("data", "pieces", change=lambda pieces: pieces[:-1]),
    "no pieces": at("data", "pieces", change=lambda pieces: []),
    "the lag of the study": TAMPERED["the lag of the study"],
    "the drop": TAMPERED["the drop"],
    "a claim that begins above the proof": claimed(4, 10),
    "the other recipe": at("recipe", change=lambda recipe: "time"),
}


def some(changes, fast):
    """The first few as fast tests, all as slow ones."""
    return [
        pytest.param(change, id=name, marks=[] if i < fast else pytest.mark.slow)
        for i, (name, change) in enumerate(changes.items())
    ]


@pytest.mark.parametrize("change", some(TAMPERED_SLOW, 5))
def test_what_was_tampered_with_is_refused_in_the_slow_rate_too(slow, tmp_path, change):
    document = copy.deepcopy(slow)
    change(document)
    verdict = check(Path(written(tmp_path, json.dumps(document))))
    if change is TAMPERED_SLOW["nothing"]:
        assert verdict.accepted and verdict.provable
    else:
        assert not verdict.accepted and verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize("power", [-100, -60, -45, -30])
def test_noise_in_the_slow_rate_widens_what_is_provable(slow, tmp_path, power):
    document = copy.deepcopy(slow)
    for i, row in enumerate(document["data"]["pieces"][0]["path"]):
        row[i % len(row)] = bits(power)(row[i % len(row)])
    verdict = check(Path(written(tmp_path, json.dumps(document))))
    if verdict.provable:
        assert Decimal(verdict.provable.lower) <= Decimal(REFERENCE["20"]) <= Decimal(verdict.provable.upper)
    assert verdict.accepted or power > -60


def test_exit_codes_of_checks(made, tampered, tmp_path, capsys):
    good = str(made[1] / "certificate-001.json")
    _, refused = tampered(claimed(4, 10))
    assert main(["certify", "--check", good]) == 0
    out, err = capsys.readouterr()
    assert " proved " in out and err == ""
    assert main(["certify", "--check", good, str(refused)]) == 1
    out, err = capsys.readouterr()
    assert " proved " in out and " REFUSED " in out and "its data prove [15.02589" in err
    assert main(["certify", "--check", good, str(tmp_path / "none.json"), str(refused)]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_minimum_is_certified_and_proved_again(tmp_path, capsys):
    study, out = written(tmp_path, NEVER), tmp_path / "out"
    assert main(["certify", study, "--json", "--digits", "8", "--out", str(out)]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    assert (cell["outcome"], cell["recipe"], cell["guarantee"]) == ("stationary", "minimum", "enclosed")
    assert (cell["lower"], cell["upper"], cell["digits"]) == (None, None, None)
    assert len(cell["also"]["rates"]) == 1
    path = out / "certificate-001.json"
    assert check(path).accepted
    document = json.loads(path.read_text("utf-8"))
    document["problem"]["escape"]["drop"] = cell["also"]["fall"][0]  # what the minimum reaches is an escape
    assert not check(Path(written(tmp_path, json.dumps(document), "lower.json"))).accepted


@pytest.mark.slow
def test_plateaus_are_certified_in_their_order(tmp_path, capsys):
    lasting = str(load("two-memories").source).split("[sweep]")[0]
    study, out = written(tmp_path, lasting), tmp_path / "out"
    assert main(["certify", study, "--recipe", "plateaus", "--digits", "6", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "entered" in printed and printed.count("ordered") == 1
    path = out / "certificate-001.json"
    verdict = check(path)
    first, second = verdict.also["plateaus"]
    assert verdict.accepted and Decimal(first["left"][1]) < Decimal(second["entered"][0])
    document = json.loads(path.read_text("utf-8"))
    document["data"]["falls"].reverse()
    assert not check(Path(written(tmp_path, json.dumps(document), "reversed.json"))).accepted


def test_what_is_not_certified_exits_with_1_and_says_why(tmp_path, capsys):
    study = written(tmp_path, STUDY.replace('["8", "10"]', '["8"]'))
    assert main(["certify", study, "--json", "--max-seconds", "1", "--digits", "140"]) == 1
    out, err = capsys.readouterr()
    (cell,) = json.loads(out)["cells"]
    assert (cell["outcome"], cell["guarantee"], cell["lower"], cell["digits"]) == ("not certified", None, None, None)
    assert "max_seconds = 1 came first" in cell["reason"] and cell["reason"] in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs a study, or --check FILE"),
        (["pair", "--check", "file"], "and not both"),
        (["--check", "file", "--digits", "10"], "takes the file as it is"),
        (["pair", "--max-seconds", "0"], "--max-seconds: must be >= 1"),
        (["pair", "--digits", "4"], "--digits: must be an integer from 5"),
        (["pair", "--recipe", "luck"], "invalid choice"),
        (["width"], "the study is about width only"),
    ],
)
def test_bad_usage(arguments, said, capsys):
    assert main(["certify", *arguments]) == 2
    assert said in capsys.readouterr().err


# ---- in studies, verify and report --------------------------------------------------------------------------------


def test_a_study_asks_for_certificates(tmp_path):
    assert load(written(tmp_path, STUDY)).certify is None
    assert load(written(tmp_path, STUDY + "[certify]\n")).certify == 10
    assert load(written(tmp_path, STUDY + "[certify]\ndigits = 25\n")).certify == 25
    for section, said in (("digits = 2", "digits: must be"), ("digit = 20", "digit: is not a known key")):
        with pytest.raises(ValueError, match=said):
            load(written(tmp_path, STUDY + f"[certify]\n{section}\n"))


@pytest.mark.slow
def test_the_report_and_the_checks_carry_the_certificates(tmp_path, capsys):
    study = written(tmp_path, STUDY.replace('["8", "10"]', '["8"]') + "[certify]\ndigits = 12\n")
    out = tmp_path / "report"
    assert main(["report", study, "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (cell,) = json.loads((out / "results.json").read_text("utf-8"))["certificates"]
    assert printed["certificates"][0]["lower"] == cell["lower"] and cell["digits"] >= 12
    (row,) = [each for each in printed["checks"] if each["right_name"] == "enclosed, from below"]
    assert row["passed"] and row["right"] == cell["lower"]
    page = (out / "index.html").read_text("utf-8")
    assert "Certified escape times" in page and "15.02589\u202f97759[0, 1]" in page
    assert check(out / "certificate-001.json").accepted


@pytest.mark.slow
def test_a_study_whose_certificates_fall_short_fails(tmp_path, capsys):
    one = STUDY.replace('["8", "10"]', '["8"]').replace("[start]", '[start]\nparametrisation = "exp"')
    assert main(["verify", written(tmp_path, one + "[certify]\n")]) == 1
    assert "is not certified: " in capsys.readouterr().err


def test_a_falsified_estimate_fails_loudly(made, tmp_path, capsys, monkeypatch):
    """The run exits with 1 as soon as one digit of an escape time is not the one that was proved."""
    found = json.loads(json.dumps(made[2]["cells"][0]))
    study = load(written(tmp_path, STUDY.replace('["8", "10"]', '["8"]') + "[certify]\n"))
    result = sweep.run(study)
    (cell,) = result.cells
    proved = Certificate(cell.problem, "escaped", "", 10, found["lower"], found["upper"], found["digits"])
    certificates = StudyCertificates(study, 10, (CertifiedCell(cell.parameters, proved),))

    def checked(tau):
        false = replace(cell, escape=replace(cell.escape, tau=tau))
        (row,) = compare_certified.checks(replace(result, cells=(false,)), certificates)
        return row.passed

    tau = Decimal(cell.escape.tau)
    last = Decimal(1).scaleb(tau.as_tuple().exponent)
    assert checked(str(tau)) and not checked(str(tau + 3 * last)) and not checked(str(tau - 3 * last))

    false = copy.copy(sweep.compute)

    def falsified(*arguments):
        real = false(*arguments)
        return replace(real, escape=replace(real.escape, tau=str(tau + 3 * last)))

    monkeypatch.setattr(sweep, "compute", falsified)
    assert main(["verify", str(tmp_path / "mine.toml")]) == 1
    out, err = capsys.readouterr()
    assert "FAIL" in out and "cross-checks failed: escape time" in err


# ---- files that are there already ---------------------------------------------------------------------------------


def test_a_killed_run_goes_on_from_its_files(tmp_path):
    study, out = written(tmp_path, STUDY), tmp_path / "out"
    asked = [sys.executable, "-m", "verify.cli", "certify", study, "--json", "--out", str(out)]
    first = out / "certificate-001.json"
    with subprocess.Popen(asked, stdout=subprocess.DEVNULL, cwd=ROOT) as running:
        while not first.exists() and running.poll() is None:
            time.sleep(0.01)
        running.kill()
    made_at, second = first.stat().st_mtime_ns, (out / "certificate-002.json").exists()
    cells = json.loads(subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=True).stdout)["cells"]
    assert [cell["why"] == KEPT for cell in cells] == [True, second]
    assert check(first).accepted and made_at < first.stat().st_mtime_ns  # claimed anew, as it was proved
    for cell, lag in zip(cells, ("8", "10"), strict=True):
        assert Decimal(cell["lower"]) < Decimal(REFERENCE[lag]) < Decimal(cell["upper"])


def noisy(content):
    document = json.loads(content)
    at("data", "values", 57, 1, change=bits(-20))(document)
    return json.dumps(document)


def test_a_file_that_does_not_answer_is_made_anew(made, tmp_path):
    study = load(made[0])

    def why(change, **options):
        for i in (1, 2):
            text = (made[1] / f"certificate-00{i}.json").read_text("utf-8")
            (tmp_path / f"certificate-00{i}.json").write_text(change(text), "utf-8")
        found = certify_study(study, folder=tmp_path, **options)
        assert all(check(tmp_path / f"certificate-00{i}.json").accepted for i in (1, 2))
        return [cell.certificate.why == KEPT for cell in found.cells]

    assert why(lambda text: text) == [True, True]
    assert why(lambda text: text, digits=12) == [True, True]  # its data prove more than it claims
    assert why(lambda text: text, digits=30) == [False, False]
    assert why(lambda text: text[:-10]) == [False, False]
    assert why(lambda text: text.replace('"drop": "1/20"', '"drop": "1/25"')) == [False, False]
    assert why(noisy) == [False, False]
