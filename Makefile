# Commands of the project. STACK names a file Pulumi.<STACK>.yaml.
SHELL := bash
STACK ?= gpu
OUT ?=
FIELD ?=
FILE ?=
RELEASE ?=
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLI := $(BIN)/python -m llm_d_gke
STAMP := $(VENV)/.installed
ARGS ?=
UPGRADE ?=

.DEFAULT_GOAL := help
# Empty unless given on the command line: make would take them from the environment.
POD :=
REQUEST :=
LOG :=
KIND :=
FIND :=
MODEL :=
LOAD :=
STACKS :=
WRITE :=
TO :=
ENGINE :=
DESCRIBED :=

# Where Python may not keep what it compiled, as in many container images, each command starts 0.3 s later.
unexport PYTHONDONTWRITEBYTECODE

# uv trusts the authorities that this machine trusts, as pip does: in many companies a proxy signs every certificate.
export UV_SYSTEM_CERTS := true
export UV_HTTP_TIMEOUT := 180

# A word that make does not know would be ignored, and the command run on the default stack: `make down stack=mine`.
WORDS := $(sort $(shell grep -oE '[A-Z][A-Z_]+' $(firstword $(MAKEFILE_LIST))))
TARGETS := $(shell grep -oE '^[a-z][a-z-]*:' $(firstword $(MAKEFILE_LIST)) | tr -d ':')
upper = $(shell printf %s '$1' | tr a-z A-Z)
lower = $(shell printf %s '$1' | tr A-Z_ a-z-)
comma := ,
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
# In the command's words an option is lower-case, a setting of the stack file camel case.
instead = $(if $(filter $(name),$(call upper,$(name))),an option of the command is in ARGS='--$(call lower,$(name)) ...'$(comma) \
  and ARGS=--help lists them,a setting is changed for one run by ARGS='-c $(name)=$(value $(name))')
# Ends make with a sentence in lines of 80 columns. The line of $(error) begins with the file's name.
fail = $(shell printf '%s\n' '$(subst ','\'',$1)' | fold -s -w 80 >&2)$(error nothing was done)
$(foreach name,$(filter-out A B $(WORDS),$(GIVEN)),$(call fail,there is no variable $(name) here: $(if \
  $(filter $(call upper,$(name)),$(WORDS)),did you mean $(call upper,$(name))=$(value $(name))?,$(instead))))
# What a target that is none may mean.
meant = $(or $(shell $(PYTHON) llm_d_gke/cli/meanings.py '$1' $(TARGETS)),`make` lists them)
$(foreach goal,$(filter-out $(TARGETS) $(CHECKS) $(STAMP),$(MAKECMDGOALS)),$(call fail,there is no target $(goal): $(if \
  $(wildcard Pulumi.$(goal).yaml examples/Pulumi.$(goal).yaml),$(if $(filter diff,$(MAKECMDGOALS)),two stacks are named by A=... B=...,a stack is named by STACK=$(goal)),$(call meant,$(goal)))))

# A variable of other targets would be ignored, too: `make down STACKS=mine`. The lines of a target name those it takes.
takes = $(shell sed -n '/^$1:/,/^$$/p' $(firstword $(MAKEFILE_LIST)) | grep -oE '\b[A-Z][A-Z_]*\b')
KNOWN := $(filter-out PYTHON,$(filter A B $(WORDS),$(GIVEN)))
UNUSED := $(if $(and $(KNOWN),$(MAKECMDGOALS)),$(filter-out $(foreach goal,$(MAKECMDGOALS),$(call takes,$(goal))),$(KNOWN)))
$(foreach name,$(UNUSED),$(call fail,make $(MAKECMDGOALS) takes no $(name): `make` lists what each target takes))

# Refuses a command without the variable $1, by an example that has it.
need = $(if $($1),,$(call fail,$1 is missing: make $2))

# `##@` begins a group, `##` behind a target its line.
.PHONY: help
help:
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { \
	  line = sprintf("  make %-17s", $$1); count = split($$2, words, " "); \
	  for (i = 1; i <= count; i++) { if (length(line) + length(words[i]) > 79) { print line; line = sprintf("%24s", "") } \
	  line = line " " words[i] } print line }' $(MAKEFILE_LIST)

# Most targets are doors to the one command line, `bin/llmd`, which has more options: `bin/llmd preview --help`. ARGS hands them over.

