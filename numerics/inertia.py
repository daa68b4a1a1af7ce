r"""Counting eigenvalues of a symmetric ball matrix beyond a number, by the inertia of a shifted pencil.

V has nearly orthonormal columns, nearly the eigenvectors of B, the largest eigenvalues first; M = V^T B V, N = V^T V in
balls. By Sylvester's law the eigenvalues of B beyond s are as many as M - s N has positive ones, by the signs of the
pivots of L D L^T; by the interlacing of compressions no leading blocks M_11, N_11 have more:

    n_+(M_11 - s N_11) + n_-(M_11 + s N_11) >= k   proves   |mu_k| > s                                       (I4)

For an upper bound all of B is needed, and hardly more work: where S_22 = M_22 - s N_22 <= -g < 0, the positive
eigenvalues of S = M - s N are as many as those of the Schur complement

    S_11 - S_12 S_22^{-1} S_21 ,  within |S_12|_F^2 / g of S_11 entry by entry                               (I5)

Less than k of them in all, for B and -B, prove |mu_k| <= s. (V must be invertible; it is where no pivot may be 0.) V of
float64 makes S_12 of the order 1e-15; its square is what counts. Derived here.
"""

from collections.abc import Iterable, Sequence
from functools import reduce

import flint


def positive_pivots(rows: list[list[flint.arb]]) -> int | None:
    """How many eigenvalues of a symmetric matrix are > 0; None where a ball does not tell. Enclosed.

    rows: its upper triangle, from the diagonal on; used up.
    """
    positive = 0
    for k, row in enumerate(rows):
        pivot = row[0]
        if pivot > 0:
            positive += 1
        elif not pivot < 0:
            return None
        for i in range(1, len(row)):
            factor, below = row[i] / pivot, rows[k + i]
            for j in range(i, len(row)):
                below[j - i] -= factor * row[j]
    return positive


class Pencil:
    """M and N of the module for B and V; `lead` is the size of the leading blocks. Use in one Arb `working()`."""

    def __init__(self, B: flint.arb_mat, V: flint.arb_mat, lead: int) -> None:
        M, N = (V.transpose() * B * V).tolist(), (V.transpose() * V).tolist()
        sizes = [abs(M[k][k] / N[k][k]).mid() for k in range(len(M))]
        order = sorted(range(len(M)), key=lambda k: sizes[k], reverse=True)
        self.sizes = [sizes[k] for k in order]  # |mu_k|, nearly
        self.M, self.N = ([[rows[i][j] for j in order] for i in order] for rows in (M, N))
        self.lead = lead
        tail = range(lead, len(M))
        self._coupling = [_frobenius(row[lead:] for row in each[:lead]) for each in (self.M, self.N)]
        self._rest = _largest_row([[self.M[i][j] for j in tail] for i in tail])
        self._least = 1 - _largest_row([[self.N[i][j] - (i == j) for j in tail] for i in tail])  # of N_22

    def at_least(self, k: int, s: flint.arb) -> bool:
        """Whether |mu_k| > s is proved, by (I4); for compressions B of an operator its k-th in size is then > s too."""
        counts = [self._above(s, sign, flint.arb(0)) for sign in (1, -1)]
        return sum(each or 0 for each in counts) >= k

    def at_most(self, k: int, s: flint.arb) -> bool:
        """Whether |mu_k| <= s is proved, by (I5)."""
        doubt = flint.arb(0)
        if self.lead < len(self.M):
            gap = (s * self._least - self._rest).lower()
            if not gap > 0:
                return False
            doubt = flint.arb(0, ((self._coupling[0] + s * self._coupling[1]) ** 2 / gap).upper())
        counts = [self._above(s, sign, doubt) for sign in (1, -1)]
        return all(each is not None for each in counts) and sum(each or 0 for each in counts) < k

    def _above(self, s: flint.arb, sign: int, doubt: flint.arb) -> int | None:
        lead = range(self.lead)
        return positive_pivots([[sign * self.M[i][j] - s * self.N[i][j] + doubt for j in lead[i:]] for i in lead])


def _largest_row(rows: list[list[flint.arb]]) -> flint.arb:
    """The largest sum of moduli: a bound of the norm of a symmetric matrix."""
    return reduce(flint.arb.max, (sum(map(abs, row), flint.arb(0)) for row in rows), flint.arb(0)).upper()


def _frobenius(rows: Iterable[Sequence[flint.arb]]) -> flint.arb:
    return sum((each**2 for row in rows for each in row), flint.arb(0)).sqrt().upper()
