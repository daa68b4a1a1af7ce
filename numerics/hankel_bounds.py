r"""Singular values of Hankel operators, enclosed: lower bounds of what every linear RNN of a width must miss.

    sigma_{m+1} <= E_m                                                                                      (M16)

so a proved lower bound of sigma_{m+1} is one of the L1 error of every network of width m, real or complex, diagonal or
dense. The operator is compressed onto exponentials (numerics/compression.py); the sizes of the eigenvalues mu_k of that
matrix are enclosed by counting (numerics/inertia.py), and

    |mu_k| <= sigma_k ,   sigma_k <= |mu_k| + rest                                                           (L5)

with `rest` known for positive operators (L3), and 0 for those of finite rank. A bound is tried as a decimal, closer to
the best estimate first, and printed as it was proved.

(M16) from mathematics.md.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Literal

import flint
import numpy as np
import sympy as sp

from numerics import cauchy
from numerics.answer import decimal
from numerics.arithmetic import BITS_PER_DIGIT, Arb, Array
from numerics.compiling import evaluate
from numerics.compression import Compression, floats, greedy, leja, of_finite_rank, of_mixture, onto_exponentials
from numerics.inertia import Pencil
from numerics.l1_enclosure import rounded_outward
from theory.finite_rank import finite_rank
from theory.hankel import box_singular_value, memory
from theory.kernels import Kernel
from theory.mixtures import NoMixture, mixture
from theory.problem import Target

SPARE = 8  # eigenvectors beyond those asked, to set the rest apart (I5)
EXTRA = 2  # digits printed beyond those asked
FIRST, MOST_GENERAL = 16, 160  # exponentials for a general kernel: beyond `count` at first, and at most
HALF_WIDTH = math.log(3)  # of their interval of ln l
MOST_DIGITS, MOST_WORKING = 60, 2000
MOST_COUNT = 200
FLOAT_VECTORS = 1e-14  # |S_12| of them, beside the largest eigenvalue


@dataclass(frozen=True)
class Enclosed:
    """lower <= sigma <= upper, decimal strings rounded outwards; upper is None where only a lower bound is known."""

    lower: str
    upper: str | None
    guarantee: Literal["enclosed"] = "enclosed"


def enclosed_singular_values(
    target: Target | Kernel | Sequence[Kernel], count: int, *, digits: int = 10
) -> tuple[Enclosed, ...]:
    """Proved bounds of the Hankel singular values sigma_1 .. sigma_count of a memory kernel, largest first.

    target: a Target, a Kernel or a list of them, of one input. count: 1 to 200. Units of sigma: output / input.
    digits: significant digits wanted, 2 to 60. Sums of power laws and exponentials with amplitudes > 0, and sums of
            exponentials and Erlang kernels of any sign, without lag, and a box that begins at once are enclosed from
            both sides so closely; others get lower bounds, close where the kernel is smooth.

    By (M16) `lower` of sigma_{m+1} is a proved lower bound of the L1 error of every linear RNN of width m, real or
    complex, diagonal or dense. Guarantee: enclosed. Beyond the rank of a kernel both bounds are "0".
    Raises TypeError or ValueError for bad arguments, and for a formula that is not integrable.

    >>> from theory.kernels import PowerLaw
    >>> enclosed_singular_values(PowerLaw(omega="1/2"), 1, digits=8)[0]
    Enclosed(lower='0.6774362922', upper='0.6774362944', guarantee='enclosed')
    """
    kernels = memory(target)
    check_count(count)
    check_wanted(digits)
    return enclosures(kernels, count, digits)


def enclosures(kernels: tuple[Kernel, ...], count: int, digits: int) -> tuple[Enclosed, ...]:
    """`enclosed_singular_values` of the terms that theory.hankel.memory returns, its arguments checked."""
    if box_singular_value(kernels, 1) is not None:
        return tuple(_closed(box_singular_value(kernels, k), digits) for k in range(1, count + 1))
    known = finite_rank(kernels)
    if known is None:
        return _bounds(_compressed(kernels, count, digits), count, digits)
    working = 2 * digits + 30
    while True:
        found = _bounds(of_finite_rank(known, working), min(count, known.rank), digits)
        if all(each.lower != "0" for each in found) or working > MOST_WORKING:
            return found + (Enclosed("0", "0"),) * (count - len(found))
        working *= 2  # some are tiny beside the first


def check_count(count: object) -> None:
    """Raise TypeError or ValueError unless `count` singular values can be asked for."""
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"count must be an int, got {count!r}; it is how many singular values are wanted")
    if not 1 <= count <= MOST_COUNT:
        raise ValueError(f"count must be from 1 to {MOST_COUNT}, got {count}; it counts the singular values wanted")


def check_wanted(digits: object) -> None:
    """Raise TypeError or ValueError unless singular values can have so many digits."""
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise TypeError(f"digits must be an int, got {digits!r}; it counts significant digits")
    if not 2 <= digits <= MOST_DIGITS:
        raise ValueError(f"digits must be from 2 to {MOST_DIGITS}, got {digits}; it counts significant digits")


def _compressed(kernels: tuple[Kernel, ...], count: int, digits: int) -> Compression:
    """The operator on enough exponentials for so many singular values."""
    try:
        mixed = mixture(kernels)
    except NoMixture:
        mixed = None
    if mixed is not None and mixed.positive:
        least = float(cauchy.float_values(cauchy.of_mixture(mixed), count)[-1])
        rest = least * 10.0 ** -(digits + 1)
        return of_mixture(kernels, mixed, rest, digits + 20 - int(np.log10(least)))
    return _general(kernels, count, digits)


def _general(kernels: tuple[Kernel, ...], count: int, digits: int) -> Compression:
    """More and more exponentials about the best centre, until sigma_count settles or they are too many."""
    known = [kernel for kernel in kernels if _is_mixture(kernel)]
    seed = greedy(mixture(known), 10.0 ** -(digits + 1)) if known else []
    size, last = count + FIRST, 0.0
    centre = _centre(kernels, seed, size)
    while True:
        matrix = onto_exponentials(kernels, _around(centre, seed, size), digits + 20)
        least = _sizes(matrix)[count - 1]
        if abs(least - last) < 10.0 ** -(digits + 1) * least or 1.5 * size > MOST_GENERAL:
            return Compression(matrix, None, digits + 20)
        size, last = int(1.5 * size), least


def _is_mixture(kernel: Kernel) -> bool:
    try:
        mixture([kernel])
    except NoMixture:
        return False
    return True


def _around(centre: float, seed: list[float], size: int) -> list[float]:
    return seed + leja(centre - HALF_WIDTH, centre + HALF_WIDTH, size, seed)


def _centre(kernels: tuple[Kernel, ...], seed: list[float], size: int) -> float:
    """ln of the rate about which exponentials imitate the singular vectors best: uphill, octave by octave."""

    def quality(centre: float) -> float:
        return float(_sizes(onto_exponentials(kernels, _around(centre, seed, size), 10))[: size // 2].sum())

    centre = -math.log(max(1.0, float(Target(kernels).reach)))
    best, octave = quality(centre), math.log(2)
    for step in (octave, -octave):
        while (further := quality(centre + step)) > best:
            centre, best = centre + step, further
    return centre


def _sizes(matrix: flint.arb_mat) -> Array:
    """|mu_k| in order, float64."""
    return np.sort(abs(np.linalg.eigvalsh(floats(matrix))))[::-1]


def _bounds(compression: Compression, count: int, digits: int) -> tuple[Enclosed, ...]:
    """Bounds of the first `count` eigenvalues in size, by (L5) and (L6); count <= the size of the matrix."""
    if count == 0:
        return ()
    with Arb(compression.digits).working():
        vectors = _eigenvectors(compression, count, digits)
        for lead in (min(count + SPARE, vectors.nrows()), vectors.nrows()):
            pencil = Pencil(compression.matrix, vectors, lead)
            found = tuple(_enclosed(pencil, k, compression.rest, digits) for k in range(1, count + 1))
            if compression.rest is None or all(each.upper for each in found):
                break
    return found


def _enclosed(pencil: Pencil, k: int, rest: flint.arb | None, digits: int) -> Enclosed:
    """Bounds of sigma_k, as close as can be proved."""
    size = Fraction(decimal(pencil.sizes[k - 1], digits + 10))
    below = (_rounded(size * (1 - slack), digits, ROUND_FLOOR) for slack in _slacks(digits))
    lower = next((each for each in below if pencil.at_least(k, flint.arb(str(each)))), Decimal(0))
    if rest is None:
        return Enclosed(_written(lower), None)
    lost = Fraction(decimal(rest, digits + 10))
    above = (_rounded(size * (1 + slack) + lost, digits, ROUND_CEILING) for slack in _slacks(digits))
    upper = next((each for each in above if pencil.at_most(k, flint.arb(str(each)) - rest)), None)
    return Enclosed(_written(lower), None if upper is None else _written(upper))


def _slacks(digits: int) -> Iterator[Fraction]:
    """Relative distances at which a proof is tried."""
    return (Fraction(1, 10**place) for place in range(digits + 1, 0, -1))


def _rounded(value: Fraction, digits: int, rounding: str) -> Decimal:
    rounded = Context(prec=digits + EXTRA, rounding=rounding)
    return rounded.divide(Decimal(value.numerator), Decimal(value.denominator))


def _written(value: Decimal) -> str:
    return f"{value:e}" if value and value.adjusted() < -6 else f"{value:f}"


def _closed(value: sp.Expr, digits: int) -> Enclosed:
    arithmetic = Arb(digits + 20)
    while True:
        with arithmetic.working():
            ball = evaluate(value, arithmetic)
            if ball.rel_accuracy_bits() > BITS_PER_DIGIT * (digits + EXTRA + 1) or arithmetic.digits > MOST_WORKING:
                lower, upper = (_written(Decimal(end)) for end in rounded_outward(ball, digits + EXTRA))
                return Enclosed(lower, upper)
        arithmetic = Arb(2 * arithmetic.digits)  # an amplitude that cancels


def _eigenvectors(compression: Compression, count: int, digits: int) -> flint.arb_mat:
    """V, nearly; float64 where the square of its error is small beside what is wanted, or there is no upper bound."""
    matrix = compression.matrix
    values, vectors = np.linalg.eigh(floats(matrix))
    sizes = np.sort(abs(values))[::-1]
    if compression.rest is None or sizes[count - 1] > FLOAT_VECTORS * 10 ** (digits / 2 + 1) * sizes[0]:
        return flint.arb_mat([[flint.arb(float(x)) for x in row] for row in vectors])
    middle = flint.acb_mat(matrix.mid())
    _, columns = middle.eig(right=True, algorithm="approx")
    size, real = matrix.nrows(), []
    for j in range(size):
        column = [columns[i, j] for i in range(size)]
        turn = max(column, key=lambda z: float(abs(z).mid()))
        straight = [(z / turn).real.mid() for z in column]
        length = sum(x * x for x in straight).sqrt().mid()
        real.append([x / length for x in straight])
    return flint.arb_mat(size, size, [x.mid() for column in real for x in column]).transpose()
