r"""Escape times: how long gradient flow sits on the plateau.

    tau_0 = inf{ tau : J(0) - J(tau) > drop }                                                                (M12)

Two runs of the integrator, at different tolerances and working precisions, must share the digits that are claimed; they
are tightened together until they do. float64 serves up to 12 digits while the signals fit its range, Arb everything else,
with a float64 twin for the linear algebra where possible. J falls strictly along the flow, so the crossing is unique; it is
located by repeating the step to it. Not escaping is an outcome, with the state reached.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import flint
import mpmath
import numpy as np

from numerics.arithmetic import Arb, Array, Float64
from numerics.compiling import evaluate
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator, Step, StepFailed
from numerics.stationary import Minimum, might_trap, trap
from theory.problem import Problem

FLOAT_DIGITS = 12  # float64 is asked for at most this many
GUARD = 15  # working digits beyond those wanted
MOST_DIGITS = 2000
ROUNDS = 4  # of tightening before fewer digits are reported
LOOK_EVERY = 5  # accepted steps between looks for a minimum


class Outcome(Enum):
    """How a run of the gradient flow ended."""

    escaped = "the loss fell by more than the drop"
    stationary = "the flow ends in a minimum short of the drop; it never escapes"
    runaway = "units coalesce with diverging alternating amplitudes, short of the drop"
    unreachable = "the drop is at least the loss at the start; no network can reach it"
    tau_max = "tau_max came before the escape"
    stopped = "max_steps or max_seconds came before the escape; the state is in `end`"
    failed = "the integrator gave up"


@dataclass(frozen=True)
class State:
    """Where a run ended: gradient-flow time tau, J(0) - J, and the network; decimal strings."""

    tau: str
    drop: str
    amplitudes: tuple[str, ...]
    rates: tuple[str, ...]


@dataclass(frozen=True)
class EscapeTime:
    """Escape time in gradient-flow time tau, with what is known about it.

    tau: decimal, exactly `digits` digits; None unless escaped. digits: shared by two runs, at most those asked.
    guarantee: estimated (two runs agree; truncation is not bounded), or enclosed for an unreachable drop.
    cancellation: decimal digits lost in sums over units, worst seen. seconds: of integration; setup_seconds: of derivation
    and compilation. steps: accepted ones of the finer run.
    """

    problem: Problem = field(repr=False)
    outcome: Outcome
    reason: str
    tau: str | None
    digits: int | None
    guarantee: str
    arithmetic: str
    steps: int
    rejected: int
    seconds: float
    setup_seconds: float
    end: State | None = None
    minimum: Minimum | None = None
    cancellation: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Everything but the problem, ready for JSON: decimal strings, counts as integers, seconds as floats."""
        minimum = None
        if self.minimum:
            minimum = {key: f"{value:.6g}" for key, value in vars(self.minimum).items() if key != "state"}
        return {
            "outcome": self.outcome.name,
            "reason": self.reason,
            "escape_time": self.tau,
            "digits": self.digits,
            "guarantee": self.guarantee,
            "arithmetic": self.arithmetic,
            "steps": self.steps,
            "rejected": self.rejected,
            "seconds": self.seconds,
            "setup_seconds": self.setup_seconds,
            "end": asdict(self.end) if self.end else None,
            "minimum": minimum,
        }


@dataclass(frozen=True)
class Limits:
    """Where a run stops at the latest: gradient-flow time, accepted steps, seconds of both runs together."""

    tau_max: Any = None
    max_steps: int = 100_000
    max_seconds: float = math.inf


@dataclass(frozen=True)
class Run:
    """One run of the integrator: outcome, tau and state in its own arithmetic."""

    outcome: Outcome
    tau: Any
    state: Array
    drop: Any
    integrator: Integrator
    cancellation: float
    minimum: Minimum | None = None
    reason: str = ""


