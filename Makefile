# The verbs of the project. `make demo` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c deploy/setup/constraints.txt
PROTOS := $(sort $(wildcard proto/taulu/v1/*.proto))

.PHONY: help demo demo-embedded demo-cluster test bench-cache lint format proto docs matrices \
	release-proto clean
.DEFAULT_GOAL := help

help: ## Show the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: demo-$(or $(BACKEND),embedded) ## Run the refund system and check every figure; BACKEND=cluster for real servers

demo-embedded: $(VENV)/.demo
	$(BIN)/taulu-refunds demo

demo-cluster: $(VENV)/.dev
	$(BIN)/python -m tests.testbed.demo_cluster

demo-%:
	@echo "there is no BACKEND '$*'; it is embedded (the default) or cluster" >&2
	@exit 2

test: $(VENV)/.dev ## Run all tests
	rm -rf build/results
	$(BIN)/python -m pytest -n 2 --dist loadgroup
	$(BIN)/python docs/matrices.py --check build/results

bench-cache: $(VENV)/.dev ## Measure the cache: breaches in millions of reads, loads, hits, costs, news
	$(BIN)/python -m tests.bench.cache

lint: $(VENV)/.dev ## Check style, types, room boundaries and protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf breaking --against proto/released/taulu.v1.binpb
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/matrices.py --check
	$(BIN)/python -m pytest -q tests/tidy

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: $(VENV)/.dev ## Generate taulu/v1 from proto/taulu/v1
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. $(PROTOS)

release-proto: $(VENV)/.dev ## Freeze the wire contract that later changes are held to
	$(BIN)/buf build -o proto/released/taulu.v1.binpb

docs: $(VENV)/.dev ## Generate the reference pages
	$(BIN)/python docs/generate.py

matrices: $(VENV)/.dev ## Write the capability and fault matrix from what the last `make test` found out
	$(BIN)/python docs/matrices.py build/results

clean: ## Remove what the other verbs made
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.made: deploy/setup/make_venv.py
	$(PYTHON) deploy/setup/make_venv.py $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml deploy/setup/constraints.txt
	$(PIP) --editable '.[refunds]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml deploy/setup/constraints.txt
	$(PIP) --editable '.[cassandra,kafka,postgres,redis,refunds,conformance]' --group dev
	@touch $@
