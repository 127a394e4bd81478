"""English is spoken by the neural voice where it is installed and right, else by espeak-ng, which is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from simul.errors import ModelMissingError
from simul.models import voices
from simul.models.catalogue import Places, Store
from simul.models.voices import speech_engine

pytest.importorskip("espeakng_loader", reason="the extra [embedded] is not installed")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A machine without the voice."""
    monkeypatch.setattr("simul.models.catalogue.lookup._installed_file", lambda owner, inside: None)
    return Places((), tmp_path, Store(tmp_path))


def test_without_the_voice_espeak_speaks_english_and_says_what_would_be_better(nowhere: Places) -> None:
    said: list[str] = []
    assert speech_engine("en", None, said.append, nowhere).name == "espeak-ng en-us"
    (sentence,) = said
    assert 'pip install -e ".[voice-en]"' in sentence
    with pytest.raises(ModelMissingError, match="voice-en"):
        speech_engine("en", "hibari", said.append, nowhere)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("language", "voice", "name"),
    [
        ("de", None, "espeak-ng de"),
        ("en-gb-scotland", None, "espeak-ng en-gb-scotland"),
        ("en", "en+f3", "espeak-ng en-us+f3"),
    ],
)
def test_other_languages_and_voices_are_espeak_s(
    nowhere: Places, language: str, voice: str | None, name: str
) -> None:
    said: list[str] = []
    assert speech_engine(language, voice, said.append, nowhere).name == name
    assert said == []


def test_a_voice_that_cannot_be_used_is_named_with_the_reason(
    nowhere: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tts import TtsError

    def fail(language: str, places: Places | None) -> None:
        raise TtsError("onnxruntime is missing.")

    monkeypatch.setattr(voices, "_hibari", fail)
    said: list[str] = []
    assert speech_engine("en", None, said.append, nowhere).name == "espeak-ng en-us"
    assert said == ["English is spoken by espeak-ng. onnxruntime is missing."]


def test_the_voice_is_chosen_where_it_is_installed(hibari_folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    said: list[str] = []
    assert {speech_engine("en", voice, said.append).name for voice in (None, "heart", "hibari")} == {
        "hibari heart"
    }
    assert said == []
