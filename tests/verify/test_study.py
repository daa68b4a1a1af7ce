"""Studies are read exactly; whatever is wrong is told with its dotted path, value, condition and way out."""

import re
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from theory.dense import DenseRNN
from theory.kernels import Erlang, Exponential, Gaussian
from theory.parametrisation import InverseSquare
from theory.problem import Problem, Target
from theory.rnn import LinearRNN
from verify.study import Limits, StudyError, load, shipped

PAIR = """# A sentence about it.
[target]
terms = [ {kind = "exponential", amplitude = "1", rate = "1"},
          {kind = "gaussian", amplitude = "1", width = "1", lag = "10"} ]
[start]
amplitudes = ["1", "0"]
rates = ["1", "0.7"]
[escape]
drop = "0.05"
"""


def written(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def pair(lag):
    target = Target((Exponential(), Gaussian(lag=lag)))
    return Problem(target, LinearRNN((("1", "1"), ("0", "0.7"))), "0.05")


def test_a_study_is_the_problem_it_writes_down(tmp_path):
    study = load(written(tmp_path, PAIR))
    assert (study.name, study.description, study.digits) == ("mine", "A sentence about it.", 20)
    assert [(cell.parameters, cell.problem) for cell in study.cells] == [({}, pair("10"))]
    assert study.limits == Limits() and study.simulate is None
    assert study.source == PAIR


def test_defaults_and_integers(tmp_path):
    short = PAIR.replace('amplitude = "1", rate = "1"', "rate = 1").replace('amplitude = "1", width = "1", ', "")
    assert load(written(tmp_path, short)).cells[0].problem == pair("10")


def test_limits_and_simulation_are_read(tmp_path):
    more = PAIR + 'tau_max = "1e400"\nmax_steps = 7\nmax_seconds = "0.5"\n[precision]\ndigits = 12\n'
    more += '[simulate]\ndt = "0.1"\neta = "1/100"\nmode = "online"\nbatch = 7\nseed = 3\n'
    study = load(written(tmp_path, more))
    assert study.limits == Limits(sp.Integer(10) ** 400, 7, 0.5)
    assert study.digits == 12
    settings = study.simulate
    assert (settings.dt, settings.eta, settings.length) == (sp.Rational(1, 10), sp.Rational(1, 100), None)
    assert (settings.mode, settings.batch, settings.seed, settings.levels) == ("online", 7, 3, 2)


@pytest.mark.parametrize("form", ['"target.terms.1.lag" = ["8", 12]\n"start.rates.1" = ["0.7", "1/2"]',
                                  'target.terms.1.lag = ["8", 12]\nstart.rates.1 = ["0.7", "1/2"]'])
def test_cells_are_the_product_in_the_given_order(tmp_path, form):
    study = load(written(tmp_path, f"{PAIR}[sweep]\n{form}\n"))
    values = [("8", "0.7"), ("8", "1/2"), ("12", "0.7"), ("12", "1/2")]
    assert [tuple(cell.parameters.values()) for cell in study.cells] == values
    assert list(study.cells[0].parameters) == ["target.terms.1.lag", "start.rates.1"]
    assert study.cells[2].problem == pair("12")
    assert study.cells[1].problem.start.rates == (1, sp.Rational(1, 2))


def test_a_swept_key_may_have_been_left_to_its_default(tmp_path):
    study = load(written(tmp_path, PAIR.replace(', lag = "10"', "") + '[sweep]\n"target.terms.1.lag" = ["8"]\n'))
    assert study.cells[0].problem == pair("8")


@settings(max_examples=30)
@given(number=st.fractions(min_value=Fraction(1, 10**9), max_value=10**9), decimals=st.integers(0, 10**30))
@example(number=Fraction(1, 3), decimals=7)
def test_numbers_are_taken_exactly(tmp_path_factory, number, decimals):
    """1/3 and 30 decimals survive; rejects any way through a float."""
    drop = Fraction(decimals + 1, 10**31)
    text = PAIR.replace('"0.7"', f'"{number}"').replace('"0.05"', f'"0.{decimals + 1:031d}"')
    problem = load(written(tmp_path_factory.mktemp("exact"), text)).cells[0].problem
    assert problem.start.rates[1] == sp.Rational(number.numerator, number.denominator)
    assert problem.drop == sp.Rational(drop.numerator, drop.denominator)


def test_shipped_studies_load_and_describe_themselves():
    new = [
        "airy", "box", "coincided", "dense", "faster-spare", "finite-horizon", "pair", "power-law", "reach",
        "spares", "stable", "stages", "two-memories", "width", "width-bump",
    ]
    assert list(shipped()) == ["default", *new]
    for name, description in shipped().items():
        study = load(name)
        assert study.name == name and study.description == description
        assert description.endswith(".") and len(study.cells or study.width.cells) > 1


def test_fraction_becomes_the_drop(tmp_path):
    problem = load(written(tmp_path, PAIR.replace('drop = "0.05"', 'fraction = "0.1"'))).cells[0].problem
    assert 0 < problem.drop < 1 and problem.drop.is_Rational


BUMP = '{kind = "gaussian", amplitude = "1", width = "1", lag = "10"}'
DIAGONAL = 'amplitudes = ["1", "0"]\nrates = ["1", "0.7"]\n'
DENSE = 'recurrent = [["-1", "0"], ["0", "-2"]]\ninput_weights = [["1"], ["0"]]\nreadout = ["1", "1"]\n'


def test_kinds_horizon_and_parametrisation(tmp_path):
    erlang = '{kind = "erlang", order = 2, rate = "1/2", lag = "3"}'
    start = 'horizon = "25"\n[start]\nparametrisation = {a = 1, b = "1/2"}'
    text = PAIR.replace(BUMP, erlang).replace("[start]", start)
    problem = load(written(tmp_path, text)).cells[0].problem
    assert problem.target.terms[1] == Erlang(order=2, rate="1/2", lag=3)
    assert problem.horizon == 25 and problem.parametrisation == InverseSquare(1, "1/2")


def test_parametrisations_can_be_swept(tmp_path):
    values = '["identity", "exp", {a = "1", b = "1/2"}]'
    cells = load(written(tmp_path, f'{PAIR}[sweep]\n"start.parametrisation" = {values}\n')).cells
    assert [cell.problem.parametrisation.name for cell in cells] == ["identity", "exp", "1/(1 v^2 + 1/2)"]
    assert cells[2].parameters == {"start.parametrisation": "{a = 1, b = 1/2}"}


def test_a_dense_start(tmp_path):
    problem = load(written(tmp_path, PAIR.replace(DIAGONAL, DENSE))).cells[0].problem
    assert problem.start == DenseRNN([["-1", "0"], ["0", "-2"]], [["1"], ["0"]], ["1", "1"])


WRONG = [  # replaced, by, the message after "study mine: "
    ('kind = "gaussian"', 'kind = "gausian"',
     r"target\.terms\.1\.kind: .* got 'gausian'; did you mean 'gaussian'\? known"),
    ('kind = "gaussian", ', "", r"target\.terms\.1\.kind: is missing; known kinds: exponential, gaussian"),
    (BUMP, '{kind = "box", start = "3", end = "2"}', r"target\.terms\.1: box: end must be > start = 3, got 2"),
    (BUMP, '{kind = "box", start = "-1"}', r"target\.terms\.1: box: start must be >= 0, .* got -1"),
    (BUMP, '{kind = "erlang", order = "-1"}', r"target\.terms\.1\.order: must be an integer from 0 to 1000, got -1"),
    (BUMP, '{kind = "power-law", omega = "0"}', r"target\.terms\.1\.omega: must be > 0 .* integrable, got 0"),
    (BUMP, '{kind = "power-law", lag = "-1"}', r"target\.terms\.1\.lag: must be >= 0, .* future, got -1"),
    (BUMP, '{kind = "airy", scale = "0"}', r"target\.terms\.1\.scale: must be > 0 for the memory to fade, got 0"),
    (BUMP, '{kind = "expression"}', r"target\.terms\.1\.rho: is missing; write for example rho = "),
    (BUMP, '{kind = "expression", rho = "exp(-x)"}', r"target\.terms\.1\.rho: .*x"),
    (BUMP, '{kind = "expression", rho = "open(t)"}', r"target\.terms\.1\.rho: .*open"),
    (BUMP, '{kind = "expression", rho = "t.real"}', r"target\.terms\.1\.rho: "),
    (BUMP, '{kind = "expression", rho = 1.5}', r"target\.terms\.1\.rho: must be exact, not a float"),
    (BUMP, '{kind = "expression", rho = "1/sqrt(1+t)"}', r"target: target term 1 must be square-integrable"),
    ("lag =", "lga =", r"target\.terms\.1\.lga: is not a known key; did you mean 'lag'\? known here: kind, amplitude"),
    ("lag =", 'input = 0, lag =', r"target\.terms\.1\.input: must be an integer from 1 to 1000, got 0; it is the n"),
    ("lag =", 'input = 2, lag =', r"target term 1 must be of input 1, got 2; a diagonal network has one input"),
    ('rate = "1"', 'rate = "0"', r"target\.terms\.0\.rate: must be > 0 for the memory to fade; .* got 0"),
    ('width = "1"', 'width = "-1"', r"target\.terms\.1\.width: must be > 0 for a bump, got -1"),
    ('rate = "1"', "rate = 1.50", r'target\.terms\.0\.rate: must be exact, not a float, got 1\.50; .* string, "1\.50"'),
    ('rate = "1"', "rate = inf", r"target\.terms\.0\.rate: must be exact, not a float, got inf"),
    ('rate = "1"', "rate = true", r"target\.terms\.0\.rate: must be a number, got the boolean True; pass '1'"),
    ('rate = "1"', 'rate = ["1"]', r"target\.terms\.0\.rate: must be a number in a string or an integer, got \['1'\]"),
    ('rate = "1"', "rate = 1999-01-01", r"target\.terms\.0\.rate: must be a number in a string or an integer, got dat"),
    ('rate = "1"', 'rate = "1/0"', r"target\.terms\.0\.rate: must be finite, got '1/0'"),
    ('rate = "1"', 'rate = "one"', r"target\.terms\.0\.rate: must be a number such as '0\.7'.* got 'one'"),
    ('{kind = "exponential", amplitude = "1", rate = "1"}', '"e"',
     r"target\.terms\.0: must be a table, got 'e'; write"),
    ('["1", "0.7"]', '["1", "-0.7"]', r"start\.rates\.1: must be > 0 for the memory to fade.* got -7/10"),
    ('["1", "0.7"]', '["1", 0.7]', r"start\.rates\.1: must be exact, not a float, got 0\.7; write"),
    ('["1", "0.7"]', '["1"]', r"start\.rates: must be as many as the 2 amplitudes, got \['1'\]; a network has one"),
    ('["1", "0.7"]', "[]", r"start\.rates: must be a list of at least one entry, got \[\]; a network"),
    ('amplitudes = ["1", "0"]', "amplitudes = []",
     r"start\.amplitudes: must be a list of at least one entry, got \[\]"),
    ('amplitudes = ["1", "0"]', "", r"start\.amplitudes: is missing; a network has one amplitude"),
    ("[start]", 'parametrisation = "exp"', r"target\.parametrisation: is not a known key"),
    ("[start]", '[start]\nparametrisation = "expp"',
     r"start\.parametrisation: must be a known word or a table, got 'expp'; did you mean 'exp'\? known here: identity"),
    ("[start]", '[start]\nparametrisation = {a = "1"}', r"start\.parametrisation\.b: is missing; write {a = "),
    (
        "[start]",
        '[start]\nparametrisation = {a = "1", b = "2"}',
        r"start\.rates\.0: must be < 1/2 for 1/\(1 v\^2 \+ 2\) to reach it and move it, got 1$",
    ),
    ("[start]", '[start]\nparametrisation = {a = "1", b = "0"}', r"start\.parametrisation\.b: must be > 0 .* got 0"),
    ("[start]", '[start]\nreadout = ["1"]', r"start\.amplitudes: is of a diagonal network, recurrent, .* out either"),
    (DIAGONAL, 'readout = ["1"]\n', r"start\.recurrent: is missing; a dense network has recurrent \(m x m\)"),
    ("[start]", 'horizon = "0"\n[start]', r"target\.horizon: must be > 0 in time, or be 'inf', got 0"),
    ("[start]", "horizon = 2.5\n[start]", r"target\.horizon: must be exact, not a float, got 2\.5"),
    ('drop = "0.05"', 'fraction = "0.1"\n[target.x]', r"target\.x: is not a known key"),
    (DIAGONAL, DENSE.replace('"-2"', '"2"'), r"start: recurrent must be Hurwitz, .* rightmost eigenvalue is 2\.0"),
    (DIAGONAL, DENSE.replace('["0", "-2"]', '["-2"]'), r"start: .*recurrent.*"),
    (DIAGONAL, DENSE.replace('["0"]]', '["0"], ["1"]]'), r"start: .*input_weights.*"),
    (DIAGONAL, DENSE.replace('readout = ["1", "1"]', 'readout = ["1"]'), r"start: .*readout.*"),
    (DIAGONAL, DENSE.replace('"-2"', "-2.5"), r"start\.recurrent\.1\.1: must be exact, not a float, got -2\.5"),
    (DIAGONAL, DENSE.replace('[["1"], ["0"]]', '["1", "0"]'), r"start\.input_weights\.0: must be a list, one row"),
    (DIAGONAL, DENSE + 'rates = ["1"]\n', r"start\.rates: is of a diagonal network, "),
    ("[start]", "[strat]", r"strat: is not a known key; did you mean 'start'\? known here: target"),
    ("[target]", "target = 3\n[targets]", r"targets: is not a known key; did you mean 'target'"),
    ('drop = "0.05"', 'drop = "0"', r"escape\.drop: must be > 0 for the loss to fall by it, got 0"),
    ('drop = "0.05"', 'drop = "-1e-3"', r"escape\.drop: must be > 0 .* got -1/1000"),
    ('drop = "0.05"', 'drop = "much"', r"escape\.drop: must be a number such as .* got 'much'"),
    ('drop = "0.05"', 'drop = 5e-2',
     r"escape\.drop: must be exact, not a float, got 5e-2; write it as a string, \"5e-2\""),
    ('drop = "0.05"', "", r"escape\.drop: exactly one of drop and fraction is needed, neither is given; write"),
    ('drop = "0.05"', 'drop = "0.05"\nfraction = "0.1"', r"escape\.drop: exactly one .* both are given"),
    ('drop = "0.05"', 'fraction = "2"', r"escape\.fraction: must be < 1, got 2"),
    ('drop = "0.05"', 'drop = "1"\ntau_max = 0', r"escape\.tau_max: must be > 0 .* got 0"),
    ('drop = "0.05"', 'drop = "1"\nmax_steps = 0', r"escape\.max_steps: must be an integer >= 1, got 0; leave it out"),
    ("[escape]", "[precision]\ndigits = 4\n[escape]",
     r"precision\.digits: must be an integer from 5 to 150, got 4; it is"),
    ("[escape]", '[precision]\ndigits = "1e99"\n[escape]',
     r"precision\.digits: must be an integer from 5 to 150, got '1e99'"),
    ("[escape]", '[precision]\ndigits = "20.5"\n[escape]', r"precision\.digits: must be an integer from 5 to 150"),
    ("[escape]", "[precision]\ndigits = 20.0\n[escape]", r"precision\.digits: must be exact, not a float, got 20\.0"),
    ("[escape]", '[simulate]\neta = "1"\n[escape]', r'simulate\.dt: is missing; write for example dt = "0\.2"'),
    ("[escape]", '[simulate]\ndt = "1"\neta = "-1"\n[escape]',
     r"simulate\.eta: must be > 0 for a learning rate, got -1"),
    ("[escape]", '[simulate]\ndt = "1"\neta = 1\nmode = "sgd"\n[escape]',
     r"simulate\.mode: must be a known word, got 'sgd'"),
    ("[escape]", '[simulate]\ndt = 2\neta = 1\nlength = 1\n[escape]',
     r"simulate\.length: must be at least dt = 2, got 1"),
    ("[escape]", '[sweep]\n"target.terms.2.lag" = ["8"]\n[escape]',
     r"sweep\.target\.terms\.2\.lag: .* they are 0 to 1"),
    ("[escape]", '[sweep]\n"target.terms.1.lg" = ["8"]\n[escape]',
     r"target\.terms\.1\.lg: is not a known key; did you mean 'lag'"),
    ("[escape]", '[sweep]\n"target.term.1.lag" = ["8"]\n[escape]',
     r"sweep\.target\.term\.1\.lag: .* did you mean 'terms'"),
    ("[escape]", '[sweep]\n"taget.terms.1.lag" = ["8"]\n[escape]', r"cannot be swept; did you mean 'target'\?"),
    ("[escape]", '[sweep]\n"target.terms.1.lag.x" = ["8"]\n[escape]',
     r"target\.terms\.1\.lag is '10', with nothing inside"),
    ("[escape]", '[sweep]\n"precision.digits" = ["8"]\n[escape]', r"sweep\.precision\.digits: cannot be swept; target"),
    ("[escape]", '[sweep]\n"target.terms.1.lag" = []\n[escape]',
     r"must be a list of at least one value, got \[\]; write"),
    ("[escape]", '[sweep]\n"target.terms.1.lag" = ["8", 9.5]\n[escape]',
     r"sweep\.target\.terms\.1\.lag\.1: .* float, got 9\.5"),
    ("[escape]", '[sweep]\n"target.terms.1.width" = ["1", "0"]\n[escape]',
     r"target\.terms\.1\.width: must be > 0 .* got 0 \(in the cell target\.terms\.1\.width = 0\)"),
    ("[escape]", "[escape", r"must be valid TOML: .*\(at line 8, column 8\)"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_what_is_wrong_is_named(tmp_path, old, new, message):
    assert old in PAIR
    with pytest.raises(StudyError, match="^study mine: .*" + message):
        load(written(tmp_path, PAIR.replace(old, new, 1)))


@pytest.mark.parametrize(("content", "message"), [
    (b"\x7fELF\x02\x01\xff\x00", "must be a text file in UTF-8, but its byte 6 is 0xff; give a TOML file"),
    (b"a = 1\x00", "must be valid TOML: .* line 1"),
    (b"", "target: is missing; add a section \\[target\\] with terms"),
    (b"#" * 1_000_001, "is longer than 1000000 bytes"),
    (b"a = " + b"1" * 5000, "must be TOML of a sensible size"),
    (b"a = " + b"[" * 5000, "must be TOML of a sensible size|must be valid TOML"),
])
def test_files_that_are_no_study(tmp_path, content, message):
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=f"^study .*odd.*: {message}"):
        load(path)


@pytest.mark.parametrize(("name", "message"), [
    ("pear", "study pear: no such file, .*; did you mean 'pair'\\? give a TOML file or a shipped study: default, ai"),
    ("/", "study /: cannot be read: Is a directory; give a TOML file"),
    ("a\0b", "cannot be read: embedded null"),
])
def test_names_that_are_no_study(name, message):
    with pytest.raises(StudyError, match=message):
        load(name)


def test_too_many_cells(tmp_path):
    values = ", ".join(f'"{lag}"' for lag in range(1, 400))
    with pytest.raises(StudyError, match="sweep: must have at most 100000 cells, got 159201; sweep fewer"):
        load(written(tmp_path, f'{PAIR}[sweep]\n"target.terms.1.lag" = [{values}]\n"start.rates.1" = [{values}]\n'))


def test_a_section_asks_for_plateaus_and_may_say_what_they_are(tmp_path):
    plain = load(written(tmp_path, PAIR)).plateaus
    assert (plain.delta, plain.prominence, plain.wanted) == (sp.Rational("0.02"), 10, False)
    asked = load(written(tmp_path, PAIR + '[plateaus]\ndelta = "1/3"\n')).plateaus
    assert (asked.delta, asked.prominence, asked.wanted) == (sp.Rational(1, 3), 10, True)
    for line, message in (
        ('delta = "0"', "plateaus.delta: must be > 0 for the extent of a plateau to have a height, got 0"),
        ("prominence = 1", "plateaus.prominence: must be > 1, got 1; it is how many times as slowly"),
        ("depth = 1", "plateaus.depth: is not a known key; "),
    ):
        with pytest.raises(StudyError, match=re.escape(message)):
            load(written(tmp_path, PAIR + f"[plateaus]\n{line}\n"))
