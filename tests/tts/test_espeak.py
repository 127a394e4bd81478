"""The espeak-ng engine: voices checked, words marked, speed heeded, safe side by side and in threads."""

import subprocess
import sys
import threading

import numpy as np
import pytest

import tts
from tts import Engine, EspeakConfig, EspeakEngine, TtsError, TtsUsageError, make_engine

TEXT = "Der Zug nach Berlin fährt heute leider zwanzig Minuten später von Gleis sieben ab."

espeakng_loader = pytest.importorskip("espeakng_loader", reason="the extra [embedded] is not installed")


def fundamental(samples, rate):
    """Median fundamental frequency of the loud 40 ms frames, by autocorrelation."""
    size, found = round(0.04 * rate), []
    frames = [samples[i : i + size] for i in range(0, len(samples) - size, size)]
    loudest = max(np.sqrt(np.mean(f**2)) for f in frames)
    low, high = round(rate / 400), round(rate / 60)
    for frame in frames:
        if np.sqrt(np.mean(frame**2)) < 0.3 * loudest:
            continue
        c = np.correlate(frame, frame, "full")[size - 1 :]
        lag = low + int(np.argmax(c[low:high]))
        if c[lag] > 0.4 * c[0]:
            found.append(rate / lag)
    return float(np.median(found))


def test_speech_has_the_rate_the_level_and_the_length_of_speech():
    engine = make_engine("de")
    assert isinstance(engine, Engine)
    assert (engine.name, engine.language, engine.rate) == ("espeak-ng de", "de", 22050)
    speech = engine.synthesize(TEXT)
    assert speech.samples.dtype == np.float32
    assert speech.samples.ndim == 1
    assert 3.5 < speech.seconds < 6.5
    assert 0.1 < np.abs(speech.samples).max() <= 1
    # The whole of it sounds: no second is silent.
    seconds = np.array_split(speech.samples, int(speech.seconds))
    assert all(np.sqrt(np.mean(second**2)) > 0.01 for second in seconds)


@pytest.mark.parametrize("language", ["en", "de", "es", "fr", "it", "pt-BR", "zh", "cs"])
def test_languages_have_a_voice(language):
    assert make_engine(language).synthesize("Radio Berlin 25.").seconds > 0.5


def test_every_written_word_is_marked_once_where_it_stands():
    text = "Die Straße ist schön, 25 Züge fahren über Köln."
    speech = make_engine("de").synthesize(text)
    words = [text[mark.start : mark.start + mark.length] for mark in speech.words]
    assert words == ["Die", "Straße", "ist", "schön", "25", "Züge", "fahren", "über", "Köln"]
    positions = [mark.sample for mark in speech.words]
    assert positions == sorted(set(positions))
    assert positions[0] < 0.05 * speech.rate
    assert positions[-1] < len(speech.samples)


def test_voices_differ_and_keep_apart_when_used_in_turn():
    low, high = make_engine("de"), make_engine("de", "de+f3")
    german, english = make_engine("de"), make_engine("en")
    first = fundamental(low.synthesize(TEXT).samples, 22050)
    second = fundamental(high.synthesize(TEXT).samples, 22050)
    assert second > 1.4 * first
    assert fundamental(low.synthesize(TEXT).samples, 22050) == pytest.approx(first, rel=0.03)
    length = german.synthesize("Nation").seconds
    english.synthesize("Nation")
    # Two runs of one voice differ by a few samples, another language by far more.
    assert german.synthesize("Nation").seconds == pytest.approx(length, rel=0.02)
    assert english.synthesize("Nation").seconds != pytest.approx(length, rel=0.1)


@pytest.mark.parametrize("speed", [1.05, 1.1, 1.15, 1.2, 1.25])
@pytest.mark.parametrize("language", ["de", "en", "es", "fr"])
def test_the_speed_is_what_was_asked_for_within_five_percent(language, speed):
    engine = make_engine(language)
    text = "La radio de Berlin, Madrid y Paris: nueve programas nuevos de música, teatro y cine cada semana."
    ratio = engine.synthesize(text).seconds / engine.synthesize(text, speed).seconds
    assert ratio == pytest.approx(speed, rel=0.05)


def test_pitch_and_pace_are_settings():
    plain = make_engine("de").synthesize(TEXT)
    high = EspeakEngine("de", config=EspeakConfig(pitch=90)).synthesize(TEXT)
    slow = EspeakEngine("de", config=EspeakConfig(words_per_minute=120)).synthesize(TEXT)
    assert fundamental(high.samples, 22050) > 1.2 * fundamental(plain.samples, 22050)
    assert slow.seconds > 1.3 * plain.seconds


