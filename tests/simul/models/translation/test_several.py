"""Several translators as one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from policies.base import Need
from simul.errors import UsageError
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.translation.several import SeveralTranslators


class Echo:
    """Writes the language and the source; keeps how many requests came at once."""

    def __init__(self, name: str, targets: Sequence[str], lacks: frozenset[Need] = frozenset()) -> None:
        self.name, self.sources, self.targets, self.lacks = name, frozenset({"en"}), frozenset(targets), lacks
        self.batches: list[int] = []

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        self.batches.append(len(requests))
        return [TextResult((f" {r.target}:{r.source}",), ()) for r in requests]


def test_requests_go_to_their_translator_together_and_come_back_in_order() -> None:
    both, french = Echo("both", ["de", "es"]), Echo("french", ["fr"])
    several = SeveralTranslators({"de": both, "es": both, "fr": french})
    found = several.translate([TextRequest("a", code) for code in ("fr", "de", "es", "de")])
    assert [result.tokens for result in found] == [(" fr:a",), (" de:a",), (" es:a",), (" de:a",)]
    assert both.batches == [3]
    assert french.batches == [1]
    assert several.targets == {"de", "es", "fr"}
    assert several.name == "both, french"


def test_what_one_lacks_all_lack() -> None:
    several = SeveralTranslators({"de": Echo("a", ["de"]), "fr": Echo("b", ["fr"], frozenset({Need.SPANS}))})
    assert several.lacks == {Need.SPANS}


def test_another_language_is_refused() -> None:
    with pytest.raises(UsageError, match="only into de"):
        SeveralTranslators({"de": Echo("a", ["de"])}).translate([TextRequest("a", "it")])
