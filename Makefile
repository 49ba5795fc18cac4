# make help lists the commands. Needs Python 3.11 or newer with venv, and nothing else.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8089
BIN = $(VENV)/bin
# Not $(abspath), which takes a path with a space for two.
FROM_TARGET = $(if $(filter /%,$(VENV)),,../)$(BIN)

REQUIREMENTS = requirements.txt target/requirements.txt constraints.txt

# What gets a pytest of its own: a file that starts real processes, a folder of other tests.
# The longest come first, so that none of them goes on alone at the end.
LONG = $(patsubst %, tests/integration/test_%.py, shared_pool partition verdicts compare) \
	tests/unit $(patsubst %, tests/integration/test_%.py, distributed headless)
SUITE = $(filter-out $(EXCEPT), $(LONG) $(filter-out $(LONG), tests/unit tests/session tests/tasks \
	$(wildcard tests/integration/test_*.py tests/browser/test_*.py)))
JOBS ?= 6
SYNC = $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# What a variable that was given adds to the command line.
option = $(if $($(1)),--$(2) '$($(1))')
RUN_OPTIONS = $(call option,HOST,host) $(call option,PROFILE,profile) $(call option,USERS,users) \
	$(call option,SPAWN_RATE,spawn-rate) $(call option,RUN_TIME,run-time) \
	$(call option,SEED,seed) $(call option,RUN_ID,run-id) \
	$(call option,DEPLOYMENT,deployment) $(TAG_OPTIONS)
TAG_OPTIONS = $(if $(TAGS),--tags $(TAGS)) $(if $(EXCLUDE_TAGS),--exclude-tags $(EXCLUDE_TAGS))
EXPERIMENT = $(if $(VARIANTS),--variants $(VARIANTS)) $(call option,AA,aa) \
	$(call option,ROUNDS,rounds) $(call option,STEPS,steps) $(call option,STEP_TIME,step-time) \
	$(call option,WARM_UP,warm-up) $(call option,SEED,seed) $(call option,RUN_ID,run-id) \
	$(call option,RESUME,resume) $(TAG_OPTIONS)
TWO_RUNS = $(if $(BASE),'$(BASE)') '$(RUN)' $(call option,MAX_SLOWDOWN,max-slowdown) \
	$(if $(ANYWAY),--anyway)

.PHONY: help run ui distributed cleanup report compare baseline test test-fast test-suite \
	test-target test-bare test-bare-machine programs unit-drawings unit-others \
	test-compose lint bench bench-users bench-distributed clean $(SUITE)
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 19
	@echo
	@echo 'run, ui and distributed take HOST= PROFILE= USERS= SPAWN_RATE= RUN_TIME= SEED= RUN_ID='
	@echo 'DEPLOYMENT= TAGS= EXCLUDE_TAGS=; without HOST they start a server of their own.'
	@echo 'compare takes VARIANTS= ROUNDS= STEPS= STEP_TIME= WARM_UP= SEED= AA= RESUME= RUN_ID= TAGS=,'
	@echo 'or RUN= BASE= MAX_SLOWDOWN= ANYWAY= for two runs.'

run: $(VENV)/run.stamp ## a headless run: 100 users for a minute, or as the variables say
	@$(BIN)/python -m harness run $(RUN_OPTIONS)

ui: $(VENV)/run.stamp ## locust's web UI on http://127.0.0.1:8089 (PORT= for another)
	@$(BIN)/python -m harness ui --web-port $(PORT) $(RUN_OPTIONS)

distributed: WORKERS ?= 2
distributed: $(VENV)/run.stamp ## a headless run by a master and WORKERS=2 local processes
	@$(BIN)/python -m harness run --workers $(WORKERS) $(if $(REBALANCE),--enable-rebalancing) \
		$(RUN_OPTIONS)

cleanup: $(VENV)/run.stamp ## delete what a run has left on its server: RUN=results/RUN_ID
	@$(BIN)/python -m harness cleanup $(if $(RUN),'$(RUN)')

report: $(VENV)/run.stamp ## draw the report of a run again: RUN=results/RUN_ID
	@$(BIN)/python -m harness report $(if $(RUN),'$(RUN)')

compare: $(VENV)/run.stamp ## which deployment carries more (about half an hour); RUN=: that run with the baseline
	@$(BIN)/python -m harness compare $(if $(RUN),$(TWO_RUNS),$(EXPERIMENT))

baseline: $(VENV)/run.stamp ## keep a run as the one to compare with: RUN=results/RUN_ID
	@$(BIN)/python -m harness baseline $(if $(RUN),'$(RUN)')

test: lint test-target test-suite ## linters, types and all tests

lint: $(VENV)/dev.stamp
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache --no-logo
	cd target && $(FROM_TARGET)/python -m mypy .

test-target: $(VENV)/dev.stamp
	cd target && $(FROM_TARGET)/python -m pytest

# Several at a time, since tests of real processes mostly wait; each says at its end what came of it.
test-suite: $(VENV)/dev.stamp
	@$(MAKE) --no-print-directory --keep-going --jobs=$(JOBS) $(SYNC) $(SUITE)

$(SUITE): $(VENV)/dev.stamp
	$(BIN)/python -m pytest $@

# The unit tests in two parts that take about as long; with QUICK=1 without the slow ones.
DRAWINGS = tests/unit/report tests/unit/experiments
unit-drawings: TESTS = $(DRAWINGS)
unit-others: TESTS = tests/unit $(addprefix --ignore=, $(DRAWINGS))
unit-drawings unit-others: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(if $(QUICK),-m 'not slow') $(TESTS)

test-fast: $(VENV)/dev.stamp ## linters, types and the quick unit tests, in a minute
	@$(MAKE) --no-print-directory --keep-going --jobs=3 $(SYNC) QUICK=1 \
		unit-others unit-drawings lint

test-bare: ## what must pass on a machine that has Python and nothing else (4 minutes)
	@.ci/bare

# What .ci/bare calls where nginx, openssl, ip and chromium are hidden.
test-bare-machine: $(VENV)/dev.stamp
	@$(MAKE) --no-print-directory --keep-going --jobs=3 $(SYNC) \
		unit-others unit-drawings lint tests/integration/test_processes.py programs

programs: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m programs

test-compose: $(VENV)/dev.stamp ## docker compose for real, where a Docker engine is at hand (5 minutes)
	@docker version >/dev/null 2>&1 || \
		{ echo 'error: no Docker engine answers here: try docker version' >&2; exit 2; }
	$(BIN)/python -m pytest --exitfirst tests/compose

bench: $(VENV)/bench.stamp ## this generator beside its peers, into bench/README.md (8 minutes)
	@$(BIN)/python -m bench

bench-users: $(VENV)/bench.stamp ## 1,000 to 10,000 users in one process, likewise (10 minutes)
	@$(BIN)/python -m bench.users

bench-distributed: $(VENV)/bench.stamp ## workers and their master, into docs/scaling.md (10 minutes)
	@$(BIN)/python -m bench.distributed

clean: ## remove the environment, the caches and the filled databases; results stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf target/.pytest_cache target/.mypy_cache target/*.sqlite3 target/*.sqlite3-*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'error: Python 3.11 or newer is needed; give make PYTHON=/path/to/it' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(VENV)/bin/python $(REQUIREMENTS)
	@echo 'installing what requirements.txt and target/requirements.txt pin, into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-r requirements.txt -r target/requirements.txt
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	@echo 'installing what requirements-dev.txt pins, into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(VENV)/bench.stamp: $(VENV)/run.stamp requirements-bench.txt
	@echo 'installing what requirements-bench.txt pins, into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@
