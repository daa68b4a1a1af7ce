r"""The flow never escapes, proved: a minimum enclosed, a trap around it, and a state of the flow inside the trap.

Distinct units. Units that start alike stay alike, whatever the recorder says. With y the displacements of the distinct
units, (alpha, beta), the state is z = N y + e, N of zeros and ones, e constant, and the flow sees

    phi(y) = J(N y + e) ,  grad phi = N^T grad J ,  Hess phi = N^T Hess J N                                  (V60)

The trap. c and r are recorded; Q is any invertible matrix, chosen so that Q^T Hess phi(c) Q ~ I. In coordinates x, y =
c + Q x, balls prove for all |x| <= r that

    |Q^T Hess phi Q - I| <= kappa < 1 ,  and at x = 0 that  |Q^T grad phi(c)| <= g                           (V61)

(Frobenius norm, on the box that holds this ellipsoid; every rate in it is one that the parametrisation reaches). So
Hess phi is positive definite there, and by Taylor's formula along a ray, for |x| <= r,

    phi - phi(c)  >=  (1 - kappa) |x|^2/2 - g |x|                                                            (V62)

The flow is known to pass a state within rho of p: the start, or what a recorded way encloses at its end, in time
(recipe 1), over a plateau in the slow rate (recipe 2), or one after the other. That state is no farther from c than
d = |Q^{-1} (p - c)| + |Q^{-1}| rho in these coordinates, and J is evaluated on the whole ball of states. If

    d < r ,  and  J(p +- rho) - phi(c)  <  (1 - kappa) r^2/2 - g r                                           (V63)

then the state is inside and J there is less than anywhere on the edge |x| = r. J falls along the flow of every
parametrisation, which therefore stays inside for ever.

The limit. g < (1 - kappa) r, or else the right side of (V62) would fall up to the edge, against (V63). So x ->
x - Q^T grad phi(c + Q x), Newton's map with Q Q^T for the inverse Hessian, is a contraction of the ellipsoid into
itself (Krawczyk), and phi has one critical point in it, its minimum:

    |x*| <= g / (1 - kappa) ,  phi(c) - g^2 / (2 (1 - kappa))  <=  phi(x*)  <=  phi(c)                       (V64)

In this compact set J falls strictly along the flow but at that point: the flow converges to it. It never escapes where

    J(0) - phi(c) + g^2 / (2 (1 - kappa))  <  drop                                                           (V65)

Merged units, whose minimum is a line, and runaways are not to be proved so. (V60)-(V65) are derived here.
"""

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Array
from numerics.compiling import evaluate
from numerics.landscape import Landscape
from theory.problem import Problem
from verify.certificate import in_slow_rate, in_time
from verify.certificate.dyadic import check_integers, column, fields_of, outwards, parse, text, texts
from verify.certificate.proved import NotProved
from verify.certificate.tube import norm

Ball = tuple[Array, flint.arb]  # centre and radius, of displacements (2m,)
MOST_DIGITS = 10_000  # working digits; a record that asks for more is not one
MERGED = 1e-6  # relative distance of rates below which a refusal speaks of merged units