##@ Choose a model and hardware
.PHONY: init size catalog stage adopt-manifests

init: $(STAMP) ## ask five questions and write a first stack file; STACK=chat names it, ARGS=--yes takes the defaults
	@$(CLI) init $(if $(filter command,$(firstword $(origin STACK))),'$(STACK)') $(ARGS)

size: $(STAMP) ## what MODEL takes on every machine under LOAD='20/s 2000+300' in LOCATION, or only ACCELERATOR=nvidia-l4 (or tpu, or v6e,h100); WRITE=name writes a stack file; CONFIG=config.json of a model of your own
	@$(call need,MODEL,size MODEL=Qwen/Qwen3-8B LOAD='20/s 2000+300')$(CLI) size '$(MODEL)' $(if $(LOAD),'$(LOAD)') $(if $(CONFIG),--config-json '$(CONFIG)') $(if $(LOCATION),--location '$(LOCATION)') $(if $(ACCELERATOR),--accelerator '$(ACCELERATOR)') $(if $(WRITE),--write '$(WRITE)') $(ARGS)

catalog: $(STAMP) ## list KIND=models, accelerators, zones, machines or releases; FIND='words' searches
	@$(CLI) catalog $(or $(KIND),models) $(if $(FIND),'$(FIND)') $(ARGS)

stage: $(STAMP) ## a Job that copies STACK's models from the Hub to their bucket, and the commands for it; OUT=stage.yaml
	@$(CLI) stage $(STACK) $(if $(OUT),--out $(OUT)) $(ARGS)

adopt-manifests: $(STAMP) ## a stack file from what runs today: FILES='manifests/ values.yaml'; ARGS='--write chat' writes Pulumi.chat.yaml
	@$(call need,FILES,adopt-manifests FILES='manifests/ values.yaml')$(CLI) adopt-manifests $(FILES) $(ARGS)

##@ Judge a stack before anything is created
.PHONY: report diff fleet explain preflight render logs-check logs-read

report: $(STAMP) ## STACK's verdict: memory, capacity, cost, findings; OUT=report.html or .md, else as a table
	@$(CLI) report $(STACK) $(if $(OUT),--out $(OUT)) $(ARGS)

diff: $(STAMP) ## how stack B differs from stack A: A=staging B=production OUT=diff.md; ARGS=--objects adds the rendered objects
	@$(foreach name,A B,$(call need,$(name),diff A=gpu B=prefix-cache-gpu))$(CLI) diff $(A) $(B) $(if $(filter-out rendered,$(OUT)),--out $(OUT)) $(ARGS)

fleet: $(STAMP) ## preview all stacks of the project's folder from nothing: verdict, resources, dollars; STACKS='staging production'
	@$(CLI) fleet $(STACKS) $(ARGS)

explain: $(STAMP) ## where FIELD of STACK's objects or outputs comes from: FIELD='Deployment/gemma-2b-it-vllm spec.replicas'
	@$(call need,FIELD,explain STACK=$(STACK) FIELD='outputs hourlyCost.running')$(CLI) explain $(STACK) '$(FIELD)' $(ARGS)

preflight: $(STAMP) ## ask Google Cloud whether STACK gets its quotas, zones, names; without credentials, list them
	@$(CLI) preflight $(STACK) $(ARGS)

render: $(STAMP) ## write STACK's resource graph and manifests into OUT
	@$(CLI) render $(STACK) --out $(or $(OUT),rendered) $(ARGS)

logs-check: $(STAMP) ## judge the memory verdict on logged starts: FILE=rows.json OUT=result.json
	@$(call need,FILE,logs-check FILE=rows.json)$(CLI) logs-check $(FILE) $(if $(filter-out rendered,$(OUT)),--out $(OUT)) $(ARGS)

logs-read: $(STAMP) ## write the row of a start-up log of vLLM: FILE=start.log OUT=rows.json ARGS='--add accelerator=nvidia-l4'
	@$(call need,FILE,logs-read FILE=start.log)$(CLI) logs-read $(FILE) $(if $(filter-out rendered,$(OUT)),--out $(OUT)) $(ARGS)

##@ Rehearse on this machine
.PHONY: up preview status logs why endpoint down

up: $(STAMP) ## bring STACK up on this machine and send it one chat request; ENGINE=vllm runs real vLLM on the processor
	@$(CLI) up $(STACK) $(if $(ENGINE),--engine $(ENGINE)) $(ARGS)