@pytest.mark.parametrize("text", ["", " ", "...", "–", "\n"])
def test_nothing_to_say_gives_no_sound(text):
    assert len(make_engine("de").synthesize(text).samples) == 0


@pytest.mark.parametrize(
    "text", ["a\0b c", "\ud800 lone", "<speak>hallo</speak>", "[[h@l'oU]] du", "🚂 Zug", "x" * 3000]
)
def test_odd_text_is_spoken_not_feared(text):
    speech = make_engine("de").synthesize(text)
    assert speech.seconds > 0.1
    assert all(0 <= mark.sample <= len(speech.samples) for mark in speech.words)


@pytest.mark.parametrize(
    ("language", "voice", "told"),
    [
        ("xx", None, "does not speak 'xx'"),
        ("grman", None, "does not speak 'grman'; did you mean de?"),
        ("de", "nobody", "has no voice 'nobody'; there are de."),
        ("en", "germann", "has no voice 'germann'; did you mean de?"),
        ("de", "en-uss", "has no voice 'en-uss'; did you mean en-us"),
        ("de", "de+nobody", "has no voice variant 'nobody'; it has Alex"),
        ("de", "+f3", "has no voice '+f3'; there are de."),
    ],
)
def test_unknown_languages_and_voices_are_refused_and_the_nearest_named(language, voice, told):
    with pytest.raises(TtsUsageError) as error:
        make_engine(language, voice)
    assert told in str(error.value)


def test_french_by_its_full_tag_is_french_and_japanese_is_refused_with_the_reason():
    assert make_engine("fr-FR").name == "espeak-ng fr"
    assert make_engine("de", "fr-fr").name == "espeak-ng fr"
    with pytest.raises(TtsError, match="kanji"):
        make_engine("ja")
    assert make_engine("ja", "ja").synthesize("とうきょう").seconds < 2


def test_voices_are_listed_and_can_be_used_by_name():
    voices = {voice.language: voice for voice in make_engine("en").voices}
    assert len(voices) > 100
    assert voices["de"].label == "German"
    assert make_engine("en", voices["cs"].name).synthesize("Dobrý den").seconds > 0.3


@pytest.mark.parametrize("wrong", [{"words_per_minute": 10}, {"pitch": 100}, {"pitch_range": -1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(TtsError):
        EspeakConfig(**wrong)


def test_speed_must_be_positive_and_text_of_a_sane_length():
    with pytest.raises(TtsError, match="above 0"):
        make_engine("de").synthesize("Hallo", 0.0)
    with pytest.raises(TtsError, match="too long"):
        make_engine("de").synthesize("Hallo " * 10_000)


def test_threads_with_different_voices_do_not_mix():
    texts = {"de": TEXT, "en": "Good morning, how are you?", "fr": "Où est la gare, s'il vous plaît ?"}
    expected = {code: make_engine(code).synthesize(text).seconds for code, text in texts.items()}
    wrong = []

    def work(code):
        engine = make_engine(code)
        for _ in range(15):
            seconds = engine.synthesize(texts[code]).seconds
            if abs(seconds / expected[code] - 1) > 0.02:
                wrong.append((code, seconds))

    threads = [threading.Thread(target=work, args=(code,)) for code in [*texts, *texts]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_hundred_calls_in_a_row_all_give_sound():
    engine = make_engine("en")
    lengths = [len(engine.synthesize("All is well.").samples) for _ in range(100)]
    assert max(lengths) - min(lengths) < 0.05 * max(lengths)


def test_without_the_package_the_message_names_the_install_command(monkeypatch):
    tts.espeak._library.cache_clear()
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(TtsError, match="pip install espeakng-loader"):
        make_engine("de")


def in_new_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.strip()


def test_data_that_is_missing_or_too_far_down_is_an_error_not_the_end_of_the_process(tmp_path):
    code = """
import espeakng_loader, tts
espeakng_loader.get_data_path = lambda: {path!r}
try:
    tts.make_engine("de")
except tts.TtsError as error:
    print(error)
"""
    status, message = in_new_process(code.format(path=str(tmp_path / "nowhere")))
    assert (status, "nowhere" in message, "reinstall" in message) == (0, True, True)
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    (deep / "data").symlink_to(espeakng_loader.get_data_path())
    status, message = in_new_process(code.format(path=str(deep / "data")))
    assert status == 0
    assert "shorter path" in message


def test_importing_the_package_loads_neither_the_library_nor_anything_heavy():
    heavy = ("espeakng_loader", "simul", "soundfile", "torch")
    assert in_new_process(f"import sys, tts; print([m for m in {heavy} if m in sys.modules])") == (0, "[]")
