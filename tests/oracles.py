"""Oracles: quadrature of the definitions, from raw numbers only; no formula of theory/ or numerics/ is used.

    e(t) = sum_i a_i e^{-w_i t} - rho(t) ,   J = int_0^T e^2 dt                                              (M2), (M3)
    dJ/dp = int 2 e e_p ,   d^2 J/dp dq = int 2 (e_p e_q + e e_pq) ,   with e_p the derivative of e by a parameter p

Raw data: units = ((a, w), ...), terms = (("exponential", a, w), ("gaussian", A, sigma, L), ...) with the fields of
FIELDS, all Fractions; every term but a Gaussian may carry its lag at the end. An expression is raw by the name it has
in FORMULAS. T is `horizon`; None stands for an infinite one.

Arb's adaptive quadrature encloses the integral over each piece between two jumps of rho. For T = inf it ends so late
that what is cut lies far below the digits. Integrals of one term or of a product of two are good to DIGITS relative
digits, however small they are; sums, which may cancel, to 10^-DIGITS.
"""

from fractions import Fraction
from itertools import pairwise, product

import flint
import numpy as np
import scipy.linalg

from tolerances import working

DIGITS = 45
MARGIN = 15  # digits beyond DIGITS at which a tail is cut
CUT = Fraction(5 * (DIGITS + MARGIN), 2)  # more than ln 10^(DIGITS + MARGIN), for 5/2 > ln 10
FIELDS = {
    "exponential": ("amplitude", "rate", "lag"),
    "gaussian": ("amplitude", "width", "lag"),
    "box": ("amplitude", "start", "end", "lag"),
    "erlang": ("amplitude", "order", "rate", "lag"),
    "power-law": ("amplitude", "omega", "lag"),
    "airy": ("amplitude", "scale", "shift", "lag"),
}
FORMULAS = {  # as SymPy prints them -> (the function by hand, its rate of decay)
    "exp(-t)*cos(3*t)": (lambda t, _: (-t).exp() * (3 * t).cos(), 1),
    "exp(-t)/(t**2 + 1)": (lambda t, _: (-t).exp() / (t * t + 1), 1),
    "sqrt(t + 1)*exp(-2*t)": (lambda t, analytic: (t + 1).sqrt(analytic=analytic) * (-2 * t).exp(), 2),
}


def fraction(value):
    """An exact rational of any library as a Fraction."""
    return Fraction(int(value.p), int(value.q)) if hasattr(value, "p") else Fraction(value)


def raw_units(network):
    return tuple((fraction(a), fraction(w)) for a, w in network.units)


def raw_term(kernel):
    if kernel.kind == "expression":
        return kernel.kind, str(kernel.formula), fraction(kernel.lag)
    return kernel.kind, *(fraction(getattr(kernel, name)) for name in FIELDS[kernel.kind])


def raw_terms(kernels):
    return tuple(map(raw_term, kernels))


def ball(value):
    return flint.acb(flint.fmpq(value.numerator, value.denominator))


def split(term):
    """(kind, fields without the lag, lag) of a raw term; a Gaussian is not delayed, whatever its centre."""
    kind, *fields = term
    count = {"gaussian": 3, "expression": 1}.get(kind) or len(FIELDS[kind]) - 1
    return kind, fields[:count], fields[count] if len(fields) > count else Fraction(0)


def support(term):
    """Begin and end of a raw term; None for no end."""
    kind, fields, lag = split(term)
    return (lag + fields[1], lag + fields[2]) if kind == "box" else (lag, None)


def value_at(term, t, analytic=False):
    """rho(t) of one raw term on its support; t an acb. analytic: not-a-number where a branch cut is met."""
    kind, fields, lag = split(term)
    t = t - ball(lag)
    if kind == "expression":
        return FORMULAS[fields[0]][0](t, analytic)
    amplitude, *shape = map(ball, fields)
    match kind:
        case "exponential":
            value = (-shape[0] * t).exp()
        case "gaussian":
            value = (-(((t - shape[1]) / shape[0]) ** 2) / 2).exp()
        case "box":
            value = 1
        case "erlang":
            value = t ** int(fields[1]) * (-shape[1] * t).exp()
        case "power-law":
            value = (1 + t).pow(-1 - shape[0], analytic=analytic)
        case "airy":
            value = (shape[0] * (t - shape[1])).airy_ai()
    return amplitude * value


