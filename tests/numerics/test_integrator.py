"""The integrator on systems with known solutions: order, stiffness, arithmetics, twins, events."""

import math

import flint
import numpy as np
import pytest

from numerics.arithmetic import Arb, Float64, Mpmath
from numerics.integrator import Integrator, StepFailed
from tolerances import agree, working


class Logistic:
    """y' = y (1 - y), y = 1/(1 + (1/y0 - 1) e^-t)."""

    def __init__(self, arithmetic):
        self.arithmetic = arithmetic

    def rhs(self, y):
        return y * (1 - y)

    def rhs_and_jacobian(self, y):
        return self.rhs(y), (1 - 2 * y)[..., None]


class SlowManifold:
    """x' = -x, y' = -1e8 (y - x^2) - 2 x^2: from y = x^2 the solution stays on y = x^2, which attracts at rate 1e8."""

    stiffness = 10**8

    def __init__(self, arithmetic):
        self.arithmetic = arithmetic

    def rhs(self, state):
        x, y = state[..., 0], state[..., 1]
        return np.stack((-x, -self.stiffness * (y - x * x) - 2 * x * x), axis=-1)

    def rhs_and_jacobian(self, state):
        x = state[..., 0]
        one = x * 0 + 1
        rows = (-one, 0 * one, 2 * self.stiffness * x - 4 * x, -self.stiffness * one)
        return self.rhs(state), np.stack(rows, axis=-1).reshape(*x.shape, 2, 2)


def end_of(system, stages, steps, total, start):
    """State after equal steps, from Integrator.step alone."""
    arithmetic = system.arithmetic
    integrator = Integrator(system, stages, 1.0, 10.0 ** -(arithmetic.digits - 8))
    with arithmetic.working():
        y, h = arithmetic.array(start), arithmetic.number(total) / steps
        for _ in range(steps):
            guess = np.zeros((stages, len(y)), dtype=y.dtype) + 0 * y
            y = integrator.step(y, h, guess).after
    return y


@pytest.mark.parametrize("stages", [1, 2, 3, 5])
def test_the_order_is_2s_minus_1(stages):
    """Measured between 8 and 16 steps; an order one lower, as of a wrong last row of D, is 1 away."""
    ctx = working(50, guard=0)
    exact = 1 / (1 + 3 * ctx.exp(-1))
    errors = []
    for steps in (8, 16):
        (y,) = end_of(Logistic(Mpmath(50)), stages, steps, 1, [0.25])
        errors.append(abs(ctx.mpf(y) - exact))
    assert math.log2(float(errors[0] / errors[1])) == pytest.approx(2 * stages - 1, abs=0.25)


@pytest.mark.parametrize("stages", [3, 5])
def test_on_a_stiff_slow_manifold_the_slow_part_keeps_its_order_and_the_fast_part_does_not_leave(stages):
    """h * 1e8 is about 1e7: an explicit or A-stable but not L-stable method would oscillate there."""
    errors = []
    for steps in (4, 8):
        x, y = end_of(SlowManifold(Arb(60)), stages, steps, 1, [1.0, 1.0])
        with flint.ctx.workprec(250):
            errors.append((abs(x - flint.arb(-1).exp()), abs(y - x * x)))
    slow, fast = ([float(error[part]) for error in errors] for part in (0, 1))
    assert math.log2(slow[0] / slow[1]) == pytest.approx(2 * stages - 1, abs=0.4)
    assert fast[1] < 1e-10 and fast[1] < fast[0] / 2 ** (stages - 0.5)  # distance to the manifold: order >= s, over 1e8


def integrated(arithmetic, total, twin=None, tolerance=1e-9, accuracy=1e-25):
    """Logistic y(total) from 1/1000 by adaptive steps; the last one is repeated to end at total."""
    integrator = Integrator(Logistic(arithmetic), 9, tolerance, accuracy, twin)
    with arithmetic.working():
        t = arithmetic.number(0)
        for step in integrator.steps(arithmetic.array([0.0009765625]), 0.01):
            if t + step.h > total:
                return integrator.within(step, arithmetic.number(total) - t).after[0], integrator
            t = t + step.h
    raise AssertionError


