"""A diagonal linear RNN really run on input sequences, and its gradient by backpropagation through time.

Network   h_i' = -w_i h_i + x ,   y = sum_i a_i h_i                                           (M2)
Step      h_{n+1} = p h_n + q dt x_n ,   y_n = sum_i a_i h_{i,n+1} ,   n = 0 .. steps-1       (N1)
          "exponential": p = e^{-w dt}, q = e^{-w dt/2}: exact, the input acting at mid-interval,
          so the impulse x_0 = 1/dt is answered by the memory kernel at t = (n+1/2) dt        (N2)
          "euler": p = 1 - w dt, q = 1: first order in dt; kept to show why it is not used    (N3)
Target    z_n = dt sum_{k<=n} rho((k+1/2) dt) x_{n-k} , the discrete convolution              (N4)
Impulse   L = dt sum_n (y_n - z_n)^2 on the one sequence x = (1/dt, 0, 0, ...)                (N5)
Noise     L = mean over sequences of (y_last - z_last)^2, x_n independent normal, mean 0 and
          variance 1/dt: white noise of unit intensity, its final output compared             (N6)
Adjoint   g_n = dL/dh_{n+1} = a dL/dy_n + p g_{n+1}, the recurrence run backwards             (N7)
Gradient  dL/da = sum_n h_{n+1} dL/dy_n ,  dL/dp = sum_n g_n h_n ,  dL/dq = sum_n g_n dt x_n  (N8)
Trained   v, with w = phi(v):  v ("identity"),  e^v ("exp"),  ln(1 + e^v) ("softplus"),
          1 / (alpha v^2 + beta), v > 0 ("inverse-square", alpha, beta)                       (N9)
          dL/dv = phi'(v) dL/dw                                                               (N10)

The final output under noise is a sum of steps independent terms of variance dt err_k^2, so (N6) has
expectation (N5) exactly, not only in the limit. (N5) with (N2) is the midpoint rule for (M3) with
T = steps dt: error O(dt^2) for a smooth rho. All L in output^2 / input^2 * time, as J.

float64 by design: this module is the independent witness, not the source of digits. It knows
definitions only: no closed form of the loss, nothing from theory/ or numerics/. The recurrences are
compiled filters along the last axis, time. Derived here; the tests check against plain loops.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

Array = NDArray[np.float64]
Scheme = Literal["exponential", "euler"]
Named = Literal["identity", "exp", "softplus"]
Parametrisation = Named | tuple[Literal["inverse-square"], float, float]


def positive(value: float, name: str, meaning: str) -> float:
    """value as a float, if finite and > 0; otherwise ValueError."""
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be finite and > 0, got {value!r}; it is {meaning}")
    return float(value)


def one_of(value: str, names: Any, name: str) -> None:
    """ValueError unless value is one of the strings of the Literal `names`."""
    if value not in get_args(names):
        raise ValueError(f"{name} must be one of {', '.join(get_args(names))}, got {value!r}")


def parameters(amplitudes: Sequence[float], rates: Sequence[float], *, dt: float,
               scheme: Scheme = "exponential") -> Array:
    """theta, shape (2, m): row 0 the amplitudes a_i (output / (input * time)), row 1 the rates w_i (1 / time).

    Raises ValueError if the lengths differ, m < 1, a value is not finite, a rate is <= 0, or the
    Euler step is unstable at this dt.
    """
    one_of(scheme, Scheme, "scheme")
    dt = positive(dt, "dt", "the time step of the sequences")
    if len(amplitudes) != len(rates) or len(rates) == 0:
        raise ValueError(f"amplitudes and rates must have the same length >= 1, one pair for each unit, "
                         f"got {len(amplitudes)} and {len(rates)}")
    for i, (a, w) in enumerate(zip(amplitudes, rates, strict=True)):
        if not np.isfinite(a):
            raise ValueError(f"amplitude {i} must be finite, got {a!r}")
        positive(w, f"rate {i}", "minus an eigenvalue of the recurrent weights, which must decay")
        if scheme == "euler" and w * dt >= 2:
            raise ValueError(f"rate {i} times dt must be < 2 for the Euler step to be stable, got {w!r} * {dt!r}; "
                             f"take dt < {2 / w:.3g}, or scheme='exponential', stable at any dt")
    return np.array([amplitudes, rates], dtype=np.float64)


def time_steps(length: float, dt: float) -> int:
    """The number of time steps, length / dt rounded; ValueError if there is not one."""
    dt = positive(dt, "dt", "the time step of the sequences")
    length = positive(length, "length", "the simulated time of a sequence")
    if length < dt:
        raise ValueError(f"length must be >= dt, got {length!r} < {dt!r}; "
                         "a sequence must outlast the memory, e.g. lag + 15")
    return round(length / dt)


@dataclass(frozen=True, slots=True)
class Phi:
    """(N9), elementwise on arrays: rate is phi, slope phi', inverse phi^{-1} on rates w with 1/w > beta."""
    rate: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    beta: float = 0.0


def phi(parametrisation: Parametrisation) -> Phi:
    """The functions of a parametrisation (N9). Raises ValueError for an unknown one, or alpha or beta not > 0."""
    match parametrisation:
        case "identity":
            return Phi(lambda v: v, np.ones_like, lambda w: w)
        case "exp":
            return Phi(np.exp, np.exp, np.log)
        case "softplus":  # ln(1 + e^v) and ln(e^w - 1) as they stand would overflow, and cancel for slow rates
            return Phi(lambda v: np.logaddexp(0, v), expit, lambda w: w + np.log(-np.expm1(-w)))
        case ("inverse-square", alpha, beta):
            positive(alpha, "alpha", "what makes the rate depend on v")
            positive(beta, "beta", "1 / the bound of the rates")
            return Phi(lambda v: 1 / (alpha * v**2 + beta), lambda v: -2 * alpha * v / (alpha * v**2 + beta) ** 2,
                       lambda w: np.sqrt((1 / w - beta) / alpha), beta)
        case _:
            raise ValueError(f"parametrisation must be one of {', '.join(get_args(Named))} or "
                             f"('inverse-square', alpha, beta), got {parametrisation!r}")


