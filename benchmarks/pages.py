"""What people read of the measurements: results/README.md, results/peers.svg, and the README's section.

Two prices for an answer right to so many digits, each the cheapest of a peer's settings that is: `first`, with
derivation and compilation, and `again`, without (benchmarks/measure.py).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.aims import aims_table
from benchmarks.simulation import Rate
from benchmarks.table import Table, seconds
from verify.picture import style

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- made by python -m benchmarks --readme: begin -->", "<!-- end -->"
LEVELS = (8, 10, 20)
SHOWN = ("5", "10", "20", "30", "40", "100")  # memories in the README
MARKS = "osD^v<>Phd"
NAME_WIDTH = 0.36  # of a panel, at most


def results_page(table: Table, rates: Iterable[Rate], machine: dict[str, str], limit: float) -> str:
    """results/README.md."""
    lines = [
        "# memcurse beside its peers",
        "",
        "Made by `make bench`; edit nothing here. CPU seconds to the escape time of the pair (drop 0.05; 0.01 for",
        "L > 40), right to the digits asked: for each peer the cheapest of its settings that is. **Bold**: the best of",
        f"a column. `passed {limit:g} s`: no answer in that time. *n digits*: the most that any setting got. –: not",
        "tried, since the limit had come at a shorter memory. *first*: with derivation and compilation, in a fresh",
        "process, imports not counted. *again*: prepared already. memcurse integrates twice, to know its digits with",
        "no reference; peers integrate once. What SciPy's solvers need *first* is mostly SymPy's derivation of the",
        "gradient and the Jacobian: who types them saves that. *our form*: the cancellation-free equations and the",
        "clock of this project, in another's solver. Julia's solvers are missing: what could be installed would fetch",
        "Julia at run time. Networks of a given width beside model reduction: [reduction.md](reduction.md).",
        "",
        "![CPU seconds against memory](peers.svg)",
    ]
    for digits in LEVELS:
        for kind in ("first", "again"):
            lines += ["", f"## {digits} digits, {kind}", "", *table.markdown(digits, kind)]
    lines += ["", "## What was aimed at", "", *aims_table(table)]
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
        named: list[tuple[Axes, list[tuple[float, float, str]]]] = []
        for axes, digits in zip(drawn.subplots(1, 2, sharey=True), (10, 20), strict=True):
            ends: list[tuple[float, float, str]] = []
            for mark, peer in zip(MARKS, table.peers, strict=False):
                priced = [(float(pair.lag), table.price(peer, pair, digits, "again")) for pair in table.pairs]
                points = [(lag, price) for lag, price in priced if price is not None and digits in peer.wanted]
                if not points:
                    continue
                mine = peer == table.memcurse
                line = "-" if mine else ":" if peer.our_form else "--"
                look = {"color": "black", "linewidth": 2.4} if mine else {"color": "0.35", "linewidth": 1.2}
                axes.plot(*zip(*points, strict=True), line, marker=mark, markersize=5, **look)
                ends.append((*points[-1], peer.name))
            axes.set(xscale="log", yscale="log", xlabel="memory L", title=f"{digits} digits")
            lags = [float(pair.lag) for pair in table.pairs]
            axes.set_xticks(lags, [pair.lag for pair in table.pairs], fontsize=9)
            axes.minorticks_off()
            axes.set_xlim(lags[0] / 1.15, lags[-1] * 4)  # room for the names
            named.append((axes, ends))
        drawn.axes[0].set_ylabel("CPU seconds, compiled already")
        drawn.draw_without_rendering()  # fixes limits and sizes, which the names need
        for axes, ends in named:
            _name(axes, ends)
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
