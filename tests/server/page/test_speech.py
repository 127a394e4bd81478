"""Speech of the translation in Chromium: every sample is played once, without gaps, over an original turned down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from server import protocol as p
from tests.server.page.browser import Browser, Page, wait_for
from tests.server.page.conftest import write_wav
from tests.server.page.scripted import ScriptedServer
from tests.server.page.test_page import begin

PLAYED = """(() => {
    window.played = [];
    const post = MessagePort.prototype.postMessage;
    MessagePort.prototype.postMessage = function (data, ...more) {
        if (data instanceof Float32Array) window.played.push(...data);
        return post.call(this, data, ...more);
    };
})()"""
"""Writes down what the player is given."""
COUNT = "window.played.length"
RENDERED = """(async () => {
    const [pieces, length, at] = %s;
    const context = new OfflineAudioContext(1, length, 24000);
    await context.audioWorklet.addModule('player.js');
    const player = new AudioWorkletNode(context, 'player', { numberOfInputs: 0 });
    player.connect(context.destination);
    for (const [i, n] of pieces.entries()) {
        context.suspend(at[i]).then(async () => {
            player.port.postMessage(n === 'end' ? n : Float32Array.from({ length: n }, (_, k) => 0.5));
            await new Promise((done) => setTimeout(done, 50));
            context.resume();
        });
    }
    return [...(await context.startRendering()).getChannelData(0)];
})()"""
"""What the player makes of pieces of an even sound that come at these seconds."""


def pcm(samples: int, seed: int) -> bytes:
    return np.random.default_rng(seed).integers(-9000, 9000, samples).astype("<i2").tobytes()


def want_speech(page: Page) -> None:
    page.eval("document.querySelector('#speech').click()")
    page.eval(PLAYED)


def played(page: Page) -> bytes:
    values = np.array(page.eval("[...window.played]"))
    return np.rint(values * 32768).astype("<i2").tobytes()


def test_speech_is_asked_for_and_every_sample_is_played_once(page: Page, server: ScriptedServer) -> None:
    want_speech(page)
    begin(page, server)
    assert server.session.start.want.speech
    sound = pcm(60_000, 1)
    server.speak("de", 0, sound[:72_000], 0)
    server.speak("de", 1, sound[72_000:], 36_000)
    page.until(f"{COUNT} >= 60000")
    assert played(page) == sound


def test_an_utterance_that_a_broken_connection_cut_is_heard_to_its_end(
    page: Page, server: ScriptedServer
) -> None:
    want_speech(page)
    begin(page, server)
    sound = pcm(48_000, 2)
    server.speak("de", 0, sound[:24_000], 0)
    page.until(f"{COUNT} === 12000")
    server.speak("de", 1, sound[24_000:], 12_000, cut=30_000)
    wait_for(lambda: server._open is not None, "the page is back")
    server.speak("de", 1, sound[24_000:], 12_000)
    page.until(f"{COUNT} >= 48000")
    assert played(page) == sound


def test_speech_is_switched_while_it_runs(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    assert not server.session.start.want.speech
    for on in (True, False):
        page.eval("document.querySelector('#speech').click()")

        def asked(on: bool = on) -> bool:
            updates = [m for m in server.session.heard if isinstance(m, p.SessionUpdate)]
            return bool(updates) and updates[-1].want is not None and updates[-1].want.speech is on

        wait_for(asked, "the change")


VOICES = {"de": [["de", "German"], ["de+f2", "German, higher"]], "fr": [["fr", "French"]]}
CHOSEN = """((id, value) => {
    const select = document.querySelector(id);
    select.value = value;
    select.dispatchEvent(new Event('change'));
})(%s)"""


def test_a_voice_is_chosen_for_each_language_and_changed_while_it_runs(browser: Browser) -> None:
    server = ScriptedServer({"voices": VOICES, "speech": ["de", "fr"]})
    page = browser.page(server.url)
    try:
        page.until("!document.querySelector('#voices').hidden")
        names = "[...document.querySelector('#voice').options].map((each) => each.text)"
        assert page.eval(names) == ["The usual one", "German", "German, higher"]
        want_speech(page)
        page.eval(CHOSEN % "'#voice', 'de+f2'")
        begin(page, server)
        assert server.session.start.want.voice == {"de": "de+f2"}

        def voices() -> list[dict[str, str]]:
            updates = [m for m in server.session.heard if isinstance(m, p.SessionUpdate)]
            return [m.want.voice for m in updates if m.want is not None]

        page.eval(CHOSEN % "'#target', 'fr'")
        wait_for(lambda: voices()[-1:] == [{}], "the usual voice of the other language")
        assert page.eval("document.querySelector('#voices').hidden")
        page.eval(CHOSEN % "'#target', 'de'")
        wait_for(lambda: voices()[-1:] == [{"de": "de+f2"}], "the voice that was chosen for the language")
        page.eval(CHOSEN % "'#voice', ''")
        wait_for(lambda: len(voices()) == 3 and voices()[-1] == {}, "the usual voice")
    finally:
        page.shut()
        server.down()


def test_in_a_conversation_each_language_has_its_voice(browser: Browser) -> None:
    both = {"de": VOICES["de"], "en": [["en", "English"], ["en-gb", "British"]]}
    server = ScriptedServer({"voices": both, "speech": ["de", "en"], "two_way": ["en", "de"]})
    page = browser.page(server.url)
    labels = "[...document.querySelectorAll('#voice, #other')].map((box) => box.parentNode)"
    shown = f"{labels}.filter((label) => !label.hidden).map((label) => label.firstChild.textContent)"
    try:
        page.until(f"{shown}.length === 2")
        assert page.eval(shown) == ["Voice (German)", "Voice (English)"]
        want_speech(page)
        page.eval(CHOSEN % "'#voice', 'de+f2'")
        page.eval(CHOSEN % "'#other', 'en-gb'")
        begin(page, server)
        assert server.session.start.want.voice == {"de": "de+f2", "en": "en-gb"}
        page.eval("document.querySelector('#both').click()")
        page.until(f"{shown}.length === 1")

        def asked() -> bool:
            updates = [m for m in server.session.heard if isinstance(m, p.SessionUpdate)]
            return (
                bool(updates) and updates[-1].want is not None and updates[-1].want.voice == {"de": "de+f2"}
            )

        wait_for(asked, "the voice of the language that is read")
    finally:
        page.shut()
        server.down()


def test_a_recording_is_turned_down_while_speech_is_heard(
    page: Page, server: ScriptedServer, tmp_path: Path
) -> None:
    page.eval("document.querySelector('#speech').click()")
    page.eval(
        """(() => {
            const set = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'volume').set;
            window.volumes = [];
            Object.defineProperty(HTMLMediaElement.prototype, 'volume', {
                set(value) { window.volumes.push(value); set.call(this, value); },
            });
        })()"""
    )
    page.give_file("#file", write_wav(tmp_path / "talk.wav", np.zeros(8 * 16_000), 16_000))
    wait_for(lambda: server.sessions and server.session.received > 8_000, "half a second")
    server.speak("de", 0, pcm(24_000, 3), 0)
    page.until("window.volumes.includes(0.126)")
    page.until("window.volumes.at(-1) === 1")


def rendered(page: Page, pieces: list[int | str], at: list[float], length: int) -> np.ndarray:
    return np.array(page.eval(RENDERED % json.dumps([pieces, length, at])))


def test_pieces_are_played_without_gaps_between_them(page: Page) -> None:
    at = [round(128 * n / 24_000, 6) for n in (0, 10, 20, 30)]
    sound = rendered(page, [12_000, 5_000, 7_000, "end"], at, 40_000)
    heard = np.flatnonzero(sound)
    assert heard[-1] - heard[0] + 1 == len(heard) == 24_000
    fade = int(0.005 * 24_000)
    assert np.allclose(sound[heard[0] + fade : heard[-1] - fade], 0.5)


def test_a_short_utterance_is_played_once_it_is_whole(page: Page) -> None:
    sound = rendered(page, [600, "end"], [0, round(128 * 90 / 24_000, 6)], 24_000)
    heard = np.flatnonzero(sound)
    assert len(heard) == 600
    assert heard[0] >= 128 * 90
