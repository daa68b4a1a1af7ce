"""Certificate files: what is written is read, and whatever else a file may hold is refused in words."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate.certificate import certify
from verify.certificate.checking import Conclusion, check
from verify.certificate.file import FORMAT, BadFile, Claim, Filed, read, write

ROOT = Path(__file__).parents[3]
PAIR = Problem(Target([Exponential(), Gaussian(lag="8")]), LinearRNN.of(["1", "0"], ["1", "0.7"]), "5")


@pytest.fixture
def filed(tmp_path):
    """(path, its document) of a certificate that needs no data: the drop is more than the loss."""
    path = tmp_path / "certificate.json"
    write(certify(PAIR).filed({"target.terms.1.lag": "8"}), path, "1.2.3")
    return path, json.loads(path.read_text("utf-8"))


def test_a_file_is_whole_and_comes_back(filed):
    path, document = filed
    assert document["format"] == FORMAT and document["memcurse"] == "1.2.3"
    assert read(path) == Filed({"target.terms.1.lag": "8"}, PAIR, "unreachable", Claim("unreachable"), {})
    verdict = check(path)
    assert (verdict.accepted, verdict.recipe, verdict.provable) == (True, "unreachable", Claim("unreachable"))


def test_a_file_is_proved_without_an_integrator(filed):
    """In a process of its own, which has loaded nothing that integrates."""
    engines = "integrator|run|escape|slow_rate|slow_manifold|collocation|passage|plateaus"
    program = f"""import re, sys
from pathlib import Path
from verify.certificate import checking
verdict = checking.check(Path(sys.argv[1]))
print(verdict.accepted, [m for m in sys.modules if re.fullmatch(r"numerics\\.({engines})", m) or "recording" in m])"""
    asked = [sys.executable, "-c", program, str(filed[0])]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "True []\n"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("format",), "memcurse certificate 2", "format: must be a known word"),
        (("memcurse",), 1, "memcurse: must be text"),
        (("parameters",), {"lag": 8}, "parameters: must be a table of strings"),
        (("parameters",), {"target.terms.1.lag": "9"}, "parameters.target.terms.1.lag: must be that of the problem"),
        (("parameters",), {"target.terms.0.kind": "box"}, "parameters.target.terms.0.kind: must be that"),
        (("parameters",), {"target.horizon": "12"}, "parameters.target.horizon: must be that"),
        (("parameters",), [], "parameters: must be a table of strings"),
        (("recipe",), ["time"], "recipe: must be a word"),
        (("data",), None, "data: must be a table"),
        (("more",), {}, "certificate.more: is not a known key"),
        (("claim",), "true", "claim: must be a table"),
        (("claim", "lower"), "1", "claim: must have null"),
        (("claim", "outcome"), "runaway", "claim.outcome: must be a known word"),
        (("claim", "outcome"), "escaped", "claim: a decimal must be text"),
        (("claim",), {"outcome": "escaped", "lower": "2", "upper": "1"}, "claim: lower must not exceed upper"),
        (("claim",), {"outcome": "escaped", "lower": 1.5, "upper": "2"}, "claim: a decimal must be text"),
        (("claim",), {"outcome": "escaped", "lower": "-inf", "upper": "2"}, "claim: a decimal must be text"),
        (("problem", "start", "rates"), ["1", 0.7], "problem.start.rates: must be a list of"),
    ],
)
def test_what_is_no_certificate_is_refused(filed, path, value, said):
    file, document = filed
    here = document
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(BadFile, match=f"certificate.json: {said}"):
        read(file)
    verdict = check(file)
    assert verdict.bad and not verdict.accepted and verdict.claim is None


@pytest.mark.parametrize(
    "parameters",
    [{"target.terms.1.lag": "8.0"}, {"start.rates.1": "7/10", "start.rates.0": "1"}, {"target.horizon": "inf"},
     {"escape.fraction": "1/2"}, {"start.rates.2": "3"}, {"target.terms.1.lag.0": "3"}, {"": ""}],
)  # fmt: skip
def test_parameters_are_those_of_the_problem_or_none_of_it(filed, parameters):
    file, document = filed
    file.write_text(json.dumps(document | {"parameters": parameters}), "utf-8")
    verdict = check(file)
    assert verdict.accepted and verdict.parameters == parameters
    assert verdict.as_dict()["problem"] == document["problem"]


@pytest.mark.parametrize("key", ["format", "memcurse", "parameters", "problem", "recipe", "claim", "data"])
def test_nothing_may_be_missing(filed, key):
    file, document = filed
    del document[key]
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(BadFile, match=f"certificate.{key}: is missing"):
        read(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be JSON"),
        (b"{}", "certificate.format: is missing"),
        (b"[]", "certificate: must be a table"),
        (b"\xff\xfe", "must be JSON in UTF-8"),
        (b"[" * 100_000, "of a sensible depth"),
        (b'{"format": NaN}', "must hold numbers only, got NaN"),
        (b'{"format": "a", "format": "b"}', "format: must be there once"),
        (b'{"format": ' + b"1" * 5000 + b"}", "must be JSON in UTF-8"),
    ],
)
def test_any_bytes_are_answered_in_words(tmp_path, content, said):
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=said):
        read(path)


def test_a_file_that_is_too_large_is_not_read_to_its_end(filed, monkeypatch):
    file, document = filed
    monkeypatch.setattr("verify.certificate.file.LARGEST", size := file.stat().st_size)
    assert read(file).problem == PAIR
    file.write_text(json.dumps(document) + " " * size, "utf-8")
    with pytest.raises(BadFile, match=f"is longer than {size} bytes"):
        read(file)


def test_a_truncated_file_is_refused_wherever_it_ends(filed):
    file, _ = filed
    content = file.read_bytes().rstrip()
    for length in range(0, len(content), 97):
        file.write_bytes(content[:length])
        assert check(file).bad


def test_no_file_and_no_recipe_are_answered_in_words(filed, tmp_path):
    assert "No such file" in check(tmp_path / "none.json").reason
    assert check(tmp_path).bad
    file, document = filed
    for recipe in ("times", "TIME", "__class__"):
        file.write_text(json.dumps(document | {"recipe": recipe}), "utf-8")
        verdict = check(file)
        assert verdict.bad and "recipe: must be one of" in verdict.reason
    file.write_text(json.dumps(document | {"data": {"loss": "0x1*2^0"}}), "utf-8")
    assert check(file).bad


@pytest.mark.parametrize("outcome", ["stationary", "ordered"])
def test_another_outcome_without_a_time_is_not_what_was_proved(filed, outcome):
    file, document = filed
    document["claim"]["outcome"] = outcome
    file.write_text(json.dumps(document), "utf-8")
    verdict = check(file)
    assert not verdict.accepted and "its data prove unreachable" in verdict.reason
    assert verdict.provable == Claim("unreachable")
    assert not Conclusion(outcome).proves(Claim(outcome, "1", "2")) and Conclusion(outcome).proves(Claim(outcome))


def test_a_drop_within_reach_is_not_proved_to_be_out_of_it(filed):
    file, document = filed
    document["problem"]["escape"]["drop"] = "1"
    file.write_text(json.dumps(document), "utf-8")
    verdict = check(file)
    assert not verdict.accepted and not verdict.bad and "not proved" in verdict.reason
