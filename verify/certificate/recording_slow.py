r"""Data for recipe "slow-rate": a start-up in time and pieces of the slow manifold. Not trusted, only good.

The start-up goes on until its offset V from the slow manifold, which costs V/g of tau, g the slowest fast rate, is as
small as the digits demand, and small enough for the tube to hold it. An error of a piece costs its share of tau, so
tolerances relax as the pieces go by. Each piece is tried on the bounds of its proof.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf, log, log10

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import BITS_PER_DIGIT, Arb, Array, Float64, _objects
from numerics.collocation import radau
from numerics.compiling import evaluate
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator, Step, StepFailed
from numerics.slow_manifold import Piece, SlowManifold
from numerics.slow_rate import FURTHEST, GROW, SAFETY, SHORTEST, SHRINK, Clock, NoSlowRate, clock, stages
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
BESIDE = 4  # more digits beside other spares
LOOSEST = 1e-11  # tolerance of a piece
WEIGHT = 1e4  # of a late piece, on which the state at the escape depends
STIFF = 100.0  # a defect in units of the error that makes it, at most
SETTLED = 4  # digits of U at the end of a start-up
FIRST = 0.01  # step of a start-up to try
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
    hard += BESIDE if problem.start.width > len(problem.pairing) + 1 else 0
    digits += hard
    balls = Arb(digits + GUARD)
    flow = GradientFlow(problem, balls)
    with balls.working():
        manifold = SlowManifold(flow, here.spare)
        tubes = SlowTubes(problem, here.spare, balls)
        start_up, after = _start_up(manifold, here, digits, SETTLED if manifold.fast.all() else SETTLED + hard)
        y = (flow.landscape.start if manifold.fast.all() else after).copy()  # other spares would have moved
        grid = flint.arb(2) ** int((digits + INSIDE) * BITS_PER_DIGIT)
        y[manifold.clock] = ((y[manifold.clock] * grid).ceil() + 1) / grid  # a little above, of few bits
        found = _pieces(manifold, tubes, y, digits, LOOSEST / 10**hard)
        pieces = tuple(each for each in found if each.bottom < after[manifold.clock])  # not passed in the start-up
        return Recorded(here.spare, start_up, pieces, balls.digits)


def _start_up(manifold: SlowManifold, here: Clock, digits: int, settled: int) -> tuple[InTime, Array]:
    """Steps in time from the start until the flow is near the slow manifold, to `settled` digits, and the state there.

    They are proved to be good in the norm of the whole state, and an error of the slow rate costs 2 L times as much.
    """
    flow = manifold.flow
    frame = manifold.frame(flow.landscape.start)
    size = max(abs(manifold.relaxed(flow.landscape.start)[0][manifold.others[manifold.fast]]))
    tolerance = min(10.0**-settled, float(flint.arb(10) ** -(digits + INSIDE) / (2 * frame.lag * size)))
    latest = flint.arb(max(settled, digits + INSIDE - here.decades) * log(10) / here.slowest)
    twin = GradientFlow(flow.landscape.problem, Float64()) if fits_float64(flow.landscape.problem) else None
    accuracy = max(tolerance / 1000, 1e-300)
    integrator = Integrator(flow, round(10 - 0.5 * log10(tolerance)), tolerance / 10, accuracy, twin, flow.copies)
    y, t, taken = flow.landscape.start, flint.arb(0), list[Step]()
    with Float64().working():
        for step in integrator.steps(y, FIRST):
            if t + step.h > latest:
                step = integrator.within(step, (latest - t).mid())
            taken.append(step)
            t = (t + step.h).mid()
            if t + FIRST > latest:
                break
    nodes = _objects((2 * each - 1).mid() for each in integrator.method.nodes)
    values = np.concatenate([y[None], *(step.before + step.stages for step in taken)])
    exact = _objects(each.mid() for each in values.ravel()).reshape(values.shape)
    durations = _objects(flint.arb(step.h).mid() for step in taken)
    return InTime(nodes, durations, exact, flow.arithmetic.digits), taken[-1].after.copy()


def _pieces(manifold: SlowManifold, tubes: SlowTubes, y: Array, digits: int, loosest: float) -> Iterator[Stretch]:
    """Pieces from the rates of y to a little beyond the escape; the first one finds the slow manifold."""
    landscape, s = manifold.flow.landscape, stages(digits + INSIDE)
    target = evaluate(landscape.problem.drop, manifold.arithmetic) * BEYOND
    rate = lambda y: landscape.units(y)[1][manifold.spare]
    h, tau, last = _float(rate(y) / 8), flint.arb(0), None
    while True:
        if h < SHORTEST * rate(y):
            raise NotProved("the slow rate comes to rest, or the state is no smooth function of it")
        h = _float(min(h, FURTHEST * rate(y)))
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
        yield stretch
        y, tau, last = piece.after, (tau + piece.duration).mid(), piece
        if landscape.drop(y) > target:
            return
        h = h * min(GROW, factor)


def _defect(tubes: SlowTubes, stretch: Stretch) -> float:
    """The largest certified defect, relative to P; inf where there is none."""
    try:
        defect = tubes.defect(stretch)
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


def _float(number: flint.arb) -> flint.arb:
    """Nearly the same number, of few bits."""
    return flint.arb(float(number))
