# Every target does its own set-up in .venv; a second run sets nothing up again. See scripts/setup.sh.
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
BIN := .venv/bin
ARGS ?=
export PYTHON
# A run starts dozens of Python processes, of which each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve test test-wide check bench proto lock clean run-environment dev-environment

help: ## List the targets
	@echo "make TARGET [ARGS='more arguments'] [PYTHON=interpreter for .venv]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: run-environment ## Start everything, simulate an assessment and a funded account, print the reports, stop
	@$(BIN)/mcsvc demo $(ARGS)

serve: run-environment ## Start everything and stay up, with commands to copy
	@$(BIN)/mcsvc devstack $(ARGS)

test: dev-environment ## Run the tests, the slow ones left out
	@sh scripts/test.sh $(ARGS)

test-wide: dev-environment ## Run the slow tests
	@$(BIN)/pytest -m slow $(ARGS)

check: dev-environment ## Lint, formatting, types, import rules, protos, generated code, locks
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python scripts/generate_protos.py --check
	$(BIN)/python scripts/lock_digest.py --check

bench: dev-environment ## Measure the engine against its rivals
	@$(BIN)/python -m benchmarks $(ARGS)

proto: dev-environment ## Generate the stubs in generated/ from protos/
	@$(BIN)/python scripts/generate_protos.py

lock: ## Resolve pyproject.toml into requirements/*.txt (newer versions: ARGS=--upgrade)
	@sh scripts/setup.sh lock $(ARGS)

clean: ## Remove what was installed and built here
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache .demo build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

run-environment:
	@sh scripts/setup.sh run

dev-environment:
	@sh scripts/setup.sh dev
