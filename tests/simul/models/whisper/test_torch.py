"""Whisper on torch against transformers' own generation, against CTranslate2, and against itself."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the torch backend needs torch")
pytest.importorskip("transformers", reason="the torch backend needs transformers")
pytest.importorskip("faster_whisper", reason="the torch backend uses faster-whisper's front end")

import torch

from policies.base import StopRule
from simul.decoding.batch import Batch
from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import ModelMissingError, UsageError
from simul.models.whisper.ctranslate2 import WhisperModel
from simul.models.whisper.decoder import EncodedWindow, WhisperDecoder
from simul.models.whisper.features import STEP
from simul.models.whisper.rules import TimedRules
from simul.models.whisper.torch import TorchWhisper
from tests import tiny_models
from tests.simul.tone_speech import audio, head, stopped_at
from tests.tiny_models import RATE

pytestmark = pytest.mark.usefixtures("one_torch_thread")
LENGTHS = (2, 5, 3)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights for CTranslate2; the original is beside it."""
    return tiny_models.save_whisper(tiny_models.untrained_whisper(), tmp_path_factory.mktemp("untrained"))


@pytest.fixture(scope="session")
def load(torch_whisper: Path) -> Callable[..., TorchWhisper]:
    return lambda **more: TorchWhisper(torch_whisper, "cpu", **more)


@pytest.fixture(scope="session")
def model(load: Callable[..., TorchWhisper]) -> TorchWhisper:
    return load(window="bucket")


def close(a: Hypothesis, b: Hypothesis, tolerance: float = 1e-5) -> None:
    assert (a.ids, a.ended, a.stopped) == (b.ids, b.ended, b.stopped)
    np.testing.assert_allclose(a.logprobs, b.logprobs, atol=tolerance)
    np.testing.assert_allclose(a.no_speech_prob, b.no_speech_prob, rtol=1e-3)
    assert a.attention is not None
    assert b.attention is not None
    np.testing.assert_allclose(a.attention, b.attention, atol=tolerance)


