# deepfactor: `make help` lists what there is. One virtual environment in .venv, rebuilt when the dependencies change.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DEPENDENCIES := $(shell cat pyproject.toml constraints.txt setup.py src/deepfactor/models/_kernels/gru* | sha256sum | cut -c1-16)
CORE := $(VENV)/.core-$(DEPENDENCIES)
DEV := $(VENV)/.dev-$(DEPENDENCIES)
# Neighbours stay with one process, so that what a file makes once is made once; who is done takes from the other.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal --durations 25 --durations-min 2
REAL_DATA := $(wildcard ../shared/data/ashare)
DEEPFACTOR_REAL_DATA ?= $(if $(REAL_DATA),$(abspath $(REAL_DATA)))
export DEEPFACTOR_REAL_DATA
# One thread a process: tests and workers run side by side, and spinning threads on shared cores cost more than they give.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export OMP_WAIT_POLICY = PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Nothing is compiled on installing (below), and tests start hundreds of processes that import torch.
unexport PYTHONDONTWRITEBYTECODE
# Of torch: TORCH=pypi takes PyPI's build also where no GPU is, TORCH_INDEX names a mirror of the CPU builds.
export TORCH TORCH_INDEX

.DEFAULT_GOAL := help
.PHONY: help env dev demo test test-all test-313 kills check lint types imports docs tag learning study-b-mechanism study-a-mechanism bench bench-data bench-lake bench-training bench-evaluation peers clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

env: $(CORE) ## install deepfactor into .venv

dev: $(DEV) ## the same with what tests and checks need

demo: $(CORE) ## the main job on the simulated market, from nothing to a report
	$(BIN)/deepfactor demo --out demo

test: $(DEV) ## run the fast tests: of every room, in under three minutes
	$(PYTEST) -m "not slow" --hypothesis-profile few

test-all: $(DEV) ## run all tests: also kills, browsers, golden trainings, everything at full width
	$(PYTEST)

test-313: ## run fast tests of rooms that need no torch on Python 3.13, in an environment of its own
	.ci/python-3.13

kills: $(DEV) ## kill -9 training 10 times at each kind of moment, with workers too, and fetches 20 times
	DEEPFACTOR_KILLS=10 $(BIN)/python -m pytest tests/integration/test_killed_training.py tests/integration/test_killed_ingest.py \
		tests/integration/test_nightly.py tests/cases/test_done_before.py -k kill
	DEEPFACTOR_KILLS=20 $(BIN)/python -m pytest tests/integration/test_fetch.py tests/integration/test_baostock_faults.py -k kill

check: $(DEV) ## what CI runs, line for line
	$(MAKE) test-all
	$(MAKE) --jobs 2 --output-sync test-313 lint types imports docs

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## mypy, and every kind against its room's Protocol
	$(BIN)/python tests/types/kinds.py build/kinds.py
	$(BIN)/mypy src build/kinds.py

imports: $(DEV)
	$(BIN)/lint-imports

docs: $(DEV) ## build the site of the docs, English and Chinese, into build/site; a broken link ends it
	$(BIN)/python -m research.docs_site build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

tag: $(DEV) ## tag HEAD with the version that the package and the CHANGELOG's newest heading say
	@test -z "$$(git status --porcelain)" || { echo "not tagged: there are uncommitted changes"; exit 1; }
	$(BIN)/python -m pytest -q tests/house/test_version.py
	git tag --annotate "v$$($(BIN)/deepfactor --version)" --message "deepfactor $$($(BIN)/deepfactor --version)"

learning: $(DEV) ## what the networks learn on the simulated market, against ridge, oracle and null market
	$(BIN)/python -m research.learning

study-b-mechanism: $(DEV) ## what DecompGRU's cross-section module finds; writes docs/results/study-b-mechanism.md
	$(BIN)/python -m research.mechanism.study_b --page docs/results/study-b-mechanism.md

study-a-mechanism: $(DEV) ## what Study A's graph and company reports find; writes docs/results/study-a-mechanism.md
	$(BIN)/python -m research.mechanism.study_a --page docs/results/study-a-mechanism.md

bench: bench-data bench-training bench-evaluation ## measure speed against peers and floors: benchmarks/RESULTS-*.md

bench-data: $(DEV) ## measure the way from tables to a panel; writes benchmarks/RESULTS-data.md
	$(BIN)/python -m benchmarks.data

bench-lake: $(DEV) ## measure the way from a lake of 5,400 stocks and 13 years to a panel: writes benchmarks/RESULTS-lake.md
	$(BIN)/python -m benchmarks.lakes

bench-training: $(DEV) ## measure training against stock PyTorch, the peak and qlib; writes benchmarks/RESULTS-training-KERNEL.md
	$(BIN)/python -m benchmarks.training

bench-evaluation: $(DEV) ## measure factor test, LP and backtest against peers; writes benchmarks/RESULTS-evaluation.md
	$(BIN)/python -m benchmarks.evaluation

peers: .peers/qlib/.made .peers/cvxpy/.made ## environments of other programs for the benchmarks: qlib, cvxpy

.peers/%/.made: benchmarks/peers/%.txt
	$(PYTHON) -m venv .peers/$*
	.peers/$*/bin/python -m pip install --quiet -r $<
	@touch $@

clean: ## remove the environment and caches
	rm -rf $(VENV) .venv-3.13 .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name yours: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: on Debian apt install python3-venv"; exit 1; }
	@test "$$(df -Pk . | awk 'NR==2 {print $$4}')" -gt 3000000 || { echo "less than 3 GB of disk left here: torch alone needs one"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(CORE): $(BIN)/python
	@.ci/install .
	@touch $@

$(DEV): $(BIN)/python
	@.ci/install '.[dev]'
	@touch $(CORE) $@
