"""Terms in a source, and their translations however they end."""

from __future__ import annotations

import pytest

from simul.models.translation.kept.terms import term_demands

TERMS = [("ward", "Station"), ("poor box", "Armenbüchse"), ("poor", "arm"), ("Red Cross", "Rotes Kreuz")]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("The ward is full.", [(1, 2, "Station")]),
        ("(The Ward's poor box)", [(1, 2, "Station"), (2, 4, "Armenbüchse")]),
        ("Poor boxes, poor wards", [(0, 1, "arm"), (2, 3, "arm")]),
        ("red-cross Red Cross", [(1, 3, "Rotes Kreuz")]),
        ("A steward forward", []),
        ("", []),
    ],
)
def test_terms_are_found_as_whole_words(source: str, found: list[tuple[int, int, str]]) -> None:
    demands = term_demands(source.split(), TERMS)
    assert [(d.first, d.last, *d.forms) for d in demands] == found


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("das Rote Kreuz hilft", (4, 14)),
        ("dem Roten Kreuz", (4, 15)),
        ("des Roten Kreuzes", (4, 17)),
        ("das rote Kreuzfahrtschiff", None),
        ("Rotwein am Kreuz", None),
    ],
)
def test_a_translation_may_end_otherwise(text: str, span: tuple[int, int] | None) -> None:
    (demand,) = term_demands(["Red", "Cross"], TERMS)
    assert demand.find(text) == span
