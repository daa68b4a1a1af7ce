"""What the README shows runs, and prints what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.search(r"```sh\n(.*?)```", README, re.S)[1].splitlines()


def test_the_python_example_prints_what_its_comment_says():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    promised = example.splitlines()[-1].split("# ")[1]
    found = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == promised
    assert len(example.strip().splitlines()) <= 10


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs(command, tmp_path):
    name, *arguments = shlex.split(command)
    assert name == "memcurse"
    run = subprocess.run([sys.executable, "-m", "verify.cli", *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout


def test_every_file_it_points_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []
