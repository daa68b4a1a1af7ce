"""Content keys: whatever changes a result changes the key, and nothing else does."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sympy as sp

from theory.kernels import Exponential, Expression, Gaussian, Kernel, number
from theory.parametrisation import NAMED, InverseSquare
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify import identity
from verify.identity import canonical, key
from verify.study import Cell, Limits, load, shipped

ROOT = Path(__file__).resolve().parents[2]
PAIR = Problem(Target([Exponential(), Gaussian(lag="10")]), LinearRNN.of(["1", "0"], ["1", "0.7"]), "0.05")


def key_of(problem=PAIR, digits=10, limits=None):
    return key(Cell({}, problem), digits, limits or Limits())


OTHERS = {
    "target": replace(PAIR, target=Target([Exponential(), Gaussian(lag="10", amplitude="2")])),
    "order of the terms": replace(PAIR, target=Target(PAIR.target.terms[::-1])),
    "formula": replace(PAIR, target=Target([Exponential(), Expression("exp(-t)*cos(t)")])),
    "a function in it": replace(PAIR, target=Target([Exponential(), Expression("exp(-t)*sin(t)")])),
    "kind": replace(PAIR, target=Target([Exponential(), Exponential(rate="10")])),
    "start": replace(PAIR, start=LinearRNN.of(["1", "0"], ["1", "7/11"])),
    "drop": replace(PAIR, drop=sp.sqrt(2) / 40),
    "a drop that differs in its last digit": replace(PAIR, drop="0.05" + 300 * "0" + "1"),
    "horizon": replace(PAIR, horizon="30"),
    "parametrisation": replace(PAIR, parametrisation=NAMED["exp"]),
    "its numbers": replace(PAIR, parametrisation=InverseSquare("1", "1/2")),
    "its other numbers": replace(PAIR, parametrisation=InverseSquare("1", "1/3")),
}


def test_every_part_of_the_question_is_in_the_key():
    keys = [key_of(), *map(key_of, OTHERS.values())]
    keys += [key_of(digits=11), key_of(limits=Limits(max_steps=5)), key_of(limits=Limits(tau_max=sp.Integer(9)))]
    assert len(set(keys)) == len(OTHERS) + 4


def test_the_same_numbers_written_otherwise_have_the_same_key():
    same = Problem(Target([Exponential(1, 1), Gaussian(lag="1e1")]), LinearRNN([("1", "1"), (0, "7/10")]), "1/20")
    assert key_of(same) == key_of() == key(Cell({"target.terms.1.lag": "10.0"}, same), 10, Limits(max_seconds=0.5))


def test_another_process_finds_the_same_keys():
    """With another seed of Python's hash, which orders sets otherwise."""
    keys = "[key(cell, 20, study.limits) for study in map(load, shipped()) for cell in study.cells]"
    code = f"from verify.identity import key\nfrom verify.study import load, shipped\nprint(*{keys})"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    there = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    here = [key(cell, 20, study.limits) for study in map(load, shipped()) for cell in study.cells]
    assert there.stdout.split() == here and len(here) > 20


def test_numbers_beyond_what_python_prints_have_a_key():
    assert canonical(sp.Rational("1e5000")) == f"{10**5000:x}/1"


@dataclass(frozen=True)
class Ramp(Kernel, kind="ramp-of-this-test"):
    """rho(t) = A t e^{-t}."""

    amplitude: sp.Expr = number("1")

    def shape(self, t):
        return self.amplitude * t * sp.exp(-t)


def test_the_source_of_a_kernel_of_the_caller_is_in_the_key():
    kind, *fields = canonical(Ramp())
    assert fields == ["1/1", "1/1"]
    assert kind[0] == "Ramp" and "t * sp.exp(-t)" in kind[1] and len(kind) == 2


def test_a_kernel_without_a_source_is_refused():
    typed = type("Typed", (Kernel,), {"__module__": "typed_at_a_prompt"}, kind="typed-at-a-prompt")
    with pytest.raises(ValueError, match="must know the source of Typed, which has none; define it"):
        canonical(typed())


def test_the_basis_is_every_source_that_numbers_come_from(tmp_path, monkeypatch):
    """A byte in any file of theory/ or numerics/, or in verify/cell.py, is another basis; one of the report is not."""
    expected = {path for room in ("theory", "numerics") for path in (ROOT / room).glob("*.py")}
    assert set(identity._sources()) == expected | {ROOT / "verify/cell.py"} and len(expected) > 30
    before = identity.basis()["sources"]
    changed = tmp_path / "cell.py"
    changed.write_bytes((ROOT / "verify/cell.py").read_bytes() + b"\n")
    monkeypatch.setattr(identity, "_sources", lambda: [changed])
    other = identity.basis.__wrapped__()
    assert other["sources"] != before and set(other) == {"sources", *identity.LIBRARIES}
