r"""Explicit lower bounds on the escape time, with the sharp exponent.

T = inf, rho = rho_bar + b, start on the fit, so J(0) = ||b||^2; n = m + m* exponentials in all, every rate (w_i(0) and
w*_j) >= w_min, 0 < w_e < w_min. While all w_i >= w_e the error e = rho_hat - rho_bar lies in the span S of n
exponentials of rates >= w_e, so the drop is 2<e,b> - ||e||^2 <= ||proj_S b||^2 <= D(w_e). Along the flow
int |theta'|^2 dtau = drop; by Cauchy-Schwarz no rate reaches w_e before (w_min - w_e)^2 / D(w_e). Hence, for any
0 < s < w_e < w_min with D(w_e) <= drop,

    tau_0 >= (w_min - w_e)^2 / D(w_e)                                                                        (M21)
    D(w_e) = (w_e/(w_e-s)) sum_{k<n} ((w_e+s)/(w_e-s))^{2k} int_0^inf e^{-2st} b(t)^2 dt

(Takenaka-Malmquist basis of S, bounded on the line Re = -s), and for theta'' + gamma theta' = -grad J, gamma >= 0,
started at rest,

    tau_0 >= (w_min - w_e) / sqrt(2 D(w_e))                                                                  (M22)

Under a parametrisation w = phi(v) (M9) the method is one in theta = (a, v), and nothing in D asks how the rates move.
|theta'| bounds |v'|, and phi is monotone: a rate that falls from w_i(0) >= w_min to w_e passes w_min, and on the way
from there v moves by |phi^{-1}(w_min) - phi^{-1}(w_e)| at least. So with phi^{-1} at both rates,

    tau_0 >= (phi^{-1}(w_min) - phi^{-1}(w_e))^2 / D(w_e) ,
    tau_0 >= |phi^{-1}(w_min) - phi^{-1}(w_e)| / sqrt(2 D(w_e))                                              (B1)

All derived here; theory states them for every (w_e, s), numerics/bounds.py picks a good pair and evaluates in balls.
"""

from dataclasses import dataclass

import sympy as sp

from theory.latex import Statement
from theory.parametrisation import IDENTITY, Parametrisation, written_out
from theory.plateau import NoPlateau
from theory.problem import Problem, weighted_square

w_e, s = sp.symbols("w_e s", positive=True)


@dataclass(frozen=True)
class LowerBound:
    """(M21) and (M22) of one problem, in w_e and s; both hold wherever 0 < s < w_e < w_min and D <= drop.

    slowest: w_min. reach: D(w_e, s). parametrisation: of the rates, phi.
    """

    slowest: sp.Expr
    reach: sp.Expr
    drop: sp.Expr
    parametrisation: Parametrisation = IDENTITY

    @property
    def distance(self) -> sp.Expr:
        """How far the flow must go for a rate to reach w_e: w_min - w_e, or that of phi^{-1} (B1)."""
        return self.parametrisation.distance(self.slowest, w_e)

    @property
    def flow(self) -> sp.Expr:
        """Gradient flow cannot drop by D before this time (M21)."""
        return self.distance**2 / self.reach

    @property
    def momentum(self) -> sp.Expr:
        """No momentum method started at rest can drop by D before this time (M22)."""
        return self.distance / sp.sqrt(2 * self.reach)

    def statements(self) -> tuple[Statement, ...]:
        """(M21), (M22) and the D(w_e) in them, for display; any s < w_e serves."""
        tau, D = sp.Symbol("tau_0"), sp.Function("D")(w_e)
        shown = LowerBound(self.slowest, D, self.drop, self.parametrisation)
        flow, momentum = ("M21", "M22") if self.parametrisation == IDENTITY else ("B1", "B1")
        return (
            Statement("lower bound", tau, written_out(shown.flow), flow, r"\ge"),
            Statement("lower bound", tau, written_out(shown.momentum), momentum, r"\ge"),
            Statement("lower bound", D, self.reach, "M21"),
        )

    def _repr_latex_(self) -> str:
        flow, _, reach = (each._repr_latex_().strip("$") for each in self.statements())
        return rf"${flow} ,\quad {reach}$"


def lower_bound(problem: Problem) -> LowerBound:
    """The explicit lower bound (M21) of a problem whose start is on the fit. Exact as an expression.

    Raises NoPlateau, with the reason, for a finite horizon, off the fit or without a bump.
    """
    if problem.horizon != sp.oo:
        raise NoPlateau(f"the lower bound is derived for T = inf, and the horizon is {problem.horizon}")
    if problem.off_the_fit:
        raise NoPlateau(problem.off_the_fit)
    if problem.bump_vanishes:
        raise NoPlateau("the target has no bump, or its bump is zero; the start is the target")
    terms = problem.start.width + len(problem.pairing)  # n = m + m*
    ratio = ((w_e + s) / (w_e - s)) ** 2
    geometric = (ratio**terms - 1) / (ratio - 1)
    reach = w_e / (w_e - s) * geometric * weighted_square(problem.bump, s)
    slowest = sp.Min(*problem.start.rates)  # on the fit the matched rates are among them
    return LowerBound(slowest, reach, problem.drop, problem.parametrisation)
