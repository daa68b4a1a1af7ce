"""The scaled field and its bounds against the loss itself, (M4), differenced at 100 digits in complex numbers."""

import cmath
import random
from functools import cache

import flint
import numpy as np
import pytest

from numerics.arithmetic import Arb, _objects
from theory.kernels import Box, Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate import chebyshev
from verify.certificate.proved import NotProved
from verify.certificate.slow_bounds import SlowBounds
from verify.certificate.slow_field import Components, SlowField, Stretch

ORACLE = Arb(100)
BALLS = Arb(30)
SMALL = flint.acb(2) ** -100
SPARE = 1  # the clock: between the matched units, and slower than the other spare
MATCHED = ((1.0, 1.0), (2.0, 3.0))
FITTED = ((1, 1), (0, "0.7"), (2, 3), (0, "0.9"))  # a*, w* of the units


@cache
def problem(horizon):
    bump = (Gaussian(lag=12), Gaussian(amplitude=-4, lag=13)) if horizon == "inf" else (Box(start=1, end=17),)
    matched = (Exponential(), Exponential(2, 3))
    start = LinearRNN.of(["1", "0", "2", "0"], ["1", "0.7", "3", "0.9"])
    return Problem(Target((*matched, *bump)), start, "0.01", horizon)


def bump(horizon, s):
    if horizon != "inf":
        return ((-s).exp() - (-15 * s).exp()) / s  # cut at 15
    return gaussian(s, 12) - 4 * gaussian(s, 13)


def gaussian(s, lag):
    return (flint.acb.pi() / 2).sqrt() * (-lag * s + s * s / 2).exp() * ((s - lag) / flint.acb(2).sqrt()).erfc()


def overlap(horizon, s):
    return 1 / s if horizon == "inf" else (1 - (-15 * s).exp()) / s


def loss(horizon, a, w):
    """J but for a constant."""
    units = list(zip(a, w, strict=True))
    pairs = sum(x * y * overlap(horizon, s + r) for x, s in units for y, r in units)
    seen = sum(x * (bump(horizon, s) + sum(c * overlap(horizon, s + r) for c, r in MATCHED)) for x, s in units)
    return pairs - 2 * seen


def differenced(function, z):
    """All first derivatives of a function of an array of complex numbers, to some 30 digits."""
    columns = []
    for i in range(len(z)):
        step = np.array([SMALL if j == i else flint.acb(0) for j in range(len(z))])
        columns.append((function(z + step) - function(z - step)) / (2 * SMALL))
    return np.array(columns).T


class Scaled:
    """(F, H), G and Phi at one x and P_beta, as they are defined: by the gradient of J at (kappa U, v, beta)."""

    def __init__(self, horizon, components, piece, x, slope):
        self.horizon, self.of, self.x, self.slope = horizon, components, x, slope
        self.lag = piece.lag
        self.beta = piece.top - piece.h * (1 + x)
        self.kappa = piece.scale * (piece.lag * piece.h * (1 + x)).exp()
        self.fast = components.is_fast

    def FHG(self, X):
        y = np.empty(8, dtype=object)
        y[self.of.others] = X * np.where(self.fast, self.kappa, 1)
        y[self.of.clock] = self.beta
        at = y + np.array([*(a for a, _ in FITTED), *(flint.arb(w) for _, w in FITTED)], dtype=object)
        g = -differenced(lambda z: loss(self.horizon, z[:4], z[4:]), at)
        units = np.where(self.fast, self.kappa, self.kappa**2)
        return np.append(g[self.of.others] / units, g[self.of.clock] / self.kappa**2)

    def both(self, X):
        """F, H, G, Phi: U' and v'/kappa^2 beside P, as kappa_beta = -L kappa."""
        *FH, G = self.FHG(X)
        rest = np.where(self.fast, self.lag * X, 0) - self.slope
        Phi = np.array(FH) + np.where(self.fast, self.kappa**2, 1) * G * rest
        return np.concatenate([FH, [G], Phi])


def piece_of(scale, lag, source, sizes=(1.0, 0.05), length="0.1"):
    """P and q with random coefficients; U and v of about these sizes."""
    fast = Components(problem("inf"), SPARE).is_fast
    path = np.array([[source.uniform(-1, 1) * 0.3**k * sizes[0 if f else 1] for f in fast] for k in range(5)])
    slowness = [-2.0, 0.3, 0.1, 0.02, 0.01]
    exact = lambda values: _objects(map(flint.arb, np.ravel(values).tolist())).reshape(np.shape(values))
    h = flint.arb(length).mid()
    return Stretch(flint.arb(0), -2 * h, flint.arb(scale), flint.arb(lag), exact(path), exact(slowness))


def close(found, expected):
    size = max(abs(each) for each in np.ravel(expected))
    return all(abs(a - b) < size * flint.arb("1e-18") for a, b in zip(np.ravel(found), np.ravel(expected), strict=True))


