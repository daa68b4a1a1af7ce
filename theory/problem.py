r"""The question memcurse answers: a target, a network to start from, and how far the loss must fall.

Which part is rho_bar. Target terms of kind exponential are paired one-to-one with distinct units, nearest in
|ln(w/w*)| first (equal amplitudes first among equals). Paired terms form rho_bar; every other term belongs to the
bump b; unpaired units are spares, with a* = 0 and w* their own rate. The start is *on the fit* if and only if, exactly,
paired units equal their terms, no exponential is unpaired and all spares have amplitude 0. An exponential with a lag
is no exponential to pair with: it belongs to the bump.

Escape time  tau_0 = inf{ tau : J(0) - J(tau) > drop }                                                       (M12)
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product
from typing import TypeGuard

import sympy as sp

from theory.exact import Exact, positive
from theory.kernels import Exponential, Kernel, t
from theory.overlaps import overlap
from theory.parametrisation import IDENTITY, Parametrisation
from theory.rnn import LinearRNN

LONGEST = 10**100  # of a finite horizon


@dataclass(frozen=True)
class Target:
    """A target memory kernel rho(t) = sum of its terms.

    terms: Kernels, at least one, with numbers (no symbols) in their fields.

    >>> from theory.kernels import Gaussian
    >>> Target([Exponential(), Gaussian(lag="10")]).rho(sp.Integer(10))
    exp(-10) + 1
    """

    terms: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        if isinstance(self.terms, Kernel):
            raise TypeError(f"target terms must be a list of Kernels, got one Kernel {self.terms!r}; write [kernel]")
        if not isinstance(self.terms, Iterable):
            raise TypeError(f"target terms must be a list of Kernels, got {self.terms!r}")
        terms = tuple(self.terms)
        if not terms:
            raise ValueError("the target must have at least one term, got none; add an exponential or a gaussian")
        for i, term in enumerate(terms):
            if not isinstance(term, Kernel):
                raise TypeError(f"target term {i} must be a Kernel, got {term!r}; see theory.kernels")
        object.__setattr__(self, "terms", terms)

    def rho(self, t: sp.Expr) -> sp.Expr:
        """The memory kernel at time t >= 0."""
        return sp.Add(*(term.rho(t) for term in self.terms))

    def piece(self, start: sp.Expr) -> sp.Expr:
        """rho(t) on the stretch from t = start, 0 or one of `breaks`, to the next of them: analytic there."""
        return sp.Add(*(term.density(t) for term in self.terms if term.support[0] <= start < term.support[1]))

    @property
    def reach(self) -> sp.Expr:
        """The longest time about which a term acts: the memory that is asked for."""
        return sp.Max(*(term.reach for term in self.terms))

    @property
    def breaks(self) -> tuple[sp.Expr, ...]:
        """Times t > 0 at which rho may jump, in order."""
        ends = {end for term in self.terms for end in term.support if end.is_finite and end > 0}
        return tuple(sorted(ends))

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \rho(t) = {sp.latex(self.rho(t))}$"


def transform(kernels: Iterable[Kernel], s: sp.Expr, horizon: sp.Expr = sp.oo) -> sp.Expr:
    """int_0^horizon e^{-st} sum_i kernel_i(t) dt. Exact."""
    return sp.Add(*(kernel.laplace(s, horizon) for kernel in kernels))


def weighted_square(kernels: Iterable[Kernel], s: sp.Expr, horizon: sp.Expr = sp.oo) -> sp.Expr:
    """int_0^horizon e^{-2st} (sum_i kernel_i(t))^2 dt, summed over inputs; s = 0 gives the squared norm. Exact."""
    terms = tuple(kernels)
    return sp.Add(*(overlap(p, q, 2 * s, horizon) for p in terms for q in terms))


def horizon_of(value: Exact | sp.Expr, target: Target) -> sp.Expr:
    """The horizon T of the loss, "inf" or > 0, after a look at whether the target has a norm on it."""
    if isinstance(value, str) and value.strip() == "inf":
        value = sp.oo
    why = "for a loss to be measured; 'inf' for no end"
    horizon: sp.Expr = sp.oo if value is sp.oo else positive(value, "horizon", why)
    if horizon.free_symbols:
        raise ValueError(f"horizon must be a number, got {horizon}; substitute values for its symbols")
    if horizon is not sp.oo and horizon > LONGEST:
        raise ValueError(f"horizon must be at most {LONGEST:.0e} or 'inf', got a longer one; 'inf' is what it comes to")
    for i, term in enumerate(target.terms):
        if horizon is sp.oo and not term.square_integrable:
            raise ValueError(
                f"target term {i} must be square-integrable for the loss of an infinite horizon, and {term.rho(t)} is "
                "not known to be; make it fade faster than t^(-1/2), or give a finite horizon"
            )
    return horizon


def _matches_a_unit(term: Kernel) -> TypeGuard[Exponential]:
    """Whether a unit can be this term exactly: an exponential that begins at once."""
    return isinstance(term, Exponential) and term.lag == 0


def numbers_only(target: Target, others: Iterable[sp.Expr]) -> None:
    """ValueError where a symbol is left in the target, but for the time of a formula, or in the other numbers."""
    numbers = [getattr(term, each.name) for term in target.terms for each in fields(term)]
    if symbols := set().union(*(number.free_symbols for number in [*numbers, *others])) - {t}:
        names = ", ".join(sorted(map(str, symbols)))
        raise ValueError(f"a Problem must be all numbers, got the symbols {names}; substitute values")


@dataclass(frozen=True)
class Problem:
    """Start the gradient flow at `start` on `target`; when has the loss fallen by more than `drop`?

    target:  Target, of one input. start: LinearRNN, the network at tau = 0.
    drop:    > 0, in output^2 / input^2 * time, like J.
    horizon: T of the loss (M3), > 0 in time, or "inf".
    parametrisation: of the rates, what is really trained (M9).
    Raises ValueError for a value out of range or a symbol, TypeError for a float or the wrong kind of object.
    """

    target: Target
    start: LinearRNN
    drop: sp.Expr
    horizon: sp.Expr = sp.oo
    parametrisation: Parametrisation = IDENTITY

    def __post_init__(self) -> None:
        if not isinstance(self.target, Target):
            raise TypeError(f"target must be a Target, got {self.target!r}")
        if not isinstance(self.start, LinearRNN):
            raise TypeError(f"start must be a LinearRNN, got {self.start!r}")
        if not isinstance(self.parametrisation, Parametrisation):
            raise TypeError(f"parametrisation must be a Parametrisation, got {self.parametrisation!r}")
        object.__setattr__(self, "drop", positive(self.drop, "drop", "for the loss to fall by it"))
        form = [getattr(self.parametrisation, each.name) for each in fields(self.parametrisation)]
        numbers_only(self.target, [*self.start.amplitudes, *self.start.rates, self.drop, *form])
        object.__setattr__(self, "horizon", horizon_of(self.horizon, self.target))
        for i, term in enumerate(self.target.terms):
            if term.input != 1:
                raise ValueError(
                    f"target term {i} must be of input 1, got {term.input}; a diagonal network has one input"
                )
        for i, rate in enumerate(self.start.rates):
            self.parametrisation.check(rate, f"rate {i}")

    @cached_property
    def _pairs(self) -> dict[int, int]:
        """Unit -> index of its target term: a term may stand in a target twice, so the index is its identity."""
        exponentials = {i: term for i, term in enumerate(self.target.terms) if _matches_a_unit(term)}

        def distance(candidate: tuple[int, int]) -> tuple[sp.Expr, bool, int, int]:
            unit, term = candidate
            (a, w), fitted = self.start.units[unit], exponentials[term]
            return sp.Max(w / fitted.rate, fitted.rate / w), a != fitted.amplitude, term, unit

        pairs: dict[int, int] = {}
        for unit, term in sorted(product(range(self.start.width), exponentials), key=distance):
            if unit not in pairs and term not in pairs.values():
                pairs[unit] = term
        return pairs

    @cached_property
    def pairing(self) -> dict[int, Exponential]:
        """Unit -> the exponential it is paired with (see the module)."""
        paired = ((unit, self.target.terms[term]) for unit, term in self._pairs.items())
        return {unit: term for unit, term in paired if _matches_a_unit(term)}

    @cached_property
    def reference(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """(a*_j, w*_j) of every unit, in the order of the units: rho_bar, with a* = 0 for a spare."""
        return tuple(
            (self.pairing[unit].amplitude, self.pairing[unit].rate) if unit in self.pairing else (sp.Integer(0), w)
            for unit, (_, w) in enumerate(self.start.units)
        )

    @cached_property
    def bump(self) -> tuple[Kernel, ...]:
        """The terms of the target that are not in rho_bar."""
        return tuple(term for i, term in enumerate(self.target.terms) if i not in self._pairs.values())

    def bump_transform(self, s: sp.Expr) -> sp.Expr:
        """B(s), the bump's transform over the horizon. Exact."""
        return transform(self.bump, s, self.horizon)

    @cached_property
    def bump_vanishes(self) -> bool:
        """Whether there is nothing in the target but rho_bar, as far as the horizon."""
        return bool(weighted_square(self.bump, sp.Integer(0), self.horizon) == 0)

    @cached_property
    def off_the_fit(self) -> str | None:
        """Why the start is not on the fit; None when it is."""
        for unit, (reference, actual) in enumerate(zip(self.reference, self.start.units, strict=True)):
            if reference != actual:
                what = "its exponential" if unit in self.pairing else "zero amplitude"
                return f"the start is not on the fit: unit {unit} differs from {what}"
        if any(_matches_a_unit(term) for term in self.bump):
            return "the start is not on the fit: an exponential of the target has no unit"
        return None

    @cached_property
    def initial_loss(self) -> sp.Expr:
        """J(0) (M3) by bilinearity: the squared norm of network minus target. Exact."""
        error = (*(Exponential(-a, w) for a, w in self.start.units), *self.target.terms)
        return weighted_square(error, sp.Integer(0), self.horizon)

    def _repr_latex_(self) -> str:
        rho, drop = sp.latex(self.target.rho(t)), sp.latex(self.drop)
        start = ", ".join(rf"({sp.latex(a)}; {sp.latex(w)})" for a, w in self.start.units)
        said = [rf"\rho(t) = {rho}", rf"(a_i; w_i)(0) = {start}", rf"\text{{drop}} = {drop}"]
        if self.horizon is not sp.oo:
            said.append(f"T = {sp.latex(self.horizon)}")
        if self.parametrisation != IDENTITY:
            said.append(f"w = {sp.latex(self.parametrisation.rate(sp.Symbol('v')))}")
        return r"$\displaystyle " + r",\quad ".join(said) + "$"
