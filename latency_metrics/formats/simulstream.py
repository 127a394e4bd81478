"""simulstream's JSONL event log: text and times rebuilt from generated and deleted tokens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from latency_metrics.base import StreamStats
from latency_metrics.errors import LogFormatError
from latency_metrics.formats.detokenizers import Detokenizer, get_detokenizer
from latency_metrics.formats.text import json_objects, number, raw_lines
from latency_metrics.scoring.recordings import RecordingHypothesis, stem_of
from latency_metrics.units import split_units


@dataclass(frozen=True)
class SimulstreamEvent:
    """One update of a recording: times in seconds as logged, and the line it came from."""

    audio: float
    compute: float
    generated: list[str]
    deleted: list[str]
    line: int = 0


@dataclass
class _Rebuild:
    """Units, texts and times of one recording while its events are replayed."""

    detokenize: Detokenizer
    unit: str
    tokens: list[str] = field(default_factory=list)
    text: str = ""
    units: list[str] = field(default_factory=list)
    times: list[tuple[float, float, float]] = field(default_factory=list)
    finished: float = 0.0
    compute: float = 0.0
    audio: float = 0.0
    erased: int = 0
    prefix_erased: int = 0
    started: bool = False

    def replay(self, event: SimulstreamEvent, path: str | Path) -> None:
        """Apply one event: deletion first, then addition."""
        self.finished = max(event.audio, self.finished) + event.compute
        self.compute += event.compute
        self.audio = event.audio
        stamp = (event.audio, event.audio + event.compute, self.finished)
        shown = self.units
        if event.deleted:
            self._delete(event, stamp, path)
        if event.generated or not self.started:
            self._add(event.generated, stamp)
        self.started = True
        if event.deleted or event.generated:
            same = takewhile(lambda pair: pair[0] == pair[1], zip(shown, self.units, strict=False))
            self.prefix_erased += len(shown) - len(list(same))

    def _delete(self, event: SimulstreamEvent, stamp: tuple[float, float, float], path: str | Path) -> None:
        count = len(event.deleted)
        if event.deleted != self.tokens[-count:]:
            raise LogFormatError(
                path,
                event.line,
                f"'deleted_tokens' ({event.deleted}) are not the last tokens of the recording",
            )
        self.erased += len(split_units(self.detokenize(event.deleted), self.unit))
        del self.tokens[-count:]
        before = self.units
        self._detokenize()
        removed = len(before) - len(self.units)
        if removed > 0:
            del self.times[-removed:]
        last = len(self.units) - 1
        if (
            self.unit == "word"
            and 0 <= last < len(before)
            and before[last] != self.units[last]
            and self.times
        ):
            self.times[-1] = stamp

    def _add(self, generated: Sequence[str], stamp: tuple[float, float, float]) -> None:
        self.tokens.extend(generated)
        before = self.units
        self._detokenize()
        self.times.extend([stamp] * (len(self.units) - len(before)))
        last = len(before) - 1
        if self.unit == "word" and 0 <= last < len(self.units) and before[last] != self.units[last]:
            self.times[last] = stamp

    def _detokenize(self) -> None:
        self.text = self.detokenize(self.tokens)
        self.units = split_units(self.text, self.unit)


def rebuild(
    recording: str,
    events: Iterable[SimulstreamEvent],
    detokenizer: Detokenizer,
    *,
    char_level: bool = False,
    path: str | Path = "<log>",
) -> RecordingHypothesis:
    """Final text of a recording and the time of the last change to each of its units.

    Times come out in ms: `delays` audio processed, `elapsed` audio + compute time of the own event (the rule
    of simulstream), `queued` by finish = max(audio, previous finish) + compute over every event.

    Raises:
        LogFormatError: deleted tokens are not the tail of the tokens so far.
    """
    state = _Rebuild(detokenizer, "char" if char_level else "word")
    for event in events:
        state.replay(event, path)
    stats = StreamStats(
        units=len(state.units),
        erased_units=state.erased,
        prefix_erased_units=state.prefix_erased,
        compute_ms=state.compute * 1000,
        audio_ms=state.audio * 1000,
    )
    return RecordingHypothesis(
        recording=recording,
        units=state.units,
        text=state.text,
        delays=[audio * 1000 for audio, _, _ in state.times],
        elapsed=[aware * 1000 for _, aware, _ in state.times],
        queued=[queued * 1000 for _, _, queued in state.times],
        elapsed_kind="per_chunk",
        stream=stats,
    )


def parse_events(
    records: Iterable[tuple[int, Mapping[str, Any]]], path: str | Path = "<log>"
) -> dict[str, list[SimulstreamEvent]]:
    """Events of each recording (named by the stem of its audio, or by its path where stems are not distinct), in
    order of first event.

    Raises:
        LogFormatError: an event is malformed or before its metadata, or a recording has two ids.
    """
    paths: dict[str, str] = {}
    owner: dict[str, str] = {}
    events: dict[str, list[SimulstreamEvent]] = {}
    for line, record in records:
        if "metadata" in record:
            wav = record["metadata"].get("wav_name") if isinstance(record["metadata"], Mapping) else None
            if not isinstance(wav, str) or "id" not in record:
                raise LogFormatError(path, line, "metadata needs an 'id' and a 'wav_name'")
            paths[_key(record["id"])] = wav
        elif "id" in record:
            key = _key(record["id"])
            if key not in paths:
                raise LogFormatError(path, line, f"an event of id {record['id']!r} comes before its metadata")
            if owner.setdefault(paths[key], key) != key:
                name = stem_of(paths[key])
                raise LogFormatError(path, line, f"the recording {name!r} appears under two ids")
            events.setdefault(paths[key], []).append(_event(record, path, line))
    stems = Counter(stem_of(wav) for wav in events)
    return {wav if stems[stem_of(wav)] > 1 else stem_of(wav): found for wav, found in events.items()}


def _key(identifier: Any) -> str:
    return json.dumps(identifier, sort_keys=True)


def _event(record: Mapping[str, Any], path: str | Path, line: int) -> SimulstreamEvent:
    times = []
    for key in ("total_audio_processed", "computation_time"):
        value = number(dict(record), key, path, line)
        if value is None:
            raise LogFormatError(path, line, f"the event has no {key!r}")
        times.append(value)
    lists = []
    for key in ("generated_tokens", "deleted_tokens"):
        tokens = record.get(key)
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise LogFormatError(path, line, f"{key!r} must be a list of texts")
        lists.append(tokens)
    return SimulstreamEvent(times[0], times[1], lists[0], lists[1], line)


def read_simulstream(
    path: str | Path, config: str | Mapping[str, Any] | Detokenizer, *, char_level: bool = False
) -> list[RecordingHypothesis]:
    """Recordings of a simulstream log, blank lines skipped.

    Args:
        path: the log.
        config: an evaluation config, its short name (word, char, spm), or a detokeniser.
        char_level: units are code points instead of non-empty pieces between spaces.

    Raises:
        LogFormatError: a line is malformed.
        MetricsError: the detokeniser is not known.
    """
    detokenizer = config if callable(config) else get_detokenizer(config)
    events = parse_events(json_objects(raw_lines(path), path), path)
    return [
        rebuild(name, found, detokenizer, char_level=char_level, path=path) for name, found in events.items()
    ]


def write_simulstream(
    path: str | Path, recordings: Mapping[str, Sequence[SimulstreamEvent]], *, model_loading_time: float = 0.0
) -> None:
    """Write events as a simulstream log; the folder is made when missing.

    Args:
        path: file to write.
        recordings: events of each recording, by the path or name of its audio.
        model_loading_time: seconds.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        lines: list[dict[str, Any]] = [{"model_loading_time": model_loading_time}]
        for identifier, (name, events) in enumerate(recordings.items()):
            lines.append({"id": identifier, "metadata": {"wav_name": name}})
            lines += [
                {
                    "id": identifier,
                    "total_audio_processed": event.audio,
                    "computation_time": event.compute,
                    "generated_tokens": list(event.generated),
                    "deleted_tokens": list(event.deleted),
                }
                for event in events
            ]
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
