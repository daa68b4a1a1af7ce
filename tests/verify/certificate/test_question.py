"""The problem of a certificate: written whole, read back the same here and by the parser of studies, strictly."""

import copy
import json
from dataclasses import replace

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import problems_at_any_horizon
from theory.kernels import KINDS, Exponential, Gaussian
from theory.parametrisation import NAMED, InverseSquare
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate.question import as_document, problem_in
from verify.study import load

TRAINED = st.sampled_from([*NAMED.values(), InverseSquare("1/3", "1/100")])


@settings(deadline=None, max_examples=15)
@given(problems_at_any_horizon(), TRAINED)
def test_a_problem_comes_back_from_its_document(problem, trained):
    problem = replace(problem, parametrisation=trained)
    assert problem_in(json.loads(json.dumps(as_document(problem)))) == problem


def in_toml(value):
    """JSON of a document as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {in_toml(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(map(in_toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


@settings(deadline=None, max_examples=5)
@given(problem=problems_at_any_horizon())
def test_the_tables_are_those_of_a_study(problem, tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "mine.toml"
    path.write_text("".join(f"{name} = {in_toml(table)}\n" for name, table in as_document(problem).items()), "utf-8")
    (cell,) = load(path).cells
    assert cell.problem == problem


PAIR = Problem(Target([Exponential(), Gaussian(lag="10")]), LinearRNN.of(["1", "0"], ["1", "0.7"]), "0.05")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("escape", "drop"), 0.05, "drop: must be a number in a string"),
        (("escape", "drop"), 1, "drop: must be a number in a string"),
        (("escape", "drop"), "0", "drop must be > 0"),
        (("escape", "tau_max"), "10", r"problem.escape.tau_max: is not a known key"),
        (("target", "horizon"), None, "horizon: must be a number in a string"),
        (("target", "horizon"), "nan", "horizon"),
        (("target", "terms", 1, "lag"), True, "lag: must be a number in a string"),
        (("target", "terms", 1, "lag"), "1e9999999", "exponent"),
        (("target", "terms", 1, "kind"), "delay", "known here: exponential"),
        (("target", "terms", 1, "kind"), ["gaussian"], "known here: exponential"),
        (("target", "terms", 1, "start"), "3", "start: is not a known key"),
        (("target", "terms"), [], "at least one entry"),
        (("target",), [], "must be a table"),
        (("start", "rates"), ["1"], "rates"),
        (("start", "rates"), ["1", "-1"], "rate 1"),
        (("start", "amplitudes"), "1", "must be a list of"),
        (("start", "parametrisation"), "expp", "did you mean 'exp'"),
        (("start", "parametrisation"), {"a": "1"}, "parametrisation.b: is missing"),
    ],
)
def test_what_is_no_problem_is_refused_with_its_place(path, value, said):
    document = copy.deepcopy(as_document(PAIR))
    here = document
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    with pytest.raises(ValueError, match=said):
        problem_in(document)


def test_a_problem_that_no_text_can_hold_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"escape.drop: must be rational"):
        as_document(replace(PAIR, drop=sp.sqrt(2) / 100))
    monkeypatch.setattr("theory.kernels.KINDS", dict(KINDS))

    class Own(Exponential, kind="own"):
        pass

    with pytest.raises(ValueError, match=r"target.terms.0: must be a kernel of theory"):
        as_document(replace(PAIR, target=Target([Own()])))
