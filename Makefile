# What a user types. `make help` lists it.

PYTHON ?= python3
TARGET ?= auto
RECORDING ?=
KERNEL ?=
BUNDLE ?=
AGENT ?=
AGENT_ADDRESS ?=
AGENT_OPTIONS ?=
CONTEXT ?=
NODES ?=
CHART ?=
TETRAGON ?=
UPGRADE ?=
UPGRADE_VERSION ?=
VALUES ?=
HELM ?=
KIND ?=
KUBECTL ?=
NODE_IMAGE ?=
CLUSTER_NAME ?=
KIND_CONFIG ?=
IMAGES ?=
PODS_RANGE ?=
SERVICES_RANGE ?=
CLUSTER_WIDE ?=
KEEP_WORKSPACE ?=
BUGTOOL ?=
KEEP ?=
SUITES ?=
POLICIES ?=
WORKLOADS ?=
ACKNOWLEDGED ?=
CRD ?=
PROTO ?=
VERSION ?=
MODULES ?=
YES ?=
RECORD ?=
INTO ?=
SLOWNESS ?=
K ?=
override VENV := .venv
override BIN := $(VENV)/bin

# Whatever a variable holds reaches the program as it was typed: make expands nothing in it, and the shell gets it by its
# environment, never as a part of a command.
VARIABLES := PYTHON TARGET RECORDING KERNEL BUNDLE AGENT AGENT_ADDRESS AGENT_OPTIONS CONTEXT NODES CHART TETRAGON UPGRADE \
  UPGRADE_VERSION VALUES HELM KIND KUBECTL NODE_IMAGE CLUSTER_NAME KIND_CONFIG IMAGES PODS_RANGE SERVICES_RANGE \
  CLUSTER_WIDE KEEP_WORKSPACE BUGTOOL KEEP SUITES \
  POLICIES WORKLOADS ACKNOWLEDGED CRD PROTO VERSION MODULES YES RECORD INTO SLOWNESS K
$(foreach name,$(VARIABLES),$(eval override $(name) := $$(value $(name))))
export $(VARIABLES)
# an option is passed on only where it is given
given = $${$(1):+"--$(2)=$$$(1)"}
flag = $${$(1):+--$(2)}
# of several with blanks between them each
each = $(foreach one,$($(1)),'--$(2)=$(subst ','\'',$(one))')
TEST = $(BIN)/tetraproof test --typed make "--target=$$TARGET" $(call given,SUITES,suites) \
  $(call given,RECORDING,recording) $(call given,POLICIES,policies) $(call given,WORKLOADS,workloads) \
  $(call given,ACKNOWLEDGED,acknowledged) $(call given,CRD,crd) $(call given,KERNEL,kernel) $(call given,RECORD,record) \
  $(call given,INTO,into) $(call given,DEBIAN_MIRROR,debian-mirror) $(call given,BUNDLE,bundle) \
  $(call given,AGENT,agent) $(call given,AGENT_ADDRESS,agent-address) \
  $(call given,AGENT_OPTIONS,agent-options) $(call given,SLOWNESS,slowness) $(call given,CONTEXT,context) \
  $(call given,NODES,nodes) $(call given,CHART,chart) $(call given,TETRAGON,tetragon-version) \
  $(call given,UPGRADE,upgrade) $(call given,UPGRADE_VERSION,upgrade-version) $(call each,VALUES,values) \
  $(call given,HELM,helm) $(call given,KIND,kind-bin) $(call given,KUBECTL,kind-kubectl-bin) \
  $(call given,NODE_IMAGE,kind-image) $(call given,CLUSTER_NAME,cluster-name) $(call given,KIND_CONFIG,kind-config) \
  $(call each,IMAGES,image-archive) $(call given,PODS_RANGE,pods-range) \
  $(call given,SERVICES_RANGE,services-range) $(call flag,CLUSTER_WIDE,cluster-wide) \
  $(call flag,KEEP_WORKSPACE,keep-workspace) $(call flag,BUGTOOL,bugtool) \
  $(call flag,KEEP,keep-cluster) $${K:+"-k=$$K"}

export PYTHONPATH :=

.DEFAULT_GOAL := help
.PHONY: help test check guest matrix prove mutate types architecture wheel bench clean clean-cluster live-kind

