"""A proof that the flow never escapes: what it must prove, what it must refuse, what widens it."""

import functools
import json
from dataclasses import replace
from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from oracles import gradient_by_quadrature, raw_terms, squared_error_by_quadrature
from theory.kernels import Box, Erlang, Exponential, Gaussian
from theory.parametrisation import Exp, InverseSquare
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate import in_time, stationary
from verify.certificate.proved import NotProved
from verify.certificate.recording_stationary import record
from verify.certificate.stationary import Recorded, Trap, prove, settle

BUMP = Gaussian(lag="14")


def alone(bump=BUMP, units=(("1", "1"),), drop="0.05", **more):
    return Problem(Target((Exponential(), bump)), LinearRNN(units), drop, **more)


CASES = {
    "one unit": alone(),
    "a box, off the fit": alone(Box("1/200", "3", "4"), (("1.001", "1.002"),), "0.00001"),
    "a negative bump seen for a while": alone(Erlang("-1/1000", "2", "1/2"), horizon="9"),
    "alike": alone(units=(("1/2", "1"), ("1/2", "1"))),
    "trained by its logarithm": alone(parametrisation=Exp()),
    "after a way": alone(Gaussian(lag="8")),
    "after a way, alike": alone(Gaussian(lag="8"), (("1/3", "1"), ("1/3", "1"), ("1/3", "1"))),
    "after a way, off the fit, seen for a while": alone(Gaussian(lag="8"), (("0.9", "1.1"),), horizon="30"),
    "after an escape from the plateau": alone(Gaussian(lag="16"), (("1", "1"), ("0", "0.7")), drop="0.3"),
    "after a plateau of 10^52": alone(Gaussian(lag="100"), (("1", "1"), ("0", "0.7")), drop="0.03"),
}


@functools.cache
def of(name):
    """What is recorded of a case."""
    return record(CASES[name])


LONG = "after a plateau of 10^52"


NAMES = [pytest.param(name, marks=[pytest.mark.slow] if name == LONG else []) for name in CASES]


@pytest.fixture(scope="module", params=NAMES)
def settled(request):
    problem = CASES[request.param]
    return problem, prove(problem, of(request.param))


def fraction(ball):
    mantissa, exponent = ball.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def test_the_limit_is_stationary_by_quadrature_of_the_definition(settled):
    """A wrong sign or factor in any block of the gradient would leave 1e-6 and more of it."""
    problem, found = settled
    units = [(fraction(a), fraction(w)) for (a, _), (w, _) in zip(found.amplitudes, found.rates, strict=True)]
    horizon = None if problem.horizon is sp.oo else Fraction(str(problem.horizon))
    terms = raw_terms(problem.target.terms)
    assert all(abs(slope) < 1e-29 for slope in gradient_by_quadrature(units, terms, horizon))
    assert all(upper - lower < 1e-30 for lower, upper in pairs(found))
    with flint.ctx.workprec(200):
        start = [(Fraction(str(a)), Fraction(str(w))) for a, w in problem.start.units]
        before, after = (squared_error_by_quadrature(each, terms, horizon) for each in (start, units))
        fall = before - after
        assert abs(fall - found.fall[0]) < 1e-32 and fall > 0


def test_the_limit_is_where_scipy_finds_the_flow_after_a_long_time():
    """The flow on the definition by Simpson's rule on a fine grid, and SciPy's own minimisation."""
    t = np.linspace(0, 60, 6_001)
    weight = np.full(len(t), 2 * t[1] / 3)
    weight[1::2] *= 2
    weight[[0, -1]] /= 2
    problem = alone(Gaussian(lag="8"), (("0.9", "1.1"),))
    rho = np.exp(-t) + np.exp(-((t - 8) ** 2) / 2)

    def downhill(_, theta):
        decay = np.exp(-theta[1] * t)
        error = weight * (theta[0] * decay - rho)
        return -2 * np.array([error @ decay, -theta[0] * (error * t) @ decay])

    far = solve_ivp(downhill, (0, 4000), [0.9, 1.1], method="Radau", rtol=1e-9, atol=1e-12).y[:, -1]
    best = minimize(lambda x: weight @ (x[0] * np.exp(-x[1] * t) - rho) ** 2, [1, 1], tol=1e-14).x
    found = prove(problem, record(problem))
    limit = [float(found.amplitudes[0][0]), float(found.rates[0][0])]
    assert limit == pytest.approx(far, abs=1e-6) and limit == pytest.approx(best, abs=1e-5)


