"""Numbers as a person reads them, names of cells, and sentences that are true of the numbers."""

from decimal import ROUND_FLOOR
from types import SimpleNamespace

import pytest

from numerics.answer import Answer
from numerics.run import Outcome
from studies import pair_study
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import Box, Exponential, Gaussian
from theory.parametrisation import Exp, InverseSquare, Parametrisation, Softplus
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify import finding
from verify.study import load
from verify.sweep import CellResult, run


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("15.02589977590923123276", "15.0259"),
        ("6.559020396e+10", "6.55902 × 10¹⁰"),
        ("3.1e607995", "3.1 × 10⁶⁰⁷⁹⁹⁵"),
        ("-2.5e-9", "−2.5 × 10⁻⁹"),
        ("0.0", "0.0"),
    ],
)
def test_numbers_for_reading(value, text):
    assert finding.shown(value).replace("\u00a0", " ") == text


def test_a_lower_bound_is_never_rounded_up():
    assert finding.shown("37.91159", 4, ROUND_FLOOR) == "37.91"
    assert finding.shown("37.91999", 4, ROUND_FLOOR) == "37.91"


def fake(problem, parameters=None, tau=None, **laws):
    """A cell with an escape time that is made up."""
    outcome = Outcome.escaped if tau else Outcome.stationary
    return CellResult(parameters or {}, problem, SimpleNamespace(tau=tau, outcome=outcome), **laws)


def told(cells):
    return finding.sentences(SimpleNamespace(cells=tuple(cells)), (), ())


def pair(lag="10", **more):
    return Problem(Target([Exponential(), Gaussian(lag=lag)]), LinearRNN([("1", "1"), ("0", "0.7")]), "0.05", **more)


def test_memory_is_the_nearest_lag():
    rnn = LinearRNN([("1", "1"), ("0", "0.7")])
    two = Target([Exponential(), Gaussian(lag="20"), Gaussian(lag="12")])
    assert finding.memory(fake(Problem(two, rnn, "0.05"))) == 12
    alone = Problem(Target([Exponential()]), LinearRNN([("1", "2")]), "0.05")
    assert finding.memory(fake(alone)) is None


def test_memory_is_the_lag_that_is_swept_though_the_term_begins_later():
    box = Problem(Target([Exponential(), Box(start=2, end=3, lag="6")]), LinearRNN([("1", "1"), ("0", "0.7")]), "0.05")
    assert finding.memory(fake(box)) == 8
    swept = fake(box, {"target.terms.1.lag": "6"})
    assert finding.memory(swept) == 6
    assert finding.cell_name(swept) == "L = 6"


def test_memory_of_a_dense_problem_is_that_of_what_lies_back():
    dense = DenseProblem(Target([Exponential(), Gaussian(lag="6")]), DenseRNN([["-1"]], [["1"]], ["1"]), "0.05")
    assert finding.memory(fake(dense)) == 6


@pytest.mark.parametrize(
    ("parameters", "changes", "name"),
    [
        ({"target.horizon": "inf"}, {}, "T = ∞"),
        ({"target.horizon": "12.5"}, {"horizon": "12.5"}, "T = 12.5"),
        ({"start.parametrisation": "exp"}, {"parametrisation": Exp()}, "exp"),
        ({"start.parametrisation": "…"}, {"parametrisation": InverseSquare("2", "1/2")}, "1/(2 v² + 0.5)"),
        ({"target.horizon": "12", "target.terms.1.lag": "10"}, {"horizon": "12"}, "horizon = 12, lag = 10"),
        ({}, {}, "L = 10"),
    ],
)
def test_a_cell_is_called_by_what_is_swept(parameters, changes, name):
    assert finding.cell_name(fake(pair(**changes), parameters)) == name


def test_growth_names_the_factor_of_the_law_that_holds():
    cells = [fake(pair(lag), {"target.terms.1.lag": lag}, tau) for lag, tau in (("10", "100"), ("12", "1000"))]
    headline, grew, *_ = told(cells)
    assert headline == "Each unit of memory multiplies the training time by e<sup>2w₀</sup> = 4.06 in the long run."
    assert grew.endswith("grew from 100 to 1000, 10 times.")
    assert finding.title(cells).startswith("The curse of memory")
    assert not finding.title([fake(pair("10"), {}, "1000"), fake(pair("12"), {}, "100")]).startswith("The curse")
    assert not finding.title([fake(pair("10"), {}, "89.20"), fake(pair("12"), {}, "89.21")]).startswith("The curse")


