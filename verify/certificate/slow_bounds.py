r"""Bounds of the scaled field of slow_field.py over complex sets: ellipses of x, and tubes around P.

On such a set |kappa| lies between k_min and k_max, and U, v in polydiscs. A component of grad J for rho_bar alone, as a
function of s at (s U, v, beta), is analytic and vanishes like s^d at s = 0: d = 1 for fast components, 2 for the rates
of spares, whose amplitude is a factor; one less for a derivative by U. So, as in Schwarz' lemma, |kappa| <= k_max gives

    |g(kappa) / kappa^d|  <=  max_{|s| = k_max} |g(s)| / k_max^d                                             (V44)

The bump enters grad J linearly, through the same blocks of theory/, by B and its derivatives at each unit's rate. With
B_abs the transform of the bump with positive amplitudes, on an interval of Re w on which kappa ~ e^{-Lw}

    |B^(n)(w)| / |kappa|  <=  the larger end value of  |B_abs^(n)(Re w)| / kappa(Re w)                       (V45)

for e^{Lw} |B_abs^(n)(w)| = int t^n |b|(t) e^{-w(t-L)} dt is convex in w. Seen by other units, B_abs stands at the
smallest real part of their rates, over k_min. Entries of D(F, H) that are of degree 0 need no scaling at all. Derived
here. Guarantee: enclosed.
"""

from dataclasses import dataclass, replace
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Array, _objects
from numerics.compiling import bind
from theory import landscape as blocks
from theory.kernels import Box, Erlang, Exponential, Gaussian, Kernel, PowerLaw
from theory.problem import Problem, Target, transform
from verify.certificate import chebyshev
from verify.certificate.majorant import Majorant
from verify.certificate.proved import NotProved
from verify.certificate.shear import Linearised, Shear
from verify.certificate.slow_field import Components, Stretch, points_of

ELLIPSES = (1.3, 1.7, 2.2, 3.0, 4.0, 6.0, 9.0, 14.0)  # rho, those that are tried
ONE_SIGN = (Exponential, Gaussian, Box, Erlang, PowerLaw)  # kernels that are >= 0 for an amplitude > 0
DIGITS = 25


@dataclass(frozen=True, eq=False)
class Sizes:
    """Bounds over a set: of F, H, (n,); of G; of D(F, H), (n, n); of DG, (n,); of K R, (n,); of D Phi, (n, n)."""

    field: Array
    clock: flint.arb
    inner: Array
    clock_slope: Array
    KR: Array
    jacobian: Array
    kappa2: flint.arb

    def linearised(self, q: Any) -> Linearised:
        """Bounds of E, lambda, D Phi, for |q| <= q."""
        defect = self.field + self.KR * self.clock
        return Linearised(defect, q * self.clock_slope, self.jacobian, self.clock, self.kappa2)


