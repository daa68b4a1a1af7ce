"""Bounds over polydiscs against complex values of the definition by quadrature, from raw kernels."""

import flint
import numpy as np
import pytest
import sympy as sp

from numerics.arithmetic import _objects
from theory.kernels import Airy, Box, Erlang, Exponential, Gaussian, PowerLaw
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.certificate.majorant import Majorant, polydisc
from verify.certificate.proved import NotProved

FITTED = np.array([1.0, 0.0, 1.0, 0.7])  # (a*, w*) of the units: one on its exponential, one to spare
CENTRE, RADII = np.array([0.125, 0.0625, -0.125, -0.25]), np.array([0.0625, 0.03125, 0.125, 0.125])
BUMPS = {
    "gaussian": (Gaussian(lag="5"), lambda t: np.exp(-((t - 5) ** 2) / 2)),
    "box": (Box(start=2, end=4, lag=1), lambda t: (t >= 3) * (t <= 5) * 1.0),
    "erlang": (Erlang("2", order=2, lag=1), lambda t: 2 * (t >= 1) * (t - 1) ** 2 * np.exp(-(t - 1) * (t >= 1))),
    "power-law": (PowerLaw(omega="1/2"), lambda t: (1 + t) ** -1.5),
    "negative": (Gaussian("-2", lag="3"), lambda t: -2 * np.exp(-((t - 3) ** 2) / 2)),
    "signed": ((Gaussian(lag="3"), Box("-1", 5, 6)), lambda t: np.exp(-((t - 3) ** 2) / 2) - (t >= 5) * (t <= 6)),
}


def problem(bump, horizon="inf"):
    terms = bump if isinstance(bump, tuple) else (bump,)
    return Problem(Target([Exponential(), *terms]), LinearRNN([("1", "1"), ("0", "0.7")]), "0.05", horizon)


def rule(horizon):
    x, weights = np.polynomial.legendre.leggauss(20)
    edges = np.arange(0, horizon + 0.5, 0.5)
    return np.concatenate([e + (x + 1) / 4 for e in edges[:-1]]), np.tile(weights / 4, len(edges) - 1)


def from_the_definition(rho, horizon, parameters):
    """grad J and Hess J at complex (a_1, a_2, w_1, w_2): int 2 e e_p and int 2 (e_p e_q + e e_pq)."""
    t, weights = rule(horizon)
    a, w = parameters[:2, None], parameters[2:, None]
    modes = np.exp(-w * t)
    error = (a * modes).sum(axis=0) - np.exp(-t) - rho(t)
    first = np.concatenate((modes, -a * t * modes))
    gradient = (2 * error * first * weights).sum(axis=1)
    hessian = 2 * np.einsum("it,jt,t->ij", first, first, weights)
    for k in range(2):
        hessian[k, 2 + k] += (2 * error * -t * modes[k] * weights).sum()
        hessian[2 + k, k] = hessian[k, 2 + k]
        hessian[2 + k, 2 + k] += (2 * error * a[k] * t**2 * modes[k] * weights).sum()
    return abs(gradient), abs(hessian)


@pytest.mark.parametrize(("name", "horizon"), [(name, "inf") for name in BUMPS] + [("gaussian", 4), ("power-law", 6)])
def test_bounds_hold_over_the_polydisc_and_are_not_much_too_large(name, horizon):
    bump, rho = BUMPS[name]
    majorant = Majorant(problem(bump, horizon))
    exact = lambda numbers: _objects(map(flint.arb, numbers.tolist()))
    with majorant.discs.working():
        gradient, hessian = majorant.gradient_and_hessian(exact(CENTRE), exact(RADII))
    rng, seen = np.random.default_rng(1), (np.zeros(4), np.zeros((4, 4)))
    corners = np.stack(np.meshgrid(*[[-1, 1]] * 4), axis=-1).reshape(-1, 4)
    for turn in [*corners, *np.exp(1j * rng.uniform(0, 2 * np.pi, (60, 4)))]:
        found = from_the_definition(rho, 120 if horizon == "inf" else horizon, FITTED + CENTRE + RADII * turn)
        seen = tuple(map(np.maximum, seen, found))
    for bounds, values in ((gradient, seen[0]), (hessian, seen[1])):
        assert (bounds.astype(float) >= values * (1 - 1e-6)).all()
        size = lambda numbers: numbers.astype(float).reshape(4, -1).sum(axis=1).max()
        assert size(bounds) <= 3 * size(values)  # entries with signs that cancel apart; found 1.1 to 2.6


def moment(f, end, n, s, beta=0):
    """int_0^end t^n e^{-st} f(t) (1 - e^{-beta t})/beta dt, without the last factor for beta = 0."""
    t, weights = rule(end)
    part = (1 - np.exp(-beta * t)) / beta if beta else 1
    return complex((t**n * np.exp(-s * t) * f(t) * part * weights).sum())


MOMENTS = {
    "ExponentialMoment": ((1,), lambda t: 1 + 0 * t, (4,), 4),
    "DividedMoment": ((1, 0.5), lambda t: 1 + 0 * t, (4,), 4),
    "PowerMoment": ((1,), lambda t: (1 + t) ** -1.5, (1.5,), 80),
    "GaussianMoment": ((1,), lambda t: np.exp(-((t - 2) ** 2) / 8), (2, 2), 40),
}


@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.parametrize("shape", [(0.25, 0), (0, 0.5), (0.25, 0.25)])
def test_a_moment_over_a_complex_ball_holds_every_value(name, shape):
    """Of balls that are wide along the real axis, the imaginary one, and both: each part of each value."""
    centres, f, parameters, end = MOMENTS[name]
    discs = Majorant(problem(Gaussian(lag="5"))).discs
    with discs.working():
        ball = lambda c: flint.acb(flint.arb(c, shape[0]), flint.arb(0, shape[1]))
        closed = ("unused",) if name == "GaussianMoment" else ()
        for n in range(3):
            found = discs.functions[name](*closed, n, *map(ball, centres), *map(flint.arb, parameters))
            assert found.is_finite()
            for x in np.linspace(-1, 1, 5):
                for y in np.linspace(-1, 1, 5):
                    value = moment(f, end, n, *(c + x * shape[0] + 1j * y * shape[1] for c in centres))
                    assert found.overlaps(flint.acb(flint.arb(value.real, 1e-9), flint.arb(value.imag, 1e-9)))


def test_a_polydisc_holds_its_discs():
    (found,) = polydisc(_objects([flint.arb(1)]), _objects([flint.arb(0.5)]))
    assert all(found.contains(flint.acb(1 + 0.5 * z.real, 0.5 * z.imag)) for z in (1, -1, 1j, -1j, 0.6 + 0.8j))


def test_there_is_no_bound_where_a_rate_may_vanish():
    majorant = Majorant(problem(Gaussian(lag="5")))
    with majorant.discs.working():
        wide = _objects(map(flint.arb, (0.0, 0.0, 0.0, 0.75)))
        assert not all(each.is_finite() for each in majorant.gradient(0 * wide, wide))


def test_a_power_law_has_none_where_a_rate_may_be_negative():
    majorant = Majorant(Problem(Target([PowerLaw()]), LinearRNN([("1", "1")]), "0.05"))
    with majorant.discs.working():
        wide = _objects(map(flint.arb, (0.0, 1.5)))
        assert not majorant.gradient(0 * wide, wide)[0].is_finite()


def test_a_density_of_unknown_sign_is_refused():
    with pytest.raises(NotProved, match="no certificate for a kernel with the density"):
        Majorant(problem(Airy(shift=sp.Integer(3))))
