"""The pages in Chromium against the gateway itself, with an engine whose text is a function of the samples."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from server import protocol as p
from server.stage.audience import Audience, Frames
from server.stage.speech import StageSpeech
from server.stage.stage import Stage
from server.workers.messages import SPEECH_RATE, SpeakText, TextSpoken
from tests.server.page.browser import Browser, wait_for
from tests.server.page.conftest import opened, write_wav
from tests.server.page.test_page import STATE, STATUS, TARGETS
from tests.server.page.test_speech import PLAYED
from tests.server.proof import expected, sound, spoken_words
from tests.server.rig import noise
from tests.server.test_gateway import Served, serving

T = TypeVar("T")
SAYINGS = f"""(() => {{
    window.said = [];
    const note = () => window.said.push({STATUS});
    window.noting?.disconnect();
    window.noting = new MutationObserver(note);
    window.noting.observe(document.body, {{ subtree: true, childList: true, characterData: true }});
}})()"""
LINES = "[...document.querySelectorAll('.row')].map((e) => e.innerText.trim())"


class GatewayThread:
    """A gateway whose loop runs in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._context = serving()
        self.served: Served = asyncio.run_coroutine_threadsafe(self._context.__aenter__(), self._loop).result(
            10
        )

    def do(self, action: Callable[[], T]) -> T:
        """Carry something out in the gateway's loop."""

        async def carried_out() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(carried_out(), self._loop).result(10)

    def cut(self) -> None:
        """Break all connections without a word."""
        for connection in list(
            self.served.gateway._server.connections if self.served.gateway._server else ()
        ):
            connection.transport.abort()

    def stop(self) -> None:
        """Close."""
        asyncio.run_coroutine_threadsafe(self._context.__aexit__(None, None, None), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture
def gateway() -> Iterator[GatewayThread]:
    """A gateway on loopback."""
    found = GatewayThread()
    yield found
    found.stop()


@pytest.fixture
def stage(gateway: GatewayThread) -> Stage:
    """The gateway's stage: English, German at once, French when a test says so."""

    def translate(number: int, text: str, code: str) -> None:
        if code == "de":
            stage.translated(number, code, f"de:{text}", served.gateway.now())

    stage = Stage(("en", "de", "fr"), translate)
    served = gateway.served
    served.host.stage = stage
    served.gateway.audience = Audience(stage, Frames(), served.gateway.now, "http://here/watch")
    return stage


def say(gateway: GatewayThread, stage: Stage, *lines: str) -> None:
    """Lines of a talk."""

    def said() -> None:
        for line in lines:
            now = gateway.served.gateway.now()
            stage.heard(p.SettledText("source", 0, line, "en", 0, 500), now)
            stage.heard(p.SegmentDone("source", 0, line, "en", 0, 500, "pause"), now)

    gateway.do(said)


def test_text_of_a_recording_is_that_of_its_samples_though_the_connection_breaks_twice(
    browser: Browser, gateway: GatewayThread, tmp_path: Path
) -> None:
    audio = noise(7.3, seed=11)
    recording = write_wav(tmp_path / "talk.wav", np.rint(audio * 32768), 16_000)
    with opened(browser, gateway.served.http + "/") as page:
        page.until("document.querySelector('#source').value")
        page.choose("#target", "fr")
        page.give_file("#file", recording)
        for segments in (1, 2):
            page.until(f"{TARGETS}.filter(Boolean).length > {segments}")
            # What the page says passes by; from here on it is written down.
            page.eval(SAYINGS)
            gateway.do(gateway.cut)
            page.until("window.said.includes('Connected again. Nothing was lost.')")
        page.until(f"{STATE} === 'ended'")
        assert " ".join(page.eval(TARGETS)) == expected(audio, "fr")
        assert "nothing lost" in page.eval(STATUS)


def test_a_microphone_is_heard_and_stopped(browser: Browser, gateway: GatewayThread) -> None:
    with opened(browser, gateway.served.http + "/") as page:
        page.until("document.querySelector('#source').value")
        page.choose("#target", "")
        page.click("#start")
        page.until("document.querySelectorAll('.row .source .settled').length > 1")
        page.click("#start")
        page.until(f"{STATE} === 'ended'")
        assert page.eval("document.querySelectorAll('.row .tail:not(:empty)').length") == 0
        assert gateway.do(lambda: gateway.served.host.active) == 0


def test_a_language_that_is_not_served_leaves_the_former_one_running(
    browser: Browser, gateway: GatewayThread
) -> None:
    with opened(browser, gateway.served.http + "/") as page:
        page.until("document.querySelector('#source').value")
        page.choose("#target", "de")
        page.click("#start")
        page.until(f"{TARGETS}.some((text) => text.startsWith('de'))")
        page.eval("document.querySelector('#target').add(new Option('Japanese', 'ja'))")
        page.choose("#target", "ja")
        page.until(f"{STATE} === 'notice'")
        assert page.eval("document.querySelector('#target').value") == "de"
        rows = page.eval(f"{TARGETS}.length")
        page.until(f"{TARGETS}.length > {rows + 1}")


def test_the_audience_reads_along_in_a_language_of_its_choice(
    browser: Browser, gateway: GatewayThread, stage: Stage
) -> None:
    say(gateway, stage, "Before you came.")
    with opened(browser, f"{gateway.served.http}/watch") as page:
        page.until(f"{LINES}[0] === 'Before you came.'")
        assert page.eval("[...document.querySelector('#lang').options].map((o) => o.text)") == [
            "English (as spoken)",
            "German",
            "French",
        ]
        page.choose("#lang", "de")
        page.until(f"{LINES}[0] === 'de:Before you came.'")
        say(gateway, stage, "Hello.")
        page.until(f"{LINES}[1] === 'de:Hello.'")
        gateway.do(gateway.cut)
        say(gateway, stage, "While you were away.")
        page.until(f"{LINES}.length === 3")
        assert page.eval(LINES) == ["de:Before you came.", "de:Hello.", "de:While you were away."]
        assert page.eval("document.querySelector('#spoken').children.length") == 4
        page.go(f"{gateway.served.http}/watch")
        page.until("document.querySelector('#lang').value === 'de'")


def test_what_is_late_is_shown_as_it_was_said(browser: Browser, gateway: GatewayThread, stage: Stage) -> None:
    with opened(browser, f"{gateway.served.http}/watch?lang=fr") as page:
        wait_for(lambda: gateway.do(lambda: stage.watchers), "a watcher")
        say(gateway, stage, "Hello.")
        page.until(f"{LINES}[0] === 'Hello.'")
        assert page.eval(
            "[document.querySelector('.row .source').lang, document.querySelector('.row').className]"
        ) == [
            "en",
            "row run late",
        ]
        gateway.do(lambda: stage.translated(0, "fr", "Bonjour.", 0.0))
        page.until(f"{LINES}[0] === 'Bonjour.'")


def test_the_audience_behind_a_proxy_that_breaks_websockets(
    browser: Browser, gateway: GatewayThread, stage: Stage
) -> None:
    page = browser.page()
    page.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="WebSocket = class { constructor() { setTimeout(() => this.onclose({ code: 1006 })); } close() {} }",
    )
    page.go(f"{gateway.served.http}/watch?lang=de")
    wait_for(lambda: gateway.do(lambda: stage.watchers), "a watcher")
    say(gateway, stage, "One.")
    page.until(f"{LINES}.length === 1")
    gateway.do(lambda: [watcher._transport.abort() for watcher in stage._watchers["de"]])
    wait_for(lambda: not gateway.do(lambda: stage.watchers), "it is gone")
    say(gateway, stage, "Two.")
    page.until(f"{LINES}.length === 2")
    assert page.eval(LINES) == ["de:One.", "de:Two."]
    page.shut()


