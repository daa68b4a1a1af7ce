"""The pair problem at several memories, and the escape times that every measurement is judged by.

rho(t) = e^{-t} + e^{-(t-L)^2/2}, start a = (1, 0), w = (1, 7/10); escape when J(0) - J passes `drop`. The peers get it
as formulas (benchmarks/forms.py), memcurse as the Problem. references.toml says where its values come from.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from numerics.answer import context
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

HERE = Path(__file__).parent
START = ("1", "0", "1", "7/10")  # a_1, a_2, w_1, w_2


@dataclass(frozen=True)
class Pair:
    """The pair at memory `lag`; tau is the reference value of its escape time, a decimal string."""

    lag: str
    drop: str
    tau: str

    @property
    def problem(self) -> Problem:
        """As memcurse takes it."""
        target = Target((Exponential(), Gaussian(lag=self.lag)))
        return Problem(target, LinearRNN.of(START[:2], START[2:]), self.drop)

    def digits_right(self, tau: str) -> float:
        """Right significant digits of tau, 0 to 30: d where it is off by half a unit in the d-th.

        >>> Pair("20", "0.05", "192126.770143500700636926511592").digits_right("192126.77") > 8
        True
        """
        ctx = context(40)
        right = ctx.mpf(self.tau)
        error = abs(ctx.mpf(tau) - right) + right * ctx.mpf(10) ** -32
        if not error < right:  # no number at all is not right either
            return 0.0
        return max(0.0, min(30.0, float(ctx.floor(ctx.log10(right)) + 1 - ctx.log10(2 * error))))


def pairs() -> tuple[Pair, ...]:
    """The pairs of references.toml, by memory."""
    listed = tomllib.loads((HERE / "references.toml").read_text("utf-8"))["pair"]
    return tuple(Pair(each["lag"], each["drop"], each["tau"]) for each in listed)
