r"""Hankel singular values of mixtures of exponentials: the log-trapezoid rule and high relative accuracy.

With x = ln l for the rate, the operator (X3) of theory/mixtures.py has the kernel

    A(x, y) = V(x) V(y) / (2 cosh((x - y)/2)) ,   V^2 = s(e^x)                                               (C1)

V(x)^2 falls like e^{om x} to the left and doubly exponentially to the right. s(e^x) is bounded for |Im x| < pi/2, so
the trapezoid rule with step h has an error like e^{-pi^2/h}, and the matrix h A(x_i, x_j) the eigenvalues of (C1) with
that error, which for a small sigma must be small beside it. An atom a e^{-wt} is one more node ln w, with V^2 = a/w in
place of h s. What is cut on the left, where an eigenfunction of sigma is e^{x/2} V(x) up to a constant, starts to
matter at the turning point V^2 ~ sigma:

    x_left = ln(sigma Gamma(1+om)/A) / om - D ln 10 / (1 + om)   for a relative error of about 10^-D          (C2)

Pivoted Cholesky factors of (C1) are known in closed form, without any subtraction but of nodes: with the pivots p,

    A = F F^T ,   F_ij = V_i V_j' prod_{p before j} tanh((x_i - x_p)/2) / (2 cosh((x_i - x_p_j)/2))          (C3)
    V_j' = sqrt2 prod_{p before j} tanh((x_{p_j} - x_p)/2)      (up to the sign; the square root of the pivot)

so F has small relative errors in every entry, pivoting puts its columns in order of size, and a one-sided Jacobi SVD
(LAPACK dgejsv, after Drmac and Veselic, cited second-hand) keeps them: sigma = (singular values of F)^2 hold to nearly
all digits of float64, however small. Where amplitudes have both signs J, the eigenvalues of F^T J F are taken, whose
errors are absolute                                                                                          (C4)

Fractional differencing (1-B)^d, 0 < d < 1, remembers the inputs 1, 2, ... steps ago with the weights -psi_k > 0,

    psi_k = Gamma(k-d) / (Gamma(-d) k!) ,   -psi_{k+1} = (sin pi d/pi) int_0^1 x^k x^-d (1-x)^d dx           (C5)

so its Hankel matrix -psi_{i+j+1}, i, j >= 0, is that of the moments of a positive measure: Euler's beta integral. With
x = (1-l)/(1+l), 1/(1-xy) becomes the Cauchy kernel, and the matrix has the singular values of a mixture (X1) of rates
in (0, 1), here in u = ln(l/(1-l)), whose strip of analyticity is |Im u| < pi:

    s(l) = (sin pi d/pi) (2l/(1-l))^d ,   V^2 = s (1-l) ,   dx = (1-l) du                                    (C6)

(C1)-(C4), (C6) derived here; finite sections of the matrix itself converge only algebraically.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import flint
import numpy as np
import sympy as sp
from scipy.linalg import lapack

from numerics.arithmetic import Arb, Array
from numerics.compiling import bind, evaluate
from numerics.spectra import block_width, leading
from theory.mixtures import Mixture, l

MOST_NODES = 4000
FLOAT, COARSE = 16, 6  # digits
SMALLEST = 1e-60  # singular values below are not looked for in float64


@dataclass(frozen=True)
class Nodes:
    """A discretised mixture: rates l_i and V_i^2 of (C1), in float64 and, by `balls`, in Arb.

    logs: ln l_i, shape (N,). squares: V_i^2, shape (N,), with the sign of the amplitude.
    balls: inside an Arb's `working()`, lists of l_i and of V_i^2.
    """

    logs: Array
    squares: Array
    balls: Callable[[Arb], tuple[Sequence[flint.arb], Sequence[flint.arb]]]


Rule = Callable[[float, float, float], Nodes]  # of the smallest singular value, its digits, and how much finer


def of_mixture(mixture: Mixture) -> Rule:
    """Nodes for relative errors of about 10^-digits in singular values down to `smallest`.

    Raises ValueError for a mixture whose amplitudes float64 does not hold.
    """
    sizes = [float(abs(size)) for size in (*(a / w for a, w in mixture.atoms), *(A for A, _ in mixture.power_laws))]
    if sizes and not 0 < max(sizes) < math.inf:
        raise ValueError(
            f"amplitudes must be within the range of float64, got {max(sizes)} for the largest; errors and singular "
            "values scale with the target, so take a multiple of it"
        )

    def rule(smallest: float, digits: float, finer: float) -> Nodes:
        nats, left = digits * math.log(10), 0.0
        for A, omega in mixture.power_laws:
            om = float(omega)
            if float(A) == 0:
                continue  # too little beside the rest for float64
            turning = (math.log(smallest) + math.lgamma(1 + om) - math.log(abs(float(A)))) / om
            left = min(left, min(turning, 0.0) - nats / (1 + om))  # (C2)
        step = math.pi**2 / (nats + max(0.0, -math.log(smallest))) / finer
        right = math.log(nats + 20.0) + 1.0
        places = _places(finer * left - 2.0, right + math.log(finer), step) if mixture.power_laws else range(0)
        grid = step * np.array(places)
        squares = np.zeros_like(grid)
        for A, omega in mixture.power_laws:
            squares += step * float(A) * np.exp(float(omega) * grid - np.exp(grid) - math.lgamma(1 + float(omega)))
        logs = np.concatenate([grid, [math.log(w) for _, w in mixture.atoms]])
        squares = np.concatenate([squares, [float(a / w) for a, w in mixture.atoms]])

        def balls(arithmetic: Arb) -> tuple[list[flint.arb], list[flint.arb]]:
            rates = [(flint.arb(step) * place).exp() for place in places]
            density = bind((l,), (sp.Rational(step) * mixture.density,), arithmetic)
            found = [density(rate)[0] for rate in rates]
            atoms = [(evaluate(w, arithmetic), evaluate(a / w, arithmetic)) for a, w in mixture.atoms]
            return rates + [w for w, _ in atoms], found + [square for _, square in atoms]

        return Nodes(logs, squares, balls)

    return rule


def of_differencing(d: sp.Rational) -> Rule:
    """Nodes (C6) for the Hankel matrix of (1-B)^d, likewise."""

    def rule(smallest: float, digits: float, finer: float) -> Nodes:
        nats, small, power = digits * math.log(10), max(0.0, -math.log(smallest)), float(d)
        step = 2 * math.pi**2 / (nats + small) / finer
        left, right = small / power + nats / (1 + power), (small + nats) / (1 - power)
        places = _places(-finer * left - 2, finer * right + 2, step)
        u = step * np.array(places)
        constant = math.sin(math.pi * power) / math.pi * 2**power * step
        logs, rest = -np.logaddexp(0, -u), -np.logaddexp(0, u)

        def balls(arithmetic: Arb) -> tuple[list[flint.arb], list[flint.arb]]:
            exact, grid = evaluate(d, arithmetic), [(flint.arb(step) * place).exp() for place in places]
            scale = (flint.arb.pi() * exact).sin() / flint.arb.pi() * flint.arb(2) ** exact * step
            return [e / (1 + e) for e in grid], [scale * e**exact / (1 + e) for e in grid]  # (C6)

        return Nodes(logs, constant * np.exp(power * u + rest), balls)

    return rule


def _places(left: float, right: float, step: float) -> range:
    """The multiples of the step between two ends. Raises ValueError where they would be too many."""
    first, last = math.floor(left / step), math.ceil(right / step)
    if last - first > MOST_NODES:
        raise ValueError(
            f"omega must be larger for so many digits, or so many singular values: that takes {last - first} nodes, "
            f"at most {MOST_NODES} are allowed; ask for fewer"
        )
    return range(first, last + 1)


def float_values(rule: Rule, count: int, finer: float = 1.0) -> Array:
    """sigma_1 .. in float64, by (C3), (C4), as many as there are up to count; relative for positive mixtures.

    finer: > 0, divides the step and widens the range. Estimated.
    """
    smallest, digits = 1.0, COARSE
    while True:
        values = _float_values(rule(smallest, digits, finer))[:count]
        if digits == FLOAT:
            return values
        resolved = len(values) == count and values[-1] > smallest
        if resolved or smallest < SMALLEST:
            smallest, digits = max(min(values[-1], 1.0), SMALLEST), FLOAT
        else:
            smallest /= 1000


def values_in_balls(rule: Rule, count: int, digits: int, finer: float = 1.0) -> list[flint.arb]:
    """The same to `digits` digits, by subspace iteration on (C1). Estimated."""
    rough = float_values(rule, block_width(count))
    smallest = min(rough[min(count, len(rough)) - 1], 1.0)
    nodes = rule(smallest, digits, finer)
    arithmetic = Arb(digits + 20 + 2 * math.ceil(math.log10(rough[0] / rough[-1])))
    signs = np.sign(nodes.squares)
    with arithmetic.working():
        rates, squares = nodes.balls(arithmetic)
        U = [(abs(square) * rate).sqrt().mid() for rate, square in zip(rates, squares, strict=True)]
        size = len(U)
        rows: list[list[flint.arb]] = []
        for i in range(size):
            rows.append([rows[j][i] for j in range(i)] + [U[i] * U[j] / (rates[i] + rates[j]) for j in range(i, size)])
        cauchy = flint.arb_mat(rows).mid()
        flip = signs if (signs < 0).any() else None

        def step(V: flint.arb_mat) -> tuple[flint.arb_mat, flint.arb_mat]:
            image = cauchy * V
            return image, image if flip is None else _flipped(image, flip)

        return leading(step, _start(nodes, min(len(rough), size)), min(count, size), digits)


def _flipped(rows: flint.arb_mat, signs: Array) -> flint.arb_mat:
    return flint.arb_mat([[x if sign > 0 else -x for x in row] for row, sign in zip(rows.tolist(), signs, strict=True)])


def _start(nodes: Nodes, width: int) -> Array:
    """The leading eigenvectors of J A in float64, shape (N, width)."""
    roots = np.sqrt(abs(nodes.squares))
    A = np.multiply.outer(roots, roots) / (2 * np.cosh(np.subtract.outer(nodes.logs, nodes.logs) / 2))
    if (nodes.squares >= 0).all():
        values, vectors = np.linalg.eigh(A)
    else:
        values, vectors = (each.real for each in np.linalg.eig(np.sign(nodes.squares)[:, None] * A))
    return vectors[:, np.argsort(-abs(values))[:width]]


def _float_values(nodes: Nodes) -> Array:
    present = nodes.squares != 0
    logs, squares = nodes.logs[present], nodes.squares[present]
    factor = cholesky(logs, np.sqrt(abs(squares)))
    if (squares > 0).all():
        return jacobi(factor) ** 2
    signed = factor.T @ (np.sign(squares)[:, None] * factor)
    return np.sort(abs(np.linalg.eigvalsh(signed)))[::-1]  # (C4)


def cholesky(logs: Array, roots: Array, floor: float = 1e-40) -> Array:
    """F of (C3), shape (N, rank), its columns in order of size; roots: V_i > 0. Entries below `floor` are left out."""
    left = roots.copy()  # V_i times the product of the tanh
    columns: list[Array] = []
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
