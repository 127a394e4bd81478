"""What every speech engine keeps to, whatever speaks: one contract for all of them."""

from __future__ import annotations

import numpy as np
import pytest

from tts import Engine, EspeakEngine, HibariEngine, ToneEngine

TEXT = "Good morning. The train to Berlin leaves at half past nine, from platform 7."


@pytest.fixture(params=["tones", "espeak", pytest.param("hibari", marks=pytest.mark.real_weights)])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "espeak":
        pytest.importorskip("espeakng_loader", reason="the extra [embedded] is not installed")
        return EspeakEngine("en")
    if request.param == "hibari":
        pytest.importorskip("onnxruntime")
        return HibariEngine(request.getfixturevalue("hibari_folder"))
    return ToneEngine()


def test_it_says_what_it_is(engine: Engine) -> None:
    assert isinstance(engine, Engine)
    assert engine.name
    assert engine.language == "en"
    assert engine.rate >= 16_000
    assert any(voice.language.startswith("en") for voice in engine.voices)


def test_sound_is_mono_float32_within_bounds_and_as_long_as_speech(engine: Engine) -> None:
    speech = engine.synthesize(TEXT)
    assert (speech.samples.dtype, speech.samples.ndim, speech.rate) == (np.float32, 1, engine.rate)
    assert 0.05 < np.abs(speech.samples).max() <= 1
    assert 2 < speech.seconds < 9
    assert 1.5 < engine.synthesize(TEXT + " " + TEXT).seconds / speech.seconds < 2.5


def test_words_are_marked_in_order_where_they_stand_in_the_text(engine: Engine) -> None:
    speech = engine.synthesize(TEXT)
    words = [TEXT[mark.start : mark.start + mark.length].strip(".,") for mark in speech.words]
    assert words == TEXT.replace(".", "").replace(",", "").split()
    samples = [mark.sample for mark in speech.words]
    assert samples == sorted(samples)
    assert 0 <= samples[0] < 0.1 * speech.rate
    assert samples[-1] < len(speech.samples)


@pytest.mark.parametrize("text", ["", " ", "?!", "—", "\n\n"])
def test_text_without_anything_to_pronounce_gives_no_samples(engine: Engine, text: str) -> None:
    speech = engine.synthesize(text)
    assert len(speech.samples) == 0
    assert speech.words == ()


def test_speed_is_heeded_by_those_that_say_so_and_by_no_other(engine: Engine) -> None:
    ratio = engine.synthesize(TEXT).seconds / engine.synthesize(TEXT, 1.25).seconds
    assert ratio == pytest.approx(1.25 if engine.follows_speed else 1, rel=0.05)


@pytest.mark.parametrize("text", ["Straße, naïve café.", "3.14 + £5 = 日本", "a" * 300, "\0x\0", "Mr.\nX"])
def test_odd_text_is_spoken_or_left_out_but_never_fails(engine: Engine, text: str) -> None:
    speech = engine.synthesize(text)
    assert np.isfinite(speech.samples).all()
    assert all(0 <= mark.start < len(text) for mark in speech.words)
