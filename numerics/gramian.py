r"""The loss landscape of a dense linear RNN in float64: Gramians, and the target as a function of a matrix.

J = c^T P c - 2 c^T X + int |rho|^2 (H4) and its gradient (H5) need the target rho = (rho_1 .. rho_d) only through

    R_k(-A) = int_0^T rho_k(t) e^{At} dt ,   A = [[W, u_k c^T], [0, W]] ,   u_k column k of U               (V1)

since e^{At} has the blocks e^{Wt}, int_0^t e^{Ws} u_k c^T e^{W(t-s)} ds, e^{Wt}: with F_k and Z_k the upper blocks,

    X = sum_k F_k u_k ,   column k of Y = F_k^T c ,   Z = sum_k Z_k^T                                        (V2)

and J = c^T P c - 2 c^T X + int |rho|^2, whatever T, with for a finite T, E = e^{WT} and P_inf, Q_inf from (H2), (H3),

    P = P_inf - E P_inf E^T ,   Q = Q_inf - E^T Q_inf E ,
    dJ/dW = 2 (G - Z) ,   G = Q P_inf - int_0^T e^{W^T r} c c^T E P_inf e^{W^T (T-r)} dr                     (V3)

where Q P stands in (H5): G = int int_{r+s<=T} e^{W^T r} c rho_hat(r+s) U^T e^{W^T s}, in which e^{Ws} U U^T e^{W^T s}
integrates over s <= T-r to P_inf - e^{W(T-r)} P_inf e^{W^T (T-r)}; and the last integral is again a block of an
exponential. (V3) holds for every W without eigenvalues l_i + l_j = 0, Hurwitz or not; it cancels like 1/(|l| T)^2.

(V1) for an exponential a e^{-w(t-L)} is a (w - A)^{-1} (e^{AL} - e^{AT - w(T-L)}), or, for a W that may grow as fast
as e^{wt}, a int_0^{T-L} e^{(A-w)s} ds e^{AL}, a block of an exponential. For any other kernel its window is cut into
P = 2^n equal panels [t_p - h, t_p + h] with |A| h <= 1; with the panels' moments, known before A is,

    R(-A) = sum_p e^{A t_p} sum_j mu_pj (A h)^j ,   mu_pj = 1/j! int_-1^1 rho(t_p + h x) x^j h dx ,  j < 19  (V4)

Taylor's remainder is 1/19! = 8e-18. The sum over p is folded in halves: M_p <- M_2p + e^{2Ah} M_2p+1, then h <- 2h.

All derived here. float64: each value is good to about 1e-14 of the largest terms of its sum, 1e-12 of R itself for a
bump that lags by 20 / rate; guarantee: estimated.
"""

import math
from functools import cached_property, lru_cache
from math import factorial
from typing import NamedTuple

import numpy as np
import sympy as sp
from scipy.linalg import expm, lapack

from numerics.arithmetic import Arb, Array, Float64
from numerics.compiling import bind, evaluate
from numerics.tails import log_tail
from theory.decay import Envelope, envelope
from theory.dense import DenseProblem
from theory.kernels import Exponential, Gaussian, Kernel, t
from theory.problem import weighted_square

ORDERS = 19  # of (V4)
POINTS = 40  # of the Gauss-Legendre rule that makes the moments of one panel
CHECK = 28  # points of the rule that must agree with it
RESOLVED = 1e-14  # relative to int |rho|, how well
NEGLIGIBLE = math.log(1e-17)  # of int |rho| e^{-slowest t}: what may lie beyond the window
BEHIND, AHEAD = 14, 9.5  # widths of a Gaussian: its e^{-wt} has moved the centre by w widths; e^{-x^2/2} behind
LEAST = 2.0**-60  # of rates
TINY = 1e-300
MOST_PANELS = 2**15
HESSIAN_STEP = 1e-5  # relative, of central differences of the gradient: errors ~ 1e-10


class NotHurwitz(ArithmeticError):
    """An eigenvalue of W has reached the imaginary axis: on an infinite horizon the loss is infinite."""


class Network(NamedTuple):
    """(c, W, U), shapes (m,), (m, m), (m, d)."""

    readout: Array
    recurrent: Array
    input_weights: Array


class _Rule(NamedTuple):
    """(V4) of one window: half panel h, moments of shape (P, ORDERS), and how the sum is brought to its first centre.

    e^{A t_0} = (sum_j first_j (A h)^j)^(2^squarings).
    """

    half: float
    moments: Array
    first: Array
    squarings: int


