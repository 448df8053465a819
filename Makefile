# The commands of the README. Each sets up what it needs first, inside this folder.

PYTHON ?= python3
STACK ?= --all
PROFILE ?= sandbox
PREFIX ?=
CONTEXT ?=
PHOTO ?= local/photo.jpg
KEYS ?= *
DOCTOR ?= yes
CHILDREN ?= 2
MEANT ?=
PICTURES ?=
OPEN ?= yes
RECORD ?=
LOAD ?=
TESTS ?=
ALL ?=

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
# The CLI would recommend 3.0.0, which was published by accident: https://github.com/aws/aws-cdk/issues/38113
export CDK_DISABLE_VERSION_CHECK := true
# Python writes bytecode. Otherwise each of the many processes would compile all its imports.
export PYTHONDONTWRITEBYTECODE :=
# With these variables, Python would import packages of another installation, or not find the modules of this folder.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH
export PHOTO KEYS PICTURES
# The CDK CLI deploys into AWS_REGION. boto3 reads only AWS_DEFAULT_REGION, so `make doctor` would check another region.
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif
BIN := .venv/bin
CDK := node_modules/.bin/cdk
# Three processes even on two processors, because much of the time is waiting. One of them deploys and tests the deployment.
PARALLEL := --numprocesses 3 --dist loadfile
# Without PREFIX, the prefix in config.py applies.
SETTINGS = -c profile=$(PROFILE) $(if $(PREFIX),-c prefix=$(PREFIX)) $(CONTEXT)
# The app creates only the named stacks. With --all, it creates every stack.
ONLY = $(if $(filter -%,$(STACK)),,-c stacks="$(STACK)")
DEPLOYED = --profile $(PROFILE) $(if $(PREFIX),--prefix $(PREFIX))

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests local watch local-down test test-fast synth doctor deploy smoke destroy recover submit cost bench \
	compare checkov guard lint lock upgrade permissions snapshots docs clean

help: ## list all commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

local: setup ## deploy every example into the local AWS on this machine, and try it (STACK=compute-thumbnail, PHOTO=yours.jpg, OPEN=no)
	@$(BIN)/python -m local up --photo "$$PHOTO" --stack="$(STACK)" --open $(OPEN)

watch: setup ## after make local: deploy every file that you save into the AWS on this machine, within seconds
	@$(BIN)/python -m local.watch

local-down: setup ## destroy the local deployment and stop the local AWS
	@$(BIN)/python -m local down

# The tests of forks change a copy of the project and deploy the copy. They run in CI, and with FORK_TESTS=always.
# The tests of localaws/ run only if a hash has changed since they last passed: of the files in localaws/, the pinned
# packages, Python and the container tool. .build/localaws-tested-HASH marks success. In CI they run always.
test: setup-tests ## run all tests that a change can affect, also those of the local deployment (CI runs all tests)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/pytest $(PARALLEL) $(if $(CI)$(FORK_TESTS),,-m "not fork")
	@$(BIN)/python -m tools.localaws_tests $(if $(CI)$(LOCALAWS_TESTS),--always)

# tools/fast_tests.py says which files can affect which tests.
test-fast: setup-tests ## run the fast tests that an edit can affect (ALL=yes: all fast tests, TESTS=tests/handlers/api: only these)
ifdef TESTS
	@CDK_VALIDATION=false $(BIN)/pytest --numprocesses 2 --dist worksteal --hypothesis-profile fast --maxfail 5 -m "not local and not slow" $(TESTS)
else
	@$(BIN)/python -m tools.fast_tests $(if $(filter yes,$(ALL)),--all)
endif

