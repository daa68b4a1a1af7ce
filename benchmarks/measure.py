"""Time to solution: every peer at every memory, each setting in a process of its own, the same for all.

first    CPU seconds of preparing (deriving, compiling) and solving once, in a process where nothing has been computed
again    CPU seconds of solving once more, prepared: the median of BLOCKS blocks of BLOCK seconds; of one where LONG
wall     wall seconds of the first, which tell how busy the machine was

Imports are not counted. A process that has used `limit` CPU seconds on its first solution is ended by the kernel (the
profiling timer), even inside compiled code. A peer's settings go from loose to tight until it has all the digits
wanted, or passes the limit; a peer that passes the limit without the fewest digits wanted is not tried at larger
memories. Digits are those shared with the reference value; a setting may have one by luck, and is given it.
"""

import json
import math
import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from benchmarks.peers import Peer, Solve
from benchmarks.problems import Pair

BLOCKS, BLOCK = 3, 0.1  # the clock of a process may tick in hundredths of a second
LONG = 0.5  # seconds from which on one block is enough
PATIENCE = 6  # wall seconds for each CPU second of the limit, for a process that sleeps


@dataclass(frozen=True)
class Measurement:
    """One peer, memory and setting. digits: right ones of tau, 0 where there is none; then `failure` says why."""

    peer: str
    lag: str
    setting: str
    tau: str | None
    digits: float
    first: float | None
    again: float | None
    wall: float | None
    failure: str | None = None

    def finished(self, digits: int) -> bool:
        """Whether tau is right to `digits` digits."""
        return self.digits >= digits


def measure(peer: Peer, pair: Pair, setting: str, limit: float) -> Measurement:
    """One setting in a process of its own."""
    receive, send = multiprocessing.Pipe(duplex=False)
    fork = multiprocessing.get_context("fork")  # imports are there, results of computations are not
    child = fork.Process(target=_in_child, args=(peer.prepare, pair, setting, limit, send))
    child.start()
    send.close()
    try:
        found = receive.recv() if receive.poll(PATIENCE * limit) else None
    except EOFError:
        found = None
    if found is None:
        child.kill()
    child.join()
    if found is None:
        ended = child.exitcode in (-signal.SIGPROF, -signal.SIGKILL)
        failure = f"passed {limit:g} s" if ended else f"its process ended with {child.exitcode}"
        return Measurement(peer.name, pair.lag, setting, None, 0.0, None, None, None, failure)
    tau, failure, first, again, wall = found
    digits = round(pair.digits_right(tau), 1) if tau else 0.0
    return Measurement(peer.name, pair.lag, setting, tau, digits, first, again, wall, failure)


def _in_child(
    prepare: Callable[[Pair, str], Solve], pair: Pair, setting: str, limit: float, send: Connection
) -> None:
    """Send (tau, failure, first, again, wall), or be ended by the timer."""
    warnings.simplefilter("ignore")  # a solver in trouble says so many times; what counts is how it ends
    signal.setitimer(signal.ITIMER_PROF, limit)
    began, wall = time.process_time(), time.perf_counter()
    tau = failure = again = None
    try:
        solve = prepare(pair, setting)
        tau = solve()
    except Exception as problem:  # a peer may fail in any way; that is a result
        failure = f"{type(problem).__name__}: {problem}"
    ended = time.process_time()
    first, wall = ended - began, time.perf_counter() - wall
    signal.setitimer(signal.ITIMER_PROF, 0)
    if tau is not None:
        again = median(_blocks(solve))
    send.send((tau, failure, first, again, wall))


def _blocks(solve: Solve) -> Iterator[float]:
    """CPU seconds of a solution, from blocks of them."""
    repeats = 1
    for _ in range(BLOCKS):
        while True:
            began = time.process_time()
            for _ in range(repeats):
                solve()
            spent = time.process_time() - began
            if spent >= BLOCK:
                yield spent / repeats
                if spent > LONG:
                    return
                break
            repeats = math.ceil(repeats * min(10.0, 1.5 * BLOCK / max(spent, 1e-3)))


class Journal:
    """The measurements of one run, in a file from the moment they are made, so that a run can be taken up again.

    key: what has to be the same for old measurements to stand; a file with another one is begun anew.
    """

    def __init__(self, path: Path, key: dict[str, object], fresh: bool = False) -> None:
        self.path, self.key = path, key
        self.rows: list[Measurement] = []
        if path.exists() and not fresh:
            stored = json.loads(path.read_text("utf-8"))
            if stored["run"] == key:
                self.rows = [Measurement(**row) for row in stored["measurements"]]

    def find(self, peer: Peer, pair: Pair, setting: str) -> Measurement | None:
        """The measurement, if it has been made."""
        wanted = (peer.name, pair.lag, setting)
        return next((row for row in self.rows if (row.peer, row.lag, row.setting) == wanted), None)

    def add(self, row: Measurement) -> None:
        """Keep one more, on disk at once."""
        self.rows.append(row)
        rows = ",\n".join(f"  {json.dumps(asdict(each))}" for each in self.rows)
        text = f'{{"run": {json.dumps(self.key, indent=1)},\n "measurements": [\n{rows}\n]}}\n'
        self.path.write_text(text, "utf-8")


def measure_all(
    peers: Sequence[Peer], pairs: Sequence[Pair], limit: float, journal: Journal, say: Callable[[str], None]
) -> None:
    """Fill the journal: every installed peer, its memories from short to long."""
    for peer in (each for each in peers if each.installed):
        import_module(peer.package)  # here, so that no child pays for it
        for pair in pairs:
            rows: list[Measurement] = []
            for setting in peer.settings:
                row = journal.find(peer, pair, setting)
                if row is None:
                    journal.add(row := measure(peer, pair, setting, limit))
                rows.append(row)
                if row.finished(max(peer.wanted)) or row.first is None:
                    break
            best = max(rows, key=lambda row: row.digits)
            spent = "" if best.again is None else f", {best.first:.3g} s, again {best.again:.3g} s"
            say(f"{peer.name:28} L = {pair.lag:>3}: {best.digits:4.1f} digits{spent}  {best.failure or ''}")
            if rows[-1].first is None and not best.finished(min(peer.wanted)):
                break
