"""The Whisper backend on a tiny model of the real format that has learned to write down a language of tones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the tiny Whisper model is trained with torch")
pytest.importorskip("transformers", reason="the tiny Whisper model is made with transformers")
pytest.importorskip("faster_whisper", reason="the Whisper backend needs faster-whisper")

from policies.base import Candidate, Need
from policies.local_agreement import LocalAgreement
from policies.offline import Offline
from simul.backends.base import DecodeRequest, StreamSpec
from simul.backends.cascade import CascadeBackend
from simul.backends.families import ModelConfig, load_backend
from simul.backends.whisper import WhisperBackend
from simul.backends.whisper_recognizer import WhisperRecognizer
from simul.clock import VirtualClock
from simul.decoding.interface import Prompt
from simul.errors import ModelMissingError, UsageError
from simul.models.terms.reading import Term
from simul.models.whisper.ctranslate2 import WhisperModel
from simul.session import Session, SessionConfig
from simul.session.events import End, SegmentEnd, Settled
from simul.text import join
from tests.simul.backends.streams import hear
from tests.simul.tone_speech import Loud, talk, utterances
from tests.tiny_models import ENGLISH, GERMAN, RATE


@pytest.fixture(scope="session")
def model(tiny_whisper: Path) -> WhisperModel:
    return WhisperModel(tiny_whisper, "cpu", "float32", threads=1, window="bucket")


def stream(
    backend: WhisperBackend, audio: np.ndarray, source: str = "en", target: str = "en", end: bool = True
) -> Any:
    handle = backend.open(StreamSpec(source, target))
    hear(backend, handle, audio, end)
    return handle


def ask(
    backend: WhisperBackend, handle: Any, prefix: Candidate | None = None, count: int = 0, **more: Any
) -> Candidate:
    ids = () if prefix is None else prefix.ids[:count]
    tokens = () if prefix is None else prefix.tokens[:count]
    request = DecodeRequest(handle, 0, backend.view(handle), prefix=tokens, prefix_ids=ids, **more)
    return backend.decode([request])[0]


def text(candidate: Candidate) -> list[str]:
    return join(candidate.tokens).split()


def same(a: Candidate, b: Candidate) -> None:
    assert a.tokens == b.tokens
    assert a.ids == b.ids
    assert a.ended == b.ended
    assert a.logprobs is not None
    assert b.logprobs is not None
    np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)
    np.testing.assert_array_equal(a.spans, b.spans)


@pytest.fixture
def backend(model: WhisperModel) -> WhisperBackend:
    return WhisperBackend(model, activity=None)


def test_speech_is_transcribed_in_its_language_and_translated_into_english(backend: WhisperBackend) -> None:
    for words, audio, _ in utterances(6, seed=11):
        for source, target, spelling in (("en", "en", ENGLISH), ("de", "de", GERMAN), ("de", "en", ENGLISH)):
            said = text(ask(backend, stream(backend, audio, source, target)))
            assert said == [spelling[w] for w in words]


def test_features_are_those_of_the_transformers_package(model: WhisperModel, tiny_whisper: Path) -> None:
    from transformers import WhisperFeatureExtractor

    _, audio, _ = utterances(1, seed=3)[0]
    audio = audio[: len(audio) // 160 * 160]
    expected = WhisperFeatureExtractor()(audio, sampling_rate=RATE, return_tensors="np").input_features[0]
    padded = WhisperModel(tiny_whisper, "cpu", "float32", threads=1).features(audio)
    assert padded.shape == expected.shape == (80, 3000)
    np.testing.assert_allclose(padded, expected, atol=2e-3)
    cropped = model.features(audio)
    np.testing.assert_array_equal(cropped, padded[:, : cropped.shape[1]])
    assert len(audio) // 160 < cropped.shape[1] < 3000


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("context", ["", " blue house"])
def test_log_probabilities_are_those_of_torch(
    tiny_whisper: Path, network: Any, beam: int, context: str
) -> None:
    import torch

    model = WhisperModel(tiny_whisper, "cpu", "float32", threads=1, beam=beam)
    backend = WhisperBackend(model, activity=None)
    _, audio, _ = utterances(1, seed=4)[0]
    whole = ask(backend, stream(backend, audio), context_ids=model.tokens.encode(context))
    forced = ask(backend, stream(backend, audio), whole, 2, context_ids=model.tokens.encode(context))
    assert forced.tokens
    head = [*model.tokens.task("en", "en"), model.tokens.no_timestamps]
    if context:
        head = [model.tokens.previous, *model.tokens.encode(context), *head]
    ids = [*whole.ids[:2], *forced.ids]
    with torch.no_grad():
        features = torch.from_numpy(model.features(audio))[None]
        logits = network(input_features=features, decoder_input_ids=torch.tensor([[*head, *ids]])).logits[0]
    logits[:, network.generation_config.suppress_tokens] = -torch.inf
    scores = logits.log_softmax(-1)
    expected = [float(scores[len(head) + 1 + i, token]) for i, token in enumerate(forced.ids)]
    np.testing.assert_allclose(forced.logprobs, expected, atol=1e-3)


def test_a_candidate_continues_every_prefix_of_itself(backend: WhisperBackend) -> None:
    for _, audio, _ in utterances(3, seed=5):
        handle = stream(backend, audio)
        whole = ask(backend, handle)
        assert len(whole.tokens) >= 4
        for count in range(len(whole.tokens) + 1):
            rest = ask(backend, handle, whole, count)
            assert rest.ids == whole.ids[count:]
            np.testing.assert_allclose(rest.logprobs[1:], whole.logprobs[count + 1 :], atol=1e-4)
            # After a whole word the first token has fewer rivals.
            assert (rest.logprobs[:1] >= whole.logprobs[count : count + 1] - 1e-4).all()
            np.testing.assert_array_equal(rest.spans, whole.spans[count:])


def test_a_forced_prefix_that_was_not_said_changes_the_scores(
    backend: WhisperBackend, model: WhisperModel
) -> None:
    words, audio, _ = utterances(1, seed=6)[0]
    whole = ask(backend, stream(backend, audio))
    other = model.tokens.encode(" " + ENGLISH[(words[0] + 1) % len(ENGLISH)])
    request = {"prefix": model.tokens.surfaces(other), "prefix_ids": other}
    handle = stream(backend, audio)
    forced = backend.decode([DecodeRequest(handle, 0, backend.view(handle), **request)])[0]
    assert forced.ids
    same_length = min(len(forced.ids), len(whole.ids) - len(other))
    expected = whole.logprobs[len(other) :][:same_length]
    assert not np.allclose(forced.logprobs[:same_length], expected, rtol=0.1, atol=0)


def test_spans_follow_each_other_inside_the_audio_and_end_where_the_words_end(
    backend: WhisperBackend,
) -> None:
    errors = []
    for words, audio, truth in utterances(10, seed=7):
        candidate = ask(backend, stream(backend, audio))
        spans = candidate.spans
        assert spans.shape == (len(candidate.tokens), 2)
        assert spans.dtype == np.int64
        assert (spans >= 0).all()
        assert (spans <= len(audio)).all()
        assert (np.diff(spans.ravel()) >= 0).all()
        assert text(candidate) == [ENGLISH[w] for w in words]
        starts = [i for i, token in enumerate(candidate.tokens) if token.startswith(" ")]
        lasts = [*(i - 1 for i in starts[1:]), len(candidate.tokens) - 1]
        errors += list(np.abs(spans[lasts, 1] - truth[:, 1]))
    assert max(errors) < 0.15 * RATE


def test_a_batch_gives_what_single_calls_give(backend: WhisperBackend) -> None:
    cases = utterances(3, seed=8) + utterances(2, seed=9, words=2)

    def requests() -> list[DecodeRequest]:
        made = []
        for number, (_, audio, _) in enumerate(cases):
            pair = (("en", "en"), ("de", "en"), ("de", "de"))[number % 3]
            handle = stream(backend, audio, *pair)
            prefix = backend.model.tokens.encode(" blue") if number % 2 else ()
            made.append(
                DecodeRequest(
                    handle,
                    0,
                    backend.view(handle),
                    prefix=backend.model.tokens.surfaces(prefix),
                    prefix_ids=prefix,
                    context_ids=backend.model.tokens.encode(" red green") if number == 2 else (),
                    max_new_tokens=2 if number == 3 else None,
                )
            )
        silent = stream(backend, np.zeros(0, np.float32))
        return [*made, DecodeRequest(silent, 0, backend.view(silent))]

    single = [backend.decode([request])[0] for request in requests()]
    batch = backend.decode(requests())
    assert len(single[3].tokens) == 2
    assert not single[3].ended
    assert single[-1] == Candidate(())
    for a, b in zip(single[:-1], batch[:-1], strict=True):
        same(a, b)


def test_a_window_is_encoded_once_as_long_as_its_audio_stays(
    backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    real = WhisperModel.encode

    def counted(self: WhisperModel, windows: Any) -> Any:
        counts.append(len(windows))
        return real(self, windows)

    monkeypatch.setattr(WhisperModel, "encode", counted)
    _, audio, _ = utterances(1, seed=10)[0]
    handle = stream(backend, audio, end=False)
    first = ask(backend, handle)
    same(first, ask(backend, handle))
    hear(backend, handle, np.zeros(RATE, np.float32))
    ask(backend, handle)
    backend.trim(handle, RATE // 10)
    ask(backend, handle)
    assert counts == [1, 0, 1, 1]


def test_after_trimming_the_rest_is_heard_and_times_stay_stream_times(backend: WhisperBackend) -> None:
    for words, audio, truth in utterances(8, seed=12):
        handle = stream(backend, audio)
        cut = int(truth[1, 1]) + 200
        backend.trim(handle, cut)
        view = backend.view(handle)
        assert view.segment_start == cut
        candidate = ask(backend, handle)
        assert (candidate.spans >= cut).all()
        assert (candidate.spans <= len(audio)).all()
        assert text(candidate) == [ENGLISH[w] for w in words[2:]]


def test_half_characters_are_carried_until_they_are_whole(
    backend: WhisperBackend, model: WhisperModel
) -> None:
    pieces = model.tokens.surfaces(model.tokens.encode(" grün"))
    assert any("\udc80" <= char <= "\udcff" for piece in pieces for char in piece)
    assert join(pieces) == " grün"
    assert join(pieces[:2]) == " gr"


def test_timed_segments_hold_the_candidate_s_tokens_and_lie_in_the_audio(model: WhisperModel) -> None:
    backend = WhisperBackend(model, timestamps=True, activity=None)
    assert Need.SEGMENTS in backend.provides
    assert Need.SEGMENTS not in WhisperBackend(model, activity=None).provides
    for _, audio, _ in utterances(3, seed=13):
        handle = stream(backend, audio)
        whole = ask(backend, handle)
        assert whole.tokens
        assert sum(s.tokens for s in whole.segments) == len(whole.tokens)
        assert "".join(s.text for s in whole.segments) == "".join(whole.tokens)
        assert all(0 <= s.start <= s.end <= len(audio) and 0 <= s.no_speech_prob <= 1 for s in whole.segments)
        for count in range(1, len(whole.tokens)):
            rest = ask(backend, handle, whole, count)
            assert sum(s.tokens for s in rest.segments) == len(rest.tokens)
            ask(backend, handle)


def test_a_loop_is_cut_and_the_prompt_left_out_until_the_segment_ends(
    backend: WhisperBackend, model: WhisperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[Prompt] = []
    real = WhisperModel.generate

    def looping(self: WhisperModel, encoded: Any, given: list[Prompt], beam: int | None = None) -> Any:
        from dataclasses import replace

        prompts.extend(given)
        found = real(self, encoded, given, beam)
        return [replace(h, ids=h.ids[:1] * 60, logprobs=np.repeat(h.logprobs[:1], 60)) for h in found]

    monkeypatch.setattr(WhisperModel, "generate", looping)
    _, audio, _ = utterances(1, seed=14)[0]
    handle = stream(backend, audio)
    candidate = ask(backend, handle, context_ids=model.tokens.encode(" red blue"))
    assert len(candidate.tokens) < 60
    assert not candidate.ended
    ask(backend, handle, context_ids=model.tokens.encode(" red blue"))
    assert prompts[0].head[0] == model.tokens.previous
    assert prompts[-1].head[0] == model.tokens.start
    backend.next_segment(handle)
    assert not backend.state(handle).context_dropped


def settled(events: list[Any]) -> str:
    return "".join(e.text for e in events if isinstance(e, Settled))


@pytest.mark.parametrize("chunk", [1600, 5120, 16000])
def test_a_session_settles_what_was_said_whatever_the_chunk(model: WhisperModel, chunk: int) -> None:
    audio, said = talk(15, 3)
    backend = WhisperBackend(model, activity=Loud)
    outputs = {}
    for policy in (Offline(), LocalAgreement(2)):
        session = Session(policy, backend, VirtualClock(), SessionConfig("de", "en", chunk=chunk))
        events = session.feed(audio) + session.finish()
        segments = [e for e in events if isinstance(e, SegmentEnd)]
        assert [e.kind for e in segments] == ["pause"] * 3
        end = events[-1]
        assert isinstance(end, End)
        assert end.heard == len(audio)
        outputs[policy.name] = settled(events)
        words = " ".join(e.text for e in segments).split()
        assert words == [ENGLISH[w] for w in said]


def test_the_end_of_a_session_gives_what_one_pass_over_the_rest_gives(backend: WhisperBackend) -> None:
    for _, audio, _ in utterances(5, seed=16):
        session = Session(LocalAgreement(2), backend, VirtualClock(), SessionConfig("en", "en", chunk=4800))
        before = session.feed(audio)
        tokens = tuple(t for e in before if isinstance(e, Settled) for t in e.tokens)
        ids = tuple(
            i for t in tokens for i in [next(k for k in range(400) if backend.model.tokens.surface(k) == t)]
        )
        handle = stream(backend, audio)
        request = DecodeRequest(handle, 0, backend.view(handle), prefix=tokens, prefix_ids=ids)
        rest = backend.decode([request])[0]
        after = tuple(t for e in session.finish() if isinstance(e, Settled) for t in e.tokens)
        assert after == rest.tokens


def test_a_minute_without_a_pause_needs_no_more_than_one_window(backend: WhisperBackend) -> None:
    audio = np.concatenate([sound for _, sound, _ in utterances(35, seed=18)])
    session = Session(LocalAgreement(2), backend, VirtualClock(), SessionConfig("en", "en", chunk=2 * RATE))
    events: list[Any] = []
    for begin in range(0, len(audio), 2 * RATE):
        events += session.feed(audio[begin : begin + 2 * RATE])
        view = backend.view(session._streams.numbers[0])
        assert view.heard - view.segment_start <= 29 * RATE
        assert len(backend.state(session._streams.numbers[0]).audio._buffer) <= 29 * RATE
    events += session.finish()
    assert len(audio) > 60 * RATE
    spans = np.array([span for e in events if isinstance(e, Settled) and e.spans for span in e.spans])
    assert len(spans) > 10
    assert (spans[:, 0] <= spans[:, 1]).all()
    assert spans.max() <= len(audio)
    assert spans[:, 1].max() > len(audio) - 30 * RATE
    assert events[-1].heard == len(audio)


def test_silence_is_not_decoded(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WhisperModel, "generate", lambda *_: pytest.fail("silence was decoded"))
    backend = WhisperBackend(model, activity=Loud)
    session = Session(LocalAgreement(2), backend, VirtualClock(), SessionConfig("en", "en"))
    events = session.feed(np.zeros(5 * RATE, np.float32)) + session.finish()
    assert settled(events) == ""


def test_the_recogniser_gives_words_with_their_times_to_a_cascade(model: WhisperModel) -> None:
    audio, said = talk(17, 2)
    recognizer = WhisperRecognizer(model, "en", activity=Loud)
    partial: list[int] = []
    events = []
    for begin in range(0, len(audio), 4800):
        recognizer.push(audio[begin : begin + 4800])
        partial.append(len(recognizer.hypothesis()))
        events += recognizer.events()
    events += recognizer.finish()
    assert [u.cause for u in events] == ["pause", "pause"]
    assert max(partial) >= 3
    words = [word for utterance in events for word in utterance.words]
    assert [w.text for w in words] == [ENGLISH[k] for k in said]
    for utterance in events:
        assert all(
            utterance.start_sample <= w.start_sample <= w.end_sample <= utterance.end_sample
            for w in utterance.words
        )
        assert all(0 < w.confidence <= 1 for w in utterance.words if w.confidence is not None)

    cascade = CascadeBackend(lambda: WhisperRecognizer(model, "en", activity=Loud), None, frozenset({"en"}))
    session = Session(LocalAgreement(2), cascade, VirtualClock(), SessionConfig("en", "en"))
    assert settled(session.feed(audio) + session.finish()).split() == [w.text for w in words]


def test_folders_load_by_configuration_and_faults_are_named(tiny_whisper: Path, tmp_path: Path) -> None:
    config = ModelConfig(model=str(tiny_whisper), device="cpu", compute="float32", threads=1)
    loaded = load_backend(config, "de", "en", [])
    assert isinstance(loaded.backend, WhisperBackend)
    assert "translation into English" in loaded.description
    assert {Need.TOKENS, Need.LOGPROBS, Need.SPANS, Need.ACTIVITY} <= loaded.backend.provides
    short = np.zeros(RATE, np.float32)
    for window in ("padded", "bucket", "auto"):
        model = load_backend(replace(config, window=window), "de", "en", []).backend.model
        (encoded,) = model.encode([short])
        assert (encoded.frames == 1500) is (window == "padded")
    with pytest.raises(UsageError, match="no encoder for live windows"):
        load_backend(replace(config, window="live"), "de", "en", [])
    segments = load_backend(config, "de", "de", [], frozenset({Need.SEGMENTS}))
    assert Need.SEGMENTS in segments.backend.provides
    with pytest.raises(UsageError, match="cascade"):
        loaded.backend.open(StreamSpec("en", "de"))
    with pytest.raises(UsageError, match="xx"):
        load_backend(config, "xx", "en", [])
    cascade = load_backend(ModelConfig(asr=str(tiny_whisper), device="cpu", threads=1), "fr", "fr", [])
    assert cascade.backend.limits.sources == {"fr"}
    broken = tmp_path / "broken"
    shutil.copytree(tiny_whisper, broken)
    (broken / "tokenizer.json").write_text("{")
    with pytest.raises(ModelMissingError, match="cannot be loaded"):
        WhisperModel(broken, "cpu")
    (broken / "tokenizer.json").unlink()
    with pytest.raises(ModelMissingError, match=r"no tokenizer\.json"):
        WhisperModel(broken, "cpu")


def test_terms_belong_to_a_stream_and_go_on_with_it(backend: WhisperBackend, model: WhisperModel) -> None:
    _, audio, _ = utterances(1, seed=11)[0]
    plain = ask(backend, stream(backend, audio))
    first, second = text(plain)[:2]
    handle = backend.open(StreamSpec("en", "en", (Term(f"{first}{second}"),)))
    hear(backend, handle, audio)
    named = ask(backend, handle)
    assert text(named)[0] == f"{first}{second}"
    assert [heard for _, _, heard in named.repairs] == [f"{first} {second}"]
    taken = backend.import_state(backend.export_state(handle))
    same(ask(backend, taken), named)
    same(ask(backend, stream(backend, audio)), plain)
