r"""A bound on the largest eigenvalue of every symmetric matrix in a ball matrix.

For columns Q that are nearly orthonormal, delta >= |Q^T Q - I|, delta <= 1/2, B = Q^T H Q and x = Q y

    x^T H x = y^T B y <= mu |y|^2 ,  (1 - delta) |y|^2 <= |x|^2 <= (1 + delta) |y|^2
    lambda_max(H) <= mu / (1 - delta)  for mu >= 0 ,  mu / (1 + delta)  for mu < 0                          (V23)

on the span of Q, all of space or a subspace that H leaves invariant. mu >= lambda_max(B) is proved by the pivots of
mu I - B = L D L^T, all of them positive (Sylvester), with the fast directions first: the pivot of a slow one is then
the Schur complement, which resolves 1e-40 beside entries of order one. A mu that fails grows by what its pivot misses,

    mu - (last pivot)  >= lambda_max(B) >= mu  where the other pivots are positive,                         (V24)

since the Schur complement falls as mu grows; by geometric steps where another pivot fails; and no farther than
Gershgorin's discs.

Q is chosen, not trusted: eigenvectors in float64, refined by Jacobi rotations in balls' midpoints until what they leave
is small beside the two diagonal entries that it couples. Derived here.
"""

from collections.abc import Sequence

import flint
import numpy as np

from numerics.arithmetic import Array, _objects
from verify.certificate.chebyshev import ball_matrix
from verify.certificate.proved import NotProved

SWEEPS = 12  # of Jacobi rotations at most; they converge quadratically
COUPLED = 1e-12  # an entry this small beside the root of its two diagonal entries is left alone
GROWTH, LEAP = flint.arb(1.01), 8  # of what mu misses, and of what it grows by where that says nothing


def rotation(H: Array, copies: Sequence[tuple[int, int]] = ()) -> Array:
    """Nearly orthonormal columns that nearly diagonalise H, the largest eigenvalue last. Chosen, not proved.

    H: exact symmetric numbers, shape (n, n). copies: pairs (component, earlier one) equal throughout the subspace that
    is spanned, as numerics.flow has them. Returns exact numbers, shape (n, r), with rows that are equal for copies.
    """
    Q = _subspace(len(H), copies)
    B = Q.T @ H @ Q
    scale = max(abs(B).max(), flint.arb(2) ** -flint.ctx.prec)
    floats = (B / scale).astype(float)
    if np.isfinite(floats).all():
        Q = Q @ _numbers(np.linalg.eigh(floats)[1])
    Q = _jacobi(H, _orthonormalised(Q))
    diagonal = np.einsum("ij,ij->j", Q, H @ Q)
    Q = _midpoints(Q[:, sorted(range(len(diagonal)), key=diagonal.__getitem__)])
    for copy, original in copies:
        Q[copy] = Q[original]
    return Q


def _numbers(floats: Array) -> Array:
    return _objects(map(flint.arb, floats.ravel().tolist())).reshape(floats.shape)


def _midpoints(Q: Array) -> Array:
    return _objects(each.mid() for each in Q.ravel()).reshape(Q.shape)


def _subspace(size: int, copies: Sequence[tuple[int, int]]) -> Array:
    """An orthonormal basis, nearly, of the vectors in which copies are equal."""
    original = dict(copies)
    free = [i for i in range(size) if i not in original]
    Q = np.full((size, len(free)), flint.arb(0))
    for column, i in enumerate(free):
        alike = [i, *(copy for copy, of in copies if of == i)]
        for row in alike:
            Q[row, column] = (1 / flint.arb(len(alike)).sqrt()).mid()
    return Q


def _orthonormalised(Q: Array) -> Array:
    """A Newton step towards Q^T Q = I: its error is squared."""
    return _midpoints(Q @ (3 * np.eye(Q.shape[1], dtype=int).astype(object) - Q.T @ Q) / 2)


