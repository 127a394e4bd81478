"""Speech output: what engine and stretch cost, and how far speech falls behind a long talk; prints JSON.

Run `python benchmarks/speech_output.py [--language de] [--voice NAME]`. The talk lasts ten minutes: sentences of the
examples are settled at such a pace that their speech, at the engine's own speed, is `ratio` times as long as
the time there is.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from spread import spread

from simul.models.voices import speech_engine
from tts import Engine, PlayoutConfig, Speaker, SpeakerConfig, stretch

SENTENCES = Path(__file__).parents[1] / "examples" / "sentences.tsv"
TALK_SECONDS = 600.0


def sentences(language: str) -> list[str]:
    """The sentences of the example talks in `language`."""
    with SENTENCES.open(encoding="utf-8", newline="") as lines:
        return [row[language] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]


def cost(engine: Engine, texts: list[str]) -> dict[str, Any]:
    """Processor seconds per second of speech, and wall seconds from settled text to a unit that is ready."""
    engine.synthesize(texts[0])
    started = time.process_time()
    spoken = [engine.synthesize(text) for text in texts]
    synthesis = time.process_time() - started
    seconds = sum(speech.seconds for speech in spoken)
    started = time.process_time()
    for speech in spoken:
        stretch(speech.samples, speech.rate, 1.2)
    stretching = time.process_time() - started
    ready = []
    for text in texts:
        unit = Speaker(engine, stopwatch=time.perf_counter).push(text, 0.0)[0]
        ready.append(unit.time)
    return {
        "speech_seconds": round(seconds, 1),
        "synthesis_rtf": round(synthesis / seconds, 5),
        "stretch_rtf": round(stretching / seconds, 5),
        "commit_to_ready_seconds": spread(ready),
    }


def talk(engine: Engine, texts: list[str], ratio: float, playout: PlayoutConfig) -> dict[str, Any]:
    """Lag (onset less commit) over a talk whose speech is `ratio` times as long as the talk."""
    paces = [engine.synthesize(text).seconds for text in texts]
    speaker = Speaker(engine, SpeakerConfig(playout=playout))
    now, number, words = 0.0, 0, 0
    units = []
    while now < TALK_SECONDS:
        text = texts[number % len(texts)]
        now += paces[number % len(texts)] / ratio
        units += speaker.push(" " + text, now)
        number, words = number + 1, words + len(text.split())
    units += speaker.finish(now)
    lags = np.array([unit.onset - unit.time for unit in units])
    times = np.array([unit.time for unit in units])
    late = times > 60
    slope = float(np.polyfit(times[late], lags[late], 1)[0])
    return {
        "ratio": ratio,
        "fastest": playout.fastest,
        "units": len(units),
        "words_lost": words - sum(len([w for w in unit.text.split() if w.strip("?!:;")]) for unit in units),
        "lag_seconds": spread(lags.tolist()),
        "lag_slope_after_60_s": round(slope, 4),
        "mean_speed": round(float(np.mean([unit.speed for unit in units])), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", default="de", choices=("de", "en", "es", "fr"))
    parser.add_argument(
        "--voice", help="heart, or one of espeak-ng's (default: what speaks the language best here)"
    )
    given = parser.parse_args()
    engine, texts = speech_engine(given.language, given.voice), sentences(given.language)
    settings = [(1.0, 1.25), (1.1, 1.25), (1.2, 1.25), (1.25, 1.25), (1.25, 1.4), (1.25, 1.0)]
    result = {
        "machine": describe(("numpy", "espeakng-loader", "hibari-tts", "onnxruntime")),
        "engine": engine.name,
        **cost(engine, texts),
        "talks": [talk(engine, texts, ratio, PlayoutConfig(fastest=fastest)) for ratio, fastest in settings],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
