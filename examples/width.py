r"""How many hidden units long memory costs: not exponentially many, unless the network must stay stable.

Power-law memory (1+t)^{-(1+omega)}, int rho = 1/omega. The least width for an L1 error eps is enclosed from both sides;
the slowest rate of the network that achieves it shows where the curse has gone. With all rates >= mu it comes back as a
theorem (M19), and so it does if the rates are trained no better than to beta, unless they are trained through a
parametrisation that keeps relative errors small.

    .venv/bin/python examples/width.py
"""

import math

from numerics.l1_refined import l1_refined
from numerics.stable import limit_error, perturbed_error
from numerics.width import least_width
from theory.kernels import Exponential, PowerLaw
from theory.parametrisation import IDENTITY, Exp, InverseSquare, Softplus
from theory.problem import Target
from theory.width_laws import least_width_at_margin, source_width

MARGIN = "1/100"  # mu, in (M19)
BETA = "1/100"
CELLS = [("1", "1e-1"), ("1", "1e-2"), ("1", "1e-3"), ("1", "1e-4")]
CELLS += [("1/2", "1e-1"), ("1/2", "1e-2"), ("1/2", "1e-3"), ("1/2", "1e-4"), ("1/4", "1e-1"), ("1/4", "1e-2")]

print(
    "1. The least width m for an L1 error eps, any network; what the same accuracy costs with all rates >= 1/100 (M19);"
)
print("   omega eps^(-1/omega), as the paper has it.\n")
print("omega    eps      m        slowest rate   m if rates >= 1/100   omega eps^(-1/omega)")
for omega, eps in CELLS:
    found = least_width(Target([PowerLaw(omega=omega)]), eps)
    margin = max(1, math.ceil(least_width_at_margin(eps, omega, MARGIN)))
    corridor, source = f"{found.lower}-{found.upper}", float(source_width(eps, omega))
    print(
        f"{omega:6s}  {eps:6s}  {corridor:7s}  {found.achieved.slowest_rate:>12s}   >= {margin:<16.6g}   {source:.3g}"
    )

print("\n2. The error E(beta) when every v, w = phi(v), is off by up to beta = 1/100, and its limit for wide networks.")
slow = Target([PowerLaw(omega="1/2")])
fading = Target([Exponential(f"1/{w}", w) for w in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)])
for name, target, widths in (
    ("power law, omega = 1/2", slow, (2, 4, 8, 16)),
    ("exponential memory", fading, (2, 4, 8)),
):
    print(f"\n{name:24s}" + "".join(f"{f'm = {width}':>20s}" for width in widths) + f"{'limit':>12s}")
    for parametrisation in (IDENTITY, Exp(), Softplus(), InverseSquare("1", "1/100")):
        row = f"{parametrisation.name:24s}"
        for width in widths:
            error = perturbed_error(target, l1_refined(target, width), BETA, parametrisation)
            shown = "inf" if error.upper == "inf" else f"{float(error.lower):.4f} .. {float(error.upper):.4f}"
            row += f"{shown:>20s}"
        print(row + f"{limit_error(target, BETA, parametrisation).value:>12s}")