def test_streaming_software_gets_two_lines_and_nothing_else(
    browser: Browser, gateway: GatewayThread, stage: Stage
) -> None:
    with opened(browser, f"{gateway.served.http}/watch?lang=de&lines=2&transparent") as page:
        page.size(1280, 400)
        wait_for(lambda: gateway.do(lambda: stage.watchers), "a watcher")
        say(gateway, stage, *[f"Sentence number {n} of a talk that goes on." for n in range(12)])
        page.until("document.querySelector('#rows').innerText.includes('number 11')")
        box = "document.querySelector('main').getBoundingClientRect()"
        line = "parseFloat(getComputedStyle(document.querySelector('#rows')).lineHeight)"
        assert page.eval(f"Math.round({box}.height / {line})") == 2
        assert page.eval("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
        shown = "[...document.querySelectorAll('header, footer')].filter((e) => e.checkVisibility()).length"
        assert page.eval(shown) == 0
        bottom = "document.querySelector('#rows').getBoundingClientRect().bottom"
        assert page.eval(f"{bottom} <= {box}.bottom + 1"), "the last line is the one seen"


def test_the_audience_listens_in_a_language_that_is_spoken(
    browser: Browser, gateway: GatewayThread, stage: Stage
) -> None:
    def speak(job: SpeakText) -> bool:
        said = TextSpoken("stage", job.number, job.language, sound(job.text), "v")
        asyncio.get_running_loop().call_soon(stage.speech.spoken, said, gateway.served.gateway.now())
        return True

    stage.speech = StageSpeech(("de",), speak)
    with opened(browser, f"{gateway.served.http}/watch?lang=fr") as page:
        page.until("document.querySelector('#lang').value === 'fr'")
        assert page.eval("document.querySelector('#listen').hidden")
        page.choose("#lang", "de")
        page.until("!document.querySelector('#listen').hidden")
        page.eval(PLAYED)
        page.click("#listen")
        wait_for(lambda: gateway.do(lambda: stage.speech.listeners) == 1, "a listener")
        assert page.eval("document.querySelector('#listen').ariaPressed") == "true"
        say(gateway, stage, "One two three.", "Four five.")
        wanted = spoken_words(sound("de:One two three. de:Four five."))
        page.until(f"window.played.filter((v) => v).length >= {len(wanted) * SPEECH_RATE // 10}")
        values = np.array(page.eval("[...window.played]"))
        assert spoken_words(np.rint(values * 32768).astype("<i2").tobytes()) == wanted
        page.click("#listen")
        wait_for(lambda: gateway.do(lambda: stage.speech.listeners) == 0, "silence")
        assert page.eval("document.querySelector('#listen').innerText") == "Listen"


def test_the_speaker_is_told_where_the_audience_reads(
    browser: Browser, gateway: GatewayThread, stage: Stage
) -> None:
    with opened(browser, gateway.served.http + "/") as page:
        page.until("document.querySelector('#about a') !== null")
        assert page.eval("document.querySelector('#about a').href") == f"{gateway.served.http}/watch"
        page.until("document.querySelector('#about img').naturalWidth > 0")


def test_the_pages_are_served_under_a_strict_policy(browser: Browser, gateway: GatewayThread) -> None:
    with opened(browser, gateway.served.http + "/") as page:
        page.until("document.querySelector('#source').value")
        page.eval(
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))"
        )
        assert page.eval("window.bad") is None
        problems = json.dumps(page.problems)
        page.problems.clear()
        assert "Content Security Policy" in problems
