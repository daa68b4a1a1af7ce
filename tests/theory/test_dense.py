"""Dense networks: kernel, Gramians and loss against matrix exponentials in mpmath, and what is refused."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from strategies import RATES
from theory.dense import DenseProblem, DenseRNN, gramian, is_hurwitz, loss, statements
from theory.kernels import Box, Erlang, Exponential, Gaussian, Kernel
from theory.latex import align
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from theory.special import ExponentialMoment
from tolerances import agree, working

t = sp.Symbol("t", nonnegative=True)
x = sp.Symbol("x")
SPIRAL = [["-1", "-2"], ["2", "-1"]]
ENTRIES = st.integers(-6, 6).map(lambda n: Fraction(n, 4))


def matrices(rows, columns):
    return st.lists(st.lists(ENTRIES, min_size=columns, max_size=columns), min_size=rows, max_size=rows)


@st.composite
def networks(draw, width=2, inputs=2):
    """W shifted to the left until Gershgorin's circles are left of -1/2: complex pairs and defective ones occur."""
    W = draw(matrices(width, width))
    worst = max(row[i] + sum(abs(x) for j, x in enumerate(row) if j != i) for i, row in enumerate(W))
    W = [[entry - (worst + Fraction(1, 2)) * (i == j) for j, entry in enumerate(row)] for i, row in enumerate(W)]
    return DenseRNN(W, draw(matrices(width, inputs)), [row[0] for row in draw(matrices(width, 1))])


def integral(function, ctx, slowest=1 / 2):
    """Oracle: int_0^inf of a function that fades like e^{-2 slowest t}, by Gauss-Legendre on panels."""
    ends = [0, 1, 2, 4, 8, 16, 32, 64 / (2 * slowest)]
    return ctx.quad(function, ends, method="gauss-legendre")


def response(network, ctx):
    """c^T e^{Wt} U as a function that returns a list of d numbers, by mpmath's own matrix exponential."""
    exact = lambda matrix: ctx.matrix(
        [[ctx.mpf(int(v.p)) / int(v.q) for v in row] for row in sp.Matrix(matrix).tolist()]
    )
    W, U, c = map(exact, network.matrices)
    return lambda time: list(c.T * ctx.expm(W * time) * U)


@settings(max_examples=4, derandomize=True, deadline=None)
@given(networks(), st.lists(st.tuples(st.integers(-3, 3), RATES, st.integers(1, 2)), min_size=1, max_size=2))
def test_loss_is_the_integral_of_the_squared_error(network, terms):
    target = Target([Exponential(a, w, input=k) for a, w, k in terms])
    ctx = working(10, guard=6)
    actual = response(network, ctx)

    def squared_error(time):
        error = actual(time)
        for a, w, k in terms:
            error[k - 1] -= a * ctx.exp(-ctx.mpf(w.numerator) / w.denominator * time)
        return sum(e**2 for e in error)

    # one input instead of two, or the cross term once instead of twice, errs in the first digit
    assert agree(loss(network, target), integral(squared_error, ctx, 1 / 5), 9, scale=1)


@settings(max_examples=3, derandomize=True, deadline=None)
@given(networks(inputs=1))
def test_gramian_is_the_integral_it_solves_for(network):
    W, U, c = network.matrices
    ctx = working(10, guard=6)
    actual = response(network, ctx)
    energy = integral(lambda time: actual(time)[0] ** 2, ctx)
    assert agree((c.T * gramian(W, U) * c)[0], energy, 9, scale=1)
    assert (U.T * gramian(W.T, c) * U)[0] == (c.T * gramian(W, U) * c)[0]  # the dual Gramian knows the same energy


@settings(max_examples=10, derandomize=True, deadline=None)
@given(networks(), matrices(2, 2))
def test_a_similarity_changes_neither_kernel_nor_loss(network, S):
    S = sp.Matrix(S)
    assume(S.det() != 0)
    W, U, c = network.matrices
    other = DenseRNN(S * W * S.inv(), S * U, list(S.inv().T * c))
    target = Target([Exponential(1, 2), Exponential("1/2", "1/3", input=2)])
    assert loss(other, target) == loss(network, target)
    assert other.characteristic == network.characteristic


