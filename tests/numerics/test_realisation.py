"""Networks for any kernel: what they must find exactly, and how good they are where nothing is exact."""

from itertools import pairwise

import numpy as np
import pytest
import sympy as sp

from numerics.hankel_bounds import enclosed_singular_values
from numerics.l1_enclosure import l1_error
from numerics.realisation import Samples, realised
from theory.dense import DenseRNN
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.pairs import modes
from theory.problem import Target
from theory.rnn import LinearRNN

BUMP = Target([Exponential(), Gaussian(lag="6")])


def test_a_complex_pair_is_found():
    network = realised(Target([Expression("exp(-t)*cos(3*t)")]), 2)
    assert isinstance(network, DenseRNN)
    (mode,) = modes(network)
    # Rejects the rates of z instead of -ln z, and a shift on the wrong grid.
    assert [float(x) for x in (mode.p, mode.q, mode.alpha, mode.beta)] == pytest.approx([1, 0, 1, 3], abs=1e-5)


def test_real_rates_make_a_diagonal_network():
    network = realised(Target([Exponential("2", "1"), Exponential("-1", "4")]), 2)
    assert isinstance(network, LinearRNN)
    found = sorted((float(w), float(a)) for a, w in network.units)
    assert np.allclose(found, [(1, 2), (4, -1)], atol=1e-5)


@pytest.mark.parametrize(
    ("target", "widths", "good"),
    [
        (BUMP, (2, 8), 0.15),
        (Target([Box(start="1/2", end="2")]), (2, 6), 0.35),
        (Target([Airy("1", "1", "3")]), (2, 5), 1e-3),
        (Target([Erlang("1", 3, "1")]), (1, 2, 3), 0.1),
        (Target([PowerLaw(omega="1/2")]), (2, 8), 0.0212),
    ],
    ids=["bump", "box", "airy", "erlang", "power law"],
)
def test_errors_lie_above_the_bound_and_fall_with_the_width(target, widths, good):
    networks = [realised(target, width) for width in widths]
    assert all(network.width <= width for network, width in zip(networks, widths, strict=True))
    errors = [l1_error(target, network, digits=3) for network in networks]
    sigma = enclosed_singular_values(target, widths[-1] + 1, digits=3)
    for width, error in zip(widths, errors, strict=True):
        assert sp.Rational(sigma[width].lower) <= sp.Rational(error.upper)
    uppers = [float(error.upper) for error in errors]
    assert all(later < earlier for earlier, later in pairwise(uppers)) and uppers[-1] < good


def test_panels_are_never_longer_than_what_is_still_to_come():
    samples = Samples(BUMP)
    lengths = np.diff(samples.panels)
    assert (np.diff(lengths) > -1e-9).all() and samples.panels[0] == 0.0
    times, weights = samples.nodes
    assert weights @ samples.rho(times) == pytest.approx(1 + np.sqrt(2 * np.pi), abs=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="width must be from 1 to 60"):
        realised(BUMP, 0)
    with pytest.raises(TypeError, match="width must be an int"):
        realised(BUMP, 2.0)
    with pytest.raises(ValueError, match="one input"):
        realised(Target([Exponential(input=2)]), 2)
