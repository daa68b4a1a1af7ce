"""Levels of plateaus and a trajectory past all of them, for verify/certificate/ordering.py to prove. Not trusted."""

from dataclasses import replace

import sympy as sp

from numerics.plateaus import History, plateaus
from theory.problem import Problem
from verify.certificate import recording_time
from verify.certificate.ordering import Levels, Recorded
from verify.certificate.proved import NotProved


def record(problem: Problem, digits: int = 10, history: History | None = None) -> Recorded:
    """The plateaus that end, and a trajectory that leaves the last of them, recorded for ordering.prove.

    digits: wanted of the times. history: of numerics.plateaus.plateaus on this problem, with the delta and the
    prominence meant; by default its own. Raises NotProved where no plateau ends.
    """
    found = history or plateaus(problem)
    ended = [each for each in found.plateaus if each.end is not None]
    if not ended:
        raise NotProved(f"there is no plateau to be left: {found.reason}")
    falls = (sp.Rational(found.initial_loss) - sp.Rational(each.level) for each in ended)
    levels = Levels(tuple(falls), sp.Rational(found.delta))
    return Recorded(levels, recording_time.record(replace(problem, drop=levels.drops[-1]), digits))
