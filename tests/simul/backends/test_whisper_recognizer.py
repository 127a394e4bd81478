"""A whole word that Whisper was forced to begin with is not made longer: on CTranslate2, on torch, in sessions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the tiny Whisper model is trained with torch")
pytest.importorskip("transformers", reason="the tiny Whisper model is made with transformers")
pytest.importorskip("faster_whisper", reason="the Whisper backend needs faster-whisper")

import torch

from policies import make_policy
from policies.base import StopRule
from simul.backends.whisper import WhisperBackend
from simul.clock import VirtualClock
from simul.decoding.interface import Prompt
from simul.models.whisper.ctranslate2 import WhisperModel
from simul.models.whisper.features import STEP
from simul.models.whisper.interface import MAX_POSITIONS
from simul.models.whisper.torch import TorchWhisper
from simul.session import Session, SessionConfig
from simul.session.events import Settled
from simul.session.word_end import WordEnd, follows_word
from tests import tiny_models
from tests.simul.tone_speech import Loud, audio, head, stopped_at, talk
from tests.tiny_models import RATE

pytestmark = pytest.mark.usefixtures("one_torch_thread")
Model = Any
KINDS = ("ctranslate2", "ctranslate2 beam", "torch", "torch beam")


def untrained(place: Path, times: bool) -> Path:
    """A model of random weights, which goes on after most words with a piece that makes them longer."""
    network = tiny_models.untrained_whisper()
    network.generation_config.suppress_tokens = list(range(50258, 50364 if times else 51865))
    return tiny_models.save_whisper(network, place)


@pytest.fixture(scope="session")
def random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("random"), times=False)


@pytest.fixture(scope="session")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("timed"), times=True)


def load(folder: Path, kind: str) -> Model:
    beam = 3 if kind.endswith("beam") else 1
    if kind.startswith("torch"):
        return TorchWhisper(folder.parent / "transformers", "cpu", beam=beam, window="bucket")
    return WhisperModel(folder, "cpu", "float32", threads=1, beam=beam, window="bucket")


def beginnings(model: Model, samples: np.ndarray) -> list[Prompt]:
    """Every beginning of what the model hears, to be continued freely."""
    whole = model.generate(model.encode([samples]), [Prompt(head(model), (), 12)])[0]
    return [Prompt(head(model), whole.ids[:n], 12 - n) for n in range(1, min(len(whole.ids), 8))]


def generate(model: Model, samples: np.ndarray, prompts: list[Prompt]) -> list[Any]:
    return model.generate(model.encode([samples] * len(prompts)), prompts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["tiny_whisper", "random"])
def test_a_whole_word_stays_as_it_is(request: pytest.FixtureRequest, which: str, kind: str) -> None:
    folder: Path = request.getfixturevalue(which)
    model, grown = load(folder, kind), 0
    tokens = model.tokens
    for samples in audio(2, 41):
        free = beginnings(model, samples)
        held = [replace(prompt, word_complete=True) for prompt in free]
        for prompt, a, b in zip(
            free, generate(model, samples, free), generate(model, samples, held), strict=True
        ):
            assert len(b.ids) == len(b.logprobs) <= prompt.room(MAX_POSITIONS)
            assert not b.ids or follows_word(tokens.surface(b.ids[0]))
            if not a.ids or follows_word(tokens.surface(a.ids[0])):
                assert "beam" in kind or (a.ids, a.ended) == (b.ids, b.ended)
                continue
            grown += 1
            if b.ids and "beam" not in kind and prompt.room(MAX_POSITIONS) > 1:
                forced = (*prompt.prefix, b.ids[0])
                rest = replace(prompt, prefix=forced, max_new_tokens=prompt.room(MAX_POSITIONS) - 1)
                after = generate(model, samples, [rest])[0]
                assert (after.ids, after.ended) == (b.ids[1:], b.ended)
                np.testing.assert_allclose(after.logprobs, b.logprobs[1:], atol=1e-4)
    assert grown >= 4


@pytest.mark.parametrize("which", ["tiny_whisper", "random"])
def test_what_follows_a_whole_word_is_the_most_probable_of_what_may(
    request: pytest.FixtureRequest, which: str
) -> None:
    from transformers import WhisperForConditionalGeneration

    folder: Path = request.getfixturevalue(which)
    network = WhisperForConditionalGeneration.from_pretrained(folder.parent / "transformers").eval()
    models: list[Model] = [
        TorchWhisper(folder.parent / "transformers", "cpu"),
        WhisperModel(folder, "cpu", "float32", threads=1),
    ]
    tokens, samples = models[0].tokens, audio(1, 42)[0]
    barred = [*network.generation_config.suppress_tokens]
    barred += [i for i in range(tokens.end) if not follows_word(tokens.surface(i))]
    features = torch.from_numpy(models[0].features(samples))[None]
    for prompt in beginnings(models[0], samples)[:4]:
        with torch.no_grad():
            given = torch.tensor([[*prompt.head, *prompt.prefix]])
            logits = network(input_features=features, decoder_input_ids=given).logits[0, -1]
        logits[barred] = -torch.inf
        best = int(logits.argmax())
        for model in models:
            found = generate(model, samples, [replace(prompt, word_complete=True)])[0]
            if best == tokens.end:
                assert (found.ids, found.ended) == ((), True)
            else:
                assert found.ids[0] == best
                np.testing.assert_allclose(found.logprobs[0], float(logits.log_softmax(-1)[best]), atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["tiny_whisper", "random"])
def test_a_batch_gives_what_single_calls_give(request: pytest.FixtureRequest, which: str, kind: str) -> None:
    model = load(request.getfixturevalue(which), kind)
    samples, other = audio(2, 43)
    prompts = [
        replace(prompt, word_complete=number % 3 < 2, max_new_tokens=9 - len(prompt.prefix) + number % 2)
        for number, prompt in enumerate([*beginnings(model, samples), Prompt(head(model), (), 9)])
    ]
    prompts.append(replace(prompts[0], max_new_tokens=1))
    sounds = [samples if number % 2 else other for number in range(len(prompts))]
    batch = model.generate(model.encode(sounds), prompts)
    for sound, prompt, found in zip(sounds, prompts, batch, strict=True):
        alone = generate(model, sound, [prompt])[0]
        assert (found.ids, found.ended, found.beams) == (alone.ids, alone.ended, alone.beams)
        np.testing.assert_allclose(found.logprobs, alone.logprobs, atol=1e-4)
        np.testing.assert_allclose(found.no_speech_prob, alone.no_speech_prob, rtol=1e-3)
    assert len(batch[-1].ids) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_may_stand_before_the_next_word(timed: Path, kind: str) -> None:
    model, times = load(timed, kind), 0
    tokens = model.tokens
    for samples in audio(2, 44):
        for word in (" blue", " r"):
            prefix = (tokens.first_timestamp, *tokens.encode(word))
            prompt = Prompt(tokens.task("en", "en"), prefix, 12, word_complete=True)
            found = generate(model, samples, [prompt])[0]
            text = [i for i in found.ids if tokens.is_text(i)]
            assert not text or follows_word(tokens.surface(text[0]))
            assert len(found.logprobs) == len(found.ids) <= 12
            times += not tokens.is_text((*found.ids, tokens.end)[0])
    assert times or "torch" not in kind


def test_the_cache_and_stop_rules_stay_exact_after_a_whole_word(random: Path) -> None:
    model, stops = load(random, "torch"), 0
    for samples in audio(3, 45):
        window = model.encode([samples])[0]
        for prompt in beginnings(model, samples):
            held = replace(prompt, word_complete=True)
            warm, cold = model.generate([window], [held])[0], generate(model, samples, [held])[0]
            assert (warm.ids, warm.ended) == (cold.ids, cold.ended)
            np.testing.assert_allclose(warm.logprobs, cold.logprobs, atol=1e-4)
            np.testing.assert_allclose(warm.attention, cold.attention, atol=1e-4)
            for rule in (StopRule(score_below=-2.0), StopRule(at_frame=RATE // 2)):
                stopped = model.generate([window], [replace(held, stop=rule)])[0]
                expected = stopped_at(warm, rule, STEP)
                assert (stopped.ids, stopped.stopped) == (expected.ids, expected.stopped)
                stops += stopped.stopped
    assert stops >= 4


def settle(backend: WhisperBackend, policy: str, samples: np.ndarray, chunk: int) -> list[Settled]:
    session = Session(make_policy(policy), backend, VirtualClock(), SessionConfig("de", "en", chunk=chunk))
    return [e for e in session.feed(samples) + session.finish() if isinstance(e, Settled)]


def longer(settled: list[Settled]) -> list[str]:
    """Pieces that made a settled word of the same segment longer."""
    seen: set[int] = set()
    found = []
    for event in settled:
        if event.segment in seen and not follows_word(event.tokens[0]):
            found.append(event.text)
        seen.add(event.segment)
    return found


@pytest.mark.parametrize("kind", ["ctranslate2", "torch"])
@pytest.mark.parametrize("timestamps", [False, True])
def test_no_settled_word_is_made_longer_in_a_session(
    tiny_whisper: Path, kind: str, timestamps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(tiny_whisper, kind)
    backend = WhisperBackend(model, timestamps, activity=Loud)
    piece, real = model.tokens.encode("e"), model.generate

    def lengthening(encoded: Any, prompts: list[Prompt]) -> list[Any]:
        """The model, as if it always rather made the last word of the prefix longer."""
        free = [bool(p.prefix) and not p.word_complete for p in prompts]
        begun = [
            replace(p, prefix=(*p.prefix, *piece)) if f else p for p, f in zip(prompts, free, strict=True)
        ]
        return [
            replace(h, ids=(*piece, *h.ids), logprobs=np.array([-0.1, *h.logprobs]), attention=None)
            if f
            else h
            for h, f in zip(real(encoded, begun), free, strict=True)
        ]

    agreement = "local-agreement(n=2)"
    for policy, chunk, seed in (
        (agreement, 4800, 51),
        ("hold-n(n=2)", 3200, 52),
        (agreement, 3200, 53),
        (agreement, 8000, 54),
    ):
        samples, _ = talk(seed, 2)
        settled = settle(backend, policy, samples, chunk)
        assert len(settled) > 4
        assert not longer(settled)
        with monkeypatch.context() as patch:
            patch.setattr(model, "generate", lengthening)
            held = settle(backend, policy, samples, chunk)
            assert not longer(held), [e.text for e in held]
            assert [e.tokens for e in held] == [e.tokens for e in settled]
            patch.setattr(WordEnd, "complete", lambda *_: False)
            assert longer(settle(backend, policy, samples, chunk))
