"""The example recordings and the documentation's snippets: what they promise is there and runs."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LANGUAGES = ("en", "de", "es", "fr")


def table(name):
    with (EXAMPLES / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_talks_are_listed_with_their_references_and_fit_into_a_megabyte():
    talks, sentences = table("talks.tsv"), table("sentences.tsv")
    assert len(talks) == 3
    people = {"printing-en.ogg", "hotline-es.ogg"}
    assert {talk["file"] for talk in talks} | people == {path.name for path in EXAMPLES.glob("*.ogg")}
    for talk in talks:
        rows = [row for row in sentences if f"{row['talk']}.ogg" == talk["file"]]
        for language in LANGUAGES:
            assert talk[language] == " ".join(row[language] for row in rows)
            assert all(re.search(r"[.!?]$", row[language]) for row in rows)
        samples, rate = soundfile.read(EXAMPLES / talk["file"], dtype="float32")
        assert (rate, samples.ndim) == (16000, 1)
        assert 30 <= len(samples) / rate <= 45
        # Quiet stretches of at least 0.6 s: one after every sentence.
        frames = samples[: len(samples) // 480 * 480].reshape(-1, 480)
        quiet = np.abs(frames).max(axis=1) < 0.012
        edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(int), [0]))))
        assert sum(end - start >= 20 for start, end in zip(edges[::2], edges[1::2], strict=True)) >= len(rows)
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir() if path.is_file()) < 1_000_000


@pytest.mark.long
@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_making_the_recordings_again_gives_the_same_sound(tmp_path):
    subprocess.run([sys.executable, EXAMPLES / "make_examples.py", "--out", tmp_path], check=True)
    assert (tmp_path / "talks.tsv").read_bytes() == (EXAMPLES / "talks.tsv").read_bytes()
    for path in EXAMPLES.glob("*.ogg"):
        made, committed = soundfile.read(tmp_path / path.name)[0], soundfile.read(path)[0]
        assert len(made) == len(committed)
        # Another version of the coder may round differently.
        assert np.sqrt(np.mean((made - committed) ** 2)) < 0.02 * np.sqrt(np.mean(committed**2))


def test_without_flite_the_script_says_what_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "make_examples.py", "--out", tmp_path / "new"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "apt install flite" in done.stderr
    assert not (tmp_path / "new").exists()


def test_the_snippets_of_the_documentation_run(tmp_path, monkeypatch):
    pytest.importorskip("espeakng_loader", reason="the extra [embedded] is not installed")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "speech-output.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(snippets) >= 2
    scope: dict[str, object] = {}
    for snippet in snippets:
        exec(snippet, scope)
    assert soundfile.info(tmp_path / "speech.wav").duration > 1
