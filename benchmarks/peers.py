"""Who tells the escape time of the pair, each by its own means and in the fairest form we can give it.

A peer is prepared for a pair and a setting (derivation, compilation), and then solves, as often as one likes. Settings
go from loose to tight. SciPy's solvers get the analytic Jacobian; on the plain form absolute tolerances equal to the
relative ones, since smaller ones stall in the roundoff of (M4). On our form they come with our clock too, set back to
zero before the steps fall below its spacing, without which they end near tau = 1e16. heyoka gets its own derivatives,
events and Taylor order; mpmath its Taylor series, and a secant on them for the event. memcurse does everything twice,
since it answers for its digits; the peers' digits are known only because the answer is.

There is no Julia peer: what the package index has for Python would fetch Julia when it runs, and Debian has none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.integrate
from scipy.optimize import brentq

from benchmarks.forms import STATE, cancellation_free, float64, plain, plain_gain
from benchmarks.problems import START, Pair
from numerics.arithmetic import Mpmath
from numerics.compiling import bind
from numerics.escape import escape_time

Solve = Callable[[], str]
LATE = 1e300  # later than any escape
STOPPED_BY_EVENT = -1  # heyoka's outcome for the first terminal event
DEGREE = 20  # of mpmath's Taylor series; its own choice, 38 at these digits, takes twice as long
SPACING = 1e12  # on our form the clock is set back once it is this many steps long


class NoEscape(Exception):
    """The peer gave up; the message says how."""


@dataclass(frozen=True)
class Peer:
    """name; the package that must be there; digits it is asked for; settings from loose to tight; prepare."""

    name: str
    package: str
    wanted: tuple[int, ...]
    settings: tuple[str, ...]
    prepare: Callable[[Pair, str], Solve]

    @property
    def our_form(self) -> bool:
        """Whether it is another's solver on our equations."""
        return self.name.endswith("our form")

    @property
    def installed(self) -> bool:
        """Whether its package can be imported."""
        return find_spec(self.package) is not None


def memcurse(pair: Pair, digits: str) -> Solve:
    """escape_time(); its first call derives and compiles."""

    def solve() -> str:
        found = escape_time(pair.problem, digits=int(digits))
        if found.tau is None:
            raise NoEscape(found.reason)
        return found.tau

    return solve


def scipy_plain(method: str, pair: Pair, rtol: str) -> Solve:
    """solve_ivp with a terminal event, on the plain form."""
    system = plain(pair)
    rhs, jacobian, missing = float64(list(system.rhs)), float64(system.jacobian), float64(system.missing)

    def event(_: float, y: Any) -> float:
        return float(missing(list(y)))

    event.terminal = True  # type: ignore[attr-defined]

    def solve() -> str:
        found = scipy.integrate.solve_ivp(
            lambda _, y: rhs(y.tolist()),
            (0, LATE),
            [float(each) for each in system.start],
            method,
            jac=lambda _, y: jacobian(y.tolist()),
            events=event,
            rtol=float(rtol),
            atol=float(rtol),
        )
        if not found.t_events or not len(found.t_events[0]):
            raise NoEscape(found.message)
        return repr(float(found.t_events[0][0]))

    return solve


def scipy_ours(method: str, pair: Pair, rtol: str) -> Solve:
    """The same solvers on the form that does not cancel, with relative tolerances only."""
    system = cancellation_free(pair)
    rhs, jacobian, missing = float64(list(system.rhs)), float64(system.jacobian), float64(system.missing)

    def begin(y: Any, first_step: float) -> Any:
        return getattr(scipy.integrate, method)(
            lambda _, y: rhs(y.tolist()),
            0.0,
            y,
            math.inf,
            jac=lambda _, y: jacobian(y.tolist()),
            rtol=float(rtol),
            atol=1e-300,
            first_step=first_step,
        )

    def solve() -> str:
        pieces: list[float] = []
        solver = begin(np.zeros(len(system.start)), 1e-3)
        while True:
            message = solver.step()
            if solver.status == "failed":
                raise NoEscape(message)
            if missing(solver.y.tolist()) <= 0:
                return repr(math.fsum([*pieces, _crossing(solver, missing)]))
            if solver.t > SPACING * (solver.t - solver.t_old):
                pieces.append(solver.t)
                solver = begin(solver.y, solver.t - solver.t_old)

    return solve


