"""The rules of the house that the sources can be asked about: who imports whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("simul", "policies", "latency_metrics", "segmenter", "tts", "dictation", "server")


def imported(source: str) -> Iterator[str]:
    """The modules that a file imports anywhere in it, also those that only a type checker sees."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nobody_imports_the_command_line() -> None:
    allowed = ROOT / "simul" / "__main__.py"
    for folder in (*PACKAGES, "benchmarks", "examples"):
        for path in (ROOT / folder).rglob("*.py"):
            if path != allowed and ROOT / "simul" / "cli" not in path.parents:
                found = [name for name in imported(path.read_text("utf-8")) if name.startswith("simul.cli")]
                assert not found, f"{path}: {found}"
