"""The documentation of the policies: up to date, runnable, and true about its figures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from policies import describe
from policies.reference import updated

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "policies.md").read_text(encoding="utf-8")


def test_reference_is_what_the_registry_says() -> None:
    assert updated(PAGE) == PAGE, "run: python -m policies.reference docs/policies.md"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the marks"):
        updated("nothing")


def test_snippets_run() -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(snippets) == 2
    for snippet in snippets:
        exec(snippet, {})


def test_published_costs_cover_every_policy_and_keep_the_limit() -> None:
    figures = json.loads((DOCS / "policy-cost.json").read_text(encoding="utf-8"))
    costs = figures["us_per_chunk"]
    assert {info.name for info in describe()} == {re.split(r"\(", name)[0] for name in costs}
    assert figures["tokens"] == 200
    assert max(costs.values()) <= figures["limit_us"] == 200
