"""The dense landscape against quadrature of the definition, the rational solution, and what every network must obey."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.optimize import minimize

from numerics.gramian import DenseLandscape, NotHurwitz
from oracles import laplace_by_quadrature, raw_terms
from theory.dense import DenseProblem, DenseRNN, loss
from theory.kernels import Airy, Box, Erlang, Exponential, Expression, Gaussian, PowerLaw
from theory.problem import Target

SPIRAL = DenseRNN(
    [["-1", "-2", "0.3"], ["2", "-1", "0.1"], ["0.2", "0", "-0.7"]],
    [["1", "0.5"], ["0", "1"], ["0.4", "0.3"]],
    ["1", "0.2", "0.5"],
)
CASES = {
    "exponentials": ([Exponential(), Exponential(2, "0.3", input=2)], sp.oo),
    "gaussians": ([Gaussian(lag=3), Gaussian("-2", "0.5", 6, input=2), Gaussian(lag=-1)], sp.oo),
    "box and lag": ([Box(start=1, end=4), Exponential(2, "0.5", lag=2, input=2)], sp.oo),
    "erlang": ([Erlang(order=2), Erlang(1, 1, 3, lag=1, input=2)], sp.oo),
    "formulas": ([Expression("exp(-t)*cos(3*t)"), Airy(shift=3, input=2)], sp.oo),
    "horizon in a bump": ([Exponential(), Gaussian(lag=3, input=2)], sp.Integer(2)),
    "horizon after lags": ([Exponential(lag=1), Box(end=5, input=2), Exponential(lag=9)], sp.Integer(7)),
    "power law": ([PowerLaw(omega="1/2"), Erlang(order=1, input=2)], sp.Rational(11, 2)),
}
PANEL = 0.5  # of the oracle: every jump and every horizon above is a multiple of it


def flow(W, t):
    """e^{Wt} of a stack, as a block of three rows at least: for two SciPy 1.11 has a formula of its own.

    That one loses a complex step of 1e-30 where W is defective.
    """
    n, m = W.shape[:2]
    padded = np.tile(-np.eye(max(m, 3), dtype=W.dtype), (n, 1, 1))
    padded[:, :m, :m] = W
    return expm(padded * t)[:, :m, :m]


def loss_by_quadrature(thetas, problem, T):
    """Oracle: (M3) for a stack of networks, shape (n, parameters), perhaps complex, by Gauss-Legendre on [0, T]."""
    m, d = problem.start.width, problem.start.inputs
    c, W, U = (thetas[:, :m], thetas[:, m : m + m * m].reshape(-1, m, m), thetas[:, m + m * m :].reshape(-1, m, d))
    x, weights = np.polynomial.legendre.leggauss(16)
    x, weights = PANEL * (x + 1) / 2, PANEL * weights / 2
    inside, onward = np.einsum("ni,nkij->nkj", c, np.stack([flow(W, each) for each in x], axis=1)), flow(W, PANEL)
    t = sp.Symbol("t", nonnegative=True)
    rhos = [sp.lambdify(t, term.rho(t), ["scipy", "numpy"]) for term in problem.target.terms]
    total = 0
    for panel in range(round(T / PANEL)):
        error = inside @ U
        for term, rho in zip(problem.target.terms, rhos, strict=True):
            error[..., int(term.input) - 1] -= rho(panel * PANEL + x)
        total = total + np.einsum("nkd,k->n", error**2, weights)
        U = onward @ U
    return total


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_the_definition(name):
    terms, horizon = CASES[name]
    problem = DenseProblem(Target(terms), SPIRAL, "0.1", horizon)
    landscape = DenseLandscape(problem)
    T = 80 if horizon is sp.oo else float(horizon)
    theta = landscape.start
    stepped = theta + 1e-30j * np.eye(len(theta))  # complex steps: derivatives without differences
    oracle = loss_by_quadrature(stepped, problem, T)
    # (V3) without its correction of dJ/dW, or Z for Z^T, errs in the first digit
    assert landscape.loss(theta) == pytest.approx(oracle[0].real, rel=1e-12)
    assert landscape.gradient(theta) == pytest.approx(oracle.imag / 1e-30, abs=1e-12 * abs(oracle.imag / 1e-30).max())


def test_an_algebraic_tail_is_followed_to_its_end():
    """(1+t)^{-3/2} on [0, inf) against its transform by Arb; to stop where the density itself is 1e-17 is never."""
    landscape = DenseLandscape(DenseProblem(Target([PowerLaw(omega="1/2")]), DenseRNN([[-1]], [[1]], [1]), "0.1"))
    for rate in (2.0, 1.2, 0.9, 0.6, 0.3, 0.05):
        ours = landscape.target_transform(0, np.array([[-rate]]), rate)[0, 0]
        theirs = sp.N(sp.exp(rate) * sp.expint(sp.Rational(3, 2), sp.Float(rate, 30)), 20)
        assert ours == pytest.approx(float(theirs), rel=1e-13)


@pytest.mark.parametrize(("lag", "digits"), [(5, 13), (20, 12), (40, 12)])
def test_transform_of_a_far_bump_is_relatively_accurate(lag, digits):
    bump = Gaussian("3/2", "1/2", lag)
    landscape = DenseLandscape(DenseProblem(Target([bump]), DenseRNN([[-1]], [[1]], [1]), "0.1"))
    found = landscape.target_transform(0, np.array([[-0.75, 1], [0, -0.75]]), 0.75)
    for order in range(2):
        exact = laplace_by_quadrature(raw_terms([bump]), sp.Rational(3, 4), order)
        assert found[0, order] == pytest.approx(float(exact.mid()), rel=10.0**-digits, abs=0)  # e^{-0.75 lag}


def test_a_late_kernel_is_followed_as_far_as_an_early_one():
    """To drop the factor e^{-80} of the lag from the tail behind the window cuts this one after 2: 2 % too little."""
    late = Erlang(order=1, lag=40)
    landscape = DenseLandscape(DenseProblem(Target([late]), DenseRNN([[-1]], [[1]], [1]), "0.1"))
    exact = float(laplace_by_quadrature(raw_terms([late]), sp.Integer(2)).mid())
    assert landscape.target_transform(0, np.array([[-2.0]]), 2.0)[0, 0] == pytest.approx(exact, rel=1e-13, abs=0)


def test_gradient_is_that_of_the_rational_loss():
    """Differences of an exact loss with a step of 10^-12 have an error of 10^-24."""
    target = Target([Exponential(), Exponential(2, "0.3", input=2)])
    step = sp.Rational(1, 10**12)

    def shifted(k, by):
        numbers = [*SPIRAL.readout, *sum(SPIRAL.recurrent, ()), *sum(SPIRAL.input_weights, ())]
        numbers[k] += by
        W, U = [numbers[3 + 3 * i : 6 + 3 * i] for i in range(3)], [numbers[12 + 2 * i : 14 + 2 * i] for i in range(3)]
        return loss(DenseRNN(W, U, numbers[:3]), target)

    landscape = DenseLandscape(DenseProblem(target, SPIRAL, "0.1"))
    gradient = landscape.gradient(landscape.start)
    for k in (0, 2, 3, 7, 11, 12, 17):
        exact = (shifted(k, step) - shifted(k, -step)) / (2 * step)
        assert gradient[k] == pytest.approx(float(exact), abs=1e-13)
    assert landscape.loss(landscape.start) == pytest.approx(float(loss(SPIRAL, target)), rel=1e-14)


@st.composite
def weights(draw, m=3, d=2):
    """theta with a Hurwitz W: the symmetric part of a random matrix, made negative, and any antisymmetric part."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    A = rng.normal(size=(m, m))
    W = (A - A.T) / 2 - A @ A.T / 4 - 0.3 * np.eye(m)
    return np.concatenate((rng.normal(size=m), W.ravel(), rng.normal(size=m * d)))


