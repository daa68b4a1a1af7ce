"""The report: one HTML page that states the finding, how it is derived, and the evidence, with its data beside it.

    index.html            self-contained: MathML, inline SVG and CSS, no script, no network
    results.json          every number of the page and more
    figures/NAME.{svg,pdf,csv}

Everything is written to a fresh folder first and moved into place at the end; other files in the folder stay.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import mpmath
import sympy as sp
from markupsafe import Markup, escape
from sympy.printing.mathml import MathMLPresentationPrinter

from numerics.flow import fits_float64
from numerics.trajectory import Trajectory, trajectory
from theory import landscape
from theory.kernels import Kernel, t
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem
from theory.special import GaussianMoment
from verify.derivation import derived
from verify.figures import RAISED, CursePoint, Picture, curse, log10, plateaus
from verify.figures import landscape as landscape_picture
from verify.outbox import outbox
from verify.simulate import Extrapolation
from verify.study import Study
from verify.sweep import CellResult, StudyResult, label

Progress = Callable[[str], None]
MOST_CURVES = 12  # in the plateaus figure; of more cells, evenly spaced ones are drawn
LONG_PLATEAU = 4  # decades of tau that make a landscape figure worth looking at
PATH_DIGITS = 10  # of the trajectories drawn
LAG = sp.Symbol("L", positive=True)
INTRODUCTIONS = {
    "loss": "The network's memory is a sum of exponentials; its squared distance from the target's is the loss.",
    "gradient": "Differentiated block by block, for any number of units.",
    "flow": "Training with small steps follows the gradient flow in the time τ = learning rate × steps.",
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
    trained = [each.as_dict() if hasattr(each, "as_dict") else _numbers(each) for each in simulations]
    document = result.as_dict() | {"checks": [check.as_dict() for check in checks], "simulations": trained}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _numbers(simulation: Any) -> dict[str, str | None] | None:
    """The numbers of an Extrapolation as decimal strings."""
    if simulation is None:
        return None
    names = ("escape_time", "error", "eta_order", "dt_order", "reason")
    values = {name: getattr(simulation, name, None) for name in names}
    return {name: None if value is None else str(value) for name, value in values.items()}


# ---- figures ------------------------------------------------------------------------------------------------------


def memory(problem: Problem) -> sp.Expr | None:
    """The memory L of a problem, the lag of the nearest term of its bump; None without one."""
    lags = [found[1] for kernel in problem.bump if (found := kernel.exponent())]
    return min(lags) if lags and len(lags) == len(problem.bump) else None


def _pictures(result: StudyResult, simulations: Sequence[Any], tell: Progress) -> list[Picture]:
    """Those of the three figures that the cells of the study allow."""
    cells = result.cells
    drawn = [cell for cell in cells if cell.escape is not None]
    if len(drawn) > MOST_CURVES:
        drawn = [drawn[round(i * (len(drawn) - 1) / (MOST_CURVES - 1))] for i in range(MOST_CURVES)]
    paths: list[Trajectory] = []
    for cell in drawn:
        tell(f"trajectory, {label(cell.parameters)}")
        paths.append(trajectory(cell.problem, digits=PATH_DIGITS, **vars(result.study.limits)))
    found = []
    if (points := _curse_points(cells, simulations)) and any(point.flow for point in points):
        found.append(curse(points, two_w0=_two_w0(cells), axis="memory L of the target (time): how far back it looks"))
    if paths:
        found.append(plateaus([_name(cell) for cell in drawn], paths))
    shown = _worth_a_map(paths)
    if shown is not None:
        found.append(landscape_picture(paths[shown], _name(drawn[shown])))
    return found


def _name(cell: CellResult) -> str:
    """A cell's name in a figure: its memory where that is all that is swept."""
    swept = list(cell.parameters)
    lag = memory(cell.problem)
    if lag is not None and (not swept or (len(swept) == 1 and swept[0].endswith(".lag"))):
        return f"L = {plain(lag)}"
    return label(cell.parameters)


