r"""The dense linear RNN with d inputs, its memory kernel, its Gramians and its loss.

    h' = W h + U x ,   y = c^T h ,   rho_hat(t) = c^T e^{Wt} U   (a row of d)                                (M2)
    J = int_0^T |rho_hat - rho|^2 dt                                                                         (M3)

For T = inf and W Hurwitz, with the correlations of the network with the target

    X = int e^{Wt} U rho(t)^T dt ,  Y = int e^{W^T t} c rho(t) dt ,
    Z = int int_0^t e^{W^T (t-s)} c rho(t) U^T e^{W^T s} ds dt                                               (H1)

    W P + P W^T + U U^T = 0 ,   P = int_0^inf e^{Wt} U U^T e^{W^T t} dt                                      (H2)
    W^T Q + Q W + c c^T = 0 ,   Q = int_0^inf e^{W^T t} c c^T e^{Wt} dt                                      (H3)
    J = c^T P c - 2 c^T X + int |rho|^2 dt                                                                   (H4)
    dJ/dc = 2 (P c - X) ,   dJ/dU = 2 (Q U - Y) ,   dJ/dW = 2 (Q P - Z)                                      (H5)

(H5): W -> W + D changes P by the solution of W P' + P' W^T + D P + P D^T = 0, so tr(c c^T P') = 2 tr(Q D P); Z is the
derivative of e^{Wt}. J sees only the memory kernel, which is the same for (c, W, U) and (S^-T c, S W S^-1, S U); the
gradients are orthogonal to such changes, so that along the flow theta' = -grad J

    W W^T - W^T W + U U^T - c c^T  is constant.                                                              (H6)

Where grad J = 0, each simple eigenvalue l of W, W v = l v and z^T W = l z^T, with g = c^T v != 0 and b = z^T U != 0,
gives with Rhat(s) = c^T (s - W)^{-1} U and R(s) = int e^{-st} rho(t) dt

    Rhat(-l) = R(-l)   (v^T dJ/dU = 0) ,    Rhat'(-l) b^T = R'(-l) b^T   (v^T dJ/dW z = 0)                   (M7)

for every input the values, in the direction b the slopes; for d = 1 this is Meier-Luenberger.

A target of exponentials is a network too, so rho_hat - rho is that of the two side by side, and J = c^T P c of the
whole, rational. Derived here, but for (M7) with d = 1, which is classical.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from theory.exact import Exact, positive, real
from theory.kernels import Exponential, Expression, Kernel, t
from theory.latex import Statement
from theory.overlaps import overlap
from theory.problem import Target, horizon_of, numbers_only, weighted_square
from theory.rnn import LinearRNN

Rows: TypeAlias = tuple[tuple[sp.Rational, ...], ...]
x = sp.Symbol("x")


def _rational(value: Exact, name: str) -> sp.Rational:
    number = real(value, name)
    if not number.is_Rational:
        raise ValueError(f"{name} must be rational, got {number}; dense networks are solved in rationals")
    return number


def _rows(values: Any, name: str) -> Rows:
    """A nested sequence as rows of rationals, every row of the same length."""
    if isinstance(values, sp.MatrixBase):
        values = values.tolist()
    if not _is_sequence(values) or not all(_is_sequence(row) for row in values):
        raise TypeError(f"{name} must be a list of rows, as in [['-1', '0'], ['0', '-2']], got {values!r}")
    rows = tuple(tuple(_rational(x, f"{name}[{i}][{j}]") for j, x in enumerate(row)) for i, row in enumerate(values))
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise ValueError(f"{name} must have rows of one length, got the lengths {', '.join(map(str, sorted(lengths)))}")
    return rows


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def is_hurwitz(polynomial: sp.Poly) -> bool:
    """Whether every root has a real part < 0, by Routh's array: its first column has one sign. Exact, in rationals.

    >>> is_hurwitz(sp.Poly(x**2 + 2*x + 5, x)), is_hurwitz(sp.Poly(x**2 + 1, x))
    (True, False)
    """
    coefficients = [Fraction(int(each.p), int(each.q)) for each in polynomial.monic().all_coeffs()]
    upper, lower = coefficients[0::2], coefficients[1::2]
    while lower:
        if not lower[0] > 0:
            return False
        ratio, padded = upper[0] / lower[0], [*lower[1:], Fraction(0)]
        upper, lower = lower, [above - ratio * below for above, below in zip(upper[1:], padded, strict=False)]
    return True


def gramian(recurrent: sp.MatrixBase, right: sp.MatrixBase) -> sp.ImmutableMatrix:
    """P with W P + P W^T + B B^T = 0, W = `recurrent` (m x m, Hurwitz, rational), B = `right` (m x d).

    One linear system of m^2 equations in rationals: for small m. Exact. (H3) is `gramian(W.T, c)`.

    >>> gramian(sp.Matrix([[-1]]), sp.Matrix([[2]]))
    Matrix([[2]])
    """
    W, B = (DomainMatrix.from_Matrix(sp.Matrix(each)).convert_to(sp.QQ) for each in (recurrent, right))
    m = W.shape[0]
    unit = DomainMatrix.eye(m, sp.QQ).to_dense()
    pair = W.to_Matrix(), unit.to_Matrix()
    sylvester = sp.kronecker_product(*pair) + sp.kronecker_product(*reversed(pair))
    square = (B * B.transpose()).to_Matrix().reshape(m * m, 1)
    left, right = (DomainMatrix.from_Matrix(each).convert_to(sp.QQ).to_dense() for each in (sylvester, -square))
    return sp.ImmutableMatrix(left.lu_solve(right).to_Matrix().reshape(m, m))


@dataclass(frozen=True)
class DenseRNN:
    """A linear RNN of width m with d inputs, h' = W h + U x, y = c^T h. Immutable and exact.

    recurrent:     W, shape (m, m), in 1 / time; Hurwitz: every eigenvalue has a real part < 0.
    input_weights: U, shape (m, d). readout: c, shape (m,). Their products are output / (input * time).
    All by rows: nested lists of rationals. Raises TypeError for a float, ValueError for shapes that do not match or a
    memory that does not fade.

    >>> DenseRNN([["-1", "-2"], ["2", "-1"]], [["1"], ["0"]], ["1", "0"]).kernel(t)
    Matrix([[exp(-t)*cos(2*t)]])
    """

    recurrent: Rows
    input_weights: Rows
    readout: tuple[sp.Rational, ...]

    def __post_init__(self) -> None:
        recurrent = _rows(self.recurrent, "recurrent")
        input_weights = _rows(self.input_weights, "input_weights")
        if not _is_sequence(self.readout):
            raise TypeError(f"readout must be a list of numbers, one a unit, got {self.readout!r}")
        readout = tuple(_rational(each, f"readout[{i}]") for i, each in enumerate(self.readout))
        m = len(recurrent)
        if m == 0:
            raise ValueError("recurrent must have at least one unit, got none")
        if len(recurrent[0]) != m:
            raise ValueError(f"recurrent must be square, a row and a column a unit, got {m} x {len(recurrent[0])}")
        if len(input_weights) != m:
            raise ValueError(f"input_weights must have one row a unit, got {len(input_weights)} rows for {m} units")
        if not input_weights[0]:
            raise ValueError("input_weights must have one column an input, got none")
        if len(readout) != m:
            raise ValueError(f"readout must have one entry a unit, got {len(readout)} entries for {m} units")
        for name, value in (("recurrent", recurrent), ("input_weights", input_weights), ("readout", readout)):
            object.__setattr__(self, name, value)
        if not is_hurwitz(self.characteristic):
            rightmost = max(self.characteristic.sqf_part().nroots(n=15, maxsteps=200), key=sp.re)
            raise ValueError(
                "recurrent must be Hurwitz, all eigenvalues with real part < 0: the memory must fade; "
                f"its rightmost eigenvalue is {sp.N(rightmost, 6, chop=True)}"
            )

    @classmethod
    def of(cls, network: LinearRNN) -> "DenseRNN":
        """A diagonal network as a dense one: W = -diag(w), c_i = a_i, u_i = 1. Its flow is another one.

        >>> DenseRNN.of(LinearRNN([("3", "1")]))
        DenseRNN(recurrent=((-1,),), input_weights=((1,),), readout=(3,))
        """
        recurrent = (-sp.diag(*network.rates)).tolist()
        return cls(tuple(map(tuple, recurrent)), ((sp.Integer(1),),) * network.width, network.amplitudes)

    @property
    def width(self) -> int:
        """The number of hidden units m."""
        return len(self.recurrent)

    @property
    def inputs(self) -> int:
        """The number of inputs d."""
        return len(self.input_weights[0])

    @property
    def matrices(self) -> tuple[sp.ImmutableMatrix, sp.ImmutableMatrix, sp.ImmutableMatrix]:
        """(W, U, c), shapes (m, m), (m, d), (m, 1)."""
        W, U, c = (sp.ImmutableMatrix(each) for each in (self.recurrent, self.input_weights, self.readout))
        return W, U, c

    @cached_property
    def characteristic(self) -> sp.Poly:
        """det(x - W)."""
        W = DomainMatrix.from_Matrix(sp.Matrix(self.recurrent)).convert_to(sp.QQ).to_dense()
        return sp.Poly([sp.QQ.to_sympy(each) for each in W.charpoly()], x, domain=sp.QQ)

    def kernel(self, t: sp.Expr) -> sp.ImmutableMatrix:
        """The memory kernel rho_hat(t), a row of d. Exact; for display.

        Raises NotImplementedError where an eigenvalue is not a root of a linear or quadratic equation.
        """
        if any(factor.degree() > 2 for factor, _ in self.characteristic.factor_list()[1]):
            shown = self.characteristic.as_expr()
            raise NotImplementedError(f"no memory kernel in closed form: the eigenvalues of W are the roots of {shown}")
        W, U, c = self.matrices
        row = c.T * (W * t).exp() * U  # (M2)
        return sp.ImmutableMatrix(row.applyfunc(lambda entry: sp.simplify(entry.expand())))

    def modes(self) -> tuple[tuple[sp.Expr, int, sp.ImmutableMatrix], ...]:
        """(rate, multiplicity, row of d amplitudes) by eigenvalue: rho_hat(t) = sum amplitudes e^{-rate t}. Exact.

        Raises ValueError, with the reason, where W has complex eigenvalues or is defective; NotImplementedError where
        one is not a root of a linear or quadratic equation.
        """
        distinct = self.characteristic.sqf_part()
        if distinct.count_roots() < distinct.degree():
            complex_root = next(root for root in distinct.nroots(n=15, maxsteps=200) if not root.is_real)
            raise ValueError(
                f"the network is not diagonal in real rates: W has the complex eigenvalue {sp.N(complex_root, 6)}"
            )
        W, U, c = self.matrices
        if not _at(distinct.all_coeffs(), W).is_zero_matrix:
            raise ValueError("the network is not diagonal: W is defective, an eigenvalue has too few eigenvectors")
        found = []
        for factor, multiplicity in self.characteristic.factor_list()[1]:
            if factor.degree() > 2:
                raise NotImplementedError(f"no closed form of the rates: minus the roots of {factor.as_expr()}")
            for eigenvalue in sp.roots(factor):
                others = _deflated(distinct.all_coeffs(), eigenvalue)
                projected = c.T * _at(others, W) * U / sp.Poly(others, x).eval(eigenvalue)  # Lagrange
                found.append((-eigenvalue, multiplicity, projected.applyfunc(sp.radsimp)))
        return tuple(sorted(found, key=lambda mode: mode[0]))

    def diagonal(self) -> LinearRNN:
        """The diagonal network of the same width and memory kernel: a_i = (c^T v_i)(z_i^T U), by rising rate. Exact.

        The kernel knows only the sum of the amplitudes of equal rates: the first takes it, the others are 0.
        Raises ValueError, with the reason, for several inputs, a complex eigenvalue or a defective W.

        >>> DenseRNN([["-2", "1"], ["1", "-2"]], [["1"], ["0"]], ["1", "0"]).diagonal().units
        ((1/2, 1), (1/2, 3))
        """
        if self.inputs != 1:
            raise ValueError(f"a diagonal network has one input, got {self.inputs}")
        units: list[tuple[sp.Expr, sp.Expr]] = []
        for rate, multiplicity, amplitudes in self.modes():
            units += [(amplitudes[0], rate), *[(sp.Integer(0), rate)] * (multiplicity - 1)]
        return LinearRNN(tuple(units))

    def kernels(self) -> tuple[Kernel, ...]:
        """The memory kernel as terms of a target: exponentials where the rates are real and W not defective.

        Raises NotImplementedError where there is no closed form.
        """
        try:
            modes = self.modes()
        except ValueError:
            row = self.kernel(t)
            return tuple(Expression(entry, input=k) for k, entry in enumerate(row, start=1) if entry != 0)
        return tuple(
            Exponential(amplitude, rate, input=k)
            for rate, _, amplitudes in modes
            for k, amplitude in enumerate(amplitudes, start=1)
            if amplitude != 0
        )

    def _repr_latex_(self) -> str:
        W, U, c = (sp.latex(each) for each in self.matrices)
        return rf"$\displaystyle W = {W},\quad U = {U},\quad c = {c}$"


def _at(coefficients: Sequence[sp.Expr], matrix: sp.ImmutableMatrix) -> sp.ImmutableMatrix:
    """A polynomial of a matrix, by Horner's rule."""
    value = sp.zeros(*matrix.shape)
    for each in coefficients:
        value = (value * matrix + each * sp.eye(matrix.rows)).applyfunc(sp.expand)
    return sp.ImmutableMatrix(value)


