r"""How fast a formula fades: an envelope |f(t)| <= c t^p e^{-r t^q} for t >= since, proved, and the tail behind it.

The proof follows the formula from the inside out. Every part g gets sizes c t^p e^{E(t)}, E(t) = sum_k e_k t^{q_k}:

    |g| <= above , t >= since ;        |g| >= below and g of one sign , t >= settled ;    all since, settled >= 1

sums      sum_k c_k t^{q_k} >= m ln t from T on, lead a t^q, a > 0, m >= 0, if at T (each summand falls in T)
              sum_{c_k < 0} |c_k| T^{q_k-q} + m max_{t>=T} ln t/t^q <= a                                     (D1)
              max_{t>=T} ln t/t^q = ln T/T^q for T >= e^{1/q}, and 1/(e q) before
          c_1 t^{p_1} e^{E_1} + c_2 t^{p_2} e^{E_2} <= (c_1+c_2) t^{p_1} e^{E_1}
              once t^{p_2-p_1} e^{E_2-E_1} <= 1                                                              (D2)
          |sum g| >= below/2 of one part once the parts not of its sign are together below half of it        (D3)
products  sizes multiply; |g|^k has the size above^k for k > 0, below^k for k < 0, and g > 0 unless k is whole (D4)
bounded   |sin|, |cos|, |tanh|, |erf| <= 1, |atan| <= 2; |sin x|, |tanh x|, |atan x| <= |x|, |erf x| <= 6/5 |x|;
          |tanh x|, |atan x|, |erf x| >= 3/4 for |x| >= 1                                                    (D5)
log       |log g| <= |ln c| + |p| ln t + |E|, the larger of both sizes; ln t <= 6 t^{1/16}; >= 1 if g >= 3   (D6)
          (ln t/t^q <= 1/(e q), here 16/e < 6)

An exponent counts by its value, so it is kept between two sums low <= x <= high; polynomials and their products are
kept whole, other parts enter through their sizes, and a part that grows exponentially by e^E >= E^2/2.

exp       e^low <= exp(x) <= e^high                                                                          (D7)
cosh      e^{|x|}/2 <= cosh x, |sinh x| <= cosh x <= e^{|x|}; |sinh x| >= e^{|x|}/4 for |x| >= 1              (D8)
erfc      erfc x = e^{-x^2} (2/sqrt pi) int_0^inf e^{-v^2-2xv} dv <= e^{-x^2} for x >= 0; 1 <= erfc x for x <= 0 (D9)
airy      Ai(z) = e^{-(2/3) z^{3/2}}/pi int_0^inf e^{-sqrt(z) k^2} cos(k^3/3) dk <= 3/10 e^{-(2/3) z^{3/2}}, z >= 1;
          z^{3/2} >= b^{3/2} + 3/2 b^{1/2} (z - b), b the leading term of z (a tangent);  |Ai| <= 3/5         (D10)

The integral in (D10) is the steepest descent path k + i sqrt(z); for x < 0, Ai^2 + Ai'^2/|x| falls as |x| grows, so its
first maximum 0.5357 is the largest. Last, an exponent -a t^q + lower terms becomes -r t^q with r = a, or r = a/2 from
where (D1) shows that the lower terms that grow are at most a/2 t^q                                          (D11)

tail      psi = k ln u - r u^b - s u^d, k >= 0, b, d >= 1 is concave: int_v^inf e^psi <= e^psi(v)/|psi'(v)| if psi' < 0
          u = t, or u = t^q if q < 1; a factor u^k, k < 0, is at most v^k; or int_x^inf t^{p} = x^{p+1}/(-p-1) (D12)

Rationals are rounded outward. Not finding an envelope proves nothing: 1 - tanh(t) gets |f| <= 2. Derived here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import TypeAlias

import sympy as sp

Powers: TypeAlias = dict[Fraction, Fraction]  # sum of coefficient * t^key; no zero coefficients

NONE = Fraction(0)
ONE = Fraction(1)
LOGARITHM = Fraction(1, 16), Fraction(6)  # (D6)
BOUNDED: dict[type[sp.Function], tuple[Fraction, Fraction | None, bool]] = {
    sp.sin: (ONE, ONE, False),  # (D5): the bound, k of |f(x)| <= k |x|, and whether f is odd and rises
    sp.cos: (ONE, None, False),
    sp.tanh: (ONE, ONE, True),
    sp.atan: (Fraction(2), ONE, True),
    sp.erf: (ONE, Fraction(6, 5), True),
}
LATEST = 10**30  # a bound that only holds later than this is of no use
LARGEST_EXPANDED = 16  # powers of sums up to here are multiplied out
LARGEST_FOLDED = 100  # a factor up to e^100 joins the constant; a larger one costs rate, (D11)
LARGEST_EXPONENT = Fraction(1_000)
SLACK = 1e-9  # relative; far above the rounding of the float64 logarithms that choose T in (D1) and make up (D12)
STEEP = 1e-4  # of a sum that cancels, what must be left for its sign and its logarithm to be worth SLACK


class Unbounded(ValueError):
    """No envelope could be shown."""


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

    def log_tail(self, x: float, s: float = 0.0, order: int = 0) -> float:
        """A number that ln int_x^inf t^order e^{-st} |f(t)| dt does not exceed, by (D12); s >= 0 in 1/time.

        inf where nothing is shown: x < since, or t^order e^{-st} times the envelope is still rising at x, or not
        integrable. Raises ValueError if x or s is not finite, or s < 0.

        >>> t = sp.Symbol("t", nonnegative=True)
        >>> round(envelope(t * sp.exp(-t), t).log_tail(100.0), 3)  # of ln(101 e^-100) = -95.385, rounded up
        -95.385
        """
        if not (math.isfinite(x) and math.isfinite(s) and s >= 0):
            raise ValueError(f"the tail needs a finite x and a finite s >= 0, got x = {x!r}, s = {s!r}")
        if sp.Rational(x) < self.since:
            return math.inf
        if self.constant == 0:
            return -math.inf
        rate, stretch = float(self.rate), float(self.stretch)
        outer = stretch if rate > 0 and stretch < 1 else 1.0  # u = t^outer
        k = (float(self.power) + order + 1) / outer - 1  # t^power dt = u^k du / outer
        lnx = math.log(x)
        fading = [-rate * _exp(stretch * lnx), -min(s * x, 1e300)]
        parts = [_ln(_fraction(self.constant)), *fading]
        slopes = [max(k, 0.0), fading[0] * stretch / outer, fading[1] / outer]  # u psi'(u)
        bounds = []
        if -sum(slopes) > STEEP * sum(map(abs, slopes)):
            bounds.append([*parts, (k + 1) * outer * lnx, -math.log(-sum(slopes)), -math.log(outer)])
        excess = float(-self.power - order - 1)
        if excess > 0:
            bounds.append([*parts, -excess * lnx, -math.log(excess)])
        return min((sum(each) + SLACK * (1 + sum(map(abs, each))) for each in bounds), default=math.inf)


def envelope(f: sp.Expr, t: sp.Symbol) -> Envelope:
    """An envelope of f, a formula in t alone as theory.expression reads it. Proved by (D1)-(D11).

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
class Size:
    """constant * t^power * e^{exponent(t)}; constant > 0, and no negative powers in the exponent."""

    constant: Fraction
    power: Fraction
    exponent: Powers

    def __mul__(self, other: "Size") -> "Size":
        return Size(self.constant * other.constant, self.power + other.power, _plus(self.exponent, other.exponent))

    def __truediv__(self, other: "Size") -> "Size":
        exponent = _plus(self.exponent, _scaled(other.exponent, -ONE))
        return Size(self.constant / other.constant, self.power - other.power, exponent)

    def scaled(self, factor: Fraction) -> "Size":
        return replace(self, constant=self.constant * factor)

    def tidy(self, up: bool) -> "Size":
        return replace(self, constant=_tidy(self.constant, up))

    @property
    def growth(self) -> int:
        """1 if it grows exponentially, -1 if it fades exponentially, else 0."""
        q, coefficient = _lead(self.exponent)
        return 0 if q == 0 else 1 if coefficient > 0 else -1

    def flat(self, up: bool) -> Fraction:
        """constant * e^{exponent(0)}, rounded outward."""
        at_zero = self.exponent.get(NONE, NONE)
        if up and at_zero > LARGEST_EXPONENT:
            raise Unbounded(f"a constant factor is beyond e^{LARGEST_EXPONENT}")
        if not up and at_zero < -LARGEST_EXPONENT:
            return NONE
        at_zero = min(max(at_zero, -LARGEST_EXPONENT), LARGEST_EXPONENT)
        return _tidy(self.constant * _bracket(sp.exp(_rational(at_zero)))[up], up)


