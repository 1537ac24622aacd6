# Each recipe is one command; CI calls the same ones.
PYTHON ?= python3
SLOTS ?= 1
REPETITIONS ?= 3
SEED ?= 1
# Those that write a page, and with --check look whether it is current.
GENERATORS = $(wildcard tools/cli_reference.py tools/sweep_reference.py tools/licences.py)
QUICK = tests/golden/test_oracle_aggregates.py tests/unit/contracts tests/unit/producer tests/unit/workloads tests/unit/worker/test_delivery.py
# What `make versions` runs under each further Python.
TESTS ?= tests/unit tests/golden
# Enough to see whether a version of Python works at all: messages, the store, clocks and sockets, the clients.
SMOKE = tests/unit/contracts/test_celery_app.py tests/unit/contracts/test_jobs.py tests/unit/contracts/test_transport.py tests/unit/measurement/test_loop.py tests/unit/measurement/test_timing.py tests/unit/servers/test_ollama_client.py tests/unit/workloads/test_agent_flow.py tests/golden/test_oracle_aggregates.py
PACKAGES = contracts dispatch analysis producer worker
BIN = .venv/bin
COMPILE = $(BIN)/python -m uv pip compile pyproject.toml requirements/build.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test coverage quick check generated hooks versions release chaos lock

help:                 ## Show the recipes
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo:                 ## Run examples/quickstart.yaml on this machine, all parts real
	@$(PYTHON) tools/bootstrap.py requirements/demo.lock
	@$(BIN)/chimera run examples/quickstart.yaml --slots $(SLOTS)

test: check           ## The whole suite
	@echo "chimera: running the tests (real Redis, workers and model server; a few minutes)"
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --durations 20 tests/unit tests/golden tests/deploy tests/docs
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations 20 tests/conformance tests/browser
	@$(BIN)/python tools/versions.py $(SMOKE)
	@$(BIN)/python -m pytest -n 4 --dist worksteal --durations 40 tests/integration tests/faults

coverage:             ## How much of each package the fast tests run, by branch; below 95 % it fails
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-report= --cov-fail-under=0 tests/unit tests/golden
	@for package in $(PACKAGES); do $(BIN)/coverage report --include="$$package/*" || exit 1; done

quick:                ## The fast tests, before a commit (make check beside it)
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(QUICK)

check:                ## Lint, types, import rules
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@echo "chimera: checking style, types and imports"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) --silent generated CHECK=--check

generated:            ## Write the pages that are made from the code (CHECK=--check: only look)
	@for tool in $(GENERATORS); do $(BIN)/python $$tool $(CHECK) || exit 1; done

hooks:                ## Look at every commit before it is made
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@$(BIN)/pre-commit install

versions:             ## Tests under each further Python of this machine (TESTS="tests/unit tests/golden")
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@$(BIN)/python tools/versions.py $(TESTS)

release:              ## Build and check what is released, measure with it; then it is in dist/
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@$(BIN)/python tools/release.py

chaos:                ## Sweeps of 500 jobs under a seeded mix of faults (REPETITIONS=3 SEED=1)
	@$(PYTHON) tools/bootstrap.py requirements/dev.lock
	@$(BIN)/python -m benchmarks.chaos --repetitions $(REPETITIONS) --seed $(SEED)

lock:                 ## Write the lock files anew
	@$(COMPILE) -o requirements/runtime.lock
	@$(COMPILE) --extra local --extra parquet -o requirements/demo.lock
	@$(COMPILE) --extra local --extra parquet --extra dev -o requirements/dev.lock