def _deflated(coefficients: Sequence[sp.Expr], root: sp.Expr) -> list[sp.Expr]:
    """p(x) / (x - root) by Horner's rule."""
    quotient = [coefficients[0]]
    for each in coefficients[1:-1]:
        quotient.append(sp.expand(quotient[-1] * root + each))
    return quotient


def loss(network: DenseRNN, target: Target, horizon: sp.Expr = sp.oo) -> sp.Expr:
    """J (M3), in output^2 / input^2 * time. Exact: rational for T = inf and a target of exponentials, by one Gramian.

    Otherwise by the overlaps of theory/kernels.py; NotImplementedError where the network's kernel has no closed form.

    >>> loss(DenseRNN([["-1"]], [["1"]], ["1"]), Target([Exponential(rate=2)]))
    1/12
    """
    terms = [term for term in target.terms if isinstance(term, Exponential) and term.lag == 0]
    if horizon is sp.oo and len(terms) == len(target.terms) and all(_is_rational(term) for term in terms):
        W, U, c = network.matrices
        inputs = sp.zeros(len(terms), network.inputs)
        for i, term in enumerate(terms):
            inputs[i, int(term.input) - 1] = -term.amplitude
        whole = sp.diag(W, *(-term.rate for term in terms)), sp.Matrix.vstack(U, inputs)
        readout = sp.Matrix([*c, *[1] * len(terms)])
        return (readout.T * gramian(*whole) * readout)[0]  # (H4) of rho_hat - rho against 0
    zero, kernels = sp.Integer(0), network.kernels()
    cross = sp.Add(*(overlap(p, q, zero, horizon) for p in kernels for q in target.terms))
    return weighted_square(kernels, zero, horizon) - 2 * cross + weighted_square(target.terms, zero, horizon)


