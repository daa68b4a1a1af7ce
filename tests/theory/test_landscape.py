"""The loss landscape against (M3), integrated and differentiated by SymPy for a concrete target and width."""

import pytest
import sympy as sp

from theory import landscape
from theory.landscape import F0, F1, F2, K0, K1, K2, a, a_j
from theory.special import ExponentialMoment

WIDTH = 2
t, s, T = sp.symbols("t s T", positive=True)
amplitudes = sp.symbols("a_1:3", real=True)
rates = sp.symbols("w_1:3", positive=True)


def integrate(sum_of_exponentials):
    """int_0^inf dt, term by term."""
    return sum(sp.integrate(term, (t, 0, sp.oo)) for term in sp.expand(sum_of_exponentials).args)


ERROR = sum(x * sp.exp(-y * t) for x, y in zip(amplitudes, rates, strict=True)) - sp.exp(-t)  # rho = e^{-t}
LOSS = integrate(ERROR**2)  # (M3)
FIELD = integrate(sp.exp(-s * t) * ERROR)  # F(s)
PARAMETERS = (*amplitudes, *rates)


def same(left, right):
    return sp.simplify(left - right) == 0


def in_unit(k):
    """F and its derivatives at w_k, and a_k, for the symbols of a block."""
    jet = {symbol: sp.diff(FIELD, s, order).subs(s, rates[k]) for order, symbol in enumerate((F0, F1, F2))}
    return jet | {a: amplitudes[k]}


def in_pair(k, j):
    overlap = sp.integrate(sp.exp(-s * t), (t, 0, sp.oo))
    jet = {symbol: sp.diff(overlap, s, order).subs(s, rates[k] + rates[j]) for order, symbol in enumerate((K0, K1, K2))}
    return jet | {a: amplitudes[k], a_j: amplitudes[j]}


@pytest.mark.parametrize("k", range(WIDTH))
def test_unit_block_is_the_gradient_of_the_integral(k):
    by_amplitude, by_rate = (block.xreplace(in_unit(k)) for block in landscape.gradient_block())
    assert same(by_amplitude, sp.diff(LOSS, amplitudes[k]))  # rejects a lost factor 2
    assert same(by_rate, sp.diff(LOSS, rates[k]))


@pytest.mark.parametrize("k", range(WIDTH))
@pytest.mark.parametrize("j", range(WIDTH))
def test_blocks_are_the_hessian_of_the_integral(k, j):
    block = landscape.coupling_block().xreplace(in_pair(k, j))
    if k == j:
        block += landscape.curvature_block().xreplace(in_unit(k))
    for p, row in enumerate((amplitudes[k], rates[k])):
        for q, column in enumerate((amplitudes[j], rates[j])):
            assert same(block[p, q], sp.diff(LOSS, row, column))  # rejects F differentiated where it is held fixed


def displayed(right):
    """A displayed expression at width 2 and rho = e^{-t}."""
    target, R = (sp.Lambda(s, f) for f in (sp.exp(-s), 1 / (s + 1)))
    right = right.subs(landscape.m, WIDTH).replace(landscape.rho, target).replace(landscape.R, R).doit()
    named = zip((landscape.A, landscape.W), (amplitudes, rates), strict=True)
    return right.subs({base[i + 1]: values[i] for base, values in named for i in range(WIDTH)})


def test_the_loss_that_is_displayed_is_the_integral():
    statement = landscape.loss()
    assert same(displayed(statement.right), LOSS)
    assert statement.number == "M4"


def test_the_gradient_that_is_displayed_is_its_gradient():
    for statement, parameters in zip(landscape.gradient(), (amplitudes, rates), strict=True):
        for k, parameter in enumerate(parameters, start=1):
            assert same(displayed(statement.right.subs(landscape.k, k)), sp.diff(LOSS, parameter))


def test_overlap_of_exponentials_at_any_argument():
    assert landscape.overlap_of_exponentials(s + 1) == 1 / (s + 1)
    assert landscape.overlap_of_exponentials(sp.Integer(0), T) == T
    assert same(landscape.overlap_of_exponentials(s + 1, T).explicit(), (1 - sp.exp(-(s + 1) * T)) / (s + 1))


NUMBERS = {
    amplitudes[0]: 2,
    amplitudes[1]: sp.Rational(-1, 3),
    rates[0]: sp.Rational(5, 4),
    rates[1]: sp.Rational(1, 7),
}


def until_T(function):
    """int_0^T dt at T = 7/2, of an expression in t, as a number."""
    return sp.integrate(sp.expand(function.subs(NUMBERS)), (t, 0, sp.Rational(7, 2)))


def written(expression):
    """Moments in closed form, at the numbers and T = 7/2."""
    plain = expression.replace(ExponentialMoment, lambda *arguments: ExponentialMoment(*arguments).explicit())
    return plain.doit().subs(NUMBERS).subs(T, sp.Rational(7, 2))


def test_the_loss_that_is_displayed_at_a_finite_horizon_is_the_integral():
    target = {landscape.rho: sp.Lambda(s, sp.exp(-s)), landscape.R: sp.Lambda(s, ExponentialMoment(0, s + 1, T))}
    right = landscape.loss(T).right.subs(landscape.m, WIDTH)
    for function, known in target.items():
        right = right.replace(function, known)
    right = right.doit().subs({landscape.A[i + 1]: amplitudes[i] for i in range(WIDTH)})
    right = right.subs({landscape.W[i + 1]: rates[i] for i in range(WIDTH)})
    assert abs(sp.N(written(right) - until_T(ERROR**2), 30)) < 1e-28  # rejects int rho^2 over an infinite horizon


def test_the_gradient_that_is_displayed_at_a_finite_horizon_is_its_gradient():
    for statement, parameters in zip(landscape.gradient(T), (amplitudes, rates), strict=True):
        right = statement.right.subs(landscape.k, WIDTH).subs(landscape.m, WIDTH)
        right = right.replace(landscape.R, sp.Lambda(s, ExponentialMoment(0, s + 1, T))).doit()
        right = right.subs({landscape.A[i + 1]: amplitudes[i] for i in range(WIDTH)})
        right = right.subs({landscape.W[i + 1]: rates[i] for i in range(WIDTH)})
        direct = until_T(sp.diff(ERROR**2, parameters[-1]))
        assert abs(sp.N(written(right) - direct, 30)) < 1e-28  # K' of T = inf is off in the first digit
