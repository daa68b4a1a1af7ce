"""What memcurse set out to be beside its peers, and whether the measurements say so.

    factor = (price of the cheapest peer that is right) / (price of memcurse) ,  held if factor >= goal

For peers on the plain form, as anyone would use them, and apart from them for other people's solvers on our form.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.table import Table


@dataclass(frozen=True)
class Aim:
    """At these memories and digits, be `goal` times as fast as the best peer; inf: be the only one that is right."""

    words: str
    lags: tuple[str, ...]
    digits: int
    goal: float


AIMS = (
    Aim("L = 20, 10 digits: faster than every peer", ("20",), 10, 1),
    Aim("L = 30, 8 digits: 100 times faster", ("30",), 8, 100),
    Aim("L = 40 to 100, 8 digits: alone", ("40", "60", "100"), 8, math.inf),
    Aim("L = 10, 20 digits: 20 times faster", ("10",), 20, 20),
)


def aims_table(table: Table) -> Iterator[str]:
    """A row an aim and a form; the closest peer and its factor, with and without compilation."""
    yield "| aim | peers | first | again |"
    yield "| --- | --- | --- | --- |"
    for aim in AIMS:
        for form, ours in (("plain form", False), ("our form", True)):
            if any(aim.digits in peer.wanted and peer.our_form == ours for peer in table.others):
                cells = " | ".join(_verdict(aim, table, ours, kind) for kind in ("first", "again"))
                yield f"| {aim.words} | {form} | {cells} |"


def _verdict(aim: Aim, table: Table, our_form: bool, kind: str) -> str:
    factors: list[tuple[float, str]] = []
    for pair in (each for each in table.pairs if each.lag in aim.lags):
        mine = table.price(table.memcurse, pair, aim.digits, kind)
        for peer in (each for each in table.others if each.our_form == our_form):
            price = table.price(peer, pair, aim.digits, kind)
            if price is not None and mine is not None:
                factors.append((price / mine, f"{peer.name} at L = {pair.lag}"))
    if not factors:
        return "holds: no peer is right"
    factor, who = min(factors)
    return f"{'holds' if factor >= aim.goal else 'fails'}: {who} takes {factor:.2g} times as long"