preview: $(STAMP) ## show what an up of STACK would change
	@$(CLI) preview $(STACK) $(ARGS)

status: $(STAMP) ## pods, Gateway and endpoint of STACK; ARGS=--differences: how the rehearsal differs from GKE
	@$(CLI) status $(STACK) $(ARGS)

logs: $(STAMP) ## logs of STACK's pods, or of those with POD in their name; ARGS='-f --tail 20' follows
	@$(CLI) logs $(STACK) $(POD) $(ARGS)

why: $(STAMP) ## why requests to STACK went where they did: scores by endpoint; REQUEST=id, else the latest
	@$(CLI) why $(STACK) $(REQUEST) $(ARGS)

endpoint: $(STAMP) ## address at which STACK answers on this machine
	@$(CLI) endpoint $(STACK)

down: $(STAMP) ## destroy STACK and stop everything that was started
	@$(CLI) down $(STACK) $(ARGS)

##@ Look at a stack that runs, here or on GKE
.PHONY: verify diagnose bench bench-env dashboard monitoring-files check-alerts

verify: $(STAMP) ## check that STACK, rehearsed here or on GKE, does what its plan promises; ARGS='--format junit'
	@$(CLI) verify $(STACK) $(ARGS)

diagnose: $(STAMP) ## why STACK, rehearsed here or on GKE, does not serve: one cause and its fix; LOG=file: what pulumi up or a log said
	@$(CLI) diagnose $(STACK) $(if $(LOG),--words $(LOG)) $(ARGS)

bench: $(STAMP) ## measure STACK that runs under SCENARIO=quick, latency, throughput, load, stress or shared-prefix; without SCENARIO what docs/measurements/README.md states
ifdef SCENARIO
	@$(CLI) bench $(STACK) $(SCENARIO) $(ARGS)
else
# What is stated is measured on stacks of its own.
	@$(if $(ARGS)$(filter command,$(firstword $(origin STACK))),$(call need,SCENARIO,bench STACK=$(STACK) SCENARIO=quick))$(BIN)/python -m llm_d_gke.maintenance.measure
endif

bench-env: $(STAMP) ## install inference-perf, the load generator of `make bench SCENARIO=...`, into .venv-bench (800 MB)
	@$(BIN)/uv venv --quiet --allow-existing .venv-bench
	@$(BIN)/uv pip install --python .venv-bench/bin/python --require-hashes -r llm_d_gke/operations/bench/requirements.txt
	@.venv-bench/bin/python -m ensurepip > /dev/null
	@.venv-bench/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --ignore-requires-python --require-hashes -r llm_d_gke/operations/bench/tool.txt

dashboard: $(STAMP) ## serve a page with the metrics of the rehearsed STACK; ARGS='--out page.html' writes it once
	@$(CLI) dashboard $(STACK) $(ARGS)

monitoring-files: $(STAMP) ## STACK's alerts and dashboard as files for a Prometheus and a Grafana, in monitoring/STACK or OUT
	@$(CLI) monitoring-files $(STACK) $(if $(filter-out rendered,$(OUT)),--out $(OUT)) $(ARGS)

check-alerts: $(STAMP) ## which alerts fire in which scenario, by promtool (the one on the PATH, or built from its Go module)
	@$(CLI) check-alerts

##@ Change, keep and end a stack
.PHONY: upgrade rollback backup-check leftovers destroy

upgrade: $(STAMP) ## steps from STACK's release to another, run where the stack runs: TO=llm-d-0.10; ARGS=--plan only prints them
	@$(call need,TO,upgrade STACK=$(STACK) TO=llm-d-0.10)$(CLI) upgrade $(STACK) $(TO) $(ARGS)

rollback: $(STAMP) ## back to the release before the last upgrade of STACK, also from the middle of it
	@$(CLI) rollback $(STACK) $(ARGS)

backup-check: $(STAMP) ## what has to be kept to bring STACK back elsewhere, and whether it is; ARGS='--location europe-west4-b'
	@$(CLI) backup-check $(STACK) $(ARGS)

leftovers: $(STAMP) ## ask Google Cloud what a destroyed STACK left behind; ARGS=--remove removes it after asking
	@$(CLI) leftovers $(STACK) $(ARGS)