def test_the_drop_decides():
    """Short of it by 1e-25, the minimum is no end; beyond by as much, it is."""
    problem = alone()
    recorded = record(problem)
    fall = sp.Rational(str(Fraction(fraction(prove(problem, recorded).fall[0]))))
    assert prove(replace(problem, drop=fall + sp.Rational(1, 10**25)), recorded)
    with pytest.raises(NotProved, match="short of the drop"):
        prove(replace(problem, drop=fall - sp.Rational(1, 10**25)), recorded)


def test_every_rate_in_the_trap_must_be_one_that_the_parametrisation_reaches():
    """Rates of the trap about 0.99966 go up to 1.02 or so: below 1/b = 2, and beyond 1.001."""
    trap = of("one unit").trap
    assert settle(alone(parametrisation=InverseSquare("1", "1/2")), trap)
    with pytest.raises(NotProved):
        settle(alone(parametrisation=InverseSquare("1", "1000/1001")), trap)


@pytest.mark.parametrize("entry", [(0, 0), (1, 1), (0, 1)])
def test_a_flipped_sign_in_the_hessian_is_refused(entry, monkeypatch):
    recorded = of("one unit")
    honest = stationary.Landscape.gradient_and_hessian

    def flipped(self, y):
        gradient, hessian = honest(self, y)
        hessian[entry] = -hessian[entry]
        return gradient, hessian

    monkeypatch.setattr(stationary.Landscape, "gradient_and_hessian", flipped)
    with pytest.raises(NotProved):
        prove(alone(), recorded)


def test_a_saddle_is_refused_unless_the_flow_cannot_leave_it():
    """The best single exponential on two of them: alike units end there, the least difference would part them."""
    target = Target((Exponential("2", "1"), Exponential("6", "8")))
    alike = Problem(target, LinearRNN((("3.125", "2.978"), ("3.125", "2.978"))), "1")
    recorded = record(alike)
    assert prove(alike, recorded).rates[0] == prove(alike, recorded).rates[1]
    parted = Problem(target, LinearRNN((("3.125", "2.978"), ("3.125", "2.978001"))), "1")
    a, w = (part[0][0] for part in (prove(alike, recorded).amplitudes, prove(alike, recorded).rates))
    fitted = [exact_ball(unit[part]) for part in (0, 1) for unit in parted.reference]
    with flint.ctx.workprec(150):
        centre = np.array([(x - fit).mid() for x, fit in zip((a, a, w, w), fitted, strict=True)], dtype=object)
    with pytest.raises(NotProved, match=r"not positive definite|merged"):
        settle(parted, Trap(centre, flint.arb(2) ** -20, 40))


def test_units_that_merge_are_told():
    """A spare that has come to rest on its neighbour: the minimum is a line."""
    problem = alone(Gaussian("-0.1", lag="8"), (("0.4", "1"), ("0.6", "1.3")))
    single = prove(alone(Gaussian("-0.1", lag="8")), record(alone(Gaussian("-0.1", lag="8"))))
    a, w = single.amplitudes[0][0], single.rates[0][0]
    fitted = [exact_ball(unit[part]) for part in (0, 1) for unit in problem.reference]
    with flint.ctx.workprec(150):
        shared = (a * flint.arb("0.4"), a * flint.arb("0.6"), w, w)
        centre = np.array([(x - fit).mid() for x, fit in zip(shared, fitted, strict=True)], dtype=object)
    with pytest.raises(NotProved, match="units have merged"):
        settle(problem, Trap(centre, flint.arb(2) ** -20, 40))


def exact_ball(number):
    with flint.ctx.workprec(150):
        return flint.arb(flint.fmpq(int(number.p), int(number.q)))


# ---- the state that the flow has passed ---------------------------------------------------------------------------


