"""Everything that is displayed is LaTeX that a notebook, the command line and the report can take."""

import re

import pytest
import sympy as sp

from theory import flow, landscape
from theory.bounds import lower_bound
from theory.kernels import KINDS, Exponential, Expression, Gaussian
from theory.latex import Statement, align
from theory.plateau import plateau
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

TARGET = Target([Exponential(), Gaussian(lag="10")])
START = LinearRNN.of(["1", "0"], ["1", "0.7"])
PROBLEM = Problem(TARGET, START, "1/20")
STATEMENTS = [
    landscape.loss(),
    *landscape.gradient(),
    *flow.flow(),
    *flow.cancellation_free(),
    *plateau(PROBLEM).statements(),
    *lower_bound(PROBLEM).statements(),
]
KERNELS = [kind() for name, kind in KINDS.items() if name != "expression"] + [Expression("t*exp(-t)")]
OBJECTS = [*KERNELS, TARGET, START, PROBLEM, plateau(PROBLEM), lower_bound(PROBLEM)]


def well_formed(latex):
    """Braces, \\left-\\right and environments are balanced, and no Python has leaked through."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        assert depth >= 0, latex
    assert depth == 0, latex
    assert len(re.findall(r"\\left(?![a-z])", latex)) == len(re.findall(r"\\right(?![a-z])", latex)), latex
    assert re.findall(r"\\begin{(\w+)}", latex) == re.findall(r"\\end{(\w+)}", latex), latex
    assert not re.search(r"GaussianMoment|Symbol|\*\*|_Replaceable", latex), latex
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


def test_statements_are_values():
    x = sp.Symbol("x")
    assert Statement("a", x, x, "M1") == Statement("a", x, x, "M1")
