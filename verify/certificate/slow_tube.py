r"""A tube around one piece of a recorded slow manifold in which the flow provably stays, and its time through it.

Tube      In the coordinates W = V_u - R V_v and V_v of shear.py, while |W| <= r_u and |V_v| <= r_v, D Phi on the
          segment from P to P + V is within 2 M max(|V_u|/R_u, |V_v|/R_v) of D Phi(P), M its bound where |V_u| <= R_u
          and |V_v| <= R_v (Schwarz' lemma in s, for s V). With mu the logarithmic norm of its block uu, and b, c, e the
          norms of the blocks uv, vu, vv, all so widened,

              D+|W| <= mu |W| + b |V_v| + |E_u| ,  D+|V_v| <= kappa^2 (c |W| + e |V_v| + |E_v|)                (V50)

Clock     |zeta| <= eta = |delta| + lambda_u r_u + lambda_v r_v < 1/2 (V43) and q < 0: w falls through the piece, and

              dT = |q| dw / kappa^2 = (1 + zeta) dtau ,  int kappa^2 dtau <= Z = 2 h sup|q| / (1 - eta)        (V51)

          T in closed form, numerics/slow_clock.py. For g = -mu > 0, a = (b A_v + |E_u|)/g and the suprema A_u, A_v,

              |W| <= W(0) e^{-g tau} + a ,  A_u <= W(0) + a ,  int |W| dtau <= W(0)/g + a tau                  (V52)
              A_v <= (V_v(0) + c W(0) int kappa^2 e^{-g tau} dtau + c Z |E_u|/g + Z |E_v|) e^{(e + b c/g) Z} , (V53)
              int kappa^2 e^{-g tau} dtau <= Z_x + Z e^{-g T_x/(1 + eta)}  for any x, Z_x and T_x those above x

          as (V52) holds with the supremum of |V_v| so far for A_v. First exit: A_u < r_u and A_v < r_v prove that V
          never leaves the tube. The time is within

              |tau - T| <= int |zeta| dtau <= (|delta| + lambda_v A_v) tau + lambda_u int |W| dtau             (V54)

          of T: nothing is amplified by tau, and an offset W(0) costs W(0)/g.
Joint     Where two pieces meet, V changes by the change of units and by the jump of P, and W by that of R.    (V55)
Loss      Along a segment from P, J changes by at most, for the norms S of the rows of D(F, H),

              kappa^2 [ (|F(P)| + S_u |V|) |V_u| + (|H(P)| + S_v |V|) |V_v| ] ,  |V| = |V_u| + |V_v|           (V56)

Derived here. Guarantee: enclosed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Arb, Array, _objects
from numerics.slow_clock import elapsed
from theory.problem import Problem
from verify.certificate import chebyshev
from verify.certificate.logarithmic_norm import largest_eigenvalue, obliqueness, rotation
from verify.certificate.proved import NotProved
from verify.certificate.shear import Shear, choose
from verify.certificate.slow_bounds import SlowBounds
from verify.certificate.slow_field import Components, SlowField, Stretch, points_of
from verify.certificate.tube import norm

HALVINGS, CLOSE = 7, 0.5  # of a piece, at most, while its logarithmic norm is not as close to the one in the middle
NEAR = (0.5, 0.1, 0.02)  # kappa R_u and R_v of (V50) that are tried, in units of the smallest rate
BESIDE = (30, 4, 0.5)  # and R_u in units of |P|
PARTS_ABOVE = [flint.arb(2) ** -(2**k) for k in range(1, 10)]  # x of (V53)
WIDENINGS, WIDER = 10, 2  # of the tube
ZERO = flint.arb(0)


@dataclass(frozen=True)
class Pair:
    """Bounds of something in U and in v, exact."""

    u: flint.arb
    v: flint.arb


@dataclass(frozen=True, eq=False)
class Offset:
    """Bounds of |V_u - R V_v| and |V_v| at one point of a piece, and R there, balls of shape (k, r)."""

    u: flint.arb
    v: flint.arb
    R: Array


@dataclass(frozen=True, eq=False)
class Tube:
    """A piece, and how far from it the flow can be. Guarantee: enclosed.

    begin: x where the flow comes in, a ball. deviation: suprema of |V_u| and |V_v|. after: V at x = 1. slopes: S of
    (V56). once, rate: what (V54) adds to T, and what it adds for each unit of tau. eta: of (V51).
    """

    piece: Stretch
    begin: flint.arb
    deviation: Pair
    after: Offset
    slopes: Pair
    once: flint.arb
    rate: flint.arb
    eta: flint.arb

    def time(self, x: flint.arb) -> flint.arb:
        """tau from `begin` to x, a ball (V54)."""
        T = transit(self.piece, self.begin, x)
        return T + flint.arb(0, (self.once + self.rate * T / (1 - self.eta)).upper())


@dataclass(frozen=True)
class Norms:
    """What (V50) and (V51) take of D Phi and lambda: on a piece, or bounds M in a tube around it."""

    mu: flint.arb
    b: flint.arb
    c: flint.arb
    e: flint.arb
    sensitivity: Pair


@dataclass(frozen=True)
class _Wall:
    """R_u, R_v of (V50), and what is known inside."""

    radius: Pair
    norms: Norms
    slopes: Pair

    def share(self, V: Pair) -> flint.arb:
        """max(r_u/R_u, r_v/R_v), exact."""
        return max((V.u / self.radius.u).upper(), (V.v / self.radius.v).upper())


@dataclass(frozen=True)
class Along:
    """What is enclosed along a piece, in the coordinates of its shear: |E|, |delta|, norms; and the norm of R."""

    shear: Shear | None
    defect: Pair
    mismatch: flint.arb
    norms: Norms
    lean: flint.arb


class SlowTubes:
    """Tubes for one problem and clock in balls; use inside `balls.working()`. Raises NotProved."""

    def __init__(self, problem: Problem, spare: int, balls: Arb) -> None:
        self.components = Components(problem, spare)
        self.field = SlowField(problem, self.components, balls)
        self.bounds = SlowBounds(problem, self.components)
        self.landscape, self.balls = self.field.landscape, balls
        self.smallest = min(self.landscape.fitted_w).lower()

    def along(self, piece: Stretch) -> Along:
        """What is enclosed along a piece: (V20), (V21)."""
        (raw, delta), size, k = self.field.linearised(piece), points_of(piece), self.components.fast
        shear = choose(raw, len(piece.path) - 1, k, piece.h, self.balls) if self.components.riding else None
        flow = shear.applied(raw, size) if shear else raw
        jacobian = flow.jacobian.reshape(size, -1)
        found = chebyshev.coefficients(np.concatenate([flow.defect, delta, flow.sensitivity, jacobian], axis=1))
        left, n = self.bounds.remainders(piece, shear), flow.defect.shape[1]
        sup = _objects(each.upper() for each in abs(found).sum(axis=0) + left)
        first, shape = 2 * n + 1, (n, n)
        coefficients, remainders = found[:, first:].reshape(size, *shape), left[first:].reshape(shape)
        mu = logarithmic_norm(coefficients[:, :k, :k], remainders[:k, :k])
        norms = replace(self._norms(sup[first:].reshape(shape), sup[n + 1 : first]), mu=mu)
        lean = _size(shear.sup(flint.arb(1))[0]) if shear else ZERO
        return Along(shear, self._pair(sup[:n]), sup[n], norms, lean)

    def defect(self, piece: Stretch) -> Pair:
        """|E| in U and v along a piece, before any shear."""
        found = chebyshev.coefficients(self.field.linearised(piece)[0].defect)
        left = self.bounds.remainders(piece, None)[: found.shape[1]]
        return self._pair(_objects(each.upper() for each in abs(found).sum(axis=0) + left))

    def _norms(self, jacobian: Array, sensitivity: Array) -> Norms:
        k = self.components.fast
        above, below = jacobian[:k], jacobian[k:]
        blocks = {"mu": above[:, :k], "b": above[:, k:], "c": below[:, :k], "e": below[:, k:]}
        sizes = {name: _size(block) for name, block in blocks.items()}
        return Norms(sensitivity=self._pair(sensitivity), **sizes)

    def around(self, piece: Stretch, begin: flint.arb, offset: Offset) -> Tube:
        """The tube around a piece, from this offset at x = begin on."""
        along = self.along(piece)
        crossing = _Crossing(piece, begin, offset, along)
        for wall in sorted(self._walls(piece, along.shear), key=_steepness):
            r = Pair(ZERO, ZERO)
            for _ in range(WIDENINGS):
                if (found := crossing.within(wall, r)) is None:
                    break
                tube, A = found
                if A.u < r.u and (A.v < r.v or not self.components.riding):
                    return tube  # (V53), first exit
                r = Pair((WIDER * max(A.u, r.u)).upper(), (WIDER * max(A.v, r.v)).upper())
        raise NotProved("the tube around a piece in the slow rate grows too wide; ask for more digits")

    def _walls(self, piece: Stretch, shear: Shear | None) -> Iterator[_Wall]:
        """Those of NEAR and BESIDE that lie where the bounds reach."""
        farthest, size = self.smallest / piece.kappa(flint.arb(1)), max(abs(piece.path).sum(axis=0))
        R_v = (NEAR[0] / (1 / self.smallest + piece.lag)).lower()  # B grows as e^{L R_v}
        for R_u in (*(share * farthest for share in NEAR), *(times * size for times in BESIDE)):
            if R_u < farthest and (wall := self._wall(piece, shear, R_u.lower(), R_v)):
                yield wall

    def _wall(self, piece: Stretch, shear: Shear | None, R_u: flint.arb, R_v: flint.arb) -> _Wall | None:
        """The tube of complex displacements with these radii; None where the bounds do not reach as far."""
        one, k = flint.arb(1), self.components.fast
        radii = chebyshev.reach(piece.path, one) + self.components.choose(R_u, R_v)
        slope = chebyshev.derivative(piece.path)
        speed = abs(slope).sum(axis=0) / piece.h
        found = self.bounds.sizes(piece, one, abs(piece.path[0]) + radii, radii, speed)
        if found is None:
            return None
        flow = found.linearised(abs(piece.slowness).sum())
        flow = shear.bounded(flow, one) if shear else flow
        norms = self._norms(flow.jacobian, flow.sensitivity)
        slopes = Pair(_size(found.inner[:k]), _size(found.inner[k:]))
        return _Wall(Pair(R_u, R_v), norms, slopes)

    def _pair(self, X: Array) -> Pair:
        return Pair(*map(_size, self.components.split(X)))

    def drop(self, tube: Tube, x: flint.arb) -> tuple[flint.arb, flint.arb]:
        """J(0) - J of the flow at x, a ball (V56); and its derivative by x, nearly."""
        piece, of, A = tube.piece, self.components, tube.deviation
        points = _objects([x])
        P = chebyshev.basis(points, len(piece.path) - 1) @ piece.path
        y, kappa = self.field.state(piece, points, P)[0], piece.kappa(x)
        gradient = self.landscape.gradient(y)
        FH = self._pair(gradient[of.others] / of.choose(kappa, kappa**2))
        V = A.u + A.v
        doubt = kappa**2 * ((FH.u + tube.slopes.u * V) * A.u + (FH.v + tube.slopes.v * V) * A.v)
        slope = piece.h * (gradient**2).sum() / gradient[of.clock]
        return self.landscape.drop(y) + flint.arb(0, doubt.upper()), slope.mid()

    def handover(self, piece: Stretch, centre: Array, radius: flint.arb) -> tuple[flint.arb, Offset]:
        """x of a first piece where a flow comes in that is within `radius` of a displacement, a ball, and V there."""
        of = self.components
        begin = (piece.top - (centre[of.clock] + flint.arb(0, radius))) / piece.h - 1
        if not (begin >= -1 and begin < 1):
            raise NotProved("the start-up does not end on the first piece")
        P = chebyshev.basis(_objects([begin]), len(piece.path) - 1)[0] @ piece.path
        kappa = piece.kappa(begin)
        V = self._pair(centre[of.others] / of.choose(kappa, 1) - P)
        none = np.full((of.fast, of.riding), ZERO)
        return begin, Offset((V.u + radius / kappa).upper(), self._riding(V.v + radius), none)

    def end(self, tube: Tube) -> tuple[Array, flint.arb]:
        """(centre, radius) of a ball of displacements, exact, that the flow enters at x = 1."""
        piece, V, one = tube.piece, tube.deviation, flint.arb(1)
        y = self.field.state(piece, _objects([one]), piece.path.sum(axis=0)[None])[0]
        centre = _objects(each.mid() for each in y)
        return centre, (piece.kappa(one) * V.u + V.v + norm(y - centre)).upper()

    def joint(self, tube: Tube, following: Stretch) -> Offset:
        """V in the units and around the P of the piece that follows (V55)."""
        piece, after = tube.piece, tube.after
        ends, begins = piece.path.sum(axis=0), following.path[::2].sum(axis=0) - following.path[1::2].sum(axis=0)
        ratio = piece.kappa(flint.arb(1)) / following.kappa(flint.arb(-1))
        jump_u, jump_v = self.components.split(ends * self.components.choose(ratio, 1) - begins)
        R = after.R * ratio
        leaning = _size(jump_u - R @ jump_v) if self.components.riding else _size(jump_u)
        return Offset((leaning + after.u * ratio).upper(), self._riding(_size(jump_v) + after.v), R)

    def _riding(self, error: flint.arb) -> flint.arb:
        return error.upper() if self.components.riding else ZERO


class _Crossing:
    """The flow through one piece, from where it comes in, by what is enclosed along it."""

    def __init__(self, piece: Stretch, begin: flint.arb, offset: Offset, along: Along) -> None:
        self.piece, self.begin, self.along = piece, begin, along
        turned = _size(offset.R - along.shear.value(begin)) if along.shear else ZERO
        self.error = Pair((offset.u + turned * offset.v).upper(), offset.v)  # |W|, |V_v|
        self.R = along.shear.value(flint.arb(1)) if along.shear else offset.R
        self.T = transit(piece, begin, flint.arb(1))
        self.above = [(flint.arb(1), self.T)]  # parts of a piece, and T_x
        if along.shear:
            self.above += [(part, transit(piece, begin, begin + (1 - begin) * part)) for part in PARTS_ABOVE]
        self.reach = 2 * piece.h * abs(piece.slowness).sum()

    def _unsheared(self, W: Any, v: Any) -> Pair:
        """Bounds of |V_u| and |V_v| from those of |W| and |V_v|."""
        return Pair((W + self.along.lean * v).upper(), (v + ZERO).upper())

    def within(self, wall: _Wall, r: Pair) -> tuple[Tube, Pair] | None:
        """What follows from |W| <= r_u, |V_v| <= r_v, with A_u and A_v; None where nothing does."""
        piece, error, E, own, far = self.piece, self.error, self.along.defect, self.along.norms, wall.norms
        share = wall.share(self._unsheared(r.u, r.v))
        if not share < 1:
            return None
        wide = 2 * share  # (V50)
        mu, b, c, e = own.mu + wide * far.mu, own.b + wide * far.b, own.c + wide * far.c, own.e + wide * far.e
        of_u = own.sensitivity.u + wide * far.sensitivity.u
        of_v = own.sensitivity.v + wide * far.sensitivity.v
        eta = (self.along.mismatch + of_u * r.u + of_v * r.v).upper()
        if not (2 * eta < 1 and mu < 0):
            return None
        g, Z = -mu, self.reach / (1 - eta)
        transient = min((Z * (part + (-g * T / (1 + eta)).exp())).upper() for part, T in self.above)  # (V53)
        A_v = (error.v + c * (error.u * transient + Z * E.u / g) + Z * E.v) * (Z * (e + c * b / g)).exp()
        a = (b * A_v + E.u) / g
        after = error.u * (-g * self.T / (1 + eta)).exp() + a  # (V52)
        rate = self.along.mismatch + of_v * A_v + of_u * a  # (V54)
        A = Pair((error.u + a).upper(), (A_v + ZERO).upper())
        once = (of_u * error.u / g).upper()
        at_end, furthest = Offset(after.upper(), A.v, self.R), self._unsheared(A.u, A.v)
        return Tube(piece, self.begin, furthest, at_end, wall.slopes, once, rate.upper(), eta), A


def _steepness(wall: _Wall) -> flint.arb:
    """How fast D Phi may change around P, exact."""
    return ((wall.norms.b + wall.norms.mu) / wall.radius.u).mid()


def _size(entries: Array) -> flint.arb:
    """The Euclidean norm of a vector or, a bound of its norm, of a matrix; upwards, exact."""
    return norm(entries.ravel()) if entries.size else ZERO


def transit(piece: Stretch, begin: flint.arb, end: flint.arb) -> flint.arb:
    """T of (V51) from x = begin to x = end, a ball."""
    size = len(piece.slowness)
    x = begin + (end - begin) * (1 + chebyshev.points(size)) / 2
    q = chebyshev.basis(x, size - 1) @ piece.slowness
    series = chebyshev.product(_legendre(size, flint.ctx.prec), -q)
    return elapsed(piece.kappa(begin), piece.lag, piece.h * (end - begin), series)


@lru_cache(maxsize=64)
def _legendre(size: int, bits: int) -> flint.arb_mat:
    """The matrix from values at the points of (V20) to coefficients in Legendre polynomials."""
    with flint.ctx.workprec(bits):
        return flint.arb_mat([[x.legendre_p(k) for k in range(size)] for x in chebyshev.points(size)]).inv()


def logarithmic_norm(coefficients: Array, remainders: Array) -> flint.arb:
    """mu >= lambda_max of the symmetric part on all of [-1, 1], from coefficients (N, k, k) and remainders (k, k)."""
    if not all(each.is_finite() for each in coefficients.ravel()):
        raise NotProved("the flow is not known to be analytic near a piece in the slow rate; shorten the pieces")
    symmetric = (coefficients + coefficients.transpose(0, 2, 1)) / 2
    return (_largest(symmetric, HALVINGS) + _size(remainders)).upper()


def _largest(part: Array, halvings: int) -> flint.arb:
    """A bound of lambda_max on [-1, 1] from symmetric coefficients, by halves where one ball of all values is too wide.

    Beside fast rates of order one a slow one is lost when its eigenvector turns by more than the root of it.
    """
    size, k, _ = part.shape
    Q = rotation(_objects(each.mid() for each in part[0].ravel()).reshape(k, k))
    R = chebyshev.ball_matrix(Q)
    turned = [(R.transpose() * chebyshev.ball_matrix(each) * R).entries() for each in part]
    hull = chebyshev.hull(_objects(each for row in turned for each in row).reshape(size, k, k))
    found, near = largest_eigenvalue(hull.tolist(), obliqueness(Q)), hull[-1, -1].mid()
    if halvings and not found - near <= CLOSE * abs(near):
        found = max(_largest(half, halvings - 1) for half in chebyshev.on_pieces(part, 2))
    return found
