"""Each bound of a tube against what it bounds: on a coarse piece, where a term that is left out is missed."""

from dataclasses import replace

import flint
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from numerics.arithmetic import Arb, Float64, _objects
from numerics.landscape import Landscape
from theory.kernels import Exponential
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate import chebyshev, tube
from verify.certificate.proved import NotProved
from verify.certificate.tube import Tube, Tubes, _gronwall, norm

BUMP = Exponential("1", "0.5", lag="3")  # its transform is elementary: complex displacements in float64 as well
PROBLEM = Problem(Target([Exponential(), BUMP]), LinearRNN([("1", "1"), ("0", "0.7")]), "0.05")
FAINT = Problem(Target([Exponential("0.001", "0.5", lag="3")]), LinearRNN([("0", "0.5")]), "1e-9")
P, SLOPE = np.array([0.125, 0.25, -0.0625, 0.125]), np.array([0.125, -0.0625, 0.125, 0.1875])
PIECES = 8  # parts of a piece at least
TURNS = np.exp(1j * np.linspace(0, 2 * np.pi, 61))  # of a Bernstein ellipse
GRID = np.linspace(-1, 1, 161)
RNG = np.random.default_rng(5)
UNITS = [*np.eye(4), *-np.eye(4), *(v / np.linalg.norm(v) for v in RNG.normal(size=(40, 4)))]


@pytest.fixture(autouse=True)
def balls():
    with Arb(30).working():
        yield


@pytest.fixture(scope="module")
def tubes():
    return Tubes(PROBLEM, 30)


@pytest.fixture(scope="module")
def floats():
    return Landscape(PROBLEM, Float64())


def piece(slope):
    return np.stack([_objects(map(flint.arb, each.tolist())) for each in (P, slope)])


def hessian(floats, y):
    return floats.gradient_and_hessian(np.asarray(y))[1]


def steepest(floats, y):
    return np.linalg.eigvalsh(-hessian(floats, y))[-1]


@pytest.mark.parametrize("error", ["1e-20", "1e-2"])
def test_the_defect_is_that_of_the_piece_and_what_its_points_miss_is_added(tubes, floats, error):
    coefficients, h = piece(SLOPE), flint.arb(0.5)
    rho, size, beyond = tubes._ellipse(coefficients, h, flint.arb(error))
    edge = (float(rho) * TURNS + 1 / (float(rho) * TURNS)) / 2
    largest = max(np.linalg.norm(floats.gradient(P + SLOPE * z)) for z in edge)
    assert beyond >= chebyshev.remainder(flint.arb(largest), rho, size)  # |f| on the ellipse itself
    missed = max(np.linalg.norm(2 * SLOPE / 0.5 + floats.gradient(P + SLOPE * x)) for x in GRID)
    defect = tubes._defect(coefficients, h, size, beyond)
    assert missed <= float(defect) < 1.5 * missed + float(beyond)
    assert tubes._defect(coefficients, h, size, beyond + 1) >= tubes._defect(coefficients, h, size, 0 * beyond) + 1


@pytest.mark.parametrize("resolved", [12.0, 0.0])  # at 4 points, what lies between them is in the remainder
def test_no_part_holds_a_larger_eigenvalue_than_its_bound(tubes, floats, monkeypatch, resolved):
    monkeypatch.setattr(tube, "RESOLVED", resolved)
    mus, _, _ = tubes._logarithmic_norms(piece(SLOPE), flint.arb(0.5), flint.arb(2))
    slow = abs(np.linalg.eigh(-hessian(floats, P))[1][:, -1])
    edge = (2 * TURNS + 1 / (2 * TURNS)) / 2
    sizes = np.max([abs(hessian(floats, P + SLOPE * z)) for z in edge], axis=0)
    missed = 0.9 * float(chebyshev.remainder(flint.arb(slow @ sizes @ slow), flint.arb(2), 4)) if resolved == 0 else 0
    for k, mu in enumerate(mus):
        found = max(steepest(floats, P + SLOPE * x) for x in (np.linspace(0, 2, 9) + 2 * k) / len(mus) - 1)
        assert found + missed - 1e-12 <= float(mu) and (resolved == 0 or float(mu) < found + 0.15)


