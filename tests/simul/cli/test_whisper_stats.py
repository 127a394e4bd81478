"""What `--stats` tells of a recording is what `simul eval` tells of it, on real Whisper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from simul.audio import FileSource
from simul.cli.context import load_installed
from simul.units import SAMPLE_RATE
from tests.simul.scripted_cli import command

ROOT = Path(__file__).parents[3]


def seconds(table: str, label: str) -> float:
    """A figure of the table that `--stats` prints."""
    found = re.search(rf"^{re.escape(label)}\s+([-.\d]+)", table, re.MULTILINE)
    assert found is not None, table
    return float(found[1])


HEARD = slice(7 * SAMPLE_RATE, 18 * SAMPLE_RATE)
"""A part of the recording with a pause in it, which divides it into two segments."""


@pytest.mark.real_weights
def test_stats_and_eval_agree(whisper_base_folder: Path, tmp_path: Path) -> None:
    with FileSource(ROOT / "examples" / "printing-en.ogg") as source:
        sound = np.concatenate(list(source))[HEARD]
    audio = tmp_path / "printing-en.flac"
    soundfile.write(audio, sound, SAMPLE_RATE)
    options = ["--model", whisper_base_folder, "--source", "en", "--target", "en", "--threads", "1"]
    code, text, table = command(
        "translate", audio, "--stats", "--log", tmp_path / "log", *options, loader=load_installed
    )
    assert code == 0
    # The segments that were heard are those that latency is counted in.
    lines = (tmp_path / "log" / "events" / "printing-en.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [event for event in map(json.loads, lines) if event["type"] == "segment" and event["text"]]
    assert len(ends) > 1
    rows = [f"{audio}\t{e['start'] / 16000}\t{e['end'] / 16000}\t{e['text'].strip()}" for e in ends]
    segments = tmp_path / "segments.tsv"
    segments.write_text("\n".join(["wav\tstart\tend\ttext", *rows]) + "\n", encoding="utf-8")
    listed = tmp_path / "list.tsv"
    listed.write_text(f"audio\n{audio}\n", encoding="utf-8")
    code, found, _ = command(
        "eval", listed, "--segmentation", segments, "--json", *options, loader=load_installed
    )
    assert code == 0
    result = json.loads(found)
    assert result["figures"]["units"] == len(text.split()) == seconds(table, "words")
    assert result["figures"]["audio_seconds"] == pytest.approx(seconds(table, "audio"), abs=0.05)
    laal = result["scores"]["LongLAAL (CU)"]["value"] / 1000
    assert laal == pytest.approx(seconds(table, "LAAL, ideal computer"), abs=0.01)
    assert 0.3 < laal < 3
