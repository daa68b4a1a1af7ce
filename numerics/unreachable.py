r"""The threshold that no network reaches, decided before anything is integrated.

    J >= 0 ,  so  J(0) - J > drop  never comes where  drop >= J(0)                                               (M12)

J(0) is a closed form (theory/). Rational numbers and equal expressions are compared exactly, others in balls.
"""

from numerics.arithmetic import Arb
from numerics.compiling import evaluate
from theory.dense import DenseProblem
from theory.problem import Problem

DIGITS = 60  # a drop and a loss that agree to so many digits, and are not the same expression, stay undecided


def unreachable(problem: Problem | DenseProblem) -> bool:
    """Whether drop >= J(0): exact where the difference is rational, else enclosed; False where balls cannot tell.

    Raises NotImplementedError for a DenseProblem whose J(0) has no closed form.
    """
    ahead = problem.drop - problem.initial_loss
    if ahead.is_Rational:
        return bool(ahead >= 0)
    arithmetic = Arb(DIGITS)
    with arithmetic.working():
        return bool(evaluate(ahead, arithmetic) >= 0)