UNIT = Size(ONE, NONE, {})


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
        powers = _powers(g, t)
        if powers is None:
            return _sum([_trend(each, t) for each in g.args])
        if not powers:
            raise Unbounded(f"{g} is zero, leave it out")
        return _sum([_monomial(*each) for each in powers.items()])
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
    low, high = _bracket(c)
    sign = 1 if low > 0 else -1
    low, high = (low, high) if sign > 0 else (-high, -low)
    return Trend(UNIT.scaled(high), UNIT.scaled(low), sign, ONE, ONE)


def _monomial(power: Fraction, coefficient: Fraction) -> Trend:
    size = Size(abs(coefficient), power, {})
    return Trend(size, size, 1 if coefficient > 0 else -1, ONE, ONE)


def _sum(parts: list[Trend]) -> Trend:
    above, since = _summed(parts)
    settled = max([since, *(each.settled for each in parts)])
    firm = [(each.below, each.sign) for each in parts if each.below is not None]
    if firm:
        below, sign = reduce(lambda a, b: b if _slower(b[0], a[0]) else a, firm)
        adverse = [each for each in parts if each.sign != sign]
        if not adverse:
            return Trend(above, below, sign, since, settled)
        against, start = _summed(adverse)
        outweighed = _settles((against / below).scaled(Fraction(2)))
        if outweighed is not None:
            return Trend(above, below.scaled(Fraction(1, 2)), sign, since, max(settled, start, outweighed))  # (D3)
    return Trend(above, None, 0, since, settled)


