"""One other program, run on recordings in an environment of its own: its text as it comes, as lines of JSON.

    PYTHONPATH=SOURCES PYTHON benchmarks/whisper_peer.py NAME --model FOLDER --checkpoint FILE.pt RECORDING...

NAME is whisper_streaming, SimulStreaming or WhisperLiveKit. Each runs its own online class on pieces of audio, as its
own program does where computing takes no time: a piece in, its text out. No file of theirs is changed; only how they
load the model is replaced from outside (whisper_streaming wants a GPU, SimulStreaming a download). A line says after
how many seconds of a recording which text was there; the first one that models are loaded. Imports nothing of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 16_000


class WhisperStreaming:
    """ufal/whisper_streaming on faster-whisper in int8, with its beam of 5."""

    def __init__(self, given: argparse.Namespace) -> None:
        # It imports librosa to read files, which is done here.
        sys.modules.setdefault("librosa", types.ModuleType("librosa"))
        import whisper_online
        from faster_whisper import WhisperModel

        class OnProcessor(whisper_online.FasterWhisperASR):  # type: ignore[misc, name-defined]
            def load_model(self, *_: Any, model_dir: str, **__: Any) -> Any:
                return WhisperModel(model_dir, device="cpu", compute_type="int8", cpu_threads=1)

            def __init__(self) -> None:
                self.logfile, self.transcribe_kargs = sys.stderr, {}
                self.original_language = given.language
                self.model = self.load_model(model_dir=str(given.model))

        self._online = whisper_online.OnlineASRProcessor(OnProcessor())

    def begin(self) -> None:
        """A new recording."""
        self._online.init()

    def feed(self, samples: np.ndarray) -> str:
        """The text that a piece brings."""
        self._online.insert_audio_chunk(samples)
        return str(self._online.process_iter()[2])

    def end(self) -> str:
        """The text that is left."""
        return str(self._online.finish()[2])


class SimulStreaming:
    """ufal/SimulStreaming on torch in float32, greedy, its default, with the model's alignment heads."""

    def __init__(self, given: argparse.Namespace) -> None:
        sys.modules.setdefault("librosa", types.ModuleType("librosa"))
        import simulstreaming.whisper.simul_whisper.simul_whisper as whisper
        import simulstreaming.whisper.simul_whisper.whisper as loading
        from simulstreaming_whisper import SimulWhisperASR, SimulWhisperOnline

        def load(**_: Any) -> Any:
            model = loading.load_model(str(given.checkpoint))
            model.set_alignment_heads(loading._ALIGNMENT_HEADS["base"])
            return model

        whisper.load_model = load
        asr = SimulWhisperASR(
            language=given.language,
            model_path=str(given.checkpoint),
            cif_ckpt_path=None,
            frame_threshold=25,
            audio_max_len=30.0,
            audio_min_len=0.0,
            segment_length=given.chunk,
            beams=1,
            task="transcribe",
            decoder_type="greedy",
            never_fire=False,
            init_prompt=None,
            static_init_prompt=None,
            max_context_tokens=None,
            logdir=None,
        )
        self._online = SimulWhisperOnline(asr)

    def begin(self) -> None:
        """A new recording."""
        self._online.init()

    def feed(self, samples: np.ndarray) -> str:
        """The text that a piece brings."""
        self._online.insert_audio_chunk(samples)
        return str((self._online.process_iter() or {}).get("text", ""))

    def end(self) -> str:
        """The text that is left."""
        return str((self._online.finish() or {}).get("text", ""))


class WhisperLiveKit:
    """WhisperLiveKit's default: its SimulStreaming on faster-whisper's encoder and a decoder on torch."""

    def __init__(self, given: argparse.Namespace) -> None:
        from whisperlivekit.core import TranscriptionEngine, online_factory
        from whisperlivekit.whisper import _ALIGNMENT_HEADS

        engine = TranscriptionEngine(
            decoder_model_path=str(given.checkpoint),
            encoder_model_path=str(given.model),
            custom_alignment_heads=_ALIGNMENT_HEADS["base"].decode(),
            backend="faster-whisper",
            backend_policy="simulstreaming",
            lan=given.language,
            min_chunk_size=given.chunk,
            warmup_file="",
            vac=False,
        )
        self._new = lambda: online_factory(engine.args, engine.asr)
        self._online: Any = None
        self._heard = 0

    def begin(self) -> None:
        """A new recording."""
        self._online, self._heard = self._new(), 0

    def feed(self, samples: np.ndarray) -> str:
        """The text that a piece brings."""
        self._heard += len(samples)
        self._online.insert_audio_chunk(samples, self._heard / RATE)
        return "".join(token.text for token in self._online.process_iter()[0])

    def end(self) -> str:
        """The text that is left."""
        return "".join(token.text for token in self._online.process_iter(is_last=True)[0])


PEERS = {each.__name__: each for each in (SimulStreaming, WhisperLiveKit)} | {
    "whisper_streaming": WhisperStreaming
}


def run(peer: Any, files: Iterable[Path], chunk: float) -> Iterable[dict[str, Any]]:
    """Every text as it comes."""
    for number, file in enumerate(files):
        samples, rate = soundfile.read(file, dtype="float32")
        if rate != RATE or samples.ndim != 1:
            raise SystemExit(f"{file} is not mono at {RATE} Hz.")
        peer.begin()
        step = round(chunk * RATE)
        for at in range(0, len(samples), step):
            text = peer.feed(samples[at : at + step])
            yield {"recording": number, "at": min(at + step, len(samples)) / RATE, "text": text}
        yield {"recording": number, "at": len(samples) / RATE, "text": peer.end()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, required=True, help="folder for CTranslate2")
    parser.add_argument("--checkpoint", type=Path, required=True, help="the same for openai-whisper")
    parser.add_argument("--language", default="en")
    parser.add_argument("--chunk", type=float, default=1.0, help="seconds of a piece")
    given = parser.parse_args()
    # They print as they go; only lines of JSON belong on standard output.
    output, sys.stdout = sys.stdout, sys.stderr
    import torch

    torch.set_num_threads(1)
    peer = PEERS[given.name](given)
    print(json.dumps({"loaded": given.name}), file=output, flush=True)
    for line in run(peer, given.files, given.chunk):
        if line["text"]:
            print(json.dumps(line), file=output, flush=True)


if __name__ == "__main__":
    main()
