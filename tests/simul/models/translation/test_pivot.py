"""Translation in two steps: text, forced beginnings, and evidence that leads back to the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from policies.base import Need
from simul.errors import UsageError
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.translation.pivot import PivotTranslator, word_of_tokens


@dataclass
class Table:
    """Translates by a table of texts: tokens, and for each the source words it attends to in equal shares."""

    rows: dict[str, list[tuple[str, Sequence[int]]]]
    sources: frozenset[str]
    targets: frozenset[str]
    name: str = "table"
    seen: list[TextRequest] = field(default_factory=list)

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        self.seen += requests
        return [self._result(request) for request in requests]

    def _result(self, request: TextRequest) -> TextResult:
        skip = len(request.prefix_ids)
        row = self.rows.get(request.source, [])[skip:]
        shares = np.zeros((len(row), len(request.source.split())), np.float32)
        for i, (_, words) in enumerate(row):
            shares[i, list(words)] = 1 / len(words)
        resting = np.maximum.accumulate(np.array([max(words) for _, words in row], np.int64))
        ids = tuple(range(skip, skip + len(row)))
        return TextResult(tuple(t for t, _ in row), ids, -np.ones(len(row)), resting, True, shares)


FIRST = {"ich habe es gesehen": [(" I", [0]), (" have", [1]), (" se", [3]), ("en", [3]), (" it", [2])]}
SECOND = {"I have seen it": [(" Eu", [0]), (" o", [3]), (" vi", [1, 2]), (".", [2])]}


@pytest.fixture
def pivot() -> PivotTranslator:
    first = Table(FIRST, frozenset({"de"}), frozenset({"en", "fr"}), "one")
    return PivotTranslator(first, Table(SECOND, frozenset({"en"}), frozenset({"pt"}), "two"))


def test_a_text_goes_through_both(pivot: PivotTranslator) -> None:
    result = pivot.translate([TextRequest("ich habe es gesehen", "pt", complete=False)])[0]
    assert result.tokens == (" Eu", " o", " vi", ".")
    assert (pivot.sources, pivot.targets, pivot.name) == ({"de"}, {"pt"}, "one+two")
    assert isinstance(pivot.first, Table)
    assert isinstance(pivot.second, Table)
    assert pivot.first.seen == [TextRequest("ich habe es gesehen", "en", complete=False)]
    assert pivot.second.seen == [TextRequest("I have seen it", "pt", complete=False)]


def test_evidence_leads_back_to_the_source(pivot: PivotTranslator) -> None:
    result = pivot.translate([TextRequest("ich habe es gesehen", "pt")])[0]
    assert result.source_attention is not None
    assert result.source_words is not None
    wanted = [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0.5, 0, 0.5], [0, 0, 0, 1]]
    np.testing.assert_allclose(result.source_attention, wanted, atol=1e-6)
    np.testing.assert_array_equal(result.source_words, [0, 3, 3, 3])


def test_the_committed_text_is_forced_in_the_target_only(pivot: PivotTranslator) -> None:
    request = TextRequest(
        "ich habe es gesehen",
        "pt",
        prefix=(" Eu", " o"),
        prefix_ids=(0, 1),
        max_new_tokens=5,
        word_complete=True,
    )
    result = pivot.translate([request])[0]
    assert result.tokens == (" vi", ".")
    assert isinstance(pivot.first, Table)
    assert isinstance(pivot.second, Table)
    assert pivot.first.seen[0].prefix_ids == ()
    seen = pivot.second.seen[0]
    assert (seen.prefix_ids, seen.max_new_tokens, seen.word_complete) == ((0, 1), 5, True)


def test_nothing_in_between_gives_nothing(pivot: PivotTranslator) -> None:
    result = pivot.translate([TextRequest("unbekannt", "pt")])[0]
    assert result.tokens == ()
    assert result.source_attention is not None
    assert result.source_attention.shape == (0, 1)


def test_a_step_without_evidence_gives_none() -> None:
    class Blind(Table):
        lacks = frozenset({Need.SPANS, Need.LOGPROBS})

        def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
            return [TextResult(r.tokens, r.ids) for r in super().translate(requests)]

    first = Blind(FIRST, frozenset({"de"}), frozenset({"en"}))
    pivot = PivotTranslator(first, Table(SECOND, frozenset({"en"}), frozenset({"pt"})))
    assert pivot.lacks == {Need.SPANS}
    result = pivot.translate([TextRequest("ich habe es gesehen", "pt")])[0]
    assert result.logprobs is not None
    assert result.source_words is None


def test_two_that_do_not_meet_are_refused() -> None:
    first = Table({}, frozenset({"de"}), frozenset({"fr"}), "one")
    with pytest.raises(UsageError, match="one and two do not meet in 'en'"):
        PivotTranslator(first, Table({}, frozenset({"en"}), frozenset({"pt"}), "two"))


def test_tokens_belong_to_the_words_between_white_space() -> None:
    np.testing.assert_array_equal(
        word_of_tokens([" I", " have", " ", "se", "en", " it", "."]), [0, 1, 1, 2, 2, 3, 3]
    )
