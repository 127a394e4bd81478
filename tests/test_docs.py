"""Every snippet of README and docs is run: `python` blocks as programs, `sh` blocks line by line.

A block fenced as `sh no-run` needs what a test machine lacks (a microphone, a download); the options in it
are held against the command's own help.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from simul.audio import FileSource
from simul.units import SAMPLE_RATE

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
SECONDS = 12


class Snippet(NamedTuple):
    """A fenced block of a document; a Python block goes on where the document's former ones ended."""

    place: str
    info: str
    body: str
    before: str = ""


def snippets() -> Iterator[Snippet]:
    """All fenced blocks of README.md and docs/*.md."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        before = ""
        for match in FENCE.finditer(text):
            line = text[: match.start()].count("\n") + 1
            info = match["info"].strip()
            yield Snippet(f"{path.relative_to(ROOT)}:{line}", info, match["body"], before)
            if info == "python":
                before += match["body"]


ALL = list(snippets())
RUN = [s for s in ALL if s.info in ("python", "sh")]
SHOWN = [s for s in ALL if s.info == "sh no-run"]
DEPTH = {"score": 2, "bench": 2, "train": 3}
"""Words of a command that has commands of its own."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder as a reader has it: the checkout's examples and benchmarks, and room for output."""
    where = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "examples", where / "examples")
    for path in (where / "examples").glob("*.ogg"):
        shorten(path)
    (where / "benchmarks").symlink_to(ROOT / "benchmarks")
    return where


def shorten(path: Path) -> None:
    """Leave the beginning of a recording: the commands do the same with it, in less time."""
    import soundfile

    with FileSource(path) as source:
        sound = np.concatenate(list(source))[: SECONDS * SAMPLE_RATE]
    soundfile.write(path, sound, SAMPLE_RATE, format="OGG", subtype="VORBIS")


@pytest.mark.parametrize("snippet", RUN, ids=[s.place for s in RUN])
def test_snippet_runs(snippet: Snippet, folder: Path) -> None:
    if snippet.info == "python":
        run([sys.executable, "-c", snippet.before + snippet.body], snippet, folder)
        return
    script = snippet.body.replace("\\\n", " ")
    for line in script.splitlines():
        if line.strip() and not line.lstrip().startswith(("#", "make ")):
            run(["bash", "-c", f'set -o pipefail; PATH="{BIN}:$PATH"; {line}'], snippet, folder)


def run(command: list[str], snippet: Snippet, folder: Path) -> None:
    # What the documents show was made with the embedded model; a machine may have others, which take longer.
    environ = {**os.environ, "SIMUL_MODEL": "embedded"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, env=environ)
    assert done.returncode == 0, f"{snippet.place}: {command[-1]}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("snippet", SHOWN, ids=[s.place for s in SHOWN])
def test_shown_options_exist(snippet: Snippet) -> None:
    for line in snippet.body.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["simul"]:
            continue
        command = [word for word in words[1 : 1 + DEPTH.get(words[1], 1)] if not word.startswith("-")]
        done = subprocess.run([BIN / "simul", *command, "--help"], capture_output=True, text=True, timeout=60)
        for word in words[2:]:
            if word.startswith("--"):
                assert re.search(rf"{re.escape(word.partition('=')[0])}\b", done.stdout), (
                    f"{snippet.place}: {word}"
                )


def test_documents_have_snippets_or_are_prose_on_purpose() -> None:
    assert len(RUN) >= 8
    unknown = {s.info for s in ALL} - {"python", "sh", "sh no-run", "text", "json", "toml", "tsv"}
    assert not unknown, f"fences of a kind that no test knows: {unknown}"