def _summed(parts: list[Trend]) -> tuple[Size, Fraction]:
    """A size of the sum of all |part|, and since when."""
    total, since = parts[0].above, parts[0].since
    for part in parts[1:]:
        slow, fast = (total, part.above) if _slower(total, part.above) else (part.above, total)
        start = _settles(replace(fast / slow, constant=ONE))
        if start is None:
            raise Unbounded(f"two terms of a sum fade so much alike that they part only after t = {LATEST}")
        total = replace(slow, constant=total.constant + part.above.constant).tidy(up=True)  # (D2)
        since = max(since, part.since, start)
    return total, since


def _slower(a: Size, b: Size) -> bool:
    """a fades no faster than b in the end."""
    ratio = a / b
    if ratio.growth:
        return ratio.growth > 0
    return (ratio.power, ratio.exponent.get(NONE, NONE), ratio.constant) >= (NONE, NONE, ONE)


def _product(a: Trend, b: Trend) -> Trend:
    below = None if a.below is None or b.below is None else (a.below * b.below).tidy(up=False)
    above = (a.above * b.above).tidy(up=True)
    return Trend(above, below, a.sign * b.sign, max(a.since, b.since), max(a.settled, b.settled))  # (D4)


def _power(g: sp.Pow, t: sp.Symbol) -> Trend:
    base, k = _trend(g.base, t), g.exp
    rising, whole = bool(k > 0), bool(k.is_Integer)
    if not whole and base.sign != 1:
        raise Unbounded(f"{g.base} is not shown to be positive, so its power {k} may not be real")
    if not rising and base.below is None:
        raise Unbounded(f"{g.base}, which is divided by, is not shown to stay away from zero")
    over, under = (base.above, base.below) if rising else (base.below, base.above)
    assert over is not None
    below = None if under is None else _raised(under, k, up=False)
    sign = 1 if not whole or k % 2 == 0 else base.sign
    since = base.since if whole and rising else base.settled
    return Trend(_raised(over, k, up=True), below, sign, since, base.settled)  # (D4)


def _raised(size: Size, k: sp.Expr, up: bool) -> Size:
    constant = _bracket(_rational(size.constant) ** k)[up]
    exponent = {q: _bracket(_rational(e) * k)[up] for q, e in size.exponent.items()}
    return Size(constant, _bracket(_rational(size.power) * k)[up], exponent)


