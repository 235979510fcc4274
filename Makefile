# `make demo` and `make test` set up all they need in .venv; `make check` is what CI runs besides the tests;
# `make bench VECTORS=…` measures search.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format docs bench clean

demo: $(VENV)/core
	$(BIN)/vecsmith compare --task pydocs --encoder static \
		--codec int8 --codec int4 --codec binary --codec trellis32B --codec trellis16B \
		--codec faiss:PQ64x4 --codec faiss:RaBitQ --out demo

test: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist worksteal

check: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python docs/cli.py --check

format: $(VENV)/dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/dev
	$(BIN)/python docs/cli.py

# VECTORS is a folder with corpus.npy and queries.npy of one model.
bench: $(VENV)/bench
	$(BIN)/python benchmarks/speed.py search $(VECTORS)

# What a user gets who types `pip install vecsmith`.
$(VENV)/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

# What the tests need, and the extras that they use.
$(VENV)/dev: $(VENV)/core
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[models,tune,mteb,report,stores,lexical,fast,ray]' --group dev
	touch $@

# The packages that the benchmark compares with.
$(VENV)/bench: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	touch $@

clean:
	rm -rf $(VENV) demo
