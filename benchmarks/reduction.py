r"""Networks of a given width for one long sum of exponentials, by us and by others' model reduction.

The power law as a sum of STATES exponentials, by the trapezoidal rule in x = ln l,

    (1+t)^{-(1+om)} = 1/Gamma(1+om) int l^om e^{-l} e^{-lt} dl  ~  sum_k p_k e^{-l_k t} ,  l_k = e^{x_k}         (B1)

is a symmetric system W = -diag(l), b = c = sqrt(p), its rates from 50 down to 2e-20. Everybody gets these numbers:

balanced     balanced_truncation(); pyMOR's BTReductor; NumPy's eigh of the Gramian b_i b_j/(l_i + l_j), as
             anyone would write it in six lines. Best in H-infinity, within a factor of 2.
H2           h2_optimal(); pyMOR's IRKAReductor, from its own start and from its own balanced truncation

A peer's small matrices are diagonalised with 50 digits, not timed, so that its errors are its own. With the error a
sum of exponentials, e = sum_k e_k e^{-w_k t}, complex ones in pairs,

    H2^2 = sum_jk e_j conj(e_k) / (w_j + conj(w_k)) ,   H-infinity = max_s |sum_k e_k/(w_k + is)|               (B2)

the first with 50 digits, the second on a grid of s. Seconds are those of CPU for a call, the median of CALLS (one for
what is LONG); an earlier call, for a small width, has derived and imported what there is. pyMOR is optional: without
it its rows say so.

python -m benchmarks.reduction writes benchmarks/results/reduction.csv and reduction.md. One core: run with
OPENBLAS_NUM_THREADS=1.
"""

import argparse
import csv
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import cache, partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import flint
import numpy as np
from rich.console import Console

from benchmarks.machine import code, description
from benchmarks.table import seconds
from numerics.answer import context
from numerics.arithmetic import Arb, Array
from numerics.balanced import balanced_truncation, network
from numerics.h2_optimal import h2_optimal
from theory.kernels import Exponential
from theory.pairs import Mode, modes
from theory.problem import Target
from theory.rnn import LinearRNN

OMEGAS = ("1/2", "1/4")
STATES, STEP, FASTEST = 100, 0.5, 50.0
WIDTHS = (8, 24, 40)
CALLS, LONG, WARM = 5, 0.5, 2  # WARM: the width of the first call
EXACTLY = 50  # digits
FREQUENCIES = (0.0, *np.geomspace(1e-22, 1e3, 600))
AS_GOOD = 1.01  # times our error
RESULTS = Path(__file__).parent / "results"
Matrices = tuple[Array, Array, Array]  # A, b, c
Reduce = Callable[[str, int], LinearRNN | Matrices]


class Unusable(Exception):
    """What came out is no network with an error; the message says why."""


@dataclass(frozen=True)
class Method:
    """How to come from omega to a width. beside: ours that does the same, or ""; measure: the error it is judged by."""

    name: str
    package: str
    reduce: Reduce
    beside: str = ""
    measure: str = "h_infinity"


@dataclass(frozen=True)
class Row:
    """What a method gave at a width: errors (B2), slowest rate and CPU seconds as decimals; remark: why it did not."""

    method: str
    omega: str
    width: int
    h2: str = ""
    h_infinity: str = ""
    slowest_rate: str = ""
    seconds: str = ""
    remark: str = ""


@cache
def long_sum(omega: str) -> tuple[Array, Array]:
    """(l, p) of (B1)."""
    om = float(Fraction(omega))
    rates = np.exp(math.log(FASTEST) - STEP * np.arange(STATES)[::-1])
    return rates, STEP * rates ** (1 + om) * np.exp(-rates) / math.gamma(1 + om)


@cache
def target(omega: str) -> Target:
    """The same, exactly."""
    rates, weights = long_sum(omega)
    return Target(tuple(Exponential(a, w) for a, w in network(weights, rates).units))


def by_eigenvectors(omega: str, width: int) -> Matrices:
    """Balanced truncation by NumPy's symmetric eigensolver."""
    rates, weights = long_sum(omega)
    b = np.sqrt(weights)
    _, vectors = np.linalg.eigh(np.multiply.outer(b, b) / np.add.outer(rates, rates))
    V = vectors[:, -width:]
    return -V.T @ (rates[:, None] * V), V.T @ b, V.T @ b


