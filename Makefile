# Everything that a developer types. Needs Python 3.11 or newer and make; all else is installed into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: help demo test lint format docs bench browser web clean

help:
	@echo "make demo    render a scene with known truth, extract its roads, score them, draw them"
	@echo "make test    set up everything, check style, types and layers, run all tests"
	@echo "make lint    style, types and layers only"
	@echo "make format  put the code into the house's format"
	@echo "make browser install Chromium for the tests of the web page (Debian, as root; else they skip)"
	@echo "make web     build the web page from web/ (needs Node 20 or newer)"
	@echo "make docs    build the documentation as a site, into site/"
	@echo "make bench   run the benchmarks (keep the machine quiet)"
	@echo "make clean   remove what these commands made"

# The light environment: what a user installs. No deep-learning framework.
$(VENV)/light: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

# The full environment: every extra and the developers' tools.
$(VENV)/full: $(VENV)/light
	$(PIP) --editable ".[all,dev]"
	touch $@

demo: $(VENV)/light
	$(BIN)/roadlift demo --folder demo

lint: $(VENV)/full
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint browser
	$(BIN)/pytest --numprocesses auto --dist worksteal --cov --cov-report=term:skip-covered

format: $(VENV)/full
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Debian's Chromium for tests/browser. Where it cannot be installed those tests skip and say so.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } \
		|| echo "no chromium: the browser tests will be skipped"

# The page that `roadlift serve` shows; what is built is committed, so that users need no Node.
web:
	cd web && npm ci && npm run build

docs: $(VENV)/full
	$(BIN)/mkdocs build --strict

bench: $(VENV)/full
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo screenshots web/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
