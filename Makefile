# Everything a newcomer needs: `make demo`, `make test`. Packages are all that is fetched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt
INPUT ?=
PARALLEL := -n 2 --dist loadfile

.PHONY: demo test test-fast native lint clean

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py --output results/demo $(if $(INPUT),--input "$(INPUT)")

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m "not slow" $(PARALLEL)
	$(BIN)/python -m pytest -q -m slow $(PARALLEL)

test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m "not slow" $(PARALLEL)

native: $(VENV)/.installed
	$(BIN)/python -m tf_defocus.ops.build

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/.installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) results build dist *.egg-info
