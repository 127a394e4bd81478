"""Shared by all tests: settings of property tests, and the real weights that some need.

How long an example takes is the machine's affair, so hypothesis sets it no deadline. Every run draws the same examples,
whatever the order of the tests and the seed of pytest-randomly, so that a suite that passes here passes elsewhere;
`pytest --hypothesis-profile=explore` looks for further ones, and what it finds becomes an example of its test; with
`mutants` there are fewer, for the many runs of docs/mutants.md. A test that uses a fixture of real weights is marked
real_weights, and skipped with the reason where the weights are not on this machine.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("simul", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, derandomize=False)
settings.register_profile("mutants", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("simul")

# A shell starts what runs in its background with Ctrl-C ignored, which programs under test would inherit and obey.
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)

# Processes of pytest-xdist share the cores; a pool of threads in each would make them wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_WEIGHTS = frozenset(
    {
        "whisper_base_folder",
        "whisper_tiny_en_folder",
        "firefox_en_pt_folder",
        "firefox_pt_en_folder",
        "hibari_folder",
    }
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    in_reading_order(items)
    for item in items:
        if REAL_WEIGHTS & set(getattr(item, "fixturenames", ())):
            item.add_marker("real_weights")


def in_reading_order(items: list[pytest.Item]) -> None:
    """Snippets of a document go on where the ones before them ended, whatever the order of the tests."""
    places = [i for i, item in enumerate(items) if item.name.startswith("test_snippet_runs[")]
    snippets = sorted((items[i] for i in places), key=lambda item: item.callspec.indices["snippet"])  # type: ignore[attr-defined]
    for place, item in zip(places, snippets, strict=True):
        items[place] = item


def real_weights(name: str) -> Path:
    """The folder of a model of the catalogue, checked; skips where it is not on this machine."""
    from simul.errors import ModelMissingError
    from simul.models.catalogue import locate

    try:
        return locate(name)
    except ModelMissingError as error:
        pytest.skip(f"needs real weights: {error}")


@pytest.fixture(scope="session")
def whisper_base_folder() -> Path:
    """Whisper base for CTranslate2."""
    return real_weights("whisper-base")


@pytest.fixture(scope="session")
def whisper_tiny_en_folder() -> Path:
    """Whisper tiny.en for CTranslate2."""
    return real_weights("whisper-tiny.en")


@pytest.fixture(scope="session")
def firefox_en_pt_folder() -> Path:
    """Mozilla's student English to Portuguese."""
    return real_weights("firefox:en-pt")


@pytest.fixture(scope="session")
def firefox_pt_en_folder() -> Path:
    """Mozilla's student Portuguese to English."""
    return real_weights("firefox:pt-en")


@pytest.fixture(scope="session")
def hibari_folder() -> Path:
    """The package of the English voice."""
    return real_weights("hibari")