def long_enough(terms, shift=0, power=1):
    """T with int_T^inf far below 10^-DIGITS, for terms^power e^{-shift t} (shift = 0, power = 2 for a square)."""
    return max((_end(term, shift, power) for term in terms), default=CUT)


def _end(term, shift, power):
    kind, fields, lag = split(term)
    match kind:
        case "exponential" | "erlang":
            return lag + CUT / (fields[-1] + shift)
        case "expression":
            return lag + CUT / (FORMULAS[fields[0]][1] + shift)
        case "gaussian":
            return abs(fields[2]) + 16 * fields[1]
        case "box":
            return lag + fields[2]
        case "airy":
            return lag + max(Fraction(0), fields[2]) + 36 / fields[1]  # Ai(36) = 1e-64
        case "power-law":
            faded = (DIGITS + MARGIN) / (power * (1 + fields[1]) - 1)
            return lag + (CUT / shift if shift else Fraction(10) ** (int(faded) + 1))


def integral(function, upper, lower=Fraction(0), floor=Fraction(1), digits=DIGITS):
    """int_lower^upper of function(t, analytic) to `digits`, relative or of `floor`; a ball, the cut tail included."""
    with flint.ctx.workprec(int(3.33 * (digits + 10))):
        tiny = flint.arb(10) ** -(digits + 5)
        least = tiny * flint.fmpq(floor.numerator, floor.denominator)
        limits = {"abs_tol": least, "rel_tol": tiny, "depth_limit": 10_000}
        found = flint.acb.integral(function, ball(lower), ball(upper), **limits)
        return found.real + flint.arb(0, least + tiny * abs(found.real))


RELATIVE = Fraction(1, 10**3000)  # a floor below everything


def over_pieces(function, terms, upper, floor=Fraction(1), needed=0):
    """int_0^upper of function(t, analytic, terms that are present at t), piece by piece between the jumps of rho.

    It is 0 where fewer than `needed` terms are present.
    """
    edges = {edge for term in terms for edge in support(term) if edge is not None and 0 < edge < upper}
    total = flint.arb(0)
    for lower, end in pairwise(sorted({Fraction(0), Fraction(upper), *edges})):
        begun = [(support(term), term) for term in terms if support(term)[0] <= lower]
        present = [term for (_, last), term in begun if last is None or last >= end]
        if len(present) < needed:
            continue
        part = integral(lambda t, flag, present=present: function(t, flag, present), end, lower, floor)
        with flint.ctx.workprec(int(3.33 * (DIGITS + 10))):
            total += part
    return total


def rho(terms, t, analytic=False):
    return sum((value_at(each, t, analytic) for each in terms), flint.acb(0))


def laplace_by_quadrature(terms, s, order=0, horizon=None):
    """int_0^T t^order e^{-st} rho(t) dt, order = 0, 1, 2, ..., relative for each term."""

    def integrand(t, analytic, present):
        return t**order * (-ball(s) * t).exp() * rho(present, t, analytic)

    with flint.ctx.workprec(int(3.33 * (DIGITS + 10))):
        each = ((term, _upper([term], horizon, shift=s)) for term in terms)
        return sum((over_pieces(integrand, [term], upper, RELATIVE, needed=1) for term, upper in each), flint.arb(0))


def _upper(terms, horizon, **decay):
    """Where to end: at the horizon, or where all has faded."""
    faded = long_enough(terms, **decay)
    return faded if horizon is None else min(Fraction(horizon), faded)


def tail_by_quadrature(term, begin):
    """int_begin^inf rho(t) dt of one raw term, relative."""
    upper = long_enough([term])
    last = support(term)[1]
    upper = upper if last is None else min(upper, last)
    if upper <= begin:
        return flint.arb(0)
    return integral(lambda t, flag: value_at(term, t, flag), upper, Fraction(begin), RELATIVE)


