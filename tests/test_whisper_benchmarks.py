"""What the benchmarks of Whisper count with: words by time, cases that are kept, noise, a slowed process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import noises
from benchmarks.cases import run_cases
from benchmarks.watched import WatchedProcess
from benchmarks.whisper_peers import claims, our_pieces, peer_pieces
from benchmarks.whisper_robustness import words_by_time
from benchmarks.word_lag import lags, timed_words
from simul.session.events import SegmentEnd, Settled, Start, TimedWord


def test_a_word_is_there_with_its_last_character() -> None:
    pieces = [(" Print", 1.0), ("ing, then", 2.0), (" well-known", 3.0)]
    assert timed_words(pieces, "en") == [("printing", 2.0), ("then", 2.0), ("well", 3.0), ("known", 3.0)]


def test_lags_are_those_of_words_that_match() -> None:
    clock = [("one", 0.5), ("two", 1.0), ("three", 1.5), ("four", 2.0)]
    heard = [("one", 1.5), ("too", 2.0), ("three", 2.0), ("so", 2.5), ("four", 4.0)]
    assert lags(clock, heard) == [1.0, 0.5, 2.0]


def test_text_of_events_and_of_peers_comes_in_timed_pieces() -> None:
    start = Start("en", "en", "local-agreement", "whisper", 16_000, 8_000)
    events = [
        start,
        Settled(0, " One", (" One",), 8_000, 0.6),
        SegmentEnd(0, 0, 8_000, "One", "pause", 8_000, 0.6),
        Settled(1, "two", ("two",), 24_000, 1.6),
        start,
    ]
    assert our_pieces([e.to_json() for e in events]) == [[(" One", 0.5), (" two", 1.5)], []]
    lines = [{"loaded": "x"}, {"recording": 1, "at": 2.0, "text": " two"}]
    assert peer_pieces([json.dumps(line) for line in lines], 2) == [[], [(" two", 2.0)]]


def test_parts_of_a_word_are_one_word() -> None:
    words = (TimedWord("over", 0, 10), TimedWord("come", 10, 20, joined=True), TimedWord("it"))
    event = Settled(0, "overcome it", ("overcome", " it"), 50, 0.1, words=words)
    assert words_by_time([event]) == [(20, "overcome"), (50, "it")]


def test_claims_are_shares_of_what_the_peer_needs() -> None:
    figures = {"lag_mean": 1.0, "cpu_seconds_per_second": 0.5, "peak_mib": 500, "edits": 3}
    peer = {"lag_mean": 2.0, "cpu_seconds_per_second": 2.0, "peak_mib": 1000, "edits": 5}
    (found,) = claims({"ours": figures, "other": peer})
    assert found["edits_more"] == -2
    assert [found[f"{name}_share"] for name in ("lag_mean", "cpu_seconds_per_second", "peak_mib")] == [
        0.5,
        0.25,
        0.5,
    ]


def test_a_case_that_is_done_is_not_measured_again(tmp_path: Path) -> None:
    place = tmp_path / "results.json"
    asked: list[str] = []

    def measure(name: str) -> str:
        asked.append(name)
        if name == "b" and asked.count("b") == 1:
            raise KeyboardInterrupt
        return name.upper()

    cases = {name: lambda name=name: measure(name) for name in "ab"}
    with pytest.raises(KeyboardInterrupt):
        run_cases(place, cases, ("numpy",))
    report = run_cases(place, cases, ("numpy",), {"seconds": 1})
    assert asked == ["a", "b", "b"]
    assert report["cases"] == {"a": "A", "b": "B"}
    assert json.loads(place.read_text(encoding="utf-8")) == report
    assert report["seconds"] == 1


def test_sounds_without_words_have_one_level() -> None:
    voices = [np.sin(np.arange(length) / 7).astype(np.float32) for length in (9_000, 20_000)]
    for sound in (noises.fan(3), noises.music(3), noises.babble(voices, 3)):
        assert len(sound) == 48_000
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(noises.LEVEL, rel=1e-3)
    assert not noises.silence(3).any()


@pytest.mark.skipif(sys.platform != "linux", reason="watches a process by /proc")
def test_a_process_is_watched_and_may_be_slowed() -> None:
    program = "import time\nwhile time.process_time() < 0.2: pass\nprint('done', flush=True)\n"
    with WatchedProcess([sys.executable, "-c", program], share=0.5) as process:
        assert list(process.lines()) == ["done\n"]
    assert process.cpu >= 0.2
    assert process.peak_mib > 0
    with (
        pytest.raises(SystemExit, match="ended with 3"),
        WatchedProcess([sys.executable, "-c", "raise SystemExit(3)"]) as failing,
    ):
        assert list(failing.lines()) == []
