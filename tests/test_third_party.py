"""Licences are credited, and the pins of packages that hold weights are the same wherever they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simul.models.catalogue import ENTRIES

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"[a-z0-9.-]+==[\d.]+")


def test_every_model_is_credited_with_its_licence() -> None:
    lines = (ROOT / "THIRD-PARTY.md").read_text(encoding="utf-8").splitlines()
    for name, entry in ENTRIES.items():
        shown = "firefox:*" if name.startswith("firefox:") else name
        (row,) = (line for line in lines if line.startswith("|") and f"`{shown}`" in line)
        assert entry.licence in row
        maker = re.split("[;,]", entry.origin)[0]
        assert maker in row


@pytest.mark.parametrize("wanted", ["whisper-base", "firefox:en-pt", "hibari"])
def test_extras_and_makefile_pin_what_the_catalogue_names(wanted: str) -> None:
    package = ENTRIES[wanted].package
    assert package is not None
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extra = re.search(rf"^{package.extra} = \[(.*?)\]$", project, re.MULTILINE | re.DOTALL)
    assert extra is not None
    assert set(package.requirements) <= set(PIN.findall(extra[1]))
    models = re.search(r"^MODELS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert models is not None
    assert set(package.requirements) <= set(models[1].split())


def test_documents_name_every_model() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    missing = [
        name for name in ENTRIES if f"`{name}`" not in text and f"`{name.partition(':')[2]}`" not in text
    ]
    assert missing == []
