"""Make random vector files with the peers' own packages, for `python -m tests.latency_metrics.conformance`.

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
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from peer_simuleval import (
    CHARS,
    WORDS,
    outcome,
    simuleval,
    simuleval_corpus,
    speech_output,
    text,
    text_input,
    times,
)


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
    return {
        "instances": instances,
        "corpora": [corpus(rng, number, instances) for number in range(size // 4)],
    }


def corpus(rng: random.Random, number: int, instances: list[dict[str, Any]]) -> dict[str, Any]:
    """A group of instances of one latency unit and what both tools make of it."""
    from omnisteval.data import Instance
    from omnisteval.scoring import evaluate_instances

    unit = rng.choice(["word", "char"])
    members = rng.sample([item for item in instances if item["latency_unit"] == unit], rng.randint(1, 6))

    def evaluate(long: bool) -> dict[str, Any]:
        found = [
            Instance(
                prediction=item["input"]["prediction"],
                reference=item["input"]["reference"],
                latency_unit=unit,
                source_length=item["input"]["source_length"],
                emission_cu=item["input"]["delays"],
                emission_ca=item["input"]["elapsed"],
            )
            for item in members
        ]
        scores, _, _ = evaluate_instances(found, is_longform=long)
        return {key: "NaN" if math.isnan(value) else value for key, value in scores.items()}

    expected = {
        "simuleval": simuleval_corpus([item["input"] for item in members], unit),
        "omnisteval_shortform": outcome(lambda: evaluate(False)),
        "omnisteval_longform": outcome(lambda: evaluate(True)),
    }
    return {
        "id": f"corpus{number}",
        "latency_unit": unit,
        "ids": [item["id"] for item in members],
        "expected": expected,
    }


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
    languages = ["zh", "ja", None] if char_level else ["en", "de", "fr", "it", "cs", "xx", None]
    options = {
        "lang": rng.choice(languages),
        "char_level": char_level,
        "bleu_tokenizer": rng.choice(["char", "zh"] if char_level else ["13a", "intl", "none"]),
        "hypothesis_format": rng.choice(["jsonl", "jsonl", "jsonl", "text", "simulstream"]),
        "offset_delays": rng.random() < 0.2,
        "fix_simuleval_emission_ca": rng.random() < 0.4,
    }
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
    joiner = "" if char_level else " "
    said = {wav: joiner.join(part for part in parts if part).strip() for wav, parts in spoken.items()}
    said = {wav: "" if rng.random() < 0.05 else prediction for wav, prediction in said.items()}
    given: dict[str, Any] = {"segmentation": segmentation, "references": references}
    given.update(hypotheses(rng, options, said, ends))
    if options["hypothesis_format"] == "text" and rng.random() < 0.5:
        given["text_segmentation"] = text_segmentation(segmentation)
    with tempfile.TemporaryDirectory() as folder:
        expected = outcome(lambda: run_longform(given, options, Path(folder)))
    return {"name": name, "options": options, "input": given, "expected": expected}


def text_segmentation(segmentation: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    counts: dict[str, int] = {}
    for entry in segmentation:
        wav = entry["wav"]
        number = counts[wav] = counts.get(wav, -1) + 1
        lines.append(f"docid={list(counts).index(wav)},segid={number}")
    return lines


def hypotheses(
    rng: random.Random, options: dict[str, Any], said: dict[str, str], ends: dict[str, float]
) -> dict[str, Any]:
    """The system's output in the format of the options."""
    char_level = options["char_level"]
    if options["hypothesis_format"] == "text":
        return {"hypothesis_lines": list(said.values())}
    if options["hypothesis_format"] == "simulstream":
        unit = "char" if char_level else "word"
        lines: list[dict[str, Any]] = [{"model_loading_time": 1.0}]
        for identifier, (wav, prediction) in enumerate(said.items()):
            lines += said_events(rng, identifier, wav, list(prediction) if char_level else prediction.split())
        config = {"detokenizer_type": "simuleval", "latency_unit": unit}
        return {"simulstream_log": lines, "simulstream_config": config}
    found = []
    for wav, prediction in said.items():
        units = list(prediction) if char_level else prediction.split()
        delays = times(rng, len(units), ends[wav])
        spent = 0.0
        elapsed = []
        for delay in delays:
            spent += rng.choice([0.0, 50.0, 120.5])
            elapsed.append(delay + spent)
        record = {"source": rng.choice([wav, [f"/data/{wav}", "16 kHz"]]), "prediction": prediction}
        found.append({**record, "delays": delays, "elapsed": elapsed, "source_length": ends[wav]})
    rng.shuffle(found)
    return {"hypotheses": found}


def said_events(rng: random.Random, identifier: int, wav: str, units: list[str]) -> list[dict[str, Any]]:
    """Events that write the units a few at a time and sometimes take the last one back first."""
    lines: list[dict[str, Any]] = [{"id": identifier, "metadata": {"wav_name": f"d/{wav}"}}]
    done = 0
    audio = 0.0
    while done < len(units) or audio == 0.0:
        audio += rng.choice([0.8, 1.0, 2.96])
        step = rng.randint(0, 4)
        back = 1 if done and rng.random() < 0.2 else 0
        event = {
            "id": identifier,
            "total_audio_processed": round(audio, 3),
            "computation_time": round(rng.uniform(0, 1.5), 6),
            "generated_tokens": units[done - back : done + step],
            "deleted_tokens": units[done - back : done],
        }
        lines.append(event)
        done += step
    return lines


def run_longform(given: dict[str, Any], options: dict[str, Any], folder: Path) -> dict[str, Any]:
    from omnisteval.io import load_resegmentation_inputs
    from omnisteval.resegment import resegment
    from omnisteval.scoring import evaluate_instances

    def write(name: str, lines: list[str]) -> str:
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return str(folder / name)

    log = given.get("hypotheses") or given.get("simulstream_log") or []
    loaded = load_resegmentation_inputs(
        None if "text_segmentation" in given else write("seg.json", [json.dumps(given["segmentation"])]),
        write("seg.txt", given["text_segmentation"]) if "text_segmentation" in given else None,
        write("ref.txt", given["references"]),
        write("hyp", given.get("hypothesis_lines") or [json.dumps(line) for line in log]),
        hypothesis_format=options["hypothesis_format"],
        char_level=options["char_level"],
        offset_delays=options["offset_delays"],
        fix_emission_ca_flag=options["fix_simuleval_emission_ca"],
        simulstream_config_file=write("config.yaml", [json.dumps(given.get("simulstream_config"))]),
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
            "speech_output": speech_output(rng, arguments.size, Path(folder)),
            "text_input": text_input(rng, arguments.size),
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
