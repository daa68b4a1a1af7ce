"""The one entry: what counts as short of what was asked, and what is done about it."""

from dataclasses import replace

import flint
import pytest

from numerics.arithmetic import Arb
from verify.certificate import certificate, recording_time
from verify.certificate.certificate import NOT_CERTIFIED, Certificate, certify
from verify.certificate.checking import Conclusion
from verify.certificate.dyadic import digits_of
from verify.certified import CertifiedCell, StudyCertificates
from verify.study import load

STUDY = load("pair")
PROBLEM = STUDY.cells[0].problem


def test_fewer_digits_than_asked_are_short_and_so_is_nothing():
    enough = Certificate(PROBLEM, "escaped", "", 5, "1.50001", "1.50002", 5)
    few = Certificate(PROBLEM, "escaped", "", 5, "1.5001", "1.5002", 4)
    nothing = Certificate(PROBLEM, NOT_CERTIFIED, "it was too hard", 5)
    never = Certificate(PROBLEM, "stationary", "", 5)
    assert [each.short for each in (enough, few, nothing, never)] == [False, True, True, False]
    cells = [CertifiedCell({"lag": str(i)}, each) for i, each in enumerate((enough, few, nothing, never))]
    said = StudyCertificates(STUDY, 5, tuple(cells)).shortcomings
    assert said == ("lag = 1 has 4 certified digits, 5 were asked", "lag = 2 is not certified: it was too hard")


def test_a_claim_has_the_digits_asked_where_rounding_costs_one():
    """5/4 +- 2^-100 to six digits is [1.24999, 1.25001], which certifies four."""
    with Arb(60).working():
        lower, upper = flint.arb("1.25") - flint.arb(2) ** -100, flint.arb("1.25") + flint.arb(2) ** -100
    claim = Conclusion("escaped", lower, upper).claim(5)
    assert (claim.lower, claim.upper) == ("1.249999", "1.250001")
    most = Conclusion("escaped", lower, upper).claim(100)
    assert digits_of(str(most.lower), str(most.upper)) == 29  # 5/4 over 2^-99, and a place for rounding


@pytest.mark.parametrize(("left_out", "short"), [([], False), ([12], False), ([12, 30, 40], True)])
def test_a_record_that_is_short_is_made_again_with_more_digits(monkeypatch, left_out, short):
    """By a recorder that leaves out so many digits at first; three times are enough, and the best of them is kept."""
    asked, left = list[int](), list(left_out)

    def record(problem, digits):
        asked.append(digits)
        return recording_time.record(problem, digits - (left.pop(0) if left else 0))

    monkeypatch.setitem(certificate.RECORDERS, "time", record)
    found = certify(PROBLEM, 30, recipe="time")
    assert found.short is short and found.outcome == "escaped" and found.guarantee == "enclosed"
    assert len(asked) == min(len(left_out) + 1, 3) and asked == sorted(set(asked)) and asked[0] > 30


def test_a_proof_that_fails_is_tried_again_and_the_reason_told(monkeypatch):
    """From a record with too few working digits to prove anything."""
    asked = list[int]()

    def record(problem, digits):
        asked.append(digits)
        return replace(recording_time.record(problem, 10), digits=10)

    monkeypatch.setitem(certificate.RECORDERS, "time", record)
    found = certify(PROBLEM, 10, recipe="time")
    assert found.outcome == NOT_CERTIFIED and found.short and len(set(asked)) == 3
    assert "time: the tube around the trajectory grows too wide" in found.reason and "minimum: " in found.reason
