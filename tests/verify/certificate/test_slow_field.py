"""The scaled flow along a piece: against the gradient (M5), (M6) by hand, at real and at complex points."""

import cmath
import math
import random
from dataclasses import replace
from functools import cache

import flint
import numpy as np
import pytest

from numerics.arithmetic import Arb, _objects
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import number, working
from verify.certificate import chebyshev
from verify.certificate.shear import Shear
from verify.certificate.slow_field import Components, Stretch
from verify.certificate.slow_tube import SlowTubes, transit

LAG = 12
DIGITS = 40
BALLS = Arb(DIGITS)
START = {1: (["1", "0"], ["1", "0.7"]), 2: (["1", "0", "0"], ["1", "0.7", "0.9"])}  # by the number of spares


def exact(rows):
    values = np.array(rows, dtype=float)
    return _objects(flint.arb(each) for each in values.ravel()).reshape(values.shape)


def stretch(spares):
    """A path that is no solution: polynomials of degree 3 with U, v, q of the order that they have."""
    source = random.Random(7)
    n = 3 if spares == 1 else 5
    path = np.array([[source.uniform(-1, 1) * 4.0**-k for _ in range(n)] for k in range(4)])
    path[:, 4:] /= 50  # v
    slowness = [source.uniform(-1, 1) * 4.0**-k - (k == 0) for k in range(4)]
    numbers = (flint.arb(each) for each in (-0.0625, -0.1875, 2.0**-12, 11.5))
    return Stretch(*numbers, exact(path), exact(slowness))


@cache
def tubes(spares):
    problem = Problem(Target([Exponential(), Gaussian(lag=LAG)]), LinearRNN.of(*START[spares]), "0.02")
    return SlowTubes(problem, 1, BALLS)


class ByHand:
    """F, H and G of (V40) with their definition, in mpmath, at a complex x."""

    def __init__(self, piece, spares):
        self.ctx = working(30)
        self.spares, self.piece = spares, piece
        self.path = [[number(each, self.ctx)[0] for each in row] for row in piece.path]
        self.q = [number(each, self.ctx)[0] for each in piece.slowness]
        names = ("top", "bottom", "scale", "lag")
        self.top, self.bottom, self.scale, self.lag = (number(getattr(piece, name), self.ctx)[0] for name in names)
        self.h = (self.top - self.bottom) / 2

    def series(self, coefficients, x):
        return sum(c * T for c, T in zip(coefficients, (1, x, 2 * x**2 - 1, 4 * x**3 - 3 * x), strict=True))

    def slope(self, coefficients, x):
        return sum(c * T for c, T in zip(coefficients, (0, 1, 4 * x, 12 * x**2 - 3), strict=True))

    def values(self, x):
        """X, X_beta, kappa, q."""
        columns = list(zip(*self.path, strict=True))
        X = [self.series(each, x) for each in columns]
        slope = [-self.slope(each, x) / self.h for each in columns]
        return X, slope, self.scale * self.ctx.exp(self.lag * self.h * (1 + x)), self.series(self.q, x)

    def signal(self, s, order):
        ctx = self.ctx
        return ctx.quad(lambda t: (-t) ** order * ctx.exp(-s * t - (t - LAG) ** 2 / 2), [0, LAG, 30])

    def flow(self, x, X=None):
        """(F, H), G where X is as given."""
        ctx, ten = self.ctx, self.ctx.mpf(10)
        X = X or self.values(x)[0]
        kappa = self.values(x)[2]
        fitted = [(1, ctx.mpf(1)), (0, 7 / ten), (0, 9 / ten)][: 1 + self.spares]
        m = len(fitted)
        a = [a + kappa * X[k] for k, (a, _) in enumerate(fitted)]
        beta = [kappa * X[m], self.top - self.h * (1 + x), *X[m + 1 :]]
        w = [w + move for (_, w), move in zip(fitted, beta, strict=True)]
        by_a, by_w = [], []
        for k in range(m):
            R = [(-1) ** n * math.factorial(n) / (w[k] + 1) ** (n + 1) + self.signal(w[k], n) for n in range(2)]
            by_a.append(2 * (sum(a[j] / (w[k] + w[j]) for j in range(m)) - R[0]))
            by_w.append(2 * a[k] * (-sum(a[j] / (w[k] + w[j]) ** 2 for j in range(m)) - R[1]))
        fast = [-each / kappa for each in (*by_a, by_w[0])]
        return [*fast, *(-each / kappa**2 for each in by_w[2:])], -by_w[1] / kappa**2

    def defect(self, x, moved=None):
        """Phi (V41) at X, by default P; and delta."""
        P, slope, kappa, q = self.values(x)
        X = moved or P
        FH, G = self.flow(x, X)
        k = 3 if self.spares == 1 else 4
        phi = [f + kappa**2 * G * (self.lag * u - s) for f, u, s in zip(FH[:k], X, slope, strict=False)]
        return phi + [f - G * s for f, s in zip(FH[k:], slope[k:], strict=True)], q * G - 1


