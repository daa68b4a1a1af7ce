"""The report: one HTML page that states the finding, how it is derived, and the evidence, with its data beside it.

    index.html            self-contained: MathML, inline SVG and CSS, no script, no network
    results.json          every number of the page and more
    certificate-NNN.json  of each cell, where the study asks for them: written by verify/certified.py
    figures/NAME.{svg,pdf,csv}

Everything is written to a fresh folder first and moved into place at the end; other files in the folder stay.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR
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
from theory.kernels import t
from theory.parametrisation import IDENTITY
from theory.problem import Problem
from theory.special import DividedMoment, GaussianMoment, MomentBase, PowerMoment
from verify.certified import StudyCertificates
from verify.derivation import Derived, Lettered, derived, parametrised
from verify.figures import CursePoint, curse, landscape, plateaus
from verify.finding import (
    between,
    by_memory,
    cell_name,
    common_two_w0,
    grouped,
    log10,
    missing,
    plain,
    sentences,
    shown,
    title,
    vast,
    with_simulations,
)
from verify.histories import StudyHistories
from verify.history_figure import history_pictures
from verify.mathml import mathml
from verify.outbox import outbox
from verify.picture import Picture, wide
from verify.setting import lettered, parametrisations, setting, waits
from verify.study import Study
from verify.sweep import CellResult, StudyResult, label
from verify.width_derivation import derived_of_width
from verify.width_figures import width_pictures
from verify.width_finding import sentences as width_sentences
from verify.width_finding import title as width_title
from verify.widths import StudyWidths, document

Progress = Callable[[str], None]
MOST_CURVES = 12  # in the plateaus figure; of more cells, evenly spaced ones are drawn
LONG_PLATEAU = 4  # decades of tau that make a landscape figure worth looking at
PATH_DIGITS = 10  # of the trajectories drawn
INTRODUCTIONS = {
    "loss": "The network's memory is a sum of exponentials; its squared distance from the target's is the loss.",
    "gradient": "Differentiated block by block, for any number of units.",
    "flow": "Training with small steps follows the gradient flow in the time τ = learning rate × steps.",
    "parametrisation": (
        "It is v that is trained, and w = φ(v). The landscape is the same; each rate moves φ′(v)² times as fast in it, "
        "and so does the slow flow."
    ),
    "dense network": (
        "All of W, U and c are trained. The network enters the loss through its two Gramians P and Q, the target "
        "through X, Y and Z; where training ends, the network's transfer function meets the target's at its own rates."
    ),
    "cancellation-free form": "Around the plateau the fit is subtracted analytically, so that float64 suffices.",
    "slow flow": "On the plateau one spare unit moves; all else has relaxed. What remains is a law for its rate w.",
    "lower bound": (
        "No trajectory that starts on the fit can escape earlier. D bounds what units of rates ≥ wₑ can gain; wₑ and s "
        "are free, and chosen well."
    ),
    "coincided start": (
        "Two units on one exponential merge until only their gap and the share p of the slower one are left. The bump "
        "pins the gap; the share drifts until the slower unit has given its amplitude away and is free to move."
    ),
}
SYMBOLS = {
    "loss": "J: loss; a, w: amplitudes and rates; R: Laplace transform of the target, over the horizon.",
    "cancellation-free form": "B: transform of the bump b, the part of the target that no unit is matched to; E: of "
    "network minus fit; α, β: how far a unit is from its place a*, w* in the fit.",
    "slow flow": "P, N: what the spare unit sees of the bump, and what the fit cannot imitate of the unit.",
    "dense network": "J: loss; ρ: target, a row with an entry for each input. X = ∫ e<sup>Wt</sup>Uρ(t)ᵀ dt and "
    "Y = ∫ e<sup>Wᵀt</sup>cρ(t) dt; Z is the derivative of ∫ cᵀe<sup>Wt</sup>Uρ(t)ᵀ dt by W. R, R̂: Laplace transforms "
    "of target and network; λ: an eigenvalue of W, b = zᵀU with its left eigenvector z.",
    "coincided start": "κ₂, κ₃: what the Laguerre functions of rate w* see of the bump; p₀: the share after merging.",
}
MOMENTS: dict[type[MomentBase], str] = {
    GaussianMoment: "M<sub>n</sub>(s, L, σ) = ∫₀<sup>∞</sup> t<sup>n</sup> exp(−st − (t−L)²/(2σ²)) dt.",
    PowerMoment: "H<sub>n</sub>(s, p) = ∫₀<sup>∞</sup> t<sup>n</sup> (1+t)<sup>−p</sup> e<sup>−st</sup> dt.",
    DividedMoment: "D₀(s, β) = ∫₀<sup>T</sup> e<sup>−st</sup> (1 − e<sup>−βt</sup>)/β dt, T the horizon.",
}
LAWS = {
    "slow_flow": "slow flow",
    "leading_order": "leading order",
    "coincided": "law of coincided units",
    "lower_bound": "proved lower bound",
}
GREEK = dict(
    alpha="α", beta="β", gamma="γ", epsilon="ε", mu="μ", rho="ρ", varsigma="ς", omega="ω"
)  # fmt: skip
GUARANTEES = {
    "exact": "an identity, proved symbolically",
    "enclosed": "a ball or a bound proved to hold, rounding included",
    "estimated": "converged: two runs at different tolerance and precision share the digits; not proved",
    "sampled": "from random numbers, with a standard error",
}


def write(
    study: Study,
    result: StudyResult | None,
    checks: Sequence[Any],
    simulations: Sequence[Any],
    folder: Path,
    *,
    histories: StudyHistories | None = None,
    widths: StudyWidths | None = None,
    certificates: StudyCertificates | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the report of a study to a folder and return the path of its page.

    result:      of the escapes; None for a study that is about width only.
    checks:      rows of verify.compare, each with as_dict().
    simulations: none, or one a cell: None, an Extrapolation or Training, or verify.sampling.Simulated around one.
    folder:      made if need be; files of an earlier report there are replaced, foreign ones are left alone.
    histories:   of the cells, for a section on their plateaus; None for no such section.
    widths:      of the study, for a section on them; None for no such section.
    certificates: of the cells, for a section on them; None for no such section.
    progress:    called with a few words before each of the longer parts.

    Raises Unwritable where the folder cannot be written to; then, as after any exception, nothing has changed in it.
    """
    tell = progress or (lambda part: None)
    with outbox(Path(folder)) as draft:
        pictures = _pictures(result, simulations, tell) if result else []
        pictures += (history_pictures(histories) if histories else []) + (width_pictures(widths) if widths else [])
        (draft / "figures").mkdir()
        for picture in pictures:
            tell(f"figure {picture.name}")
            picture.save(draft / "figures")
        tell("page")
        numbers = _json(document(result, widths), checks, simulations, histories, certificates)
        (draft / "results.json").write_text(numbers, "utf-8")
        page = _page(study, result, checks, simulations, pictures, histories, widths, certificates)
        (draft / "index.html").write_text(page, "utf-8")
    return Path(folder) / "index.html"


