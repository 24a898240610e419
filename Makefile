# Needs Python 3.11 or newer and make. `make` alone lists the targets.

PYTHON ?= python3
STAGE ?= dev
# The vendors that the demo goes through: standard, hubspot or sap (local/people.py).
VIA ?= standard
SPECS ?= ../shared/vendors/specs
SEEDS ?= 200
FIRST_SEED ?= 0
JOBS ?= 2
# Schedules that no night before has tried; the first line of the run says how to repeat it.
NIGHT = $(shell echo $$(($$(date -u +%s) / 86400 * 100000)))
# Of `load` 200 where none is said, of `chaos` 36.
DEALS ?=
# Without a SEED, `chaos` draws one and says which.
SEED ?=
MINUTES ?= 2
WHAT ?= "make demo" "make prove SEEDS=50"
PLATFORM ?= aarch64-manylinux2014
UV_VERSION := 0.13.9
SAM_VERSION := 1.170.0
# https://crates.io/crates/dynoxide-rs
DYNOXIDE_VERSION := 3.2.0
# The Python of AWS, as template.yaml names it; it need not be installed here.
TARGET_PYTHON := 3.13

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
BIN := .venv/bin
UV := $(ROOT)/$(BIN)/uv
DYNOXIDE := $(ROOT)/.local/dynoxide-$(DYNOXIDE_VERSION)/bin/dynoxide
LOCKED := pyproject.toml uv.lock
SAM = $(UV) tool run --from aws-sam-cli==$(SAM_VERSION) sam
EXPORT = $(UV) export --quiet --frozen --no-annotate --no-header --no-emit-project
GROUPS = $(shell sed -n 's/^\([a-z0-9_]*\) = \[.*/\1/p' pyproject.toml | sort)
SHIPPING = $(filter $(notdir $(wildcard functions/*)),$(GROUPS))
# One run for all of these; `live` needs a running system, `bench` is `make bench`.
REST_OF_TESTS = $(filter-out tests/unit tests/architecture tests/live tests/bench,\
  $(sort $(patsubst %/,%,$(dir $(wildcard tests/*/test_*.py tests/*/*/test_*.py)))))
SUITES_OF_THE_TABLE := $(foreach port,deals policies approvers figures,tests/contract/test_$(port)_port.py) \
  tests/contract/test_dynamodb_differences.py \
  tests/journeys/test_journey.py::test_two_deals_are_posted_once_and_the_third_stops_at_the_guardrails

export UV_PYTHON_DOWNLOADS := never
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1

.DEFAULT_GOAL := help
.PHONY: help setup check test test-dynamodb test-dynoxide conform demo up down bench load prove prove-nightly chaos footprint schemas build \
  deploy validate clean check-format check-lint check-types check-template check-tests live

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.lint ## make .venv with everything that is locked

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "error: $(PYTHON) cannot make a venv; install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Running the system needs less than checking it.
.venv/.local: $(LOCKED) | $(BIN)/uv
	@$(UV) sync --quiet --frozen --inexact --python $(BIN)/python
	@touch $@

.venv/.lint: $(LOCKED) | $(BIN)/uv
	@$(UV) sync --quiet --frozen --inexact --group lint --python $(BIN)/python
	@touch $@ .venv/.local

check: .venv/.lint ## format, lint, types, unit and architecture tests
	@$(MAKE) --no-print-directory -j 2 -k -O check-types check-template check-format check-lint check-tests

check-format:
	@$(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check .; exit 1; }

check-lint:
	@$(BIN)/ruff check --quiet .

# In one run: functions/rest is the only folder whose app.py imports its neighbours, see mypy_path.
check-types:
	@$(BIN)/mypy layers/core/dealdesk functions local operate tests

check-template: .local/template-checked

.local/template-checked: template.yaml uv.lock
	@$(BIN)/cfn-lint template.yaml
	@mkdir -p .local && touch $@

# Fewer examples of each property than `test`, which tries all of them.
check-tests:
	@HYPOTHESIS_PROFILE=quick $(BIN)/pytest tests/unit tests/architecture -n 2

test: check ## check, every property in full, and all other tests
	@$(BIN)/pytest tests/unit -n 2
	$(if $(REST_OF_TESTS),@$(BIN)/pytest $(REST_OF_TESTS) -m "not live" -n 2)
	$(if $(wildcard tests/live/test_*.py),@$(MAKE) --no-print-directory live)

# steady comes by npm and stripe-mock by Go, into .local; where the files or the tools are missing, it says so.
conform: .venv/.lint ## ask the vendors' own OpenAPI files about every request (SPECS=folder)
	@SPECS="$(SPECS)" $(BIN)/python -m tests.conform

test-dynamodb: .venv/.lint ## the table's suites and a journey on another DynamoDB (moto; URL=http://… for yours)
	@DEALDESK_DYNAMODB=$(or $(URL),moto) $(BIN)/pytest $(SUITES_OF_THE_TABLE)

test-dynoxide: $(DYNOXIDE) .venv/.lint ## the same on a third one, dynoxide, which cargo builds into .local
	@DEALDESK_DYNAMODB=$(DYNOXIDE) $(BIN)/pytest $(SUITES_OF_THE_TABLE) tests/contract/test_dynamodb_as_documented.py

