"""Readers and writers: what is written is read back, what is malformed is named with file, line and reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency_metrics import Instance, LogFormatError, LongYAAL, MatchError, MetricsError
from latency_metrics.clocks import queue
from latency_metrics.erasure import NormalizedErasure, PrefixErasure
from latency_metrics.formats import (
    get_detokenizer,
    read_instances,
    read_lines,
    read_recordings,
    read_resegmented,
    read_segmentation,
    read_simulstream,
    read_text_hypotheses,
    read_text_segmentation,
    with_references,
    write_instances,
    write_metrics_tsv,
    write_resegmented,
    write_simulstream,
)
from latency_metrics.formats.detokenizers import read_config
from latency_metrics.formats.simulstream import SimulstreamEvent
from latency_metrics.laal import LAAL

GOOD = {"index": 0, "prediction": "a b", "delays": [1.0, 2.0], "elapsed": [1.5, 2.5], "source_length": 3.0}
EVENT = {
    "id": 0,
    "total_audio_processed": 1.0,
    "computation_time": 0.1,
    "generated_tokens": [],
    "deleted_tokens": [],
}
META = {"id": 0, "metadata": {"wav_name": "d/talk.wav"}}


def lines(path: Path, *records: Any) -> Path:
    path.write_text(
        "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{not json", "it is not JSON"),
        ("[1]", "not an object"),
        ({**GOOD, "delays": "1 2"}, "'delays' must be a list of numbers"),
        ({**GOOD, "delays": [1.0, None]}, r"'delays'\[1\] must be a finite number, not null"),
        ({**GOOD, "delays": [1.0, True]}, r"'delays'\[1\] must be a finite number, not true"),
        ('{"delays": [1.0, NaN]}', r"'delays'\[1\] must be a finite number, not NaN"),
        ({**GOOD, "elapsed": [1.0]}, "2 'delays' but 1 'elapsed'"),
        ({**GOOD, "source_length": "3"}, "'source_length' must be a finite number"),
        ({**GOOD, "prediction": 5}, "'prediction' must be a text"),
        ({**GOOD, "durations": [1.0]}, "2 'delays' but 1 'durations'"),
        ({**GOOD, "intervals": [[1.0]]}, r"\[start, duration\] pairs"),
    ],
)
def test_malformed_simuleval_lines(tmp_path: Path, record: Any, reason: str) -> None:
    path = lines(tmp_path / "instances.log", GOOD, record)
    with pytest.raises(LogFormatError, match=reason) as caught:
        read_instances(path)
    assert (caught.value.path, caught.value.line) == (str(path), 2)
    assert str(caught.value).startswith(f"{path}, line 2: ")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"id": 1, **{k: v for k, v in EVENT.items() if k != "id"}}, "comes before its metadata"),
        ({**EVENT, "computation_time": None}, "no 'computation_time'"),
        ({**EVENT, "generated_tokens": "ab"}, "'generated_tokens' must be a list of texts"),
        ({**EVENT, "deleted_tokens": ["x"]}, "not the last tokens"),
        ({"id": 0, "metadata": {}}, "'wav_name'"),
    ],
)
def test_malformed_simulstream_lines(tmp_path: Path, record: Any, reason: str) -> None:
    path = lines(tmp_path / "log.jsonl", {"model_loading_time": 1}, META, EVENT, record)
    with pytest.raises(LogFormatError, match=reason) as caught:
        read_simulstream(path, "word")
    assert caught.value.line == 4


def test_one_recording_under_two_ids(tmp_path: Path) -> None:
    path = lines(tmp_path / "log.jsonl", META, EVENT, {**META, "id": 1}, {**EVENT, "id": 1})
    with pytest.raises(LogFormatError, match="two ids"):
        read_simulstream(path, "word")


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        (
            "s.yaml",
            "- {wav: a.wav, offset: 0, duration: 1}\n- {wav: a.wav, offset: x, duration: 1}\n",
            2,
            "'offset'",
        ),
        ("s.yaml", "- {wav: a.wav, offset: 0}\n", 1, "'duration'"),
        ("s.yaml", "- {wav: a.wav, offset: 0, duration: 1\n- b", 2, "not YAML"),
        ("s.yaml", "a: 1\n", None, "list of segments"),
        (
            "s.json",
            '[{"wav": "a", "offset": 0, "duration": 1}, {"offset": 1, "duration": 1}]',
            None,
            "entry 2 has no",
        ),
        ("s.json", "[\n{]", 2, "not JSON"),
        ("s.tsv", "wav\toffset\n", 1, "no column duration"),
        ("s.tsv", "wav\toffset\tduration\na\t0\t1\na\tzero\t1\n", 3, "'offset' is not a number"),
        ("s.tsv", "wav\toffset\tduration\na\t0\n", 2, "2 columns"),
        ("s.csv", "", None, "must be a .yaml"),
    ],
)
def test_malformed_segmentations(
    tmp_path: Path, name: str, content: str, line: int | None, reason: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LogFormatError, match=reason) as caught:
        read_segmentation(path)
    assert caught.value.line == line


def test_three_segmentation_formats_say_the_same(tmp_path: Path) -> None:
    entries = [
        {"wav": "x/a.wav", "offset": 0.5, "duration": 1.25, "speaker_id": "s"},
        {"wav": "x/b.wav", "offset": 0.0, "duration": 2.0},
        {"wav": "x/b.wav", "offset": 2.5, "duration": 1.0},
    ]
    (tmp_path / "s.json").write_text(json.dumps(entries), encoding="utf-8")
    (tmp_path / "s.yaml").write_text("".join(f"- {json.dumps(e)}\n" for e in entries), encoding="utf-8")
    rows = ["wav\toffset\tduration", *(f"{e['wav']}\t{e['offset']}\t{e['duration']}" for e in entries)]
    (tmp_path / "s.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = [read_segmentation(tmp_path / name) for name in ("s.json", "s.yaml", "s.tsv")]
    assert found[0] == found[1] == found[2]
    assert [(s.offset, s.duration, s.document, s.number) for s in found[0]] == [
        (500, 1250, 0, 0),
        (0, 2000, 1, 0),
        (2500, 1000, 1, 1),
    ]


def test_text_segmentation(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.txt", "docid=0,segid=0", "docid=1,segid=0", "docid=1,segid=1")
    segments = read_text_segmentation(path)
    assert [(s.document, s.number, s.timed) for s in segments] == [
        (0, 0, False),
        (1, 0, False),
        (1, 1, False),
    ]
    with pytest.raises(LogFormatError, match="a blank line") as caught:
        read_text_segmentation(lines(path, "docid=0,segid=0", ""))
    assert caught.value.line == 2


def test_text_hypotheses_follow_the_segmentation(tmp_path: Path) -> None:
    segments = read_text_segmentation(lines(tmp_path / "t.txt", "docid=1,segid=0", "docid=0,segid=0"))
    hypotheses = read_text_hypotheses(lines(tmp_path / "h.txt", " a b ", "c"), segments)
    assert [(h.recording, h.units, h.delays) for h in hypotheses] == [
        ("0", ["a", "b"], None),
        ("1", ["c"], None),
    ]
    with pytest.raises(LogFormatError, match="1 lines but the segmentation has 2 recordings"):
        read_text_hypotheses(lines(tmp_path / "h.txt", "a"), segments)


def test_references_one_per_segment(tmp_path: Path) -> None:
    segments = read_text_segmentation(lines(tmp_path / "t.txt", "docid=0,segid=0"))
    assert with_references(segments, [" x "])[0].reference == "x"
    with pytest.raises(MatchError, match="1 segments but 2 reference lines"):
        with_references(segments, ["x", "y"])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LogFormatError, match="cannot be read"):
        read_lines(tmp_path / "missing.txt")
    (tmp_path / "latin.txt").write_bytes("a\nfür\n".encode("latin-1"))
    with pytest.raises(LogFormatError, match="not UTF-8") as caught:
        read_lines(tmp_path / "latin.txt")
    assert caught.value.line == 2
    (tmp_path / "broken.log.gz").write_bytes(b"not gzip")
    with pytest.raises(LogFormatError, match="cannot be read"):
        read_instances(tmp_path / "broken.log.gz")


def test_line_ends_marks_and_compression(tmp_path: Path) -> None:
    text = (
        "\ufeff"
        + json.dumps(GOOD)
        + "\r\n\r\n"
        + json.dumps({**GOOD, "prediction": "x\u2028y"}, ensure_ascii=False)
    )
    with gzip.open(tmp_path / "i.log.gz", "wb") as file:
        file.write(text.encode())
    assert [i.prediction for i in read_instances(tmp_path / "i.log.gz")] == ["a b", "x\u2028y"]


def test_simuleval_log_read_back(tmp_path: Path) -> None:
    given = [
        Instance(
            index=0, prediction="a b", reference="x", delays=[1.0, 2.0], elapsed=[1.5, 2.5], source_length=3.0
        ),
        Instance(index=1, prediction="", reference="y", delays=[], elapsed=[], source_length=3.0),
    ]
    path = tmp_path / "deep" / "instances.log"
    write_instances(path, given, [["a.wav", "info"], "b.wav"])
    assert read_instances(path) == given
    speech = replace(given[0], prediction="0.wav", durations=[500.0, 700.0], elapsed=None)
    write_instances(path, [speech], ["a.wav"])
    found = read_instances(path)[0]
    assert found == replace(speech, intervals=[(1.0, 500.0), (501.0, 700.0)])


def test_references_and_key_names(tmp_path: Path) -> None:
    path = lines(tmp_path / "i.log", {"prediction": "a", "cu": [1.0], "ca": [2.0], "source_length": 3})
    found = read_instances(path, references=[" r s "], cu_key="cu", ca_key="ca")[0]
    assert (found.delays, found.elapsed, found.reference) == ([1.0], [2.0], "r s")
    with pytest.raises(LogFormatError, match="1 instances but there are 2 references"):
        read_instances(path, references=["a", "b"])
    assert read_instances(path, references=["abc"], reference_counter=len)[0].reference_length == 3


def test_source_kind_comes_from_the_log(tmp_path: Path) -> None:
    text = {**GOOD, "source": "ein Satz mit", "source_length": 3}
    path = lines(tmp_path / "i.log", text, {**GOOD, "source": "a.wav"}, {**GOOD, "source": ["ein Satz mit"]})
    assert [i.source_kind for i in read_instances(path)] == ["text", "speech", "speech"]


def test_recordings_need_a_name(tmp_path: Path) -> None:
    path = lines(tmp_path / "i.log", {**GOOD, "source": ["d/talk.wav", "16 kHz"], "prediction": "a  b"})
    found = read_recordings(path)[0]
    assert (found.recording, found.units) == ("d/talk.wav", ["a", "b"])
    assert read_recordings(path, char_level=True)[0].units == ["a", " ", " ", "b"]
    with pytest.raises(LogFormatError, match="no 'source'"):
        read_recordings(lines(path, GOOD))


def test_resegmented_file_keeps_the_recording_end(tmp_path: Path) -> None:
    given = [
        Instance(index=0, prediction="a b", reference="x y", delays=[500.0, 2500.0], elapsed=[600.0, 2700.0],
                 source_length=1000.0, time_to_recording_end=2400.0, recording="t", segment=0, document=0),
        Instance(index=1, prediction="", reference="z", source_length=1000.0, time_to_recording_end=1400.0,
                 recording="t", segment=1, document=0, offset=1000.0),
        Instance(index=2, prediction="c", reference="z", delays=[-50.0], elapsed=[10.0], source_length=400.0,
                 time_to_recording_end=400.0, recording="t", segment=2, document=0, offset=2000.0),
    ]  # fmt: skip
    path = tmp_path / "instances.resegmented.jsonl"
    write_resegmented(path, given)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert list(records[0]) == [
        "index", "docid", "segid", "prediction", "reference", "source_length", "emission_cu", "emission_ca",
        "time_to_recording_end",
    ]  # fmt: skip
    assert "emission_cu" not in records[1]
    again = read_resegmented(path)
    for clock in ("cu", "ca"):
        metric = LongYAAL(clock=clock)  # type: ignore[arg-type]
        assert metric.corpus(again).values == metric.corpus(given).values
    assert [instance.offset for instance in again] == [0, 0, 2000]
    with pytest.raises(LogFormatError, match="2 computation-unaware but 1"):
        read_resegmented(lines(path, {"emission_cu": [1, 2], "emission_ca": [1]}))


def test_simulstream_log_read_back(tmp_path: Path) -> None:
    events = [
        SimulstreamEvent(1.0, 0.5, ["▁the"], []),
        SimulstreamEvent(2.0, 1.5, ["▁old", "▁do"], []),
        SimulstreamEvent(3.0, 0.25, ["▁dog", "."], ["▁do"]),
        SimulstreamEvent(3.0, 0.25, [], []),
    ]
    path = tmp_path / "log.jsonl"
    write_simulstream(path, {"d/talk.wav": events}, model_loading_time=2.5)
    (found,) = read_simulstream(path, {"detokenizer_type": "simuleval", "latency_unit": "spm"})
    assert (found.recording, found.text) == ("talk", "the old dog.")
    assert found.delays == [1000, 2000, 3000]
    assert found.elapsed == [1500, 3500, 3250]
    finish = queue([1000, 2000, 3000], [500, 1500, 250])
    assert found.queued == finish == [1500, 3500, 3750]
    whole = [found.as_instance()]
    assert NormalizedErasure().corpus(whole).value == pytest.approx(1 / 3)
    assert PrefixErasure().corpus(whole).value == pytest.approx(1 / 3)


def test_what_is_deleted_and_written_again_is_erased_by_one_definition_only(tmp_path: Path) -> None:
    events = [
        SimulstreamEvent(1.0, 0.0, ["a"], []),
        SimulstreamEvent(2.0, 0.0, ["b"], []),
        SimulstreamEvent(3.0, 0.0, ["c", "d"], ["b"]),
        SimulstreamEvent(4.0, 0.0, ["c"], ["c", "d"]),
    ]
    path = tmp_path / "log.jsonl"
    write_simulstream(path, {"t": events})
    (found,) = read_simulstream(path, "word")
    assert found.stream is not None
    assert (found.units, found.stream.erased_units, found.stream.prefix_erased_units) == (["a", "c"], 3, 2)


def test_a_word_takes_the_time_of_its_last_change(tmp_path: Path) -> None:
    events = [
        SimulstreamEvent(1.0, 0.0, ["▁do"], []),
        SimulstreamEvent(2.0, 0.0, ["gs"], []),
        SimulstreamEvent(3.0, 0.0, ["▁x"], ["gs"]),
    ]
    path = tmp_path / "log.jsonl"
    write_simulstream(path, {"t": events})
    (found,) = read_simulstream(path, "spm")
    assert (found.text, found.delays) == ("do x", [3000, 3000])
    (chars,) = read_simulstream(path, "spm", char_level=True)
    assert (chars.units, chars.delays) == (["d", "o", " ", "x"], [1000, 1000, 3000, 3000])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("byte", "unit 'byte' is not known"),
        ({"detokenizer_type": "canary"}, "type 'canary' is not known"),
        ({"detokenizer_type": "hf"}, "hf_model_name"),
    ],
)
def test_unknown_detokenizers(config: Any, reason: str) -> None:
    with pytest.raises(MetricsError, match=reason):
        get_detokenizer(config)


def test_config_file(tmp_path: Path) -> None:
    path = tmp_path / "cfg.yaml"
    path.write_text("detokenizer_type: simuleval\nlatency_unit: char\n", encoding="utf-8")
    assert get_detokenizer(read_config(path))(["a", "b"]) == "ab"
    path.write_text("- a\n", encoding="utf-8")
    with pytest.raises(LogFormatError, match="must hold keys"):
        read_config(path)


def test_metrics_tsv(tmp_path: Path) -> None:
    path = tmp_path / "metrics.tsv"
    instances = [Instance(index=0, delays=[500.0], reference="x", source_length=1000.0), Instance(index=1)]
    write_metrics_tsv(path, instances, [LAAL(), LAAL(clock="ca")])
    assert path.read_text(encoding="utf-8") == "index\tLAAL\tLAAL_CA\n0\t500.0\t\n1\t\t\n"


Reader = Callable[[Path], object]


@pytest.mark.parametrize(
    "reader",
    [read_instances, read_recordings, read_resegmented, lambda path: read_simulstream(path, "word")],
)
def test_random_damage_is_an_error_with_a_line_or_reads(tmp_path: Path, reader: Reader) -> None:
    whole = (
        json.dumps({**GOOD, "source": "a.wav"}) + "\n" + json.dumps(META) + "\n" + json.dumps(EVENT) + "\n"
    )
    path = tmp_path / "log"
    places: set[int | None] = set()
    for cut in range(0, len(whole), 3):
        for damaged in (
            whole[:cut],
            whole[:cut] + "}" + whole[cut:],
            whole[:cut] + "\x00" + whole[cut + 1 :],
        ):
            path.write_text(damaged, encoding="utf-8")
            try:
                reader(path)
            except LogFormatError as error:
                places.add(error.line)
    assert places <= {1, 2, 3}
    assert places


def test_a_tokenizer_of_transformers_from_a_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordPiece({"[UNK]": 0, "do": 1, "##gs": 2, "run": 3}, unk_token="[UNK]")
    core = tokenizers.Tokenizer(model)
    core.decoder = tokenizers.decoders.WordPiece()
    transformers.PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]").save_pretrained(tmp_path)
    detokenize = get_detokenizer({"detokenizer_type": "hf", "hf_model_name": str(tmp_path)})
    assert detokenize(["do", "##gs", "run"]) == "dogs run"
    with pytest.raises(MetricsError, match="not on this machine"):
        get_detokenizer({"detokenizer_type": "hf", "hf_model_name": str(tmp_path / "nothing")})
