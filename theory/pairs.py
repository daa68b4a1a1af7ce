r"""Networks whose rates come in complex pairs: dense ones, in real 2 x 2 blocks.

    W = [[-alpha, beta], [-beta, -alpha]] ,  U = (1, 0)^T ,  c = (p, -q)
    c^T e^{Wt} U = e^{-alpha t} (p cos beta t + q sin beta t)                                                (PB1)

is the pair of rates alpha +- i beta with the amplitudes (p -+ i q)/2. A diagonal RNN has real rates; a network with
oscillations is a DenseRNN of such blocks and of single real units, and can be trained as one. Derived here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from theory.dense import DenseRNN
from theory.exact import positive, real
from theory.kernels import Exponential, Expression, Kernel, t
from theory.rnn import LinearRNN

ONE, ZERO = sp.Integer(1), sp.Integer(0)


@dataclass(frozen=True)
class Mode:
    """e^{-alpha t} (p cos beta t + q sin beta t): a block (PB1), or for beta = 0 a unit, and then q = 0. Exact.

    p, q in output / (input * time); alpha > 0, beta >= 0 in 1 / time.
    """

    p: sp.Expr
    q: sp.Expr
    alpha: sp.Expr
    beta: sp.Expr

    def __post_init__(self) -> None:
        for name in ("p", "q", "beta"):
            object.__setattr__(self, name, real(getattr(self, name), name))
        object.__setattr__(self, "alpha", positive(self.alpha, "alpha", "for the memory to fade"))
        if not self.beta >= 0:
            raise ValueError(f"beta must be >= 0, got {self.beta}; it is of a pair of rates alpha +- i beta")
        if self.beta == 0 and self.q != 0:
            raise ValueError(f"q must be 0 where beta is, got {self.q}; a real rate has one amplitude")

    @property
    def size(self) -> int:
        """Hidden units that it takes."""
        return 2 if self.beta > 0 else 1

    def laplace(self, s: sp.Expr) -> sp.Expr:
        """The transform of the memory kernel of this block."""
        return (self.p * (s + self.alpha) + self.q * self.beta) / ((s + self.alpha) ** 2 + self.beta**2)

    def kernel(self) -> Kernel:
        """The memory kernel of this block alone."""
        if self.size == 1:
            return Exponential(self.p, self.alpha)
        return Expression(sp.exp(-self.alpha * t) * (self.p * sp.cos(self.beta * t) + self.q * sp.sin(self.beta * t)))


def of_modes(modes: Iterable[Mode]) -> LinearRNN | DenseRNN:
    """The network with these modes: diagonal where all rates are real, else dense in blocks (PB1).

    >>> of_modes([Mode("1", "0", "2", "0")]).rates
    (2,)
    """
    listed = tuple(modes)
    if all(mode.size == 1 for mode in listed):
        return LinearRNN(tuple((mode.p, mode.alpha) for mode in listed))
    blocks, column, readout = [], [], []
    for mode in listed:
        blocks.append(sp.Matrix([[-mode.alpha, mode.beta], [-mode.beta, -mode.alpha]])[: mode.size, : mode.size])
        column += [ONE, ZERO][: mode.size]
        readout += [mode.p, -mode.q][: mode.size]
    recurrent = tuple(map(tuple, sp.diag(*blocks).tolist()))
    return DenseRNN(recurrent, tuple((each,) for each in column), tuple(readout))


def modes(network: LinearRNN | DenseRNN) -> tuple[Mode, ...]:
    """The modes of a network: of a diagonal one its units, of a dense one the blocks (PB1) it is made of. Exact.

    Raises ValueError for a dense network that is not made of such blocks; `DenseRNN.diagonal` may help.
    """
    if isinstance(network, LinearRNN):
        return tuple(Mode(a, ZERO, w, ZERO) for a, w in network.units)
    if not isinstance(network, DenseRNN):
        raise TypeError(f"network must be a LinearRNN or a DenseRNN, got {network!r}")
    W, _, c = network.matrices
    found: list[Mode] = []
    i = 0
    while i < network.width:
        paired = i + 1 < network.width and W[i, i + 1] != 0
        beta, q = (W[i, i + 1], -c[i + 1]) if paired else (ZERO, ZERO)
        found.append(Mode(c[i], q, -W[i, i], beta))
        i += found[-1].size
    if of_modes(found) not in (network, network_of_units(network)):
        raise ValueError("network must be dense in blocks [[-alpha, beta], [-beta, -alpha]]; see theory.pairs.of_modes")
    return tuple(found)


def network_of_units(network: DenseRNN) -> LinearRNN | None:
    """A diagonal W with U = 1 as `DenseRNN.of` makes it, undone; else None."""
    W, U, c = network.matrices
    if not W.is_diagonal() or any(each != 1 for each in U):
        return None
    return LinearRNN(tuple((c[i], -W[i, i]) for i in range(network.width)))


def kernels(network: LinearRNN | DenseRNN) -> tuple[Kernel, ...]:
    """The memory kernel (M2) of a network, a term a mode. Exact; raises as `modes`."""
    return tuple(mode.kernel() for mode in modes(network))
