"""Studies: TOML files that ask the question of theory/problem.py once, or for every cell of a sweep.

    [target] terms, horizon             [precision] digits
    [start] amplitudes, rates, parametrisation; or, dense, recurrent, input_weights, readout
    [simulate] dt, eta, length, mode, batch, seed, levels
    [escape] drop or fraction, tau_max, max_steps, max_seconds
    [plateaus] delta, prominence; the section asks for every plateau of each cell in the report
    [certify] digits; the section asks for a certificate of each cell in the report, of so many digits
    [width] widths, eps (verify/width_study.py); then [start] and [escape] may both be left out
    [sweep] dotted path = list of values; the cells are the product of the lists, the last one varying fastest

Every number is a string or an integer and is taken exactly (theory/exact.py). Every Problem is built while the study is
read, so that a mistake anywhere is told, with its dotted path, before any work begins.
"""

import copy
import itertools
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from functools import partial
from importlib import resources
from math import inf, prod
from pathlib import Path
from typing import Any, cast, get_args

import sympy as sp

from numerics.escape import FEWEST_DIGITS, MOST_DIGITS
from numerics.plateaus import DELTA, PROMINENCE
from numerics.run import MOST_STEPS
from numerics.slow_flow import drop_from_fraction
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import KINDS, Kernel
from theory.parametrisation import NAMED, InverseSquare, Parametrisation
from theory.problem import Problem, Target, horizon_of
from theory.rnn import LinearRNN
from verify.entries import (
    Float,
    StudyError,
    Table,
    bad,
    choice,
    count,
    did_you_mean,
    entries,
    known_keys,
    number,
    positive_number,
    shown,
)
from verify.simulate import Mode
from verify.width_study import KEYS as WIDTH_KEYS
from verify.width_study import WidthQuestion, question

DENSE_START = ("recurrent", "input_weights", "readout")
KEYS = {
    "target": ("terms", "horizon"),
    "start": ("amplitudes", "rates", "parametrisation", *DENSE_START),
    "escape": ("drop", "fraction", "tau_max", "max_steps", "max_seconds"),
    "precision": ("digits",),
    "simulate": ("dt", "eta", "length", "mode", "batch", "seed", "levels"),
    "plateaus": ("delta", "prominence"),
    "certify": ("digits",),
    "width": WIDTH_KEYS,
}
SECTIONS = (*KEYS, "sweep")
LARGEST = 10**6  # bytes of a study; a bigger file is not one
MOST_CELLS = 100_000


@dataclass(frozen=True)
class Cell:
    """One problem of a study. parameters: swept dotted path -> value, as the study writes it."""

    parameters: dict[str, str]
    problem: Problem | DenseProblem


@dataclass(frozen=True)
class Limits:
    """Where a cell stops at the latest: gradient-flow time (exact), accepted steps, seconds."""

    tau_max: sp.Rational | None = None
    max_steps: int = MOST_STEPS
    max_seconds: float = inf


@dataclass(frozen=True)
class Simulation:
    """How to train the cells that can be afforded. Exact numbers; length None stands for the longest lag + 15."""

    dt: sp.Rational
    eta: sp.Rational
    length: sp.Rational | None
    mode: Mode
    batch: int
    seed: int
    levels: int


@dataclass(frozen=True)
class Definition:
    """What a plateau is (numerics/plateaus.py). wanted: whether the study has a section that asks for them."""

    delta: sp.Expr
    prominence: sp.Expr
    wanted: bool


@dataclass(frozen=True)
class Study:
    """A study as read. source: its text. digits: significant digits wanted of each escape time.

    cells: what asks for an escape; none where the study is about width only. width: what it asks about that, or None.
    certify: digits to be certified of each escape time, or None where the study does not ask for that.
    """

    name: str
    source: str
    description: str
    cells: tuple[Cell, ...]
    digits: int
    limits: Limits
    simulate: Simulation | None
    plateaus: Definition
    width: WidthQuestion | None = None
    certify: int | None = None


def shipped() -> dict[str, str]:
    """Name -> description of the studies that come with memcurse."""
    return {name: _description(path.read_text("utf-8")) for name, path in _shipped_files().items()}