class _Term:
    """One term of the target as a function of a matrix, R(-A) = int_0^T rho(t) e^{At} dt."""

    def __init__(self, kernel: Kernel, horizon: float) -> None:
        self.kernel = kernel
        self.density = bind((t,), [kernel.density(t)], Float64())
        begin, end = (float(each) for each in kernel.support)
        if isinstance(kernel, Gaussian):
            lag, width = float(kernel.lag), float(kernel.width)
            begin, end = max(0.0, lag - BEHIND * width), max(0.0, lag) + AHEAD * width
        self.begin, self.end = begin, min(end, horizon)
        self.rule = lru_cache(maxsize=64)(self._rule)
        self.length = lru_cache(maxsize=64)(self._length)

    def __call__(self, A: Array, slowest: float) -> Array:
        """R(-A), shape (n, n). slowest: minus the largest real part of the eigenvalues of A."""
        if not self.begin < self.end:
            return np.zeros_like(A)
        size = math.ceil(math.log2(max(_norm(A), LEAST)))
        rule = self.rule(self.length(math.floor(math.log2(max(slowest, LEAST)))), size)
        powers = _powers(A * rule.half)
        flat = powers.reshape(ORDERS, -1)
        onward = (INVERSE_FACTORIALS @ flat).reshape(A.shape)  # e^{Ah}
        first = (rule.first @ flat).reshape(A.shape)
        folded = (rule.moments @ flat).reshape(-1, *A.shape)
        while len(folded) > 1:
            onward = onward @ onward
            folded = folded[0::2] + onward @ folded[1::2]
        for _ in range(rule.squarings):
            first = first @ first
        return np.asarray(first @ folded[0])

    def _length(self, log2_slowest: int) -> float:
        """How much of the kernel counts: all of it, or 2^n until the rest is negligible beside its transform."""
        if math.isfinite(self.end):
            return self.end - self.begin
        fading = 2.0**log2_slowest
        length = 2.0 ** math.ceil(math.log2(max(1.0, 2 * (float(self.kernel.reach) - self.begin))))
        while True:
            x, weights = (each * length for each in _legendre(POINTS))
            sizes = abs(self._values(self.begin + x)) * np.exp(-fading * x)
            tail = log_tail(self._envelope, self.begin + length, fading) + fading * self.begin
            if tail <= NEGLIGIBLE + math.log(max(float(weights @ sizes), TINY)):
                return length
            if length > 2.0**40:
                raise ArithmeticError(f"the kernel {self.kernel.rho(t)} fades too slowly for the rates at hand")
            length *= 2

    @cached_property
    def _envelope(self) -> Envelope:
        return envelope(self.kernel.density(t), t)

    def _values(self, times: Array) -> Array:
        with Float64().working():
            return np.broadcast_to(np.asarray(self.density(times)[0], dtype=float), times.shape)

    def _rule(self, length: float, log2_size: int) -> _Rule:
        """The rule for |A| <= 2^log2_size: panels short enough for Taylor, and for Gauss-Legendre."""
        panels = 2 ** max(0, math.ceil(math.log2(length) + log2_size - 1))
        while panels <= MOST_PANELS:
            half = length / (2 * panels)
            moments, check = (self._moments(panels, half, points) for points in (POINTS, CHECK))
            if abs(moments - check).sum(axis=0).max() <= RESOLVED * math.fsum(abs(moments[:, 0])):
                squarings = math.ceil(math.log2(self.begin / half + 1))
                ratio = (self.begin / half + 1) / 2**squarings
                return _Rule(half, moments * INVERSE_FACTORIALS, INVERSE_FACTORIALS * ratio**POWERS, squarings)
            panels *= 2
        shown = f"{self.kernel.rho(t)} on a window of {length:.3g} at rates up to 2^{log2_size}"
        raise ArithmeticError(f"the kernel {shown} needs more than {MOST_PANELS} panels")

    def _moments(self, panels: int, half: float, points: int) -> Array:
        x, weights = _legendre(points)
        values = self._values(self.begin + 2 * half * (np.arange(panels)[:, None] + x))
        return values @ (2 * half * weights[:, None] * (2 * x[:, None] - 1) ** POWERS)


class _ExponentialTerm:
    """a e^{-w(t-L)}, t >= L, as a function of a matrix."""

    def __init__(self, kernel: Kernel, horizon: float) -> None:
        self.amplitude, self.rate, self.lag = (float(getattr(kernel, name)) for name in ("amplitude", "rate", "lag"))
        self.horizon = horizon

    def __call__(self, A: Array, slowest: float) -> Array:
        if not self.lag < self.horizon:
            return np.zeros_like(A)
        unit, n, seen = np.eye(len(A)), len(A), self.horizon - self.lag
        ends = expm(A * self.lag) if self.lag else unit
        if math.isfinite(seen):
            if (self.rate + slowest) * seen < 1:  # else no eigenvalue of A - w is nearer to 0 than 1 / (T-L)
                column = np.block([[A - self.rate * unit, unit], [np.zeros((n, 2 * n))]])
                return np.asarray(self.amplitude * expm(column * seen)[:n, n:] @ ends)
            ends = ends - expm(A * self.horizon - self.rate * seen * unit)
        return np.asarray(self.amplitude * np.linalg.solve(self.rate * unit - A, ends))


