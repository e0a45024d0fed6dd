# Each command sets up .venv by itself; a second run installs nothing.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
VENV := .venv/Scripts/python.exe
else
VENV := .venv/bin/python
endif

.PHONY: help setup book lab test
help:
	@echo "make book   build the book and serve it on this machine (PORT=8123 chooses the port)"
	@echo "make lab    open the notebooks in JupyterLab"
	@echo "make test   run every test, twice, in random order (SEED=7 repeats one order, ARGS=\"-k results\" passes on)"
	@echo "make setup  only set up the environment, .venv (PYTHON=python3.12 chooses the interpreter)"

setup:
	@$(PYTHON) tools/bootstrap.py

book: setup
	@$(VENV) tools/book.py build
	@$(VENV) tools/book.py serve $(if $(PORT),--port $(PORT))

lab: setup
	@$(VENV) -m jupyter lab --notebook-dir=notebooks

test: setup
	@$(VENV) tools/run_tests.py $(if $(SEED),--seed $(SEED)) $(ARGS)
