"""Tubes around one piece against the flow itself, integrated in float64 from the edge of what is allowed."""

from dataclasses import replace
from functools import cache

import flint
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from numerics.arithmetic import Arb, Float64, _objects
from numerics.landscape import Landscape
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate import chebyshev
from verify.certificate.proved import NotProved
from verify.certificate.recording_slow import record
from verify.certificate.shear import Linearised, Shear, _applied, choose
from verify.certificate.slow_field import Components, Stretch
from verify.certificate.slow_tube import (
    Along,
    Norms,
    Offset,
    Pair,
    SlowTubes,
    Tube,
    _Crossing,
    _size,
    _Wall,
    logarithmic_norm,
)

BALLS = Arb(30)
ROUNDOFF = 1e-9  # of the flow and its integration


@cache
def recorded(beside):
    """One spare, or another beside it; a piece in the middle of the plateau."""
    start = (["1", "0", "0"], ["1", "2.5", "0.6"]) if beside else (["1", "0"], ["1", "0.7"])
    target = Target((Exponential(), Gaussian(lag=40 if beside else 20)))
    given = Problem(target, LinearRNN.of(*start), "0.02" if beside else "0.05")
    found = record(given, 6)
    return given, found.spare, found.pieces[len(found.pieces) // 3 :][:2]


class Flow:
    """X = (U, v) and tau as functions of x, from the gradient of J in float64."""

    def __init__(self, given, spare, piece):
        self.of, self.landscape = Components(given, spare), Landscape(given, Float64())
        self.top, self.h, self.lag, self.scale = (float(each) for each in (piece.top, piece.h, piece.lag, piece.scale))

    def state(self, x, X):
        kappa = self.scale * np.exp(self.lag * self.h * (1 + x))
        y = np.empty(2 * self.of.width)
        y[self.of.others] = X * np.where(self.of.is_fast, kappa, 1)
        y[self.of.clock] = self.top - self.h * (1 + x)
        return y, kappa

    def slope(self, x, z):
        X = z[:-1]
        y, kappa = self.state(x, X)
        g = self.landscape.gradient(y)
        dx = g[self.of.clock] / self.h  # x' = -beta'/h
        by_time = np.where(self.of.is_fast, -g[self.of.others] / kappa - self.lag * self.h * dx * X, -g[self.of.others])
        return np.append(by_time, 1) / dx

    def through(self, X, begin, points):
        run = solve_ivp(self.slope, (begin, 1), np.append(X, 0), "Radau", points, rtol=1e-11, atol=1e-12 * max(abs(X)))
        return run.y[:-1].T, run.y[-1]

    def slow_direction(self, x, X):
        """Of U' beside the manifold, the direction that decays most slowly, from (V42)'s largest part, -H_uu."""
        fast = self.of.others[self.of.is_fast]
        H = self.landscape.gradient_and_hessian(self.state(x, X)[0])[1][np.ix_(fast, fast)]
        return np.linalg.eigh(H)[1][:, 0]


def exact(values):
    return _objects(map(flint.arb, np.ravel(values).tolist())).reshape(np.shape(values))


CASES = [  # another spare beside, begin, offset in U and v, P's shift in U, q's factor; in units of |U|, 1, |U|, 1
    (False, -1.0, 1e-5, 0.0, 0.0, 1.0),
    (False, 0.25, -1e-5, 0.0, 0.0, 1.0),
    (False, -1.0, 0.0, 0.0, 1e-6, 1.0),  # a defect
    (False, -1.0, 0.0, 0.0, 0.0, 1.125),  # a wrong slowness
    (True, -1.0, 1e-4, 0.0, 0.0, 1.0),
    (True, -1.0, 0.0, 1e-7, 0.0, 1.0),
    (True, -1.0, 0.0, 0.0, 1e-7, 1.0),
]


@pytest.mark.parametrize("case", CASES)
def test_the_flow_stays_in_the_tube_and_keeps_its_time(case):
    beside, begin, of_u, of_v, shift, factor = case
    given, spare, (piece, _) = recorded(beside)
    flow = Flow(given, spare, piece)
    k, points = flow.of.fast, np.linspace(begin, 1, 9)
    P = lambda path, x: np.polynomial.chebyshev.chebval(x, path.astype(float))
    slow = np.zeros(len(flow.of.others))
    slow[:k] = flow.slow_direction(begin, P(piece.path, begin))
    size = max(abs(P(piece.path, begin)))
    with BALLS.working():
        path = piece.path.copy()
        path[0] += exact(shift * size * slow)
        q = _objects((each * flint.arb(factor)).mid() for each in piece.slowness)
        moved = replace(piece, path=_objects(each.mid() for each in path.ravel()).reshape(path.shape), slowness=q)
        V = of_u * size * slow
        V[k:] = of_v
        u, v = (flint.arb(float(np.linalg.norm(each)) * (1 + ROUNDOFF) + 1e-12 * size) for each in (V[:k], V[k:]))
        tubes = SlowTubes(given, spare, BALLS)
        tube = tubes.around(moved, flint.arb(begin), Offset(u, v, np.full((k, flow.of.riding), flint.arb(0))))
        X, tau = flow.through(P(moved.path, begin) + V, begin, points)
        away = [X[i] - P(moved.path, x) for i, x in enumerate(points)]
        of = {"u": max(np.linalg.norm(each[:k]) for each in away), "v": max(np.linalg.norm(each[k:]) for each in away)}
        assert of["u"] <= float(tube.deviation.u) + ROUNDOFF * size
        assert of["v"] <= float(tube.deviation.v) * (1 + ROUNDOFF)
        R = np.array(tube.after.R.tolist(), dtype=float).reshape(k, -1)
        W = away[-1][:k] - R @ away[-1][k:]
        assert np.linalg.norm(W) <= float(tube.after.u) + ROUNDOFF * size
        assert np.linalg.norm(away[-1][k:]) <= float(tube.after.v) * (1 + ROUNDOFF)
        for i in (1, 4, 8):
            time = tube.time(flint.arb(points[i]))
            drop, _ = tubes.drop(tube, flint.arb(points[i]))
            J = flow.landscape.drop(flow.state(points[i], X[i])[0])
            assert abs(tau[i] - float(time.mid())) <= float(time.rad()) + ROUNDOFF * tau[i]
            assert abs(J - float(drop.mid())) <= float(drop.rad()) + ROUNDOFF * J


@pytest.mark.parametrize("beside", [False, True])
def test_where_pieces_meet_an_offset_changes_its_units_and_by_the_jump(beside):
    """(V55): the bounds of W and V_v hold for a state at the edge of the tube, seen from the piece that follows."""
    given, spare, (piece, following) = recorded(beside)
    of = Components(given, spare)
    k, r = of.fast, of.riding
    with BALLS.working():
        jump = exact([[1.5 + i for i in range(k)] + [-0.25] * r])
        path = _objects(each.mid() for each in (following.path / np.where(of.is_fast, 8, 1)).ravel())
        path = path.reshape(following.path.shape)
        path[0] += jump[0]
        other = replace(following, scale=8 * following.scale, path=path)
        R = exact([[3.0 + i + j for j in range(r)] for i in range(k)])
        tubes, nothing = SlowTubes(given, spare, BALLS), Pair(flint.arb(0), flint.arb(0))
        after = Offset(flint.arb(2), flint.arb(0.5 if beside else 0), R.reshape(k, r))
        tube = Tube(piece, flint.arb(-1), nothing, after, nothing, *[flint.arb(0)] * 3)
        found = tubes.joint(tube, other)
        v = exact([-0.5] * r)
        V = np.concatenate([exact([-2.0] + [0.0] * (k - 1)) + after.R @ v, v])  # |W| and |V_v| as large as may be
        X = piece.path.sum(axis=0) + V
        units = [np.where(of.is_fast, each, 1) for each in (piece.kappa(flint.arb(1)), other.kappa(flint.arb(-1)))]
        seen = X * units[0] / units[1] - np.array([(-1) ** i for i in range(len(path))]) @ path
        R = after.R * units[0][0] / units[1][0]
        close = float(_size(R - found.R)) if beside else 0.0
        W = float(_size(seen[:k] - R @ seen[k:]))
        assert close < 1e-20 and W <= float(found.u) < 1.3 * W
        assert float(_size(seen[k:]) if beside else 0) <= float(found.v) * (1 + ROUNDOFF)


@pytest.mark.parametrize("beside", [False, True])
def test_a_start_up_hands_over_a_ball(beside):
    """x and V of states on the edge of the ball lie in what is handed over, which is hardly larger."""
    given, spare, (piece, _) = recorded(beside)
    of = Components(given, spare)
    with BALLS.working():
        tubes, radius = SlowTubes(given, spare, BALLS), flint.arb(2) ** -30
        P = piece.path.sum(axis=0) + exact([2.0**-20] * len(of.others))
        y = np.full(2 * of.width, flint.arb(0))
        y[of.others], y[of.clock] = P * np.where(of.is_fast, piece.kappa(flint.arb(0)), 1), piece.beta(flint.arb(0))
        centre = _objects(each.mid() for each in y)
        begin, offset = tubes.handover(piece, centre, radius)
        for i in range(2 * of.width):
            for sign in (-1, 1):
                edge = centre.copy()
                edge[i] += sign * radius * (1 - flint.arb(2) ** -40)
                x = (piece.top - edge[of.clock]) / piece.h - 1
                here = np.polynomial.chebyshev.chebval(x, piece.path)
                V = edge[of.others] / np.where(of.is_fast, piece.kappa(x), 1) - here
                assert begin.contains(x)
                assert _size(V[: of.fast]) <= offset.u and (_size(V[of.fast :]) <= offset.v or not beside)
        assert begin.rad() < 2 * radius / piece.h
        with pytest.raises(NotProved, match="does not end on the first piece"):
            edge = centre.copy()
            edge[of.clock] = piece.top + radius / 2
            tubes.handover(piece, edge, radius)


def pair(u, v):
    return Pair(flint.arb(u), flint.arb(v))


FAR = (0.25, 0.125, 0.125, 0.125)  # M of (V50)


def crossing(offset, defect, mismatch, mu, b, c, e, sensitivity, lean=0.0):
    """Of a piece with L = 8, h = 1/4, q = -1, by bounds that are given; and a wall at 2 with others."""
    zero = exact([[[0.0]], [[0.0]]])
    top, number = flint.arb(0), flint.arb
    piece = Stretch(top, number(-0.5), number(0.25), number(8), exact([[0.0] * 2] * 2), exact([-1.0, 0.0]))
    norms = Norms(*map(number, (mu, b, c, e)), pair(*sensitivity))
    along = Along(Shear(zero, piece.h), pair(*defect), number(mismatch), norms, number(lean))
    wall = _Wall(pair(2, 2), Norms(*map(number, FAR), pair(0, 0)), pair(0, 0))
    return piece, _Crossing(piece, number(-1), Offset(number(offset[0]), number(offset[1]), zero[0]), along), wall


COUPLED = [  # |W| and |V_v| at the begin, E, delta, mu, b, c, e, lambda
    ((0.25, 0.0), (0.0, 0.0), 0.0, -0.5, 0.0, 0.125, 0.0, (0.25, 0.0)),
    ((0.0, 0.125), (0.0, 0.0), 0.125, -0.5, 0.5, 0.0, 0.5, (0.0, 0.25)),
    ((0.0, 0.125), (0.0, 0.0), 0.0, -0.5, 0.25, 0.5, 0.25, (0.5, 0.0)),
    ((0.0, 0.0), (0.125, 0.0), 0.0, -0.5, 0.0, 0.5, 0.0, (0.5, 0.0)),
    ((0.0, 0.0), (0.0, 0.125), 0.0, -0.5, 0.5, 0.0, 0.0, (0.0, 0.5)),
    ((0.0, 0.125), (0.0, 0.0), 0.0, -0.5, 0.0, 0.0, 0.0, (0.0, 0.25)),
    ((0.125, 0.125), (0.0625, 0.0625), 0.0625, -0.75, 0.25, 0.25, 0.25, (0.125, 0.125)),
]


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("case", COUPLED)
def test_the_worst_that_the_inequalities_allow_is_within_what_follows(case, sign):
    """(V50) with equality, and zeta as large as it may be: (V52)-(V54). Rejects each of their terms left out."""
    with BALLS.working():
        _, through, wall = crossing(*case)
        r = pair(0.75, 0.75)
        tube, A = through.within(wall, r)
        assert A.u < r.u and A.v < r.v  # the first exit
        ends = [float(each) for each in (A.u, A.v, tube.after.u, tube.time(flint.arb(1)).rad())]
    (W, V), (E_u, E_v), delta, *norms, of_u, of_v = *case[:-1], *case[-1]
    share = 0.75 / 2
    mu, b, c, e = (x + 2 * share * y for x, y in zip(norms, FAR, strict=True))

    def slope(x, z):
        W, V, *_ = z
        kappa2 = 0.25**2 * np.exp(4 * (1 + x))
        zeta = sign * (delta + of_u * W + of_v * V)
        by = 0.25 / kappa2 / (1 + zeta)  # dtau/dx
        return by * np.array([mu * W + b * V + E_u, kappa2 * (c * W + e * V + E_v), 1, 1 + zeta])

    run = solve_ivp(slope, (-1, 1), [W, V, 0, 0], "Radau", rtol=1e-9, atol=1e-12)
    W, V, *times = run.y
    found = [max(W), max(V), W[-1], abs(times[0][-1] - times[1][-1])]
    assert all(each <= bound + 1e-7 for each, bound in zip(found, ends, strict=True))


@pytest.mark.parametrize(
    "case",
    [
        ((0.0, 0.0), (0.0, 0.0), 0.5, -0.5, 0.0, 0.0, 0.0, (0.0, 0.0)),  # eta
        ((0.0, 0.0), (0.0, 0.0), 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0)),  # mu
        ((0.0, 0.0), (0.0, 0.0), 0.0, -4.0, 0.0, 0.0, 0.0, (0.0, 0.0), 8.0),  # a leaning tube beyond the wall
    ],
)
def test_nothing_follows_where_the_clock_may_stop_or_the_tube_reach_the_wall(case):
    with BALLS.working():
        _, through, wall = crossing(*case)
        assert through.within(wall, pair(0.25, 0.25)) is None