destroy: $(STAMP) ## destroy STACK on GKE, also what a killed update left, and look for leftovers; ARGS=--unlock after a kill
	@$(CLI) destroy $(STACK) $(ARGS)

##@ Take over what exists, or leave
.PHONY: import eject

import: $(STAMP) ## write the file with which `pulumi import` takes what exists into STACK; DESCRIBED=cluster.yaml lists what differs
	@$(CLI) import $(STACK) $(if $(DESCRIBED),--described $(DESCRIBED)) $(if $(OUT),--out $(OUT)) $(ARGS)

eject: $(STAMP) ## write STACK as gcloud commands, chart values and manifests without Pulumi into the new folder OUT
	@$(CLI) eject $(STACK) --out $(or $(OUT),ejected) $(ARGS)

##@ Work on the project
.PHONY: test test-slow test-engine test-languages check docs format hooks scan policy wheel

test: $(STAMP) ## everything CI runs: the quick checks, then the types beside the tests
	@$(MAKE) --no-print-directory $(filter-out check-types,$(CHECKS))
	@$(BIN)/python -m llm_d_gke.rehearsal.toolchain
	@$(MAKE) --no-print-directory -j 2 check-types run-tests

.PHONY: run-tests
run-tests: $(STAMP)
	@$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder --durations=10

test-slow: $(STAMP) ## what `make test` leaves out: long tours of the examples, groups of hosts, scaling, repeated interruptions, random stacks
	@$(BIN)/python -m llm_d_gke.rehearsal.toolchain
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder --durations=10 -m slow

test-engine: $(STAMP) ## tests with real vLLM on the processor, which are not part of `make test` (2 GB, several minutes)
	@$(BIN)/python -m pytest -m engine tests/rehearsal/engine

test-languages: $(STAMP) ## programs in TypeScript and Go that use the component package, which are not part of `make test` (node, npm, Go)
	@$(BIN)/python -m pytest -m languages tests/library

# pre-commit runs the same targets: .pre-commit-config.yaml names each of them.
CHECKS := check-format check-lint check-types check-imports check-words check-spelling check-docs
check: $(CHECKS) ## formatter, linter, type checker, import directions, words, spelling, documentation site

.PHONY: $(CHECKS)
check-format: $(STAMP)
	@$(BIN)/ruff format --check .
check-lint: $(STAMP)
	@$(BIN)/ruff check .
check-types: $(STAMP)
	@$(BIN)/mypy .
check-imports: $(STAMP)
	@$(BIN)/lint-imports --no-cache --no-logo
check-words: $(STAMP)
	@$(BIN)/python -m llm_d_gke.maintenance.prose
check-spelling: $(STAMP)
	@$(BIN)/codespell
check-docs: docs

docs: $(STAMP) ## build the documentation site into site/, with every link checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

format: $(STAMP) ## fix formatting and lint where it can be done automatically
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

hooks: $(STAMP) ## run `make check` before every git commit
	@$(BIN)/pre-commit install

# Beside .venv, not in the package: whatever lies in its folders is taken for its code.
SCAN := .venv-scan
SCANNED_WITH := llm_d_gke/maintenance/scan/requirements.txt
$(SCAN)/.installed: $(SCANNED_WITH)
	@test -x $(SCAN)/bin/python || $(PYTHON) -m venv $(SCAN)
	@$(SCAN)/bin/pip install --disable-pip-version-check -q --require-hashes -r $(SCANNED_WITH)
	@touch $@

scan: $(STAMP) $(SCAN)/.installed ## run Pod Security, checkov and kube-score over every pod of all stacks; ARGS=gpu scans one
	@$(BIN)/python -m llm_d_gke.maintenance.scan $(ARGS)
	@$(BIN)/python -m pytest -q tests/maintenance/scan/test_scan.py

policy: $(STAMP) ## run the policy pack in an environment of its own over all stacks
	@test -x policy/.venv/bin/python || $(PYTHON) -m venv policy/.venv
	@policy/.venv/bin/pip install --disable-pip-version-check -q --require-hashes -r policy/requirements.txt
	@$(BIN)/python -m pytest -q tests/policy

wheel: $(STAMP) ## build the Python package into dist/ (docs/library.md)
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist .

##@ Keep facts and packages current
.PHONY: conformance adopt engine-facts support lock sbom lock-python lock-engine

