r"""Escape times of dense linear RNNs: the gradient flow in all of c, W and U.

    theta' = -grad J(theta) ,  theta = (c, W, U) ;   tau_0 = inf{ tau : J(0) - J(tau) > drop }        (M8), (M12)

in float64, with SciPy's LSODA. Two runs at tolerances ten times apart share the digits claimed. On a plateau J is
flat to e^{-2wL} among terms of size 1, so the digits left fall with the lag L of a bump.

Diagonal starts. W = -diag(w), c = a, U = 1 has the memory kernel of the diagonal network (a, w), and another flow: an
amplitude a_i = c_i u_i moves through both its factors, and W leaves the diagonal. Their escape times differ.

Minimum.   J does not change along (S^-T c, S W S^-1, S U) (H6), so no Hessian is positive definite. With V an
           orthonormal basis of what is orthogonal to these changes, a minimum is taken to be reached where
           H = V^T Hess J V > 0 clearly, the fall that it predicts, g^T H^{-1} g / 2 with g = V^T grad J, is far below
           what is missing of the drop, and Newton's step does end at a smaller gradient. Estimated.
Runaway.   None is looked for: units that coalesce with diverging amplitudes have a finite limit here, a Jordan block.
Stability. On an infinite horizon J is infinite where W is not Hurwitz, so the flow stays away; only a trial of the
           integrator can be there, and a shorter step is tried.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from scipy.integrate import LSODA
from scipy.optimize import brentq

from numerics.answer import decimal
from numerics.arithmetic import Array
from numerics.escape import EscapeTime, State, check_digits, check_limits
from numerics.gramian import DenseLandscape, NotHurwitz
from numerics.run import MOST_STEPS, Outcome
from numerics.unreachable import unreachable
from theory.dense import DenseProblem
from theory.exact import positive

MOST_DIGITS = 10  # claimed, however many are asked
FINEST = 1e-13  # relative tolerance; beyond it float64 has no more to give
SMALL = 1e-2  # absolute tolerance, of the relative one: a spare unit is small, and rounding at L = 20 stalls 1e-4
APART = 10  # ratio of two successive tolerances
PATIENCE = 5  # steps of a finer run, of those of the coarser; more means that it resolves rounding
LOOK_EVERY = 25  # accepted steps between looks for a minimum
SLOW = 1e-2  # such a look is worth it where tau |grad J|^2 is below this part of what is missing of the drop
FLAT = 1e-7  # of the largest curvature: below it a direction may as well be flat
LEFT = 1e-8  # of what is missing of the drop, what the flow may still fall at a minimum
ROUNDING = 1e-12  # of the gradient
CLOSE = 1e-10  # a drop this near to J(0), relatively, is compared with its closed form
RESOLVED = 1e-11  # of the target's norm: a smaller drop drowns in the rounding of J
LATEST = 10**300  # of tau in float64
TRIALS = 30  # of shorter steps, where W leaves the Hurwitz matrices
FIRST = 1e-3  # of them, longest change of theta

Watch = Callable[[float, Array, float], None]


@dataclass(frozen=True)
class DenseState(State):
    """Where a run of a dense network ended; decimal strings.

    rates, frequencies: minus the real parts, and the imaginary parts, of the eigenvalues of W, by rising rate; (m,).
    readout (m,), recurrent (m, m), input_weights (m, d): the network itself. amplitudes: empty, they say less.
    """

    frequencies: tuple[str, ...]
    readout: tuple[str, ...]
    recurrent: tuple[tuple[str, ...], ...]
    input_weights: tuple[tuple[str, ...], ...]


class _Limits(NamedTuple):
    tau_max: float
    max_steps: int
    deadline: float


class _Point(NamedTuple):
    """A point of a run; drop: J(0) - J."""

    tau: float
    theta: Array
    drop: float


class _Run(NamedTuple):
    """How one run ended, and its path: the start and every accepted step; a last step that escapes ends there."""

    outcome: Outcome
    reason: str
    path: tuple[_Point, ...]

    @property
    def end(self) -> _Point:
        return self.path[-1]

    @property
    def steps(self) -> int:
        return len(self.path) - 1


def dense_escape_time(
    problem: DenseProblem,
    *,
    digits: int = 8,
    tau_max: Any = None,
    max_steps: int = MOST_STEPS,
    max_seconds: float = math.inf,
    watch: Watch | None = None,
) -> EscapeTime:
    """First time tau with J(0) - J(tau) > problem.drop on the gradient flow in (c, W, U).

    problem:     drop in units of J (output^2 / input^2 * time); m + m^2 + m d equations.
    digits:      significant decimal digits wanted of tau, 5 to 150; at most 10 are claimed.
    tau_max:     exact number > 0 or None; gradient-flow time (learning rate * steps, for gradient descent).
    max_steps, max_seconds: limits of the work; reaching one is an outcome.
    watch:       called with (tau, theta, J(0) - J) at the start and after every accepted step of the finer runs;
                 tau = 0: anew.

    Returns an EscapeTime whose `end` is a DenseState. Guarantee: estimated (two tolerances agree; neither truncation
    nor rounding is bounded). Raises TypeError or ValueError for an argument out of range; not escaping never raises.
    Source: the hitting time of Li, Han, E, Li, ICLR 2021, second-hand, for all parameters of the network.

    >>> from theory.dense import DenseRNN
    >>> from theory.kernels import Exponential
    >>> from theory.problem import Target
    >>> start = DenseRNN([["-1"]], [["1"]], ["1/2"])
    >>> dense_escape_time(DenseProblem(Target([Exponential()]), start, "0.1"), digits=6).tau
    '0.495594'
    """
    return _solve(problem, digits, tau_max, max_steps, max_seconds, watch)[0]


@dataclass(frozen=True)
class DenseTrajectory:
    """The run that dense_escape_time reports: its start and its accepted steps, n points. Guarantee: estimated.

    log10_tau: shape (n,), -inf for the start; the last point is that of `escape.end`. drop: J(0) - J, shape (n,).
    parameters: theta = (c, W, U) as numerics/gramian.py lays it out, shape (n, m + m^2 + m d). initial_loss: J(0).
    escape: the run's EscapeTime.
    """

    log10_tau: Array
    drop: Array
    parameters: Array
    initial_loss: float
    escape: EscapeTime = field(repr=False)

    @property
    def loss(self) -> Array:
        """J, shape (n,)."""
        return self.initial_loss - self.drop

    @property
    def log10_drop(self) -> Array:
        """log10 of `drop`, -inf at the start."""
        with np.errstate(divide="ignore"):
            return np.log10(self.drop)


def dense_trajectory(problem: DenseProblem, *, digits: int = 8, **limits: Any) -> DenseTrajectory:
    """The flow in (c, W, U), along the run that dense_escape_time reports, to the escape or as far as it comes.

    digits, limits: as dense_escape_time takes them. Raises what it raises, and ArithmeticError where float64 cannot
    tell the loss of the start.
    """
    escape, run, landscape = _solve(problem, digits, **limits)
    taus, states, drops = (np.array(each) for each in zip(*run.path, strict=True))
    with np.errstate(divide="ignore"):
        return DenseTrajectory(np.log10(taus), drops, states, landscape.loss(landscape.start), escape)


def _solve(
    problem: DenseProblem,
    digits: int,
    tau_max: Any = None,
    max_steps: int = MOST_STEPS,
    max_seconds: float = math.inf,
    watch: Watch | None = None,
) -> tuple[EscapeTime, _Run, DenseLandscape]:
    """What dense_escape_time returns, the run that it reports, and the landscape of both."""
    if not isinstance(problem, DenseProblem):
        raise TypeError(f"problem must be a DenseProblem, got {problem!r}; a Problem goes to escape_time")
    check_digits(digits)
    check_limits(max_steps, max_seconds)
    latest = math.inf if tau_max is None else _as_float(positive(tau_max, "tau_max", "for the flow to run at all"))
    began = time.perf_counter()
    landscape = DenseLandscape(problem)
    set_up = time.perf_counter()
    limits = _Limits(latest, max_steps, began + max_seconds)
    wanted = min(digits, MOST_DIGITS)
    try:
        last, shared = _foreseen(landscape), 0
        if last is None:
            last, shared = _two_that_agree(landscape, wanted, limits, watch)
    except ArithmeticError as reason:
        last, shared = _at_once(landscape, Outcome.failed, str(reason)), 0
    claimed = min(wanted, shared) if shared else None
    escape = EscapeTime(
        problem,
        last.outcome,
        last.reason,
        decimal(last.end.tau, claimed) if claimed else None,
        claimed,
        "estimated",
        "float64, LSODA",
        last.steps,
        0,  # LSODA does not tell how many steps it rejects
        time.perf_counter() - set_up,
        set_up - began,
        _state(landscape, last.end, claimed or MOST_DIGITS),
    )
    return escape, last, landscape


def _as_float(number: sp.Expr) -> float:
    """A positive number as a float; infinity beyond LATEST, where no clock in float64 comes."""
    return float(number) if number <= LATEST else math.inf


def _two_that_agree(landscape: DenseLandscape, digits: int, limits: _Limits, watch: Watch | None) -> tuple[_Run, int]:
    """(run, digits shared with a coarser one), tightened until enough are shared or rounding is in the way.

    0 digits with a run that has not escaped.
    """
    tolerance = max(10.0 ** -(digits + 2), APART * FINEST)
    coarse = _run(landscape, tolerance, limits)
    best, shared = coarse, 0
    if coarse.outcome is not Outcome.escaped:
        return coarse, 0
    while shared < digits and tolerance > 2 * FINEST:
        tolerance /= APART
        patient = limits._replace(max_steps=min(limits.max_steps, PATIENCE * coarse.steps))
        fine = _run(landscape, tolerance, patient, watch)
        if fine.outcome is not Outcome.escaped:
            return (best, shared) if shared else (fine, 0)
        if (agreed := _shared_digits(coarse.end.tau, fine.end.tau)) > shared:
            best, shared = fine, agreed
        coarse = fine
    if shared < 1:
        return best._replace(outcome=Outcome.failed, reason="no two tolerances share a digit of tau"), 0
    return best, shared


def _at_once(landscape: DenseLandscape, outcome: Outcome, reason: str) -> _Run:
    """A run that ends where it starts."""
    return _Run(outcome, reason, (_Point(0.0, landscape.start, 0.0),))


def _foreseen(landscape: DenseLandscape) -> _Run | None:
    """What can be said before integrating."""
    loss, drop = landscape.loss(landscape.start), float(landscape.problem.drop)
    size = max(landscape.target_norm, loss)
    if _out_of_reach(landscape.problem, drop, loss, RESOLVED * size):
        return _at_once(landscape, Outcome.unreachable, Outcome.unreachable.value)
    if drop < RESOLVED * size:
        reason = f"the drop is below {RESOLVED:g} of the loss; float64 does not resolve it"
        return _at_once(landscape, Outcome.failed, reason)
    if not landscape.gradient(landscape.start).any():
        reason = "the gradient is zero at the start; the flow stays there and never escapes"
        return _at_once(landscape, Outcome.stationary, reason)
    return None


def _out_of_reach(problem: DenseProblem, drop: float, loss: float, rounding: float) -> bool:
    """Whether drop >= J(0): where they are too close for float64, by the closed form of J(0) if it has one."""
    if abs(drop - loss) <= max(CLOSE * drop, rounding):
        try:
            return unreachable(problem)
        except NotImplementedError:
            pass
    return drop >= loss


def _run(landscape: DenseLandscape, tolerance: float, limits: _Limits, watch: Watch | None = None) -> _Run:
    """Integrate until something happens: every Outcome but `unreachable` and `runaway`."""
    target = float(landscape.problem.drop)
    path = [_Point(0.0, landscape.start, 0.0)]

    def end(outcome: Outcome, reason: str = "") -> _Run:
        return _Run(outcome, reason or outcome.value, tuple(path))

    if watch:
        watch(*path[0])
    for solver in _steps(landscape, tolerance):
        if isinstance(solver, str):
            return end(Outcome.failed, solver)
        tau, theta, steps = solver.t, solver.y.copy(), len(path)
        dropped = landscape.drop(theta)
        if escaped := dropped > target:
            tau, theta = _locate(landscape, solver, target)
            dropped = landscape.drop(theta)
        path.append(_Point(tau, theta, dropped))
        if watch:
            watch(*path[-1])
        if tau > limits.tau_max:
            return end(Outcome.tau_max)
        if escaped:
            return end(Outcome.escaped)
        if steps >= limits.max_steps:
            return end(Outcome.stopped, f"max_steps = {limits.max_steps} came before the escape")
        if time.perf_counter() > limits.deadline:
            return end(Outcome.stopped, "max_seconds came before the escape")
        if steps % LOOK_EVERY == 0 and (found_minimum := _minimum(landscape, tau, theta, target - dropped)):
            return end(Outcome.stationary, found_minimum)
    raise AssertionError("the integrator never stops by itself")


def _locate(landscape: DenseLandscape, solver: LSODA, target: float) -> tuple[float, Array]:
    """(tau, theta) where the drop is reached inside the solver's last step, on its own polynomial."""
    inside = solver.dense_output()
    tau = brentq(lambda s: landscape.drop(inside(s)) - target, solver.t_old, solver.t, xtol=1e-300, rtol=1e-14)
    return float(tau), np.asarray(inside(tau))


