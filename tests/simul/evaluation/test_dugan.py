"""The experiment of Dugan et al. on models: windows, adaptation, scores, table, command."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.dugan import CachedUtterance, ClipSegment, replay
from policies.registry import make_policy
from simul.backends.cascade import CascadeBackend
from simul.errors import ExitCode, UsageError
from simul.evaluation.dugan import (
    ROWS,
    BackendReader,
    CascadeReader,
    Remembered,
    Utterance,
    cell,
    experiment,
    latency_rows,
    paper_table,
    read_passes,
    reader_of,
    speak,
    write_passes,
)
from simul.models.words import Word, stretches
from tests.simul.backends.test_cascade import ScriptedRecognizer, UpperCase
from tests.simul.scripted_cli import command

RATE = 16000
SCRIPT = ["one", "two", "|", "|", "three", "four", "|", "|", "|", "five", "six", "seven"]


def words(text: str) -> int:
    return len(text.split())


class Oracle:
    """Hears a word every half second; three make a segment; one pass takes a tenth of a second."""

    def __init__(self, text: list[str]) -> None:
        self.text, self.asked = text, []

    def window(self, begin: float, end: float):
        self.asked.append((begin, end))
        first, last = round(begin * 2), min(int(end * 2), len(self.text))
        heard = self.text[first:last]
        groups = [heard[i : i + 3] for i in range(0, len(heard), 3)]
        segments = []
        for number, group in enumerate(groups):
            start = 1.5 * number
            segments.append(ClipSegment(start, start + len(group) / 2, " " + " ".join(group), 0.05))
        return tuple(segments), (0.1,) * (len(segments) + 1)

    def whole(self):
        return " " + " ".join(self.text), 0.5


def utterances(texts: list[list[str]]) -> list[Utterance]:
    return [
        Utterance(str(i), " ".join(text), Remembered(Oracle(text), len(text) / 2))
        for i, text in enumerate(texts)
    ]


TEXTS = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=4, max_size=20), min_size=1, max_size=3)


@given(TEXTS, st.sampled_from(ROWS), st.sampled_from([1.0, 2.0]), st.sampled_from(["faithful", "fixed"]))
@settings(max_examples=60)
def test_printed_lagging_is_the_standard_one_and_a_token_more(texts, row, window, profile) -> None:
    found = [cell(row, "en-de", utterances([text]), window, profile, words) for text in texts]
    for text, one in zip(texts, found, strict=True):
        if one.published is None or one.al_ca is None:
            continue
        delays = [1000 * s.delay for s in _spoken(row, text, window, profile) for _ in range(words(s.text))]
        length = 500 * len(text)
        if delays[0] <= length and length not in delays:
            assert one.published == pytest.approx(one.al_ca + 0.5)
    together = cell(row, "en-de", utterances(texts), window, profile, words)
    printed = [one.published for one in found if one.published]
    assert together.published == pytest.approx(sum(printed) / len(printed))


def _spoken(row, text, window, profile):
    args = row[2] if row[1] == "offline" else {**row[2], "profile": profile}
    return speak(make_policy(row[1], args), utterances([text])[0].model, window, profile == "faithful")


def test_offline_waits_for_everything_and_is_the_ceiling() -> None:
    texts = [list("abcdefghab"), list("cdefghabcdef")]
    results = experiment({"en-de": utterances(texts)}, words)
    offline = [r for r in results if r.row == "Offline"]
    assert all(r.bleu == pytest.approx(100) for r in offline)
    assert all(r.al >= other.al - 1e-9 for r in offline for other in results)
    greedy = next(r for r in results if (r.row, r.profile, r.window) == ("Greedy", "fixed", 1.0))
    assert greedy.al < offline[0].al
    assert greedy.al_ca > greedy.al
    assert greedy.spoken == greedy.utterances == 2


def test_the_repaired_loop_loses_nothing_where_the_released_one_does() -> None:
    text = list("abcdefghabcdefgh")
    fixed = _spoken(ROWS[4], text, 2.0, "fixed")
    faithful = _spoken(ROWS[4], text, 2.0, "faithful")
    assert "".join(s.text for s in fixed).split() == text
    assert len("".join(s.text for s in faithful).split()) < len(text)


def test_a_window_is_decoded_once_for_all_policies() -> None:
    found = utterances([list("abcdefgh")])
    experiment({"en-de": found}, words)
    asked = found[0].model.reader.asked
    assert len(set(asked)) == len(asked)


def test_kept_windows_give_the_same_table_without_a_model(tmp_path: Path) -> None:
    found = utterances([list("abcdefgh"), list("hgfedcba")])
    results = experiment({"en-de": found}, words)
    write_passes(tmp_path / "passes.jsonl", found)
    kept = read_passes(tmp_path / "passes.jsonl")
    again = [Utterance(u.name, u.reference, kept[u.name]) for u in found]
    assert experiment({"en-de": again}, words) == results
    lines = (tmp_path / "passes.jsonl").read_text(encoding="utf-8").splitlines()
    policy = make_policy("greedy", {"profile": "faithful"})
    assert replay(policy, CachedUtterance.of(json.loads(lines[0])), 1.0) == speak(
        policy, kept["0"], 1.0, True
    )
    with pytest.raises(UsageError, match="was not kept"):
        speak(policy, kept["0"], 0.7, True)
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no kept windows"):
        read_passes(tmp_path / "bad.jsonl")


def test_the_table_has_their_layout() -> None:
    pairs = {f"{language}-en": utterances([list("abcdefgh")]) for language in ("ja", "es", "ru", "ar")}
    results = experiment(pairs, words)
    for profile in ("faithful", "fixed"):
        lines = paper_table(results, profile).splitlines()
        assert lines[0].startswith("| policy | ja-en 1s | ja-en 2s | es-en 1s")
        assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [row[0] for row in ROWS]
        assert sum(line.count("(") + line.count("same") for line in lines[2:]) == 48
        assert lines[-1].count("same") == 4
    assert len(latency_rows(results)) == 96


# Models.


def test_stretches_end_at_pauses() -> None:
    spoken = [Word("a", 0, 1000), Word("b", 1500, 3000), Word("c", 6200, 7000), Word("d", 10200, 11000)]
    assert [[w.text for w in part] for part in stretches(spoken)] == [["a", "b"], ["c"], ["d"]]


def audio() -> np.ndarray:
    """Tones where the script has words, silence where it pauses; a word lasts 0.1 s."""
    rng = np.random.default_rng(0)
    pieces = [
        0.0005 * rng.standard_normal(1600) if w == "|" else 0.3 * np.sin(np.arange(1600) * 0.2)
        for w in SCRIPT
    ]
    return np.concatenate(pieces).astype(np.float32)


def test_a_cascade_gives_stretches_as_segments() -> None:
    backend = CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), UpperCase())
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


@pytest.fixture
def table(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", audio(), RATE)
    rows = ["id\tfile\tde", "a\ta.wav\tONE TWO THREE FOUR FIVE SIX SEVEN"]
    (tmp_path / "list.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "list.tsv"


def load(config, source, target, needs):
    backend = CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), UpperCase())
    return SimpleNamespace(backend=backend, description="A cascade.")


def test_the_command(table: Path, tmp_path: Path) -> None:
    arguments = ("dugan", table, "--window", "0.2", "--window", "0.4", "--passes", tmp_path / "kept")
    code, out, err = command(*arguments, loader=load)
    assert code == 0, err
    assert "faithful: BLEU" in out
    assert "| Offline | 100.0 (" in out
    assert "same |" in out
    assert "Tokens are words" in err
    assert (tmp_path / "kept" / "en-de.passes.jsonl").is_file()
    code, out, _ = command(*arguments, "--json", loader=load)
    found = json.loads(out)
    assert len(found) == 24
    assert {r["profile"] for r in found} == {"faithful", "fixed"}
    code, out, _ = command("dugan", f"en-de={table}", "--pseudo-references", "--json", loader=load)
    assert all(r["bleu"] == pytest.approx(100) for r in json.loads(out) if r["row"] == "Offline")


def test_progress_counts_every_utterance_of_every_cell() -> None:
    steps: list[tuple[int, int, str]] = []
    found = utterances([["a", "b", "c", "d"], ["e", "f"]])
    experiment({"en-de": found}, words, windows=(1.0,), progress=lambda *step: steps.append(step))
    cells = 2 * len(ROWS)
    assert [step[:2] for step in steps] == [(i + 1, 2 * cells) for i in range(2 * cells)]
    assert steps[-1][2] == f"en-de, 1 s, fixed: Offline, {found[-1].name}"


def test_a_bar_is_drawn_on_a_terminal(table: Path) -> None:
    code, _, err = command("dugan", table, terminal=True, loader=load)
    assert code == 0
    assert "utterances" in err
    assert "24/24" in err


def test_a_stopped_run_keeps_its_windows(table: Path, tmp_path: Path, monkeypatch) -> None:
    def stop(self) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Remembered, "whole", stop)
    command("dugan", table, "--passes", tmp_path, loader=load)
    monkeypatch.undo()
    (kept,) = read_passes(tmp_path / "en-de.passes.jsonl").values()
    assert kept.passes
    assert kept.offline is None
    code, _, err = command("dugan", table, "--passes", tmp_path, loader=load)
    assert code == 0, err


def test_wrong_use_is_named(table: Path) -> None:
    assert command("dugan", loader=load)[0] == ExitCode.USAGE
    assert command("dugan", table, "--limit", "0", loader=load)[0] == ExitCode.USAGE
    assert command("dugan", table, "--window", "0", loader=load)[0] == ExitCode.USAGE
    code, _, err = command("dugan", table, "--target", "es", loader=load)
    assert code == ExitCode.USAGE
    assert "--reference-column" in err
    assert "twice" in command("dugan", table, table, loader=load)[2]


def test_whisper_gives_its_own_segments(tiny_whisper: Path, tmp_path: Path) -> None:
    from simul.backends.whisper import WhisperBackend
    from simul.models.whisper.ctranslate2 import WhisperModel
    from tests.tiny_models import ENGLISH, tones

    samples, _ = tones([0, 3, 5], [3000, 3000, 3000])
    model = WhisperModel(tiny_whisper, "cpu", "float32", threads=1, crop=True)
    reader = reader_of(WhisperBackend(model, timestamps=True, activity=None), samples, "en", "en")
    assert isinstance(reader, BackendReader)
    length = len(samples) / RATE
    segments, elapsed = reader.window(0.0, length)
    expected = " ".join(ENGLISH[w] for w in (0, 3, 5))
    assert "".join(s.text for s in segments).strip() == expected == reader.whole()[0].strip()
    assert all(0 <= s.start <= s.end <= length + 0.02 and 0 <= s.no_speech_prob <= 1 for s in segments)
    assert len(elapsed) == len(segments) + 1
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    (tmp_path / "list.tsv").write_text(f"id\tfile\ttranslation\na\ta.wav\t{expected}\n", encoding="utf-8")
    from simul.backends.families import load_backend

    code, out, err = command(
        "dugan",
        f"en-en={tmp_path / 'list.tsv'}",
        "--model",
        tiny_whisper,
        "--json",
        "--window",
        "0.5",
        loader=load_backend,
    )
    assert code == 0, err
    found = json.loads(out)
    assert [r["row"] for r in found[:6]] == [row[0] for row in ROWS]
    assert len(found) == 12
    assert "Tokens are words" not in err
