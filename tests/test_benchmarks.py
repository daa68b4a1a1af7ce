"""The benchmarks still run, and judge by the right values. No timing is asserted."""

import json
import subprocess
import sys
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad

from benchmarks import reduction
from benchmarks.aims import aims_table
from benchmarks.forms import STATE, cancellation_free, plain
from benchmarks.measure import Journal, Measurement
from benchmarks.pages import BEGIN, END, rewrite_readme
from benchmarks.peers import PEERS
from benchmarks.problems import Pair, pairs
from benchmarks.simulation import rates
from benchmarks.table import Table
from numerics.balanced import network
from oracles import gradient_by_quadrature, raw_terms
from theory.pairs import Mode
from tolerances import agree

ROOT = Path(__file__).parents[1]
TEN = next(pair for pair in pairs() if pair.lag == "10")


def test_the_values_are_the_reference_values():
    known = tomllib.loads((ROOT / "tests" / "reference-values.toml").read_text("utf-8"))["escape"]["pair"]
    checked = [pair for pair in pairs() if pair.lag in known]
    assert len(checked) == 3
    for pair in checked:
        assert agree(known[pair.lag], pair.tau, digits=18)


@pytest.mark.parametrize(
    ("tau", "least", "most"),
    [("42.5955", 5.6, 6.3), ("42.59554", 7, 8), ("2", 0, 0.1), ("99", 0, 0), ("nan", 0, 0)],
)
def test_digits_are_counted_as_they_round(tau, least, most):
    assert least <= TEN.digits_right(tau) <= most


def test_both_forms_are_the_gradient_flow_of_the_definition():
    amplitudes, rates_ = (Fraction(9, 10), Fraction(1, 5)), (Fraction(11, 10), Fraction(3, 5))
    units = list(zip(amplitudes, rates_, strict=True))
    by_definition = gradient_by_quadrature(units, raw_terms(TEN.problem.target.terms))
    fits = {plain: (0, 0, 0, 0), cancellation_free: (1, 0, 1, Fraction(7, 10))}
    found = {}
    for form, fit in fits.items():
        system = form(TEN)
        state = [sp.Rational(x) - sp.Rational(x0) for x, x0 in zip((*amplitudes, *rates_), fit, strict=True)]
        at = dict(zip(STATE, state, strict=True))
        found[form] = system.missing.subs(at).evalf(30)
        for component, slope in zip(system.rhs, by_definition, strict=True):
            assert agree(component.subs(at).evalf(30), -slope, digits=12)  # rejects any term left out
    assert agree(*found.values(), digits=12)


