r"""The loss landscape of a linear RNN, derived from its definition with SymPy. Run it, change it, run it again.

    J(a, w) = int_0^inf (a_1 e^{-w_1 t} + a_2 e^{-w_2 t} - rho(t))^2 dt                                      (M3)

for any target memory kernel rho, through its transform R(s) = int_0^inf e^{-st} rho(t) dt. At the end the same gradient
is put together from the blocks of theory/landscape.py, which know no width, for a target you can choose.

    .venv/bin/python examples/landscape.py
"""

import sympy as sp

from theory import landscape
from theory.latex import Statement, align

t = sp.Symbol("t", positive=True)
a = sp.symbols("a_1:3", real=True)
w = sp.symbols("w_1:3", positive=True)
rho, R = sp.Function("rho"), sp.Function("R")

TARGET = 3 * sp.exp(-t / 2) + sp.exp(-2 * t)  # for the check at the end: any sum of exponentials


def integral(term: sp.Expr) -> sp.Expr:
    """int_0^inf c e^{-st} rho(t)^p dt for p = 0, 1, 2."""
    power = term.as_powers_dict()[rho(t)]
    if power == 2:
        return sp.Integral(term, (t, 0, sp.oo))
    decay = term / rho(t) ** power
    c, s = decay.subs(t, 0), sp.simplify(-sp.diff(decay, t) / decay)
    return c * R(s) if power else c / s


# 1. The loss: expand the square and integrate term by term.
error = sum(ai * sp.exp(-wi * t) for ai, wi in zip(a, w, strict=True)) - rho(t)
J = sum(integral(term) for term in sp.expand(error**2).args)
print("The loss (M4) of two units, for any target:\n")
sp.pprint(J)

# 2. The gradient: plain differentiation.
gradient = {parameter: sp.diff(J, parameter) for parameter in (*a, *w)}
number = dict(zip((*a, *w), 2 * ["M5"] + 2 * ["M6"], strict=True))
shown = [
    Statement("gradient", sp.Derivative(sp.Symbol("J"), parameter), slope.doit(), number[parameter])
    for parameter, slope in gradient.items()
]
print("\nIts gradient (M5), (M6) in LaTeX:\n")
print(align(shown))

# 3. The same from the blocks of the library, which see the network only through F = transform of (network - target).
s = landscape.s
transform = sp.integrate(sp.exp(-s * t) * TARGET, (t, 0, sp.oo), conds="none")
F = sum(ai * landscape.overlap_of_exponentials(s + wi) for ai, wi in zip(a, w, strict=True)) - transform
chosen = {parameter: slope.replace(R, sp.Lambda(s, transform)).doit() for parameter, slope in gradient.items()}
differences = []
for ak, wk in zip(a, w, strict=True):
    seen = {landscape.a: ak, landscape.F0: F.subs(s, wk), landscape.F1: sp.diff(F, s).subs(s, wk)}
    for parameter, block in zip((ak, wk), landscape.gradient_block(), strict=True):
        differences.append(sp.simplify(block.xreplace(seen) - chosen[parameter]))
print(f"\nFor rho(t) = {TARGET}, derivation minus blocks of theory.landscape: {differences}")
