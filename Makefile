# CityNerve. `make help` lists what there is. The first call makes .venv; the later ones start at once.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CONSOLE := $(BIN)/python hatch_build.py
LOCKS := requirements/dev.lock requirements/central.lock requirements/edge.lock requirements/sim.lock
export PYTHON
# Some machines forbid Python to keep what it compiled: each of our processes would compile it all again.
unexport PYTHONDONTWRITEBYTECODE

help: ## show these commands
	@printf 'CityNerve: a smart-city operations centre that starts at the field device.\n\n'
	@awk -F ' ## ' '/^[a-z-]+:.* ## / { split($$1, name, ":"); printf "  make %-8s %s\n", name[1], $$2 }' Makefile
	@printf '\nArguments go through ARGS, for example:  make demo ARGS="--for 120 --no-browser"\n'

setup: $(INSTALLED) ## make .venv with the locked packages, build console and page
	@$(CONSOLE)

demo: setup ## start the simulated city, its gateways and the centre; Ctrl-C ends everything
	@$(BIN)/citynerve demo $(ARGS)

test: setup ## run the whole test suite, browser tests included
	@$(BIN)/python -m pytest -n 2 $(ARGS)

check: setup ## format, lint, types and import contracts, Python and both consoles
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(CONSOLE) npm run --silent lint
	$(CONSOLE) npm run --silent typecheck

format: setup ## let ruff rewrite the Python files as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write docs/commands.md anew from the commands
	@$(BIN)/python -m tests.architecture.reference

bench: setup ## measure speed: a table of figure, limit and ratio
	@$(BIN)/python -m tests.bench $(ARGS)

wheel: setup ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

lock: $(INSTALLED) ## renew requirements/*.lock with the newest releases
	@$(BIN)/python -m pip install --quiet uv
	@rm -f $(LOCKS)
	@$(MAKE) --no-print-directory --always-make $(LOCKS)

clean: ## remove what was made: .venv, console, caches, demo data
	rm -rf $(VENV) central/console/static edge/console/static */console/web/node_modules .demo .bench dist build
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements/dev.lock requirements/setup pyproject.toml
	@requirements/setup
	@touch $@

# One resolution for everybody: the development lock first, the parts of it afterwards.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate --output-file $@ pyproject.toml

requirements/dev.lock:
	$(COMPILE) --all-extras
requirements/central.lock requirements/edge.lock requirements/sim.lock: requirements/%.lock: requirements/dev.lock
	$(COMPILE) --extra $* --constraint requirements/dev.lock

.PHONY: help setup demo test check format docs bench wheel lock clean
.SUFFIXES:
