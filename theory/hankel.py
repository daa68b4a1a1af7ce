r"""The Hankel operator of a memory kernel, and what its singular values say about networks.

    Gamma f(t) = int_0^inf rho(t+s) f(s) ds ,   singular values sigma_1 >= sigma_2 >= ...                    (K1)
    sigma_{m+1} <= E_m <= 4 m sigma_{m+1} + 2 sum_{k>m} sigma_k                                             (M16)

E_m is the least L1 error of a linear RNN of width m, diagonal or dense, real or complex: its own Hankel operator has
rank <= m, and the norm of a Hankel operator is at most the L1 norm of its kernel (lower side, proved); the upper side
holds for nuclear Gamma. For one input Gamma is symmetric, its singular values the moduli of its eigenvalues, and on
exponentials, with R the Laplace transform of rho,

    <e^{-lt}, Gamma e^{-l't}> = (R(l) - R(l')) / (l' - l) ,   -R'(l) for l' = l                              (K2)
    <e^{-lt}, e^{-l't}> = 1 / (l + l')                                                                       (K3)

With rho(t) replaced by c rho(ct) all sigma stay. A box on [0, T] of height A has, from f'' = -f/sigma^2, f(T) = 0,

    sigma_k = 2 |A| T / ((2k - 1) pi)                                                                        (K4)

(K2) by the substitution u = t + s; (M16) from mathematics.md, its upper side by the theorem of Adamyan, Arov and Krein,
cited second-hand.
"""

from collections.abc import Sequence
from typing import Any

import sympy as sp

from theory.decay import Unbounded, envelope
from theory.kernels import Box, Expression, Kernel, t
from theory.problem import Target, numbers_only


def memory(target: Target | Kernel | Sequence[Kernel]) -> tuple[Kernel, ...]:
    """The terms of a kernel with one input and an L1 norm, all numbers; exact zeros are left out.

    Raises TypeError for the wrong kind of object, ValueError for a symbol, for several inputs, and for a formula that
    is not integrable or not known to be.
    """
    terms: Any = (target,) if isinstance(target, Kernel) else target
    whole = target if isinstance(target, Target) else Target(terms)
    numbers_only(whole, ())
    if len({term.input for term in whole.terms}) > 1:
        raise ValueError("the target must have one input for its Hankel operator, got several; take them one by one")
    for i, term in enumerate(whole.terms):
        if isinstance(term, Expression) and not _integrable(term):
            raise ValueError(
                f"target term {i} must be integrable, and {term.formula} is not known to be: without an L1 norm no "
                "network approximates it; make it fade faster than 1/t"
            )
    return tuple(term for term in whole.terms if term.shape(t) != 0)


def _integrable(term: Expression) -> bool:
    try:
        return envelope(term.formula, t).integrable
    except Unbounded:
        return False


def box_singular_value(kernels: Sequence[Kernel], k: int) -> sp.Expr | None:
    """sigma_k (K4) if the kernel is one box that begins at once; None otherwise. Exact.

    >>> box_singular_value([Box(end=3)], 2)
    2/pi
    """
    if len(kernels) != 1 or not isinstance(box := kernels[0], Box) or box.support[0] != 0:
        return None
    return 2 * abs(box.amplitude) * box.end / ((2 * k - 1) * sp.pi)  # (K4)
