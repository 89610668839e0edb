# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
VIDEO ?= posetrack/demo/demo.mp4
OUT ?= out
export OMP_NUM_THREADS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: setup demo test check bench soak lock clean

setup: .venv/ready

# uv installs the whole pinned set in parallel; it comes from pip, into the same environment.
.venv/ready: requirements.txt requirements-dev.txt requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "$$($(PYTHON) -V 2>&1) does not serve: give one of 3.11 to 3.13, as in: make PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/posetrack track $(VIDEO) --out $(OUT) --overwrite

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

# Stages and networks, then memory over a long video (about 15 minutes on two cores).
bench: setup
	$(BIN)/posetrack bench
	$(BIN)/python -m scripts.benchmark_memory --frames 20000

# Hostile inputs by the thousand, kills and full disks (about an hour).
soak: setup
	$(BIN)/python -m scripts.soak --keep soak_failures

lock:
	$(BIN)/uv pip compile --quiet --no-strip-markers requirements.txt requirements-dev.txt --python-version 3.11 -o requirements.lock

clean:
	rm -rf .venv build out *.egg-info