@pytest.mark.parametrize(
    ("recurrent", "kernel"),
    [
        (SPIRAL, sp.exp(-t) * sp.cos(2 * t)),
        ([["-1", "1"], ["0", "-1"]], sp.exp(-t)),
        ([["-1", "0"], ["3", "-1"]], sp.exp(-t)),
        ([["-2", "1"], ["1", "-2"]], (sp.exp(-t) + sp.exp(-3 * t)) / 2),
    ],
)
def test_kernel_of_a_pair_of_a_block_and_of_real_rates(recurrent, kernel):
    network = DenseRNN(recurrent, [["1"], ["0"]], ["1", "0"])
    assert sp.simplify(network.kernel(t)[0] - kernel) == 0


def test_loss_of_any_kind_of_target_by_overlaps():
    units = LinearRNN([(1, 1), ("-1/2", 2)])
    target = Target([Exponential("1/2", 3), Gaussian(lag=2)])
    for horizon in (sp.oo, sp.Integer(3)):
        dense = DenseProblem(target, DenseRNN.of(units), "0.1", horizon)
        assert sp.expand(dense.initial_loss - Problem(target, units, "0.1", horizon).initial_loss) == 0
    box = DenseProblem(Target([Box(end=2)]), DenseRNN.of(LinearRNN([(1, 1)])), "0.1")
    written = box.initial_loss.replace(ExponentialMoment, lambda n, s, T: (1 - sp.exp(-s * T)) / s)  # n = 0 here
    assert sp.simplify(written - (sp.Rational(1, 2) + 2 * sp.exp(-2))) == 0  # 1/2 - 2 (1 - e^-2) + 2


def test_loss_is_exactly_zero_at_the_target():
    target = Target([Exponential("1/2", 1), Exponential("1/2", 3)])
    assert loss(DenseRNN([["-2", "1"], ["1", "-2"]], [["1"], ["0"]], ["1", "0"]), target) == 0
    assert loss(DenseRNN(SPIRAL, [["0"], ["0"]], ["1", "1"]), target) == loss(
        DenseRNN([["-1"]], [["0"]], ["0"]), target
    )


@settings(max_examples=15, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), RATES), min_size=1, max_size=3))
def test_diagonal_gives_back_what_was_diagonal(units):
    network = LinearRNN(tuple(units))
    back = DenseRNN.of(network).diagonal()
    assert sp.expand(back.kernel(t) - network.kernel(t)) == 0
    assert sorted(back.rates) == sorted(network.rates)


def test_irrational_rates_stay_exact():
    diagonal = DenseRNN([["-1", "2"], ["1", "-3"]], [["1"], ["0"]], ["1", "0"]).diagonal()
    assert diagonal.rates == (2 - sp.sqrt(3), 2 + sp.sqrt(3))
    assert sp.simplify(sum(diagonal.amplitudes)) == 1  # c^T U = rho_hat(0)
    assert sp.simplify(sum(a * w for a, w in diagonal.units)) == 1  # -c^T W U = -rho_hat'(0)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: matrices(n, n)))
def test_hurwitz_is_decided_as_eigenvalues_decide(rows):
    polynomial = sp.Poly(sp.Matrix(rows).charpoly(x).as_expr(), x)
    roots = [root for factor, _ in polynomial.factor_list()[1] for root in factor.nroots(n=30)]
    rightmost = max(sp.re(root) for root in roots)
    assume(abs(rightmost) > 1e-20 or polynomial.eval(0) == 0)
    assert is_hurwitz(polynomial) == (rightmost < -1e-20)


@pytest.mark.parametrize(
    "polynomial", [x, x**2 + 1, x**4 + 2 * x**2 + 1, (x + 1) * (x**2 + 4), x**3 + x**2 + x + 1, x - 1]
)
def test_eigenvalues_on_the_axis_are_not_hurwitz(polynomial):
    assert not is_hurwitz(sp.Poly(polynomial, x))