def load(name: str | Path) -> Study:
    """The study in a TOML file, or the shipped one of that name.

    Raises StudyError, which names the study, the dotted path, the condition, the value and a way out.

    >>> load("pair").cells[0].parameters
    {'target.terms.1.lag': '8'}
    """
    label, text = _text(str(name))
    try:
        return _study(label, text)
    except StudyError as error:
        raise StudyError(f"study {label}: {error}") from None


def digits_wanted(value: Any, path: str) -> int:
    """The number of significant digits; raises StudyError."""
    return count(value, path, FEWEST_DIGITS, MOST_DIGITS, "it is how many significant digits of tau are wanted")


def _certified(document: Table, digits: int) -> int | None:
    """The digits of [certify], by default those wanted anyway; None without the section."""
    return digits_wanted(document["certify"].get("digits", digits), "certify.digits") if "certify" in document else None


def _shipped_files() -> dict[str, Any]:
    folder = resources.files("verify") / "studies"
    files = {path.name.removesuffix(".toml"): path for path in folder.iterdir() if path.name.endswith(".toml")}
    return dict(sorted(files.items(), key=lambda item: (item[0] != "default", item[0])))


def _text(name: str) -> tuple[str, str]:
    """(label, source text) of a path or a shipped name."""
    files = _shipped_files()
    if name in files:
        return name, files[name].read_text("utf-8")
    path, way_out = Path(name), f"give a TOML file or a shipped study: {', '.join(files)}"
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        way_out = did_you_mean(name, files) + way_out
        raise StudyError(f"study {name}: no such file, and no shipped study of that name; {way_out}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StudyError(f"study {name}: cannot be read: {why}; {way_out}") from None
    if len(content) > LARGEST:
        raise StudyError(f"study {name}: is longer than {LARGEST} bytes, so it is no study; {way_out}")
    try:
        return path.stem, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is 0x{content[error.start]:02x}"
        raise StudyError(f"study {name}: must be a text file in UTF-8, but its {found}; {way_out}") from None


def _description(text: str) -> str:
    """The comment that opens a study, its first line."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first.lstrip("# ") if first.startswith("#") else ""


def _study(name: str, text: str) -> Study:
    try:
        document = tomllib.loads(text, parse_float=Float)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"must be valid TOML: {error}; compare it with a shipped study") from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, thousands of brackets
        raise StudyError(f"must be TOML of a sensible size: {error}; compare it with a shipped study") from None
    known_keys(document, "", SECTIONS)
    for section in document:
        if not isinstance(document[section], dict):
            raise bad(section, "must be a table", document[section], f"write [{section}] on a line of its own")
        if section in KEYS:
            known_keys(document[section], section, KEYS[section])
    escapes = "width" not in document or "start" in document or "escape" in document
    cells = tuple(_each_cell(document, _problem, Cell)) if escapes else ()
    digits = digits_wanted(document.get("precision", {}).get("digits", 20), "precision.digits")
    simulate = _simulation(document["simulate"]) if "simulate" in document else None
    limits, definition = _limits(document.get("escape", {})), _definition(document.get("plateaus"))
    width = None
    if "width" in document:
        targets = _each_cell(document, _target, lambda parameters, found: (parameters, *found))
        width = question(document["width"], digits if "digits" in document.get("precision", {}) else None, targets)
    certify = _certified(document, digits)
    if certify and not cells:
        raise StudyError("certify: is about escape times, and there are none; add [start] and [escape]")
    return Study(name, text, _description(text), cells, digits, limits, simulate, definition, width, certify)


def _each_cell(
    document: Table, read: Callable[[Table], Any], cell: Callable[[dict[str, str], Any], Any]
) -> Iterator[Any]:
    """The product of the swept values: `cell` of the parameters and what `read` finds in the document with them."""
    sweep = dict(_paths(document.get("sweep", {})))
    for path, values in sweep.items():
        if not isinstance(values, list) or not values:
            raise bad(f"sweep.{path}", "must be a list of at least one value", values, 'write for example ["8", "10"]')
        for i, value in enumerate(values):
            if not isinstance(value, str) and not (isinstance(value, dict) and path == "start.parametrisation"):
                number(value, f"sweep.{path}.{i}")
    if (size := prod(map(len, sweep.values()))) > MOST_CELLS:
        raise bad("sweep", f"must have at most {MOST_CELLS} cells", size, "sweep fewer values")
    for values in itertools.product(*sweep.values()):
        parameters = {path: _as_written(value) for path, value in zip(sweep, values, strict=True)}
        swept = copy.deepcopy(document) if sweep else document
        for path, value in zip(sweep, values, strict=True):
            _set(swept, path, value)
        try:
            yield cell(parameters, read(swept))
        except StudyError as error:
            where = ", ".join(f"{path} = {value}" for path, value in parameters.items())
            raise StudyError(f"{error} (in the cell {where})" if where else str(error)) from None


def _as_written(value: Any) -> str:
    """A swept value as the study writes it: a number, a word, or the table of a parametrisation."""
    table = ", ".join(f"{k} = {v}" for k, v in value.items()) if isinstance(value, dict) else None
    return str(value) if table is None else f"{{{table}}}"


def _paths(table: Table, above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path -> values; a path may be one quoted key or, as TOML reads it unquoted, nested tables."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{key}.")
        else:
            yield above + key, value


def _set(document: Table, path: str, value: Any) -> None:
    """document[path] = value; whether a key is known there is for `_problem` to judge."""
    parts = path.split(".")
    if len(parts) < 2:
        raise StudyError(f"sweep.{path}: must name an entry of a section, such as target.terms.1.lag")
    if parts[0] not in ("target", "start") and path not in ("escape.drop", "escape.fraction"):
        hint = did_you_mean(parts[0], SECTIONS) if parts[0] not in SECTIONS else ""
        sweepable = "target..., start..., escape.drop and escape.fraction can be swept"
        raise StudyError(f"sweep.{path}: cannot be swept; {hint}{sweepable}")
    here: Any = document
    for depth, part in enumerate(parts):
        above = ".".join(parts[:depth])
        if isinstance(here, list):
            if not (part.isascii() and part.isdecimal() and int(part) < len(here)):
                raise bad(f"sweep.{path}", f"must name an entry of {above}", part, f"they are 0 to {len(here) - 1}")
        elif not isinstance(here, dict):
            raise StudyError(f"sweep.{path}: {above} is {shown(here)}, with nothing inside it to sweep")
        elif part not in here and depth < len(parts) - 1:
            way_out = f"{did_you_mean(part, here)}present: {', '.join(here)}"
            raise bad(f"sweep.{path}", "must name what the study has", part, way_out)
        key: Any = int(part) if isinstance(here, list) else part
        if depth == len(parts) - 1:
            here[key] = value
        else:
            here = here[key]


def _target(document: Table) -> tuple[Target, sp.Expr]:
    """The target and its horizon."""
    _present(document, "target")
    target = document["target"]
    known_keys(target, "target", KEYS["target"])
    terms = entries(target, "target", "terms", "a target is the sum of its terms")
    rho = Target(tuple(_kernel(term, f"target.terms.{i}") for i, term in enumerate(terms)))
    return rho, _built("target", lambda: horizon_of(_horizon(target.get("horizon", "inf")), rho))


def _present(document: Table, section: str) -> None:
    if not isinstance(document.get(section), dict):
        raise StudyError(f"{section}: is missing; add a section [{section}] with {', '.join(KEYS[section])}")


def _problem(document: Table) -> Problem | DenseProblem:
    for section in ("target", "start", "escape"):
        _present(document, section)
    start, escape = document["start"], document["escape"]
    known_keys(start, "start", KEYS["start"])
    rho, horizon = _target(document)
    if any(key in start for key in DENSE_START):
        return _dense_problem(rho, start, escape, horizon)
    network = "a network has one amplitude and one rate for each of its units"
    amplitudes, rates = (entries(start, "start", key, network) for key in ("amplitudes", "rates"))
    if len(amplitudes) != len(rates):
        raise bad("start.rates", f"must be as many as the {len(amplitudes)} amplitudes", rates, network)
    a = [number(value, f"start.amplitudes.{i}") for i, value in enumerate(amplitudes)]
    fading = "for the memory to fade; rates are minus the eigenvalues of W"
    w = [positive_number(value, f"start.rates.{i}", fading) for i, value in enumerate(rates)]
    parametrisation = _parametrisation(start.get("parametrisation", "identity"))
    for i, rate in enumerate(w):
        check = partial(parametrisation.check, rate, f"start.rates.{i}:")
        _built("", check)
    rnn = LinearRNN.of(a, w)
    return _built("", lambda: Problem(rho, rnn, _drop(rho, rnn, escape, horizon), horizon, parametrisation))


def _built(path: str, make: Callable[[], Any]) -> Any:
    """What `make` returns; its ValueError with the dotted path of the entry."""
    try:
        return make()
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(f"{path}: {error}" if path else str(error)) from None


def _horizon(value: Any) -> Any:
    return value if value == "inf" else positive_number(value, "target.horizon", "in time, or be 'inf'")


def _parametrisation(value: Any) -> Parametrisation:
    """"identity", "exp", "softplus", or the table {a, b} of 1/(a v^2 + b)."""
    path = "start.parametrisation"
    if isinstance(value, dict):
        known_keys(value, path, ("a", "b"))
        for key in ("a", "b"):
            if key not in value:
                raise StudyError(f'{path}.{key}: is missing; write {{a = "1", b = "1/2"}} for w = 1/(a v^2 + b)')
        a = positive_number(value["a"], f"{path}.a", "for the rate to depend on v")
        b = positive_number(value["b"], f"{path}.b", "for the rates to be bounded by 1/b")
        return InverseSquare(a, b)
    if not isinstance(value, str) or value not in NAMED:
        known = f'known here: {", ".join(NAMED)}, or {{a = "1", b = "1/2"}} for w = 1/(a v^2 + b)'
        raise bad(path, "must be a known word or a table", value, did_you_mean(value, NAMED) + known)
    return NAMED[value]


def _dense_problem(target: Target, start: Table, escape: Table, horizon: sp.Expr) -> DenseProblem:
    """The problem of a dense start: recurrent (m x m), input_weights (m x d), readout (m)."""
    for key in ("amplitudes", "rates", "parametrisation"):
        if key in start:
            matrices = ", ".join(DENSE_START)
            raise StudyError(f"start.{key}: is of a diagonal network, {matrices} of a dense one; leave out either")
    why = "a dense network has recurrent (m x m), input_weights (m x d) and readout (m)"
    recurrent, inputs, readout = (entries(start, "start", key, why) for key in DENSE_START)
    W, U = (_matrix(rows, f"start.{key}") for rows, key in ((recurrent, "recurrent"), (inputs, "input_weights")))
    c = tuple(number(value, f"start.readout.{i}") for i, value in enumerate(readout))
    network = _built("start", lambda: DenseRNN(W, U, c))
    if "fraction" in escape:
        raise StudyError("escape.fraction: needs the plateau of a diagonal network; give the drop itself")
    if "drop" not in escape:
        raise StudyError('escape.drop: is missing; write for example drop = "0.05"')
    drop = positive_number(escape["drop"], "escape.drop", "for the loss to fall by it")
    return cast(DenseProblem, _built("start", lambda: DenseProblem(target, network, drop, horizon)))


def _matrix(rows: list[Any], path: str) -> tuple[tuple[sp.Expr, ...], ...]:
    for i, row in enumerate(rows):
        if not isinstance(row, list):
            raise bad(f"{path}.{i}", "must be a list, one row of a matrix", row, 'write for example [["-1", "0"], …]')
    return tuple(tuple(number(value, f"{path}.{i}.{j}") for j, value in enumerate(row)) for i, row in enumerate(rows))


def _drop(target: Target, start: LinearRNN, escape: Table, horizon: sp.Expr) -> sp.Expr:
    """The drop of the study, or the one of its fraction."""
    if ("drop" in escape) == ("fraction" in escape):
        given = "both are given" if "drop" in escape else "neither is given"
        way_out = 'write for example drop = "0.05"'
        raise StudyError(f"escape.drop: exactly one of drop and fraction is needed, {given}; {way_out}")
    if "drop" in escape:
        return positive_number(escape["drop"], "escape.drop", "for the loss to fall by it")
    fraction = positive_number(escape["fraction"], "escape.fraction", "for the loss to fall")
    if horizon is not sp.oo:
        raise StudyError("escape.fraction: is of a plateau with an infinite horizon; give the drop itself")
    try:
        return drop_from_fraction(target, start, fraction)
    except ValueError as error:
        raise StudyError(f"escape.fraction: {str(error).removeprefix('fraction ')}") from None


def _limits(escape: Table) -> Limits:
    limits: dict[str, Any] = {}
    if "tau_max" in escape:
        limits["tau_max"] = positive_number(escape["tau_max"], "escape.tau_max", "for the flow to have time")
    if "max_steps" in escape:
        limits["max_steps"] = count(escape["max_steps"], "escape.max_steps", 1, None, "leave it out for the default")
    if "max_seconds" in escape:
        limits["max_seconds"] = float(positive_number(escape["max_seconds"], "escape.max_seconds", "for any work"))
    return Limits(**limits)


def _kernel(term: Any, path: str) -> Kernel:
    kinds = f"known kinds: {', '.join(KINDS)}"
    if not isinstance(term, dict):
        raise bad(path, "must be a table", term, 'write for example {kind = "exponential", rate = "1"}')
    if "kind" not in term:
        raise StudyError(f"{path}.kind: is missing; {kinds}")
    kind = term["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        way_out = "a pure delay has no kernel, and no width approximates it" if kind == "delay" else kinds
        raise bad(f"{path}.kind", "must be a kind of kernel", kind, did_you_mean(kind, KINDS) + way_out)
    by_position = sorted(fields(KINDS[kind]), key=lambda each: each.kw_only is True)  # what all kinds share comes last
    known = {each.metadata.get("key", each.name): each for each in by_position}
    known_keys(term, path, ("kind", *known))
    for key, each in known.items():
        if each.default is MISSING and key not in term:
            raise StudyError(f'{path}.{key}: is missing; write for example {key} = "exp(-t)*cos(3*t)"')
    given = {
        known[key].name: number(value, f"{path}.{key}", known[key].metadata["check"])
        for key, value in term.items()
        if key != "kind"
    }
    return cast(Kernel, _built(path, lambda: KINDS[kind](**given)))


def _definition(table: Table | None) -> Definition:
    given = table or {}
    delta = positive_number(given.get("delta", DELTA), "plateaus.delta", "for the extent of a plateau to have a height")
    prominence = number(given.get("prominence", PROMINENCE), "plateaus.prominence")
    if not prominence > 1:
        slower = "it is how many times as slowly as before and after the loss falls on a plateau"
        raise bad("plateaus.prominence", "must be > 1", given["prominence"], slower)
    return Definition(delta, prominence, table is not None)


def _simulation(table: Table) -> Simulation:
    for key, example in (("dt", "0.2"), ("eta", "0.04")):
        if key not in table:
            raise StudyError(f'simulate.{key}: is missing; write for example {key} = "{example}"')
    dt = positive_number(table["dt"], "simulate.dt", "for a time step")
    eta = positive_number(table["eta"], "simulate.eta", "for a learning rate")
    length = None
    if "length" in table:
        length = positive_number(table["length"], "simulate.length", "for the simulated time of a sequence")
        if length < dt:
            outlast = "a sequence should outlast the memory, e.g. lag + 15"
            raise bad("simulate.length", f"must be at least dt = {dt}", table["length"], outlast)
    mode = cast(Mode, choice(table.get("mode", "population"), "simulate.mode", get_args(Mode)))
    batch = count(table.get("batch", 100), "simulate.batch", 1, None, "it is the number of sequences in a batch")
    seed = count(table.get("seed", 0), "simulate.seed", 0, None, "it is the seed of the random numbers")
    levels = count(table.get("levels", 2), "simulate.levels", 1, 8, "each level halves dt and eta once more")
    return Simulation(dt, eta, length, mode, batch, seed, levels)
