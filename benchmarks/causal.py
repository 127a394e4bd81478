"""Whisper's encoder in causal blocks on real weights: equality with masked attention, cost, errors, first word (JSON).

LIST is a table as for benchmarks.whisper. For each block length: how far streamed states are from those of the whole
window under the mask, computed in torch (float32; needs torch), beside how large states are, and how far those of sound
that came in one piece are from those of sound cut anyhow; CPU seconds of the encoder per second of sound early
and late in a window, in eight bits and in float32; word errors of both, each recording decoded once with beam 5; and of
sessions with chunks of a block, how much had been heard and computed when the first word showed.

    python -m benchmarks.causal LIST... [--blocks 500,1000] [--clips N] [--first N] [--sessions N]
"""

from __future__ import annotations

import json
import sys
import time
from collections import ChainMap
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks.machine import describe
from benchmarks.whisper import Recording, list_names, list_parser, read_list
from simul.audio.files import FileSource
from simul.clock import MeteredClock
from simul.config import ModelConfig, StreamOptions
from simul.decoding.interface import Prompt
from simul.evaluation.word_errors import word_errors
from simul.models.catalogue import locate
from simul.models.whisper.causal import CausalEncoder
from simul.models.whisper.features import STEP, TAIL
from simul.models.whisper.guard import GuardConfig
from simul.models.whisper.interface import FRAME_MS
from simul.models.whisper.live import live_encoder
from simul.models.whisper.onnxruntime.model import OnnxWhisper
from simul.models.whisper.weights import FileWeights
from simul.session.drive import Step, drive
from simul.session.events import Settled, Tail
from simul.session.factory import SessionFactory
from simul.training.causal_whisper.network import BlockEncoder
from simul.units import SAMPLE_RATE, Samples

PACKAGES = ("onnxruntime", "numpy", "torch")
WINDOW = 25
"""Seconds of the window whose cost is measured."""
PARTS = ((0, 5), (10, 15), (20, 25))
"""Seconds of it that are told."""
ALLOWED = 0.3
"""Seconds of computing that the first word may take."""
BEAM = 5


def sound(recording: Recording) -> Samples:
    """All of a recording."""
    return np.concatenate(list(FileSource(recording.file, 1000)))


def streamed(encoder: CausalEncoder, samples: Samples, cuts: Sequence[int] = ()) -> np.ndarray:
    """States of samples that come in pieces."""
    state, found = encoder.start(), []
    for piece in np.split(samples, sorted(cuts)):
        encoder.push(state, piece)
        found.append(encoder.advance([state])[0])
    return np.concatenate([*found, encoder.finish(state)])


