"""What people read of the measurements: results/README.md, results/peers.svg, and the README's section.

Two prices for an answer right to so many digits, each the cheapest of a peer's settings that is: `first`, with
derivation and compilation, and `again`, without (benchmarks/measure.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.measure import Measurement
from benchmarks.peers import PEERS, Peer
from benchmarks.problems import Pair
from benchmarks.simulation import Rate
from verify.picture import style

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- made by python -m benchmarks --readme: begin -->", "<!-- end -->"
OURS = "memcurse"
LEVELS = (8, 10, 20)
SHOWN = ("5", "10", "20", "30", "40", "100")  # memories in the README
MARKS = "osD^v<>Phd"
NAME_WIDTH = 0.36  # of a panel, at most


class Table:
    """The measurements of one run, and the questions asked of them. peers: those of the run, in order."""

    def __init__(self, rows: Sequence[Measurement], pairs: Sequence[Pair], peers: Sequence[Peer] = PEERS) -> None:
        self.rows, self.pairs, self.peers = rows, pairs, peers

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
        return f"{reached:.0f} digits" if reached >= 1 else passed or "fails"

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
    """Two significant digits, positional."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def results_page(table: Table, rates: Iterable[Rate], machine: dict[str, str], limit: float) -> str:
    """results/README.md."""
    lines = [
        "# memcurse beside its peers",
        "",
        "Made by `make bench`; edit nothing here. CPU seconds to the escape time of the pair (drop 0.05; 0.01 for",
        "L > 40), right to the digits asked: for each peer the cheapest of its settings that is. **Bold**: the best of a",
        f"column. `passed {limit:g} s`: no answer in that time. *n digits*: the most that any setting got. –: not tried,",
        "since the limit had come at a shorter memory. *first*: with derivation and compilation, in a fresh process,",
        "imports not counted. *again*: prepared already. memcurse integrates twice, to know its digits without a",
        "reference; peers integrate once. *our form*: the cancellation-free equations and the clock of this project, in",
        "another's solver. Julia's solvers are missing: what can be installed here would fetch Julia at run time.",
        "",
        "![CPU seconds against memory](peers.svg)",
    ]
    for digits in LEVELS:
        for kind in ("first", "again"):
            lines += ["", f"## {digits} digits, {kind}", "", *table.markdown(digits, kind)]
    lines += ["", "## Gradient descent, steps per CPU second", "", *simulation_table(rates)]
    lines += ["", "## Machine", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {what} |" for name, what in machine.items()]
    return "\n".join(lines) + "\n"


def simulation_table(rates: Iterable[Rate]) -> Iterator[str]:
    """The network really trained, one core each."""
    yield "The pair at L = 20, dt = 0.1, 350 time steps, float64; same loss and same weights after 20 steps, to 1e-10."
    yield ""
    yield "| | steps per second | set-up, seconds |"
    yield "| --- | ---: | ---: |"
    for rate in rates:
        speed = rate.note if rate.steps_per_second is None else f"{rate.steps_per_second:,.0f}"
        yield f"| {rate.name} | {speed} | {'' if rate.setup is None else seconds(rate.setup)} |"


def readme_section(table: Table) -> str:
    """The essence: 10 and 20 digits, with and without compilation."""
    chosen = [pair for pair in table.pairs if pair.lag in SHOWN]
    short = Table(table.rows, chosen, table.peers)
    lines = ["CPU seconds for 10 right digits, derivation and compilation included:", "", *short.markdown(10, "first")]
    lines += ["", "The same, derived and compiled already:", "", *short.markdown(10, "again")]
    lines += ["", "20 right digits, derived and compiled already:", "", *short.markdown(20, "again")]
    return "\n".join(lines)


def rewrite_readme(table: Table, readme: Path = README) -> None:
    """Put the section between its marks."""
    before, rest = readme.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n\n{readme_section(table)}\n\n{END}{after}", "utf-8")


def figure(table: Table) -> Figure:
    """Seconds of `again` against memory on log axes, for 10 and 20 digits; black and white, named at the line ends."""
    with style():
        drawn = Figure(figsize=(11, 5), layout="constrained")
        for axes, digits in zip(drawn.subplots(1, 2, sharey=True), (10, 20), strict=True):
            ends: list[tuple[float, float, str]] = []
            for mark, peer in zip(MARKS, table.peers, strict=False):
                priced = [(float(pair.lag), table.price(peer, pair, digits, "again")) for pair in table.pairs]
                points = [(lag, price) for lag, price in priced if price is not None and digits in peer.wanted]
                if not points:
                    continue
                mine = peer.name == OURS
                line = "-" if mine else ":" if "our form" in peer.name else "--"
                look = {"color": "black", "linewidth": 2.4} if mine else {"color": "0.35", "linewidth": 1.2}
                axes.plot(*zip(*points, strict=True), line, marker=mark, markersize=5, **look)
                ends.append((*points[-1], peer.name))
            axes.set(xscale="log", yscale="log", xlabel="memory L", title=f"{digits} digits")
            lags = [float(pair.lag) for pair in table.pairs]
            axes.set_xticks(lags, [pair.lag for pair in table.pairs], fontsize=9)
            axes.minorticks_off()
            axes.set_xlim(lags[0] / 1.15, lags[-1] * 4)  # room for the names
            _name(axes, ends)
        drawn.axes[0].set_ylabel("CPU seconds, compiled already")
    return drawn


def _name(axes: Axes, ends: list[tuple[float, float, str]]) -> None:
    """Names right of the line ends, pushed up where they would touch one below."""
    height = 11 / (axes.get_window_extent().height * 72 / axes.figure.dpi)  # of a line of 8 points, in the axes
    placed: list[tuple[float, float]] = []
    for x, y, text in sorted(ends, key=lambda end: end[1]):
        right, up = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
        level = up
        for other, taken in sorted(placed, key=lambda spot: spot[1]):
            if abs(other - right) < NAME_WIDTH and abs(taken - level) < height:
                level = taken + height
        placed.append((right, level))
        axes.annotate(text, (x, y), (right + 0.015, level), textcoords="axes fraction", va="center", fontsize=8)