class Bowl:
    """phi = x^2/2 + bend x^3/6 + y^2/2 about (1, 1), its slope known to +-doubt; J(0) - J = 0.04 at the minimum."""

    width, bend, doubt = 1, 0.0, 0.0

    def __init__(self, problem, arithmetic):
        self.problem, self.arithmetic, self.start = problem, arithmetic, arithmetic.array([0, 0])

    def units(self, z):
        return z[:1] + 1000, z[1:] + 1000

    def drop(self, z):
        x, y = z - 1
        return flint.arb("0.04") - x * x / 2 - self.bend * x**3 / 6 - y * y / 2

    def gradient_and_hessian(self, z):
        x, y = z - 1
        slope = np.array([x + self.bend * x * x / 2, y], dtype=object) + flint.arb(0, self.doubt)
        return slope, np.array([[1 + self.bend * x, flint.arb(0)], [flint.arb(0), flint.arb(1)]], dtype=object)


def held(state, radius=2, rho=0, drop="0.05"):
    """Whether the state, within rho, is proved to be trapped."""
    ball = np.array([flint.arb(x) for x in state], dtype=object), flint.arb(rho)
    centre = np.array([flint.arb(1), flint.arb(1)], dtype=object)
    try:
        settle(alone(drop=drop), Trap(centre, flint.arb(radius), 40), ball)
    except NotProved:
        return False
    return True


@pytest.mark.parametrize(("bend", "expected"), [(0.0, True), (0.34, True), (0.38, False), (0.6, False)])
def test_the_edge_must_be_higher_than_the_state(bend, expected, monkeypatch):
    """r = 2, kappa = 2 bend, g = 0, the state at 1/2 + bend/6: below 2 (1 - kappa) for bend < 0.36."""
    monkeypatch.setattr(stationary, "Landscape", Bowl)
    monkeypatch.setattr(Bowl, "bend", bend)
    assert held([2, 1]) == expected


@pytest.mark.parametrize(
    ("doubt", "drop", "expected"),
    [(0.09, "0.05", True), (0.12, "0.05", False), (0.5, "9", True), (0.55, "9", False), (9, "99", False)],
)
def test_a_doubtful_slope_counts_against_the_trap(doubt, drop, expected, monkeypatch):
    """g = sqrt2 doubt: 0.04 + g^2/2 reaches the drop at doubt = 0.1; 1/2 < 2 - 2 g breaks at doubt = 0.53."""
    monkeypatch.setattr(stationary, "Landscape", Bowl)
    monkeypatch.setattr(Bowl, "doubt", doubt)
    assert held([2, 1], drop=drop) == expected


def test_the_whole_ball_of_states_must_lie_in_the_trap(monkeypatch):
    """kappa = 0, r = 2: d = 1 + sqrt2 rho < 2, for |Q^{-1}| is bounded by its Frobenius norm sqrt2."""
    monkeypatch.setattr(stationary, "Landscape", Bowl)
    assert held([2, 1], rho=0.70) and not held([2, 1], rho=0.71)
    assert held([2.9, 1]) and not held([3.1, 1])
    monkeypatch.setattr(Bowl, "bend", 0.34)
    assert held([2, 1], rho=0.01) and not held([2, 1], rho=0.1)  # 0.557 of 0.64 at its centre, 0.69 on its edge


def test_a_trajectory_that_ends_too_early_or_was_tampered_with_is_refused():
    problem, recorded = CASES["after a way"], of("after a way")
    path = recorded.path
    degree = len(path.nodes) - 1
    early = replace(path, durations=path.durations[:-4], values=path.values[: -4 * degree])
    bent, nudged = path.values.copy(), path.values.copy()
    with flint.ctx.workprec(400):
        bent[5 * degree + 3, 0] += flint.arb(2) ** -10
        nudged[5 * degree + 3, 0] += flint.arb(2) ** -60
    for other in (early, replace(path, values=bent), record(alone(Gaussian(lag="10"))).path, None):
        with pytest.raises(NotProved):
            prove(problem, replace(recorded, path=other))
    found = prove(problem, replace(recorded, path=replace(path, values=nudged)))
    assert pairs(found) == pairs(prove(problem, recorded))  # the trap is the same


