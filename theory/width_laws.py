r"""Width laws: how many units long memory takes, what is proved of it and what is only seen.

Power law rho = (1+t)^{-(1+om)}, singular values sigma_m of its Hankel operator, E_m >= sigma_{m+1} (M16):

    -ln sigma_m = pi sqrt(2 om m) - om ln(pi sqrt(2 om m)) + O(1)              phase-space count            (M17)
    sigma_{m+1} ~ (2 pi/Gamma(1+om)) (4X/(pi e))^om e^{-X} ,  X = pi sqrt(2 om (m+1/2))   conjectured        (M18)

so the least width for the L1 error eps is ~ ln^2(1/eps)/(2 pi^2 om): linear in the memory 1/om, polylogarithmic in the
accuracy. With a margin, all Re rates >= mu > 0, the exponential curse is a theorem. For 2 om eps < 1 let

    T = (2 om eps)^{-1/om} - 1 ,  so that int_T^inf rho = 2 eps                                              (D3)
    m >= 1 + [mu T/2 - ln(1 + 1/(om eps))] / ln(4e)                              proved (Turan)              (M19)
    eps <= C e^{-mu T}/mu  for coefficients with sum |c| <= C, any width         proved                      (M20)

(M20): what the network holds beyond T is at least 2 eps - eps, and at most C int_T^inf e^{-mu t} dt.

A bump A exp(-(t-L)^2/(2 sg^2)) at the time L fills L times the bandwidth over pi of phase space,

    m ~ (L/(pi sg)) sqrt(2 ln(A sg sqrt(2 pi)/eps))                              asymptotic in L             (D4)

A pure delay, y_t = x_{t-L}, is no kernel: Gamma f(t) = f(L-t) on [0, L] is an isometry there, all its singular values
are 1, and no width brings the error below 1                                                                 (D5)

Fractional differencing (1-B)^d has the leading term of (M17) with om = d, but not its logarithm: the rates of its
mixture end at 1, where those of a power law fade like e^{-l}. Its singular values follow

    sigma_k ~ 2 sin(pi d) 4^d e^{-X} ,  X = pi sqrt(2 d (k - 1/2))                          conjectured        (D6)

with a relative error that falls like 1/sqrt k. The source argues om eps^{-1/om} from above.
(M17)-(M20) from mathematics.md; Turan's theorem on power sums cited second-hand.
"""

import sympy as sp

from theory.exact import Exact, exact, positive
from theory.latex import Statement
from theory.theorem import Theorem, Word

OURS = "derived in this project"
FADES = "for the kernel to be integrable"
m, k = sp.symbols("m k", integer=True, positive=True)
omega, eps, mu, L = sp.symbols("omega epsilon mu L", positive=True)


def log_singular_value(index: Exact | sp.Expr, omega: Exact | sp.Expr) -> sp.Expr:
    """ln sigma_index of (1+t)^-(1+omega) up to O(1), index >= 1 (M17). Asymptotic."""
    area = sp.pi * sp.sqrt(2 * positive(omega, "omega", FADES) * positive(index, "index", "for it counts from 1"))
    return positive(omega, "omega", FADES) * sp.log(area) - area  # (M17)


def singular_value(width: Exact | sp.Expr, omega: Exact | sp.Expr) -> sp.Expr:
    """sigma_{m+1} of (1+t)^-(1+omega), what a network of width m >= 1 must miss at least (M18). Conjectured.

    Within 5 % for m >= 5 and 1/2 <= omega <= 1.

    >>> sp.N(singular_value(5, "1/2"), 6)
    0.00831500
    """
    om = positive(omega, "omega", FADES)
    X = sp.pi * sp.sqrt(2 * om * (positive(width, "width", "for a network") + sp.Rational(1, 2)))
    return 2 * sp.pi / sp.gamma(1 + om) * (4 * X / (sp.pi * sp.E)) ** om * sp.exp(-X)  # (M18)


def differencing_singular_value(index: Exact | sp.Expr, d: Exact | sp.Expr) -> sp.Expr:
    """sigma_index of fractional differencing (1-B)^d, 0 < d < 1, index >= 1 (D6). Conjectured.

    >>> sp.N(differencing_singular_value(6, "1/4"), 6)
    0.0109262
    """
    power = positive(d, "d", "for a filter (1-B)^d with an absolutely summable memory")
    X = sp.pi * sp.sqrt(2 * power * (positive(index, "index", "for it counts from 1") - sp.Rational(1, 2)))
    return 2 * sp.sin(sp.pi * power) * 4**power * sp.exp(-X)  # (D6)


def least_width(eps: Exact | sp.Expr, omega: Exact | sp.Expr) -> sp.Expr:
    """The leading term of the least width for the L1 error eps of a power law, from (M17). Asymptotic for eps -> 0."""
    accuracy = positive(eps, "eps", "for an error")
    return sp.log(1 / accuracy) ** 2 / (2 * sp.pi**2 * positive(omega, "omega", FADES))


def source_width(eps: Exact | sp.Expr, omega: Exact | sp.Expr) -> sp.Expr:
    """omega eps^(-1/omega), what the source argues for a power law: an upper-bound argument, second-hand."""
    om = positive(omega, "omega", FADES)
    return om * positive(eps, "eps", "for an error") ** (-1 / om)


