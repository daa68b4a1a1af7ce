r"""How many hidden units a target needs: a corridor between what is proved impossible and what is achieved.

    sigma_{m+1} <= E_m <= ||rho - rho_hat||_1 for any network of width m                                    (M16)

Below, the Hankel singular values in balls (numerics/hankel_bounds.py) hold for every network, real or complex, diagonal
or dense. Above stands the best network found, its error enclosed: for a completely monotone target the L1-optimal sum
of real exponentials, for one of finite rank <= m the network that it is, else the realisation with complex pairs. E_m
falls with m, so an upper bound is one for every larger width, too. With no hidden unit at all the error is ||rho||_1.

    least width for eps:   #{k: sigma_k > eps}  <=  m  <=  the first width whose error is <= eps             (WD1)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from numerics.arithmetic import Arb
from numerics.balanced import WIDEST, balanced_truncation, check_width
from numerics.hankel_bounds import enclosed_singular_values
from numerics.l1_enclosure import Bounds, l1_error, rounded_outward
from numerics.l1_refined import l1_refined
from numerics.realisation import WIDEST as WIDEST_REALISED
from numerics.realisation import realised
from numerics.taylor_cells import absolute_integral
from theory.dense import DenseRNN
from theory.exact import Exact, positive
from theory.finite_rank import finite_rank
from theory.hankel import memory
from theory.mixtures import NoMixture, completely_monotone
from theory.pairs import modes
from theory.problem import Target
from theory.rnn import LinearRNN

DIGITS = 4  # of singular values
ERROR_DIGITS = 6
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
    sigma = enclosed_singular_values(target, asked[-1] + 1, digits=DIGITS)
    found: list[WidthError] = []
    kept = _silent(target)
    for width in asked:
        best = _achieved(target, width, sigma[width].lower)
        kept = best if _number(best.upper) <= _number(kept.upper) else replace(kept, width=width, lower=best.lower)
        found.append(kept)
    return tuple(found)


def least_width(target: Target, eps: Exact, *, widest: int = 100) -> LeastWidth:
    """The least width m with an L1 error of at most eps, from both sides (WD1).

    eps: > 0, exact, in output / input; from ||rho||_1 on width 0 is the exact answer. widest: the search's end, 1 to
    199, for targets that are not completely monotone to 60.
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
    if _norm_is_at_most(target, allowed):
        return LeastWidth(allowed, 0, 0, None)
    sigma = enclosed_singular_values(target, min(8, widest), digits=DIGITS)
    while len(sigma) < widest and _number(sigma[-1].lower) > allowed:
        sigma = enclosed_singular_values(target, min(2 * len(sigma), widest), digits=DIGITS)
    lower = sum(bool(_number(each.lower) > allowed) for each in sigma)
    reached: dict[int, WidthError] = {}

    def reaches(width: int) -> bool:
        reached[width] = _achieved(target, width, "0")
        return bool(_number(reached[width].upper) <= allowed)

    fails, width = max(lower, 1) - 1, max(lower, 1)
    while not reaches(width):
        if width == widest:
            return LeastWidth(allowed, lower, None, None)
        fails, width = width, min(width + max(1, width // 2), widest)
    while width - fails > 1:
        middle = (width + fails) // 2
        fails, width = (fails, middle) if reaches(middle) else (middle, width)
    proved = sigma[width].lower if width < len(sigma) else "0"
    best = reached[width]
    achieved = WidthError(width, proved, best.upper, best.method, best.network, best.slowest_rate)
    return LeastWidth(allowed, lower, width, achieved)


def _widest(target: Target) -> int:
    return WIDEST if _is_completely_monotone(target) else WIDEST_REALISED


def _is_completely_monotone(target: Target) -> bool:
    try:
        completely_monotone(target)
    except NoMixture:
        return False
    return True


def _achieved(target: Target, width: int, lower: str) -> WidthError:
    """The best network known of a width."""
    whole = finite_rank(memory(target))
    if whole is not None and whole.rank <= width:
        slowest = min((rate for _, rate in whole.basis), default=SILENT.rates[0])
        network = whole.network if whole.rank else SILENT
        return WidthError(width, lower, "0", "the target itself", network, str(sp.N(slowest, ERROR_DIGITS)))
    network, method = _network(target, width)
    error: Bounds = l1_error(target, network, digits=ERROR_DIGITS)
    slowest = min(mode.alpha for mode in modes(network))
    return WidthError(width, lower, error.upper, method, network, str(sp.N(slowest, ERROR_DIGITS)))


def _silent(target: Target) -> WidthError:
    """A network without output, whose error is ||rho||_1."""
    return WidthError(0, "0", _norm(target), NO_OUTPUT, SILENT, str(sp.N(SILENT.rates[0], ERROR_DIGITS)))


def _network(target: Target, width: int) -> tuple[LinearRNN | DenseRNN, str]:
    if not _is_completely_monotone(target):
        return realised(target, width), "realisation"
    try:
        return l1_refined(target, width), "L1-optimal"
    except ArithmeticError:
        return balanced_truncation(target, width), "balanced truncation"


def _norm(target: Target) -> str:
    """||rho||_1, bounded from above."""
    terms = memory(target)
    with Arb(40).working():
        return rounded_outward(absolute_integral(terms, (), ERROR_DIGITS), ERROR_DIGITS + 2)[1] if terms else "0"


def _norm_is_at_most(target: Target, eps: sp.Expr) -> bool:
    """Whether ||rho||_1 <= eps, proved; decided where rho > 0 has a closed integral."""
    if _is_completely_monotone(target):
        return bool(sp.Add(*(term.tail(sp.S.Zero) for term in target.terms)) <= eps)
    return _number(_norm(target)) <= eps


def _number(decimal: str) -> sp.Rational:
    return sp.Rational(decimal)
