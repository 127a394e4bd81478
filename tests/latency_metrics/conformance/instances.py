"""Vectors of single instances and small corpora: short form, speech output, text input, quality."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency_metrics import degeneracy, registry
from latency_metrics.base import Instance, Metric
from latency_metrics.errors import MetricsError
from latency_metrics.formats import read_instances
from latency_metrics.formats.simuleval import instance_record
from latency_metrics.long_yaal import LongYAAL
from latency_metrics.quality import bleu, chrf
from latency_metrics.scoring.longform import score_resegmented
from latency_metrics.scoring.result import Report
from latency_metrics.scoring.shortform import score_shortform
from latency_metrics.timeline import play
from tests.latency_metrics.conformance.tally import Tally

_DISPLAY = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "bleu_nfkc": "BLEU (NFKC-normalized)",
    "chrf_nfkc": "chrF (NFKC-normalized)",
    "swf": degeneracy.FRACTION,
    "efsw": degeneracy.EXPECTED,
    "dsptv": degeneracy.TEST_VALUE,
    "degenerate_policy": degeneracy.DEGENERATE,
}


def display_name(key: str) -> str:
    """The name in `scores.tsv` of OmniSTEval's internal key, such as ca_long_yaal."""
    if key in _DISPLAY:
        return _DISPLAY[key]
    clock = "CA" if key.startswith("ca_") else "CU"
    name = key.removeprefix("ca_")
    long = "Long" if name.startswith("long_") else ""
    return f"{long}{name.removeprefix('long_').upper()} ({clock})"


def check_report(tally: Tally, label: str, report: Report, expected: Mapping[str, Any]) -> None:
    """Scores under OmniSTEval's keys; keys that are absent are metrics it gave up on.

    A report has no BLEU and chrF after NFKC when NFKC changes nothing; then those of the given texts count.
    """
    for key, value in expected.items():
        if key == "error":
            continue
        name = display_name(key)
        if name not in report and key.endswith("_nfkc"):
            name = display_name(key.removesuffix("_nfkc"))
        tally.value(f"{label} {key}", report[name].value if name in report else None, value)


def build_metric(key: str, unit: str, **options: Any) -> Metric:
    """The metric that a key of the vectors names: NAME, then _CA, then _hyplen."""
    name = key
    if name.endswith("_hyplen"):
        name = name.removesuffix("_hyplen")
        options["use_reference_length"] = False
    if name.endswith("_CA"):
        name = name.removesuffix("_CA")
        options["clock"] = "ca"
    options["latency_unit"] = unit
    if name.startswith("LongYAAL_"):
        end = "open" if name == "LongYAAL_open" else "segmentation"
        return LongYAAL(recording_end=end, **options)  # type: ignore[arg-type]
    return registry.get(name)(**options)


def check_instance(
    tally: Tally, label: str, instance: Instance, unit: str, expected: Mapping[str, Any], **options: Any
) -> None:
    """Values of one instance under the keys of the vectors."""
    for key, value in expected.items():
        extra = dict(options.get(key.split("_")[0], {}))
        if options.get("edge"):
            extra["edge"] = options["edge"]
        got = build_metric(key, unit, **extra).instance(instance)
        tally.value(f"{label} {key}", got, value)


def shortform_instance(item: Mapping[str, Any]) -> Instance:
    """Instance of an entry of shortform.json."""
    given = item["input"]
    return Instance(
        index=item["id"],
        prediction=given["prediction"],
        reference=given["reference"],
        delays=given["delays"],
        elapsed=given["elapsed"],
        source_length=given["source_length"],
        time_to_recording_end=item["time_to_recording_end"],
    )


