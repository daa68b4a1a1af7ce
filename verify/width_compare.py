"""Cross-checks of width: what matters is computed twice, by routes that share no formula or no arithmetic.

    singular values, estimated      vs  their enclosure by inertia counts                    inside, or above the bound
    singular values in float64      vs  balls, where both are of the kernel as a mixture of exponentials
    proved lower bound of E_m       vs  the error achieved: an inequality
    enclosed L1 error               vs  the network really run on the worst input

The worst input of size 1 is x(T - t) = sign e(t), for which the last output is off by int_0^T |e|. The network that
runs (verify/network.py) knows no formula; what the target alone remembers beyond T is added (`Kernel.tail`).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy as sp

from numerics.hankel import FLOAT_DIGITS, singular_values
from numerics.hankel_bounds import enclosed_singular_values
from numerics.width import WidthError
from theory.mixtures import NoMixture, mixture
from theory.problem import Target
from theory.rnn import LinearRNN
from verify.check import Check
from verify.network import Task, losses, parameters, target_samples
from verify.sampling import Sampled
from verify.sweep import label
from verify.widths import CellWidths, StudyWidths

COMPARED = 4  # singular values
ENCLOSED_DIGITS, PRECISE = 6, 20
DT, FORGOTTEN, MOST_SAMPLES = 0.01, 30, 2_000_000  # time step; e-folds of the slowest unit; time steps affordable
RUN_TOLERANCE = 1e-4


def checks(found: StudyWidths, *, progress: Callable[[int, int], None] | None = None) -> tuple[Check, ...]:
    """The rows of every cell that has not failed. progress: called with (cells done, cells in all)."""
    rows: list[Check] = []
    for done, cell in enumerate(found.cells, 1):
        rows += [replace(row, cell=label(cell.parameters)) for row in _of_cell(cell)]
        if progress:
            progress(done, len(found.cells))
    return tuple(rows)


def _of_cell(cell: CellWidths) -> Iterator[Check]:
    if cell.hankel is None:
        return
    yield _enclosure(cell)
    if _is_mixture(cell.target):  # on panels in t balls cost ten seconds and more
        yield _precision(cell)
    yield _corridor(cell.widths)
    for each in reversed(cell.widths):
        if (row := _worst_input(cell.target, each)) is not None:
            yield row
            return


def _enclosure(cell: CellWidths) -> Check:
    """The estimated sigma_k furthest from its enclosure, relatively; from the lower bound where that is all."""
    assert cell.hankel is not None
    values = [value for value in cell.hankel.values if value is not None][:COMPARED]
    bounds = enclosed_singular_values(cell.target, len(values), digits=ENCLOSED_DIGITS)
    slack = Fraction(1, 10 ** max(cell.hankel.digits - 1, 1))  # of the last digit printed
    rows = []
    for value, bound in zip(values, bounds, strict=True):
        sigma, low = Fraction(value), Fraction(bound.lower)
        high = Fraction(bound.upper) if bound.upper else None
        outside = max(low - sigma, sigma - high if high is not None else Fraction(0), Fraction(0)) / (sigma or 1)
        rows.append((outside, value, bound.lower))
    outside, value, ball = max(rows, key=lambda row: row[0])
    return Check(
        "singular values, the worst", "", "estimated", value, "enclosed, lower end", ball,
        f"{float(outside):.3g}", f"{float(slack):.3g}",
        "how far outside its enclosure, which is no wider than 1e-6 where there is an upper end", outside <= slack,
    )  # fmt: skip


def _is_mixture(target: Target) -> bool:
    try:
        mixture(target.terms)
    except NoMixture:
        return False
    return True


def _precision(cell: CellWidths) -> Check:
    """float64 against balls, the worst of the first few."""
    rough = singular_values(cell.target, COMPARED, digits=FLOAT_DIGITS)
    fine = singular_values(cell.target, COMPARED, digits=PRECISE)
    pairs = [(one, two) for one, two in zip(rough.values, fine.values, strict=True) if one and two]
    apart = [abs(Fraction(one) - Fraction(two)) / (Fraction(two) or 1) for one, two in pairs]
    worst = max(range(len(pairs)), key=lambda k: apart[k])
    tolerance = 10.0 ** (1 - min(rough.digits, fine.digits))
    why = f"{rough.digits} and {fine.digits} digits are claimed, the last of them rounded"
    return Check(
        "singular values, the worst", "", "float64", pairs[worst][0], f"{PRECISE} digits", pairs[worst][1],
        f"{float(apart[worst]):.3g}", f"{tolerance:.3g}", why, bool(apart[worst] <= tolerance),
    )  # fmt: skip


def _corridor(widths: tuple[WidthError, ...]) -> Check:
    """The narrowest place between the proved lower bound and the error achieved."""
    def ratio(each: WidthError) -> Fraction | float:
        lower, upper = Fraction(each.lower), Fraction(each.upper)
        return lower / upper if upper else (math.inf if lower else 0.0)

    worst = max(widths, key=ratio)
    apart = ratio(worst)
    return Check(
        f"L1 error at m = {worst.width}", "", "proved lower bound", worst.lower, "achieved", worst.upper,
        f"{float(apart):.3g}", "1", "the bound over the error, which must not exceed 1", apart <= 1,
    )  # fmt: skip


def _worst_input(target: Target, best: WidthError) -> Check | None:
    """The error for the worst input, by running the network; None where that is dense, exact or remembers too long."""
    network = best.network
    if not isinstance(network, LinearRNN) or target.breaks or not Fraction(best.upper):
        return None
    length = FORGOTTEN / float(best.slowest_rate) + float(target.reach)
    if length / DT > MOST_SAMPLES / 2:
        return None
    tails = [term.tail(sp.Float(length, 30)) for term in target.terms]
    if any(tail is None for tail in tails):
        return None
    beyond = float(sp.Add(*tails))
    coarse, fine = (_run(target, network, dt, length) for dt in (DT, DT / 2))
    error = (4 * fine - coarse) / 3 + beyond
    apart = abs(error - float(best.upper)) / float(best.upper)
    return Check(
        f"L1 error at m = {best.width}", "", "enclosed, its upper end", best.upper, "network run on the worst input",
        f"{error:.10g}", f"{apart:.3g}", f"{RUN_TOLERANCE:g}",
        f"midpoint rule with sign changes off its grid, dt = {DT} and half; what the target keeps beyond is added",
        apart <= RUN_TOLERANCE,
    )  # fmt: skip


def _run(target: Target, network: LinearRNN, dt: float, length: float) -> float:
    """|y - z| at the last time step, for the input that switches where the error of the memory does."""
    theta = parameters([float(a) for a in network.amplitudes], [float(w) for w in network.rates], dt=dt)
    samples = target_samples(Sampled(target), dt=dt, length=length)
    times = (np.arange(len(samples)) + 0.5) * dt
    error = sum(a * np.exp(-w * times) for a, w in theta.T) - samples
    inputs = np.sign(error)[np.newaxis, ::-1]
    task = Task(inputs, dt * inputs[:, ::-1] @ samples[:, np.newaxis], 1.0, dt)  # (N4) at the last step
    return float(np.sqrt(losses(theta, task)[0]))