def _exponential(x: sp.Expr, t: sp.Symbol) -> Trend:
    low, high, since = _between(x, t)
    if high is None:
        raise Unbounded(f"exp({x}) grows faster than the exponential of a power of {t}")
    below = None if low is None else Size(ONE, NONE, _growing(low, up=False))
    return Trend(Size(ONE, NONE, _growing(high, up=True)), below, 1, since, since)  # (D7)


def _bounded(g: sp.Expr, t: sp.Symbol) -> Trend:
    x = _trend(g.args[0], t)
    bound, slope, odd_and_rising = BOUNDED[g.func]
    above, below, settled = UNIT.scaled(bound), None, x.settled
    if slope is not None and not _slower(x.above, UNIT):
        above = x.above.scaled(slope)
    if odd_and_rising and x.below is not None and (large := _settles(UNIT / x.below)) is not None:
        below, settled = UNIT.scaled(Fraction(3, 4)), max(settled, large)
    return Trend(above, below, x.sign if odd_and_rising else 0, x.since, settled)  # (D5)


def _logarithm(g: sp.Expr, t: sp.Symbol) -> Trend:
    x = _trend(g.args[0], t)
    if x.sign != 1 or x.below is None:
        raise Unbounded(f"{g.args[0]}, under a logarithm, is not shown to be positive")
    sizes = (x.above, x.below)
    slow, factor = LOGARITHM
    constants = [abs(end) for each in sizes if each.constant != 1 for end in _bracket(sp.log(_rational(each.constant)))]
    loads = {NONE: max(constants, default=NONE), slow: factor * max(abs(each.power) for each in sizes)}
    for each in sizes:
        for q, e in each.exponent.items():
            loads[q] = max(loads.get(q, NONE), abs(e)) if q != NONE else loads[q] + abs(e)
    above = Size(_tidy(sum(loads.values(), NONE), up=True), max(q for q, load in loads.items() if load), {})
    for sign, ratio in ((1, UNIT / x.below), (-1, x.above)):
        if (start := _settles(ratio.scaled(Fraction(3)))) is not None:
            return Trend(above, UNIT, sign, x.settled, max(x.settled, start))
    return Trend(above, None, 0, x.settled, x.settled)  # (D6)


def _hyperbolic(g: sp.Expr, t: sp.Symbol) -> Trend:
    low, high, since = _between(g.args[0], t)
    if low is None or high is None:
        raise Unbounded(f"{g} grows faster than the exponential of a power of {t}")
    odd = isinstance(g, sp.sinh)
    for sign, least, most in ((1, low, high), (-1, _scaled(high, -ONE), _scaled(low, -ONE))):
        start = _outweighs(_plus(least, {NONE: -ONE}))
        if start is not None:
            below = Size(Fraction(1, 4 if odd else 2), NONE, _growing(least, up=False))
            above = Size(ONE, NONE, _growing(most, up=True))
            start = max(since, start)
            return Trend(above, below, sign if odd else 1, start, start)  # (D8)
    most = {q: max(abs(low.get(q, NONE)), abs(high.get(q, NONE))) for q in low | high}
    above = Size(ONE, NONE, _growing(most, up=True))
    return Trend(above, None if odd else UNIT, 0 if odd else 1, since, since)  # (D8)


def _complementary_error(g: sp.Expr, t: sp.Symbol) -> Trend:
    low, high, since = _between(g.args[0], t)
    if low is not None and (start := _outweighs(low)) is not None:
        start = max(since, start)
        fading = _growing(_scaled(_times(low, low), -ONE), up=True)
        return Trend(Size(ONE, NONE, fading), None, 1, start, start)  # (D9)
    start = None if high is None else _outweighs(_scaled(high, -ONE))
    return Trend(UNIT.scaled(Fraction(2)), None if start is None else UNIT, 1, since, max(since, start or ONE))