conformance: $(STAMP) ## run the real parts of every release on what stacks render, and write docs/conformance.md; ARGS=--without-engines leaves out vLLM (2 GB for each version), --again runs also what did not change
	@$(BIN)/python -m llm_d_gke.maintenance.conformance --run $(ARGS)

adopt: $(STAMP) ## what upstream's sources say against RELEASE of the catalog; ARGS=--write renews llm_d_gke/catalog/upstream.yaml
	@$(BIN)/python -m llm_d_gke.maintenance.upstream $(RELEASE) $(ARGS)

engine-facts: $(STAMP) ## ask vLLM VERSION what it can do and write llm_d_gke/catalog/engines/VERSION.yaml (2 GB of downloads)
	@$(BIN)/python -m llm_d_gke.maintenance.engine_facts $(VERSION) $(ARGS)

support: $(STAMP) ## write docs/support.md from llm_d_gke/catalog/engines
	@$(BIN)/python -m llm_d_gke.maintenance.reference support

lock: $(STAMP) ## write the digests of RELEASE's images and charts into llm_d_gke/catalog/locks, as their registries have them
	@$(BIN)/python -m llm_d_gke.maintenance.lock $(RELEASE)

sbom: $(SCAN)/.installed ## write the program's Python packages as a CycloneDX document: OUT=sbom.json
	@$(SCAN)/bin/cyclonedx-py requirements requirements.txt --output-reproducible --of JSON -o $(or $(OUT),sbom.json)

# Versions: requirements*.in say what the project needs, requirements*.txt hold the whole environment with hashes.
# Renovate repeats the command in a file's header, and knows long options with `=` only.
# UPGRADE=--upgrade takes newer versions of what requirements*.in do not pin, UPGRADE='--upgrade-package NAME' of one package.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version=3.11 --generate-hashes
lock-python: $(STAMP) ## resolve requirements*.in and write requirements*.txt with hashes
	@$(LOCK) $(UPGRADE) requirements-dev.in --output-file=requirements-dev.txt
	@for part in requirements requirements-install requirements-preflight requirements-docs; do \
	  $(LOCK) --upgrade --constraints=requirements-dev.txt $$part.in --output-file=$$part.txt || exit 1; done
	@$(LOCK) $(UPGRADE) llm_d_gke/maintenance/scan/requirements.in --output-file=llm_d_gke/maintenance/scan/requirements.txt
	@$(LOCK) $(UPGRADE) policy/requirements.in --output-file=policy/requirements.txt
	@$(LOCK) $(UPGRADE) llm_d_gke/operations/bench/requirements.in --output-file=llm_d_gke/operations/bench/requirements.txt

# The engine of ENGINE=vllm: pins/VERSION.in names vLLM and its torch, pins/VERSION.txt holds the whole environment.
ENGINE_PINS := llm_d_gke/rehearsal/vllm_cpu/pins
lock-engine: $(STAMP) ## resolve llm_d_gke/rehearsal/vllm_cpu/pins/*.in and write the whole environments of the real engine
	@for part in $(basename $(wildcard $(ENGINE_PINS)/*.in)); do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --no-annotate --no-header --override $$part.in --excludes $(ENGINE_PINS)/excluded.txt $(UPGRADE) $$part.in -o $$part.txt || exit 1; done

$(STAMP): requirements-install.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@echo "installing Python packages into $(VENV) (a few minutes the first time)"
# Programs in Go, which take longer, are compiled meanwhile. What fails here is reported by the command that needs them.
	@$(if $(filter up test,$(MAKECMDGOALS)),$(PYTHON) -m llm_d_gke.rehearsal.toolchain --every-stack >/dev/null 2>&1 &)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: install python3-venv"; exit 1; }
# uv does in parallel, and without compiling every module, what takes pip a minute of a processor.
	@$(PIP) -q -r requirements-install.txt
	@set -o pipefail; $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements-dev.txt \
	  2>&1 | awk '!/^ [+~-] / { print; fflush() }' || { echo "uv could not install them, so pip does"; set -o pipefail; $(PIP) -r requirements-dev.txt \
	  | awk '/^(Collecting|Installing|Successfully)/ { print substr($$0, 1, 100); fflush() }'; }
	@$(BIN)/python -c 'import pulumi, pulumi_gcp, pulumi_kubernetes'
	@touch $@
