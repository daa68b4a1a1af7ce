"""What was measured, and on what, without names of hosts or folders."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEASURED = "theory", "numerics", "benchmarks", ":(exclude)benchmarks/results"
PACKAGES = ("numpy", "scipy", "sympy", "mpmath", "gmpy2", "python-flint", "heyoka", "pymor", "torch", "jax", "jaxlib")


def description() -> dict[str, str]:
    """Processor, memory, system, Python and versions of the packages that take part; "not installed" is one."""
    return {
        "processor": f"{_field('/proc/cpuinfo', 'model name') or platform.machine()}, {os.cpu_count()} cores",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: _version(name) for name in PACKAGES},
    }


def in_a_line() -> str:
    """Processor, system and Python."""
    what = description()
    return f"{what['processor']}, {what['system']}, {what['Python']}"


def code() -> str:
    """The commit that is measured, so that old numbers do not outlive the code; empty outside a checkout."""
    command = ["git", "log", "-1", "--format=%h", "--", *MEASURED]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()


def _field(path: str, name: str) -> str:
    """The value after the first line of a file of /proc that begins with a name; empty where there is none."""
    if not Path(path).exists():
        return ""
    lines = Path(path).read_text("utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")


def _memory() -> str:
    kilobytes = _field("/proc/meminfo", "MemTotal").split()
    return f"{int(kilobytes[0]) / 2**20:.0f} GiB" if kilobytes else "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
