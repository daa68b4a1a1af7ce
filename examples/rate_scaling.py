r"""Why the quoted rate theorem cannot hold with its factor 1/beta: a kernel and the same kernel on another clock.

rho_c(t) = c rho(ct) is rho with time measured in other units. A network for rho becomes one for rho_c by a -> c a,
w -> c w, so the least L1 error of every width, and every singular value, stay as they are. So does gamma. But beta
becomes c beta, so a bound C gamma / (beta m^alpha) could be made as small as one likes.

    .venv/bin/python examples/rate_scaling.py
"""

import sympy as sp

from numerics.hankel import singular_values
from theory.kernels import Gaussian
from theory.rate_theorem import rate_bound

WIDTH, ALPHA, BETA, LAG = 6, 1, sp.Rational(1, 3), 5

print(f"rho(t) = exp(-(t-{LAG})^2/2), rho_c(t) = c rho(ct), width {WIDTH}")
print("   c     beta    gamma  E_m at most (M11)  E_m at least  quoted gamma/(beta m^alpha)")
found = set()
for c in (1, 10, 10_000):
    kernel = Gaussian(amplitude=c, width=sp.Rational(1, c), lag=sp.Rational(LAG, c))
    bound = rate_bound(kernel, ALPHA, c * BETA)
    least = singular_values(kernel, WIDTH + 1, digits=8).values[WIDTH]  # sigma_{m+1} <= E_m (M16)
    quoted = bound.gamma / (bound.beta * WIDTH**ALPHA)
    numbers = (float(each) for each in (bound.beta, bound.gamma, bound.error(WIDTH)))
    print("{:5d} {:8.1f} {:8.4f} {:18.6f}".format(c, *numbers), f"{least:>13s} {float(quoted):28.3e}")
    found.add((sp.simplify(bound.gamma), least))

assert len(found) == 1  # gamma exactly, sigma to the digits computed
print("Neither the error nor gamma knows about the clock; the quoted bound falls like 1/c, below what is possible.")
