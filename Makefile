# Each target sets up .venv first when requirements.lock is newer than it.
# PYTHON=... names the interpreter; by default the first of python3.12, python3.11, python3 that runs and is 3.11 or 3.12.

SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format lock cli-docs grants test-browser test-snowflake clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## make .venv from requirements.lock

$(READY): requirements.lock .ci/bootstrap
	@PYTHON="$(PYTHON)" .ci/bootstrap
	@touch $@

demo: $(READY)  ## upload, features, train, register and score, on the local engine
	@$(BIN)/intentscore demo

test: $(READY)  ## the test suite, no account needed
	@$(BIN)/python -m pytest -m "not snowflake and not browser" -n 2

test-browser: $(READY)  ## look at the report in Chromium or Chrome, without a window
	@$(BIN)/python -m pytest -m browser

lint: $(READY)  ## ruff and mypy, changing nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)  ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(READY)  ## resolve pyproject.toml into requirements.lock again (UPGRADE=1 takes newer versions)
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet $(if $(UPGRADE),--upgrade) --output-file requirements.lock

cli-docs: $(READY)  ## write docs/cli.md from the help texts
	@$(BIN)/python -m intentscore.cli.reference docs/cli.md

grants: $(READY)  ## write docs/grants.sql from the privileges the code names
	@$(BIN)/python -m intentscore.warehouse.grants docs/grants.sql

test-snowflake: $(READY)  ## the end-to-end tests on the account that SNOWFLAKE_* variables name
	@$(BIN)/python -m pytest -m snowflake -ra

clean:  ## remove .venv, caches and the local engine's data
	rm -rf .venv .intentscore .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -prune -exec rm -rf {} +