def test_the_three_arithmetics_and_the_mixed_one_agree_with_the_solution():
    ctx = working(40, guard=0)
    exact = 1 / (1 + 1023 * ctx.exp(-10))
    twin = Logistic(Float64())
    for arithmetic, digits, partner in ((Arb(40), 17, None), (Arb(40), 17, twin), (Mpmath(40), 17, None)):
        assert agree(integrated(arithmetic, 10, partner)[0], exact, digits)
    assert agree(integrated(Float64(), 10, tolerance=1e-8, accuracy=1e-14)[0], exact, 13)


def test_a_tighter_tolerance_gives_more_digits_by_superconvergence():
    """A tolerance of 1e-6 gives 11 digits, not 6: the end point is of order 2s - 1."""
    ctx = working(40, guard=0)
    exact = 1 / (1 + 1023 * ctx.exp(-10))
    for tolerance, digits in ((1e-6, 11), (1e-10, 19)):
        assert agree(integrated(Arb(45), 10, tolerance=tolerance, accuracy=1e-30)[0], exact, digits)


def test_a_poor_twin_costs_time_but_not_digits():
    """A twin with a wrong right-hand side must not leave a trace in the result."""

    class Wrong(Logistic):
        def rhs(self, y):
            return 1.01 * super().rhs(y)

    ctx = working(40, guard=0)
    assert agree(integrated(Arb(40), 10, Wrong(Float64()))[0], 1 / (1 + 1023 * ctx.exp(-10)), 17)


def test_a_system_without_solution_raises_step_failed():
    class Broken(Logistic):
        def rhs(self, y):
            return y * np.nan

    integrator = Integrator(Broken(Float64()), 5, 1e-6, 1e-12)
    with pytest.raises(StepFailed), Float64().working():
        next(integrator.steps(np.array([0.5]), 0.1))


class BlowUp:
    """y' = y^2, of which every step is the last one on a smaller scale, as towards the end of a plateau."""

    arithmetic = Float64()

    def rhs(self, y):
        return y * y

    def rhs_and_jacobian(self, y):
        return y * y, 2 * y[..., None]


def test_the_integrator_learns_from_its_guesses():
    """One Newton iteration a step; two or three without what the last prediction missed."""
    integrator, counts = Integrator(BlowUp(), 9, 1e-6, 1e-11), []
    for step in integrator.steps(np.array([1.0]), 0.01):
        counts.append(integrator.iterations)
        if step.after > 1e40:
            break
    assert counts[-1] - counts[-41] < 50


def test_counts_add_up():
    _, integrator = integrated(Arb(30), 10)
    assert integrator.accepted > 5
    assert integrator.iterations >= integrator.accepted + integrator.rejected


def test_the_error_estimate_is_the_larger_of_both_coefficients():
    integrator = Integrator(Logistic(Float64()), 6, 1e-6, 1e-12)
    c = integrator.method.float_nodes[1:, None]
    assert integrator._error(np.array([1.0]), c**5) == pytest.approx(1 / 2520)  # z_6 = 0: the smaller would be 0
    assert integrator._error(np.array([0.5, 1e-9]), np.hstack([0 * c, 1e-9 * c**5])) == pytest.approx(1 / 2520)


def test_the_mixed_newton_reaches_the_accuracy_asked():
    """Accuracies one digit apart, so that a stopping rule looser by 1e3 shows whatever the contraction is."""
    arithmetic = Arb(80)
    with arithmetic.working():
        y, h = arithmetic.array([0.25]), arithmetic.number(1)

        def solve(accuracy):
            integrator = Integrator(Logistic(arithmetic), 9, 1.0, accuracy, Logistic(Float64()))
            return integrator.step(y, h, np.full((9, 1), 0.1)).after[0]

        exact = solve(1e-70)
        for digits in range(14, 44):
            assert abs(solve(10.0**-digits) - exact) < flint.arb(10) ** -digits, digits
