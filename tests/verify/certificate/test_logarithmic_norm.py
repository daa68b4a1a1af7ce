"""Bounds of eigenvalues against numpy, and against diagonal matrices whose eigenvalues are known by construction."""

import flint
import numpy as np
import pytest

from numerics.arithmetic import Arb, _objects
from verify.certificate.logarithmic_norm import largest_eigenvalue, largest_row, obliqueness, rotation, shortfall
from verify.certificate.proved import NotProved

NONE = flint.arb(0)


@pytest.fixture(autouse=True)
def balls():
    with Arb(60).working():
        yield


def exact(floats):
    return _objects(map(flint.arb, np.ravel(floats).tolist())).reshape(np.shape(floats))


def symmetric(rng, size):
    half = rng.normal(size=(size, size))
    return half + half.T


def bound(H, copies=()):
    Q = rotation(H, copies)
    return largest_eigenvalue(Q.T @ H @ Q, obliqueness(Q))


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_the_bound_is_the_largest_eigenvalue_of_random_matrices(size):
    rng = np.random.default_rng(size)
    for shift in (-10, 0):
        floats = symmetric(rng, size) + shift * np.eye(size)
        largest = np.linalg.eigvalsh(floats)[-1]
        assert float(bound(exact(floats))) == pytest.approx(largest, rel=1e-12)
        assert float(largest_eigenvalue(exact(floats), NONE)) >= largest - 1e-12  # unrotated: true, if not sharp


def test_a_tiny_positive_eigenvalue_is_found_beside_large_negative_ones():
    """-diag(2, 1) and 3e-40 in directions turned by 1e-15: doubles see a positive semidefinite nothing."""
    turn = flint.arb(10) ** -15
    G = np.array([[flint.arb(1), NONE, -turn], [NONE, flint.arb(1), 2 * turn], [turn, -2 * turn, flint.arb(1)]])
    H = G @ np.diag(exact([-2.0, -1.0, 3e-40])) @ G.T
    H = _objects(each.mid() for each in H.ravel()).reshape(3, 3)
    found = bound(H)
    assert 3e-40 <= found < 3.1e-40


def test_a_bound_that_is_too_small_is_seen_and_one_that_serves_holds_for_every_matrix_of_the_ball():
    B = [[flint.arb(-1), flint.arb(0.5)], [flint.arb(0.5), flint.arb(0, 0.125)]]
    largest = np.linalg.eigvalsh([[-1, 0.5], [0.5, 0.125]])[-1]
    assert shortfall(B, flint.arb(largest * 0.999)) is not None
    assert shortfall(B, flint.arb(largest * 1.001)) is None
    assert largest <= float(largest_eigenvalue(B, NONE)) < 1.15 * largest  # one step of (V24)


def test_an_oblique_rotation_is_paid_for_and_a_bad_one_refused():
    Q = exact([[1.25, 0], [0, 1.25]])  # |Q^T Q - I| = 0.5625
    with pytest.raises(NotProved, match="orthonormal"):
        obliqueness(Q)
    Q = exact([[1.125, 0], [0, 1.125]])
    for sign in (1, -1):
        B = Q.T @ exact([[sign, 0], [0, sign]]) @ Q
        assert float(largest_eigenvalue(B, obliqueness(Q))) >= sign


def test_obliqueness_that_two_turns_add_up_is_refused_too():
    """1 - delta < 0 would turn a positive eigenvalue into a negative bound."""
    assert not largest_eigenvalue([[flint.arb(1)]], flint.arb(1.25)).is_finite()


def test_copies_leave_only_the_directions_in_which_they_move_alike():
    """The eigenvalue 5 belongs to (1, -1, 0), which equal components never take."""
    H = exact([[2, -3, 1], [-3, 2, 1], [1, 1, -4]])
    assert float(bound(H)) == pytest.approx(5, rel=1e-12)
    assert float(bound(H, ((1, 0),))) == pytest.approx(np.linalg.eigvalsh([[-1, 2**0.5], [2**0.5, -4]])[-1], rel=1e-12)
    Q = rotation(H, ((1, 0),))
    assert Q.shape == (3, 2) and (Q[0] == Q[1]).all()


def test_what_is_not_finite_gives_no_bound():
    unknown = [[flint.arb(1), NONE], [flint.arb("nan"), flint.arb(1)]]
    assert not largest_eigenvalue(unknown, NONE).is_finite() and not largest_row(unknown).is_finite()
