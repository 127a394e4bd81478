"""The Python of the page on agreement runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_snippets_of_metrics_agreement_run(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "metrics-agreement.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("666.6666666666667 metric:LAAL")
    assert "1000.0" in printed
