# Everything that a developer or a curious user runs. Needs Python 3.11 or newer and make; all else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := pyproject.toml core/pyproject.toml $(wildcard services/*/pyproject.toml plugins/*/pyproject.toml plugins/specialized/*/pyproject.toml)
PIP := -m pip install --quiet --disable-pip-version-check
INSTALL := $(BIN)/python $(PIP) --constraint constraints.txt
# One builder in the environment serves all folders, where pip would install one anew for each.
EDITABLE := $(INSTALL) --no-build-isolation --no-deps
# Many tests wait for a process or a server now and then, so that one more of them than there are cores costs nobody time.
WORKERS = $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
NEWEST := $(VENV)/newest
PLUGINS := $(patsubst %/pyproject.toml,%,$(filter plugins/% services/%,$(PROJECTS)))
EXAMPLES := $(patsubst %/pyproject.toml,%,$(wildcard examples/*/pyproject.toml))
FOLDERS := --editable core $(PLUGINS:%=--editable %)
DISTRIBUTIONS := 'ipfs-accel[all,gateway]' 'ipfs-accel-llvm[embedded]'
MODEL := .cache/tiny.gguf
GUIDE := plugins/specialized/llvm/src/ipfs_accel_llvm/guide.gguf

# Tests start thousands of processes. Images of containers like to forbid what spares each of them compiling everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-httpx2 test-busy test-peers test-slow lint format docs bench bench-against findings dist guide constraints clean

# `make bench-against a432b29` is `make bench-against REV=a432b29`.
ifeq (bench-against,$(firstword $(MAKECMDGOALS)))
REV ?= $(word 2,$(MAKECMDGOALS))
ifneq (,$(word 2,$(MAKECMDGOALS)))
.PHONY: $(word 2,$(MAKECMDGOALS))
$(word 2,$(MAKECMDGOALS)):
	@:
endif
endif

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/.demo  ## show the main job on the embedded engine: no key, no server
	$(BIN)/python examples/demo.py

test: $(VENV)/.test  ## install what the checks need and run all of them
	$(MAKE) --no-print-directory --jobs 3 lint test-httpx2 $(VENV)/.compiled
	$(PYTEST)

test-httpx2: $(VENV)/.test
	IPFS_ACCEL_HTTP=httpx2 $(PYTEST) core/tests/test_http.py core/tests/test_http_pool.py core/tests/test_faults*.py --quiet

test-slow: $(VENV)/.test  ## run what takes minutes by its nature: a soak
	$(BIN)/python -m pytest -m slow

test-busy: $(VENV)/.test  ## run what has time, threads or processes in it beside six busy loops, which takes an hour or more
	$(BIN)/python scripts/under_load.py --rounds 20 -n auto

test-peers: $(VENV)/.test  ## install the servers that take minutes to install, and run the backends against them
	IPFS_ACCEL_PEERS=1 $(BIN)/python -m pytest -m peer

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache --no-logo

format: $(VENV)/.test  ## format the code and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs  ## build the documentation into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --quiet docs docs/_build/html

bench: $(VENV)/.bench $(MODEL)  ## measure speed against httpx and the installed peers, in ratios
	$(BIN)/python benchmarks/run.py $(BENCH)

bench-against:  ## judge the working tree against REV, pair by pair: make bench-against REV=HEAD~3 BENCH='--only chat'
	$(PYTHON) benchmarks/against.py $(REV) $(BENCH)

findings:  ## run what is known of others' software, each in an environment of its own, and tell what has changed
	PYTHON=$(PYTHON) findings/run $(FINDINGS)

dist: $(VENV)/.test  ## build wheels and source distributions of everything
	for each in core $(PLUGINS); do (cd $$each && $(abspath $(BIN))/python -m hatchling build -d $(abspath dist)) || exit 1; done

guide: $(VENV)/.guide  ## train the small model that answers questions about ipfs-accel, in about a quarter of an hour
	$(BIN)/python scripts/guide/train.py $(GUIDE)
	$(BIN)/python scripts/guide/compare.py $(GUIDE)

constraints:  ## pin the newest versions that the checks can have on PYTHON, the oldest supported one
	$(PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/python $(PIP) --upgrade pip
	$(NEWEST)/bin/python $(PIP) $(FOLDERS) $(DISTRIBUTIONS) --group test --group lint --group docs
	{ sed -n '/^#/p' constraints.txt; $(NEWEST)/bin/python -m pip freeze --exclude-editable; } > $(NEWEST)/pins
	mv $(NEWEST)/pins constraints.txt
	rm -rf $(NEWEST)

clean:  ## remove the environment, caches and builds
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis dist docs/_build docs/_generated

$(VENV)/.pip: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip hatchling editables
	touch $@

$(VENV)/.demo: $(VENV)/.pip $(PROJECTS)
	$(EDITABLE) $(FOLDERS)
	$(INSTALL) $(DISTRIBUTIONS)
	touch $@

$(VENV)/.test: $(VENV)/.demo $(EXAMPLES:%=%/pyproject.toml)
	$(EDITABLE) $(EXAMPLES:%=--editable %)
	$(INSTALL) --group test --group lint $(EXAMPLES:examples/%=ipfs-accel-%)
	touch $@

# Once after each install, and not by every worker of pytest for itself.
$(VENV)/.compiled: $(VENV)/.test
	@$(BIN)/python -m pytest --collect-only --quiet >$@.log || { cat $@.log; exit 1; }
	touch $@

$(VENV)/.docs: $(VENV)/.demo
	$(INSTALL) --group docs
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(INSTALL) --group bench
	touch $@

$(VENV)/.guide: $(VENV)/.demo
	$(INSTALL) --group guide
	touch $@

$(MODEL): scripts/make_tiny_gguf.py | $(VENV)/.test
	mkdir -p $(@D)
	$(BIN)/python scripts/make_tiny_gguf.py $@
