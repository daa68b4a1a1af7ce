r"""The flow of a plateau in units of the bump's e^{-wL}, along a polynomial in the slow rate.

A piece spans the displacements beta = top - h (1 + x), -1 <= x <= 1, of one spare rate w, the clock. In the units of a
frame kappa = k e^{L h (1 + x)} the state is u = kappa U, the fast components (amplitudes, matched rates), and v, the
rates of the other spares. For every k > 0 and L >= 0

    u' = kappa F ,  v' = kappa^2 H ,  beta' = kappa^2 G ;   U' = F + L kappa^2 G U                           (V40)

exactly. Let X = (U, v) = P + V beside polynomials P and q ~ 1/G(P). With P_beta = -P_x / h, V obeys V_u' = Phi_u(P + V)
and V_v' = kappa^2 Phi_v(P + V), where, K = kappa^2 in the rows of U and 1 in those of v,

    Phi(X) = (F, H)(X) + K G(X) R ,  R = (L U - P_beta , -P_beta) ,  E = Phi(P)                              (V41)
    D Phi  = D(F, H) + K (R (x) DG + L G I_u)                                                                (V42)
    q G(P + V) = 1 + zeta ,  delta = q G(P) - 1 ,  lambda = q DG(P)                                          (V43)

(V40)-(V43) are the chain rule. Balls at the points of (V20); slow_tube.py encloses what lies between them.
"""

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from numerics.arithmetic import Arb, Array
from numerics.landscape import Landscape
from theory.problem import Problem
from verify.certificate import chebyshev
from verify.certificate.dyadic import column, fields_of, parse, rectangle, text, texts
from verify.certificate.shear import Linearised

OVERSAMPLED = 2  # points for each coefficient of a polynomial
_exp = np.frompyfunc(flint.arb.exp, 1, 1)


@dataclass(frozen=True, eq=False)
class Stretch:
    """A piece, every number exact. path: P, shape (s + 1, n), and slowness: q, (s + 1,), in Chebyshev polynomials of x.

    top, bottom: displacements beta at x = -1 and 1. scale, lag: k and L of its units (V40).
    """

    top: flint.arb
    bottom: flint.arb
    scale: flint.arb
    lag: flint.arb
    path: Array
    slowness: Array

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: dyadics as text."""
        numbers = {name: text(getattr(self, name)) for name in ("top", "bottom", "scale", "lag")}
        return numbers | {"path": texts(self.path), "slowness": texts(self.slowness)}

    @classmethod
    def from_dict(cls, written: Any, name: str) -> "Stretch":
        """Back from `as_dict`; ValueError, which names it, for anything else."""
        names = ("top", "bottom", "scale", "lag", "path", "slowness")
        top, bottom, scale, lag, path, slowness = fields_of(written, names, name)
        ends, units = (parse(top), parse(bottom)), (parse(scale), parse(lag))
        return cls(*ends, *units, rectangle(path, f"{name}.path"), column(slowness, f"{name}.slowness"))

    @property
    def h(self) -> flint.arb:
        """Half of its length."""
        return (self.top - self.bottom) / 2

    def kappa(self, x: Any) -> Any:
        """kappa at x, a number or an array."""
        exponent = self.lag * self.h * (1 + x)  # (V40)
        return self.scale * (_exp(exponent) if isinstance(x, np.ndarray) else exponent.exp())

    def beta(self, x: Any) -> Any:
        """beta at x, a number or an array."""
        return self.top - self.h * (1 + x)


class Components:
    """Which components of a displacement are U, v and the clock. others: of X = (U, v); is_fast: of U among them."""

    def __init__(self, problem: Problem, spare: int) -> None:
        self.width = m = problem.start.width
        self.spare, self.clock = spare, m + spare
        matched = [m + unit for unit, (a, _) in enumerate(problem.reference) if a != 0]
        fast = [*range(m), *matched]
        riding = [each for each in range(m, 2 * m) if each not in matched and each != self.clock]
        self.others = np.array(fast + riding)
        self.is_fast = np.arange(len(self.others)) < len(fast)
        self.fast, self.riding = len(fast), len(riding)

    def choose(self, u: Any, v: Any) -> Array:
        """u for the components of U and v for those of v, along the last axis."""
        return np.where(self.is_fast, u, v)

    def split(self, X: Array) -> tuple[Array, Array]:
        """U and v."""
        return X[: self.fast], X[self.fast :]


class SlowField:
    """(V40) to (V43) for one problem and clock, in balls; call the methods inside `arithmetic.working()`."""

    def __init__(self, problem: Problem, components: Components, arithmetic: Arb) -> None:
        self.landscape, self.components = Landscape(problem, arithmetic), components

    def state(self, piece: Stretch, x: Array, X: Array) -> Array:
        """Displacements, shape (N, 2m), where X has the values (N, n) at points x."""
        of = self.components
        y = np.empty((len(x), 2 * of.width), dtype=object)
        y[:, of.others] = X * self._units(piece, x)
        y[:, of.clock] = piece.beta(x)
        return y

    def linearised(self, piece: Stretch) -> tuple[Linearised, Array]:
        """E, lambda, D Phi, and delta, at the points of (V20)."""
        of, size = self.components, points_of(piece)
        others, n, x = of.others, len(of.others), chebyshev.points(size)
        both = chebyshev.values(np.column_stack([piece.path, piece.slowness]), size)
        P, q = both[:, :n], both[:, n:]
        slope = chebyshev.values(chebyshev.derivative(piece.path), size)
        units, square = self._units(piece, x), piece.kappa(x)[:, None] ** 2
        rows, K = of.choose(units, square), of.choose(square, 1)
        g, hessian = self.landscape.gradient_and_hessian(self.state(piece, x, P))
        FH, G = -g[:, others] / rows, -g[:, of.clock, None] / square  # (V40)
        inner = -hessian[:, others[:, None], others] * units[:, None, :] / rows[:, :, None]
        DG = -hessian[:, of.clock, others] * units / square
        KR = K * (of.choose(piece.lag, 0) * P + slope / piece.h)
        jacobian = inner + KR[:, :, None] * DG[:, None, :]  # (V42)
        np.einsum("iaa->ia", jacobian)[:, : of.fast] += piece.lag * square * G
        found = Linearised(FH + KR * G, q * DG, jacobian, G[:, :, None], square[:, :, None])  # (V41)
        return found, q * G - 1  # (V43)

    def _units(self, piece: Stretch, x: Array) -> Array:
        return self.components.choose(piece.kappa(x)[:, None], 1)


def points_of(piece: Stretch) -> int:
    """N of (V20) for a piece."""
    return OVERSAMPLED * len(piece.path)