help: ## this list
	@echo "tetraproof proves that Tetragon policies do what they say."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  TARGET=         where to run: replay, standalone, kind, cluster; auto (default) is kind where an engine and"
	@echo "                  kind, kubectl and helm are there, else replay"
	@echo "  SUITES=         suites of your own, a folder; POLICIES= and WORKLOADS= likewise (default: those shipped)"
	@echo "  ACKNOWLEDGED=   a YAML file of findings that you know of your policies (docs/findings.md)"
	@echo "  CRD=            whose CRD policies are judged by: 1.4.1, 1.7.0, 1.7.1, main (default: 1.7.0)"
	@echo "  K=              only these judgements, a pytest -k expression: K=test_sed_is_killed"
	@echo "  PYTHON=         the Python to set up with, 3.11 or newer (default: python3)"
	@echo
	@echo "  replay:"
	@echo "  RECORDING=      a folder, or one of:"
	@ls recordings | LC_ALL=C tr -cd '\12\40-\176' | sed 's/^/                    /'
	@echo
	@echo "  standalone (docs/kernels.md):"
	@echo "  KERNEL=         debian:6.1, debian:6.12, debian:7.2, a folder with a vmlinuz, host; several with commas"
	@echo "  BUNDLE=         the Tetragon to start: a version (1.7.0), a folder, a .tar.gz (default: TETRAGON_BUNDLE)"
	@echo "  DEBIAN_MIRROR=  where Debian's kernels and packages are had (default: as this machine's apt has them)"
	@echo "  AGENT=          existing: use the agent that runs (KERNEL=host); AGENT_ADDRESS= is where it listens"
	@echo "  AGENT_OPTIONS=  the agent's own, without dashes: AGENT_OPTIONS='disable-kprobe-multi rb-size=1M'"
	@echo
	@echo "  kind, cluster (docs/going-live.md):"
	@echo "  CONTEXT=        cluster: the context of your kubeconfig; the current one is never taken"
	@echo "  AGENT=          existing: the Tetragon that is there (default on cluster); install: one of our own by Helm"
	@echo "  TETRAGON=       install: the chart's version (default: 1.7.0); CHART= a folder, an archive or oci://…;"
	@echo "                  VALUES= files of values; AGENT_OPTIONS= as above"
	@echo "  UPGRADE=        install: the chart to upgrade to; UPGRADE_VERSION= (default: the newest)"
	@echo "  NODES=          the nodes to act on, with commas (default: all that take pods and have an agent)"
	@echo "  CLUSTER_WIDE=1  apply policies as they are written, to everything that runs there"
	@echo "  BUGTOOL=1       a red run also keeps the archive of tetra bugtool of each agent, which is not redacted"
	@echo "  PODS_RANGE=     where the cluster does not tell its ranges; SERVICES_RANGE= likewise"
	@echo "  NODE_IMAGE=     kind: the node image; IMAGES= archives to load into the nodes; KEEP=1 keeps the cluster"
	@echo "  CLUSTER_NAME=   kind: its name (default: pytest-kind); KIND_CONFIG= its configuration (default: two workers)"
	@echo "  KIND= KUBECTL= HELM=  their paths (default: on PATH)"
	@echo
	@echo "  every live target:"
	@echo "  RECORD=         write a recording there, a new folder"
	@echo "  INTO=           add to this recording what it lacks, and what changed"
	@echo "  SLOWNESS=       every deadline so many times as long (default: 1)"

test: $(VENV)/run ## run the conformance suites and write the report
	@$(TEST)

guest: $(VENV)/check ## boot a guest (KERNEL=, default debian:6.12) and prove everything around the agent in it
	@TETRAPROOF_KERNEL="$${KERNEL:-debian:6.12}" TETRAPROOF_SLOWNESS="$${SLOWNESS:-1}" \
	  TETRAPROOF_BUNDLE="$$BUNDLE" TETRAPROOF_AGENT_OPTIONS="$$AGENT_OPTIONS" $(BIN)/python -m pytest tests/live -v

check: $(VENV)/check ## the project's own tests, lint, types and import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# one seed for all processes, and another at each run: they must collect the same names
	PYTHONHASHSEED=$$$$ $(BIN)/python -m pytest tests -q -n auto --dist worksteal

matrix: $(VENV)/run ## run every cell of matrix.yaml that has no result yet, and join them into one table
	@$(BIN)/tetraproof matrix run

# the language is proven by itself, SUITES=suites/language: it takes as long as all else
PROVEN := $(filter-out suites/language suites/__pycache__,$(wildcard suites/*))
proven = $(if $(SUITES),$(call given,SUITES,suites),$(addprefix --suites=,$(PROVEN)))
prove: $(VENV)/run ## damage the recordings in every way, and see that the suites notice
	@$(BIN)/tetraproof prove $(call given,RECORDING,recording) $(proven)

mutate: $(VENV)/mutate ## change the judging code in every place, and see that its tests notice (MODULES=)
	@$(BIN)/python tools/mutate.py "$$MODULES"

types: $(VENV)/check ## make the types of events anew from Tetragon's protobuf (PROTO= a checkout's api/v1, VERSION=)
	$(BIN)/python tools/api_types.py "$$PROTO" "$$VERSION"
	$(BIN)/ruff format tetraproof/events/api.py

architecture: $(VENV)/check ## draw docs/architecture.svg anew, from the import contract
	@$(BIN)/python tools/architecture.py

wheel: $(VENV)/run ## build the package that pip installs elsewhere, into dist/
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist . && ls dist/*.whl

bench: $(VENV)/check ## how fast events are parsed and matched (benchmarks/README.md)
	$(BIN)/python benchmarks/parse_events.py

clean-cluster: $(VENV)/run ## list what killed runs left on a cluster (CONTEXT=), and remove it (YES=1)
	@$(BIN)/tetraproof clean-cluster --typed make "--context=$$CONTEXT" $(call given,HELM,helm) \
	  $(call given,SLOWNESS,slowness) $(call flag,YES,yes)

live-kind: $(VENV)/check ## try every fault of kind that was seen with a real one, where a container engine answers
	@TETRAPROOF_SLOWNESS="$${SLOWNESS:-1}" TETRAPROOF_KIND_OPTIONS="$$TETRAPROOF_KIND_OPTIONS" \
	  $(BIN)/python -m pytest tests/live/test_kind.py -v

clean: ## remove what runs and set-up have made
	rm -rf $(VENV) dist reports/[0-9]* reports/matrix .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/run: pyproject.toml constraints.txt
	@"$$PYTHON" -c 'import os, sys; sys.exit("tetraproof needs Python 3.11 or newer, and %s is %s. To mend it: make test PYTHON=python3.12" % (os.environ["PYTHON"], sys.version.split()[0]) if sys.version_info < (3, 11) else 0)'
	@echo "setting up $(VENV) (once, about a minute)"
	@"$$PYTHON" -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/check: $(VENV)/run
	@echo "setting up the project's own checks (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,check]'
	@touch $@

$(VENV)/mutate: $(VENV)/check
	@echo "setting up mutmut (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,check,mutate]'
	@touch $@
