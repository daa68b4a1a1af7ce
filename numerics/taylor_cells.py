r"""The integral of |e| for a sum of kernels e, enclosed cell by cell: Taylor polynomials in balls.

On a cell [c-h, c+h] where e is analytic, with x = (t-c)/h,

    e = p(x) + r ,   p = sum_{k<N} e^(k)(c)/k! h^k x^k ,   |r| <= R = max over the cell of |e^(N)|/N! h^N    (TC1)

power series of balls give both, at c and over the cell. Then int |e| is within 2 h R of int |p|, and with P an
antiderivative of p and any cut z in [-1, 1]

    |P(z) - P(-1)| + |P(1) - P(z)|  <=  int |p| dx  <=  the same + 2 p(z)^2 / d                              (TC2)

where |p'| >= d = |p_1| - sum_{k>1} k |p_k| > 0, for p is at most |p(z)| on the way from z to its root, which is not
farther than |p(z)|/d. Without the last term where p has one sign: |p_0| > sum_{k>0} |p_k|, or monotone with the same
sign at both ends. A cell in no such case, or with a large R, is halved; one that is small enough counts as anything
from 0 to 2 h (sum |p_k| + R). Where a term begins or ends, a cell does.

The last cell ends at some T, late enough for every term with a known tail to have one sign s_k. Beyond it,

    | sum s_k b_k | - sum b'_k  <=  int_T^inf |e|  <=  sum b_k + sum b'_k                                    (TC3)

with b_k the tails that are exact and b'_k those known from envelopes only (numerics/tails.py). Derived here: all.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import pairwise
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Array, Float64
from numerics.compiling import bind, evaluate
from numerics.tails import log_tail
from theory.decay import envelope
from theory.kernels import Kernel, t

ORDER = 16  # N of (TC1)
DIGITS = 40
SHARE = 3000.0  # cells among which the error allowed is shared
FIRST, LEAST = 1e-3, 1e-30  # half widths: of the first cell, and where halving is given up
GROWTH = 2.0
MOST_CELLS = 100_000
LATEST = 1e200  # T of (TC3)
BEYOND = 1 + 1e-9  # the first T beside the reach of all terms, which a float may round down
INSIDE = 1 - 1e-7  # where a cut of (TC2) is looked for: the cell itself ends at 1 - 2e-8
SAMPLES = np.concatenate([[0.0], np.geomspace(1e-8, 1e40, 6000)])  # for the size of the norm


class Series(Arb):
    """Power series of balls in t, of length ORDER + 1, behind the interface of an arithmetic."""

    name = "series"

    def __init__(self, digits: int) -> None:
        super().__init__(digits)
        self.functions = {name: _lifted(name) for name in ("exp", "log", "sqrt", "sin", "cos", "atan", "erf", "erfc")}
        self.functions["airyai"] = _lifted("airy_ai")
        exp, log = self.functions["exp"], self.functions["log"]
        self.functions |= {"pi": flint.arb.pi, "power": lambda base, exponent: exp(exponent * log(base))}
        self.functions |= {"cosh": lambda x: (exp(x) + exp(-x)) / 2, "sinh": lambda x: (exp(x) - exp(-x)) / 2}
        self.functions |= {"tanh": lambda x: 1 - 2 / (exp(2 * x) + 1)}

    @contextmanager
    def working(self) -> Iterator[None]:
        before = flint.ctx.cap
        flint.ctx.cap = ORDER + 1
        try:
            with super().working():
                yield
        finally:
            flint.ctx.cap = before


def _lifted(method: str) -> Callable[[Any], Any]:
    return lambda x: getattr(x if isinstance(x, flint.arb_series) else flint.arb(x), method)()


Term = tuple[int, Kernel]


def absolute_integral(plus: Sequence[Kernel], minus: Sequence[Kernel], digits: int) -> flint.arb:
    """A ball for int_0^inf |sum of plus - sum of minus| dt, about 10^-digits of it wide; digits 2 to 10.

    Enclosed. Raises ValueError where no bound of a term's tail is known, ArithmeticError where halving does not end.
    """
    terms = [(1, term) for term in plus if term.shape(t) != 0] + [(-1, term) for term in minus if term.shape(t) != 0]
    if not terms:
        return flint.arb(0)
    arithmetic = Series(DIGITS)
    allowed = rough_norm(terms) / 10**digits
    edges = sorted({sp.Integer(0), *(edge for _, term in terms for edge in term.support if edge.is_finite)})
    with arithmetic.working():
        cells = _Cells(flint.arb(allowed / SHARE))
        for begin, end in pairwise(edges):
            cells.integrate(_error(terms, begin, arithmetic), *(evaluate(each, arithmetic) for each in (begin, end)))
        error, tails = _error(terms, edges[-1], arithmetic), [(side, tail_bound(term)) for side, term in terms]
        lower = evaluate(edges[-1], arithmetic)
        latest = max(edges[-1], *(term.reach for _, term in terms))
        upper = float(latest) * BEYOND + 1.0
        while upper < LATEST:
            cells.integrate(error, lower, flint.arb(upper))
            rest = _beyond(tails, upper)
            if float(rest.rad()) < allowed:
                return cells.total + rest  # (TC3)
            lower, upper = flint.arb(upper), 2 * upper
        raise ArithmeticError(f"the terms must have faded by t = {LATEST:.0e}, and the bounds of their tails have not")


def _error(terms: list[Term], begin: sp.Expr, arithmetic: Series) -> Callable[[Any], Any]:
    """e on the piece from `begin`, for power series in t."""
    present = (sign * term.density(t) for sign, term in terms if term.support[0] <= begin < term.support[1])
    program = bind((t,), [sp.Add(*present)], arithmetic)
    return lambda x: program(x)[0] + 0 * x


class _Cells:
    """The sum of (TC2) over cells, each of which may be unsure of `allowed`."""

    def __init__(self, allowed: flint.arb) -> None:
        self.allowed, self.total, self.count = allowed, flint.arb(0), 0
        self.half = FIRST

    def integrate(self, error: Callable[[Any], Any], lower: flint.arb, upper: flint.arb) -> None:
        """Add int |e| from lower to upper, where e is analytic."""
        if not lower < upper:
            raise ArithmeticError(
                f"terms must begin and end at times that {DIGITS} digits tell apart, and two are {lower} and {upper}"
            )
        while lower < upper:
            self.count += 1
            if self.count > MOST_CELLS or self.half < LEAST:
                raise ArithmeticError(
                    f"the integral of |e| must be found with {MOST_CELLS} cells wider than {LEAST}, and near "
                    f"t = {float(lower.mid()):.6g} the terms are too rough; ask for fewer digits"
                )
            next_edge = lower.mid() + 2 * flint.arb(self.half)
            end = next_edge.mid() if next_edge < upper else upper
            part = _cell(error, lower, end, self.allowed)
            if part is None:
                self.half /= 2
                continue
            self.total += part
            lower = end
            self.half *= GROWTH


def _cell(error: Callable[[Any], Any], lower: flint.arb, upper: flint.arb, allowed: flint.arb) -> flint.arb | None:
    """int |e| over a cell (TC2), in a ball; None where the cell has to be halved."""
    centre = ((lower + upper) / 2).mid()
    half = (upper - lower).upper() * flint.arb("0.50000001")
    ends = (lower - centre) / half, (upper - centre) / half
    p = [value * half**k for k, value in enumerate(_coefficients(error, centre)[:ORDER])]
    rest = abs(_coefficients(error, centre + flint.arb(0, half))[ORDER]).upper() * half**ORDER  # R of (TC1)
    unsure = 2 * half * rest
    if not unsure < allowed:  # also where it is not finite
        return None
    whole = sum((abs(each).upper() for each in p), rest)
    if 2 * half * whole < allowed:
        return (half * whole) * flint.arb(1, 1)
    antiderivative = flint.arb_poly(p).integral()
    P = antiderivative(ends[0]), antiderivative(ends[1])
    value = None
    if abs(p[0]) > sum((abs(each) for each in p[1:]), flint.arb(0)):
        value = abs(P[1] - P[0])
    else:
        steep = abs(p[1]) - sum((k * abs(each) for k, each in enumerate(p[2:], start=2)), flint.arb(0))
        if not steep > 0:
            return None
        polynomial = flint.arb_poly(p)
        at_ends = polynomial(ends[0]), polynomial(ends[1])
        if at_ends[0] * at_ends[1] > 0:
            value = abs(P[1] - P[0])
        else:
            z = flint.arb(_root([float(each.mid()) for each in p]))
            cut = antiderivative(z)
            missed = (polynomial(z) ** 2 / steep).upper()
            value = abs(cut - P[0]) + abs(P[1] - cut) + missed * flint.arb(1, 1)  # (TC2)
    return half * value + flint.arb(0, unsure)


def _coefficients(error: Callable[[Any], Any], at: flint.arb) -> list[flint.arb]:
    """e^(k)(at)/k! for k = 0 .. ORDER."""
    series = error(flint.arb_series([at, 1], prec=ORDER + 1))
    return [series[k] for k in range(ORDER + 1)]


def _root(p: list[float]) -> float:
    """The zero of a polynomial that is monotone in [-1, 1], by bisection; about an end, inside, where there is none."""
    low, high = -INSIDE, INSIDE
    value = lambda x: reduce(lambda total, each: total * x + each, reversed(p))
    rising = value(high) > value(low)
    for _ in range(54):
        middle = (low + high) / 2
        low, high = (low, middle) if (value(middle) > 0) == rising else (middle, high)
    return (low + high) / 2


def tail_bound(term: Kernel) -> Callable[[float], tuple[flint.arb, int]]:
    """T -> (b_k, s_k) of (TC3), or (b'_k, 0), for int_T^inf of the absolute value of a term."""
    if term.support[1].is_finite:
        return lambda T: (flint.arb(0), 1)
    if (closed := term.tail(t)) is not None:
        program, sign = bind((t,), [closed], Arb(DIGITS)), int(sp.sign(term.density(term.reach)))
        return lambda T: (flint.arb(program(flint.arb(T))[0]), sign)
    shown = envelope(term.density(t), t)
    return lambda T: (flint.arb(log_tail(shown, T)).exp(), 0)


def _beyond(tails: Sequence[tuple[int, Callable[[float], tuple[flint.arb, int]]]], T: float) -> flint.arb:
    """(TC3)."""
    found = [(side, *tail(T)) for side, tail in tails]
    most = sum((bound for _, bound, _ in found), flint.arb(0))
    if not most.is_finite():
        return flint.arb(0, math.inf)
    unsure = sum((bound for _, bound, sign in found if sign == 0), flint.arb(0))
    least = abs(sum((side * sign * bound for side, bound, sign in found), flint.arb(0))) - unsure
    return least.union(most) if least > 0 else most.union(flint.arb(0))


def float_kernel(terms: Iterable[Term]) -> Callable[[Array], Array]:
    """The signed sum of the terms in float64, at times of any shape."""
    arithmetic = Float64()
    parts = [(sign, term.support, bind((t,), [term.density(t)], arithmetic)) for sign, term in terms]

    def value(times: Array) -> Array:
        total = np.zeros_like(times)
        with arithmetic.working():
            for sign, (begin, end), density in parts:
                inside = (float(begin) <= times) & (times <= float(end))
                total += sign * np.where(inside, np.nan_to_num(density(times)[0]), 0.0)
        return total

    return value


def rough_norm(terms: Sequence[Term]) -> float:
    """int |e|, roughly; something small where that is 0."""
    marks = {float(mark) for _, term in terms for mark in (term.support[0], term.reach)}
    times = np.unique([SAMPLES, *(abs(SAMPLES + side) for mark in marks for side in (-mark, mark))])
    whole, each = float_kernel(terms)(times), sum(abs(float_kernel([term])(times)) for term in terms)
    return float(max(np.trapezoid(abs(whole), times), 1e-20 * np.trapezoid(each, times)))
