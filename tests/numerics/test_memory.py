"""Peak memory of long runs, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST = 250  # MB, of which the imports alone take about 105
RUN = """
from pathlib import Path
from numerics.escape import escape_time
from numerics.trajectory import trajectory
from theory.kernels import Exponential, Gaussian
from theory.problem import Problem, Target
from theory.rnn import LinearRNN

target = Target([Exponential(), Gaussian(lag="1000")])
problem = Problem(target, LinearRNN.of(["1", "0"], ["1", "0.7"]), "0.001")
found = escape_time(problem, digits=20, engine="ENGINE")
path = trajectory(problem, engine="ENGINE")
assert found.tau == "1.7695411613620725000e+597" and path.escape.tau == "1.769541161e+597"
status = Path("/proc/self/status").read_text()  # not ru_maxrss, which begins with what the parent held
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["time", "slow"])
def test_a_run_to_1e597_and_its_trajectory_fit_into_250_megabytes(engine):
    """In time: 2834 steps of 11 stages, whose balls alone would take some 50 MB if every step were kept."""
    command = [sys.executable, "-c", RUN.replace("ENGINE", engine)]
    peak = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert float(peak) < MOST
