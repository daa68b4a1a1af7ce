"""Exact dyadic numbers as text, and decimals rounded outwards: all that crosses between a proof and a file.

A dyadic is x = m 2^e with integers m and e, an Arb ball of radius 0. Its text is the mantissa in hexadecimal and the
exponent in decimal, `-0x1f*2^-12`; m is odd, or 0 with e = 0, so one number has one text, and both ways are exact.

A bracket lower <= upper of dyadics is printed in units u = 10^p, by integers alone:

    floor(lower / u) u  <=  lower  <=  upper  <=  ceil(upper / u) u                                (D1)
    m 2^e / 10^p  =  N / D ,   N = m 2^max(e,0) 10^max(-p,0) ,  D = 2^max(-e,0) 10^max(p,0)        (D2)

The unit is chosen so that |upper| has the digits wanted. Digits certified are those of what is printed,

    n = the largest integer >= 0 with (upper - lower) 10^n <= |upper| ,                            (D3)

which is 0 where the signs differ.
"""

import re
from math import floor, log10
from typing import Any

import flint
import numpy as np

Array = np.ndarray[Any, Any]
MANTISSA = 20_000  # hexadecimal digits at most
EXPONENT = 10**8  # of 2 and of 10, at most: room for e^{2wL} to wL of 10^7, and integers that are soon multiplied
DYADIC = re.compile(rf"(-?)0x([0-9a-f]{{1,{MANTISSA}}})\*2\^(-?[0-9]{{1,10}})", re.ASCII)
DECIMAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:e([+-]?[0-9]{1,10}))?", re.ASCII)
LONGEST = 4_000  # characters of a decimal, which Python reads as an integer


def text(number: flint.arb) -> str:
    """An Arb ball of radius 0 as text, exactly; ValueError for any other.

    >>> text(flint.arb("0.375")), text(flint.arb(-20))
    ('0x3*2^-3', '-0x5*2^2')
    """
    mantissa, exponent = parts(number)
    return f"{'-' if mantissa < 0 else ''}{abs(mantissa):#x}*2^{exponent}"


def parse(written: object) -> flint.arb:
    """The exact number whose `text` this is; ValueError for anything that `text` never writes."""
    found = DYADIC.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError(f"a dyadic must be text like '-0x1f*2^-12', got {_short(written)}")
    sign, mantissa, exponent = found.groups()
    number = dyadic(int(sign + mantissa, 16), int(exponent))
    if text(number) != written:
        raise ValueError(f"a dyadic must be in lowest terms, got {_short(written)}; this is {_short(text(number))}")
    return number


def dyadic(mantissa: int, exponent: int) -> flint.arb:
    """m 2^e, exactly; ValueError where |e| is beyond EXPONENT."""
    if abs(exponent) > EXPONENT:
        raise ValueError(f"the exponent of a dyadic must be within +-{EXPONENT}, got {exponent}")
    return flint.arb((mantissa, exponent))


def parts(number: flint.arb) -> tuple[int, int]:
    """(m, e) of m 2^e, m odd or 0; ValueError unless the ball is exact, finite and not too large."""
    if not (number.is_exact() and number.is_finite()):
        raise ValueError(f"a dyadic must be an exact number, got the ball {number}")
    mantissa, exponent = map(int, number.man_exp())
    if abs(exponent) > EXPONENT:
        raise ValueError(f"the exponent of a dyadic must be within +-{EXPONENT}, got {exponent}")
    return mantissa, exponent


def texts(numbers: Array) -> Any:
    """An array of exact numbers as nested lists of their texts, for JSON."""
    return np.asarray(np.frompyfunc(text, 1, 1)(numbers)).tolist()


def array(written: object, shape: tuple[int, ...], name: str) -> Array:
    """The array of these texts, which must have this shape; ValueError names it."""
    found = np.empty(shape, object)

    def fill(index: tuple[int, ...], given: object) -> None:
        where = ".".join([name, *map(str, index)])
        if len(index) == len(shape):
            try:
                found[index] = parse(given)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            return
        size = shape[len(index)]
        if len(entries := listed(given, where)) != size:
            raise ValueError(f"{where}: must be a list of {size} entries, got {len(entries)}")
        for i, each in enumerate(entries):
            fill((*index, i), each)

    fill((), written)
    return found


def column(written: object, name: str) -> Array:
    """The array of a list of texts, of any length."""
    return array(written, (len(listed(written, name)),), name)


def rectangle(written: object, name: str) -> Array:
    """The array of a list of lists of texts, all as long as the first."""
    rows = listed(written, name)
    return array(rows, (len(rows), len(listed(rows[0], f"{name}.0")) if rows else 0), name)


def listed(written: object, name: str) -> list[Any]:
    """What must be a list; ValueError names it."""
    if not isinstance(written, list):
        raise ValueError(f"{name}: must be a list, got {_short(written)}")
    return written


