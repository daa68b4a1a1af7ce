"""What a study asks about width: the section [width] and the targets it is about.

    [width]
    widths = [1, 2, 4, 8]        hidden units m; the errors of networks of these widths, from both sides
    eps = ["1e-1", "1e-2"]       may be left out: L1 errors whose least width is wanted, in output / input
    betas = ["1e-2", "1e-1"]     may be left out: how far trained rates may be off, for stable approximation

A study with [width] needs no [start] and no [escape]. Its cells are the different targets of the sweep: what is swept
beside the target concerns the escape only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from numerics.balanced import WIDEST
from numerics.hankel_bounds import MOST_DIGITS
from theory.hankel import memory
from theory.problem import Target
from verify.entries import StudyError, Table, bad, count, entries, positive_number

KEYS = ("widths", "eps", "betas")
DIGITS = 12  # of singular values, where the study does not say; float64 serves
FEWEST_DIGITS = 2


@dataclass(frozen=True)
class WidthCell:
    """One target of a study. parameters: swept dotted path -> value, as the study writes it."""

    parameters: dict[str, str]
    target: Target


@dataclass(frozen=True)
class WidthQuestion:
    """The section [width]. widths: in increasing order. eps: as written, with the exact number;
    so are betas, in increasing order.

    digits: of the singular values, at most. asked: whether the study asks for so many itself.
    """

    widths: tuple[int, ...]
    eps: tuple[tuple[str, sp.Expr], ...]
    betas: tuple[tuple[str, sp.Expr], ...]
    cells: tuple[WidthCell, ...]
    digits: int
    asked: bool


def question(
    table: Table, digits: int | None, cells: Iterable[tuple[dict[str, str], Target, sp.Expr]]
) -> WidthQuestion:
    """The section [width] read. digits: of [precision], if given. cells: parameters, target and horizon of each.

    Raises StudyError for a bad entry, a finite horizon and a target that has no Hankel operator.
    """
    listed = entries(table, "width", "widths", "write for example widths = [1, 2, 4]")
    widths = {count(each, f"width.widths.{i}", 1, WIDEST, "it counts hidden units") for i, each in enumerate(listed)}
    why = "for an approximation; only a sum of m exponentials itself has the error 0"
    eps = _numbers(table, "eps", "1e-2", why)
    betas = _numbers(table, "betas", "1e-2", "for anything to be perturbed")
    found: dict[tuple[tuple[str, str], ...], WidthCell] = {}
    for parameters, target, horizon in cells:
        of_target = {path: value for path, value in parameters.items() if path.startswith("target.")}
        found.setdefault(tuple(of_target.items()), WidthCell(of_target, _checked(target, horizon)))
    wanted = DIGITS if digits is None else min(max(digits, FEWEST_DIGITS), MOST_DIGITS)
    betas = tuple(sorted(betas, key=lambda each: each[1]))
    return WidthQuestion(tuple(sorted(widths)), eps, betas, tuple(found.values()), wanted, digits is not None)


def _numbers(table: Table, key: str, example: str, why: str) -> tuple[tuple[str, sp.Expr], ...]:
    """A list of numbers > 0 that may be left out: each as written, and exact."""
    way_out = f'write for example {key} = ["{example}"], or leave it out'
    written = entries(table, "width", key, way_out) if key in table else []
    return tuple((str(each), positive_number(each, f"width.{key}.{i}", why)) for i, each in enumerate(written))


def hankel_digits(value: object, path: str) -> int:
    """The number of significant digits of singular values; raises StudyError."""
    what = "it is how many significant digits of the singular values are wanted"
    return count(value, path, FEWEST_DIGITS, MOST_DIGITS, what)


def _checked(target: Target, horizon: sp.Expr) -> Target:
    """The target, if width means something for it."""
    if horizon is not sp.oo:
        way_out = "leave it out; errors are those of all later outputs"
        raise bad("target.horizon", "must be 'inf' for [width]", str(horizon), way_out)
    try:
        memory(target)
    except ValueError as error:
        raise StudyError(f"target: {error}") from None
    return target
