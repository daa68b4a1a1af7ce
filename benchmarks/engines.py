"""What the two engines behind escape_time() cost as the memory grows: the time integrator and the slow rate as clock.

python -m benchmarks.engines measures escape_time of the pair at L = 10 ... 1 000 000, with 12 and with 30 digits, by
each engine: seconds of this process's CPU for a call on a problem that is derived and compiled, all runs of it, and
accepted steps of the finer run. The time integrator's cost grows like L; it stops at the first memory that took it more
than LIMIT seconds. Where a plateau is too short the slow rate is no clock, and the entry says so. The drop falls like
1/L, since what one spare unit can gain does.

Prints a table and writes benchmarks/results/engines.csv and engines.svg. An entry already in the file is not measured
again while code and machine stay the same, so that an interrupted run goes on; --fresh starts anew. One core: run with
OPENBLAS_NUM_THREADS=1.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.machine import code, in_a_line
from numerics.escape import escape_time
from numerics.slow_rate import NoSlowRate
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.picture import style

MEMORIES = (10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000, 1_000_000)
DIGITS = (12, 30)
ENGINES = ("time", "slow")
LIMIT = 10.0  # seconds of one time integration beyond which longer memories are left to the other engine
RESULTS = Path(__file__).parent / "results"
COLUMNS = ("memory", "digits", "engine", "seconds", "steps", "log10_tau", "remark", "code", "machine")
Entry = dict[str, str]


def pair(memory: int) -> Problem:
    """The pair problem; its drop is one that a spare unit reaches."""
    target = Target((Exponential(), Gaussian(lag=memory)))
    drop = "0.05" if memory <= 20 else f"1/{memory}"
    return Problem(target, LinearRNN.of(["1", "0"], ["1", "0.7"]), drop)


def measured(memory: int, digits: int, engine: Any) -> Entry:
    """One entry: the second of two runs, so that derivation and compilation are not counted."""
    entry: Entry = {"memory": str(memory), "digits": str(digits), "engine": engine}
    problem = pair(memory)
    try:
        escape_time(problem, digits=5, engine=engine)
    except NoSlowRate as reason:
        return entry | {"remark": str(reason)}
    began = time.process_time()
    found = escape_time(problem, digits=digits, engine=engine)
    seconds = time.process_time() - began
    remark = "" if found.digits == digits else f"{found.outcome.name}, {found.digits} digits"
    numbers = {"seconds": f"{seconds:.3f}", "steps": str(found.steps), "log10_tau": found.log10_tau or ""}
    return entry | numbers | {"remark": remark}


def entries(known: list[Entry], made_by: Entry) -> Iterator[Entry]:
    """All entries in order, those known as they are, the others measured as they are asked for.

    made_by: the code and the machine, as every entry names them.
    """
    done = {(entry["memory"], entry["digits"], entry["engine"]): entry for entry in known}
    for engine in ENGINES:
        for digits in DIGITS:
            for memory in MEMORIES:
                asked = str(memory), str(digits), engine
                entry = done.get(asked) or measured(memory, digits, engine) | made_by
                yield entry
                if engine == "time" and float(entry.get("seconds") or 0) > LIMIT:
                    break


def picture(found: list[Entry]) -> Figure:
    """Seconds and steps against the memory, both axes logarithmic."""
    with style():
        figure = Figure(figsize=(8, 6.4), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True)
        for engine, colour, name in (("time", "#d55e00", "time integrator"), ("slow", "#0072b2", "slow rate as clock")):
            for digits, line in zip(DIGITS, ("o-", "s--"), strict=True):
                shown = [each for each in found if each["engine"] == engine and each["digits"] == str(digits)]
                memories = [float(each["memory"]) for each in shown]
                for axes, column in ((top, "seconds"), (bottom, "steps")):
                    values = [float(each[column]) for each in shown]
                    axes.loglog(memories, values, line, color=colour, label=f"{name}, {digits} digits", markersize=5)
        top.set_ylabel("seconds (CPU, one core)")
        bottom.set_ylabel("accepted steps")
        bottom.set_xlabel("memory L of the target")
        top.set_title(found[0]["machine"], fontsize=9)
        top.legend(fontsize=9)
        for axes in (top, bottom):
            axes.grid(color="#e4e4e4", linewidth=0.6)
    return figure


def main(arguments: list[str] | None = None) -> None:
    """Measure what is missing, print the table, write the files."""
    parser = argparse.ArgumentParser(description="seconds and steps of both engines against the memory")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    fresh = parser.parse_args(arguments).fresh
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "engines.csv"
    made_by = {"code": code(), "machine": in_a_line()}
    known: list[Entry] = []
    if file.exists() and not fresh:
        with file.open(encoding="utf-8", newline="") as stream:
            known = [row for row in csv.DictReader(stream) if row | made_by == row]
    found = []
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for entry in entries(known, made_by):
            found.append(entry)
            writer.writerow(entry)
            stream.flush()
    with style():
        picture(found).savefig(RESULTS / "engines.svg", metadata={"Date": None})
    table = Table("L", "digits", "engine", "seconds", "steps", "log10 tau", "", title=made_by["machine"])
    for entry in found:
        table.add_row(*(entry.get(column, "") for column in COLUMNS[:-2]))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
