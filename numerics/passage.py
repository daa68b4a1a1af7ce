r"""What a run passes inside its steps: states and times between the ends of a step, whichever engine took it.

In time the state is the collocation polynomial (C1) through the stages, at a part x of the step. In the slow rate it is
w = w_p - h x with u = kappa(w) U and v, U and v the polynomials of the piece (C3); and the time that has passed is (C5)
of the part of the piece above, on which 1/|G| = sum_k q_k P_k(2y/x - 1), 0 <= y <= x, has a series of its own:

    tau(x) = (x h / kappa_p^2) sum_k (-1)^k q_k e^{-z} i_k(z) ,   z = L h x                                      (C6)

A positive quadrature again, so that log10 tau is good for any x, and there are x for every decade: on a long plateau
the first piece holds nearly all of them in a part of its length that no float can name. Logarithms are taken of balls,
and only then rounded: tau ~ 10^600000 and a drop of 10^-600000 are floats here.

A drop is the square of a displacement u ~ e^{-wL} from the start, and (D2) finds it among terms of the size of u. On a
plateau it is the work done instead, of gradients without cancellation,

    J(0) - J(z_0 + u) = -int_0^1 u . grad J(z_0 + s u) ds = -(u . grad J(s_1) + u . grad J(s_2))/2 + O((L u)^4)  (C7)

by Gauss and Legendre, s = 1/2 -+ 1/sqrt 12; z_0 is the start with units of amplitude 0 at the rates they have now.

Guarantee: estimated; inside a step the states have about half the digits of its ends, and at most 15. (C6) and (C7) are
derived here.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.answer import log10
from numerics.arithmetic import Arb, Array, Float64
from numerics.collocation import radau
from numerics.extended import Extended
from numerics.integrator import Step
from numerics.landscape import Landscape
from numerics.slow_clock import elapsed
from numerics.slow_manifold import Piece
from theory.problem import Problem

DIGITS = 50  # working digits for states in balls: of a float, and of rates told apart in e^{-wL}


def inside(step: Step | Piece, points: Array) -> tuple[Array, Array]:
    """(times since the step began, displacements (n, 2m)) at parts x of a step, 0 < x <= 1, floats or balls, rising."""
    with Arb(DIGITS).working():
        if isinstance(step, Piece):
            return _inside_piece(step, points)
        through = radau(len(step.stages)).interpolation(points).astype(step.stages.dtype)
        return np.array([step.h * float(x) for x in points]), step.before + through @ step.stages


def _inside_piece(piece: Piece, points: Array) -> tuple[Array, Array]:
    manifold, frame, h = piece.manifold, piece.frame, piece.h
    method, nearest = radau(len(piece.values) - 1), points.astype(float)
    U = piece.values[0] + method.interpolation(nearest).astype(object) @ (piece.values[1:] - piece.values[0])
    kappa = frame.kappa * np.array([(frame.lag * h * x).exp() for x in points])
    states = np.empty((len(points), U.shape[1] + 1), dtype=object)
    states[:, manifold.others] = np.where(manifold.fast, kappa[:, None], 1) * U
    states[:, manifold.clock] = piece.before[manifold.clock] - h * points
    slowness = (piece.speed[0] / piece.speed).astype(float)  # 1/|G| in units of its first value
    to_series = method.legendre.astype(float)
    times = []
    for x, near in zip(points, nearest, strict=True):
        part = slowness[0] + method.interpolation(near * method.float_nodes) @ (slowness[1:] - slowness[0])
        times.append(elapsed(frame.kappa, frame.lag, h * x, to_series @ part) / piece.speed[0])  # (C6)
    return np.array(times), states


def spread(tau: Any, step: Step | Piece, count: int) -> Array:
    """About `count` parts x, rising to 1, of a step that begins at tau: dense at both ends and in decades of tau."""
    close = (1 - np.cos(np.linspace(0, np.pi, count + 1)[1:])) / 2
    if isinstance(step, Step):
        return close
    first = tau * step.frame.kappa**2 * step.speed[0] / (10 * step.h)  # passed after a tenth of tau
    decades = -log10(first) if first > 0 else 0.0
    if decades < 2:
        return close
    exponents = decades * np.linspace(-1, 0, count // 2, endpoint=False)
    points = [flint.arb(10) ** each for each in exponents] + [flint.arb(each) for each in close[1::2]]
    return np.array(sorted(points, key=lambda x: x.mid()), dtype=object)


@dataclass(frozen=True)
class States:
    """States on the way, n of them, for a network of width m, as floats.

    log10_tau: shape (n,), of gradient-flow time. log10_drop: shape (n,), of J(0) - J in output^2 / input^2 * time, nan
    where roundoff has made that negative. amplitudes, rates: shape (n, m); an amplitude below 1e-308 is 0.
    """

    log10_tau: Array
    log10_drop: Array
    amplitudes: Array
    rates: Array


class Reader:
    """Reads the steps that escape_time shows to a watcher: the flow as it comes, one state after the other.

    problem: the one that is integrated. Here the last state before the escape is kept, and all others are forgotten:

    >>> from theory.kernels import Exponential, Gaussian
    >>> from theory.problem import Target
    >>> from theory.rnn import LinearRNN
    >>> from numerics.escape import escape_time
    >>> target = Target([Exponential(), Gaussian(lag="1000")])
    >>> problem = Problem(target, LinearRNN.of(["1", "0"], ["1", "0.7"]), "0.001")
    >>> reader, last = Reader(problem), []
    >>> def watch(tau, step):
    ...     last[:] = [reader.read(tau, step)]
    >>> found = escape_time(problem, digits=6, watch=watch)
    >>> print(found.tau, last[0].log10_tau.round(6), last[0].rates.round(6))
    1.76954e+597 [597.247861] [[1.000258 0.001371]]
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def read(self, tau: Any, step: Step | Piece, points: Array | None = None) -> States:
        """The states at parts x of a step that begins at tau, 0 < x <= 1, rising; without points, that at its end."""
        if points is None:
            times, states = np.array([step.duration]), step.after[None]
        else:
            times, states = inside(step, points)
        m = self.problem.start.width
        rows = self.rows(tau, times, states)
        return States(rows[:, 0], self.log10_drop(states), rows[:, 1 : 1 + m], rows[:, 1 + m :])

    def rows(self, tau: Any, times: Array, states: Array) -> Array:
        """log10 tau, amplitudes and rates, shape (n, 1 + 2m), of displacements `states` at times after tau."""
        landscape = self._landscape(states)
        with landscape.arithmetic.working():
            amplitudes, rates = (part.astype(float) for part in landscape.units(states))
            return np.column_stack([[log10(tau + time) for time in times], amplitudes, rates])

    def log10_drop(self, states: Array) -> Array:
        """log10 of J(0) - J of displacements, shape (n,)."""
        landscape = self._landscape(states)
        with landscape.arithmetic.working():
            return np.array([log10(_drop(landscape, state)) for state in states])

    def _landscape(self, states: Array) -> Landscape:
        if states.dtype == object:
            return self._balls
        return self._native if states.dtype == float else self._extended

    @cached_property
    def _native(self) -> Landscape:
        return Landscape(self.problem, Float64())

    @cached_property
    def _extended(self) -> Landscape:
        return Landscape(self.problem, Extended())

    @cached_property
    def _balls(self) -> Landscape:
        return Landscape(self.problem, Arb(DIGITS))


def _drop(landscape: Landscape, y: Array) -> Any:
    """J(0) - J: by (D2), or where that would cancel more than a third of the digits by (C7)."""
    arithmetic, m = landscape.arithmetic, landscape.width
    start = landscape.start.copy()
    silent = np.flatnonzero(landscape.units(start)[0] == 0)
    start[m + silent] = y[m + silent]
    u = y - start
    if abs(u).max() > 10.0 ** (-arithmetic.digits / 3):
        return landscape.drop(y)
    half, offset = arithmetic.number(sp.Rational(1, 2)), arithmetic.functions["sqrt"](arithmetic.number(12))
    nodes = np.array([half - 1 / offset, half + 1 / offset])[:, None]
    return -(landscape.gradient(start + nodes * u) * u).sum() / 2  # (C7)
