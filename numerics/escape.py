r"""Escape times: how long gradient flow sits on the plateau.

    tau_0 = inf{ tau : J(0) - J(tau) > drop }                                                                (M12)

Two engines: the time integrator (numerics/integrator.py) takes any start; the slow rate as the clock
(numerics/slow_rate.py) takes the plateau of a spare unit, at a cost that does not depend on the memory. The second
serves where it applies and is the cheaper one: on long plateaus, and with several spares close to each other. The
result says which it was.

Two runs, at different tolerances and working precisions, must share the digits that are claimed; they are tightened
together until they do. In time, float64 serves up to 12 digits where the start is on the fit and its signals fit the
range; Arb everything else, with a float64 twin for the linear algebra where that is accurate enough. Working digits are
those wanted, 15 more, and a reserve for the cancellation measured in the sums over units (off the fit, or where units
merge): a run that outgrows its reserve is repeated with more. Not escaping is an outcome, with the state reached.
"""

import math
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import flint
import sympy as sp

from numerics.answer import Guarantee, context, decimal
from numerics.arithmetic import BITS_PER_DIGIT, Arb, Arithmetic, Float64
from numerics.compiling import evaluate
from numerics.flow import GradientFlow, fits_float64
from numerics.integrator import Integrator
from numerics.run import MOST_STEPS, Engine, Limits, Outcome, Run, Watch, run
from numerics.slow_rate import Clock, NoSlowRate, clock, slow_run
from numerics.stationary import Minimum
from theory.dense import DenseProblem
from theory.exact import positive
from theory.problem import Problem