def _curse_points(cells: Iterable[CellResult], simulations: Sequence[Any]) -> list[CursePoint]:
    """A point a cell; none where the sweep is over something else than one memory."""
    cells = list(cells)
    memories = [memory(cell.problem) for cell in cells]
    if None in memories or len(set(memories)) < len(cells):
        return []
    points = []
    for index, (cell, lag) in enumerate(zip(cells, memories, strict=True)):
        found = _trained(simulations[index] if index < len(simulations) else None)
        tau, error = (getattr(found, name, None) for name in ("escape_time", "error"))
        answers = (cell.slow_flow, cell.leading_order, cell.lower_bound)
        flow = cell.escape.tau if cell.escape else None
        slow, leading, bound = (answer.value if answer else None for answer in answers)
        simulated, spread = (None if x is None else f"{x:.{n}g}" for x, n in ((tau, 12), (error, 2)))
        points.append(CursePoint(str(sp.N(lag, 12)), flow, slow, leading, bound, simulated, spread))
    return points


def _trained(simulation: Any) -> Any:
    """The Extrapolation or Training of a cell, or None."""
    return getattr(simulation, "found", simulation)


def _two_w0(cells: Iterable[CellResult]) -> str | None:
    """2 w0, if it is the same for all cells."""
    try:
        spares = {plateau(cell.problem).spare for cell in cells}
    except NoPlateau:
        return None
    return str(sp.N(2 * spares.pop(), 6)) if len(spares) == 1 else None


def _worth_a_map(paths: Sequence[Trajectory]) -> int | None:
    """The escape to draw: the first long plateau, else the longest; None where nothing escapes or float64 fails."""
    fit = [
        i for i, path in enumerate(paths)
        if path.escape.tau is not None and (path.escape.problem.off_the_fit or fits_float64(path.escape.problem))
    ]  # fmt: skip
    return next((i for i in fit if paths[i].log10_tau[-1] > LONG_PLATEAU), fit[-1] if fit else None)


# ---- mathematics --------------------------------------------------------------------------------------------------