def _airy(g: sp.Expr, t: sp.Symbol) -> Trend:
    low, _, since = _between(g.args[0], t)
    start = None if low is None else _outweighs(_plus(low, {NONE: -ONE}))
    if low is None or start is None:
        return Trend(UNIT.scaled(Fraction(3, 5)), None, 0, since, since)
    q, a = _lead(low)
    root = sp.sqrt(_rational(a))
    tangent = {3 * q / 2: _bracket(_rational(a) * root)[0]}
    for each, coefficient in low.items():
        if each != q:
            tangent[each + q / 2] = _bracket(sp.Rational(3, 2) * root * _rational(coefficient))[0]
    fading = _growing(_scaled(tangent, Fraction(-2, 3)), up=True)
    start = max(since, start)
    return Trend(Size(Fraction(3, 10), NONE, fading), None, 1, start, start)  # (D10)


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
    whole = _powers(x, t)
    if whole is not None:
        return whole, whole, ONE
    if isinstance(x, sp.Add):
        low, high, since = _between(x.args[0], t)
        for each in x.args[1:]:
            low_part, high_part, start = _between(each, t)
            low = None if low is None or low_part is None else _plus(low, low_part)
            high = None if high is None or high_part is None else _plus(high, high_part)
            since = max(since, start)
        return low, high, since
    factor, rest = x.as_independent(t, as_Add=False)
    if factor != 1 and rest != 1:
        ends, (low, high, since) = _bracket(factor), _between(rest, t)
        low, high = (low, high) if ends[0] > 0 else (high, low)
        low = None if low is None else {q: min(c * end for end in ends) for q, c in low.items()}
        high = None if high is None else {q: max(c * end for end in ends) for q, c in high.items()}
        return low, high, since
    return _squeezed(_trend(x, t))


def _squeezed(x: Trend) -> tuple[Powers | None, Powers | None, Fraction]:
    """A part of an exponent between two powers of t, from its sizes."""
    since = x.settled if x.sign else x.since
    most: Powers | None = None
    if x.above.growth == 0:
        most = {x.above.power: x.above.flat(up=True)}
    elif x.above.growth < 0 and (start := _settles(replace(x.above, constant=ONE, power=NONE))) is not None:
        most, since = {x.above.power: x.above.constant}, max(since, start)
    least: Powers = {}
    if x.below is not None and x.below.growth == 0:
        least = {x.below.power: x.below.flat(up=False)}
    elif x.below is not None and x.below.growth > 0:
        q, d = _lead(x.below.exponent)
        start = _outweighs(_plus(x.below.exponent, {q: -d / 2}))
        if start is not None:
            least = {x.below.power + 2 * q: _tidy(x.below.constant * d**2 / 8, up=False)}  # e^E >= E^2/2, E >= d t^q/2
            since = max(since, start)
    minus = [None if each is None else _scaled(each, -ONE) for each in (least, most)]
    if x.sign > 0:
        return least, most, since
    return (minus[1], minus[0], since) if x.sign < 0 else (minus[1], most, since)


def _powers(x: sp.Expr, t: sp.Symbol) -> Powers | None:
    """x as a sum of powers of t, if it is one with rational coefficients and exponents."""
    if x.is_Rational:
        return _plus({NONE: _fraction(x)}, {})
    if x == t:
        return {ONE: ONE}
    if isinstance(x, sp.Add | sp.Mul):
        parts = [_powers(each, t) for each in x.args]
        known = [each for each in parts if each is not None]
        return reduce(_plus if x.is_Add else _times, known) if len(known) == len(parts) else None
    if isinstance(x, sp.Pow) and x.base == t and x.exp.is_Rational:
        return {_fraction(x.exp): ONE}
    if isinstance(x, sp.Pow) and x.exp.is_Integer and 0 < x.exp <= LARGEST_EXPANDED:
        base = _powers(x.base, t)
        return None if base is None else reduce(_times, [base] * int(x.exp))
    return None


def _settles(size: Size) -> Fraction | None:
    """T >= 1 with size <= 1 for all t >= T, or None."""
    log_constant = _log(size.constant)
    starts = []
    if size.growth:
        exponent = _plus(size.exponent, {NONE: log_constant})
        starts.append(_outweighs(_scaled(exponent, -ONE), max(size.power, NONE)))
    constant = size.exponent.get(NONE, NONE) + log_constant
    if all(e <= 0 for q, e in size.exponent.items() if q > 0) and size.power <= 0:
        if constant <= 0:
            return ONE
        if size.power < 0 and constant / -size.power < math.log(LATEST):
            starts.append(Fraction(math.ceil(math.exp(constant / -size.power) * (1 + SLACK))))
    return min((each for each in starts if each is not None), default=None)