$(DYNOXIDE):
	@command -v cargo >/dev/null || \
	  { echo "error: dynoxide is built by cargo, which is not on this machine (https://rustup.rs); nothing was tested" >&2; exit 1; }
	@echo "building dynoxide $(DYNOXIDE_VERSION), once"
	@CARGO_PROFILE_DEV_DEBUG=0 nice -n 10 cargo install --quiet --locked --debug --jobs 2 dynoxide-rs@$(DYNOXIDE_VERSION) \
	  --no-default-features --features native-sqlite,http-server,cli \
	  --root .local/dynoxide-$(DYNOXIDE_VERSION) --target-dir .local/dynoxide-build || \
	  { echo "error: cargo did not build dynoxide; nothing was tested" >&2; exit 1; }
	@rm -rf .local/dynoxide-build

live: .venv/.lint
	@$(BIN)/pytest tests/live -m live

demo: .venv/.local ## the whole way of a deal, on this machine (KEEP=1 leaves it running; VIA=hubspot or sap)
	@$(BIN)/python -m local demo --path $(VIA)

up: .venv/.local ## start the system and leave it running
	@$(BIN)/python -m local up

down: .venv/.local ## stop it
	@$(BIN)/python -m local down

bench: .venv/.lint ## measure; writes .local/bench.json
	@$(UV) sync --quiet --frozen --inexact --group lint --group bench --python $(BIN)/python
	@$(BIN)/python -m tests.bench

load: .venv/.lint ## deals at once and storms, on a system of its own: make load DEALS=200; writes .local/load.json
	@$(BIN)/python -m tests.load --deals $(or $(DEALS),200) $(STORMS)

prove: .venv/.lint ## look for a fault that breaks a promise: make prove SEEDS=2000 FIRST_SEED=0
	@PYTHONPATH=.:layers/core $(BIN)/python -m tests.prove --seeds $(SEEDS) --first-seed $(FIRST_SEED) --only "$(ONLY)" --jobs $(JOBS)

prove-nightly: ## a hundred thousand other schedules every night
	@$(MAKE) --no-print-directory prove SEEDS=100000 FIRST_SEED=$(NIGHT)

chaos: .venv/.lint ## the running system under faults, kills and restarts: make chaos SEED=1 DEALS=36 MINUTES=2
	@PYTHONPATH=.:layers/core $(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) --deals $(or $(DEALS),36) --minutes $(MINUTES)

footprint: .venv/.lint ## peak memory on two cores, at most 4 GB: make footprint WHAT='"make demo" "make test"'
	@$(BIN)/python -m tests.footprint $(WHAT)

schemas: .venv/.local ## write docs/events from the code
	@$(BIN)/python -m local.schemas

validate: .venv/.lint ## let SAM read the template
	@$(SAM) validate --lint --template template.yaml

# Everything that is shipped comes from uv.lock, with hashes; the runtime brings boto3 itself.
build: .venv/.local ## build for AWS into .aws-sam
	@mkdir -p layers/deps
	@left_out=$$($(BIN)/python -c 'from local.build import IN_THE_RUNTIME as brings; print(*(f"--no-emit-package {name}" for name in brings))'); \
	$(EXPORT) --no-default-groups $$left_out --output-file layers/deps/requirements.txt >/dev/null; \
	for group in $(SHIPPING); do \
	  $(EXPORT) --only-group $$group $$left_out --output-file functions/$$group/requirements.txt >/dev/null || exit 1; \
	done
	@MAKEFLAGS=s $(SAM) build --parallel
	@if python$(TARGET_PYTHON) -c "" 2>/dev/null; then \
	  python$(TARGET_PYTHON) -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build && echo "compiled by python$(TARGET_PYTHON)"; \
	else \
	  echo "note: without python$(TARGET_PYTHON) on this machine the build ships no bytecode, and cold starts compile it each time"; \
	fi

# SAM calls these in a copy of the source folder (template.yaml: BuildMethod makefile). Its own Python builder
# wants the interpreter of the target to be installed, this one does not.
build-%Function:
	cp *.py "$(ARTIFACTS_DIR)"
	$(call install,$(ARTIFACTS_DIR))

build-CoreLayer:
	mkdir -p "$(ARTIFACTS_DIR)/python"
	tar --exclude __pycache__ -cf - dealdesk | tar -xf - -C "$(ARTIFACTS_DIR)/python"

build-DepsLayer:
	mkdir -p "$(ARTIFACTS_DIR)/python"
	$(call install,$(ARTIFACTS_DIR)/python)

install = test ! -e requirements.txt || $(UV) pip install --quiet --no-config --require-hashes --no-deps --only-binary :all: \
  --python-platform $(PLATFORM) --python-version $(TARGET_PYTHON) --requirements requirements.txt --target "$(1)"

deploy: build ## build and deploy to a real account: make deploy STAGE=dev
	@$(SAM) deploy --config-env $(STAGE)

clean: ## remove what was made, but not .venv
	@test ! -e .local/stack.json || $(BIN)/python -m local down
	@rm -rf .local .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis functions/*/requirements.txt layers/deps
	@find . -name __pycache__ -not -path "./.venv/*" -prune -exec rm -rf {} +
