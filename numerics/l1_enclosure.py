r"""The L1 error of a network, enclosed: an upper bound of what its width can achieve.

With real rates against a mixture of exponentials there are at most N sign changes (LE2). Where the signs of e at
N + 1 times are proved to alternate, there is one simple root between any two of them and no other, beyond the last
and before the first included; brackets of those roots are narrowed by signs proved in balls, and the closed tails

    ||e||_1 = sum_j c_j F(t_j) ,   t_j in a bracket ,   F over the bracket in balls                         (LE1)

give a ball for the norm. Float64 proposes times and roots; whether they do is decided in balls, with more digits if
they do not. Where fewer signs alternate than the bound allows, and for any other kernel or network, the norm comes
from Taylor polynomials in cells (numerics/taylor_cells.py), as enclosed but with fewer digits.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import pairwise
from typing import Any

import flint
import numpy as np

from numerics.answer import Guarantee
from numerics.arithmetic import Arb, Array, Float64
from numerics.balanced import check_int
from numerics.compiling import evaluate
from numerics.sign_changes import ErrorCurve, float_changes
from numerics.taylor_cells import absolute_integral
from theory.dense import DenseRNN
from theory.finite_rank import finite_rank
from theory.hankel import memory
from theory.l1 import most_sign_changes, reproduces
from theory.mixtures import Mixture, NoMixture, mixture
from theory.pairs import kernels
from theory.problem import Target
from theory.rnn import LinearRNN

CELL_DIGITS = 7  # of Taylor cells, at most
GUARDS = (40, 100, 220)  # digits beyond those asked
BRACKET = 4  # part of the guard that the brackets are narrower than the digits asked


@dataclass(frozen=True)
class Bounds:
    """lower <= value <= upper, decimal strings rounded outward; proved if the guarantee is enclosed.

    method: how it was found. changes: proved sign changes of the error; None where they were not counted.
    """

    lower: str
    upper: str
    guarantee: Guarantee
    method: str
    changes: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("lower", "upper", "guarantee", "method", "changes")}


def l1_error(target: Target, network: LinearRNN | DenseRNN, *, digits: int = 8) -> Bounds:
    """int_0^inf |rho_hat - rho| dt, which is also the operator error (M1), in output / input.

    target:  Target of one input, made of any kernels whose tails are known or bounded.
    network: LinearRNN, or DenseRNN in blocks (theory/pairs.py), or the target itself (R4).
    digits:  relative width wanted, 2 to 200; Taylor cells give at most 7.
    Returns Bounds, enclosed. Raises ValueError for bad digits, several inputs, a dense network in no blocks, a formula
    that is not integrable or not known to be; ArithmeticError where a target is too rough for balls.

    >>> from theory.kernels import Exponential
    >>> l1_error(Target([Exponential()]), LinearRNN([("1", "2")]), digits=3).upper  # 1 - 1/2
    '0.5'
    """
    check_int(digits, "digits", 2, 200, "it counts the significant digits wanted")
    memory(target)
    if any(term.input != 1 for term in target.terms):
        raise ValueError("target must be of one input, for the L1 error of one kernel; errors of the inputs add up")
    whole = finite_rank(target.terms)
    if whole is not None and whole.rank and network == whole.network:
        return Bounds("0", "0", "exact", "the target itself", 0)
    try:
        kernel = mixture(target.terms)
    except NoMixture:
        kernel = None
    if kernel is not None and isinstance(network, LinearRNN):
        if reproduces(kernel, network):
            return Bounds("0", "0", "exact", "the target itself", 0)
        found = _by_sign_changes(kernel, network, digits)
        if found is not None:
            return found
    digits = min(digits, CELL_DIGITS)
    with Arb(CELL_DIGITS + GUARDS[0]).working():
        ball = absolute_integral(target.terms, kernels(network), digits)
        return Bounds(*rounded_outward(ball, digits + 2), "enclosed", "Taylor cells")


def _by_sign_changes(kernel: Mixture, network: LinearRNN, digits: int) -> Bounds | None:
    """The norm where (LE2) is attained; None where it is not, or cannot be proved to be."""
    most = most_sign_changes(kernel, network)
    if most is None:
        return None
    rough = Float64()
    a, w = (np.array([float(each) for each in values]) for values in (network.amplitudes, network.rates))
    with rough.working():
        first, changes = float_changes(ErrorCurve(kernel, rough), a, w)
    if len(changes) != most:
        return None
    for guard in GUARDS:
        arithmetic = Arb(digits + guard)
        with arithmetic.working():
            ball = _ball(ErrorCurve(kernel, arithmetic), network, first, changes, digits + guard // BRACKET)
            if ball is not None and ball.rel_accuracy_bits() > 3.33 * digits:
                return Bounds(*rounded_outward(ball, digits + 2), "enclosed", "sign changes", most)
    return None


def _ball(curve: ErrorCurve, network: LinearRNN, first: int, changes: Array, digits: int) -> flint.arb | None:
    """(LE1) over proved brackets of the relative width 10^-digits; None where a sign is not proved."""
    arithmetic = curve.arithmetic
    a, w = (
        arithmetic.array([evaluate(each, arithmetic) for each in values])  # perhaps irrational
        for values in (network.amplitudes, network.rates)
    )
    roots = arithmetic.array(changes)
    for _ in range(5):  # from sixteen digits, Newton's method
        roots = arithmetic.midpoint(roots - curve.error(a, w, roots) / curve.slope(a, w, roots))
    near = flint.arb(10) ** -digits
    brackets = np.stack([roots - roots * near, roots + roots * near], axis=1).ravel()
    signs = first * np.repeat((-1) ** np.arange(len(roots) + 1), 2)[1:-1]  # before and after each root
    if not all(earlier < later for earlier, later in pairwise([arithmetic.number(0), *brackets])):
        return None
    if not all(sign * value > 0 for sign, value in zip(signs, curve.error(a, w, brackets), strict=True)):
        return None
    inside = np.array([low.union(high) for low, high in zip(brackets[::2], brackets[1::2], strict=True)], dtype=object)
    value: flint.arb = abs(curve.norm(a, w, first, inside))  # without a root nothing has proved the sign at first
    return value


def rounded_outward(ball: flint.arb, digits: int) -> tuple[str, str]:
    """Decimals of so many digits below and above every point of a ball for a number >= 0."""
    below = _rounded(ball.lower(), digits, ROUND_FLOOR) if ball.lower() > 0 else "0"
    return below, _rounded(ball.upper(), digits, ROUND_CEILING)


def _rounded(end: flint.arb, digits: int, rounding: str) -> str:
    mantissa, exponent = map(int, end.man_exp())
    numerator, denominator = mantissa << max(exponent, 0), 1 << max(-exponent, 0)
    return str(Context(prec=digits, rounding=rounding).divide(Decimal(numerator), Decimal(denominator)))
