"""The measurements of one run, and the questions asked of them: prices, how far a peer came, Markdown.

A price is the CPU seconds of the cheapest of a peer's settings that is right to the digits asked: `first` with
derivation and compilation, `again` without (benchmarks/measure.py).
"""

from collections.abc import Iterator, Sequence

from benchmarks.measure import Measurement
from benchmarks.peers import PEERS, Peer
from benchmarks.problems import Pair


class Table:
    """The measurements of one run, and the questions asked of them. peers: those of the run, in order."""

    def __init__(self, rows: Sequence[Measurement], pairs: Sequence[Pair], peers: Sequence[Peer] = PEERS) -> None:
        self.rows, self.pairs, self.peers = rows, pairs, peers
        self.memcurse = next(peer for peer in PEERS if peer.package == "numerics")
        self.others = [peer for peer in peers if peer != self.memcurse]

    def of(self, peer: Peer, pair: Pair) -> list[Measurement]:
        """All settings of a peer at a memory."""
        return [row for row in self.rows if (row.peer, row.lag) == (peer.name, pair.lag)]

    def price(self, peer: Peer, pair: Pair, digits: int, kind: str) -> float | None:
        """The least `first` or `again` with `digits` right digits; None where there is none."""
        right = [getattr(row, kind) for row in self.of(peer, pair) if row.finished(digits)]
        return min(right, default=None)

    def cell(self, peer: Peer, pair: Pair, digits: int, kind: str, best: float | None) -> str:
        """The price, in bold if it is the best; otherwise how far the peer came."""
        if not peer.installed and not self.of(peer, pair):
            return "not installed"
        rows = self.of(peer, pair)
        price = self.price(peer, pair, digits, kind)
        if price is not None:
            return f"**{seconds(price)}**" if price == best else seconds(price)
        if not rows:
            return "–"
        reached = max(row.digits for row in rows)
        passed = next((row.failure for row in rows if row.first is None), None)
        return f"{int(reached)} digits" if reached >= 1 else passed or "fails"

    def markdown(self, digits: int, kind: str) -> Iterator[str]:
        """A row a peer, a column a memory."""
        peers = [peer for peer in self.peers if digits in peer.wanted]
        prices = {pair: [self.price(peer, pair, digits, kind) for peer in peers] for pair in self.pairs}
        best = {pair: min((price for price in of if price is not None), default=None) for pair, of in prices.items()}
        yield f"| | {' | '.join(f'L = {pair.lag}' for pair in self.pairs)} |"
        yield f"| --- |{' ---: |' * len(self.pairs)}"
        for peer in peers:
            cells = (self.cell(peer, pair, digits, kind, best[pair]) for pair in self.pairs)
            yield f"| {peer.name} | {' | '.join(cells)} |"


def seconds(value: float) -> str:
    """Two significant digits, from 10 on whole seconds."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