@pytest.mark.parametrize("moved", [0.0, 0.125])
def test_the_hessian_is_bounded_as_far_as_schwarz_lemma_reads_it(moved):
    """One unit that is nearly off: 1/w stands alone in its Hessian."""
    tubes, floats = Tubes(FAINT, 30), Landscape(FAINT, Float64())
    coefficients = np.stack([_objects([flint.arb(0)] * 2), _objects(map(flint.arb, (0.0, moved)))])
    _, near, M = tubes._logarithmic_norms(coefficients, flint.arb(0.5), flint.arb(1.5))
    slower = floats.gradient_and_hessian(np.array([0.0, -moved - float(near)]))[1]
    assert float(near) <= 0.15 * (0.5 - moved)
    assert np.linalg.norm(slower, 2) <= float(M) < 4 * np.linalg.norm(slower, 2)


def test_the_growth_in_the_tube_is_that_of_its_worst_point(tubes, floats):
    """At rest, lambda_max on the piece is one number; (V2) adds what |v| <= r may."""
    error, h = 1e-4, flint.arb(1) / 2**16
    found = tubes.around(piece(0 * SLOPE), h, flint.arb(error))
    mu, (_, near, M) = found.growth / float(h), tubes._logarithmic_norms(piece(0 * SLOPE), h, flint.arb(2))
    worst = max(steepest(floats, P + float(max(found.errors)) * v) for v in UNITS)
    assert steepest(floats, P) < worst <= mu
    assert mu - steepest(floats, P) >= 2 * float(M / near) * tube.WIDEST * error


@pytest.mark.parametrize(("tangent", "error", "h"), [(0, 1e-3, 2**-9), (1, 1e-3, 2**-3), (0, 1e-30, 2**-9)])
def test_the_flow_stays_within_the_errors_of_its_tube(tubes, floats, tangent, error, h):
    slope = -tangent * floats.gradient(P) * h / 2
    bounds = tubes.around(piece(slope), flint.arb(h), flint.arb(error)).errors.astype(float)
    x = np.linspace(-1, 1, len(bounds))
    for v in UNITS:
        begin = P - slope + error * v
        path = solve_ivp(lambda t, y: -floats.gradient(y), (0, h), begin, "DOP853", h * (1 + x) / 2, rtol=1e-11)
        apart = np.linalg.norm(path.y.T - P - np.outer(x, slope), axis=1)
        assert (apart <= bounds + 1e-13).all()


def test_a_tube_as_wide_as_the_slowest_rate_is_refused(tubes):
    with pytest.raises(NotProved, match="grows too wide"):
        tubes.around(piece(0 * SLOPE), flint.arb(1) / 2**13, flint.arb(0.02))
    sinking = piece(np.array([0, 0, 0, 0.875]))  # the slower rate from -0.05 to 1.7
    with pytest.raises(NotProved, match="shorten the pieces"):
        tubes.around(sinking, flint.arb(0.125), flint.arb(0))


def test_a_norm_is_rounded_up():
    rounded = norm(_objects(map(flint.arb, (1, 1))))
    with Arb(90).working():
        assert rounded**2 > 2


def test_a_growth_that_no_width_holds_is_refused():
    """At a saddle nothing moves but what is off it, and grows by e^{6} in the end."""
    saddle = Problem(Target([Exponential(), Exponential("-2", "3")]), LinearRNN([("0", "1")]), "0.001")
    tubes = Tubes(saddle, 30)
    there = np.stack([tubes.landscape.start, 0 * tubes.landscape.start])
    grown = tubes.around(there, flint.arb(20), flint.arb(1e-12)).growth
    assert grown == pytest.approx(20 * (1.25**0.5 - 1) / 2, rel=0.01)
    with pytest.raises(NotProved, match="grows too wide"):
        tubes.around(there, flint.arb(100), flint.arb(1e-12))


