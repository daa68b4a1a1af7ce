"""docs/proof.md cites the equations that the code has, and files that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "proof.md").read_text("utf-8")
STATED = re.compile(r" \((V\d+)\)(?: ,)?$", re.M)  # at the right of a line
EQUATION = re.compile(r"\((V\d+)\)")


def stated():
    """The numbers of all equations in the docstrings of the modules that prove or compare."""
    modules = [*(ROOT / "verify" / "certificate").glob("*.py"), ROOT / "verify" / "compare_certified.py"]
    texts = [ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in modules]
    return {number for text in texts for number in STATED.findall(text)}


def test_every_number_cited_is_an_equation_of_a_module():
    cited = set(EQUATION.findall(PAGE))
    assert len(cited) > 20 and cited <= stated()


def test_no_module_cites_a_number_that_none_states():
    for path in (ROOT / "verify" / "certificate").glob("*.py"):
        assert set(EQUATION.findall(path.read_text("utf-8"))) <= stated(), path.name


def test_every_file_it_points_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert len(links) > 8
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
