# nemorun: `make help` lists the targets.
SHELL := /bin/sh
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export NEMORUN_REQUIRE_BACKENDS ?=

.PHONY: help demo test check lint types imports golden completions bench bench-docker bench-slurm bench-ray \
	fuzz build clean machine \
	testbed testbed-down

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

machine:
	@sh tests/testbed/machine.sh

$(STAMP): pyproject.toml constraints.txt | machine
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,torch,ssh,docker,ray,tensorboard]'
	@touch $@

demo: $(STAMP) ## set everything up and train a model through nemorun
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/testbed/demo.sh

test: $(STAMP) ## set everything up and pass the tests
	sh tests/testbed/with_engine.sh sh tests/testbed/with_cluster.sh sh tests/testbed/with_ray.sh \
		$(BIN)/python -m pytest -n 3 --dist loadfile --durations=30 tests

testbed: ## start the test clusters and the test engine, which `make test` then leaves up
	tests/testbed/cluster.sh keep
	tests/testbed/engine.sh keep
	RAY=$(CURDIR)/$(BIN)/ray tests/testbed/ray.sh keep

testbed-down: ## end the test clusters and the test engine
	tests/testbed/cluster.sh down
	tests/testbed/engine.sh down
	tests/testbed/ray.sh down

check: lint types imports ## everything that reads the code without running it

lint: $(STAMP) ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/vermin --quiet --no-tips --violations -t=3.8- nemorun_cli/job

types: $(STAMP) ## types of the package and of its tests
	$(BIN)/mypy nemorun_cli recipes tests

imports: $(STAMP) ## who may import whom
	$(BIN)/lint-imports

golden: $(STAMP) ## write the expected texts of the tests anew; read the diff
	NEMORUN_GOLDEN=write $(BIN)/python -m pytest -q tests/cli tests/unit/config/test_corpus.py \
		tests/e2e/test_docs.py tests/e2e/test_executors_page.py tests/unit/slurm/test_scripts.py tests/unit/slurm/test_recorded.py

completions: $(STAMP) ## write completions/ anew
	$(BIN)/python tests/completions.py

bench: $(STAMP) ## measure the budgets
	$(BIN)/python tests/benchmarks/bench.py

bench-docker: $(STAMP) ## measure what a launch costs beside docker run, on the test engine
	sh tests/testbed/with_engine.sh $(BIN)/python -m tests.benchmarks.containers

bench-slurm: $(STAMP) ## measure what a launch costs beside Slurm, on the test cluster
	sh tests/testbed/with_cluster.sh $(BIN)/python -m tests.benchmarks.slurm

bench-ray: $(STAMP) ## measure what a launch costs beside Ray's own client, on the test cluster
	sh tests/testbed/with_ray.sh $(BIN)/python -m tests.benchmarks.ray

fuzz: $(STAMP) ## feed rubbish to the override language, for FUZZ_SECONDS
	$(BIN)/python -m tests.fuzz.fuzz

build: $(STAMP) ## wheel and source distribution, in dist/
	rm -rf dist build
	$(BIN)/python -m build --quiet
	$(BIN)/python -m zipfile -l dist/*.whl | grep -E 'nemorun_recipes/gpt.py|job/job.sh|job/worker.py|shim/fiddle.py'

clean: ## remove everything that make has made
	rm -rf $(VENV) .make build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