@dataclass(frozen=True)
class Trap:
    """What is recorded of a minimum; nothing here is trusted.

    centre: exact, shape (2n,), displacements of the n distinct units, amplitudes first. radius: exact, r of (V61).
    digits: working digits of the proof.
    """

    centre: Array
    radius: flint.arb
    digits: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: dyadics as text."""
        return {"centre": texts(self.centre), "radius": text(self.radius), "digits": self.digits}

    @classmethod
    def from_dict(cls, written: Any) -> "Trap":
        """Back from `as_dict`; ValueError for anything else."""
        centre, radius, digits = fields_of(written, ("centre", "radius", "digits"), "data.trap")
        check_integers(digits=digits)
        return cls(column(centre, "data.trap.centre"), parse(radius), digits)


@dataclass(frozen=True)
class Settled:
    """The flow converges to this network short of the drop, and never escapes. Guarantee: enclosed.

    amplitudes, rates: of the limit, unit by unit, exact (lower, upper). fall: J(0) - J at the limit, the same.
    distance, radius, contraction, slope: d, r, kappa, g of the module, upper bounds. digits: working digits.
    """

    amplitudes: tuple[tuple[flint.arb, flint.arb], ...]
    rates: tuple[tuple[flint.arb, flint.arb], ...]
    fall: tuple[flint.arb, flint.arb]
    distance: flint.arb
    radius: flint.arb
    contraction: flint.arb
    slope: flint.arb
    digits: int

    def as_dict(self, digits: int = 20) -> dict[str, Any]:
        """Ready for JSON: pairs of decimal strings, rounded outwards."""
        pairs = {"amplitudes": self.amplitudes, "rates": self.rates, "fall": (self.fall,)}
        shown: dict[str, Any] = {name: [outwards(*each, digits) for each in pair] for name, pair in pairs.items()}
        shown["fall"] = shown["fall"][0]
        return shown | {"guarantee": "enclosed"}


class Distinct:
    """phi of (V60): J as a function of the displacements of distinct units. Use inside its arithmetic's `working()`."""

    def __init__(self, problem: Problem, arithmetic: Arb) -> None:
        units, m = problem.start.units, problem.start.width
        first = [units.index(unit) for unit in units]
        leaders = sorted(set(first))
        self.width, self.own = len(leaders), np.array([*leaders, *(m + unit for unit in leaders)])
        self.spread = np.zeros((2 * m, 2 * self.width), dtype=object)  # N
        self.offset = np.full(2 * m, flint.arb(0), dtype=object)  # e
        self.landscape = Landscape(problem, arithmetic)
        for unit, leader in enumerate(first):
            for part in (0, 1):
                self.spread[part * m + unit, part * self.width + leaders.index(leader)] = 1
                apart = problem.reference[leader][part] - problem.reference[unit][part]
                self.offset[part * m + unit] = evaluate(apart, arithmetic)

    def state(self, y: Array) -> Array:
        """z = N y + e, shape (2m,)."""
        return self.spread @ y + self.offset

    def gradient_and_hessian(self, y: Array) -> tuple[Array, Array]:
        """grad phi and Hess phi, shapes (2n,) and (2n, 2n) (V60)."""
        gradient, hessian = self.landscape.gradient_and_hessian(self.state(y))
        return self.spread.T @ gradient, self.spread.T @ hessian @ self.spread

    def reached(self, y: Array) -> bool:
        """Whether every rate at y is > 0 and one that the parametrisation reaches and moves."""
        highest = self.landscape.problem.parametrisation.highest
        rates = self.landscape.units(self.state(y))[1]
        inside = highest == sp.oo or (rates < evaluate(highest, self.landscape.arithmetic)).all()
        return bool((rates > 0).all() and inside)


@dataclass(frozen=True)
class Recorded:
    """A trap and the way into it: from the start, slow in the slow rate, then path in time. Nothing here is trusted.

    path is None where what comes before it leads into the trap; slow where the way is one in time from the start on.
    """

    trap: Trap
    path: in_time.Recorded | None = None
    slow: in_slow_rate.Recorded | None = None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        parts = {"trap": self.trap, "path": self.path, "slow": self.slow}
        return {name: part and part.as_dict() for name, part in parts.items()}

    @classmethod
    def from_dict(cls, written: Any) -> "Recorded":
        """Back from `as_dict`; ValueError for anything else."""
        trap, path, slow = fields_of(written, ("trap", "path", "slow"), "data")
        return cls(
            Trap.from_dict(trap),
            None if path is None else in_time.Recorded.from_dict(path),
            None if slow is None else in_slow_rate.Recorded.from_dict(slow),
        )


def prove(problem: Problem, recorded: Recorded) -> Settled:
    """Prove that the flow converges to the recorded minimum short of problem.drop.

    Raises NotProved with the reason where the proof does not go through, ValueError for a malformed record.
    """
    return settle(problem, recorded.trap, _passed(problem, recorded))


def _passed(problem: Problem, recorded: Recorded) -> Ball | None:
    """A ball of states that the flow enters, by the recorded way; None for the start itself."""
    passed = in_slow_rate.prove(problem, recorded.slow, ()).end if recorded.slow else None
    return in_time.prove(problem, recorded.path, (), passed).end if recorded.path else passed