class SlowBounds:
    """(V44) and (V45) for one problem and clock; raises NotProved where they do not apply. Use in a `working()`."""

    def __init__(self, problem: Problem, components: Components) -> None:
        self.components = components
        for kernel in problem.bump:
            if type(kernel) not in ONE_SIGN:  # one derived from these may have any shape
                raise NotProved(f"the slow rate certifies no bump of kind {kernel.kind}, whose sign is not known")
        fit = tuple(problem.pairing[unit] for unit in sorted(problem.pairing))
        bare = replace(problem, target=Target(fit)) if fit else problem
        if not fit or bare.reference != problem.reference:
            raise NotProved("the slow rate certifies only networks that start on a fit")
        self._whole, self._bare = Majorant(problem, DIGITS), Majorant(bare, DIGITS)
        s = blocks.s
        B = transform([_positive(kernel) for kernel in problem.bump], s, problem.horizon)
        self._bump = bind((s,), [(-1) ** n * sp.diff(B, s, n) for n in range(3)], Arb(DIGITS))
        curvature = blocks.curvature_block()
        seen = [*blocks.gradient_block(), curvature[0, 1], curvature[1, 1]]
        self._seen = bind((blocks.a, blocks.F0, blocks.F1, blocks.F2), seen, Arb(DIGITS))

    def remainders(self, piece: Stretch, shear: Shear | None) -> Array:
        """(V21) for the columns (E, delta, lambda, D Phi) along a piece: the least over the ellipses. Exact."""
        slope = chebyshev.derivative(piece.path)
        best: list[flint.arb] | None = None
        for rho in map(flint.arb, ELLIPSES):
            radii = chebyshev.reach(piece.path, rho)
            speed = (abs(slope[0]) + chebyshev.reach(slope, rho)) / piece.h
            found = self.sizes(piece, (rho + 1 / rho) / 2, abs(piece.path[0]) + radii, radii, speed)
            if found is None:
                continue
            q = abs(piece.slowness[0]) + chebyshev.reach(piece.slowness, rho)
            flow = found.linearised(q)
            flow = shear.bounded(flow, rho) if shear else flow
            mismatch = _objects([q * found.clock + 1])
            columns = [flow.defect, mismatch, flow.sensitivity, flow.jacobian.ravel()]
            left = chebyshev.remainder(np.concatenate(columns), rho, points_of(piece))
            best = [min(pair) for pair in zip(best or left, _uppers(left), strict=True)]
        if best is None:
            raise NotProved("a piece in the slow rate is too long for its bounds")
        return _objects(best)

    def sizes(self, piece: Stretch, grown: Any, U: Array, radii: Array, speed: Array) -> Sizes | None:
        """Bounds where |x| <= grown, |X_i| <= U_i in U and |X_i - P_i's middle| <= radii_i in v, |P_beta| <= speed.

        None where there are none.
        """
        of, m = self.components, self.components.width
        others, fast = of.others, of.is_fast
        largest, smallest = piece.kappa(grown), piece.kappa(-grown)
        centre, around = np.full(2 * m, flint.arb(0)), np.full(2 * m, flint.arb(0))
        around[others] = of.choose(largest * U, radii)
        centre[others[~fast]] = piece.path[0][~fast]
        centre[of.clock], around[of.clock] = piece.beta(flint.arb(0)), piece.h * grown
        fitted = self._whole.landscape
        rates = _objects(each.real for each in fitted.fitted_w) + centre[m:]
        lowest = _objects(each.lower() for each in rates - around[m:])
        if not all(each > 0 for each in lowest):
            return None
        B = np.array([self._bump(rate) for rate in lowest]).T / smallest
        highest = (rates + around[m:])[of.spare].lower()  # B falls: more than at the end itself, over the kappa there
        ends = zip(self._bump(lowest[of.spare]), self._bump(highest), strict=True)
        B[:, of.spare] = [(low / largest).max(high / smallest) for low, high in ends]  # (V45)

        silent = np.isin(np.arange(m), others[~fast] - m)  # spares, whose amplitudes are of degree 1
        silent[of.spare] = True
        a = np.where(silent, around[:m] / largest, _objects(abs(each.real) for each in fitted.fitted_a) + around[:m])
        by_amplitude, by_rate, mixed, by_rates = self._seen(a, *B)
        bump = np.concatenate(np.broadcast_arrays(by_amplitude, by_rate))
        g, hessian = self._bare.gradient_and_hessian(centre, around)
        degree = np.where(np.isin(np.arange(2 * m), others[fast]), 1, 2)
        g = g / largest**degree + bump  # (V44)
        scaled = degree[:, None] - np.where(degree == 1, 1, 0)
        own = np.zeros((2 * m, 2 * m), dtype=object)
        for k in np.flatnonzero(silent):
            own[k, m + k] = own[m + k, k] = mixed[k]
            own[m + k, m + k] = by_rates[k]
        hessian = np.where(scaled == 0, self._whole.hessian(centre, around), hessian / largest**scaled + own)
        if not all(each.is_finite() for each in (*g, *hessian.ravel())):
            return None
        G, DG, inner = g[of.clock], hessian[of.clock, others], hessian[others[:, None], others]
        KR = of.choose(largest**2, 1) * (of.choose(piece.lag, 0) * U + speed)
        jacobian = inner + np.outer(KR, DG)  # (V42)
        np.einsum("aa->a", jacobian)[: of.fast] += piece.lag * largest**2 * G
        return Sizes(g[others], G, inner, DG, KR, jacobian, largest**2)


def _positive(kernel: Kernel) -> Kernel:
    assert isinstance(kernel, ONE_SIGN)
    return replace(kernel, amplitude=abs(kernel.amplitude))


def _uppers(values: Array) -> Array:
    return _objects(each.upper() for each in values)
