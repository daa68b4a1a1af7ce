"""The loss around a plateau with one unit held and the others relaxed: what is left of the landscape for it to move in.

On a map, at any rate and amplitude of the held unit, by Newton's method in float64; and along the floor of the gorge,
where the amplitude has relaxed too and only the rate is left, by the slow flow's formula (M13). Guarantee: estimated.
"""

import numpy as np

from numerics.arithmetic import Arb, Array, Float64
from numerics.compiling import bind
from numerics.landscape import Landscape
from numerics.trajectory import Trajectory
from theory.plateau import NoPlateau, plateau, w
from theory.problem import Problem

RELAXATIONS = 20  # Newton steps


def relaxed_drop(path: Trajectory, unit: int, rates: Array, amplitudes: Array) -> Array:
    """J(0) - J with `unit` held at (amplitude, rate) and the others relaxed; nan where that leads to no minimum.

    Newton's method with the curvatures' absolute values, from the nearest state of the path, in the amplitudes and
    rates of the other units; on the fit, of the matched ones only: the rate of a spare with amplitude 0 cannot relax.
    """
    problem, arithmetic = path.problem, Float64()
    m = problem.start.width
    moving = [i for i in range(m) if i != unit and (problem.off_the_fit or i in problem.pairing)]
    free = np.array([*moving, *(m + i for i in moving)], dtype=int)
    held = np.array([unit, m + unit])
    targets = np.column_stack([amplitudes.ravel(), rates.ravel()])
    states = np.column_stack([path.amplitudes, path.rates])
    spans = np.ptp(states[:, held], axis=0) + 1e-300
    apart = (targets[:, None] - states[None][..., held]) / spans
    with arithmetic.working():
        surface = Landscape(problem, arithmetic)
        fitted = np.concatenate([surface.fitted_a, surface.fitted_w])
        y = states[(apart**2).sum(axis=-1).argmin(axis=1)] - fitted
        y[:, held] = targets - fitted[held]
        good = np.ones(len(y), dtype=bool)
        for _ in range(RELAXATIONS if len(free) else 0):
            gradient, hessian = surface.gradient_and_hessian(y[good])
            curvatures, axes = np.linalg.eigh(hessian[:, free][:, :, free])
            slopes = np.einsum("pij,pi->pj", axes, gradient[:, free])
            change = -np.einsum("pij,pj->pi", axes, slopes / np.maximum(abs(curvatures), 1e-12))
            change *= np.minimum(1, 0.3 / np.maximum(abs(change).max(axis=1), 1e-300))[:, None]
            y[np.ix_(good, free)] += change
            good[good] = (surface.units(y[good])[1] > 0).all(axis=1)
        if len(free) and good.any():
            gradient, hessian = surface.gradient_and_hessian(y[good])
            least = np.linalg.eigvalsh(hessian[:, free][:, :, free])[:, 0]
            good[good] = (least > 0) & (abs(gradient[:, free]) < 1e-7).all(axis=1)
        out = np.full(len(y), np.nan)
        for i in np.flatnonzero(good):
            out[i] = surface.drop(y[i])
    return out.reshape(rates.shape)


def gorge_floor(problem: Problem, rates: Array) -> Array | None:
    """log10 of ||proj_V b||^2 + P^2/N (M13) at the rates, in balls since P cancels; None where there is no plateau."""
    try:
        surface = plateau(problem)
    except NoPlateau:
        return None
    balls = Arb(40)
    with balls.working():
        (gain,) = bind((w,), [surface.gain + surface.fast_drop], balls)(balls.array(rates))
        return np.array([float(x.log() / x.__class__(10).log()) for x in gain])
