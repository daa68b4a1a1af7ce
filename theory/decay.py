r"""How fast a formula fades: an envelope |f(t)| <= c t^p e^{-r t^q} for t >= since, proved.

The proof follows the formula from the inside out. Every part g gets sizes c t^p e^{E(t)} (theory/sizes.py):

    |g| <= above , t >= since ;        |g| >= below and g of one sign , t >= settled ;    all since, settled >= 1

sums      c_1 t^{p_1} e^{E_1} + c_2 t^{p_2} e^{E_2} <= (c_1+c_2) t^{p_1} e^{E_1}
              once t^{p_2-p_1} e^{E_2-E_1} <= 1                                                              (E1)
          |sum g| >= below/2 of one part once the parts not of its sign are together below half of it        (E2)
products  sizes multiply; |g|^k has the size above^k for k > 0, below^k for k < 0, and g > 0 unless k is whole (E3)
bounded   |sin|, |cos|, |tanh|, |erf| <= 1, |atan| <= 2; |sin x|, |tanh x|, |atan x| <= |x|, |erf x| <= 6/5 |x|;
          |tanh x|, |atan x|, |erf x| >= 3/4 for |x| >= 1                                                    (E4)
log       |log g| <= |ln c| + |p| ln t + |E|, the larger of both sizes; ln t <= 6 t^{1/16}; >= 1 if g >= 3   (E5)
          (ln t/t^q <= 1/(e q), here 16/e < 6)

An exponent counts by its value, so it is kept between two sums of powers, low <= x <= high; polynomials and their
products are kept whole, other parts enter through their sizes, and a part that grows like e^E by e^E >= E^2/2.

exp       e^low <= exp(x) <= e^high                                                                          (E6)
cosh      e^{|x|}/2 <= cosh x, |sinh x| <= cosh x <= e^{|x|}; |sinh x| >= e^{|x|}/4 for |x| >= 1              (E7)
erfc      erfc x = e^{-x^2} (2/sqrt pi) int_0^inf e^{-v^2-2xv} dv <= e^{-x^2} for x >= 0; 1 <= erfc x for x <= 0 (E8)
airy      Ai(z) = e^{-(2/3) z^{3/2}}/pi int_0^inf e^{-sqrt(z) k^2} cos(k^3/3) dk <= 3/10 e^{-(2/3) z^{3/2}}, z >= 1;
          z^{3/2} >= b^{3/2} + 3/2 b^{1/2} (z - b), b the leading term of z (a tangent);  |Ai| <= 3/5         (E9)

The integral in (E9) is the steepest descent path k + i sqrt(z); for x < 0, Ai^2 + Ai'^2/|x| falls as |x| grows, so its
first maximum 0.5357 is the largest. Last, an exponent -a t^q + lower terms becomes -r t^q with r = a, or r = a/2 from
where the lower terms that grow are at most a/2 t^q                                                          (E10)

Not finding an envelope proves nothing: 1 - tanh(t) gets |f| <= 2. The tail behind an envelope is for numerics/tails.py.
Derived here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

import sympy as sp

from theory.sizes import (
    LATEST,
    NONE,
    ONE,
    UNIT,
    Powers,
    Size,
    Unbounded,
    bracket,
    rational,
    sum_of_powers,
    tidy,
)

LOGARITHM = Fraction(1, 16), Fraction(6)  # (E5)
BOUNDED: dict[type[sp.Function], tuple[Fraction, Fraction | None, bool]] = {
    sp.sin: (ONE, ONE, False),  # (E4): the bound, k of |f(x)| <= k |x|, and whether f is odd and rises
    sp.cos: (ONE, None, False),
    sp.tanh: (ONE, ONE, True),
    sp.atan: (Fraction(2), ONE, True),
    sp.erf: (ONE, Fraction(6, 5), True),
}
LARGEST_FOLDED = 100  # a factor up to e^100 joins the constant; a larger one costs rate, (E10)


@dataclass(frozen=True)
class Envelope:
    """|f(t)| <= constant * t^power * exp(-rate * t^stretch) for all t >= since; exact SymPy Rationals.

    constant >= 0, rate >= 0 (0: algebraic), stretch > 0, since >= 1.
    """

    constant: sp.Rational
    power: sp.Rational
    rate: sp.Rational
    stretch: sp.Rational
    since: sp.Rational

    def __post_init__(self) -> None:
        if not (self.constant >= 0 and self.rate >= 0 and self.stretch > 0 and self.since >= 1):
            raise ValueError(f"an envelope has constant >= 0, rate >= 0, stretch > 0 and since >= 1, got {self}")

    @property
    def integrable(self) -> bool:
        """The envelope proves int^inf |f| < inf; False means only that it does not."""
        return bool(self.constant == 0 or self.rate > 0 or self.power < -1)

    @property
    def integrable_square(self) -> bool:
        """The envelope proves int^inf f^2 < inf; False means only that it does not."""
        return bool(self.constant == 0 or self.rate > 0 or 2 * self.power < -1)


def envelope(f: sp.Expr, t: sp.Symbol) -> Envelope:
    """An envelope of f, a formula in t alone as theory.expression reads it. Proved by (E1)-(E10).

    Raises Unbounded (a ValueError), naming the part, if f grows exponentially or a part is not understood.

    >>> t = sp.Symbol("t", nonnegative=True)
    >>> envelope(sp.exp(-((t - 10) ** 2) / 2) / (1 + t), t).rate
    1/4
    """
    if f == 0:
        return Envelope(sp.S.Zero, sp.S.Zero, sp.S.One, sp.S.One, sp.S.One)
    try:
        found = _trend(f, t)
        return _enveloped(found.above, found.since)
    except Unbounded as stuck:
        raise Unbounded(f"no envelope is known for {f}: {stuck}") from None


@dataclass(frozen=True)
class Trend:
    """|g| <= above for t >= since; for t >= settled, g has the sign (0: unknown) and |g| >= below, if there is one."""

    above: Size
    below: Size | None
    sign: int
    since: Fraction
    settled: Fraction


def _trend(g: sp.Expr, t: sp.Symbol) -> Trend:
    """What is known of the part g."""
    if not g.has(t):
        return _constant(g)
    if g == t:
        return _monomial(ONE, ONE)
    if isinstance(g, sp.Add):
        powers = sum_of_powers(g, t)
        if powers is None:
            return _sum([_trend(each, t) for each in g.args])
        if not powers.terms:
            raise Unbounded(f"{g} is zero, leave it out")
        return _sum([_monomial(*each) for each in powers.terms.items()])
    if isinstance(g, sp.Mul):
        return reduce(_product, [_trend(each, t) for each in g.args])
    if isinstance(g, sp.Pow) and not g.exp.has(t):
        return _power(g, t)
    if isinstance(g, sp.Pow) and not g.base.has(t) and g.base.is_positive:
        return _exponential(sp.log(g.base) * g.exp, t)
    if isinstance(g, sp.exp):
        return _exponential(g.args[0], t)
    if isinstance(g, sp.Function) and g.func in RULES:
        return RULES[g.func](g, t)
    raise Unbounded(f"{g} is not understood")


def _constant(c: sp.Expr) -> Trend:
    low, high = bracket(c)
    sign = 1 if low > 0 else -1
    low, high = (low, high) if sign > 0 else (-high, -low)
    return Trend(UNIT.scaled(high), UNIT.scaled(low), sign, ONE, ONE)


def _monomial(power: Fraction, coefficient: Fraction) -> Trend:
    size = Size(abs(coefficient), power)
    return Trend(size, size, 1 if coefficient > 0 else -1, ONE, ONE)


def _sum(parts: list[Trend]) -> Trend:
    above, since = _summed(parts)
    settled = max([since, *(each.settled for each in parts)])
    firm = [(each.below, each.sign) for each in parts if each.below is not None]
    if firm:
        below, sign = reduce(lambda a, b: b if b[0].outlasts(a[0]) else a, firm)
        adverse = [each for each in parts if each.sign != sign]
        if not adverse:
            return Trend(above, below, sign, since, settled)
        against, start = _summed(adverse)
        if (outweighed := (against / below).scaled(Fraction(2)).small_since()) is not None:
            return Trend(above, below.scaled(Fraction(1, 2)), sign, since, max(settled, start, outweighed))  # (E2)
    return Trend(above, None, 0, since, settled)


def _summed(parts: list[Trend]) -> tuple[Size, Fraction]:
    """A size of the sum of all |part|, and since when."""
    total, since = parts[0].above, parts[0].since
    for part in parts[1:]:
        slow, fast = (total, part.above) if total.outlasts(part.above) else (part.above, total)
        start = replace(fast / slow, constant=ONE).small_since()
        if start is None:
            raise Unbounded(f"two terms of a sum fade so much alike that they part only after t = {LATEST}")
        total = replace(slow, constant=total.constant + part.above.constant).tidy(up=True)  # (E1)
        since = max(since, part.since, start)
    return total, since


def _product(a: Trend, b: Trend) -> Trend:
    below = None if a.below is None or b.below is None else (a.below * b.below).tidy(up=False)
    above = (a.above * b.above).tidy(up=True)
    return Trend(above, below, a.sign * b.sign, max(a.since, b.since), max(a.settled, b.settled))  # (E3)


def _power(g: sp.Pow, t: sp.Symbol) -> Trend:
    base, k = _trend(g.base, t), g.exp
    rising, whole = bool(k > 0), bool(k.is_Integer)
    if not whole and base.sign != 1:
        raise Unbounded(f"{g.base} is not shown to be positive, so its power {k} may not be real")
    if not rising and base.below is None:
        raise Unbounded(f"{g.base}, which is divided by, is not shown to stay away from zero")
    over, under = (base.above, base.below) if rising else (base.below, base.above)
    assert over is not None
    below = None if under is None else under.raised(k, up=False)
    sign = 1 if not whole or k % 2 == 0 else base.sign
    since = base.since if whole and rising else base.settled
    return Trend(over.raised(k, up=True), below, sign, since, base.settled)  # (E3)


def _exponential(x: sp.Expr, t: sp.Symbol) -> Trend:
    low, high, since = _between(x, t)
    if high is None:
        raise Unbounded(f"exp({x}) grows faster than the exponential of a power of {t}")
    below = None if low is None else Size.exponential(low, up=False)
    return Trend(Size.exponential(high, up=True), below, 1, since, since)  # (E6)


def _bounded(g: sp.Expr, t: sp.Symbol) -> Trend:
    x = _trend(g.args[0], t)
    bound, slope, odd_and_rising = BOUNDED[g.func]
    above, below, settled = UNIT.scaled(bound), None, x.settled
    if slope is not None and not x.above.outlasts(UNIT):
        above = x.above.scaled(slope)
    if odd_and_rising and x.below is not None and (large := (UNIT / x.below).small_since()) is not None:
        below, settled = UNIT.scaled(Fraction(3, 4)), max(settled, large)
    return Trend(above, below, x.sign if odd_and_rising else 0, x.since, settled)  # (E4)


def _logarithm(g: sp.Expr, t: sp.Symbol) -> Trend:
    x = _trend(g.args[0], t)
    if x.sign != 1 or x.below is None:
        raise Unbounded(f"{g.args[0]}, under a logarithm, is not shown to be positive")
    sizes = (x.above, x.below)
    slow, factor = LOGARITHM
    constants = [abs(end) for each in sizes if each.constant != 1 for end in bracket(sp.log(rational(each.constant)))]
    loads = {NONE: max(constants, default=NONE), slow: factor * max(abs(each.power) for each in sizes)}
    for each in sizes:
        for q, e in each.exponent.terms.items():
            loads[q] = max(loads.get(q, NONE), abs(e)) if q else loads[q] + abs(e)
    above = Size(tidy(sum(loads.values(), NONE), up=True), max(q for q, load in loads.items() if load))
    for sign, ratio in ((1, UNIT / x.below), (-1, x.above)):
        if (start := ratio.scaled(Fraction(3)).small_since()) is not None:
            return Trend(above, UNIT, sign, x.settled, max(x.settled, start))
    return Trend(above, None, 0, x.settled, x.settled)  # (E5)


def _hyperbolic(g: sp.Expr, t: sp.Symbol) -> Trend:
    low, high, since = _between(g.args[0], t)
    if low is None or high is None:
        raise Unbounded(f"{g} grows faster than the exponential of a power of {t}")
    odd = isinstance(g, sp.sinh)
    for sign, least, most in ((1, low, high), (-1, -high, -low)):
        if (start := least.plus(-ONE).positive_since()) is not None:
            below = Size.exponential(least, up=False, constant=Fraction(1, 4 if odd else 2))
            start = max(since, start)
            return Trend(Size.exponential(most, up=True), below, sign if odd else 1, start, start)  # (E7)
    most = Powers({q: max(abs(low.of(q)), abs(high.of(q))) for q in low.terms | high.terms})
    return Trend(Size.exponential(most, up=True), None if odd else UNIT, 0 if odd else 1, since, since)  # (E7)


def _complementary_error(g: sp.Expr, t: sp.Symbol) -> Trend:
    low, high, since = _between(g.args[0], t)
    if low is not None and (start := low.positive_since()) is not None:
        start = max(since, start)
        return Trend(Size.exponential(-(low * low), up=True), None, 1, start, start)  # (E8)
    start = None if high is None else (-high).positive_since()
    return Trend(UNIT.scaled(Fraction(2)), None if start is None else UNIT, 1, since, max(since, start or ONE))


def _airy(g: sp.Expr, t: sp.Symbol) -> Trend:
    low, _, since = _between(g.args[0], t)
    start = None if low is None else low.plus(-ONE).positive_since()
    if low is None or start is None:
        return Trend(UNIT.scaled(Fraction(3, 5)), None, 0, since, since)
    q, a = low.lead  # b = a t^q
    root = sp.sqrt(rational(a))
    slopes = {p: sp.S.One if p == q else sp.Rational(3, 2) for p in low.terms}  # of the tangent
    tangent = {p + q / 2: bracket(slopes[p] * root * rational(c))[0] for p, c in low.terms.items()}
    above = Size.exponential(Powers({p: -c * 2 / 3 for p, c in tangent.items()}), up=True, constant=Fraction(3, 10))
    start = max(since, start)
    return Trend(above, None, 1, start, start)  # (E9)


RULES: dict[type[sp.Function], Callable[[sp.Expr, sp.Symbol], Trend]] = {
    **dict.fromkeys(BOUNDED, _bounded),
    sp.log: _logarithm,
    sp.sinh: _hyperbolic,
    sp.cosh: _hyperbolic,
    sp.erfc: _complementary_error,
    sp.airyai: _airy,
}


def _between(x: sp.Expr, t: sp.Symbol) -> tuple[Powers | None, Powers | None, Fraction]:
    """low <= x <= high for t >= since; None for a side on which x grows exponentially."""
    whole = sum_of_powers(x, t)
    if whole is not None:
        return whole, whole, ONE
    if isinstance(x, sp.Add):
        low, high, since = _between(x.args[0], t)
        for each in x.args[1:]:
            low_part, high_part, start = _between(each, t)
            low = None if low is None or low_part is None else low + low_part
            high = None if high is None or high_part is None else high + high_part
            since = max(since, start)
        return low, high, since
    factor, rest = x.as_independent(t, as_Add=False)
    if factor != 1 and rest != 1:
        ends, (low, high, since) = bracket(factor), _between(rest, t)
        low, high = (low, high) if ends[0] > 0 else (high, low)
        low = None if low is None else Powers({q: min(c * end for end in ends) for q, c in low.terms.items()})
        high = None if high is None else Powers({q: max(c * end for end in ends) for q, c in high.terms.items()})
        return low, high, since
    return _squeezed(_trend(x, t))


def _squeezed(x: Trend) -> tuple[Powers | None, Powers | None, Fraction]:
    """A part of an exponent between two sums of powers of t, from its sizes."""
    since = x.settled if x.sign else x.since
    most: Powers | None = None
    if x.above.growth == 0:
        most = Powers({x.above.power: x.above.flat(up=True)})
    elif x.above.growth < 0 and (start := replace(x.above, constant=ONE, power=NONE).small_since()) is not None:
        most, since = Powers({x.above.power: x.above.constant}), max(since, start)
    least = Powers({})
    if x.below is not None and x.below.growth == 0:
        least = Powers({x.below.power: x.below.flat(up=False)})
    elif x.below is not None and x.below.growth > 0:
        q, d = x.below.exponent.lead
        start = (x.below.exponent - Powers({q: d / 2})).positive_since()
        if start is not None:
            # e^E >= E^2/2 and E >= d t^q/2
            least = Powers({x.below.power + 2 * q: tidy(x.below.constant * d**2 / 8, up=False)})
            since = max(since, start)
    negative = None if most is None else -most
    if x.sign > 0:
        return least, most, since
    return (negative, -least, since) if x.sign < 0 else (negative, most, since)


def _enveloped(size: Size, since: Fraction) -> Envelope:
    """A size with a single power of t in its exponent, rounded up."""
    q, a = size.exponent.lead
    if size.growth > 0:
        raise Unbounded(f"it may grow like exp({a}*t^{q})")
    if size.growth == 0:
        q, a = ONE, NONE
    folded = size.exponent.of(NONE) <= LARGEST_FOLDED or size.growth == 0
    loads = {each: -c for each, c in size.exponent.terms.items() if each < q and c > 0 and not (folded and each == 0)}
    if loads:
        start = Powers({q: -a / 2, **loads}).positive_since()
        if start is None:
            raise Unbounded(f"its decay shows only after t = {LATEST}")
        a, since = a / 2, max(since, start)  # (E10)
    constant = size.flat(up=True) if folded else size.constant
    constant = tidy(max(constant, Fraction(1, 10**60)), up=True)  # a longer rational would gain nothing
    return Envelope(*map(rational, (constant, tidy(size.power, up=True), tidy(-a, up=False), q, since)))
