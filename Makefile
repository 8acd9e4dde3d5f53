# Needs Python 3.11 or newer, make and a package index. Everything is installed into .venv, nothing elsewhere.
#
#   make demo                      redact a generated scene, then show it as a wall of four live cameras until Ctrl-C;
#                                  SECONDS=30 ends by itself, INPUT=file_or_folder redacts your own instead
#   make test                      all tests
#   make check                     formatting, lint, types, import rules and all tests
#   make bench                     the figures of docs/reference/benchmarks.md
#   make mutation                  changes the gate step by step and names each change that no test notices

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
DEMO := demo

# Weights and evaluation data that lie beside the checkout are used when they are there, and never needed.
ifneq ($(wildcard ../shared/models/.),)
export SKYVEIL_MODELS ?= $(abspath ../shared/models)
endif
ifneq ($(wildcard ../shared/data/.),)
export SKYVEIL_EVAL_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help install demo test check format lint types imports bench mutation picture clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

# --- installing: each stamp is older than what it was made from only when that changed ------------------------------

# The first Python that is new enough; PYTHON=... chooses another.
$(VENV)/.python:
	@python='$(PYTHON)'; \
	for name in $$python python3 python3.11 python3.12 python3.13 python3.14 python; do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$name; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then echo 'make: Python 3.11 or newer is needed; name yours with PYTHON=/path/to/python' >&2; exit 1; fi; \
	"$$found" -m venv $(VENV) \
	  || { echo "make: $$found can not make a virtual environment; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.python
	@echo 'Installing skyveil into $(VENV) ...'
	@$(PIP) install --editable .
	@$(BIN)/python -m compileall -q src  # pip compiles what it copies; a worker can not write, and would compile at every start
	@touch $@

$(VENV)/.demo: $(VENV)/.installed
	@$(PIP) install --group demo
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo 'Installing the tools for development ...'
	@$(PIP) install --group dev
	@touch $@

# Every weight is checked against the manifest by its hash; what is there already is not fetched again.
# They are compiled anew when that changed: a compiled network of another form is passed over, and each worker compiles its own.
$(VENV)/.models: src/skyveil/core/manifest.py $(wildcard src/skyveil/private/detect/*.py) $(VENV)/.installed
	@$(BIN)/skyveil models pull
	@touch $@

install: $(VENV)/.installed $(VENV)/.models

# --- the demo --------------------------------------------------------------------------------------------------------

ifdef INPUT
demo: $(VENV)/.models
	@$(BIN)/skyveil redact "$$INPUT" --output $(DEMO)/redacted/ --overwrite
else
demo: $(DEMO)/scene.mp4 $(VENV)/.models
	@$(BIN)/skyveil redact $< --output $(DEMO)/scene.redacted.mp4 --overwrite
	@$(BIN)/python -m examples.live_demo $< $(DEMO)/site $(if $(SECONDS),--seconds $(SECONDS))
endif

export INPUT

$(DEMO)/scene.mp4: examples/make_scene.py | $(VENV)/.demo
	@echo 'Drawing a scene ...'
	@mkdir -p $(DEMO)
	@$(BIN)/python $< $@

# The picture of the README: one frame of the scene, before and after.
picture: $(DEMO)/scene.mp4 $(VENV)/.models
	@$(BIN)/skyveil redact $< --output $(DEMO)/scene.redacted.mp4 --overwrite
	@$(BIN)/python examples/before_after.py $(DEMO)/scene.mp4 $(DEMO)/scene.redacted.mp4 docs/images/demo.jpg

# --- the gates -------------------------------------------------------------------------------------------------------

check: format lint types imports test

format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

test: $(VENV)/.dev $(VENV)/.models
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

bench: $(VENV)/.dev $(VENV)/.models
	$(BIN)/python -m bench

mutation: $(VENV)/.dev
	$(BIN)/python bench/mutate_gate.py

clean:
	rm -rf $(VENV) $(DEMO) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
