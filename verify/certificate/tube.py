r"""A tube around one piece of a recorded polynomial in which the gradient flow provably stays.

y' = f(y) = -grad J(y), p a polynomial on a piece t0 <= t <= t0 + h, x = 2(t - t0)/h - 1 in [-1, 1]. The logarithmic
norm of f' = -Hess J in the Euclidean norm is its largest eigenvalue, so while |y - p| <= r

    D+ |y - p| <= mu |y - p| + d ,   d >= |p' - f(p)| ,   mu >= lambda_max(-Hess J)  within r of p            (V1)

by y' - p' = int_0^1 f'(p + theta (y - p)) dtheta (y - p) - (p' - f(p)): balls are convex.

Defect. p' - f(p) in balls at N points gives coefficients e_k and, with M >= |f| on the polydisc (V22) around the image
of an ellipse E_rho, d = |sum_k |e_k||_2 plus the remainder (V21). The best rho of a list; N as large as it demands.

Logarithmic norm. -Hess J likewise; the coefficients are rotated by Q before absolute values are taken, C_k -> Q^T C_k Q
with remainders R -> |Q|^T R |Q|, and bounded on each of some parts (V23). Off p, Schwarz' lemma along complex lines
through p, with |Hess J| <= M in norm within eta of p([-1, 1]) in C^2m, gives

    |Hess J(p + v) - Hess J(p)| <= (2 M / eta) |v| ,   mu = lambda_max(-Hess J(p)) + (2 M / eta) r            (V2)

Gronwall over a part of length l, from |y - p| <= eps at its begin,

    |y - p| <= eps e^{mu l} + d (e^{mu l} - 1)/mu                                                            (V3)

which is monotone in time. If eps and (V3) at the end of each part are < r, y cannot have left the tube: at a first exit
it would be both = r and < r. Else a wider r is tried. A solution in the tube exists, for f is analytic there.

Check. The gradient and the Hessian come from two programs. That they belong together is not needed by the proof, which
trusts both, but is looked at on every piece, in balls:

    f(p(1)) - f(p(-1)) = -int_{-1}^1 Hess J(p(x)) p'(x) dx                                                   (V8)

Loss. For |v| <= eps <= eta, by Taylor's formula,  |J(p + v) - J(p)| <= |grad J(p)| eps + M eps^2 / 2        (V4)
"""

from dataclasses import dataclass
from math import ceil, log, log10
from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Arb, Array, _objects
from numerics.landscape import Landscape, copies
from theory.problem import Problem
from verify.certificate import chebyshev
from verify.certificate.chebyshev import ball_matrix
from verify.certificate.logarithmic_norm import largest_eigenvalue, largest_row, obliqueness, rotation
from verify.certificate.majorant import Majorant
from verify.certificate.proved import NotProved

PARTS = (8, 32, 128)  # of a piece, on which the eigenvalues of the Hessian are bounded
COUPLED, HARMLESS = 0.5, 0.05  # growth of a bound by couplings, relative or over a piece, that is left as it is
RESOLVED = 12.0  # digits of the entries of a Hessian that its points resolve
ELLIPSES = [flint.arb(rho) for rho in (1.5, 2, 2.5, 3.25, 4.5, 7, 12)]
SHARE = flint.arb(1) / 32  # of the error so far that the remainder of a piece may be
MOST_POINTS = 512
WIDEST, WIDENINGS = 8, 6  # r in units of the least that eps can be, and how often it may double
NEAR = flint.arb(0.15)  # eta in units of the slowest rate


@dataclass(frozen=True)
class Tube:
    """A piece and how far from it the flow can be. Guarantee: enclosed.

    coefficients: of p in Chebyshev polynomials of x, shape (degree + 1, 2m). h: its duration. errors: bounds of |y - p|
    at the ends of its parts, exact, shape (parts + 1,). hessian: M of (V4). defect: d. growth: int mu dt.
    """

    coefficients: Array
    h: flint.arb
    errors: Array
    hessian: flint.arb
    defect: flint.arb
    growth: float

    def at(self, x: flint.arb) -> Array:
        """p(x), shape (2m,)."""
        return chebyshev.basis(_objects([x]), len(self.coefficients) - 1)[0] @ self.coefficients

    def error(self, x: flint.arb) -> flint.arb:
        """A bound of |y - p| at x, exact."""
        parts = len(self.errors) - 1
        part = min(max(int(float((x + 1) / 2) * parts), 0), parts - 1)
        return max(self.errors[max(part - 1, 0) : part + 3])  # its neighbours too, whatever was rounded


