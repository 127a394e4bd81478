"""What is written by hand here against the library that could stand in its place, as JSON.

Each figure is a reason that a file gives in its first lines for being there. Times are processor time, of the quickest
of some rounds. What needs a library that is not installed is left out.

    python -m benchmarks.own_code [NAME ...]
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = (
    "numpy",
    "soxr",
    "sacremoses",
    "regex",
    "librosa",
    "transformers",
    "jinja2",
    "matplotlib",
    "sacrebleu",
)


def milliseconds(work: Callable[[], Any], rounds: int = 5) -> float:
    """Processor time of the quickest of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(1000 * min(times), 3)


def import_ms(module: str) -> float:
    """Processor time that importing a module takes in a fresh interpreter."""
    script = f"import time; t = time.process_time(); import {module}; print(1000 * (time.process_time() - t))"
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    return round(min(float(run.stdout) for run in runs), 1)


def resample() -> dict[str, Any]:
    """Delay behind the input and time per second of audio, pieces of 20 ms, into 16 kHz; ours and soxr's HQ."""
    import soxr

    from simul.audio.resample import StreamResampler

    def streamed(push: Callable[[Any], Any], sound: Any, rate: int) -> float:
        made, delay = 0, 0.0
        for start in range(0, len(sound), rate // 50):
            piece = sound[start : start + rate // 50]
            made += len(push(piece))
            delay = max(delay, (start + len(piece)) / rate - made / 16_000)
        return 1000 * delay

    def measured(make: Callable[[], Callable[[Any], Any]], rate: int) -> dict[str, float]:
        sound = np.random.default_rng(0).standard_normal(4 * rate).astype(np.float32)
        cost = milliseconds(lambda: streamed(make(), sound, rate)) / 4
        return {"delay_ms": round(streamed(make(), sound, rate), 1), "ms_per_second": round(cost, 2)}

    def soxr_push(rate: int) -> Callable[[Any], Any]:
        stream = soxr.ResampleStream(rate, 16_000, 1, dtype="float32", quality="HQ")
        return stream.resample_chunk  # type: ignore[no-any-return]

    found = {}
    for rate in (8_000, 44_100, 48_000):
        found[f"ours {rate} Hz"] = measured(partial(lambda rate: StreamResampler(rate).push, rate), rate)
        found[f"soxr {rate} Hz"] = measured(partial(soxr_push, rate), rate)
    return found


def moses() -> dict[str, Any]:
    """Words of the reference vectors that are cut as the Moses script cuts them, and microseconds per word."""
    from sacremoses import MosesTokenizer

    from segmenter.moses import tokenize_word

    data = json.loads(gzip.decompress((ROOT / "tests/vectors/metrics/moses.json.gz").read_bytes()))
    languages = [lang for lang in data["expected"] if lang not in ("none", "zh", "ja", "zz")]
    peers = {lang: MosesTokenizer(lang) for lang in languages}
    words = [unicodedata.normalize("NFKC", word).lower() for word in data["words"]]

    def theirs(word: str, lang: str) -> list[str]:
        return list(peers[lang].tokenize(word, aggressive_dash_splits=True, escape=False))

    def ours(word: str, lang: str) -> list[str]:
        return list(tokenize_word(word, lang))

    def agreed(cut: Callable[[str, str], list[str]]) -> int:
        return sum(
            cut(word, lang) == list(expected)
            for lang in languages
            for word, expected in zip(words, data["expected"][lang], strict=True)
        )

    count = len(words) * len(languages)
    made = [f"{word}{number}" for number in range(200) for word in words[:20]]
    return {
        "words": count,
        "ours_agreed": agreed(ours),
        "sacremoses_agreed": agreed(theirs),
        "ours_us_a_word": milliseconds(lambda: [ours(word, "en") for word in made], 1) / len(made) * 1000,
        "sacremoses_us_a_word": milliseconds(lambda: [theirs(word, "en") for word in made], 1)
        / len(made)
        * 1000,
    }


def alphabetic() -> dict[str, Any]:
    """Code points, no letters, that regex takes for alphabetic and the peers' Unicode (14) does not, or the reverse."""
    import regex

    from segmenter.alphabetic import OTHER_ALPHABETIC

    known = {point for first, last in OTHER_ALPHABETIC for point in range(first, last + 1)}
    pattern = regex.compile(r"\p{Alphabetic}")
    theirs = {
        point
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point))[0] not in "LC" and pattern.match(chr(point))
    }
    return {"ours": len(known), "different": len(known ^ theirs)}


def stretch() -> dict[str, Any]:
    """Four seconds made 1.25 times as fast: time, and samples off the length that was asked for."""
    from pytsmod import wsola

    from tts.stretch import stretch as ours

    rate = 22_050
    sound = np.sin(2 * np.pi * 150 * np.arange(4 * rate + 7) / rate).astype(np.float32)
    wanted = round(len(sound) / 1.25)
    return {
        "ours_ms": milliseconds(lambda: ours(sound, rate, 1.25)),
        "ours_off": len(ours(sound, rate, 1.25)) - wanted,
        "pytsmod_ms": milliseconds(lambda: wsola(sound, 0.8), 2),
        "pytsmod_off": len(wsola(sound, 0.8)) - wanted,
    }