def divided_by_quadrature(n, s, beta, horizon):
    """int_0^T t^n e^{-st} (1 - e^{-beta t})/beta dt, relative."""

    def integrand(t, _):
        divided = -(-ball(beta) * t).expm1() / ball(beta) if beta else t
        return t**n * (-ball(s) * t).exp() * divided

    return integral(integrand, Fraction(horizon), floor=RELATIVE)


def overlap_by_quadrature(p, q, s, horizon=None):
    """int_0^T e^{-st} p(t) q(t) dt of two raw terms, relative."""

    def integrand(t, analytic, _):
        return (-ball(s) * t).exp() * value_at(p, t, analytic) * value_at(q, t, analytic)

    return over_pieces(integrand, [p, q], _upper([p, q], horizon, shift=s, power=2), RELATIVE, needed=2)


def weighted_square_by_quadrature(terms, s, horizon=None):
    """int_0^T e^{-2st} (sum of the raw terms)^2 dt."""
    upper = _upper(terms, horizon, shift=s, power=2)
    return over_pieces(lambda t, flag, present: (-2 * ball(s) * t).exp() * rho(present, t, flag) ** 2, terms, upper)


def _error(units, terms, t, analytic):
    return sum((ball(a) * (-ball(w) * t).exp() for a, w in units), flint.acb(0)) - rho(terms, t, analytic)


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


def _error_integral(integrand, units, terms, horizon, **decay):
    """int_0^T integrand(t, e(t)) dt."""
    upper = _upper([*(("exponential", a, w) for a, w in units), *terms], horizon, **decay)
    return over_pieces(lambda t, flag, present: integrand(t, _error(units, present, t, flag)), terms, upper)


def squared_error_by_quadrature(units, terms, horizon=None):
    """J (M3)."""
    return _error_integral(lambda t, e: e**2, units, terms, horizon, power=2)


def gradient_by_quadrature(units, terms, horizon=None):
    """grad J by amplitudes, then rates: a list of 2m balls."""
    slowest = min(w for _, w in units)  # every slope fades so fast
    return [
        _error_integral(lambda t, e, p=p: 2 * e * _slopes(units, t)[p], units, terms, horizon, shift=slowest)
        for p in range(2 * len(units))
    ]


def hessian_by_quadrature(units, terms, horizon=None):
    """The Hessian of J in the same order: a dict (p, q) -> ball, p <= q."""

    def integrand(t, e, p, q):
        slopes = _slopes(units, t)
        return 2 * (slopes[p] * slopes[q] + e * _curvature(units, p, q, t))

    slowest = min(w for _, w in units)
    pairs = [(p, q) for p, q in product(range(2 * len(units)), repeat=2) if p <= q]
    return {
        (p, q): _error_integral(lambda t, e, p=p, q=q: integrand(t, e, p, q), units, terms, horizon, shift=slowest)
        for p, q in pairs
    }


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


def hankel_by_lyapunov(A, b, c, count):
    """sigma_1 .. of rho(t) = c e^{At} b, float64: the roots of the eigenvalues of the product of its two Gramians."""
    P = scipy.linalg.solve_continuous_lyapunov(A, -np.outer(b, b))
    Q = scipy.linalg.solve_continuous_lyapunov(A.T, -np.outer(c, c))
    return np.sqrt(np.sort(np.linalg.eigvals(P @ Q).real)[::-1][:count])


def hankel_on_a_grid(rho, count, nodes, weights):
    """|eigenvalues| of sqrt(w_i) rho(t_i + t_j) sqrt(w_j), largest first: the definition on a grid, float64."""
    roots = np.sqrt(weights)
    sizes = abs(np.linalg.eigvalsh(roots[:, None] * rho(nodes[:, None] + nodes[None, :]) * roots[None, :]))
    return np.sort(sizes)[::-1][:count]


def double_exponential(points=161, widest=4.2):
    """Nodes and weights on (0, inf), t = exp(pi/2 sinh u): for kernels that fade like a power of t."""
    u = np.linspace(-widest, widest, points)
    t = np.exp(np.pi / 2 * np.sinh(u))
    return t, t * np.pi / 2 * np.cosh(u) * (u[1] - u[0])


def uniform(end, points):
    """Gauss-Legendre nodes and weights on [0, end]."""
    x, w = np.polynomial.legendre.leggauss(points)
    return end * (x + 1) / 2, end * w / 2
