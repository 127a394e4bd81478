"""Chromium for the tests of the page; without one they are skipped."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def page(browser: Browser, server: ScriptedServer) -> Iterator[Page]:
    """The page in a tab. Nothing may go wrong in it unnoticed."""
    found = browser.page(server.url)
    found.until("document.querySelector('#source').value")
    yield found
    found.eval("1")
    outside = [url for url in found.requests if f"127.0.0.1:{server.port}/" not in url and ":" in url]
    problems = [problem for problem in found.problems if "WebSocket connection to" not in problem]
    found.shut()
    assert not [url for url in outside if not url.startswith(("blob:", "data:", "about:"))]
    assert not problems