MIXED = DenseLandscape(DenseProblem(Target([Exponential(), Gaussian(lag=2, input=2), Box(end=1)]), SPIRAL, "0.1"))
WINDOW = DenseLandscape(DenseProblem(Target([Erlang(), Gaussian(lag=4, input=2)]), SPIRAL, "0.1", sp.Integer(5)))


@settings(max_examples=12, derandomize=True, deadline=None)
@given(weights(), st.sampled_from([MIXED, WINDOW]))
def test_gradients_are_orthogonal_to_similarities(theta, landscape):
    """(H6) in its derivative: it ties dJ/dW to dJ/dc and dJ/dU, so no factor can be wrong in one of them alone."""
    c, W, U = landscape.network(theta)
    by_c, by_W, by_U = landscape.network(landscape.gradient(theta))
    moment = by_W @ W.T - W.T @ by_W + by_U @ U.T - np.outer(c, by_c)
    assert abs(moment).max() < 1e-11 * max(1, abs(by_W).max() * abs(W).max(), abs(by_U).max() * abs(U).max())


@settings(max_examples=8, derandomize=True, deadline=None)
@given(weights(), st.integers(0, 2**32), st.sampled_from([MIXED, WINDOW]))
def test_loss_does_not_change_under_a_similarity(theta, seed, landscape):
    c, W, U = landscape.network(theta)
    S = np.eye(3) + 0.3 * np.random.default_rng(seed).uniform(-1, 1, (3, 3))
    other = np.concatenate((np.linalg.solve(S.T, c), (S @ W @ np.linalg.inv(S)).ravel(), (S @ U).ravel()))
    assert landscape.loss(other) == pytest.approx(landscape.loss(theta), rel=1e-11)


@settings(max_examples=5, derandomize=True, deadline=None)
@given(weights())
def test_hessian_is_the_derivative_of_the_gradient(theta):
    direction = np.linspace(-1, 1, len(theta))
    step = 1e-4
    along = (MIXED.gradient(theta + step * direction) - MIXED.gradient(theta - step * direction)) / (2 * step)
    hessian = MIXED.hessian(theta)
    assert hessian @ direction == pytest.approx(along, abs=1e-5 * abs(hessian).max())  # O(step^2)


