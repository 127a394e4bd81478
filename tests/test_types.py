"""Types of the toolkit reach a user's program from an editable installation as they do from a wheel."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
from policies import LocalAgreement
from simul import Session, SessionFactory, Settled, StreamOptions
from tts import ToneEngine

session: Session = SessionFactory(StreamOptions(source="en", target="de"))()
for event in session.finish():
    if isinstance(event, Settled):
        reveal_type(event.text)
reveal_type(ToneEngine().synthesize("a").samples)
LocalAgreement(n="2")
"""


def test_an_editable_installation_is_a_plain_path() -> None:
    """setuptools then writes one line, the checkout's folder, instead of a finder that type checkers do not run."""
    tomllib = pytest.importorskip("tomllib")
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert setup["package-dir"] == {"": "."}
    packages = [
        path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("tests", "benchmarks")
    ]
    assert packages
    assert all((package / "py.typed").is_file() for package in packages)


def test_mypy_finds_the_types(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    venv.create(tmp_path / "v", symlinks=True)
    site = next((tmp_path / "v" / "lib").glob("python*/site-packages"))
    (site / "__editable__.simul.pth").write_text(f"{ROOT}\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--python-executable", tmp_path / "v" / "bin" / "python",
            "--cache-dir", tmp_path / "c", "--ignore-missing-imports", "program.py",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 'Revealed type is "str"' in done.stdout, done.stdout + done.stderr
    assert (
        "ndarray" in done.stdout or 'Revealed type is "Any"' in done.stdout
    )  # numpy is not in this environment.
    assert 'program.py:11: error: Argument "n" to "LocalAgreement" has incompatible type "str"' in done.stdout
    assert "Found 1 error" in done.stdout