FEWEST_DIGITS, MOST_DIGITS = 5, 150
FLOAT_DIGITS = 12  # float64 is asked for at most this many
GUARD = 15  # working digits beyond those wanted
PRICE = 2.5  # working digits for each digit that cancels: (M15) moves by the 5/2th power of what is left
HARMLESS = 6  # digits of cancellation that the guard covers: on a plateau it is mild and costs no more than itself
MOST_FAINT = 300  # digits between J(0) and the drop
ROUNDS = 4  # of tightening before fewer digits are reported
MANY = 40.0  # log10 of the relaxations of the fast components from which on the slow rate is the better clock
STATE_DIGITS = 10  # of the state at the end of the slow rate
BLUNT = 1e-6  # slowest fast rate below which float64 factors no longer serve the time integrator


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
    guarantee: estimated (two runs agree; truncation is not bounded), or enclosed for an unreachable drop. arithmetic:
    of the finer run. engine: what told the time in the finer run (see the module). steps, rejected: of the finer run,
    in time and in the slow rate together. seconds: of integration, all runs; setup_seconds: of derivation and
    compilation, and of choosing the engine. end: good to `digits` digits, in the slow rate to 10. minimum: for a
    stationary end.
    """

    problem: Problem | DenseProblem = field(repr=False)
    outcome: Outcome
    reason: str
    tau: str | None
    digits: int | None
    guarantee: Guarantee
    arithmetic: str
    steps: int
    rejected: int
    seconds: float
    setup_seconds: float
    end: State | None = None
    minimum: Minimum | None = None
    engine: Engine = "time"

    @property
    def log10_tau(self) -> str | None:
        """log10 of tau, decimal, 15 digits or as many as tau fixes: for where tau is beyond the floats."""
        if self.tau is None or self.digits is None:
            return None
        ctx = context(30)
        logarithm = ctx.log10(ctx.mpf(self.tau))
        whole = len(str(abs(int(logarithm))))
        return str(ctx.nstr(logarithm, min(15, self.digits + whole), strip_zeros=False))

    def as_dict(self) -> dict[str, Any]:
        """Everything but the problem, ready for JSON: decimal strings, counts as integers, seconds as floats.

        `end` and `minimum` are there only where there is one; `reason` explains the other nulls.
        """
        parts = {"end": asdict(self.end) if self.end else None, "minimum": self.minimum and self.minimum.as_dict()}
        return {
            "outcome": self.outcome.name,
            "reason": self.reason,
            "escape_time": self.tau,
            "log10_escape_time": self.log10_tau,
            "digits": self.digits,
            "guarantee": self.guarantee,
            "arithmetic": self.arithmetic,
            "engine": self.engine,
            "steps": self.steps,
            "rejected": self.rejected,
            "seconds": self.seconds,
            "setup_seconds": self.setup_seconds,
            **{name: part for name, part in parts.items() if part is not None},
        }


@dataclass(frozen=True)
class Plan:
    """How to run: digits aimed at, in float64 (`native`) or Arb, digits in reserve, whether a float64 twin serves."""

    digits: int
    native: bool
    reserve: int
    twin: bool

    @property
    def cancellation(self) -> float:
        """Digits of cancellation up to which a run of this plan is worth going on."""
        return max(HARMLESS, self.reserve / PRICE)

    def with_reserve_for(self, cancellation: float) -> "Plan":
        """The plan for a run that has met so many digits of cancellation, more than this one has room for."""
        return Plan(self.digits, False, max(2 * self.reserve, math.ceil(1.2 * PRICE * cancellation)), False)

    def prepare(self, problem: Problem, fine: bool) -> tuple[GradientFlow, Integrator]:
        """Flow and integrator of the coarse or the fine run; the end point is good to about tolerance^2."""
        if self.native:
            flow = GradientFlow(problem, Float64())
            tolerance = min(max(10.0 ** -((self.digits + (1.5 if fine else 0.2)) / 2), 1e-8), 1e-5)
            return flow, Integrator(flow, 9, tolerance, 10.0 ** -(self.digits + 1), copies=flow.copies)
        working: Arithmetic = Arb(self.digits + GUARD + self.reserve + (2 if fine else -1))
        flow = GradientFlow(problem, working)
        twin = GradientFlow(problem, Float64()) if self.twin else None
        tolerance = min(10.0 ** -((self.digits + (2.0 if fine else 0.7)) / 2), 1e-9 if fine else 1e-8)
        accuracy = max(10.0 ** -(self.digits + 3 + self.reserve), 1e-300)
        return flow, Integrator(flow, round(8 + 0.35 * self.digits), tolerance, accuracy, twin, flow.copies)


def escape_time(
    problem: Problem,
    *,
    digits: int = 20,
    tau_max: Any = None,
    max_steps: int = MOST_STEPS,
    max_seconds: float = math.inf,
    watch: Watch | None = None,
    engine: Literal["time", "slow"] | None = None,
) -> EscapeTime:
    """First gradient-flow time tau with J(0) - J(tau) > problem.drop.

    problem:     drop in units of J (output^2 / input^2 * time); width m gives 2m equations (M5), (M6).
    digits:      significant decimal digits wanted of tau, 5 to 150; the working precision is higher.
    tau_max:     exact number > 0 or None; gradient-flow time (learning rate * steps, for gradient descent).
    max_steps, max_seconds: limits of the work; reaching one is an outcome.
    watch:       called with (tau before the step, Step) after every accepted step of the finer run; tau = 0: anew.
                 Only steps in time can be watched: with a watcher the engine is "time".
    engine:      "time", "slow" for the slow rate as the clock, or None to have it chosen.

    Returns an EscapeTime. Guarantee: estimated (two tolerances and precisions agree; truncation is not bounded).
    Raises TypeError or ValueError for an argument out of range, and ValueError with the reason where the engine asked
    for does not apply; not escaping never raises.
    Source: the hitting time of Li, Han, E, Li, ICLR 2021, second-hand, for the reduced parameters (a, w); they have
    |J - J(0)|, which is the same since J falls.

    >>> from theory.kernels import Exponential, Gaussian
    >>> from theory.problem import Target
    >>> from theory.rnn import LinearRNN
    >>> pair = Target([Exponential(), Gaussian(lag="10")])
    >>> escape_time(Problem(pair, LinearRNN([("1", "1"), ("0", "0.7")]), "0.05"), digits=15).tau
    '42.5955386593801'
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {problem!r}; a DenseProblem goes to dense_escape_time")
    check_digits(digits)
    check_limits(max_steps, max_seconds)
    latest = None if tau_max is None else positive(tau_max, "tau_max", "for the flow to run at all")
    began = time.perf_counter()
    limits = Limits(latest, max_steps, began + max_seconds)
    if engine not in (None, "time", "slow"):
        raise ValueError(f"engine must be 'time', 'slow' or None, got {engine!r}; leave it out to have it chosen")
    if engine == "slow" and watch:
        raise ValueError("engine 'slow' takes no steps in time to watch; leave the watcher out, or take engine 'time'")
    if unreachable(problem):
        outcome, setup = Outcome.unreachable, time.perf_counter() - began
        return EscapeTime(problem, outcome, outcome.value, None, None, "enclosed", "arb", 0, 0, 0.0, setup)

    on_fit = problem.off_the_fit is None
    ranged = on_fit and fits_float64(problem)
    faint = _faintness(problem)
    if faint > MOST_FAINT:
        setup = time.perf_counter() - began
        reason = f"the drop is 1e-{faint} of the loss; below 1e-{MOST_FAINT} of it nothing is resolved"
        return EscapeTime(problem, Outcome.failed, reason, None, None, "estimated", "arb", 0, 0, 0.0, setup)
    reserve = (0 if on_fit else 15) + (faint if faint > HARMLESS else 0)
    plan = in_time = Plan(digits, ranged and digits <= FLOAT_DIGITS and reserve == 0, reserve, ranged)
    now = time.perf_counter()
    slow = None if watch and engine is None else _clock(problem, engine)
    if slow:
        plan = replace(plan, native=False, reserve=plan.reserve + slow.reserve)
    setup, shared, attempt, best = time.perf_counter() - now, -1, 0, None

    def go(fine: bool) -> Run:
        if slow:
            return slow_run(*prepared[fine], limits, plan.digits + (2.0 if fine else 0.7), slow)
        return run(*prepared[fine], limits, watch) if fine else run(*prepared[fine], limits)

    while attempt < ROUNDS:
        now = time.perf_counter()
        prepared = [plan.prepare(problem, fine) for fine in (False, True)]
        setup += time.perf_counter() - now
        limits = replace(limits, cancellation=plan.cancellation)
        try:
            coarse = go(False)
            fine = go(True) if coarse.outcome is Outcome.escaped else coarse
        except NoSlowRate:
            if engine == "slow":
                raise
            slow, plan = None, in_time
            continue
        if coarse.cancellation > limits.cancellation and coarse.outcome is Outcome.failed:
            plan = plan.with_reserve_for(coarse.cancellation)
            continue
        if fine.outcome is not Outcome.escaped and not (fine.outcome is Outcome.failed and plan.native):
            return _result(problem, fine, None, began, setup)
        if fine.outcome is Outcome.escaped:
            agreed = shared_digits(coarse.tau, fine.tau, plan.digits + 5)
            if agreed > shared:
                shared, best = agreed, fine
            if shared >= digits:
                break
        attempt += 1
        again = plan.native and attempt == 1 and fine.outcome is Outcome.escaped  # float64 gets a second chance
        plan = Plan(digits + (2 if again else 3 * attempt), again, plan.reserve, plan.twin)
    if best is None or shared < 1:  # the last attempt failed too, or two runs share nothing
        return _result(problem, replace(fine, outcome=Outcome.failed, reason=Outcome.failed.value), None, began, setup)
    return _result(problem, best, min(digits, shared), began, setup)


