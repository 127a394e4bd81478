"""What the page says where it may not have the microphone, and that it goes on after being cut off for long."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from server import protocol as p
from tests.server.page.browser import Browser, Page, wait_for
from tests.server.page.conftest import opened, write_wav
from tests.server.page.scripted import ScriptedServer
from tests.server.page.test_page import STATE, STATUS


def test_a_microphone_that_is_not_allowed_is_said_with_what_to_do(
    tmp_path: Path, server: ScriptedServer, browser: Browser
) -> None:
    tone = write_wav(tmp_path / "tone.wav", np.zeros(16_000), 16_000)
    strict = Browser(tmp_path / "strict", tone, allowed=False)
    try:
        with opened(strict, server.url) as page:
            page.until("document.querySelector('#source').value")
            page.call("Browser.setPermission", permission={"name": "microphone"}, setting="denied")
            page.click("#start")
            page.until(f"{STATE} === 'refused'")
            assert "Allow it for this page" in page.eval(STATUS)
            assert page.eval("document.querySelector('#start').innerText") == "Start"
            assert not server.sessions
    finally:
        strict.close()


def test_a_page_that_is_not_secure_says_how_it_gets_the_microphone(
    browser: Browser, server: ScriptedServer
) -> None:
    with opened(browser, server.url) as page:
        page.until("document.querySelector('#source').value")
        page.eval("void Object.defineProperty(window, 'isSecureContext', { value: false })")
        page.click("#start")
        page.until(f"{STATE} === 'insecure'")
        assert "https" in page.eval(STATUS)
        assert not server.sessions


def test_ten_seconds_without_a_network_lose_nothing(
    page: Page, server: ScriptedServer, tmp_path: Path
) -> None:
    pcm = np.random.default_rng(9).integers(-9000, 9000, 14 * 16_000)
    page.give_file("#file", write_wav(tmp_path / "talk.wav", pcm, 16_000))
    wait_for(lambda: server.sessions and server.session.received > 16_000, "a second")
    server.down()
    page.until(f"{STATE} === 'reconnecting'")
    page.eval("new Promise((done) => setTimeout(done, 10_000))")
    assert page.eval(STATE) == "reconnecting"
    server.up()
    wait_for(lambda: any(isinstance(m, p.SessionClose) for m in server.session.heard), "the end")
    assert len(server.sessions) == 1
    assert bytes(server.session.pcm) == pcm.astype("<i2").tobytes()
    server.finish()
    page.until(f"{STATE} === 'ended'")
    assert "nothing lost" in page.eval(STATUS)