def _model(omega: str) -> Any:
    """Of pyMOR, new, so that nothing is remembered."""
    from pymor.core.cache import disable_caching
    from pymor.core.logger import set_log_levels
    from pymor.models.iosys import LTIModel

    disable_caching()
    set_log_levels({"pymor": "ERROR"})
    rates, weights = long_sum(omega)
    b = np.sqrt(weights)
    return LTIModel.from_matrices(-np.diag(rates), b[:, None], b[None, :])


def by_pymor(omega: str, width: int) -> Matrices:
    """Its balanced truncation."""
    from pymor.reductors.bt import BTReductor

    return _of_pymor(BTReductor(_model(omega)).reduce(width))


def by_pymor_irka(start: bool, options: dict[str, float], omega: str, width: int) -> Matrices:
    """Its IRKA; start: from its balanced truncation."""
    from pymor.reductors.bt import BTReductor
    from pymor.reductors.h2 import IRKAReductor

    model = _model(omega)
    return _of_pymor(IRKAReductor(model).reduce(BTReductor(model).reduce(width) if start else width, **options))


def _of_pymor(reduced: Any) -> Matrices:
    A, B, C, _, E = reduced.to_matrices()
    mass = np.eye(len(A)) if E is None else E
    return np.linalg.solve(mass, A), np.linalg.solve(mass, B)[:, 0], C[0]


def diagonalised(A: Array, b: Array, c: Array) -> list[Mode]:
    """c e^{At} b as modes. Raises Unusable where it does not decay."""
    ctx = context(EXACTLY)
    values, left, right = ctx.eig(ctx.matrix(A.tolist()), left=True, right=True)
    found: list[Mode] = []
    for k, value in enumerate(values):
        row, column = left[k, :], right[:, k]
        amplitude = (ctx.matrix([c.tolist()]) * column)[0] * (row * ctx.matrix(b.tolist()))[0] / (row * column)[0]
        paired = abs(value.imag) > 10.0 ** (5 - EXACTLY) * abs(value)
        if -value.real <= 0:
            raise Unusable(f"unstable: a rate of {ctx.nstr(-value.real, 2)}")
        if not paired or value.imag < 0:
            p, q = (2 * amplitude.real, 2 * amplitude.imag) if paired else (amplitude.real, 0)
            found.append(Mode(*(ctx.nstr(each, 30) for each in (p, q, -value.real, -value.imag if paired else 0))))
    return found


OUR_BALANCED, OUR_H2 = "memcurse, balanced_truncation", "memcurse, h2_optimal"
TIGHT = {"tol": 1e-6, "maxit": 200}
METHODS = (
    Method(OUR_BALANCED, "numerics", lambda omega, width: balanced_truncation(target(omega), width)),
    Method("NumPy eigh, balanced", "numpy", by_eigenvectors, OUR_BALANCED),
    Method("pyMOR BTReductor", "pymor", by_pymor, OUR_BALANCED),
    Method(OUR_H2, "numerics", lambda omega, width: h2_optimal(target(omega), width), measure="h2"),
    Method("pyMOR IRKAReductor", "pymor", partial(by_pymor_irka, False, {}), OUR_H2, "h2"),
    Method("pyMOR IRKAReductor, from balanced, tight", "pymor", partial(by_pymor_irka, True, TIGHT), OUR_H2, "h2"),
)


def measured(method: Method, omega: str, width: int) -> Row:
    """One method at one width."""
    if find_spec(method.package) is None:
        return Row(method.name, omega, width, remark="not installed")
    try:
        reduced, spent = _timed(partial(method.reduce, omega), width)
        found = diagonalised(*reduced) if isinstance(reduced, tuple) else modes(reduced)
        h2, h_infinity = errors(omega, found)
    except Exception as problem:  # a method may fail in any way; that is a result
        return Row(method.name, omega, width, remark=str(problem) if isinstance(problem, Unusable) else repr(problem))
    slowest = min(float(mode.alpha) for mode in found)
    return Row(method.name, omega, width, *(f"{each:.4g}" for each in (h2, h_infinity, slowest, spent)))