def check_limits(max_steps: object, max_seconds: object) -> None:
    """Raise TypeError or ValueError unless these are limits that escape_time accepts."""
    if type(max_steps) is not int or max_steps < 1:
        raise ValueError(f"max_steps must be >= 1 and an int, got {max_steps!r}; leave it out for the default")
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, int | float):
        raise TypeError(f"max_seconds must be a number of seconds, got {max_seconds!r}; leave it out for no limit")
    if not max_seconds > 0:
        raise ValueError(f"max_seconds must be > 0, got {max_seconds!r}; leave it out for no limit")


def _clock(problem: Problem, engine: str | None) -> Clock | None:
    """The slow rate that is to tell the time, or None for the time integrator. Raises NoSlowRate if asked for."""
    if engine == "time" or (engine is None and not _worth_a_look(problem)):
        return None
    try:
        found = clock(problem)
    except NoSlowRate:
        if engine == "slow":
            raise
        return None
    return found if engine == "slow" or found.decades > MANY or found.slowest < BLUNT else None


def _worth_a_look(problem: Problem) -> bool:
    """Whether several spares, or a faint signal at the only one, might make the slow rate the better clock."""
    spares = [rate for unit, (_, rate) in enumerate(problem.reference) if unit not in problem.pairing]
    if problem.off_the_fit or problem.horizon != sp.oo or len(spares) != 1:
        return len(spares) > 1
    arithmetic = Arb(20)
    with arithmetic.working():
        signal = evaluate(sp.sympify(problem.bump_transform(spares[0])), arithmetic)
        return bool(signal**2 < flint.arb(10) ** -MANY)  # the plateau lasts about 1/signal^2


