"""Oracles: quadrature of the definitions, from raw numbers only; no formula of theory/ or numerics/ is used.

    e(t) = sum_i a_i e^{-w_i t} - rho(t) ,   J = int_0^inf e^2 dt                                            (M2), (M3)
    dJ/dp = int 2 e e_p ,   d^2 J/dp dq = int 2 (e_p e_q + e e_pq) ,   with e_p the derivative of e by a parameter p

Raw data: units = ((a, w), ...), terms = (("exponential", a, w), ("gaussian", A, sigma, L), ...), all Fractions.
Arb's adaptive quadrature encloses the integral over [0, T]; T is so long that what is cut lies far below the digits.
"""

from fractions import Fraction
from itertools import product

import flint

from tolerances import working

DIGITS = 45
FIELDS = {"exponential": ("amplitude", "rate"), "gaussian": ("amplitude", "width", "lag")}


def fraction(value):
    """An exact rational of any library as a Fraction."""
    return Fraction(int(value.p), int(value.q)) if hasattr(value, "p") else Fraction(value)


def raw_units(network):
    return tuple((fraction(a), fraction(w)) for a, w in network.units)


def raw_terms(kernels):
    return tuple((each.kind, *(fraction(getattr(each, name)) for name in FIELDS[each.kind])) for each in kernels)


def ball(value):
    return flint.acb(flint.fmpq(value.numerator, value.denominator))


def value_at(term, t):
    """rho(t) of one raw term."""
    kind, amplitude, *shape = (term[0], *(ball(each) for each in term[1:]))
    if kind == "exponential":
        return amplitude * (-shape[0] * t).exp()
    width, lag = shape
    return amplitude * (-(((t - lag) / width) ** 2) / 2).exp()


def long_enough(terms, shift=0):
    """T with int_T^inf far below 10^-DIGITS: decay rates at least (slowest rate + shift), bumps 16 widths behind."""
    slowest = min([term[2] + shift for term in terms if term[0] == "exponential"], default=Fraction(1))
    bumps = max([abs(term[3]) + 16 * term[2] for term in terms if term[0] == "gaussian"], default=Fraction(0))
    return Fraction(5 * (DIGITS + 15), 2) / slowest + bumps  # 5/2 > ln 10


def integral(function, upper, digits=DIGITS):
    """int_0^upper of an analytic function, as an Arb ball with the cut tail in its radius."""
    with flint.ctx.workprec(int(3.33 * (digits + 10))):
        tiny = flint.arb(10) ** -(digits + 5)
        found = flint.acb.integral(lambda t, _: function(t), 0, ball(upper), abs_tol=tiny, rel_tol=tiny)
        return found.real + flint.arb(0, tiny)


def rho(terms, t):
    return sum(value_at(each, t) for each in terms)


def laplace_by_quadrature(terms, s, order=0):
    """int_0^inf t^order e^{-st} rho(t) dt, order = 0, 1, 2, ..."""
    upper = long_enough(terms, shift=s)
    return integral(lambda t: t**order * (-ball(s) * t).exp() * rho(terms, t), upper)


def overlap_by_quadrature(p, q, s):
    """int_0^inf e^{-st} p(t) q(t) dt of two raw terms."""
    upper = long_enough([p, q], shift=s)
    return integral(lambda t: (-ball(s) * t).exp() * value_at(p, t) * value_at(q, t), upper)


def weighted_square_by_quadrature(terms, s):
    """int_0^inf e^{-2st} (sum of the raw terms)^2 dt."""
    upper = long_enough(terms, shift=s)
    return integral(lambda t: (-2 * ball(s) * t).exp() * rho(terms, t) ** 2, upper)


def _error(units, terms, t):
    return sum(ball(a) * (-ball(w) * t).exp() for a, w in units) - rho(terms, t)


def _slopes(units, t):
    """e_p by the amplitudes, then by the rates."""
    by_amplitude = [(-ball(w) * t).exp() for _, w in units]
    by_rate = [-ball(a) * t * (-ball(w) * t).exp() for a, w in units]
    return by_amplitude + by_rate


def _curvature(units, p, q, t):
    """e_pq: zero but for two parameters of the same unit."""
    m = len(units)
    a, w = units[p % m]
    if p % m != q % m or (p < m and q < m):
        return 0
    decay = (-ball(w) * t).exp()
    return ball(a) * t**2 * decay if p >= m and q >= m else -t * decay


def squared_error_by_quadrature(units, terms):
    """J (M3)."""
    return integral(lambda t: _error(units, terms, t) ** 2, _horizon(units, terms))


def gradient_by_quadrature(units, terms):
    """grad J by amplitudes, then rates: a list of 2m balls."""
    upper = _horizon(units, terms)
    return [
        integral(lambda t, p=p: 2 * _error(units, terms, t) * _slopes(units, t)[p], upper)
        for p in range(2 * len(units))
    ]


def hessian_by_quadrature(units, terms):
    """The Hessian of J in the same order: a dict (p, q) -> ball, p <= q."""

    def integrand(t, p, q):
        slopes = _slopes(units, t)
        return 2 * (slopes[p] * slopes[q] + _error(units, terms, t) * _curvature(units, p, q, t))

    upper = _horizon(units, terms)
    pairs = [(p, q) for p, q in product(range(2 * len(units)), repeat=2) if p <= q]
    return {(p, q): integral(lambda t, p=p, q=q: integrand(t, p, q), upper) for p, q in pairs}


def _horizon(units, terms):
    return long_enough([*(("exponential", a, w) for a, w in units), *terms])


def squared_error_by_tanh_sinh(units, terms, digits):
    """J (M3) once more, by mpmath: guards the guard."""
    ctx = working(digits, guard=15)
    real = lambda value: ctx.mpf(value.numerator) / value.denominator
    exponentials = [*units, *((-term[1], term[2]) for term in terms if term[0] == "exponential")]
    decays = [(real(a), real(w)) for a, w in exponentials]
    bumps = [tuple(map(real, term[1:])) for term in terms if term[0] == "gaussian"]

    def error(t):
        fading = sum(a * ctx.exp(-w * t) for a, w in decays)
        return fading - sum(A * ctx.exp(-((t - L) ** 2) / (2 * sigma**2)) for A, sigma, L in bumps)

    around = {L + k * sigma for _, sigma, L in bumps for k in range(-12, 13, 3)}
    marks = [ctx.mpf(0), *sorted(mark for mark in around if mark > 0)]
    return ctx.quad(lambda t: error(t) ** 2, [*marks, marks[-1] + 1, marks[-1] + 10, marks[-1] + 100, ctx.inf])
