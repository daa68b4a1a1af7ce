"""The numbers of docs/width.md are those that its example prints."""

from pathlib import Path

import pytest

from test_examples import run

PAGE = Path(__file__).resolve().parents[1] / "docs" / "width.md"


@pytest.mark.slow
def test_the_page_says_what_the_example_prints():
    printed, page = run("width"), PAGE.read_text(encoding="utf-8")
    cells = [
        line.split() for line in printed.splitlines() if line.startswith("1") and "-" in line and "." not in line[:3]
    ]
    assert len(cells) == 10
    for omega, eps, corridor, slowest, _, margin, _ in cells:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {omega} | {eps} |"))
        assert f"| {corridor} |" in row
        shown = float(row.split("|")[4])
        assert shown == pytest.approx(float(slowest), rel=0.05)
        if float(margin) > 1:
            assert float(row.split("|")[5].strip(" >=").replace(" ", "")) == pytest.approx(float(margin), rel=1e-3)
    assert "inf" in printed
