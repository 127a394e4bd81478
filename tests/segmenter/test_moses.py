"""Tokenisation of single words: reference vectors, cases of each rule, and what no rule may change."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter.moses import tokenize_word
from tests.vectors import metric_vectors

LANGUAGES = ["en", "de", "fr", "it", "es", "cs", "pt", "nl", "ru", "zz", "pl", "fi"]
ODD = "aszéß天हिİΣ½²Ⅳ.,'`’-…—“\"()%_5٣ \u00ad\u200b\u0301🙂ーﬁ№¨\x01\u00a0"


def test_reference_vectors() -> None:
    """Every word in every language as the Moses script cuts it."""
    checked = 0
    for _, content in metric_vectors("moses"):
        for lang, expected in content["expected"].items():
            for word, tokens in zip(content["words"], expected, strict=True):
                assert tokenize_word(word, None if lang == "none" else lang) == tokens, (lang, word)
                checked += 1
    assert checked > 3000


@pytest.mark.parametrize(
    ("lang", "word", "tokens"),
    [
        ("en", "Well-known", "well @-@ known"),
        ("en", "it's", "it 's"),
        ("en", "1990's", "1990 's"),
        ("en", "dogs'", "dogs'"),
        ("en", "'tis", "'tis"),
        ("en", "('tis", "( ' tis"),
        ("fr", "l'eau", "l' eau"),
        ("fr", "L’eau", "l ’ eau"),
        ("it", "l'a.", "l' a ."),
        ("de", "it's", "it ' s"),
        ("en", "Mr.", "mr ."),
        ("en", "vs.", "vs."),
        ("en", "e.g.", "e.g."),
        ("en", "2.0.", "2.0 ."),
        ("de", "z.", "z."),
        ("de", "99.", "99."),
        ("de", "100.", "100 ."),
        ("de", "usw.)", "usw. )"),
        ("en", "pp. 5", "pp. 5"),
        ("en", "pp. x", "pp. x"),
        ("en", "pp. X5", "pp. x5"),
        ("en", "no. (5", "no . ( 5"),
        ("zz", "vs.", "vs."),  # a language without a list has that of English ...
        ("zz", "it's", "it ' s"),  # ... but not its apostrophes
        ("ru", "vs.", "vs ."),  # a language whose list has no lower-case entry
        ("en", "wait...", "wait ..."),
        ("en", "a...b.", "a ... b ."),
        ("en", "3,5", "3,5"),
        ("en", "5,x", "5 , x"),
        ("en", "5,", "5,"),
        ("en", "x,", "x ,"),
        ("en", ",,", ", ,"),
        ("en", "½", "1 ⁄ 2"),
        ("en", "ﬁrst", "first"),
        ("en", "a\u200bb", "a \u200b b"),
        ("en", "हिन्दी", "हिन ् दी"),  # the vowel signs are alphabetic, the virama is not
        ("en", "\x01", ""),
        ("en", " ", ""),
        (None, "It's.", "it's."),
        ("zh", "Ａ，", "a,"),
        ("ja", "Don't", "don't"),
    ],
)
def test_rules(lang: str | None, word: str, tokens: str) -> None:
    assert tokenize_word(word, lang) == tokens.split(" ") * bool(tokens)


@settings(max_examples=500)
@given(st.one_of(st.text(st.sampled_from(ODD), max_size=10), st.text(max_size=8)), st.sampled_from(LANGUAGES))
def test_nothing_but_spaces_and_controls_is_lost(word: str, lang: str) -> None:
    tokens = tokenize_word(word, lang)
    normal = unicodedata.normalize("NFKC", word).lower()
    kept = [char for char in normal if not char.isspace() and char >= " "]
    assert "".join(tokens).replace("@-@", "-") == "".join(kept).replace("@-@", "-")
    assert all(token and " " not in token for token in tokens)


@given(st.text(max_size=8), st.sampled_from([None, "zh", "ja"]))
def test_untokenised_languages_keep_the_word_whole(word: str, lang: str | None) -> None:
    assert tokenize_word(word, lang) == [unicodedata.normalize("NFKC", word).lower()]
