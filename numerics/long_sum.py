r"""Completely monotone kernels as long sums of exponentials, factored without loss of relative accuracy.

Power laws by the trapezoidal rule in x = ln l, next to the masses of the mixture:

    rho(t) ~ sum_k p_k e^{-l_k t} ,   p_k = h l_k s(l_k) ,   l_k = e^{x_k}                                  (CF1)

converges like e^{-pi^2/h}, for s(e^x) is analytic and small in |Im x| < pi/2. The sum is a network with W = -diag(l),
b = c = sqrt(p), whose Gramian P_ij = b_i b_j/(l_i + l_j) (H2) is Cauchy-like, and so is what is left of any Cauchy-like
matrix g_i h_j/(l_i + w_j) when the cross through its entry (r, c) has been subtracted:

    g_i <- g_i (l_i - l_r)/(l_i + w_c) ,   h_j <- h_j (w_j - w_c)/(w_j + l_r)                               (CF2)

Products and quotients only: every entry of the factors is good to a few units in its last place, however small. With
complete pivoting they are B D with a well-conditioned B, and one-sided Jacobi (LAPACK's dgejsv) keeps that accuracy in
singular values and vectors (Demmel, "Accurate singular value decompositions of structured matrices", 1999, cited from
memory). Derived here: (CF1), (CF2). float64, estimated.
"""

import math

import numpy as np
from scipy.linalg import lapack

from numerics.arithmetic import Array
from numerics.cauchy import grid
from theory.mixtures import Mixture

STEP = 0.25  # h of (CF1): e^{-pi^2/h} = 7e-18
DIGITS = 18.0  # of what the long sum stands for
ROWS_AND_COLUMNS, LEFT, NO_LEFT, RIGHT, NO_RIGHT = 2, 0, 3, 0, 3  # joba, jobu, jobv of dgejsv


def long_sum(kernel: Mixture, smallest: float) -> tuple[Array, Array]:
    """(rates, weights) of (CF1), shape (n,) each, for a positive mixture; n is some hundreds for a power law.

    smallest: the singular value that must still be right. Raises ValueError where that takes too many nodes.
    """
    rates, weights = [np.array([float(w) for _, w in kernel.atoms])], [np.array([float(a) for a, _ in kernel.atoms])]
    for A, omega in kernel.power_laws:
        chosen, om = grid(Mixture((), ((A, omega),)), smallest, DIGITS), float(omega)
        x = chosen.nodes
        rates.append(np.exp(x))
        weights.append(float(A) * chosen.step * np.exp((1 + om) * x - np.exp(x) - math.lgamma(1 + om)))  # (X2)
    return np.concatenate(rates), np.concatenate(weights)


def rational_basis(rates: Array, weights: Array, shifts: Array) -> Array:
    """Columns that span those of b_k/(l_k + w_j), shape (n, m), triangular up to order, by complete pivoting."""
    g, h, columns = np.sqrt(weights), np.ones_like(shifts), []
    for _ in shifts:
        left = np.abs(np.multiply.outer(g, h) / np.add.outer(rates, shifts))
        r, c = np.unravel_index(np.argmax(left), left.shape)
        column = g / (rates + shifts[c])
        columns.append(column / column[r])
        g = g * (rates - rates[r]) / (rates + shifts[c])  # (CF2)
        h = h * (shifts - shifts[c]) / (shifts + rates[r])  # 0 from now on at c
    return np.stack(columns, axis=1)


def left_vectors(matrix: Array) -> tuple[Array, Array]:
    """(singular values, left singular vectors) by one-sided Jacobi, falling."""
    values, vectors, _, scale, _, _ = lapack.dgejsv(matrix, joba=ROWS_AND_COLUMNS, jobu=LEFT, jobv=NO_RIGHT)
    return values * (scale[0] / scale[1]), vectors


def compression(rates: Array, weights: Array, basis: Array) -> tuple[Array, Array]:
    """(amplitudes, rates) of the network compressed to an orthonormal basis Q: W -> Q^T W Q, b -> Q^T b.

    From the singular values of diag(l)^{1/2} Q, whose squares are the rates: slow ones are not lost beside fast ones.
    """
    root = np.sqrt(rates)[:, None] * basis
    values, _, right, scale, _, _ = lapack.dgejsv(root, joba=ROWS_AND_COLUMNS, jobu=NO_LEFT, jobv=RIGHT)
    amplitudes = (right.T @ (basis.T @ np.sqrt(weights))) ** 2
    return amplitudes[::-1], (values[::-1] * (scale[0] / scale[1])) ** 2