def equality(encoder: CausalEncoder, network: BlockEncoder, samples: Samples) -> dict[str, float]:
    """The largest differences of states streamed in random pieces to masked ones, and to those of one piece."""
    whole = samples[: len(samples) // STEP * STEP]
    cuts = np.random.default_rng(len(whole)).integers(0, len(whole), 40).tolist()
    with torch.no_grad():
        frames = len(whole) // STEP + TAIL // 2
        masked = network(torch.from_numpy(whole)[None], frames, encoder.block)[0][0].numpy()
    found = streamed(encoder, whole, cuts)
    return {
        "to masked": float(np.abs(found - masked).max()),
        "to one piece": float(np.abs(found - streamed(encoder, whole)).max()),
        "largest state": round(float(np.abs(masked).max()), 2),
        "root mean square of states": round(float(np.sqrt((masked**2).mean())), 3),
    }


def cost(encoder: CausalEncoder, samples: Samples) -> dict[str, float]:
    """CPU seconds per second of sound in parts of a window, whole blocks only."""
    state, spent = encoder.start(), np.zeros(WINDOW)
    for second in range(WINDOW):
        before = time.process_time()
        encoder.push(state, samples[second * SAMPLE_RATE : (second + 1) * SAMPLE_RATE])
        encoder.advance([state])
        spent[second] = time.process_time() - before
    return {f"{low}-{high} s": round(float(spent[low:high].mean()), 4) for low, high in PARTS}


def texts(model: OnnxWhisper, encoder: CausalEncoder, clips: Sequence[Samples], language: str) -> list[str]:
    """What the model writes of each clip's states, without loops."""
    head, guard = (*model.tokens.task(language, language), model.tokens.no_timestamps), GuardConfig()
    found = []
    for samples in clips:
        window = model.window(streamed(encoder, samples), -(-len(samples) // STEP))
        prompt = Prompt(head, (), guard.budget(len(samples) / SAMPLE_RATE))
        ids = [i for i in model.generate([window], [prompt])[0].ids if model.tokens.is_text(i)]
        found.append("".join(model.tokens.surfaces(ids[: guard.without_loop((), ids)])))
    return found


def first_words(recordings: Sequence[Recording], language: str, block_ms: int) -> dict[str, float]:
    """Seconds of sound behind a recording's first word, and of computing, when it is shown and when it is settled."""
    stream = StreamOptions(source=language, target=language, chunk_ms=block_ms)
    factory = SessionFactory(
        stream, ModelConfig(model="whisper-base", window="causal", block_ms=block_ms, threads=1)
    )
    rows: dict[str, list[float]] = {}
    for recording in recordings:
        clock = MeteredClock()
        session = factory(clock)
        seen: set[str] = set()
        source = FileSource(recording.file, block_ms)
        for step in drive(source, session, clock):
            for what, end in _words(step):
                if what not in seen:
                    seen.add(what)
                    rows.setdefault(f"{what} heard", []).append((step.arrived - end) / SAMPLE_RATE)
                    rows.setdefault(f"{what} computing", []).append(step.behind)
            if len(seen) == 2:
                break
        source.close()
    return {
        f"{name}, {kind}": round(float(function(values)), 3)
        for name, values in sorted(rows.items())
        for kind, function in (("mean", mean), ("most", max))
    }


def _words(step: Step) -> list[tuple[str, int]]:
    """Whether a step shows or settles a word, and where the first one ends."""
    found = []
    for event in step.events:
        if isinstance(event, (Tail, Settled)) and event.words and event.words[0].end is not None:
            found.append(("shown", event.words[0].end))
            if isinstance(event, Settled):
                found.append(("settled", event.words[0].end))
    return found


def measure(
    recordings: Sequence[Recording], language: str, block_ms: int, sessions: int, weights: Mapping[str, Any]
) -> dict[str, Any]:
    """All figures of one block length."""
    folder, block = locate("whisper-base"), block_ms // FRAME_MS
    clips = [sound(recording) for recording in recordings]
    window = np.resize(np.concatenate(clips), WINDOW * SAMPLE_RATE)
    model = OnnxWhisper(folder, "int8", 1, BEAM, "causal", block)
    found: dict[str, Any] = {"block_ms": block_ms}
    for compute in ("float32", "int8"):
        encoder = CausalEncoder(weights, compute, 1, block)
        if compute == "float32":
            found["difference"] = equality(encoder, BlockEncoder(weights), clips[0])
        pairs = zip([r.text for r in recordings], texts(model, encoder, clips, language), strict=True)
        errors = word_errors(pairs, language)
        found[compute] = {
            "encoder CPU s per s": cost(encoder, window),
            "wer": round(errors.rate, 2),
            "words": errors.words,
        }
    found["first word"] = first_words(recordings[:sessions], language, block_ms)
    found["allowed"] = round(block_ms / 1000 + ALLOWED, 2)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = list_parser(__doc__)
    parser.add_argument("--blocks", default="500,640,1000,1920", help="milliseconds (default: %(default)s)")
    parser.add_argument("--sessions", type=int, default=12, help="recordings run as streams")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recordings: list[Recording] = []
    for table in given.lists:
        rows = [r for r in read_list(table, given.language) if r.seconds < 28]
        recordings += (rows if given.first is None else rows[given.first :: 3])[: given.clips]
    folder = locate("whisper-base")
    file = FileWeights(folder / "model.bin")
    weights = ChainMap(live_encoder(file, folder), file)  # type: ignore[arg-type]
    results = []
    for block_ms in map(int, given.blocks.split(",")):
        results.append(measure(recordings, given.language, block_ms, given.sessions, weights))
        print(json.dumps(results[-1]), file=sys.stderr)
    seconds = round(sum(r.seconds for r in recordings), 1)
    print(
        json.dumps(
            {
                "machine": describe(PACKAGES),
                "lists": list_names(given),
                "recordings": len(recordings),
                "seconds": seconds,
                "blocks": results,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
