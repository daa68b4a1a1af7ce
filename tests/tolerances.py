"""Comparing numbers of every kind that memcurse makes: rationals, SymPy, float64, longdouble, mpmath, Arb balls."""

from fractions import Fraction

import flint
import numpy as np
import sympy as sp

from numerics.answer import context


def working(digits, guard=15):
    """A private mpmath context, `guard` digits wider than asked."""
    return context(digits + guard)


def number(value, ctx):
    """Anything as (midpoint, radius) in the context; the radius is 0 but for a ball."""
    if isinstance(value, np.ndarray):
        value = value.item()
    if isinstance(value, flint.arb):
        parts = (part.man_exp() for part in (value.mid(), value.rad()))
        midpoint, radius = (ctx.ldexp(int(mantissa), int(exponent)) for mantissa, exponent in parts)
        return midpoint, radius
    if isinstance(value, sp.Expr):
        written = value.replace(lambda each: hasattr(each, "closed"), lambda special: special.closed())
        return ctx.mpf(str(sp.N(written, ctx.dps))), 0
    if isinstance(value, np.longdouble):
        return ctx.mpf(str(value)), 0
    if isinstance(value, Fraction):
        return ctx.mpf(value.numerator) / value.denominator, 0
    return ctx.mpf(value), 0


def agree(x, y, digits, scale=0):
    """|x - y| <= 10^-digits * max(|x|, |y|, scale), for all points of balls. Give `scale` where values may cancel."""
    ctx = working(digits)
    (x, x_radius), (y, y_radius), (scale, _) = (number(value, ctx) for value in (x, y, scale))
    return abs(x - y) + x_radius + y_radius <= ctx.mpf(10) ** -digits * max(abs(x), abs(y), scale)


def encloses(ball, value, digits, scale=0):
    """The ball meets the value (a ball itself, or exact) and is narrow: radius <= 10^-digits * max(|ball|, scale)."""
    ctx = working(3 * digits)
    (midpoint, radius), (value, doubt), (scale, _) = (number(each, ctx) for each in (ball, value, scale))
    return abs(midpoint - value) <= radius + doubt and radius <= ctx.mpf(10) ** -digits * max(abs(midpoint), scale)
