"""The report: one HTML page that states the finding, how it is derived, and the evidence, with its data beside it.

    index.html            self-contained: MathML, inline SVG and CSS, no script, no network
    results.json          every number of the page and more
    figures/NAME.{svg,pdf,csv}

Everything is written to a fresh folder first and moved into place at the end; other files in the folder stay.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_FLOOR
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import sympy as sp
from markupsafe import Markup, escape

from numerics.dense_flow import DenseTrajectory, dense_trajectory
from numerics.flow import fits_float64
from numerics.trajectory import Trajectory, trajectory
from theory.dense import DenseProblem
from theory.problem import Problem
from theory.special import GaussianMoment
from verify.derivation import derived
from verify.figures import CursePoint, curse, landscape, plateaus
from verify.finding import (
    LAG,
    cell_name,
    common_two_w0,
    grouped,
    memory,
    missing,
    sentences,
    setting,
    shown,
    trained,
    with_simulations,
)
from verify.mathml import mathml
from verify.outbox import outbox
from verify.picture import Picture
from verify.study import Study
from verify.sweep import CellResult, StudyResult, label

Progress = Callable[[str], None]
MOST_CURVES = 12  # in the plateaus figure; of more cells, evenly spaced ones are drawn
LONG_PLATEAU = 4  # decades of tau that make a landscape figure worth looking at
PATH_DIGITS = 10  # of the trajectories drawn
INTRODUCTIONS = {
    "loss": "The network's memory is a sum of exponentials; its squared distance from the target's is the loss.",
    "gradient": "Differentiated block by block, for any number of units.",
    "flow": "Training with small steps follows the gradient flow in the time τ = learning rate × steps.",
    "dense network": (
        "All of W, U and c are trained. The network enters the loss through its two Gramians, the target as a function of "
        "the matrix W; where training ends, the network's transfer function meets the target's at its own rates."
    ),
    "cancellation-free form": "Around the plateau the fit is subtracted analytically, so that float64 suffices.",
    "slow flow": "On the plateau one spare unit moves; all else has relaxed. What remains is a law for its rate w.",
    "lower bound": (
        "No trajectory that starts on the fit can escape earlier. D bounds what units of rates ≥ wₑ can gain; wₑ and s "
        "are free, and chosen well."
    ),
}
GUARANTEES = {
    "exact": "an identity, proved symbolically",
    "enclosed": "a ball or a bound proved to hold, rounding included",
    "estimated": "converged: two runs at different tolerance and precision share the digits; not proved",
    "sampled": "from random numbers, with a standard error",
}


def write(
    study: Study,
    result: StudyResult,
    checks: Sequence[Any],
    simulations: Sequence[Any],
    folder: Path,
    *,
    progress: Progress | None = None,
) -> Path:
    """Write the report of a study to a folder and return the path of its page.

    checks:      rows of verify.compare, each with as_dict().
    simulations: none, or one a cell: None, an Extrapolation or Training, or verify.sampling.Simulated around one.
    folder:      made if need be; files of an earlier report there are replaced, foreign ones are left alone.
    progress:    called with a few words before each of the longer parts.

    Raises Unwritable where the folder cannot be written to; then, as after any exception, nothing has changed in it.
    """
    tell = progress or (lambda part: None)
    with outbox(Path(folder)) as draft:
        pictures = _pictures(result, simulations, tell)
        (draft / "figures").mkdir()
        for picture in pictures:
            tell(f"figure {picture.name}")
            picture.save(draft / "figures")
        tell("page")
        (draft / "results.json").write_text(_json(result, checks, simulations), "utf-8")
        (draft / "index.html").write_text(_page(study, result, checks, simulations, pictures), "utf-8")
    return Path(folder) / "index.html"


def _json(result: StudyResult, checks: Sequence[Any], simulations: Sequence[Any]) -> str:
    numbers = [each.as_dict() if hasattr(each, "as_dict") else _numbers(each) for each in simulations]
    document = result.as_dict() | {"checks": [check.as_dict() for check in checks], "simulations": numbers}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _numbers(simulation: Any) -> dict[str, str | None] | None:
    """The numbers of an Extrapolation as decimal strings."""
    if simulation is None:
        return None
    names = ("escape_time", "error", "eta_order", "dt_order", "reason")
    values = {name: getattr(simulation, name, None) for name in names}
    return {name: None if value is None else str(value) for name, value in values.items()}


# ---- figures ------------------------------------------------------------------------------------------------------


def _pictures(result: StudyResult, simulations: Sequence[Any], tell: Progress) -> list[Picture]:
    """Those of the three figures that the cells of the study allow."""
    cells = result.cells
    drawn = [cell for cell in cells if cell.escape is not None]
    if len(drawn) > MOST_CURVES:
        drawn = [drawn[round(i * (len(drawn) - 1) / (MOST_CURVES - 1))] for i in range(MOST_CURVES)]
    paths: list[Trajectory | DenseTrajectory] = []
    for cell in drawn:
        tell(f"trajectory, {label(cell.parameters)}")
        paths.append(_path(cell, **vars(result.study.limits)))
    found = []
    if (points := _curse_points(cells, simulations)) and any(point.flow for point in points):
        axis = "memory L of the target (time): how far back it looks"
        found.append(curse(points, two_w0=common_two_w0(cells), axis=axis))
    if paths:
        found.append(plateaus([cell_name(cell) for cell in drawn], paths))
    diagonal = [(path, cell) for path, cell in zip(paths, drawn, strict=True) if isinstance(path, Trajectory)]
    best = _worth_a_map([path for path, _ in diagonal])
    if best is not None:
        path, cell = diagonal[best]
        found.append(landscape(path, cell_name(cell)))
    return found


def _path(cell: CellResult, **limits: Any) -> Trajectory | DenseTrajectory:
    if isinstance(cell.problem, DenseProblem):
        return dense_trajectory(cell.problem, **limits)
    return trajectory(cell.problem, digits=PATH_DIGITS, **limits)


def _curse_points(cells: Iterable[CellResult], simulations: Sequence[Any]) -> list[CursePoint]:
    """A point a cell; none where the sweep is over something else than one memory."""
    cells = list(cells)
    memories = [memory(cell.problem) for cell in cells]
    if None in memories or len(set(memories)) < len(cells):
        return []
    points = []
    for index, (cell, lag) in enumerate(zip(cells, memories, strict=True)):
        found = trained(simulations[index] if index < len(simulations) else None)
        tau, error = (getattr(found, name, None) for name in ("escape_time", "error"))
        answers = (cell.slow_flow, cell.leading_order, cell.lower_bound)
        flow = cell.escape.tau if cell.escape else None
        slow, leading, bound = (answer.value if answer else None for answer in answers)
        simulated, spread = (None if x is None else f"{x:.{n}g}" for x, n in ((tau, 12), (error, 2)))
        points.append(CursePoint(str(sp.N(lag, 12)), flow, slow, leading, bound, simulated, spread))
    return points


def _worth_a_map(paths: Sequence[Trajectory]) -> int | None:
    """The escape to draw: the first long plateau, else the longest; None where nothing escapes or float64 fails."""
    fit = [
        i for i, path in enumerate(paths)
        if path.escape.tau is not None and (path.escape.problem.off_the_fit or fits_float64(path.escape.problem))
    ]  # fmt: skip
    return next((i for i in fit if paths[i].log10_tau[-1] > LONG_PLATEAU), fit[-1] if fit else None)


# ---- the page -----------------------------------------------------------------------------------------------------


def _page(
    study: Study, result: StudyResult, checks: Sequence[Any], simulations: Sequence[Any], pictures: Sequence[Picture]
) -> str:
    source = (resources.files("verify") / "templates" / "report.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters |= {"shown": shown, "grouped": grouped, "below": partial(shown, rounding=ROUND_FLOOR)}
    return environment.from_string(source).render(
        study=study,
        result=result,
        cells=[(cell_name(cell), cell, found) for cell, found in with_simulations(result.cells, simulations)],
        missing=missing(result.cells),
        finding=sentences(result, checks, simulations),
        problem=setting(result),
        derivation=_derivation(result),
        pictures={picture.name: (picture, _inline(picture)) for picture in pictures},
        checks=checks,
        passed=sum(check.passed for check in checks),
        guarantees=GUARANTEES,
        provenance=result.as_dict()["provenance"],
        law=result.as_dict()["law"],
    )


def _derivation(result: StudyResult) -> list[dict[str, Any]]:
    """Objects with a sentence and their equations (MathML, number), or the reason why there are none."""
    problem = result.cells[0].problem
    lag, swept = memory(problem), len({memory(cell.problem) for cell in result.cells}) > 1

    def with_lag(order: Any, at: Any, own: Any, width: Any) -> Any:
        return GaussianMoment(order, at, LAG if own == lag else own, width)

    found = []
    for each in derived(problem):
        equations = []
        for one in each.statements:
            right = one.right.replace(GaussianMoment, with_lag) if swept else one.right
            equations.append((mathml(one.left, right, one.relation), one.number))
        text = INTRODUCTIONS.get(each.name, "")
        found.append({"name": each.name, "text": text, "equations": equations, "reason": each.reason})
    return found


def _inline(picture: Picture) -> Markup:
    """The SVG to stand inside the page: no prologue, names of its own, described for screen readers."""
    svg = picture.svg
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{picture.name}-', svg)
    svg = re.sub(r'href="#', f'href="#{picture.name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{picture.name}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    alt = escape(picture.alt)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{alt}"', 1))