def _steps(landscape: DenseLandscape, tolerance: float) -> Iterator[LSODA | str]:
    """The solver after each accepted step; at last, where it gives up, why."""

    def descent(tau: float, theta: Array) -> Array:
        return -landscape.gradient(theta)

    def solver(tau: float, theta: Array, first: float | None) -> LSODA:
        return LSODA(descent, tau, theta, float(LATEST), first, rtol=tolerance, atol=SMALL * tolerance)

    current, trials = solver(0.0, landscape.start, None), 0  # its first step is of its own choice
    first = FIRST / max(1.0, float(np.linalg.norm(landscape.gradient(landscape.start))))
    while trials < TRIALS:
        tau, theta = current.t, current.y.copy()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # LSODA's complaints; its status tells
                current.step()
        except NotHurwitz:
            first, trials = min(first, current.step_size or first) / 10, trials + 1
            current = solver(tau, theta, first)
            continue
        if current.status != "running":
            yield "LSODA gave up: float64 does not resolve the flow to the tolerance"
            return
        trials = 0
        yield current
    yield "the flow keeps leaving the Hurwitz matrices, however short the step"


def _minimum(landscape: DenseLandscape, tau: float, theta: Array, missing: float) -> str | None:
    """Why theta is taken to be at a minimum short of the drop (see the module); None if it is not."""
    gradient = landscape.gradient(theta)
    if tau * (gradient @ gradient) > SLOW * missing:
        return None
    across = _orthogonal_to_orbit(landscape, theta)
    try:
        hessian = across.T @ landscape.hessian(theta) @ across
        values, vectors = np.linalg.eigh(hessian)
        if not values[0] > FLAT * values[-1]:
            return None
        slope = vectors.T @ (across.T @ gradient)
        left = (slope**2 / values).sum() / 2
        after = landscape.gradient(theta - across @ (vectors @ (slope / values)))
    except NotHurwitz:
        return None
    size, smaller = float(np.linalg.norm(gradient)), float(np.linalg.norm(after))
    if left > LEFT * missing or smaller > max(0.1 * size, ROUNDING):
        return None
    found = f"|grad J| = {size:.2g}, least curvature {values[0]:.2g} across the similarities"
    return f"{Outcome.stationary.value}: {found}, at most about {left:.2g} still to fall, {missing:.2g} missing"


