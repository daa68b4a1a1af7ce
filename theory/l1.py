r"""The L1 error of an exponential sum through its sign changes, and what they satisfy at the best one.

Operator error  sup |H - H_hat| = int_0^inf |e(t)| dt ,   e = rho_hat - rho                                  (M1)

With the tail F(t) = int_t^inf e, which is closed where those of all terms are (`Kernel.tail`), the sign changes
0 < t_1 < .. < t_n of e and s the sign of e before t_1, since F falls where e > 0,

    ||e||_1 = sum_j c_j F(t_j) ,   t_0 = 0 ,   c_0 = s ,   c_j = 2 s (-1)^j                                 (LE1)

and no t_j matters for its derivative by a parameter: dF(t_j)/dt_j = -e(t_j) = 0. For a mixture rho of exponentials
(theory/mixtures.py) e is one too, of a measure nu with the masses of the network; by the total positivity of e^{-lt},

    zeros of e on the line, with multiplicity  <=  sign changes of nu along l > 0                           (LE2)

(Karlin; Descartes' rule for exponential sums). A positive measure leaves at most 2m changes at width m. So the best
network with real rates for a completely monotone rho solves 4m equations for its 2m parameters and the t_j, with
phi = F w/a and phi_v = F_v w/a of one unit, v = ln w,

    sum_j c_j phi(w_i t_j) = 0 ,   sum_j c_j phi_v(w_i t_j) = 0 ,   e(t_j) = 0 ;   i = 1..m ,  j = 1..2m    (LE3)

The first 2m say that sign e is orthogonal to e^{-w_i t} and t e^{-w_i t}, which is why there are 2m changes and not
fewer. They hold no amplitude, phi and phi_v are functions of w t alone, and of moderate size: Newton's method for all
unknowns at once (in ln a, ln w, ln t) converges where that for the norm as a function of the network crawls along
curved valleys: 8 steps for m = 50, where the latter took 400 and had not arrived. Derived here.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import sympy as sp

from theory.kernels import Box, Erlang, Exponential, Kernel, PowerLaw
from theory.mixtures import Mixture
from theory.rnn import LinearRNN

a, w, t = sp.symbols("a w t", positive=True)


@cache
def unit_block() -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(F, e, e') of one unit in (a, w, t), a > 0. Exact."""
    F = Exponential(a, w).tail(t)
    return F, -sp.diff(F, t), -sp.diff(F, t, 2)


@cache
def optimality_block() -> tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]:
    """(phi, phi_v) of (LE3) and their derivatives by ln w, which are those by ln t, in (w, t). Exact."""
    F = unit_block()[0]
    by_log = lambda value: w * sp.diff(value, w)
    phi, phi_v = (sp.simplify(each * w / a) for each in (F, by_log(F)))
    return phi, phi_v, by_log(phi), by_log(phi_v)


def norm(kernels: Sequence[Kernel]) -> sp.Expr | None:
    """||rho||_1 = |R(0)|, where all terms have one sign and a closed integral; None elsewhere. Exact.

    >>> norm([PowerLaw(omega="1/2"), Box(end=3)])
    5
    """
    if not all(isinstance(each, Exponential | Erlang | PowerLaw | Box) for each in kernels):
        return None
    amplitudes: list[sp.Expr] = [each.amplitude for each in kernels]  # type: ignore[attr-defined]
    if any(a < 0 for a in amplitudes) and any(a > 0 for a in amplitudes):
        return None
    return abs(sp.Add(*(each.laplace(sp.S.Zero) for each in kernels)))


def tail(kernel: Mixture) -> sp.Expr:
    """int_t^inf rho, from the `tail` of its terms, in t. Exact.

    >>> tail(Mixture(((sp.Integer(-1), sp.Integer(2)),), ()))
    -exp(-2*t)/2
    """
    exponentials = (sp.sign(a) * Exponential(a, w).tail(t) for a, w in kernel.atoms)
    return sp.Add(*exponentials, *(sp.sign(A) * PowerLaw(A, omega).tail(t) for A, omega in kernel.power_laws))


def most_sign_changes(kernel: Mixture, network: LinearRNN) -> int | None:
    """The bound (LE2) on the zeros of e for t > 0; one at t = 0 is known. Exact; None for power laws of two signs.

    >>> most_sign_changes(Mixture((), ((sp.Integer(1), sp.Integer(1)),)), LinearRNN([("1", "1"), ("1", "2")]))
    4
    """
    signs = {sp.sign(A) for A, _ in kernel.power_laws}
    if len(signs) > 1:
        return None
    between = [-sign for sign in signs]
    sequence = list(between)
    masses = _masses(kernel, network)
    for _, mass in sorted(masses.items()):
        sequence += [sp.sign(mass), *between]
    at_zero = sum(masses.values()) == sum(A for A, _ in kernel.power_laws)  # e(0) = 0
    return max(sum(one != other for one, other in pairwise(sequence)) - at_zero, 0)


def reproduces(kernel: Mixture, network: LinearRNN) -> bool:
    """Whether rho_hat = rho. Exact."""
    return not kernel.power_laws and not _masses(kernel, network)


def _masses(kernel: Mixture, network: LinearRNN) -> dict[sp.Expr, sp.Expr]:
    """The point masses of nu by rate, those that do not cancel."""
    masses: defaultdict[sp.Expr, sp.Expr] = defaultdict(lambda: sp.Integer(0))
    for mass, rate in (*network.units, *((-a, w) for a, w in kernel.atoms)):
        masses[rate] += mass
    return {rate: mass for rate, mass in masses.items() if mass != 0}