def _json(
    found: dict[str, Any],
    checks: Sequence[Any],
    simulations: Sequence[Any],
    histories: StudyHistories | None,
    certificates: StudyCertificates | None,
) -> str:
    numbers = [each.as_dict() if hasattr(each, "as_dict") else _numbers(each) for each in simulations]
    found = found | {"checks": [check.as_dict() for check in checks], "simulations": numbers}
    if histories:
        found["histories"] = histories.as_dict()["cells"]
    if certificates:
        found["certificates"] = certificates.as_dict()["cells"]
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


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
    if len(points := _curse_points(cells, simulations)) > 1 and any(point.flow for point in points):
        axis = "memory L of the target (time): how far back it looks"
        found.append(curse(points, two_w0=common_two_w0(cells), axis=axis))
    if paths:
        found.append(plateaus([cell_name(cell) for cell in drawn], paths, story=_story(cells)))
    if best := _worth_a_map(zip(paths, drawn, strict=True)):
        path, cell = best
        found.append(landscape(path, cell_name(cell)))
    return found


def _path(cell: CellResult, **limits: Any) -> Trajectory | DenseTrajectory:
    if isinstance(cell.problem, DenseProblem):
        return dense_trajectory(cell.problem, **limits)
    return trajectory(cell.problem, digits=PATH_DIGITS, **limits)


