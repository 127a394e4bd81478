"""The English voice: spoken by the checked package alone, understood by a recogniser, never downloading."""

from __future__ import annotations

import sys
import urllib.request
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tts import HibariEngine, TtsError

TEXT = "The train to Berlin leaves at half past nine from platform seven, and we have to change twice."


@pytest.fixture
def engine(hibari_folder: Path, monkeypatch: pytest.MonkeyPatch) -> HibariEngine:
    pytest.importorskip("onnxruntime")

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("the voice went to the network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    made = HibariEngine(hibari_folder)
    monkeypatch.setattr(sys.modules["hibari.voices"], "download", refuse)
    monkeypatch.setattr(sys.modules["hibari.tts"], "voice_path", refuse)
    return made


def test_the_same_text_gives_the_same_sound_without_the_network(engine: HibariEngine) -> None:
    first, second = engine.synthesize(TEXT), engine.synthesize(TEXT)
    assert first.rate == 24_000
    assert np.array_equal(first.samples, second.samples)


def test_a_sentence_s_words_start_where_its_sound_starts(engine: HibariEngine) -> None:
    both = engine.synthesize("Good morning. " + TEXT)
    first = engine.synthesize("Good morning.")
    assert both.words[2].sample == len(first.samples)
    assert len(both.words) == 2 + len(TEXT.split())


def test_a_recogniser_understands_it(engine: HibariEngine, whisper_base_folder: Path) -> None:
    faster_whisper = pytest.importorskip("faster_whisper")
    import soxr

    speech = engine.synthesize(TEXT)
    model = faster_whisper.WhisperModel(
        str(whisper_base_folder), device="cpu", compute_type="int8", cpu_threads=1
    )
    segments, _ = model.transcribe(soxr.resample(speech.samples, speech.rate, 16_000), language="en")
    heard = {word.strip(".,").lower() for segment in segments for word in segment.text.split()}
    said = {word.strip(".,").lower() for word in TEXT.split()}
    # Numbers may be written in figures.
    assert len(said - heard) <= 4


def test_other_languages_and_endless_texts_are_refused(engine: HibariEngine, hibari_folder: Path) -> None:
    with pytest.raises(TtsError, match="English only, not 'de'"):
        HibariEngine(hibari_folder, "de")
    with pytest.raises(TtsError, match="too long"):
        engine.synthesize("a" * 30_000)


def test_a_package_elsewhere_than_the_checked_one_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hibari").mkdir()
    (tmp_path / "hibari" / "__init__.py").write_text("raise RuntimeError('run')\n")
    monkeypatch.delitem(sys.modules, "hibari", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()
    with pytest.raises(TtsError, match="not the one that Python imports"):
        HibariEngine(tmp_path / "checked" / "hibari")
