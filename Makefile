# edgectl's two commands: `make demo` and `make test`. Both stand on `make setup`.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-done
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)

.PHONY: setup demo test test-slow test-attack wheels lint format clean

setup: $(STAMP)

$(STAMP): $(PROJECTS)
	@command -v $(PYTHON) >/dev/null || { echo "edgectl needs Python 3.11 or later: make setup PYTHON=/path/to/python3"; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24" "setuptools>=77"
	# torch first and alone: later requirements then find it installed and leave it as it is
	$(BIN)/python -m pip install --quiet "torch==2.13.*"
	# an environment to build each of thirteen distributions in takes longer than building them
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-build-isolation -e ".[dev,onnx]" -e plugins/edgectl-ascend -e plugins/edgectl-c -e plugins/edgectl-fcos -e plugins/edgectl-fomo -e plugins/edgectl-hailo -e plugins/edgectl-horizon -e "plugins/edgectl-ncnn[pnnx]" -e plugins/edgectl-onnx -e plugins/edgectl-resnet -e plugins/edgectl-rknn -e plugins/edgectl-rtmdet -e "plugins/edgectl-tflite[tflm,vela]"
	touch $@

demo: setup
	$(BIN)/edgectl demo

# a process a core, and one thread in each: two pools of threads on the same cores are slower than either
test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses=8 --dist=worksteal

test-slow: setup
	$(BIN)/python -m pytest -m slow --timeout=1800

# every distribution of the repository; a slow test installs them in a fresh environment and runs the demo
wheels: setup
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . $(wildcard plugins/*)

# whatever a command may meet: kills and full disks at every file operation, damaged and hostile files, programs
# and plugins that misbehave; ends with a table of what was tried and what held
test-attack: setup
	OMP_NUM_THREADS=1 EDGECTL_ATTACK_TABLE=1 $(BIN)/python -m pytest -n auto --maxprocesses=8 --dist=worksteal --timeout=1800 -m "slow or not slow" tests/attack tests/test_files.py tests/test_locks.py tests/toolchains tests/data/test_fuzz.py tests/data/test_mutants.py tests/train/test_crash.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
