r"""Coordinates in which the fast components follow the rates of other spares.

On the slow manifold U depends on v as strongly as a nearly singular Gram matrix makes it, and the blocks of D Phi (V42)
nearly cancel in the motion of v that is left when U has followed. With the blocks M, b, c, e of D Phi, a polynomial
R(w) ~ -M^{-1} b and V_u = W + R V_v, the same flow reads, R_beta the derivative of R and G at P + V,

    W'   = (M - kappa^2 R c) W + (M R + b - kappa^2 R (c R + e) - kappa^2 G R_beta) V_v + E_u - kappa^2 R E_v (V46)
    V_v' = kappa^2 [ c W + (c R + e) V_v + E_v ] ,   zeta - delta = lambda_u W + (lambda_v + lambda_u R) V_v

Any R will do; it is chosen anew by whoever proves, and exact. With one spare there is no v, and nothing to do. What no
R cures: kappa^2 R c is far from symmetric, so M - kappa^2 R c may have a positive logarithmic norm where all its
eigenvalues are negative, as late on the way of three spares 0.7, 0.5, 0.9 at L = 60 (+4e-8 beside -5e-8). That wants a
norm that weighs the slow direction less; without one such cells are not certified by this recipe. Derived here.
"""

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Arb, Array, _objects
from verify.certificate import chebyshev

ROUNDS, SLOW = 6, 0.1  # of choosing R, and what the last one must gain
CUT = 1e-14  # below it, singular values are none: there is more than one smooth solution


@dataclass(frozen=True, eq=False)
class Linearised:
    """E, lambda and D Phi beside P, shapes (..., n), (..., n), (..., n, n), with G and kappa^2, in some coordinates.

    At points, with G and kappa^2 of shape (N, 1, 1), or bounds on a set.
    """

    defect: Array
    sensitivity: Array
    jacobian: Array
    G: Any
    kappa2: Any


class Shear:
    """R of (V46): coefficients in Chebyshev polynomials, shape (s + 1, k, r), exact, on a piece of half length h."""

    def __init__(self, coefficients: Array, h: flint.arb) -> None:
        self.coefficients, self.h = coefficients, h
        self.slope = chebyshev.derivative(coefficients)

    def at(self, size: int) -> tuple[Array, Array]:
        """R and R_beta at the points of (V20), shapes (size, k, r)."""
        return chebyshev.values(self.coefficients, size), -chebyshev.values(self.slope, size) / self.h

    def value(self, x: flint.arb) -> Array:
        """R at one point, shape (k, r)."""
        values = chebyshev.basis(np.array([x]), len(self.coefficients) - 1)[0]
        return np.einsum("i,ikr->kr", values, self.coefficients)

    def sup(self, rho: flint.arb) -> tuple[Array, Array]:
        """Bounds of |R| and |R_beta| on the ellipse, entry by entry, shapes (k, r)."""
        within = lambda C: abs(C[0]) + chebyshev.reach(C, rho)
        return within(self.coefficients), within(self.slope) / self.h

    def applied(self, raw: Linearised, size: int) -> Linearised:
        """(V46) at the points of (V20)."""
        return _applied(raw, *self.at(size), -1)

    def bounded(self, raw: Linearised, rho: flint.arb) -> Linearised:
        """(V46) for bounds on the ellipse."""
        return _applied(raw, *self.sup(rho), 1)