@pytest.mark.parametrize("mu", [-3.0, -1e-30, 0.0, 2.0])
def test_gronwall_is_the_solution_of_the_equation_that_it_bounds(mu):
    """y' = mu y + d, first with one mu and then with another, beside a numerical solution."""
    eps, d, length = flint.arb(0.25), flint.arb(0.5), flint.arb(0.125)
    errors = _gronwall(eps, d, [flint.arb(mu), flint.arb(1)], length)
    middle, end = errors[1], errors[2]
    truth = solve_ivp(lambda t, y: mu * y + 0.5, (0, 0.125), [0.25], rtol=1e-12, atol=1e-14).y[0, -1]
    assert float(middle) == pytest.approx(truth, rel=1e-9) and errors[0] == eps and middle.is_exact()
    last = solve_ivp(lambda t, y: y + 0.5, (0, 0.125), [truth], rtol=1e-12, atol=1e-14).y[0, -1]
    assert float(end) == pytest.approx(last, rel=1e-9)
    rounded = eps * (flint.arb(mu) * length).exp() + d * (length if mu == 0 else (flint.arb(mu) * length).expm1() / mu)
    assert middle >= rounded  # upwards: above every point of the ball


def test_the_error_within_a_part_is_the_larger_one_of_its_ends():
    ends = [5, 4, 3, 4, 7, 2, 1, 8, 9]
    found = Tube(piece(SLOPE), flint.arb(1), _objects(map(flint.arb, ends)), flint.arb(1), flint.arb(0), 0.0)
    for k in range(PIECES):
        for x in (flint.arb(2 * k) / PIECES - 1, flint.arb(2 * k + 1) / PIECES - 1):
            assert found.error(x) >= max(ends[k : k + 2])
    assert found.error(flint.arb(1)) >= 9 and found.error(flint.arb(-1)) >= 5


def test_the_loss_in_a_tube_is_not_beyond_its_ball(tubes, floats):
    whole = tubes.around(piece(0 * SLOPE), flint.arb(1) / 2**9, flint.arb(1e-3))
    wide = replace(whole, errors=_objects([flint.arb(0.0625)] * (PIECES + 1)))
    ball, by_x = tubes.drop(wide, flint.arb(0))
    slope = floats.gradient(P)
    towards = slope / np.linalg.norm(slope)
    truths = [floats.drop(P + 0.0625 * v) for v in (towards, -towards, *UNITS)]
    assert all(ball.contains(flint.arb(each)) for each in truths)
    assert float(ball.rad()) < 4 * max(abs(each - float(ball.mid())) for each in truths)
    assert float(by_x) == pytest.approx(slope @ slope / 2**10, rel=1e-9)  # tau = (1 + x)/2^10


def test_where_the_loss_rests_the_second_order_is_counted():
    """At the minimum of a fit grad J = 0, and J grows like v . Hess J v / 2 all the same."""
    given = Problem(Target([Exponential()]), LinearRNN([("0.75", "1.25")]), "0.001")
    tubes, floats = Tubes(given, 30), Landscape(given, Float64())
    there = np.stack([_objects([flint.arb(0)] * 2)] * 2)
    whole = tubes.around(there, flint.arb(0.125), flint.arb(1e-3))
    wide = replace(whole, errors=_objects([flint.arb(0.0625)] * (PIECES + 1)))
    ball, _ = tubes.drop(wide, flint.arb(0))
    steep = np.linalg.eigh(hessian(floats, np.zeros(2)))[1][:, -1]
    assert ball.contains(flint.arb(floats.drop(0.0625 * steep)))
