# From a clone to a proven mirror: `make demo`. Everything lands in .venv and in ~/.cache/virtfn.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
VIRTFN := $(VENV)/bin/virtfn

PYTEST := $(VENV)/bin/pytest
PARALLEL := -n auto --maxprocesses 4

.PHONY: help setup demo test test-lowest test-cloud test-compute check lab cloud cloud-down fresh clean
.DEFAULT_GOAL := help

help:  ## Show these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## Install what is missing, build the lab's parts (says each; quick when all is there)
	$(VIRTFN) lab prepare --netdevsim --systemd

demo: setup  ## The field note's mirror on an emulated host: made, proven, taken back
	$(VIRTFN) lab demo

lab: setup  ## A shell in the emulated host
	$(VIRTFN) lab status >/dev/null 2>&1 || $(VIRTFN) lab up
	$(VIRTFN) lab sh

test: setup check  ## All tests: in the emulated host, and on a real OpenStack control plane (says what it installs)
	$(VENV)/bin/python -m tests.cloud.control_plane install
	$(PYTEST) $(PARALLEL) -m "not lab and not cloud"
	scripts/test-lowest.sh $(VENV)/bin/python $(PARALLEL)
	$(PYTEST) -m "lab or cloud"

test-lowest: $(STAMP)  ## The unit tests with the lowest versions of the dependencies
	scripts/test-lowest.sh $(VENV)/bin/python $(PARALLEL)

test-cloud: $(STAMP)  ## Those of them that need OpenStack (they start and stop it)
	$(VENV)/bin/python -m tests.cloud.control_plane install
	$(PYTEST) tests/cloud tests/contract -m cloud

test-compute: setup  ## Those that need VMs with VFs, in an emulated compute host (fetches libvirt and QEMU, not installed)
	$(VIRTFN) lab prepare --compute
	$(PYTEST) tests/lab -m compute

cloud: $(STAMP)  ## A real OpenStack control plane on 127.0.0.1, with fake VFs (says what it installs and how to reach it)
	$(VENV)/bin/python -m tests.cloud.control_plane up

cloud-down: $(STAMP)  ## Stop it
	$(VENV)/bin/python -m tests.cloud.control_plane down

fresh: $(STAMP)  ## `make test` and `make demo` on a bare Debian in a folder: SUITE=trixie|bookworm; RUN=demo, KEEP=1 (needs root)
	$(VENV)/bin/python scripts/fresh.py $(SUITE) $(if $(RUN),--run "$(RUN)") $(if $(KEEP),--keep)

check: $(STAMP)  ## Format, lint, types, imports
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

clean:  ## Remove the virtual environment (the lab's cache stays)
	rm -rf $(VENV)

$(STAMP): pyproject.toml constraints.txt
	scripts/make-venv.sh "$(PYTHON)" $(VENV)
	@echo "installing virtfn and its development tools into $(VENV) (versions: constraints.txt)"
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
