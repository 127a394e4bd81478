"""What every package says is public: it is stated, it is there, and nothing else is."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import simul

ROOT = Path(simul.__file__).resolve().parent.parent
FACES = [
    ".".join(path.parent.relative_to(ROOT).parts)
    for package in ("simul", "policies", "latency_metrics", "segmenter", "tts", "dictation", "server")
    for path in sorted((ROOT / package).rglob("__init__.py"))
]


@pytest.mark.parametrize("name", FACES)
def test_what_is_stated_is_what_is_public(name: str) -> None:
    face = importlib.import_module(name)
    public = {
        member
        for member, value in vars(face).items()
        if not member.startswith("_") and not isinstance(value, ModuleType) and member != "annotations"
    }
    if face is simul:
        public = typed_names() | public - {"TYPE_CHECKING", "Any", "import_module"}
    assert sorted(getattr(face, "__all__", [])) == sorted(public)
    assert all(hasattr(face, member) for member in public)


def typed_names() -> set[str]:
    """The names of `simul` as a type checker sees them."""
    tree = ast.parse((ROOT / "simul" / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or "" for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def test_a_name_of_the_face_is_the_one_of_its_module() -> None:
    tree = ast.parse((ROOT / "simul" / "__init__.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simul."):
            for alias in node.names:
                if alias.asname and alias.asname.startswith("_"):
                    continue
                module = importlib.import_module(node.module or "")
                assert getattr(simul, alias.name) is getattr(module, alias.name)
    with pytest.raises(AttributeError, match="no attribute 'Sesion'"):
        simul.Sesion  # type: ignore[attr-defined]  # noqa: B018
    assert {"Session", "load_backend"} <= set(dir(simul))


def test_the_face_imports_nothing_before_it_is_used() -> None:
    script = (
        "import sys, simul\n"
        "before = {m for m in sys.modules if m.startswith('simul.') or m == 'numpy'}\n"
        "simul.StreamOptions()\n"
        "print(before, 'simul.config' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'simul.early'} True False\n"
