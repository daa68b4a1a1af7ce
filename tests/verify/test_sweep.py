"""Sweeps: the same cells whoever computes them, in order, and a cell that fails does not take the others with it."""

import json
import os
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import verify.cell
from studies import LAG, pair_study
from verify import sampling, sweep
from verify.study import load

COSTS = ("seconds", "setup_seconds")


@pytest.fixture
def study(tmp_path):
    def written(lags, more=""):
        path = tmp_path / "mine.toml"
        path.write_text(pair_study({LAG: lags}, digits=10) + more, "utf-8")
        return load(path)

    return written


def without_costs(result):
    document = result.as_dict()
    for cell in document["cells"]:
        for name in COSTS:
            cell.pop(name, None)
    return document


def test_who_computes_changes_nothing(study):
    """Escaped and stationary cells cross the border of a process."""
    cells = study(["60", "12", "8"])
    seen = []
    serial = sweep.run(cells, progress=lambda done, total, cell: seen.append((done, total, cell.parameters)))
    assert [total for _, total, _ in seen] == [3, 3, 3] and [done for done, _, _ in seen] == [1, 2, 3]
    assert [cell.outcome for cell in serial.cells] == ["stationary", "escaped", "escaped"]
    for executor in (ThreadPoolExecutor(1), ProcessPoolExecutor(1, mp_context=get_context("spawn"))):
        with executor:
            assert without_costs(sweep.run(cells, executor=executor)) == without_costs(serial)


def test_json_has_the_names_that_were_agreed(study):
    document = json.loads(json.dumps(sweep.run(study(["8", "60"]), digits=12).as_dict(), allow_nan=False))
    assert set(document) == {"cells", "law", "provenance"}
    assert {"slope", "local_slopes", "two_w0"} <= set(document["law"])
    assert {"version", "python", "libraries", "study", "digits"} <= set(document["provenance"])
    assert document["provenance"]["digits"] == 12 and document["provenance"]["study"] == "mine"
    agreed = {"parameters", "outcome", "reason", "escape_time", "digits", "guarantee", "arithmetic", "slow_flow",
              "leading_order", "lower_bound", "steps", "seconds"}  # fmt: skip
    escaped, stationary = document["cells"]
    assert agreed <= set(escaped) and agreed <= set(stationary)
    assert escaped["parameters"] == {"target.terms.1.lag": "8"}
    assert escaped["escape_time"] == "15.0258997759" and escaped["digits"] == 12
    assert stationary["escape_time"] is None and stationary["digits"] is None and stationary["reason"]
    for cell in (escaped, stationary):
        for name in ("slow_flow", "leading_order", "lower_bound"):
            assert (cell[name] is None) == (name in cell["reasons"])
            assert (cell[name] is None) != (name in cell["guarantees"])


@pytest.mark.parametrize(("paths", "name"), [
    ((), "the cell"),
    (("escape.drop",), "drop = 8"),
    (("start.rates.1",), "rates.1 = 8"),
    (("target.terms.1.lag", "start.amplitudes.10"), "lag = 8, amplitudes.10 = 8"),
])
def test_a_cell_is_named_by_what_is_swept(paths, name):
    assert sweep.label(dict.fromkeys(paths, "8")) == name


def test_a_cell_that_raises_is_recorded_and_the_rest_goes_on(study, monkeypatch):
    honest = verify.cell.escape_time

    def broken(problem, **options):
        if problem.target.terms[1].lag == 10:
            raise RuntimeError("out of luck")
        return honest(problem, **options)

    monkeypatch.setattr(verify.cell, "escape_time", broken)
    result = sweep.run(study(["8", "10", "12"]))
    assert [cell.outcome for cell in result.cells] == ["escaped", "failed", "escaped"]
    failed = result.as_dict()["cells"][1]
    assert failed["error"] == failed["reason"] == "RuntimeError: out of luck" and failed["escape_time"] is None
    assert result.shortcomings == ("lag = 10 failed: RuntimeError: out of luck",)
    assert len(result.law.memories) == 2  # those that escaped


class Lossy(ThreadPoolExecutor):
    """An executor whose workers die."""

    def submit(self, *_, **__):
        future = Future()
        future.set_exception(MemoryError("the worker is gone"))
        return future


def test_a_lost_worker_fails_its_cells(study):
    result = sweep.run(study(["8"]), executor=Lossy())
    assert result.cells[0].outcome == "failed" and "the worker is gone" in result.cells[0].error


def test_a_pool_that_breaks_fails_what_is_left_and_not_the_sweep(study, monkeypatch):
    """Cells are handed out one at a time here, so the second is submitted to a pool that is gone."""
    monkeypatch.setattr(sweep, "WINDOW", 1)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(os._exit, 1)
        result = sweep.run(study(["8", "9"]), executor=pool)
    assert ["the worker was lost: BrokenProcessPool" in cell.error for cell in result.cells] == [True, True]
    assert not any(cell.final for cell in result.cells)


def test_cells_are_handed_out_a_window_at_a_time(study, monkeypatch):
    """And a KeyboardInterrupt takes back those that have not begun."""
    given = []

    class Lazy(ThreadPoolExecutor):
        def submit(self, *arguments):
            given.append(super().submit(*arguments) if not given else Future())
            return given[-1]

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "WINDOW", 3)
    with Lazy(1) as executor, pytest.raises(KeyboardInterrupt):
        sweep.run(study([str(lag) for lag in range(8, 20)]), executor=executor, progress=interrupt)
    assert len(given) == 3 and all(future.cancelled() for future in given[1:])


