r"""Good networks for any kernel: Kung's realisation of a Hankel operator on a graded grid, then weighted least squares.

On Gauss-Legendre nodes t_i with weights q_i the Hankel operator and its shift by tau are the symmetric matrices

    G_ij = sqrt(q_i q_j) rho(t_i + t_j) ,   G'_ij = sqrt(q_i q_j) rho(t_i + t_j + tau)                       (RZ1)

With the m eigenpairs of G that are largest in size, Lambda and U,  G' = O e^{W tau} C  with  O = U |Lambda|^{1/2},
C = sign(Lambda) O^T, gives the shift of a balanced network and from its eigenvalues z the rates

    e^{W tau} ~ |Lambda|^{-1/2} U^T G' U |Lambda|^{-1/2} sign(Lambda) ,   rates = -ln(z)/tau                 (RZ2)

real ones and complex pairs (ESPRIT; Kung 1978, cited from memory). Then all parameters of the modes
e^{-alpha t} (p cos beta t + q sin beta t) are fitted on the nodes by least squares with weights q_i/|e(t_i)| of the
round before (IRLS), for which sum q_i |e(t_i)| falls towards the L1 norm's minimum.

Panels are as short as rho is rough anywhere later, for rho(t + s) is seen at every s; they double where it is smooth.
float64, estimated: rates below 1e-9 of the fastest are noise. Derived here: the shift on a graded grid.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import least_squares

from numerics.arithmetic import Array
from numerics.balanced import check_width
from numerics.taylor_cells import float_kernel, rough_norm, tail_bound
from theory.dense import DenseRNN
from theory.pairs import Mode, of_modes
from theory.problem import Target
from theory.rnn import LinearRNN

POINTS = 12  # on a panel
RESOLVED = 1e-7  # of the largest |rho|: the last Legendre coefficients on a panel that is short enough
SHORTEST = 2.0**-7  # of a panel, in the time of the target: jumps are not resolved
TURNS = 10.0  # of the phase s t on a panel: its rule is good to 1e-9
FADED = 1e-7  # of the norm: what may lie beyond the nodes
LONGEST = 1e9  # the last node, in units of the reach, about
EARLIEST, AFTER = 32, 3  # panels double from a part of the reach, and some of them come after rho has faded
SHIFT = 0.5  # tau in first panels
MOST_PANELS = 200
WIDEST = 60
ROUNDS, EVALUATIONS = 12, 12  # of IRLS, and of each fit
SMOOTHED = 1e-3  # of the mean |e|: errors below it get no more weight
LEAST_RATE = 1e-12  # of 1/tau
UNSEEN = 0.999_999  # of pi/tau: there the eigenvalue z is a negative number
STEEPEST = 80.0  # of |ln alpha| during the fit


def realised(target: Target, width: int) -> LinearRNN | DenseRNN:
    """A good network of at most this width for a target of any kernels, of one input, with a small L1 error.

    width: hidden units m, 1 to 60; a complex pair of rates takes two.
    Returns a LinearRNN where all rates found are real, else a DenseRNN in blocks (theory/pairs.py).
    Guarantee: estimated: good, and not the best. Completely monotone targets have better: numerics.l1_refined.
    Raises ValueError for a bad width or several inputs, and where a kernel's tail is not known or it is too rough.
    """
    check_width(width, WIDEST)
    if any(term.input != 1 for term in target.terms):
        raise ValueError("target must be of one input; approximate the kernels of the inputs one by one")
    samples = Samples(target)
    alpha, beta = _rates(samples, width)
    fitted = _fit(samples, alpha, beta)
    return of_modes(Mode(*(repr(float(each)) for each in mode)) for mode in fitted)


@dataclass(frozen=True)
class Samples:
    """Nodes and weights on which a target is seen."""

    target: Target

    @cached_property
    def _kernel(self) -> Callable[[Array], Array]:
        return float_kernel([(1, term) for term in self.target.terms])

    def rho(self, times: Array) -> Array:
        """The target at times of any shape."""
        return self._kernel(times)

    @cached_property
    def panels(self) -> Array:
        """Ends of the panels, rising."""
        tails = [tail_bound(term) for term in self.target.terms]
        allowed = FADED * rough_norm([(1, term) for term in self.target.terms])
        begin = float(self.target.reach) + 1.0
        first = [0.0, *(begin / EARLIEST * 2.0**k for k in range(int(math.log2(EARLIEST)) + 1))]
        while sum(float(tail(first[-1])[0].upper()) for tail in tails) > allowed and first[-1] < LONGEST * begin:
            first.append(2 * first[-1])
        first += [first[-1] * 2.0**k for k in range(1, AFTER + 1)]
        first = sorted({*first, *map(float, self.target.breaks)})
        widths = [wide for pair in pairwise(first) for wide in self._resolved(*pair)]
        ends, length = [first[-1]], math.inf
        for wide in reversed(widths):
            length = min(length, wide)
            count = math.ceil(wide / length)
            ends += [ends[-1] - wide / count * (k + 1) for k in range(count)]
            if len(ends) > MOST_PANELS:
                raise ValueError(
                    f"target must be smoother for its reach: {MOST_PANELS} panels as short as its shortest features, "
                    f"{length:.2g}, do not cover [0, {begin - 1:.6g}]; scale the features or shorten the memory"
                )
        return np.array(ends[::-1])

    def _resolved(self, lower: float, upper: float) -> list[float]:
        """Widths of panels from lower to upper, each halved until rho is resolved on it."""
        x, _ = np.polynomial.legendre.leggauss(POINTS)
        middle, half = (lower + upper) / 2, (upper - lower) / 2
        coefficients = np.polynomial.legendre.legfit(x, self.rho(middle + half * x), POINTS - 1)
        if 2 * half <= SHORTEST or abs(coefficients[-3:]).max() <= RESOLVED * self._largest:
            return [upper - lower]
        return self._resolved(lower, middle) + self._resolved(middle, upper)

    @cached_property
    def _largest(self) -> float:
        return float(abs(self.rho(np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 4000)]))).max())

    @cached_property
    def nodes(self) -> tuple[Array, Array]:
        """(t_i, q_i)."""
        return _gauss(self.panels)

    def nodes_up_to(self, frequency: float) -> tuple[Array, Array]:
        """(t_i, q_i) for rho times cos(s t), s <= frequency: shorter panels where rho has not faded."""
        ends = [0.0]
        for a, b in pairwise(self.panels):
            here = abs(self.rho(np.linspace(a, b, POINTS))).max() > RESOLVED * self._largest
            ends += list(np.linspace(a, b, 1 + (math.ceil((b - a) * frequency / TURNS) if here else 1)))[1:]
        return _gauss(np.array(ends))


def _gauss(ends: Array) -> tuple[Array, Array]:
    x, q = np.polynomial.legendre.leggauss(POINTS)
    middles, halves = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    return (middles[:, None] + halves[:, None] * x).ravel(), (halves[:, None] * q).ravel()


def _rates(samples: Samples, width: int) -> tuple[Array, Array]:
    """(alpha, beta >= 0) of the modes, by (RZ2); a pair counts twice towards the width."""
    times, weights = samples.nodes
    roots, shift = np.sqrt(weights), SHIFT * np.diff(samples.panels).min()
    sums = np.add.outer(times, times)
    scaled = lambda at: roots[:, None] * samples.rho(at) * roots
    values, vectors = eigh(scaled(sums))
    chosen = np.argsort(-abs(values))[:width]
    balance = np.sqrt(abs(values[chosen]))
    U = vectors[:, chosen] / balance
    moved = U.T @ scaled(sums + shift) @ U * np.sign(values[chosen])
    rates = -np.log(np.linalg.eigvals(moved).astype(complex)) / shift
    least = LEAST_RATE / shift
    kept = rates[(rates.imag >= 0) | (rates.imag < -UNSEEN * math.pi / shift)]  # ln of z < 0 may have either sign
    real = (kept.imag < LEAST_RATE * abs(kept)) | (kept.imag > UNSEEN * math.pi / shift)  # a mode for z < 0: |z|
    return np.maximum(kept.real, least), np.where(real, 0.0, kept.imag)


def _fit(samples: Samples, alpha: Array, beta: Array) -> Array:
    """Modes (p, q, alpha, beta), shape (k, 4), with a small sum q_i |e(t_i)|."""
    times, weights = samples.nodes
    wanted, paired = samples.rho(times), beta > 0
    k = len(alpha)

    def unpacked(theta: Array) -> tuple[Array, Array, Array, Array]:
        p, rest = theta[:k], theta[k:]
        q, turning = np.zeros(k), np.zeros(k)
        q[paired], turning[paired] = rest[: paired.sum()], rest[paired.sum() + k :]
        return p, q, np.exp(np.clip(rest[paired.sum() : paired.sum() + k], -STEEPEST, STEEPEST)), turning

    def parts(theta: Array) -> tuple[Array, Array, Array]:
        _, _, alpha, beta = unpacked(theta)
        with np.errstate(under="ignore"):
            decay = np.exp(-np.multiply.outer(times, alpha))
        angle = np.multiply.outer(times, beta)
        return decay * np.cos(angle), decay * np.sin(angle), alpha

    def error(theta: Array) -> Array:
        p, q, _, _ = unpacked(theta)
        cosines, sines, _ = parts(theta)
        return cosines @ p + sines @ q - wanted

    def jacobian(theta: Array) -> Array:
        p, q, _, _ = unpacked(theta)
        cosines, sines, alpha = parts(theta)
        late = times[:, None]
        by_alpha = -late * alpha * (cosines * p + sines * q)
        by_beta = late * (cosines * q - sines * p)
        return np.hstack([cosines, sines[:, paired], by_alpha, by_beta[:, paired]])

    def linear(theta: Array, scale: Array) -> Array:
        """theta with the best amplitudes for these weights."""
        columns = jacobian(theta)[:, : k + paired.sum()] * scale[:, None]
        found = theta.copy()
        found[: columns.shape[1]] = np.linalg.lstsq(columns, wanted * scale, rcond=1e-13)[0]
        return found

    theta = np.concatenate([np.zeros(k + paired.sum()), np.log(alpha), beta[paired]])
    theta = best = linear(theta, np.sqrt(weights))
    least = weights @ abs(error(theta))
    for _ in range(ROUNDS):
        size = abs(error(theta))
        scale = np.sqrt(weights / np.maximum(size, SMOOTHED * (weights @ size) / weights.sum()))
        theta = linear(theta, scale)
        fitted = least_squares(
            lambda theta, scale=scale: error(theta) * scale,
            theta,
            lambda theta, scale=scale: jacobian(theta) * scale[:, None],
            x_scale="jac",
            max_nfev=EVALUATIONS,
        )
        theta = fitted.x
        if weights @ abs(error(theta)) < least:
            best, least = theta, weights @ abs(error(theta))
    p, q, alpha, beta = unpacked(best)
    return np.stack([p, np.where(beta < 0, -q, q), alpha, abs(beta)], axis=1)