def test_statements_hold_for_matrices_put_in():
    shown = statements()
    W, U, c = DenseRNN(SPIRAL, [["1"], ["3"]], ["1", "1/2"]).matrices
    concrete = {"W": W, "U": U, "c": c, "P": gramian(W, U), "Q": gramian(W.T, c)}
    for statement in shown[:2]:
        sizes = {symbol: {"m": 2, "d": 1}[symbol.name] for symbol in statement.left.free_symbols if symbol.name in "md"}
        left = statement.left.subs(sizes)
        there = {each: concrete[each.name] for each in left.atoms(sp.MatrixSymbol)}
        assert left.subs(there).doit() == sp.zeros(2)
    assert r"c^{T} P c - 2 c^{T} X \tag{H4}" in align(shown)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: DenseRNN([[-1, 0]], [[1]], [1]), ValueError, "recurrent must be square, .* got 1 x 2"),
        (lambda: DenseRNN([], [], []), ValueError, "recurrent must have at least one unit"),
        (lambda: DenseRNN([[-1, 0], [1]], [[1]], [1]), ValueError, "recurrent must have rows of one length, .* 1, 2"),
        (
            lambda: DenseRNN([[-1]], [[1], [2]], [1]),
            ValueError,
            "input_weights must have one row a unit, got 2 rows for 1",
        ),
        (lambda: DenseRNN([[-1]], [[]], [1]), ValueError, "input_weights must have one column an input"),
        (
            lambda: DenseRNN([[-1]], [[1]], [1, 2]),
            ValueError,
            "readout must have one entry a unit, got 2 entries for 1",
        ),
        (lambda: DenseRNN([[-1, 0.5], [0, -1]], [[1], [1]], [1, 1]), TypeError, r"recurrent\[0\]\[1\] must be exact"),
        (
            lambda: DenseRNN([[-1]], [[0.1]], [1]),
            TypeError,
            r"input_weights\[0\]\[0\] must be exact, got the float 0\.1",
        ),
        (lambda: DenseRNN([[-1]], [[1]], [2.0]), TypeError, r"readout\[0\] must be exact"),
        (lambda: DenseRNN([-1], [[1]], [1]), TypeError, "recurrent must be a list of rows"),
        (lambda: DenseRNN([[-1]], [[1]], "1"), TypeError, "readout must be a list of numbers"),
        (
            lambda: DenseRNN([[-sp.sqrt(2)]], [[1]], [1]),
            ValueError,
            r"recurrent\[0\]\[0\] must be rational, got -sqrt\(2\)",
        ),
        (lambda: DenseRNN([["1/2", 3], [0, -1]], [[1], [1]], [1, 1]), ValueError, "memory must fade; .* 0.500000"),
        (lambda: DenseRNN([[0, 1], [-1, 0]], [[1], [1]], [1, 1]), ValueError, "must be Hurwitz"),
        (lambda: DenseRNN(SPIRAL, [[1], [1]], [1, 1]).diagonal(), ValueError, "complex eigenvalue -1.0 . 2.0"),
        (lambda: DenseRNN([[-1, 1], [0, -1]], [[1], [1]], [1, 1]).diagonal(), ValueError, "W is defective"),
        (lambda: DenseRNN([[-1]], [[1, 1]], [1]).diagonal(), ValueError, "a diagonal network has one input, got 2"),
        (
            lambda: DenseRNN([[0, 1, 0], [0, 0, 1], [-1, -9, -6]], [[1]] * 3, [1] * 3).kernel(t),
            NotImplementedError,
            r"the roots of x\*\*3",
        ),
    ],
)
def test_errors_name_the_weight(build, error, message):
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"target": [Exponential()]}, TypeError, "target must be a Target"),
        ({"start": LinearRNN([(1, 1)])}, TypeError, "start must be a DenseRNN, .* DenseRNN.of"),
        ({"drop": 0}, ValueError, "drop must be > 0"),
        ({"drop": 0.1}, TypeError, "drop must be exact"),
        (
            {"target": Target([Exponential(), Erlang(input=3)])},
            ValueError,
            "term 1 is of input 3, and the network has 1 input",
        ),
        ({"target": Target([Exponential(sp.Symbol("a", real=True))])}, ValueError, "all numbers, got the symbols a"),
        ({"horizon": -1}, ValueError, "horizon must be > 0"),
    ],
)
def test_errors_of_a_problem(change, error, message):
    good = {"target": Target([Exponential()]), "start": DenseRNN([[-1]], [[1]], [1]), "drop": "0.1"}
    with pytest.raises(error, match=message):
        DenseProblem(**good | change)


def test_networks_are_values():
    network = DenseRNN(sp.Matrix([[-1]]), [["1", "1/2"]], ("2",))
    assert network == DenseRNN([["-1"]], [[1, Fraction(1, 2)]], [2])
    assert hash(network) == hash(DenseRNN([["-1"]], [[1, Fraction(1, 2)]], [2]))
    assert (network.width, network.inputs) == (1, 2)
    assert all(isinstance(kernel, Kernel) for kernel in network.kernels())
