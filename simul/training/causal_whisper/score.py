"""How near an encoder comes to its teacher on sound that no run heard, and what the decoder makes of its states."""

from __future__ import annotations

import csv
from collections import ChainMap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from simul.audio.files import FileSource
from simul.decoding.interface import Prompt
from simul.errors import UsageError
from simul.models.whisper.features import CAUSAL, LIVE, PADDED, STEP
from simul.models.whisper.guard import GuardConfig
from simul.models.whisper.live import live_encoder
from simul.models.whisper.weights import FileWeights
from simul.training.causal_whisper.loss import WHOLE, SoundBatch, distances
from simul.training.causal_whisper.network import BlockEncoder
from simul.training.causal_whisper.pool import SoundPool
from simul.units import SAMPLE_RATE, Samples

BLOCKS = (25, 32, 50, 96)
"""Frames of the blocks that are scored: 0.5, 0.64, 1 and 1.92 s."""
LONGEST = 28 * SAMPLE_RATE
WINDOW, TAIL = 500, 25
"""Frames of the windows that are compared, and of the silence behind them."""
AT_ONCE = 8
Progress = Callable[[float, int, str], None]
"""Told how much is done, of how much, and what is being worked on."""


class Clip(NamedTuple):
    """A recording of at most 28 s and what is said in it."""

    samples: Samples
    text: str


def way(block: int) -> str:
    """What the scores of windows without blocks, or of blocks of so many frames, are called."""
    return LIVE if block == WHOLE else f"{CAUSAL} {block * STEP / SAMPLE_RATE:g} s"


def score_states(
    folder: Path, run: Path, windows: int, progress: Progress = lambda done, total, name: None
) -> dict[str, dict[str, float]]:
    """Distance of states to the teacher's on what `prepare` kept out, before and after training, per block.

    folder: a Whisper model of CTranslate2 with the encoder that was trained from it.

    Raises:
        UsageError: there is none for this model. SimulError: there is no sound in `run`.
    """
    weights = FileWeights(folder / "model.bin")
    teacher = BlockEncoder(weights).eval()
    trained = BlockEncoder(ChainMap(live_encoder(weights, folder), weights)).eval()  # type: ignore[arg-type]
    pool, frames = SoundPool(run), min(WINDOW, teacher.longest - TAIL)
    found: dict[str, dict[str, float]] = {}
    for done, block in enumerate((WHOLE, *BLOCKS)):
        progress(done, len(BLOCKS) + 1, way(block))
        random, sums = np.random.default_rng(99), np.zeros(2)
        for first in range(0, windows, AT_ONCE):
            count = min(AT_ONCE, windows - first)
            sound = torch.from_numpy(pool.draw(random, count, frames * STEP, kept_out=True))
            batch = SoundBatch(sound, TAIL, block)
            with torch.no_grad():
                sums += [count * float(distances(e, teacher, batch)[0]) for e in (teacher, trained)]
        found[way(block)] = dict(zip(("before", "after"), (sums / windows).round(4).tolist(), strict=True))
    return found


def read_clips(table: Path, limit: int | None = None) -> list[Clip]:
    """Recordings of a table with tab stops whose columns `file` (relative to it) and `text` are read.

    Raises:
        UsageError: the table cannot be read, lacks a column, or has no recording of at most 28 s.
    """
    try:
        with open(table, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        named = [(table.parent / row["file"], row["text"]) for row in rows]
    except (OSError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UsageError(
            f"The clips in {table} cannot be read ({error}); give a table with tab stops and the columns file and text."
        ) from error
    clips = []
    for file, text in named:
        samples = np.concatenate(list(FileSource(file, 1000)))
        if len(samples) <= LONGEST:
            clips.append(Clip(samples, text))
        if len(clips) == limit:
            break
    if not clips:
        raise UsageError(f"{table} has no recording of at most {LONGEST // SAMPLE_RATE} s.")
    return clips


def decode_clips(
    folder: Path,
    clips: Sequence[Clip],
    language: str,
    beam: int = 5,
    compute: str = "int8",
    progress: Progress = lambda done, total, name: None,
) -> dict[str, list[str]]:
    """What is decoded of each clip from the padded window, the live one and blocks.

    Each clip is decoded once, whole; loops are cut.

    Raises:
        ModelMissingError: the model cannot be loaded. UsageError: it does not hear the language.
    """
    from simul.models.whisper.onnxruntime.model import OnnxWhisper

    ways = [(PADDED, PADDED, 1), (LIVE, LIVE, 1), *((way(block), CAUSAL, block) for block in BLOCKS)]
    guard, found = GuardConfig(), dict[str, list[str]]()
    for number, (name, window, block) in enumerate(ways):
        model = OnnxWhisper(folder, compute, 1, beam, window, block)
        model.check_source(language)
        head = (*model.tokens.task(language, language), model.tokens.no_timestamps)
        texts = found[name] = []
        for done, clip in enumerate(clips):
            progress(number + done / len(clips), len(ways), name)
            prompt = Prompt(head, (), guard.budget(len(clip.samples) / SAMPLE_RATE))
            ids = [
                i
                for i in model.generate(model.encode([clip.samples]), [prompt])[0].ids
                if model.tokens.is_text(i)
            ]
            texts.append("".join(model.tokens.surfaces(ids[: guard.without_loop((), ids)])))
    return found