class Tubes:
    """Tubes for one problem in balls of `digits` digits; use inside `balls.working()`."""

    def __init__(self, problem: Problem, digits: int) -> None:
        self.balls = Arb(digits)
        self.landscape = Landscape(problem, self.balls)
        self.majorant = Majorant(problem)
        self.copies = copies(problem)

    def around(self, coefficients: Array, h: flint.arb, error: flint.arb) -> Tube:
        """The tube around the polynomial with these coefficients, from |y - p| <= error at its begin."""
        rho, size, beyond = self._ellipse(coefficients, h, error)
        defect = self._defect(coefficients, h, size, beyond)
        steepest, near, hessian = self._logarithmic_norms(coefficients, h, rho)
        lipschitz = 2 * hessian / near
        if not all(each.is_finite() for each in (lipschitz, *steepest)):
            raise NotProved("the Hessian is not known to be analytic near the trajectory; shorten the pieces")
        least = (error + defect * h).upper()
        for widening in range(WIDENINGS):
            r = least * (WIDEST << widening)
            if not r < near:
                break
            mus = [(mu + lipschitz * r).upper() for mu in steepest]  # (V2)
            errors = _gronwall(error, defect, mus, h / len(mus))
            if all(each < r for each in errors):
                return Tube(coefficients, h, errors, hessian, defect, float(sum(mus) * h / len(mus)))
        raise NotProved("the tube around the trajectory grows too wide; ask for more digits, or shorter pieces")

    def _ellipse(self, coefficients: Array, h: flint.arb, error: flint.arb) -> tuple[flint.arb, int, flint.arb]:
        """rho, N and the remainder (V21) of f, for the ellipse that needs the fewest points."""
        reaches = _objects(each for rho in ELLIPSES for each in chebyshev.reach(coefficients, rho))
        with self.majorant.discs.working():
            bounds = self.majorant.gradient(coefficients[0], reaches.reshape(len(ELLIPSES), -1))
        size = norm(abs(coefficients[0]) + chebyshev.reach(coefficients, flint.arb(1)))
        roundoff = size * flint.arb(2) ** (3 - flint.ctx.prec)
        allowed = max(SHARE * error, roundoff) / h
        best: tuple[int, flint.arb, flint.arb] | None = None
        for rho, bound in zip(ELLIPSES, bounds, strict=True):
            M = norm(bound)
            if M.is_finite():
                ratio = 4 * M / ((rho - 1) * allowed) + 1
                size = max(len(coefficients) + 1, 2 + ceil(float(ratio.log()) / log(rho)))
                if best is None or size < best[0]:
                    best = size, rho, M
        if best is None or best[0] > MOST_POINTS:
            raise NotProved("the vector field is not known to be analytic near the trajectory; shorten the pieces")
        size, rho, M = -8 * (-best[0] // 8), *best[1:]  # few sizes, whose tables are kept
        return rho, size, chebyshev.remainder(M, rho, size).upper()

    def _defect(self, coefficients: Array, h: flint.arb, size: int, beyond: flint.arb) -> flint.arb:
        """d of (V1), exact."""
        f = chebyshev.coefficients(-self.landscape.gradient(chebyshev.values(coefficients, size)))
        defect = -f
        defect[: len(coefficients) - 1] += chebyshev.derivative(coefficients) * (2 / h)
        return (norm(abs(defect).sum(axis=0)) + beyond).upper()

    def _logarithmic_norms(
        self, coefficients: Array, h: flint.arb, rho: flint.arb
    ) -> tuple[list[flint.arb], flint.arb, flint.arb]:
        """lambda_max(-Hess J(p)) on each part; eta and M of (V2)."""
        around = chebyshev.reach(coefficients, flint.arb(1))
        slowest = min(self.landscape.units(coefficients[0] - around)[1])
        near = (NEAR * slowest).lower()
        if not near > 0:
            raise NotProved("a rate is not known to stay above 0 over a piece; shorten the pieces")
        with self.majorant.discs.working():
            reaches = np.stack([chebyshev.reach(coefficients, rho), around + near])
            wide, close = self.majorant.hessian(coefficients[0], reaches)
            hessian = largest_row(close)
        size = 4 * ceil((2 + RESOLVED / log10(float(rho))) / 4)  # few sizes, whose tables are kept
        H = -self.landscape.gradient_and_hessian(chebyshev.values(coefficients, size))[1]
        if not self._belongs(H, coefficients, wide, rho):
            raise NotProved("the Hessian is not the derivative of the gradient; something is broken")
        C = chebyshev.coefficients(H)
        Q = rotation(_midpoints(C[0]), self.copies)
        delta, beyond = obliqueness(Q), _turned(chebyshev.remainder(wide, rho, size)[None], abs(Q))[0]
        turned = _turned(C, Q)
        for parts in PARTS:
            found = [_steepest(part, beyond, delta, h) for part in chebyshev.on_pieces(turned, parts)]
            if all(sharp for _, sharp in found):
                break
        return [bound for bound, _ in found], near, hessian

    def _belongs(self, H: Array, coefficients: Array, wide: Array, rho: flint.arb) -> bool:
        """(V8), or at least no contradiction to it. H: at its points; wide: bounds on the ellipse."""
        slope = chebyshev.derivative(coefficients)
        size = len(H)
        along = chebyshev.coefficients((H @ chebyshev.values(slope, size)[..., None])[..., 0])
        whole = sum(along[k] * (flint.arb(2) / (1 - k * k)) for k in range(0, size, 2))
        beyond = 2 * chebyshev.remainder(wide @ (abs(slope[0]) + chebyshev.reach(slope, rho)), rho, size)
        signs = np.array([(-1) ** k for k in range(len(coefficients))], dtype=object)
        before, after = -self.landscape.gradient(np.stack([signs @ coefficients, coefficients.sum(axis=0)]))
        return all(not abs(gap) > doubt for gap, doubt in zip(after - before - whole, beyond, strict=True))

    def drop(self, tube: Tube, x: flint.arb) -> tuple[flint.arb, flint.arb]:
        """J(0) - J(y) at x, a ball (V4); and its derivative by x, nearly."""
        p, error = tube.at(x), tube.error(x)
        slope = norm(self.landscape.gradient(p))
        doubt = slope * error + tube.hessian * error**2 / 2
        return self.landscape.drop(p) + flint.arb(0, doubt.upper()), (slope**2 * tube.h / 2).mid()


def _turned(matrices: Array, Q: Array) -> Array:
    """Q^T C Q of matrices, shape (N, n, n)."""
    R = ball_matrix(Q)
    entries = (each for C in matrices for each in (R.transpose() * ball_matrix(C) * R).entries())
    return _objects(entries).reshape(len(matrices), Q.shape[1], Q.shape[1])


def _steepest(B: Array, beyond: Array, delta: flint.arb, h: flint.arb) -> tuple[flint.arb, bool]:
    """(V23) for the matrix with these coefficients, shape (N, n, n), and remainders, turned already by Q; and whether
    couplings add little. Where they do not, once more after another turn: 1 - delta is then the product of both.
    """
    bound, sharp = _bound(B, beyond, delta, h)
    if sharp:
        return bound, sharp
    Q = rotation(_midpoints(B[0]))
    own = obliqueness(Q)
    both = (delta + own + delta * own).upper()
    again, sharp = _bound(_turned(B, Q), _turned(beyond[None], abs(Q))[0], both, h)
    return min(bound, again), sharp


def _bound(B: Array, beyond: Array, delta: flint.arb, h: flint.arb) -> tuple[flint.arb, bool]:
    bound = largest_eigenvalue(chebyshev.hull(B, beyond).tolist(), delta)
    largest = max(B[0].diagonal()).mid()
    return bound, bool(bound - largest <= max(COUPLED * abs(largest), HARMLESS / h))


def _midpoints(matrix: Array) -> Array:
    return _objects(each.mid() for each in matrix.ravel()).reshape(matrix.shape)


def norm(vector: Array) -> Any:
    """The Euclidean norm, upwards, exact."""
    return (_objects(each.abs_upper() for each in vector) ** 2).sum().sqrt().upper()


def _gronwall(error: flint.arb, defect: flint.arb, mus: list[flint.arb], length: flint.arb) -> Array:
    """(V3) at the begin and at the end of each part, exact."""
    errors = [error]
    for mu in mus:
        added = length if mu == 0 else (mu * length).expm1() / mu
        errors.append((errors[-1] * (mu * length).exp() + defect * added).upper())
    return _objects(errors)
