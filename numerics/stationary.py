r"""Arrival at a minimum, proved from the state reached by a trap.

z_c: a zero of grad J by Newton's method; H_c = Hess J(z_c) = C C^T; |q|_C = |C^T q|. On the ellipsoid |z - z_c|_C <=
r let |C^{-1} H C^{-T} - I| <= kappa < 1 and g = |C^{-1} grad J(z_c)|. Then, with d = |z - z_c|_C <= r,

    J(z) - J(z_c)   <= g d + (1 + kappa) d^2/2
    J(edge) - J(z_c) >= (1 - kappa) r^2/2 - g r ,  J(inside) - J(z_c) >= - g^2 / (2 (1 - kappa))            (T1)

and if the first bound is smaller than the second the flow from z can never cross the edge; J is strictly convex
inside, so the flow converges to its one minimum there. If moreover J(0) minus the third bound is below the drop, the
loss never falls by the drop: the flow never escapes. Positive definiteness at z alone would prove nothing. Derived
here by Taylor's formula. Everything is evaluated in balls, so the trap is enclosed; that the flow reaches z is
estimated.
"""

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from numerics.answer import decimal
from numerics.arithmetic import Array
from numerics.landscape import Landscape


@dataclass(frozen=True)
class Minimum:
    """A minimum that traps the state handed to `trap`.

    amplitudes, rates: of the network there, decimal strings. drop: J(0) - J at the minimum. gradient_norm: |grad J| at
    the state reached. smallest_eigenvalue: of Hess J at the minimum. distance, radius: d and r of (T1); contraction:
    kappa. The numbers shown are float64; the proof was made in balls.
    """

    amplitudes: tuple[str, ...]
    rates: tuple[str, ...]
    drop: float
    gradient_norm: float
    smallest_eigenvalue: float
    distance: float
    radius: float
    contraction: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: decimal strings."""
        return {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in vars(self).items()}


def might_trap(hessian: Array) -> bool:
    """Cheap test before `trap`: the diagonally scaled Hessian, shape (n, n), has a float64 Cholesky factor."""
    diagonal = np.array([hessian[i, i] for i in range(len(hessian))])
    if not all(entry > 0 for entry in diagonal):
        return False
    scale = np.array([entry.sqrt() for entry in diagonal]) if hessian.dtype == object else np.sqrt(diagonal)
    try:
        np.linalg.cholesky((hessian / scale / scale[:, None]).astype(float))
    except np.linalg.LinAlgError:
        return False
    return True


def trap(landscape: Landscape, z: Array) -> Minimum | None:
    """The minimum that provably traps the flow from z short of the drop (T1), or None if this proof does not succeed.

    landscape: in Arb, inside its `working()`. z: displacements, shape (2m,).
    """
    centre = _zero_of_gradient(landscape, z)
    if centre is None:
        return None
    gradient, hessian = landscape.gradient_and_hessian(centre)
    factor = _cholesky(hessian)
    if factor is None:
        return None
    inverse = _inverse(factor)
    d, g = _norm(factor.T @ (z - centre)), _norm(inverse @ gradient)
    for stretch in (2, 4, 16):
        r = (stretch * d).mid() + flint.arb(2) ** -landscape.arithmetic.bits  # type: ignore[attr-defined]
        box = np.array([c + flint.arb(0, _norm(inverse[:, i]) * r) for i, c in enumerate(centre)], dtype=object)
        if not all(rate > 0 for rate in landscape.units(box)[1]):
            continue
        spread = inverse @ landscape.gradient_and_hessian(box)[1] @ inverse.T - np.eye(len(z), dtype=int)
        kappa = _norm(spread.ravel())
        if not kappa < 1 or not g * d + (1 + kappa) * d**2 / 2 < (1 - kappa) * r**2 / 2 - g * r:
            continue
        deepest = landscape.drop(centre) + g**2 / (2 * (1 - kappa))
        if not deepest < landscape.arithmetic.number(landscape.problem.drop):
            return None
        eigenvalues = np.linalg.eigvalsh(hessian.astype(float))
        slope = _norm(landscape.gradient(z))
        drop = float(landscape.drop(centre).mid())
        a, w = (tuple(decimal(x, 15) for x in units) for units in landscape.units(centre))
        return Minimum(a, w, drop, float(slope), float(eigenvalues[0]), float(d), float(r), float(kappa))
    return None


def _zero_of_gradient(landscape: Landscape, z: Array) -> Array | None:
    """Newton's method for grad J = 0 from z; None when it does not settle within a few steps."""
    bits = landscape.arithmetic.bits  # type: ignore[attr-defined]
    for _ in range(12):
        gradient, hessian = landscape.gradient_and_hessian(z)
        try:
            correction = landscape.arithmetic.solver(hessian)(gradient)
        except ZeroDivisionError:
            return None
        z = landscape.arithmetic.midpoint(z - correction)
        if not all(x.is_finite() for x in z) or not all(rate > 0 for rate in landscape.units(z)[1]):
            return None
        size = max((abs(c) / abs(x) for c, x in zip(correction, z, strict=True) if x != 0), default=flint.arb(0))
        if size < flint.arb(2) ** -(bits // 2):
            return z
    return None


def _cholesky(matrix: Array) -> Array | None:
    """Lower C with matrix = C C^T in balls, or None where positive definiteness is not proved."""
    n = len(matrix)
    C = np.full((n, n), flint.arb(0), dtype=object)
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j] - sum((C[i, k] * C[j, k] for k in range(j)), flint.arb(0))
            if i == j and not rest > 0:
                return None
            C[i, j] = rest.sqrt() if i == j else rest / C[j, j]
    return C


def _inverse(lower: Array) -> Array:
    n = len(lower)
    return np.array(flint.arb_mat(n, n, list(lower.ravel())).inv().entries(), dtype=object).reshape(n, n)


def _norm(vector: Array) -> Any:
    """Upper bound of the Euclidean norm (of a raveled matrix: Frobenius, which bounds the spectral norm)."""
    return (vector * vector).sum().abs_upper().sqrt().upper()
