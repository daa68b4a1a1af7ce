"""The examples run as a reader runs them, and print what they promise."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(name):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_landscape_is_derived():
    printed = run("landscape")
    assert "derivation minus blocks of theory.landscape: [0, 0, 0, 0]" in printed
    assert r"J &= \frac{a_{1}}{w_{1}} + \frac{2 a_{2}}{w_{1} + w_{2}} - 2 R{\left(w_{1} \right)} \tag{M5}" in printed


def test_the_exponent_of_the_slow_flow_is_twice_the_rate():
    printed = run("slow_flow")
    assert "limit of d ln tau / dL = 7/5 = 2 w0" in printed
    growth = [float(line.split()[-1]) for line in printed.splitlines()[-4:]]  # at L = 20, 40, 80, 160
    # Rejects a prefactor L^-1 or L^-3, which would leave 2/L: 0.0125 at L = 160.
    assert growth[-1] == pytest.approx(1.4, abs=1e-3)
    assert all(before < after for before, after in pairwise(growth))


def test_a_kernel_of_ones_own_is_a_line_or_a_class():
    by_line, by_class = (line.split("=")[1].strip() for line in run("own_kernel").splitlines())
    assert by_line == by_class == "28.00569310"  # SciPy's DOP853 on quadrature of the definition: 28.0056931


def test_several_spares_follow_their_slow_flow():
    page = (ROOT / "docs" / "several-spares.md").read_text(encoding="utf-8")
    rows = [line for line in run("several_spares").splitlines() if line]
    assert [line for line in rows if line not in page.splitlines()] == []


def test_a_critical_point_meets_its_target():
    pairs = [line.split()[2::3] for line in run("critical_points").splitlines() if "R" in line]
    assert len(pairs) == 4 and all(found == wanted for found, wanted in pairs)


def test_a_complex_pair_of_rates_goes_where_real_rates_run_away():
    printed = run("complex_pair")
    assert "real rates: runaway" in printed and "dense W: escaped" in printed and "further on: stationary" in printed
    real, dense = (float(line.rsplit("J = ", 1)[1]) for line in printed.splitlines() if ", J = " in line)
    assert dense < real / 5


def test_the_rate_theorem_does_not_know_about_the_clock():
    *_, slow, _, fast, said = run("rate_scaling").splitlines()
    assert "below what is possible" in said
    assert slow.split()[2:5] == fast.split()[2:5]  # gamma, bound, error at least
    assert float(fast.split()[5]) < float(fast.split()[4]) < float(fast.split()[3])
