r"""An escape with the slow rate as the clock: what it costs does not depend on the memory.

    start     At first the amplitude of the spare is zero and the rate stands still, while the fast components relax
              at rates g, .., of order one. A start off the slow manifold by V_0 changes tau by V_0/g, not by V_0 tau:
              where the time scale T = 1/(2 L |w'|) of the plateau has more digits than are wanted, tau needs no
              start-up at all. Else the time integrator goes first, until e^{-g tau} < 10^{-digits} g T,           (R1)
              and where g T is small, too small to tell the slow solution from its neighbours, all the way down to
              10^{-digits}; the pieces then start from its state. A watcher is shown a start-up in any case.
    plateau   Pieces of the slow manifold (numerics/slow_manifold.py), as long as the tails of their series allow. An
              error late on the way weighs less: relative to tau, by the time scale there over the time so far.
    escape    In the piece in which J(0) - J passes the drop: Newton's method on its polynomial, the piece repeated up
              to there, and what is then missing over dJ/dtau.
    other     Where the rate comes to rest or turns, or would not tell the time for another reason, the time integrator
              takes over from the state reached: minima, runaways and limits are its business (numerics/run.py).

Several spares are no other case: the rates of those that are not the clock ride along. The clock is the slowest, which
moves first. Guarantee: estimated. (R1) derived here.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from numerics.answer import log10
from numerics.arithmetic import Arb, Array
from numerics.compiling import evaluate
from numerics.flow import GradientFlow
from numerics.integrator import CAREFUL, Integrator, Step, StepFailed
from numerics.run import Limits, Outcome, Run, run
from numerics.slow_manifold import Piece, SlowManifold
from theory.plateau import NoPlateau, plateau
from theory.problem import Problem

LEAST = 30.0  # g T below which there is no plateau to speak of
DISTINCT = 5.0  # log10 of g T above which the slow solution is the only smooth one
EASY = 6.0  # decades between the fast rates that the usual working digits cover
LOOK_DIGITS = 60
SAFETY, SHRINK, GROW = 0.9, 0.1, 4.0
LOOSE = 1e-10  # largest tolerance of a piece; its end point is good to about the square of it
SETTLED = 12  # digits to which fast components have come to rest in a start-up that is only watched
FURTHEST = 0.8  # part of its rate that a piece may take away
SHORTEST = 1e-5  # of the rate: pieces below are the end of this clock
Watch = Callable[[Any, Step | Piece], None]  # of a run of either engine


class NoSlowRate(ValueError):
    """The slow rate cannot be the clock of this problem; the message says why."""


@dataclass(frozen=True)
class Clock:
    """Why and how the slow rate can tell the time. Estimated, from the flow at the start in balls.

    spare: the unit whose rate it is, the slowest spare. slowest: the slowest fast rate g, 1 / gradient-flow time.
    decades: log10 of g T, how many relaxations of the fast components the plateau lasts (R1). reserve: working digits
    beyond the usual, for rates told apart in e^{-wL} and for fast components that are nearly dependent. cancelled:
    digits that cancel in the sums over units where the fast components rest.
    """

    spare: int
    slowest: float
    decades: float
    reserve: int
    cancelled: float


def clock(problem: Problem) -> Clock:
    """The slow rate as a clock. Raises NoSlowRate where there is no plateau, or it is left before a rate moves."""
    try:
        slow = plateau(problem).spare
    except NoPlateau as reason:
        raise NoSlowRate(f"the slow rate is no clock here: {reason}") from None
    units = enumerate(problem.reference)
    spare = next(unit for unit, (_, rate) in units if rate == slow and unit not in problem.pairing)
    flow = GradientFlow(problem, Arb(LOOK_DIGITS))
    with flow.arithmetic.working():
        manifold = SlowManifold(flow, spare)
        try:
            rest, slowest = manifold.relaxed(flow.landscape.start)
            scale = _scale(manifold, rest)
        except (StepFailed, ZeroDivisionError):
            raise NoSlowRate("the slow rate is no clock here: the fast components find no rest beside it") from None
        if not slowest > 0 or not flow.rhs(rest)[manifold.clock] < 0:
            raise NoSlowRate("the slow rate is no clock here: the slowest spare gains nothing by becoming slower")
        if flow.landscape.drop(rest) >= evaluate(problem.drop, flow.arithmetic):
            raise NoSlowRate("the slow rate is no clock here: the amplitudes alone drop by as much, before it moves")
        lasting = log10(scale * slowest)
        if not lasting > math.log10(LEAST):
            raise NoSlowRate(f"the plateau is too short for a slow clock: it lasts {10**lasting:.2g} relaxations")
        told = log10(1 + manifold.frame(rest).lag * flow.landscape.units(rest)[1][spare])
        cancelled = flow.landscape.cancellation(rest)
    return Clock(spare, slowest, lasting, math.ceil(told + 2 * max(0.0, -math.log10(slowest) - EASY)), cancelled)


def slow_run(
    flow: GradientFlow,
    integrator: Integrator,
    limits: Limits,
    digits: float,
    here: Clock,
    watch: Watch | None = None,
) -> Run:
    """A run like numerics.run.run, with the slow rate as the clock.

    flow: in Arb. integrator: of the same flow, for the start-up and where the clock stops. digits: wanted of tau.
    here: of the same problem. watch: called with (tau before, Step or Piece); it is shown a start-up in any case.
    Raises NoSlowRate where the first piece does not succeed.
    """
    free = here.decades > DISTINCT
    waiting = (digits + 1 - (here.decades if free else 0)) * math.log(10) / here.slowest  # (R1)
    if watch:
        waiting = max(waiting, SETTLED * math.log(10) / here.slowest)
    tau, y, steps = flow.arithmetic.number(0), flow.landscape.start, 0
    if waiting > 0:
        latest = sp.Integer(math.ceil(waiting))
        if limits.tau_max is not None and limits.tau_max <= latest:
            return run(flow, integrator, limits)
        started = run(flow, integrator, replace(limits, tau_max=latest), watch)
        if started.outcome is not Outcome.tau_max:
            return started
        tau, y, steps = started.tau, started.state, started.accepted
    with flow.arithmetic.working():
        return _Descent(SlowManifold(flow, here.spare), integrator, limits, digits, watch).run(tau, y, steps, free)


def stages(digits: float) -> int:
    """Of a piece, for so many digits of tau."""
    return round(8 + 0.55 * digits)


def _scale(manifold: SlowManifold, y: Array) -> Any:
    """T = 1/(2 L |w'|) (R1), the time scale on which w' changes."""
    speed = abs(manifold.flow.rhs(y)[manifold.clock])
    return 1 / (2 * manifold.frame(y).lag.max(1) * speed)


class _Descent:
    """The way down in the slow rate, from a state near the slow manifold to the end of a run."""

    def __init__(
        self, manifold: SlowManifold, integrator: Integrator, limits: Limits, digits: float, watch: Watch | None
    ) -> None:
        self.manifold, self.integrator, self.limits, self.watch = manifold, integrator, limits, watch
        self.flow, self.landscape = manifold.flow, manifold.flow.landscape
        self.arithmetic = manifold.arithmetic
        self.tolerance = 10.0**-digits
        self.loosest = min(LOOSE, 10.0 ** (-0.55 * digits))  # the state at the end is to have the digits too
        self.stages = stages(digits)
        self.target = evaluate(self.landscape.problem.drop, self.arithmetic)
        self.accepted = self.rejected = 0
        self.cancellation = 0.0

    def run(self, tau: Any, y: Array, steps: int, free: bool) -> Run:
        """Pieces from y at time tau, after `steps` steps in time; free: the first one is to find the slow manifold."""
        limits = self.limits
        latest = None if limits.tau_max is None else evaluate(limits.tau_max, self.arithmetic)
        self.accepted, scale = steps, self.arithmetic.number(0)
        h, last, grow = self._first(y), None, GROW
        while True:
            tolerance = self._tolerance(tau, y, free)
            try:
                h = self._shortened(y, h)
                piece = self._piece(y, h, tolerance, free, last)
            except StepFailed:
                self.rejected += 1
                h, grow = h / 2, CAREFUL
                if free and h < SHORTEST * self._rate(y):
                    raise NoSlowRate("the rates are no smooth functions of the slow one at the start") from None
                if h < SHORTEST * self._rate(y):
                    return self._in_time(tau, y, scale)
                continue
            factor = SAFETY * max(piece.error / tolerance, 1e-30) ** (-1 / self.stages)
            if piece.error > tolerance:
                self.rejected += 1
                h = h * max(SHRINK, factor)
                continue
            if last is not None and min(last.error, piece.error) > 0:  # predictive, like the integrator's
                trend = float(piece.h / last.h) * (last.error / piece.error) ** (1 / self.stages)
                factor = min(factor, factor * max(trend, SHRINK))
            self.accepted += 1
            passed = self.landscape.drop(piece.after) > self.target
            if passed:
                try:
                    piece, wait, end = self._escape(piece, tolerance, free)
                except StepFailed:
                    return self._in_time(tau, piece.before, piece.duration)
            if self.watch:
                self.watch(tau, piece)
            if passed:
                tau = (tau + piece.duration + wait).mid()
                return self._end(Outcome.escaped if latest is None or tau <= latest else Outcome.tau_max, tau, end)
            tau, y, scale, free = self.arithmetic.midpoint(tau + piece.duration), piece.after, piece.duration, False
            last = piece
            h = h * min(grow, max(SHRINK, factor))
            grow = min(GROW, grow * CAREFUL)
            self.cancellation = max(self.cancellation, self.landscape.cancellation(y))
            if latest is not None and tau > latest:
                return self._end(Outcome.tau_max, tau, y)
            if self.cancellation > limits.cancellation:
                reason = "cancellation has outgrown the working precision"
                return self._end(Outcome.failed, tau, y, reason)
            if self.accepted >= limits.max_steps:
                reason = f"max_steps = {limits.max_steps} came before the escape"
                return self._end(Outcome.stopped, tau, y, reason)
            if time.perf_counter() > limits.deadline:
                return self._end(Outcome.stopped, tau, y, "max_seconds came before the escape")

    def _rate(self, y: Array) -> Any:
        return self.landscape.units(y)[1][self.manifold.spare]

    def _first(self, y: Array) -> Any:
        """Length of a first piece: an eighth of the rate; with other spares within the scale 1/(2 L) of the signals."""
        eighth = self._rate(y) / 8
        return eighth if self.manifold.fast.all() else min(eighth, 1 / (4 * self.manifold.frame(y).lag.max(1)))

    def _shortened(self, y: Array, h: Any) -> Any:
        return min(h, FURTHEST * self._rate(y)).mid()

    def _tolerance(self, tau: Any, y: Array, free: bool) -> float:
        """Of a piece from y on, relative: what it may add to tau, over what it will add."""
        if free:
            return self.tolerance
        weight = float((tau / _scale(self.manifold, y)).mid().log())
        return min(self.loosest, self.tolerance * math.exp(min(700.0, max(0.0, weight))))

    def _piece(self, y: Array, h: Any, tolerance: float, free: bool, guide: Piece | None) -> Piece:
        return self.manifold.piece(y, h, self.stages, min(tolerance / 100, self.tolerance), free, guide)

    def _escape(self, piece: Piece, tolerance: float, free: bool) -> tuple[Piece, Any, Array]:
        """(the piece cut where the drop is reached but for a last wait, this wait, the state after it)."""
        y, h, clock = piece.before, piece.h, self.manifold.clock
        below, above = 0 * h, h
        for _ in range(60):
            here = self._piece(y, h, tolerance, free, piece)
            missing = self.target - self.landscape.drop(here.after)
            slope = self.flow.rhs(here.after)
            wait = missing / self.flow.descent(here.after)
            if float((missing / self.target) ** 2) < self.tolerance / 1000:
                return here, wait, self.arithmetic.midpoint(here.after + wait * slope)
            below, above = (h, above) if missing > 0 else (below, h)
            h = (h - wait * slope[clock]).mid()  # Newton's method
            if not below < h < above:
                h = ((below + above) / 2).mid()
        raise StepFailed

    def _in_time(self, tau: Any, y: Array, scale: Any) -> Run:
        """Where the slow rate tells the time no longer: the time integrator from here on."""
        limits = replace(self.limits, max_steps=max(1, self.limits.max_steps - self.accepted))
        rest = run(self.flow, self.integrator, limits, self.watch, begin=(tau, y, scale / 1000))
        accepted, rejected = self.accepted + rest.accepted, self.rejected + rest.rejected
        return replace(rest, engine="slow rate, then time", accepted=accepted, rejected=rejected)

    def _end(self, outcome: Outcome, tau: Any, y: Array, reason: str = "") -> Run:
        drop = self.landscape.drop(y)
        counts = self.accepted, self.rejected
        told = reason or outcome.value
        return Run(outcome, self.flow, tau, y, drop, *counts, self.cancellation, None, told, "slow rate")