def test_a_way_in_two_parts_must_join():
    """Over the plateau in the slow rate, then in time; neither part alone, nor one that begins elsewhere, will do."""
    problem, recorded = CASES[LONG], of(LONG)
    assert recorded.slow and recorded.path and prove(problem, recorded)
    elsewhere = recorded.path.values.copy()
    with flint.ctx.workprec(400):
        elsewhere[0, 0] += flint.arb(2) ** -10
    moved_path = replace(recorded.path, values=elsewhere)
    for wrong in ({"slow": None}, {"path": None}, {"path": moved_path}):
        with pytest.raises(NotProved):
            prove(problem, replace(recorded, **wrong))
    with pytest.raises(ValueError, match="counted from the start"):
        in_time.prove(problem, recorded.path, (problem.drop,), (recorded.path.values[0], flint.arb(0)))


def test_a_runaway_is_no_minimum():
    problem = alone(Gaussian(lag="8"), (("1", "1"), ("0", "0.7"), ("0", "0.6")), drop="1")
    with pytest.raises(NotProved, match="no minimum short of the drop"):
        record(problem, max_seconds=1)


def test_a_state_of_the_real_flow():
    """Passed on the way down or up to the start; a ball as large as the trap, or elsewhere, is refused."""
    problem = alone()
    trap = record(problem).trap
    near = trap.centre.copy()
    near[0] += flint.arb(2) ** -40
    assert settle(problem, trap, (near, flint.arb(2) ** -30))
    for centre, rho in ((near, trap.radius), (near + flint.arb(2) ** -3, flint.arb(0)), (near, flint.arb("inf"))):
        with pytest.raises(NotProved, match="lie in the trap"):
            settle(problem, trap, (centre, rho))


# ---- what is recorded is not trusted ------------------------------------------------------------------------------


def pairs(found):
    return *found.amplitudes, *found.rates, found.fall


def moved(trap, by):
    with flint.ctx.workprec(400):
        return replace(trap, centre=np.array([x + by for x in trap.centre], dtype=object))


def test_a_centre_beside_the_minimum_widens_the_limit_which_stays_inside():
    problem = alone()
    trap = record(problem).trap
    true, wide = settle(problem, trap), settle(problem, moved(trap, flint.arb(2) ** -60))
    assert wide.rates[0][1] - wide.rates[0][0] > flint.arb(2) ** -62
    for narrow, around in zip(pairs(true), pairs(wide), strict=True):
        assert around[0] < narrow[0] and narrow[1] < around[1]
    with pytest.raises(NotProved):
        settle(problem, moved(trap, flint.arb(1) / 8))


@pytest.mark.parametrize("radius", [2, 2**-4, 2**-30])
def test_a_radius_too_large_or_too_small_is_refused(radius):
    problem = alone()
    with pytest.raises(NotProved):
        settle(problem, replace(record(problem).trap, radius=flint.arb(radius)))


def test_the_record_of_another_problem_is_refused():
    recorded = of("one unit")
    with pytest.raises(NotProved):
        prove(alone(Gaussian(lag="5")), recorded)
    with pytest.raises(ValueError, match="4 entries for 2 distinct units"):
        prove(alone(units=(("1", "1"), ("0", "0.7"))), recorded)


def test_a_record_goes_through_json_unchanged():
    problem = alone(Gaussian(lag="10"))
    recorded = record(problem)
    again = Recorded.from_dict(json.loads(json.dumps(recorded.as_dict())))
    assert again.as_dict() == recorded.as_dict()
    assert prove(problem, again).as_dict() == prove(problem, recorded).as_dict()


@pytest.mark.parametrize(
    "tampered",
    [
        {"radius": "-0x1*2^-9"},
        {"radius": "0.1"},
        {"digits": "40"},
        {"digits": 0},
        {"digits": True},
        {"digits": 10**9},
        {"centre": "0x1*2^0"},
        {"centre": ["0x1*2^0"]},
        {"centre": [0.5, 0.5]},
        {"more": 1},
    ],
)
def test_a_malformed_record_is_an_error(tampered):
    written = of("one unit").trap.as_dict() | tampered
    with pytest.raises(ValueError):
        settle(alone(), Trap.from_dict(written))