def _is_rational(term: Exponential) -> bool:
    return bool(term.amplitude.is_Rational and term.rate.is_Rational)


@dataclass(frozen=True)
class DenseProblem:
    """Start the gradient flow in (c, W, U) at `start` on `target`; when has the loss fallen by more than `drop`?

    target:  Target; the `input` of every term at most d.
    start:   DenseRNN, the network at tau = 0. drop: > 0, in output^2 / input^2 * time, like J.
    horizon: T of the loss (M3), > 0 in time, or "inf".
    Raises ValueError for a value out of range or a symbol, TypeError for a float or the wrong kind of object.
    """

    target: Target
    start: DenseRNN
    drop: sp.Expr
    horizon: sp.Expr = sp.oo

    def __post_init__(self) -> None:
        if not isinstance(self.target, Target):
            raise TypeError(f"target must be a Target, got {self.target!r}")
        if not isinstance(self.start, DenseRNN):
            raise TypeError(f"start must be a DenseRNN, got {self.start!r}; DenseRNN.of(network) makes one")
        object.__setattr__(self, "drop", positive(self.drop, "drop", "for the loss to fall by it"))
        numbers_only(self.target, [self.drop])
        object.__setattr__(self, "horizon", horizon_of(self.horizon, self.target))
        for i, term in enumerate(self.target.terms):
            if term.input > self.start.inputs:
                many = f"{self.start.inputs} input" + "s" * (self.start.inputs > 1)
                raise ValueError(f"target term {i} is of input {term.input}, and the network has {many}")

    @cached_property
    def initial_loss(self) -> sp.Expr:
        """J(0) (M3). Exact; NotImplementedError where the start's memory kernel has no closed form."""
        return loss(self.start, self.target, self.horizon)

    def _repr_latex_(self) -> str:
        rho, start = sp.latex(self.target.rho(t)), self.start._repr_latex_().strip("$").removeprefix(r"\displaystyle ")
        return rf"$\displaystyle \rho(t) = {rho},\quad {start},\quad \text{{drop}} = {sp.latex(self.drop)}$"


