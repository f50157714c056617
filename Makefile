# Two commands: `make demo` shows it, `make test` proves it. Python 3.10 or newer with venv, and a package index, is all.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check
INSTALL := $(BIN)/python $(PIP) --constraint constraints.txt
PEERS := build/peers/.venv
OLDEST := build/oldest/.venv
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
PYTEST_OLDEST := OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n 2 --dist loadfile tests/magics

.PHONY: demo lab test test-all bench bench-peers results wheel clean

demo: $(VENV)/.lab
	@mkdir -p build
	$(BIN)/jupyter nbconvert --config notebooks/export.py --execute --to html --log-level ERROR \
		--output-dir build --output quickstart notebooks/01_quickstart.ipynb
	@echo "Open build/quickstart.html in a browser, or run: make lab"

lab: $(VENV)/.lab
	$(BIN)/jupyter lab notebooks/01_quickstart.ipynb

test: $(VENV)/.test $(OLDEST)/.made
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow"
	$(PYTEST_OLDEST) -m "not slow"

test-all: $(VENV)/.test $(OLDEST)/.made
	$(PYTEST)
	$(PYTEST_OLDEST)

bench: $(VENV)/.test
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.building

bench-peers: $(PEERS)/.made

# Every claim in full, as notebooks 07 to 09 show them.
results: $(VENV)/.lab
	$(BIN)/python notebooks/results.py

wheel: $(VENV)/.test
	$(BIN)/python -m hatchling build -t wheel -d build

clean:
	rm -rf build $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "garage_nb needs Python 3.10 or newer; this is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.lab: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing into $(VENV); the first time takes some minutes."
	@$(INSTALL) torch
	@$(INSTALL) --editable ".[lab]"
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	@$(INSTALL) --editable ".[test]"
	@touch $@

# Their own pins, beside the same torch and transformers; nothing of it touches $(VENV).
$(PEERS)/.made: pyproject.toml constraints.txt
	@echo "Installing the peers into $(PEERS); the first time takes some minutes."
	@$(PYTHON) -m venv $(PEERS)
	@grep -E '^(torch|transformers)==' constraints.txt > build/peers/constraints.txt
	@$(PEERS)/bin/python $(PIP) --constraint build/peers/constraints.txt torch
	@$(PEERS)/bin/python $(PIP) --constraint build/peers/constraints.txt --editable ".[bench]"
	@touch $@

# The oldest IPython and ipykernel that are promised, before everything else of $(VENV).
$(OLDEST)/.made: $(VENV)/.test constraints-oldest.txt
	@$(BIN)/python -m venv $(OLDEST)
	@grep -vE "^($$(sed -n 's/==.*//p' constraints-oldest.txt | paste -sd '|' -))==" constraints.txt > build/oldest/constraints.txt
	@$(OLDEST)/bin/python $(PIP) --constraint constraints-oldest.txt --constraint build/oldest/constraints.txt \
		ipython ipykernel
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> "$$($(OLDEST)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth"
	@touch $@
