"""Formulas as MathML: the letters, signs and brackets that a reader sees."""

import html
import re

import pytest
import sympy as sp

from theory import flow, landscape
from theory.latex import Statement
from verify.mathml import mathml


def text_of(statement):
    """The characters of a formula, tags dropped."""
    return html.unescape(re.sub(r"<[^>]*>", "", mathml(statement.left, statement.right))).replace("\u2062", "")


def test_formulas_keep_letters_signs_and_both_sums():
    assert text_of(landscape.loss()) == "J=∑i=1m∑j=1maiajwi+wj−2∑i=1maiR(wi)+∫0∞ρ(t)2dt"
    by_amplitude, by_rate = landscape.gradient()
    assert text_of(by_amplitude) == "∂J∂ak=2∑j=1majwj+wk−2R(wk)"
    assert text_of(by_rate) == "∂J∂wk=−2ak(∑j=1maj(wj+wk)2+R′(wk))"
    assert text_of(flow.cancellation_free()[1]) == "E(s)=∑j=1m(αjs+βj+wj*−aj*βj(s+wj*)(s+βj+wj*))"


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        ("-x", "−x"),
        ("(x - 3)**2/y", "(x−3)2y"),
        ("exp(-x)*y", "ye−x"),
        ("-x - y", "−x−y"),
        ("z*(-x - y)", "−z(x+y)"),
        ("x/3", "x3"),
        ("sqrt(x)", "x"),
        ("1/x", "1x"),
    ],
)
def test_formulas_are_written_as_a_reader_expects(expr, text):
    right = sp.sympify(expr, locals={"x": sp.Symbol("x"), "y": sp.Symbol("y"), "z": sp.Symbol("z")})
    assert text_of(Statement("test", sp.Symbol("J"), right, "M0")) == f"J={text}"
