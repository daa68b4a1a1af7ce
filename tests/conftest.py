"""Hypothesis profiles: no timing assertions anywhere, and the same examples in every CI run.

A failing example found locally is random and kept in the local example database; CI draws the same ones
each time, so a red run is red for everybody.
"""

import os

from hypothesis import HealthCheck, settings

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("local", untimed)
settings.register_profile("ci", untimed, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
