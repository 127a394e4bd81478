"""SoftSegmenter on texts: whole runs of the reference tool, and what holds for any text."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmenter import SegmenterError, SoftSegmenter
from tests.vectors import metric_vectors

TEXT = "the The then it's well-known well known Übung e.g. Mr. … ½ (end) ( ) , . — 3,5 天 \x01 ´ \u200b don’t"
WORDS = st.sampled_from(TEXT.split(" "))


def test_reference_runs() -> None:
    """The text of every segment of whole runs, word and character level, several languages."""
    checked = 0
    for name, content in metric_vectors("longform_*"):
        entries = content["input"].get("segmentation")
        if not entries or "hypotheses" not in content["input"]:
            continue
        options = content["options"]
        segmenter = SoftSegmenter(options["lang"], options["char_level"])
        texts: list[str] = [""] * len(entries)
        for hypothesis in content["input"]["hypotheses"]:
            source = hypothesis["source"]
            wav = source if isinstance(source, str) else source[0]
            stem = wav.rpartition("/")[2].rpartition(".")[0]
            places = [
                k for k, entry in enumerate(entries) if entry["wav"].rpartition("/")[2].startswith(stem)
            ]
            references = [content["input"]["references"][place] for place in places]
            found = segmenter.align(references, hypothesis["prediction"])
            for place, text in zip(places, found.texts("" if options["char_level"] else " "), strict=True):
                texts[place] = text
            checked += 1
        assert texts == [segment["prediction"] for segment in content["expected"]["resegmented"]], name
    assert checked > 10


@settings(max_examples=200)
@given(
    st.lists(st.lists(WORDS, max_size=6), max_size=5),
    st.lists(WORDS, max_size=20),
    st.sampled_from([None, "en", "de", "fr"]),
    st.booleans(),
)
def test_every_unit_has_a_segment_or_is_listed(
    refs: list[list[str]], words: list[str], lang: str | None, char_level: bool
) -> None:
    units = list(" ".join(words)) if char_level else words
    alignment = SoftSegmenter(lang, char_level).align([" ".join(ref) for ref in refs], units)
    assert alignment.segment_of_unit.dtype == np.int32
    assert len(alignment.segment_of_unit) == len(units)
    assert sum(alignment.units_per_segment()) + len(alignment.dropped) == len(units)
    assert len(alignment.units_per_segment()) == len(refs)
    kept = alignment.segment_of_unit[alignment.segment_of_unit >= 0]
    assert np.all(np.diff(kept) >= 0)
    first_tokens = {
        unit: token for token, unit in reversed(list(enumerate(alignment.unit_of_token.tolist())))
    }
    for unit, segment in enumerate(alignment.segment_of_unit.tolist()):
        token = first_tokens.get(unit)
        assert segment == (-1 if token is None else alignment.segment_of_token[token])
    assert alignment.ops.count("M") + alignment.ops.count("I") == len(alignment.tokens)
    assert alignment.ops.count("M") + alignment.ops.count("D") == len(alignment.ref_tokens)


@pytest.mark.parametrize("char_level", [False, True])
def test_a_perfect_hypothesis_is_cut_where_the_references_are(char_level: bool) -> None:
    dice = random.Random(11)
    letters = "天地人日月水火木金土" if char_level else "abcdefghijklmnop"
    for _ in range(30):
        refs = []
        for _ in range(dice.randint(1, 12)):
            words = ["".join(dice.choices(letters, k=4)) for _ in range(dice.randint(1, 9))]
            refs.append(("" if char_level else " ").join(words) + ("。" if char_level else "."))
        text = ("" if char_level else " ").join(refs)
        alignment = SoftSegmenter("zh" if char_level else "de", char_level).align(refs, text)
        assert set(alignment.ops) == {"M"}
        assert alignment.texts("" if char_level else " ") == refs


def test_a_word_goes_where_its_first_token_goes() -> None:
    """`(well` is dropped with its bracket, which has no punctuation to meet before the first word."""
    alignment = SoftSegmenter("en").align(["hello world"], "(well hello world")
    assert alignment.tokens == ["(", "well", "hello", "world"]
    assert alignment.dropped == [0]
    assert alignment.texts() == ["hello world"]


def test_words_without_tokens_are_dropped() -> None:
    assert SoftSegmenter("en").align(["a b"], ["a", "\x01", "b"]).dropped == [1]


def test_spaces_of_a_character_hypothesis_are_units() -> None:
    alignment = SoftSegmenter("zh", char_level=True).align(["天 地", "人"], "天 地人")
    assert alignment.units == ["天", " ", "地", "人"]
    assert alignment.ref_tokens == ["天", "地", "人"]
    assert alignment.units_per_segment() == [3, 1]


def test_units_keep_their_original_text() -> None:
    assert SoftSegmenter("de").align(["ergebnisse …"], "ERGEBNISSE ...").texts() == ["ERGEBNISSE ..."]


@pytest.mark.parametrize("references", [[], [""], ["", "\x01"]])
def test_without_reference_tokens_every_unit_is_dropped(references: list[str]) -> None:
    alignment = SoftSegmenter("en").align(references, "a b")
    assert alignment.dropped == [0, 1]
    assert alignment.units_per_segment() == [0] * len(references)


def test_an_empty_hypothesis_leaves_every_segment_empty() -> None:
    alignment = SoftSegmenter("en").align(["a b", "c"], "")
    assert alignment.ops == "DDD"
    assert alignment.texts() == ["", ""]


def test_a_single_text_is_refused() -> None:
    with pytest.raises(SegmenterError, match="list with one text for each segment"):
        SoftSegmenter().align("a b", "a b")


def test_the_compiler_is_loaded_by_the_first_alignment_only() -> None:
    code = (
        "import sys, segmenter\n"
        "s = segmenter.SoftSegmenter('en')\n"
        "assert s.align([], 'a').dropped == [0] and 'numba' not in sys.modules\n"
        "s.align(['a'], 'a')\n"
        "assert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_alignment_works_where_no_compiled_code_can_be_kept() -> None:
    code = (
        "import numba.core.caching as caching\n"
        "caching.CompileResultCacheImpl._locator_classes = []\n"
        "import segmenter\n"
        "assert segmenter.SoftSegmenter().align(['a b'], 'a b').ops == 'MM'\n"
        "from segmenter import kernel\n"
        "assert 'Null' in type(kernel.advance._cache).__name__\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