def test_another_shear_widens_what_comes_in():
    """W with one R is W with another up to |R - R'| |V_v|."""
    with BALLS.working():
        piece, through, _ = crossing(*COUPLED[0])
        offset = Offset(flint.arb(0.25), flint.arb(0.125), exact([[2.0], [0.0]]))
        assert _Crossing(piece, flint.arb(-1), offset, through.along).error.u >= flint.arb(0.5)


def test_the_sheared_flow_is_the_same_flow():
    """(V46) with whole numbers, against W' = V_u' - R V_v' - R' V_v itself."""
    source = np.random.default_rng(1)
    numbers = lambda *shape: source.integers(-9, 9, shape).astype(object)
    R, R_beta, D, E, by, W, v = (numbers(*each) for each in [(3, 2), (3, 2), (5, 5), (5,), (5,), (3,), (2,)])
    G, K = 7, 3
    found = _applied(Linearised(E, by, D, G, K), R, R_beta, -1)
    V = np.concatenate([W + R @ v, v])
    away = E + D @ V
    assert (found.defect + found.jacobian @ np.concatenate([W, v]) == np.concatenate(
        [away[:3] - K * R @ away[3:] - K * G * R_beta @ v, away[3:]]
    )).all()  # fmt: skip
    assert found.sensitivity @ np.concatenate([W, v]) == by @ V


