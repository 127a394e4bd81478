"""The page in Chromium against a scripted server: what a user sees, and what reaches the server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from server import protocol as p
from tests.server.page.browser import Browser, Page, wait_for
from tests.server.page.conftest import TONE, write_wav
from tests.server.page.scripted import PAGE, ScriptedServer

STATE = "document.body.dataset.state"
STATUS = "document.querySelector('#status').innerText"
TARGETS = "[...document.querySelectorAll('.row .target')].map((e) => e.innerText.trim())"
SOURCES = "[...document.querySelectorAll('.row .source')].map((e) => e.innerText.trim())"


def begin(page: Page, server: ScriptedServer) -> None:
    """Press the button; the session is there."""
    before = len(server.sessions)
    page.click("#start")
    wait_for(lambda: len(server.sessions) > before, "a session")
    page.until(f"{STATE} === 'live'")


def say(server: ScriptedServer, segment: int, source: str, target: str, stream: str = "de") -> None:
    """A whole segment of two seconds."""
    space, t0 = " " if segment else "", segment * 2000
    server.settle("source", segment, space + source, t0, t0 + 1800)
    server.settle(stream, segment, space + target, t0, t0 + 1800, lag=p.LagParts(100, 300, 900))
    server.done("source", segment, source, t0, t0 + 2000)
    server.done(stream, segment, target, t0, t0 + 2000)


def stop(page: Page, server: ScriptedServer) -> None:
    """Press the button again; the session ends."""
    page.click("#start")
    wait_for(lambda: any(isinstance(m, p.SessionClose) for m in server.session.heard), "the end")
    server.finish()
    page.until(f"{STATE} === 'ended'")


def tone_of(pcm: bytes) -> tuple[float, float]:
    """Frequency of the strongest part, and the share of energy that is not at it."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    peak = int(spectrum.argmax())
    near = spectrum[max(0, peak - 4) : peak + 5]
    at = (near * np.arange(max(0, peak - 4), peak + 5)).sum() / near.sum()
    return at * 16_000 / len(samples), 1 - near.sum() / spectrum.sum()


def test_all_files_are_small_and_their_own() -> None:
    files = sorted(PAGE.iterdir())
    alone = {"watch.html", "watch.css", "watch.js", "feed.js"}
    late = {"player.js"}  # loaded once there is speech to play
    assert sum(file.stat().st_size for file in files if file.name not in alone | late) <= 60 * 1024
    assert sum(file.stat().st_size for file in files if file.name in late) <= 2 * 1024
    assert sum(file.stat().st_size for file in files if file.name in alone) <= 11 * 1024
    text = "".join(file.read_text("utf-8") for file in files)
    assert not re.findall(r"(?:src|href|url\(|from|import)\W{1,3}https?:", text)
    assert "innerHTML" not in text
    for file in files:
        first = file.read_text("utf-8").split("\n")
        assert any(mark in line for line in first[:2] for mark in ("//", "/*", "<!-- ")), file


def test_speech_reaches_the_server_at_16_khz_and_whole(page: Page, server: ScriptedServer) -> None:
    for cleaning in ("echoCancellation", "noiseSuppression", "autoGainControl"):
        page.eval(f"document.querySelector('#{cleaning}').checked = false")
    begin(page, server)
    assert server.session.start.audio == p.AudioFormat("pcm_s16le", 16_000, 1)
    assert (server.session.start.source, server.session.start.targets) == ("en", ("de",))
    wait_for(lambda: server.session.received > 4 * 16_000, "four seconds")
    stop(page, server)
    pcm = bytes(server.session.pcm)
    frequency, rest = tone_of(pcm[16_000:-16_000])
    assert frequency == pytest.approx(TONE, rel=1e-3)
    assert rest < 0.01
    last = np.frombuffer(pcm, "<i2")[-1600:]
    assert np.abs(last).max() > 1000, "the last 100 ms were cut off"


