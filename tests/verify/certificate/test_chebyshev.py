"""Chebyshev enclosures against functions with known poles, in mpmath."""

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, _objects
from tolerances import number, working
from verify.certificate import chebyshev

DIGITS = 40


def pole(x):
    return 1 / (3 - x)


@pytest.fixture(autouse=True)
def balls():
    with Arb(DIGITS).working():
        yield


def at(coefficients, x):
    return (chebyshev.basis(_objects([flint.arb(x)]), len(coefficients) - 1)[0] * coefficients).sum()


@pytest.mark.parametrize(("rho", "size"), [(2, 12), (4, 12), (4, 25), (5, 40)])
def test_the_remainder_covers_what_the_interpolant_misses_and_not_much_more(rho, size):
    coefficients = chebyshev.coefficients(_objects(map(pole, chebyshev.points(size))))
    rho = flint.arb(rho)
    bound = chebyshev.remainder(1 / (3 - (rho + 1 / rho) / 2), rho, size)  # |f| is largest at the vertex
    missed = [abs(at(coefficients, x) - pole(flint.arb(x))) for x in np.linspace(-1, 1, 101).tolist()]
    assert max(each.upper() for each in missed) < bound
    sharp = 3 + flint.arb(8).sqrt()  # E_rho through the pole
    assert max(each.lower() for each in missed) > sharp ** (1 - size) / 100  # or the bound would be no test


def test_a_larger_ellipse_than_the_pole_allows_would_lie():
    size, rho = 12, flint.arb(8)
    coefficients = chebyshev.coefficients(_objects(map(pole, chebyshev.points(size))))
    assert abs(at(coefficients, 1) - pole(flint.arb(1))) > chebyshev.remainder(flint.arb(1), rho, size)


@pytest.mark.parametrize(("rho", "size"), [(1.5, 8), (7, 3)])
def test_the_remainder_is_twice_the_sum_of_what_coefficients_may_be(rho, size):
    """sum over k >= N of 2 |a_k|, |a_k| <= 2 M rho^-k, term by term: 1/2 or 1/rho of it would be no proof."""
    tail = sum(2 * 2 * rho**-k for k in range(size, size + 400))
    assert tail * (1 - 1e-12) <= float(chebyshev.remainder(flint.arb(1), flint.arb(rho), size)) <= tail * (1 + 1e-12)


def test_a_hull_is_wider_by_the_remainder():
    found = chebyshev.hull(_objects(map(flint.arb, (5, -2, 1))), flint.arb(0.5)).item()
    assert found.contains(flint.arb(8.5)) and found.contains(flint.arb(1.5)) and not found.contains(flint.arb(8.75))


def test_values_and_coefficients_are_inverse_and_nodes_define_a_polynomial():
    given_ = _objects(flint.arb(k) / 7 for k in (3, -2, 5, 1))
    again = chebyshev.coefficients(chebyshev.values(given_, 9))
    assert all(abs(x - y) < 1e-35 for x, y in zip(again, given_, strict=False))
    assert all(abs(x) < 1e-35 for x in again[4:])
    nodes = _objects(map(flint.arb, (-1.0, -0.375, 0.25, 1.0)))
    through = chebyshev.product(chebyshev.through(nodes), nodes**3)
    assert all(abs(x - y) < 1e-35 for x, y in zip(through, (0, 0.75, 0, 0.25), strict=True))


def test_equal_nodes_are_refused():
    with pytest.raises(ZeroDivisionError):
        chebyshev.through(_objects(map(flint.arb, (-1.0, 0.0, 0.0, 1.0))))


@settings(deadline=None, max_examples=20)
@given(
    numbers=st.lists(st.integers(-50, 50), min_size=2, max_size=8),
    x=st.integers(-16, 16).map(lambda k: k / 16),
    pieces=st.integers(1, 5),
)
def test_hulls_and_reaches_hold_the_polynomial_and_derivatives_are_right(numbers, x, pieces):
    ctx = working(30)
    with Arb(DIGITS).working():
        coefficients = _objects(map(flint.arb, numbers))
        clenshaw = lambda z: ctx.fsum(c * ctx.chebyt(k, z) for k, c in enumerate(numbers))
        assert chebyshev.hull(coefficients).item().overlaps(_ball(clenshaw(x)))
        piece = min(int((x + 1) / 2 * pieces), pieces - 1)
        part = chebyshev.hull(chebyshev.on_pieces(coefficients, pieces)[piece]).item()
        assert part.overlaps(_ball(clenshaw(x)))
        slope, _ = number(at(chebyshev.derivative(coefficients), 0.5), ctx)
        assert abs(slope - ctx.diff(clenshaw, ctx.mpf("0.5"))) < 1e-20 * (1 + abs(slope))
        reach = chebyshev.reach(coefficients, flint.arb(2))
        edge = (2 * ctx.expj(x) + ctx.expj(-x) / 2) / 2
        assert abs(clenshaw(edge) - numbers[0]) <= number(reach, ctx)[0] * (1 + ctx.mpf("1e-25"))


def _ball(value):
    return flint.arb(str(value), 1e-25)


@pytest.mark.parametrize("end", [-1, 1])
def test_polynomials_at_a_thin_ball_near_an_end_are_thin(end):
    """(V27): to first order T_k(end (1 - s)) = end^k (1 - k^2 s). An arccos of the ball itself would lose 12 digits."""
    s, radius = flint.arb(10) ** -24, flint.arb(10) ** -30
    found = chebyshev.basis(_objects([flint.arb((end * (1 - s)).mid(), radius)]), 30)[0]
    for k, each in enumerate(found):
        ends = [end**k * (1 - k**2 * (s + side * radius)) for side in (-1, 1)]
        assert all(abs(each.mid() - truth) <= 1.001 * each.rad() + 1e-38 for truth in ends)
        assert each.rad() <= 1.001 * k**2 * radius + 1e-36
