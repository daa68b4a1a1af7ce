r"""The inverse theorem: only exponential memory can be approximated by networks that stay stable and bounded.

    e^{beta t} y_i^{(k)}(t) -> 0 ,  t -> inf ,  k = 1 .. alpha + 1                                           (N1)

y_i is the output of the functional for a unit step in input i, so y_i' = rho_i. No rate is claimed, and nothing about
networks whose rates may approach 0: those of numerics for power laws do, and do converge.

Source: Li, Han, E, Li, "On the Curse of Memory in Recurrent Neural Networks", ICLR 2021, arXiv:2009.07799, quoted
second-hand as mathematics.md of this project states it.
"""

import sympy as sp

from theory.kernels import t
from theory.latex import Statement
from theory.theorem import Theorem

SOURCE = "Li, Han, E, Li, ICLR 2021, arXiv:2009.07799, quoted second-hand"


def inverse_theorem() -> Theorem:
    """(N1) with its hypotheses. A statement, exact.

    >>> inverse_theorem().conclusions[0].right
    0
    """
    beta, k = sp.symbols("beta k", positive=True)
    faded = sp.Limit(sp.exp(beta * t) * sp.Derivative(sp.Function("y")(t), (t, k)), t, sp.oo)
    hypotheses = (
        "linear RNNs of widths m = 1, 2, ... approximate the functional, their parameters bounded uniformly in m",
        "all eigenvalues of every recurrent matrix W_m have real parts <= -beta, with one beta > 0",
        "the derivatives of their step responses, of the orders k = 1 .. alpha + 1, converge to those of the "
        "functional uniformly in t >= 0",
    )
    statement = Statement("inverse theorem", faded, sp.S.Zero, "N1")
    return Theorem("inverse theorem", hypotheses, (statement,), "proved", SOURCE)