def statements() -> tuple[Statement, ...]:
    """(H2)-(H5) and (M7) for any width m and any number of inputs d, for display; T = inf."""
    m, d = sp.symbols("m d", integer=True, positive=True)
    W, P, Q, Z = (sp.MatrixSymbol(name, m, m) for name in "WPQZ")
    U, Y = (sp.MatrixSymbol(name, m, d) for name in "UY")
    c, X, b = sp.MatrixSymbol("c", m, 1), sp.MatrixSymbol("X", m, 1), sp.MatrixSymbol("b", 1, d)
    J, s, eigenvalue, nothing = sp.Symbol("J"), sp.Symbol("s"), sp.Symbol("lambda"), sp.ZeroMatrix(m, m)
    network, wanted, rho = sp.Function("Rhat"), sp.Function("R"), sp.Function("rho")
    norm = sp.Integral(sp.Abs(rho(t)) ** 2, (t, 0, sp.oo))
    by = lambda weights: sp.Derivative(J, weights, evaluate=False)
    slope = lambda R: sp.Subs(sp.Derivative(R(s), s), s, -eigenvalue)
    return (
        Statement("Gramian", W * P + P * W.T + U * U.T, nothing, "H2"),
        Statement("dual Gramian", W.T * Q + Q * W + c * c.T, nothing, "H3"),
        Statement("loss", J - norm, c.T * P * c - 2 * c.T * X, "H4"),
        Statement("gradient", by(c), 2 * (P * c - X), "H5"),
        Statement("gradient", by(U), 2 * (Q * U - Y), "H5"),
        Statement("gradient", by(W), 2 * (Q * P - Z), "H5"),
        Statement("stationary point", network(-eigenvalue), wanted(-eigenvalue), "M7"),
        Statement("stationary point", slope(network) * b.T, slope(wanted) * b.T, "M7"),
    )
