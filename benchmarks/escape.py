"""Seconds of escape_time() on a compiled problem, beside scipy's Radau on the same float64 form, in one run.

python -m benchmarks.escape prints, for the pair at several memories: the median of five calls at 10 and at 20 digits,
and how many times longer scipy.integrate.Radau takes for its 10 digits with our analytic Jacobian (one run; it has no
event location to a digit, so its figure is the time to the known escape time). Derivation and compilation come first
and are printed apart. One core: run with OPENBLAS_NUM_THREADS=1, as make bench does.
"""

import time
from statistics import median

from rich.console import Console
from rich.table import Table
from scipy.integrate import solve_ivp

from numerics.arithmetic import Float64
from numerics.escape import escape_time
from numerics.flow import GradientFlow
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

CASES = (("20", "0.05"), ("40", "0.05"), ("100", "0.01"))
REPEATS = 5


def pair(lag: str, drop: str) -> Problem:
    """The pair problem at memory `lag`."""
    target = Target((Exponential(), Gaussian(lag=lag)))
    return Problem(target, LinearRNN.of(["1", "0"], ["1", "0.7"]), drop)


def ours(problem: Problem, digits: int) -> tuple[float, int | None]:
    """Median seconds of integration (all runs), and the digits reached."""
    found = [escape_time(problem, digits=digits) for _ in range(REPEATS)]
    return median(each.seconds for each in found), found[0].digits


def scipys_radau(problem: Problem, tau: float) -> float:
    """Seconds of scipy's Radau to tau, rtol 1e-9 (1e-10 stalls at roundoff)."""
    flow = GradientFlow(problem, Float64())
    began = time.perf_counter()
    with Float64().working():
        solve_ivp(
            lambda _, y: flow.rhs(y),
            (0, tau),
            flow.landscape.start,
            "Radau",
            jac=lambda _, y: flow.rhs_and_jacobian(y)[1],
            rtol=1e-9,
            atol=1e-300,
            first_step=1e-3,
        )
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    table = Table("L", "derive + compile", "10 digits", "20 digits", "scipy Radau", "Radau / ours")
    for lag, drop in CASES:
        problem = pair(lag, drop)
        first = escape_time(problem, digits=10)
        (fast, _), (exact, digits) = ours(problem, 10), ours(problem, 20)
        peer = scipys_radau(problem, float(first.tau or "nan"))
        seconds = (first.setup_seconds, fast, exact, peer)
        table.add_row(lag, *(f"{each:.3f} s" for each in seconds), f"{peer / fast:.1f}")
        assert digits == 20
    Console().print(table)


if __name__ == "__main__":
    main()
