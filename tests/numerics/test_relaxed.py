"""The floor of the gorge against a projection by quadrature; the map is tested with its figure."""

import numpy as np
import pytest

from numerics.relaxed import gorge_floor
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from tolerances import working


def test_the_floor_of_the_gorge_is_the_projection_of_the_bump():
    """||proj b||^2 on span{e^-t, t e^-t, e^-wt} by quadrature; at L = 6 the fast drop is a good part of it."""
    ctx = working(30, guard=0)
    w = ctx.mpf(1) / 2
    basis = [lambda t: ctx.exp(-t), lambda t: t * ctx.exp(-t), lambda t: ctx.exp(-w * t)]
    integral = lambda f: ctx.quad(f, [0, 3, 6, 9, 20, 60, 200])
    gram = ctx.matrix([[integral(lambda t, p=p, q=q: p(t) * q(t)) for q in basis] for p in basis])
    moments = ctx.matrix([integral(lambda t, p=p: p(t) * ctx.exp(-((t - 6) ** 2) / 2)) for p in basis])
    projected = (moments.T * ctx.lu_solve(gram, moments))[0]
    problem = Problem(Target((Exponential(), Gaussian(lag="6"))), LinearRNN(((1, 1), (0, "0.7"))), "0.05")
    assert 10 ** gorge_floor(problem, np.array([0.5]))[0] == pytest.approx(float(projected), rel=1e-9)
