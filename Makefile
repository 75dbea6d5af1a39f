# make demo   set up everything and run the whole pipeline on a synthetic shop: runs/demo/
# make test   set up everything and run what CI runs
#
# Everything is installed into .venv; PYTHON chooses another Python of at least 3.11.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test

demo: $(VENV)/.installed
	$(BIN)/genrecall demo --out runs/demo

test: $(VENV)/.installed-dev
	scripts/install-test-tools
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[static]'
	touch $@

# What is installed for tests is enough for the demo, too.
$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $(VENV)/.installed $@

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || \
	  { echo "$(PYTHON) is not installed; GenRecall needs Python 3.11 or newer. Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); GenRecall needs Python 3.11 or newer. Name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
