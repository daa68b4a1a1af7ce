r"""How many hidden units a target needs: a corridor between what is proved impossible and what is achieved.

    sigma_{m+1} <= E_m <= ||rho - rho_hat||_1 for any network of width m                                    (M16)

Below, the Hankel singular values in balls (numerics/hankel_bounds.py) hold for every network, real or complex, diagonal
or dense. Above stands the best network found, its error enclosed: for a completely monotone target the L1-optimal sum
of real exponentials, for one of finite rank <= m the network that it is, else the realisation with complex pairs. E_m
falls with m, so an upper bound is one for every larger width, too. With no hidden unit at all the error is ||rho||_1,
so that eps < ||rho||_1 takes one at least.

    least width for eps:   #{k: sigma_k > eps}  <=  m  <=  the first width whose error is <= eps             (WD1)
    1 <= m  if  eps < ||rho||_1 ,   m = 0  if  eps >= ||rho||_1                                             (WD2)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sympy as sp

from numerics.arithmetic import Arb
from numerics.balanced import WIDEST, balanced_truncation, check_width
from numerics.hankel_bounds import Enclosed, enclosed_singular_values
from numerics.l1_enclosure import Bounds, l1_error, rounded_outward
from numerics.l1_refined import l1_refined
from numerics.realisation import WIDEST as WIDEST_REALISED
from numerics.realisation import realised
from numerics.taylor_cells import absolute_integral
from theory.dense import DenseRNN
from theory.exact import Exact, positive
from theory.finite_rank import finite_rank
from theory.hankel import memory
from theory.l1 import norm
from theory.mixtures import NoMixture, completely_monotone
from theory.pairs import modes
from theory.problem import Target
from theory.rnn import LinearRNN

DIGITS = 4  # of singular values
ERROR_DIGITS = 6
REMEMBERED = 64  # networks, and lists of singular values: widths and accuracies asked of one target share them
SILENT, NO_OUTPUT = LinearRNN(((sp.S.Zero, sp.S.One),)), "no output"


@dataclass(frozen=True)
class WidthError:
    """lower <= E_m <= upper, decimal strings in output / input, both proved.

    width: m. lower: a bound of sigma_{m+1}, for every network. upper: the error of `network`, of width at most m, found
    by `method`; slowest_rate: the least real part of its rates, in 1 / time, without a meaning for a network that is
    best without any output.
    """

    width: int
    lower: str
    upper: str
    method: str
    network: LinearRNN | DenseRNN
    slowest_rate: str

    def as_dict(self) -> dict[str, Any]:
        """As in the JSON of `memcurse width`."""
        return {
            "m": self.width,
            "lower": {"value": self.lower, "guarantee": "enclosed"},
            "upper": {"value": self.upper, "guarantee": "enclosed", "method": self.method},
            "slowest_rate": self.slowest_rate,
        }


@dataclass(frozen=True)
class LeastWidth:
    """lower <= the least width that reaches the L1 error eps <= upper, both proved; upper None if none was found.

    achieved: the network of width `upper` and its error; None for upper = 0, where no hidden unit is needed, or None.
    """

    eps: sp.Expr
    lower: int
    upper: int | None
    achieved: WidthError | None

    def as_dict(self) -> dict[str, Any]:
        """As in the JSON of `memcurse width`."""
        reason = {"reason": "no network found in the widths searched reaches eps"} if self.upper is None else {}
        return {"eps": str(self.eps), "lower": self.lower, "upper": self.upper} | reason


def width_errors(target: Target, widths: Iterable[int]) -> tuple[WidthError, ...]:
    """What networks of these widths can achieve, at best and at least: in increasing order of width.

    widths: 1 to 199, for targets that are not completely monotone to 60.
    Guarantee: enclosed, both bounds. Raises TypeError or ValueError for a bad width, and as `enclosed_singular_values`
    and `l1_error` for targets whose transform or tail has no bound.
    """
    asked = sorted(set(widths))
    for width in asked:
        check_width(width, _widest(target))
    if not asked:
        raise ValueError("widths must name at least one width, got none; [1, 2, 4] is a start")
    sigma = _singular_values(target, asked[-1] + 1)
    found: list[WidthError] = []
    kept = _silent(target)
    for width in asked:
        best = _achieved(target, width)
        kept = replace(best if _number(best.upper) <= _number(kept.upper) else kept, width=width)
        found.append(replace(kept, lower=sigma[width].lower))
    return tuple(found)


def least_width(target: Target, eps: Exact, *, widest: int = 100) -> LeastWidth:
    """The least width m with an L1 error of at most eps, from both sides (WD1).

    eps: > 0, exact, in output / input; from ||rho||_1 on width 0 is the exact answer (WD2). Where that norm is a known
    rational the two are compared exactly, else in balls, which cannot tell apart what agrees to six digits: then (WD2)
    proves nothing, and `lower` may be 0 where 1 is true. widest: the search's end, 1 to 199, for targets that are not
    completely monotone to 60.
    Guarantee: enclosed, both bounds. Raises ValueError for eps <= 0, TypeError for a float, and as `width_errors`.

    >>> from theory.kernels import Exponential
    >>> found = least_width(Target([Exponential(), Exponential("1", "2")]), "1e-3")
    >>> found.lower, found.upper
    (2, 2)
    """
    allowed = positive(eps, "eps", "for an approximation; only a sum of m exponentials itself has the error 0")
    check_width(widest)
    memory(target)
    widest = min(widest, _widest(target))
    needed = _needs_a_unit(target, allowed)
    if needed is False:
        return LeastWidth(allowed, 0, 0, None)
    sigma = _singular_values(target, min(8, widest))
    while len(sigma) < widest and _number(sigma[-1].lower) > allowed:
        sigma = _singular_values(target, min(2 * len(sigma), widest))
    lower = max(sum(bool(_number(each.lower) > allowed) for each in sigma), 1 if needed else 0)  # (WD1), (WD2)

    def reaches(width: int) -> bool:
        return bool(_number(_achieved(target, width).upper) <= allowed)

    fails, width = max(lower, 1) - 1, max(lower, 1)
    while not reaches(width):
        if width == widest:
            return LeastWidth(allowed, lower, None, None)
        fails, width = width, min(width + max(1, width // 2), widest)
    while width - fails > 1:
        middle = (width + fails) // 2
        fails, width = (fails, middle) if reaches(middle) else (middle, width)
    proved = sigma[width].lower if width < len(sigma) else "0"
    return LeastWidth(allowed, lower, width, replace(_achieved(target, width), lower=proved))


def _widest(target: Target) -> int:
    return WIDEST if _is_completely_monotone(target) else WIDEST_REALISED


def _is_completely_monotone(target: Target) -> bool:
    try:
        completely_monotone(target)
    except NoMixture:
        return False
    return True


@lru_cache(maxsize=REMEMBERED)
def _singular_values(target: Target, count: int) -> tuple[Enclosed, ...]:
    return enclosed_singular_values(target, count, digits=DIGITS)


@lru_cache(maxsize=REMEMBERED)
def _achieved(target: Target, width: int) -> WidthError:
    """The best network known of a width, its lower bound the trivial one."""
    whole = finite_rank(memory(target))
    if whole is not None and whole.rank <= width:
        slowest = min((rate for _, rate in whole.basis), default=SILENT.rates[0])
        network = whole.network if whole.rank else SILENT
        return WidthError(width, "0", "0", "the target itself", network, str(sp.N(slowest, ERROR_DIGITS)))
    network, method = _network(target, width)
    error: Bounds = l1_error(target, network, digits=ERROR_DIGITS)
    slowest = min(mode.alpha for mode in modes(network))
    return WidthError(width, "0", error.upper, method, network, str(sp.N(slowest, ERROR_DIGITS)))


def _silent(target: Target) -> WidthError:
    """A network without output, whose error is ||rho||_1."""
    return WidthError(0, "0", _norm(target)[1], NO_OUTPUT, SILENT, str(sp.N(SILENT.rates[0], ERROR_DIGITS)))


def _network(target: Target, width: int) -> tuple[LinearRNN | DenseRNN, str]:
    if not _is_completely_monotone(target):
        return realised(target, width), "realisation"
    try:
        return l1_refined(target, width), "L1-optimal"
    except ArithmeticError:
        return balanced_truncation(target, width), "balanced truncation"


def _norm(target: Target) -> tuple[str, str]:
    """||rho||_1, bounded from both sides."""
    terms = memory(target)
    if not terms:
        return "0", "0"
    with Arb(40).working():
        return rounded_outward(absolute_integral(terms, (), ERROR_DIGITS), ERROR_DIGITS + 2)


def _needs_a_unit(target: Target, eps: sp.Expr) -> bool | None:
    """Whether ||rho||_1 > eps (WD2), proved either way; None where balls do not tell."""
    known = norm(target.terms)
    if known is not None and known.is_Rational:
        return bool(known > eps)
    below, above = _norm(target)
    if _number(above) <= eps:
        return False
    return True if _number(below) > eps else None


def _number(decimal: str) -> sp.Rational:
    return sp.Rational(decimal)
