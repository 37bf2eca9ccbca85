# Everything a person does with the project. A fresh machine needs Python 3.11 or later, make and git.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m dagster_project.cli
CATALOGUE := dagster_project/pages/locale/nb/LC_MESSAGES/oppfolging.po
export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help run test ui lint bench docs manifest words lock spark sbom audit clean environment

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: manifest ## the whole pipeline once; a first time the fictional country's story is told before
	@$(RUN) demo --if-empty --story
	@$(RUN) run --timings

test: manifest ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

ui: manifest ## the Dagster web UI and its daemon on 127.0.0.1:3000
	@$(RUN) ui

lint: manifest ## ruff, mypy, import-linter, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/sqlfluff lint dbt/models dbt/tests dagster_project/validation --processes 2

bench: manifest ## how long the pipeline takes, at several sizes
	$(BIN)/python benchmarks/pipeline.py

docs: manifest ## the documentation site with dbt's pages of every model and column, opened from disk
	@$(BIN)/python -m dagster_project.transform.documentation
	OPPFOLGING_HOME=$(CURDIR)/dbt/target/documented_home $(BIN)/dbt docs generate --static --project-dir dbt --profiles-dir dbt
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "the site:    build/docs/index.html"
	@echo "dbt's pages: build/docs/dbt/index.html"

words: environment ## put new texts of the code into the catalogue, to be translated there; take out unused ones
	@$(BIN)/pybabel -q extract -F pyproject.toml --add-location file --omit-header -o $(CATALOGUE:.po=.pot) dagster_project
	@$(BIN)/pybabel -q update -i $(CATALOGUE:.po=.pot) -o $(CATALOGUE) -l nb -w 120 --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@rm $(CATALOGUE:.po=.pot)
	@$(BIN)/python -m pytest tests/unit/test_words.py

manifest: environment ## dbt's manifest and the column lineage, made again when dbt files changed
	@$(BIN)/python -m dagster_project.transform.dbt_step

environment: .venv/.ready

.venv/.ready: requirements.lock bootstrap.lock pyproject.toml
	@echo "environment: .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r bootstrap.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q dagster_project
	@touch $@

lock: ## resolve the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile pyproject.toml --group checks --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -o requirements.lock
	$(BIN)/uv pip compile --group spark -c requirements.lock --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -o requirements-spark.lock
	$(BIN)/uv pip compile bootstrap.in --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -o bootstrap.lock

spark: .venv-spark/.ready ## install Apache Spark and dbt-spark beside, for `oppfolging run --engine spark` (needs Java 17)

.venv-spark/.ready: requirements-spark.lock .venv/.ready
	@test -x .venv-spark/bin/python || $(BIN)/python -m venv .venv-spark
	@$(BIN)/uv pip install --quiet --python .venv-spark/bin/python --require-hashes -r requirements-spark.lock
	@touch $@

sbom: environment ## what a release is made of (CycloneDX 1.6) and its licences, into build/release
	@$(BIN)/python release/sbom.py

audit: environment ## look for known vulnerabilities of the pinned packages; asks a public service about each of them
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r bootstrap.lock

clean: ## remove what runs have made under data/; rules, rounds and registers stay
	rm -rf data/{fetching,inbox,archive,read,extracts,snapshots,empty,quarantine,logs,validations,data_docs,history,parameters,marts,warehouse,published,demo,lineage,previews,scenarios,simulation,.dagster,.write-lock}
