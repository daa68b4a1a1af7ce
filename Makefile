# Needs Python >= 3.11 with venv, make and git. Writes only inside this folder, unless OUT says otherwise.
PYTHON        ?= python3
PYTHON_LOWEST ?= python3.11
OUT           ?= report
STUDY         ?= default
WORKERS       ?= 4
PEERS         ?= gmpy2 heyoka pymor

VENV := .venv
PINS := requirements.txt
RUN   = $(VENV)/bin/python -m

# One BLAS thread each, because parallelism is by processes; caches of pip and matplotlib stay in this folder.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export MPLCONFIGDIR ?= $(CURDIR)/.cache/matplotlib
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help report test test-all test-lowest lint bench setup clean
.DEFAULT_GOAL := help

help:
	@echo "make report       run the study STUDY (default) and write its report to the folder OUT (report)"
	@echo "make test         all tests but the slow ones, and the examples in docstrings"
	@echo "make test-all     all tests"
	@echo "make test-lowest  the tests, on the oldest versions of the dependencies that setup.cfg allows (Python 3.11)"
	@echo "make lint         ruff and mypy"
	@echo "make bench        escape times and networks beside PEERS (gmpy2 heyoka pymor; jax torch too), both engines; in .venv-bench, 20 minutes"
	@echo "make setup        create or update .venv only; the targets above do it by themselves"
	@echo "make clean        remove .venv, caches and the folder report"
	@echo "Variables: PYTHON=python3.12, OUT=folder, STUDY=name, WORKERS=4 (test processes at most), ARGS='for pytest or bench'"

report: setup
	@$(VENV)/bin/memcurse report $(STUDY) --out "$(OUT)"

test: setup
	$(RUN) pytest -m "not slow" -n auto --maxprocesses=$(WORKERS) $(ARGS)

test-all: setup
	$(RUN) pytest -n auto --maxprocesses=$(WORKERS) $(ARGS)

# The oldest versions have wheels for Python 3.11.
test-lowest:
	@$(MAKE) --no-print-directory test VENV=.venv-lowest PINS=requirements-lowest.txt PYTHON=$(PYTHON_LOWEST)

# An environment of its own: the pins and then the peers, whichever there are; what is missing is listed as such.
bench:
	@$(MAKE) --no-print-directory setup VENV=.venv-bench
	@for peer in $(PEERS); do .venv-bench/bin/pip install -q -c requirements-bench.txt $$peer \
	 || echo "$$peer cannot be installed here: its rows will say so"; done
	.venv-bench/bin/python -m benchmarks $(ARGS)
	.venv-bench/bin/python -m benchmarks.engines
	.venv-bench/bin/python -m benchmarks.reduction

lint: setup
	$(RUN) ruff check .
	$(RUN) mypy

# $(VENV)/.ready holds, in two lines, what the environment was made from: the Python and this folder (if they
# change it is made anew), and the pins and the metadata (if they change it is updated).
setup:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo "memcurse needs Python 3.11 or newer, and there is no\
	 '$(PYTHON)' here: install it, or name another with 'make $(MAKECMDGOALS) PYTHON=python3.12'." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || { echo "memcurse needs\
	 Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1 | head -n 1): install a newer one\
	 and name it, for example 'make $(MAKECMDGOALS) PYTHON=python3.12'." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' >/dev/null 2>&1 || { echo "memcurse needs Python's venv module, which\
	 '$(PYTHON)' lacks: install it (Debian, Ubuntu: apt install python3-venv) and run 'make $(MAKECMDGOALS)'\
	 again." >&2; exit 1; }
	@made_from=$$("$(PYTHON)" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)')" $(CURDIR)"; \
	holds=$$(cat $(PINS) setup.cfg pyproject.toml | cksum); \
	before=$$(sed -n 1p $(VENV)/.ready 2>/dev/null || true); \
	if [ "$$(cat $(VENV)/.ready 2>/dev/null)" = "$$(printf '%s\n%s' "$$made_from" "$$holds")" ]; then exit 0; fi; \
	set -e; \
	echo "Setting up $(VENV) from $(PINS) (the first time takes a minute or two)"; \
	rm -f $(VENV)/.ready; \
	if [ -n "$$before" ] && [ "$$before" != "$$made_from" ]; then rm -rf $(VENV); fi; \
	"$(PYTHON)" -m venv $(VENV); \
	$(RUN) pip install -q -r $(PINS); \
	$(RUN) pip install -q --no-deps --no-build-isolation -e .; \
	$(RUN) pip check; \
	printf '%s\n%s\n' "$$made_from" "$$holds" > $(VENV)/.ready

clean:
	rm -rf .venv .venv-lowest .venv-bench .cache report build dist memcurse.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find theory numerics verify tests -name __pycache__ -prune -exec rm -rf {} +
