"""A memory kernel of your own: one line of TOML, or one small class.

The line is a formula, rho = "…in t". The class names its fields and states its shape; its Laplace transform, the loss
and the flow follow, by a quadrature rule whose error is enclosed. Both kernels here are the same bump 10 ago, so they
must escape at the same time.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import sympy as sp

from numerics.escape import escape_time
from theory.kernels import Exponential, Kernel, number, positive_number
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.study import load

STUDY = """
[target]
terms = [
    {kind = "exponential"},
    {kind = "expression", rho = "1/cosh(t - 10)"},
]
[start]
amplitudes = ["1", "0"]
rates = ["1", "0.7"]
[escape]
drop = "0.05"
"""


@dataclass(frozen=True)
class Soliton(Kernel, kind="soliton"):
    """rho(t) = A / cosh((t - centre)/width)."""

    amplitude: sp.Expr = number("1")
    width: sp.Expr = positive_number("1", "for a bump")
    centre: sp.Expr = number("0")

    def shape(self, t: sp.Expr) -> sp.Expr:
        return self.amplitude / sp.cosh((t - self.centre) / self.width)


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "own.toml"
    path.write_text(STUDY, "utf-8")
    by_line = load(path).cells[0].problem
by_class = Problem(Target([Exponential(), Soliton(centre=10)]), LinearRNN.of(["1", "0"], ["1", "0.7"]), "0.05")

for name, problem in (("one line of TOML", by_line), ("one small class", by_class)):
    print(f"{name:16}  tau = {escape_time(problem, digits=10).tau}")
