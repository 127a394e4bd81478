"""Random texts and times, and the values SimulEval 1.1.4 gives them; part of `make_peer_vectors.py`."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TEXT = r"""
the a old dog saw two maps near Ergebnisse Straße straße über don't it's l'eau rock'n'roll e.g. bzw. usw. 3,5 5,
1.000 1987. 3. well-known -- - ... … “quoted” „so“ (well end). ! ? , ; : — ： ！ （ab） ー ﬁne ½ ２０ №5 café A.B.
x.y %50 50% 'tis cats' _under_ 中文 カタカナ スー。 Mr. vs. z. 👍 İstanbul mr 1. iv. xx. --a a-b-c a--b '' ` `` ~ @-@ &
&amp; | [x] <s> naïve 10.5. .. a.. ..a
"""
WORDS = [*TEXT.split(), "cafe\u0301", "a\u00a0b", "\u200b", "\u00ad", "\u0663", "\u0e01\u0e33"]
CHARS = "一位年轻的工程师修理了旧收音机。，！？、ー（）「」abc 12３…　—：ヴが か\u3099"


def text(rng: random.Random, size: int, char_level: bool) -> str:
    if char_level:
        return "".join(rng.choice(CHARS) for _ in range(size))
    return " ".join(rng.choice(WORDS) for _ in range(size))


def times(rng: random.Random, count: int, span: float) -> list[float]:
    step = rng.choice([250.0, 320.0, 1000.0, 333.333, 0.0])
    rate = rng.choice([0.3, 1.0, 1.5]) * span / max(count, 1)
    found = [i * rate + rng.uniform(-200, 2500) for i in range(count)]
    if rng.random() < 0.85:
        found.sort()
    if step:
        found = [math.ceil(time / step) * step for time in found]
    if rng.random() < 0.4:
        found = [min(time, span) for time in found]
    return found if rng.random() < 0.8 else [float(round(time)) for time in found]


def outcome(call: Callable[[], Any]) -> Any:
    """The value, "NaN", or the error a peer raised."""
    try:
        value = call()
    except Exception as error:
        return {"error": type(error).__name__}
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value


def simuleval(given: dict[str, Any], unit: str) -> dict[str, Any]:
    return simuleval_corpus([given], unit)


def simuleval_corpus(given: list[dict[str, Any]], unit: str) -> dict[str, Any]:
    from simuleval.evaluator.instance import LogInstance

    def logs() -> dict[int, Any]:
        records = ({"index": i, **record} for i, record in enumerate(given))
        return {record["index"]: LogInstance(json.dumps(record), unit) for record in records}

    return latency_values(
        logs, ("AL", "LAAL", "AP", "DAL", "ATD", "StartOffset", "EndOffset", "NumChunks", "RTF")
    )


def latency_values(instances: Callable[[], dict[int, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """SimulEval's values, computation-aware too, and by the hypothesis length where that is an option."""
    from simuleval.evaluator.scorers import latency_scorer as scorers

    found: dict[str, Any] = {}
    for name in names:
        for aware in (False, True):
            for by_reference in (True, False) if name in ("AL", "LAAL", "AP") else (True,):
                scorer = getattr(scorers, f"{name}Scorer")(computation_aware=aware, use_ref_len=by_reference)
                key = name + ("_CA" if aware else "") + ("" if by_reference else "_hyplen")
                found[key] = outcome(lambda scorer=scorer: scorer(instances()))
    return found


TEXT_NAMES = ("AL", "LAAL", "AP", "DAL", "ATD", "StartOffset", "EndOffset", "NumChunks", "RTF")
SPEECH_NAMES = (*TEXT_NAMES, "DiscontinuitySum", "DiscontinuityAve", "DiscontinuityNum")


def speech_output(rng: random.Random, size: int, folder: Path) -> dict[str, Any]:
    """Speech chunks played by SimulEval's own speech instance, then scored from memory and from its log."""
    from simuleval.evaluator.instance import LogInstance, SpeechToSpeechInstance

    class Spoken(SpeechToSpeechInstance):
        source_length = 0.0  # a plain attribute in place of the property that asks the data loader

    instances = []
    for number in range(size):
        rate = rng.choice([16000, 22050, 24000])
        span = float(rng.choice([2000, 5500, 9700.5]))
        delays = sorted(
            rng.choice([320.0, 960.0, 1280.0, 1920.5, 2880.0, span]) for _ in range(rng.randint(1, 6))
        )
        samples = [rng.randint(1, rate) for _ in delays]
        reference = text(rng, rng.randint(1, 12), False)
        played = Spoken(number, None, SimpleNamespace(output=str(folder), eval_latency_unit="word"))
        played.dataloader = SimpleNamespace(get_source_audio_path=lambda index: "source.wav")
        played.reference, played.source_length = reference, span
        played.target_sample_rate = rate
        played.delays, played.durations = delays, [1000 * count / rate for count in samples]
        played.elapsed = [delay + 100.0 * (i + 1) for i, delay in enumerate(delays)]
        played.prediction_list = [[0.0] * count for count in samples]
        record = json.loads(json.dumps(played.summarize()))
        given = {
            "delays": delays,
            "durations": played.durations,
            "elapsed": played.elapsed,
            "source_length": span,
            "target_sample_rate": rate,
            "reference": reference,
        }
        expected = {
            "log_record": record,
            "silences": played.silences,
            "in_memory": latency_values(lambda played=played: {0: played}, SPEECH_NAMES),
            "from_log": latency_values(
                lambda record=record: {0: LogInstance(json.dumps(record))}, SPEECH_NAMES
            ),
        }
        instances.append({"id": f"s{number}", "input": given, "expected": expected})
    return {"instances": instances}


def text_input(rng: random.Random, size: int) -> dict[str, Any]:
    from simuleval.evaluator.instance import LogInstance, TextToTextInstance

    instances = []
    for number in range(size):
        source = text(rng, rng.randint(1, 15), False).split(" ")
        delays = sorted(rng.randint(1, len(source)) for _ in range(rng.randint(1, 15)))
        given = {
            "source": source,
            "prediction": text(rng, len(delays), False),
            "reference": text(rng, rng.randint(1, 15), False),
            "delays": delays,
            "elapsed": [0] * len(delays),
            "source_length": len(source),
        }
        live = TextToTextInstance(number, None, None)
        live.source, live.reference, live.latency_unit = source, given["reference"], "word"
        live.delays, live.elapsed = delays, given["elapsed"]
        record = json.dumps({"index": number, **given})
        expected = {
            "in_memory": latency_values(lambda live=live: {0: live}, TEXT_NAMES),
            "from_log": latency_values(lambda record=record: {0: LogInstance(record)}, TEXT_NAMES),
        }
        instances.append({"id": f"t{number}", "input": given, "expected": expected})
    return {"instances": instances}
