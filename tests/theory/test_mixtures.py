"""Mixtures and finite rank: the kernel back by quadrature, or exactly, at every t."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import AMPLITUDES, RATES
from theory.finite_rank import finite_rank
from theory.hankel import memory
from theory.kernels import Box, Erlang, Exponential, Gaussian, PowerLaw, t
from theory.mixtures import NoMixture, l, mixture
from theory.problem import Target
from theory.special import t as time


@pytest.mark.parametrize("omega", ["1/3", "1", "5/2"])
def test_the_density_of_a_power_law_gives_it_back(omega):
    kernel = PowerLaw(amplitude="2", omega=omega)
    back = sp.integrate(sp.exp(-3 * l) * mixture([kernel]).density, (l, 0, sp.oo))
    assert sp.N(back - kernel.rho(sp.Integer(3)), 20) == pytest.approx(0, abs=1e-18)


def test_equal_rates_and_omegas_are_one():
    found = mixture([Exponential(1, 2), PowerLaw(), Exponential(-1, 2), PowerLaw(2), Exponential(1, 3)])
    assert found.atoms == ((1, 3),) and found.power_laws == ((3, 1),) and found.positive
    assert not mixture([Exponential(-1)]).positive and mixture([]).positive


@pytest.mark.parametrize("kernel", [Gaussian(), Box(), Erlang(order=1), Exponential(lag=1), PowerLaw(lag=1)])
def test_others_are_no_mixture(kernel):
    with pytest.raises(NoMixture, match=r"term 1 must be .* use a method for general kernels"):
        mixture([Exponential(), kernel])


@settings(max_examples=15)
@given(
    terms=st.lists(st.builds(Erlang, AMPLITUDES, st.integers(0, 3), RATES), min_size=1, max_size=3),
)
def test_the_coefficients_give_the_kernel_back(terms):
    found = finite_rank(terms)
    t, s = sp.symbols("t s")
    at = lambda x: sp.Matrix([x**n * sp.exp(-r * x) for n, r in found.basis])
    sum_of = sum(kernel.amplitude * (t + s) ** kernel.order * sp.exp(-kernel.rate * (t + s)) for kernel in terms)
    back = (at(t).T * found.coefficients * at(s))[0, 0] if found.rank else 0
    assert sp.expand(sp.expand(back, power_exp=True) - sp.expand(sum_of), power_exp=True) == 0
    assert found.rank == 0 or found.coefficients.det() != 0


def test_what_cancels_has_no_rank():
    terms = [Erlang(order=1, rate=2), Erlang(-1, order=1, rate=2), Exponential(rate=3)]
    assert finite_rank(terms).basis == ((0, 3),)


def test_the_gram_matrix_is_that_of_the_functions():
    found = finite_rank([Erlang(order=1, rate=2), Exponential()])
    functions = [time**n * sp.exp(-r * time) for n, r in found.basis]
    direct = sp.Matrix(3, 3, lambda i, j: sp.integrate(functions[i] * functions[j], (time, 0, sp.oo)))
    assert found.gram == direct


def test_other_kinds_have_no_finite_rank():
    assert finite_rank([Exponential(), Gaussian()]) is None and finite_rank([Erlang(lag=1)]) is None


def test_memory_takes_targets_kernels_and_lists():
    assert memory(Exponential()) == memory([Exponential(), Box(amplitude=0)]) == memory(Target((Exponential(),)))
    with pytest.raises(ValueError, match="all numbers"):
        memory(Gaussian(lag=sp.Symbol("L", real=True)))
    assert memory(Gaussian())[0].rho(t) is not None