def turning(x, slow):
    """diag(-1, -slow), turned by x/2."""
    c, s = (x / 2).cos(), (x / 2).sin()
    return [-c * c - slow * s * s, (slow - 1) * c * s, (slow - 1) * c * s, -s * s - slow * c * c]


@pytest.mark.parametrize("slow", ["0.1", "0.001", "0.0001"])
def test_a_slow_rate_is_not_lost_where_its_direction_turns(slow):
    """lambda_max is -slow throughout; one ball of all values would make it positive."""
    with BALLS.working():
        size, slow = 40, flint.arb(slow)
        samples = _objects(each for x in chebyshev.points(size) for each in turning(x, slow)).reshape(size, 2, 2)
        nothing = _objects([flint.arb(0)] * 4).reshape(2, 2)
        mu = logarithmic_norm(chebyshev.coefficients(samples), nothing)
        assert -slow <= mu < -slow / 2


def test_a_shear_is_found_where_it_changes_as_fast_as_it_relaxes():
    """b of (V46) falls a billionfold; substitution, R = -M^{-1} b(R), would grow here."""
    with BALLS.working():
        x, k2 = chebyshev.points(40), flint.arb(8)
        entries = [[-1, x0 / 8, 1 + x0, x0 / 9, -1 - x0 / 4, x0 * x0, x0 / 50, flint.arb("0.01"), x0 / 40] for x0 in x]
        jacobian = _objects(flint.arb(each) for row in entries for each in row).reshape(40, 3, 3)
        of = lambda value, *shape: _objects([flint.arb(value)] * int(np.prod(shape))).reshape(shape)
        raw = Linearised(of(0, 40, 3), of(0, 40, 3), jacobian, of(-1, 40, 1, 1), of(k2, 40, 1, 1))
        shear = choose(raw, 24, 2, flint.arb(2), BALLS)
        left = shear.applied(raw, 40).jacobian[:, :2, 2:]
        assert abs(left).max() < 1e-9 and abs(shear.coefficients).max() < 100