def settle(problem: Problem, trap: Trap, passed: Ball | None = None) -> Settled:
    """Prove that the flow, once it has passed a state, converges to the minimum in the trap short of the drop.

    passed: (centre, radius) of a ball, displacements (2m,) and a number, which the flow enters; None for the start.
    Raises like `prove`.
    """
    _check(trap, problem)
    arithmetic = Arb(trap.digits)
    with arithmetic.working():
        phi, c, r = Distinct(problem, arithmetic), trap.centre, trap.radius
        if not phi.reached(c):
            raise NotProved("a rate at the recorded centre is not one that the flow can have")
        Q, g = directions(phi, c)
        kappa = contraction(phi, c, r, Q)
        if not kappa < 1:
            raise NotProved("the Hessian is not proved positive definite within the recorded radius")
        p, rho = passed if passed else (phi.landscape.start, flint.arb(0))
        back = inverse(Q)
        d = norm(back @ (p[phi.own] - c)) + norm(back.ravel()) * rho
        fall, more = phi.landscape.drop(phi.state(c)), g**2 / (2 * (1 - kappa))
        above = fall - phi.landscape.drop(p + flint.arb(0, 1) * rho)
        if not (d < r and above < (1 - kappa) * r**2 / 2 - g * r):  # (V62), (V63)
            raise NotProved("the state that the flow has passed is not proved to lie in the trap")
        if not fall + more < evaluate(problem.drop, arithmetic):  # (V65)
            raise NotProved("the loss at the minimum is not proved to be short of the drop")
        limit = phi.state(ellipsoid(c, Q, g / (1 - kappa)))  # (V64)
        a, w = (tuple((x.lower(), x.upper()) for x in part) for part in phi.landscape.units(limit))
        return Settled(a, w, (fall.lower(), (fall + more).upper()), d.upper(), r, kappa, g, trap.digits)


def directions(phi: Distinct, c: Array) -> tuple[Array, Any]:
    """(Q, g) of (V61) at a centre. Q is exact, from a float64 Cholesky factor of the scaled Hessian: a mere choice."""
    gradient, hessian = phi.gradient_and_hessian(c)
    H = hessian.astype(float)
    if not (np.isfinite(H).all() and (H.diagonal() > 0).all()):
        raise NotProved(_why_no_minimum(phi, c))
    scale = np.sqrt(H.diagonal())
    try:
        C = np.linalg.cholesky(H / scale / scale[:, None])
    except np.linalg.LinAlgError:
        raise NotProved(_why_no_minimum(phi, c)) from None
    Q = np.vectorize(flint.arb, otypes=[object])(np.linalg.inv(C).T / scale[:, None])
    return Q, norm(Q.T @ gradient)


def contraction(phi: Distinct, c: Array, r: Any, Q: Array) -> Any:
    """kappa of (V61), an upper bound; inf where a rate within the ellipsoid is not one that the flow can have."""
    box = ellipsoid(c, Q, r)
    if not phi.reached(box):
        return flint.arb("inf")
    return norm((Q.T @ phi.gradient_and_hessian(box)[1] @ Q - np.eye(len(c), dtype=int)).ravel())


def ellipsoid(c: Array, Q: Array, r: Any) -> Array:
    """The box that holds c + Q x for |x| <= r."""
    return c + np.array([flint.arb(0, norm(row) * r) for row in Q], dtype=object)


def _check(trap: Trap, problem: Problem) -> None:
    """ValueError unless the recorded numbers are what the proof takes them for."""
    n = len(set(problem.start.units))
    if trap.centre.shape != (2 * n,):
        shape = trap.centre.shape
        raise ValueError(f"the centre must have {2 * n} entries for {n} distinct units, got the shape {shape}")
    for each in (*trap.centre, trap.radius):
        if not (each.is_exact() and each.is_finite()):
            raise ValueError(f"what is recorded of a trap must be exact and finite, got {each}")
    if not trap.radius > 0:
        raise ValueError(f"the radius of a trap must be > 0, got {trap.radius}")
    if not 1 <= trap.digits <= MOST_DIGITS:
        raise ValueError(f"digits of a trap must be from 1 to {MOST_DIGITS}, got {trap.digits}")


def _why_no_minimum(phi: Distinct, c: Array) -> str:
    rates = np.sort(phi.landscape.units(phi.state(c))[1][phi.own[: phi.width]].astype(float))
    if (np.diff(rates) < MERGED * rates[1:]).any():
        return "units have merged at the recorded centre: the minimum is a line, and no Hessian on it positive definite"
    return "the Hessian at the recorded centre is not positive definite: no minimum, or too few digits"


def inverse(Q: Array) -> Array:
    """Q^{-1} in balls; ZeroDivisionError where Q is not proved to have one."""
    n = len(Q)
    return np.array(flint.arb_mat(n, n, list(Q.ravel())).inv().entries(), dtype=object).reshape(n, n)