def test_no_more_than_a_window_is_under_way(study, monkeypatch):
    given, most = [], []

    class Counting(ThreadPoolExecutor):
        def submit(self, *arguments):
            given.append(super().submit(*arguments))
            most.append(len(given) - len(returned))
            return given[-1]

    returned = []
    monkeypatch.setattr(sweep, "WINDOW", 2)
    monkeypatch.setattr(sweep, "compute_there", lambda cell, *_: sweep.CellResult(cell.parameters, cell.problem))
    with Counting(1) as executor:
        sweep.run(study(["8", "9", "10", "11"]), executor=executor, progress=lambda *cell: returned.append(cell))
    assert len(given) == 4 and max(most) == 2


def test_a_worker_with_other_sources_ends_the_sweep(study, monkeypatch):
    """The worker is a process that was started before the sources changed here."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(int).result()
        ours = dict(sweep.basis()) | {"sources": "0" * 64, "sympy": "0.7"}
        monkeypatch.setattr(sweep, "basis", lambda: ours)
        with pytest.raises(sweep.OtherSources, match=r"^sources [0-9a-f]{64} there, 0{64} here, sympy .* there, 0.7"):
            sweep.run(study(["8"]), executor=pool)


def test_fewer_digits_than_asked_is_a_shortcoming(study):
    result = sweep.run(study(["8"]))
    short = sweep.StudyResult(result.study, 15, result.cells, result.law)
    assert result.shortcomings == () and short.shortcomings == ("lag = 8 has 10 digits, 15 were asked",)


def test_limits_of_the_study_are_kept(tmp_path):
    path = tmp_path / "limited.toml"
    text = pair_study({LAG: ["60"]}, digits=10)
    path.write_text(text.replace('drop = "0.05"', 'drop = "0.05"\nmax_steps = 20'), "utf-8")
    (cell,) = sweep.run(load(path)).cells
    assert cell.outcome == "stopped" and "max_steps" in cell.as_dict()["reason"]


@pytest.mark.parametrize(("lags", "more", "reason"), [
    (["8", "8"], "", "must be > memory"),
    (["8", "10"], '"start.rates.1" = ["0.7"]\n', "exactly one lag; swept: target.terms.1.lag, start.rates.1"),
])
def test_no_law_without_one_lag(study, lags, more, reason):
    law = sweep.run(study(lags, more), digits=5).as_dict()["law"]
    assert law["slope"] is None and law["local_slopes"] is None and law["two_w0"] is None
    assert reason in law["reason"]


def test_law_of_lags_in_any_order(study):
    up, down = (sweep.run(study(lags)).as_dict()["law"] for lags in (["12", "16", "20"], ["20", "12", "16"]))
    assert up == down and len(up["local_slopes"]) == 2 and float(up["two_w0"]) == 1.4


SIMULATE = '[simulate]\ndt = "0.2"\neta = "0.08"\nlevels = 2\n'


def test_only_affordable_cells_are_trained(study):
    cells = study(["8", "30", "60"], SIMULATE)
    calls = []
    first, *others = sampling.simulate(sweep.run(cells, digits=6), progress=lambda *counts: calls.append(counts))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert first.found.escape_time == pytest.approx(15.0259, rel=1e-3) and first.reason is None  # raw: 1.5e-2
    assert len(first.runs) == 4 and first.as_dict()["guarantee"] == "estimated"
    assert [each.found for each in others] == [None, None]
    assert "gradient steps" in others[0].reason and "no escape time" in others[1].reason
    json.dumps([each.as_dict() for each in (first, *others)], allow_nan=False)


def test_noise_is_one_run(study):
    (only,) = sampling.simulate(sweep.run(study(["8"], SIMULATE + 'mode = "online"\nseed = 1\n'), digits=6))
    assert len(only.runs) == 1 and only.as_dict()["guarantee"] == "sampled"
    assert only.found.mode == "online"


def test_budget_counts_the_steps_that_are_taken(study):
    """Escapes are near step tau / eta, and the crossing needs a few more; a missing level would be off by 2."""
    cells = study(["8"], SIMULATE)
    (simulated,) = sampling.simulate(sweep.run(cells, digits=6))
    steps = sum(run.steps for run in simulated.runs)
    assert steps == pytest.approx(sampling.gradient_steps(cells.simulate, 15.0259), rel=0.05)


def test_the_target_is_sampled_as_defined(study):
    times = np.linspace(0, 25, 11)
    rho = sampling.Sampled(study(["8"]).cells[0].problem.target)(times)
    assert rho == pytest.approx(np.exp(-times) + np.exp(-((times - 8) ** 2) / 2), rel=1e-14)


def test_default_length_is_the_lag_and_15(study):
    cells = study(["8"], SIMULATE)
    assert sampling.length(cells.cells[0].problem, cells.simulate) == 23


def test_theory_says_nothing_of_a_drop_that_is_never_reached(tmp_path):
    path = tmp_path / "far.toml"
    path.write_text(pair_study({LAG: ["10"]}, digits=10).replace('drop = "0.05"', 'drop = "50"'), "utf-8")
    (cell,) = sweep.run(load(path)).cells
    answers = [getattr(cell, name) for name in verify.cell.LAWS]
    assert cell.outcome == "unreachable" and len(answers) == 4
    assert all(answer.value is None and "no network can reach it" in answer.reason for answer in answers)
