r"""Enclosing a function on [-1, 1] that is known to be analytic around it, from balls at N points.

Balls of f at the points x_j = cos((2j+1) pi/(2N)) give the coefficients of its interpolant of degree N - 1,

    c_k = (2/N) sum_j f(x_j) T_k(x_j) ,  c_0 half of that                                                  (V20)

one ball product with a table that is computed once. If f is analytic in the ellipse E_rho with the foci -1 and 1 and
the sum rho of its semi-axes, and |f| <= M there, its own coefficients obey |a_k| <= 2 M rho^-k, and aliasing brings
each a_k, k >= N, to one place with one sign. So

    |f(x) - sum_k c_k T_k(x)| <= 2 sum_{k >= N} |a_k| <= 4 M rho^{-(N-1)} / (rho - 1)  on [-1, 1]          (V21)

A polynomial with coefficients c_k is within sum_{k >= 1} |c_k| of c_0 on [-1, 1], and on the ellipse within

    sum_{k >= 1} |c_k| (rho^k + rho^-k)/2                                                                   (V22)

for |T_k| is largest at its vertex. Values in thin balls and these sums keep what an evaluation over a wide ball would
lose. T_k(x) is cos(k arccos x): the three-term recurrence would lose 0.4 k digits in balls. arccos is steep near -1
and 1, so it is taken at the middle m of a ball x; in [-1, 1], by Markov's inequality |T_k'| <= k^2,

    |T_k(x) - T_k(m)| <= k^2 |x - m|                                                                        (V27)

(V21) is the usual bound of
Chebyshev interpolation (Trefethen, Approximation Theory and Approximation Practice, theorem 8.2, cited second-hand),
derived here for these points. Guarantee of every function: enclosed. Use in one Arb `working()`.
"""

from functools import lru_cache
from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Array, _matrix, _objects


def ball_matrix(entries: Array) -> flint.arb_mat:
    """A two-dimensional array of balls or ints for products in Arb."""
    return _matrix(entries)


def product(matrix: flint.arb_mat, values: Array) -> Array:
    """The matrix times the first axis of `values`; other axes are free."""
    flat = values.reshape(len(values), -1)
    return _objects((matrix * ball_matrix(flat)).entries()).reshape(matrix.nrows(), *values.shape[1:])


def basis(x: Array, degree: int) -> Array:
    """T_k(x) for k = 0..degree at points of [-1, 1], shape (len(x), degree + 1)."""
    at = [(each.mid().acos(), each.rad()) for each in x]
    wide = ((k * angle).cos() + flint.arb(0, k**2 * radius) for angle, radius in at for k in range(degree + 1))  # (V27)
    return _objects(wide).reshape(len(x), degree + 1)


@lru_cache(maxsize=256)
def _points(size: int, bits: int) -> Array:
    with flint.ctx.workprec(bits):
        return _objects(flint.arb.cos_pi_fmpq(flint.fmpq(2 * j + 1, 2 * size)) for j in range(size))


def points(size: int) -> Array:
    """The points x_j of (V20), thin balls, shape (size,)."""
    return _points(size, flint.ctx.prec)


@lru_cache(maxsize=256)
def _table(size: int, degree: int, bits: int) -> flint.arb_mat:
    with flint.ctx.workprec(bits):
        values = [
            [flint.arb.cos_pi_fmpq(flint.fmpq(k * (2 * j + 1), 2 * size)) for k in range(degree + 1)]
            for j in range(size)
        ]
        return flint.arb_mat(values)


def values(coefficients: Array, size: int) -> Array:
    """A polynomial at the points x_j, shape (size, ...), from its coefficients (degree + 1, ...)."""
    return product(_table(size, len(coefficients) - 1, flint.ctx.prec), coefficients)


@lru_cache(maxsize=256)
def _transform(size: int, bits: int) -> flint.arb_mat:
    with flint.ctx.workprec(bits):
        sums = _table(size, size - 1, bits).transpose() * (flint.arb(2) / size)
        return flint.arb_mat([[each / 2 if k == 0 else each for each in row] for k, row in enumerate(sums.tolist())])


def coefficients(samples: Array) -> Array:
    """(V20): the coefficients, shape (N, ...), from values at the N points x_j, shape (N, ...)."""
    return product(_transform(len(samples), flint.ctx.prec), samples)


def through(nodes: Array) -> flint.arb_mat:
    """The matrix that takes values at exact nodes of [-1, 1] to the coefficients of the polynomial through them.

    nodes: distinct, shape (degree + 1,). Raises ZeroDivisionError where they are too close to tell.
    """
    return ball_matrix(basis(nodes, len(nodes) - 1)).inv()


def derivative(coefficients: Array) -> Array:
    """Coefficients of the derivative, one fewer: c'_{k-1} = c'_{k+1} + 2 k c_k, and c'_0 half of that."""
    size = len(coefficients)
    slope = np.full_like(coefficients, flint.arb(0))
    for k in range(size - 1, 0, -1):
        slope[k - 1] = 2 * k * coefficients[k] + (slope[k + 1] if k + 1 < size else 0)
    slope[0] = slope[0] / 2
    return slope[: max(size - 1, 1)]


@lru_cache(maxsize=256)
def _restriction(size: int, pieces: int, bits: int) -> flint.arb_mat:
    """Coefficients on [-1, 1] to those on each of so many equal pieces of it, one under the other."""
    with flint.ctx.workprec(bits):
        x = _points(size, bits)
        parts = [basis((2 * i + 1 - pieces + x) / pieces, size - 1) for i in range(pieces)]
        there = [(_transform(size, bits) * ball_matrix(each)).tolist() for each in parts]
        return flint.arb_mat([row for part in there for row in part])


def on_pieces(coefficients: Array, pieces: int) -> Array:
    """Coefficients on each of `pieces` equal parts of [-1, 1], shape (pieces, degree + 1, ...)."""
    size = len(coefficients)
    flat = product(_restriction(size, pieces, flint.ctx.prec), coefficients)
    return flat.reshape(pieces, *coefficients.shape)


def hull(coefficients: Array, remainder: Any = 0) -> Array:
    """Balls that hold all values on [-1, 1]: around c_0, the others and `remainder` as radius, shape (...)."""
    radii = abs(coefficients[1:]).sum(axis=0) + remainder
    widened = [c + flint.arb(0, radius) for c, radius in zip(np.ravel(coefficients[0]), np.ravel(radii), strict=True)]
    return _objects(widened).reshape(coefficients.shape[1:])


def reach(coefficients: Array, rho: flint.arb) -> Array:
    """(V22): how far a polynomial gets from c_0 on E_rho, rho >= 1, shape (...); rho = 1 is [-1, 1] itself."""
    growth = _objects((rho**k + rho**-k) / 2 for k in range(1, len(coefficients)))
    return (abs(coefficients[1:]) * growth.reshape(-1, *(1,) * (coefficients.ndim - 1))).sum(axis=0)


def remainder(bound: Any, rho: flint.arb, size: int) -> Any:
    """(V21) for N = size points, from M, a number or an array; rho > 1."""
    return bound * (4 * rho ** (1 - size) / (rho - 1))
