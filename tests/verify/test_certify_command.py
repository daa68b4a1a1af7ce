"""`memcurse certify`: what it prints, the files it writes, and files it proves again, or refuses."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from studies import LAG, pair_study
from tolerances import REFERENCE
from verify.cli import main

ROOT = Path(__file__).resolve().parents[2]
STUDY = "# Two short memories.\n" + pair_study({LAG: ["8", "20"]}, digits=10)
OUT_OF_REACH = pair_study({LAG: ["8"]}, digits=10).replace('"0.05"', '"5"')


def written(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)
