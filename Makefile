# make without a target lists what there is.
PY ?= python3.11
PYTHON := $(shell command -v $(PY) 2>/dev/null || command -v python3)
BIN := .venv/bin
LOCKS := requirements.lock requirements-dev.lock

# Compiled modules are kept: the tests start the product dozens of times, and each start would compile all of it anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install install-dev run test test-long lint bench lock format texts clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Nuanyang needs Python 3.11 or newer; found " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

$(BIN)/.installed: $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

install: $(BIN)/.installed ## put the product into .venv

install-dev: $(BIN)/.installed-dev ## the same with the tools for tests and lint

run: install ## everything on this machine: SQLite, sandbox, phone page
	$(BIN)/nuanyang run

test: install-dev ## all tests but the long ones (nine minutes on 2 cores; the aim is five)
	$(BIN)/python -m pytest -m "not long" -n 4 --dist worksteal tests

test-long: install-dev ## all tests in their full sizes (hours), with a table of what the faults did
	@results=$$(mktemp); NUANYANG_FAULT_RESULTS=$$results $(BIN)/python -m pytest -n 4 --dist worksteal tests; status=$$?; \
	$(BIN)/python -m tests.faults.report $$results; rm -f $$results; exit $$status

lint: install-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install-dev ## what turns, delivery, a start, a ledger and matching cost, but for the start against a floor (twenty-five minutes)
	$(BIN)/python -m bench.inbound
	$(BIN)/python -m bench.delivery
	$(BIN)/python -m bench.start
	$(BIN)/python -m bench.ledger
	$(BIN)/python -m bench.matching
	$(BIN)/python -m bench.understanding

format: install-dev ## let ruff put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install-dev ## new pins and hashes from pyproject.toml
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements-dev.lock

texts: install-dev ## collect new texts into config/locales for translation
	$(BIN)/python -m config.collect_texts

clean: ## remove what was installed and made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
