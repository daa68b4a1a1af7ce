r"""Parametrisations of the recurrent weights: the network trains v, its rates are w = phi(v) > 0.

Gradient flow in (a, v) is, seen in (a, w),

    w' = -phi'(v)^2 dJ/dw = -g(w) dJ/dw ,   g(w) = phi'(phi^{-1}(w))^2                                       (M9)

    identity         phi(v) = v                 g(w) = 1
    exp              phi(v) = e^v               g(w) = w^2
    softplus         phi(v) = ln(1 + e^v)       g(w) = (1 - e^{-w})^2
    inverse square   phi(v) = 1/(a v^2 + b)     g(w) = 4 a w^3 (1 - b w) ,  v > 0, 0 < w < 1/b               (R1)

J is a function of (a, w) alone, so a start is given by its rates and the loss landscape is the same for all; g is only
how fast each rate may move through it. 1 - e^{-w} = int_0^w e^{-t} dt = w E_0(w) over T = 1 (theory/special.py) is
written so, because the difference cancels where w is small. (R1) derived here: SymPy differentiates phi, and the tests
check g against it.
"""

from dataclasses import dataclass

import sympy as sp

from theory.exact import positive
from theory.special import ExponentialMoment


@dataclass(frozen=True)
class Parametrisation:
    """w = phi(v), strictly monotone; this one is the identity. Exact."""

    @property
    def name(self) -> str:
        return "identity"

    def rate(self, v: sp.Expr) -> sp.Expr:
        """phi(v)."""
        return v

    def inverse(self, w: sp.Expr) -> sp.Expr:
        """The v with phi(v) = w."""
        return w

    def metric(self, w: sp.Expr) -> sp.Expr:
        """g(w) (M9), free of cancellation where w is small."""
        return sp.Integer(1)

    def metric_slope(self, w: sp.Expr) -> sp.Expr:
        """g'(w), for a symbol w."""
        return sp.diff(self.metric(w), w)

    def distance(self, high: sp.Expr, low: sp.Expr) -> sp.Expr:
        """How far v moves, > 0, while its rate falls from `high` to `low`."""
        return self.inverse(high) - self.inverse(low)

    @property
    def highest(self) -> sp.Expr:
        """The end of the rates that phi reaches, perhaps infinite; a rate pushed against it stays there."""
        return sp.oo

    def check(self, w: sp.Expr, name: str) -> None:
        """ValueError where phi does not reach the rate w > 0, or does with phi' = 0."""
        if not w < self.highest:
            raise ValueError(f"{name} must be < {self.highest} for {self.name} to reach it and move it, got {w}")


@dataclass(frozen=True)
class Exp(Parametrisation):
    """w = e^v: every rate moves in proportion to its size."""

    @property
    def name(self) -> str:
        return "exp"

    def rate(self, v: sp.Expr) -> sp.Expr:
        return sp.exp(v)

    def inverse(self, w: sp.Expr) -> sp.Expr:
        return sp.log(w)

    def metric(self, w: sp.Expr) -> sp.Expr:
        return w**2


@dataclass(frozen=True)
class Softplus(Parametrisation):
    """w = ln(1 + e^v): like e^v for slow rates, like v for fast ones."""

    @property
    def name(self) -> str:
        return "softplus"

    def rate(self, v: sp.Expr) -> sp.Expr:
        return sp.log(1 + sp.exp(v))

    def inverse(self, w: sp.Expr) -> sp.Expr:
        return w + sp.log(w * ExponentialMoment(0, w, 1))

    def metric(self, w: sp.Expr) -> sp.Expr:
        return (w * ExponentialMoment(0, w, 1)) ** 2

    def metric_slope(self, w: sp.Expr) -> sp.Expr:
        return 2 * w * ExponentialMoment(0, w, 1) * sp.exp(-w)  # needs no further moment


@dataclass(frozen=True)
class InverseSquare(Parametrisation):
    """w = 1/(a v^2 + b), v > 0: rates below 1/b, slow ones hardest to move. a > 0, b > 0 in time."""

    a: sp.Expr
    b: sp.Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", positive(self.a, "parametrisation: a", "for the rate to depend on v"))
        object.__setattr__(self, "b", positive(self.b, "parametrisation: b", "for the rates to be bounded by 1/b"))

    @property
    def name(self) -> str:
        return f"1/({self.a} v^2 + {self.b})"

    def rate(self, v: sp.Expr) -> sp.Expr:
        return 1 / (self.a * v**2 + self.b)

    def inverse(self, w: sp.Expr) -> sp.Expr:
        return sp.sqrt((1 / w - self.b) / self.a)

    def metric(self, w: sp.Expr) -> sp.Expr:
        return 4 * self.a * w**3 * (1 - self.b * w)

    def distance(self, high: sp.Expr, low: sp.Expr) -> sp.Expr:
        return self.inverse(low) - self.inverse(high)  # phi falls

    @property
    def highest(self) -> sp.Expr:
        return 1 / self.b


IDENTITY = Parametrisation()
NAMED = {each.name: each for each in (IDENTITY, Exp(), Softplus())}


def written_out(expression: sp.Expr) -> sp.Expr:
    """The expression through exp, for display and symbolic work; what it was free of may cancel. Exact.

    >>> written_out(Softplus().metric(sp.Symbol("w", positive=True)))
    (1 - exp(-w))**2
    """
    return expression.replace(lambda each: isinstance(each, ExponentialMoment), lambda each: each.explicit())