def _outweighs(powers: Powers, m: Fraction = NONE) -> Fraction | None:
    """T >= 1 with powers(t) >= m ln t for all t >= T, m >= 0, by (D1); None if there is none up to LATEST."""
    q, a = _lead(powers)
    if a <= 0 or (m > 0 and q <= 0):
        return ONE if not powers and m == 0 else None
    loads = [(_ln(-c / a), float(each - q)) for each, c in powers.items() if c < 0]
    T = 1
    while T < LATEST:
        lnT = math.log(T)
        total = sum(_exp(weight + slope * lnT) for weight, slope in loads)
        if m:
            total += float(m / a) * (lnT * _exp(-float(q) * lnT) if q * lnT >= 1 else 1 / (math.e * float(q)))
        if total <= 1 - SLACK or (not loads and m == 0):
            return Fraction(T)
        T += T // 16 + 1
    return None


def _enveloped(size: Size, since: Fraction) -> Envelope:
    """A size with a single power of t in its exponent, rounded up."""
    q, a = _lead(size.exponent)
    if size.growth > 0:
        raise Unbounded(f"it may grow like exp({a}*t^{q})")
    if size.growth == 0:
        q, a = ONE, NONE
    folded = size.exponent.get(NONE, NONE) <= LARGEST_FOLDED or size.growth == 0
    loads = {each: c for each, c in size.exponent.items() if each < q and c > 0 and not (folded and each == 0)}
    if loads:
        start = _outweighs(_plus({q: -a / 2}, _scaled(loads, -ONE)))
        if start is None:
            raise Unbounded(f"its decay shows only after t = {LATEST}")
        a, since = a / 2, max(since, start)  # (D11)
    constant = size.flat(up=True) if folded else size.constant
    constant = _tidy(max(constant, Fraction(1, 10**60)), up=True)  # a longer rational would gain nothing
    return Envelope(*map(_rational, (constant, _tidy(size.power, up=True), _tidy(-a, up=False), q, since)))


def _growing(exponent: Powers, up: bool) -> Powers:
    """An exponent without its negative powers of t, which lie between 0 and their coefficients."""
    fading = sum((c for q, c in exponent.items() if q < 0 and (c > 0) == up), NONE)
    return _plus({q: c for q, c in exponent.items() if q >= 0}, {NONE: fading})


def _plus(a: Powers, b: Powers) -> Powers:
    total = {q: a.get(q, NONE) + b.get(q, NONE) for q in a | b}
    return {q: c for q, c in total.items() if c}


def _times(a: Powers, b: Powers) -> Powers:
    return reduce(_plus, ({p + q: c * d for q, d in b.items()} for p, c in a.items()), {})


def _scaled(a: Powers, factor: Fraction) -> Powers:
    return {q: factor * c for q, c in a.items()}


def _lead(a: Powers) -> tuple[Fraction, Fraction]:
    """The highest power of t and its coefficient."""
    return max(a.items(), default=(NONE, NONE))


def _bracket(x: sp.Expr) -> tuple[Fraction, Fraction]:
    """Rationals of few digits around a real number."""
    if x.is_Rational:
        return _tidy(_fraction(x), up=False), _tidy(_fraction(x), up=True)
    value = sp.N(x, 20)
    if not value.is_Float or abs(value) < sp.Float("1e-100000"):
        raise Unbounded(f"{x} is not shown to be real and other than zero")
    near = _fraction(sp.Rational(value))
    margin = abs(near) / 10**15
    return _tidy(near - margin, up=False), _tidy(near + margin, up=True)


def _tidy(x: Fraction, up: bool) -> Fraction:
    """A neighbour above (below) with 9 significant digits, or x itself if it is short."""
    if max(abs(x.numerator), x.denominator) < 10**12:
        return x
    unit = Fraction(10) ** (math.floor(_ln(abs(x)) / math.log(10)) - 8)
    return (math.ceil(x / unit) if up else math.floor(x / unit)) * unit


def _log(x: Fraction) -> Fraction:
    """ln x, rounded up."""
    return NONE if x == 1 else _bracket(sp.log(_rational(x)))[1]


def _ln(x: Fraction) -> float:
    """ln x for a Fraction of any length."""
    return math.log(x.numerator) - math.log(x.denominator)


def _exp(x: float) -> float:
    """e^x, or 1e300 beyond."""
    return math.exp(x) if x < 690 else 1e300


def _fraction(x: sp.Rational) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def _rational(x: Fraction) -> sp.Rational:
    return sp.Rational(x.numerator, x.denominator)
