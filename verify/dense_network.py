"""A dense linear RNN with d inputs really run on input sequences, its gradient through time, and its training.

Network   h' = W h + U x ,   y = c^T h ,   rho_hat(t) = c^T e^{W t} U                         (M2)
Step      h_{n+1} = A h_n + B x_n ,   y_n = c^T h_{n+1} ,   n = 0 .. steps-1 ,
          A = E^2 ,   B = E U dt ,   E = e^{W dt/2}: exact, the input acting at mid-interval, so
          the impulse x_0 = e_j / dt is answered by rho_hat_j at t = (n+1/2) dt               (J1)
Loss      L = dt sum_jn (y_jn - rho_j((n+1/2) dt))^2 , one impulse sequence for each input j  (J2)
Scan      X_n <- X_n + A^k X_{n-k} , k = 1, 2, 4, .. < steps, turns X_n = B x_n into h_{n+1}  (J3)
Adjoint   s_n = dL/dy_n ,   g_n = dL/dh_{n+1} = c s_n + A^T g_{n+1} , by (J3) backwards       (J4)
Gradient  dL/dc = sum h_{n+1} s_n ,  dL/dA = sum g_n h_n^T ,  dL/dB = sum g_n x_n^T           (J5)
          dL/dE = E^T dL/dA + dL/dA E^T + dL/dB (U dt)^T ,   dL/dU = dt E^T dL/dB ,
          dL/dW = dt/2 F(W^T dt/2, dL/dE) ,  F the Fréchet derivative of the exponential      (J6)
Fréchet   e^[[M, G], [0, M]] = [[e^M, F(M, G)], [0, e^M]]                                     (J7)

After the pass k of (J3), X_n holds the last 2k inputs: all time steps in log2(steps) products of matrices.
(J6) because the adjoint of G -> F(M, G) is G -> F(M^T, G). (J2) is the midpoint rule for (M3), summed over
the inputs, with T = steps dt: error O(dt^2) for a smooth rho. L in output^2 / input^2 * time, as J.

float64 by design, like verify/network.py; neither imports theory or numerics. Products of matrices only:
they are tiny, and the threads of LAPACK's solvers, hence of scipy.linalg.expm, cost more than they save.
Derived here, but for (J7), which is classical; the tests check against plain loops and SciPy.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from math import frexp
from typing import Any

import numpy as np

from verify.network import Array, positive, target_samples
from verify.simulate import Extrapolation, State, Target, Training, descend, richardson


@dataclass(frozen=True, slots=True, eq=False)
class DenseTask:
    """Sequences of d inputs and the answers wanted, L = dt * sum over sequences and time steps of (y - z)^2.

    inputs:  shape (d, steps, batch), x_n of each sequence.
    desired: shape (steps, batch), z_n.
    """
    inputs: Array
    desired: Array
    dt: float


def impulses(samples: Sequence[Array], *, dt: float) -> DenseTask:
    """The task (J2): d sequences, the unit impulse in one input each, answered by the samples of its target."""
    inputs = np.zeros((len(samples), len(samples[0]), len(samples)))
    inputs[:, 0] = np.eye(len(samples)) / dt
    return DenseTask(inputs, np.stack(samples, axis=-1), dt)


def dense_parameters(recurrent: Sequence[Sequence[float]], input_weights: Sequence[Sequence[float]],
                     readout: Sequence[float]) -> Array:
    """theta, shape (m, m + d + 1): the columns of W (1 / time), of U, and c side by side.

    recurrent, input_weights, readout: shapes (m, m), (m, d), (m,), by rows.
    Raises ValueError if shapes disagree, a value is not finite, or an eigenvalue of W has real part >= 0.
    """
    blocks = {"recurrent": np.asarray(recurrent, dtype=np.float64),
              "input_weights": np.asarray(input_weights, dtype=np.float64),
              "readout": np.asarray(readout, dtype=np.float64)}
    shapes = {name: block.shape for name, block in blocks.items()}
    m, d = (*shapes["input_weights"], 0, 0)[:2]
    if m * d == 0 or tuple(shapes.values()) != ((m, m), (m, d), (m,)):
        raise ValueError("recurrent, input_weights and readout must have shapes (m, m), (m, d) and (m,), m and d >= 1, "
                         f"got {', '.join(map(str, shapes.values()))}; give W and U by rows")
    for name, block in blocks.items():
        if not np.all(np.isfinite(block)):
            raise ValueError(f"{name} must be finite, got {block.tolist()!r}")
    largest = float(np.max(np.linalg.eigvals(blocks["recurrent"]).real))
    if largest >= 0:
        raise ValueError("recurrent must have eigenvalues of real part < 0 for the memory to decay, "
                         f"got {largest:.6g}; shift its diagonal down")
    return np.column_stack([blocks["recurrent"], blocks["input_weights"], blocks["readout"]])


def _split(theta: Array) -> tuple[Array, Array, Array]:
    """W, U, c."""
    m = len(theta)
    return theta[:, :m], theta[:, m:-1], theta[:, -1]


def _state(theta: Array) -> State:
    recurrent, input_weights, readout = (block.tolist() for block in _split(theta))
    return {"recurrent": tuple(map(tuple, recurrent)), "input_weights": tuple(map(tuple, input_weights)),
            "readout": tuple(readout)}


def exponential(matrix: Array) -> Array:
    """e^M by the Taylor series of M / 2^k, squared k times; not finite where M leaves the range of float64."""
    size = 2 * float(np.max(np.sum(np.abs(matrix), axis=1)))
    squarings = max(0, frexp(size)[1])          # |M / 2^k| <= 1/2, so the first term left out is below 1e-16
    identity = np.eye(len(matrix))
    small, series = np.ldexp(matrix, -squarings), identity
    for k in range(14, 0, -1):
        series = identity + small @ series / k
    for _ in range(squarings):
        series = series @ series
    return series


def frechet(matrix: Array, direction: Array) -> Array:
    """F(M, G), (J7): how e^M changes with M in the direction G."""
    m, size = len(matrix), float(np.max(np.abs(direction))) or 1.0
    block = np.block([[matrix, direction / size], [np.zeros_like(matrix), matrix]])  # a large G would cost squarings
    return size * exponential(block)[:m, m:]


def scan(step: Array, drive: Array, batch: int) -> Array:
    """h_{n+1} = step h_n + drive_n from h_0 = 0, by doubling, (J3).

    step:  shape (m, m).
    drive: shape (m, steps * batch), as the result: `batch` columns, one a sequence, for each time step.
    """
    states, power, reach = drive.copy(), step, batch
    while reach < states.shape[1]:
        states[:, reach:] += power @ states[:, :-reach]
        power, reach = power @ power, 2 * reach
    return states


def dense_loss_and_gradient(theta: Array, task: DenseTask) -> tuple[float, Array]:
    """The loss (J2), and its gradient, shape (m, m + d + 1) as theta, by backpropagation through time."""
    (recurrent, input_weights, readout), dt, batch = _split(theta), task.dt, task.inputs.shape[-1]
    inputs = task.inputs.reshape(len(task.inputs), -1)                      # columns: time step, then sequence
    half = exponential(recurrent * (dt / 2))
    step, entry = half @ half, half @ input_weights * dt                    # (J1)
    states = scan(step, entry @ inputs, batch)
    error = readout @ states - task.desired.ravel()
    loss = dt * float(error @ error)                                        # (J2)
    slope = 2 * dt * error
    adjoint = scan(step.T, np.outer(readout, slope[::-1]), batch)[:, ::-1]  # (J4)
    by_step = adjoint[:, batch:] @ states[:, :-batch].T                     # (J5)
    by_entry = adjoint @ inputs.T
    by_half = half.T @ by_step + by_step @ half.T + by_entry @ input_weights.T * dt
    by_recurrent = dt / 2 * frechet(recurrent.T * (dt / 2), by_half)
    return loss, np.column_stack([by_recurrent, dt * half.T @ by_entry, states @ slope])  # (J6)


def train_dense(targets: Sequence[Target], recurrent: Sequence[Sequence[float]],
                input_weights: Sequence[Sequence[float]], readout: Sequence[float], *,
                drop: float, dt: float, eta: float, length: float, max_steps: int = 1_000_000,
                max_seconds: float | None = None) -> Training:
    """Gradient descent in all of W, U, c until the loss (J2) has fallen by `drop`, (G1)-(G2) of verify/simulate.py.

    targets:       d functions, rho_j for input j, each maps an array of times to an array; output / (input * time).
    recurrent:     W at the start, shape (m, m), by rows; 1 / time, eigenvalues of real part < 0.
    input_weights: U, shape (m, d); readout: c, shape (m,). c^T U in output / (input * time).
    drop, dt, eta, length, max_steps, max_seconds: as for verify.simulate.train.

    Returns a Training in the mode "population". Guarantee: estimated, biased by O(eta) + O(dt^2).
    Raises ValueError if an argument is out of range; not escaping never raises.

    >>> targets, turning = [lambda t: np.exp(-t), lambda t: t * np.exp(-t)], [[-1, 0.5], [-0.5, -1]]
    >>> run = train_dense(targets, turning, [[1, 0], [0, 1]], [1, 0], drop=0.05, dt=0.1, eta=0.01, length=12)
    >>> run.outcome.name, f"{run.escape_time:.2f}"
    ('ESCAPED', '0.52')
    """
    theta = dense_parameters(recurrent, input_weights, readout)
    inputs = theta.shape[1] - theta.shape[0] - 1
    if len(targets) != inputs:
        raise ValueError(f"targets must be one function for each of the d = {inputs} columns of input_weights, "
                         f"got {len(targets)}")
    dt = positive(dt, "dt", "the time step of the sequences")
    samples = [target_samples(target, dt=dt, length=length, name=f"target {j}") for j, target in enumerate(targets)]
    evaluation = partial(dense_loss_and_gradient, task=impulses(samples, dt=dt))
    return descend(theta, repeat(evaluation), _state, drop=drop, dt=dt, eta=eta, max_steps=max_steps,
                   max_seconds=max_seconds)


def extrapolate_dense(targets: Sequence[Target], recurrent: Sequence[Sequence[float]],
                      input_weights: Sequence[Sequence[float]], readout: Sequence[float], *,
                      drop: float, dt: float, eta: float, length: float, levels: int = 2,
                      max_steps: int = 1_000_000, max_seconds: float | None = None,
                      map: Callable[..., Iterable[Any]] = map,
                      progress: Callable[[int, int], None] | None = None) -> Extrapolation:
    """Richardson extrapolation of `train_dense` to eta = dt = 0, (G3) of verify/simulate.py.

    levels, map, progress, and jumps of the targets: as for verify.simulate.extrapolate; the other arguments
    are those of `train_dense`. Returns an Extrapolation, guarantee estimated; raises ValueError as they do.
    """
    run = partial(train_dense, tuple(targets), recurrent, input_weights, readout, drop=drop, max_steps=max_steps,
                  max_seconds=max_seconds)
    return richardson(run, dt=dt, eta=eta, length=length, levels=levels, map=map, progress=progress)
