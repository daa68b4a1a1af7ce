r"""Arrival at a minimum, proved from the state reached by a trap.

z_c: a zero of grad J by Newton's method; H_c = Hess J(z_c) = C C^T; |q|_C = |C^T q|. On the ellipsoid |z - z_c|_C <=
r let |C^{-1} H C^{-T} - I| <= kappa < 1 and g = |C^{-1} grad J(z_c)|. Then, with d = |z - z_c|_C <= r,

    J(z) - J(z_c)   <= g d + (1 + kappa) d^2/2
    J(edge) - J(z_c) >= (1 - kappa) r^2/2 - g r ,  J(inside) - J(z_c) >= - g^2 / (2 (1 - kappa))            (T1)

and if the first bound is smaller than the second the flow from z can never cross the edge; J is strictly convex
inside, so the flow converges to its one minimum there. If moreover J(0) minus the third bound is below the drop, the
loss never falls by the drop: the flow never escapes. Positive definiteness at z alone would prove nothing.
Derived here by Taylor's formula. Everything is evaluated in balls, so the trap is enclosed; that the flow reaches z is
estimated.

Merged units. Where units meet at one rate, J does not depend on how they share their amplitude: the minimum is a line,
and no Hessian on it is positive definite. Such an end is recognised by a trap for the network with one unit in place of
those merged, together with a Hessian of the whole network that has one zero for every unit merged away and is positive
otherwise (to 1e-9 of its diagonal). Units that start alike stay so, and are one unit from the beginning. Estimated.
"""

from dataclasses import dataclass, replace
from typing import Any

import flint
import numpy as np
import sympy as sp
from scipy.linalg import null_space

from numerics.answer import decimal
from numerics.arithmetic import Array
from numerics.compiling import evaluate
from numerics.landscape import Landscape
from theory.rnn import LinearRNN

MERGED = 1e-6  # relative distance of rates
CANCELLING = 100  # times their sum, from which on amplitudes belong to a runaway
FLAT = 1e-9  # of the diagonally scaled Hessian

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


def trap(landscape: Landscape, z: Array, initial_loss: Any = None) -> Minimum | None:
    """The minimum that provably traps the flow from z short of the drop (T1), or None if this proof does not succeed.

    landscape: in Arb, inside its `working()`. z: displacements, shape (2m,). initial_loss: J(0), where the flow did not
    begin at the start of `landscape`.
    """
    before = landscape.loss(landscape.start) if initial_loss is None else initial_loss
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
        fallen = before - landscape.loss(centre)
        deepest = fallen + g**2 / (2 * (1 - kappa))
        if not deepest < evaluate(landscape.problem.drop, landscape.arithmetic):
            return None
        eigenvalues = np.linalg.eigvalsh(hessian.astype(float))
        slope = _norm(landscape.gradient(z))
        a, w = (tuple(decimal(x, 15) for x in units) for units in landscape.units(centre))
        return Minimum(a, w, float(fallen), float(slope), float(eigenvalues[0]), float(d), float(r), float(kappa))
    return None


def merged_trap(landscape: Landscape, z: Array, copies: tuple[tuple[int, int], ...] = ()) -> Minimum | None:
    """Like `trap`, for a state in which units have merged; None also where none have, or where merging is unstable.

    copies: pairs of components that the flow keeps alike; what would part them cannot make merging unstable.
    The Minimum is that of the smaller network. Guarantee: estimated.
    """
    problem, m = landscape.problem, landscape.width
    a, w = landscape.units(z)
    groups = _groups(a, w)
    if len(groups) == m:
        return None
    units = [(_rational(sum(a[i] for i in group)), _rational(w[group[0]])) for group in groups]
    smaller = Landscape(replace(problem, start=LinearRNN(tuple(units))), landscape.arithmetic)
    minimum = trap(smaller, smaller.start, landscape.loss(landscape.start))
    if minimum is None:
        return None
    at_rest = z.copy()
    for group, rate, total in zip(groups, minimum.rates, minimum.amplitudes, strict=True):
        for i in group:
            at_rest[m + i] = flint.arb(rate) - landscape.fitted_w[i]
            at_rest[i] = a[i] * flint.arb(total) / sum(a[j] for j in group) - landscape.fitted_a[i]
    hessian = landscape.gradient_and_hessian(at_rest)[1].astype(float)
    scale = np.sqrt(abs(hessian.diagonal()))
    alike = np.zeros((len(copies), 2 * m))
    for row, (copy, original) in zip(alike, copies, strict=True):
        row[copy], row[original] = 1, -1
    together = null_space(alike) if copies else np.eye(2 * m)
    eigenvalues = np.linalg.eigvalsh(together.T @ (hessian / scale / scale[:, None]) @ together)
    merged_away = m - len(groups) - len(copies) // 2
    flat, rising = eigenvalues[:merged_away], eigenvalues[merged_away:]
    return minimum if abs(flat).max(initial=0) < FLAT < rising.min() else None


def have_merged(a: Array, w: Array) -> bool:
    """Whether units share a rate, to 1e-6."""
    return len(_groups(a, w)) < len(w)


def _groups(a: Array, w: Array) -> list[list[int]]:
    """Units gathered by rate: neighbours within 1e-6 of each other are together, unless their amplitudes cancel.

    Amplitudes that nearly cancel are those of a runaway, a derivative by the rate and no merged unit.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(w)), key=lambda unit: float(w[unit])):
        last = groups[-1][-1] if groups else i
        larger = max(abs(float(a[i])), abs(float(a[last])))
        near = abs(float((w[i] - w[last]) / w[i])) < MERGED and larger < CANCELLING * abs(float(a[i] + a[last]))
        if groups and near:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _rational(x: Any) -> sp.Rational:
    mantissa, exponent = x.mid().man_exp()
    return sp.Rational(int(mantissa)) * sp.Integer(2) ** int(exponent)


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