def _crossing(solver: Any, missing: Callable[[Sequence[float]], Any]) -> float:
    """When the last step reached the drop, by SciPy's dense output, whose ends are not quite those of the step."""
    state = solver.dense_output()
    at = lambda t: float(missing(state(t).tolist()))
    if at(solver.t_old) <= 0 or at(solver.t) > 0:
        return float(solver.t)
    return float(brentq(at, solver.t_old, solver.t, xtol=1e-300, rtol=1e-15))


def heyoka_plain(pair: Pair, tolerance: str) -> Solve:
    """heyoka in float64, its event terminal."""
    return _heyoka(pair, float, float, float(tolerance), {})


def heyoka_multiprecision(pair: Pair, digits: str) -> Solve:
    """heyoka on MPFR numbers, with a reserve for what cancels in (M4) until the escape, twice log10 tau."""
    import heyoka as hy

    bits = math.ceil((int(digits) + 8 + 2 * math.log10(max(10.0, float(pair.tau)))) * math.log2(10))
    options = {"prec": bits, "compact_mode": True}  # otherwise compilation takes minutes
    return _heyoka(pair, hy.real, lambda value: hy.real(str(value), bits), hy.real(f"1e-{digits}", bits), options)


def _heyoka(pair: Pair, kind: type, number: Callable[[Any], Any], tolerance: Any, options: dict[str, Any]) -> Solve:
    import heyoka as hy

    hy.llvm_state.set_diskcache_enabled(False)  # it would hide what compilation costs
    state = hy.make_vars("a_1", "a_2", "w_1", "w_2")
    constant = lambda n: hy.expression(number(n))
    gain = plain_gain(state, pair, hy, constant)
    start = [number(each.numerator) / number(each.denominator) for each in map(Fraction, START)]
    reached = hy.subs(gain, {y: hy.expression(value) for y, value in zip(state, start, strict=True)})
    missing = reached + constant(pair.drop) - gain
    taylor = hy.taylor_adaptive(
        [(y, hy.diff(gain, y)) for y in state],
        start,
        t_events=[hy.t_event(missing, fp_type=kind)],
        tol=tolerance,
        fp_type=kind,
        **options,
    )

    def solve() -> str:
        taylor.state[:] = start
        taylor.time = number(0)
        taylor.reset_cooldowns()
        outcome, *_ = taylor.propagate_until(number(LATE))
        if int(outcome) != STOPPED_BY_EVENT:
            raise NoEscape(f"heyoka's outcome {int(outcome)}")
        return str(taylor.time)

    return solve


def mpmath_plain(pair: Pair, digits: str) -> Solve:
    """mpmath.odefun at a few digits more, evaluated unit by unit of tau until the drop is passed."""
    system = plain(pair)
    arithmetic = Mpmath(int(digits) + 5)
    rhs, missing = (bind(STATE, of, arithmetic) for of in (system.rhs, (system.missing,)))
    start = [arithmetic.number(each) for each in system.start]

    def solve() -> str:
        ctx = arithmetic.context
        state = ctx.odefun(lambda _, y: list(rhs(*y)), 0, start, tol=ctx.mpf(10) ** -(int(digits) + 1), degree=DEGREE)
        left = lambda t: missing(*state(t))[0]
        tau = ctx.mpf(1) / 2
        while left(tau) > 0:
            tau += ctx.mpf(1) / 2
        accurate = ctx.mpf(10) ** (-2 * int(digits))
        return str(ctx.findroot(left, (tau - ctx.mpf(1) / 2, tau), solver="anderson", tol=accurate))

    return solve


LOOSEST = {"Radau": 6, "BDF": 8, "LSODA": 8}  # rtol 1e-n; looser ones were never right to 8 digits
RTOL = {method: tuple(f"1e-{n}" for n in range(loosest, 14)) for method, loosest in LOOSEST.items()}
FEW, MANY = (8, 10), (20,)
PEERS = (
    Peer("memcurse", "numerics", FEW + MANY, ("8", "10", "20"), memcurse),
    *(Peer(f"SciPy {name}", "scipy", FEW, rtols, partial(scipy_plain, name)) for name, rtols in RTOL.items()),
    *(Peer(f"SciPy {name}, our form", "scipy", FEW, rtols, partial(scipy_ours, name)) for name, rtols in RTOL.items()),
    Peer("heyoka", "heyoka", FEW, ("1e-7", "1e-9", "1e-11", "1e-13", "1e-16"), heyoka_plain),
    Peer("heyoka multiprecision", "heyoka", MANY, ("20", "22"), heyoka_multiprecision),
    Peer("mpmath odefun", "mpmath", MANY, ("20", "22"), mpmath_plain),
)
