"""docs/proof.md cites the equations that the code has, and files that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "proof.md").read_text("utf-8")
STATED = re.compile(r" \(([VD]\d+)\)(?: ,)?$", re.M)  # at the right of a line
EQUATION = re.compile(r"\(([VD]\d+)\)")


MODULES = [
    path for path in (*(ROOT / "verify" / "certificate").glob("*.py"), ROOT / "verify" / "compare_certified.py")
    if not path.name.startswith("recording")
]  # fmt: skip


def split(path):
    """The docstring of a module, and what follows it."""
    text = path.read_text("utf-8")
    page = ast.get_docstring(ast.parse(text), clean=False) or ""
    return page, text.replace(page, "", 1)


def test_the_page_has_every_equation_of_the_modules_that_prove_and_no_other():
    stated = {number for path in MODULES for number in STATED.findall(split(path)[0])}
    assert len(stated) > 40 and set(EQUATION.findall(PAGE)) == stated


def test_every_equation_stands_beside_code_and_the_code_has_no_other():
    stated = {number for path in MODULES for number in STATED.findall(split(path)[0])}
    assert {number for path in MODULES for number in EQUATION.findall(split(path)[1])} == stated


def test_every_file_it_points_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert len(links) > 8
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