def test_text_is_shown_settled_and_tail_apart(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    say(server, 0, "Good morning.", "Guten Morgen.")
    server.settle("de", 1, " Es ist", 2000, 2500, tail=" spät", lag=p.LagParts(100, 300, 900))
    server.tail("source", 1, "It is late")
    page.until(f"{TARGETS}[1] === 'Es ist spät'")
    assert page.eval(TARGETS) == ["Guten Morgen.", "Es ist spät"]
    assert page.eval(SOURCES) == ["Good morning.", "It is late"]
    looks = page.eval(
        "['.settled', '.tail'].map((s) => getComputedStyle(document.querySelectorAll('.row .target')[1]"
        ".querySelector(s))).map((c) => [c.fontStyle, c.color])"
    )
    assert looks[0][0] == "normal"
    assert looks[1][0] == "italic"
    assert looks[0][1] != looks[1][1]
    assert float(page.eval("document.querySelector('#lag .figure').innerText.split(' ')[0]")) >= 1.3
    assert page.eval("[...document.querySelectorAll('#lags dd')].map((e) => e.textContent)")[:3] == [
        "0.1 s",
        "0.3 s",
        "0.9 s",
    ]


def test_settled_text_never_changes_on_the_screen(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    page.eval(
        """window.broken = []; new MutationObserver((list) => list.forEach((m) => {
          const at = m.target.nodeType === 3 ? m.target.parentElement : m.target;
          if (at.closest('.settled') && (m.removedNodes.length || m.type === 'characterData')) broken.push(m.type);
          if ([...m.removedNodes].some((n) => n.className === 'row' || n.className === 'settled')) broken.push('row');
        })).observe(document.querySelector('#rows'), {childList: true, subtree: true, characterData: true})"""
    )
    words = [f"Wort{n}" for n in range(60)]
    for n, word in enumerate(words):
        server.tail("de", n // 10, f" vielleicht{n} anders")
        server.settle("de", n // 10, f" {word}", 100 * n, 100 * n + 90, tail=f" Rest{n}")
        if n % 10 == 9:
            server.done("de", n // 10, " ".join(words[n - 9 : n + 1]), 100 * (n - 9), 100 * n)
        if n == 25:
            server.cut()
            wait_for(lambda: server._open is not None, "the page is back")
    page.until(f"{TARGETS}.join(' ') === {json.dumps(' '.join(words))}")
    assert page.eval("broken") == []


def test_a_recording_survives_a_server_that_is_away_for_three_seconds(
    page: Page, server: ScriptedServer, tmp_path: Path
) -> None:
    pcm = np.random.default_rng(5).integers(-9000, 9000, 7 * 16_000)
    page.give_file("#file", write_wav(tmp_path / "talk.wav", pcm, 16_000))
    wait_for(lambda: server.sessions and server.session.received > 16_000, "a second")
    say(server, 0, "One.", "Eins.")
    page.until(f"{TARGETS}[0] === 'Eins.'")
    server.down()
    page.until(f"{STATE} === 'reconnecting'")
    page.eval("new Promise((done) => setTimeout(done, 3000))")
    server.up()
    page.until(f"{STATE} === 'resumed'")
    assert "Nothing was lost" in page.eval(STATUS)
    say(server, 1, "Two.", "Zwei.")
    wait_for(lambda: any(isinstance(m, p.SessionClose) for m in server.session.heard), "the end")
    assert len(server.sessions) == 1
    assert bytes(server.session.pcm) == pcm.astype("<i2").tobytes()
    server.finish()
    page.until(f"{STATE} === 'ended'")
    assert page.eval(TARGETS) == ["Eins.", "Zwei."]
    assert "nothing lost" in page.eval(STATUS)


def test_a_session_that_the_server_forgot_goes_on_behind_the_last_settled_word(
    page: Page, server: ScriptedServer, tmp_path: Path
) -> None:
    pcm = np.random.default_rng(6).integers(-9000, 9000, 4 * 16_000)
    page.give_file("#file", write_wav(tmp_path / "talk.wav", pcm, 16_000))
    wait_for(lambda: server.sessions and server.session.received > 24_000, "a second and a half")
    server.settle("de", 0, "Eins", 0, 1000)
    page.until(f"{TARGETS}[0] === 'Eins'")
    server.session.name = "forgotten"
    server.cut()
    wait_for(lambda: len(server.sessions) == 2, "a new session")
    wait_for(lambda: any(isinstance(m, p.SessionClose) for m in server.session.heard), "the end")
    assert bytes(server.session.pcm) == pcm[16_000:].astype("<i2").tobytes()
    server.settle("de", 0, "Zwei", 0, 1000)
    page.until(f"{TARGETS}[1] === 'Zwei'")
    assert page.eval("[...document.querySelectorAll('.row time')].map((e) => e.innerText)") == [
        "0:00",
        "0:01",
    ]


def test_what_is_said_before_the_models_are_there_is_not_lost(page: Page, server: ScriptedServer) -> None:
    server.ready = False
    page.click("#start")
    page.until(f"{STATE} === 'waiting'")
    assert "models are being loaded" in page.eval(STATUS)
    wait_for(lambda: server.session.received > 16_000, "audio that is kept")
    server.begin()
    page.until(f"{STATE} === 'live'")
    samples = np.frombuffer(bytes(server.session.pcm), "<i2")
    assert np.abs(samples[4000:8000]).max() > 1000


def test_states_are_said_in_sentences(page: Page, server: ScriptedServer) -> None:
    server.refusal = (
        p.ErrorMessage(
            "overloaded", "The server is full; try again in a few seconds.", True, retry_after_ms=900
        ),
        1013,
    )
    page.click("#start")
    page.until(f"{STATE} === 'full'")
    assert re.search(r"The server is full.* Trying again in 1 s", page.eval(STATUS))
    server.refusal = None
    page.until(f"{STATE} === 'live'")
    server.say(p.SessionProgress(20_000, 12_000, {}, 8000))
    page.until(f"{STATE} === 'behind'")
    assert "8.0 s behind" in page.eval(STATUS)
    server.say(p.SessionProgress(20_000, 19_900, {}, 100))
    page.until(f"{STATE} === 'live'")
    server.say(p.AudioLost(1000, 3500, "the connection was lost"))
    page.until("document.querySelector('.gap')?.innerText.startsWith('2.5 s at 0:01 are missing')")
    server.say(p.SessionMoving(5000, "", "The server is stopping; it is back in a moment."))
    page.until(f"{STATE} === 'notice'")
    server.say(p.ErrorMessage("failed", "The model failed: it has no memory left.", True))
    server.connections[-1].close(4400, "The model failed")
    page.until(f"{STATE} === 'error'")
    assert page.eval(STATUS) == "The model failed: it has no memory left."
    assert page.eval("document.querySelector('#start').innerText") == "Start"


def test_languages_change_while_it_runs(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    say(server, 0, "Good morning.", "Guten Morgen.")
    page.choose("#target", "fr")
    wait_for(lambda: server.session.targets == ("fr",), "the other language")
    say(server, 1, "Good night.", "Bonne nuit.", "fr")
    page.until(f"{TARGETS}[1] === 'Bonne nuit.'")
    assert page.eval("document.querySelectorAll('.row .target')[1].lang") == "fr"
    page.choose("#target", "ja")
    wait_for(lambda: server.session.targets == ("ja",), "a language that is not served")
    problem = "Japanese is not served here."
    server.say(p.ErrorMessage("unavailable", problem, True))
    server.connections[-1].close(4422, problem)
    wait_for(lambda: len(server.sessions) == 2, "a new session")
    assert server.session.start.targets == ("fr",)
    page.until(f"{STATE} === 'notice' && document.querySelector('#target').value === 'fr'")
    assert problem in page.eval(STATUS)


def test_terms_are_given_and_changed_while_it_runs(page: Page, server: ScriptedServer) -> None:
    page.choose("#terms", "Newgate\n\n  Gutenberg ")
    begin(page, server)
    assert server.session.start.glossary == ("Newgate", "Gutenberg")
    page.choose("#terms", "Neild")

    def changed() -> bool:
        updates = [m for m in server.session.heard if isinstance(m, p.SessionUpdate)]
        return bool(updates) and updates[-1].glossary == ("Neild",)

    wait_for(changed, "the other terms")


def test_exports_while_it_runs(page: Page, server: ScriptedServer, browser: Browser) -> None:
    begin(page, server)
    say(server, 0, "Good morning.", "Guten Morgen & willkommen <b>.")
    long = (
        "Dies ist ein langer Satz, der nicht in eine Zeile passt, und der deshalb in mehrere geteilt wird, "
    )
    long += "damit man ihn lesen kann."
    say(server, 1, "This is a long sentence.", long)
    server.settle("de", 2, " Noch offen", 4000, 4500, tail=" vielleicht")
    page.until(f"{TARGETS}.length === 3")
    found = {}
    for number, kind in enumerate(("txt", "srt", "vtt", "json")):
        page.eval(f"document.querySelectorAll('#formats button')[{number}].click()")
        file = browser.downloads / f"simul.{kind}"
        wait_for(lambda file=file: file.exists() and file.stat().st_size, f"{kind}")
        found[kind] = file.read_text("utf-8")
        file.unlink()
    assert found["txt"].splitlines() == ["Guten Morgen & willkommen <b>.", long, "Noch offen"]
    blocks = [block.split("\n") for block in found["srt"].strip().split("\n\n")]
    assert [block[0] for block in blocks] == [str(n + 1) for n in range(len(blocks))]
    assert blocks[0][1] == "00:00:00,000 --> 00:00:01,800"
    assert " ".join(line for block in blocks[1:-1] for line in block[2:]) == long
    assert all(len(line) <= 48 and len(block) <= 4 for block in blocks for line in block[2:])
    assert found["vtt"].startswith(
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.800\nGuten Morgen &amp; willkommen &lt;b&gt;.\n"
    )
    segments = json.loads(found["json"])["segments"]
    assert segments[0]["streams"]["source"] == {
        "language": "en",
        "text": "Good morning.",
        "t0": 0,
        "t1": 1800,
    }
    assert segments[2]["streams"]["de"]["text"] == "Noch offen"
    page.eval(
        "document.querySelector('[value=both]').click(); document.querySelector('#formats button').click()"
    )
    file = browser.downloads / "simul.txt"
    wait_for(lambda: file.exists() and file.stat().st_size, "both")
    assert file.read_text("utf-8").startswith("Guten Morgen & willkommen <b>.\nGood morning.\n\n")
    file.unlink()


def test_arabic_is_set_from_right_to_left(page: Page, server: ScriptedServer) -> None:
    page.choose("#target", "ar")
    begin(page, server)
    say(server, 0, "Good morning.", "صباح الخير", "ar")
    page.until(f"{TARGETS}[0] === 'صباح الخير'")
    style = "getComputedStyle(document.querySelector('.row .target'))"
    assert page.eval(
        f"[{style}.direction, getComputedStyle(document.querySelector('.row .source')).direction]"
    ) == ["rtl", "ltr"]
    edges = "[document.querySelector('.row .target'), document.querySelector('.row .target .settled')]"
    right = page.eval(f"{edges}.map((e) => e.getBoundingClientRect().right)")
    assert right[1] == pytest.approx(right[0], abs=1), "the text begins at the right edge"


@pytest.mark.parametrize("width", [320, 600, 1024, 2560])
def test_nothing_scrolls_sideways(page: Page, server: ScriptedServer, width: int) -> None:
    page.size(width, 700)
    begin(page, server)
    say(
        server,
        0,
        "Donaudampfschifffahrtsgesellschaft " * 4,
        "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz" * 3,
    )
    page.until(f"{TARGETS}.length === 1")
    seen = (
        "[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('.unseen'))"
    )
    beyond = page.eval(
        f"{seen}.filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)"
    )
    assert beyond == []
    assert page.eval("document.documentElement.scrollWidth") <= width
    assert (
        page.eval("document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth")
        == 0
    )


def test_the_names_of_the_languages_are_whole_at_320_pixels(page: Page) -> None:
    page.size(320, 640)
    places = page.eval(
        """['#source', '#target'].map((id, n) => {
            const select = document.querySelector(id), text = document.createElement('span');
            select.value = ['en', 'pt'][n];
            text.textContent = select.selectedOptions[0].text;
            text.style.cssText = `position: absolute; white-space: nowrap; font: ${getComputedStyle(select).font}`;
            document.body.append(text);
            return [text.textContent, text.offsetWidth, select.clientWidth];
        })"""
    )
    assert [name for name, *_ in places] == ["English", "Portuguese"]
    arrow = 16
    assert all(wide + arrow <= room for _, wide, room in places), places


def test_hostile_text_is_text(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    say(server, 0, hostile, hostile)
    page.until(f"{TARGETS}[0] === {json.dumps(hostile)}")
    assert page.eval("document.querySelectorAll('main img, main script').length") == 0


def test_everything_is_done_with_the_keyboard(page: Page, server: ScriptedServer) -> None:
    assert page.eval("document.activeElement.id") == "start"
    page.press("Enter")
    page.until(f"{STATE} === 'live'")
    say(server, 0, "One.", "Eins.")
    page.until(f"{TARGETS}.length === 1")
    reached = []
    for _ in range(12):
        page.press("Tab")
        reached.append(page.eval("document.activeElement.id"))
        if reached[-1] == "export":
            break
    assert "lag" in reached
    page.press("Enter")
    assert page.eval("document.querySelector('#exports').matches(':popover-open')")
    page.press("Escape")
    page.press("Tab")
    assert page.eval("document.activeElement.id") == "settings-open"
    page.press("Enter")
    assert page.eval("document.querySelector('#settings').open")
    page.press("Escape")
    page.press("Enter", modifiers=2)
    wait_for(lambda: any(isinstance(m, p.SessionClose) for m in server.session.heard), "the end")


def test_screen_readers_hear_settled_text_once(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    server.tail("de", 0, "Guten Tag")
    say(server, 0, "Good morning.", "Guten Morgen.")
    page.until("document.querySelector('#spoken').innerText.trim() === 'Guten Morgen.'")
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = {(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n.get("ignored")}
    assert ("log", "Settled text") in roles
    assert {"status", "main", "meter"} <= {role for role, _ in roles}
    controls = {"button", "combobox", "checkbox", "slider", "radio", "textbox"}
    assert not [role for role, name in roles if role in controls and not name]
    assert page.eval("document.querySelectorAll('main [aria-live], main [role=log]').length") == 0


def test_a_reload_restores_the_text(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    say(server, 0, "One.", "Eins.")
    page.until("localStorage.getItem('simul.rows')?.includes('Eins.')")
    page.go(server.url + "?again")
    page.until(f"{TARGETS}[0] === 'Eins.'")
    begin(page, server)
    say(server, 0, "Two.", "Zwei.")
    page.until(f"{TARGETS}.length === 2")
    assert page.eval(TARGETS) == ["Eins.", "Zwei."]


def test_scrolling_up_is_left_alone_and_old_rows_leave(page: Page, server: ScriptedServer) -> None:
    begin(page, server)
    for n in range(400):
        server.settle("de", n, f" Satz {n}.", n * 1000, n * 1000 + 900)
        server.done("de", n, f"Satz {n}.", n * 1000, n * 1000 + 900)
    page.until(f"{TARGETS}.at(-1) === 'Satz 399.'")
    assert page.eval("document.querySelectorAll('.row').length") == 300
    assert page.eval("document.querySelector('#earlier').innerText") == "100 earlier"
    page.eval("document.querySelector('main').scrollTop = 200")
    page.until("document.querySelector('main').scrollTop === 200")
    for n in range(400, 403):
        server.settle("de", n, f" Satz {n}.", n * 1000, n * 1000 + 900)
    page.until("document.querySelector('#newer').innerText === '3 new ↓'")
    assert page.eval("document.querySelector('main').scrollTop") == 200
    page.click("#newer")
    page.until("document.querySelector('#newer').hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(page: Page, server: ScriptedServer, scheme: str) -> None:
    page.prefer(color_scheme=scheme)
    begin(page, server)
    server.settle("de", 0, "Eins", 0, 900, tail=" zwei")
    server.settle("source", 0, "One", 0, 900, tail=" two")
    page.until(f"{TARGETS}[0] === 'Eins zwei'")
    assert page.eval(CONTRASTS) == []


CONTRASTS = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgb = (color) => (canvas.clearRect(0, 0, 1, 1), canvas.fillStyle = color, canvas.fillRect(0, 0, 1, 1),
    [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3));
  const light = (c) => c.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { while (e && getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)') e = e.parentElement;
    return rgb(getComputedStyle(e ?? document.body).backgroundColor); };
  const found = [];
  for (const e of document.querySelectorAll('header *, main *, footer *')) {
    if (!e.checkVisibility() || e.closest('option, :disabled') || !e.innerText?.trim() || e.childElementCount) continue;
    const back = behind(e), alpha = +getComputedStyle(e).opacity;
    const ink = rgb(getComputedStyle(e).color).map((v, i) => v * alpha + back[i] * (1 - alpha));
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push([e.outerHTML.slice(0, 90), (a + 0.05) / (b + 0.05)]);
  }
  return found;
})()"""
"""What stands out less than WCAG AA asks for."""