def _orthogonal_to_orbit(landscape: DenseLandscape, theta: Array) -> Array:
    """Orthonormal columns V, orthogonal to every change of theta by a similarity: (-X^T c, X W - W X, X U)."""
    c, W, U = landscape.network(theta)
    m = landscape.width
    changes = [
        np.concatenate((-X.T @ c, (X @ W - W @ X).ravel(), (X @ U).ravel())) for X in np.eye(m * m).reshape(-1, m, m)
    ]
    left, sizes, _ = np.linalg.svd(np.array(changes).T)
    rank = int((sizes > 1e-10 * sizes[0]).sum())
    return np.asarray(left[:, rank:])


def _shared_digits(x: float, y: float) -> int:
    """Leading digits in which two results agree, at most 15."""
    return 15 if x == y else math.floor(-math.log10(abs(x - y) / abs(y)))


def _state(landscape: DenseLandscape, last: _Point, digits: int) -> DenseState:
    def shown(values: Any) -> tuple[str, ...]:
        return tuple(decimal(x, digits) for x in values)

    c, W, U = landscape.network(last.theta)
    eigenvalues = sorted(np.linalg.eigvals(W), key=lambda l: (-l.real, -l.imag))
    return DenseState(
        decimal(last.tau, digits),
        decimal(last.drop, digits),
        (),
        shown(-l.real for l in eigenvalues),
        shown(complex(l).imag for l in eigenvalues),
        shown(c),
        tuple(map(shown, W)),
        tuple(map(shown, U)),
    )
