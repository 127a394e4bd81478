"""Every extra brings what its paths import: each import of another package, where it stands, and who brings it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

from benchmarks.extras import PLANS
from simul.install import EXTRA_OF

tomllib = pytest.importorskip("tomllib")
ROOT = Path(__file__).resolve().parent.parent
OWN = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"benchmarks"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

IMPORTS: dict[str, tuple[str, str]] = {
    "av": ("", "simul/audio server/stage"),
    "comet": ("none", "latency_metrics/reports/comet.py"),
    "espeakng_loader": ("embedded", "tts/espeak.py"),
    "faster_whisper": ("whisper whisper-base hf", "simul/hearing simul/models/hub.py"),
    "hibari": ("voice-en", "tts/hibari.py"),
    "huggingface_hub": (
        "whisper whisper-base hf",
        "simul/models/catalogue/downloads.py simul/models/hub.py",
    ),
    "matplotlib": ("plot", "simul/evaluation/sweep latency_metrics/reports"),
    "onnxruntime": ("whisper whisper-base voice-en hf", "simul/models/whisper/onnxruntime tts/hibari.py"),
    "pocketsphinx": ("embedded", "simul/models/embedded/sphinx.py"),
    "pypdf": ("pdf", "simul/models/terms"),
    "ray": ("ray", "server/workers/ray_pool.py"),
    "segno": ("serve ray", "server"),
    "simuleval": ("peers", "simul/adapters/simuleval_agent.py"),
    "simulstream": ("peers", "simul/adapters/simulstream_processor.py"),
    "sounddevice": ("mic", "simul/audio"),
    "tokenizers": ("whisper whisper-base hf", "simul/models/translation simul/models/whisper"),
    "torch": (
        "train hf",
        "simul/decoding simul/models simul/training policies/learned simul/cli/train simul/cli/doctor.py "
        "simul/backends/loaders.py",
    ),
    "tqdm": ("whisper whisper-base hf", "simul/models/catalogue/downloads.py"),
    "websockets": ("serve ray", "server"),
    "cryptography": ("serve ray", "server"),
    "transformers": ("hf", "simul/decoding simul/models latency_metrics/formats/detokenizers.py"),
}
"""Import: the extras that bring it ("": the plain installation; "none": the user), and the places that may import it.

What is not listed comes with the plain installation and may stand anywhere.
"""


def modules() -> Iterator[Path]:
    for package in sorted(OWN - {"tests", "benchmarks"}):
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called == "import_module" and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def for_types(tree: ast.AST) -> set[int]:
    """What only type checkers see."""
    blocks = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    return {id(inner) for block in blocks for statement in block.body for inner in ast.walk(statement)}


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = for_types(tree)
    return {name for node in ast.walk(tree) if id(node) not in unseen for name in imported(node)}


def distribution(requirement: str) -> str:
    """The normal name of what a requirement names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]).lower()


def brought(names: list[str], seen: set[str]) -> set[str]:
    """Distributions that come with requirements, as far as those are installed here."""
    for requirement in names:
        name = distribution(requirement)
        if name in seen or "extra ==" in requirement:
            continue
        seen.add(name)
        try:
            brought(list(requires(name) or []), seen)
        except PackageNotFoundError:
            continue
    return seen


def test_every_import_stands_where_its_package_is_there() -> None:
    wrong = []
    for path in modules():
        place = str(path.relative_to(ROOT))
        for root in (
            {name.partition(".")[0] for name in imports_of(path)} - OWN - set(sys.stdlib_module_names)
        ):
            if root in IMPORTS and not place.startswith(tuple(IMPORTS[root][1].split())):
                wrong.append(f"{place} imports {root}, which only {IMPORTS[root][0] or 'others'} may")
    assert not wrong


def test_what_is_not_listed_comes_with_the_plain_installation() -> None:
    plain = brought(PROJECT["dependencies"], set()) | {"typing-extensions"}
    modules_of: dict[str, set[str]] = {}
    for module, names in packages_distributions().items():
        modules_of[module] = {distribution(name) for name in names}
    roots = {name.partition(".")[0] for path in modules() for name in imports_of(path)}
    others = roots - OWN - set(sys.stdlib_module_names) - set(IMPORTS)
    missing = {root for root in others if not (modules_of.get(root, {distribution(root)}) & plain)}
    assert not missing


@pytest.mark.parametrize("root", [name for name, (extras, _) in IMPORTS.items() if extras != "none"])
def test_the_extras_named_bring_the_import(root: str) -> None:
    names = {distribution(name) for name in packages_distributions().get(root, [])}
    if not names:
        pytest.skip(f"{root} is not installed here")
    for extra in IMPORTS[root][0].split(" "):
        asked = EXTRAS[extra] if extra else PROJECT["dependencies"]
        assert names & brought([*asked, *PROJECT["dependencies"]], set()), f"[{extra}] does not bring {root}"


def test_what_users_are_told_to_install_brings_what_is_missing() -> None:
    for root, extra in EXTRA_OF.items():
        assert extra in IMPORTS[root][0].split(), f"{root} is not in [{extra}]"


def test_every_extra_is_tried_and_no_other() -> None:
    assert {extra for plan in PLANS for extra in plan.split(",") if extra} == set(EXTRAS)
