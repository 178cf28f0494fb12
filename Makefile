# make setup: install; make demo: the whole recipe on this CPU; make test: the test suite; make check: before every commit
# make test-trl, test-verl, test-ray, test-track, test-vllm: what needs an environment of its own, made when it is first needed
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OFFLINE := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
ELSEWHERE := not slow and not gpu and not network and not trl and not verl and not ray and not track

export PYTHONDONTWRITEBYTECODE :=  # bytecode is kept whatever the environment says: tests start many interpreters

.PHONY: setup demo test test-trl test-verl test-ray test-track test-vllm check format

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -e ".[train,dev]" -c constraints.txt
	touch $@

$(VENV)-verl/.installed: CONSTRAINTS := constraints-verl.txt
CONSTRAINTS := constraints.txt
$(VENV)-track/.installed: EXTRAS := train,ui,wandb,tensorboard
EXTRAS = $*
$(VENV)-%/.installed: pyproject.toml constraints.txt constraints-verl.txt
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --disable-pip-version-check --quiet -e ".[$(EXTRAS),dev]" -c $(CONSTRAINTS)
	touch $@

demo: setup
	$(OFFLINE) $(BIN)/etalon demo

test: setup
	$(OFFLINE) $(BIN)/python -m pytest -n 2 --dist loadfile

test-trl: $(VENV)-trl/.installed  # the trl engine on 1 and 2 processes of this CPU
	$(OFFLINE) $(VENV)-trl/bin/python -m pytest -m trl

test-verl: $(VENV)-verl/.installed  # -W ignore: verl, ray and hydra warn while they are imported
	$(OFFLINE) $(VENV)-verl/bin/python -W ignore -m pytest -W ignore -m verl tests/test_verl*.py

test-ray: $(VENV)-ray/.installed  # rows over a Ray cluster of two processes
	$(OFFLINE) $(VENV)-ray/bin/python -m pytest -m ray tests/test_ray.py

test-track: $(VENV)-track/.installed  # the trackers themselves, without a network
	$(OFFLINE) $(VENV)-track/bin/python -m pytest -m track tests/test_track.py

test-vllm: setup  # a vLLM server on this CPU, serving the model of a finished demo
	BIN=$(BIN) PYTHON=$(PYTHON) bench/vllm.sh

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(OFFLINE) $(BIN)/python -m pytest -n 2 --dist loadfile -m "$(ELSEWHERE) and not torch and not live"

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