def run(folder, *arguments):
    command = [sys.executable, "-m", "benchmarks", "--lags", "5", "--seconds", "0.01", "--into", str(folder)]
    subprocess.run([*command, *arguments], check=True, capture_output=True, cwd=ROOT)
    rows = json.loads((folder / "peers.json").read_text("utf-8"))["measurements"]
    return [Measurement(**row) for row in rows], (folder / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_peers_run(tmp_path):
    rows, page = run(tmp_path, "--peers", "SciPy LSODA", "mpmath odefun")
    assert max(row.digits for row in rows if row.peer == "SciPy LSODA") >= 10
    assert max(row.digits for row in rows if row.peer == "mpmath odefun") >= 20
    assert "| SciPy LSODA | **" in page and (tmp_path / "peers.svg").read_text("utf-8").count("mpmath odefun")


def test_a_run_is_taken_up_again_unless_something_has_changed(tmp_path):
    journal = Journal(tmp_path / "run.json", {"limit": 20})
    row = Measurement(PEERS[0].name, TEN.lag, "8", "42.595539", 8.1, 0.2, 0.1, 0.3)
    journal.add(row)
    assert Journal(tmp_path / "run.json", {"limit": 20}).find(PEERS[0], TEN, "8") == row
    assert Journal(tmp_path / "run.json", {"limit": 30}).find(PEERS[0], TEN, "8") is None
    assert Journal(tmp_path / "run.json", {"limit": 20}, fresh=True).rows == []


def test_what_passes_the_limit_is_ended_and_listed(tmp_path):
    rows, page = run(tmp_path, "--peers", "mpmath odefun", "--limit", "0.05")
    assert [row.failure for row in rows] == ["passed 0.05 s"]
    assert "| mpmath odefun | passed 0.05 s |" in page


def test_the_page_names_the_cheapest_right_answer_and_the_readme_keeps_the_rest(tmp_path):
    peer = next(each for each in PEERS if each.name == "memcurse")
    five = Pair("5", "0.05", "0.72")
    rows = [Measurement(peer.name, "5", str(n), "0.72", digits, first, first / 2, 1.0)
            for n, (digits, first) in enumerate([(9.9, 1.0), (10.1, 3.0), (12.0, 2.0)])]
    table = Table(rows, [five], [peer])
    assert table.price(peer, five, 10, "first") == 2.0 and table.price(peer, five, 8, "again") == 0.5
    assert list(table.markdown(20, "first"))[-1] == "| memcurse | 12 digits |"
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", "utf-8")
    rewrite_readme(table, readme)
    text = readme.read_text("utf-8")
    assert text.startswith("above\n") and text.endswith("\nbelow\n") and "old" not in text and "**2**" in text


def test_an_aim_is_judged_by_the_closest_peer():
    twenty = next(pair for pair in pairs() if pair.lag == "20")
    prices = {"memcurse": 1.0, "heyoka": 3.0, "SciPy Radau": 4.0, "SciPy LSODA, our form": 0.5}
    rows = [Measurement(name, "20", "", twenty.tau, 30.0, price, price, price) for name, price in prices.items()]
    plain_row, our_row, *_ = list(aims_table(Table(rows, pairs())))[2:]
    assert "holds: heyoka at L = 20 takes 3 times as long" in plain_row and "Radau" not in plain_row
    assert "fails: SciPy LSODA, our form at L = 20 takes 0.5 times as long" in our_row


def test_every_way_of_training_agrees_or_says_why_not():
    found = rates(seconds=0.01)
    assert found[0].steps_per_second
    assert all(rate.steps_per_second or rate.note == "not installed" for rate in found)


MODES = (Mode("1/3", 0, "1/100", 0), Mode("1/2", "-3/4", "1/5", 2))


def test_a_reduced_system_is_diagonalised_and_refused_where_it_does_not_decay():
    generator = np.random.default_rng(3)
    blocks = np.array([[-0.01, 0, 0], [0, -0.2, 2], [0, -2, -0.2]])  # of the exponential, and of its pair
    turned = generator.normal(size=(3, 3))
    inverse = np.linalg.inv(turned)
    b, c = inverse @ [1, 1, 0], np.array([1 / 3, 0.5, 0.75]) @ turned  # e^{At} turns (1, 0) to (cos 2t, -sin 2t)
    found = reduction.diagonalised(inverse @ blocks @ turned, b, c)
    values = sorted([float(x) for x in (m.alpha, m.beta, m.p, m.q)] for m in found)
    assert np.allclose(values, [[0.01, 0, 1 / 3, 0], [0.2, 2, 0.5, -0.75]], rtol=1e-9, atol=1e-9)
    with pytest.raises(reduction.Unusable, match=r"a rate of -0\.5"):
        reduction.diagonalised(np.array([[0.5]]), b[:1], c[:1])


def test_errors_are_those_of_the_definition():
    rates_, weights = reduction.long_sum("1/2")
    whole = [Mode(a, 0, w, 0) for a, w in network(weights, rates_).units]
    h2, h_infinity = reduction.errors("1/2", [*whole, MODES[0]])
    assert h2 == pytest.approx(1 / 3 / 0.02**0.5) and h_infinity == pytest.approx(100 / 3)
    h2, h_infinity = reduction.errors("1/2", [*whole, MODES[1]])
    e = lambda t: np.exp(-t / 5) * (np.cos(2 * t) / 2 - 3 * np.sin(2 * t) / 4)
    assert h2 == pytest.approx(quad(lambda t: e(t) ** 2, 0, 100, limit=200)[0] ** 0.5)  # rejects q for -q: 0.24 less
    at = lambda s: abs(quad(lambda t: e(t) * np.exp(-1j * s * t), 0, 100, limit=200, complex_func=True)[0])
    assert h_infinity == pytest.approx(max(map(at, np.linspace(1.8, 2.2, 41))), rel=5e-2)  # by its grid


def test_the_sum_is_the_power_law():
    rates_, weights = reduction.long_sum("1/2")
    times = np.array([0.0, 1.0, 100.0])
    assert np.allclose(np.exp(-np.multiply.outer(times, rates_)) @ weights, (1 + times) ** -1.5, rtol=1e-6)


def test_networks_are_measured_and_what_is_missing_is_listed(tmp_path, monkeypatch):
    ours, eigen, *_ = reduction.METHODS
    absent = reduction.Method("pyMOR BTReductor", "no_such_package", reduction.by_pymor, ours.name)
    grows = np.eye(1), np.ones(1), np.ones(1)
    unstable = reduction.Method("unstable", "numpy", lambda omega, width: grows, ours.name)
    monkeypatch.setattr(reduction, "METHODS", (ours, eigen, absent, unstable))
    reduction.main(["--widths", "4", "--omegas", "1/2", "--into", str(tmp_path)])
    page = (tmp_path / "reduction.md").read_text("utf-8")
    assert "| pyMOR BTReductor | not installed |" in page and "| unstable | unstable: a rate of -1.0 |" in page
    first, second = (tmp_path / "reduction.csv").read_text("utf-8").splitlines()[1:3]
    assert first.split(",")[3:6] == second.split(",")[3:6]  # the same network, four digits of its errors and its rate
    row = lambda method, *numbers, **rest: reduction.Row(method.name, "1/2", 4, *numbers, **rest)
    missing = [row(each, remark="not installed") for each in (absent, unstable)]
    table = reduction._table([row(ours, "1", "1", "1", "2"), row(eigen, "1", "3", "1", "1"), *missing])
    assert "| 1 | 3 | 1 | 1 | 3 | 0.5 |" in "\n".join(table)


@pytest.mark.slow
def test_pymor_reduces_as_we_do():
    pytest.importorskip("pymor")
    ours, _, theirs, *_ = (reduction.measured(method, "1/2", 4) for method in reduction.METHODS)
    assert agree(ours.h_infinity, theirs.h_infinity, digits=3)
