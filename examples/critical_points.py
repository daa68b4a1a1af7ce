"""Where the flow ends, the network meets its target: the critical-point conditions (M7), seen at work.

At a stationary point with a_k != 0 the network's Laplace transform and its slope equal the target's at its own rates,
Rhat(w_k) = R(w_k) and Rhat'(w_k) = R'(w_k): the interpolation conditions of Meier and Luenberger, nothing else. Half
of them, those for the values, hold as soon as the amplitudes have relaxed.
"""

import sympy as sp

from numerics.arithmetic import Arb
from numerics.compiling import bind
from numerics.escape import escape_time
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target, transform
from theory.rnn import LinearRNN

target = Target([Exponential(), Gaussian(lag="12")])
run = escape_time(Problem(target, LinearRNN([("1", "1"), ("0", "0.7")]), "0.4"), digits=10)
print(f"{run.outcome.name}: {run.reason}")

s = sp.Symbol("s", positive=True)
R = transform(target.terms, s)
arithmetic = Arb(30)
with arithmetic.working():
    transforms = bind((s,), (R, sp.diff(R, s)), arithmetic)
    a, w = (arithmetic.array(map(sp.Rational, units)) for units in (run.minimum.amplitudes, run.minimum.rates))
    for k, rate in enumerate(w):
        value, slope = sum(a / (rate + w)), -sum(a / (rate + w) ** 2)
        wanted, wanted_slope = transforms(rate)
        print(f"w_{k} = {rate.str(8, radius=False)}")
        print(f"  Rhat  = {value.str(12, radius=False):>16}   R  = {wanted.str(12, radius=False):>16}")
        print(f"  Rhat' = {slope.str(12, radius=False):>16}   R' = {wanted_slope.str(12, radius=False):>16}")