def check_digits(digits: object) -> None:
    """Raise TypeError or ValueError unless `digits` is an int that escape_time accepts."""
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise TypeError(f"digits must be an int, got {digits!r}; it counts the significant digits wanted of tau")
    if not FEWEST_DIGITS <= digits <= MOST_DIGITS:
        allowed = f"from {FEWEST_DIGITS} to {MOST_DIGITS}"
        raise ValueError(f"digits must be {allowed}, got {digits}; it counts the significant digits wanted of tau")


def unreachable(problem: Problem | DenseProblem) -> bool:
    """Whether drop >= J(0): exact where both are rational, else enclosed; False where balls of 60 digits cannot tell.

    Raises NotImplementedError for a DenseProblem whose J(0) has no closed form.
    """
    loss = problem.initial_loss
    if loss.is_Rational and problem.drop.is_Rational:
        return bool(problem.drop >= loss)
    arithmetic = Arb(60)
    with arithmetic.working():
        return bool(evaluate(problem.drop, arithmetic) >= evaluate(loss, arithmetic))


def _faintness(problem: Problem) -> int:
    """Decimal digits by which the drop is smaller than J(0), which its closed form must resolve."""
    arithmetic = Arb(60)
    with arithmetic.working():
        ratio = evaluate(problem.initial_loss, arithmetic) / evaluate(problem.drop, arithmetic)
        return max(0, math.ceil(float((ratio.log() / flint.arb(10).log()).mid())))


def shared_digits(x: Any, y: Any, most: int) -> int:
    """Leading digits in which two results agree, at most `most`."""
    with flint.ctx.workprec(math.ceil((most + 10) * BITS_PER_DIGIT)):
        difference, size = abs(flint.arb(x) - flint.arb(y)).mid(), abs(flint.arb(y))
        if difference == 0:
            return most
        return min(most, math.floor(float((size / difference).log() / flint.arb(10).log())))


def end_of(last: Run, digits: int) -> State:
    """Where a run ended, to so many digits, or fewer where the state has fewer."""
    sharp = digits if last.engine == "time" else min(digits, STATE_DIGITS)
    with last.flow.arithmetic.working():
        amplitudes, rates = (tuple(decimal(x, sharp) for x in units) for units in last.flow.landscape.units(last.state))
    return State(decimal(last.tau, digits), decimal(last.drop, digits), amplitudes, rates)


def name_of(arithmetic: Arithmetic) -> str:
    """An arithmetic for a person: the digits of Arb are said."""
    return arithmetic.name if arithmetic.name == "float64" else f"{arithmetic.name}, {arithmetic.digits} digits"


def _result(problem: Problem, last: Run, digits: int | None, began: float, setup: float) -> EscapeTime:
    shown = digits or 10
    tau = decimal(last.tau, digits) if digits else None
    seconds = time.perf_counter() - began - setup
    counts = last.accepted, last.rejected
    return EscapeTime(
        problem,
        last.outcome,
        last.reason,
        tau,
        digits,
        "estimated",
        name_of(last.flow.arithmetic),
        *counts,
        seconds,
        setup,
        end_of(last, shown),
        last.minimum,
        last.engine,
    )
