"""The embedded recogniser on human speech: words, times, endpoints, determinism and errors."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from simul.errors import AudioError, ModelMissingError
from simul.hearing.endpoint import EndpointConfig
from simul.models.embedded.sphinx import RecognizerConfig, SphinxRecognizer

pytest.importorskip("pocketsphinx")

CLIPS = Path(__file__).parents[2] / "clips"
FRAME = 480
AUSTEN = ["he", "was", "not", "an", "ill", "disposed", "young", "man"]
SURPASSED = ["has", "never", "been", "surpassed"]


def clip(name):
    return soundfile.read(CLIPS / f"{name}.flac", dtype="float32")[0]


def silence(frames):
    return np.zeros(frames * FRAME, np.float32)


@pytest.fixture(scope="module")
def recognizer():
    return SphinxRecognizer()


@pytest.fixture(scope="module")
def stream():
    """Two clips with silence around them, and the first sample of each clip."""
    parts = [silence(40), clip("austen-0880-en"), silence(60), clip("lj001-0008"), silence(40)]
    starts = np.cumsum([0] + [len(part) for part in parts])
    return np.concatenate(parts), int(starts[1]), int(starts[3])


@pytest.fixture(scope="module")
def heard(stream):
    """Utterances and hypotheses of a recogniser that has heard nothing before."""
    return run(SphinxRecognizer(), stream[0], 16 * FRAME)


def run(recognizer, samples, step):
    """Utterances and every hypothesis on the way, for pushes of `step` samples."""
    recognizer.reset()
    ended, partials = [], {}
    for start in range(0, len(samples), step):
        recognizer.push(samples[start : start + step])
        ended += recognizer.events()
        partials[recognizer.heard] = recognizer.hypothesis()
    return ended + recognizer.finish(), partials


def words_wrong(reference, recognised):
    row = list(range(len(recognised) + 1))
    for i, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(recognised, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def test_recognises_human_speech_and_ends_utterances_at_pauses(heard, stream):
    (utterances, _), (_, first, second) = heard, stream
    assert [utterance.cause for utterance in utterances] == ["pause", "pause"]
    assert words_wrong(AUSTEN, utterances[0].text.split()) <= 3
    assert words_wrong(SURPASSED, utterances[1].text.split()) <= 1
    assert utterances[0].end_sample <= utterances[1].start_sample
    assert first - 0.5 * 16000 <= utterances[0].start_sample <= first + 0.5 * 16000
    assert second - 0.5 * 16000 <= utterances[1].start_sample <= second + 0.5 * 16000


def speech_span(samples):
    """First and last sample of a clip that are within 18 dB of its loudest 10 ms (the noise lies lower)."""
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    energy = (blocks**2).mean(axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10**-1.8)
    return loud[0] * 160, (loud[-1] + 1) * 160


def test_word_times_lie_where_the_speech_is(heard, stream):
    (utterances, _), (_, *starts) = heard, stream
    for utterance, start, name in zip(utterances, starts, ["austen-0880-en", "lj001-0008"], strict=True):
        begin, end = speech_span(clip(name))
        assert abs(utterance.words[0].start_sample - (start + begin)) < 0.12 * 16000
        assert abs(utterance.words[-1].end_sample - (start + end)) < 0.15 * 16000


def test_words_are_ordered_clean_and_inside_their_utterance(heard):
    utterances, partials = heard
    for words in [*partials.values(), *(utterance.words for utterance in utterances)]:
        for word in words:
            assert word.start_sample < word.end_sample
            assert not set(word.text) & set("<>[]+()")
        for one, other in pairwise(words):
            assert one.end_sample <= other.start_sample
    for utterance in utterances:
        assert utterance.start_sample <= utterance.words[0].start_sample
        assert utterance.words[-1].end_sample <= utterance.end_sample
        assert all(0.0 <= word.confidence <= 1.0 for word in utterance.words)
    assert all(word.confidence is None for words in partials.values() for word in words)


def test_shifting_the_audio_shifts_the_times_and_nothing_else(recognizer):
    speech = np.concatenate([clip("lj001-0008"), silence(40)])
    near, _ = run(recognizer, np.concatenate([silence(20), speech]), 1600)
    far, _ = run(recognizer, np.concatenate([silence(120), speech]), 1600)
    shift = 100 * FRAME
    assert [w.text for w in near[0].words] == [w.text for w in far[0].words]
    assert [w.start_sample + shift for w in near[0].words] == [w.start_sample for w in far[0].words]


def test_the_cut_of_the_input_does_not_matter(recognizer, stream, heard):
    utterances, partials = run(recognizer, stream[0], 3 * FRAME + 160)
    assert utterances == heard[0]
    shared = set(partials) & set(heard[1])
    assert len(shared) > 5
    assert all(partials[place] == heard[1][place] for place in shared)


def test_single_samples_may_be_pushed(recognizer, stream):
    samples = stream[0][19200 : 19200 + 30 * FRAME]
    _, coarse = run(recognizer, samples, 10 * FRAME)
    recognizer.reset()
    for start in range(len(samples)):
        recognizer.push(samples[start : start + 1])
    assert recognizer.heard == len(samples)
    assert recognizer.hypothesis() == coarse[len(samples)]


def test_the_cepstral_mean_adapts_within_the_first_speech(recognizer, stream):
    """A recording through another microphone (a tilted spectrum) moves the mean before its utterance ends."""
    speech = clip("austen-0880-en")
    tilted = np.append(speech[:1], speech[1:] - 0.9 * speech[:-1])
    means = []
    for samples in (speech, tilted):
        recognizer.reset()
        initial = recognizer._decoder.get_cmn(False)
        recognizer.push(samples[: 90 * FRAME])
        assert recognizer.in_speech
        means.append([float(value) for value in recognizer._decoder.get_cmn(False).split(",")])
        assert recognizer._decoder.get_cmn(False) != initial
    assert max(abs(a - b) for a, b in zip(*means, strict=True)) > 5


def test_earlier_streams_leave_no_trace(recognizer, stream, heard):
    rng = np.random.default_rng(7)
    run(recognizer, (0.3 * rng.standard_normal(32000)).astype(np.float32), 1600)
    recognizer.push(stream[0][:40000])  # left in the middle of an utterance
    assert run(recognizer, stream[0], 16 * FRAME) == heard


def test_finish_recognises_what_is_left(recognizer):
    speech = clip("lj001-0008")
    utterances, _ = run(recognizer, speech[: len(speech) - 137], 1600)
    assert [utterance.cause for utterance in utterances] == ["end"]
    assert utterances[0].words[-1].text == "surpassed"
    assert utterances[0].end_sample == len(speech) - 137
    assert recognizer.hypothesis() == ()


def test_silence_and_nothing_give_nothing(recognizer):
    assert run(recognizer, silence(200), 1600)[0] == []
    recognizer.reset()
    assert recognizer.finish() == []


def test_long_speech_is_cut_and_no_audio_is_lost(recognizer):
    endpoint = EndpointConfig(pause=20, short_pause=20, soft_limit=60, hard_limit=60)
    short = SphinxRecognizer(RecognizerConfig(endpoint=endpoint))
    speech = clip("austen-0880-en")
    utterances, _ = run(short, np.concatenate([speech] * 2), 1600)
    assert len(utterances) >= 3
    assert utterances[0].cause == "limit"
    for one, other in pairwise(utterances):
        assert one.end_sample <= other.start_sample <= one.end_sample + 15 * FRAME
        assert one.end_sample - one.start_sample <= 60 * FRAME


def test_bad_samples_are_refused(recognizer):
    recognizer.reset()
    with pytest.raises(AudioError, match="not numbers"):
        recognizer.push(np.array([0.0, np.nan], np.float32))
    with pytest.raises(AudioError, match="vector"):
        recognizer.push(np.zeros((2, 10), np.float32))


def test_loud_samples_are_clipped_not_wrapped(recognizer):
    speech = clip("lj001-0008")
    run(recognizer, np.concatenate([speech * 40, silence(40)]), 1600)
    recognizer.push(np.array([1.0, -1.0, 7.0, -7.0], np.float32))
    assert recognizer._rest.tolist()[-4:] == [32767, -32768, 32767, -32768]


def test_missing_files_and_packages_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(ModelMissingError, match=r"nowhere\.lm"):
        SphinxRecognizer(RecognizerConfig(language_model=tmp_path / "nowhere.lm"))
    damaged = tmp_path / "damaged.lm.bin"
    damaged.write_bytes(b"not a language model")
    with pytest.raises(ModelMissingError, match="damaged"):
        SphinxRecognizer(RecognizerConfig(language_model=damaged))
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ModelMissingError, match=r"pocketsphinx.*\[embedded\]"):
        SphinxRecognizer()
