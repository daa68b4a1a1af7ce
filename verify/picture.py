"""A picture: a figure, the table that it shows and the words for it, saved as files that other programs read.

Figures are made without pyplot and leave matplotlib's settings as they were; saved twice, they give the same bytes:
one style, one font, salted ids, no dates. Powers of ten are drawn as their exponents on a linear axis with decades as
labels, so 1e600000 is a number like any other.
"""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from verify.finding import decade

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same letters
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "memcurse",
    "pdf.compression": 6,
}
WIDE = 100.0  # times the smallest number on an axis that is linear in it
NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Picture:
    """A figure, the table that it shows, and what to say about it: caption below it, alt where it cannot be seen.

    rows: one list an entry of the table, its cells strings or numbers, in the order of `columns`.
    """

    name: str
    figure: Figure = field(repr=False)
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    caption: str
    alt: str

    def csv(self) -> str:
        """The table as text; an empty cell is a number that does not exist."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.columns, *(["" if x is None else x for x in row] for row in self.rows)])
        return text.getvalue()

    @cached_property
    def svg(self) -> str:
        """The figure as an SVG document."""
        text = StringIO()
        with style():
            self.figure.savefig(text, format="svg", metadata=NOTHING)
        return text.getvalue()

    def save(self, folder: Path) -> None:
        """Write NAME.svg, NAME.pdf and NAME.csv."""
        (folder / f"{self.name}.svg").write_text(self.svg, "utf-8")
        (folder / f"{self.name}.csv").write_text(self.csv(), "utf-8")
        with style():
            empty = dict.fromkeys(("CreationDate", "Creator", "Producer"))
            self.figure.savefig(folder / f"{self.name}.pdf", format="pdf", metadata=empty)


@contextmanager
def style() -> Iterator[None]:
    """matplotlib with the settings of every picture, and with the caller's own again afterwards."""
    with matplotlib.rc_context(STYLE):
        yield


def wide(values: Iterable[float]) -> bool:
    """Whether numbers of 1 and more are so far apart that a linear axis shows but the largest.

    >>> wide([8, 10, 40]), wide([20, 100, 10000])
    (False, True)
    """
    found = list(values)
    return bool(found) and max(found) >= WIDE * max(1.0, min(found))


def exponent_ticks(axis: Any) -> None:
    """10^n at the ticks n = 0, 1, 10, 100, ... of an axis that is logarithmic in n itself."""
    axis.set_major_formatter(FuncFormatter(lambda n, _: decade(n)))
    axis.set_minor_locator(NullLocator())


def decade_ticks(axis: Any, low: float, high: float) -> None:
    """Integers n at the ticks, labelled 10^n; minor ticks would be noise over so many decades."""
    axis.set_major_locator(MaxNLocator(nbins=min(9, max(2, ceil(high - low))), integer=True, min_n_ticks=1))
    axis.set_major_formatter(FuncFormatter(lambda n, _: decade(n)))
