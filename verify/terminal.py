"""What a person sees: tables on stdout and progress bars on stderr; rich on a terminal, plain columns elsewhere."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import MAX_EMAX, MIN_EMIN, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Overflow
from typing import Any

Progress = Callable[..., None]


ROOM = 140  # characters of a terminal that a column of sentences needs


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], sentences: int = 0) -> None:
    """Print a table; None shows as a dash. The last `sentences` columns are left out on a terminal without room."""
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        if Console().width < ROOM:
            kept = len(columns) - sentences
            columns, cells = columns[:kept], [row[:kept] for row in cells]
        shown = Table(title=title, title_justify="left")
        for column in columns:
            shown.add_column(column, overflow="fold")
        for row in cells:
            shown.add_row(*map(Text, row))
        Console().print(shown)
        return
    lines = [list(columns), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for row in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def stacked(name: str, value: str | None) -> str:
    """A name and its value in one cell of a table: one above the other on a terminal, elsewhere on one line."""
    return f"{name}{chr(10) if sys.stdout.isatty() else ': '}{value}"


def short(value: str | None, digits: int = 6, down: bool = False) -> str | None:
    """A decimal string to fewer digits; rounded down where it is a lower bound.

    >>> short("192126.77014350070064"), short("36.99999", 3, down=True)
    ('192127', '36.9')
    """
    rounding = ROUND_FLOOR if down else ROUND_HALF_EVEN
    context = Context(digits, rounding, MIN_EMIN, MAX_EMAX)  # tau ~ 10^(10^6) is a number like any other
    try:
        return None if value is None else str(context.create_decimal(value))
    except Overflow:  # an exponent of twenty digits and more: no rounding but towards zero
        mantissa, _, exponent = str(value).partition("e")
        return f"{mantissa[: digits + 1]}E{exponent}"


@contextmanager
def progress(title: str, wanted: bool) -> Iterator[Progress | None]:
    """A callback (done, total, ...) that moves a bar, if wanted and stderr is a terminal; else None."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total, *_: bars.update(task, completed=done, total=total)


@contextmanager
def status(wanted: bool) -> Iterator[Callable[[str], None] | None]:
    """A callback that says what is being done, if wanted and stderr is a terminal; else None."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Report") as line:
        yield lambda part: line.update(f"Report: {part}")