def test_growth_of_coincided_units_has_their_exponent():
    rnn, law = LinearRNN([("1/2", "1"), ("1/2", "1.3")]), (Answer("1e5", "estimated"), Answer("1e7", "estimated"))
    cells = [
        fake(Problem(Target([Exponential(), Gaussian(lag=lag)]), rnn, "0.02"), {}, tau, coincided=answer)
        for lag, tau, answer in zip(("12", "14"), ("1e4", "1.1e6"), law, strict=True)
    ]
    headline, _, slopes = told(cells)
    assert "e<sup>5w*/2</sup> = 12.2" in headline  # e^2.5
    assert "ln τ grows by 2.3502" in slopes and "law of coincided units derived below says 2.3026" in slopes


def test_growth_without_a_law_claims_none():
    cells = [fake(pair(lag, horizon="11"), {}, tau) for lag, tau in (("8", "10"), ("10", "20"))]
    assert told(cells) == [
        "From L = 8 to L = 10 the escape time of gradient flow grew from 10 to 20, 2.0 times.",
        "Between the last two, ln τ grows by 0.3466 for each unit.",  # ln(2)/2
    ]


def test_horizons_are_compared_with_the_longest():
    taus = {"inf": "100", "12": "101", "10": "150", "8": "1000", "14": "99.9999", "16": "100", "6": None}
    cells = [fake(pair(horizon=T), {"target.horizon": T}, tau) for T, tau in taus.items()]
    assert told(cells) == [
        "With the loss cut off at T = 8 the escape comes after 10.0 times as long: τ = 1000 instead of 100.",
        "Against T = ∞ it comes 50 % later at T = 10, 1.0 % later at T = 12, 0.0001 % earlier at T = 14, "
        "at the same time at T = 16.",
        "T = 6: the flow ends in a minimum short of the drop; it never escapes.",
    ]


def test_parametrisations_are_compared_with_the_identity_and_the_law():
    trained = {"exp": Exp(), "identity": Parametrisation(), "softplus": Softplus()}
    cells = [
        fake(pair(parametrisation=phi), {"start.parametrisation": name}, tau)
        for (name, phi), tau in zip(trained.items(), ("150", "100", "250"), strict=True)
    ]
    measured, law = told(cells)
    assert measured.endswith("parametrisation identity (τ = 100): exp: 1.5, softplus: 2.5.")
    assert law == "For long memory the slow flow says 1/φ′(v₀)²: exp: 2.041, softplus: 3.946."  # 0.7^-2, (1-e^-0.7)^-2


def test_a_single_cell_and_cells_without_escape():
    assert told([fake(pair(), {}, "42.5955386594")]) == [
        "The loss has fallen by 0.05 at the gradient-flow time τ = 42.59553866."
    ]
    none = [fake(pair(lag), {"target.terms.1.lag": lag}) for lag in ("8", "10")]
    end = "the flow ends in a minimum short of the drop; it never escapes"
    assert told(none) == ["0 of 2 cells escape.", f"L = 8, L = 10: {end}."]


def test_missing_numbers_are_told_once_and_only_where_they_could_be():
    def no(reason):
        return Answer(None, "estimated", reason=reason)

    cells = [
        fake(
            pair(horizon=T),
            {"target.horizon": T},
            slow_flow=no(f"the horizon is {T}"),
            leading_order=no(f"the horizon is {T}"),
            coincided=no("two units must share one exponential"),  # nobody would ask for that on the fit
            lower_bound=no("it says nothing"),
        )
        for T in ("10", "12")
    ]
    assert finding.missing(cells) == [
        ("slow flow, leading order", "the horizon is 10 (numbers of T = 10)", "T = 10, T = 12"),
        ("lower bound", "it says nothing", "T = 10, T = 12"),
    ]
    off = Problem(Target([Exponential(), Gaussian(lag="9")]), LinearRNN([("2", "1"), ("0", "0.7")]), "0.05")
    reasons = {"slow_flow": no("off the fit"), "coincided": no("amplitudes of two signs")}
    assert [what for what, _, _ in finding.missing([fake(off, **reasons)])] == ["slow flow", "law of coincided units"]


def test_cells_that_share_a_memory_are_no_growth_with_it(tmp_path):
    """Two escaping cells with one lag: nothing to sort them by but the lag."""
    path = tmp_path / "rates.toml"
    path.write_text(pair_study({"start.rates.1": ["0.7", "0.6"]}, digits=8))
    assert finding.sentences(run(load(str(path))), (), ())[0] == "2 of 2 cells escape."
