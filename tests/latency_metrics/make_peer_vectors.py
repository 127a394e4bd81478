"""Make random vector files with the peers' own packages, for `python -m latency_metrics.conformance`.

Runs in an environment of its own that has OmniSTEval 0.1.10, simuleval 1.1.4, simulstream 1.0.0 and mweralign:

    python make_peer_vectors.py OUT --seed 1 --size 50
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import random
import tempfile
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


def shortform(rng: random.Random, size: int) -> dict[str, Any]:
    instances = []
    for number in range(size):
        unit = rng.choice(["word", "word", "char"])
        count = rng.choice([0, 1, 2, 5, 12, 30])
        span = rng.choice([rng.uniform(500, 20000), float(rng.randint(1, 20) * 1000), 0.0, 1000.0])
        delays = times(rng, count, span)
        cumulative = 0.0
        elapsed: list[float] | None = []
        for i, delay in enumerate(delays):
            if i == 0 or delay != delays[i - 1]:
                cumulative += rng.uniform(0, 400)
            elapsed.append(delay + cumulative)  # type: ignore[union-attr]
        if rng.random() < 0.1:
            elapsed = None
        given = {
            "prediction": text(rng, count, unit == "char"),
            "reference": rng.choice(["", " ", "  "]) * (rng.random() < 0.2)
            + text(rng, rng.choice([0, 1, 5, 12, 40]), unit == "char")
            + rng.choice(["", "\n", "  "]) * (rng.random() < 0.3),
            "delays": delays,
            "elapsed": elapsed,
            "source_length": None if rng.random() < 0.03 else span,
        }
        item = {"id": f"r{number}", "latency_unit": unit, "input": given}
        item["time_to_recording_end"] = span + rng.choice([0.0, 500.0, 5000.0])
        item["expected"] = {"simuleval": simuleval(given, unit), "omnisteval": omnisteval(item)}
        instances.append(item)
    return {"instances": instances, "corpora": []}


def simuleval(given: dict[str, Any], unit: str) -> dict[str, Any]:
    from simuleval.evaluator.instance import LogInstance
    from simuleval.evaluator.scorers import latency_scorer as scorers

    found: dict[str, Any] = {}
    record = {"index": 0, **given}
    for name in ("AL", "LAAL", "AP", "DAL", "ATD", "StartOffset", "EndOffset", "NumChunks", "RTF"):
        for aware in (False, True):
            for by_reference in (True, False) if name in ("AL", "LAAL", "AP") else (True,):
                scorer = getattr(scorers, f"{name}Scorer")(computation_aware=aware, use_ref_len=by_reference)
                key = name + ("_CA" if aware else "") + ("" if by_reference else "_hyplen")
                log = {0: LogInstance(json.dumps(record), unit)}
                found[key] = outcome(lambda scorer=scorer, log=log: scorer(log))
    return found


def omnisteval(item: dict[str, Any]) -> dict[str, Any]:
    from omnisteval import scoring
    from omnisteval.data import Instance

    given = item["input"]
    instance = Instance(
        prediction=given["prediction"],
        reference=given["reference"],
        latency_unit=item["latency_unit"],
        source_length=given["source_length"],
        emission_cu=given["delays"],
        emission_ca=given["elapsed"],
    )
    bounded = Instance(**{**vars(instance), "time_to_recording_end": item["time_to_recording_end"]})
    found = {}
    for aware in (False, True):
        suffix = "_CA" if aware else ""
        for name in ("AL", "LAAL", "AP", "DAL"):
            scorer = getattr(scoring, f"{name}Scorer")(computation_aware=aware)
            found[name + suffix] = outcome(lambda scorer=scorer: scorer([instance]))
        for name, long, target in (
            ("YAAL", False, instance),
            ("LongYAAL_open", True, instance),
            ("LongYAAL_end", True, bounded),
        ):
            scorer = scoring.YAALScorer(computation_aware=aware, is_longform=long)
            found[name + suffix] = outcome(lambda scorer=scorer, target=target: scorer([target]))
    return found


def events(rng: random.Random, detokenizer: str, wav: str, identifier: int) -> list[dict[str, Any]]:
    pieces = {"word": WORDS, "char": CHARS, "spm": ["▁the", "▁a", "dog", "s", "▁", "▁saw", ".", "▁über"]}[
        detokenizer
    ]
    lines: list[dict[str, Any]] = [{"id": identifier, "metadata": {"wav_name": wav}}]
    tokens: list[str] = []
    audio = 0.0
    for _ in range(rng.randint(1, 12)):
        audio += rng.choice([0.5, 0.96, 1.0, 2.0])
        cut = rng.randint(0, len(tokens)) if rng.random() < 0.3 else 0
        deleted = tokens[len(tokens) - cut :]
        new = [rng.choice(pieces) for _ in range(rng.choice([0, 1, 2, 4]))]
        tokens = tokens[: len(tokens) - cut] + new
        lines.append(
            {
                "id": identifier,
                "total_audio_processed": round(audio, 3),
                "computation_time": round(rng.uniform(0, 1.5), 6),
                "generated_tokens": new,
                "deleted_tokens": deleted,
            }
        )
    return lines


def simulstream_logs(rng: random.Random, size: int, folder: Path) -> dict[str, Any]:
    from simulstream.metrics.readers import LogReader
    from simulstream.metrics.stats import NormalizedErasure, RealTimeFactor

    cases = []
    while len(cases) < size:
        detokenizer = rng.choice(["word", "char", "spm"])
        unit = rng.choice(["word", "char"])
        lines: list[dict[str, Any]] = [{"model_loading_time": 1.0}]
        for identifier in range(rng.randint(1, 3)):
            lines += events(rng, detokenizer, f"dir/talk_{identifier}.wav", identifier)
        log = folder / "log.jsonl"
        log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        config = SimpleNamespace(detokenizer_type="simuleval", latency_unit=detokenizer)
        try:
            reader = LogReader(config, str(log), latency_unit=unit)
            outputs = reader.final_outputs_and_latencies()
        except (IndexError, AssertionError):
            continue
        recordings = {
            name: {
                "final_text": output.final_text,
                "ideal_delays": output.ideal_delays,
                "computational_aware_delays": output.computational_aware_delays,
            }
            for name, output in outputs.items()
        }
        expected = {
            "recordings": recordings,
            "deleted_tokens": reader.num_deleted_tokens(),
            "normalized_erasure": outcome(lambda reader=reader: NormalizedErasure().compute(reader)),
            "real_time_factor": outcome(lambda reader=reader: RealTimeFactor().compute(reader)),
        }
        cases.append(
            {
                "id": f"log{len(cases)}",
                "detokenizer": detokenizer,
                "latency_unit": unit,
                "lines": lines,
                "expected": expected,
            }
        )
    return {"cases": cases}


def mwer(rng: random.Random, size: int) -> dict[str, Any]:
    import mweralign

    vocabulary = ["a", "A", "b", "c", "dog", "Dog", ".", "ü", "Ü", "é"]
    cases = []
    for number in range(size):
        refs = [
            " ".join(rng.choice(vocabulary) for _ in range(rng.choice([0, 1, 3, 8])))
            for _ in range(rng.randint(1, 6))
        ]
        refs[-1] = refs[-1] or "b"
        refs[0] = refs[0] or "a"
        hyp = " ".join(rng.choice(vocabulary) for _ in range(rng.choice([1, 3, 10, 25])))
        lines = mweralign.align_texts("\n".join(refs), hyp).split("\n")
        counts = [len([word for word in line.split(" ") if word]) for line in lines]
        expected = {"units_per_segment": counts}
        cases.append({"id": f"mw{number}", "refs": refs, "hyp": hyp, "expected": expected})
    return {"cases": cases}


def noisy(rng: random.Random, reference: str, char_level: bool) -> str:
    units = list(reference) if char_level else reference.split()
    kept: list[str] = []
    for unit in units:
        draw = rng.random()
        if draw < 0.1:
            continue
        if draw < 0.2:
            kept.append(text(rng, 1, char_level))
        kept.append(unit[::-1] if draw > 0.93 else unit)
    return ("" if char_level else " ").join(kept)


def longform(rng: random.Random, name: str) -> dict[str, Any]:
    char_level = rng.random() < 0.3
    lang = (
        rng.choice(["zh", "ja", None])
        if char_level
        else rng.choice(["en", "de", "fr", "it", "cs", "xx", None])
    )
    segmentation: list[dict[str, Any]] = []
    references: list[str] = []
    spoken: dict[str, list[str]] = {}
    ends: dict[str, float] = {}
    for recording in range(rng.randint(1, 3)):
        wav = f"talk_{recording}.wav"
        clock = rng.choice([0.0, 1.234, 30.5])
        for _ in range(rng.randint(1, 7)):
            duration = rng.choice([0.0, 1.0]) if rng.random() < 0.05 else round(rng.uniform(0.8, 8.0), 3)
            segmentation.append({"wav": wav, "offset": round(clock, 3), "duration": duration})
            clock += duration + rng.choice([0.0, 0.4, 1.7, -0.3])
            reference = "" if rng.random() < 0.05 else text(rng, rng.randint(1, 14), char_level)
            references.append(reference)
            spoken.setdefault(wav, []).append(noisy(rng, reference, char_level))
        ends[wav] = clock * 1000
    options = {
        "lang": lang,
        "char_level": char_level,
        "bleu_tokenizer": rng.choice(["char", "zh"]) if char_level else rng.choice(["13a", "intl", "none"]),
        "hypothesis_format": rng.choice(["jsonl", "jsonl", "jsonl", "text"]),
        "offset_delays": rng.random() < 0.2,
        "fix_simuleval_emission_ca": rng.random() < 0.4,
    }
    hypotheses = []
    for wav, parts in spoken.items():
        prediction = ("" if char_level else " ").join(part for part in parts if part)
        prediction = "" if rng.random() < 0.05 else prediction.strip()
        units = list(prediction) if char_level else prediction.split()
        delays = times(rng, len(units), ends[wav])
        spent = 0.0
        elapsed = []
        for delay in delays:
            spent += rng.choice([0.0, 50.0, 120.5])
            elapsed.append(delay + spent)
        record = {"source": rng.choice([wav, [f"/data/{wav}", "16 kHz"]]), "prediction": prediction}
        hypotheses.append({**record, "delays": delays, "elapsed": elapsed, "source_length": ends[wav]})
    given: dict[str, Any] = {"segmentation": segmentation, "references": references}
    if options["hypothesis_format"] == "text":
        given["hypothesis_lines"] = [h["prediction"] for h in hypotheses]
    else:
        rng.shuffle(hypotheses)
        given["hypotheses"] = hypotheses
    with tempfile.TemporaryDirectory() as folder:
        expected = outcome(lambda: run_longform(given, options, Path(folder)))
    return {"name": name, "options": options, "input": given, "expected": expected}


def run_longform(given: dict[str, Any], options: dict[str, Any], folder: Path) -> dict[str, Any]:
    from omnisteval.io import load_resegmentation_inputs
    from omnisteval.resegment import resegment
    from omnisteval.scoring import evaluate_instances

    (folder / "seg.json").write_text(json.dumps(given["segmentation"]), encoding="utf-8")
    (folder / "ref.txt").write_text("".join(line + "\n" for line in given["references"]), encoding="utf-8")
    lines = given.get("hypothesis_lines") or [json.dumps(h) for h in given["hypotheses"]]
    (folder / "hyp").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    loaded = load_resegmentation_inputs(
        str(folder / "seg.json"),
        None,
        str(folder / "ref.txt"),
        str(folder / "hyp"),
        hypothesis_format=options["hypothesis_format"],
        char_level=options["char_level"],
        offset_delays=options["offset_delays"],
        fix_emission_ca_flag=options["fix_simuleval_emission_ca"],
    )
    instances, records = resegment(*loaded, char_level=options["char_level"], lang=options["lang"])
    scores, _, _ = evaluate_instances(instances, bleu_tokenizer=options["bleu_tokenizer"])
    return {
        "resegmented": records,
        "scores": {key: "NaN" if math.isnan(value) else value for key, value in scores.items()},
    }


def stream_laal(data: dict[str, Any]) -> Any:
    """StreamLAAL of a long-form input through simulstream's scorer."""
    from simulstream.metrics.readers import OutputWithDelays, ReferenceSentenceDefinition
    from simulstream.metrics.scorers.latency import LatencyScoringSample
    from simulstream.metrics.scorers.latency.stream_laal import StreamLaal

    unit = "char" if data["options"]["char_level"] else "word"
    references: dict[str, list[Any]] = {}
    given = data["input"]
    for entry, reference in zip(given["segmentation"], given["references"], strict=True):
        references.setdefault(entry["wav"], []).append(
            ReferenceSentenceDefinition(reference.strip(), entry["offset"], entry["duration"])
        )
    samples = []
    for hypothesis in given["hypotheses"]:
        source = hypothesis["source"]
        wav = Path(source if isinstance(source, str) else source[0]).name
        output = OutputWithDelays(
            hypothesis["prediction"],
            [time / 1000 for time in hypothesis["delays"]],
            [time / 1000 for time in hypothesis["elapsed"]],
        )
        samples.append(LatencyScoringSample(wav, output, references[wav]))
    scores = StreamLaal(SimpleNamespace(latency_unit=unit)).score(samples)
    return {"ideal_s": scores.ideal_latency, "computation_aware_s": scores.computational_aware_latency}


def safe_for_mwer(data: dict[str, Any]) -> bool:
    """Inputs on which the native aligner neither crashes nor loses lines."""
    given = data["input"]
    if "hypotheses" not in given or data["options"]["offset_delays"] or "error" in data["expected"]:
        return False
    last = {
        entry["wav"]: reference
        for entry, reference in zip(given["segmentation"], given["references"], strict=True)
    }
    return all(last.values()) and all(h["prediction"].strip() for h in given["hypotheses"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=50)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rng = random.Random(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "shortform": shortform(rng, arguments.size * 4),
            "simulstream_logs": simulstream_logs(rng, arguments.size, Path(folder)),
            "mwer": mwer(rng, arguments.size * 4),
        }
    for number in range(arguments.size):
        data = longform(rng, str(number))
        if safe_for_mwer(data):
            data["expected"]["stream_laal"] = outcome(lambda data=data: stream_laal(data))
        files[f"longform_{number}"] = data
    for name, data in files.items():
        (arguments.out / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
