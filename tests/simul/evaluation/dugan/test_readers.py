"""Readers of windows: a cascade's stretches between pauses, and the segments of Whisper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from policies.base import Candidate, Need, Segment
from policies.dugan import ClipSegment
from simul.backends.cascade import CascadeBackend
from simul.backends.scripted import Pass, ScriptedBackend, ScriptedSegment
from simul.errors import UsageError
from simul.evaluation.dugan.readers import BackendReader, CascadeReader, reader_of
from simul.models.words import Word, stretches
from tests.simul.backends.test_cascade import ScriptedRecognizer, UpperCase
from tests.simul.evaluation.dugan.cascade import RATE, audio, cascade


def test_stretches_end_at_pauses() -> None:
    spoken = [Word("a", 0, 1000), Word("b", 1500, 3000), Word("c", 6200, 7000), Word("d", 10200, 11000)]
    assert [[w.text for w in part] for part in stretches(spoken)] == [["a", "b"], ["c"], ["d"]]


def test_a_cascade_gives_stretches_as_segments() -> None:
    backend = cascade()
    reader = reader_of(backend, audio(), "en", "de")
    assert isinstance(reader, CascadeReader)
    segments, elapsed = reader.window(0.0, 0.8)
    assert [s.text for s in segments] == [" ONE TWO", " THREE FOUR"]
    assert [(s.start, s.end) for s in segments] == [(0, 0.2), (0.4, 0.6)]
    assert len(elapsed) == 3
    assert list(elapsed) == sorted(elapsed)
    assert len({s.no_speech_prob for s in segments}) == 1
    assert 0 <= segments[0].no_speech_prob < 1
    # A window that only grew goes on where the last one stopped; one that begins elsewhere begins anew.
    grown, _ = reader.window(0.0, 1.2)
    assert [s.text for s in grown][-1].startswith(" FIVE SIX")
    shifted, _ = reader.window(0.4, 0.8)
    assert shifted[0].text.startswith(" ONE")
    assert shifted[0].start == 0
    assert reader.whole()[0] == "ONE TWO THREE FOUR FIVE SIX SEVEN"


def test_silence_is_no_speech() -> None:
    backend = CascadeBackend(lambda: ScriptedRecognizer(["one"]), UpperCase())
    samples = np.zeros(RATE, np.float32)
    samples[:1600] = 0.3 * np.sin(np.arange(1600) * 0.2)
    (segment,), _ = CascadeReader(backend, samples, "en", "de").window(0, 1)
    assert segment.no_speech_prob > 0.8


def test_whisper_gives_its_own_segments(tiny_whisper: Path) -> None:
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.ctranslate2 import WhisperModel
    from tests.tiny_models import ENGLISH, tones

    samples, _ = tones([0, 3, 5], [3000, 3000, 3000])
    model = WhisperModel(tiny_whisper, "cpu", "float32", threads=1, window="bucket")
    reader = reader_of(WhisperBackend(model, timestamps=True, activity=None), samples, "en", "en")
    assert isinstance(reader, BackendReader)
    length = len(samples) / RATE
    segments, elapsed = reader.window(0.0, length)
    expected = " ".join(ENGLISH[w] for w in (0, 3, 5))
    assert "".join(s.text for s in segments).strip() == expected == reader.whole()[0].strip()
    assert all(0 <= s.start <= s.end <= length + 0.02 and 0 <= s.no_speech_prob <= 1 for s in segments)
    assert len(elapsed) == len(segments) + 1


def scripted() -> ScriptedBackend:
    """Two segments of a second; the first holds two pieces, one of them hardly speech."""
    pieces = (Segment(0, 8000, " a", 0.1, 1), Segment(8000, 16000, " b", 0.75, 1))
    last = (Segment(20000, 28000, " c", 0.0, 1),)
    return ScriptedBackend(
        [
            ScriptedSegment(0, 16000, (Pass(0, Candidate((" a", " b"), segments=pieces)),)),
            ScriptedSegment(16000, 32000, (Pass(16001, Candidate((" c",), segments=last)),)),
        ]
    )


def test_a_backend_gives_the_segments_of_all_its_segments() -> None:
    backend = scripted()
    reader = reader_of(backend, np.zeros(32000, np.float32), "en", "de")
    assert isinstance(reader, BackendReader)
    segments, elapsed = reader.window(0.0, 2.0)
    assert segments == (
        ClipSegment(0.0, 0.5, " a", 0.1), ClipSegment(0.5, 1.0, " b", 0.75), ClipSegment(1.25, 1.75, " c", 0.0)
    )  # fmt: skip
    assert len(elapsed) == 4
    assert len(set(elapsed)) == 1
    assert [s.text for s in reader.window(0.0, 1.0)[0]] == [" a", " b"]
    assert reader.whole()[0] == " a b c"
    assert backend.streams == ()


def test_a_pass_that_fails_leaves_no_stream_behind() -> None:
    def fail(size: int) -> None:
        raise RuntimeError("out of memory")

    backend = ScriptedBackend([], on_decode=fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        reader_of(backend, np.zeros(16000, np.float32), "en", "de").window(0.0, 1.0)
    assert backend.streams == ()


def test_a_backend_without_segments_is_refused() -> None:
    with pytest.raises(UsageError, match="does not give; use a Whisper model or a cascade"):
        reader_of(ScriptedBackend([], frozenset({Need.TOKENS})), np.zeros(1, np.float32), "en", "de")