def _story(cells: Sequence[CellResult]) -> str:
    """What the curves of the loss have in common, where there is a plateau."""
    if not waits(cells) or all(cell.escape is None or cell.escape.tau is None for cell in cells):
        return ""
    if wide(log10(cell.escape.tau) for cell in cells if cell.escape and cell.escape.tau):
        scale = "logarithmic twice: ten times the memory, ten times the decades"
    elif len(by_memory(cells)) > 2:
        scale = "logarithmic: equal steps in memory shift the escape by equal distances"
    else:
        scale = "logarithmic"
    return (
        " On the plateau training looks finished, although one unit is still free to learn the distant memory; then "
        f"the loss falls within a small part of the time it waited. Time is {scale}."
    )


def _curse_points(cells: Sequence[CellResult], simulations: Sequence[Any]) -> list[CursePoint]:
    """A point a cell; none where the sweep is over something else than one memory."""
    found = {id(cell): simulation for cell, simulation in with_simulations(cells, simulations)}
    points = []
    for lag, cell in by_memory(cells):
        tau, error = (getattr(found[id(cell)], name, None) for name in ("escape_time", "error"))
        laws = {name: answer.value if (answer := getattr(cell, name)) else None for name in LAWS}
        flow = cell.escape.tau if cell.escape else None
        simulated, spread = (None if x is None else f"{x:.{n}g}" for x, n in ((tau, 12), (error, 2)))
        points.append(CursePoint(str(sp.N(lag, 12)), flow, **laws, simulated=simulated, error=spread))
    return points


def _worth_a_map(
    drawn: Iterable[tuple[Trajectory | DenseTrajectory, CellResult]],
) -> tuple[Trajectory, CellResult] | None:
    """The escape to draw: the first long plateau, else the longest; None where nothing escapes or float64 fails."""
    fit = [
        (path, cell) for path, cell in drawn
        if isinstance(path, Trajectory) and isinstance(cell.problem, Problem) and path.escape.tau is not None
        and (cell.problem.off_the_fit or fits_float64(cell.problem))
    ]  # fmt: skip
    long = (each for each in fit if each[0].log10_tau[-1] > LONG_PLATEAU)
    return next(long, fit[-1] if fit else None)


# ---- the page -----------------------------------------------------------------------------------------------------


