"""The figures of the width part of a report, each with its table.

width-hankel   singular values against their number, with the law of power laws (M18)
width-error    error against width: the corridor between proved bound and achieved error, (M11) where it holds, and
               omega eps^{-1/omega} of the source as a curve of eps against m
width-rate     slowest rate of the networks against their error
width-stability  error left when trained rates are off by up to beta (verify/stability_figure.py)
width-least    least width against the memory L of a swept lag, or against a swept omega, from both sides

Drawn as log10 on linear axes with decades as labels. Cells differ in shade, marker and label.
"""

import re
from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import Any, Literal

import matplotlib
import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from numerics.width import NO_OUTPUT
from theory.exact import exact
from theory.kernels import PowerLaw
from theory.problem import Target
from theory.rate_theorem import NoRate, best_rate_bound
from theory.width_laws import bump_width, least_width, singular_value
from verify.figures import BLACK, BLUE, GREY, ORANGE
from verify.finding import LAG_PATH, log10
from verify.picture import Picture, decade_ticks, style
from verify.stability_figure import stability_picture
from verify.sweep import label
from verify.widths import CellWidths, StudyWidths

MARKERS = "osD^vP*X"
MOST_PANELS = 6  # cells whose corridor is drawn
OMEGA_PATH = re.compile(r"target\.terms\.\d+\.omega")
DIGITS = 9  # in the tables


def width_pictures(found: StudyWidths) -> list[Picture]:
    """Those of the figures that the cells allow; none where every cell has failed."""
    cells = [cell for cell in found.cells if cell.hankel is not None]
    if not cells:
        return []
    pictures = [_hankel(cells), _errors(cells), _rates(cells), _least(found, cells), stability_picture(cells)]
    return [each for each in pictures if each is not None]


def _hankel(cells: Sequence[CellWidths]) -> Picture | None:
    """None where all singular values are 0."""
    rows: list[tuple[Any, ...]] = []
    law_drawn = False
    with style():
        figure = Figure(figsize=(8, 4.6), layout="constrained")
        axes = figure.subplots()
        for cell, shade, marker in _drawn(cells):
            assert cell.hankel is not None
            known = [(k, value) for k, value in enumerate(cell.hankel.values, 1) if value is not None and value != "0"]
            axes.plot([k for k, _ in known], [log10(value) for _, value in known], marker, color=shade,
                      markersize=5, label=_name(cell))  # fmt: skip
            omega = _omega(cell.target)
            law = {k: sp.N(singular_value(k - 1, omega), DIGITS) for k, _ in known if k > 1} if omega else {}
            if law:
                label_once = None if law_drawn else "the law (M18), conjectured"
                axes.plot(list(law), [log10(str(each)) for each in law.values()], "--", color=BLACK, linewidth=1,
                          label=label_once)  # fmt: skip
                law_drawn = True
            rows += [(label(cell.parameters), k, value, str(law.get(k, ""))) for k, value in known]
        _log_ticks(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("k: a network of width m = k − 1 has at least this error")
        axes.set_ylabel("Hankel singular value σₖ")
        axes.legend(fontsize=9)
    if not rows:
        return None
    law_said = " Dashed: the law (M18) for power laws, conjectured and without a fit." if law_drawn else ""
    caption = f"Hankel singular values of the target, estimated to the digits two discretisations share.{law_said}"
    alt = f"Singular values against their number, falling, for {_names(cells)}."
    return Picture("width-hankel", figure, ("cell", "k", "sigma_k", "law (M18)"), tuple(rows), caption, alt)


def _errors(cells: Sequence[CellWidths]) -> Picture | None:
    """None where all networks are the target itself."""
    drawn = cells[:MOST_PANELS]
    if not any(each.upper != "0" for cell in drawn for each in cell.widths):
        return None
    rows: list[tuple[Any, ...]] = []
    with style():
        across = min(3, len(drawn))
        down = -(-len(drawn) // across)
        size = (max(8.0, 2.9 * across), 3.9 * down)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
        lowest, highest = 0.0, 0.0
        for cell, axes in zip(drawn, panels, strict=False):
            m = [each.width for each in cell.widths]
            below, above = ([log10(x) if x != "0" else np.nan for x in column] for column in zip(
                *((each.lower, each.upper) for each in cell.widths), strict=True))  # fmt: skip
            axes.fill_between(m, below, above, color=BLUE, alpha=0.18, linewidth=0)
            axes.plot(m, above, "o-", color=BLUE, markersize=5, label="achieved, enclosed")
            axes.plot(m, below, "v-", color=BLACK, markersize=5, label="no network does better, proved")
            theorem, source = _theorem(cell.target, m), _source(cell.target, m)
            if theorem:
                axes.plot(list(theorem), [log10(x) for x in theorem.values()], ":", color=ORANGE,
                          label="rate theorem (M11)")  # fmt: skip
            if source:
                axes.plot(list(source), [log10(x) for x in source.values()], "--", color=GREY,
                          label="ω ε^(−1/ω) units, the source")  # fmt: skip
            axes.set_title(label(cell.parameters) if cell.parameters else "")
            finite = [x for x in (*below, *above) if np.isfinite(x)]
            lowest, highest = min([lowest, *finite]), max([highest, *finite])
            rows += [
                (label(cell.parameters), each.width, each.lower, each.upper, each.method,
                 theorem.get(each.width), source.get(each.width)) for each in cell.widths
            ]  # fmt: skip
        for axes in panels[len(drawn) :]:
            axes.set_visible(False)
        _log_ticks(panels[0])
        panels[0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, steps=[1, 2, 4, 5, 10]))
        figure.supxlabel("width m (hidden units)", fontsize=11)
        figure.supylabel("L1 error: worst output for inputs of size 1", fontsize=11)
        named = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
        figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=2, fontsize=9)
    more = "" if len(drawn) == len(cells) else f" The first {MOST_PANELS} of {len(cells)} cells are drawn."
    caption = (
        "Error against width. Every network of width m misses the target by at least the lower line, and one that you "
        f"can have by the upper one; the best lies between, and both ends are proved.{more}"
    )
    if any(row[-2] for row in rows):
        caption += " Dotted: what the rate theorem (M11) promises, a bound from above."
    if any(row[-1] for row in rows):
        caption += " Dashed: the error at which ω ε^(−1/ω), the source's argument from above, would ask for m units."
    alt = f"Corridors between proved lower bound and achieved error against width, for {_names(drawn)}."
    columns = ("cell", "m", "lower", "upper", "method", "rate theorem (M11)", "source")
    return Picture("width-error", figure, columns, tuple(rows), caption, alt)


