r"""A memory that changes its sign: real rates run away from it, a complex pair of rates learns it.

The target remembers what happened just now and, with the opposite sign, what happened 2 ago. Two networks of two units
start from the same memory kernel e^{-t} - e^{-2t}/2. The diagonal one can only fade, each unit at its own real rate:

    rho_hat(t) = a_1 e^{-w_1 t} + a_2 e^{-w_2 t} ,  real                                                     (M2)

and cannot do better than to make its two rates equal, with amplitudes that grow for ever with opposite signs: towards
(a + b t) e^{-wt}, which it never reaches. In a dense W this is one Jordan block, a point like any other. The flow in
(c, W, U) passes it, its two eigenvalues leave the real line, and the loss goes on falling.

    .venv/bin/python examples/complex_pair.py
"""

from numerics.dense_flow import DenseState, dense_escape_time
from numerics.escape import escape_time
from numerics.gramian import DenseLandscape
from theory.dense import DenseProblem, DenseRNN
from theory.kernels import Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

target = Target([Gaussian(), Gaussian("-1/2", lag="2")])
real_rates = LinearRNN([("1", "1"), ("-1/2", "2")])
dense = DenseRNN.of(real_rates)  # W = diag(-1, -2), c = (1, -1/2), U = (1, 1)
DROP = "0.4"  # of the loss J(0); change it, or the target, and see who gets there

landscape = DenseLandscape(DenseProblem(target, dense, DROP))
begin = landscape.loss(landscape.start)
print(f"J(0) = {begin:.4f}, wanted: a drop of {DROP}")


def rates_of(end: DenseState) -> str:
    """The eigenvalues of W with their signs turned, as rates are."""
    pairs = zip(end.rates, end.frequencies, strict=True)
    return ", ".join(f"{float(rate):.4f} {float(frequency):+.4f}i" for rate, frequency in pairs)


# 1. Real rates.
diagonal = escape_time(Problem(target, real_rates, DROP), digits=6)
print(f"\nreal rates: {diagonal.outcome.name}: {diagonal.reason}")
print(f"  rates {', '.join(diagonal.end.rates)}, amplitudes {', '.join(diagonal.end.amplitudes)}")
print(f"  at tau = {float(diagonal.end.tau):.1e}, J = {begin - float(diagonal.end.drop):.4f}")

# 2. The same start, but all of c, W and U learn.
free = dense_escape_time(DenseProblem(target, dense, DROP), digits=6)
print(f"\ndense W: {free.outcome.name}: {free.reason}")
print(f"  at tau = {free.tau}, rates {rates_of(free.end)}")

# 3. How far down does it go? Ask for more than there is.
bottom = dense_escape_time(DenseProblem(target, dense, "0.44"), digits=6)
print(f"\nfurther on: {bottom.outcome.name}")
print(f"  rates {rates_of(bottom.end)}, J = {begin - float(bottom.end.drop):.4f}")