@pytest.mark.parametrize("horizon", ["inf", "15"])
def test_the_scaled_field_is_that_of_the_loss(horizon):
    """At points of a piece: E, delta, lambda, D Phi. Rejects any wrong term of (V41)-(V43), all of them of size one."""
    given = problem(horizon)
    components = Components(given, SPARE)
    with BALLS.working():
        piece = piece_of(2.0**-4, 3.0, random.Random(1))
        found, delta = SlowField(given, components, BALLS).linearised(piece)
        x = chebyshev.points(10)
    with ORACLE.working():
        for i in (0, 7):
            here = x[i].mid()
            p = np.polynomial.chebyshev.chebval
            at = lambda x, p=p: np.array(p(flint.acb(x), piece.path), dtype=object)
            slope = -(at(here + SMALL) - at(here - SMALL)) / (2 * SMALL) / piece.h
            q, P = p(flint.acb(here), piece.slowness), at(here)
            scaled = Scaled(horizon, components, piece, flint.acb(here), slope)
            n, values, by = len(P), scaled.both(P), differenced(scaled.both, P)
            assert close(found.defect[i], values[n + 1 :]) and close(delta[i], [q * values[n] - 1])
            assert close(found.sensitivity[i], q * by[n]) and close(found.jacobian[i], by[n + 1 :])


CASES = [  # horizon, scale, lag, sizes of U and v
    ("inf", 2.0**-8, 12.0, (1.0, 0.02)),
    ("inf", 2.0**-8, 12.0, (1e-6, 0.02)),  # the bump alone
    ("inf", 2.0**-8, 12.0, (5.0, 0.02)),  # little of it
    ("15", 2.0**-8, 40.0, (1e-6, 0.02)),  # the lag of the units far from the bump's, either way
    ("inf", 2.0**-8, 0.0, (1e-6, 0.02)),
    ("15", 2.0**-3, 3.0, (0.2, 0.02)),
]
JUST_INSIDE = 1 - flint.arb(2) ** -30


def on_circle(angle):
    z = cmath.exp(1j * angle)
    return flint.acb(z.real, z.imag) * JUST_INSIDE


@pytest.mark.parametrize("case", CASES)
def test_bounds_hold_on_complex_sets_and_are_nearly_reached(case):
    """On an ellipse of x, in polydiscs of X and P_beta: (V44), (V45), (V42). Rejects another degree, end, or sign."""
    horizon, scale, lag, sizes = case
    given, source = problem(horizon), random.Random(1)
    components, rho = Components(given, SPARE), 1.5
    fast = components.is_fast
    with BALLS.working():
        piece = piece_of(scale, lag, source, sizes)
        U = np.array([(flint.arb(source.uniform(0.5, 1)) * size).mid() for size in np.where(fast, *sizes)])
        speed = 4 * U
        found = SlowBounds(given, components).sizes(
            piece, flint.arb((rho + 1 / rho) / 2), U, np.where(fast, 0, U), speed
        )
        bounds = [found.field, found.clock, found.KR, found.inner, found.clock_slope, found.jacobian]
        bounds.append(found.linearised(1).defect)
        bounds = np.array([each.upper() for part in bounds for each in np.ravel(part)])
    reached = np.zeros(len(bounds))
    with ORACLE.working():
        for k in range(5):
            angle = (0, cmath.pi, 0, cmath.pi, 1)[k]
            x = (rho * on_circle(angle) + on_circle(-angle) / rho) / 2
            turns = [on_circle((0, 0, cmath.pi, cmath.pi, source.uniform(0, 6))[k]) for _ in U]
            X = np.where(fast, 0, piece.path[0]) + U * turns
            slope = speed * np.array([on_circle(source.uniform(0, 6)) for _ in U])
            scaled = Scaled(horizon, components, piece, x, slope)
            values, n = scaled.both(X), len(X)
            by = differenced(scaled.both, X)
            KR = np.where(fast, scaled.kappa**2, 1) * (np.where(fast, piece.lag * X, 0) - slope)
            parts = [values[: n + 1], KR, by[:n], by[n], by[n + 1 :], values[n + 1 :]]
            sampled = [abs(each).upper() for part in parts for each in np.ravel(part)]
            assert all(each <= bound for each, bound in zip(sampled, bounds, strict=True))
            reached = np.maximum(reached, [float(a / b) for a, b in zip(sampled, bounds, strict=True)])
    assert reached.min() > 0.003


def test_a_bump_of_unknown_sign_is_refused():
    class Dented(Gaussian, kind="dented"):
        def shape(self, t):
            return (t - 12) * super().shape(t)

    given = problem("inf")
    other = Problem(Target((Exponential(), Exponential(2, 3), Dented(lag=12))), given.start, "0.01")
    with pytest.raises(NotProved, match="whose sign is not known"):
        SlowBounds(other, Components(other, SPARE))
