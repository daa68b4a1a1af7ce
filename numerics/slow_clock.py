r"""Time along a piece of a slow manifold: an exponential clock, integrated in closed form.

On w = w_p - h x, 0 <= x <= 1, with kappa = kappa_p e^{L h x} and a slowness 1/|G| = sum_k q_k P_k(2x - 1),

    tau = int dw / (kappa^2 |G|) = (h / kappa_p^2) sum_k (-1)^k q_k e^{-z} i_k(z) ,   z = L h                 (C5)

i_k(z) = sqrt(pi/(2z)) I_{k+1/2}(z), I the modified Bessel function: int_{-1}^1 P_k(t) e^{-zt} dt = 2 (-1)^k i_k(z). The
integrand is positive: nothing is amplified by tau. Enclosed, in balls, for balls. Derived here.
"""

from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Array


def elapsed(kappa: Any, lag: Any, h: Any, slowness: Array) -> Any:
    """Gradient-flow time (C5) down to h below the top of a piece; slowness: coefficients q_k of 1/|G| there."""
    return h / kappa**2 * (slowness * moments(lag * h, len(slowness))).sum()


def moments(z: Any, count: int) -> Array:
    """int_0^1 P_k(2x - 1) e^{-2zx} dx, k = 0, 1, ..., of (C5): i_k-1 = i_k+1 + (2k + 1) i_k / z from the last two."""
    found = np.full(count, flint.arb(0), dtype=object)
    if z == 0:
        found[0] = flint.arb(1)
        return found
    factor = (flint.arb.pi() / (2 * z)).sqrt()
    above, here = (factor * z.bessel_i(flint.arb(2 * k + 1) / 2, scaled=True) for k in (count, count - 1))
    for k in reversed(range(count)):
        found[k] = (-1) ** k * here
        above, here = here, above + (2 * k + 1) * here / z
    return found
