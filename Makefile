# One word for each thing that is done often. `make` alone lists them.
#
# Commands run in .venv, which is made when it is missing and brought up to date when
# pyproject.toml has changed. To use an environment of your own: make test PYTHON=python

ifdef PYTHON
READY =
else
PYTHON = .venv/bin/python
READY = .venv/.installed
endif

.PHONY: help install test check format docs dist benchmark clean

help:  ## list these commands
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1	\2/p' Makefile

install: $(READY)  ## make .venv with the package (editable) and all tools

.venv/.installed: pyproject.toml
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --editable ".[test,docs,dev]"
	touch $@

test: $(READY)  ## run tests and doctests
	$(PYTHON) -m pytest

check: $(READY)  ## check style, change nothing
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format: $(READY)  ## format the code
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

docs: $(READY)  ## build the documentation and run the examples
	$(PYTHON) -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

dist: $(READY)  ## build the source archive and the wheel into dist/, check their metadata
	rm -rf dist
	$(PYTHON) -m build --outdir dist .
	$(PYTHON) -m twine check --strict dist/*

benchmark: $(READY)  ## measure speed against other ways, write docs/performance.md (30 minutes)
	$(PYTHON) tests/benchmarks/speed.py --results build/speed.json --write docs/performance.md

clean:  ## remove what was built, except .venv
	rm -rf docs/_build docs/auto_examples docs/api/generated docs/sg_execution_times.rst
	rm -rf .pytest_cache .ruff_cache .hypothesis build dist
