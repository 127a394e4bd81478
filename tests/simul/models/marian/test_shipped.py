"""The students in the package: what only a network that has learnt can show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simul.models.marian.folder import SHIPPED, Students, load
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest
from simul.text import follows_word

SENTENCES = ("Hello, Mr. Brown!", "The children are playing in the garden.", "How are you today? I am fine.")


@pytest.fixture(scope="module")
def students() -> Students:
    return load(SHIPPED)


@pytest.fixture(scope="module")
def greedy(students: Students) -> MarianTranslator:
    return MarianTranslator(students)


def text(translator: MarianTranslator, request: TextRequest) -> str:
    return "".join(translator.translate([request])[0].tokens).strip()


def test_one_encoder_serves_four_languages() -> None:
    # Of their own, since an encoder that others have used may know the sentence.
    students = load(SHIPPED)
    greedy = MarianTranslator(students)
    assert greedy.targets == {"de", "es", "fr", "pt"}
    source = "The children are playing in the garden."
    before = students.encoder.encoded
    found = {code: text(greedy, TextRequest(source, code)) for code in sorted(greedy.targets)}
    for code, word in (("de", "Kinder"), ("es", "niños"), ("fr", "enfants"), ("pt", "crianças")):
        assert word in found[code].split()
    assert students.encoder.encoded == before + 1


@pytest.mark.parametrize("code", ["de", "es", "fr", "pt"])
def test_sentences_are_translated_one_by_one(greedy: MarianTranslator, code: str) -> None:
    alone = greedy.translate([TextRequest(source, code) for source in SENTENCES])
    together = greedy.translate([TextRequest(" ".join(SENTENCES), code)])[0]
    assert together.ids == tuple(i for result in alone for i in result.ids)
    assert together.ended
    assert together.source_words is not None
    assert together.source_attention is not None
    first = row = 0
    for source, result in zip(SENTENCES, alone, strict=True):
        rows, columns = slice(row, row + len(result.ids)), slice(first, first + len(source.split()))
        assert result.source_words is not None
        np.testing.assert_array_equal(together.source_words[rows], first + result.source_words)
        np.testing.assert_array_equal(together.source_attention[rows, columns], result.source_attention)
        row, first = rows.stop, columns.stop
    np.testing.assert_allclose(together.source_attention.sum(axis=1), 1, atol=1e-5)
    assert together.source_attention.shape == (row, first)


@pytest.mark.parametrize("code", ["de", "pt"])
def test_a_committed_text_is_continued_in_the_sentence_it_ends_in(
    students: Students, greedy: MarianTranslator, code: str
) -> None:
    source = " ".join(SENTENCES)
    whole = greedy.translate([TextRequest(source, code)])[0]
    for cut in range(len(whole.ids)):
        request = TextRequest(source, code, prefix_ids=whole.ids[:cut])
        for translator in (greedy, MarianTranslator(students)):
            result = translator.translate([request])[0]
            assert result.ids == whole.ids[cut:]
            assert result.source_words is not None
            assert whole.source_words is not None
            np.testing.assert_array_equal(result.source_words, whole.source_words[cut:])


def test_a_limit_cuts_in_any_sentence(greedy: MarianTranslator) -> None:
    whole = greedy.translate([TextRequest(" ".join(SENTENCES), "es")])[0]
    for limit in (1, 9, len(whole.ids) - 1):
        result = greedy.translate([TextRequest(" ".join(SENTENCES), "es", max_new_tokens=limit)])[0]
        assert result.ids == whole.ids[:limit]
        assert not result.ended
        for evidence in (result.logprobs, result.source_words, result.source_attention):
            assert evidence is not None
            assert len(evidence) == limit


def test_a_committed_beginning_is_kept(students: Students, greedy: MarianTranslator) -> None:
    source = "Please do not touch the red button!"
    pieces = students.targets["pt"].vocabulary.encode("Não toque")[:-1]
    result = greedy.translate([TextRequest(source, "pt", prefix_ids=tuple(pieces), word_complete=True)])[0]
    assert "".join(result.tokens) == " no botão vermelho!"


def test_a_finished_word_is_not_made_longer(greedy: MarianTranslator) -> None:
    source = TextRequest("The children are playing in the garden.", "de")
    whole = greedy.translate([source])[0]
    for cut in range(1, len(whole.ids)):
        free = replace(source, prefix_ids=(*whole.ids[:cut],))
        held = greedy.translate([replace(free, word_complete=True)])[0]
        assert follows_word(held.tokens[0])
        assert greedy.translate([free])[0].ids == whole.ids[cut:]


def test_a_decoder_that_read_written_text_only_gets_it(students: Students, greedy: MarianTranslator) -> None:
    said = TextRequest("the train from london leaves on monday and we will meet in paris", "pt")
    written = replace(said, source="The train from London leaves on Monday, and we will meet in Paris.")
    assert greedy.translate([said])[0].ids == greedy.translate([written])[0].ids
    part = replace(written, source=written.source[:-1])
    assert text(greedy, replace(said, complete=False)) == text(greedy, part)
    plain = MarianTranslator(replace(students, restorer=None))
    stated = replace(said, source="The train from london leaves on monday and we will meet in paris.")
    assert plain.translate([said])[0].ids == plain.translate([stated])[0].ids


@pytest.mark.parametrize("code", ["de", "es", "fr", "pt"])
def test_a_beginning_with_a_capital_begins_with_one(greedy: MarianTranslator, code: str) -> None:
    for source in ("I have", "To have", "Of course", "Never say"):
        said = text(greedy, TextRequest(source, code, complete=False))
        assert next(c for c in said if c.isalpha()).isupper(), said


def test_words_are_aligned(greedy: MarianTranslator) -> None:
    source = "The children are playing in the garden because it will rain tomorrow."
    result = greedy.translate([TextRequest(source, "pt")])[0]
    assert result.source_attention is not None
    for target, word in (
        (" crianças", "children"),
        (" jardim", "garden"),
        (" porque", "because"),
        (" cho", "rain"),
    ):
        row = result.source_attention[result.tokens.index(target)]
        assert source.split()[int(row.argmax())] == word
