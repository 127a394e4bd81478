"""What a sentence asks of its translation, and what is wrong with one."""

from __future__ import annotations

import pytest

from simul.models.translation.kept.demands import demands, faults, open_end
from simul.models.translation.kept.tongues import is_in


def found(source: str, text: str, target: str = "de") -> list[str]:
    asked = demands(source.split(), "en", target, lambda word: word in ("brown", "hot", "very"))
    return [fault.kind for fault in faults(text, asked, source, target)]


@pytest.mark.parametrize(
    ("source", "text", "kinds"),
    [
        ("It is half past eight.", "Es ist halb neun.", []),
        ("It is half past eight.", "Es ist halb drei.", ["time"]),
        ("There are 347 people.", "Es gibt 37 Leute.", ["number", "stray"]),
        ("He sold 30 of 30.", "Er verkaufte 30.", ["number"]),
        ("He lives in Berlin.", "Er lebt in Beton.", ["name"]),
        ("Come on Friday in May.", "Komm Freitag im Mai.", []),
        ("Come on Friday in May.", "Komm Montag im Mai.", ["date"]),
        ("It is warm and dry.", "Es ist warm und warm.", ["doubled"]),
        ("It grew slowly.", "Es wuchs nach und nach.", []),
        ("I disagree.", "Ich stimme zu.", ["negation"]),
        ("I disagree.", "Ich bin dagegen.", []),
        ("He can't swim.", "Er kann schwimmen.", ["negation"]),
        ("Not only he came.", "Auch er kam.", []),
        ("Hello", "Hallo hallo", ["doubled"]),
        ("It is very very hot.", "Es ist heiß heiß.", []),
        ("I see that they know.", "Ich sehe, dass die die kennen.", []),
        ("He went home.", "Er ging nach Hause nach Hause.", ["doubled"]),
        ("Go.", "Gegegegeh.", ["loop"]),
        ("The donkey slept.", "Der Arsch schlief.", ["rude"]),
        ("He said shit.", "Er sagte Scheiße.", []),
    ],
)
def test_faults_are_found(source: str, text: str, kinds: list[str]) -> None:
    assert found(source, text) == kinds


def test_other_pairs_of_languages_are_asked_for_numbers_at_most() -> None:
    assert [
        d.kind for d in demands(["Er", "hat", "12", "Hunde", "in", "Berlin."], "de", "en", lambda w: False)
    ] == ["number"]
    assert demands(["He", "has", "12", "dogs."], "en", "ja", lambda w: False) == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The train leaves at half past", 3),
        ("The train leaves at half", 3),
        ("It is a quarter to", 2),
        ("There are twenty", 2),
        ("There are 20 people", 4),
        ("There are twenty.", 3),
        ("at", 1),
        ("They come at", 3),
        ("twenty", 0),
    ],
)
def test_what_may_become_a_number_waits(text: str, kept: int) -> None:
    assert open_end(text.split(), "en") == kept
    assert open_end(text.split(), "fr") == len(text.split())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Er wohnt seit drei Jahren in Hamburg.", "de"),
        ("No sé dónde está la llave.", "es"),
        ("Je ne sais pas où il est.", "fr"),
        ("As crianças estão brincando no jardim.", "pt"),
        ("The children are playing in the garden.", None),
        ("Angela Merkel war president", None),
        ("Nein danke", None),
        ("He said die Zeit is a newspaper in Germany.", None),
    ],
)
def test_the_language_of_a_text_is_told(text: str, language: str | None) -> None:
    told = [code for code in ("de", "es", "fr", "pt") if is_in(text.split(), code, "en")]
    assert told == ([language] if language else [])
