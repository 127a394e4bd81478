"""Chromium for the tests of the page; without one they are skipped."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.server.page.browser import Browser, Page, executable
from tests.server.page.scripted import ScriptedServer

TONE, TONE_SECONDS = 440.0, 120


def write_wav(path: Path, pcm: np.ndarray, rate: int) -> Path:
    """A mono recording of 16-bit samples."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium whose microphone hears a tone."""
    if executable() is None:
        pytest.skip("no Chromium is installed")
    folder = tmp_path_factory.mktemp("browser")
    phase = 2 * np.pi * TONE * np.arange(TONE_SECONDS * 48_000) / 48_000
    found = Browser(folder, write_wav(folder / "tone.wav", np.rint(8000 * np.sin(phase)), 48_000))
    yield found
    found.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server; its port is new, so that the page has an empty memory."""
    found = ScriptedServer()
    yield found
    found.down()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """A tab with a page in which nothing may go wrong unnoticed, and which asks nobody but its server."""
    page = browser.page(url)
    yield page
    page.eval("1")
    host = urlsplit(url).netloc
    asked = {urlsplit(url).netloc for url in page.requests} - {host, ""}
    problems = [problem for problem in page.problems if "WebSocket connection to" not in problem]
    page.shut()
    assert not asked
    assert not problems


@pytest.fixture
def page(browser: Browser, server: ScriptedServer) -> Iterator[Page]:
    """The page in a tab."""
    with opened(browser, server.url) as found:
        found.until("document.querySelector('#source').value")
        yield found
