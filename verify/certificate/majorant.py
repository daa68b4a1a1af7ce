r"""Bounds of the gradient, the Hessian and the gain over complex polydiscs of displacements.

The formulas of theory/ are compiled once more, into complex balls: the program that gives numbers gives, for balls
around real centres, sets that hold all values, and |.| of these is bounded. Where a denominator may vanish, or a rate
may leave the half-plane in which a transform is analytic, the bound is not finite. Only the moments

    M_n(z) = int t^n e^{-zt} f(t) dt ,  f >= 0

need a word, since special functions of wide balls explode. Their derivatives alternate in sign, so Taylor's series
about a real c, with radius r of the disc, is bounded by its value to the left of it:

    |M_n(z) - M_n(c)| <= sum_{k >= 1} r^k M_{n+k}(c)/k! = M_n(c - r) - M_n(c) ,  |z - c| <= r               (V25)

provided that M_n(c - r) is finite. The divided moments D_n(s, beta) = int t^{n+1} e^{-st} int_0^1 e^{-u beta t} du dt
alternate in both variables, so likewise

    |D_n(s, beta) - D_n(c, b)| <= D_n(c - r, b - q) - D_n(c, b) ,  |s - c| <= r , |beta - b| <= q           (V26)

A density that is computed by quadrature serves if it is >= 0 by its form; others are refused. Derived here.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import flint
import numpy as np
import sympy as sp

from numerics.arithmetic import Arb, Arithmetic, Array, _elementwise, _objects
from numerics.compiling import bind
from numerics.landscape import Landscape
from numerics.quadrature import rule
from theory.problem import Problem
from theory.special import GaussianMoment
from verify.certificate.proved import NotProved

DIGITS = 25  # of bounds, which need no more; GaussianMoment may cancel
ENTIRE = ("exp", "sin", "cos", "sinh", "cosh", "tanh", "gamma")  # or with poles, where a ball is not finite
NOTHING = flint.acb("nan")

Moment = Callable[..., Any]


class Discs(Arb):
    """Complex balls through python-flint, with moments by (V25) and (V26); use inside `working()`."""

    name = "discs"

    def __init__(self, digits: int = DIGITS) -> None:
        super().__init__(digits)
        real = self.functions
        self.functions = {name: _elementwise(getattr(flint.acb, name)) for name in ENTIRE}
        cut = {"log": 1, "sqrt": 1, "pow": 2}  # with branch cuts: not-a-number on these
        analytic = {name: _elementwise(partial(getattr(flint.acb, name), analytic=True), n) for name, n in cut.items()}
        self.functions |= analytic | {"power": analytic["pow"], "pi": flint.acb.pi}
        self.functions |= {"erf": _unused, "erfc": _unused, "rule": _rule}
        moments = {"ExponentialMoment": real["ExponentialMoment"], "PowerMoment": _right_of_zero(real["PowerMoment"])}
        self.functions |= {name: _elementwise(_enclosing(moment), 3) for name, moment in moments.items()}
        self.functions |= {"GaussianMoment": _elementwise(self._gaussian, 5)}
        self.functions |= {"DividedMoment": _elementwise(_enclosing(real["DividedMoment"], variables=2), 4)}

    def number(self, exact: sp.Rational | int) -> Any:
        return flint.acb(super().number(exact))

    def _number(self, value: Any) -> Any:
        return value if isinstance(value, flint.acb) else flint.acb(super()._number(value))

    def _gaussian(self, _: Any, n: Any, s: Any, lag: Any, width: Any) -> Any:
        """The moment by (V25); its closed form over a wide ball goes unused."""
        order = round(float(flint.acb(n).real))
        return _enclosing(_real_gaussian(order, self.digits))(order, s, lag, width)


def _unused(_: Any) -> Any:
    return NOTHING


@lru_cache(maxsize=32)
def _real_gaussian(n: int, digits: int) -> Moment:
    s, lag, width = sp.symbols("s lag width", positive=True)
    program = bind((s, lag, width), (GaussianMoment(n, s, lag, width),), Arb(digits))
    return lambda _, *numbers: program(*numbers)[0]


def _right_of_zero(moment: Moment) -> Moment:
    return lambda n, s, *rest: moment(n, s, *rest) if s > 0 else flint.arb("nan")


def _rule(density: sp.Lambda, lower: sp.Expr, upper: sp.Expr, arithmetic: Arithmetic) -> Moment:
    """(V25) for a moment that is computed by quadrature."""
    if not density.expr.is_nonnegative:
        raise NotProved(f"no certificate for a kernel with the density {density.expr}, which is not known to be >= 0")
    return _elementwise(_enclosing(rule(density, lower, upper, Arb(arithmetic.digits))), 2)


def _enclosing(moment: Moment, variables: int = 1) -> Moment:
    """(V25), or (V26) for two variables, of a moment (n, variables..., parameters...) of real balls, for complex ones.

    Each variable goes to the left of its disc.
    """

    def enclosed(n: int, *given: Any) -> Any:
        discs = [_disc(each) for each in given[:variables]]
        parameters = [flint.acb(each).real for each in given[variables:]]
        at = moment(n, *(centre for centre, _ in discs), *parameters)
        left = moment(n, *((centre - radius).lower() for centre, radius in discs), *parameters)
        around = flint.arb(0, (left - at).abs_upper())
        return flint.acb(at + around, around)

    return enclosed


def _disc(z: Any) -> tuple[flint.arb, flint.arb]:
    """Exact centre and radius of a disc that holds a complex ball."""
    ball = flint.acb(z)
    centre = ball.real.mid()
    return centre, flint.acb(ball.real - centre, ball.imag).abs_upper()


class Majorant:
    """Bounds of one problem's landscape; call the methods inside `discs.working()`.

    centre, radii: real, last axis 2m, other axes free: all complex displacements with |z_i - centre_i| <= radii_i.
    """

    def __init__(self, problem: Problem, digits: int = DIGITS) -> None:
        self.discs = Discs(digits)
        self.landscape = Landscape(problem, self.discs)

    def gradient(self, centre: Array, radii: Array) -> Array:
        """Bounds of |dJ/dtheta_i|, exact, shape (..., 2m). Enclosed; nan or inf where there is none."""
        return _sizes(self.landscape.gradient(polydisc(centre, radii)))

    def hessian(self, centre: Array, radii: Array) -> Array:
        """Bounds of |d^2 J/dtheta_i dtheta_j|, exact, shape (..., 2m, 2m). Enclosed; nan or inf where there is none."""
        return self.gradient_and_hessian(centre, radii)[1]

    def gradient_and_hessian(self, centre: Array, radii: Array) -> tuple[Array, Array]:
        """Both bounds, from one evaluation. Enclosed."""
        gradient, hessian = self.landscape.gradient_and_hessian(polydisc(centre, radii))
        return _sizes(gradient), _sizes(hessian)


def polydisc(centre: Array, radii: Array) -> Array:
    """Complex balls that hold it."""
    around = [flint.arb(0, radius.upper()) for radius in np.ravel(radii)]
    pairs = zip(np.broadcast_to(centre, np.shape(radii)).ravel(), around, strict=True)
    return _objects(flint.acb(c + each, each) for c, each in pairs).reshape(np.shape(radii))


def _sizes(balls: Array) -> Array:
    return _objects(each.abs_upper() for each in balls.ravel()).reshape(balls.shape)
