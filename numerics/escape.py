r"""Escape times: how long gradient flow sits on the plateau.

    tau_0 = inf{ tau : J(0) - J(tau) > drop }                                                                (M12)

Two engines: the time integrator (numerics/integrator.py) takes any start; the slow rate as the clock
(numerics/slow_rate.py) takes the plateau of a spare unit, at a cost that does not depend on the memory. The second
serves where it applies and is the cheaper one: on long plateaus, and with several spares close to each other. The
result says which it was.

Two runs, at different tolerances and working precisions and with one more stage in the finer, so that they share no
step, must share the digits that are claimed; they are tightened together until they do. In time and on the fit, float64
serves up to 12 digits where there is one spare and its signals fit the range; extended precision (numerics/extended.py)
up to 15 digits, several spares and fainter signals; Arb everything else. The linear algebra is left to a float64 twin
where that will do. Working digits in Arb are those wanted, 15 more, and a reserve for the cancellation measured in the
sums over units (off the fit, or where units merge): a run that outgrows its reserve is repeated with more. Not escaping
is an outcome, with the state reached.
"""

import math
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import flint
import sympy as sp

from numerics.answer import Guarantee, check_count, context, decimal, log10
from numerics.arithmetic import Arb, Arithmetic, Float64
from numerics.compiling import evaluate
from numerics.extended import Extended
from numerics.flow import GradientFlow, fits_extended, fits_float64
from numerics.integrator import Integrator
from numerics.run import MOST_STEPS, Engine, Limits, Outcome, Run, run
from numerics.slow_rate import Clock, NoSlowRate, Watch, clock, slow_run
from numerics.stationary import Minimum
from numerics.unreachable import unreachable
from theory.dense import DenseProblem
from theory.exact import positive
from theory.problem import Problem

FEWEST_DIGITS, MOST_DIGITS = 5, 150
FLOAT_DIGITS, EXTENDED_DIGITS = 12, 15  # float64 and extended precision are asked for at most this many
GUARD = 15  # working digits beyond those wanted
PRICE = 2.5  # working digits for each digit that cancels: (M15) moves by the 5/2th power of what is left
HARMLESS = 6  # digits of cancellation that the guard covers: on a plateau it is mild and costs no more than itself
MOST_FAINT = 300  # digits between J(0) and the drop
COARSER, FINER = 0.7, 2.6  # digits beyond those wanted in the slow rate: far enough apart for another stage there
ROUNDS = 5  # of tightening before fewer digits are reported
MANY = 40.0  # log10 of the relaxations of the fast components from which on the slow rate is the better clock
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
    compilation, and of choosing the engine. end: good to `digits` digits. minimum: for a stationary end.
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
    """How to run: digits aimed at, arithmetics to try in turn, digits in reserve, whether a float64 twin serves."""

    digits: int
    arithmetics: tuple[str, ...]
    reserve: int
    twin: bool

    def prepare(self, problem: Problem, fine: bool) -> tuple[GradientFlow, Integrator]:
        """Flow and integrator of the coarse or the fine run; the end point is good to about tolerance^2."""
        if self.last_resort:
            working: Arithmetic = Arb(self.digits + GUARD + self.reserve + (2 if fine else -1))
            tolerance = min(10.0 ** -((self.digits + (2.0 if fine else 0.7)) / 2), 1e-9 if fine else 1e-8)
            accuracy = max(10.0 ** -(self.digits + 3 + self.reserve), 1e-300)
            stages = round(8 + 0.35 * self.digits)
        else:
            working = Float64() if self.arithmetics[0] == "float64" else Extended()
            tolerance = max(10.0 ** -((self.digits + (1.5 if fine else 0.2)) / 2), 1e-9)
            tolerance = min(tolerance, 3e-6 if fine else 1e-5)
            accuracy = 10.0 ** -(self.digits + 1)
            stages = 9 if self.digits <= FLOAT_DIGITS else 11
        flow = GradientFlow(problem, working)
        twin = GradientFlow(problem, Float64()) if self.twin and working.name != "float64" else None
        return flow, Integrator(flow, stages + fine, tolerance, accuracy, twin, flow.copies)

    @property
    def last_resort(self) -> bool:
        """Whether it is Arb's turn."""
        return self.arithmetics == ("arb",)

    @property
    def harmless(self) -> float:
        """Digits that may cancel in the sums over units."""
        spare = Extended.digits - self.digits if self.arithmetics[0] == "extended" else self.reserve / PRICE
        return max(HARMLESS, spare)

    def tightened(self) -> "Plan":
        """What to try when two runs share too few digits, or one has failed: the next arithmetic, and more digits."""
        if self.last_resort:
            return replace(self, digits=self.digits + 3)
        return replace(self, digits=self.digits + 2, arithmetics=self.arithmetics[1:])

    def with_reserve(self, cancelled: float) -> "Plan":
        """What to try when so many digits have cancelled."""
        if self.arithmetics[0] == "float64":
            return replace(self, arithmetics=self.arithmetics[1:])
        reserve = max(self.reserve + HARMLESS, math.ceil(1.2 * PRICE * cancelled))
        return replace(self, arithmetics=("arb",), reserve=reserve, twin=False)


