"""Traces of a recogniser: replayed under any policy, a cascade says to the event what it says live."""

from __future__ import annotations

import numpy as np
import pytest

from policies import make_policy
from simul.audio.files import FileSource
from simul.backends.cascade import CascadeBackend
from simul.clock import VirtualClock
from simul.evaluation.trace.recognizer import (
    CachedTranslator,
    RecognizerTrace,
    RecordingRecognizer,
    ReplayRecognizer,
    Translations,
)
from simul.evaluation.trace.trace import TraceError
from simul.session import Session, SessionConfig
from tests.simul.backends.test_cascade import SCRIPT, WORD, ScriptedRecognizer, UpperCase

POLICIES = (
    "offline",
    "local-agreement(n=2)",
    "local-agreement(n=3)",
    "hold-n(n=1)",
    "wait-k(unit=word, k=2)",
    "align-bridge(margin_ms=100)",
    "pause(silence_ms=100)",
    "sliding-window",
    "gate(local-agreement(n=2), silence_ms=100)",
)


class AnyCut(ScriptedRecognizer):
    """Its words depend on the samples alone."""

    any_cut = True


def record(recognizer, samples, cut) -> RecognizerTrace:
    recorder = RecordingRecognizer(recognizer)
    for start in range(0, len(samples), cut):
        recorder.push(samples[start : start + cut])
    recorder.finish()
    return recorder.trace


def run(policy: str, backend: CascadeBackend, samples: np.ndarray, chunk: int) -> list:
    session = Session(make_policy(policy), backend, VirtualClock(), SessionConfig(chunk=chunk))
    events = session.feed(samples) + session.finish()
    return [{k: v for k, v in event.to_dict().items() if k != "time"} for event in events]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("chunk", [WORD, 2 * WORD, 3 * WORD])
def test_replayed_policies_say_what_they_say_live(policy: str, chunk: int, tmp_path) -> None:
    samples = np.zeros(9 * WORD + 123, np.float32)
    record(AnyCut(SCRIPT), samples, WORD).write(tmp_path / "trace.jsonl")
    trace = RecognizerTrace.read(tmp_path / "trace.jsonl")
    replay = CascadeBackend(lambda: ReplayRecognizer(trace), CachedTranslator(UpperCase()))
    live = CascadeBackend(lambda: AnyCut(SCRIPT), UpperCase())
    assert run(policy, replay, samples, chunk) == run(policy, live, samples, chunk)


def test_policies_share_translations() -> None:
    samples = np.zeros(9 * WORD, np.float32)
    trace = record(AnyCut(SCRIPT), samples, WORD)
    known, translator = Translations(), UpperCase()
    for policy in POLICIES:
        run(
            policy,
            CascadeBackend(lambda: ReplayRecognizer(trace), CachedTranslator(translator, known)),
            samples,
            WORD,
        )
    assert known.asked > known.computed == len(translator.seen)
    texts = [(r.source, r.complete, r.prefix, r.max_new_tokens) for r in translator.seen]
    assert len(set(texts)) == len(texts)


def test_offline_asks_once_per_utterance() -> None:
    samples = np.zeros(9 * WORD, np.float32)
    trace = record(AnyCut(SCRIPT), samples, WORD)
    translator = UpperCase()
    run(
        "offline",
        CascadeBackend(lambda: ReplayRecognizer(trace), CachedTranslator(translator)),
        samples,
        WORD,
    )
    assert [r.source for r in translator.seen if r.source] == ["one two three four", "five six"]


def test_time_is_that_of_the_recording() -> None:
    samples = np.zeros(9 * WORD, np.float32)
    trace = record(AnyCut(SCRIPT), samples, WORD)
    clock = VirtualClock()
    replay = ReplayRecognizer(trace, clock)
    for start in range(0, len(samples), WORD):
        replay.push(samples[start : start + WORD])
    replay.finish()
    assert clock.now() == pytest.approx(sum(s.push + s.hypothesis for s in trace.steps))
    joined = VirtualClock()
    replay = ReplayRecognizer(trace, joined)
    replay.push(samples)
    # The words between were never asked for.
    assert joined.now() == pytest.approx(sum(s.push for s in trace.steps[:-1]) + trace.steps[-2].hypothesis)


def test_other_cuts_are_refused_unless_they_do_not_matter() -> None:
    samples = np.zeros(8 * WORD, np.float32)
    trace = record(ScriptedRecognizer(SCRIPT), samples, WORD)
    assert not trace.any_cut
    with pytest.raises(TraceError, match="other pieces"):
        ReplayRecognizer(trace).push(samples[: 2 * WORD])
    with pytest.raises(TraceError, match="other pieces"):
        ReplayRecognizer(record(AnyCut(SCRIPT), samples, WORD)).push(samples[: WORD // 2])


def test_damaged_traces_are_named(tmp_path) -> None:
    path = tmp_path / "trace.jsonl"
    record(AnyCut(SCRIPT), np.zeros(4 * WORD, np.float32), WORD).write(path)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(TraceError, match="record it again"):
        RecognizerTrace.read(path)


def test_the_embedded_recogniser() -> None:
    sphinx = pytest.importorskip("simul.models.embedded.sphinx")
    pytest.importorskip("pocketsphinx")
    with FileSource("tests/simul/clips/austen-0880-en.flac", 250) as source:
        samples = np.concatenate(list(source))[: 2 * 16000]
    trace = record(sphinx.SphinxRecognizer(), samples, 4000)
    live = CascadeBackend(sphinx.SphinxRecognizer, UpperCase())
    replay = CascadeBackend(lambda: ReplayRecognizer(trace), CachedTranslator(UpperCase()))
    found = run("local-agreement(n=2)", replay, samples, 8000)
    assert found == run("local-agreement(n=2)", live, samples, 8000)
    assert any(event["type"] == "settled" for event in found)
