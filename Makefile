# Each recipe is one command; CI calls the same ones.
PYTHON ?= python3
SLOTS ?= 1
REPETITIONS ?= 3
SEED ?= 1
BIN = .venv/bin
COMPILE = $(BIN)/python -m uv pip compile pyproject.toml requirements/build.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test check chaos lock

help:                 ## Show the recipes
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo:                 ## Run examples/quickstart.yaml on this machine, all parts real
	@$(PYTHON) tools/bootstrap.py requirements/demo.lock
	@$(BIN)/chimera run examples/quickstart.yaml --slots $(SLOTS)

test: check           ## The whole suite
	@echo "chimera: running the tests (real Redis, workers and model server; a few minutes)"
	@$(BIN)/python -m pytest -q -n 2 tests/unit tests/golden
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/conformance tests/browser
	@$(BIN)/python -m pytest -n 4 --dist worksteal tests/integration tests/faults

check:                ## Lint, types, import rules
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@echo "chimera: checking style, types and imports"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

chaos:                ## Sweeps of 500 jobs under a seeded mix of faults (REPETITIONS=3 SEED=1)
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@$(BIN)/python -m benchmarks.chaos --repetitions $(REPETITIONS) --seed $(SEED)

lock:                 ## Write the lock files anew
	@$(COMPILE) -o requirements/runtime.lock
	@$(COMPILE) --extra local --extra parquet -o requirements/demo.lock
	@$(COMPILE) --extra local --extra parquet --extra dev -o requirements/dev.lock
