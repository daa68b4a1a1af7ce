"""What ends a run, apart from the escape: see test_escape.py for the outcomes themselves."""

import numerics.run
from numerics.arithmetic import Float64
from numerics.flow import GradientFlow
from numerics.integrator import Integrator
from numerics.run import Clock, Limits, Outcome, run
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN


def test_a_runaway_must_last_two_decades(monkeypatch):
    monkeypatch.setattr(numerics.run, "_running_away", lambda flow, y, tau, missing, since: since or tau)
    problem = Problem(Target((Exponential(), Gaussian(lag="20"))), LinearRNN(((1, 1), (0, "0.7"))), "0.05")
    flow, taus = GradientFlow(problem, Float64()), []
    found = run(flow, Integrator(flow, 9, 1e-6, 1e-12), Limits(), lambda tau, step: taus.append(tau))
    first_look = taus[numerics.run.LOOK_EVERY]
    assert found.outcome is Outcome.runaway and found.tau > 100 * first_look


def test_the_clock_loses_nothing_to_rounding():
    """Small steps late in a long time add up: one by one they would vanish beside 1e17."""
    clock = Clock(Float64())
    for step in (0.5, 1.0, 1e17, *[1.0] * 4096):
        clock.advance(step)
    assert clock.tau == 1e17 + 4096
