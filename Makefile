# make setup | demo | test | check | bench | space | clean | clean-cache.  Options of pytest: make test ARGS="-k view"
SHELL := /bin/bash
ARGS ?=
HOST ?= 127.0.0.1
PORT ?= 7860

# The environment's own programs come first: ruff, and ffmpeg where the system has none.
IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"
OFFLINE := GRADIO_ANALYTICS_ENABLED=0 HF_HUB_OFFLINE=1

.PHONY: help setup demo test check bench space clean clean-cache

help:
	@echo "make setup        install the app into .venv (kept in a cache, shared by checkouts)"
	@echo "make demo         start the app on http://$(HOST):$(PORT)"
	@echo "make test         run the tests; ARGS=\"...\" goes to pytest"
	@echo "make check        ruff, and all tables and model cards against the recorded results"
	@echo "make bench        how fast it is, into artefacts/bench.json; ARGS=\"...\" goes to it"
	@echo "make space        upload the demo to the hub's Space SPACE=user/name; ARGS=--dry-run lists it"
	@echo "make clean        remove what runs and tests made, and .venv"
	@echo "make clean-cache  also remove the cached environments of every checkout"

setup:
	@tools/setup.sh

demo: setup
	@$(IN_VENV) $(OFFLINE) GRADIO_SERVER_NAME=$(HOST) GRADIO_SERVER_PORT=$(PORT) \
		exec .venv/bin/python app.py

test:
	@tools/setup.sh --dev
	@$(IN_VENV) $(OFFLINE) .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check:
	@tools/setup.sh --dev --no-system
	@$(IN_VENV) ruff check .
	@$(IN_VENV) $(OFFLINE) .venv/bin/python -m train.report --check

bench: setup
	@$(IN_VENV) $(OFFLINE) .venv/bin/python -m bench $(ARGS)

space: setup
	@$(IN_VENV) .venv/bin/python -m hyperdemo.space "$(SPACE)" $(ARGS)

clean:
	@rm -rf .pytest_cache .ruff_cache .gradio artefacts
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	@tools/setup.sh --remove

clean-cache: clean
	@tools/setup.sh --remove-cache