def fields_of(written: object, names: tuple[str, ...], name: str) -> list[Any]:
    """The values of a table that must have these keys and no other, in this order; ValueError names it."""
    if not isinstance(written, dict) or set(written) != set(names):
        raise ValueError(f"{name}: must be a table of {', '.join(names)}, and of nothing else, got {_short(written)}")
    return [written[each] for each in names]


def check_integers(**numbers: object) -> None:
    """ValueError unless these are integers, which a bool is not."""
    for name, number in numbers.items():
        if type(number) is not int:
            raise ValueError(f"{name}: must be an integer, got {_short(number)}")


# ---- decimals, rounded outwards -----------------------------------------------------------------------------------


def outwards(lower: flint.arb, upper: flint.arb, digits: int) -> tuple[str, str]:
    """Decimals that enclose [lower, upper] (D1), both in the unit of the last of `digits` digits of the larger end.

    lower, upper: exact. Raises ValueError where they are not, or are in the wrong order.

    >>> outwards(flint.arb("0.375"), flint.arb("0.375"), 2)
    ('0.37', '0.38')
    """
    if not lower <= upper:
        raise ValueError(f"lower must be exact and not exceed upper, got {lower} and {upper}")
    unit = max((_power(end) for end in (lower, upper) if end != 0), default=0) + 1 - digits
    return _decimal(_floor(lower, unit), unit), _decimal(_ceiling(upper, unit), unit)


def digits_of(lower: str, upper: str) -> int:
    """Digits that two decimals certify of what lies between them (D3); ValueError where lower > upper.

    >>> digits_of("2.718281", "2.718282"), digits_of("-1", "1")
    (6, 0)
    """
    (low, p), (high, q) = number(lower), number(upper)
    if abs(p - q) > LONGEST:
        raise ValueError(f"the ends of a bracket must be of like size, got {_short(lower)} and {_short(upper)}")
    unit = min(p, q)
    low, high = low * 10 ** (p - unit), high * 10 ** (q - unit)
    if low > high:
        raise ValueError(f"lower must not exceed upper, got {_short(lower)} and {_short(upper)}")
    return len(str(abs(high) // max(1, high - low))) - 1


def inside(lower: flint.arb, upper: flint.arb, claimed: tuple[str, str]) -> bool:
    """Whether [lower, upper], of exact ends, lies in the interval between two decimals; decided exactly.

    >>> inside(flint.arb("0.375"), flint.arb("0.5"), ("0.374", "0.5"))
    True
    """
    (low, p), (high, q) = map(number, claimed)
    return _compare(lower, low, p) >= 0 >= _compare(upper, high, q)


def number(written: object) -> tuple[int, int]:
    """(N, p) of the decimal N 10^p; ValueError for what is none."""
    found = DECIMAL.fullmatch(written) if isinstance(written, str) and len(written) <= LONGEST else None
    if found is None:
        raise ValueError(f"a decimal must be text like '1.25e+30', got {_short(written)}")
    sign, whole, after, power = found.groups(default="")
    exponent = int(power or 0) - len(after)
    if abs(exponent) > EXPONENT:
        raise ValueError(f"the exponent of a decimal must be within +-{EXPONENT}, got {_short(written)}")
    return int(sign + whole + after), exponent


def _fraction(exact: flint.arb, unit: int) -> tuple[flint.fmpz, flint.fmpz]:
    """exact / 10^unit as N / D (D2)."""
    mantissa, exponent = parts(exact)
    two, ten = flint.fmpz(2), flint.fmpz(10)
    top = mantissa * two ** max(exponent, 0) * ten ** max(-unit, 0)
    return top, two ** max(-exponent, 0) * ten ** max(unit, 0)


def _floor(exact: flint.arb, unit: int) -> int:
    top, bottom = _fraction(exact, unit)
    return int(top // bottom)


def _ceiling(exact: flint.arb, unit: int) -> int:
    top, bottom = _fraction(exact, unit)  # the sign is changed here: Arb would round -exact
    return int(-(-top // bottom))


def _compare(exact: flint.arb, integer: int, unit: int) -> int:
    """The sign of exact - integer 10^unit."""
    top, bottom = _fraction(exact, unit)
    other = integer * bottom
    return int(top > other) - int(top < other)


def _power(exact: flint.arb) -> int:
    """floor(log10 |x|), x not 0."""
    mantissa, exponent = parts(exact)
    power = floor((mantissa.bit_length() - 1 + exponent) * log10(2))  # or one less than wanted
    top, bottom = _fraction(exact, power + 1)
    return power + int(abs(top) >= bottom)


def _decimal(integer: int, unit: int) -> str:
    """integer 10^unit; positional where that shows no digit but those of the integer."""
    sign, shown = "-" if integer < 0 else "", str(abs(integer))
    power = len(shown) - 1 + unit
    if integer == 0 or not (unit <= 0 and power >= -6):
        return sign + shown[0] + (f".{shown[1:]}" if len(shown) > 1 else "") + (f"e{power:+d}" if integer else "")
    shown = shown.rjust(1 - unit, "0")
    return sign + (f"{shown[:unit]}.{shown[unit:]}" if unit else shown)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
