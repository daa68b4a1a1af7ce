"""Sign changes of mixtures: the bound on their number, the tails, the conditions of optimality by their definition."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import NETWORKS
from theory import l1
from theory.kernels import Exponential, Gaussian, PowerLaw
from theory.mixtures import NoMixture, completely_monotone, mixture
from theory.problem import Target
from theory.rnn import LinearRNN

POWER = mixture([PowerLaw()])


def real_roots(kernel, network):
    """Zeros for t > 0 of rho_hat - rho, both sums of exponentials of whole rates: a polynomial in e^{-t}."""
    x = sp.Symbol("x")
    terms = [*network.units, *((-a, w) for a, w in kernel.atoms)]
    polynomial = sp.Poly(sum(a * x ** int(w) for a, w in terms), x)
    return sum(count for root, count in sp.roots(polynomial, multiple=False, filter="R").items() if 0 < root < 1)


WHOLE = st.tuples(st.integers(-3, 3).filter(bool), st.integers(1, 4))


@settings(deadline=None, max_examples=40)
@given(units=st.lists(WHOLE, min_size=1, max_size=3), atoms=st.lists(WHOLE, min_size=1, max_size=3))
def test_an_error_has_no_more_zeros_than_its_measure_has_sign_changes(units, atoms):
    kernel = mixture([Exponential(a, w) for a, w in atoms])
    network = LinearRNN(tuple(units))
    if l1.reproduces(kernel, network):
        assert l1.most_sign_changes(kernel, network) == 0
        return
    # Rejects a bound that counts only the signs of the network, or forgets that equal rates cancel.
    assert real_roots(kernel, network) <= l1.most_sign_changes(kernel, network)


@given(network=NETWORKS)
def test_against_a_power_law_a_width_makes_at_most_two_changes_a_unit(network):
    # The density -s(l) stands between all masses; only positive ones change its sign.
    by_rate = {}
    for a, w in network.units:
        by_rate[w] = by_rate.get(w, 0) + a
    vanishes_at_0 = sum(by_rate.values()) == 1
    assert l1.most_sign_changes(POWER, network) == 2 * sum(bool(a > 0) for a in by_rate.values()) - vanishes_at_0


def test_power_laws_of_both_signs_have_no_bound():
    assert l1.most_sign_changes(mixture([PowerLaw(omega=1), PowerLaw(-1, 2)]), LinearRNN([("1", "1")])) is None


@pytest.mark.parametrize("amplitude", [-2, 3])
def test_the_tail_is_what_remains_of_the_kernel(amplitude):
    kernels = [Exponential(amplitude, "3/2"), PowerLaw(-amplitude, "1/2")]
    beyond = l1.tail(mixture(kernels))
    falling = sp.diff(beyond, l1.t) + sum(each.rho(l1.t) for each in kernels)
    assert [sp.simplify(falling.subs(l1.t, time)) for time in (1, 2)] == [0, 0]
    assert abs(beyond.subs(l1.t, 10**12)) < 1e-5


def test_the_conditions_are_orthogonality_to_the_unit_and_to_its_derivative():
    phi, phi_v, slope, slope_v = l1.optimality_block()
    w, t = l1.w, l1.t
    # int_t^inf w e^{-wu} du and its derivative by ln w at a fixed amplitude, from the integral itself.
    u = sp.Symbol("u", positive=True)
    amplitude = sp.Symbol("a", positive=True)
    remaining = sp.integrate(amplitude * sp.exp(-w * u), (u, t, sp.oo))
    assert sp.simplify(phi - remaining * w / amplitude) == 0
    assert sp.simplify(phi_v - w * sp.diff(remaining, w) * w / amplitude) == 0
    for value, by_log in ((phi, slope), (phi_v, slope_v)):
        assert sp.simplify(by_log - w * sp.diff(value, w)) == 0
        assert sp.simplify(by_log - t * sp.diff(value, t)) == 0


def test_only_positive_mixtures_are_completely_monotone():
    assert completely_monotone(Target([Exponential(), PowerLaw()])).positive
    for terms in ([Exponential(-1, 1), PowerLaw()], [Gaussian()], [Exponential(lag=1)]):
        with pytest.raises(NoMixture, match=r"completely monotone.*numerics\.realisation"):
            completely_monotone(Target(terms))
    with pytest.raises(ValueError, match="one input"):
        completely_monotone(Target([Exponential(input=2)]))