synth: setup ## synthesize the CloudFormation templates into cdk.out (no credentials, no Docker, no network)
	@rm -rf cdk.out # removes templates of another prefix
	@env -u CDK_APP $(CDK) synth --quiet
	@ls cdk.out/*.template.json

doctor: setup ## ask your AWS account whether a deployment would fail or wait (same options as deploy; changes nothing)
	@$(BIN)/python -m scripts.doctor --stack="$(STACK)" --profile $(PROFILE) $(SETTINGS)

deploy: setup ## deploy into your AWS account (STACK=compute-thumbnail, PROFILE=production, PREFIX=mine, CONTEXT="-c …", DOCTOR=no)
	@$(BIN)/python -m scripts.check_profile --profile $(PROFILE) --stack="$(STACK)" $(SETTINGS)
	@[ "$(DOCTOR)" = no ] || $(MAKE) --no-print-directory doctor
	@$(CDK) deploy $(STACK) $(SETTINGS) $(ONLY)

smoke: setup-tests ## test the deployed examples in your AWS account
	@$(BIN)/pytest tests/smoke --live $(DEPLOYED)

destroy: setup ## delete the stacks from your AWS account (same options as deploy)
	@$(CDK) destroy $(STACK) $(SETTINGS) --concurrency 8

recover: setup ## delete a stack whose first deployment failed, so that `make deploy` works again (STACK=compute-api)
	@$(BIN)/python -m scripts.recover -- $(STACK)

submit: setup ## run the batch example's job in your AWS account and follow it (KEYS="holiday/*", CHILDREN=2)
	@$(BIN)/python -m scripts.submit $(DEPLOYED) --keys="$$KEYS" --children $(CHILDREN)

cost: setup ## print the cost of the stacks and of their work (STACK=compute-fargate prints its parts, CONTEXT="-c …")
	@$(BIN)/python -m tools.costs $(STACK) $(CONTEXT)

bench: setup-tests .venv/.bench ## measure the functions, the job and `make watch` (LOAD=clients, notes or uploads: many minutes)
	@set -e; for bench in $(if $(LOAD),bench.load.$(LOAD),$(subst /,.,$(basename $(wildcard bench/[!_]*.py)))); do \
		echo "==> $$bench"; $(BIN)/python -m $$bench $(if $(LOAD),,--check); done

compare: setup .venv/.bench ## compare thumbnails of a folder of pictures with those of libvips and ImageMagick (PICTURES=folder)
	@$(BIN)/python -m tools.compare_pictures "$${PICTURES:?name a folder: make compare PICTURES=folder}"

checkov: setup .build/checkov/.installed ## run checkov on the templates, and compare its findings with docs/security.md
	@$(BIN)/python -m tools.checkov

guard: setup .build/guard/.installed ## check the templates with AWS Control Tower's rules, and compare the findings with docs/security.md
	@$(BIN)/python -m tools.guard

lint: setup-tests ## format and check the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/mypy

snapshots: setup-tests ## update the reviewed templates (MEANT="compute-api/Notes5BB3582F" allows a change that deletes this store)
	@$(BIN)/pytest tests/stacks/test_snapshots.py --snapshot-update --meant "$(MEANT)"

docs: setup-tests ## write the costs and diagrams in README.md and docs/; after make local, also the pictures (RECORD=yes: all)
	@$(BIN)/python -m tools.documents && $(BIN)/python -m tools.pictures $(if $(RECORD),--record)

permissions: setup-tests ## record which permissions the roles use in the local AWS
	@$(BIN)/pytest --permissions-update tests/smoke tests/local

lock: setup ## compile pyproject.toml and the requirements.in files into the locked requirements
	@sh tools/lock.sh

upgrade: setup ## raise every pin to the newest version within the bounds in tools/upgrade.py, and compile the locks
	@$(BIN)/python -m tools.upgrade && sh tools/lock.sh --upgrade

# podman's images may contain files of other users, which `rm` cannot delete.
clean: $(if $(wildcard .venv/.installed),local-down) ## remove everything that the set-up and make local created
	@[ ! -e .venv/.installed ] || $(BIN)/python -m local clean
	rm -rf .venv node_modules .build .local cdk.out

# -- set-up: runs once, and again when its sources change

setup: .venv/.installed .venv/bin/aws ## install what the other commands need

setup-tests: setup .venv/.tests ## install the packages of the tests, too

SOURCES := requirements-local.txt requirements-uv.txt localaws/pyproject.toml package-lock.json stacks/_requirements.py \
	$(wildcard lambda_src/*/requirements.txt)
.PHONY: deleted
# The set-up runs again if somebody has deleted one of the folders that it fills.
.venv/.installed: $(SOURCES) $(if $(and $(wildcard node_modules/.installed),$(wildcard .build/bundles)),,deleted)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "set-up failed: Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "==> set-up of this folder (once)"
	@$(PYTHON) -m venv .venv || \
		{ echo "set-up failed: this Python cannot create virtual environments (Debian: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m tools.setup
	@touch $@

.venv/bin/aws: tools/aws.sh .venv/.installed
	@install -m 755 tools/aws.sh $@

.venv/.tests: requirements-dev.txt .venv/.installed
	@echo "==> the packages of the tests (once)"
	@$(BIN)/python -m tools.setup tests
	@touch $@

.venv/.bench: requirements-bench.txt .venv/.installed
	@echo "==> libvips, for comparison (once)"
	@$(BIN)/python -m stacks._uv pip install --python $(BIN)/python --require-hashes --requirement requirements-bench.txt || \
		echo "libvips cannot be installed here; the command continues without it"
	@touch $@

.build/checkov/.installed: requirements-checkov.txt .venv/.installed
	@echo "==> checkov, in its own environment (once)"
	@$(BIN)/python -m venv --clear --without-pip .build/checkov
	@$(BIN)/python -m stacks._uv pip install --python .build/checkov/bin/python --only-binary :all: --require-hashes \
		--requirement requirements-checkov.txt || \
		{ echo "set-up failed: uv could not install requirements-checkov.txt; its reason is above"; exit 1; }
	@touch $@

# The package is for the CDK CLI, so it contains an npm package. Its program and its rules work without CDK and Node.
.build/guard/.installed: requirements-guard.txt .venv/.installed
	@echo "==> the rules of AWS Control Tower, in a folder of their own (once)"
	@rm -rf .build/guard
	@$(BIN)/python -m stacks._uv pip install --python $(BIN)/python --no-deps --only-binary :all: --require-hashes \
		--target .build/guard --requirement requirements-guard.txt || \
		{ echo "set-up failed: uv could not install requirements-guard.txt; its reason is above"; exit 1; }
	@tar -xzf .build/guard/cdklabs/cdk_validator_cfnguard/_jsii/*.tgz -C .build/guard --strip-components 1
	@touch $@
