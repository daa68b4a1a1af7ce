"""python -m benchmarks: escape times beside the peers, then training steps beside PyTorch and JAX, then the pages.

Finished measurements are kept in results/peers.json and not repeated while code, machine and limit stay the same;
--fresh begins anew, --readme rewrites the README's section too, --pages makes the pages from what is there.
"""

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.machine import code, description
from benchmarks.measure import Journal, measure_all
from benchmarks.pages import RESULTS, figure, results_page, rewrite_readme
from benchmarks.peers import PEERS
from benchmarks.problems import pairs
from benchmarks.simulation import Rate, rates
from benchmarks.table import Table
from verify.picture import style


def main() -> None:
    """Measure what is missing, and write the pages."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--limit", type=float, default=15.0, help="CPU seconds for one answer (15)")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--pages", action="store_true", help="measure nothing; make the pages of the last run")
    parser.add_argument("--readme", action="store_true", help="rewrite the README's section too")
    parser.add_argument("--peers", nargs="+", default=[peer.name for peer in PEERS], help="only these, by name")
    parser.add_argument("--lags", nargs="+", default=[pair.lag for pair in pairs()], help="only these memories")
    parser.add_argument("--seconds", type=float, default=1.0, help="of training, each way (1)")
    parser.add_argument("--into", type=Path, default=RESULTS, help="folder for the results (benchmarks/results)")
    chosen = parser.parse_args()
    say = partial(Console(highlight=False).print, soft_wrap=True)
    peers = [peer for peer in PEERS if peer.name in chosen.peers]
    cases = [pair for pair in pairs() if pair.lag in chosen.lags]
    told, trained = chosen.into / "peers.json", chosen.into / "simulation.json"
    chosen.into.mkdir(exist_ok=True)
    if not chosen.pages:
        journal = Journal(told, {"limit": chosen.limit, "code": code(), **description()}, chosen.fresh)
        measure_all(peers, cases, chosen.limit, journal, say)
        trained.write_text(json.dumps([asdict(rate) for rate in rates(chosen.seconds)], indent=1) + "\n", "utf-8")

    run = json.loads(told.read_text("utf-8"))["run"]
    table = Table(Journal(told, run).rows, cases, peers)
    found = [Rate(**each) for each in json.loads(trained.read_text("utf-8"))]
    machine = {name: str(what) for name, what in run.items() if name != "limit"}
    (chosen.into / "README.md").write_text(results_page(table, found, machine, run["limit"]), "utf-8")
    with style():
        figure(table).savefig(chosen.into / "peers.svg", metadata={"Date": None})
    if chosen.readme:
        rewrite_readme(table)
    say(f"written: README.md and peers.svg in {chosen.into.name}" + (", the README's section" if chosen.readme else ""))


if __name__ == "__main__":
    main()