class Presentation(MathMLPresentationPrinter):
    """SymPy's MathML with the letters left as they are, a sign for every sum, and no more brackets than needed."""

    def _row(self, *children: Any) -> Any:
        return self._node("mrow", *children)

    def _node(self, tag: str, *children: Any) -> Any:
        node = self.dom.createElement(tag)
        for child in children:
            node.appendChild(self.dom.createTextNode(child) if isinstance(child, str) else child)
        return node

    def _fenced(self, *children: Any) -> Any:
        return self._row(self._node("mo", "("), *children, self._node("mo", ")"))

    def _call(self, name: Any, arguments: Sequence[Any]) -> Any:
        listed = [self._print(arguments[0])]
        for argument in arguments[1:]:
            listed += [self._node("mo", ","), self._print(argument)]
        return self._row(name, self._fenced(*listed))

    def _print_Function(self, expr: Any) -> Any:
        return self._call(self._print(sp.Symbol(expr.func.__name__)), expr.args)

    def _print_GaussianMoment(self, expr: Any) -> Any:
        return self._call(self._node("msub", self._node("mi", "M"), self._print(expr.args[0])), expr.args[1:])

    def _print_exp(self, expr: Any) -> Any:
        return self._node("msup", self._node("mi", "e"), self._print(expr.args[0]))

    def _print_Indexed(self, expr: Any) -> Any:
        name, _, starred = str(expr.base).partition("^")
        parts = [self._print(sp.Symbol(name)), self._row(*map(self._print, expr.indices))]
        return self._node("msubsup", *parts, self._node("mo", starred)) if starred else self._node("msub", *parts)

    def _print_Sum(self, expr: Any) -> Any:
        signs = [
            self._node(
                "munderover",
                self._node("mo", "∑"),
                self._row(self._print(index), self._node("mo", "="), self._print(first)),
                self._print(last),
            )
            for index, first, last in expr.limits
        ]
        body = self._print(expr.function)
        return self._row(*signs, self._fenced(body) if expr.function.is_Add else body)

    def _print_Integral(self, expr: Any) -> Any:
        variable, first, last = expr.limits[0]
        sign = self._node("msubsup", self._node("mo", "∫"), self._print(first), self._print(last))
        d = self._node("mi", "d")
        d.setAttribute("mathvariant", "normal")
        space = self._node("mspace")
        space.setAttribute("width", "0.17em")
        return self._row(sign, self._print(expr.function), space, d, self._print(variable))

    def _print_Add(self, expr: Any, order: Any = None) -> Any:
        """Sums first, and a positive term in front."""
        terms = sorted(self._as_ordered_terms(expr, order), key=lambda term: -_signs(term))
        front = next((term for term in terms if not term.could_extract_minus_sign()), terms[0])
        terms = [front, *(term for term in terms if term is not front)]
        row = [self._print(terms[0])]
        for term in terms[1:]:
            negative = term.could_extract_minus_sign() and not term.is_Add
            row += [self._node("mo", "−" if negative else "+"), self._print(-term if negative else term)]
        return self._row(*row)

    def _print_Mul(self, expr: Any) -> Any:
        """Sign, fraction, then sums and integrals, which reach to the end."""
        coefficient, factors = expr.as_coeff_mul()
        flipped = [f for f in factors if f.is_Add and all(each.could_extract_minus_sign() for each in f.args)]
        factors = [-f if f in flipped else f for f in factors]
        coefficient *= (-1) ** len(flipped)
        last = [f for f in factors if isinstance(f, sp.Sum | sp.Integral)]
        above, below = sp.fraction(abs(coefficient) * sp.Mul(*(f for f in factors if f not in last)), exact=True)
        row = [self._node("mo", "−")] if coefficient < 0 else []
        if below != 1:
            row.append(self._node("mfrac", self._product(above), self._product(below)))
        elif above != 1:
            row.append(self._product(above))
        return self._row(*row, *(self._print(f) if f is last[-1] else self._fenced(self._print(f)) for f in last))

    def _product(self, expr: Any) -> Any:
        """A product without a denominator: numbers, letters, functions, brackets."""

        def rank(f: Any) -> int:
            return 0 if f.is_number else 1 if f.is_Symbol or isinstance(f, sp.Indexed) else 3 if f.is_Add else 2

        factors = sorted(sp.Mul.make_args(expr), key=rank)
        if len(factors) == 1:
            return self._print(factors[0])
        return self._row(*(self._fenced(self._print(f)) if f.is_Add else self._print(f) for f in factors))

    def _print_Pow(self, expr: Any) -> Any:
        if (expr.exp.is_number and expr.exp.is_negative) or expr.exp == sp.Rational(1, 2):
            return super()._print_Pow(expr)
        base = self._print(expr.base)
        bare = expr.base.is_Symbol or expr.base.is_Function or expr.base.is_Integer
        return self._node("msup", base if bare else self._fenced(base), self._print(expr.exp))

    def _print_Derivative(self, expr: Any) -> Any:
        inner, variable = expr.expr, expr.variables[0]
        if inner.is_Function and inner.args == (variable,):  # R'(w_k)
            prime = self._node("msup", self._print(sp.Symbol(inner.func.__name__)), self._node("mo", "′"))
            return self._call(prime, inner.args)
        sign = "∂" if inner == landscape.J else "d"
        d, over = self._node("mi", sign), self._node("mi", sign)
        for each in (d, over):
            each.setAttribute("mathvariant", "normal")
        small = isinstance(inner, sp.Symbol | sp.Indexed)
        top = self._row(over, self._print(inner)) if small else over
        ratio = self._node("mfrac", top, self._row(d, self._print(variable)))
        return ratio if small else self._row(ratio, self._fenced(self._print(inner)))


def _signs(term: sp.Expr) -> int:
    """How many summation signs a term has."""
    return sum(len(each.limits) for each in term.atoms(sp.Sum))


def _signs_outside(expr: sp.Expr) -> sp.Expr:
    """Numerical factors moved out of sums."""

    def outside(function: Any, *limits: Any) -> Any:
        coefficient, rest = function.as_coeff_Mul()
        return coefficient * sp.Sum(rest, *limits)

    return expr.replace(sp.Sum, outside)


