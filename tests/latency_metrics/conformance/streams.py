"""Vectors of recordings: alignment, tokenisation, mWER segmentation, event logs, whole long-form runs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency_metrics import registry
from latency_metrics.base import Instance
from latency_metrics.errors import MetricsError
from latency_metrics.formats import (
    read_lines,
    read_recordings,
    read_resegmented,
    read_segmentation,
    read_simulstream,
    read_text_hypotheses,
    read_text_segmentation,
    with_references,
    write_resegmented,
)
from latency_metrics.scoring.longform import score_longform, score_resegmented, score_stream_laal
from latency_metrics.scoring.recordings import RecordingHypothesis, ReferenceSegment
from tests.latency_metrics.conformance.instances import check_report, check_tsv
from tests.latency_metrics.conformance.tally import Tally, gave_up


def check_alignment(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """alignment.json: the path and the segment of every hypothesis token."""
    from segmenter import align_tokens

    for case in data["cases"]:
        expected, label = case["expected"], case["id"]
        if gave_up(expected):
            tally.value(label, None, expected)
            continue
        tokens = [token for token, _ in case["ref"]]
        homes = [segment for _, segment in case["ref"]]
        ops, found = align_tokens(tokens, homes, case["hyp"], char_level=case["char_level"])
        tally.exact(f"{label} ops", str(ops), expected["ops"])
        segments = [None if home < 0 else home for home in found.tolist()]
        tally.exact(f"{label} segment_of_hyp", segments, expected["segment_of_hyp"])


def check_moses(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """moses.json: the tokens of every word in every language."""
    from segmenter.moses import tokenize_word

    for language, lists in _languages(data).items():
        for word, expected in zip(data["words"], lists, strict=True):
            got = list(tokenize_word(word, None if language == "none" else language))
            tally.exact(f"{language} {word!r}", got, expected)


def _languages(data: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """Token lists by language, wherever in the file they stand."""
    count = len(data["words"])
    found: dict[str, list[list[str]]] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            nested = {k: v for k, v in value.items() if isinstance(v, list) and len(v) == count}
            found.update(nested)
        elif key not in ("words",) and isinstance(value, list) and len(value) == count:
            found[key] = value
    return found


def check_mwer(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """mwer.json: units per segment; the tool loses trailing empty references, which receive nothing here."""
    from segmenter import MwerSegmenter

    for case in data["cases"]:
        expected = case["expected"].get("units_per_segment", case["expected"])
        got = list(MwerSegmenter().align(case["refs"], case["hyp"]).units_per_segment())
        if gave_up(expected):
            tally.value(case["id"], None, expected)
            continue
        kept, rest = got[: len(expected)], got[len(expected) :]
        tally.exact(case["id"], (kept, sum(rest)), (expected, 0))


def check_simulstream(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """simulstream_logs.json: final texts, times of every unit, erasure and real-time factor."""
    for case in data["cases"]:
        log = folder / "log.jsonl"
        log.write_text("".join(json.dumps(line) + "\n" for line in case["lines"]), encoding="utf-8")
        char_level = case["latency_unit"] == "char"
        expected, label = case["expected"], case["id"]
        try:
            read = read_simulstream(log, case["detokenizer"], char_level=char_level)
        except MetricsError as error:
            if not gave_up(expected):
                raise
            tally.value(f"{label} ({error})", None, expected)
            continue
        if gave_up(expected):
            tally.value(label, None, expected)
            continue
        found = {hypothesis.recording: hypothesis for hypothesis in read}
        tally.exact(f"{label} recordings", sorted(found), sorted(expected["recordings"]))
        for name, wanted in expected["recordings"].items():
            hypothesis = found[name]
            tally.exact(f"{label} {name} final_text", hypothesis.text, wanted["final_text"])
            for key, times in (
                ("ideal_delays", hypothesis.delays),
                ("computational_aware_delays", hypothesis.elapsed),
            ):
                tally.times(f"{label} {name} {key}", times, [time * 1000 for time in wanted[key]])
        recordings = [hypothesis.as_instance() for hypothesis in found.values()]
        erased = sum(h.stream.erased_units for h in found.values() if h.stream is not None)
        tally.exact(f"{label} deleted_tokens", erased, expected["deleted_tokens"])
        for key, metric in (
            ("normalized_erasure", registry.NormalizedErasure()),
            ("real_time_factor", registry.StreamRTF()),
        ):
            tally.value(f"{label} {key}", metric.corpus(recordings).value, expected[key])


def _load(data: Mapping[str, Any], folder: Path) -> tuple[list[ReferenceSegment], list[RecordingHypothesis]]:
    """The inputs of a long-form run, through files."""
    given, options = data["input"], data["options"]
    references = folder / "references.txt"
    references.write_text("".join(line + "\n" for line in given["references"]), encoding="utf-8")
    if "text_segmentation" in given:
        path = folder / "segmentation.txt"
        entries = given["text_segmentation"]
        path.write_text("\n".join(entries) + "\n" if isinstance(entries, list) else entries, encoding="utf-8")
        segments = read_text_segmentation(path)
    else:
        path = folder / "segmentation.json"
        path.write_text(json.dumps(given["segmentation"]), encoding="utf-8")
        segments = read_segmentation(path)
    segments = with_references(segments, read_lines(references))
    log = folder / "hypotheses"
    char_level = options["char_level"]
    if "simulstream_log" in given:
        log.write_text(
            "".join(json.dumps(line) + "\n" for line in given["simulstream_log"]), encoding="utf-8"
        )
        return segments, read_simulstream(log, given["simulstream_config"], char_level=char_level)
    if "hypothesis_lines" in given:
        log.write_text("".join(line + "\n" for line in given["hypothesis_lines"]), encoding="utf-8")
        return segments, read_text_hypotheses(log, segments, char_level=char_level)
    log.write_text("".join(json.dumps(line) + "\n" for line in given["hypotheses"]), encoding="utf-8")
    return segments, read_recordings(log, char_level=char_level)


def check_longform(tally: Tally, data: Mapping[str, Any], folder: Path) -> None:
    """longform_NAME.json: segments, scores, files, re-reading of the own output, StreamLAAL."""
    options, expected = data["options"], data["expected"]
    segments, hypotheses = _load(data, folder)
    report = score_longform(
        segments,
        hypotheses,
        lang=options["lang"],
        char_level=options["char_level"],
        bleu_tokenizer=options["bleu_tokenizer"],
        offset_delays=options["offset_delays"],
        fix_simuleval_emission_ca=options["fix_simuleval_emission_ca"],
    )
    if gave_up(expected):
        tally.value("run", None, expected)
        return
    file = folder / "instances.resegmented.jsonl"
    write_resegmented(file, report.instances)
    if "resegmented" in expected:
        _check_segments(tally, file, expected["resegmented"])
    if "scores" in expected:
        check_report(tally, "scores", report, expected["scores"])
    if "scores_tsv" in expected:
        check_tsv(tally, "scores_tsv", report, expected["scores_tsv"])
    _check_reread(tally, file, options, report.instances, expected)
    if "stream_laal" in expected:
        wanted = expected["stream_laal"]
        scores = score_stream_laal(segments, hypotheses, char_level=options["char_level"])
        if gave_up(wanted):
            tally.value("stream_laal", None, wanted)
            return
        by_name = {score.name: score.value for score in scores}
        for key, name in (("ideal_s", "StreamLAAL (CU)"), ("computation_aware_s", "StreamLAAL (CA)")):
            if key in wanted:
                tally.value(f"stream_laal {key}", by_name.get(name, math.nan) / 1000, wanted[key])


def _check_segments(tally: Tally, file: Path, expected: Any) -> None:
    if gave_up(expected):
        tally.value("resegmented", None, expected)
        return
    records = [json.loads(line) for line in read_lines(file)]
    tally.exact("number of segments", len(records), len(expected))
    for i, (record, wanted) in enumerate(zip(records, expected, strict=False)):
        tally.exact(f"segment {i} keys", list(record), list(wanted))
        for key, value in wanted.items():
            if key.startswith("emission"):
                tally.times(f"segment {i} {key}", record.get(key), value)
            else:
                tally.exact(f"segment {i} {key}", record.get(key), value)


def _check_reread(
    tally: Tally, file: Path, options: Mapping[str, Any], first: list[Instance], expected: Mapping[str, Any]
) -> None:
    """Scores of the written file: as OmniSTEval gives them (no recording end), and as in the first run."""
    again = read_resegmented(file)
    common = {
        "char_level": options["char_level"],
        "bleu_tokenizer": options["bleu_tokenizer"],
        "extra": False,
    }
    for key, latency in (("pre_resegmented_default_keys", False), ("pre_resegmented_explicit_keys", True)):
        wanted = expected.get(key)
        if isinstance(wanted, dict) and "scores_tsv" in wanted:
            report = score_resegmented(again, recording_end="open", latency=latency, **common)
            check_tsv(tally, key, report, wanted["scores_tsv"])
    one, two = (score_resegmented(instances, **common).scores_tsv() for instances in (first, again))
    tally.exact("scores of the file read again", two, one)
