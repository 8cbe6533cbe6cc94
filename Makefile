# `make run` and `make test` need Python 3.11 or newer and make; everything else is installed into .venv.
PYTHON ?= python3
SUITE ?= quick
ARGS ?=
BIN = .venv/bin

.PHONY: benchmark docs run style test tests types

run: .venv/installed
	$(BIN)/labelbench run --suite $(SUITE) --jobs 2 --threads 1 $(ARGS)

test: style
	$(MAKE) --no-print-directory --jobs=2 types tests

style: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy

tests: .venv/installed-dev
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)
	$(BIN)/python -m pytest -p no:xdist --doctest-modules labelbench

benchmark: .venv/installed-dev
	$(BIN)/python -m pytest benchmarks --quiet --benchmark-columns=min,median,rounds $(ARGS)

docs: .venv/installed-dev
	$(BIN)/python -m mkdocs build --strict --config-file docs/mkdocs.yml

# The marks are written last, so that an interrupted installation is taken up again.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch .venv/installed $@
