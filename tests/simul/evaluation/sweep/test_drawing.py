"""Drawings: notes cover nothing, SVG fits into a page, and what is missing is said in one sentence."""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from simul.errors import ExitCode, ModelMissingError
from simul.evaluation.sweep.drawing import INK, SERIES, picture

pytest.importorskip("matplotlib")
PLACES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=12, unique=True)


@given(PLACES)
@settings(max_examples=10, phases=(Phase.explicit, Phase.generate))
def test_notes_cover_neither_each_other_nor_the_edge(places: list[tuple[int, int]]) -> None:
    with picture(4, 3) as drawing:
        axes = drawing.figure.subplots()
        for number, (x, y) in enumerate(places):
            drawing.mark(axes, x, y, INK, "", f"note {number}")
        drawing.svg("x")
        boxes = [note.get_window_extent() for note in axes.texts]
        assert 1 <= len(boxes) <= len(places)
        assert len(places) > 1 or axes.texts[0].get_text() == "note 0"
        for i, box in enumerate(boxes):
            assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1
            assert axes.bbox.y0 <= box.y0 < box.y1 <= axes.bbox.y1
            assert not box.count_overlaps(boxes[i + 1 :])


def drawn(tip: str = "a tip", note: str = "threshold=0.12345") -> str:
    with picture(4, 3) as drawing:
        axes = drawing.figure.subplots()
        drawing.mark(axes, 1.23456, 2, SERIES[0], tip, note)
        return drawing.svg('chrF < "100"')


def test_svg_has_the_colours_and_the_font_of_the_page() -> None:
    found = drawn()
    assert "var(--c0)" in found
    assert "var(--soft)" in found
    assert not re.search(r"#(16181d|5b616e|8b909b|eceef1|2a78d6)", found)
    assert set(re.findall(r"font-family: ([^;\"]*)", found)) == {"inherit"}


def test_svg_is_well_formed_and_names_nothing_that_another_one_names() -> None:
    first = ElementTree.fromstring(drawn().replace("<svg ", '<svg xmlns:xlink="x" '))
    assert first.tag == "svg"
    assert first.get("aria-label") == 'chrF < "100"'
    assert first.get("viewBox") == "0 0 288 216"
    names = [element.get("id") for element in first.iter() if element.get("id")]
    assert all(re.fullmatch(r"[mpC][0-9a-f_]{5,}", name or "") for name in names)
    used = re.findall(r'url\(#(\w+)\)|href="#(\w+)"', drawn())
    assert {a or b for a, b in used} <= set(names)


@pytest.mark.parametrize("tip", ["n=2: chrF 38.66612, LAAL 1.25 s", "a < b & c"])
def test_a_mark_tells_its_tip_and_texts_keep_their_digits(tip: str) -> None:
    found = drawn(tip)
    assert [unescape(text) for text in re.findall("<title>(.*?)</title>", found)] == [tip]
    assert ">threshold=0.12345</text>" in found


def test_the_same_drawing_is_the_same_bytes(tmp_path: Path) -> None:
    assert drawn() == drawn()
    for name in ("a.png", "b.png"):
        with picture(2, 2) as drawing:
            drawing.mark(drawing.figure.subplots(), 1, 2, INK, "", "note")
            drawing.png(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with (
        pytest.raises(ModelMissingError, match=r"^Pictures need matplotlib.*pip install .*plot") as raised,
        picture(1, 1),
    ):
        pass
    assert raised.value.exit_code == ExitCode.MODEL_MISSING
