r"""Memory kernels of finite rank: sums of exponentials and Erlang kernels, exactly what a linear RNN can be.

With the functions e_p(t) = t^n e^{-rt}, n = 0 .. the highest power of t that goes with the rate r,

    rho(t + s) = sum_pq H_pq e_p(t) e_q(s) ,   (t + s)^k = sum_n binomial(k, n) t^n s^{k-n}                  (R1)
    G_pq = <e_p, e_q> = (n_p + n_q)! / (r_p + r_q)^{n_p + n_q + 1}                                           (R2)

so the Hankel operator has the rank of H, all of it: H is block diagonal, each block triangular about its other
diagonal, with the amplitude of the highest power there, which is not 0. Its nonzero singular values are the moduli of
the eigenvalues of H G, or of C^T H C with G = C C^T                                                         (R3)

s = 0 in (R1) gives rho as a sum of e_p, and a chain of integrators h_0' = -r h_0 + x, h_n' = h_{n-1} - r h_n the e_p:

    rho = sum_p H_p0 e_p ,   h_n = t^n/n! e^{-rt} after an impulse ,   c_n = n! H_n0 for each rate           (R4)

Derived here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from theory.dense import DenseRNN
from theory.kernels import Erlang, Exponential, Kernel
from theory.rnn import LinearRNN


@dataclass(frozen=True)
class FiniteRank:
    """basis: pairs (n, r), shape (rank,). coefficients: H (R1). gram: G (R2). Both of shape (rank, rank), exact."""

    basis: tuple[tuple[int, sp.Expr], ...]
    coefficients: sp.Matrix
    gram: sp.Matrix

    @property
    def rank(self) -> int:
        """How many singular values are not 0: the width of a network that is the kernel."""
        return len(self.basis)

    @property
    def network(self) -> LinearRNN | DenseRNN:
        """The network of width `rank` >= 1 that is the kernel (R4): diagonal where no power of t occurs. Exact.

        >>> finite_rank([Erlang(order=1)]).network.readout
        (0, 1)
        """
        first = [p - n for p, (n, _) in enumerate(self.basis)]
        readout = [sp.factorial(n) * self.coefficients[p, first[p]] for p, (n, _) in enumerate(self.basis)]
        if not any(n for n, _ in self.basis):
            return LinearRNN(tuple((c, rate) for c, (_, rate) in zip(readout, self.basis, strict=True)))
        link = lambda p, q: -self.basis[p][1] if p == q else sp.Integer(q == p - 1 and self.basis[p][0] > 0)
        recurrent = sp.Matrix(self.rank, self.rank, link).tolist()
        inputs = tuple((sp.Integer(n == 0),) for n, _ in self.basis)
        return DenseRNN(tuple(map(tuple, recurrent)), inputs, tuple(readout))


def finite_rank(kernels: Iterable[Kernel]) -> FiniteRank | None:
    """The sum of kernels in the form (R1), exact; None where a term is of another kind, or has a lag.

    >>> finite_rank([Erlang(order=1), Exponential(rate=2)]).coefficients
    Matrix([
    [0, 1, 0],
    [1, 0, 0],
    [0, 0, 1]])
    """
    found: dict[sp.Expr, dict[int, sp.Expr]] = {}  # rate -> order -> amplitude
    for kernel in kernels:
        if not isinstance(kernel, Exponential | Erlang) or kernel.lag != 0:
            return None
        order = int(kernel.order) if isinstance(kernel, Erlang) else 0
        powers = found.setdefault(kernel.rate, {})
        powers[order] = powers.get(order, sp.S.Zero) + kernel.amplitude
    present = {rate: {k: a for k, a in powers.items() if a != 0} for rate, powers in found.items()}
    basis = tuple((n, rate) for rate, powers in present.items() for n in range(max(powers, default=-1) + 1))

    def coefficient(p: int, q: int) -> sp.Expr:
        (n, rate), (k, other) = basis[p], basis[q]
        return present[rate].get(n + k, sp.S.Zero) * sp.binomial(n + k, n) if rate == other else sp.S.Zero  # (R1)

    def overlap(p: int, q: int) -> sp.Expr:
        (n, rate), (k, other) = basis[p], basis[q]
        return sp.factorial(n + k) / (rate + other) ** (n + k + 1)  # (R2)

    size = len(basis)
    return FiniteRank(basis, sp.Matrix(size, size, coefficient), sp.Matrix(size, size, overlap))
