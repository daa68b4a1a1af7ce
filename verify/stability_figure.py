"""The figure width-stability: E_m(beta), the error that remains when trained rates are no better than to beta.

A row a cell, a column a parametrisation; a curve a width m, and the limit m -> inf in black. Between its two bounds a
curve is shaded. What is infinite cannot be drawn on the axis: a mark at the top stands at every beta that may stop a
unit from fading.
"""

from collections.abc import Sequence
from itertools import groupby
from math import ceil, floor
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from numerics.stability_curves import StabilityCurve
from verify.figures import BLACK
from verify.finding import log10
from verify.picture import Picture, decade_ticks, style
from verify.sweep import label
from verify.widths import CellWidths

MOST_ROWS = 4  # cells that are drawn
HEADROOM = 0.14  # of the axis above the curves, for the marks of what is infinite


def stability_picture(cells: Sequence[CellWidths]) -> Picture | None:
    """None where the study names no betas, or no cell has a curve."""
    able = [cell for cell in cells if any(curve.errors for curve in cell.stability)]
    drawn = able[:MOST_ROWS]
    if not drawn:
        return None
    rows: list[tuple[Any, ...]] = []
    forms = list(dict.fromkeys(curve.parametrisation for curve in drawn[0].stability))
    with style():
        size = (2.3 * len(forms), 2.4 * len(drawn) + 1.2)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(drawn), len(forms), sharex=True, sharey=True, squeeze=False)
        low, high = _limits(drawn)
        for cell, across in zip(drawn, panels, strict=True):
            by_form = groupby(cell.stability, lambda each: each.parametrisation)
            for (form, curves), axes in zip(by_form, across, strict=True):
                _draw(axes, list(curves), low, high)
                if cell is drawn[0]:
                    axes.set_title(form.name, fontsize=10)
            across[0].set_ylabel(label(cell.parameters))
            rows += [
                (label(cell.parameters), curve.parametrisation.name, "inf" if curve.width is None else curve.width,
                 str(error.beta), error.lower, error.upper, error.guarantee)
                for curve in cell.stability for error in curve.errors
            ]  # fmt: skip
        first = panels[0][0]
        first.set_ylim(low, high)
        decade_ticks(first.yaxis, low, high)
        decade_ticks(first.xaxis, *first.get_xlim())
        first.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))  # panels are narrow
        figure.supxlabel("β: how far each trained v may be off, w = φ(v)", fontsize=11)
        figure.supylabel("Eₘ(β): L1 error", fontsize=11)
        lines = (zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels.flat)
        named = {text: line for pairs in lines for line, text in pairs}
        figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=len(named), fontsize=9)
    more = "" if len(drawn) == len(able) else f" The first {MOST_ROWS} of {len(able)} cells are drawn."
    caption = (
        "Stable approximation. The largest error of the network of m units while every trained v, w = φ(v), moves by "
        "up to β, amplitudes held: shaded between two bounds, enclosed. Black, dashed: the limit of ever wider "
        f"networks, estimated. A triangle at the top: infinite, exact, for a rate may reach 0.{more}"
    )
    alt = f"Perturbation error against beta in {len(forms)} parametrisations, for {'; '.join(map(_name, drawn))}."
    columns = ("cell", "parametrisation", "m", "beta", "lower", "upper", "guarantee")
    return Picture("width-stability", figure, columns, tuple(rows), caption, alt)


def _draw(axes: Axes, curves: Sequence[StabilityCurve], low: float, high: float) -> None:
    """One panel: the curves of one cell and one parametrisation."""
    shades = matplotlib.colormaps["cividis"](np.linspace(0.05, 0.85, max(len(curves) - 1, 2)))
    for i, curve in enumerate(curves):
        limit = curve.width is None
        colour = BLACK if limit else shades[i]
        finite = [error for error in curve.errors if error.upper != "inf"]
        x = [log10(str(error.beta.evalf(15))) for error in finite]
        above = [log10(error.upper) for error in finite]
        below = [max(log10(error.lower), low) if error.lower != "0" else low for error in finite]
        axes.fill_between(x, below, above, color=colour, alpha=0.3, linewidth=0)
        name = "m → ∞" if limit else f"m = {curve.width}"
        axes.plot(x, above, "--" if limit else "o-", color=colour, linewidth=1.6, markersize=3, label=name)
        lost = [log10(str(error.beta.evalf(15))) for error in curve.errors if error.upper == "inf"]
        top = high - HEADROOM * (high - low) * (0.15 + 0.7 * i / len(curves))
        axes.plot(lost, [top] * len(lost), "^", color=colour, markersize=4)


def _limits(cells: Sequence[CellWidths]) -> tuple[float, float]:
    """The decades of everything finite, and room above it."""
    ends = [log10(end) for cell in cells for curve in cell.stability for error in curve.errors
            for end in (error.lower, error.upper) if end not in ("inf", "0")]  # fmt: skip
    low, high = (floor(min(ends)), ceil(max(ends))) if ends else (-1, 0)
    return low, high + HEADROOM * (high - low) / (1 - HEADROOM)


def _name(cell: CellWidths) -> str:
    return label(cell.parameters)