def mathml(left: sp.Expr, right: sp.Expr, relation: str = "=") -> Markup:
    """left = right as a MathML block; relation is a LaTeX sign, as in theory.latex.Statement."""
    printer = Presentation()
    sign = {"=": "=", r"\ge": "≥", r"\le": "≤"}[relation]
    sides = [printer._print(_signs_outside(side)).toxml() for side in (left, right)]
    body = f"{sides[0]}<mo>{sign}</mo>{sides[1]}".replace("&amp;", "&").replace("&InvisibleTimes;", "\u2062")
    return Markup(f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow>{body}</mrow></math>')


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


# ---- the page -----------------------------------------------------------------------------------------------------


def shown(value: str | None, digits: int = 6, rounding: str = ROUND_HALF_EVEN) -> str:
    """A decimal string for reading: at most `digits` significant digits, scientific from a million on.

    rounding: of the decimal module; ROUND_FLOOR keeps a lower bound one.

    >>> shown("192126.7701435"), shown("6.559020396066914e10")
    ('192127', '6.55902\xa0×\xa010¹⁰')
    """
    if value is None:
        return "–"
    context = Context(prec=digits, rounding=rounding, Emax=10**12, Emin=-(10**12))
    number = context.create_decimal(value)
    exponent = number.adjusted()
    positional = number == 0 or -5 <= exponent < 6
    power = "" if positional else f"\u00a0×\u00a010{str(exponent).translate(RAISED)}"
    return f"{number if positional else number.scaleb(-exponent, context):f}".replace("-", "−") + power


def grouped(value: str | None) -> str:
    """A decimal string with a narrow space after every fifth decimal, for the tables.

    >>> grouped("15.02589977590923123276").replace("\\u202f", " ")
    '15.02589 97759 09231 23276'
    """
    if value is None:
        return "–"
    mantissa, _, exponent = value.partition("e")
    whole, _, decimals = mantissa.partition(".")
    parts = "\u202f".join(re.findall(".{1,5}", decimals))
    power = f" × 10{exponent.lstrip('+').translate(RAISED)}" if exponent else ""
    return (f"{whole}.{parts}" if parts else whole) + power


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
        cells=[(_name(cell), cell, found) for cell, found in _with_simulations(result.cells, simulations)],
        missing=_missing(result.cells),
        finding=_finding(result, checks, simulations),
        problem=_problem(result),
        derivation=_derivation(result),
        pictures={picture.name: (picture, _inline(picture)) for picture in pictures},
        checks=checks,
        passed=sum(check.passed for check in checks),
        guarantees=GUARANTEES,
        provenance=result.as_dict()["provenance"],
        law=result.as_dict()["law"],
    )


def _with_simulations(cells: Sequence[CellResult], simulations: Sequence[Any]) -> list[tuple[CellResult, Any]]:
    return [(cell, _trained(simulations[i]) if i < len(simulations) else None) for i, cell in enumerate(cells)]


