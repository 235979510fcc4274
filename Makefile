# `make demo` and `make test` set up all they need in .venv; `make check` is what CI runs besides the tests;
# `make site` builds the documentation; `make wheel` builds and tries the wheel; `make lowest` tests the lowest versions
# of the dependencies; `make bench VECTORS=…` measures search.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format docs site wheel lowest bench clean

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
	$(BIN)/python docs/frontier.py --check
	$(BIN)/python docs/articles.py --check

format: $(VENV)/dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/dev
	$(BIN)/python docs/cli.py
	$(BIN)/python docs/frontier.py
	$(BIN)/python docs/articles.py

# Strict: a warning, such as a link that leads nowhere, is an error.
site: build/docs/ready
	PATH="$(CURDIR)/build/docs/bin:$$PATH" NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

# In environments of their own, so that nothing but the wheel and its dependencies is there.
wheel:
	rm -rf dist build/release build/wheel
	$(PYTHON) -m venv build/release
	build/release/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/release/bin/python -m pip install --quiet --group release
	build/release/bin/python -m build --outdir dist
	build/release/bin/twine check --strict dist/*
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet dist/*.whl
	cd build/wheel && PATH="$(CURDIR)/build/wheel/bin:$$PATH" bin/python -I ../../tests/check_wheel.py

# Tests that need no extra. uv resolves every direct dependency to its lowest version.
LOWEST_TESTS := $(addsuffix .py,$(addprefix tests/test_,cli codes embeddings files moments outputs plugins progress \
	text_files translators trellis unchanged))
lowest:
	rm -rf build/lowest
	$(PYTHON) -m venv build/lowest
	build/lowest/bin/python -m pip install --quiet uv
	build/lowest/bin/uv pip compile --quiet --resolution lowest-direct pyproject.toml --output-file build/lowest/pins.txt
	build/lowest/bin/uv pip install --quiet --python build/lowest/bin/python --requirements build/lowest/pins.txt \
		--group lowest
	build/lowest/bin/uv pip install --quiet --python build/lowest/bin/python --no-deps --editable .
	OMP_NUM_THREADS=1 build/lowest/bin/pytest --numprocesses auto --dist worksteal -k 'not NFCorpus' $(LOWEST_TESTS)

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

build/docs/ready: pyproject.toml
	$(PYTHON) -m venv build/docs
	build/docs/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/docs/bin/python -m pip install --quiet --group docs
	touch $@

# The packages that the benchmark compares with.
$(VENV)/bench: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	touch $@

clean:
	rm -rf $(VENV) demo dist build
