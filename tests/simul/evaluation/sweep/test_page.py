"""The page of a sweep: best settings, pictures where they can be drawn, and every score."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simul.evaluation.sweep.page import best_rows, document, table, write_html
from tests.simul.evaluation.sweep.made_up import with_curves


def test_the_table_has_every_setting_with_its_scores() -> None:
    sweep = with_curves(2)
    points = [
        replace(sweep.points[0], scores={**sweep.points[0].scores, "LAAL (CA)": 1234.0}),
        *sweep.points[1:],
    ]
    found = table(replace(sweep, points=points))
    assert found.header == ["policy", "settings", "BLEU", "chrF", "LAAL (CU) s", "LAAL (CA) s"]
    assert found.rows[0] == ["offline", "", "", "50.0", "1.00", "1.23"]
    assert found.rows[3] == ["hold-n", "n=1", "", "53.0", "1.03", ""]


def test_the_best_within_each_limit_is_named() -> None:
    assert best_rows(with_curves(2)) == [
        ("1 s LAAL", "none", "no setting is that fast"),
        ("2 s LAAL", "hold-n n=2", "chrF 54.0 at 1.04 s"),
        ("3 s LAAL", "hold-n n=2", "chrF 54.0 at 1.04 s"),
    ]


def test_a_page_needs_nothing_else_and_draws_many_policies_one_by_one(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for count, drawings in ((3, 1), (9, 2)):
        write_html(with_curves(count), tmp_path / "page.html", "A sweep")
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert page.count("<svg") == drawings
        assert page.count("policy by policy</h2>") == drawings - 1
        assert page.count("hold-n n=1: chrF 53.0, LAAL 1.03 s") == drawings
        assert "http" not in page
        assert "<script" not in page
        assert page.count("dashed: Offline") == 1
        assert len(re.findall("<tr>", page)) == 1 + len(with_curves(count).points)


def test_pseudo_references_are_said() -> None:
    found = document(replace(with_curves(2), pseudo=True), "A sweep")
    assert [notice.where for notice in found.notices] == ["references"]
    assert document(with_curves(2), "A sweep").notices == []


def test_without_matplotlib_the_page_says_so_in_place_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    write_html(with_curves(9), tmp_path / "page.html", "A sweep")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("Pictures need matplotlib, which is not installed") == 1
    assert "<svg" not in page
    assert "<td>hold-n</td><td>n=2</td>" in page