def _missing(cells: Sequence[CellResult]) -> list[tuple[str, str, str]]:
    """(what, why, cells) of the theory's numbers that do not exist."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        for what in ("slow_flow", "leading_order", "lower_bound"):
            answer = getattr(cell, what)
            if answer and answer.value is None:
                found.setdefault((what.replace("_", " "), str(answer.reason)), []).append(_name(cell))
    return [(what, why, ", ".join(names)) for (what, why), names in found.items()]


def _problem(result: StudyResult) -> dict[str, Any]:
    """Target and start as mathematics, with the memory as L where that is what the sweep varies."""
    problem = result.cells[0].problem
    lags = {memory(cell.problem) for cell in result.cells}
    rho = problem.target.rho(t)
    if len(lags) > 1 and (lag := memory(problem)) is not None:
        terms = (_at_lag(term, LAG) if _lag(term) == lag else term for term in problem.target.terms)
        rho = sp.Add(*(term.rho(t) for term in terms))
    units = ", ".join(f"({plain(a)}; {plain(w)})" for a, w in problem.start.units)
    return {"rho": mathml(sp.Function("rho")(t), rho), "units": units, "drop": plain(problem.drop)}


def _lag(term: Kernel) -> sp.Expr | None:
    return getattr(term, "lag", None)


def _at_lag(term: Kernel, lag: sp.Expr) -> Kernel:
    """The same kernel further back."""
    changed: dict[str, Any] = {"lag": lag}
    return replace(term, **changed)


def _finding(result: StudyResult, checks: Sequence[Any], simulations: Sequence[Any]) -> list[str]:
    """What the study found, in sentences with the numbers filled in; the first is the headline."""
    cells = _with_simulations(result.cells, simulations)
    taus = {cell.problem: cell.escape.tau for cell in result.cells if cell.escape and cell.escape.tau}
    lags = sorted((lag, problem) for problem in taus if (lag := memory(problem)) is not None)
    said = []
    if len({lag for lag, _ in lags}) == len(lags) > 1:
        said += _growth(lags, taus, result.cells)
    elif len(cells) == 1:
        tau = next(iter(taus.values()), None)
        end = f"leaves the plateau at τ = {shown(tau, 10)}" if tau else f"does not escape: {result.cells[0].outcome}"
        said.append(f"The gradient flow {end}.")
    else:
        said.append(f"{len(taus)} of {len(cells)} cells escape.")
    errors = {
        _name(cell): abs(found.escape_time / float(taus[cell.problem]) - 1) for cell, found in cells
        if isinstance(found, Extrapolation) and found.escape_time is not None and cell.problem in taus
    }  # fmt: skip
    if errors:
        worst = shown(f"{max(errors.values()):.1e}", 2)
        names = ", ".join(errors)
        said.append(f"Networks really trained by gradient descent ({names}) agree with it to {worst} or better.")
    if failed := sum(not check.passed for check in checks):
        said.append(f"{failed} of {len(checks)} cross-checks FAILED; see the table.")
    elif checks:
        said.append(f"All {len(checks)} cross-checks passed.")
    return said


def _growth(lags: list[tuple[Any, Problem]], taus: dict[Problem, str], cells: Sequence[CellResult]) -> list[str]:
    """How the escape time grows over a sweep of memories."""
    (first, begin), (before, near), (last, end) = lags[0], lags[-2], lags[-1]
    two_w0 = _two_w0(cells)
    said: list[str] = []
    if two_w0:
        factor = shown(mpmath.nstr(mpmath.exp(mpmath.mpf(two_w0)), 8), 3)
        headline = Markup("Each unit of memory multiplies the training time by e<sup>2w₀</sup> = {} in the long run.")
        said.append(headline.format(factor))
    decades = log10(taus[end]) - log10(taus[begin])
    times = shown(f"{10 ** (decades % 1):.1f}e{int(decades // 1)}", 2)
    said.append(
        f"From L = {plain(first)} to L = {plain(last)} the escape time of gradient flow grew from "
        f"{shown(taus[begin], 4)} to {shown(taus[end], 4)}, {times} times."
    )
    slow = {cell.problem: cell.slow_flow.value for cell in cells if cell.slow_flow and cell.slow_flow.value}
    if two_w0 and near in slow and end in slow:
        rise, theory = (
            (log10(values[end]) - log10(values[near])) * float(mpmath.log(10)) / float(last - before)
            for values in (taus, slow)
        )
        said.append(
            f"Between the last two, ln τ grows by {rise:.4f} for each unit; the slow flow derived below says "
            f"{theory:.4f}, and 2w₀ = {float(two_w0):.4g} is the limit."
        )
    return said


def plain(number: sp.Expr) -> str:
    """An exact number as a decimal where that is exact and short, else as it is.

    >>> plain(sp.Rational(7, 10)), plain(sp.Rational(1, 3))
    ('0.7', '1/3')
    """
    if not number.is_Rational:
        return str(number)
    decimal = f"{Decimal(int(number.p)) / Decimal(int(number.q)):f}"
    return decimal if len(decimal) < 12 and sp.Rational(decimal) == number else str(number)


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

