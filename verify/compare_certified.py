"""Cross-checks of what was proved: an estimate must lie in the enclosure, up to its own last digit.

    lower - u  <=  tau  <=  upper + u ,   u = one unit of the last digit of tau                                 (V91)

decided in integers. The integrator that gave the estimate is no part of the proof, so a row that fails says that one of
the two is wrong; as it does where one has an escape and the other has none.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from numerics.arithmetic import Mpmath
from numerics.escape import EscapeTime
from numerics.run import Outcome
from verify.certificate.dyadic import number
from verify.check import DIGITS, Check
from verify.sweep import StudyResult, label

if TYPE_CHECKING:
    from verify.certificate.certificate import Certificate
    from verify.certified import StudyCertificates

UNDECIDED = (Outcome.tau_max, Outcome.stopped, Outcome.failed)  # contradict nothing


def checks(result: StudyResult, certificates: "StudyCertificates") -> tuple[Check, ...]:
    """A row for every cell that has both an outcome and a certificate, in the order of the cells."""
    pairs = zip(result.cells, certificates.cells, strict=True)
    rows = [(cell, row) for cell, one in pairs if cell.escape for row in _of_cell(cell.escape, one.certificate)]
    return tuple(replace(row, cell=label(cell.parameters)) for cell, row in rows)


def _of_cell(escape: EscapeTime, certificate: "Certificate") -> Iterator[Check]:
    if certificate.guarantee is None or escape.outcome in UNDECIDED:
        return
    if escape.tau and certificate.lower and certificate.upper:
        yield enclosed(escape.tau, certificate.lower, certificate.upper)
        return
    yield same_outcome(escape.outcome, Outcome[certificate.outcome])


def same_outcome(estimated: Outcome, proved: Outcome) -> Check:
    """The row of two outcomes, of which not both are escapes; as numbers, 1 for an escape."""
    sides = [(f"{how}: {each.name}", str(int(each is Outcome.escaped))) for how, each in
             (("estimated", estimated), ("proved", proved))]  # fmt: skip
    same = estimated is proved
    reason = "1 is an escape; an estimated outcome and a proved one are the same, or one of them is wrong"
    return Check("outcome", "", *sides[0], *sides[1], str(int(not same)), "0", reason, same)


def enclosed(tau: str, lower: str, upper: str) -> Check:
    """The row of an escape time (V91); decimal strings."""
    parts = [number(each) for each in (tau, lower, upper)]
    unit = min(power for _, power in parts)
    estimate, low, high = (digits * 10 ** (power - unit) for digits, power in parts)
    last = 10 ** (parts[0][1] - unit)
    outside, ctx = max(low - estimate, estimate - high, 0), Mpmath(DIGITS).context
    apart, allowed = (ctx.nstr(ctx.mpf(each) / high, 3) for each in (outside, last))
    reason = "the estimate lies in the enclosure, up to one unit of its last digit; the difference is how far outside"
    sides = "flow, estimated", tau, "enclosed, from below", lower
    return Check("escape time", "", *sides, apart, allowed, reason, outside <= last)