def trained(theta: Array, form: Phi) -> Array:
    """Row 1 of theta from the rates w to v, (N9). Raises ValueError for a rate out of reach."""
    for i, w in enumerate(theta[1].tolist()):
        if 1 / w <= form.beta:
            raise ValueError(f"rate {i} must be < 1/beta = {1 / form.beta:.6g} for 1 / (alpha v^2 + beta) to reach it "
                             f"at some v > 0, got {w!r}; take a smaller beta")
    return np.array([theta[0], form.inverse(theta[1])])


def weights(theta: Array, form: Phi) -> Array:
    """Row 1 of theta from v to the rates w, (N9)."""
    return np.array([theta[0], form.rate(theta[1])])


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Input sequences and the answers wanted: L_b = weight * sum over the outputs compared of (y - z)^2.

    inputs:  shape (batch, steps), x_n.
    desired: shape (batch, compared): z at the last `compared` time steps; earlier outputs are free.
    weight:  dt for (N5), 1 for (N6).
    """
    inputs: Array
    desired: Array
    weight: float
    dt: float
    scheme: Scheme = "exponential"


def target_samples(target: Callable[[Array], Array], *, dt: float, length: float, name: str = "target") -> Array:
    """rho((k+1/2) dt), k = 0 .. steps-1, from a callable that maps an array of times to an array.

    Where rho jumps off the grid of the k dt, (N5) is of first order in dt only; on the grid it stays of second.
    """
    times: Array = (np.arange(time_steps(length, dt), dtype=np.float64) + 0.5) * dt
    samples = np.asarray(target(times), dtype=np.float64)
    if samples.shape != times.shape or not np.all(np.isfinite(samples)):
        raise ValueError(f"{name} must map times of shape {times.shape} to finite values of that shape, got shape "
                         f"{samples.shape}, finite: {bool(np.all(np.isfinite(samples)))}; use numpy functions")
    return samples


def impulse(samples: Array, *, dt: float, scheme: Scheme = "exponential") -> Task:
    """The task (N5): the unit impulse, answered by the samples of the target themselves. Deterministic."""
    inputs = np.zeros((1, len(samples)))
    inputs[0, 0] = 1 / dt
    return Task(inputs, samples[np.newaxis], dt, dt, scheme)


def white_noise(samples: Array, batch: int, generator: np.random.Generator, *, dt: float,
                scheme: Scheme = "exponential") -> Task:
    """The task (N6): `batch` sequences drawn from the generator, of which only the final outputs are compared."""
    inputs = generator.standard_normal((batch, len(samples))) / np.sqrt(dt)
    desired = dt * inputs[:, ::-1] @ samples  # (N4) at the last n
    return Task(inputs, desired[:, np.newaxis], 1.0, dt, scheme)


def _time_step(rate: float, dt: float, scheme: Scheme) -> tuple[float, float, float, float]:
    """p, q, dp/dw, dq/dw of one unit, (N2) or (N3)."""
    if scheme == "euler":
        return 1 - rate * dt, 1.0, -dt, 0.0
    entry = float(np.exp(-rate * dt / 2))
    return entry * entry, entry, -dt * entry * entry, -dt / 2 * entry


def _states(theta: Array, task: Task) -> list[Array]:
    """h_{i,n+1} of (N1) for every unit i, each shape (batch, steps)."""
    drive = task.dt * task.inputs
    units = (_time_step(w, task.dt, task.scheme) for w in theta[1].tolist())
    return [lfilter([q], [1.0, -p], drive) for p, q, _, _ in units]


def _errors(theta: Array, states: list[Array], task: Task) -> Array:
    """y_n - z_n at the outputs compared, shape (batch, compared)."""
    first = task.inputs.shape[-1] - task.desired.shape[-1]
    error = -task.desired
    for a, h in zip(theta[0].tolist(), states, strict=True):
        error += a * h[:, first:]
    return error


def losses(theta: Array, task: Task) -> Array:
    """The loss of each sequence, (N5) or (N6) before its mean; shape (batch,). theta as in `parameters`."""
    return task.weight * np.sum(_errors(theta, _states(theta, task), task) ** 2, axis=-1)


def loss_and_gradient(theta: Array, task: Task) -> tuple[float, Array]:
    """Mean loss over the sequences, and its gradient, shape (2, m) as theta, by backpropagation through time."""
    batch, steps = task.inputs.shape
    states = _states(theta, task)
    error = _errors(theta, states, task)
    slope = np.zeros((batch, steps))  # dL/dy_n, zero where no output is compared
    slope[:, steps - error.shape[-1]:] = 2 * task.weight / batch * error

    gradient = np.empty_like(theta)
    for i, (a, w) in enumerate(theta.T.tolist()):
        p, _, p_slope, q_slope = _time_step(w, task.dt, task.scheme)
        h, g = states[i], lfilter([a], [1.0, -p], slope[:, ::-1])[:, ::-1]        # (N7)
        gradient[0, i] = _inner(h, slope)                                         # (N8)
        gradient[1, i] = p_slope * _inner(g[:, 1:], h[:, :-1]) + q_slope * task.dt * _inner(g, task.inputs)
    return task.weight / batch * _inner(error, error), gradient


def _inner(left: Array, right: Array) -> float:
    """Sum of products, without BLAS: its threads cost more than they save on these sizes."""
    return float(np.einsum("bn,bn->", left, right))
