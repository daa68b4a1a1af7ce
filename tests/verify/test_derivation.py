"""What is derived for a study: every law that applies, with its reason where it does not, in letters where asked."""

from dataclasses import replace

import pytest
import sympy as sp

from theory.dense import DenseProblem, DenseRNN
from theory.kernels import Airy, Box, Exponential, Expression, Gaussian, PowerLaw
from theory.parametrisation import Exp, InverseSquare, Softplus
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.derivation import Lettered, as_latex, derived, parametrised

L, T = sp.symbols("L T", positive=True)
UNITS = LinearRNN([("1", "1"), ("0", "0.7")])
COINCIDED = LinearRNN([("1/2", "1"), ("1/2", "1.3")])
BUMPS = [
    Gaussian(lag="10"),
    Box(end=2, lag="10"),
    PowerLaw(lag="10"),
    Airy(lag="10"),
    Expression("t*exp(-t)", lag="10"),
]


def problem(bump=BUMPS[0], start=UNITS, **more):
    return Problem(Target([Exponential(), bump]), start, "0.02", **more)


def test_the_law_of_coincided_units_is_asked_for_off_the_fit_only():
    assert [each.name for each in derived(problem())][-2:] == ["slow flow", "lower bound"]
    *_, slow, bound, law = derived(problem(start=COINCIDED))
    assert "not on the fit" in slow.reason and "not on the fit" in bound.reason
    assert [each.number for each in law.statements] == ["U4", "U5", "M15", "U1", "U1"]
    assert "τ₀ ∼" in law.unicode and r"\sim" in law.latex


@pytest.mark.parametrize("bump", BUMPS, ids=lambda bump: bump.kind)
def test_formulas_in_the_letter_are_those_of_every_lag(bump):
    """What is derived with L is, at L = 10, what is derived with 10: as numbers, at some rates."""
    further = replace(bump, lag=L)
    letters = Lettered(Target([Exponential(), further]), UNITS, sp.Rational(1, 50))
    pairs = zip(derived(letters), derived(problem(bump)), strict=True)
    at = {
        sp.Symbol(name, positive=True): sp.Rational(value)
        for name, value in (("w", "1/3"), ("w_e", "1/3"), ("s", "1/9"))
    }
    seen = set()
    for lettered, numbered in pairs:
        for one, other in zip(lettered.statements, numbered.statements, strict=True):
            seen |= one.right.free_symbols & {L}
            assert sp.simplify(one.right.subs(L, 10).subs(at) - other.right.subs(at)) == 0
    assert seen == {L}


def test_horizon_and_parametrisation_are_in_the_flow():
    objects = {each.name: each for each in derived(Lettered(problem().target, UNITS, sp.S(1), T, Exp()))}
    assert objects["loss"].statements[0].right.has(T)
    assert objects["slow flow"].reason.endswith("the horizon is T")
    phi, flow = objects["parametrisation"].statements
    assert (phi.right, flow.number) == (sp.exp(sp.Symbol("v", positive=True)), "M9")
    assert "parametrisation" not in {each.name for each in derived(problem())}


def test_every_parametrisation_moves_rates_by_the_square_of_its_slope():
    v = sp.Symbol("v", positive=True)
    for phi in (Exp(), Softplus(), InverseSquare("1", "1/2")):
        _, flow = parametrised([phi]).statements
        rate = next(iter(flow.right.atoms(sp.Indexed)))
        factor = -flow.right.subs(sp.Derivative(sp.Symbol("J"), rate), 1)
        here = {v: sp.Rational(3, 4)}
        slope = sp.diff(phi.rate(v), v).subs(here)
        assert abs(sp.N(factor.subs(rate, phi.rate(v).subs(here)) - slope**2, 20)) < 1e-15


def test_a_dense_network_has_its_gramians_on_an_infinite_horizon():
    network = DenseRNN([["-1"]], [["1"]], ["1"])
    (object_,) = derived(DenseProblem(problem().target, network, "0.02"))
    assert [each.number for each in object_.statements] == ["H2", "H3", "H4", "H5", "H5", "H5", "M7", "M7"]
    assert "\\" not in object_.unicode  # no LaTeX in text
    (none,) = derived(DenseProblem(problem().target, network, "0.02", "12"))
    assert none.latex is None and none.reason.endswith("the horizon is 12")
    assert as_latex([none]).startswith("% dense network\n% none: ")


@pytest.mark.parametrize("bump", BUMPS, ids=lambda bump: bump.kind)
def test_text_names_no_class_of_python(bump):
    text = "\n".join(each.unicode for each in derived(problem(bump, horizon="12"))) + "\n".join(
        each.unicode for each in derived(problem(bump, parametrisation=Softplus()))
    )
    assert "Moment" not in text and "Lambda" not in text
