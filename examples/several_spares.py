r"""More width shortens the plateau and leaves its exponent; a spare on the wrong side changes it.

The target is e^{-t}, already learned, plus a Gaussian bump L in the past. First two spares of rates 0.7 and 0.6, below
the learned rate: the flow against the slow flow (P5) of both together and against the leading term (M14), and what the
drift of the faster one takes off the time, (P6). Then one spare of rate 1.3, above the learned rate: the flow against
the law (U7).

    .venv/bin/python examples/several_spares.py
"""

import sympy as sp

from numerics.answer import context
from numerics.coincidence import coincided_escape_time
from numerics.escape import escape_time
from numerics.slow_flow import leading_order, slow_escape_time
from theory.kernels import Exponential, Gaussian
from theory.plateau import plateau
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

number = context(20).mpf


def start(lag: int, spares: list[str], drop: sp.Rational) -> Problem:
    target = Target([Exponential(), Gaussian(lag=lag)])
    return Problem(target, LinearRNN([("1", "1"), *(("0", rate) for rate in spares)]), drop)


print("| L | escape time of the flow | over the slow flow, less 1 | over the leading term | drift (P6) |")
print("| --- | --- | --- | --- | --- |")
for lag in (30, 40, 60, 1000):
    two = start(lag, ["0.7", "0.6"], sp.Rational(1, lag))
    flow = escape_time(two, digits=12).tau
    slow, leading = (number(flow) / number(law(two, 14).value) for law in (slow_escape_time, leading_order))
    drift = float(plateau(two).drift_correction()) / lag**2
    print(f"| {lag} | {flow} | {float(slow - 1):.1e} | {float(leading):.4f} | {drift:.1e} |")

print("\n| L | escape time of the flow | over the law (U7), less 1 |")
print("| --- | --- | --- |")
for lag in (12, 16, 18):
    faster = start(lag, ["1.3"], sp.Rational("0.02"))
    flow = escape_time(faster, digits=10).tau
    print(f"| {lag} | {flow} | {float(number(flow) / number(coincided_escape_time(faster, 10).value) - 1):.1e} |")
