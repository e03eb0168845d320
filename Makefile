# Every target sets up what it needs in a private .venv: python3 (3.11 or newer) and make are enough.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := requirements.lock
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --all-extras --group dev --universal \
	--python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate

.PHONY: setup demo test check bench kafka kafka-stop chaos contest s3 s3-stop interop lock clean help
.DEFAULT_GOAL := help

help:  ## show the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 16

setup: $(READY)  ## build .venv from the lock file (the other targets do this by themselves)

$(READY): $(LOCK) requirements.bootstrap pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "replaylake needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "replaylake: filling $(VENV) from $(LOCK) (about 7 GB, once)"
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.bootstrap
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes $(LOCK)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## the whole journey in under 90 s: play, publish, ingest, query, train, compare, report
	@$(BIN)/replaylake demo $(ARGS)

JOBS ?= 2

test: $(READY)  ## all tests, a file at a time in each of JOBS processes, with branch coverage; ends with a summary line
	@rm -f .coverage .coverage.*
	@command -v go >/dev/null && $(BIN)/python -m deploy.s3.server build || true  # no test's time limit is for that
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --cov --cov-report=term:skip-covered $(ARGS)

check: $(READY)  ## style, format, types, import contracts, and that the lock is current
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@copy=$$(mktemp) && trap 'rm -f "$$copy"' EXIT && cp $(LOCK) "$$copy" && $(COMPILE) --output-file "$$copy" >/dev/null \
		&& diff -u $(LOCK) "$$copy" || { echo "The lock is not current: run 'make lock' and commit it."; exit 1; }

bench: $(READY)  ## every benchmark beside the bare minimum (ARGS='NAME --strict' for one)
	@$(BIN)/replaylake bench $(ARGS)

KAFKA_PORT ?= 9092
KAFKA_BROKERS ?= 1

kafka: $(READY)  ## a real Apache Kafka on loopback, without Docker (KAFKA_PORT, KAFKA_BROKERS=3; needs Java and Maven)
	@$(BIN)/python -m deploy.kafka.cluster start --port $(KAFKA_PORT) --brokers $(KAFKA_BROKERS)

kafka-stop: $(READY)  ## stop it; what it holds stays in .cache/kafka
	@$(BIN)/python -m deploy.kafka.cluster stop --port $(KAFKA_PORT)

chaos: $(READY)  ## workers and a broker that die and freeze under two million steps (ARGS='--steps N'; about ten minutes)
	@$(BIN)/python -m tests.kafka.chaos $(ARGS)

S3_PORT ?= 7070

s3: $(READY)  ## a real S3 server on loopback, without Docker (S3_PORT; needs Go, which builds it once)
	@$(BIN)/python -m deploy.s3.server start --port $(S3_PORT)

s3-stop: $(READY)  ## stop it; what it holds stays in .cache/s3
	@$(BIN)/python -m deploy.s3.server stop --port $(S3_PORT)

interop: $(READY)  ## Spark with Delta, Polars, pandas with fastparquet and DuckDB read an archive back (Java 17, Maven)
	@$(BIN)/python -m tests.interop

contest: $(READY)  ## four writers beside two compactions, two minutes on a folder and two on S3 (ARGS='--seconds N')
	@$(BIN)/python -m tests.lake.maintenance.contest $(ARGS)

lock: $(READY)  ## bring the lock file up to date with pyproject.toml
	@$(COMPILE) --output-file $(LOCK) >/dev/null

clean:  ## remove the environment and every cache
	rm -rf $(VENV) .cache .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
