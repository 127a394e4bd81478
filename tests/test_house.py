"""The rules of the house that the sources can be asked about: who imports whom."""

from __future__ import annotations

import ast
import builtins
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


def exceptions() -> dict[str, tuple[ast.ClassDef, str, list[str]]]:
    """Every class that is an exception by its bases: its definition, file and the bases' names."""
    classes = {}
    for folder in PACKAGES:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    classes[node.name] = (
                        node,
                        str(path),
                        [b.id for b in node.bases if isinstance(b, ast.Name)],
                    )
    found = {
        name
        for name, value in vars(builtins).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    while new := {
        name for name, (_, _, bases) in classes.items() if name not in found and found & set(bases)
    }:
        found |= new
    return {name: entry for name, entry in classes.items() if name in found}


def test_every_error_carries_its_exit_code() -> None:
    caught_within = {"NoValue", "_NotReadable"}
    errors = exceptions()
    assert {"SimulError", "PolicyError", "MetricsError", "SegmenterError", "TtsError"} <= set(errors)
    for name, (node, path, bases) in errors.items():
        stated = any(
            isinstance(line, ast.Assign)
            and isinstance(line.targets[0], ast.Name)
            and line.targets[0].id == "exit_code"
            for line in node.body
        )
        assert stated or any(base in errors for base in bases) or name in caught_within, f"{path}: {name}"