def _page(
    study: Study,
    result: StudyResult | None,
    checks: Sequence[Any],
    simulations: Sequence[Any],
    pictures: Sequence[Picture],
    histories: StudyHistories | None = None,
    widths: StudyWidths | None = None,
    certificates: StudyCertificates | None = None,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.lstrip_blocks = True
    environment.filters |= {
        "mathml": lambda one: mathml(one.left, one.right, one.relation),
        "shown": shown,
        "grouped": grouped,
        "vast": vast,
        "plain": plain,
        "below": partial(shown, rounding=ROUND_FLOOR),
        "above": partial(shown, rounding=ROUND_CEILING),
    }
    width = _of_widths(widths) if widths else {}
    main = {name: width[name] for name in ("title", "finding") if width} | {"result": None}
    if result:
        main |= _of_escapes(result, checks, simulations, histories)
        proofs = zip(result.cells, certificates.cells, strict=True) if certificates else ()
        main["certificates"] = [(cell_name(cell), one.certificate) for cell, one in proofs]
    return environment.get_template("report.html").render(
        study=study,
        **main,
        width=width,
        pictures={picture.name: (picture, _inline(picture)) for picture in pictures},
        between=between,
        checks=checks,
        passed=sum(check.passed for check in checks),
        guarantees=GUARANTEES,
        provenance=document(result, widths)["provenance"],
    )


def _template(name: str) -> str:
    return (resources.files("verify") / "templates" / name).read_text("utf-8")


def _of_escapes(
    result: StudyResult, checks: Sequence[Any], simulations: Sequence[Any], histories: StudyHistories | None
) -> dict[str, Any]:
    """What the page says of the escapes."""
    objects = _derivation(result)
    trained = with_simulations(result.cells, simulations)
    followed = zip(result.cells, histories.cells, strict=True) if histories else ()
    return {
        "result": result,
        "cells": [(cell_name(cell), cell, found) for cell, found in trained],
        "missing": missing(result.cells),
        "histories": [(cell_name(cell), history) for cell, history in followed],
        "finding": sentences(result, checks, simulations),
        "title": title(result.cells),
        "problem": setting(result),
        "derivation": objects,
        "introductions": INTRODUCTIONS,
        "symbols": Markup(" ".join(_symbols(objects))),
        "laws": _laws(result),
        "simulated": any(found and found.escape_time is not None for _, found in trained),
        "law": result.as_dict()["law"],
    }


def _with_letters(text: str) -> str:
    """A hypothesis with Greek letters for their names."""
    return re.sub(rf"\b({'|'.join(GREEK)})\b", lambda name: GREEK[name[0]], text).replace(">=", "≥").replace("<=", "≤")


def _of_widths(found: StudyWidths) -> dict[str, Any]:
    """What the page says of widths."""
    first = found.cells[0]
    laws = [replace(each, given=tuple(map(_with_letters, each.given))) for each in derived_of_width(first.target)]
    return {
        "title": width_title(found),
        "finding": width_sentences(found),
        "rho": mathml(sp.Function("rho")(t), first.target.rho(t)),
        "swept": label(first.parameters) if first.parameters else "",
        "cells": [(label(cell.parameters), cell) for cell in found.cells],
        "eps": [text for text, _ in found.question.eps],
        "laws": laws,
        "stable": bool(found.question.betas),
        "not_stable": _reasons(found),
    }


def _reasons(found: StudyWidths) -> list[tuple[str, str, str]]:
    """(cell, m's, reason) of the stability curves that there are not."""
    missing: dict[tuple[str, str], list[str]] = {}
    for cell in found.cells:
        for curve in cell.stability:
            if curve.reason:
                widths = missing.setdefault((label(cell.parameters), curve.reason), [])
                widths += [m] if (m := "∞" if curve.width is None else str(curve.width)) not in widths else []
    return [(name, ", ".join(widths), reason) for (name, reason), widths in missing.items()]


def _laws(result: StudyResult) -> dict[str, str]:
    """Those of LAWS that say something about a cell."""
    answers = {name: [getattr(cell, name) for cell in result.cells] for name in LAWS}
    return {name: title for name, title in LAWS.items() if any(each and each.value for each in answers[name])}


def _derivation(result: StudyResult) -> list[Derived]:
    """The objects of the first cell, with letters for what is swept, and a word on every parametrisation."""
    problem = result.cells[0].problem
    if isinstance(problem, DenseProblem):
        return list(derived(problem))
    target, horizon = lettered(result)
    letters = Lettered(target, problem.start, problem.drop, horizon, problem.parametrisation)
    try:
        objects = derived(letters)
    except TypeError as undecided:
        if "truth value" not in str(undecided):
            raise
        objects = derived(problem)  # which of two lags comes first is not decided by letters
    found = [each for each in objects if each.name != "parametrisation"]
    if others := [each for each in parametrisations(result.cells) if each != IDENTITY]:
        found.insert(3, parametrised(others))
    return found


def _symbols(objects: Sequence[Derived]) -> list[str]:
    """What the letters mean that stand in the formulas shown."""
    sides = [side for each in objects for one in each.statements for side in (one.left, one.right)]
    named = [text for kind, text in MOMENTS.items() if any(side.has(kind) for side in sides)]
    return [SYMBOLS[each.name] for each in objects if each.statements and each.name in SYMBOLS] + named


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