def check_shortform(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """shortform.json."""
    instances = {item["id"]: shortform_instance(item) for item in data["instances"]}
    for item in data["instances"]:
        instance, unit = instances[item["id"]], item["latency_unit"]
        for peer, edge in (("simuleval", "simuleval"), ("omnisteval", None)):
            label = f"{item['id']} {peer}"
            check_instance(tally, label, instance, unit, item["expected"].get(peer, {}), edge=edge)
    for corpus in data.get("corpora", ()):
        members = [instances[name] for name in corpus["ids"]]
        unit, label, expected = corpus["latency_unit"], corpus["id"], corpus["expected"]
        for key, value in expected["simuleval"].items():
            got = build_metric(key, unit, edge="simuleval").corpus(members).value
            tally.value(f"{label} simuleval {key}", got, value)
        report = score_shortform(members, latency_unit=unit)
        check_report(tally, f"{label} omnisteval_shortform", report, expected["omnisteval_shortform"])
        report = score_resegmented(members, char_level=unit == "char", recording_end="open")
        check_report(tally, f"{label} omnisteval_longform", report, expected["omnisteval_longform"])


def check_shortform_cli(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """shortform_cli.json: the log and the references as files, the scores as the file that is written."""
    log = folder / "instances.log"
    log.write_text("\n".join(data["instances_log"]) + "\n", encoding="utf-8")
    report = score_shortform(read_instances(log, references=data["references"]))
    check_tsv(tally, "scores_tsv", report, data["expected"]["scores_tsv"])


def check_tsv(tally: Tally, label: str, report: Report, expected: Any) -> None:
    """Every line of the expected `scores.tsv` in its order; lines it lacks are metrics the tool gave up on."""
    if not isinstance(expected, str):
        tally.value(label, None, expected)
        return
    written = report.scores_tsv().splitlines()
    wanted = expected.splitlines()
    names = {line.split("\t")[0] for line in wanted}
    kept = [line for line in written if line.split("\t")[0] in names]
    for i, line in enumerate(wanted):
        tally.exact(f"{label} line {i + 1}", kept[i] if i < len(kept) else None, line)


def check_speech(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """speech_output.json: the playback timeline, the log record, values from memory and from the log."""
    for item in data["instances"]:
        given, expected, label = item["input"], item["expected"], item["id"]
        record = expected["log_record"]
        timeline = play(
            given["delays"],
            given["durations"],
            source_length=given["source_length"],
            sample_rate=given["target_sample_rate"],
        )
        tally.times(f"{label} silences", timeline.silences, expected["silences"])
        instance = Instance(
            index=record["index"],
            prediction=record["prediction"],
            reference=given["reference"],
            delays=given["delays"],
            elapsed=given["elapsed"],
            durations=given["durations"],
            source_length=given["source_length"],
        )
        check_instance(tally, f"{label} in_memory", instance, "word", expected["in_memory"])
        log = folder / "instances.log"
        log.write_text(json.dumps(record) + "\n", encoding="utf-8")
        logged = read_instances(log)[0]
        mode = {"ATD": {"mode": "speech-text"}, "RTF": {"playback": False}}
        check_instance(tally, f"{label} from_log", logged, "word", expected["from_log"], **mode)
        written = instance_record(logged, record["source"], sample_rate=given["target_sample_rate"])
        for key, value in written.items():
            tally.exact(f"{label} log_record {key}", value, record[key])


def check_text_input(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """text_input.json: text→text, from memory and by the rules SimulEval applies to its logs."""
    for item in data["instances"]:
        given, expected = item["input"], item["expected"]
        instance = Instance(
            index=item["id"],
            prediction=given["prediction"],
            reference=given["reference"],
            delays=given["delays"],
            elapsed=given["elapsed"],
            source_length=given["source_length"],
            source_kind="text",
        )
        check_instance(tally, f"{item['id']} in_memory", instance, "word", expected["in_memory"])
        mode = {"ATD": {"mode": "speech-text"}}
        check_instance(tally, f"{item['id']} from_log", instance, "word", expected["from_log"], **mode)


def check_quality(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """quality.json: BLEU with its counts for every tokenizer, chrF2 and chrF2++."""
    for case in data["cases"]:
        hypotheses, references = case["hypotheses"], case["references"]
        for key, expected in case["expected"].items():
            label = f"{case['id']} {key}"
            if key.startswith("chrF"):
                order = 2 if key.endswith("++") else 0
                tally.value(label, chrf(hypotheses, references, word_order=order).value, expected)
                continue
            try:
                score = bleu(hypotheses, references, tokenizer=key.removeprefix("BLEU-"))
            except MetricsError as error:
                tally.skipped.append(f"{label}: {error}")
                continue
            tally.value(f"{label} score", score.value, expected["score"])
            for part in ("counts", "totals", "sys_len", "ref_len"):
                tally.exact(f"{label} {part}", score.details[part], expected[part])
            tally.value(f"{label} bp", score.details["bp"], expected["bp"])
