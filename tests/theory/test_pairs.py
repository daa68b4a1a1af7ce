"""Complex pairs of rates as real blocks: their memory kernel is what they say, and they are found again."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import AMPLITUDES, NETWORKS, RATES
from theory.dense import DenseRNN
from theory.kernels import t
from theory.pairs import Mode, kernels, modes, of_modes
from theory.rnn import LinearRNN

PAIRS = st.builds(Mode, AMPLITUDES, AMPLITUDES, RATES, RATES)
UNITS = st.builds(lambda a, w: Mode(a, 0, w, 0), AMPLITUDES, RATES)


@settings(deadline=None, max_examples=10)
@given(pair=PAIRS, unit=UNITS)
def test_a_block_has_the_memory_kernel_of_its_mode(pair, unit):
    network = of_modes([unit, pair])
    W, U, c = network.matrices
    # The definition (M2), by the derivatives of e^{Wt}: rejects a transposed block or a wrong sign of q.
    claimed = sum(kernel.rho(t) for kernel in kernels(network))
    for order in range(5):
        assert sp.diff(claimed, t, order).subs(t, 0) == (c.T * W**order * U)[0]
    s = sp.Rational(3, 7)
    assert unit.laplace(s) + pair.laplace(s) == (c.T * (s * sp.eye(3) - W).inv() * U)[0]


@settings(deadline=None, max_examples=10)
@given(listed=st.lists(PAIRS | UNITS, min_size=1, max_size=3))
def test_modes_are_found_again(listed):
    assert modes(of_modes(listed)) == tuple(listed)


@settings(deadline=None, max_examples=10)
@given(network=NETWORKS)
def test_a_diagonal_network_has_its_units_as_modes(network):
    assert of_modes(modes(network)) == network
    assert modes(DenseRNN.of(network)) == modes(network)


def test_other_dense_networks_are_refused():
    with pytest.raises(ValueError, match="blocks"):
        modes(DenseRNN([["-1", "2"], ["1", "-3"]], [["1"], ["0"]], ["1", "0"]))
    with pytest.raises(TypeError, match="LinearRNN"):
        modes([("1", "1")])


@pytest.mark.parametrize(
    ("mode", "message"),
    [(("1", "0", "0", "1"), "alpha"), (("1", "0", "1", "-1"), "beta"), (("1", "1", "1", "0"), "q must be 0")],
)
def test_a_mode_must_fade(mode, message):
    with pytest.raises(ValueError, match=message):
        Mode(*mode)


def test_a_mode_is_exact():
    with pytest.raises(TypeError, match="float"):
        Mode(0.5, "0", "1", "0")
    assert isinstance(of_modes([Mode("1", "0", "1", "0")]), LinearRNN)
