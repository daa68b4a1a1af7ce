"""Radau IIA coefficients against textbook values and against what defines collocation: polynomials are exact."""

import flint
import numpy as np
import pytest

from numerics.collocation import radau
from tolerances import agree


def test_two_and_three_stages_are_the_textbook_ones():
    two, three = radau(2), radau(3)
    matrix = np.linalg.inv(two.derivative.astype(float))
    assert np.allclose(matrix, [[5 / 12, -1 / 12], [3 / 4, 1 / 4]], atol=1e-15)  # rejects a transposed D
    assert np.allclose(three.float_nodes, [0, (4 - 6**0.5) / 10, (4 + 6**0.5) / 10, 1], atol=1e-15)


@pytest.mark.parametrize("stages", [1, 2, 5, 9, 16])
def test_derivatives_of_powers_are_exact_to_the_digits_asked(stages):
    method = radau(stages, 60)
    with flint.ctx.workprec(300):
        nodes = _nodes(stages)
        for power in range(1, stages + 1):
            slopes = method.derivative @ np.array([c**power for c in nodes], dtype=object)
            for c, slope in zip(nodes, slopes, strict=True):
                assert agree(slope, power * c ** (power - 1), digits=55, scale=1)


def _nodes(stages):
    """c_1..c_s from Arb's own root finder on the polynomial P_s - P_{s-1}."""
    polynomial = flint.fmpq_poly.legendre_p(stages) - flint.fmpq_poly.legendre_p(stages - 1)
    roots = sorted((float(root.real), root.real) for root, _ in polynomial.complex_roots())
    return [(1 + root) / 2 for _, root in roots]


def test_the_interpolant_and_its_continuation_reproduce_polynomials():
    method = radau(7)
    c = method.float_nodes[1:]

    def cubic(x):
        return x**3 - 2 * x**2 + x  # zero at the start of the step, as displacements are

    points = np.array([0.0, 0.3, 0.9, 1.0])
    assert np.allclose(method.interpolation(points) @ cubic(c), cubic(points), atol=1e-13)
    for ratio in (0.5, 1.0, 3.0):
        ahead = cubic(1 + ratio * c) - cubic(1.0)
        assert np.allclose(method.continuation(ratio) @ cubic(c), ahead, atol=1e-11 * (1 + ratio) ** 7)


def test_the_error_estimate_sees_the_highest_powers_only():
    method = radau(6)
    c, tail = method.float_nodes[1:], method.tail.astype(float)
    assert np.allclose(tail @ c**4, 0, atol=1e-13)
    assert abs(tail @ c**6)[1] == pytest.approx(1 / 924)  # c^6 = P_6(2c-1)/binom(12, 6) + lower
    assert abs(tail @ c**5)[0] == pytest.approx(1 / 2520)  # a tenth of 1/binom(10, 5)


def test_no_stages_are_refused():
    with pytest.raises(ValueError, match="stages must be >= 1, got 0"):
        radau(0)