def escape_time(
    problem: Problem,
    *,
    digits: int = 20,
    tau_max: Any = None,
    max_steps: int = 100_000,
    max_seconds: float = math.inf,
    watch: Callable[[Any, Step], None] | None = None,
) -> EscapeTime:
    """First gradient-flow time tau with J(0) - J(tau) > problem.drop.

    problem:     drop in units of J (output^2 / input^2 * time); width m gives 2m equations (M5), (M6).
    digits:      significant decimal digits wanted of tau, 5 to 2000; the working precision is higher.
    tau_max:     exact number > 0 or None; gradient-flow time (learning rate * steps, for gradient descent).
    max_steps, max_seconds: limits of the work; reaching one is an outcome.
    watch:       called with (tau before the step, Step) after every accepted step of the finer run.

    Returns an EscapeTime. Guarantee: estimated (two tolerances and precisions agree; truncation is not bounded).
    Raises ValueError if an argument is out of range; not escaping never raises.
    Source: the hitting time of Li, Han, E, Li, ICLR 2021, for the reduced parameters (a, w); definition as in (M12).

    >>> from theory.kernels import Exponential, Gaussian
    >>> from theory.problem import Target
    >>> from theory.rnn import LinearRNN
    >>> pair = Target([Exponential(), Gaussian(lag="10")])
    >>> escape_time(Problem(pair, LinearRNN([("1", "1"), ("0", "0.7")]), "0.05"), digits=15).tau
    '42.5955386593801'
    """
    _check_digits(digits)
    if max_steps < 1:
        raise ValueError(f"max_steps must be >= 1, got {max_steps}; leave it out for the default")
    if not max_seconds > 0:
        raise ValueError(f"max_seconds must be > 0, got {max_seconds}; leave it out for no limit")
    limits = Limits(tau_max, max_steps, max_seconds)
    started = time.perf_counter()
    if _unreachable(problem):
        setup = time.perf_counter() - started
        return EscapeTime(
            problem, Outcome.unreachable, Outcome.unreachable.value, None, None, "enclosed", "arb", 0, 0, 0.0, setup
        )
    ranged = fits_float64(problem)
    native = digits <= FLOAT_DIGITS and ranged and not problem.off_the_fit
    setup = time.perf_counter() - started
    integrating = 0.0
    reserve = 0.0  # digits of working precision for cancellation, measured
    best: tuple[int, Run] | None = None
    for attempt in range(ROUNDS):
        begun = time.perf_counter()
        flows = [_systems(problem, digits + 2 * attempt, reserve, native, ranged, fine) for fine in (False, True)]
        setup += time.perf_counter() - begun
        begun = time.perf_counter()
        runs: list[Run] = []
        for fine, (system, twin) in enumerate(flows):
            tolerance, stages = _tolerance(digits + 2 * attempt, native, bool(fine))
            accuracy = 1e-12 if native else 10.0 ** -(digits + 2 * attempt + 3 + (0 if problem.off_the_fit is None else reserve))
            integrator = Integrator(system, stages, tolerance, max(accuracy, 1e-300), twin)
            left = Limits(limits.tau_max, limits.max_steps, limits.max_seconds - integrating - (time.perf_counter() - begun))
            runs.append(_run(problem, system, integrator, left, watch if fine else None))
            if runs[-1].outcome is not Outcome.escaped:
                break
        integrating += time.perf_counter() - begun
        run = runs[-1]
        if run.outcome is Outcome.failed and native:
            native = False
            continue
        if run.outcome is not Outcome.escaped:
            return _result(problem, run, None, integrating, setup)
        shared = _shared_digits(runs[0].tau, runs[1].tau, digits + 5)
        if best is None or shared > best[0]:
            best = (shared, run)
        if shared >= digits:
            break
        reserve = max(reserve, 3 * run.cancellation)
        native = False
    assert best is not None
    return _result(problem, best[1], min(digits, best[0]), integrating, setup)


def _check_digits(digits: Any) -> None:
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise TypeError(f"digits must be an int, got {digits!r}")
    if not 5 <= digits <= MOST_DIGITS:
        raise ValueError(f"digits must be from 5 to {MOST_DIGITS}, got {digits}; they are the significant digits wanted of tau")


