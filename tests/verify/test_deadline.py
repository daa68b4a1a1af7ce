"""Deadlines: what does not look at the clock ends near them all the same, in any thread, and nothing is left behind."""

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

import verify.cell
from numerics.run import Outcome
from verify.cell import compute
from verify.deadline import TimeIsUp, deadline
from verify.study import Limits, load


def forever():
    """What no `except Exception` on the way ends."""
    while True:
        try:
            sum(range(1000))
        except Exception:
            pytest.fail("TimeIsUp must be no Exception")


@pytest.mark.parametrize("run", [lambda call: call(), lambda call: ThreadPoolExecutor(1).submit(call).result()])
def test_a_deadline_ends_what_never_ends(run):
    def call():
        with pytest.raises(TimeIsUp), deadline(time.perf_counter() + 0.05):
            forever()

    run(call)


def test_a_deadline_that_is_kept_leaves_nothing_behind():
    before = threading.active_count()
    for _ in range(200):
        with suppress(TimeIsUp), deadline(time.perf_counter() + 1e-4):  # some end just before it, some just after
            pass
        sum(range(100))  # where nothing may be raised any more
    assert threading.active_count() == before
    for moment in (math.inf, 1e18):  # a timer takes neither
        with deadline(moment):
            assert threading.active_count() == before
    begun = []
    with pytest.raises(TimeIsUp), deadline(time.perf_counter()):
        begun.append("it was over before that")
    assert not begun


def slow(*_, **__):
    forever()


PAIR = load("pair").cells[1]
BRIEF = Limits(max_seconds=0.3)


def test_a_formula_over_the_limit_leaves_its_reason_and_the_escape_time(monkeypatch):
    """One that is slow takes the time of those after it."""
    escape = compute(PAIR, 6, Limits()).escape
    monkeypatch.setattr(verify.cell, "escape_time", lambda *_, **__: escape)
    monkeypatch.setattr(verify.cell, "coincided_escape_time", slow)
    monkeypatch.setattr(verify.cell, "GRACE", (0.1, 0.1))
    result = compute(PAIR, 6, BRIEF)
    assert result.outcome == "escaped" and result.escape is escape and result.final is False
    reasons = result.as_dict()["reasons"]
    assert reasons["coincided"] == reasons["lower_bound"] == "max_seconds = 0.3 came first"


def test_a_set_up_over_the_limit_fails_the_cell(monkeypatch):
    monkeypatch.setattr(verify.cell, "GRACE", (0.1, 0.1))
    monkeypatch.setattr(verify.cell, "escape_time", slow)
    result = compute(PAIR, 6, BRIEF)
    assert (result.outcome, result.final) == ("failed", False)
    assert result.error == "TimeIsUp: max_seconds = 0.3 came first, before the integration could end by itself"
    assert BRIEF.max_seconds < result.seconds < 60


def test_an_integration_over_the_limit_ends_by_itself_and_is_not_final(monkeypatch):
    monkeypatch.setattr(verify.cell, "GRACE", (100.0, 0.1))
    result = compute(load("pair").cells[-1], 150, Limits(max_seconds=0.5))
    assert result.escape.outcome is Outcome.stopped and "max_seconds" in result.escape.reason
    assert result.final is False and compute(PAIR, 6, Limits(max_seconds=500.0)).final is True


def test_limits_that_are_no_matter_of_time_are_final():
    result = compute(PAIR, 6, Limits(max_steps=2))
    assert result.escape.outcome is Outcome.stopped and result.final is True


def test_threads_take_turns(monkeypatch):
    """Arb's precision belongs to the process: two cells at a time would each change the other's."""
    inside, most = [], []
    honest = verify.cell.escape_time

    def watched(problem, **options):
        inside.append(1)
        most.append(len(inside))
        found = honest(problem, **options)
        inside.pop()
        return found

    monkeypatch.setattr(verify.cell, "escape_time", watched)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda digits: compute(PAIR, digits, Limits()), (15, 30, 15)))
    assert most == [1, 1, 1] and results[0].escape.tau == results[2].escape.tau == "42.5955386593801"
    assert results[1].escape.digits == 30
