r"""A Hankel operator on piecewise polynomials: the matrix of any memory kernel, jumps included.

The half-line is cut at T into panels. On each, the orthonormal basis belongs to the p Gauss nodes t_i with weights w_i,

    psi_i(t) = sqrt(w_i) sum_{n<p} phi_n(t_i) phi_n(t) ,   phi_n the normalised Legendre polynomials         (Y1)

Where rho(t+s) is analytic on a pair of panels, Gauss' rule in t and s turns Galerkin's matrix into Nystroem's,

    M_ij = <psi_i, Gamma psi_j> ~ sqrt(w_i) rho(t_i + t_j) sqrt(w_j)                                         (Y2)

and where a line t + s = b on which rho breaks cuts a pair, the double integral is split along it         (Y3)

The singular vectors break at every b, and where one breaks at c, at b - c too, one order smoother: these points, to the
depth DEPTH, are panel ends. Panels must resolve rho(t+s) at all t >= 0, so the panel at s is as wide as the narrowest
that a p = POINTS expansion of rho needs anywhere beyond s                                                   (Y4)

What is cut beyond T changes a singular value by about (int_T^inf |rho|)^2 / sigma, squared as eigenvectors are
stationary. Everything here is estimated: two discretisations are compared. Derived here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Arithmetic, Array, Float64
from numerics.compiling import bind, evaluate
from numerics.tails import log_tail
from theory.decay import envelope
from theory.kernels import Kernel, t
from theory.problem import Target

POINTS = 16  # of the expansion that decides how wide a panel is, to RESOLVED of the largest |rho|
RESOLVED = 1e-13
MISFIT = 100  # of that, how far from rho an expansion may be at samples
FINE = 40  # samples in a unit or a decade of time
MOST_INTERVALS = 5000
DEPTH, MOST_ENDS = 3, 24  # of breaks that breaks make
NARROWEST = 2.0**-40  # of the time in which the kernel acts, for a panel
FARTHEST = 1e60
TINY = 1e-13  # relative; a line this close to a corner of two panels goes through it


class TooMany(ValueError):
    """The kernel needs more panels than can be afforded."""


@dataclass(frozen=True)
class Mesh:
    """Panel ends, exact, shape (panels + 1,), and the pieces of rho: where each begins, in order, and its formula."""

    ends: tuple[sp.Expr, ...]
    starts: tuple[sp.Expr, ...]
    pieces: tuple[sp.Expr, ...]


def mesh(kernels: Sequence[Kernel], digits: float, most: int) -> Mesh:
    """Panels by (Y4), for a relative error of about 10^-digits of what is cut. Raises TooMany beyond `most` panels."""
    target, T = Target(tuple(kernels)), last_time(kernels, digits)
    starts, size, samples = (sp.S.Zero, *target.breaks), _largest(kernels), _samples(kernels)
    narrowest = NARROWEST * _acting(kernels)  # not of T: what fades like a power of t is cut very late
    pieces = tuple(target.piece(start) for start in starts)
    widths = [
        each
        for start, end, piece in zip(starts, (*starts[1:], None), pieces, strict=True)
        for each in _widths(piece, float(start), T if end is None else float(end), samples, size, narrowest)
    ]
    ends: list[sp.Expr] = []
    marks = [*_breaks_of_vectors(target.breaks, T), sp.Rational(T)]
    for left, right in zip([sp.S.Zero, *marks], marks, strict=False):
        ends += _cut(left, right, widths, most)
    if len(ends) > most:
        raise TooMany(f"target must be smoother, or its memory shorter: it takes over {most} panels to resolve it")
    return Mesh((*ends, marks[-1]), starts, pieces)


def last_time(kernels: Sequence[Kernel], digits: float) -> float:
    """T with (int_T^inf |rho|)^2 below 10^-digits, in the units of the largest |rho|."""
    T, size = _acting(kernels), _largest(kernels)
    while sum(_beyond(kernel, T) for kernel in kernels) > 10.0 ** (-digits / 2) * size:
        T *= 1.5
        if T > FARTHEST:
            raise TooMany(f"target must fade faster: too much of it is beyond t = {FARTHEST:g} for {digits:.0f} digits")
    return T


def _acting(kernels: Sequence[Kernel]) -> float:
    """About the time in which the kernels act and have not begun to fade."""
    return max(1.0, *(2 * float(kernel.reach) for kernel in kernels), *map(float, Target(tuple(kernels)).breaks))


def _largest(kernels: Sequence[Kernel]) -> float:
    """About the largest |rho_j| of the terms."""
    times, sizes = _samples(kernels), []
    for kernel in kernels:
        rho = _function(kernel.density(t), Float64())
        sizes.append(np.nanmax(abs(rho(times[times >= float(kernel.support[0])]))))  # far out it may be 0 times inf
    return float(max(sizes))


def _beyond(kernel: Kernel, T: float) -> float:
    known = kernel.tail(sp.Rational(T))
    return math.exp(min(300.0, log_tail(envelope(kernel.density(t), t), T))) if known is None else float(sp.N(known))


def _function(piece: sp.Expr, arithmetic: Arithmetic) -> Callable[[Array], Array]:
    bound = bind((t,), (piece,), arithmetic)
    return lambda times: bound(times)[0] + 0 * times  # an array, where the piece is constant


def _samples(kernels: Sequence[Kernel]) -> Array:
    """Times at which an expansion of rho must hold: dense where a term begins and where it acts."""
    around = np.outer([-1.0, 1.0], np.append(np.linspace(0, 1, FINE), np.geomspace(1e-9, 1e9, 10 * FINE))).ravel()
    centres = {float(point) for kernel in kernels for point in (kernel.support[0], kernel.reach)}
    return np.concatenate([centre + around for centre in centres])


def _widths(
    piece: sp.Expr, left: float, right: float, samples: Array, largest: float, narrowest: float
) -> list[tuple[float, float]]:
    """(right end, width) of the intervals on which POINTS polynomials resolve a piece, from left to right."""
    rho, waiting = _function(piece, Float64()), [(left, right)]
    found: list[tuple[float, float]] = []
    x, _ = np.polynomial.legendre.leggauss(POINTS)
    to_coefficients = np.linalg.inv(np.polynomial.legendre.legvander(x, POINTS - 1))
    samples = np.concatenate([samples, np.linspace(left, right, 10 * FINE)])
    while waiting:
        if len(found) > MOST_INTERVALS:
            raise TooMany(f"target must be smoother, or its memory shorter: {piece} needs over {MOST_INTERVALS} panels")
        low, high = waiting.pop()
        centre, half = (low + high) / 2, (high - low) / 2
        coefficients = to_coefficients @ rho(centre + half * x)
        samples_here = samples[(low <= samples) & (samples <= high)]
        misfit = rho(samples_here) - np.polynomial.legendre.legval((samples_here - centre) / half, coefficients)
        error = max(abs(coefficients[-3:]).max(), abs(misfit).max(initial=0.0) / MISFIT)
        if error <= RESOLVED * largest or half < narrowest:
            found.append((high, high - low))
        else:
            waiting += [(centre, high), (low, centre)]
    return found


def _breaks_of_vectors(breaks: Sequence[sp.Expr], T: float) -> list[sp.Expr]:
    """Where singular vectors break, in order, as far as they are worth a panel end."""
    found, fresh = {each: float(each) for each in breaks}, list(breaks)
    for _ in range(DEPTH):
        made = {sp.nsimplify(b - c) for b in breaks for c in fresh if 0 < float(b - c) < T}
        fresh = [each for each in made if all(abs(float(each) - x) > 1e-12 * T for x in found.values())]
        found |= {each: float(each) for each in fresh[: MOST_ENDS - len(found)]}
    return sorted((each for each, x in found.items() if x < T), key=found.__getitem__)


def _cut(left: sp.Expr, right: sp.Expr, widths: list[tuple[float, float]], most: int) -> list[sp.Expr]:
    """Left ends of panels from left to right, none wider than (Y4) allows."""
    ends, here, stop = [left], float(left), float(right)
    while len(ends) <= most:
        allowed = min((width for end, width in widths if end > here), default=stop - here)
        if here + 1.25 * allowed >= stop:
            break
        here += allowed
        ends.append(sp.Rational(here))
    return ends


def matrix(mesh: Mesh, points: int, arithmetic: Arithmetic) -> Array:
    """M of (Y2), (Y3), shape (N, N), N = panels * points, symmetric; use inside `arithmetic.working()`."""
    built = _Galerkin(mesh, points, arithmetic)
    panels = range(len(mesh.ends) - 1)
    blocks = {(q, r): built.block(q, r) for q in panels for r in panels[q:]}
    whole = np.block([[blocks[q, r] if q <= r else blocks[r, q].T for r in panels] for q in panels])
    return (whole + whole.T) / 2  # (Y3) is symmetric but for the highest polynomials


class _Galerkin:
    """Blocks of M, panel by panel."""

    def __init__(self, mesh: Mesh, points: int, arithmetic: Arithmetic) -> None:
        self.arithmetic, self.points = arithmetic, points
        self.sqrt = arithmetic.functions["sqrt"]
        nodes, weights = zip(*_gauss(points, arithmetic.digits), strict=True)
        self.x, self.w = arithmetic.array(nodes), arithmetic.array(weights)
        self.ends = [evaluate(each, arithmetic) for each in mesh.ends]
        self.rough = [float(each) for each in mesh.ends]
        self.starts = [evaluate(each, arithmetic) for each in mesh.starts]
        self.breaks = [float(each) for each in mesh.starts[1:]]
        self.pieces = [_function(piece, arithmetic) for piece in mesh.pieces]
        panels = range(len(self.ends) - 1)
        self.rules = [self._rule(self.ends[q], self.ends[q + 1]) for q in panels]

    def _rule(self, left: Any, right: Any) -> tuple[Array, Array]:
        """Nodes and weights on an interval."""
        half = (right - left) / 2
        return (left + right) / 2 + half * self.x, half * self.w

    def _rho(self, times: Array, middle: float) -> Array:
        """rho on an interval without breaks, by its middle."""
        return self.pieces[sum(middle > each for each in self.breaks)](times)

    def block(self, q: int, r: int) -> Array:
        low, high = self.rough[q] + self.rough[r], self.rough[q + 1] + self.rough[r + 1]
        inside = [k for k, each in enumerate(self.breaks, 1) if low + TINY * high < each < high - TINY * high]
        (t, v), (s, w) = self.rules[q], self.rules[r]
        if not inside:
            rho = self._rho(np.add.outer(t, s).ravel(), (low + high) / 2).reshape(len(t), len(s))
            return np.multiply.outer(self.sqrt(v), self.sqrt(w)) * rho  # (Y2)
        return self._split(q, r, [self.starts[k] for k in inside])

    def _split(self, q: int, r: int, lines: list[Any]) -> Array:
        """(Y3): pieces of t between the corners of the lines t + s = b, and of s between the lines."""
        corners = [b - end for b in lines for end in self.ends[r : r + 2]]
        total: Any = 0
        for left, right in _pieces(self.ends[q], self.ends[q + 1], corners):
            outer, weights = self._rule(left, right)
            rows = [self._row(time, r, lines) for time in outer]
            total = total + (self._polynomials(q, outer) * weights) @ np.array(rows)
        return self._to_nodes(q) @ total @ self._to_nodes(r).T

    def _row(self, time: Any, r: int, lines: list[Any]) -> Array:
        """int rho(time + s) phi_n(s) ds over panel r, shape (points,)."""
        row: Any = 0
        for left, right in _pieces(self.ends[r], self.ends[r + 1], [b - time for b in lines]):
            inner, weights = self._rule(left, right)
            rho = self._rho(time + inner, float(time) + float(left + right) / 2)
            row = row + self._polynomials(r, inner) @ (rho * weights)
        return row

    def _polynomials(self, q: int, times: Array) -> Array:
        """phi_n on panel q, shape (points, times)."""
        half = (self.ends[q + 1] - self.ends[q]) / 2
        x = (times - self.ends[q] - half) / half
        below, here = 0 * x, 0 * x + 1
        rows = []
        for n in range(self.points):
            rows.append(here * self.sqrt((2 * n + 1) / (2 * half)))
            below, here = here, ((2 * n + 1) * x * here - n * below) / (n + 1)
        return np.array(rows)

    def _to_nodes(self, q: int) -> Array:
        """sqrt(w_i) phi_n(t_i) of (Y1), shape (points, points)."""
        times, weights = self.rules[q]
        return (self._polynomials(q, times) * self.sqrt(weights)).T


def _pieces(left: Any, right: Any, marks: list[Any]) -> list[tuple[Any, Any]]:
    """[left, right] cut at those marks that lie inside."""
    inside = sorted((mark for mark in marks if left < mark < right), key=float)
    return list(zip([left, *inside], [*inside, right], strict=True))


@lru_cache(maxsize=16)
def _gauss(points: int, digits: int) -> list[tuple[flint.arb, flint.arb]]:
    """Nodes and weights on [-1, 1]."""
    with Arb(digits + 5).working():
        return [flint.arb.legendre_p_root(points, k, weight=True) for k in range(points)]
