r"""The largest eigenvalues of a big symmetric operator, to many digits: subspace iteration in Arb, from float64.

K is symmetric in an inner product x^T G y. One step takes a block V to K V and solves the small pencil

    V^T G K V  x = mu  V^T G V  x                                                                            (P5)

whose eigenvalues mu are Ritz values: their errors fall by (mu_q/mu_k)^2 a step, mu_q the first one left out. The block
is a little wider than what is wanted and starts with the eigenvectors of float64, so that a few steps serve. Midpoints
only; convergence is looked at, nothing is enclosed. Derived from the textbook method.
"""

from collections.abc import Callable

import flint

from numerics.arithmetic import BITS_PER_DIGIT, Array

MOST_STEPS = 200
Block = flint.arb_mat


def block_width(count: int) -> int:
    """How many vectors to iterate for `count` eigenvalues."""
    return count + 8 + count // 2


def leading(step: Callable[[Block], tuple[Block, Block]], start: Array, count: int, digits: int) -> list[flint.arb]:
    """The `count` largest |mu|, estimated: `digits` digits of each no longer change. Use inside Arb's `working()`.

    step: V -> (G V, K V). start: shape (N, q), nearly the leading eigenvectors, q >= count.
    Raises ArithmeticError if they do not settle.
    """
    V = flint.arb_mat([[flint.arb(float(x)) for x in row] for row in start])
    goal, last = 2.0 ** (-digits * BITS_PER_DIGIT), [flint.arb(0)] * count
    for _ in range(MOST_STEPS):
        measured, image = (each.mid() for each in step(V))
        small = (V.transpose() * measured).solve(image.transpose() * measured, algorithm="approx")
        values, ritz = flint.acb_mat(small.mid()).eig(right=True, algorithm="approx")
        order = sorted(range(len(values)), key=lambda k: float(abs(values[k]).mid()), reverse=True)
        sizes = [abs(values[k].real).mid() for k in order[:count]]
        least = goal * sizes[0]  # smaller ones are noise
        if all(abs(new - old) < goal * max(new, least) for new, old in zip(sizes, last, strict=True)):
            return sizes
        last = sizes
        V = _columns(image * _real(ritz, order))
    raise ArithmeticError(f"subspace iteration did not settle to {digits} digits in {MOST_STEPS} steps")


def _real(vectors: flint.acb_mat, order: list[int]) -> Block:
    """Real eigenvectors in this order; the small problem has no others but for rounding."""
    size, found = vectors.nrows(), []
    for k in order:
        column = [vectors[i, k] for i in range(size)]
        turn = max(column, key=lambda z: float(abs(z).mid()))
        found.append([(z / turn).real.mid() for z in column])
    return flint.arb_mat(found).transpose()


def _columns(V: Block) -> Block:
    """Midpoints, every column of length 1."""
    rows = V.mid().transpose().tolist()
    lengths = [sum((x * x for x in row), flint.arb(0)).sqrt() for row in rows]
    return flint.arb_mat([[x / size for x in row] for row, size in zip(rows, lengths, strict=True)]).transpose().mid()
