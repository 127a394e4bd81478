"""The commands of docs/adapters.md, run as they stand there on the beginning of a talk with the embedded model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from simul.audio.files import FileSource
from simul.cli.context import load_installed
from tests.simul.adapters import test_simuleval as simuleval
from tests.simul.adapters import test_simulstream as simulstream

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 11
REFERENCE = "Guten Morgen und willkommen zu unserer kleinen Reise. Wir fahren mit dem Zug nach Berlin."


def documented(kind: str) -> list[str]:
    """The fences of one kind in the document."""
    text = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(folder: Path, program: str) -> str:
    """Run the documented command that begins with `program`; what it printed."""
    pages = "".join(documented("sh no-run")).replace("\\\n", " ")
    (line,) = [line for line in pages.splitlines() if line.startswith(program)]
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONUTF8": "1"}
    done = subprocess.run(
        line, shell=True, cwd=folder, env=environ, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the document speaks of, and our own evaluation of them."""
    import numpy as np
    import soundfile

    where = tmp_path_factory.mktemp("talk")
    with FileSource(ROOT / "examples" / "travel.ogg", 1000) as source:
        pieces = [piece for _, piece in zip(range(SECONDS), source, strict=False)]
    # Cut inside a chunk, so that the last one is short.
    soundfile.write(where / "talk.wav", np.concatenate(pieces)[:-3000], 16_000, subtype="PCM_16")
    segment = {"wav": "talk.wav", "offset": 0.0, "duration": SECONDS - 3000 / 16_000}
    (where / "segments.yaml").write_text(yaml.safe_dump([segment]), encoding="utf-8")
    for name, text in (("source.txt", str(where / "talk.wav")), ("wavs.txt", "talk.wav")):
        (where / name).write_text(text + "\n", encoding="utf-8")
    for name in ("target.txt", "references.txt"):
        (where / name).write_text(REFERENCE + "\n", encoding="utf-8")
    (config,) = [text for text in documented("text") if text.startswith("type:")]
    (where / "processor.yaml").write_text(config, encoding="utf-8")
    return where


def test_simuleval(folder):
    run(folder, "simuleval --agent-class")
    (folder / "out" / "simuleval").rename(folder / "theirs")
    simuleval.ours(folder, "--model", "embedded", loader=load_installed)
    found = simuleval.assert_same_scores(folder)
    (log,) = simuleval.read_instances(folder / "theirs" / "instances.log")
    (own,) = simuleval.read_instances(folder / "ours" / "instances.log")
    assert log.prediction == own.prediction
    assert len(log.delays) > 8
    assert found["BLEU"] > 10
    assert 0 < found["LAAL (CU)"] <= found["LAAL (CA)"]
    (folder / "theirs").rename(folder / "out" / "simuleval")
    assert f"{found['BLEU']:.4f}" in run(folder, "simul score shortform")


def test_simulstream(folder):
    run(folder, "simulstream_inference")
    simulstream.ours(folder, "--model", "embedded", loader=load_installed)
    found = simulstream.assert_same_scores(folder)
    assert found["BLEU"] > 10
    assert 0 < found["LongLAAL (CU)"] <= found["LongLAAL (CA)"]
    assert f"{found['BLEU']:.4f}" in run(folder, "simul score longform")
