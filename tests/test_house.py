"""The rules of the house that the sources can be asked about: who imports whom, names, sizes, errors."""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("simul", "policies", "latency_metrics", "segmenter", "tts", "dictation", "server")

FLOORS: tuple[str, ...] = (
    "segmenter policies tts simul.early",
    "latency_metrics",
    "simul.errors simul.install simul.languages simul.clock simul.closing",
    "simul.units simul.text simul.options simul.files simul.plain",
    "simul.memory simul.config",
    "simul.audio simul.decoding",
    "simul.hearing",
    "simul.models",
    "simul.backends",
    "simul.session",
    "simul.engine simul.captions simul.speech",
    "simul.evaluation simul.training simul.adapters",
    "dictation",
    "server",
    "simul.cli",
    "simul.__main__",
)
"""Rooms from the ground up; a room imports from lower floors, and from itself."""


LONGEST_FILE = 500
LARGEST_PREFIX_FAMILY = 2


@cache
def modules() -> dict[str, Path]:
    """The file of every module of the product."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Everything within `node` but what only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from statements(child)


def imported(path: Path) -> set[str]:
    """The modules that a file imports, at its top or later."""
    found = set()
    for node in statements(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules().keys()) or {node.module}
    return found


@cache
def arrows() -> dict[str, set[str]]:
    """The modules of the product that each of them imports."""
    return {name: {m for m in imported(path) if m in modules()} - {name} for name, path in modules().items()}


def room(module: str) -> str:
    """The package, or within simul the folder or file, that a module belongs to."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "simul" else parts[0]


def floor(module: str) -> int:
    """The floor of a module; simul's own face is above all, though below what runs it."""
    found = room(module)
    if found == "simul":
        return len(FLOORS)
    levels = [level for level, rooms in enumerate(FLOORS) if found in rooms.split()]
    assert levels, f"{module}: the room {found} has no floor; give it one in FLOORS"
    return levels[0]


def test_every_arrow_points_downwards() -> None:
    upward = {
        (room(name), room(target))
        for name, targets in arrows().items()
        for target in targets
        if room(name) != room(target) and floor(target) >= floor(name)
    }
    assert not upward


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Folders may, if they must: their files are what is loaded."""
    rest = {name: set(targets) for name, targets in arrows().items()}
    while leaves := {name for name, targets in rest.items() if not targets & rest.keys()}:
        rest = {name: targets for name, targets in rest.items() if name not in leaves}
    assert not rest, f"in a circle, or above one: {sorted(rest)}"


def test_nobody_imports_the_command_line() -> None:
    outside = [path for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]
    for path in [*modules().values(), *outside]:
        if path != ROOT / "simul" / "__main__.py" and ROOT / "simul" / "cli" not in path.parents:
            assert not {name for name in imported(path) if name.startswith("simul.cli")}, path


def test_heavy_packages_are_imported_by_the_code_that_computes_with_them() -> None:
    heavy = {"torch", "transformers", "numba", "onnxruntime", "ctranslate2", "faster_whisper", "matplotlib"}
    files = ("simul.backends.families", "simul.evaluation.evaluate", "simul.session.factory", "simul.config")
    rooms = [*PACKAGES, "simul.session", "simul.audio", "simul.captions", "simul.speech", *files]
    script = f"import sys, {', '.join(rooms)}\nprint(*({heavy!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def classes() -> Iterator[tuple[str, Path, ast.ClassDef]]:
    """Every class of the product: module, file, definition."""
    for name, path in modules().items():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                yield name, path, node


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for name, _, node in classes():
        if not node.name.startswith("_"):
            places[node.name].append(name)
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_files_and_families_of_files_are_small() -> None:
    families: Counter[tuple[Path, str]] = Counter()
    for path in modules().values():
        assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE, path
        families[path.parent, path.stem.split("_")[0]] += path.stem != "__init__"
    assert not {family: n for family, n in families.items() if n > LARGEST_PREFIX_FAMILY}


def test_every_file_says_what_it_is_for() -> None:
    for path in modules().values():
        assert not tree(path).body or ast.get_docstring(tree(path)), path


def test_every_error_carries_its_exit_code() -> None:
    caught_within = {"NoValue", "_NotReadable"}
    bases = {n.name: {b.id for b in n.bases if isinstance(b, ast.Name)} for _, _, n in classes()}
    builtin = {n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, Exception)}
    errors = set(builtin)
    while new := {name for name, above in bases.items() if name not in errors and above & errors}:
        errors |= new
    assert {"SimulError", "PolicyError", "MetricsError", "SegmenterError", "TtsError"} <= errors
    for _, path, node in classes():
        if node.name in errors - caught_within and not bases[node.name] & (errors - builtin):
            targets = [t for n in node.body if isinstance(n, ast.Assign) for t in n.targets]
            stated = {target.id for target in targets if isinstance(target, ast.Name)}
            assert "exit_code" in stated, f"{path}: {node.name}"


def test_every_dependency_is_used() -> None:
    """By the product; packages that only hold a model are pinned, peers and tools stand apart."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {
        name: given
        for name, given in project["optional-dependencies"].items()
        if name not in ("peers", "dev")
    }
    lines = [*project["dependencies"], *chain(*extras.values())]
    declared = {re.split("[<>=]", line)[0] for line in lines if "==" not in line}
    sources = "\n".join(path.read_text("utf-8") for path in modules().values())
    # A part of sentencepiece is made with protobuf, which it does not bring.
    called = {"PyYAML": "yaml", "protobuf": "sentencepiece_model_pb2"}
    for name in declared:
        module = called.get(name, name.replace("-", "_"))
        assert re.search(rf"(import|from) {module}\b|import_module\(.{module}.\)", sources), name
