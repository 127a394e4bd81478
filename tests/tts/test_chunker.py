"""The chunker: nothing lost or doubled, units within their limits, cuts where a speaker would breathe."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts import Chunker, ChunkerConfig, TtsError


def units_of(text, language="en", config=None, pieces=None):
    chunker = Chunker(language, config)
    units = []
    for piece in pieces if pieces is not None else [text]:
        units += chunker.push(piece, 0.0)
    units += chunker.flush()
    assert chunker.held == ""
    return units


WORDS = st.sampled_from(
    [
        "und",
        "Haus",
        "Dr.",
        "z.",
        "B.",
        "3.",
        "10",
        "000",
        "3,50",
        "10:30",
        "%",
        "?",
        "!",
        "ja.",
        "nein,",
        "(so)",
        "–",
        "Donaudampfschifffahrt",
        "Straße",
        "…",
        "u.a.",
        "weil",
        "a",
        "你好。",
        '"Gut."',
        "it's",
    ]
)
TEXTS = st.one_of(
    st.lists(WORDS, max_size=40).map(" ".join),
    st.text(alphabet="ab1 .,!?\n\u00a0-\"'„“", max_size=60),
)


@settings(max_examples=300)
@given(st.data(), TEXTS, st.sampled_from(["de", "en", "fr", "xx"]))
def test_every_character_comes_back_once_in_order_however_the_text_was_cut(data, text, language):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    bounds = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in pairwise(bounds)]
    chunker = Chunker(language, ChunkerConfig(pause=0.5))
    units = []
    for time, piece in enumerate(pieces):
        units += chunker.poll(float(time))
        units += chunker.push(piece, float(time))
        assert "".join(units) + chunker.held == "".join(pieces[: time + 1])
    units += chunker.flush()
    assert "".join(units).rstrip() == text.rstrip()


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(["we", "house", "and", "with", "yes,", "wonderful", "so"]), max_size=60),
    st.integers(1, 8),
    st.integers(5, 40),
)
def test_no_unit_exceeds_the_limits_unless_it_is_one_word(words, most_words, most_characters):
    config = ChunkerConfig(most_words=most_words, most_characters=most_characters)
    text = " ".join(words)
    units = units_of(text, config=config)
    assert "".join(units).split() == words
    for unit in units:
        count = len(unit.split())
        assert count <= most_words
        assert count == 1 or len(unit.strip()) <= most_characters


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=30), st.sampled_from(["de", "en"]))
def test_word_by_word_gives_the_units_of_the_whole_text(words, language):
    text = " ".join(words)
    spaced = [word if i == 0 else f" {word}" for i, word in enumerate(words)]
    whole = units_of(text, language)
    stepwise = units_of(text, language, pieces=spaced)
    # What is certain to be a sentence goes out at once, so a mark that follows later starts the next unit.
    if not any(re.fullmatch(r"[%?!–…]", word) for word in words):
        assert [u.strip() for u in stepwise] == [u.strip() for u in whole]


@pytest.mark.parametrize("number", ["3.50", "10:30", "1,000,000", "10 000", "25 %", "192.168.0.1"])
def test_numbers_stay_whole_whatever_the_pieces(number):
    text = f"It takes exactly {number} of what we had, more or less, in the end."
    for pieces in ([text], list(text), re.findall(r"\s*\S+", text)):
        units = units_of(text, config=ChunkerConfig(most_words=4, clause_words=1), pieces=pieces)
        assert sum(number in unit for unit in units) == 1, units


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Dr. Frey kommt z. B. am 3. Mai um 10:30 Uhr."),
        ("de", "Das kostet ca. 5 Mio. Euro bzw. mehr."),
        ("en", "Mr. J. Smith of the U.S. team arrives at 5 p.m. today."),
        ("fr", "M. Dupont et Mme. Petit sont là, p.ex. ici ?"),
        ("es", "La Sra. García vive en EE.UU. desde hace años."),
    ],
)
def test_abbreviations_and_ordinals_do_not_end_a_sentence(language, text):
    loose = ChunkerConfig(clause_words=50, clause_characters=500, phrase_words=50, most_words=50)
    assert units_of(text, language, loose) == [text]
    assert units_of(text, language, loose, pieces=list(text)) == [text]


def test_sentences_go_out_at_once_and_short_clauses_wait():
    chunker = Chunker("de")
    assert chunker.push("Ja.", 0.0) == ["Ja."]
    assert chunker.push(" Gut,", 0.1) == []
    assert chunker.push(" dann gehen wir,", 0.2) == [" Gut, dann gehen wir,"]
    assert chunker.push(" wenn", 0.3) == []
    assert chunker.push(" es regnet!", 0.4) == [" wenn es regnet!"]


@pytest.mark.parametrize(
    ("text", "cut"),
    [("so do we, yes", 0), ("and so do we, yes", 13), ("yes, Winnetou,", 0), ("yes, Winnetou Freitag,", 22)],
)
def test_a_clause_is_spoken_from_four_words_or_twenty_characters_on(text, cut):
    assert Chunker("xx").push(text, 0.0) == ([text[:cut]] if cut else [])


def test_a_word_is_held_until_it_is_surely_whole():
    chunker = Chunker("de", ChunkerConfig(most_words=2))
    assert chunker.push("Der Zug", 0.0) == []
    assert chunker.push("führer", 0.1) == []
    assert chunker.push(" kommt", 0.2) == ["Der Zugführer"]
    assert chunker.poll(9.0) == []
    assert chunker.flush() == [" kommt"]


def test_a_long_phrase_is_cut_before_a_conjunction():
    text = "Wir fahren morgen mit dem Zug nach Berlin und besuchen dort meine alte Tante"
    assert units_of(text, "de") == [text[:29], text[29:]]
    assert text[29:].startswith(" nach Berlin")
    assert units_of(text, "xx") == [text]


def test_a_pause_lets_whole_words_go():
    chunker = Chunker("en", ChunkerConfig(pause=1.0))
    chunker.push("I would like", 5.0)
    assert chunker.poll(5.9) == []
    assert chunker.poll(6.0) == ["I would"]
    assert chunker.poll(20.0) == []
    assert chunker.flush() == [" like"]


def test_french_marks_after_a_blank_and_wide_marks_end_units():
    assert units_of("Où est la gare ? Elle est là !", "fr") == ["Où est la gare ?", " Elle est là !"]
    assert units_of("你好。今天天气很好！", "zh") == ["你好。", "今天天气很好！"]


@pytest.mark.parametrize("wrong", [{"most_words": 0}, {"clause_words": -1}, {"pause": 0.0}])
def test_impossible_limits_are_refused_by_name(wrong):
    with pytest.raises(TtsError, match=next(iter(wrong))):
        ChunkerConfig(**wrong)


@pytest.mark.parametrize(
    ("text", "rest", "spoken"), [("Hel", "lo ", "Hello "), ("10 0", "00 men ", "10 000 men ")]
)
def test_what_may_still_grow_is_held_however_long_it_waits(text, rest, spoken):
    chunker = Chunker("en", ChunkerConfig(pause_words=1))
    assert chunker.push(text, 0.0) + chunker.poll(9.0) == []
    assert chunker.push(rest, 9.0) + chunker.poll(18.0) == [spoken]
