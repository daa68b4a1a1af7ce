r"""Sizes c t^p e^{E(t)}, in which theory/decay.py says how large a part of a formula is; E is a sum of powers of t.

Exponents and coefficients are rationals, so sizes are compared exactly. What is asked of them is from where on an
inequality holds. A sum sum_k c_k t^{q_k} with the highest power a t^q, a > 0, is >= m ln t, m >= 0, from T on if at T

    sum_{c_k < 0} |c_k| T^{q_k-q} + m max_{t>=T} ln t/t^q <= a ,  for each summand falls in T                (Z1)
    max_{t>=T} ln t/t^q = ln T/T^q for T >= e^{1/q}, and 1/(e q) before                                      (Z2)

and a size is <= 1 from there on where

    -E(t) - ln c >= p ln t , by (Z1); or, without growing powers in E, t >= (c e^{E(0)})^{-1/p} for p < 0    (Z3)

Rationals are kept short by rounding outward, to nine digits. Whether (Z1) and (Z3) hold at a T is enclosed,
float logarithms rounded outward by SLACK; what is kept are rationals only. Derived here.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

import sympy as sp

NONE = Fraction(0)
ONE = Fraction(1)
LATEST = 10**30  # an inequality that only holds later than this is of no use
LARGEST_EXPANDED = 16  # powers of sums up to here are multiplied out
LARGEST_EXPONENT = Fraction(1_000)  # of a constant factor e^x
SLACK = 1e-9  # relative; far above the rounding of the float64 logarithms in (Z1) and (Z3), coefficients up to e^{10^6}


class Unbounded(ValueError):
    """No envelope could be shown."""


@dataclass(frozen=True)
class Powers:
    """A sum of powers of t: {exponent: coefficient}. Coefficients of zero are dropped."""

    terms: dict[Fraction, Fraction]

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", {q: c for q, c in self.terms.items() if c})

    def __add__(self, other: "Powers") -> "Powers":
        return Powers({q: self.of(q) + other.of(q) for q in self.terms | other.terms})

    def __sub__(self, other: "Powers") -> "Powers":
        return self + -other

    def __neg__(self) -> "Powers":
        return Powers({q: -c for q, c in self.terms.items()})

    def __mul__(self, other: "Powers") -> "Powers":
        products = (Powers({p + q: c * d for q, d in other.terms.items()}) for p, c in self.terms.items())
        return reduce(Powers.__add__, products, Powers({}))

    def plus(self, constant: Fraction) -> "Powers":
        return self + Powers({NONE: constant})

    def of(self, q: Fraction) -> Fraction:
        """The coefficient of t^q."""
        return self.terms.get(q, NONE)

    @property
    def lead(self) -> tuple[Fraction, Fraction]:
        """The highest power of t and its coefficient."""
        return max(self.terms.items(), default=(NONE, NONE))

    def positive_since(self, m: Fraction = NONE) -> Fraction | None:
        """T >= 1 with sum >= m ln t for all t >= T, m >= 0, by (Z1); None if there is none up to LATEST."""
        q, a = self.lead
        if a <= 0 or (m > 0 and q <= 0):
            return ONE if not self.terms and m == 0 else None
        loads = [(ln(-c / a), float(each - q)) for each, c in self.terms.items() if c < 0]
        T = 1
        while T < LATEST:
            lnT = math.log(T)
            total = sum(capped_exp(weight + slope * lnT) for weight, slope in loads)
            if m:
                steepest = lnT * capped_exp(-float(q) * lnT) if q * lnT >= 1 else 1 / (math.e * float(q))  # (Z2)
                total += float(m / a) * steepest
            if total <= 1 - SLACK or (not loads and m == 0):
                return Fraction(T)
            T += T // 16 + 1
        return None


def sum_of_powers(x: sp.Expr, t: sp.Symbol) -> Powers | None:
    """x as a sum of powers of t, if it is one with rational coefficients and exponents. Exact.

    >>> t = sp.Symbol("t", nonnegative=True)
    >>> sum_of_powers((sp.sqrt(t) + 1) ** 2, t).lead
    (Fraction(1, 1), Fraction(1, 1))
    """
    if x.is_Rational:
        return Powers({NONE: fraction(x)})
    if x == t:
        return Powers({ONE: ONE})
    if isinstance(x, sp.Add | sp.Mul):
        parts = [sum_of_powers(each, t) for each in x.args]
        known = [each for each in parts if each is not None]
        return reduce(Powers.__add__ if x.is_Add else Powers.__mul__, known) if len(known) == len(parts) else None
    if isinstance(x, sp.Pow) and x.base == t and x.exp.is_Rational:
        return Powers({fraction(x.exp): ONE})
    if isinstance(x, sp.Pow) and x.exp.is_Integer and 0 < x.exp <= LARGEST_EXPANDED:
        base = sum_of_powers(x.base, t)
        return None if base is None else reduce(Powers.__mul__, [base] * int(x.exp))
    return None


@dataclass(frozen=True)
class Size:
    """constant * t^power * e^{exponent(t)}; constant > 0, and no negative powers in the exponent."""

    constant: Fraction
    power: Fraction = NONE
    exponent: Powers = Powers({})

    @staticmethod
    def exponential(exponent: Powers, up: bool, constant: Fraction = ONE) -> "Size":
        """constant * e^exponent, rounded: its negative powers of t lie between 0 and their coefficients."""
        fading = sum((c for q, c in exponent.terms.items() if q < 0 and (c > 0) == up), NONE)
        return Size(constant, NONE, Powers({q: c for q, c in exponent.terms.items() if q >= 0}).plus(fading))

    def __mul__(self, other: "Size") -> "Size":
        return Size(self.constant * other.constant, self.power + other.power, self.exponent + other.exponent)

    def __truediv__(self, other: "Size") -> "Size":
        return Size(self.constant / other.constant, self.power - other.power, self.exponent - other.exponent)

    def scaled(self, factor: Fraction) -> "Size":
        return replace(self, constant=self.constant * factor)

    def raised(self, k: sp.Expr, up: bool) -> "Size":
        """The k-th power, rounded outward."""
        exponent = {q: bracket(rational(e) * k)[up] for q, e in self.exponent.terms.items()}
        return Size(bracket(rational(self.constant) ** k)[up], bracket(rational(self.power) * k)[up], Powers(exponent))

    def tidy(self, up: bool) -> "Size":
        return replace(self, constant=tidy(self.constant, up))

    @property
    def growth(self) -> int:
        """1 if it grows exponentially, -1 if it fades exponentially, else 0."""
        q, coefficient = self.exponent.lead
        return 0 if q == 0 else 1 if coefficient > 0 else -1

    def outlasts(self, other: "Size") -> bool:
        """It fades no faster than the other in the end."""
        ratio = self / other
        if ratio.growth:
            return ratio.growth > 0
        return (ratio.power, ratio.exponent.of(NONE), ratio.constant) >= (NONE, NONE, ONE)

    def small_since(self) -> Fraction | None:
        """T >= 1 with size <= 1 for all t >= T, by (Z3), or None."""
        log_constant = NONE if self.constant == 1 else bracket(sp.log(rational(self.constant)))[1]
        starts = []
        if self.growth:
            starts.append((-self.exponent).plus(-log_constant).positive_since(max(self.power, NONE)))
        constant = self.exponent.of(NONE) + log_constant
        if all(e <= 0 for q, e in self.exponent.terms.items() if q > 0) and self.power <= 0:
            if constant <= 0:
                return ONE
            if self.power < 0 and constant / -self.power < math.log(LATEST):
                starts.append(Fraction(math.ceil(math.exp(constant / -self.power) * (1 + SLACK))))
        return min((each for each in starts if each is not None), default=None)

    def flat(self, up: bool) -> Fraction:
        """constant * e^{exponent(0)}, rounded outward."""
        at_zero = self.exponent.of(NONE)
        if up and at_zero > LARGEST_EXPONENT:
            raise Unbounded(f"a constant factor is beyond e^{LARGEST_EXPONENT}")
        if not up and at_zero < -LARGEST_EXPONENT:
            return NONE
        at_zero = min(max(at_zero, -LARGEST_EXPONENT), LARGEST_EXPONENT)
        return tidy(self.constant * bracket(sp.exp(rational(at_zero)))[up], up)


UNIT = Size(ONE)


def bracket(x: sp.Expr) -> tuple[Fraction, Fraction]:
    """Rationals of few digits around a real number.

    Raises Unbounded if it is not real, or may be zero.

    >>> bracket(sp.Rational(1, 3))
    (Fraction(1, 3), Fraction(1, 3))
    """
    if x.is_Rational:
        return tidy(fraction(x), up=False), tidy(fraction(x), up=True)
    value = sp.N(x, 20)
    if not value.is_Float or abs(value) < sp.Float("1e-100000"):
        raise Unbounded(f"{x} is not shown to be real and other than zero")
    near = fraction(sp.Rational(value))
    margin = abs(near) / 10**15
    return tidy(near - margin, up=False), tidy(near + margin, up=True)


def tidy(x: Fraction, up: bool) -> Fraction:
    """A neighbour above (below) with 9 significant digits, or x itself if it is short."""
    if max(abs(x.numerator), x.denominator) < 10**12:
        return x
    unit = Fraction(10) ** (math.floor(ln(abs(x)) / math.log(10)) - 8)
    return (math.ceil(x / unit) if up else math.floor(x / unit)) * unit


def ln(x: Fraction) -> float:
    """ln x for a Fraction of any length."""
    return math.log(x.numerator) - math.log(x.denominator)


def capped_exp(x: float) -> float:
    """e^x, or 1e300 beyond."""
    return math.exp(x) if x < 690 else 1e300


def fraction(x: sp.Rational) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def rational(x: Fraction) -> sp.Rational:
    return sp.Rational(x.numerator, x.denominator)