@pytest.mark.parametrize("spares", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_is_sampled_along_a_piece_is_the_flow_and_its_derivatives(spares):
    """Rejects a sign in the transport terms, a lost L U, and rows of D Phi in other units."""
    piece, by_hand = stretch(spares), ByHand(stretch(spares), spares)
    with BALLS.working():
        found, delta = tubes(spares).field.linearised(piece)
        x = [number(each, by_hand.ctx)[0] for each in chebyshev.points(len(found.defect))]
    ctx, near = by_hand.ctx, 1e-25
    for i in (0, 5)[: 3 - spares]:
        P = by_hand.values(x[i])[0]
        phi, mismatch = by_hand.defect(x[i])
        assert all(abs(number(f, ctx)[0] - g) < near for f, g in zip(found.defect[i], phi, strict=True))
        assert abs(number(delta[i, 0], ctx)[0] - mismatch) < near
        for j in range(len(P)):
            step = ctx.mpf(10) ** -15
            ends = [by_hand.defect(x[i], [p + side * step * (k == j) for k, p in enumerate(P)]) for side in (1, -1)]
            column = [(a - b) / (2 * step) for a, b in zip(ends[0][0], ends[1][0], strict=True)]
            assert all(abs(number(f, ctx)[0] - g) < 1e-18 for f, g in zip(found.jacobian[i, :, j], column, strict=True))
            sensitivity = (ends[0][1] - ends[1][1]) / (2 * step)
            assert abs(number(found.sensitivity[i, j], ctx)[0] - sensitivity) < 1e-18


@pytest.mark.parametrize("spares", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_bounds_hold_on_an_ellipse_and_are_not_absurd(spares):
    """Rejects (V44) with one power of k_max too few, and (V45) with one end only."""
    piece, by_hand, rho = stretch(spares), ByHand(stretch(spares), spares), 2.2
    with BALLS.working():
        radii = chebyshev.reach(piece.path, flint.arb(rho))
        grown = flint.arb((rho + 1 / rho) / 2)
        sizes = tubes(spares).bounds.sizes(piece, grown, abs(piece.path[0]) + radii, radii, 0 * radii)
    largest = np.zeros(len(sizes.field) + 1)
    for angle in np.linspace(0, math.pi, 5):
        z = rho * cmath.exp(1j * angle)
        FH, G = by_hand.flow(by_hand.ctx.mpc((z + 1 / z) / 2))
        largest = np.maximum(largest, [float(abs(each)) for each in (*FH, G)])
    bounds = np.array([*map(float, sizes.field), float(sizes.clock)])
    assert (largest <= bounds).all() and (bounds < 300 * largest).all()


def test_the_enclosed_defect_is_the_largest_one():
    piece, by_hand = stretch(1), ByHand(stretch(1), 1)
    with BALLS.working():
        along = tubes(1).along(piece)
    sampled = [by_hand.defect(by_hand.ctx.mpf(x)) for x in np.linspace(-1, 1, 9)]
    largest = max(float(sum(abs(each) ** 2 for each in phi)) ** 0.5 for phi, _ in sampled)
    assert largest <= along.defect.u < 4 * largest
    assert max(float(abs(each)) for _, each in sampled) <= along.mismatch


def test_the_time_along_a_part_of_a_piece_is_its_integral():
    piece, by_hand = stretch(1), ByHand(stretch(1), 1)
    ctx = by_hand.ctx
    with BALLS.working():
        for begin, end in ((-1, 1), (-0.75, 0.25), (0.5, 1)):
            found = transit(piece, flint.arb(begin), flint.arb(end))
            slowness = lambda x: -by_hand.values(x)[3] / by_hand.values(x)[2] ** 2 * by_hand.h
            midpoint, radius = number(found, ctx)
            direct = ctx.quad(slowness, [begin, (begin + end) / 2, end])
            assert abs(midpoint - direct) <= radius + 1e-25 * direct and radius < 1e-30 * direct


def test_which_components_are_fast():
    problem = Problem(Target([Exponential(), Gaussian(lag=LAG)]), LinearRNN.of(*START[2]), "0.02")
    of = Components(problem, 1)
    assert of.others.tolist() == [0, 1, 2, 3, 5] and of.clock == 4
    assert of.is_fast.tolist() == [True] * 4 + [False] and (of.fast, of.riding) == (4, 1)


@pytest.mark.parametrize("lag", [9.0, 15.0])
def test_the_signal_is_bounded_whichever_way_its_scaled_size_goes(lag):
    """At U = 0 the flow of the spare amplitude is 2 B/kappa; rejects (V45) with one end only."""
    still = replace(stretch(1), path=exact([[0.0] * 3] * 4), lag=flint.arb(lag))
    by_hand, grown = ByHand(still, 1), 1.5
    with BALLS.working():
        nothing = chebyshev.reach(still.path, flint.arb(1))
        bound = float(tubes(1).bounds.sizes(still, flint.arb(grown), nothing, nothing, nothing).field[1])
    largest = max(float(abs(by_hand.flow(by_hand.ctx.mpf(x))[0][1])) for x in (-grown, grown))
    assert largest <= bound < 3 * largest


@pytest.mark.slow
def test_a_shear_changes_coordinates_and_nothing_else():
    """E and D Phi of (V46) against the flow of W = V_u - R V_v, differentiated numerically."""
    piece, by_hand, source = stretch(2), ByHand(stretch(2), 2), random.Random(3)
    ctx, step = by_hand.ctx, by_hand.ctx.mpf(10) ** -15
    R = np.array([[source.uniform(-1, 1) * 4.0**-k for _ in range(4)] for k in range(4)])
    with BALLS.working():
        raw, _ = tubes(2).field.linearised(piece)
        found = Shear(exact(R)[:, :, None], piece.h).applied(raw, len(raw.defect))
        x = number(chebyshev.points(len(raw.defect))[3], ctx)[0]
    columns = [[ctx.mpf(each) for each in column] for column in R.T]
    lean = [by_hand.series(each, x) for each in columns]
    turning = [-by_hand.slope(each, x) / by_hand.h for each in columns]
    P, _, kappa, _ = by_hand.values(x)

    def moving(W, v):
        """W' and V_v' / kappa^2."""
        X = [p + each + r * v for p, each, r in zip(P, W, lean, strict=False)] + [P[4] + v]
        phi, _ = by_hand.defect(x, X)
        G = by_hand.flow(x, X)[1]
        fast = zip(phi[:4], lean, turning, strict=True)
        return [f - kappa**2 * (r * phi[4] + slope * G * v) for f, r, slope in fast] + [phi[4]]

    here = moving([0] * 4, ctx.mpf(0))
    assert all(abs(number(f, ctx)[0] - g) < 1e-25 for f, g in zip(found.defect[3], here, strict=True))
    for j in range(5):
        shifts = [[side * step * (k == j) for k in range(5)] for side in (1, -1)]
        ends = [moving(shift[:4], shift[4]) for shift in shifts]
        slopes = [(a - b) / (2 * step) for a, b in zip(*ends, strict=True)]
        assert all(abs(number(f, ctx)[0] - g) < 1e-18 for f, g in zip(found.jacobian[3, :, j], slopes, strict=True))