def espeak() -> dict[str, Any]:
    """A sentence spoken with the places of its words, and by the program, which tells none."""
    from tts import make_engine

    engine = make_engine("espeak", "de")
    text = "Morgen fahren wir mit dem Zug nach Berlin."
    speech = engine.synthesize(text)
    return {"ours_ms": milliseconds(lambda: engine.synthesize(text)), "words_placed": len(speech.words)}


def warp() -> dict[str, Any]:
    """A path through 100 tokens and 1,500 steps of attention."""
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping

    from simul.models.whisper.timing import warp as ours

    cost = np.random.default_rng(0).standard_normal((100, 1500))
    return {
        "ours_ms": milliseconds(lambda: ours(cost)),
        "transformers_ms": milliseconds(lambda: _dynamic_time_warping(cost), 2),
    }


def ngrams() -> dict[str, Any]:
    """Character n-grams of 500 segments."""
    from sacrebleu.metrics import CHRF

    from latency_metrics.ngrams import chrf_rows

    texts = (ROOT / "tests/vectors/omnisteval-logs/longform-acl6060-de/references.txt").read_text("utf-8")
    lines = texts.splitlines()
    others = lines[1:] + lines[:1]
    return {
        "segments": len(lines),
        "ours_ms": milliseconds(lambda: chrf_rows(others, lines)),
        "sacrebleu_ms": milliseconds(lambda: CHRF().corpus_score(others, [lines]), 1),
    }


def bootstrap() -> dict[str, Any]:
    """Intervals of BLEU from 1,000 drawn corpora of 468 segments; sacreBLEU's can draw no latency."""
    from sacrebleu.metrics import BLEU

    from latency_metrics.ngrams import bleu_of, bleu_rows
    from latency_metrics.reports.resampling import ResamplingPlan
    from latency_metrics.reports.statistics import Sums

    texts = (ROOT / "tests/vectors/omnisteval-logs/longform-acl6060-de/references.txt").read_text("utf-8")
    lines = texts.splitlines()
    others = lines[1:] + lines[:1]

    def ours() -> None:
        statistic = Sums(bleu_rows(others, lines), bleu_of)
        for weights in ResamplingPlan(1000).drawn(np.arange(len(lines))):
            statistic.values(weights)

    return {
        "ours_ms": milliseconds(ours, 2),
        "sacrebleu_ms": milliseconds(lambda: BLEU().corpus_score(others, [lines], n_bootstrap=1000), 2),
    }


def companding() -> dict[str, Any]:
    """20 ms of mu-law telephone sound, decoded as it comes."""
    import soundfile

    from simul.audio.pcm import decode_pcm

    piece = bytes(range(160))

    def theirs() -> Any:
        return soundfile.read(
            io.BytesIO(piece), samplerate=8000, channels=1, format="RAW", subtype="ULAW", dtype="float32"
        )[0]

    return {
        "ours_ms": milliseconds(lambda: [decode_pcm(piece, "mulaw") for _ in range(1000)]) / 1000,
        "soundfile_ms": milliseconds(lambda: [theirs() for _ in range(1000)]) / 1000,
        "equal": bool(np.array_equal(decode_pcm(piece, "mulaw"), theirs())),
    }


def headers() -> dict[str, Any]:
    """Whether soundfile reads a WAV stream that cannot seek, and one whose writer did not know its length."""
    import soundfile

    read, write = os.pipe()
    with open(write, "wb") as sink:
        head = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
        sink.write(struct.pack("<4sI8sI16s4sI", b"RIFF", 36, b"WAVEfmt ", 16, head, b"data", 0) + bytes(3200))
    try:
        with soundfile.SoundFile(read) as sound:
            return {"seconds_of_0.1_in_a_pipe_of_unknown_length": len(sound.read(16_000)) / 16_000}
    except (OSError, RuntimeError) as error:
        return {"refused": str(error)}


def imports() -> dict[str, float]:
    """What the libraries of pages, byte tables and pictures cost before they do anything."""
    return {name: import_ms(name) for name in ("jinja2", "matplotlib.figure", "transformers", "html")}


MEASURES = {
    measure.__name__: measure
    for measure in (
        resample,
        moses,
        alphabetic,
        stretch,
        espeak,
        warp,
        ngrams,
        bootstrap,
        companding,
        headers,
        imports,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}; all unless given"
    )
    found: dict[str, Any] = {"machine": describe(LIBRARIES)}
    for name in parser.parse_args().names or MEASURES:
        try:
            found[name] = MEASURES[name]()
        except ImportError as error:
            found[name] = f"not measured: {error}"
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
