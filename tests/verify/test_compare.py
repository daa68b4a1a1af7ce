"""The cross-check table: complete on a real study, and able to fail."""

from dataclasses import replace

import pytest

import verify.compare
import verify.compare_dense
from numerics.answer import Answer
from numerics.escape import escape_time
from verify.compare import checks
from verify.sampling import simulate
from verify.study import load
from verify.sweep import CellResult, run

STUDY = """
[target]
terms = [{kind = "exponential"}, {kind = "gaussian", lag = "8"}]
[start]
amplitudes = ["1", "0"]
rates = ["1", "0.7"]
[escape]
drop = "0.05"
[simulate]
dt = "0.2"
eta = "0.04"
levels = 3
[sweep]
"target.terms.1.lag" = ["8", "20"]
"""


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    path = tmp_path_factory.mktemp("studies") / "small.toml"
    path.write_text(STUDY)
    study = load(str(path))
    result = run(study)
    simulations = simulate(result)
    return study, result, simulations, checks(study, result, simulations)


def named(rows, name, right):
    return [row for row in rows if row.name == name and right in row.right_name]


def test_every_comparison_is_made_and_passes(computed):
    *_, rows = computed
    assert all(row.passed for row in rows)
    for name, right, cells in [
        ("loss at the end of the run", "quadrature", 2),
        ("gradient, worst component", "mpmath", 2),
        ("gradient, as a vector", "backpropagation", 2),
        ("escape time", "float64", 2),
        ("escape time", "slow-flow", 1),  # w0 L = 14 at L = 20
        ("escape time", "lower bound", 1),
        ("escape time", "gradient descent", 1),  # L = 20 is too long to train
        ("order in eta", "measured", 1),
        ("order in dt", "measured", 1),
    ]:
        assert len(named(rows, name, right)) == cells, name
    assert all(row.reason and row.tolerance for row in rows)
    assert {row.cell for row in rows} == {"lag = 8", "lag = 20"}


def changed(cell: CellResult, **change) -> CellResult:
    return replace(cell, **change)


def test_a_wrong_escape_time_fails_against_everything_it_is_compared_with(computed):
    """0.02 % too long: more than the simulation, float64 and their tolerances allow."""
    study, result, simulations, _ = computed
    cell = result.cells[0]
    wrong = replace(cell.escape, tau=str(float(cell.escape.tau) * 1.0002))
    rows = checks(study, replace(result, cells=(changed(cell, escape=wrong),)), simulations[:1])
    compared = [*named(rows, "escape time", "float64"), *named(rows, "escape time", "descent")]
    assert len(compared) == 2 and not any(row.passed for row in compared)


def test_a_wrong_slow_flow_and_a_bound_above_the_flow_fail(computed):
    study, result, _, _ = computed
    cell = result.cells[1]
    tau = float(cell.escape.tau)
    slow, bound = Answer(str(tau * 1.1), "estimated", 20), Answer(str(tau * 1.01), "enclosed", 6)
    rows = checks(study, replace(result, cells=(changed(cell, slow_flow=slow, lower_bound=bound),)), ())
    assert not named(rows, "escape time", "slow-flow")[0].passed
    assert not named(rows, "escape time", "lower bound")[0].passed


def test_a_closed_form_off_in_the_eighteenth_digit_fails(computed, monkeypatch):
    study, result, _, _ = computed
    honest = verify.compare.evaluate
    monkeypatch.setattr(verify.compare, "evaluate", lambda exact, arithmetic: honest(exact, arithmetic) * (1 + 1e-15))
    rows = checks(study, replace(result, cells=result.cells[:1]), ())
    assert not named(rows, "loss at the end of the run", "quadrature")[0].passed


def test_cells_without_an_escape_still_check_their_derivatives(computed):
    study, result, _, _ = computed
    cell = result.cells[0]
    stopped = escape_time(cell.problem, digits=10, tau_max="3")
    rows = checks(study, replace(result, cells=(changed(cell, escape=stopped),)), ())
    assert [row.name for row in rows] == [
        "loss at the end of the run",
        "gradient, worst component",
        "gradient, as a vector",
    ]
    assert all(row.passed for row in rows)


def test_a_study_in_which_nothing_ran_has_no_rows(computed):
    study, result, _, _ = computed
    lost = CellResult({}, result.cells[0].problem, error="lost")
    assert checks(study, replace(result, cells=(lost,)), ()) == ()


@pytest.mark.parametrize(("error", "failing"), [("1e-3", 2), ("1e-28", 1)])
def test_one_wrong_component_of_the_gradient_fails(computed, monkeypatch, error, failing):
    """1e-3 shows against backpropagation too; 1e-28 only between the arithmetics."""
    study, result, _, _ = computed
    honest = verify.compare._gradient

    def wrong(problem, arithmetic):
        found = honest(problem, arithmetic)
        if arithmetic.name == "mpmath":
            found[-1] *= 1 + arithmetic.context.mpf(error)
        return found

    monkeypatch.setattr(verify.compare, "_gradient", wrong)
    rows = checks(study, replace(result, cells=result.cells[:1]), ())
    compared = [*named(rows, "gradient, worst component", "mpmath"), *named(rows, "gradient, as a vector", "")]
    assert [row.passed for row in compared] == [False] * failing + [True] * (2 - failing)


@pytest.mark.parametrize(("name", "factor", "right"), [("eta_order", 1.04, "measured"), ("dt_order", 1.06, "measured")])
def test_orders_outside_their_tolerance_fail(computed, name, factor, right):
    study, result, simulations, _ = computed
    found = replace(simulations[0].found, **{name: {"eta_order": 1, "dt_order": 2}[name] * factor})
    rows = checks(study, replace(result, cells=result.cells[:1]), (replace(simulations[0], found=found),))
    assert not named(rows, f"order in {name[:-6]}", right)[0].passed


