r"""Hankel singular values of mixtures of exponentials: the log-trapezoid rule and high relative accuracy.

With x = ln l for the rate, the operator (X3) of theory/mixtures.py has the kernel

    A(x, y) = V(x) V(y) / (2 cosh((x - y)/2)) ,   V^2 = s(e^x)                                               (C1)

V(x)^2 falls like e^{om x} to the left and doubly exponentially to the right. s(e^x) is bounded for |Im x| < pi/2, so the
trapezoid rule with step h has an error like e^{-pi^2/h}, and the matrix h A(x_i, x_j) the eigenvalues of (C1) with that
error, which for a small sigma must be small beside it. An atom a e^{-wt} is one more node ln w, with V^2 = a/w in place of h s. What is cut on the left, where an
eigenfunction of sigma is e^{x/2} V(x) up to a constant, starts to matter at the turning point V^2 ~ sigma:

    x_left = ln(sigma Gamma(1+om)/A) / om - D ln 10 / (1 + om)   for a relative error of about 10^-D          (C2)

Pivoted Cholesky factors of (C1) are known in closed form, without any subtraction but of nodes: with the pivots p,

    A = F F^T ,   F_ij = V_i V_j' prod_{p before j} tanh((x_i - x_p)/2) / (2 cosh((x_i - x_p_j)/2))          (C3)
    V_j' = sqrt2 prod_{p before j} tanh((x_{p_j} - x_p)/2)      (up to the sign; the square root of the pivot)

so F has small relative errors in every entry, pivoting puts its columns in order of size, and a one-sided Jacobi SVD
(LAPACK dgejsv, after Drmac and Veselic, cited second-hand) keeps them: sigma = (singular values of F)^2 hold to nearly
all digits of float64, however small. Where amplitudes have both signs J, the eigenvalues of F^T J F are taken, whose
errors are absolute                                                                                          (C4)

(C1)-(C3) derived here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from scipy.linalg import lapack

from numerics.arithmetic import Arb, Array
from numerics.compiling import bind, evaluate
from theory.mixtures import Mixture, l

RIGHT = 3.0  # ln of a rate from where e^{-l} < 1e-8; ln ln of the digits comes on top
MOST_NODES = 4000
FLOAT, COARSE = 16, 6  # digits


@dataclass(frozen=True)
class Grid:
    """Nodes x_i = ln l_i, and how they were chosen: the digits D of (C2) and the step h."""

    step: float
    left: float
    right: float

    @property
    def nodes(self) -> Array:
        return np.arange(math.floor(self.left / self.step), math.ceil(self.right / self.step) + 1) * self.step


def grid(mixture: Mixture, smallest: float, digits: float, finer: float = 1.0) -> Grid:
    """A grid for relative errors of about 10^-digits in singular values down to `smallest`; finer: divides h.

    Raises ValueError where it would need more than MOST_NODES nodes.
    """
    nats = digits * math.log(10)
    step = math.pi**2 / (nats + max(0.0, -math.log(smallest))) / finer
    lefts = [0.0]
    for A, omega in mixture.power_laws:
        om = float(omega)
        turning = (math.log(smallest) + math.lgamma(1 + om) - math.log(abs(float(A)))) / om
        lefts.append(min(turning, 0.0) - nats / (1 + om))  # (C2)
    wide = min(lefts) * finer - 2.0
    right = max(RIGHT, math.log(nats + 10.0)) + math.log(finer) + 1.0
    if (right - wide) / step > MOST_NODES:
        raise ValueError(
            f"omega must be larger for {digits:.0f} digits of singular values as small as {smallest:.1e}, got "
            f"{[str(omega) for _, omega in mixture.power_laws]}: that takes over {MOST_NODES} nodes; ask for fewer"
        )
    return Grid(step, wide, right)


def float_values(mixture: Mixture, count: int, finer: float = 1.0) -> Array:
    """sigma_1 .. sigma_count of the mixture in float64, by (C3), (C4); relative for positive mixtures. Shape (<=count,).

    finer: > 0, divides the step and widens the range. Estimated.
    """
    smallest, digits = _scale(mixture), COARSE
    while True:
        values = _float_values(mixture, grid(mixture, smallest, digits, finer))[:count]
        if digits == FLOAT or not mixture.power_laws:
            return values
        resolved = len(values) == count and values[-1] > smallest
        smallest, digits = (values[-1], FLOAT) if resolved else (smallest / 1000, COARSE)


def _scale(mixture: Mixture) -> float:
    """About the size of the largest singular values: their trace without its signs."""
    parts = [abs(float(a / w)) for a, w in mixture.atoms] + [abs(float(A / om)) for A, om in mixture.power_laws]
    return sum(parts) / 2


def _float_values(mixture: Mixture, chosen: Grid) -> Array:
    nodes, squares = chosen.nodes, np.zeros_like(chosen.nodes)
    for A, omega in mixture.power_laws:
        om = float(omega)
        squares += float(A) * np.exp(om * nodes - np.exp(nodes) - math.lgamma(1 + om))
    squares *= chosen.step if mixture.power_laws else 0.0
    logs = np.concatenate([nodes, [math.log(w) for _, w in mixture.atoms]])
    squares = np.concatenate([squares, [float(a / w) for a, w in mixture.atoms]])
    present = squares != 0
    logs, squares = logs[present], squares[present]
    factor = cholesky(logs, np.sqrt(abs(squares)))
    if (squares > 0).all():
        return jacobi(factor) ** 2
    signed = factor.T @ (np.sign(squares)[:, None] * factor)
    return np.sort(abs(np.linalg.eigvalsh(signed)))[::-1]  # (C4)


def cholesky(logs: Array, roots: Array, floor: float = 1e-40) -> Array:
    """F of (C3), shape (N, rank), its columns in order of size; roots: V_i > 0. Entries below `floor` are left out."""
    left, columns = roots.copy(), []  # V_i times the product of the tanh
    first = np.max(left)
    while len(columns) < len(logs) and abs(left).max() > math.sqrt(floor) * first:
        p = int(abs(left).argmax())
        columns.append(left / (math.sqrt(2) * np.cosh((logs - logs[p]) / 2)))  # (C3)
        left = left * np.tanh((logs - logs[p]) / 2)
    return np.column_stack(columns)


def jacobi(factor: Array) -> Array:
    """Singular values with small relative errors, of a matrix whose columns are only badly scaled. In order."""
    values, _, _, work, _, info = lapack.dgejsv(factor, joba=2, jobu=3, jobv=3)
    if info != 0:
        raise ArithmeticError(f"the one-sided Jacobi iteration did not converge, dgejsv says {info}")
    return np.sort(values * (work[0] / work[1]))[::-1]
