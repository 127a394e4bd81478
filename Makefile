# Two commands do everything on a fresh machine with Python 3.10 or later: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
TALK ?= examples/travel.ogg

.PHONY: demo test test-long lint bench clean

$(VENV)/.embedded: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[embedded]"
	@touch $@

$(VENV)/.all: $(VENV)/.embedded
	$(PIP) -e ".[embedded,whisper,train,hf,mic,plot,dev]"
	@touch $@

# The peers that the adapters are tested in. Without their dependencies, of which most serve other purposes and
# SimulEval's plug into pytest; tests/peers.txt names those that the tests run through.
$(VENV)/.peers: $(VENV)/.all tests/peers.txt
	$(PIP) --no-deps -r tests/peers.txt
	@touch $@

demo: $(VENV)/.embedded  ## Stream a recording live: German captions on the terminal, German speech, latency table.
	@mkdir -p out
	$(BIN)/simul translate $(TALK) --target de --simulate --captions --stats --speak out/demo.wav

test: $(VENV)/.peers  ## The whole test suite.
	$(BIN)/python -m pytest

test-long: $(VENV)/.peers  ## Only the tests marked long.
	$(BIN)/python -m pytest -m long

lint: $(VENV)/.all  ## Linter and type checker.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) out
