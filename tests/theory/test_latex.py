"""Everything that is displayed is LaTeX that a notebook, the command line and the report can take."""

import re

import pytest
import sympy as sp

from theory import dense, flow, landscape
from theory.bounds import lower_bound
from theory.coincidence import coincidence
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import KINDS, Exponential, Expression, Gaussian
from theory.latex import Statement, align
from theory.parametrisation import NAMED, InverseSquare
from theory.plateau import plateau
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from theory.special import DividedMoment, ExponentialMoment, Moment, PowerMoment

TARGET = Target([Exponential(), Gaussian(lag="10")])
START = LinearRNN.of(["1", "0"], ["1", "0.7"])
PROBLEM = Problem(TARGET, START, "1/20")
T = sp.Symbol("T", positive=True)
COINCIDENCE = coincidence(Problem(TARGET, LinearRNN.of(["1/2", "1/2"], ["1", "1.3"]), "1/50"))
BUMPS = [kind(lag="6") for name, kind in KINDS.items() if name not in ("expression", "exponential")]
BUMPS.append(Expression("t*exp(-t)*cos(t)", lag="6"))
PLATEAUS = [Problem(Target([Exponential(), bump]), START, "1/20") for bump in BUMPS]
STATEMENTS = [
    *(landscape.loss(horizon) for horizon in (sp.oo, T, sp.Integer(10))),
    *(each for horizon in (sp.oo, T, sp.Integer(10)) for each in landscape.gradient(horizon)),
    *flow.flow(),
    *(each for phi in (*NAMED.values(), InverseSquare("2", "1/2")) for each in flow.flow(T, phi)),
    *flow.cancellation_free(),
    *flow.cancellation_free(T),
    *(each for problem in PLATEAUS for each in plateau(problem).statements()),
    *(each for problem in PLATEAUS for each in lower_bound(problem).statements()),
    *dense.statements(),
    *COINCIDENCE.statements(),
]
KERNELS = [kind() for name, kind in KINDS.items() if name != "expression"] + [Expression("t*exp(-t)")]
NETWORK = DenseRNN([["-1", "-2"], ["2", "-1"]], [["1", "0"], ["0", "1/3"]], ["1", "0"])
DENSE = [NETWORK, DenseProblem(Target([Exponential(input=2), Gaussian(lag="10")]), NETWORK, "1/20")]
OBJECTS = [*KERNELS, TARGET, START, PROBLEM, plateau(PROBLEM), lower_bound(PROBLEM), COINCIDENCE, *DENSE]


def well_formed(latex):
    """Braces, \\left-\\right and environments are balanced, and no Python has leaked through."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        assert depth >= 0, latex
    assert depth == 0, latex
    assert len(re.findall(r"\\left(?![a-z])", latex)) == len(re.findall(r"\\right(?![a-z])", latex)), latex
    assert re.findall(r"\\begin{(\w+)}", latex) == re.findall(r"\\end{(\w+)}", latex), latex
    assert not re.search(r"Moment|Symbol|Lambda|airyai|\*\*|_Replaceable", latex), latex
    return True


@pytest.mark.parametrize("shown", [*OBJECTS, *STATEMENTS], ids=lambda shown: type(shown).__name__)
def test_every_object_shows_itself_as_one_formula(shown):
    latex = shown._repr_latex_()
    assert latex.startswith("$")
    assert latex.endswith("$")
    assert "$" not in latex[1:-1]
    assert well_formed(latex)


def test_an_align_body_has_one_tagged_line_a_statement():
    body = align(STATEMENTS)
    lines = body.split(" \\\\\n")
    assert len(lines) == len(STATEMENTS)
    for line, statement in zip(lines, STATEMENTS, strict=True):
        assert len(re.findall(r" &(?:=|\\\w+) ", line)) == 1
        assert line.endswith(rf" \tag{{{statement.number}}}")
        assert well_formed(line)


def test_the_loss_reads_as_in_the_mathematics():
    latex = sp.latex(landscape.loss().right)
    assert r"\sum_{\substack{1 \leq i \leq m\\1 \leq j \leq m}} \frac{{a}_{i} {a}_{j}}{{w}_{i} + {w}_{j}}" in latex
    assert r"\int\limits_{0}^{\infty} \rho^{2}{\left(t \right)}\, dt" in latex


def test_a_gaussian_moment_has_a_name():
    s = sp.Symbol("s", positive=True)
    assert sp.latex(Gaussian(lag="10").laplace(s)) == r"M_{0}\left(s; 10, 1\right)"
    assert sp.latex(Gaussian(lag="10").laplace(s) ** 2) == r"M_{0}\left(s; 10, 1\right)^{2}"


def test_moments_are_shown_by_what_they_are():
    s, t = sp.symbols("s t", positive=True)
    assert sp.latex(PowerMoment(1, s, sp.Rational(3, 2))) == r"H_{1}\left(s; \frac{3}{2}\right)"
    assert sp.latex(DividedMoment(0, s, t, 4) ** 2) == r"D_{0}\left(s, t\right)^{2}"
    integral = r"\int\limits_{0}^{\infty} e^{- s t} Ai\left(t\right)\, dt"
    assert sp.latex(Moment(0, s, sp.Lambda(t, sp.airyai(t)), 0, sp.oo)) == integral
    assert sp.latex(ExponentialMoment(0, s, 4)) == r"\frac{1 - e^{- 4 s}}{s}"


def test_a_moment_that_is_a_sum_stands_in_brackets_in_a_product():
    s, both = sp.Symbol("s", positive=True), ExponentialMoment(0, 1, 2)
    assert sp.latex(4 * s * both) == r"4 s \left(1 - e^{-2}\right)"
    assert sp.latex(-both) == r"- \left(1 - e^{-2}\right)"
    assert sp.latex(s * both**2) == r"s \left(1 - e^{-2}\right)^{2}"


def test_the_dense_loss_and_its_stationary_points_read_as_in_the_mathematics():
    shown = [statement._repr_latex_() for statement in dense.statements()]
    assert r"\left|{\rho{\left(t \right)}}\right|^{2}\, dt = c^{T} P c - 2 c^{T} X$" in shown[2]
    assert r"\frac{d}{d W} J = 2 Q P - 2 Z$" in shown[5]
    assert r"\hat{R}{\left(- \lambda \right)} = R{\left(- \lambda \right)}$" in shown[6]


def test_statements_are_values():
    x = sp.Symbol("x")
    assert Statement("a", x, x, "M1") == Statement("a", x, x, "M1")
