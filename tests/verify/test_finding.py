"""Numbers as a person reads them, and the memory by which a cell is called."""

from decimal import ROUND_FLOOR

import pytest

from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify import finding
from verify.study import load
from verify.sweep import run


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


def test_memory_is_the_nearest_lag():
    rnn = LinearRNN([("1", "1"), ("0", "0.7")])
    two = Target([Exponential(), Gaussian(lag="20"), Gaussian(lag="12")])
    assert finding.memory(Problem(two, rnn, "0.05")) == 12
    alone = Problem(Target([Exponential()]), LinearRNN([("1", "2")]), "0.05")
    assert finding.memory(alone) is None


def test_cells_that_share_a_memory_are_no_growth_with_it(tmp_path):
    """Two escaping cells with one lag: nothing to sort them by but the lag."""
    path = tmp_path / "rates.toml"
    path.write_text(
        """
        [target]
        terms = [{kind = "exponential"}, {kind = "gaussian", lag = "8"}]
        [start]
        amplitudes = ["1", "0"]
        rates = ["1", "0.7"]
        [escape]
        drop = "0.05"
        [precision]
        digits = 8
        [sweep]
        "start.rates.1" = ["0.7", "0.6"]
        """
    )
    assert finding.sentences(run(load(str(path))), (), ())[0] == "2 of 2 cells escape."
