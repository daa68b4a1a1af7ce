"""The farthest memory within beta, against a search; and why it is always on the slow side."""

import pytest
import sympy as sp

from theory.parametrisation import IDENTITY, Exp, InverseSquare, Softplus, written_out
from theory.stability import beta, may_stop_fading, memories, w

EVERY = [IDENTITY, Exp(), Softplus(), InverseSquare("1", "1/100")]


@pytest.mark.parametrize("parametrisation", EVERY, ids=lambda each: each.name)
@pytest.mark.parametrize("rate", ["1/5", "3"])
def test_no_rate_within_beta_is_farther_than_the_slowest(parametrisation, rate):
    rate, size = sp.Rational(rate), sp.Rational(1, 7)
    v = float(written_out(parametrisation.inverse(rate)).evalf(20))
    phi = sp.lambdify(w, parametrisation.rate(w), "mpmath")
    moves = [float(size) * k / 50 for k in range(-50, 51)]
    distances = [abs(1 / phi(v + move) - 1 / float(rate)) for move in moves]
    claimed = float(written_out(memories(parametrisation)[0]).subs({w: rate, beta: size}).evalf(20)) - 1 / float(rate)
    # Rejects the fast side, which is 1 % and more nearer for these, and a step of 2 beta.
    assert max(distances) == pytest.approx(claimed, rel=1e-9)


def test_only_plain_rates_may_stop_to_fade():
    assert may_stop_fading(IDENTITY, sp.Rational(1, 2), sp.Rational(1, 2))
    assert not may_stop_fading(IDENTITY, sp.Rational(1, 2), sp.Rational(1, 3))
    assert not any(may_stop_fading(each, sp.Rational(1, 2), sp.Integer(5)) for each in EVERY[1:])