def _unreachable(problem: Problem) -> bool:
    """Whether drop >= J(0), decided in balls (exactly, where J(0) is rational)."""
    loss = problem.initial_loss
    if loss.is_Rational:
        return bool(problem.drop >= loss)
    arithmetic = Arb(60)
    with arithmetic.working():
        return bool(evaluate(problem.drop, arithmetic) >= evaluate(loss, arithmetic))


def _tolerance(digits: int, native: bool, fine: bool) -> tuple[float, int]:
    """Tolerance of the error estimate and number of stages; the end point is good to about tolerance^2."""
    if native:
        return max(10.0 ** -((digits + (3.0 if fine else 1.5)) / 2), 1e-8), 9
    return 10.0 ** -((digits + (2.0 if fine else 0.7)) / 2), round(8 + 0.35 * digits)


def _systems(
    problem: Problem, digits: int, reserve: float, native: bool, ranged: bool, fine: bool
) -> tuple[GradientFlow, GradientFlow | None]:
    """The flow in the arithmetic of a run, and its float64 twin."""
    if native:
        return GradientFlow(problem, Float64()), None
    working = math.ceil(digits + GUARD + reserve) + (2 if fine else -1)
    return GradientFlow(problem, Arb(working)), GradientFlow(problem, Float64()) if ranged else None


def _run(problem: Problem, system: GradientFlow, integrator: Integrator, limits: Limits, watch: Callable[[Any, Step], None] | None) -> Run:
    """Integrate until something happens; every outcome but unreachable."""
    arithmetic, landscape = system.arithmetic, system.landscape
    deadline = time.perf_counter() + limits.max_seconds
    hs: list[Any] = []
    cancellation = 0.0
    with arithmetic.working(), Float64().working():
        target = arithmetic.number(problem.drop)
        latest = None if limits.tau_max is None else arithmetic.number(limits.tau_max)
        y, tau = landscape.start, arithmetic.number(0)
        gone: Any = arithmetic.number(0)
        runaway_since = None

        def end(outcome: Outcome, minimum: Minimum | None = None, reason: str = "") -> Run:
            return Run(outcome, tau, y, gone, integrator, cancellation, minimum, reason or outcome.value)

        try:
            for step in integrator.steps(y, 0.01):
                if watch:
                    watch(tau, step)
                dropped = landscape.drop(step.after)
                if dropped > target:
                    h, y = _locate(integrator, landscape, step, target)
                    tau, gone = _total([*hs, h], arithmetic), landscape.drop(y)
                    if latest is not None and tau > latest:
                        tau = latest
                        return end(Outcome.tau_max)
                    return end(Outcome.escaped)
                hs.append(step.h)
                y, tau, gone = step.after, _total(hs, arithmetic) if integrator.native else tau + step.h, dropped
                if latest is not None and tau > latest:
                    return end(Outcome.tau_max)
                if len(hs) % LOOK_EVERY == 0:
                    cancellation = max(cancellation, landscape.cancellation(y))
                    if might_trap(landscape.gradient_and_hessian(y)[1]) and (found := _minimum(problem, y)):
                        return end(Outcome.stationary, found)
                    runaway_since = _coalescing(landscape, y, tau, runaway_since)
                    if runaway_since is not None and tau > 100 * runaway_since:
                        return end(Outcome.runaway)
                if len(hs) >= limits.max_steps:
                    return end(Outcome.stopped, reason=f"max_steps = {limits.max_steps} reached before the escape")
                if time.perf_counter() > deadline:
                    return end(Outcome.stopped, reason="max_seconds reached before the escape")
        except StepFailed:
            return end(Outcome.failed, reason="Newton's method failed at every step size; ask for more digits")
    raise AssertionError("integrator.steps never ends by itself")


