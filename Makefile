# make setup: install; make demo: the whole recipe on this CPU; make test: the test suite; make check: before every commit
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OFFLINE := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1

.PHONY: setup demo test test-trl test-ray test-vllm check format

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -e ".[train,dev]" -c constraints.txt
	touch $@

demo: setup
	$(OFFLINE) $(BIN)/etalon demo

test: setup
	$(OFFLINE) $(BIN)/python -m pytest -n 2 --dist loadfile

TRL_BIN := $(VENV)-trl/bin

$(VENV)-trl/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-trl
	$(TRL_BIN)/python -m pip install --disable-pip-version-check --quiet -e ".[trl,dev]" -c constraints.txt
	touch $@

test-trl: $(VENV)-trl/.installed  # the trl engine, in an environment of its own, on 1 and 2 processes of this CPU
	$(OFFLINE) $(TRL_BIN)/python -m pytest -m trl

test-vllm: setup  # a vLLM server on this CPU, in an environment of its own, serving the model of a finished demo
	BIN=$(BIN) PYTHON=$(PYTHON) bench/vllm.sh

test-ray:  # rows over a Ray cluster of two processes, in an environment of its own
	test -e .venv-ray/.installed || { $(PYTHON) -m venv .venv-ray && .venv-ray/bin/python -m pip install \
		--disable-pip-version-check --quiet -e ".[ray,dev]" -c constraints.txt && touch .venv-ray/.installed; }
	$(OFFLINE) .venv-ray/bin/python -m pytest -m ray tests/test_ray.py

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(OFFLINE) $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not gpu and not network and not torch and not live and not trl and not ray"

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
