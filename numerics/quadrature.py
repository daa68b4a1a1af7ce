r"""Moments of a memory kernel without a closed form: one Gauss-Legendre rule for all s that are asked for.

    m_n(s) = int_lower^upper t^n e^{-st} f(t) dt , n = 0..3, by (Q1) with the error (Q2) of numerics/panels.py

A rule is built for the s that are asked first and a factor 2 around them, and again, for a wider interval, when s leads
out of it. A value of s more than a factor REACH away would make it wide, and slow, for good, and may be no more than a
wild trial of an integrator: it gets a rule of its own. What was asked before moves an answer only
within `error`.

s < 0, where a rate has crossed zero, needs a finite upper end. There |s| < 1/upper is like s = 0: one interval holds
them all, both signs and 0 included.
"""

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Arithmetic, Array
from numerics.compiling import evaluate
from numerics.complex_balls import FUNCTIONS, Density
from numerics.panels import Panel, Proof

ORDERS = range(4)  # of the moments: R, R', R'', and what the derivative of a Hessian takes
GUARD = 10  # digits of nodes and weights beyond those asked
DOUBLINGS = 4  # of the digits, before a density that cancels is given up
POINTS_PER_DIGIT = 0.8  # on each panel: 0.5 and 1.6 take a third more nodes in all
REACH = 1e6  # how far s may lead out of an interval; one that is wider by this has 20 panels more
SMALLEST, LARGEST = 1e-150, 1e150  # of |s|; float64 holds their quotient, and all that is needed between them
LARGEST_EXPONENT = 1e12  # of e^{-st} on the interval of t; float64 rounds its logarithm to 1e-4
REMEMBERED = 64  # rules; a rule in balls takes about a megabyte


class _Sum:
    """The sums (Q1) over some panels, in an arithmetic."""

    def __init__(self, panels: list[Panel], bits: int, arithmetic: Arithmetic, error: sp.Rational) -> None:
        self.arithmetic, self.bits, self.balls = arithmetic, bits, arithmetic.name == "arb"
        self.nodes = [node for panel in panels for node in panel.nodes]
        self.weights = [weight for panel in panels for weight in panel.weights]
        self.error = arithmetic.number(error)
        self.times = arithmetic.array(self.nodes)
        self.rows: dict[int, Any] = {}

    def decays(self, s: Array) -> Any:
        """e^{-s t_k}, shape (nodes, s)."""
        table = self.arithmetic.functions["exp"](np.multiply.outer(-self.times, s))
        return flint.arb_mat(len(self.times), len(s), list(table.ravel())) if self.balls else table

    def moments(self, order: int, decays: Any) -> Array:
        """m_n(s), shape (s,)."""
        if order not in self.rows:
            self.rows[order] = self._row(order)
        if not self.balls:
            return self.rows[order] @ decays
        both = (self.rows[order] * decays).entries()
        sums, sizes = both[: decays.ncols()], both[decays.ncols() :]
        return _objects(m + flint.arb(0, self.error * S) for m, S in zip(sums, sizes, strict=True))  # (Q2)

    def _row(self, order: int) -> Any:
        """W_k t_k^n; in balls with |W_k| t_k^n beneath."""
        with flint.ctx.workprec(self.bits):
            terms = [weight * node**order for node, weight in zip(self.nodes, self.weights, strict=True)]
        if not self.balls:
            return self.arithmetic.array(terms)
        return flint.arb_mat(2, len(terms), terms + [abs(term) for term in terms])


@dataclass(frozen=True)
class _Evaluated:
    """The last s as it was given, its values, and their decays: other orders of it follow at once."""

    given: Any
    values: Array
    total: _Sum
    decays: Any