def _rates(cells: Sequence[CellWidths]) -> Picture | None:
    """None where every network is the target itself or without output."""
    rows: list[tuple[Any, ...]] = []
    with style():
        figure = Figure(figsize=(8, 4.4), layout="constrained")
        axes = figure.subplots()
        for cell, shade, marker in _drawn(cells):
            networks = [*cell.widths, *(each.achieved for each in cell.least if each.achieved)]
            points = sorted({(each.upper, each.slowest_rate, each.width) for each in networks
                             if each.upper != "0" and each.method != NO_OUTPUT},
                            key=lambda point: -log10(point[0]))  # fmt: skip
            axes.plot([log10(error) for error, _, _ in points], [log10(rate) for _, rate, _ in points],
                      f"{marker}-", color=shade, markersize=5, label=_name(cell))  # fmt: skip
            rows += [(label(cell.parameters), width, error, rate) for error, rate, width in points]
        _log_ticks(axes)
        _log_ticks(axes, "x")
        axes.invert_xaxis()
        axes.set_xlabel("L1 error achieved (better to the right)")
        axes.set_ylabel("slowest rate of the network (1 / time)")
        axes.legend(fontsize=9)
    if not rows:
        return None
    caption = (
        "The slowest rate of each network against the error it achieves. A unit of rate w remembers for a time 1/w, "
        "and its rate must be held to that precision: where few units suffice, this is what long memory costs."
    )
    alt = f"Slowest rate of the networks against their error, for {_names(cells)}."
    return Picture("width-rate", figure, ("cell", "m", "error", "slowest rate"), tuple(rows), caption, alt)