def first_plan(problem: Problem, digits: int, faint: int) -> Plan:
    """The first plan for a problem whose drop is by `faint` digits smaller than its loss."""
    on_fit = problem.off_the_fit is None
    reserve = (0 if on_fit else 15) + (faint if faint > HARMLESS else 0)
    ranged = on_fit and fits_float64(problem)
    easy = ranged and reserve == 0 and digits <= FLOAT_DIGITS and len(problem.reference) - len(problem.pairing) < 2
    wide = on_fit and reserve == 0 and digits <= EXTENDED_DIGITS and fits_extended(problem)
    return Plan(digits, ("float64",) * easy + ("extended",) * wide + ("arb",), reserve, ranged)


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
    watch:       called with (tau before, Step or Piece) after every accepted step, in time or in the slow rate, of the
                 finer run, or of a repetition where there is none; tau = 0: anew. numerics/passage.py reads the steps.
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
    if unreachable(problem):
        outcome, setup = Outcome.unreachable, time.perf_counter() - began
        return EscapeTime(problem, outcome, outcome.value, None, None, "enclosed", "arb", 0, 0, 0.0, setup)

    faint = _faintness(problem)
    if faint > MOST_FAINT:
        setup = time.perf_counter() - began
        reason = f"the drop is 1e-{faint} of the loss; below 1e-{MOST_FAINT} of it nothing is resolved"
        return EscapeTime(problem, Outcome.failed, reason, None, None, "estimated", "arb", 0, 0, 0.0, setup)
    plan = in_time = first_plan(problem, digits, faint)
    now = time.perf_counter()
    slow = _clock(problem, engine, plan)
    if slow:
        plan = replace(plan, arithmetics=("arb",), reserve=plan.reserve + slow.reserve)
        if slow.cancelled > plan.harmless:
            plan = plan.with_reserve(slow.cancelled)
    setup, shared, attempt, best = time.perf_counter() - now, -1, 0, None

    def go(fine: bool, watch: Watch | None = None) -> Run:
        if slow:
            return slow_run(*prepared[fine], limits, plan.digits + (FINER if fine else COARSER), slow, watch)
        return run(*prepared[fine], limits, watch) if fine or watch else run(*prepared[fine], limits)

    while attempt < ROUNDS:
        now = time.perf_counter()
        prepared = [plan.prepare(problem, fine) for fine in (False, True)]
        setup += time.perf_counter() - now
        limits = replace(limits, cancellation=plan.harmless)
        try:
            coarse = go(False)
            fine = go(True, watch) if coarse.outcome is Outcome.escaped else coarse
        except NoSlowRate:
            if engine == "slow":
                raise
            slow, plan = None, in_time
            continue
        if fine.cancellation > limits.cancellation and fine.outcome is Outcome.failed:
            plan = plan.with_reserve(fine.cancellation)
            continue
        if fine.outcome is not Outcome.escaped and (fine.outcome is not Outcome.failed or plan.last_resort):
            if watch and fine is coarse:  # once more, as far as it went
                stopped = coarse.outcome is Outcome.stopped
                limits = replace(limits, deadline=math.inf, max_steps=coarse.accepted if stopped else max_steps)
                prepared[False] = plan.prepare(problem, fine=False)
                go(False, watch)
            return _result(problem, fine, None, began, setup)
        if fine.outcome is Outcome.escaped:
            agreed = shared_digits(coarse.tau, fine.tau, plan.digits + 5)
            if agreed > shared:
                shared, best = agreed, fine
            if shared >= digits:
                break
        attempt += 1
        plan = plan.tightened()
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


def _clock(problem: Problem, engine: str | None, plan: Plan) -> Clock | None:
    """The slow rate that is to tell the time, or None for the time integrator. Raises NoSlowRate if asked for.

    plan: that of the time integrator. Close spares are no obstacle to it where extended precision will do.
    """
    if engine == "time" or (engine is None and not _worth_a_look(problem)):
        return None
    try:
        found = clock(problem)
    except NoSlowRate:
        if engine == "slow":
            raise
        return None
    blunt = found.slowest < BLUNT and not (plan.arithmetics[0] == "extended" and found.cancelled < plan.harmless)
    return found if engine == "slow" or found.decades > MANY or blunt else None


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
    check_count(digits, FEWEST_DIGITS, MOST_DIGITS, "it counts the significant digits wanted of tau")


def _faintness(problem: Problem) -> int:
    """Decimal digits by which the drop is smaller than J(0), which its closed form must resolve."""
    arithmetic = Arb(60)
    with arithmetic.working():
        ratio = evaluate(problem.initial_loss, arithmetic) / evaluate(problem.drop, arithmetic)
        return max(0, math.ceil(log10(ratio)))


def shared_digits(x: Any, y: Any, most: int) -> int:
    """Leading digits in which two results agree, at most `most`."""
    arithmetic = Arb(most + 10)
    with arithmetic.working():
        x, y = arithmetic.array([x, y])
        difference, size = abs(x - y).mid(), abs(y)
        if difference == 0:
            return most
        return min(most, math.floor(log10(size / difference)))


def end_of(last: Run, digits: int) -> State:
    """Where a run ended, to so many digits."""
    with last.flow.arithmetic.working():
        units = last.flow.landscape.units(last.state)
        amplitudes, rates = (tuple(decimal(x, digits) for x in part) for part in units)
    return State(decimal(last.tau, digits), decimal(last.drop, digits), amplitudes, rates)


def name_of(arithmetic: Arithmetic) -> str:
    """An arithmetic for a person: the digits of Arb are said."""
    return f"arb, {arithmetic.digits} digits" if arithmetic.name == "arb" else arithmetic.name


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
