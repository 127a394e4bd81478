"""The words that the embedded recogniser's language model knows."""

from __future__ import annotations

from simul.models.embedded.vocabulary import known_words


def test_words_are_known_and_names_of_markers_are_not() -> None:
    words = known_words()
    assert {"the", "a", "gate", "nailed", "don't", "zydeco"} <= words
    assert not {"newgate", "subiaco", "</s>", "<s>", ""} & words
    assert 50_000 < len(words) < 200_000
