# Deep RC. `make` lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

SITE ?= localhost
ARGS ?=
VENV := $(CURDIR)/.venv
STAMP := $(VENV)/.installed
PLUGIN := app/snakemake_executor_plugin_radical_pilot
# Nothing is installed that is not in a lock, and nothing is asked for but what is there (docs/supply.md).
LOCKED := -m pip install --quiet --progress-bar off --require-hashes --no-deps
TOOLS := $(CURDIR)/.cache/tools
DOCS := $(CURDIR)/.cache/docs
ZERO_SHOT := $(CURDIR)/.cache/zero-shot
AXE := $(CURDIR)/.cache/axe
# The first Python that every part supports (see requires-python).
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

export SITE
export VIRTUAL_ENV := $(VENV)
export PATH := $(VENV)/bin:$(PATH)

# Prerequisites in their order: a site that is not known is told before gigabytes are installed.
.NOTPARALLEL:
.PHONY: help known-site install run test quick lint docs numbers bench cluster cluster-down lock audit canary clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F"|" '{printf "%-16s %s\n", $$1, $$2}'
	@echo; echo "  make run ARGS=-n     only list what would run (ARGS goes to Snakemake)"

install: $(STAMP) ## Set up .venv with everything (nothing is done when nothing changed)

$(STAMP): pyproject.toml $(PLUGIN)/pyproject.toml $(wildcard locks/*.txt)
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 found; set one: make install PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@command -v cc >/dev/null || { echo "error: no C compiler (RADICAL-Pilot needs one to install); on Debian and Ubuntu: apt-get install gcc libc6-dev" >&2; exit 2; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || { echo "error: Python.h is missing (RADICAL-Pilot needs it to install); on Debian and Ubuntu: apt-get install python3-dev" >&2; exit 2; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version): a few minutes, about 3.7 GB"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@python $(LOCKED) --only-binary :all: --requirement locks/build.txt
	@python $(LOCKED) --no-build-isolation --requirement locks/environment.txt
	@python $(LOCKED) --requirement locks/torch-cpu.txt 2>/dev/null || { \
	  echo "PyTorch with CUDA: pip finds no CPU build here whose hash is in locks/torch-cpu.txt"; \
	  python $(LOCKED) --only-binary :all: --requirement locks/torch-cuda.txt; }
	@python -m pip install --quiet --no-deps --no-build-isolation --editable . --editable $(PLUGIN)
	@python -m pip check --quiet
	@touch $@

# With what any machine has: the nearest name needs a Python, the list of names does not.
known-site:
	@test -f "site-configs/$$SITE/config.yaml" || { \
	  known=$$(cd site-configs && for f in */config.yaml; do echo "$${f%/*}"; done); \
	  near=$$($(or $(PYTHON),python3) -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1].lower(), sys.argv[2:], 1, 0.5))' "$$SITE" $$known 2>/dev/null); \
	  { echo "error: unknown site '$$SITE'"; echo "  expected: one of" $$known; \
	    if [ -n "$$near" ]; then echo "  fix: did you mean '$$near'? make run SITE=$$near"; fi; } >&2; exit 2; }

run: known-site install ## Both pipelines on real data; ends with the path of the report
	@snakemake --profile "site/$$SITE" $(ARGS)
	@test ! -f results/report.html || echo "Report: $(CURDIR)/results/report.html"

# In three processes, unless ARGS choose tests: see tests/beside.py. What is drawn at random is the same in each run
# (tests/profiles.py); `make quick` draws anew.
test: install $(ZERO_SHOT)/.installed $(AXE)/.installed ## The whole test-suite; what the machine lacks is skipped, with its reason
	python -m pytest --hypothesis-profile=ci --numprocesses=auto --dist=loadscope --no-loadscope-reorder $(ARGS)

quick: lint ## Unit tests, launch lines and style: what to run before each commit (under 2 minutes)
	python -m pytest --numprocesses=2 --dist=loadscope --no-loadscope-reorder tests/unit tests/golden $(ARGS)

lint: install ## Style and format
	ruff check .
	ruff format --check .
	snakefmt --check workflows

docs: install $(DOCS)/.installed ## The documents as a site, in .cache/docs/site; a link that leads to nothing is an error
	@python .ci/docs/stage.py $(DOCS)/pages
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/venv/bin/mkdocs build --strict --config-file .ci/docs/mkdocs.yml > $(DOCS)/build.log 2>&1 \
	  || { grep -v '^INFO' $(DOCS)/build.log >&2; exit 1; }
	@echo "The documents: $(DOCS)/site/index.html"

numbers: ## The measured numbers of README.md and docs/, written anew from docs/figures/
	@python3 .ci/docs/figures.py

# Not with system Python, as `numbers`: the page's figures are drawn by what draws those of `deeprc simulate`.
bench: install ## Measure this machine, and docs/benchmarks.md from it (ARGS chooses: --all, or names; all of them: hours)
	@python .ci/docs/benchmarks.py run $(ARGS)

cluster: install ## A Slurm of three made-up nodes here, to try a cluster (docs/cluster.md)
	@deeprc cluster up
	@echo '  then: eval "$$(deeprc cluster up)"; snakemake --profile site/cluster-local; make cluster-down' >&2

cluster-down: install ## End it, with all that runs in it
	@deeprc cluster down

lock: $(TOOLS)/.installed ## Make locks/ anew from pyproject.toml (ARGS=--upgrade: with the newest versions)
	$(TOOLS)/bin/python locks/update.py $(ARGS)

audit: $(TOOLS)/.installed ## Known vulnerabilities of what is locked: 0 none, 1 some, 3 could not be asked
	@$(TOOLS)/bin/python locks/audit.py $(ARGS)

canary: ## The quick tests with the newest versions that pyproject.toml allows, in an environment of their own
	@PYTHON=$(PYTHON) .ci/canary $(ARGS)

# Apart from the environment: what Deep RC needs to run stays as little as it is.
$(TOOLS)/.installed: locks/tools.txt
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python $(LOCKED) --only-binary :all: --requirement $<
	@touch $@

$(DOCS)/.installed: locks/docs.txt
	@$(PYTHON) -m venv --clear $(DOCS)/venv
	@$(DOCS)/venv/bin/python $(LOCKED) --only-binary :all: --requirement $<
	@touch $@

# Of the tests alone: in the environment it would forecast in every run.
$(ZERO_SHOT)/.installed: locks/zero-shot.txt
	@rm -rf $(ZERO_SHOT)
	@python $(LOCKED) --only-binary :all: --target $(ZERO_SHOT) --requirement $<
	@touch $@

# Of the tests alone: the rules that a browser of theirs looks at the report by, without what else it asks for.
$(AXE)/.installed: locks/axe.txt
	@rm -rf $(AXE)
	@python $(LOCKED) --only-binary :all: --target $(AXE) --requirement $<
	@touch $@

clean: ## Remove what was made (results, caches of tools), not .venv
	rm -rf results .deeprc .snakemake .pytest_cache .ruff_cache .hypothesis build dist
	find app tests workflows -name __pycache__ -prune -exec rm -rf {} +
