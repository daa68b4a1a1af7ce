r"""An adaptive, L-stable collocation integrator, generic over the arithmetic.

One step from y by h: the stage displacements Z_1..Z_s of Radau IIA (collocation.py) solve

    D Z = h f(y + Z_i)                                                                                       (C1)

by Newton's method on D/h x I - blockdiag(f'(y + Z_i)), every stage with its own fresh Jacobian: a Jacobian frozen
over the step contracts only like h/(time left) and fails on a plateau. What makes it fast and keeps it honest:

- Scaled variables. Columns are scaled by the size of the displacement, rows by their largest entry, so that float64
  linear algebra serves numbers of any magnitude: signals of 1e-60 beside rates of order one.
- Mixed precision. Newton comes near with float64 factors: in float64 altogether where a twin of the system serves, else
  with Jacobians at working precision. Residuals at working precision then correct it with the same factors, gaining
  some 12 digits each. Where such factors are too inaccurate, they too are at working precision.
- Tolerances are relative to each component's own size, max(|y_i|, max_j |Z_ji|): the small ones carry the memory.
- The error estimate is the tail of the Legendre series of the step's polynomial (C2), of order s. The end point has
  order 2s - 1, so the tolerance on the estimate is about the square root of the accuracy wanted.
- On a plateau every step is like the last one on a smaller scale: what its first guess missed, the next will miss.
- Steps are predicted from the last two errors, Gustafsson's predictive controller for implicit methods (ACM TOMS 20
  (1994) 496, cited second-hand; his idea, our constants).
- The dense output has stage order only; an event is located by repeating the step with another h.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import numpy as np

from numerics.arithmetic import Arithmetic, Array, Float64
from numerics.collocation import Method, radau

MOST_ITERATIONS = 12
SAFETY, SHRINK, GROW = 0.9, 0.2, 8.0  # of the step-size controller
REST, LEAP = 1e-7, 30.0  # an error, in tolerances, that is roundoff, and the growth after such a step
CAREFUL = 1.25  # growth after a step at which Newton's method failed; allowed to recover by as much at every step
TINY = 1e-6  # part of a step in which its polynomial is nothing but roundoff
EARLY = 100.0  # times the square of a first correction: what the next one would be at most, for a good first guess
POOR = 1e-3  # a correction that contracts less than this wants better factors
LONGEST = {"float64": 10**290, "extended": 10**4800}  # step in an arithmetic of bounded range
FLOAT = Float64()


class System(Protocol):
    """An autonomous system y' = f(y) in one arithmetic; leading axes (stages) are free."""

    arithmetic: Arithmetic

    def rhs(self, y: Array) -> Array:
        """f(y), shape (..., n)."""

    def rhs_and_jacobian(self, y: Array) -> tuple[Array, Array]:
        """f(y) and f'(y), shapes (..., n) and (..., n, n)."""


@dataclass(frozen=True)
class Step:
    """An accepted step: from `before` to `after` in time h; `stages` are the displacements Z, shape (s, n)."""

    h: Any
    before: Array
    after: Array
    stages: Array
    error: float  # the largest component of (C2), relative

    @property
    def duration(self) -> Any:
        """In the time of the system, h; a Piece (numerics/slow_manifold.py) has another step."""
        return self.h


class StepFailed(ArithmeticError):
    """Newton's method did not converge, or roundoff rejects too many steps."""


@dataclass
class Factors:
    """LU factors of the scaled Newton matrix; columns in units of `columns`, rows of `rows`."""

    solve: Callable[[Array], Array]
    columns: Array
    rows: Array


class Discretised:
    """A system with D of (C1) in its arithmetic, and Z -> D Z."""

    def __init__(self, system: System, method: Method) -> None:
        self.system = system
        self.matrix = _reshaped(system.arithmetic, method.derivative)
        self.differentiate = system.arithmetic.linear(self.matrix)


def _reshaped(arithmetic: Arithmetic, matrix: Array) -> Array:
    return arithmetic.array(matrix.ravel()).reshape(matrix.shape)


