r"""A density f(t) in complex balls: its values on the line, and a bound of |f| over a rectangle around an ellipse.

One evaluation in balls over a rectangle encloses f there. Where that meets a branch cut or a pole, the bound is
infinite, for f is then not analytic, or not known to be. On the line itself a corner or a root is no harm.

Arb's own bound of the Airy function over a wide ball explodes where the function oscillates; there

    |Ai(x+iy)| <= e^{eta^3/3 - x eta + y^2/(4 eta)} / (2 sqrt(pi eta)) ,  any eta > 0; least near Re sqrt(x+iy) (Q8)

from Ai(z) = int e^{i(u^3/3 + zu)} du / (2 pi) over u = k + i eta, whose integrand has the size
e^{eta^3/3 - x eta - eta k^2 - y k}. Derived here; (Q1)-(Q7) are in numerics/panels.py.
"""

from typing import Any

import flint
import sympy as sp

from numerics.arithmetic import Arb
from numerics.compiling import bind


class Density:
    """f in balls; use inside `balls.working()`."""

    def __init__(self, formula: sp.Lambda, balls: Arb) -> None:
        self.formula, self.balls = formula, balls
        planes = [_Plane(balls.digits, analytic) for analytic in (False, True)]
        self._on_line, self._on_plane = [bind(formula.variables, [formula.expr], plane) for plane in planes]

    def __str__(self) -> str:
        return str(self.formula.expr)

    @property
    def vanishes(self) -> bool:
        return bool(self.formula.expr == 0)

    def value(self, t: flint.arb) -> flint.arb:
        """f(t). Raises ValueError if it is not real and finite."""
        value = flint.acb(self._on_line(flint.acb(t))[0])
        if not (value.is_finite() and value.imag.contains(0)):
            raise ValueError(f"density must be real and finite, got {self} = {value} at t = {float(t):.6g}")
        return value.real

    def bound(self, centre: flint.arb, across: flint.arb, up: flint.arb) -> flint.arb:
        """A bound of |f(z)| for |Re z - centre| <= across, |Im z| <= up; not finite unless f is analytic, or up = 0."""
        rectangle = flint.acb(centre + flint.arb(0, across), flint.arb(0, up))
        [value] = (self._on_plane if up > 0 else self._on_line)(rectangle)
        return flint.acb(value).abs_upper()


class _Plane(Arb):
    """Complex balls with the functions a density may use; analytic: not-a-number where a branch cut is met."""

    name = "acb"

    def __init__(self, digits: int, analytic: bool) -> None:
        super().__init__(digits)

        def log(z: Any) -> Any:
            return z.log(analytic=analytic)

        def power(base: Any, exponent: Any) -> Any:
            base, exponent = flint.acb(base), flint.acb(exponent)
            value = base.pow(exponent, analytic=analytic)
            if value.is_finite() or analytic or not exponent.real > 0:
                return value
            size = flint.arb(0, base.abs_upper() ** exponent.real)  # the branch point lies inside
            return flint.acb(size, size)

        def atan(z: Any) -> Any:
            turned = flint.acb(0, 1) * z
            return flint.acb(0, 0.5) * (log(1 - turned) - log(1 + turned))  # Arb's own does not see its branch cuts

        plain = ("exp", "sin", "cos", "sinh", "cosh", "tanh", "erf", "erfc")
        self.functions = {name: getattr(flint.acb, name) for name in plain}
        self.functions |= {"airyai": _airy, "pi": flint.acb.pi, "log": log, "atan": atan}
        self.functions |= {"Abs": lambda z: z.real_abs(analytic=analytic)}
        self.functions |= {"power": power, "sqrt": lambda z: power(z, 0.5)}

    def number(self, exact: sp.Rational | int) -> Any:
        return flint.acb(super().number(exact))


def _airy(z: Any) -> Any:
    value, x, y = z.airy_ai(), z.real.lower(), z.imag.abs_upper()
    eta = flint.acb(x, y).sqrt().real.mid()
    if not eta > 0:
        return value
    size = (eta**3 / 3 - x * eta + y**2 / (4 * eta)).exp() / (2 * (flint.arb.pi() * eta).sqrt())  # (Q8)
    wide = not value.is_finite() or size < value.abs_upper()
    return flint.acb(flint.arb(0, size), flint.arb(0, size)) if wide else value


FUNCTIONS = frozenset(_Plane(15, analytic=True).functions) - {"power", "pi"}