def errors(omega: str, found: Sequence[Mode]) -> tuple[float, float]:
    """(H2, H-infinity) of modes beside the sum (B2)."""
    arithmetic, units = Arb(EXACTLY), list[tuple[flint.acb, flint.acb]]()
    with arithmetic.working():
        units += [(flint.acb(-float(p)), flint.acb(float(rate))) for rate, p in zip(*long_sum(omega), strict=True)]
        for mode in found:
            p, q, alpha, beta = (arithmetic.number(each) for each in (mode.p, mode.q, mode.alpha, mode.beta))
            for sign in (1, -1):
                units.append((flint.acb(p, -sign * q) / 2, flint.acb(alpha, -sign * beta)))
        conjugate = [(e.conjugate(), w.conjugate()) for e, w in units]
        square = sum((e * f / (w + v) for e, w in units for f, v in conjugate), flint.acb(0)).real
        transform = lambda s: sum((e / (w + flint.acb(0, s)) for e, w in units), flint.acb(0))
        return float(square.sqrt()), max(float(abs(transform(float(s)))) for s in FREQUENCIES)


def _timed(reduce: Callable[[int], LinearRNN | Matrices], width: int) -> tuple[LinearRNN | Matrices, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a reductor in trouble says so; what counts is the network
        reduce(WARM)
        spent: list[float] = []
        while len(spent) < CALLS and (not spent or spent[0] < LONG):
            began = time.process_time()
            found = reduce(width)
            spent.append(time.process_time() - began)
    return found, median(spent)


def page(rows: Sequence[Row], machine: dict[str, str]) -> str:
    """results/reduction.md."""
    lines = [
        "# Networks beside model reduction",
        "",
        f"Made by `make bench` (`python -m benchmarks.reduction`); edit nothing here. A long "
        f"sum, {STATES} exponentials for",
        "the power law (1+t)^-(1+omega), whose L1 norm is 1/omega, cut to m hidden units. "
        "*error* and *time*: times those",
        "of ours that does the same; the error is that in H-infinity for balanced truncation, "
        "in H2 for IRKA. **Bold**:",
        f"as good as ours, to {AS_GOOD - 1:.0%}, and faster. pyMOR's IRKA has its own start "
        f"and limits, or starts from its",
        f"balanced truncation with tol = {TIGHT['tol']:g} and maxit = {TIGHT['maxit']:g}. Seconds of CPU.",
    ]
    for omega, width in dict.fromkeys((row.omega, row.width) for row in rows):
        here = [row for row in rows if (row.omega, row.width) == (omega, width)]
        lines += ["", f"## omega = {omega}, m = {width}", "", *_table(here)]
    lines += ["", "## Machine", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {what} |" for name, what in machine.items()]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    known = {row.method: row for row in rows}
    yield "| | H2 | H-infinity | slowest rate | seconds | error | time |"
    yield f"| --- |{' ---: |' * 6}"
    for method in METHODS:
        row, ours = known[method.name], known.get(method.beside)
        if row.remark:
            yield f"| {row.method} | {row.remark} |{' |' * 5}"
            continue
        numbers = [f"{float(each):.3g}" for each in (row.h2, row.h_infinity, row.slowest_rate)]
        ratios = ["", ""]
        if ours and not ours.remark:
            worse = float(getattr(row, method.measure)) / float(getattr(ours, method.measure))
            slower = float(row.seconds) / float(ours.seconds)
            mark = "**" if worse <= AS_GOOD and slower < 1 else ""
            ratios = [f"{mark}{worse:.3g}{mark}", f"{mark}{slower:.2g}{mark}"]
        yield f"| {' | '.join([row.method, *numbers, seconds(float(row.seconds)), *ratios])} |"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the table and the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reduction", description="networks, and peers")
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS, help="hidden units (8 24 40)")
    parser.add_argument("--omegas", nargs="+", default=OMEGAS, help="memory of the power law (1/2 1/4)")
    parser.add_argument("--into", type=Path, default=RESULTS, help="folder for the results (benchmarks/results)")
    chosen = parser.parse_args(arguments)
    say = Console(highlight=False).print
    rows: list[Row] = []
    for omega, width in product(chosen.omegas, chosen.widths):
        for method in METHODS:
            rows.append(row := measured(method, omega, width))
            say(f"omega = {omega}, m = {width:2}, {method.name:40} {row.seconds} {row.remark}", soft_wrap=True)
    chosen.into.mkdir(exist_ok=True)
    with (chosen.into / "reduction.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [each.name for each in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))
    (chosen.into / "reduction.md").write_text(page(rows, {"code": code(), **description()}), "utf-8")


if __name__ == "__main__":
    main()
