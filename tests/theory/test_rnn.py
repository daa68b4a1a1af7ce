"""The linear RNN: its memory kernel from the dense definition, and what is refused."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import RATES
from theory.rnn import LinearRNN

t = sp.Symbol("t", nonnegative=True)
UNITS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), RATES), min_size=1, max_size=3)


@settings(max_examples=10)
@given(UNITS)
def test_kernel_is_the_impulse_response_of_the_definition(units):
    c, U, w = (list(each) for each in zip(*units, strict=True))
    W = -sp.diag(*map(sp.Rational, w))
    impulse_response = (sp.Matrix([c]) * (W * t).exp() * sp.Matrix(U))[0]  # c^T e^{Wt} U (M2)
    network = LinearRNN.of([ci * ui for ci, ui in zip(c, U, strict=True)], w)
    assert sp.expand(network.kernel(t) - impulse_response) == 0
    assert network.width == len(units)
    assert network.rates == tuple(map(sp.Rational, w))


def test_networks_are_values_from_pairs_or_columns():
    network = LinearRNN([("1", 1), (0, "0.7")])
    assert network == LinearRNN.of(["1", "0"], [1, "7/10"])
    assert network.amplitudes == (1, 0)
    assert hash(network) == hash(LinearRNN.of([1, 0], ["1", "0.7"]))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: LinearRNN([]), ValueError, "at least one unit, got none; give amplitudes and rates"),
        (lambda: LinearRNN.of([], []), ValueError, "at least one unit"),
        (lambda: LinearRNN.of("12", "34"), TypeError, "amplitudes must be a list, got '12'"),
        (lambda: LinearRNN(None), TypeError, "units must be a list, got None"),
        (lambda: LinearRNN(["12"]), TypeError, "unit 0 must be a list, got '12'"),
        (lambda: LinearRNN([(1, 2, 3)]), ValueError, r"unit 0 must be a pair \(amplitude, rate\), got \[1, 2, 3\]"),
        (lambda: LinearRNN.of([1, 0], [1]), ValueError, "one entry a unit, got 2 amplitudes and 1 rates"),
        (lambda: LinearRNN.of([1, 1], [1, 0]), ValueError, "rate 1 must be > 0 for the memory to fade"),
        (lambda: LinearRNN.of([1], ["-0.5"]), ValueError, "rate 0 must be > 0 .* minus the eigenvalues of W, got -1/2"),
        (lambda: LinearRNN.of([0.5], [1]), TypeError, r"amplitude 0 must be exact, got the float 0\.5"),
        (lambda: LinearRNN.of([1, True], [1, 2]), TypeError, "amplitude 1 must be a number, got the boolean True"),
        (lambda: LinearRNN.of(["one"], [1]), ValueError, "amplitude 0 must be a number such as .* got 'one'"),
        (lambda: LinearRNN.of([1], [sp.Symbol("w")]), ValueError, "declare a symbol with positive=True"),
    ],
)
def test_errors_name_the_unit(build, error, message):
    with pytest.raises(error, match=message):
        build()
