r"""Memory kernels: the terms that a target is made of.

A kernel states its shape, on an interval where that is analytic; everything else follows. Delayed by its lag L >= 0:

    rho(t) = shape(t - L)  on  [L + start, L + end] ,  0 elsewhere
    R(s)   = int_0^T e^{-st} rho(t) dt ,   R'(s) = -int t e^{-st} rho ,   R''(s) = int t^2 e^{-st} rho
    R(s; T) = e^{-sL} R_shape(s; T - L) ,  0 for T <= L                                                      (K0)

    kind         shape                             R_shape(s; T), T = inf allowed     special.py
    exponential  a e^{-wt}                         a K(s + w)
    gaussian     A exp(-(t-L)^2/(2 sigma^2))       A M_0(s) - A e^{-sT} M_0(s; L-T)   (M10), T >= L, sigma; L its centre
    box          A on [start, end]                 A e^{-s start} K(s; end - start)
    erlang       A t^k e^{-wt}                     A E_k(s + w)
    power-law    A (1+t)^{-(1+om)}                 A H_0(s), T = inf
    airy         A Ai(c (t - shift))               by quadrature
    expression   any formula in t                  by quadrature

A horizon takes the rest of a kernel away: int_T^inf e^{-st} rho(t) dt = e^{-sT} int_0^inf e^{-su} rho(T+u) du, and the
rest of a Gaussian is a Gaussian. That would be a difference of two nearly equal numbers where [0, T] holds little of
the bump, and for a power law at slow s: the transform is then computed by quadrature. Derived here.

To add a kernel: write one frozen dataclass, derived from Kernel with kind="its-name", its fields declared by `number`
or `positive_number`, and give it `shape`. Studies, the command line and LaTeX then know it, and its transforms are
computed by quadrature with an enclosed error; `transform` may give them in closed form. See examples/own_kernel.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import sympy as sp

from theory.decay import Unbounded, envelope
from theory.exact import exact, positive, real
from theory.expression import parse
from theory.special import ExponentialMoment, GaussianMoment, PowerMoment, moment

KINDS: dict[str, type["Kernel"]] = {}
t = TIME = sp.Symbol("t", nonnegative=True)
ZERO = sp.Integer(0)


def number(default: str) -> Any:
    """A real field of a kernel."""
    return field(default=default, metadata={"check": real})


def positive_number(default: str, why: str) -> Any:
    """A field that must be > 0; `why` completes the error message."""

    def check(value: Any, name: str) -> sp.Expr:
        return positive(value, name, why)

    return field(default=default, metadata={"check": check})


def delay() -> Any:
    """The field for a lag >= 0."""

    def check(value: Any, name: str) -> sp.Expr:
        lag = real(value, name)
        if not lag.is_nonnegative:
            raise ValueError(f"{name} must be >= 0, for no memory is of the future, got {lag}")
        return lag

    return field(default="0", metadata={"check": check})


def _count(least: int, most: int, what: str) -> Callable[[Any, str], sp.Expr]:
    def check(value: Any, name: str) -> sp.Expr:
        count = exact(value, name)
        if not (count.is_Integer and least <= count <= most):
            raise ValueError(f"{name} must be an integer from {least} to {most}, got {count}; it is {what}")
        return count

    return check


@dataclass(frozen=True)
class Kernel:
    """A memory kernel rho(t), t >= 0, in output / (input * time); immutable and exact.

    input: which of the network's d inputs it remembers, 1 to d.
    """

    kind: ClassVar[str]
    input: sp.Expr = field(default="1", kw_only=True, metadata={"check": _count(1, 1000, "the number of an input")})

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind
        KINDS[kind] = cls

    def __post_init__(self) -> None:
        for each in fields(self):
            check: Callable[[Any, str], sp.Expr] = each.metadata["check"]
            name = each.metadata.get("key", each.name)
            object.__setattr__(self, each.name, check(getattr(self, each.name), f"{self.kind}: {name}"))

    def shape(self, t: sp.Expr) -> sp.Expr:
        """The kernel without its delay, analytic on `extent`."""
        raise NotImplementedError

    @property
    def extent(self) -> tuple[sp.Expr, sp.Expr]:
        """Where the shape holds; it is 0 elsewhere."""
        return ZERO, sp.oo

    @property
    def delay(self) -> sp.Expr:
        """How much later than its shape the kernel begins."""
        lag: sp.Expr = getattr(self, "lag", ZERO)
        return lag

    @property
    def support(self) -> tuple[sp.Expr, sp.Expr]:
        """(begin, end) of rho, end perhaps infinite."""
        start, end = self.extent
        return self.delay + start, self.delay + end

    def density(self, t: sp.Expr) -> sp.Expr:
        """rho(t) on its support, analytic there."""
        return self.shape(t - self.delay)

    def rho(self, t: sp.Expr) -> sp.Expr:
        """The kernel at time t >= 0."""
        (start, end), value = self.support, self.density(t)
        inside = sp.And(sp.true if start == 0 else t >= start, sp.true if end == sp.oo else t <= end)
        return value if inside == sp.true else sp.Piecewise((value, inside), (0, True))

    def laplace(self, s: sp.Expr, horizon: sp.Expr = sp.oo) -> sp.Expr:
        """R(s), s >= 0 in 1 / time, over [0, horizon]. Derivatives by SymPy: `kernel.laplace(s).diff(s)`."""
        left = horizon - self.delay
        if not left > 0:
            return ZERO
        return sp.exp(-s * self.delay) * self.transform(s, left)  # (K0)

    def transform(self, s: sp.Expr, horizon: sp.Expr) -> sp.Expr:
        """R_shape(s) over [0, horizon]; here the moment (S6), computed by quadrature."""
        start, end = self.extent
        return moment(self.shape(t), s, start, sp.Min(end, horizon))

    def exponent(self) -> tuple[Callable[[sp.Expr], sp.Expr], sp.Expr] | None:
        """(M, L) with R(s) ~ M(s) e^{-sL} for long memory L, for (M14); None where there is no such lag."""
        lag = self.support[0]
        return (lambda s: self.laplace(s) * sp.exp(s * lag), lag) if lag.is_positive else None  # exact: (K0)

    @property
    def reach(self) -> sp.Expr:
        """The time about which the kernel acts, beyond which it fades: how long a simulation must look at least."""
        return self.delay

    def tail(self, T: sp.Expr) -> sp.Expr | None:
        """int_T^inf |rho(t)| dt for T >= reach, exact; None where it is not known."""
        return None

    @property
    def square_integrable(self) -> bool:
        """Whether int_0^inf rho^2 is finite, as the loss of an unbounded horizon demands."""
        return True

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \rho(t) = {sp.latex(self.rho(t))}$"


def _formula(value: Any, name: str) -> sp.Expr:
    if not isinstance(value, sp.Expr):
        return parse(value, name)
    if other := value.free_symbols - {t}:
        found = ", ".join(sorted(map(str, other)))
        raise ValueError(f"{name} must be a formula in Symbol('t', nonnegative=True) alone, got the symbols {found}")
    return exact(value, name)


@dataclass(frozen=True)
class Exponential(Kernel, kind="exponential"):
    """rho(t) = a e^{-wt}: exponentially fading memory of length 1/w.

    >>> Exponential("1", "0.7").laplace(sp.Integer(1))
    10/17
    """

    amplitude: sp.Expr = number("1")
    rate: sp.Expr = positive_number("1", "for the memory to fade; rates are minus the eigenvalues of W")
    lag: sp.Expr = delay()

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude * sp.exp(-self.rate * t)

    def transform(self, s: sp.Expr, horizon: sp.Expr) -> sp.Expr:
        return self.amplitude * ExponentialMoment(0, s + self.rate, horizon)

    def tail(self, T: sp.Expr) -> sp.Expr:
        return abs(self.amplitude) * sp.exp(-self.rate * (T - self.lag)) / self.rate


@dataclass(frozen=True)
class Gaussian(Kernel, kind="gaussian"):
    """rho(t) = A exp(-(t-L)^2/(2 sigma^2)): a memory of what happened about L ago. L is its centre; nothing is cut.

    >>> Gaussian(lag="10").laplace(sp.Integer(1))
    GaussianMoment(0, 1, 10, 1)
    """

    amplitude: sp.Expr = number("1")
    width: sp.Expr = positive_number("1", "for a bump")
    lag: sp.Expr = number("0")

    @property
    def delay(self) -> sp.Expr:
        return ZERO

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude * sp.exp(-((t - self.lag) ** 2) / (2 * self.width**2))

    def transform(self, s: sp.Expr, horizon: sp.Expr) -> sp.Expr:
        def rest(s: sp.Expr, lag: sp.Expr) -> sp.Expr:
            return GaussianMoment(0, s, lag, self.width)

        if horizon is sp.oo:
            return self.amplitude * rest(s, self.lag)
        if self.lag <= horizon and self.width <= horizon:
            return self.amplitude * (rest(s, self.lag) - sp.exp(-s * horizon) * rest(s, self.lag - horizon))
        return super().transform(s, horizon)

    def exponent(self) -> tuple[Callable[[sp.Expr], sp.Expr], sp.Expr]:
        def mass(s: sp.Expr) -> sp.Expr:
            return self.amplitude * self.width * sp.sqrt(2 * sp.pi) * sp.exp(s**2 * self.width**2 / 2)  # (M14)

        return mass, self.lag

    @property
    def reach(self) -> sp.Expr:
        return sp.Max(0, self.lag)

    def tail(self, T: sp.Expr) -> sp.Expr:
        beyond = sp.erfc((T - self.lag) / (self.width * sp.sqrt(2)))
        return abs(self.amplitude) * self.width * sp.sqrt(sp.pi / 2) * beyond


@dataclass(frozen=True)
class Box(Kernel, kind="box"):
    """rho(t) = A on [start, end] (+ lag): what happened then, and nothing else.

    >>> Box(start=1, end=3).laplace(sp.Integer(0))
    2
    """

    amplitude: sp.Expr = number("1")
    start: sp.Expr = number("0")
    end: sp.Expr = number("1")
    lag: sp.Expr = delay()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.start.is_nonnegative:
            raise ValueError(f"box: start must be >= 0, for no memory is of the future, got {self.start}")
        if not self.end > self.start:
            raise ValueError(f"box: end must be > start = {self.start}, got {self.end}; the box would be empty")

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude

    @property
    def extent(self) -> tuple[sp.Expr, sp.Expr]:
        return self.start, self.end

    def transform(self, s: sp.Expr, horizon: sp.Expr) -> sp.Expr:
        end = sp.Min(self.end, horizon)
        if not end > self.start:
            return ZERO
        return self.amplitude * sp.exp(-s * self.start) * ExponentialMoment(0, s, end - self.start)

    @property
    def reach(self) -> sp.Expr:
        return self.support[1]

    def tail(self, T: sp.Expr) -> sp.Expr:
        return abs(self.amplitude) * sp.Max(0, self.support[1] - T)


@dataclass(frozen=True)
class Erlang(Kernel, kind="erlang"):
    """rho(t) = A t^order e^{-rate t}: a chain of order + 1 equal leaky integrators, up to its norm.

    >>> Erlang(order=2).laplace(sp.Integer(1))
    1/4
    """

    amplitude: sp.Expr = number("1")
    order: sp.Expr = field(default="0", metadata={"check": _count(0, 1000, "a power of t")})
    rate: sp.Expr = positive_number("1", "for the memory to fade")
    lag: sp.Expr = delay()

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude * t**self.order * sp.exp(-self.rate * t)

    def transform(self, s: sp.Expr, horizon: sp.Expr) -> sp.Expr:
        return self.amplitude * ExponentialMoment(self.order, s + self.rate, horizon)

    @property
    def reach(self) -> sp.Expr:
        return self.lag + self.order / self.rate

    def tail(self, T: sp.Expr) -> sp.Expr:
        u = T - self.lag
        powers = (u**k * self.rate**k / sp.factorial(k) for k in range(int(self.order) + 1))
        whole = sp.factorial(self.order) / self.rate ** (self.order + 1)
        return abs(self.amplitude) * whole * sp.exp(-self.rate * u) * sp.Add(*powers)


@dataclass(frozen=True)
class PowerLaw(Kernel, kind="power-law"):
    """rho(t) = A (1+t)^{-(1+omega)}: memory that fades algebraically, the longer the smaller omega.

    >>> PowerLaw(omega="1/2").laplace(sp.Integer(0))
    2
    """

    amplitude: sp.Expr = number("1")
    omega: sp.Expr = positive_number("1", "for the kernel to be integrable")
    lag: sp.Expr = delay()

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude * (1 + t) ** -(1 + self.omega)

    def transform(self, s: sp.Expr, horizon: sp.Expr) -> sp.Expr:
        if horizon is sp.oo:
            return self.amplitude * PowerMoment(0, s, 1 + self.omega)
        return super().transform(s, horizon)

    def tail(self, T: sp.Expr) -> sp.Expr:
        return abs(self.amplitude) * (1 + T - self.lag) ** -self.omega / self.omega


@dataclass(frozen=True)
class Airy(Kernel, kind="airy"):
    """rho(t) = A Ai(scale (t - shift)): oscillations that grow slower towards t = shift, and a fast end after it."""

    amplitude: sp.Expr = number("1")
    scale: sp.Expr = positive_number("1", "for the memory to fade")
    shift: sp.Expr = number("0")
    lag: sp.Expr = delay()

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude * sp.airyai(self.scale * (t - self.shift))

    @property
    def reach(self) -> sp.Expr:
        return self.lag + sp.Max(0, self.shift)


@dataclass(frozen=True)
class Expression(Kernel, kind="expression"):
    """rho(t) = any formula in t, such as "exp(-t) * cos(3*t)"; see theory/expression.py for what it may contain.

    >>> Expression("t*exp(-t)").rho(sp.Integer(2))
    2*exp(-2)
    """

    formula: sp.Expr = field(metadata={"check": _formula, "key": "rho"})
    lag: sp.Expr = delay()

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.formula.subs(TIME, t)

    @property
    def square_integrable(self) -> bool:
        try:
            return envelope(self.formula, t).integrable_square
        except Unbounded:
            return False