def _locate(integrator: Integrator, landscape: Any, step: Step, target: Any) -> tuple[Any, Array]:
    """(h, state) where the drop is reached inside a step: Newton on J with dJ/dtau = -|grad J|^2, each time a fresh step."""
    inside = np.linspace(0, 1, 65)[1:]
    stages = step.stages
    dense = step.before + integrator.method.interpolation(inside).astype(stages.dtype) @ stages
    crossed = next((i for i, y in enumerate(dense) if landscape.drop(y) > target), len(inside) - 1)
    h, low, high = step.h * float(inside[crossed]), 0 * step.h, step.h
    goal = integrator.accuracy if not integrator.native else 1e-15
    for _ in range(30):
        cut = integrator.within(step, h)
        missing = target - landscape.drop(cut.after)
        low, high = (h, high) if missing > 0 else (low, h)
        slope = (integrator.system.rhs(cut.after) ** 2).sum()
        new = integrator.arithmetic.midpoint(np.array([h + missing / slope]))[0]
        if abs(float((new - h) / step.h)) < goal:
            break
        h = new if low < new < high else (low + high) / 2
    return h, cut.after


def _total(hs: list[Any], arithmetic: Any) -> Any:
    return math.fsum(hs) if arithmetic.name == "float64" else arithmetic.midpoint(np.array([sum(hs, arithmetic.number(0))], dtype=object))[0]


def _minimum(problem: Problem, y: Array) -> Minimum | None:
    """The trap test of stationary.py, always in balls."""
    flow = GradientFlow(problem, Arb(40))
    with flow.arithmetic.working():
        return trap(flow.landscape, flow.arithmetic.array(y))


def _coalescing(landscape: Any, y: Array, tau: Any, since: Any) -> Any:
    """Since when (gradient-flow time) the state looks like a runaway; None if it does not. Estimated.

    Two units within 1 % of each other with opposite amplitudes, the largest amplitude beyond 100 times its start, and
    tau |grad J|^2 below 1e-3 of the drop still missing.
    """
    a, w = landscape.units(y)
    start, _ = landscape.units(landscape.start)
    order = np.argsort(w.astype(float))
    close = any(
        abs(float(w[i] - w[j])) < 0.01 * float(w[i]) and float(a[i]) * float(a[j]) < 0
        for i, j in zip(order, order[1:], strict=False)
    )
    large = max(abs(float(x)) for x in a) > 100 * max(abs(float(x)) for x in start)
    missing = landscape.arithmetic.number(landscape.problem.drop) - landscape.drop(y)
    still = float(tau * (landscape.gradient(y) ** 2).sum() / missing) < 1e-3
    if not (close and large and still):
        return None
    return tau if since is None else since


def _shared_digits(x: Any, y: Any, most: int) -> int:
    """Leading digits in which two results agree, at most `most`."""
    with flint.ctx.workprec(math.ceil((most + 10) * 3.33)):
        difference, size = abs(flint.arb(x) - flint.arb(y)).mid(), abs(flint.arb(y))
        if difference == 0:
            return most
        return min(most, math.floor(float(-(difference / size).log() / flint.arb(10).log())))


def decimal(value: Any, digits: int) -> str:
    """A number of any arithmetic to exactly `digits` significant digits; scientific where positional would mislead."""
    ctx = mpmath.mp.clone()
    ctx.dps = digits + 10
    if isinstance(value, flint.arb):
        mantissa, exponent = value.mid().man_exp()
        number = ctx.ldexp(ctx.mpf(int(mantissa)), int(exponent))
    else:
        number = ctx.mpf(float(value))
    return str(ctx.nstr(number, digits, strip_zeros=False, min_fixed=-6, max_fixed=digits))


def _result(problem: Problem, run: Run, digits: int | None, seconds: float, setup: float) -> EscapeTime:
    shown = digits or 10
    flow = GradientFlow(problem, run.integrator.arithmetic)
    with flow.arithmetic.working():
        a, w = flow.landscape.units(run.state)
        amplitudes, rates = (tuple(decimal(x, shown) for x in units) for units in (a, w))
    arithmetic = run.integrator.arithmetic.name
    name = arithmetic if run.integrator.native else f"{arithmetic} ({run.integrator.arithmetic.digits} digits)"
    return EscapeTime(
        problem,
        run.outcome,
        run.reason,
        decimal(run.tau, digits) if digits else None,
        digits,
        "estimated",
        name,
        run.integrator.accepted,
        run.integrator.rejected,
        seconds,
        setup,
        State(decimal(run.tau, shown), decimal(run.drop, shown), amplitudes, rates),
        run.minimum,
        run.cancellation,
    )
