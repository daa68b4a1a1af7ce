r"""Radau IIA collocation of any order, its coefficients computed at working precision.

Nodes c_1 < ... < c_s = 1 are the zeros of P_s - P_{s-1} (Legendre, shifted to [0, 1]). With c_0 = 0 and barycentric
weights lambda_j = 1/prod_{k != j} (c_j - c_k), the polynomial through (c_j, Z_j), Z_0 = 0, has at the nodes the
derivative D Z,

    D_ij = (lambda_j/lambda_i) / (c_i - c_j) ,   D_ii = sum_{k != i} 1/(c_i - c_k) ;   D Z = h f  is the method  (C1)
    Z = sum_k z_k P_k(2c - 1) ,   error estimate max(|z_s|, |z_{s-1}|/10)                                    (C2)

D restricted to 1..s is A^{-1}, the inverse of the Runge-Kutta matrix. The end point c_s = 1 has order 2s - 1. The
estimate takes the last two Legendre coefficients, since one alone may pass through zero as the step grows; a tenth is
about their ratio where steps are chosen well. Radau IIA is the collocation method with these nodes; (C1), (C2) are
derived here from Lagrange's interpolation formula.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import log, sqrt
from typing import Any

import flint
import numpy as np
import scipy.special

from numerics.arithmetic import Arb, Array, _objects

ROUNDOFF, KEPT = 1e-15, 1e-3  # of float64, and how large it may grow in a first guess


@dataclass(frozen=True, eq=False)
class Method:
    """Radau IIA with s stages: coefficients as Arb numbers, and float64 copies for interpolation."""

    stages: int
    nodes: Array  # c_0 = 0, c_1, ..., c_s = 1
    full: Array  # D of (C1) at all nodes, for polynomials that are not 0 at c_0, shape (s + 1, s + 1)
    legendre: Array  # takes Z_0..Z_s to the coefficients z_0..z_s of (C2), shape (s + 1, s + 1)
    derivative: Array  # D = A^{-1} of (C1), shape (s, s)
    tail: Array  # rows that give z_s and z_{s-1}/10 of (C2), shape (2, s)
    float_nodes: Array  # c_0 = 0, c_1, ..., c_s = 1
    float_legendre: Array  # takes Z_1..Z_s to the coefficients z_0..z_s, shape (s + 1, s)

    def interpolation(self, points: Array) -> Array:
        """Float matrix that takes the stage values Z_1..Z_s to the polynomial at points in units of the step."""
        return _legendre(points, self.stages) @ self.float_legendre

    def continuation(self, ratio: float) -> Array:
        """Float matrix from Z_1..Z_s to first guesses for a next step, `ratio` times as long."""
        values = self.outside(np.append(1.0, 1 + ratio * self.float_nodes[1:]))
        return values[1:] - values[0]

    def outside(self, points: Array) -> Array:
        """`interpolation` for points of which the last is the farthest beyond the step.

        Legendre coefficients continued outside [0, 1] grow like (x + sqrt(x^2 - 1))^k, x = 2c - 1 at the point c; the
        series is cut where that would bring roundoff to the surface.
        """
        x = 2 * points[-1] - 1
        degree = min(self.stages, int(log(KEPT / ROUNDOFF) / log(x + sqrt(x * x - 1))))
        return _legendre(points, degree) @ self.float_legendre[: degree + 1]


def _legendre(points: Array, degree: int) -> Array:
    """P_k(2c - 1) at float points c, shape (len(points), degree + 1)."""
    return scipy.special.eval_legendre(np.arange(degree + 1), 2 * points[:, None] - 1)


def _radau_nodes(stages: int, digits: int) -> list[flint.arb]:
    """c_1..c_s: float64 zeros of the Jacobi polynomial refined by Newton on P_s - P_{s-1}; the last is exactly 1."""
    starts = scipy.special.roots_jacobi(stages - 1, 1, 0)[0] if stages > 1 else []

    def legendre(x: Any) -> tuple[Any, Any]:
        """f = P_s - P_{s-1} and f', by the three-term recurrences."""
        p_old, p, d_old, d = flint.arb(1), x, flint.arb(0), flint.arb(1)
        for n in range(1, stages):
            p_old, p = p, ((2 * n + 1) * x * p - n * p_old) / (n + 1)
            d_old, d = d, d_old + (2 * n + 1) * p_old
        return p - p_old, d - d_old

    nodes = []
    for start in starts:
        x = flint.arb(float(start))
        for _ in range(int(np.ceil(np.log2(digits / 12 + 1))) + 1):
            f, slope = legendre(x)
            x = (x - f / slope).mid()
        nodes.append((1 + x) / 2)
    return [*nodes, flint.arb(1)]


def _slope(c: list[flint.arb], weights: list[flint.arb], i: int, j: int) -> flint.arb:
    """D_ij (C1): the derivative at node i of the Lagrange polynomial of node j."""
    if i != j:
        return weights[j] / weights[i] / (c[i] - c[j])
    return sum((1 / (c[i] - other) for k, other in enumerate(c) if k != i), flint.arb(0))


@lru_cache(maxsize=32)
def radau(stages: int, digits: int = 15) -> Method:
    """Radau IIA with `stages` stages, its coefficients to `digits` digits and some more.

    Raises ValueError for stages < 1.
    """
    if stages < 1:
        raise ValueError(f"stages must be >= 1, got {stages}")
    with Arb(digits + 15).working():
        c = [flint.arb(0), *_radau_nodes(stages, digits + 15)]
        size = stages + 1
        weights = []
        for j in range(size):
            product = flint.arb(1)
            for k in range(size):
                product = product * (c[j] - c[k]) if k != j else product
            weights.append(1 / product)
        full = _objects(_slope(c, weights, i, j) for i in range(size) for j in range(size)).reshape(size, size)
        basis = flint.arb_mat([[(2 * x - 1).legendre_p(k) for k in range(size)] for x in c])
        legendre = _objects(basis.inv().entries()).reshape(size, size)
        coefficients = legendre[:, 1:]  # Z_0 = 0
        tail = coefficients[-2:] / _objects([10, 1])[:, None]
        nodes = _objects(c)
    return Method(stages, nodes, full, legendre, full[1:, 1:], tail, nodes.astype(float), coefficients.astype(float))
