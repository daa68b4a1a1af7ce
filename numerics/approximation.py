r"""How far a network is from a target: the L1, L2 and H-infinity norms of e = rho_hat - rho.

    L1          int |e| dt            largest output error for inputs |x| <= 1 (M1)       numerics/l1_enclosure.py
    L2          sqrt(int e^2 dt)      mean output error for white noise, sqrt(J) (M3)     (M4) in balls
    H-infinity  sup_s |E(is)|         the same for inputs of bounded energy               searched

with E the transform of e: H-infinity <= L1. The search evaluates E on a grid in ln s as wide as the rates, s = 0
included, and refines its largest values; for the balanced truncation of a completely monotone target the largest is at
s = 0 (BT1). Exponentials and Erlangs have closed transforms, power laws the long sum (CF1), other kernels the nodes of
numerics/realisation.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
import sympy as sp
from scipy.optimize import minimize_scalar

from numerics.answer import Answer, decimal
from numerics.arithmetic import Arb, Array, Float64
from numerics.compiling import bind
from numerics.gramian import DenseLandscape
from numerics.l1_enclosure import Bounds, l1_error
from numerics.landscape import Landscape
from numerics.long_sum import long_sum
from numerics.realisation import Samples
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import Erlang, Exponential, Kernel, PowerLaw
from theory.mixtures import Mixture
from theory.pairs import modes
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

DIGITS = 8
L2_DIGITS = (40, 80, 160)  # working digits of (M4), which cancels
GRID, SLOWER, FASTER = 3000, 1e3, 10.0  # of the search: points, and how far beyond the rates
REFINED = 6  # local maxima
LEAST = 1e-20  # singular value that the long sum of a power law still has
s = sp.Symbol("s", positive=True)


@dataclass(frozen=True)
class Errors:
    """The norms of rho_hat - rho. l1 in output/input, l2 in that per sqrt(time), h_infinity in output/input."""

    l1: Bounds
    l2: Answer
    h_infinity: Answer

    def as_dict(self) -> dict[str, Any]:
        plain = lambda each: {"value": each.value, "guarantee": each.guarantee}
        return {"l1": self.l1.as_dict(), "l2": plain(self.l2), "h_infinity": plain(self.h_infinity)}


def approximation_errors(target: Target, network: LinearRNN | DenseRNN) -> Errors:
    """L1 (enclosed), L2 (enclosed; estimated for a dense network) and H-infinity (estimated) of rho_hat - rho.

    Raises as `l1_error`.

    >>> errors = approximation_errors(Target([Exponential()]), LinearRNN([("1", "2")]))
    >>> errors.l2.value, errors.h_infinity.value
    ('0.28867513', '0.50000000')
    """
    return Errors(l1_error(target, network), _l2(target, network), _h_infinity(target, network))


def _l2(target: Target, network: LinearRNN | DenseRNN) -> Answer:
    """sqrt(J)."""
    if isinstance(network, DenseRNN):
        landscape = DenseLandscape(DenseProblem(target, network, "1"))
        return Answer(decimal(max(landscape.loss(landscape.start), 0.0) ** 0.5, DIGITS // 2), "estimated", DIGITS // 2)
    for digits in L2_DIGITS:
        arithmetic = Arb(digits)
        with arithmetic.working():
            balls = Landscape(Problem(target, network, "1"), arithmetic)
            square: flint.arb = balls.loss(balls.start)
            if square > 0 and square.rel_accuracy_bits() > 4 * DIGITS:
                return Answer(decimal(square.sqrt(), DIGITS), "enclosed", DIGITS)
    return Answer("0", "estimated", reason=f"J is below 10^-{L2_DIGITS[-1]} of its terms")


def _h_infinity(target: Target, network: LinearRNN | DenseRNN) -> Answer:
    parts = modes(network)
    speeds = [float(sp.sqrt(mode.alpha**2 + mode.beta**2)) for mode in parts]
    grid = np.concatenate([[0.0], np.geomspace(min(speeds) / SLOWER, max(speeds) * FASTER, GRID)])
    transforms = [_transform(term, grid[-1]) for term in target.terms]
    arithmetic = Float64()
    rational = bind((s,), [sp.Add(*(mode.laplace(s) for mode in parts))], arithmetic)

    def size(frequency: Array) -> Array:
        with arithmetic.working():
            return abs(rational(1j * frequency)[0] - sum(each(1j * frequency) for each in transforms))

    values = size(grid)
    inside = np.flatnonzero((values[1:-1] >= values[:-2]) & (values[1:-1] >= values[2:])) + 1
    best = float(values.max())
    for i in inside[np.argsort(-values[inside])[:REFINED]]:
        ends = (float(grid[i - 1]), float(grid[i + 1]))
        found = minimize_scalar(lambda x: -float(size(np.array([x]))[0]), bounds=ends, method="bounded")
        best = max(best, -float(found.fun))
    return Answer(decimal(best, DIGITS), "estimated", DIGITS)


def _transform(term: Kernel, fastest: float) -> Callable[[Array], Array]:
    """int e^{-st} of a term at imaginary s, shape (n,), |s| <= fastest."""
    if isinstance(term, Exponential | Erlang):
        closed = bind((s,), [term.laplace(s)], Float64())
        return lambda at: closed(at)[0]
    if isinstance(term, PowerLaw):
        rates, weights = long_sum(Mixture((), ((term.amplitude, term.omega),)), LEAST)
        lag = float(term.lag)
        return lambda at: np.exp(-lag * at) * np.array([(weights / (rates + each)).sum() for each in at])
    samples = Samples(Target((term,)))
    times, weights = samples.nodes_up_to(fastest)
    values = weights * samples.rho(times)
    return lambda at: np.array([(np.exp(-each * times) * values).sum() for each in at])
