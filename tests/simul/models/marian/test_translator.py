"""Students as text translators: what a cascade relies on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.errors import UsageError
from simul.models.marian.folder import load
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest, TextResult
from tests.simul.models.marian import tiny

WORDS = ("the", "red", "house", "stands", "near", "Old", "river,", "seven", "back!", "zebra")
SENTENCES = [f"{a.capitalize()} {b} {c}." for a in WORDS[:5] for b in WORDS[:4] for c in WORDS[3:5]]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("students")
    tiny.parts(made / "parts")
    tiny.firefox(made / "firefox", shortlist=True)
    return made


@pytest.fixture(scope="module")
def many(folder: Path) -> MarianTranslator:
    return MarianTranslator(folder / "parts", beam=2, alternatives=True)


def fresh(folder: Path) -> MarianTranslator:
    return MarianTranslator(folder / "parts", beam=2, alternatives=True)


def assert_same(a: TextResult, b: TextResult) -> None:
    assert (a.tokens, a.ids, a.ended, a.others) == (b.tokens, b.ids, b.ended, b.others)
    for one, other in (
        (a.logprobs, b.logprobs),
        (a.source_words, b.source_words),
        (a.source_attention, b.source_attention),
    ):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one, other)


@settings(max_examples=25)
@given(
    sources=st.lists(st.tuples(texts, st.sampled_from(["de", "es", "pt"])), min_size=2, max_size=5),
    cut=st.integers(0, 4),
)
def test_a_batch_in_several_languages_is_its_single_calls(
    folder: Path, many: MarianTranslator, sources: list[tuple[str, str]], cut: int
) -> None:
    begun = many.translate([TextRequest(*asked, max_new_tokens=6) for asked in sources])
    requests = [
        TextRequest(
            *asked, prefix=one.tokens[:cut], prefix_ids=one.ids[:cut], max_new_tokens=6, word_complete=cut > 2
        )
        for asked, one in zip(sources, begun, strict=True)
    ]
    again = fresh(folder)
    for request, result in zip(requests, many.translate(requests), strict=True):
        assert_same(result, again.translate([request])[0])


@settings(max_examples=25)
@given(source=texts, code=st.sampled_from(["de", "pt"]))
def test_evidence_fits_the_tokens_and_the_words(many: MarianTranslator, source: str, code: str) -> None:
    result = many.translate([TextRequest(source, code, max_new_tokens=8)])[0]
    count, words = len(result.tokens), len(source.split())
    assert count == len(result.ids) <= 8
    assert result.logprobs is not None
    assert result.logprobs.shape == (count,)
    assert (result.logprobs < 0).all()
    assert result.source_attention is not None
    assert result.source_attention.shape == (count, words)
    np.testing.assert_allclose(result.source_attention.sum(axis=1), 1, atol=1e-5)
    assert result.source_words is not None
    assert (np.diff(result.source_words) >= 0).all()
    assert ((result.source_words >= 0) & (result.source_words < words)).all()
    assert len(result.others) <= 1
    assert many.offers == 2


def test_nothing_comes_of_nothing(many: MarianTranslator) -> None:
    results = many.translate(
        [TextRequest("  ", "de"), TextRequest("red", "de"), TextRequest("red", "es", max_new_tokens=0)]
    )
    assert [bool(result.tokens) for result in results] == [False, True, False]
    assert many.translate([]) == []


def test_a_very_long_source_is_read_to_its_limit(many: MarianTranslator) -> None:
    result = many.translate([TextRequest("house river " * 600, "de", max_new_tokens=4)])[0]
    assert 0 < len(result.tokens) <= 4
    assert result.source_words is not None
    assert result.source_words.max() < 512


def test_an_unfinished_text_ends_where_the_room_ends(many: MarianTranslator) -> None:
    result = many.translate([TextRequest("the red house", "de", max_new_tokens=1)])[0]
    assert len(result.tokens) == (0 if result.ended else 1)


def test_a_shortlist_bounds_what_is_written(folder: Path) -> None:
    students = load(folder / "firefox")
    limited, free = MarianTranslator(students), MarianTranslator(students, shortlist=False)
    shortlist = students.targets["de"].shortlist
    assert shortlist is not None
    outside = 0
    for source in SENTENCES:
        allowed = set(shortlist.choose(students.vocabulary.encode(source), shared=True).tolist())
        assert set(limited.translate([TextRequest(source, "de")])[0].ids) <= allowed
        outside += len(set(free.translate([TextRequest(source, "de")])[0].ids) - allowed)
    assert outside


def test_a_language_that_is_not_served_is_refused(folder: Path) -> None:
    translator = MarianTranslator(folder / "parts", targets=["de"])
    assert translator.targets == {"de"}
    with pytest.raises(UsageError, match="into de, not 'es'"):
        translator.translate([TextRequest("red", "es")])
