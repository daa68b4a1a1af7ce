"""docs/proof.md cites the equations that the code has, and files that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "proof.md").read_text("utf-8")
STATED = re.compile(r"(?:  |, )\((V\d+)\)(?: ,)?$", re.M)
EQUATION = re.compile(r"\((V\d+)\)")


def docstrings():
    """Name -> docstring of every module that proves or compares."""
    modules = [*(ROOT / "verify" / "certificate").glob("*.py"), ROOT / "verify" / "compare_certified.py"]
    return {path.stem: ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in modules}


def test_every_number_cited_is_an_equation_of_one_module():
    """An equation stands on a line of its own, its number at the right; nothing else has that number."""
    stated = [number for text in docstrings().values() for number in STATED.findall(text)]
    cited = set(EQUATION.findall(PAGE))
    assert len(cited) > 20 and cited <= set(stated)
    assert sorted(stated) == sorted(set(stated))


def test_no_module_cites_a_number_that_none_states():
    stated = {number for text in docstrings().values() for number in STATED.findall(text)}
    for path in (ROOT / "verify" / "certificate").glob("*.py"):
        assert set(EQUATION.findall(path.read_text("utf-8"))) <= stated, path.name


def test_every_file_it_points_to_exists():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert len(links) > 8
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
