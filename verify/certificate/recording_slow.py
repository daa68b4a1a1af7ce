r"""Data for recipe "slow-rate": a start-up in time and pieces of the slow manifold. Not trusted, only good.

An error of a piece costs its share of tau, so tolerances relax as the pieces go by: a piece that takes the part p of the
time so far may be p times worse. The first piece begins a little above the start, where nothing is known but the
slow solution; the start-up comes in on it when it is as near as the digits demand: an offset V costs V/g of tau, g the
slowest fast rate, and less than SETTLED relative to U for the tube to hold it.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf, log10

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import BITS_PER_DIGIT, Arb, Array, Float64, _objects
from numerics.collocation import radau
from numerics.compiling import evaluate
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator, Step, StepFailed
from numerics.slow_manifold import Piece, SlowManifold
from numerics.slow_rate import FURTHEST, GROW, SAFETY, SHORTEST, SHRINK, NoSlowRate, clock, stages
from theory.problem import Problem
from verify.certificate import chebyshev
from verify.certificate.in_slow_rate import Recorded
from verify.certificate.in_time import Recorded as InTime
from verify.certificate.proved import NotProved
from verify.certificate.slow_field import Stretch
from verify.certificate.slow_tube import SlowTubes

GUARD = 16  # working digits beyond those wanted
INSIDE = 3  # digits of the data beyond those wanted
EASY = 3.2  # decades between the fast rates that INSIDE covers: U has their ratio in it, and its error divides by g
LOOSEST = 1e-11  # tolerance of a piece
WEIGHT = 1e4  # of a late piece, on which the state at the escape depends
STIFF = 100.0  # a defect in units of the error that makes it, at most
SETTLED = 1e-4
FIRST = 0.01  # step of a start-up to try
MOST_STEPS = 200  # of a start-up
BEYOND = flint.arb("1.0001")  # times the drop, where the pieces may end


def record(problem: Problem, digits: int) -> Recorded:
    """Data that should carry `digits` certified digits of tau. Guarantee: none.

    Raises NotProved where the slow rate is no clock, or its path is lost.
    """
    try:
        here = clock(replace(problem, horizon=sp.oo))  # of a finite horizon: nearly
    except (NoSlowRate, ValueError) as reason:
        raise NotProved(str(reason)) from None
    hard = round(2 * max(0.0, -log10(here.slowest) - EASY))
    digits += hard
    flow = GradientFlow(problem, Arb(digits + GUARD))
    with flow.arithmetic.working():
        manifold = SlowManifold(flow, here.spare)
        tau, recorded = flint.arb(0), list[Stretch]()
        for piece, stretch in _pieces(manifold, SlowTubes(problem, here.spare, flow.arithmetic), digits, LOOSEST / 10**hard):
            tau = tau + piece.duration
            recorded.append(stretch)
        near = (tau * here.slowest).min(flint.arb(10) ** digits)
        start_up = _start_up(flow, manifold, recorded[0], digits, min(SETTLED, _error(digits, near)))
    return Recorded(here.spare, start_up, tuple(recorded), digits + GUARD)


def _float(number: flint.arb) -> flint.arb:
    """Nearly the same number, of few bits."""
    return flint.arb(float(number))


def _pieces(manifold: SlowManifold, tubes: SlowTubes, digits: int, loosest: float) -> Iterator[tuple[Piece, Stretch]]:
    """Pieces from a little above the start to a little beyond the escape."""
    landscape, clock, s = manifold.flow.landscape, manifold.clock, stages(digits + INSIDE)
    target = evaluate(landscape.problem.drop, manifold.arithmetic) * BEYOND
    y = landscape.start.copy()
    rate = landscape.units(y)[1][manifold.spare]
    y[clock] = flint.arb(2) ** -int((digits + INSIDE) * BITS_PER_DIGIT)  # above the start
    try:
        y = manifold.relaxed(y)[0]
    except (StepFailed, ZeroDivisionError):
        raise NotProved("the fast components find no rest beside the slow rate") from None
    h, tau, last = _float(rate / 8), flint.arb(0), None
    while True:
        left = landscape.units(y)[1][manifold.spare]
        if h < SHORTEST * left:
            raise NotProved("the slow rate comes to rest, or the state is no smooth function of it")
        h = _float(min(h, FURTHEST * left))
        try:
            piece = manifold.piece(y, h, s, 10.0 ** -(digits + INSIDE), last is None, last)
        except StepFailed:
            h = h / 2
            continue
        part = max(float(piece.duration / (tau + piece.duration)), 1e-300)
        tolerance = min(loosest, 10.0 ** -(digits + INSIDE) / min(1, WEIGHT * part))
        stretch = _stretch(manifold, piece)
        error = max(piece.error, _defect(tubes, stretch) / STIFF)
        factor = SAFETY * max(error / tolerance, 1e-30) ** (-1 / s)
        if error > tolerance:
            h = h * max(SHRINK, factor)
            continue
        yield piece, stretch
        y, tau, last = piece.after, (tau + piece.duration).mid(), piece
        if landscape.drop(y) > target:
            return
        h = h * min(GROW, factor)


def _defect(tubes: SlowTubes, stretch: Stretch) -> float:
    """The largest certified defect, relative to P; inf where there is none."""
    try:
        defect = tubes.along(stretch).defect
    except NotProved:
        return inf
    return float(defect.u / max(abs(stretch.path).sum(axis=0)))


def _stretch(manifold: SlowManifold, piece: Piece) -> Stretch:
    """The piece in Chebyshev polynomials."""
    nodes = radau(len(piece.values) - 1, manifold.arithmetic.digits).nodes
    through = chebyshev.through(_objects((2 * each - 1).mid() for each in nodes))
    found = manifold.arithmetic.midpoint(chebyshev.product(through, np.column_stack([piece.values, -1 / piece.speed])))
    top = piece.before[manifold.clock]
    return Stretch(top, (top - piece.h).mid(), piece.frame.kappa, piece.frame.lag, found[:, :-1], found[:, -1])


def _error(digits: int, share: flint.arb) -> float:
    """The relative error that may be made of something that is this part of tau."""
    return float(flint.arb(10) ** -(digits + INSIDE) * share)


def _start_up(flow: GradientFlow, manifold: SlowManifold, first: Stretch, digits: int, near: float) -> InTime:
    """Steps in time from the start until the flow is on the first piece, up to `near` of its size there.

    They are proved to be good in the norm of the whole state, and an error of the slow rate costs 2 L times as much.
    """
    moved = 2 * first.lag * first.scale * max(abs(first.path).sum(axis=0))
    tolerance = min(near, SETTLED, _error(digits, 1 / moved))
    s = round(10 - 0.5 * log10(tolerance))
    twin = GradientFlow(flow.landscape.problem, Float64()) if fits_float64(flow.landscape.problem) else None
    accuracy = max(tolerance / 1000, 1e-300)
    integrator = Integrator(flow, s, tolerance / 10, accuracy, twin, flow.copies)
    y, taken = flow.landscape.start, list[Step]()
    with Float64().working():
        for step in integrator.steps(y, FIRST):
            taken.append(step)
            x = ((first.top - step.after[manifold.clock]) / first.h - 1).mid()
            if not x < 1 or len(taken) > MOST_STEPS:
                raise NotProved("the plateau is too short for a slow clock: the start-up lasts as long")
            P = chebyshev.basis(_objects([x]), len(first.path) - 1)[0] @ first.path
            u = (P * first.kappa(x))[manifold.fast]
            if abs(step.after[manifold.others[manifold.fast]] - u).max() < near * abs(u).max():
                break
    nodes = _objects((2 * each - 1).mid() for each in integrator.method.nodes)
    values = np.concatenate([y[None], *(step.before + step.stages for step in taken)])
    exact = _objects(each.mid() for each in values.ravel()).reshape(values.shape)
    return InTime(nodes, _objects(flint.arb(step.h).mid() for step in taken), exact, flow.arithmetic.digits)
