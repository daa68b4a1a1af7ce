r"""Two units on one exponential: they merge, wait together, and part when one has given its amplitude to the other.

rho_bar = a* e^{-w* t}, T = inf, b the bump, B its transform. In the Laguerre functions of rate w*, an orthonormal basis
whose k-th has the transform sqrt(2w*) (s - w*)^k / (s + w*)^{k+1}, and with z_i = (w_i - w*)/(w_i + w*),

    phi_k(t) = sqrt(2w*) L_k(2w* t) e^{-w* t} ,   P_k = <b, phi_k> = sqrt(2w*) sum_j binom(k,j) (2w*)^j B^(j)(w*) / j!
    kappa_k  = sqrt(2w*) P_k / a*                                                                            (U1)
    J        = sum_k (e_k - P_k)^2 ,   sqrt(2w*) e_k = sum_i a_i (1 - z_i) z_i^k - [k = 0] a*                (U2)

J is exact. Near w* the z_i are small and the sum a hierarchy of speeds. e_0 and e_1 relax at O(1) rates. They leave the
share p of the slower unit, a_1 = p a* and a_2 = (1-p) a* to leading order, and the gap D = z_2 - z_1, which is
(w_2 - w_1)/(2w*): z_1 = -(1-p) D, z_2 = p D, and

    sqrt(2w*) e_2 = a* p (1-p) D^2 ,   sqrt(2w*) e_3 = a* p (1-p) (2p-1) D^3                                 (U3)

Without a bump e_2 = 0 is reached like D ~ tau^{-1/2}, and p tends to p0 with p - p0 = O(D^2): the two merge. With it
the gap is pinned where e_2 = P_2, at a rate of order D^2:

    p (1-p) D^2 = kappa_2 ,   p (1-p) (w_2 - w_1)^2 = (2w*)^2 kappa_2                                        (U4)

What is left is p. The next term of (U2) is -2 P_3 e_3, e_3^2 being smaller, and along (U4) the rates move D times as
fast as the amplitudes, so |theta'|^2 = 2 a*^2 p'^2, however the rates are parametrised. On (U4) e_3 is proportional to
(2p-1)/sqrt(p(1-p)), the derivative of which is (p(1-p))^{-3/2}/2. Therefore 2 a*^2 p' = 2 P_3 de_3/dp,

    p' = kappa_3 kappa_2^{3/2} / (4w*) (p(1-p))^{-3/2}                                                       (U5)

and with kappa_2 > 0 > kappa_3 the slower unit loses its amplitude while the gap widens, until it is free to move:

    tau  = 4w* I(p0) / (-kappa_3 kappa_2^{3/2}) ,   I(p) = int_0^p (q(1-q))^{3/2} dq                         (M15)
    I(p) = [ 3 arccos(1-2p) - (1-2p) (6 + 16 p(1-p)) sqrt(p(1-p)) ] / 128                                    (U6)

A spare faster than w* (a_1 = a*, w_1 = w*; a_2 = 0, w_2 = w0 > w*) comes to the same place by itself. Its slow flow,
w' = g(w) d/dw [P^2/N] with P, N of (M13), takes it down to w*, where its amplitude P/N ~ kappa_2 a* / D^2 is no longer
small: it joins (U4) there, with no share of its own yet. So p0 = 1, whatever w0, and its way there adds to the wait:

    tau = int_{w*}^{w0} dw / (g(w) |d/dw (P^2/N)|) + 4w* I(1) / (-kappa_3 kappa_2^{3/2}) ,   I(1) = 3 pi/128    (U7)

The first part is of order e^{2 w* L}, the smaller one for long memory: exponent 5/2 w*, as for other coincided starts.

For a* = w* = 1 (M15) is 16 sqrt2 I / (|P_3| (4 sqrt2 P_2)^{3/2}). P_k ~ e^{-w* L}, so the exponent is 5/2 w*; neglected
are parts of order L D ~ L^2 e^{-w* L/2}. All derived here: (U1), (U2), (U6) are identities; (M15), (U7) estimated.
"""

from dataclasses import dataclass

import sympy as sp

from theory.exact import Exact, exact
from theory.kernels import Exponential, Kernel
from theory.latex import Statement
from theory.plateau import Plateau
from theory.problem import Problem, transform, weighted_square


class NotCoincided(ValueError):
    """The law of the coincided start (M15) does not describe this problem; the message says why."""


def drift_integral(p: sp.Expr) -> sp.Expr:
    """I(p) = int_0^p (q(1-q))^{3/2} dq for 0 <= p <= 1, in closed form (U6). Exact.

    >>> drift_integral(sp.Integer(1))
    3*pi/128
    """
    both = p * (1 - p)
    return (3 * sp.acos(1 - 2 * p) - (1 - 2 * p) * (6 + 16 * both) * sp.sqrt(both)) / 128