def test_features_and_encoder_are_those_of_transformers(
    load: Callable[..., TorchWhisper], network: Any
) -> None:
    from transformers import WhisperFeatureExtractor

    model, samples = load(), audio(1, 1)[0]
    samples = samples[: len(samples) // 160 * 160]
    expected = WhisperFeatureExtractor()(samples, sampling_rate=RATE, return_tensors="pt").input_features
    features = torch.from_numpy(model.features(samples))[None]
    assert features.shape == expected.shape
    torch.testing.assert_close(features, expected, atol=2e-3, rtol=0)
    with torch.inference_mode():
        torch.testing.assert_close(
            model._encoder(features), network.model.encoder(features).last_hidden_state, atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("prefix", ["", " blue", " seven house"])
def test_tokens_are_those_that_transformers_generates(
    load: Callable[..., TorchWhisper], network: Any, prefix: str
) -> None:
    model = load()
    for samples in audio(2, 2):
        forced = model.tokens.encode(prefix) if prefix else ()
        network.generation_config.begin_suppress_tokens = None if forced else [220, 50257]
        expected = network.generate(
            input_features=torch.from_numpy(model.features(samples))[None],
            decoder_input_ids=torch.tensor([[*head(model), *forced]]),
            max_new_tokens=12,
            do_sample=False,
            num_beams=1,
            return_timestamps=False,
        )[0].tolist()
        found = model.generate(model.encode([samples]), [Prompt(head(model), forced, 12)])[0]
        assert list(found.ids) == [i for i in expected if i != model.tokens.end]
        assert found.ids


@pytest.mark.parametrize("which", ["tiny_whisper", "untrained"])
@pytest.mark.parametrize("window", ["padded", "bucket"])
@pytest.mark.parametrize("timed", [False, True])
def test_everything_agrees_with_ctranslate2_on_the_same_weights(
    request: pytest.FixtureRequest, which: str, window: str, timed: bool
) -> None:
    folder: Path = request.getfixturevalue(which)
    ours = TorchWhisper(folder.parent / "transformers", "cpu", window=window)
    theirs = WhisperModel(folder, "cpu", "float32", threads=1, window=window)
    tokens = ours.tokens
    task = tokens.task("de", "en")
    start = task if timed else (*task, tokens.no_timestamps)
    for samples, word, context in zip(
        audio(3, 3), ("", " blue", " red"), ((), (), tokens.encode(" house")), strict=True
    ):
        prefix = tokens.encode(word) if word else ()
        if timed and prefix:
            # CTranslate2 applies the grammar of times only some tokens after a prefix.
            prefix = (tokens.first_timestamp, *prefix, *2 * (tokens.first_timestamp + 20,))
        given = (tokens.previous, *context, *start) if context else start
        prompt = Prompt(given, prefix, 15)
        a, b = ours.encode([samples]), theirs.encode([samples])
        found, expected = ours.generate(a, [prompt])[0], theirs.generate(b, [prompt])[0]
        assert (found.ids, found.ended) == (expected.ids, expected.ended)
        first = 2 if timed and prefix else 0
        np.testing.assert_allclose(found.logprobs[first:], expected.logprobs[first:], atol=2e-4)
        np.testing.assert_allclose(found.no_speech_prob, expected.no_speech_prob, rtol=2e-3)
        texts = [[i for i in found.ids if tokens.is_text(i)] or [265, 270]]
        for text in (texts, [texts[0][:4]]):
            np.testing.assert_array_equal(
                ours.align(a, task, text, [len(samples)])[0], theirs.align(b, task, text, [len(samples)])[0]
            )


def test_attention_is_that_of_the_alignment_heads_in_transformers(
    load: Callable[..., TorchWhisper], network: Any
) -> None:
    model = load()
    for samples, prefix in zip(audio(2, 4), ((), model.tokens.encode(" blue")), strict=True):
        found = model.generate(model.encode([samples]), [Prompt(head(model), prefix, 20)])[0]
        given = [*head(model), *prefix]
        with torch.no_grad():
            layers = network(
                input_features=torch.from_numpy(model.features(samples))[None],
                decoder_input_ids=torch.tensor([[*given, *found.ids]]),
                output_attentions=True,
            ).cross_attentions
        mean = torch.stack([layers[1][0, 0], layers[1][0, 1]]).mean(0)
        frames = -(-len(samples) // STEP)
        expected = mean[len(given) - 1 : len(given) - 1 + len(found.ids), :frames]
        assert found.attention is not None
        assert found.attention.shape == (len(found.ids), frames)
        np.testing.assert_allclose(found.attention, expected.numpy(), atol=1e-5)


def test_going_on_after_rejected_tokens_equals_a_fresh_start_and_costs_only_what_is_new(
    model: TorchWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[int] = []
    real = WhisperDecoder.forward

    def counted(self: WhisperDecoder, ids: torch.Tensor, *more: Any) -> torch.Tensor:
        fed.append(ids.shape[1])
        return real(self, ids, *more)

    samples = audio(1, 5, words=5)[0]
    window = model.encode([samples])[0]
    whole = model.generate([window], [Prompt(head(model))])[0]
    assert len(whole.ids) >= 6
    monkeypatch.setattr(WhisperDecoder, "forward", counted)
    for count, other in ((4, ()), (2, model.tokens.encode(" river")), (0, ()), (5, ())):
        prompt = Prompt(head(model), (*whole.ids[:count], *other))
        fed.clear()
        again = model.generate([window], [prompt])[0]
        warm = fed[0]
        fed.clear()
        fresh = model.generate(model.encode([samples]), [prompt])[0]
        cold = fed[0]
        close(again, fresh)
        assert cold == len(prompt.head) + len(prompt.prefix)
        assert warm <= 1 + len(other) + (3 if count == 5 else 0)


def test_a_batch_gives_what_single_calls_give(load: Callable[..., TorchWhisper]) -> None:
    for window, beam in (("padded", 1), ("bucket", 1), ("bucket", 3)):
        model = load(window=window, beam=beam)
        tokens, pieces = model.tokens, [s for n in LENGTHS for s in audio(2, 6, words=n)]
        prompts = [
            Prompt(head(model), (), 20),
            Prompt(head(model, "de", "en"), tokens.encode(" blue house"), 3),
            Prompt((tokens.previous, *tokens.encode(" red river"), *head(model, "de", "de")), (), 20),
            Prompt(head(model), tokens.encode(" seven"), 20, StopRule(at_frame=RATE // 2)),
            Prompt(tokens.task("en", "en"), (), 20),
            Prompt(head(model), (), 9, StopRule(suppress_end=True)),
        ]
        warm = model.encode(pieces)
        model.generate(warm[1:3], [Prompt(head(model), (), 4), prompts[2]])
        batch = model.generate(warm, prompts)
        for samples, prompt, found in zip(pieces, prompts, batch, strict=True):
            alone = model.generate(model.encode([samples]), [prompt])[0]
            close(found, alone)
            assert found.beams == alone.beams
        assert len(batch[1].ids) <= 3
        assert len(batch[5].ids) == 9


def test_a_batch_aligns_as_single_calls_do(model: TorchWhisper) -> None:
    pieces = [s for n in LENGTHS for s in audio(1, 7, words=n)]
    task, windows = model.tokens.task("en", "en"), model.encode(pieces)
    texts: list[tuple[int, ...]] = [h.ids for h in model.generate(windows, [Prompt(head(model))] * 3)]
    texts[1] = ()
    sizes = [len(s) for s in pieces]
    batch = model.align(windows, task, texts, sizes)
    assert batch[1].shape == (0, 2)
    for window, text, size, spans in zip(windows, texts, sizes, batch, strict=True):
        np.testing.assert_array_equal(spans, model.align([window], task, [text], [size])[0])
    long = [i for _ in range(300) for i in texts[0]]
    spans = model.align(windows[:1], task, [long], sizes[:1])[0]
    assert spans.shape == (len(long), 2)
    assert (np.diff(spans.ravel()) >= 0).all()


def test_stop_rules_cut_where_the_whole_text_meets_them(model: TorchWhisper) -> None:
    stops = 0
    for samples in audio(4, 8, words=5):
        window = model.encode([samples])[0]
        whole = model.generate([window], [Prompt(head(model))])[0]
        assert whole.attention is not None
        for rule in [
            *(StopRule(at_frame=int(s * RATE)) for s in (0.0, 0.2, 0.5, 1.0, 9.0)),
            *(StopRule(score_below=p) for p in (-0.001, -0.05, -1.0)),
            StopRule(at_frame=RATE // 2, score_below=-0.01),
        ]:
            found = model.generate([window], [Prompt(head(model), stop=rule)])[0]
            close(found, stopped_at(whole, rule, STEP))
            count = len(found.ids)
            frames = whole.attention.shape[1]
            late = whole.attention.argmax(1) >= frames - -(-(rule.at_frame or 0) // STEP)
            met = late if rule.at_frame is not None else np.zeros(len(late), bool)
            if rule.score_below is not None:
                met = met | (whole.logprobs < rule.score_below)
            assert count == (int(met.argmax()) + 1 if met.any() else len(whole.ids))
            assert found.stopped == bool(met.any())
            stops += found.stopped
    assert stops >= 12


def test_the_end_can_be_forbidden(model: TorchWhisper) -> None:
    samples = audio(1, 9)[0]
    free = model.generate(model.encode([samples]), [Prompt(head(model), (), 30)])[0]
    bound = model.generate(
        model.encode([samples]), [Prompt(head(model), (), 30, StopRule(suppress_end=True))]
    )[0]
    assert free.ended
    assert len(bound.ids) == 30
    assert not bound.ended
    assert bound.ids[: len(free.ids)] == free.ids


def test_a_wide_beam_finds_the_best_of_all_texts(load: Callable[..., TorchWhisper]) -> None:
    model, samples, room = load(window="bucket", beam=45), audio(1, 10)[0], 3
    tokens = model.tokens
    used = (265, 270, 259)
    bars = [i for i in range(51865) if i not in (*used, tokens.end)]
    model._rules = TimedRules(tokens, 51865, bars, [], None, torch.device("cpu"))
    found = model.generate(model.encode([samples]), [Prompt(head(model), (), room)])[0]
    narrow = load(window="bucket")
    narrow._rules = model._rules
    texts = [t for n in range(room + 1) for t in itertools.product(used, repeat=n)]
    scores, window = {}, narrow.encode([samples])
    history = model._rules.start([Prompt(head(model))])
    following = {
        text: model._rules.logprobs(
            Batch(narrow._decoder(), [(*head(model), *text)], window).logits, history
        )[0]
        for text in texts
        if len(text) < room
    }
    for text in texts:
        ids = (*text, tokens.end) if len(text) < room else text
        scores[text] = sum(float(following[ids[:i]][token]) for i, token in enumerate(ids)) / len(ids)
    ranked = sorted(scores, key=lambda text: -scores[text])
    assert found.ids == ranked[0]
    assert list(found.beams[:4]) == ranked[1:5]
    length = len(found.ids) + found.ended
    np.testing.assert_allclose(
        found.logprobs.sum(), scores[found.ids] * length, atol=1.0 * found.ended + 1e-4
    )


@pytest.mark.parametrize("which", ["tiny_whisper", "untrained"])
def test_a_beam_finds_what_ctranslate2_s_beam_finds(request: pytest.FixtureRequest, which: str) -> None:
    """Beams that are asked for once."""
    folder: Path = request.getfixturevalue(which)
    ours = TorchWhisper(folder.parent / "transformers", "cpu")
    theirs, wide = (WhisperModel(folder, "cpu", "float32", threads=1, beam=beam) for beam in (1, 3))
    same = 0
    for samples in audio(3, 11):
        prompt = Prompt(head(ours), (), 8)
        found = ours.generate(ours.encode([samples]), [prompt], 3)[0]
        expected = theirs.generate(theirs.encode([samples]), [prompt], 3)[0]
        assert expected.ids == wide.generate(wide.encode([samples]), [prompt])[0].ids
        if found.ids == expected.ids:
            # CTranslate2 scores a beam's winner without the rules for a text's first token.
            np.testing.assert_allclose(found.logprobs[1:], expected.logprobs[1:], atol=2e-4)
            same += 1
        assert len(found.beams) == 2
        assert len({found.ids, *found.beams}) == 3
    assert same >= 2


def test_half_precision_says_the_same(load: Callable[..., TorchWhisper]) -> None:
    whole, half = load(window="bucket"), load(window="bucket", compute="bfloat16")
    for samples in audio(4, 12):
        a = whole.generate(whole.encode([samples]), [Prompt(head(whole))])[0]
        window: EncodedWindow = half.encode([samples])[0]
        assert window.cross.dtype == torch.bfloat16
        b = half.generate([window], [Prompt(head(half))])[0]
        assert b.attention is not None
        assert b.attention.dtype == np.float32
        assert a.ids == b.ids


def test_faults_of_a_folder_and_missing_packages_are_named(
    tiny_whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_whisper.parent / "transformers", folder)
    with pytest.raises(UsageError, match="int8"):
        TorchWhisper(folder, "cpu", "int8")
    for name in ("torch", "transformers"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(ModelMissingError, match=rf'package {name}.*pip install -e "\.\[hf\]"'):
                TorchWhisper(folder, "cpu")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelMissingError, match="cannot be loaded"):
        TorchWhisper(folder, "cpu")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (folder / name).unlink()
        with pytest.raises(ModelMissingError, match=rf"has no .*{name}"):
            TorchWhisper(folder, "cpu")
