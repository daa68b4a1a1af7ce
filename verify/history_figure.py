"""The figure of one trajectory followed to its end: its loss and its rates, every plateau shaded and numbered."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from numerics.plateaus import History
from verify.figures import BLUE, GREY
from verify.finding import log10, shown
from verify.histories import StudyHistories
from verify.picture import Picture, decade_ticks, style
from verify.sweep import label

EARLIEST = -2.0  # log10 of the first time drawn
CHARACTER = 0.009  # of the width of the axes


def history_pictures(found: StudyHistories) -> list[Picture]:
    """A picture for every cell that has a course: history, or history-1, history-2, ... in the order of the cells."""
    cells = [(i, cell) for i, cell in enumerate(found.cells, 1) if cell.history and cell.history.course]
    alone = len(found.cells) == 1
    return [
        history_picture(cell.history, "history" if alone else f"history-{i}", "" if alone else label(cell.parameters))
        for i, cell in cells
        if cell.history
    ]


def history_picture(history: History, name: str = "history", cell: str = "") -> Picture:
    """Loss and rates against gradient-flow time; history has a course. cell: what the caption calls it, if anything."""
    course = history.course
    assert course is not None  # there is none only where nothing was integrated
    initial = float(history.initial_loss)
    tau, loss = course.log10_tau, initial - course.drop
    with style():
        figure = Figure(figsize=(8, 6), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True)
        top.plot(tau, loss / initial, color=BLUE)
        width = course.rates.shape[1]
        shades = matplotlib.colormaps["cividis"](np.linspace(0.05, 0.85, max(width, 2)))
        for unit in range(width):
            bottom.plot(tau, course.rates[:, unit], color=shades[unit], label=f"unit {unit}")
        left, right = max(EARLIEST, tau[0]), tau[-1]
        top.set_xlim(left, right)
        _shade(top, bottom, history)
        top.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.4g} %"))
        top.set_ylabel("loss J / J(0)")
        bottom.set_yscale("log")
        bottom.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.3g}"))
        bottom.yaxis.set_minor_formatter(NullFormatter())
        decade_ticks(bottom.xaxis, left, right)
        bottom.set_xlabel("gradient-flow time τ = learning rate × steps")
        bottom.set_ylabel("rates w (1 / time)")
        bottom.legend(loc="best", fontsize=9, ncols=1 + (width > 4) + (width > 10))
    rows = tuple(zip(*((f"{x:.9g}" for x in column) for column in (tau, loss, *course.rates.T)), strict=True))
    columns = ("log10_tau", "loss", *(f"rate {unit}" for unit in range(width)))
    said = [_said(history, i) for i in range(len(history.plateaus))]
    caption = (
        f"One trajectory{f' ({cell})' if cell else ''} to its end: {history.reason}. Shaded: where the loss stays "
        f"within {history.delta} of a level at which it falls {history.prominence} times as slowly as before and "
        f"after; numbered where a plateau ends, with the unit that leaves it. {' '.join(said)}"
    ).rstrip()
    alt = f"Loss and rates of the units against gradient-flow time. {' '.join(said) or 'There is no plateau.'}"
    return Picture(name, figure, columns, rows, caption, alt)


def _said(history: History, i: int) -> str:
    """A sentence about plateau i."""
    each = history.plateaus[i]
    if each.end is None:
        return f"Plateau {i + 1} from τ = {shown(each.start)} has not ended."
    return f"Plateau {i + 1} from τ = {shown(each.start)} to {shown(each.end)}, left by unit {each.mover}."


def _shade(top: Axes, bottom: Axes, history: History) -> None:
    """Every plateau as a band, on both axes, with its number and who leaves it; on three levels where these touch."""
    left, right = top.get_xlim()
    low, high = top.get_ylim()
    top.set_ylim(low, high + 0.22 * (high - low))
    taken = [-np.inf] * 3
    for i, each in enumerate(history.plateaus, 1):
        begin = max(left, log10(each.start)) if each.start != "0" else left
        end = min(right, log10(each.end)) if each.end else right
        for axes in (top, bottom):
            axes.axvspan(begin, end, color=GREY, alpha=0.18, linewidth=0)
            axes.axvline(end, color=GREY, linewidth=0.7)
        text = f"{i}: unit {each.mover}" if each.end else f"{i}: not ended"
        start = end - CHARACTER * (len(text) + 1) * (right - left)
        level = next((level for level, x in enumerate(taken) if start > x), 0)
        taken[level] = end
        top.annotate(
            text, (end, 1 - 0.07 * level), (-3, -3), xycoords=top.get_xaxis_transform(), textcoords="offset points",
            ha="right", va="top", fontsize=9,
        )  # fmt: skip