@pytest.mark.parametrize("digits", [10, 12])
def test_float64_is_not_compared_with_itself(computed, digits):
    study, result, _, _ = computed
    cell = result.cells[0]
    native = escape_time(cell.problem, digits=digits)
    assert native.arithmetic == "float64"
    rows = checks(study, replace(result, cells=(changed(cell, escape=native),)), ())
    assert not named(rows, "escape time", "float64")


SHIPPED = {  # what every cell must have, beside loss and gradient
    "airy": {"escape time", "order in eta"},
    "box": {"escape time", "order in eta"},
    "coincided": {"escape time"},
    "dense": {"escape time", "order in eta", "loss at the start"},
    "finite-horizon": {"escape time", "order in dt"},
    "power-law": {"escape time", "order in dt"},
    "reach": {"escape time"},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_first_cell_of_every_shipped_study_passes_its_checks(name):
    study = load(name)
    study = replace(study, cells=study.cells[:1])
    result = run(study)
    rows = checks(study, result, simulate(result))
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]
    assert {row.name for row in rows} > SHIPPED[name] - ({"escape time"} if name == "coincided" else set())


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_study_passes_its_checks(name):
    study = load(name)
    result = run(study)
    rows = checks(study, result, simulate(result))
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]
    assert {row.name for row in rows} > SHIPPED[name]
    assert all(cell.escape.tau for cell in result.cells)


def study_of(text, folder):
    path = folder / "mine.toml"
    path.write_text(text)
    return load(str(path))


def test_where_the_time_integrator_is_out_of_reach_the_table_says_what_stands_in(tmp_path):
    text = STUDY.replace('["8", "20"]', '["1000"]').replace("0.05", "0.001") + "[precision]\ndigits = 8\n"
    study = study_of(text.replace("[simulate]\ndt = \"0.2\"\neta = \"0.04\"\nlevels = 3\n", ""), tmp_path)
    result = run(study)
    (row,) = named(checks(study, result, ()), "escape time", "slow-flow")
    assert row.passed and "stands in for the time integrator, not run" in row.reason and row.tolerance == "1e-07"
    cell = result.cells[0]
    off = replace(cell, slow_flow=replace(cell.slow_flow, value=cell.slow_flow.value.replace("1.7695", "1.7696")))
    assert not named(checks(study, replace(result, cells=(off,)), ()), "escape time", "slow-flow")[0].passed


def test_the_parametrised_flow_is_what_training_in_v_does(tmp_path):
    values = '["exp", "softplus", {a = "1", b = "1/2"}]'
    swept = STUDY.replace('"target.terms.1.lag" = ["8", "20"]', f'"start.parametrisation" = {values}')
    study = study_of(swept, tmp_path)
    result = run(study)
    rows = checks(study, result, simulate(result))
    assert len(named(rows, "escape time", "gradient descent")) == 3
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]


def test_a_minimum_satisfies_the_critical_point_conditions_and_a_point_beside_it_does_not(tmp_path):
    text = STUDY.replace('drop = "0.05"', 'drop = "0.4"').replace('["8", "20"]', '["12"]')
    study = study_of(text, tmp_path)
    result = run(study)
    (cell,) = result.cells
    assert cell.outcome == "stationary"
    assert named(checks(study, result, ()), "critical point, worst condition (M7)", "zero")[0].passed
    minimum = cell.escape.minimum
    moved = replace(minimum, rates=(str(float(minimum.rates[0]) * (1 + 1e-9)), minimum.rates[1]))
    beside = replace(result, cells=(changed(cell, escape=replace(cell.escape, minimum=moved)),))
    assert not named(checks(study, beside, ()), "critical point, worst condition (M7)", "zero")[0].passed


@pytest.mark.slow
def test_the_law_of_coincided_starts_is_compared_where_it_is_trusted():
    study = load("coincided")
    study = replace(study, cells=study.cells[1:3])  # L = 16, 20
    result = run(study)
    (row,) = named(checks(study, result, ()), "escape time", "M15")
    assert row.cell == "lag = 20" and row.passed
    wrong = Answer(str(float(result.cells[1].coincided.value) * 1.2), "estimated", 6)
    rows = checks(study, replace(result, cells=(changed(result.cells[1], coincided=wrong),)), ())
    assert not named(rows, "escape time", "M15")[0].passed


def test_dense_rows_can_fail(monkeypatch):
    study = load("dense")
    study = replace(study, cells=study.cells[:1])
    result = run(study)
    honest = verify.compare_dense.DenseLandscape.gain_and_gradient

    def wrong(surface, theta):
        gain, gradient = honest(surface, theta)
        return gain * (1 + 1e-9), gradient * (1 + 1e-4)

    monkeypatch.setattr(verify.compare_dense.DenseLandscape, "gain_and_gradient", wrong)
    assert [row.passed for row in checks(study, result, ())] == [False, False]


def test_jumps_off_the_grid_of_time_steps_are_not_simulated(tmp_path):
    text = STUDY.replace('{kind = "gaussian", lag = "8"}', '{kind = "box", lag = "8"}').replace('"20"', '"8.1"')
    simulations = simulate(run(study_of(text, tmp_path)))
    assert simulations[0].found is not None
    assert "at 81/10, off the grid of dt = 1/5; take a dt that divides it" in simulations[1].reason
