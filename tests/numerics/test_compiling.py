"""Compiled expressions: one value in three arithmetics, constants exact and computed once."""

import re

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.compiling import bind, compiled, evaluate
from theory.special import ExponentialMoment, GaussianMoment, Moment
from tolerances import agree

x, y = sp.symbols("x y", positive=True)
THIRD = sp.Rational(1, 3)
ARB = Arb(50)
LEAVES = st.sampled_from([x, y, sp.Integer(2), sp.Integer(-3), THIRD, sp.Rational(-7, 5), sp.pi, sp.sqrt(2), sp.E])


def grown(parts):
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda pair: pair[0] + pair[1]),
        pairs.map(lambda pair: pair[0] - pair[1]),
        pairs.map(lambda pair: pair[0] * pair[1]),
        pairs.map(lambda pair: pair[0] / (1 + pair[1] ** 2)),
        parts.map(lambda part: sp.sqrt(1 + part**2)),
        parts.map(lambda part: (1 + part**2) ** THIRD),
        parts.map(lambda part: sp.exp(-(part**2))),
        parts.map(lambda part: sp.log(1 + part**2)),
        parts.map(lambda part: sp.erfc(1 / (1 + part**2))),
        parts.map(lambda part: GaussianMoment(1, 1 / (1 + part**2), THIRD, 2)),
    )


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=6)


def value(expression, arithmetic, at=("3/7", "11/5")):
    with arithmetic.working():
        arguments = arithmetic.array(map(sp.Rational, at))
        return bind((x, y), [expression], arithmetic)(*arguments)[0]


@settings(max_examples=15)
@given(EXPRESSIONS)
@example(sp.sqrt(GaussianMoment(1, 1, THIRD, 2) ** 2 + 1))  # a constant moment whose s stays a Python integer
def test_the_three_arithmetics_and_sympy_agree(expression):
    exact = expression.subs({x: sp.Rational("3/7"), y: sp.Rational("11/5")})
    ball = value(expression, Arb(60))
    assert agree(ball, exact, digits=45, scale=1)  # a decimal of 15 digits anywhere would show
    assert agree(value(expression, Mpmath(60)), ball, digits=45, scale=1)
    assert agree(value(expression, Float64()), ball, digits=11, scale=1)


@pytest.mark.parametrize("arithmetic", [Mpmath(60), Arb(60)], ids=lambda each: each.name)
@pytest.mark.parametrize("constant", [THIRD, sp.Rational("0.1"), sp.pi / 7, sp.sqrt(2), sp.E, 2**THIRD, sp.exp(-1)])
def test_constants_have_sixty_digits(arithmetic, constant):
    with arithmetic.working():
        assert agree(evaluate(constant, arithmetic), constant, digits=58)
    assert agree(value(constant * x + y, arithmetic, at=("1", "0")), constant, digits=58)  # rejects 0.333333333333333


def test_constants_are_hoisted_out_of_the_source():
    program = compiled((x, y), (sp.exp(-THIRD) * x + sp.pi**2 * y + THIRD, sp.sqrt(2) * x * y))
    assert {sp.exp(-THIRD), sp.pi**2, THIRD, sp.sqrt(2)} == {exact for _, exact in program.constants}
    assert not re.search(r"\d\.\d|pi\(|exp\(|sqrt\(", program.source)


def test_constants_are_computed_once_when_bound(monkeypatch):
    arithmetic, calls = Float64(), []
    counted = dict(arithmetic.functions, exp=lambda z: calls.append(z) or np.exp(z))
    monkeypatch.setattr(arithmetic, "functions", counted)
    function = bind((x,), [x * sp.exp(-THIRD)], arithmetic)
    assert len(calls) == 1
    assert [function(np.float64(at))[0] for at in (1.0, 2.0)] == [np.exp(-1 / 3), 2 * np.exp(-1 / 3)]
    assert len(calls) == 1


def test_common_subexpressions_are_shared():
    program = compiled((x, y), (sp.exp(-x * y) + 1, sp.exp(-x * y) * y, 1 / (x + y), 1 / (x + y) ** 2))
    assert program.source.count("exp(") == 1
    assert program.source.count("argument_0 + argument_1") == 1


def test_huge_integers_become_numbers_of_the_arithmetic():
    huge = sp.Integer(10) ** 40 + 1
    assert agree(value(x + huge, Arb(60), at=("0", "1")), huge, digits=58)  # float64 would lose the 1
    assert "10000000000" not in compiled((x,), (x + huge,)).source