class Integrator:
    """Radau IIA steps for one system.

    tolerance: on the error estimate (C2), relative to each component. accuracy: relative size at which Newton's
    corrections stop. twin: the same system in float64, or None where its numbers leave the float range. copies: pairs
    (component, an earlier one) that move alike along the solution, by equal steps, also where that is unstable.
    Counted: steps `accepted` and `rejected`, Newton `iterations`.
    """

    def __init__(
        self,
        system: System,
        stages: int,
        tolerance: float,
        accuracy: float,
        twin: System | None = None,
        copies: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.system, self.tolerance, self.accuracy = system, tolerance, accuracy
        self.arithmetic = system.arithmetic
        self.method: Method = radau(stages, self.arithmetic.digits)
        with self.arithmetic.working():
            self._working = Discretised(system, self.method)
            self._twin = Discretised(twin, self.method) if twin else None
            self._tail = self.arithmetic.linear(_reshaped(self.arithmetic, self.method.tail))
        self._float_derivative = self.method.derivative.astype(float)
        self.native = self.arithmetic.name == "float64"
        self._longest = LONGEST.get(self.arithmetic.name) and self.arithmetic.number(LONGEST[self.arithmetic.name])
        self._copies = copies
        self.accepted = self.rejected = self.iterations = 0
        self._resting, self._rest = 0, 4  # steps without float64 factors, and how many they will be the next time
        self._contraction = 1.0  # of the last correction at working precision

    # ---- one step -------------------------------------------------------------------------------------------------

    def step(self, y: Array, h: Any, guess: Array) -> Step:
        """Solve (C1) from y with step size h; guess: float or working Z, shape (s, n). Raises StepFailed."""
        Z = self._exactly(y, h, guess) if self.native else self._step_mixed(y, h, guess)
        for copy, original in self._copies:
            Z[:, copy] = Z[:, original]
        return Step(h, y, self.arithmetic.midpoint(y + Z[-1]), Z, self._error(y, Z))

    def _step_mixed(self, y: Array, h: Any, guess: Array) -> Array:
        """Near the solution with float64 factors, then corrected; where these fail needlessly they rest for a while."""
        if self._resting:
            self._resting -= 1
            return self._exactly(y, h, guess)
        try:
            if self._twin is not None:
                near = self._newton(self._twin, y.astype(float), float(h), guess, 1e-11)
            else:
                near = self._newton(self._working, y, h, guess, 1e-5, FLOAT)
            return self._correct(y, h, *near)
        except StepFailed:
            Z = self._exactly(y, h, guess)
            self._resting, self._rest = self._rest, 2 * self._rest  # their fault, not the step's
            return Z

    def _exactly(self, y: Array, h: Any, guess: Array) -> Array:
        """Newton at working precision throughout."""
        return self._newton(self._working, y, h, self._lift(guess), self.accuracy)[0]

    def _newton(
        self, side: Discretised, y: Array, h: Any, Z: Array, accuracy: float, linear: Arithmetic | None = None
    ) -> tuple[Array, Factors, float]:
        """Newton with fresh Jacobians at every stage, in the arithmetic of `side`, down to `accuracy` or to roundoff.

        linear: the arithmetic of the factors, if another. Returns Z, the last factors, and the relative change of Z
        since these were made.
        """
        arithmetic = side.system.arithmetic
        linear = linear or arithmetic
        D = side.matrix if linear is arithmetic else self._float_derivative
        previous = np.inf
        for count in range(MOST_ITERATIONS):
            self.iterations += 1
            f, jacobian = side.system.rhs_and_jacobian(y + Z)
            factors = _factorise(linear, D, h, jacobian, Z)
            correction = factors.solve((f - side.differentiate(Z) / h) / factors.rows)
            Z = arithmetic.midpoint(Z + factors.columns * correction)
            size = _relative(correction, factors.columns, y)
            if not size < 1e8 or (count > 4 and size > 0.1):
                break
            quadratic = size * (size / previous) ** 2 if previous < np.inf else EARLY * size**2
            if min(size, quadratic) < accuracy or (size < 1e-10 and size > previous / 4):
                return Z, factors, size  # the next correction would be below accuracy, or this one is roundoff
            previous = size
        raise StepFailed

    def _correct(self, y: Array, h: Any, Z: Array, factors: Factors, change: float) -> Array:
        """Residuals at working precision, factors from float64: linear convergence with a tiny factor.

        change: of Z since the factors were made; they cannot contract by less, nor by much less than in the last step.
        """
        previous, contraction = None, max(self._contraction, 10 * change)
        Z = self._lift(Z)
        for _ in range(MOST_ITERATIONS):
            self.iterations += 1
            residual = self.system.rhs(y + Z) - self._working.differentiate(Z) / h
            correction = factors.solve(residual / factors.rows)
            Z = self.arithmetic.midpoint(Z + self._lift(factors.columns * correction))
            size = _relative(correction, factors.columns, y.astype(factors.columns.dtype))
            if previous is not None:
                contraction = self._contraction = size / previous
            if size * contraction * 10 < self.accuracy:
                return Z
            if not size < 1 or (previous is not None and contraction > POOR):
                break
            previous = size
        raise StepFailed

    def _lift(self, Z: Array) -> Array:
        return self.arithmetic.array(Z.ravel()).reshape(Z.shape) if Z.dtype == float and not self.native else Z

    def _error(self, y: Array, Z: Array) -> float:
        """(C2), relative to the size of each component."""
        top = abs(self._tail(Z)).max(axis=0)
        size = np.maximum(abs(y), abs(Z).max(axis=0))
        return max((float(t / s) for t, s in zip(top, size, strict=True) if s > 0), default=0.0)

    # ---- many steps -----------------------------------------------------------------------------------------------

    def steps(self, y: Array, h: float) -> Iterator[Step]:
        """Accepted steps from y on, for ever; h is the first step size to try. The consumer decides when to stop.

        Raises StepFailed when the step size has shrunk below 1e-30 of its last good value, or an arithmetic of bounded
        range keeps failing.
        """
        h = self._time(h)
        smallest = h * 1e-30
        last: Step | None = None
        grow = GROW
        missed: Array | float = 0.0  # of Z by the last prediction, in units of that
        while True:
            if self._longest and (self.rejected > 30 + self.accepted / 5 or h > self._longest):
                raise StepFailed  # roundoff rules, or a rest that it cannot tell; more digits are needed
            try:
                predicted = self._predict(last, h, y)
                unit = abs(predicted).max(axis=0)
                step = self.step(y, h, predicted + missed * unit)
                if not isfinite(step.error):
                    raise StepFailed
            except StepFailed:
                self.rejected += 1
                h, grow = h / 4, CAREFUL
                if h < smallest:
                    raise
                continue
            ratio = max(step.error / self.tolerance, 1e-30)
            factor = SAFETY * ratio ** (-1 / self.method.stages)
            if ratio > 1:
                self.rejected += 1
                h = h * max(SHRINK, factor)
                continue
            if last is not None and last.error > 0 and step.error > 0:
                trend = float(step.h / last.h) * (last.error / step.error) ** (1 / self.method.stages)
                factor = min(factor, factor * max(trend, SHRINK))
            self.accepted += 1
            missed = (self._guess(step.stages) - predicted) / np.where(unit == 0, 1, unit) if last is not None else 0.0
            yield step
            last, y = step, step.after
            at_rest = self._longest and ratio < REST and grow == GROW  # roundoff says nothing of longer steps
            h = step.h * (LEAP if at_rest else min(grow, max(SHRINK, factor)))
            grow = min(GROW, grow * CAREFUL)
            smallest = h * 1e-30

    def _time(self, h: Any) -> Any:
        return h if self.native else self.arithmetic.array([h])[0]

    def _predict(self, last: Step | None, h: Any, y: Array) -> Array:
        """First guess of Z: the previous polynomial continued, or two Taylor terms; a spare needs both."""
        if last is None or h < last.h * TINY:
            slope, jacobian = self.system.rhs_and_jacobian(y)
            time = (self.method.float_nodes[1:].astype(slope.dtype) * h)[:, None]
            return self._guess(time * slope + time**2 / 2 * (jacobian @ slope))
        stages = self._guess(last.stages)
        return self.method.continuation(float(h / last.h)).astype(stages.dtype) @ stages

    def _guess(self, Z: Array) -> Array:
        return Z.astype(float) if self._twin is not None else Z

    def within(self, step: Step, h: Any) -> Step:
        """The same step cut to h <= step.h, solved afresh: as accurate at its end as any step."""
        if h < step.h * TINY:
            return self.step(step.before, h, self._predict(None, h, step.before))
        stages = self._guess(step.stages)
        inside = self.method.interpolation(float(h / step.h) * self.method.float_nodes[1:])
        return self.step(step.before, h, inside.astype(stages.dtype) @ stages)


def _factorise(linear: Arithmetic, D: Array, h: Any, jacobian: Array, Z: Array) -> Factors:
    """LU of D/h x I - blockdiag(jacobian), scaled first and then factorised in the arithmetic `linear`, that of D."""
    s, n = Z.shape
    columns = abs(Z).max(axis=0)
    columns[columns == 0] = 1
    diagonal, blocks = columns / h, jacobian * columns
    rows = np.maximum(abs(blocks).max(axis=2), diagonal)
    diagonal, blocks = diagonal / rows, blocks / rows[:, :, None]
    if single := D.dtype == float:
        diagonal, blocks = diagonal.astype(float), blocks.astype(float)
    matrix = np.zeros((s, n, s, n), dtype=D.dtype)
    for i in range(n):
        matrix[:, i, :, i] = D * diagonal[:, i, None]
    np.einsum("iaib->iab", matrix)[...] -= blocks

    def failing(call: Callable[[Array], Any], argument: Array) -> Any:
        try:
            return call(argument)
        except ZeroDivisionError as singular:  # some arithmetics notice when factorising, some when solving
            raise StepFailed from singular

    solve = failing(linear.solver, matrix.reshape(s * n, s * n))

    def solution(right: Array) -> Array:
        flat = right.ravel()
        return failing(solve, flat.astype(float) if single else flat).reshape(s, n)

    return Factors(solution, columns, rows)


def _relative(correction: Array, columns: Array, y: Array) -> float:
    """Largest correction, given in units of `columns` = max |Z_i|, relative to max(|y_i|, |Z_i|)."""
    share = columns / np.maximum(abs(y), columns)
    return float((abs(correction).max(axis=0) * share).max())
