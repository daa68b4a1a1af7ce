"""Direct simulation: train the network of verify/network.py by gradient descent, and extrapolate to its limit.

Descent    theta <- theta - eta grad L(theta) ,   tau = eta * steps ,   theta = (a, v) of (N9) (G1)
Escape     first tau with L(0) - L(tau) > drop                                                (G2)
Limit      tau(eta, dt) = sum_kj c_kj eta^k dt^{2j} ,   c_00 the escape time of gradient flow (G3)

(G2) is located between the steps. On a plateau the drop D obeys D' ~ D^2, so it grows like 1 / (time left)
and 1 / D is nearly linear in tau: the polynomial through it at AROUND steps on either side of the escape, solved
for 1 / drop, adds an error far below the O(eta) of (G1).
(G3) holds because (G1) is Euler's method for the flow and (N5) the midpoint rule: an assumption, checked
by the measured orders. It is the limit of the horizon T = `length`, exactly: for T = inf let `length` outlast the
memory, for a finite T let it be T, a multiple of the coarsest dt. `descend` and `richardson` know no network: they also
serve verify/dense_network.py.

Modes, all losses in output^2 / input^2 * time:
population  grad of (N5), the impulse sequence: the expected loss itself. Deterministic.
batch       grad of (N6) on one batch of white noise, drawn once; (G2) asks for its own loss.
online      grad of (N6) on a fresh batch at each step; (G2) asks for the loss (N5), and tau is the
            first whole step past it, not interpolated: the path is not smooth.

float64 by design, like verify/network.py; neither imports theory or numerics. Definitions ours.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import count, repeat
from math import isfinite, log2
from time import perf_counter
from typing import Any, Literal

import numpy as np

from verify import network
from verify.network import Array, Parametrisation, Phi, Scheme, Task, positive

Mode = Literal["population", "batch", "online"]
Target = Callable[[Array], Array]
State = dict[str, Any]
Evaluation = Callable[[Array], tuple[float, Array]]  # theta -> the loss and its gradient
AROUND = 4       # steps on either side of the escape that interpolate it: order 8
THINNED = 400    # most points kept of a loss trajectory


class Outcome(Enum):
    ESCAPED = "the loss fell by more than the drop"
    UNREACHABLE = "the drop is not below the loss at the start, and no loss is negative; it never escapes"
    STOPPED = "max_steps or max_seconds reached; the end is in `state`"
    DIVERGED = "the loss left the range of float64"


@dataclass(frozen=True, slots=True)
class Training:
    """A run of gradient descent. Guarantee: estimated, biased by O(eta) + O(dt^2); sampled, one draw, with noise.

    escape_time: tau of (G2) = eta * steps, interpolated unless online; None unless escaped.
    steps:       gradient steps to the end of the run: the first past the drop, if it escaped.
    trajectory:  pairs (tau, loss), at most THINNED, first and last included.
    state:       the weights after these steps, tuples by the names of the arguments that gave the start:
                 "amplitudes" and "rates", or "recurrent", "input_weights" and "readout".
    reason:      why escape_time is None, and the way out; None if it is not.
    """
    outcome: Outcome
    escape_time: float | None
    steps: int
    dt: float
    eta: float
    mode: Mode
    trajectory: tuple[tuple[float, float], ...] = field(repr=False)
    state: State
    reason: str | None
    seconds: float


def _count(value: object, name: str, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")


def neville(nodes: Sequence[float], values: Sequence[float], at: float) -> float:
    """The value at `at` of the polynomial through the points (nodes, values)."""
    column = list(values)
    for gap in range(1, len(nodes)):
        column = [((at - right) * low - (at - left) * high) / (left - right)
                  for left, right, low, high in zip(nodes, nodes[gap:], column, column[1:], strict=False)]
    return column[0]


def _crossing(history: list[float], step: int, drop: float) -> float:
    """(G2) in steps, from the losses of all steps; `step` is the first past the drop."""
    fallen = [history[0] - loss for loss in history]
    if fallen[step - 1] <= 0:           # at once: nothing to interpolate but a line
        return step - 1 + (drop - fallen[step - 1]) / (fallen[step] - fallen[step - 1])
    first, last = step - 1, step        # the stretch, within AROUND, on which the drop is positive and grows
    while first > step - AROUND and 0 < fallen[first - 1] < fallen[first]:
        first -= 1
    while last + 1 < len(fallen) and fallen[last + 1] > fallen[last]:
        last += 1
    nodes, curve = range(first, last + 1), [1 / fallen[k] for k in range(first, last + 1)]
    low, high = step - 1.0, float(step)
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if neville(nodes, curve, middle) > 1 / drop else (low, middle)
    return high


def _descent(theta: Array, evaluations: Iterable[Evaluation], eta: float) -> Iterator[tuple[float, Array]]:
    """(G1): yields the loss of each step and theta, before the step is taken."""
    for evaluation in evaluations:
        loss, gradient = evaluation(theta)
        yield loss, theta
        theta = theta - eta * gradient


def descend(start: Array, evaluations: Iterable[Evaluation], state: Callable[[Array], State], *,
            drop: float, dt: float, eta: float, max_steps: int, max_seconds: float | None,
            mode: Mode = "population", judge: Callable[[Array], float] | None = None) -> Training:
    """(G1)-(G2) for any network; start and every theta are arrays of its parameters, of one shape.

    evaluations: one for each step, without end.
    state:       the weights of theta by name, for the Training.
    judge:       the loss that (G2) asks for where that of the steps is noise; tau is then a whole step.

    The other arguments are those of `train`, and so are the errors.
    """
    eta, drop = positive(eta, "eta", "the learning rate"), positive(drop, "drop", "the fall of the loss to wait for")
    _count(max_steps, "max_steps", 0)
    if max_seconds is not None:
        positive(max_seconds, "max_seconds", "wall time; give None for no limit")

    began = perf_counter()
    history: list[float] = []
    end: Array | None = None                # theta at the first step past the drop
    last = max_steps
    with np.errstate(over="ignore", invalid="ignore"):
        for step, (loss, theta) in enumerate(_descent(start, evaluations, eta)):
            history.append(judge(theta) if judge else loss)
            if end is None and history[0] - history[-1] > drop:
                end, past = theta, step
                last = step if judge else step + AROUND - 1
            if (step >= last or not isfinite(history[-1]) or drop >= history[0]
                    or (max_seconds is not None and perf_counter() - began > max_seconds)):
                break

    escape_time, reason = None, None
    if end is not None:
        outcome = Outcome.ESCAPED
        escape_time = eta * (past if judge else _crossing(history, past, drop))
        step, theta = past, end
    elif not isfinite(history[-1]):
        outcome = Outcome.DIVERGED
        reason = f"the loss was {history[-1]} after {step} steps: eta = {eta!r} is too large, try a tenth of it"
    elif drop >= history[0]:
        outcome = Outcome.UNREACHABLE
        reason = f"drop = {drop!r} is not below the loss at the start, {history[0]:.6g}; take a smaller drop"
    else:
        outcome = Outcome.STOPPED
        fallen = history[0] - history[-1]
        advice = "raise max_steps or max_seconds" if fallen >= 0 else "it rose, so eta is too large, or noise rules"
        reason = f"after {step} steps the loss had fallen by {fallen:.3g} of the drop {drop!r}; {advice}"
    kept = np.unique(np.linspace(0, step, min(step + 1, THINNED)).round().astype(int)).tolist()
    return Training(outcome, escape_time, step, dt, eta, mode, tuple((eta * k, history[k]) for k in kept),
                    state(theta), reason, perf_counter() - began)


def _evaluation(theta: Array, *, task: Task, form: Phi) -> tuple[float, Array]:
    """The loss on the task and its gradient in (a, v), (N10)."""
    loss, gradient = network.loss_and_gradient(network.weights(theta, form), task)
    gradient[1] *= form.slope(theta[1])
    return loss, gradient


def train(target: Target, amplitudes: Sequence[float], rates: Sequence[float], *,
          drop: float, dt: float, eta: float, length: float, parametrisation: Parametrisation = "identity",
          mode: Mode = "population", batch: int = 100, seed: int = 0, scheme: Scheme = "exponential",
          max_steps: int = 1_000_000, max_seconds: float | None = None) -> Training:
    """Gradient descent from the given start until the loss has fallen by `drop`, (G1)-(G2).

    target:            rho, maps an array of times to an array; output / (input * time).
    amplitudes, rates: the start, m of each; rates > 0 in 1 / time.
    drop:              > 0, output^2 / input^2 * time.
    dt, length:        time step and simulated time of a sequence, length rounded to whole steps.
    eta:               learning rate > 0; large ones diverge or leave the flow.
    parametrisation:   of the rates, (N9): "identity", "exp", "softplus", ("inverse-square", alpha, beta).
    batch, seed:       sequences in a batch, and of numpy.random.default_rng; unused by "population".
    scheme:            "exponential" (N2), or "euler" (N3), first order only.
    max_steps, max_seconds: gradient steps and wall time, or None; reaching either is an outcome.

    Returns a Training. Raises ValueError if an argument is out of range; not escaping never raises.

    >>> run = train(lambda t: np.exp(-t), [0.5], [2.0], drop=0.1, dt=0.1, eta=0.05, length=10, parametrisation="exp")
    >>> run.outcome.name, f"{run.escape_time:.2f}", sorted(run.state)
    ('ESCAPED', '0.60', ['amplitudes', 'rates'])
    """
    form = network.phi(parametrisation)
    start = network.trained(network.parameters(amplitudes, rates, dt=dt, scheme=scheme), form)
    network.one_of(mode, Mode, "mode")
    _count(batch, "batch", 1)

    samples = network.target_samples(target, dt=dt, length=length)
    population = network.impulse(samples, dt=dt, scheme=scheme)
    draw = partial(network.white_noise, samples, batch, np.random.default_rng(seed), dt=dt, scheme=scheme)
    evaluation = partial(_evaluation, form=form)
    if mode == "online":
        evaluations: Iterator[Evaluation] = (partial(evaluation, task=draw()) for _ in count())
    else:
        evaluations = repeat(partial(evaluation, task=population if mode == "population" else draw()))

    def judge(theta: Array) -> float:
        return float(network.losses(network.weights(theta, form), population)[0])

    def state(theta: Array) -> State:
        return dict(zip(("amplitudes", "rates"), map(tuple, network.weights(theta, form).tolist()), strict=True))

    return descend(start, evaluations, state, drop=drop, dt=dt, eta=eta, max_steps=max_steps, max_seconds=max_seconds,
                   mode=mode, judge=judge if mode == "online" else None)


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """The escape time at eta, dt -> 0, from (G3). Guarantee: estimated.

    escape_time: the value at the origin of the polynomial (G3) through all runs; None if one did not escape.
    error:       cautious estimate of |error|: how far the last level moved it. For levels = 2 that is the
                 distance to the finest run, orders too large; None for one level.
    eta_order, dt_order: measured orders, near 1 and 2 where (G3) may be trusted; None for levels < 3.
    runs:        the raw runs, at (eta / 2^k, dt / 2^j); the coarsest first.
    reason:      why escape_time is None; None if it is not.
    """
    escape_time: float | None
    error: float | None
    eta_order: float | None
    dt_order: float | None
    runs: tuple[Training, ...]
    reason: str | None


def _origin(times: dict[tuple[int, int], float]) -> float:
    """c_00 of (G3) from tau at the grid points (k, j), with one monomial for each of them.

    The points with their lower neighbours form a staircase, on which this is always solvable.
    """
    matrix = [[0.5 ** (k * power + 2 * j * square) for power, square in times] for k, j in times]
    return float(np.linalg.solve(matrix, list(times.values()))[0])


def _order(coarse: float, middle: float, fine: float) -> float | None:
    """log2 of the ratio of successive differences; None if they do not shrink from the same side."""
    ratio = (coarse - middle) / (middle - fine) if middle != fine else 0.0
    return log2(ratio) if ratio > 0 else None


def richardson(run: Callable[..., Training], *, dt: float, eta: float, length: float, levels: int,
               map: Callable[..., Iterable[Any]] = map,
               progress: Callable[[int, int], None] | None = None) -> Extrapolation:
    """(G3) from the runs of any network: run takes the keywords dt, eta, length and returns a Training.

    run must pickle if map needs it. The other arguments are those of `extrapolate`, and so are the errors.
    """
    _count(levels, "levels", 1)
    dt, eta = positive(dt, "dt", "the coarsest time step"), positive(eta, "eta", "the largest learning rate")
    length = network.time_steps(length, dt) * dt    # the same horizon at every dt
    grid = [(k, j) for k in range(levels) for j in range(levels) if k + j < max(levels, 3)]
    runs: list[Training] = []
    for training in map(partial(_with_steps, run, length), [eta / 2**k for k, _ in reversed(grid)],
                        [dt / 2**j for _, j in reversed(grid)]):
        runs.insert(0, training)
        if progress is not None:
            progress(len(runs), len(grid))

    missing = [training for training in runs if training.escape_time is None]
    if missing:
        reason = f"no escape at eta = {missing[0].eta!r}, dt = {missing[0].dt!r}: {missing[0].reason}"
        return Extrapolation(None, None, None, None, tuple(runs), reason)
    times = {point: training.escape_time for point, training in zip(grid, runs, strict=True)
             if training.escape_time is not None}
    value = _origin(times)
    error = eta_order = dt_order = None
    if levels == 2:
        error = abs(value - times[1, 1])
    if levels >= 3:
        fewer = max(levels - 1, 3)
        error = abs(value - _origin({(k, j): tau for (k, j), tau in times.items()
                                     if max(k, j) < levels - 1 and k + j < fewer}))
        eta_order = _order(*(times[k, 0] for k in range(levels - 3, levels)))
        dt_order = _order(*(times[0, j] for j in range(levels - 3, levels)))
    return Extrapolation(value, error, eta_order, dt_order, tuple(runs), None)


def _with_steps(run: Callable[..., Training], length: float, eta: float, dt: float) -> Training:
    """The run with the arguments that vary last and positional, as a map wants them."""
    return run(length=length, eta=eta, dt=dt)


def extrapolate(target: Target, amplitudes: Sequence[float], rates: Sequence[float], *,
                drop: float, dt: float, eta: float, length: float, parametrisation: Parametrisation = "identity",
                levels: int = 2, max_steps: int = 1_000_000, max_seconds: float | None = None,
                map: Callable[..., Iterable[Any]] = map,
                progress: Callable[[int, int], None] | None = None) -> Extrapolation:
    """Richardson extrapolation of the population mode to eta = dt = 0, of order 1 in eta and 2 in dt, (G3).

    levels:    >= 1; runs at (eta / 2^k, dt / 2^j), k, j < levels and k + j < max(levels, 3): 4 runs for
               2 levels, 6 for 3. The corner of both finest steps, the dearest, would buy little.
    max_steps, max_seconds: for each run.
    map:       the builtin, or the map of a concurrent.futures executor that the caller owns; for
               processes the target must pickle, so be a function of a module.
    progress:  called with (runs done, runs in all) as they come back, the dearest first.

    The other arguments are those of `train`. Where the target jumps, let the jumps lie on the grid of the
    coarsest dt: elsewhere the error in dt is of first order, irregular too, and (G3) does not hold.
    Returns an Extrapolation; raises ValueError as `train` does.
    """
    run = partial(train, target, tuple(amplitudes), tuple(rates), drop=drop, parametrisation=parametrisation,
                  max_steps=max_steps, max_seconds=max_seconds)
    return richardson(run, dt=dt, eta=eta, length=length, levels=levels, map=map, progress=progress)
