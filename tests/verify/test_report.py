"""The report: complete, self-contained, well-formed, never half-written. Built from real results of short memories."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from studies import LAG, pair_study
from verify import report
from verify.check import Check
from verify.simulate import Extrapolation
from verify.study import load
from verify.sweep import run

STUDY = "# Three short memories.\n" + pair_study({LAG: ["8", "10", "12"]}, digits=10)
VOID = {"meta", "link", "br", "img", "hr", "input"}

CHECKS = (
    Check(
        "escape time", "", "flow", "42.595538659", "training", "42.595548", "2.2e-7", "1e-4", "a < b & <script>c", True,
    ),
    Check("order in eta", "", "theory", "1", "measured", "0.99", "0.01", "0.03", "first order", True),
)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "short.toml"
    path.write_text(STUDY, "utf-8")
    study = load(path)
    return run(study)


@pytest.fixture(scope="module")
def simulations():
    return [Extrapolation(15.0259045, 1.2e-3, 0.99, 2.0, (), None), None, None]


@pytest.fixture(scope="module")
def folder(result, simulations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "report"
    parts = []
    page = report.write(result.study, result, CHECKS, simulations, folder, progress=parts.append)
    assert page == folder / "index.html"
    assert parts[-1] == "page"
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text("utf-8")


class Nesting(HTMLParser):
    """Every element is closed where it should be; ids are collected."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.resources = [], [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.resources += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_all_files_are_there(folder):
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    names = ("curse", "landscape", "plateaus")
    figures = [f"figures/{name}.{kind}" for name in names for kind in ("csv", "pdf", "svg")]
    assert found == [*figures, "index.html", "results.json"]
    assert min(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > 100


def test_page_is_well_formed_and_self_contained(page, folder):
    parser = Nesting()
    parser.feed(page)
    assert parser.open == []
    ElementTree.fromstring(page)  # which is XML, too
    assert len(parser.ids) == len(set(parser.ids))
    assert "<script" not in page.lower()
    elsewhere = [each for each in re.findall(r"https?://[^\s\"'<)]+", page) if "www.w3.org" not in each]
    assert elsewhere == []
    for resource in parser.resources:
        assert resource.startswith("#") or (folder / resource).is_file()


def test_page_states_the_finding_and_the_evidence(page, result):
    assert "e<sup>2w₀</sup> = 4.06" in page
    assert "From L = 8 to L = 12" in page
    assert "15.03 to 137.6, 9.2 times" in page
    assert "15.02589\u202f978" in page  # all digits in the table
    assert "All 2 cross-checks passed." in page
    assert "a &lt; b &amp; &lt;script&gt;c" in page
    assert "(L = 8) agree with it to 3.1\u00a0×\u00a010⁻⁷ or better" in page
    assert "Li, Han, E and Li (ICLR 2021" in page
    assert "Zucchet and Orvieto" in page
    for heading in ("Loss", "Gradient", "Flow", "Slow flow", "Lower bound"):
        assert f"<h3>{heading}</h3>" in page
    assert page.count("<math") >= 12
    assert page.count('role="img" aria-label="') == 3


def test_a_failed_check_is_the_finding(result):
    failed = replace(CHECKS[0], passed=False)
    text = report._page(result.study, result, [failed], [], [])
    assert "1 of 1 cross-checks FAILED" in text
    assert 'class="fail"' in text


def test_results_hold_every_number(folder, result):
    results = json.loads((folder / "results.json").read_text("utf-8"))
    assert [cell["escape_time"] for cell in results["cells"]] == [cell.escape.tau for cell in result.cells]
    assert results["checks"] == [check.as_dict() for check in CHECKS]
    assert results["simulations"][0]["escape_time"] == "15.0259045"
    assert results["simulations"][1] is None
    assert results["provenance"]["study_text"] == STUDY


def test_writing_again_replaces_ours_and_spares_what_is_not(folder, result, simulations, tmp_path):
    copy = tmp_path / "report"
    shutil.copytree(folder, copy)
    (copy / "index.html").write_text("old", "utf-8")
    (copy / "notes.txt").write_text("mine", "utf-8")
    report.write(result.study, result, CHECKS, simulations, copy)
    assert (copy / "index.html").read_bytes() == (folder / "index.html").read_bytes()  # deterministic, too
    assert (copy / "figures" / "curse.svg").read_bytes() == (folder / "figures" / "curse.svg").read_bytes()
    assert (copy / "notes.txt").read_text("utf-8") == "mine"


def test_nothing_half_written_stays(result, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("the page")

    monkeypatch.setattr(report, "_pictures", lambda *_: [])
    monkeypatch.setattr(report, "_page", fail)
    with pytest.raises(RuntimeError, match="the page"):
        report.write(result.study, result, CHECKS, [], tmp_path / "new" / "report")
    assert list(tmp_path.iterdir()) == []


TARGET = '[target]\nterms = [{kind = "exponential"}, {kind = "gaussian", lag = "8"}]\n'
UNITS = '[start]\namplitudes = ["1", "0"]\nrates = ["1", "0.7"]\n'
DENSE = '[start]\nrecurrent = [["-1", "0"], ["0", "-0.7"]]\ninput_weights = [["1"], ["1"]]\nreadout = ["1", "0"]\n'
REST = '[escape]\ndrop = "0.05"\n[precision]\ndigits = 6\n'
TWO = DENSE.replace('[["1"], ["1"]]', '[["1", "0"], ["0", "1"]]')
VARIANTS = {
    "horizon": TARGET + UNITS + REST + '[sweep]\n"target.horizon" = ["8", "inf"]\n',
    "parametrisation": TARGET
    + UNITS
    + REST
    + '[sweep]\n"start.parametrisation" = ["identity", "exp", {a = 1, b = "1/2"}]\n',
    "dense": TARGET + DENSE + REST,
    "two inputs": TARGET.replace('lag = "8"', 'lag = "8", input = 2') + TWO + REST,
    "expression": TARGET.replace('kind = "gaussian"', 'kind = "expression", rho = "t*exp(-2*t)"') + UNITS + REST,
    "power-law": TARGET.replace("gaussian", "power-law")
    + UNITS
    + REST
    + '[sweep]\n"target.terms.1.lag" = ["6", "8"]\n',
    "coincided": TARGET.replace('"8"', '"14"')
    + '[start]\namplitudes = ["1/2", "1/2"]\nrates = ["1", "1.3"]\n'
    + REST.replace("0.05", "0.02"),
    "far": TARGET + UNITS + '[escape]\nfraction = "1/2"\n[sweep]\n"target.terms.1.lag" = ["100", "10000"]\n',
}
SAID = {
    "horizon": (
        "The loss looks back over the horizon T and no further.",
        "The study takes T = 8, ∞.",
        "D₀(s, β)",
        "instead of",
    ),
    "parametrisation": ("what is trained is v, and, in turn,", "<h3>Parametrisation</h3>", "1/(v² + 0.5)", "1/φ′(v₀)²"),
    "dense": ("all of W, U and c are trained", "<mtable>", "sits on a plateau first", "<h3>Dense network</h3>"),
    "two inputs": ("a memory of each of its inputs", "<mi>ρ</mi><mi>2</mi></msub>", "λ: an eigenvalue of W"),
    "expression": ("otherwise", "∫", "L = 8"),
    "power-law": ("H<sub>n</sub>(s, p)", "The study takes L = 6, 8.", "e<sup>2w₀</sup> = 4.06"),
    "coincided": ("<h3>Coincided start</h3>", "κ₂, κ₃", "first merge", "law of coincided units"),
    "far": (
        "fallen by 0.0120392 at L = 100 … 0.000115619 at L = 10000? The longer the memory",
        "log₁₀ τ = 6067.351",
        "2.244\u00a0×\u00a010⁶⁰⁶⁷",
    ),
}
NOT_SAID = {
    "horizon": ("H<sub>n</sub>", "proved lower bound</th>"),
    "parametrisation": ("D₀", "horizon T", "No law of coincided"),
    "dense": ("M<sub>n</sub>", "units (amplitude; rate)", "2w₀", "slow flow</th>"),
    "two inputs": ("units (amplitude; rate)", "slow flow</th>"),
    "expression": ("M<sub>n</sub>", "H<sub>n</sub>"),
    "power-law": ("M<sub>n</sub>", "GaussianMoment", "PowerMoment"),
    "coincided": ("H<sub>n</sub>", "slow flow</th>", "proved lower bound</th>"),
    "far": ("log₁₀ τ = 52",),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_study_has_a_page_that_says_what_it_is(name, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(VARIANTS[name], "utf-8")
    study = load(path)
    page = report._page(study, run(study), [], [], [])
    ElementTree.fromstring(page)
    for text in SAID[name]:
        assert text in page
    for text in NOT_SAID[name]:
        assert text not in page
    assert "Moment" not in page and "Piecewise" not in page


def test_figures_of_other_sweeps(tmp_path):
    """No escape times against memory where the memory is one; curves and a map all the same."""
    path = tmp_path / "study.toml"
    path.write_text(VARIANTS["horizon"], "utf-8")
    assert [each.name for each in report._pictures(run(load(path)), [], lambda _: None)] == ["plateaus", "landscape"]
    path.write_text(VARIANTS["dense"], "utf-8")
    assert [each.name for each in report._pictures(run(load(path)), [], lambda _: None)] == ["plateaus"]


def test_letters_that_decide_nothing_are_left_out(tmp_path):
    """Which of two boxes begins first is not for a letter to say; the numbers do."""
    boxes = '{kind = "box", lag = "6"}, {kind = "box", lag = "9", end = 2}]'
    path = tmp_path / "study.toml"
    sweep = '[sweep]\n"target.terms.1.lag" = ["6", "8"]\n'
    path.write_text(TARGET.replace('{kind = "gaussian", lag = "8"}]', boxes) + UNITS + REST + sweep, "utf-8")
    result = run(load(path))
    names = [each.name for each in report._derivation(result) if each.statements]
    assert names[-2:] == ["slow flow", "lower bound"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 500])
def test_a_real_browser_draws_the_page(folder, tmp_path, width):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium on PATH")
    shot = tmp_path / "page.png"
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync"
    subprocess.run(
        [browser, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={shot}",
         f"--window-size={width},4000", (folder / "index.html").as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    from matplotlib.image import imread

    pixels = imread(shot)[..., :3]
    assert pixels.shape[:2] == (4000, width)
    inked = (pixels < 0.5).any(axis=2)
    assert 0.005 < inked.mean() < 0.5
    assert all(inked[top : top + 800].any() for top in range(0, 4000, 800))  # no blank stretch
    assert inked[:, -3:].mean() < 0.05  # nothing runs over the right edge