@dataclass(frozen=True)
class Coincidence:
    """One exponential and a bump: all that the law (M15) depends on, but for the share p0.

    exponential: rho_bar, amplitude a* and rate w*. bump: Kernels. first_drop: J(0) - J once the units have merged, to
    leading order; the wait is for a larger drop only. arrival: the Plateau of a spare faster than w* before it has come
    down to the other unit (U7), or None where both units have a part of the amplitude from the start.
    """

    exponential: Exponential
    bump: tuple[Kernel, ...]
    first_drop: sp.Expr
    arrival: Plateau | None = None

    def projection(self, k: int) -> sp.Expr:
        """P_k = <b, phi_k>, k = 0, 1, 2, ... (U1). Exact."""
        return _projection(self.bump, self.exponential.rate, k)

    def ratio(self, k: int) -> sp.Expr:
        """kappa_k (U1), a pure number; the law needs kappa_2 > 0 > kappa_3."""
        return sp.sqrt(2 * self.exponential.rate) * self.projection(k) / self.exponential.amplitude

    def drift(self, share: sp.Expr) -> sp.Expr:
        """p' at the share p (U5), in 1 / gradient-flow time; estimated."""
        speed = self.ratio(3) * self.ratio(2) ** sp.Rational(3, 2) / (4 * self.exponential.rate)
        return speed / (share * (1 - share)) ** sp.Rational(3, 2)

    def coincided_time(self, share: Exact) -> sp.Expr:
        """The escape time (M15) in gradient-flow time, exact in p0; estimated, for long memory.

        share: p0, 0 < p0 <= 1, of the slower unit in the whole amplitude after merging; a symbol is welcome. At 1 the
        faster one has just arrived (U7). Raises ValueError for a share outside, TypeError for a float.
        """
        p0 = exact(share, "share")
        if p0.is_number and not 0 < p0 <= 1:
            raise ValueError(f"share must be > 0 and <= 1 for the slower unit to have an amplitude to lose, got {p0}")
        speeds = -self.ratio(3) * self.ratio(2) ** sp.Rational(3, 2)
        return 4 * self.exponential.rate * drift_integral(p0) / speeds  # (M15)

    def statements(self) -> tuple[Statement, ...]:
        """Pinning, drift and escape time in kappa_2, kappa_3, and these, for display."""
        p, p0, tau, rate = sp.Symbol("p"), sp.Symbol("p_0"), sp.Symbol("tau"), self.exponential.rate
        two, three = sp.Symbol("kappa_2", positive=True), sp.Symbol("kappa_3", negative=True)
        gap, both = sp.Symbol("w_2") - sp.Symbol("w_1"), p * (1 - p)
        power, q = sp.Rational(3, 2), sp.Symbol("q")
        drift = three * two**power / (4 * rate * both**power)
        waited = 4 * rate * sp.Integral((q * (1 - q)) ** power, (q, 0, p0)) / (-three * two**power)
        subject = "coincided start"
        return (
            Statement(subject, both * gap**2, 4 * rate**2 * two, "U4"),
            Statement(subject, sp.Derivative(p, tau, evaluate=False), drift, "U5"),
            Statement(subject, sp.Symbol("tau_0"), waited, "M15", r"\sim"),
            *(Statement(subject, symbol, self.ratio(k), "U1") for k, symbol in ((2, two), (3, three))),
        )

    def _repr_latex_(self) -> str:
        return self.statements()[2]._repr_latex_()


def _projection(bump: tuple[Kernel, ...], rate: sp.Expr, k: int) -> sp.Expr:
    s = sp.Symbol("s", positive=True)
    B = transform(bump, s)
    terms = (sp.binomial(k, j) * (2 * rate) ** j * sp.diff(B, s, j) / sp.factorial(j) for j in range(k + 1))
    return sp.sqrt(2 * rate) * sp.Add(*terms).subs(s, rate)


def coincidence(problem: Problem) -> Coincidence:
    """The Coincidence that a problem's two units are on their way to.

    Raises NotCoincided, with the reason, where (M15) cannot apply whatever the numbers: not two units on one
    exponential, amplitudes not all of one sign, units that start alike or merged, no bump, a finite horizon. That the
    units do merge and that kappa_2 > 0 > kappa_3 is for numerics/coincidence.py to find.
    """
    units = problem.start.units
    if problem.horizon is not sp.oo:
        raise NotCoincided(f"the law of coincided units is for an infinite horizon, not for {problem.horizon}")
    if len(units) != 2:
        raise NotCoincided(f"the law is for two units that share one exponential; the network has {len(units)}")
    if len(problem.pairing) != 1:
        found = "two or more" if problem.pairing else "none"
        raise NotCoincided(f"two units must share one exponential of the target; it has {found}")
    if problem.bump_vanishes:
        raise NotCoincided("the target has no bump, or its bump is zero; nothing parts the units")
    (exponential,) = problem.pairing.values()
    bump = problem.bump
    plateau_gain = sp.Add(*(_projection(bump, exponential.rate, k) ** 2 for k in range(3)))
    first_drop = problem.initial_loss - weighted_square(bump, sp.Integer(0)) + plateau_gain  # (U2), e_k = P_k
    spare = next(rate for unit, (_, rate) in enumerate(units) if unit not in problem.pairing)
    if not problem.off_the_fit and spare > exponential.rate:
        arrival = Plateau((exponential.rate,), bump, spare, parametrisation=problem.parametrisation)
        return Coincidence(exponential, bump, first_drop, arrival)
    for unit, (amplitude, _) in enumerate(units):
        if not (amplitude * exponential.amplitude).is_positive:
            at_stake = f"unit {unit} has {amplitude}, the exponential {exponential.amplitude}"
            raise NotCoincided(f"both units must have amplitudes of the exponential's sign; {at_stake}")
    (a_1, w_1), (a_2, w_2) = units
    if w_1 == w_2 and (a_1 == a_2 or (w_1 == exponential.rate and a_1 + a_2 == exponential.amplitude)):
        how = "alike" if a_1 == a_2 else "merged"
        raise NotCoincided(f"the units start {how}, at one rate; which of them is the slower is not decided")
    return Coincidence(exponential, bump, first_drop)
