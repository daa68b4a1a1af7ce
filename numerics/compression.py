r"""A Hankel operator compressed onto exponentials, in balls: the matrix that numerics/hankel_bounds.py counts with.

Any rates l_1 .. l_n > 0 serve. On the span of their exponentials theory/hankel.py gives the operator by (K2), (K3);
an orthonormal basis is that of Takenaka and Malmquist, e_k = sum_{i<=k} T_ki e^{-l_i t} with the Laplace transform

    sqrt(2 l_k)/(s + l_k) prod_{j<k} (s - l_j)/(s + l_j)                                                     (L1)
    T_kk = sqrt(2 l_k) prod_{j<k} (l_k + l_j)/(l_k - l_j)
    T_ki = sqrt(2 l_k) 2 l_i/(l_i - l_k) prod_{j<k, j!=i} (l_i + l_j)/(l_i - l_j)                            (L2)

the residues of (L1); the compression is B = T (K2) T^T. For a positive Gamma and the projection P on that span

    mu_k <= sigma_k <= mu_k + tr Gamma - tr B ,   mu_k the eigenvalues of B                                  (L3)

because Gamma^{1/2} (1 - P) Gamma^{1/2} has that trace, Gamma^{1/2} P Gamma^{1/2} the eigenvalues mu_k. What is left,

    tr Gamma - tr B = int_0^inf s(l) prod_i ((l - l_i)/(l + l_i))^2 / (2 l) dl + atoms likewise ,            (L4)

says where the next exponential is needed most: greedy choice, in float64, for no proof depends on it. In that order
B loses few digits. Without a density the rates are Leja points of an interval of ln l, good for the oscillations of the
singular vectors of a bump; its centre is found by trial. A kernel of finite rank needs no choice: C^T H C (R3), and
nothing is left.

(L2), (L4) derived here; Takenaka and Malmquist cited second-hand.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Array
from numerics.compiling import bind, evaluate
from theory.finite_rank import FiniteRank
from theory.kernels import Kernel
from theory.mixtures import Mixture
from theory.problem import transform

s = sp.Symbol("s", positive=True)
SPACING = 0.02  # of the candidates for a rate, in ln l
MOST_RATES = 400


@dataclass(frozen=True)
class Compression:
    """matrix: B, symmetric, in balls good to `digits` digits of its largest entry.

    rest: upper bound of sigma_k - mu_k for every k (L3); None where none is known.
    """

    matrix: flint.arb_mat
    rest: flint.arb | None
    digits: int


def of_finite_rank(kernel: FiniteRank, digits: int) -> Compression:
    """C^T H C (R3), to about `digits` digits; all of the operator."""
    arithmetic = Arb(digits)
    while True:
        with arithmetic.working():
            gram, coefficients = (_matrix(each, arithmetic) for each in (kernel.gram, kernel.coefficients))
            lower = _cholesky(gram)
            if lower is not None:
                matrix = lower.transpose() * coefficients * lower
                if _narrow(matrix, digits):
                    return Compression(matrix, flint.arb(0), digits)
        arithmetic = Arb(2 * arithmetic.digits)


def of_mixture(kernels: Sequence[Kernel], mixture: Mixture, rest: float, digits: int) -> Compression:
    """A positive mixture onto greedily chosen exponentials, until tr Gamma - tr B is about `rest` (L4)."""
    matrix = onto_exponentials(kernels, greedy(mixture, rest), digits)
    with Arb(digits).working():
        whole = evaluate(transform(kernels, sp.Integer(0)), Arb(digits)) / 2  # (X4)
        return Compression(matrix, (whole - matrix.trace()).upper(), digits)


def onto_exponentials(kernels: Sequence[Kernel], logs: Sequence[float], digits: int) -> flint.arb_mat:
    """B for the rates e^logs, its entries to about 10^-digits."""
    R = transform(kernels, s)
    arithmetic = Arb(digits + 30 + len(logs))
    while True:
        with arithmetic.working():
            rates = arithmetic.array(dict.fromkeys(math.exp(x) for x in logs))  # atoms may be one float
            value, slope = bind((s,), (R, R.diff(s)), arithmetic)(rates)
            size = len(rates)
            entries = [
                -slope[i] if i == j else (value[i] - value[j]) / (rates[j] - rates[i])  # (K2)
                for i in range(size)
                for j in range(size)
            ]
            basis = _takenaka_malmquist(list(rates))
            matrix = basis * flint.arb_mat(size, size, entries) * basis.transpose()
            if _narrow(matrix, digits):
                return matrix
        arithmetic = Arb(2 * arithmetic.digits)


def greedy(mixture: Mixture, rest: float) -> list[float]:
    """ln l_i, chosen where (L4) has its largest integrand, atoms first, until (L4) is below `rest`."""
    chosen = [math.log(w) for _, w in mixture.atoms]
    if not mixture.power_laws:
        return chosen
    left = min(math.log(rest * float(om / abs(A))) / float(om) for A, om in mixture.power_laws) - 2
    nodes = np.arange(left, math.log(-math.log(rest) + 40), SPACING)
    weights = np.zeros_like(nodes)
    for A, omega in mixture.power_laws:
        weights += abs(float(A)) * np.exp(float(omega) * nodes - np.exp(nodes) - math.lgamma(1 + float(omega)))
    weights *= SPACING / 2
    for x in chosen:
        weights *= np.tanh((nodes - x) / 2) ** 2
    while weights.sum() > rest and len(chosen) < MOST_RATES:
        chosen.append(float(nodes[weights.argmax()]))
        weights *= np.tanh((nodes - chosen[-1]) / 2) ** 2
    return chosen


def leja(low: float, high: float, count: int, others: Sequence[float] = ()) -> list[float]:
    """Points of [low, high], each where the Blaschke product of those before, and of the others, is largest."""
    nodes = np.linspace(low, high, 40 * count)
    chosen: list[float] = []
    with np.errstate(divide="ignore"):
        logs = sum((np.log(abs(np.tanh((nodes - x) / 2))) for x in others), np.zeros_like(nodes))
        for _ in range(count):
            chosen.append(float(nodes[logs.argmax()]))
            logs += np.log(abs(np.tanh((nodes - chosen[-1]) / 2)))
    return chosen


def floats(matrix: flint.arb_mat) -> Array:
    return np.array([float(each) for each in matrix.entries()]).reshape(matrix.nrows(), matrix.ncols())


def _matrix(entries: sp.Matrix, arithmetic: Arb) -> flint.arb_mat:
    return flint.arb_mat(entries.rows, entries.cols, [evaluate(each, arithmetic) for each in entries])


def _narrow(matrix: flint.arb_mat, digits: int) -> bool:
    entries = matrix.entries()
    tiny = flint.arb(10) ** -digits * max((abs(each).upper() for each in entries), default=flint.arb(0))
    return all(each.rad() <= tiny for each in entries)


def _takenaka_malmquist(rates: list[flint.arb]) -> flint.arb_mat:
    """T of (L2), lower triangular."""
    size, rows = len(rates), []
    products: list[flint.arb] = []  # prod_{j<k, j!=i} (l_i + l_j)/(l_i - l_j), for the rates i < k
    for k, rate in enumerate(rates):
        root, own = (2 * rate).sqrt(), flint.arb(1)
        row = []
        for i in range(k):
            ratio = (rates[i] + rate) / (rates[i] - rate)
            row.append(root * products[i] * 2 * rates[i] / (rates[i] - rate))
            products[i], own = products[i] * ratio, -own * ratio
        products.append(own)
        rows += [*row, root * own, *[flint.arb(0)] * (size - k - 1)]
    return flint.arb_mat(size, size, rows)


def _cholesky(matrix: flint.arb_mat) -> flint.arb_mat | None:
    """The lower triangular C with C C^T = matrix; None where the balls do not prove a pivot positive."""
    size, rows = matrix.nrows(), matrix.tolist()
    for k in range(size):
        if not rows[k][k] > 0:
            return None
        root = rows[k][k].sqrt()
        column = [rows[i][k] / root for i in range(k, size)]
        for i in range(k, size):
            rows[i][k] = column[i - k]
            for j in range(k + 1, i + 1):
                rows[i][j] -= column[i - k] * column[j - k]
    return flint.arb_mat(size, size, [rows[i][j] if j <= i else 0 for i in range(size) for j in range(size)])
