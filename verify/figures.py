"""The figures of a report. Each shows a table that is saved beside it, so that every mark can be read as a number.

plateaus   loss against gradient-flow time: the plateau, and the escape from it
curse      escape time against memory: the flow, what theory says of it, and a network that was really trained
landscape  the loss around the plateau with the flow's path on it

Times are drawn as log10 tau, which is a float whatever tau is. Over memories of several decades that has decades of its
own, and its axis is logarithmic again; drops of several decades are drawn as parts of the drop asked for.

Colours are those of Okabe and Ito and the maps cividis and BrBG: colour-blind readers tell them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import matplotlib
import mpmath
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from numerics.arithmetic import Array
from numerics.dense_flow import DenseTrajectory
from numerics.relaxed import gorge_floor, relaxed_drop
from numerics.trajectory import Trajectory
from theory.problem import Problem
from verify.finding import decade, log10, power_of_ten
from verify.picture import Picture, decade_ticks, exponent_ticks, style, wide

BLUE, ORANGE, GREEN, PINK, BLACK, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#6b6b6b"
GRID = 90  # points an axis of the landscape


@dataclass(frozen=True)
class CursePoint:
    """What is known of the escape time at memory L; decimal strings, None where there is none.

    simulated, error: escape time of the trained network, extrapolated, and its error estimate.
    """

    memory: str
    flow: str | None = None
    slow_flow: str | None = None
    leading_order: str | None = None
    coincided: str | None = None
    lower_bound: str | None = None
    simulated: str | None = None
    error: str | None = None


def plateaus(labels: Sequence[str], paths: Sequence[Trajectory | DenseTrajectory], *, story: str = "") -> Picture:
    """Loss J/J(0) against gradient-flow time for several cells; labels name them, in the order of the paths.

    story: what the caption says of these curves beyond what they are.
    """
    rows: list[tuple[str, ...]] = []
    named: list[tuple[float, float, str]] = []
    with style():
        figure = Figure(figsize=(8, 4.4), layout="constrained")
        axes = figure.subplots()
        shades = matplotlib.colormaps["cividis"](np.linspace(0.05, 0.8, max(len(paths), 2)))
        first, lowest = 0.0, 1.0
        shares = wide(1 / float(path.escape.problem.drop) for path in paths)
        for label, path, colour in zip(labels, paths, shades, strict=False):
            tau, loss = path.log10_tau[1:], path.loss[1:] / path.initial_loss
            table = zip(tau, loss, path.log10_drop[1:], strict=True)
            rows += [(label, f"{t:.9g}", f"{j:.15g}", power_of_ten(drop)) for t, j, drop in table]
            if not len(tau):
                continue
            if shares:
                loss = 1 - path.drop[1:] / float(path.escape.problem.drop)
            axes.plot(tau, loss, color=colour, label=label)
            escaped = path.escape.tau is not None
            axes.plot(tau[-1], loss[-1], "o" if escaped else "x", color=colour, markersize=7, clip_on=False)
            text = label if escaped else f"{label}: {path.escape.outcome.name}"
            named.append((float(tau[-1]), float(loss[-1]), text))
            first = min(first, float(tau[-1]) - 3)
            lowest = min(lowest, 0 if shares else 1 - float(path.escape.problem.drop) / path.initial_loss)
        if far := wide(x for x, _, _ in named):
            axes.set_xscale("symlog", linthresh=1, linscale=0.4)
        axes.set_xlim(left=0 if far else min(max(first, -2.0), 0.0))
        bottom, top = axes.get_ylim()
        bottom = min(bottom, lowest)
        axes.set_ylim(bottom - 0.14 * (top - bottom), top)
        _name_ends(axes, named)
        if far:
            exponent_ticks(axes.xaxis)
        else:
            decade_ticks(axes.xaxis, *axes.get_xlim())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.4g} %" if y > -1e-9 else ""))
        axes.set_xlabel("gradient-flow time τ = learning rate × steps")
        axes.set_ylabel("part of the drop still missing" if shares else "loss J / J(0)")
        axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    caption = "Loss along the gradient flow. Dots: it has fallen by the drop asked for."
    if shares:
        caption = "What is missing of the drop asked for, along the gradient flow. Dots: nothing is."
    caption += story
    if any(path.escape.tau is None for path in paths):
        caption += " Crosses: the flow ended short of that drop."
    ends = "; ".join(f"{label} at 10^{path.log10_tau[-1]:.2f}" for label, path in zip(labels, paths, strict=True))
    alt = f"Line chart of the relative loss against gradient-flow time on a logarithmic axis; the curves end: {ends}."
    return Picture("plateaus", figure, ("cell", "log10_tau", "loss / J(0)", "J(0) - loss"), tuple(rows), caption, alt)


def _name_ends(axes: Axes, named: list[tuple[float, float, str]]) -> None:
    """Labels below the ends of the curves, on two levels where they would touch; a legend where that is not enough."""
    across = axes.transData - axes.transAxes  # 0 to 1, whatever the scale
    taken = [-np.inf, -np.inf]  # where the last label of each level ends
    placed = []
    for x, y, text in sorted(named):
        middle, half = across.transform((x, y))[0], 0.0055 * (len(text) + 1)
        level = next((level for level in (0, 1) if middle - half > taken[level]), None)
        if level is None:
            axes.legend(loc="best", fontsize=9)
            return
        taken[level] = middle + half
        placed.append((x, y, text, level))
    for x, y, text, level in placed:
        offset = (0, -9 - 13 * level)
        axes.annotate(text, (x, y), offset, textcoords="offset points", ha="center", va="top", fontsize=9)


def curse(points: Sequence[CursePoint], *, two_w0: str | None = None, axis: str = "memory L") -> Picture:
    """Escape time against memory: flow, slow-flow integral, leading term, proved lower bound, direct simulation.

    two_w0: decimal, the slope of ln tau that theory predicts. axis: label of the memory, with its unit.
    """
    with style():
        figure = Figure(figsize=(8, 5.2), layout="constrained")
        axes = figure.subplots()

        def series(name: str) -> tuple[Array, Array]:
            pairs = sorted((float(p.memory), log10(v)) for p in points if (v := getattr(p, name)) is not None)
            return tuple(np.array(pairs).reshape(-1, 2).T)  # type: ignore[return-value]

        flow, bound, trained = series("flow"), series("lower_bound"), series("simulated")
        far = wide(float(point.memory) for point in points) and wide(flow[1])
        drawn = [y for _, values in (flow, trained) for y in values] or [0.0, 1.0]
        low, high = floor(min(drawn) - 1.5), max(drawn) + 0.06 * (max(drawn) - min(drawn)) + 0.6
        if len(bound[0]):
            axes.fill_between(*bound, low - 10, color=GREY, alpha=0.16, linewidth=0)
            axes.plot(*bound, color=GREY, linewidth=1.4, label="proved lower bound: no escape in the shaded part")
        if len((leading := series("leading_order"))[0]):
            axes.plot(*leading, "--", color=PINK, label=r"leading term  $N e^{2w_0L}\,/\,(4L^2M^2)$")
        if len((slow := series("slow_flow"))[0]):
            axes.plot(*slow, color=ORANGE, linewidth=2.4, label="slow-flow integral")
        if len((coincided := series("coincided"))[0]):
            axes.plot(*coincided, color=ORANGE, linewidth=2.4, label="law of coincided units")
        axes.plot(*flow, "o-", color=BLUE, markersize=6, linewidth=1.2, label="gradient flow, integrated")
        if len(trained[0]):
            shown = sorted((p for p in points if p.simulated), key=lambda p: float(p.memory))
            error = [float(p.error or 0) / float(p.simulated or 1) / np.log(10) for p in shown]
            label = "network trained by gradient descent"
            axes.errorbar(*trained, yerr=error, fmt="s", color=BLACK, mfc="none", markersize=11, capsize=3, label=label)
        if far:
            _make_logarithmic(axes, flow, two_w0)
        else:
            axes.set_ylim(low, high)
            if two_w0 is not None and len(flow[0]) > 1 and (span := flow[0][-1] - flow[0][0]) > 0:
                _guide(axes, flow, float(two_w0), 0.3 * span)
            decade_ticks(axes.yaxis, low, high)
        axes.set_xlabel(axis)
        axes.set_ylabel("escape time τ")
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
        handles, names = axes.get_legend_handles_labels()
        rank = {"gradient flow": 0, "network": 1, "slow-flow": 2, "coincided": 2, "leading": 3, "proved": 4}
        order = sorted(range(len(names)), key=lambda i: min(r for word, r in rank.items() if word in names[i]))
        axes.legend([handles[i] for i in order], [names[i] for i in order], loc="upper left", fontsize=10)
    columns = ("memory", "flow", "slow_flow", "leading_order", "coincided", "lower_bound", "simulated", "error")
    rows = tuple(tuple(getattr(point, column) for column in columns) for point in points)
    sentences = {
        "flow": "How long training stays on the plateau, against how far back the target remembers. Dots: the gradient "
        "flow, integrated.",
        "simulated": "Squares: a network trained on sequences by plain gradient descent, extrapolated to small steps "
        "(error bars are mostly smaller than the squares).",
        "slow_flow": "Orange and dashed: what theory derives for long memory.",
        "coincided": "Orange: what theory derives for long memory.",
        "lower_bound": "Grey: proved; no trajectory escapes earlier.",
    }
    caption = " ".join(text for name, text in sentences.items() if any(getattr(point, name) for point in points))
    if far:
        caption += " Both axes are logarithmic, the vertical one twice: ten times the memory, ten times the decades."
    listed = "; ".join(f"{p.memory}: {p.flow or 'none'}" for p in points)
    alt = f"Escape time on a logarithmic axis against memory. Escape times of the flow by memory: {listed}."
    return Picture("curse", figure, columns, rows, caption, alt)


def _make_logarithmic(axes: Axes, flow: tuple[Array, Array], two_w0: str | None) -> None:
    """Logarithmic axes of L and of log10 tau, and tau ~ e^{2 w0 L} as a straight line of slope 1 below the flow."""
    memory, times = flow
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(memory[0] / 1.5, memory[-1] * 1.5)
    axes.set_ylim(max(1.0, times[0] / 5), times[-1] * 4)
    if two_w0 is not None:
        ends = np.array([memory[-1] / 100, memory[-1] / 3])
        below = ends * float(two_w0) / np.log(10) / 3
        axes.plot(ends, below, color=BLACK, linewidth=1)
        text = f"τ ~ exp(2w₀L):  × {mpmath.nstr(mpmath.exp(two_w0), 3)} for each unit of memory"
        axes.text(
            ends[1], below[1] / 1.5, text, rotation=np.degrees(np.arctan(below[1] / 1.5 / ends[1])),
            rotation_mode="anchor", transform_rotates_text=True, ha="right", va="top", fontsize=9.5,
        )  # fmt: skip
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: decade(np.log10(x))))
    axes.xaxis.set_minor_locator(NullLocator())
    exponent_ticks(axes.yaxis)


def _guide(axes: Axes, flow: tuple[Array, Array], two_w0: float, length: float) -> None:
    """A piece of line of slope 2 w0, below the last points of the flow."""
    slope = two_w0 / np.log(10)
    bottom, top = axes.get_ylim()
    right = flow[0][-1] - 0.02 * length
    end = float(np.interp(right, *flow)) - 0.09 * (top - bottom)
    axes.plot([right - length, right], [end - slope * length, end], color=BLACK, linewidth=1)
    axes.text(
        right, end - 0.02 * (top - bottom),
        f"slope 2w₀ = {two_w0:.4g}:  × {mpmath.nstr(mpmath.exp(two_w0), 3)} for each unit of memory",
        rotation=np.degrees(np.arctan(slope)), rotation_mode="anchor", transform_rotates_text=True,
        ha="right", va="top", fontsize=9.5,
    )  # fmt: skip


# ---- the landscape ------------------------------------------------------------------------------------------------


def landscape(path: Trajectory, label: str = "") -> Picture:
    """The loss over rate and amplitude of the unit that moves, the others relaxed, with the flow's path on it.

    path: of a problem that float64 holds, of any width, to its escape. label: names the cell in the caption.
    """
    problem = path.escape.problem
    assert isinstance(problem, Problem)  # the trajectory of a dense network is another kind of object
    moved = abs(np.log(path.rates[-1] / path.rates[0]))
    unit = int(np.argmax(moved))
    rates, amplitudes = path.rates[:, unit], path.amplitudes[:, unit]
    reach = 1.06 * (rates.max() - rates.min()) + 0.02 * rates.max()
    first, last = max(rates.max() - reach, 0.02 * rates.max()), rates.min() + reach
    height = np.ptp(amplitudes) or 1.0
    lowest, highest = amplitudes.min() - 0.5 * height, amplitudes.max() + 0.7 * height
    W, A = np.meshgrid(np.linspace(first, last, GRID), np.linspace(lowest, highest, GRID))
    drop = relaxed_drop(path, unit, W, A)
    with style():
        figure = Figure(figsize=(8, 6.6), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _map(figure, top, W, A, drop, float(path.drop[-1]))
        top.plot(rates, amplitudes, color="white", linewidth=4)
        top.plot(rates, amplitudes, color=BLUE, linewidth=2)
        gorge = gorge_floor(problem, rates)
        if gorge is not None:
            bottom.plot(rates, gorge, color=ORANGE, linewidth=3.2, label="floor of the gorge, P²/N: the slow flow")
        bottom.plot(rates[1:], np.log10(path.drop[1:]), color=BLUE, label="gradient flow")
        _clock(top, bottom, path, rates, amplitudes)
        low = floor(np.log10(path.drop[_at(path, 0.5)])) - 3
        bottom.set_ylim(low, float(np.log10(path.drop[-1])) + 1.2)
        decade_ticks(bottom.yaxis, *bottom.get_ylim())
        bottom.set_xlim(last, first)
        bottom.set_xlabel("rate w of the unit that moves (1 / time), falling: its memory 1/w grows to the right")
        bottom.set_ylabel("loss gained, J(0) − J")
        top.set_ylabel("amplitude a of the unit that moves")
        bottom.grid(axis="y", color="#e4e4e4", linewidth=0.6)
        bottom.legend(loc="upper left", fontsize=10)
    others = "matched" if problem.off_the_fit is None else "other"
    relaxed = f"amplitudes and rates of the {others} units are relaxed to the minimum at every point"
    caption = (
        f"The landscape around the plateau{f' ({label})' if label else ''}. Above: J(0) − J over rate and amplitude of "
        f"the unit that moves; {relaxed} (grey: there is none). Below: how much loss has been gained along the path. "
        "Marks show the share of the escape time that has passed."
    )
    if gorge is not None:
        caption += (
            " The flow starts on the left, drops to the floor of a gorge that is all but flat, and spends nearly all "
            "of its time there. Towards longer memory the floor sinks exponentially, and the last stretch takes next "
            "to no time."
        )
    alt = (
        f"Contour map of the loss over rate and amplitude of one unit, with the path of the flow from rate "
        f"{rates[0]:.3g} to {rates[-1]:.3g}; below it the loss gained, logarithmic, up to {path.drop[-1]:.3g}."
    )
    states = zip(path.log10_tau, rates, amplitudes, path.drop, strict=True)
    on_path = [("path", f"{t:.9g}", *(f"{x:.12g}" for x in state)) for t, *state in states]
    grid = zip(W.flat, A.flat, drop.flat, strict=True)
    on_map = [("map", None, *(f"{x:.6g}" for x in point)) for point in grid if np.isfinite(point[2])]
    columns = ("what", "log10_tau", "rate", "amplitude", "J(0) - J")
    return Picture("landscape", figure, columns, (*on_path, *on_map), caption, alt)


def _map(figure: Figure, axes: Axes, W: Array, A: Array, drop: Array, most: float) -> None:
    """Filled contours of J(0) - J, the same distance in colour for a factor of ten."""
    decades = 10.0 ** np.arange(floor(np.log10(most)) - 3, floor(np.log10(most)) + 2)
    levels = np.array([*-decades[::-1], 0, *decades])
    colours = matplotlib.colormaps["BrBG"](np.linspace(0.06, 0.94, len(levels) + 1))
    axes.set_facecolor("#bbbbbb")
    filled = axes.contourf(W, A, drop, levels, colors=colours, extend="both")
    axes.contour(W, A, drop, [0], colors=BLACK, linewidths=0.8)
    bar = figure.colorbar(filled, ax=axes, ticks=levels, label="J(0) − J   (below the plateau: > 0)")
    bar.ax.set_yticklabels([("−" if x < 0 else "") + decade(np.log10(abs(x))) if x else "0" for x in levels])


def _clock(top: Axes, bottom: Axes, path: Trajectory, rates: Array, amplitudes: Array) -> None:
    """Marks where given shares of the escape time have passed; labels that the next one would touch are left out."""
    marks = ((0.5, "50 % of the time", 4, -50), (0.9, "90 %", 14, -36), (0.99, "99 %", 24, -24),
             (1.0, "escape", -10, -26))  # fmt: skip
    passed = [_at(path, share) for share, *_ in marks]
    for at in (0, *passed):
        top.plot(rates[at], amplitudes[at], "o", color=BLUE, mec="white", markersize=8, zorder=5)
    gained = np.log10(path.drop[1:])[np.array(passed) - 1]
    for at, y, after, above, mark in zip(passed, gained, [*passed[1:], 0], [*gained[1:], np.inf], marks, strict=True):
        _, text, right, up = mark
        bottom.plot(rates[at], y, "o", color=BLUE, mec="white", markersize=8, zorder=5)
        if abs(rates[at] - rates[after]) < 0.1 * np.ptp(rates) and above - y < 0.25:  # of the way, and of a decade
            continue
        line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.7}
        side = "center" if right < 0 else "left"
        end = (rates[at], y)
        bottom.annotate(text, end, (right, up), textcoords="offset points", ha=side, fontsize=9.5, arrowprops=line)


def _at(path: Trajectory, share: float) -> int:
    """The point of the path where this share of its time has passed."""
    passed = 10 ** (path.log10_tau - path.log10_tau[-1])
    return int(np.argmin(abs(passed - share))) if share < 1 else len(passed) - 1
