"""python -m benchmarks: escape times beside the peers, then training steps beside PyTorch and JAX, then the pages.

Finished measurements are kept in results/peers.json and not repeated while code, machine and limit stay the same;
--fresh begins anew, --readme rewrites the README's section too, --pages makes the pages from what is there.
"""

import argparse
import json
import subprocess
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.machine import description
from benchmarks.measure import Journal, measure_all
from benchmarks.pages import RESULTS, Table, figure, results_page, rewrite_readme
from benchmarks.peers import PEERS
from benchmarks.problems import pairs
from benchmarks.simulation import Rate, rates
from verify.picture import style


def main() -> None:
    """Measure what is missing, and write the pages."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("--limit", type=float, default=20.0, help="CPU seconds for one answer (20)")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--pages", action="store_true", help="measure nothing; make the pages of the last run")
    parser.add_argument("--readme", action="store_true", help="rewrite the README's section too")
    chosen = parser.parse_args()
    say = Console(highlight=False).print
    RESULTS.mkdir(exist_ok=True)
    told, trained = RESULTS / "peers.json", RESULTS / "simulation.json"
    if not chosen.pages:
        journal = Journal(told, {"limit": chosen.limit, "code": _code(), **description()}, chosen.fresh)
        measure_all(PEERS, pairs(), chosen.limit, journal, say)
        trained.write_text(json.dumps([asdict(rate) for rate in rates()], indent=1) + "\n", "utf-8")
    _write_pages(told, trained, chosen.readme)
    say(f"written: {RESULTS.name}/README.md, peers.svg" + (", and the README's section" if chosen.readme else ""))


def _write_pages(told: Path, trained: Path, readme: bool) -> None:
    run = json.loads(told.read_text("utf-8"))["run"]
    table = Table(Journal(told, run).rows, pairs())
    found = [Rate(**each) for each in json.loads(trained.read_text("utf-8"))]
    machine = {name: str(what) for name, what in run.items() if name != "limit"}
    (RESULTS / "README.md").write_text(results_page(table, found, machine, run["limit"]), "utf-8")
    with style():
        figure(table).savefig(RESULTS / "peers.svg", metadata={"Date": None})
    if readme:
        rewrite_readme(table)


def _code() -> str:
    """The commit that was measured, so that old numbers do not outlive the code; empty outside a checkout."""
    command = ["git", "log", "-1", "--format=%h", "--", "theory", "numerics", "benchmarks"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
