"""A conversation in Chromium: two columns, one for each language, whoever speaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server import protocol as p
from tests.server.page.browser import Browser, Page, wait_for
from tests.server.page.conftest import opened
from tests.server.page.scripted import ScriptedServer
from tests.server.page.test_page import CONTRASTS, begin

LANGUAGES = {"source": ["auto", "en", "es"], "target": ["en", "es"]}
COLUMNS = """[...document.querySelectorAll('.row')].map((row) => {
    const texts = [...row.querySelectorAll('p')].map((e) => [e.getBoundingClientRect().left, e.innerText.trim()]);
    return texts.sort((a, b) => a[0] - b[0]).map(([, text]) => text);
})"""
"""What stands in each row, from left to right."""
TURNS = [
    ("en", "Good morning. How are you?", "es", "Buenos días. ¿Cómo está?"),
    ("es", "Muy bien, gracias.", "en", "Very well, thank you."),
    ("en", "Shall we begin?", "es", "¿Empezamos?"),
]


@pytest.fixture
def talk(browser: Browser) -> Iterator[tuple[Page, ScriptedServer]]:
    """The page of a server that was started for a conversation in English and Spanish."""
    server = ScriptedServer({"two_way": ["en", "es"], "languages": LANGUAGES})
    with opened(browser, server.url) as page:
        page.until("document.querySelector('#source').value")
        yield page, server
    server.down()


def say(server: ScriptedServer) -> None:
    for n, (spoken, said, other, told) in enumerate(TURNS):
        space, t0 = " " if n else "", n * 2000
        server.settle("source", n, space + said, t0, t0 + 1800, language=spoken)
        server.done("source", n, said, t0, t0 + 1800, language=spoken)
        server.settle(other, n, told, t0, t0 + 1800)
        server.done(other, n, told, t0, t0 + 1800)
    server.tail("source", len(TURNS), "Sí, claro", "es")


def test_each_language_has_its_column_whoever_speaks(talk: tuple[Page, ScriptedServer]) -> None:
    page, server = talk
    begin(page, server)
    assert server.session.start.two_way == ("en", "es")
    say(server)
    page.until("document.querySelectorAll('.row').length === 4")
    assert page.eval(COLUMNS) == [
        ["Good morning. How are you?", "Buenos días. ¿Cómo está?"],
        ["Very well, thank you.", "Muy bien, gracias."],
        ["Shall we begin?", "¿Empezamos?"],
        ["", "Sí, claro"],
    ]
    tops = page.eval(
        "[...document.querySelectorAll('.row')].map((r) => [...r.querySelectorAll('p')].map((e) => e.offsetTop))"
    )
    assert all(a == b for a, b in tops[:3]), "what belongs together stands side by side"
    heard = "[...document.querySelectorAll('#spoken p')].map((e) => [e.lang, e.textContent])"
    assert page.eval(heard) == [pair for a, x, b, y in TURNS for pair in ([a, x], [b, y])]
    assert page.eval("document.querySelector('#source').previousSibling.textContent") == "Between"


def test_a_conversation_ends_and_begins_while_it_runs(talk: tuple[Page, ScriptedServer]) -> None:
    page, server = talk
    begin(page, server)
    for pair in ((), ("en", "es")):
        page.eval("document.querySelector('#both').click()")

        def asked(pair: tuple[str, ...] = pair) -> bool:
            updates = [m for m in server.session.heard if isinstance(m, p.SessionUpdate)]
            return bool(updates) and updates[-1].two_way == pair

        wait_for(asked, "the change")


def test_what_was_said_is_exported_with_its_translations(
    talk: tuple[Page, ScriptedServer], browser: Browser
) -> None:
    page, server = talk
    begin(page, server)
    say(server)
    page.until("document.querySelectorAll('.row').length === 4")
    file: Path = browser.downloads / "simul.txt"
    for which, column in (("target", 3), ("source", 1)):
        page.eval(f"document.querySelector('[value={which}]').click()")
        page.eval("document.querySelector('#formats button').click()")
        wait_for(lambda: file.exists() and file.stat().st_size, "the text")
        assert file.read_text("utf-8").splitlines() == [turn[column] for turn in TURNS]
        file.unlink()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_can_be_read(talk: tuple[Page, ScriptedServer], scheme: str, width: int) -> None:
    page, server = talk
    page.prefer(color_scheme=scheme).size(width, 700)
    begin(page, server)
    say(server)
    page.until("document.querySelectorAll('.row').length === 4")
    assert page.eval(CONTRASTS) == []
    assert page.eval("document.documentElement.scrollWidth") <= width


def test_a_server_that_cannot_tell_languages_apart_offers_no_conversation(
    page: Page, server: ScriptedServer
) -> None:
    assert page.eval("document.querySelector('#detects').hidden")
    begin(page, server)
    assert server.session.start.two_way == ()
