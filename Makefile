# AutoVoice: `make` lists the targets. PYTHON=python3.12 picks another interpreter for .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
STAMP := .venv/.installed
CODE := src tests scripts $(wildcard benchmarks e2e setup.py)
WORDS := README.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md docs $(CODE)

# The newest supported Python that can make virtual environments; `PYTHON=...` overrides it.
FIND_PYTHON = for p in $(PYTHON) python3.13 python3.12 python3.11 python3.10 python3; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$p && break; done

# Few threads: networks this small do not gain from more, and many cores would only contend.
THREADS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
# Threads that wait spin by default: beside other processes that takes more time than the work itself.
THREAD_LIMITS = OMP_NUM_THREADS=$(THREADS) MKL_NUM_THREADS=$(THREADS) OPENBLAS_NUM_THREADS=$(THREADS) \
	OMP_WAIT_POLICY=PASSIVE

# Where the environment forbids it to keep bytecode, as many containers do, every process would compile
# PyTorch's sources anew: 3 s of the 6 s that its import then takes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | \
	while IFS=$$'\t' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: $(STAMP) ## create .venv with every dependency pinned

# --no-compile: most of what is installed is never imported; the rest is compiled at first use.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || { \
	python=$$($(FIND_PYTHON)) || true; \
	test -n "$$python" || { echo "No Python 3.10 to 3.13 with venv was found: install one, or pass PYTHON=." >&2; exit 2; }; \
	echo "Creating .venv with $$python"; "$$python" -m venv .venv; }
	@echo "Installing pinned dependencies (1 to 3 minutes the first time)"
	@$(BIN)/python -m pip install -qq --no-input --no-compile -c constraints.txt -e '.[server,otel,train,eval,dev]'
	@touch $@

.PHONY: kernels
kernels: setup ## compile the CUDA kernels into this checkout (needs nvcc; says what is missing)
	@scripts/build.sh $(ARGS)

.PHONY: weights
weights: setup ## fetch and verify the model weights (once, kept in the user's cache)
	@$(BIN)/autovoice models pull

.PHONY: demo
demo: weights ## convert the demo song: demo/cover.wav, demo/stems, demo/score.json
	@mkdir -p demo
	@$(BIN)/autovoice convert demo --voice kumo -o demo/cover.wav --stems demo/stems --json > demo/score.json.part
	@mv demo/score.json.part demo/score.json
	@$(BIN)/python scripts/show_score.py demo/score.json

.PHONY: test
test: check weights ## everything CI runs: checks, then all tests with coverage
	@$(THREAD_LIMITS) $(BIN)/python -m pytest -q --cov --cov-report=term:skip-covered --durations=25 $(ARGS)

.PHONY: speed
speed: weights ## fail where the CPU side is 25 % slower than its baseline (ARGS=--refresh writes it)
	@$(THREAD_LIMITS) $(BIN)/python -m pytest -q benchmarks/regression --benchmark-columns=median,iqr,rounds $(ARGS)

.PHONY: e2e
e2e: weights ## the complete workflows with quality gates, known shortfalls not excused
	@scripts/run_e2e_tests.sh $(ARGS)

.PHONY: check
check: setup ## lint, format, types, import contract, spelling, file lengths
	@$(BIN)/ruff check -q $(CODE)
	@$(BIN)/ruff format -q --check $(CODE)
	@$(BIN)/mypy --no-error-summary
	@report=$$($(BIN)/lint-imports 2>&1) || { echo "$$report"; exit 1; }
	@$(BIN)/codespell $(WORDS)
	@$(BIN)/python scripts/check_file_length.py
	@echo "check: lint, format, types, imports, spelling, file lengths: all good"

.PHONY: fmt
fmt: setup ## format the code and mend what the linter can mend
	@$(BIN)/ruff check -q --fix $(CODE) || true
	@$(BIN)/ruff format $(CODE)

.PHONY: bench
bench: weights ## measure on this machine, write docs/benchmarks.md and its plots
	@$(BIN)/python -m benchmarks $(ARGS)
	@$(BIN)/python -m benchmarks.plots

# Evaluation audio is no part of the repository: EVAL=DIR names its folder.
EVAL ?= ../shared/eval

.PHONY: eval
eval: weights ## convert and score the quick protocol, write the table of docs/evaluation.md
	@$(BIN)/autovoice eval --protocol $(EVAL) --pairs quick --report out/evaluation --fresh $(ARGS)
	@$(BIN)/python -m benchmarks.evaluation_page out/evaluation/results.json

.PHONY: docs
docs: setup ## render THIRD_PARTY.md and run every command and snippet of the docs
	@$(BIN)/python scripts/third_party.py
	@$(BIN)/python -m pytest -q tests/docs $(ARGS)

.PHONY: serve
serve: weights ## run the HTTP service
	@$(BIN)/autovoice serve $(ARGS)

.PHONY: test-gpu
test-gpu: weights ## the tests that need a CUDA device
	@$(BIN)/python -m pytest -q -m gpu $(ARGS)

.PHONY: lock
lock: setup ## pin dependencies anew after a change in pyproject.toml (ARGS=--upgrade for newer ones)
	@$(BIN)/python -m pip install -qq uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.10 --all-extras --no-annotate \
	--custom-compile-command 'make lock' -o constraints.txt $(ARGS) pyproject.toml

.PHONY: clean
clean: ## remove what was built (.venv, demo, caches); weights stay
	@rm -rf .venv build dist demo htmlcov .coverage .mypy_cache .ruff_cache \
	.pytest_cache .hypothesis .import_linter_cache src/*.egg-info
	@find src tests scripts $(wildcard benchmarks e2e) -name __pycache__ -type d -prune -exec rm -rf {} +
