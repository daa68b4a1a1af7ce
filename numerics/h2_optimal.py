r"""The network nearest to a completely monotone kernel in the loss J, the squared L2 error: symmetric IRKA.

Where J is stationary, Rhat(w_i) = R(w_i) and Rhat'(w_i) = R'(w_i) (M7). For the long sum (CF1), its compression to the
span of the columns (w_i + diag(l))^{-1} b meets (M7) at the w_i it is built from; its own rates are the next w_i:

    w  <-  rates of the compression to span{ b_k/(l_k + w_i) }                                              (IK1)

A step leaves 0.66 of the error in ln w at m = 4 and 0.97 at m = 50; Anderson's mixing of the last steps saves hundreds.
For symmetric networks the minima of J are stable fixed points (Flagg, Beattie, Gugercin, 2012, cited from memory), and
a sum of few exponentials a decade may have several. Two searches start from the rates of the balanced truncation, and
from those drawn half way to the fastest in ln w; the result with the smaller J is taken,

    J = sum_jk z_j z_k/(l_j + l_k) ,   z_k = p_k prod_i (l_k - w_i)/(l_k + w_i)                              (IK2)

By (M7) the network is the projection of the long sum on the span of e^{-w_i t}, and what that leaves of e^{-lt} is
e^{-lt} through an all-pass filter, times the product at l: no large terms cancel. Derived here.
"""

import numpy as np

from numerics.arithmetic import Array
from numerics.balanced import check_width, exact_sum, network, truncation
from numerics.long_sum import compression, left_vectors, rational_basis
from theory.mixtures import completely_monotone
from theory.problem import Target
from theory.rnn import LinearRNN

CONVERGED = 1e-12  # of the relative change of a rate in (IK1)
MOST_STEPS = 400
MEMORY = 8  # steps that are mixed


def h2_optimal(target: Target, width: int) -> LinearRNN:
    """The network that satisfies (M7) for a completely monotone target, the better one of two searches.

    width: hidden units m, 1 to 199. Returns a LinearRNN, by rising rate; the target itself where m is enough for it.
    Guarantee: estimated, and locally optimal only. Raises as `balanced_truncation`, and ArithmeticError where the
    iteration does not converge.
    """
    kernel = completely_monotone(target)
    check_width(width)
    if (whole := exact_sum(kernel, width)) is not None:
        return whole
    (rates, weights), _, start = truncation(kernel, width)
    starts = start, np.sqrt(start * start[-1])
    found = [each for each in (_stationary(rates, weights, np.log(start)) for start in starts) if each]
    if not found:
        raise ArithmeticError(
            f"IRKA must converge in {MOST_STEPS} steps, and does not at width {width}; try fewer units"
        )
    return network(*min(found, key=lambda each: loss_left(rates, weights, each[1])))


def loss_left(rates: Array, weights: Array, chosen: Array) -> float:
    """J (IK2) of the long sum and its projection on the exponentials of the rates chosen. Estimated."""
    left = weights * np.prod(np.subtract.outer(rates, chosen) / np.add.outer(rates, chosen), axis=1)
    return float(left @ (1 / np.add.outer(rates, rates)) @ left)


def _stationary(rates: Array, weights: Array, x: Array) -> tuple[Array, Array] | None:
    """(amplitudes, rates) that (IK1) leaves as they are, from x = ln w; None where it does not converge."""
    tried: list[Array] = []
    moves: list[Array] = []
    for _ in range(MOST_STEPS):
        _, basis = left_vectors(rational_basis(rates, weights, np.exp(x)))
        amplitudes, found = compression(rates, weights, basis)
        tried, moves = [*tried[-MEMORY:], x], [*moves[-MEMORY:], np.log(found) - x]
        if abs(moves[-1]).max() < CONVERGED:
            return amplitudes, found
        x = _mixed(tried, moves)
    return None


def _mixed(tried: list[Array], moves: list[Array]) -> Array:
    """Anderson's mixing: where a linear map through the last steps would have its fixed point; sorted, and near."""
    x, move = tried[-1], moves[-1]
    if len(tried) > 1:
        steps, changes = (np.diff(np.array(each), axis=0).T for each in (tried, moves))
        share = np.linalg.lstsq(changes, move, rcond=1e-10)[0]
        mixed: Array = np.sort(x + move - (steps + changes) @ share)
        if abs(mixed - x).max() < 1 and np.diff(mixed).min(initial=1) > 0.1 * np.diff(x).min(initial=1):
            return mixed
    return x + move