def _legendre(points: int) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1]."""
    x, weights = np.polynomial.legendre.leggauss(points)
    return (x + 1) / 2, weights / 2


def _powers(B: Array) -> Array:
    """B^j for j < ORDERS, doubling how many there are."""
    powers = np.empty((ORDERS, *B.shape), dtype=B.dtype)
    powers[0], powers[1] = np.eye(len(B)), B
    done = 2
    while done < ORDERS:
        more = min(done - 1, ORDERS - done)
        np.matmul(powers[1 : more + 1], powers[done - 1], out=powers[done : done + more])
        done += more
    return powers


def _norm(A: Array) -> float:
    """The largest sum of sizes in a column."""
    return float(np.abs(A).sum(axis=0).max())


POWERS = np.arange(ORDERS)
INVERSE_FACTORIALS = np.array([1 / factorial(j) for j in range(ORDERS)])


class DenseLandscape:
    """J and its derivatives at theta = (c, W, U), a flat vector of m + m^2 + m d numbers, W and U by rows.

    J in output^2 / input^2 * time. Guarantee: estimated, float64. On an infinite horizon every method raises NotHurwitz
    where W is not; ArithmeticError where a kernel and the rates are too far apart.
    """

    def __init__(self, problem: DenseProblem) -> None:
        self.problem = problem
        self.width, self.inputs = problem.start.width, problem.start.inputs
        self.horizon = float(problem.horizon)
        self._terms: list[list[_Term | _ExponentialTerm]] = [[] for _ in range(self.inputs)]
        for each in problem.target.terms:
            kind = _ExponentialTerm if isinstance(each, Exponential) else _Term
            self._terms[int(each.input) - 1].append(kind(each, self.horizon))
        start = problem.start
        numbers = [*start.readout, *sum(start.recurrent + start.input_weights, ())]
        self.start = np.array([float(x) for x in numbers])
        vanished = any(exact != 0 and near == 0 for exact, near in zip(numbers, self.start, strict=True))
        if vanished or not np.isfinite(self.start).all():
            raise ArithmeticError("a weight of the dense network is beyond float64, in which its flow is run")
        balls = Arb(30)
        with balls.working():
            self.target_norm = float(evaluate(weighted_square(problem.target.terms, sp.S.Zero, problem.horizon), balls))

    def network(self, theta: Array) -> Network:
        """theta as (c, W, U)."""
        m, d = self.width, self.inputs
        return Network(theta[:m], theta[m : m + m * m].reshape(m, m), theta[m + m * m :].reshape(m, d))

    def target_transform(self, k: int, A: Array, slowest: float) -> Array:
        """R_k(-A) (V1) of input k = 0 .. d-1 for a real or complex matrix A, shape (n, n).

        slowest: minus the largest real part of its eigenvalues.
        """
        return np.asarray(sum((term(A, slowest) for term in self._terms[k]), np.zeros_like(A)))

    def gain_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """(int |rho|^2 - J, grad J), the gradient of the shape of theta (H4), (H5), (V2), (V3)."""
        m = self.width
        c, W, U = self.network(theta)
        P_inf, Q_inf, rightmost = self._gramians(c, W, U)
        P, Q, G = P_inf, Q_inf, Q_inf @ P_inf
        if math.isfinite(self.horizon):
            E = expm(W * self.horizon)
            P, Q = P_inf - E @ P_inf @ E.T, Q_inf - E.T @ Q_inf @ E
            delayed = expm(_block(W, np.outer(P_inf @ (E.T @ c), c)) * self.horizon)[:m, m:]
            G = Q @ P_inf - delayed.T  # (V3)
        X, Y, Z = np.zeros_like(c), np.empty_like(U), np.zeros_like(W)
        for k in range(self.inputs):
            u = U[:, k]
            coupling = np.outer(u, c)
            scale = max(_norm(W), TINY) / max(_norm(coupling), TINY)  # Z_k is linear in u c^T: A stays as small as W
            R = self.target_transform(k, _block(W, scale * coupling), -rightmost)
            X += R[:m, :m] @ u
            Y[:, k] = R[:m, :m].T @ c
            Z += R[:m, m:].T / scale  # (V2)
        gain = 2 * c @ X - c @ P @ c
        gradient = 2 * np.concatenate((P @ c - X, (G - Z).ravel(), (Q @ U - Y).ravel()))  # (H5)
        return float(gain), gradient

    def _gramians(self, c: Array, W: Array, U: Array) -> tuple[Array, Array, float]:
        """P_inf, Q_inf (H2), (H3), and the largest real part of the eigenvalues of W, from one Schur form."""
        S, _, _, _, V, *_ = lapack.dgees(lambda re, im: None, W)  # W = V S V^T
        rightmost = float(S.diagonal().max())  # 2 x 2 blocks have their real part twice on the diagonal
        if math.isinf(self.horizon) and not rightmost < 0:
            raise NotHurwitz(f"an eigenvalue of W has the real part {rightmost:.3g}; the loss is infinite")
        B, b = V.T @ U, V.T @ c
        P, scale_P, near = lapack.dtrsyl(S, S, -B @ B.T, tranb="T")
        Q, scale_Q, _ = lapack.dtrsyl(S, S, -np.outer(b, b), trana="T")
        if near:
            raise ArithmeticError("two eigenvalues of W add up to zero; the Gramians are not determined")
        return V @ P @ V.T / scale_P, V @ Q @ V.T / scale_Q, rightmost  # they solve it for scale times the right side

    def gradient(self, theta: Array) -> Array:
        """grad J, the shape of theta."""
        return self.gain_and_gradient(theta)[1]

    def loss(self, theta: Array) -> float:
        """J."""
        return self.target_norm - self.gain_and_gradient(theta)[0]

    @cached_property
    def start_gain(self) -> float:
        """int |rho|^2 - J(0)."""
        return self.gain_and_gradient(self.start)[0]

    def drop(self, theta: Array) -> float:
        """J(0) - J, to about 1e-16 of the larger of int |rho|^2 and the gain."""
        return self.gain_and_gradient(theta)[0] - self.start_gain

    def hessian(self, theta: Array) -> Array:
        """The Hessian of J, shape (n, n), by central differences of the gradient; good to about 1e-9 of its size."""
        n, step = len(theta), HESSIAN_STEP * max(1.0, abs(theta).max())
        columns = [(self.gradient(theta + step * e) - self.gradient(theta - step * e)) / (2 * step) for e in np.eye(n)]
        hessian = np.array(columns)
        return (hessian + hessian.T) / 2

    def transfer_residuals(self, theta: Array) -> tuple["TransferResidual", ...]:
        """How far the network is from (M7), eigenvalue by eigenvalue of W; all small at a stationary point.

        For each eigenvalue with c^T v != 0, complex ones once a pair. Meaningful where eigenvalues are simple.
        """
        c, W, U = self.network(theta)
        eigenvalues, right = np.linalg.eig(W)
        left = np.linalg.inv(right)  # rows z^T
        found = []
        for i, l in enumerate(eigenvalues):
            if l.imag < 0 or abs(c @ right[:, i]) <= 1e-14 * np.linalg.norm(c):
                continue
            jordan = np.array([[l, 1], [0, l]])
            wanted = np.array([self.target_transform(k, jordan, -l.real)[0] for k in range(self.inputs)])
            actual = self._network_transform(c, W, U, l)
            b = left[i] @ U
            value = np.linalg.norm(actual[:, 0] - wanted[:, 0]) / np.linalg.norm(wanted[:, 0])
            slope = abs((actual[:, 1] - wanted[:, 1]) @ b) / (np.linalg.norm(wanted[:, 1]) * np.linalg.norm(b))
            found.append(TransferResidual(complex(l), float(value), float(slope)))
        return tuple(found)

    def _network_transform(self, c: Array, W: Array, U: Array, l: complex) -> Array:
        """int_0^T rho_hat(t) e^{lt} (1, t) dt, shape (d, 2), as a block of an exponential's integral."""
        m = self.width
        B = _block(W + l * np.eye(m), np.eye(m))
        whole = -np.linalg.inv(B)
        if math.isfinite(self.horizon):
            whole = whole - whole @ expm(B * self.horizon)
        return np.stack([c @ whole[:m, :m] @ U, c @ whole[:m, m:] @ U], axis=1)


class TransferResidual(NamedTuple):
    """(M7) at one eigenvalue of W: |Rhat - R| / |R| over all inputs, and of the slopes in the direction b; at -l."""

    eigenvalue: complex
    value: float
    slope: float


def _block(W: Array, D: Array) -> Array:
    """[[W, D], [0, W]]."""
    m = len(W)
    block = np.zeros((2 * m, 2 * m), dtype=W.dtype)
    block[:m, :m], block[:m, m:], block[m:, m:] = W, D, W
    return block
