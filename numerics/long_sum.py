r"""Completely monotone kernels as long sums of exponentials, and their compression to short ones.

The nodes l_k and squares V_k^2 of (C1), numerics/cauchy.py, make a sum, and a network W = -diag(l), b = c = sqrt(p):

    rho(t) ~ sum_k p_k e^{-l_k t} ,   p_k = l_k V_k^2                                                        (CF1)

Its Gramian b_i b_j/(l_i + l_j) (H2) is the matrix (C1). What is left of any Cauchy-like matrix g_i h_j/(l_i + w_j) when
the cross through its entry (r, c) has been subtracted is one again,

    g_i <- g_i (l_i - l_r)/(l_i + w_c) ,   h_j <- h_j (w_j - w_c)/(w_j + l_r)                               (CF2)

with products and quotients only, so that every entry of its triangular factors is good to a few units in its last
place, however small; one-sided Jacobi (LAPACK's dgejsv) keeps that in singular values and vectors. (CF2) derived here.
float64, estimated.
"""

import numpy as np
from scipy.linalg import lapack

from numerics.arithmetic import Array
from numerics.cauchy import of_mixture
from theory.mixtures import Mixture

DIGITS = 18.0  # of what the long sum stands for
ROWS_AND_COLUMNS, LEFT, NO_LEFT, RIGHT, NO_RIGHT = 2, 0, 3, 0, 3  # joba, jobu, jobv of dgejsv


def long_sum(kernel: Mixture, smallest: float) -> tuple[Array, Array]:
    """(rates l, weights p) of (CF1), shape (n,) each; n is some hundreds for a power law.

    smallest: the singular value that must still be right. Raises ValueError where that takes too many nodes.
    """
    nodes = of_mixture(kernel)(smallest, DIGITS, 1.0)
    rates = np.exp(nodes.logs)
    return rates, rates * nodes.squares


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