def test_defective_recurrent_weights_are_no_special_case():
    problem = DenseProblem(Target([Gaussian(lag=2)]), DenseRNN([[-1, 1], [0, -1]], [[1], [1]], [1, 0]), "0.1")
    landscape = DenseLandscape(problem)
    stepped = landscape.start + 1e-30j * np.eye(8)
    oracle = loss_by_quadrature(stepped, problem, 30).imag / 1e-30
    assert landscape.gradient(landscape.start) == pytest.approx(oracle, abs=1e-13)


@pytest.mark.parametrize("horizon", [sp.oo, sp.Integer(6)])
def test_transfer_conditions_hold_at_a_minimum_and_nowhere_else(horizon):
    start = DenseRNN([["-1", "-1/2"], ["1/2", "-1"]], [["1", "0"], ["1/3", "1"]], ["1", "1/2"])
    target = Target([Expression("exp(-t)*cos(2*t)"), Gaussian(lag=1, input=2), Exponential("1/2", "1/4")])
    landscape = DenseLandscape(DenseProblem(target, start, "0.1", horizon))
    far = landscape.transfer_residuals(landscape.start)
    assert len(far) == 1  # of the pair -1 +- i/2
    assert max(each.value for each in far) > 0.1
    ended = minimize(landscape.loss, landscape.start, jac=landscape.gradient, method="BFGS", options={"gtol": 1e-9})
    assert np.linalg.norm(landscape.gradient(ended.x)) < 1e-7
    found = landscape.transfer_residuals(ended.x)
    assert len(found) in (1, 2)
    for each in found:
        assert each.eigenvalue.imag >= 0
        assert each.value < 1e-5
        assert each.slope < 1e-5


def test_hidden_eigenvalues_have_no_transfer_condition():
    spare = DenseRNN([["-1", "0"], ["0", "-0.7"]], [["1"], ["1"]], ["1", "0"])
    landscape = DenseLandscape(DenseProblem(Target([Exponential("2")]), spare, "0.1"))
    (found,) = landscape.transfer_residuals(landscape.start)
    assert found.eigenvalue == -1
    assert found.value == found.slope == pytest.approx(0.5)  # the network has half of the target


def test_outside_the_hurwitz_matrices():
    one = DenseRNN([[-1]], [[1]], [1])
    landscape = DenseLandscape(DenseProblem(Target([Exponential()]), one, "0.1"))
    with pytest.raises(NotHurwitz, match=r"real part 0\.5; the loss is infinite"):
        landscape.loss(np.array([1, 0.5, 1]))
    problem = DenseProblem(Target([Exponential()]), one, "0.1", sp.Integer(3))  # a horizon bears it
    stepped = np.array([1, 0.5, 1]) + 1e-30j * np.eye(3)
    oracle = loss_by_quadrature(stepped, problem, 3)
    growing = DenseLandscape(problem)
    assert growing.loss(stepped[0].real) == pytest.approx(oracle[0].real, rel=1e-13)
    assert growing.gradient(stepped[0].real) == pytest.approx(oracle.imag / 1e-30, rel=1e-12)
    with pytest.raises(ArithmeticError, match="add up to zero"):
        growing.loss(np.array([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("growth", [1.0, 1 + 1e-9, 0.9, 1.1, -0.6, 3.0])
@pytest.mark.parametrize("lag", [0, 1])
def test_a_network_may_grow_at_the_rate_of_an_exponential(growth, lag):
    """Where w - A is singular, beside it, and where both forms of the transform are at home."""
    start = DenseRNN([[-1, 0], [0, -2]], [[1], ["1/2"]], [1, "1/3"])
    problem = DenseProblem(Target([Exponential(2, lag=lag)]), start, "0.1", sp.Integer(3))
    theta = np.array([1, 1 / 3, growth, 0.4, 0, -2, 1, 0.5])
    oracle = loss_by_quadrature(theta + 1e-30j * np.eye(8), problem, 3)
    landscape = DenseLandscape(problem)
    assert landscape.loss(theta) == pytest.approx(oracle[0].real, rel=1e-12)
    assert landscape.gradient(theta) == pytest.approx(oracle.imag / 1e-30, abs=1e-12 * abs(oracle.imag / 1e-30).max())


def test_gramians_beyond_the_range_of_their_equations():
    """A right side of 1e150 over a rate of 1e-150: LAPACK solves it scaled down by 1e-150, and says so."""
    tiny = DenseRNN([["-1e-150"]], [["1e75"]], ["1e-75"])
    landscape = DenseLandscape(DenseProblem(Target([Exponential()]), tiny, "0.1"))
    P, Q, _ = landscape._gramians(*landscape.network(landscape.start))
    assert P[0, 0] == pytest.approx(5e299, rel=1e-14)  # u^2 / (2 w)
    assert Q[0, 0] == pytest.approx(0.5, rel=1e-14)