def test_symbols_keep_their_order_whatever_they_are_called():
    odd = sp.symbols("lambda def argument_1 exp")  # keywords, our own names, a function's name
    function = bind(odd, [odd[0] - 2 * odd[1] + 4 * odd[2] - 8 * odd[3]], Float64())
    assert function(1.0, 1.0, 1.0, 1.0) == (-5.0,)
    assert function(1.0, 0.0, 0.0, 0.0) == (1.0,)


def test_arrays_are_taken_elementwise():
    rows = np.array([[1.0], [2.0]])
    (table,) = bind((x, y), [x / y + THIRD], Float64())(rows, np.array([1.0, 2.0, 4.0]))
    assert table == pytest.approx(rows / np.array([1.0, 2.0, 4.0]) + 1 / 3)


def test_global_precision_is_left_alone():
    before = mpmath.mp.prec, flint.ctx.prec
    for arithmetic in (Float64(), Mpmath(80), Arb(80)):
        value(sp.exp(-x / 3) + sp.pi * y, arithmetic)
        with arithmetic.working():
            evaluate(sp.pi / 3, arithmetic)
        assert (mpmath.mp.prec, flint.ctx.prec) == before


def test_a_piecewise_function_takes_numbers_and_arrays():
    hat = sp.Piecewise((x / 3, (x >= 1) & (x <= 2)), (sp.exp(-x), x > 4), (0, True))
    points = ["1/2", "1", "3/2", "2", "3", "5"]
    expected = [hat.subs(x, sp.Rational(each)) for each in points]
    for arithmetic in (Float64(), Mpmath(40), Arb(40)):
        digits = 14 if arithmetic.name == "float64" else 38
        with arithmetic.working():
            function = bind((x,), [hat], arithmetic)
            for at, wanted in zip(points, expected, strict=True):
                assert agree(function(arithmetic.number(sp.Rational(at)))[0], wanted, digits)
    (table,) = bind((x,), [hat], Float64())(np.array([float(sp.Rational(each)) for each in points]))
    assert table == pytest.approx(np.array([float(each) for each in expected]))


def test_a_horizon_that_is_an_integer_stays_exact():
    moment = ExponentialMoment(2, x, sp.Integer(5))  # 5^3/3 once was a float inside sixty digits
    exact = moment.explicit().subs(x, sp.Rational(1, 30))
    for arithmetic in (Mpmath(60), Arb(60)):
        assert agree(value(moment, arithmetic, at=("1/30", "1")), sp.N(exact, 70), digits=50)


def test_moments_of_one_density_share_its_rule():
    density = sp.Lambda(y, 1 / (1 + y))
    moments = [Moment(n, x, density, sp.Integer(0), sp.Integer(2)) for n in range(3)]
    program = compiled((x,), (*moments, Moment(0, x, density, sp.Integer(0), sp.Integer(3))))
    assert len(program.moments) == 2
    with ARB.working():
        zeroth, first = bind((x,), moments[:2], ARB)(ARB.number(THIRD))
        both = zeroth + first  # int_0^2 (1 + t)/(1 + t) e^{-t/3} dt
    assert agree(both, 3 * (1 - sp.exp(-sp.Rational(2, 3))), digits=45)


def test_a_moment_without_free_symbols_is_a_constant():
    moment = Moment(1, THIRD, sp.Lambda(x, x), sp.Integer(0), sp.Integer(1))
    exact = sp.integrate(x**2 * sp.exp(-x / 3), (x, 0, 1))  # SymPy trips over a product with the identity Lambda(t, t)
    for arithmetic, digits in ((Float64(), 13), (Mpmath(50), 45), (ARB, 45)):
        with arithmetic.working():
            assert agree(evaluate(moment, arithmetic), exact, digits)
            assert agree(bind((y,), [y * moment], arithmetic)(arithmetic.number(1))[0], exact, digits)


def test_constant_moments_in_float64():
    with Float64().working():
        for n in range(3):  # z = 9 and z = -10: by the continued fraction and by the closed form
            for at, lag in ((10, 1), (0, 10)):
                exact = GaussianMoment(n, at, lag, 1)
                assert agree(float(evaluate(exact, Float64())), exact, digits=12)
