"""What the README shows runs, and prints what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS, CERTIFY, SWEEP = (block.splitlines() for block in re.findall(r"```sh\n(.*?)```", README, re.S))


def test_the_python_example_prints_what_its_comment_says():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    promised = example.splitlines()[-1].split("# ")[1]
    found = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == promised
    assert len(example.strip().splitlines()) <= 10


def marked(command):
    """Seconds of proofs are no fast test."""
    return pytest.param(command, marks=pytest.mark.slow) if " width " in command else command


@pytest.mark.parametrize("command", [marked(command) for command in COMMANDS])
def test_every_command_runs(command, tmp_path):
    assert run(command, tmp_path).stdout


def test_a_sweep_is_kept_found_and_exported(tmp_path):
    first, again, exported = (run(command, tmp_path) for command in SWEEP)
    assert (first.stderr, again.stderr) == ("", "memcurse: 9 of 9 cells were in cells.sqlite\n")
    assert again.stdout == first.stdout and exported.stdout.count("\n") == 10


@pytest.mark.slow
def test_what_is_certified_is_proved_again(tmp_path):
    made, again = (run(command, tmp_path) for command in CERTIFY)
    assert made.stdout.count("escaped") == 9 and " proved " in again.stdout


def run(command, folder):
    name, *arguments = shlex.split(command)
    assert name == "memcurse"
    done = subprocess.run([sys.executable, "-m", "verify.cli", *arguments], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


def test_every_file_it_points_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []
