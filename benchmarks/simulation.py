"""Steps of gradient descent per second: our direct simulation, beside the same network in PyTorch and JAX.

The network is (N1), (N2) of verify/network.py with two units, run on the impulse (N5) for `steps` time steps, and its
loss and gradient through those steps:

loop         h <- p h + q dt x_n, one step after the other; PyTorch's autograd, or JAX's scan compiled
vectorised   an impulse is answered by q p^n, so all steps are one array of powers: shorter than the network it stands
             for, and good for this one input only

Everybody computes in float64, PyTorch on one thread; XLA may use more, and CPU seconds count them all. A peer takes
part if it starts with our loss and after DESCENT steps has our weights, both to 1e-10. JAX runs BURST steps of the
descent in one compiled loop. Import and compilation are counted apart.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from verify import network
from verify.network import Array

LAG, DT, ETA = 20.0, 0.1, 0.01
LENGTH = LAG + 15
START = ((1.0, 0.0), (1.0, 0.7))
DESCENT, BURST, SECONDS = 20, 100, 1.0
AGREE = 1e-10

Descend = Callable[[Array, int], Array]  # (theta, steps of descent) -> theta
Loss = Callable[[Array], float]


@dataclass(frozen=True)
class Rate:
    """Gradient steps per CPU second of one way to train, and the CPU seconds before it was ready."""

    name: str
    steps_per_second: float | None
    setup: float | None
    note: str = ""


def target(t: Array) -> Array:
    """rho of the pair."""
    return np.exp(-t) + np.exp(-((t - LAG) ** 2) / 2)


def ours(samples: Array) -> tuple[Loss, Descend]:
    """verify/network.py."""
    task = network.impulse(samples, dt=DT)

    def descend(theta: Array, steps: int) -> Array:
        for _ in range(steps):
            theta = theta - ETA * network.loss_and_gradient(theta, task)[1]
        return theta

    return lambda theta: network.loss_and_gradient(theta, task)[0], descend


def in_torch(samples: Array, vectorised: bool) -> tuple[Loss, Descend]:
    """PyTorch, by autograd."""
    import torch

    torch.set_num_threads(1)
    wanted, n = torch.tensor(samples), torch.arange(len(samples), dtype=torch.float64)[:, None]
    drive = [1.0] + [0.0] * (len(samples) - 1)  # dt x_n

    def loss(theta: Any) -> Any:
        a, w = theta
        entry = torch.exp(-w * DT / 2)
        step = entry * entry
        if vectorised:
            states = entry * step**n
        else:
            h, kept = torch.zeros_like(w), []
            for x in drive:
                h = step * h + entry * x
                kept.append(h)
            states = torch.stack(kept)
        return DT * torch.sum((states @ a - wanted) ** 2)

    def descend(theta: Array, steps: int) -> Array:
        weights = torch.tensor(theta, requires_grad=True)
        for _ in range(steps):
            (gradient,) = torch.autograd.grad(loss(weights), weights)
            with torch.no_grad():
                weights -= ETA * gradient
        return np.array(weights.detach())

    return lambda theta: float(loss(torch.tensor(theta))), descend


def in_jax(samples: Array, vectorised: bool) -> tuple[Loss, Descend]:
    """JAX, compiled: the gradient through lax.scan, or through the powers."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    wanted, n = jnp.asarray(samples), jnp.arange(len(samples), dtype=jnp.float64)[:, None]
    drive = jnp.zeros(len(samples)).at[0].set(1.0)

    def loss(theta: Any) -> Any:
        a, w = theta
        entry = jnp.exp(-w * DT / 2)
        step = entry * entry
        if vectorised:
            outputs = (entry * step**n) @ a
        else:

            def advance(h: Any, x: Any) -> tuple[Any, Any]:
                h = step * h + entry * x
                return h, h @ a

            _, outputs = jax.lax.scan(advance, jnp.zeros_like(w), drive)
        return DT * jnp.sum((outputs - wanted) ** 2)

    gradient = jax.grad(loss)
    burst = jax.jit(lambda theta, steps: jax.lax.fori_loop(0, steps, lambda _, at: at - ETA * gradient(at), theta))
    return lambda theta: float(loss(jnp.asarray(theta))), lambda theta, steps: np.array(burst(theta, steps))


WAYS: tuple[tuple[str, str, Callable[[Array], tuple[Loss, Descend]]], ...] = (
    ("memcurse (verify/network.py)", "numpy", ours),
    ("PyTorch, loop", "torch", lambda samples: in_torch(samples, False)),
    ("PyTorch, vectorised", "torch", lambda samples: in_torch(samples, True)),
    ("JAX, scan", "jax", lambda samples: in_jax(samples, False)),
    ("JAX, vectorised", "jax", lambda samples: in_jax(samples, True)),
)


def rates(seconds: float = SECONDS) -> list[Rate]:
    """One Rate a way, those that are not installed too."""
    samples, start = network.target_samples(target, dt=DT, length=LENGTH), np.array(START)
    loss, descend = ours(samples)
    right, after = loss(start), descend(start, DESCENT)
    found = []
    for name, package, way in WAYS:
        if find_spec(package) is None:
            found.append(Rate(name, None, None, "not installed"))
            continue
        began = time.process_time()
        its_loss, its_descent = way(samples)
        theta = its_descent(start, DESCENT)
        setup = time.process_time() - began
        off = max(abs(its_loss(start) / right - 1), float(np.max(abs(theta - after))))
        if off > AGREE:
            found.append(Rate(name, None, None, f"off by {off:.1e}"))
            continue
        done, began = 0, time.process_time()
        while time.process_time() - began < seconds:
            theta, done = its_descent(theta, BURST), done + BURST
        found.append(Rate(name, done / (time.process_time() - began), setup))
    return found