def _jacobi(H: Array, Q: Array) -> Array:
    """Q turned in one plane after the other until Q^T H Q is diagonal beside its diagonal."""
    for _ in range(SWEEPS):
        B, turned = _midpoints(Q.T @ H @ Q), False
        for i in range(len(B)):
            for j in range(i):
                if B[i, j] ** 2 <= COUPLED**2 * abs(B[i, i] * B[j, j]):
                    continue
                ratio = (B[i, i] - B[j, j]) / (2 * B[i, j])
                tangent = (1 if ratio >= 0 else -1) / (abs(ratio) + (1 + ratio**2).sqrt())
                cosine = 1 / (1 + tangent**2).sqrt()
                turn = _objects([cosine, tangent * cosine, -tangent * cosine, cosine]).reshape(2, 2)
                Q[:, [i, j]] = _midpoints(Q[:, [i, j]] @ turn.T)
                B[:, [i, j]] = _midpoints(B[:, [i, j]] @ turn.T)
                B[[i, j]] = _midpoints(turn @ B[[i, j]])
                turned = True
        if not turned:
            break
    return _orthonormalised(Q)


def obliqueness(Q: Array) -> flint.arb:
    """delta of (V23), exact. Raises NotProved where it is above 1/2."""
    R = ball_matrix(Q)
    rows = (R.transpose() * R).tolist()
    excess = [[entry - (i == j) for j, entry in enumerate(row)] for i, row in enumerate(rows)]
    delta = largest_row(excess)
    if not 2 * delta <= 1:
        raise NotProved("the chosen directions are not nearly orthonormal")
    return delta


def largest_row(rows: Sequence[Sequence[flint.arb]]) -> flint.arb:
    """The largest sum of |entries| of a row, exact, perhaps infinite: of a symmetric matrix a bound on its norm."""
    sums = [sum(map(abs, row), flint.arb(0)).upper() for row in rows]
    return max(sums) if all(each.is_finite() for each in sums) else flint.arb("inf")  # max() would not see a nan


def largest_eigenvalue(B: Sequence[Sequence[flint.arb]], delta: flint.arb) -> flint.arb:
    """mu, exact, with lambda_max(H) <= mu on the span of Q for every symmetric H with Q^T H Q in B (V23). Enclosed.

    B: rows of balls, of which the lower triangle is used, slow directions last. Infinite where an entry is not finite,
    or delta above 1/2.
    """
    if not (2 * delta <= 1 and all(each.is_finite() for row in B for each in row)):
        return flint.arb("inf")
    symmetric = [[B[max(i, j)][min(i, j)] for j in range(len(B))] for i in range(len(B))]
    start = max(row[i].upper() for i, row in enumerate(B))  # no smaller one could pass
    most = max((sum(map(abs, row), flint.arb(0)) - abs(row[i]) + row[i]).upper() for i, row in enumerate(symmetric))
    mu, step = start, (most - start).upper() * flint.arb(2) ** -flint.ctx.prec
    while mu < most:  # which Gershgorin's discs prove
        short = shortfall(B, mu)
        if short is None:
            break
        step = GROWTH * short if mu + GROWTH * short < most and short > step else LEAP * step  # (V24)
        mu = (mu + step).upper()
    mu = min(mu, most)
    return (mu / (1 - delta if mu >= 0 else 1 + delta)).upper()  # (V23)


def shortfall(B: Sequence[Sequence[flint.arb]], mu: flint.arb) -> flint.arb | None:
    """None where mu I - B is proved positive definite by its pivots; else by how much the first bad pivot misses 0."""
    rows = [[(mu if i == j else 0) - B[i][j] for j in range(i + 1)] for i in range(len(B))]
    for k in range(len(rows)):
        pivot = rows[k][k]
        if not pivot > 0:
            short = -pivot.lower()
            return short if short.is_finite() else abs(mu) + 1
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot
            for j in range(k + 1, i + 1):
                rows[i][j] -= factor * rows[j][k]
    return None
