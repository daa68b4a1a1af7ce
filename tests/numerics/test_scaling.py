"""The scaling law: slopes of known powers, reference escape times, cells that are missing."""

import math

import numpy as np
import pytest

from numerics.scaling import Cell, ScalingLaw, scaling_law
from numerics.slow_flow import slow_escape_time
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

# True escape times of the pair e^{-t} + bump at L, start a = (1, 0), w = (1, 0.7), drop 0.05.
TRUE = {"16": "2371.436286885915508431", "20": "192126.7701435007006369265", "30": "65590203960.66914794305"}


def test_powers_of_ten_have_the_slopes_they_have():
    # log10 for ln, or a slope against the index and not against L, fails here
    law = scaling_law([Cell(L, tau, spare="0.7") for L, tau in (("1/2", "1e3"), ("3", "1e5"), ("5", "1e600005"))], 15)
    assert law.memories == ("0.5", "3", "5")
    assert [float(slope) for slope in law.slopes] == pytest.approx(
        [math.log(10) * 0.8, math.log(10) * 300000], rel=1e-14
    )
    assert law.two_w0 == "1.4" and law.reason == "no slow-flow slope beside a cell without a slow-flow time"


def test_the_overall_slope_is_least_squares():
    # the slope between first and last is 1.2296 here, the mean of the local slopes 1.2090
    law = scaling_law([Cell(L, tau) for L, tau in TRUE.items()], 15)
    expected, _ = np.polyfit([16, 20, 30], [math.log(float(tau)) for tau in TRUE.values()], 1)
    assert float(law.slope) == pytest.approx(expected, rel=1e-12)
    local = [math.log(192126.7701435007 / 2371.436286885916) / 4, math.log(65590203960.66915 / 192126.7701435007) / 10]
    assert [float(slope) for slope in law.slopes] == pytest.approx(local, rel=1e-13)
    assert law.slow_flow_slopes == (None, None) and law.two_w0 is None


def test_the_slow_flow_explains_the_slopes_and_they_tend_to_two_w0():
    cells = []
    for L, drop in (("30", "0.05"), ("1000", "0.001"), ("1010", "0.001"), ("100000", "1e-5"), ("101000", "1e-5")):
        target = Target([Exponential(), Gaussian(lag=L)])
        integral = slow_escape_time(Problem(target, LinearRNN([("1", "1"), ("0", "0.7")]), drop)).value
        cells.append(Cell(L, integral, integral, "0.7"))
    law = scaling_law(cells)
    assert law.slopes == law.slow_flow_slopes
    # (F7): d ln tau / dL = 2 w0 - 2/L + O(1/L^2), between 1000 and 1010 with 2c/L^2 = 1.9e-5 more, c = 9.26
    assert float(law.slopes[1]) == pytest.approx(1.4 - 2 / 1005 - 2 * 9.26 / 1005**2, abs=1e-6)
    assert float(law.slopes[3]) == pytest.approx(1.4 - 2 / 100500, abs=1e-8)


def test_cells_that_did_not_escape_are_left_out():
    cells = [
        Cell("8", None),
        Cell("16", "1e1", "1e2"),
        Cell("18", None, "1e3"),
        Cell("20", "1e5", "1e4"),
        Cell("22", None),
    ]
    law = scaling_law(cells)
    assert law.memories == ("16", "20")
    assert float(law.slopes[0]) == pytest.approx(math.log(10), rel=1e-9) == float(law.slope)
    assert float(law.slow_flow_slopes[0]) == pytest.approx(math.log(10) / 2, rel=1e-9)


@pytest.mark.parametrize("taus", [[], [None, None], [None, "15.02"]])
def test_fewer_than_two_cells_have_no_slope(taus):
    law = scaling_law([Cell(str(L), tau, spare="0.7") for L, tau in enumerate(taus)])
    assert law.slope is None and law.slopes is None and law.slow_flow_slopes is None
    assert "two cells that escaped" in law.reason


def test_the_spares_of_a_sweep_must_be_one_for_two_w0():
    cells = [Cell("10", "1e3", spare="0.7"), Cell("20", "1e6", spare="0.8")]
    assert scaling_law(cells).two_w0 is None
    assert scaling_law([cells[0], Cell("20", "1e6")]).two_w0 is None


def test_as_dict_has_the_names_of_the_report():
    law = scaling_law([Cell("10", "1e3", "1e3", "0.7"), Cell("20", "1e6", None, "0.7")], 4)
    assert "no 2 w0" in scaling_law([Cell("10", "1e3", "1e3"), Cell("20", "1e6", "1e6")]).reason
    assert law.as_dict() == {
        "slope": "0.6908",
        "local_slopes": ["0.6908"],
        "slow_flow_slopes": [None],
        "two_w0": "1.4",
        "memories": ["10", "20"],
        "reason": "no slow-flow slope beside a cell without a slow-flow time",
    }
    assert isinstance(law, ScalingLaw)


@pytest.mark.parametrize("second", ["10", "9"])
def test_memories_must_increase(second):
    with pytest.raises(ValueError, match="memory 1 must be > memory 0"):
        scaling_law([Cell("10", "1"), Cell(second, "2")])


@pytest.mark.parametrize("tau", ["-1", "0", "inf", "nan", "soon", 1.5])
def test_an_escape_time_is_a_positive_decimal(tau):
    with pytest.raises(ValueError, match="tau must be a decimal string > 0"):
        Cell("10", tau)
