r"""The slow manifold of a plateau, piece by piece in the slow rate: w as the clock.

One spare unit has the slow rate w; u are the fast components of the state (all amplitudes, matched rates), v the rates
of other spares, slow like w. With kappa(w) falling like the bump's transform B, L = -B'/B at the top of a piece,

    kappa = |B(w_p)| e^{-(w - w_p) L} ,   u = kappa U ,   u' = kappa F ,   v' = kappa^2 H ,   w' = kappa^2 G (C3)

F, G, H, U are of order one whatever the memory. Along the trajectory w falls, and may replace tau: U(w), v(w) obey

    kappa^2 G (U_w - L U) = F ,   G v_w = H ,   tau = int dw / w' = int e^{2 L (w - w_p)} dw / (kappa_p^2 G) (C4)

exactly, with nothing eliminated. Where kappa^2 is small the first equation is almost F(U, w) = 0, a smooth slow
manifold: a few polynomials in w carry a plateau of any length. On a piece w = w_p - h x, 0 <= x <= 1, (C4) holds at the
Radau nodes, and the polynomial starts from the state reached. The first piece has no state on the manifold to start
from: there the first equation holds at x = 0 too, and that picks the slow solution. The clock is integrated with its
exponential in closed form (C5), numerics/slow_clock.py.

Newton's method solves (C4) at all nodes at once, residuals at working precision, factors in float64. With several
spares U depends on v like the inverse of a nearly singular Gram matrix. The rows of each node are reduced at working
precision first; and a change of v by x leaves an error of x^2 in F but of x^2 g^{-1} in U, g the slowest fast rate, so
that Newton's method would converge only from closer than g. F is nearly linear in U: before every step U is made to
follow v, and what is left to Newton's method is v on the manifold, which is as smooth as the problem.

(C4) is the chain rule. Derived here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Arb, Array, Float64
from numerics.collocation import Method, radau
from numerics.flow import GradientFlow
from numerics.integrator import StepFailed
from numerics.slow_clock import elapsed

MOST_ITERATIONS = 25
POOR = 1e-3  # a correction that contracts less than this wants a fresh Jacobian
RESTING = 1e-10  # relative change of the fast components that is none
FLOAT = Float64()


@dataclass(frozen=True)
class Frame:
    """Units of (C3) on a piece: kappa at its top, and the lag L."""

    kappa: Any
    lag: Any


@dataclass(frozen=True)
class Piece:
    """The trajectory on w = w_p - h x, 0 <= x <= 1: polynomials through its values at the nodes c_0 = 0, ..., c_s = 1.

    manifold: whose piece it is. before, after: states (2m,). values: U and v, shape (s + 1, 2m - 1). speed: |G|, shape
    (s + 1,). duration: in gradient-flow time. error: the largest tail of the Legendre series of any component and of
    1/|G|, relative.
    """

    manifold: "SlowManifold" = field(repr=False)
    h: Any
    frame: Frame
    before: Array
    after: Array
    values: Array
    speed: Array
    duration: Any
    error: float


class SlowManifold:
    """Pieces of the trajectory of one flow, in Arb, with the rate of the unit `spare` as the clock.

    Call the methods inside `arithmetic.working()`.
    """

    def __init__(self, flow: GradientFlow, spare: int) -> None:
        assert isinstance(flow.arithmetic, Arb)  # the exponents of kappa know no bounds
        self.flow, self.arithmetic, self.spare = flow, flow.arithmetic, spare
        m = flow.landscape.width
        self.clock = m + spare  # component of the slow rate
        matched = [m + unit for unit, (a, _) in enumerate(flow.landscape.problem.reference) if a != 0]
        fast = [*range(m), *matched]
        slow = [each for each in range(m, 2 * m) if each not in matched and each != self.clock]
        self.others = np.array(fast + slow)  # components of (u, v)
        self.fast = np.arange(len(self.others)) < len(fast)

    def frame(self, y: Array) -> Frame:
        """The units of (C3) at a state. Raises StepFailed where the bump has no transform to measure by."""
        rate = self.flow.landscape.units(y)[1][self.spare]
        B, slope = self.flow.landscape.bump(rate)
        if B == 0 or not rate > 0:
            raise StepFailed
        lag = -slope / B
        return Frame(abs(B).mid(), lag.mid() if lag > 0 else flint.arb(0))

    def relaxed(self, y: Array) -> tuple[Array, float]:
        """Where the fast components of y come to rest with the rates of all spares held, and the slowest fast rate.

        The rate by inverse iteration: close spares make it too small for float64. Raises StepFailed.
        """
        fast = self.others[self.fast]
        y = y.copy()
        for _ in range(MOST_ITERATIONS):
            f, jacobian = self.flow.rhs_and_jacobian(y)
            block = jacobian[np.ix_(fast, fast)]
            solve = self.arithmetic.inverse(block).__matmul__
            change = self.arithmetic.midpoint(solve(f[fast]))
            y[fast] = self.arithmetic.midpoint(y[fast] - change)
            if abs(change).max() < RESTING * abs(y[fast]).max():
                slowest = y[fast]
                for _ in range(10):
                    slowest, before = self.arithmetic.midpoint(solve(slowest)), slowest
                    rate = -(before * before).sum() / (before * slowest).sum()
                return y, float(rate)
        raise StepFailed

    def piece(
        self, y: Array, h: Any, stages: int, accuracy: float, free: bool = False, guide: Piece | None = None
    ) -> Piece:
        """The piece of length h > 0 below the rate of y.

        free: y is not on the manifold yet, find it. guide: the piece that ends at y, or one that begins there and is
        longer, to take first guesses from. accuracy: relative size at which Newton's corrections stop.
        Raises StepFailed where Newton's method does not converge or the rate does not fall all the way.
        """
        method = radau(stages, self.arithmetic.digits)
        frame = self.frame(y)
        x = self.arithmetic.array(method.nodes)
        kappa = frame.kappa * np.array([(frame.lag * h * each).exp().mid() for each in x])
        points = np.tile(y, (stages + 1, 1))
        points[:, self.clock] = self.arithmetic.midpoint(y[self.clock] - h * x)
        scale = np.where(self.fast, kappa[:, None], 1)
        guess = self._straight(y, points) if guide is None else self._continued(guide, y, points, method, h)
        U = guess[:, self.others] / scale
        unknown = np.full(U.shape, True)
        unknown[0] = self.fast & free
        system = _Invariance(self, frame, h, method, points, scale, kappa)
        U[0] = np.where(unknown[0], U[0], y[self.others] / scale[0])
        try:
            U = system.solve(self.arithmetic.midpoint(U), unknown, accuracy)
        except ZeroDivisionError as singular:
            raise StepFailed from singular
        speed = -system.derivatives(U)[1]
        if not (speed > 0).all():
            raise StepFailed  # the rate comes to rest, or turns
        coefficients = self.arithmetic.linear(self.arithmetic.array(method.legendre.ravel()).reshape(stages + 1, -1))
        series = coefficients(np.column_stack([U, 1 / speed]))
        duration = elapsed(frame.kappa, frame.lag, h, series[:, -1])
        size = abs(np.column_stack([U, 1 / speed])).max(axis=0)
        tail = np.maximum(abs(series[-1]), abs(series[-2]) / 10)
        error = max(float(t / s) for t, s in zip(tail, size, strict=True) if s > 0)
        state = self.arithmetic.midpoint(system.state(U))
        return Piece(self, h, frame, state[0], state[-1], U, speed, duration.mid(), error)

    def _straight(self, y: Array, points: Array) -> Array:
        """States at the nodes of a first piece: U as it is, the other spares on the tangent of their path."""
        rest = self.relaxed(y)[0]
        kappa = [self.frame(each).kappa for each in points]
        slope = self.flow.rhs(rest) / self.flow.rhs(rest)[self.clock]
        gone = (points[:, self.clock] - y[self.clock])[:, None]
        growth = np.array([each / kappa[0] for each in kappa])[:, None]
        states = points.copy()
        states[:, self.others] = np.where(
            self.fast, growth * rest[self.others], y[self.others] + gone * slope[self.others]
        )
        return states

    def _continued(self, guide: Piece, y: Array, points: Array, method: Method, h: Any) -> Array:
        """States at the nodes of a new piece from y on, from the polynomial of the guide."""
        ahead = float(h / guide.h) * method.float_nodes
        last = radau(len(guide.values) - 1, self.arithmetic.digits)
        beyond = guide.after[self.clock] == y[self.clock]
        x = ahead + 1 if beyond else ahead
        rows = last.outside(x) if beyond else last.interpolation(x)
        U = guide.values[0] + rows.astype(object) @ (guide.values[1:] - guide.values[0])
        grown = guide.frame.kappa * np.array([(guide.frame.lag * guide.h * float(each)).exp().mid() for each in x])
        states = points.copy()
        states[:, self.others] = U * np.where(self.fast, grown[:, None], 1)
        return states


class _Invariance:
    """(C4) at the nodes of one piece: residual and Newton's matrix."""

    def __init__(
        self, manifold: SlowManifold, frame: Frame, h: Any, method: Method, points: Array, scale: Array, kappa: Array
    ) -> None:
        self.manifold, self.frame, self.h, self.kappa = manifold, frame, h, kappa
        self.points, self.scale = points, scale
        self.D = method.full
        working = manifold.arithmetic
        self.differentiate = working.linear(working.array(self.D.ravel()).reshape(self.D.shape))

    def state(self, U: Array) -> Array:
        """The states y at the nodes, shape (s + 1, 2m)."""
        y = self.points.copy()
        y[:, self.manifold.others] = self.scale * U
        return y

    def derivatives(self, U: Array) -> tuple[Array, Array]:
        """(F, H) and G of (C3)."""
        f = self.manifold.flow.rhs(self.state(U))
        return f[:, self.manifold.others] / self._rows, f[:, self.manifold.clock] / self.kappa**2

    @property
    def _rows(self) -> Array:
        return np.where(self.manifold.fast, self.kappa[:, None], self.kappa[:, None] ** 2)

    def _transport(self, U: Array) -> tuple[Array, Array]:
        """U_w - L U, v_w; and the factor kappa^2 (1 for v) before it in (C4)."""
        slope = -self.differentiate(U) / self.h
        factor = np.where(self.manifold.fast, self.kappa[:, None] ** 2, 1)
        return slope - np.where(self.manifold.fast, self.frame.lag, 0) * U, factor

    def residual(self, U: Array) -> Array:
        F, G = self.derivatives(U)
        transport, factor = self._transport(U)
        return F - factor * G[:, None] * transport

    def newton(self, U: Array, unknown: Array) -> tuple[Array, Callable[[Array], Array]]:
        """The residual at U, and how to get Newton's correction of the unknown entries from a residual.

        Fast rows are multiplied by the inverse of their block at the same node, at working precision, and what
        is left of them is taken from the rows of other spares: the rest serves in float64 even where close spares make
        the fast components nearly dependent.
        """
        manifold, arithmetic = self.manifold, self.manifold.arithmetic
        f, jacobian = manifold.flow.rhs_and_jacobian(self.state(U))
        F, G = f[:, manifold.others] / self._rows, f[:, manifold.clock] / self.kappa**2
        rows = self._rows
        inner = jacobian[:, manifold.others[:, None], manifold.others] * self.scale[:, None, :] / rows[:, :, None]
        dG = jacobian[:, manifold.clock, manifold.others] * self.scale / self.kappa[:, None] ** 2
        transport, factor = self._transport(U)
        weight = factor * G[:, None]
        local = inner - (factor * transport)[:, :, None] * dG[:, None, :]
        np.einsum("iaa->ia", local)[...] += weight * np.where(manifold.fast, self.frame.lag, 0)
        reduce = arithmetic.midpoint(np.array([self._reduction(block) for block in local]))
        reduced = [arithmetic.linear(rows) for rows in reduce]
        columns = abs(U).max(axis=0)
        columns = np.where(columns == 0, 1, columns)
        blocks = (_mapped(reduced, local) * columns).astype(float)
        carried = (reduce * weight[:, None, :] * columns / self.h).astype(float)
        with np.errstate(over="ignore", invalid="ignore"):  # of a guess that leads nowhere; told below
            full = carried[:, :, None, :] * self.D.astype(float)[:, None, :, None]  # - weight d/dw, and D is -h d/dw
            np.einsum("iaib->iab", full)[...] += blocks
        flat = unknown.ravel()
        square = full.reshape(U.size, U.size)[np.ix_(flat, flat)]
        largest = abs(square).max(axis=1)
        if not np.isfinite(square).all() or not largest.all():
            raise StepFailed
        solve = FLOAT.solver(square / largest[:, None])

        def correction(residual: Array) -> Array:
            right = arithmetic.midpoint(_mapped(reduced, residual[:, :, None]).ravel()[flat])
            unit = abs(right).max()
            change = np.zeros(U.size, dtype=object)
            if unit != 0:
                change[flat] = arithmetic.array(solve((right / unit).astype(float) / largest)) * unit
            return change.reshape(U.shape) * columns

        return F - weight * transport, correction

    def _reduction(self, block: Array) -> Array:
        """What the rows of a node are multiplied by, from its block of the Jacobian."""
        u, arithmetic = self.manifold.fast.sum(), self.manifold.arithmetic
        reduction = arithmetic.array(np.eye(len(block)).ravel()).reshape(block.shape)
        reduction[:u, :u] = arithmetic.inverse(block[:u, :u])
        if u < len(block):
            reduction[u:, :u] = -arithmetic.linear(block[u:, :u])(reduction[:u, :u])
        return reduction

    def solve(self, U: Array, unknown: Array, accuracy: float) -> Array:
        """Newton's method from U, in the unknown entries. Raises StepFailed."""
        several = not self.manifold.fast.all()
        correct, previous = None, np.inf  # with several spares a fresh Jacobian every time, as U has moved
        for count in range(MOST_ITERATIONS):
            if several and correct is None:
                U = self._followed(U, unknown)
            if fresh := correct is None:
                residual, correct = self.newton(U, unknown)
            else:
                residual = self.residual(U)
            change = correct(residual)
            U = self.manifold.arithmetic.midpoint(U - change)
            sizes = zip(abs(change).max(axis=0), abs(U).max(axis=0), strict=True)
            size = max((float(moved / of) for moved, of in sizes if of > 0), default=0.0)
            if size < accuracy:
                return U
            if not size < 1e12 or (fresh and count > 3 and size > previous / 2):
                raise StepFailed
            if several or size > POOR * min(previous, 1.0):
                correct = None
            previous = size
        raise StepFailed

    def _followed(self, U: Array, unknown: Array) -> Array:
        """U where (C4) puts the fast components for the rates as they are: one step, linear as it nearly is."""
        residual, correct = self.newton(U, unknown & self.manifold.fast)
        return self.manifold.arithmetic.midpoint(U - correct(residual))


def _mapped(maps: list[Callable[[Array], Array]], matrices: Array) -> Array:
    """A linear map of its own for every node, applied to the matrix of that node."""
    return np.array([apply(matrix) for apply, matrix in zip(maps, matrices, strict=True)])