class Rule:
    """Moments (Q1) of a density as numbers of an arithmetic; built when first called, and again for s out of its reach.

    density: f(t), exact; lower, upper: 0 <= lower < upper <= oo, in time. f must be bounded, analytic there but for a
    few corners and roots, and made of FUNCTIONS, powers and rational numbers; for upper = oo theory/decay.py must know
    how it fades.

    >>> t, arithmetic = sp.Symbol("t"), Arb(20)
    >>> airy = Rule(sp.Lambda(t, sp.airyai(t)), sp.Integer(0), sp.oo, arithmetic)
    >>> with arithmetic.working():
    ...     airy(0, arithmetic.number(0)).str(10, radius=False)  # int_0^oo Ai = 1/3
    '0.3333333333'
    """

    def __init__(self, density: sp.Lambda, lower: sp.Expr, upper: sp.Expr, arithmetic: Arithmetic) -> None:
        if not 0 <= lower < upper:
            raise ValueError(f"lower must be >= 0 and < upper = {upper}, got {lower}; memory is of the past")
        unknown = {type(each).__name__ for each in density.expr.atoms(sp.Function)} - FUNCTIONS
        if unknown:
            raise ValueError(
                f"density must be made of {', '.join(sorted(FUNCTIONS))}, powers and rational numbers, "
                f"got {', '.join(sorted(unknown))} in {density.expr}"
            )
        self.density, self.lower, self.upper, self.arithmetic = density, lower, upper, arithmetic
        self._rest = float(sp.Max(SMALLEST, sp.Min(LARGEST, 1 / upper)))  # |s| below it is as good as 0
        farthest = LARGEST if lower == 0 else float(sp.Min(LARGEST, LARGEST_EXPONENT / lower))
        self._usable = (SMALLEST if upper is sp.oo else -LARGEST_EXPONENT * self._rest), farthest
        self._low, self._high = math.inf, -math.inf  # (Q2) is proved between them
        self._sum: _Sum | None = None
        self._at_rest: dict[int, Any] = {}  # the moments at s = 0, of which not all need exist
        self._last: _Evaluated | None = None

    @property
    def error(self) -> sp.Rational:
        """10^-digits, the bound (Q2) in units of S_n(s). Enclosed; the rounding of float64 and mpmath comes on top."""
        return sp.Rational(1, 10**self.arithmetic.digits)

    def __call__(self, order: int, s: Any) -> Any:
        """m_n(s) (Q1) of order n = 0..3 at s, in 1/time: a number, or an array of any shape. Use in `working()`.

        Enclosed in Arb; in float64 and mpmath `error` is, and rounding comes on top. Not-a-number where s is too large,
        s > 1e150 or s lower > 1e12; for upper = oo, also where s < 1e-150 is not 0, or is a ball that holds 0 and more;
        else where s upper < -1e12. Raises ValueError for another order, and where the moment does not exist or cannot
        be shown to.
        """
        if order not in ORDERS:
            raise ValueError(f"order must be one of {list(ORDERS)}, got {order}")
        if isinstance(s, np.ndarray):
            return self._moments(order, s.ravel(), s).reshape(s.shape)
        return self._moments(order, self.arithmetic.array([s]), s)[0]

    def _moments(self, order: int, values: Array, given: Any) -> Array:
        if self._last is None or self._last.given is not given or not _same(self._last.values, values, given):
            low, high = _ends(values)
            usable = (low >= self._usable[0]) & (high <= self._usable[1])
            near = self._near(low, high, usable)
            if not near.any() or not near.all():
                return self._piecewise(order, values, near, usable & ~near, ~usable & (low == 0) & (high == 0))
            total = self._widened(low.min(), high.max())
            self._last = _Evaluated(given, values.copy(), total, total.decays(values))
        return self._last.total.moments(order, self._last.decays)

    def _near(self, low: Array, high: Array, usable: Array) -> Array:
        """Whether |s| is within REACH of the interval, or of the median of the usable ones if there is none yet."""
        sizes = np.maximum(np.maximum(-low, high), self._rest)
        if self._sum is not None:
            least, most = max(self._low, self._rest), max(-self._low, self._high)
        elif usable.any():
            least = most = np.sort(sizes[usable])[np.count_nonzero(usable) // 2]
        else:
            return usable
        found: Array = usable & (sizes > least / REACH) & (sizes < most * REACH)
        return found

    def _piecewise(self, order: int, values: Array, near: Array, far: Array, at_rest: Array) -> Array:
        found = self.arithmetic.array([math.nan] * len(values))
        if at_rest.any():
            if order not in self._at_rest:
                total = self._build(0.0, 0.0, range(order, order + 1))
                self._at_rest[order] = total.moments(order, total.decays(values[at_rest][:1]))[0]
            found[at_rest] = self._at_rest[order]
        for chosen in (near, far):
            if chosen.any():
                part, responsible = values[chosen], self if chosen is near else self._elsewhere
                found[chosen] = responsible._moments(order, part, part)
        return found

    @cached_property
    def _elsewhere(self) -> "Rule":
        """For s out of reach; what is out of its reach in turn, it hands on."""
        return Rule(self.density, self.lower, self.upper, self.arithmetic)

    def _widened(self, low: float, high: float) -> _Sum:
        """The sum with (Q2) on an open interval around [low, high]: their rounding does not matter."""
        if self._sum is None or not self._low < low <= high < self._high:
            further = 2 if self._sum is None else 8  # s that has left once will go on
            below = low / further if low >= self._rest else further * min(low, -self._rest)
            low, high = min(self._low, below), max(self._high, further * max(high, self._rest))
            self._sum = self._build(low, high, ORDERS)
            self._low, self._high = low, high
        return self._sum

    def _build(self, low: float, high: float, orders: range) -> _Sum:
        digits = self.arithmetic.digits + GUARD
        points = math.ceil(POINTS_PER_DIGIT * digits)
        for doubling in range(DOUBLINGS):
            balls = Arb(digits << doubling)
            with balls.working(), np.errstate(all="ignore"):
                proof = Proof(Density(self.density, balls), points, low, high, orders, self.arithmetic.digits)
                upper = None if self.upper is sp.oo else evaluate(self.upper, balls)
                panels = proof.run(evaluate(self.lower, balls), upper)
            if panels is not None:
                return _Sum(panels, balls.bits, self.arithmetic, self.error)
        raise ValueError(
            f"density must not cancel: {balls.digits} digits of {self.density.expr} leave "
            f"{self.arithmetic.digits} of its moments unsure; write it without a difference of equal numbers"
        )


def _same(kept: Array, values: Array, given: Any) -> bool:
    """Whether an array given again still holds what it held; numbers never change."""
    if not isinstance(given, np.ndarray):
        return True
    if values.dtype != object:
        return np.array_equal(kept, values)
    return len(kept) == len(values) and all(map(operator.is_, kept, values))


def _ends(values: Array) -> tuple[Array, Array]:
    """The lower and upper ends of numbers as floats; 0 only for an exact 0."""
    if values.dtype != object:
        return values, values
    ends = ((each.lower(), each.upper()) if isinstance(each, flint.arb) else (each, each) for each in values)
    rounded = [[float(end) or (0.0 if end == 0 else math.ulp(0.0)) for end in both] for both in ends]
    lows, highs = np.array(rounded).reshape(-1, 2).T
    return lows, highs


def _objects(values: Iterable[Any]) -> Array:
    return np.fromiter(values, dtype=object)


_rules: dict[tuple[Any, ...], Rule] = {}


def rule(density: sp.Lambda, lower: sp.Expr, upper: sp.Expr, arithmetic: Arithmetic) -> Rule:
    """The Rule of a density, one for all its users in arithmetics of the same name and digits.

    In mpmath one for all users of the same context, to which its numbers belong.
    """
    key = density, lower, upper, arithmetic.name, arithmetic.digits, getattr(arithmetic, "context", None)
    if key not in _rules:
        if len(_rules) >= REMEMBERED:
            del _rules[next(iter(_rules))]
        _rules[key] = Rule(density, lower, upper, arithmetic)
    return _rules[key]