def margin_time(eps: Exact | sp.Expr, omega: Exact | sp.Expr) -> sp.Expr:
    """T with int_T^inf (1+t)^-(1+omega) dt = 2 eps (D3). Exact. Raises ValueError unless 2 omega eps < 1."""
    accuracy, om = positive(eps, "eps", "for an error"), positive(omega, "omega", FADES)
    if not 2 * om * accuracy < 1:
        raise ValueError(f"eps must be < 1/(2 omega), got {accuracy} with omega = {om}; such an error is no demand")
    return _margin_time(accuracy, om)


def _margin_time(eps: sp.Expr, omega: sp.Expr) -> sp.Expr:
    return (2 * omega * eps) ** (-1 / omega) - 1  # (D3)


def least_width_at_margin(eps: Exact | sp.Expr, omega: Exact | sp.Expr, margin: Exact | sp.Expr) -> sp.Expr:
    """A lower bound of the width of every network with Re rates >= margin and L1 error <= eps (M19). Proved.

    May be below 1, where it says nothing. Raises ValueError unless 2 omega eps < 1.

    >>> sp.N(least_width_at_margin("1e-2", "1/2", 1), 6)
    2093.87
    """
    margin_time(eps, omega)  # for its errors
    rate = positive(margin, "margin", "for stability")
    return _width_at_margin(exact(eps, "eps"), exact(omega, "omega"), rate)


def _width_at_margin(eps: sp.Expr, omega: sp.Expr, mu: sp.Expr) -> sp.Expr:
    return 1 + (mu * _margin_time(eps, omega) / 2 - sp.log(1 + 1 / (omega * eps))) / sp.log(4 * sp.E)  # (M19)


def least_coefficients_at_margin(eps: Exact | sp.Expr, omega: Exact | sp.Expr, margin: Exact | sp.Expr) -> sp.Expr:
    """A lower bound of sum |c| for every network with Re rates >= margin and L1 error <= eps: (M20) for C. Proved."""
    rate = positive(margin, "margin", "for stability")
    return positive(eps, "eps", "for an error") * rate * sp.exp(rate * margin_time(eps, omega))


def bump_width(eps: Exact, lag: Exact, width: Exact = 1, amplitude: Exact = 1) -> sp.Expr:
    """The leading term of the least width for a Gaussian bump at a long lag (D4). Asymptotic in the lag.

    Raises ValueError for eps >= the area of the bump, which a network of width 0 reaches.
    """
    length, sigma = positive(lag, "lag", "for a memory"), positive(width, "width", "for a bump")
    area = positive(amplitude, "amplitude", "for a bump") * sigma * sp.sqrt(2 * sp.pi)
    accuracy = positive(eps, "eps", "for an error")
    if not accuracy < area:
        raise ValueError(f"eps must be below the area {area} of the bump, got {accuracy}; width 0 has that error")
    return _bump_width(accuracy, length, sigma, area)


def _bump_width(eps: sp.Expr, lag: sp.Expr, width: sp.Expr, area: sp.Expr) -> sp.Expr:
    return lag / (sp.pi * width) * sp.sqrt(2 * sp.log(area / eps))  # (D4)


def theorems() -> tuple[Theorem, ...]:
    """The laws with their hypotheses and what is proved of them."""
    s, C = sp.Function("sigma"), sp.Symbol("C", positive=True)
    A, width = sp.symbols("A varsigma", positive=True)
    power = "rho = (1+t)^-(1+omega), omega > 0"
    margin = "every rate of the network has a real part >= mu > 0, and its L1 error is <= epsilon < 1/(2 omega)"
    filled = _bump_width(eps, L, width, A * width * sp.sqrt(2 * sp.pi))
    few = C * sp.exp(-mu * _margin_time(eps, omega)) / mu
    bump = "rho = A exp(-(t-L)^2/(2 varsigma^2)), L -> inf"

    laws: tuple[tuple[str, tuple[str, ...], sp.Expr, str, sp.Expr, str, Word], ...] = (
        ("phase space", (power,), sp.log(s(m)), r"\sim", log_singular_value(m, omega), "M17", "asymptotic"),
        ("width", (power,), s(m + 1), r"\sim", singular_value(m, omega), "M18", "conjectured"),
        ("width at a margin", (power, margin), m, r"\ge", _width_at_margin(eps, omega, mu), "M19", "proved"),
        ("coefficients at a margin", (power, margin, "sum |c| <= C"), eps, r"\le", few, "M20", "proved"),
        ("bump", (bump,), m, r"\sim", filled, "D4", "asymptotic"),
    )
    shown = (
        Theorem(name, given, (Statement(name, left, right, number, relation),), word, OURS)
        for name, given, left, relation, right, number, word in laws
    )
    return (*shown, delay_law())


def delay_law() -> Theorem:
    """A pure delay is not approximable: every singular value is 1, whatever the width and the delay (D5)."""
    hypotheses = ("y_t = x_{t-L} with L > 0, a unit mass at t = L in place of a kernel",)
    sigma, E = sp.Function("sigma"), sp.Symbol("E_m")
    said = (Statement("pure delay", sigma(k), sp.S.One, "D5"), Statement("pure delay", E, sp.S.One, "D5", r"\ge"))
    return Theorem("pure delay", hypotheses, said, "proved", OURS)