def _least(found: StudyWidths, cells: Sequence[CellWidths]) -> Picture | None:
    """Least widths over the one lag or omega that is swept; None for another sweep or no eps."""
    swept = list(cells[0].parameters)
    if len(swept) != 1 or len(cells) < 2 or not found.question.eps:
        return None
    by_lag = bool(LAG_PATH.fullmatch(swept[0]))
    if not by_lag and not OMEGA_PATH.fullmatch(swept[0]):
        return None
    at = lambda cell: exact(cell.parameters[swept[0]], swept[0]) ** (1 if by_lag else -1)
    ordered = sorted(cells, key=at)
    rows: list[tuple[Any, ...]] = []
    with style():
        figure = Figure(figsize=(8, 4.4), layout="constrained")
        axes = figure.subplots()
        shades = _shades(len(found.question.eps))
        for i, (eps, value) in enumerate(found.question.eps):
            marker = MARKERS[i % len(MARKERS)]
            law = _leading(cells[0].target, by_lag, value)
            points = [(float(at(cell)), cell.least[i].lower, cell.least[i].upper) for cell in ordered]
            x, lower, upper = (np.array(column, dtype=float) for column in zip(*points, strict=True))
            axes.fill_between(x, lower, upper, color=shades[i], alpha=0.2, linewidth=0)
            axes.plot(x, upper, f"{marker}-", color=shades[i], markersize=6, label=f"ε = {eps}")
            axes.plot(x, lower, f"{marker}-", color=shades[i], markersize=6, markerfacecolor="white")
            expected = [law(cell) for cell in ordered]
            if known := [(at, float(each)) for at, each in zip(x, expected, strict=True) if each]:
                axes.plot(*zip(*known, strict=True), ":", color=shades[i])
            rows += [
                (eps, cell.parameters[swept[0]], cell.least[i].lower, cell.least[i].upper, each)
                for cell, each in zip(ordered, expected, strict=True)
            ]
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("memory L of the target (time)" if by_lag else "memory 1/ω of the power law")
        axes.set_ylabel("least width m (hidden units)")
        axes.legend(fontsize=9)
    law_said = ""
    if any(row[-1] for row in rows):
        law_said = f" Dotted: the leading term {'(D4)' if by_lag else 'of (M17), ln²(1/ε)/(2π²ω)'}, asymptotic."
    caption = (
        "Least width for an L1 error ε, from both sides: filled marks are achieved, with fewer units than the open "
        f"marks no network of any kind reaches ε.{law_said}"
    )
    alt = f"Least width against {'memory' if by_lag else '1/omega'} for {len(found.question.eps)} accuracies, rising."
    columns = ("eps", swept[0], "proved at least", "achieved", "leading term")
    return Picture("width-least", figure, columns, tuple(rows), caption, alt)


def _leading(target: Target, by_lag: bool, eps: sp.Expr) -> Callable[[CellWidths], str | None]:
    """The asymptotic least width of a cell; None where there is no law for it."""

    def law(cell: CellWidths) -> str | None:
        if not by_lag:
            omega = _omega(cell.target)
            return str(sp.N(least_width(eps, omega), DIGITS)) if omega else None
        bumps = [term for term in cell.target.terms if term.kind == "gaussian"]
        if len(bumps) != 1:
            return None
        try:
            bump: Any = bumps[0]
            return str(sp.N(bump_width(eps, bump.lag, bump.width, abs(bump.amplitude)), DIGITS))
        except ValueError:  # eps beyond the area of the bump
            return None

    return law


def _theorem(target: Target, widths: Sequence[int]) -> dict[int, str]:
    """(M11) at each width, as decimal strings; empty where it does not hold."""
    try:
        return {m: str(sp.N(best_rate_bound(target, m).error(m), DIGITS)) for m in widths}
    except NoRate:
        return {}


def _source(target: Target, widths: Sequence[int]) -> dict[int, str]:
    """The eps with omega eps^{-1/omega} = m, for a power law."""
    omega = _omega(target)
    return {m: str(sp.N((omega / m) ** omega, DIGITS)) for m in widths} if omega else {}


def _omega(target: Target) -> sp.Expr | None:
    """omega, where the target is one power law of amplitude 1 that begins at once: what the laws are about."""
    (first, *others) = target.terms
    alone = not others and isinstance(first, PowerLaw) and first.amplitude == 1 and first.lag == 0
    return first.omega if alone and isinstance(first, PowerLaw) else None


def _shades(count: int) -> Any:
    return matplotlib.colormaps["cividis"](np.linspace(0.05, 0.8, max(count, 2)))


def _drawn(cells: Sequence[CellWidths]) -> list[tuple[CellWidths, Any, str]]:
    markers = (MARKERS[i % len(MARKERS)] for i in range(len(cells)))
    return list(zip(cells, _shades(len(cells)), markers, strict=False))


def _log_ticks(axes: Axes, name: Literal["x", "y"] = "y") -> None:
    """Decades at the ticks; the next ones come into sight where fewer than two are."""
    low, high = axes.get_xlim() if name == "x" else axes.get_ylim()
    if floor(high) - ceil(low) < 1:
        low, high = floor(low), ceil(high)
        axes.set(**{f"{name}lim": (low, high)})
    decade_ticks(axes.xaxis if name == "x" else axes.yaxis, low, high)


def _name(cell: CellWidths) -> str:
    return label(cell.parameters)


def _names(cells: Sequence[CellWidths]) -> str:
    return "; ".join(_name(cell) for cell in cells)
