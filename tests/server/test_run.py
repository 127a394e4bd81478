"""What a server is told by its options before it begins."""

from __future__ import annotations

import pytest

from server.options import ServeOptions
from server.run import offered


@pytest.mark.parametrize(
    ("source", "languages"),
    [("en", "en de es fr pt"), ("es", "es en de fr pt"), ("de", "de en")],
)
def test_a_stage_offers_the_languages_that_are_translated_into(source: str, languages: str) -> None:
    assert offered(ServeOptions(stage=True), source) == tuple(languages.split())


def test_a_stage_offers_what_is_named_and_what_is_spoken() -> None:
    options = ServeOptions(stage=True, stage_language=("fr",), speak=("es",))
    assert offered(options, "en") == ("en", "fr", "es")