def choose(raw: Linearised, degree: int, fast: int, h: flint.arb, arithmetic: Arb) -> Shear:
    """A shear in which b of (V46) is small, from the flow at the points of (V20). Chosen, not proved.

    R = -M^{-1} b, cut to a degree; then Newton's method for M^{-1} times the whole of b in (V46), projected on
    polynomials of this degree, which takes the smooth solution where R_beta counts. The matrix is of float64.
    """
    size, numbers = len(raw.jacobian), arithmetic.midpoint
    middle = numbers(raw.jacobian)
    M, b, c = middle[:, :fast, :fast], middle[:, :fast, fast:], middle[:, fast:, :fast]
    inverse = numbers(np.array([arithmetic.inverse(each) for each in M]))
    project = lambda samples: numbers(chebyshev.coefficients(numbers(samples))[: degree + 1])
    shear, tried = Shear(project(-inverse @ b), h), list[tuple[flint.arb, Shear]]()
    for _ in range(ROUNDS):
        left = numbers(shear.applied(raw, size).jacobian[:, :fast, fast:])
        tried.append((abs(left).max(), shear))
        if len(tried) > 1 and not tried[-1][0] < SLOW * tried[-2][0]:
            break
        change = _newton(raw, shear, numbers(raw.kappa2 * inverse), c, numbers(inverse @ left))
        shear = Shear(numbers(shear.coefficients - change), h)
    return min(tried, key=lambda each: each[0])[1]


def _newton(raw: Linearised, shear: Shear, inverse: Array, c: Array, left: Array) -> Array:
    """Newton's correction of the coefficients of R; inverse: kappa^2 M^{-1}, left: M^{-1} times what is left of b."""
    size, (terms, k, r) = len(left), shear.coefficients.shape
    floats = lambda X: np.array(X, dtype=float)
    R = shear.at(size)[0]
    e = raw.jacobian[:, k:, k:]
    T = floats(chebyshev.values(_identity(terms), size))
    slope = floats(chebyshev.values(chebyshev.derivative(_identity(terms)), size)[:, :terms] / shear.h)
    by_value = np.eye(k) - floats(inverse @ R @ c)
    driven = np.einsum("ij,iab,cd->iacjbd", T, by_value, np.eye(r))
    driven -= np.einsum("ij,iab,idc->iacjbd", T, floats(inverse), floats(e + c @ R))
    driven += np.einsum("ij,iab,cd->iacjbd", slope, floats(raw.G * inverse), np.eye(r))
    project = floats(chebyshev.coefficients(_identity(size)))[:terms]
    matrix = np.tensordot(project, driven, 1).reshape(terms * k * r, -1)
    right = chebyshev.coefficients(left)[:terms].ravel()
    unit = abs(right).max()
    scaled = floats(right / unit)
    if not (np.isfinite(matrix).all() and np.isfinite(scaled).all()):  # nothing is left, or nothing is known
        return np.full((terms, k, r), flint.arb(0))
    solution = np.linalg.lstsq(matrix, scaled, CUT)[0]
    return _objects(map(flint.arb, solution.tolist())).reshape(terms, k, r) * unit


def _identity(size: int) -> Array:
    return np.array([[flint.arb(int(i == j)) for j in range(size)] for i in range(size)])


def _applied(raw: Linearised, R: Array, R_beta: Array, minus: int) -> Linearised:
    """(V46); minus: the sign of what is subtracted there, +1 for bounds."""
    k = R.shape[-2]
    M, b = raw.jacobian[..., :k, :k], raw.jacobian[..., :k, k:]
    c, e = raw.jacobian[..., k:, :k], raw.jacobian[..., k:, k:]
    K, G = raw.kappa2, raw.G
    moved = e + c @ R
    upper = [M + minus * K * (R @ c), M @ R + b + minus * K * (R @ moved) + minus * K * G * R_beta]
    jacobian = np.concatenate([np.concatenate(upper, axis=-1), np.concatenate([c, moved], axis=-1)], axis=-2)
    E_u, E_v = raw.defect[..., :k, None], raw.defect[..., k:, None]
    defect = np.concatenate([E_u + minus * K * (R @ E_v), E_v], axis=-2)[..., 0]
    of_u, of_v = raw.sensitivity[..., None, :k], raw.sensitivity[..., None, k:]
    sensitivity = np.concatenate([of_u, of_v + of_u @ R], axis=-1)[..., 0, :]
    return Linearised(defect, sensitivity, jacobian, G, K)
