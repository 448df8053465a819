# The commands of the README. Each sets up what it needs first, inside this folder.

PYTHON ?= python3
STACK ?= --all
PROFILE ?= sandbox
PREFIX ?= compute
CONTEXT ?=
PHOTO ?= local/photo.jpg
KEYS ?= *
CHILDREN ?= 4
MEANT ?=

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
# It would recommend 3.0.0, which was published by accident: https://github.com/aws/aws-cdk/issues/38113
export CDK_DISABLE_VERSION_CHECK := true
# Or each of the many processes that are started would compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=
export PHOTO KEYS
BIN := .venv/bin
CDK := node_modules/.bin/cdk
# Three processes even on two processors, because much of the time is waiting. One of them deploys and tests the deployment.
PARALLEL := --numprocesses 3 --dist loadfile
SETTINGS = -c profile=$(PROFILE) -c prefix=$(PREFIX) $(CONTEXT)

.DEFAULT_GOAL := help
.PHONY: help setup local local-down test test-fast synth deploy smoke destroy submit cost bench checkov lint lock upgrade \
	permissions snapshots docs clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

local: setup ## deploy every example into an AWS on this machine and see it work (PHOTO=yours.jpg)
	@$(BIN)/python -m local up --photo "$$PHOTO"

local-down: setup ## destroy the local deployment and stop the local AWS
	@$(BIN)/python -m local down

test: setup ## run every test, the local deployment among them (those of localaws/ only after a change; in CI always)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/pytest $(PARALLEL)
	@$(BIN)/python -m tools.localaws_tests # runs them if localaws/, the pins, Python or the container tool has changed

test-fast: setup ## run the tests that need neither the local deployment nor servers of their own
	@CDK_VALIDATION=false $(BIN)/pytest --numprocesses 2 --dist worksteal --hypothesis-profile fast -m "not local and not slow" \
		--ignore tests/containers --ignore tests/smoke

synth: setup ## synthesize the CloudFormation templates into cdk.out (no credentials, no Docker, no network)
	@rm -rf cdk.out # or templates of another prefix would stay beside these
	@$(CDK) synth --quiet
	@ls cdk.out/*.template.json

deploy: setup ## deploy into your AWS account (STACK=compute-thumbnail, PROFILE=production, PREFIX=mine, CONTEXT="-c …")
	@$(BIN)/python -m scripts.check_profile --profile $(PROFILE) --prefix $(PREFIX)
	@$(CDK) deploy $(STACK) $(SETTINGS)

smoke: setup ## try out what is deployed in your AWS account
	@$(BIN)/pytest tests/smoke --live --prefix $(PREFIX)

destroy: setup ## delete it from your AWS account (options as for deploy)
	@$(CDK) destroy $(STACK) $(SETTINGS) --concurrency 8

submit: setup ## run the batch example's job in your AWS account and follow it (KEYS="holiday/*", CHILDREN=4)
	@$(BIN)/python -m scripts.submit --prefix $(PREFIX) --keys "$$KEYS" --children $(CHILDREN)

cost: setup ## what the stacks cost idle and for their work (STACK=compute-fargate for its parts, CONTEXT="-c …")
	@$(BIN)/python -m tools.costs $(STACK) $(CONTEXT)

bench: setup .venv/.bench ## measure the handlers: speed, start, memory
	@set -e; for bench in bench/[!_]*.py; do echo "==> $$bench"; $(BIN)/python $$bench --check; done

checkov: setup .build/checkov/.installed ## have checkov read the templates, and compare with docs/security.md
	@$(BIN)/python -m tools.checkov

lint: setup ## format and check the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/mypy

snapshots: setup ## update the reviewed templates (MEANT="compute-api/Notes5BB3582F": even if this store is lost)
	@$(BIN)/pytest tests/stacks/test_snapshots.py --snapshot-update --meant "$(MEANT)"

docs: setup ## write the costs and diagrams in README.md and docs/ from the templates and prices
	@$(BIN)/python -m tools.documents

permissions: setup ## put down which permissions the roles use, as seen in the local AWS
	@$(BIN)/pytest --permissions-update tests/smoke tests/local

lock: setup ## compile pyproject.toml and lambda_src/*/requirements.in into the pinned requirements
	@sh tools/lock.sh

upgrade: setup ## raise every pin to the newest version within its bounds (tools/upgrade.py), and compile the locks
	@$(BIN)/python -m tools.upgrade && sh tools/lock.sh --upgrade

clean: local-down ## remove everything that the set-up made
	rm -rf .venv node_modules .build .local cdk.out

# -- set-up: made once, and again when what it is made of changes

setup: .venv/.installed node_modules/.installed .build/.bundled ## set up what the other commands need, and no more

.venv/.installed: requirements-dev.txt localaws/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "set-up failed: Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "==> Python packages into .venv (once)"
	@$(PYTHON) -m venv .venv || \
		{ echo "set-up failed: this Python cannot make virtual environments (Debian: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --requirement requirements-dev.txt || \
		{ echo "set-up failed: pip could not install requirements-dev.txt; is the network up?"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable localaws || \
		{ echo "set-up failed: pip could not install localaws/"; exit 1; }
	@touch $@

node_modules/.installed: package-lock.json .venv/.installed
	@echo "==> the CDK CLI into node_modules (once)"
	@$(BIN)/npm ci --silent --no-audit --no-fund || \
		{ echo "set-up failed: npm could not install package-lock.json; is the network up?"; exit 1; }
	@touch $@

.build/.bundled: $(wildcard lambda_src/*/requirements.txt) stacks/_bundling.py .venv/.installed
	@echo "==> what the functions bundle, for Lambda's platform, into .build (once)"
	@$(BIN)/python -m stacks._bundling || { echo "set-up failed: see pip's words above"; exit 1; }
	@touch $@

.venv/.bench: requirements-bench.txt .venv/.installed
	@echo "==> libvips, to compare with (once)"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --requirement requirements-bench.txt || \
		echo "libvips cannot be installed here; the bench goes on without it"
	@touch $@

.build/checkov/.installed: requirements-checkov.txt .venv/.installed
	@echo "==> checkov, in an environment of its own (once)"
	@$(PYTHON) -m venv --clear .build/checkov
	@.build/checkov/bin/python -m pip install --quiet --quiet --disable-pip-version-check --requirement requirements-checkov.txt || \
		{ echo "set-up failed: pip could not install requirements-checkov.txt; is the network up?"; exit 1; }
	@touch $@
