r"""Hankel singular values of a memory kernel, to the digits wanted: how well a linear RNN of each width could do.

    Gamma f(t) = int_0^inf rho(t+s) f(s) ds                                                                  (K1)

kernel                                         how, up to 12 digits in float64, beyond that in Arb
box that begins at once                        closed form (K4)
exponentials and Erlang kernels, no lag        the matrix C^T H C of (R3): as many as the rank, then exactly 0
exponentials and power laws, no lag            log-trapezoid rule in the rate, numerics/cauchy.py
any other                                      Galerkin on panels in t, numerics/nystrom.py
(1-B)^d                                        log-trapezoid rule in the rate, numerics/cauchy.py

Every one is computed twice, on two discretisations that share no node (for a finite rank, from two sides), and printed
to the digits they share. Proved bounds are in numerics/hankel_bounds.py.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import flint
import numpy as np

from numerics import cauchy, nystrom
from numerics.answer import Guarantee, context, decimal
from numerics.arithmetic import Arb, Float64
from numerics.compiling import evaluate
from numerics.hankel_bounds import check_count, check_wanted, enclosures
from numerics.spectra import block_width, leading
from theory.exact import Exact, positive
from theory.finite_rank import finite_rank
from theory.hankel import box_singular_value, memory
from theory.kernels import Kernel
from theory.mixtures import NoMixture, mixture
from theory.problem import Target

FLOAT_DIGITS = 12  # wanted, up to which float64 is tried first
GUARD = 4  # digits beyond those wanted
FEWEST = 6  # digits, guard included, below which no fewer are tried
FINER = 1.2  # the second discretisation
NOISE = 1e-13  # of sigma_1: what float64 cannot tell from 0 in a general matrix
MOST_FLOAT, MOST_BALLS = 2600, 1500  # rows of a general matrix
Values = list[Any]  # floats or Arb numbers, in order of size


@dataclass(frozen=True)
class SingularValues:
    """sigma_1 >= sigma_2 >= ... as decimal strings, in output / input, each to the digits that two computations share.

    values: None where they share none: the value is too small beside sigma_1 to be told from 0.
    digits: the fewest digits of a value that is not None; at most those asked. route: how they were computed.
    """

    values: tuple[str | None, ...]
    digits: int
    guarantee: Guarantee
    route: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "hankel": list(self.values),
            "digits": self.digits,
            "guarantee": self.guarantee,
            "route": self.route,
            "seconds": self.seconds,
        }


def singular_values(target: Target | Kernel | Sequence[Kernel], count: int = 6, *, digits: int = 12) -> SingularValues:
    """Hankel singular values sigma_1 .. sigma_count of a memory kernel, largest first.

    target: a Target, a Kernel or a list of them, of one input. count: 1 to 200. digits: wanted, 2 to 60; float64 does
    up to 12. Fewer come back where two computations share fewer.
    Guarantee: estimated; exact for a box that begins at once, and for the zeros beyond the rank of a kernel.
    Raises TypeError or ValueError for bad arguments, a formula that is not integrable (no network approximates it), and
    a kernel that would take too many nodes. A pure delay is no memory kernel: see theory/width_laws.py.

    >>> from theory.kernels import PowerLaw
    >>> singular_values(PowerLaw(omega=1), 3).values
    ('0.401766883095', '0.0697535337109', '0.0184901867604')
    """
    began = time.perf_counter()
    kernels = memory(target)
    check_count(count)
    check_wanted(digits)
    if box_singular_value(kernels, 1) is not None:
        arithmetic = Arb(digits + 15)
        with arithmetic.working():
            exact = [evaluate(box_singular_value(kernels, k), arithmetic) for k in range(1, count + 1)]
        values = tuple(decimal(each, digits) for each in exact)
        return SingularValues(values, digits, "exact", "closed form", time.perf_counter() - began)
    if finite_rank(kernels) is not None:
        return _of_finite_rank(kernels, count, digits, began)
    try:
        rule = cauchy.of_mixture(mixture(kernels))
    except NoMixture:
        return _twice(_general(kernels, count, digits), count, digits, "Galerkin on panels in t", began)
    return _twice(_by_cauchy(rule, count, digits), count, digits, "log-trapezoid rule in the rate", began)


def differencing_singular_values(d: Exact, count: int = 6, *, digits: int = 12) -> SingularValues:
    """Hankel singular values of fractional differencing (1-B)^d: of the infinite matrix psi_{i+j+1}, i, j >= 0.

    d: 0 < d < 1, exact. Otherwise as `singular_values`. (1-B)^-d has an unbounded Hankel matrix and is refused.

    >>> differencing_singular_values("1/4", 2).values
    ('0.340810307355', '0.119321449577')
    """
    began = time.perf_counter()
    order = positive(d, "d", "for a filter (1-B)^d with an absolutely summable memory")
    if not order < 1:
        raise ValueError(f"d must be < 1, got {order}; (1-B)^d of a higher order has a polynomial factor, leave it out")
    check_count(count)
    check_wanted(digits)
    found = _by_cauchy(cauchy.of_differencing(order), count, digits)
    return _twice(found, count, digits, "log-trapezoid rule in the rate", began)


def _of_finite_rank(kernels: tuple[Kernel, ...], count: int, digits: int, began: float) -> SingularValues:
    bounds = enclosures(kernels, count, digits + GUARD)
    balls = [[flint.arb(each.lower), flint.arb(each.upper or each.lower)] for each in bounds]
    values = tuple("0" if high == 0 else _shared(low, high, digits) for low, high in balls)
    return _result(values, digits, "C^T H C of finite rank", began)


def _by_cauchy(rule: cauchy.Rule, count: int, digits: int) -> tuple[Values, Values]:
    if digits <= FLOAT_DIGITS:
        pair = list(cauchy.float_values(rule, count)), list(cauchy.float_values(rule, count, FINER))
        if _resolved(pair, digits):
            return pair
    wanted = digits + GUARD
    return cauchy.values_in_balls(rule, count, wanted), cauchy.values_in_balls(rule, count, wanted, FINER)


def _general(kernels: tuple[Kernel, ...], count: int, digits: int) -> tuple[Values, Values]:
    few = min(digits, FLOAT_DIGITS) + GUARD
    pair = _galerkin_pair(kernels, count, few)
    if digits <= FLOAT_DIGITS and _resolved(pair, digits):
        return pair
    many = digits + GUARD
    try:
        return _galerkin_balls(kernels, count, many, 1.0), _galerkin_balls(kernels, count, many, FINER)
    except nystrom.TooMany:
        return pair


def _galerkin_pair(kernels: tuple[Kernel, ...], count: int, digits: float) -> tuple[Values, Values]:
    """Two discretisations; for fewer digits where too many panels would be needed."""
    try:
        return _galerkin_floats(kernels, count, digits, 1.0), _galerkin_floats(kernels, count, digits * FINER, FINER)
    except nystrom.TooMany:
        if digits < FEWEST:
            raise
        return _galerkin_pair(kernels, count, digits / 2)


def _galerkin_floats(kernels: tuple[Kernel, ...], count: int, digits: float, finer: float) -> Values:
    points = round(nystrom.POINTS * finer**2)
    mesh, arithmetic = nystrom.mesh(kernels, digits, MOST_FLOAT // points), Float64()
    with arithmetic.working():
        return list(np.sort(abs(np.linalg.eigvalsh(nystrom.matrix(mesh, points, arithmetic))))[::-1][:count])


def _galerkin_balls(kernels: tuple[Kernel, ...], count: int, digits: int, finer: float) -> Values:
    points = round(nystrom.POINTS * finer * (digits + GUARD) / -np.log10(nystrom.RESOLVED))
    mesh, arithmetic = nystrom.mesh(kernels, digits * finer, MOST_BALLS // points), Arb(2 * digits)
    with arithmetic.working():
        entries = nystrom.matrix(mesh, points, arithmetic)
        whole = flint.arb_mat(entries.tolist()).mid()
        rough = np.array([float(x) for x in whole.entries()]).reshape(entries.shape)
        values, vectors = np.linalg.eigh(rough)
        start = vectors[:, np.argsort(-abs(values))[: block_width(count)]]
        return leading(lambda V: (V, whole * V), start, min(count, start.shape[1]), digits)


def _resolved(pair: tuple[Values, Values], digits: int) -> bool:
    """Whether two computations share the digits of every value that is not tiny beside the first."""
    noise = NOISE * float(pair[0][0])
    return all(
        abs(float(x) - float(y)) <= 10.0**-digits * float(x) for x, y in zip(*pair, strict=False) if float(x) > noise
    )


def _twice(pair: tuple[Values, Values], count: int, digits: int, route: str, began: float) -> SingularValues:
    values = [_shared(x, y, digits) for x, y in zip(*pair, strict=False)]
    return _result((*values, *[None] * (count - len(values))), digits, route, began)


def _shared(x: Any, y: Any, digits: int) -> str | None:
    """The second of two values, to the digits in which they agree; None if in none."""
    ctx = context(digits + 20)
    first, second = (ctx.mpf(decimal(each, digits + 10)) for each in (x, y))
    if second == 0:
        return None
    off = abs(first - second) / second
    agreed = digits if off == 0 else min(digits, int(ctx.floor(-ctx.log10(off))))
    return decimal(y, agreed) if agreed >= 1 else None


def _result(values: tuple[str | None, ...], digits: int, route: str, began: float) -> SingularValues:
    shown = [len(Decimal(each).as_tuple().digits) for each in values if each not in (None, "0")]
    return SingularValues(values, min(shown, default=digits), "estimated", route, time.perf_counter() - began)
