r"""The L1 error of an exponential sum through its sign changes, and what they satisfy at the best one.

Operator error  sup |H - H_hat| = int_0^inf |e(t)| dt ,   e = rho_hat - rho                                  (M1)

With the tail F(t) = int_t^inf e, which is closed where those of all terms are (`Kernel.tail`), the sign changes
0 < t_1 < .. < t_n of e and s the sign of e before t_1, since F falls where e > 0,

    ||e||_1 = sum_j c_j F(t_j) ,   t_0 = 0 ,   c_0 = s ,   c_j = 2 s (-1)^j                                 (LE1)

and no t_j matters for its derivative by a parameter: dF(t_j)/dt_j = -e(t_j) = 0. So for completely monotone rho, where
there are at most 2m sign changes (MX3), the best network of width m with real rates solves 4m equations for its 2m
parameters and the t_j, with phi = F w/a and phi_v = F_v w/a of one unit, v = ln w,

    sum_j c_j phi(w_i t_j) = 0 ,   sum_j c_j phi_v(w_i t_j) = 0 ,   e(t_j) = 0 ;   i = 1..m ,  j = 1..2m    (LE2)

The first 2m say that sign e is orthogonal to e^{-w_i t} and t e^{-w_i t}, which is why there are 2m changes and not
fewer. They hold no amplitude, phi and phi_v are functions of w t alone, and of moderate size: Newton's method for all
unknowns at once (in ln a, ln w, ln t) converges where that for the norm as a function of the network crawls along
curved valleys: 8 steps for m = 50, where the latter took 400 and had not arrived. Derived here.
"""

from collections.abc import Iterable
from functools import cache

import sympy as sp

from theory.kernels import Exponential, Kernel

a, w, t = sp.symbols("a w t", positive=True)


@cache
def unit_block() -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(F, e, e') of one unit in (a, w, t), a > 0. Exact."""
    F = Exponential(a, w).tail(t)
    return F, -sp.diff(F, t), -sp.diff(F, t, 2)


@cache
def optimality_block() -> tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]:
    """(phi, phi_v) of (LE2) and their derivatives by ln w, which are those by ln t, in (w, t). Exact."""
    F = unit_block()[0]
    by_log = lambda value: w * sp.diff(value, w)
    phi, phi_v = (sp.simplify(each * w / a) for each in (F, by_log(F)))
    return phi, phi_v, by_log(phi), by_log(phi_v)


def tail(kernels: Iterable[Kernel]) -> sp.Expr:
    """int_t^inf of the sum of kernels of one sign each, from their `tail`, in t. Exact.

    >>> tail([Exponential("-1", "2")])
    -exp(-2*t)/2
    """
    each = ((kernel.tail(t), kernel.shape(sp.Integer(0))) for kernel in kernels)
    return sp.Add(*(sp.sign(first) * beyond for beyond, first in each))
