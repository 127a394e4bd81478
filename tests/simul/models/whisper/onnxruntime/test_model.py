"""Whisper on onnxruntime against CTranslate2 and torch on the same weights, and against itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("onnxruntime", reason="this runtime")
pytest.importorskip("torch", reason="the tiny Whisper model is trained with torch")
pytest.importorskip("transformers", reason="the tiny Whisper model is made with transformers")
pytest.importorskip("faster_whisper", reason="the tiny Whisper model is made with faster-whisper")

from policies.base import StopRule
from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import ModelMissingError, UsageError
from simul.models.whisper import features
from simul.models.whisper.ctranslate2 import WhisperModel
from simul.models.whisper.features import STEP, Thinning
from simul.models.whisper.onnxruntime import encoder
from simul.models.whisper.onnxruntime.model import OnnxWhisper
from simul.models.whisper.onnxruntime.search import stop_at
from simul.models.whisper.torch import TorchWhisper
from tests.simul.tone_speech import audio, head
from tests.tiny_models import RATE, save_whisper, untrained_whisper

pytestmark = pytest.mark.usefixtures("one_torch_thread")
Load = Callable[..., OnnxWhisper]


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights for CTranslate2; the original is beside it."""
    return save_whisper(untrained_whisper(), tmp_path_factory.mktemp("untrained"))


@pytest.fixture(scope="session")
def load(tiny_whisper: Path) -> Load:
    return lambda **more: OnnxWhisper(tiny_whisper, **{"compute": "float32", "threads": 1, **more})


@pytest.fixture(scope="session")
def model(load: Load) -> OnnxWhisper:
    return load(window="bucket")


def same(a: Hypothesis, b: Hypothesis, tolerance: float = 1e-4) -> None:
    assert (a.ids, a.ended, a.stopped) == (b.ids, b.ended, b.stopped)
    np.testing.assert_allclose(a.logprobs, b.logprobs, atol=tolerance)
    np.testing.assert_allclose(a.no_speech_prob, b.no_speech_prob, rtol=1e-3)
    assert a.attention is not None
    assert b.attention is not None
    np.testing.assert_allclose(a.attention, b.attention, atol=tolerance)


@pytest.mark.parametrize("which", ["tiny_whisper", "untrained"])
@pytest.mark.parametrize("timed", [False, True])
def test_everything_agrees_with_ctranslate2_and_torch_on_the_same_weights(
    request: pytest.FixtureRequest, which: str, timed: bool
) -> None:
    folder: Path = request.getfixturevalue(which)
    ours = OnnxWhisper(folder, "float32", 1)
    theirs = WhisperModel(folder, "cpu", "float32", threads=1)
    third = TorchWhisper(folder.parent / "transformers", "cpu")
    tokens, task = ours.tokens, ours.tokens.task("de", "en")
    start = task if timed else (*task, tokens.no_timestamps)
    for samples, word, context in zip(
        audio(3, 3), ("", " blue", " red"), ((), (), tokens.encode(" house")), strict=True
    ):
        prefix = tokens.encode(word) if word else ()
        if timed and prefix:
            prefix = (tokens.first_timestamp, *prefix, *2 * (tokens.first_timestamp + 20,))
        given = (tokens.previous, *context, *start) if context else start
        prompt = Prompt(given, prefix, 15)
        a, b, c = ours.encode([samples]), theirs.encode([samples]), third.encode([samples])
        np.testing.assert_allclose(ours._encoder([samples])[0], b[0], atol=2e-3)
        found, expected = ours.generate(a, [prompt])[0], theirs.generate(b, [prompt])[0]
        assert (found.ids, found.ended) == (expected.ids, expected.ended)
        same(found, third.generate(c, [prompt])[0], 2e-4)
        texts = [[i for i in found.ids if tokens.is_text(i)] or [265, 270]]
        for text in (texts, [texts[0][:4]]):
            np.testing.assert_array_equal(
                ours.align(ours.encode([samples]), task, text, [len(samples)])[0],
                theirs.align(b, task, text, [len(samples)])[0],
            )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_draft_changes_nothing(model: OnnxWhisper, data: st.DataObject) -> None:
    samples = audio(1, data.draw(st.integers(0, 20)), 5)[0]
    free = model.generate(model.encode([samples]), [Prompt(head(model))])[0]
    prefix = free.ids[: data.draw(st.integers(0, len(free.ids)))]
    rest = free.ids[len(prefix) :]
    kept = data.draw(st.integers(0, len(rest)))
    wrong = data.draw(st.lists(st.sampled_from((265, 270, model.tokens.end)), max_size=4))
    rule = StopRule(at_frame=data.draw(st.integers(0, RATE))) if data.draw(st.booleans()) else None
    room = data.draw(st.integers(1, 12))
    plain = Prompt(head(model), prefix, room, rule)
    drafted = Prompt(head(model), prefix, room, rule, draft=(*rest[:kept], *wrong))
    same(
        model.generate(model.encode([samples]), [drafted])[0],
        model.generate(model.encode([samples]), [plain])[0],
    )


def test_the_source_times_of_what_was_just_decoded_need_no_further_pass(
    model: OnnxWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = model.tokens.task("en", "en")
    for samples in audio(3, 30, 5):
        windows = model.encode([samples])
        found = model.generate(windows, [Prompt(head(model))])[0]
        fresh = model.align(model.encode([samples]), task, [found.ids], [len(samples)])[0]
        with monkeypatch.context() as patch:
            patch.setattr(model._network, "run", None)
            known = model.align(windows, task, [found.ids], [len(samples)])[0]
            first = model.align(windows, task, [found.ids[:2]], [len(samples)])[0]
        # A pass of its own standardises attention over the end of the text too.
        np.testing.assert_allclose(known, fresh, atol=2 * STEP)
        assert first.shape == (2, 2)


@pytest.mark.parametrize(("compute", "beam"), [("float32", 1), ("int8", 1), ("float32", 3)])
def test_a_batch_gives_what_single_calls_give(load: Load, compute: str, beam: int) -> None:
    model = load(window="thinned", compute=compute, beam=beam)
    tokens = model.tokens
    pieces = [*audio(2, 6, 2), *audio(2, 6, 5), *audio(1, 6, 3), np.concatenate(audio(9, 8, 4))]
    prompts = [
        Prompt(head(model), (), 20),
        Prompt(head(model, "de", "en"), tokens.encode(" blue house"), 3),
        Prompt((tokens.previous, *tokens.encode(" red river"), *head(model, "de", "de")), (), 20),
        Prompt(head(model), tokens.encode(" seven"), 20, StopRule(at_frame=RATE // 2), draft=(265, 270)),
        Prompt(tokens.task("en", "en"), (), 20),
        Prompt(head(model), (), 9, StopRule(suppress_end=True)),
    ]
    windows = model.encode(pieces)
    assert len({w.frames for w in windows}) > 1
    batch = model.generate(windows, prompts)
    for samples, prompt, found in zip(pieces, prompts, batch, strict=True):
        same(
            found,
            model.generate(model.encode([samples]), [prompt])[0],
            2e-4 if compute == "float32" else 0.02,
        )
    assert len(batch[1].ids) <= 3
    assert len(batch[5].ids) == 9


def test_int8_writes_what_float32_writes(load: Load) -> None:
    exact, quick = load(window="bucket"), load(window="bucket", compute="int8")
    right = 0
    for samples in audio(8, 12):
        a, b = (m.generate(m.encode([samples]), [Prompt(head(m))])[0] for m in (exact, quick))
        right += a.ids == b.ids
    assert right >= 6


def thin(monkeypatch: pytest.MonkeyPatch, places: Sequence[int], counts: Sequence[float]) -> None:
    """Thinned windows are made of these frames."""
    made = Thinning(np.array(places), np.log(np.array(counts, np.float32)))
    for module in (features, encoder):
        monkeypatch.setattr(module, "thinned", lambda content: made)


def test_a_thinned_window_that_leaves_nothing_out_is_a_padded_one(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    thin(monkeypatch, range(1500), [1] * 1500)
    exact, thinned = load(window="padded"), load(window="thinned", beam=1)
    samples = audio(1, 13)[0]
    a, b = exact.encode([samples]), thinned.encode([samples])
    np.testing.assert_allclose(thinned._encoder([samples])[0], exact._encoder([samples])[0], atol=1e-4)
    same(thinned.generate(b, [Prompt(head(thinned))])[0], exact.generate(a, [Prompt(head(exact))])[0])


def test_a_frame_that_stands_for_two_counts_like_two(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the encoder, whose other states do not change, and to the decoder, which writes the same."""
    model, samples = load(window="thinned"), audio(1, 14, 3)[0]
    audible = len(samples) // STEP
    twice, once = [*range(audible + 2), 900, 900, 1200], [*range(audible + 2), 900, 1200]
    thin(monkeypatch, twice, [1] * len(twice))
    both, written = (
        model._encoder([samples])[0],
        model.generate(model.encode([samples]), [Prompt(head(model))])[0],
    )
    thin(monkeypatch, once, [*[1] * (audible + 2), 2, 1])
    one, again = (
        model._encoder([samples])[0],
        model.generate(model.encode([samples]), [Prompt(head(model))])[0],
    )
    np.testing.assert_allclose(one, np.delete(both, -2, 0), atol=1e-4)
    same(again, written)
    thin(monkeypatch, once, [1] * len(once))
    assert np.abs(model._encoder([samples])[0] - one).max() > 1e-3


def test_stop_rules_cut_where_the_whole_text_meets_them(load: Load) -> None:
    stops = 0
    for beam in (1, 3):
        model = load(window="bucket", beam=beam)
        for samples in audio(3, 8, 5):
            whole = model.generate(model.encode([samples]), [Prompt(head(model))])[0]
            for rule in (
                StopRule(at_frame=RATE // 2),
                StopRule(score_below=-0.05),
                StopRule(at_frame=9 * RATE),
            ):
                found = model.generate(model.encode([samples]), [Prompt(head(model), stop=rule)])[0]
                same(found, stop_at(whole, rule, model.tokens.end))
                stops += found.stopped
    assert stops >= 6


@pytest.mark.parametrize("which", ["tiny_whisper", "untrained"])
def test_a_beam_finds_what_the_beam_of_torch_finds(request: pytest.FixtureRequest, which: str) -> None:
    """A beam that is asked for once, and a model's own."""
    folder: Path = request.getfixturevalue(which)
    ours = OnnxWhisper(folder, "float32", 1)
    theirs = TorchWhisper(folder.parent / "transformers", "cpu", beam=3)
    for samples in audio(3, 11):
        for prompt in (Prompt(head(ours), (), 8), Prompt(head(ours), (265,), 5)):
            found = ours.generate(ours.encode([samples]), [prompt], 3)[0]
            expected = theirs.generate(theirs.encode([samples]), [prompt])[0]
            same(found, expected, 2e-4)
            assert found.beams == expected.beams
            assert ours.generate(ours.encode([samples]), [prompt])[0].beams == ()


def test_words_that_are_complete_do_not_grow(load: Load) -> None:
    model = load(window="bucket")
    grown = 0
    for samples in audio(6, 20):
        window = model.encode([samples])
        whole = model.generate(window, [Prompt(head(model))])[0]
        for count in range(1, len(whole.ids)):
            free = Prompt(head(model), whole.ids[:count], 5)
            bound = Prompt(head(model), whole.ids[:count], 5, word_complete=True)
            a, b = model.generate([window[0]], [free])[0], model.generate([window[0]], [bound])[0]
            assert not b.ids or not model.tokens.grows[b.ids[0]]
            grown += bool(a.ids) and bool(model.tokens.grows[a.ids[0]])
    assert grown


def test_languages_are_shares_of_all_that_the_model_hears(model: OnnxWhisper) -> None:
    alone = [model.languages(model.encode([samples]))[0] for samples in audio(2, 5)]
    both = model.languages(model.encode(audio(2, 5)))
    for one, other in zip(alone, both, strict=True):
        assert set(one) == model.tokens.languages
        assert sum(one.values()) == pytest.approx(1, abs=1e-5)
        for code, share in one.items():
            assert share == pytest.approx(other[code], abs=1e-4)


def test_what_is_wrong_with_a_folder_or_an_option_is_said(tiny_whisper: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"model\.bin"):
        OnnxWhisper(tmp_path)
    with pytest.raises(UsageError, match="window 'wide'"):
        OnnxWhisper(tiny_whisper, window="wide")
    with pytest.raises(UsageError, match="compute 'float16'"):
        OnnxWhisper(tiny_whisper, compute="float16")
    with pytest.raises(UsageError, match="no encoder for live windows"):
        OnnxWhisper(tiny_whisper, window="live")


def test_a_growing_window_is_what_the_whole_window_is(
    tiny_whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simul.models.whisper.onnxruntime.model.live_encoder", lambda weights, folder: {})
    model = OnnxWhisper(tiny_whisper, "float32", 1, window="causal", block=10)
    assert model.grows
    pieces = audio(2, 40, 4)
    kept = [model.start() for _ in pieces]
    for count in (3000, 3000, 9000, 16_000, 100_000):
        grown = model.grow(kept, [samples[:count] for samples in pieces])
        whole = model.encode([samples[:count] for samples in pieces])
        for a, b in zip(grown, whole, strict=True):
            assert (a.frames, a.content) == (b.frames, b.content)
            for name, value in a.cross.items():
                np.testing.assert_allclose(value, b.cross[name], atol=1e-4)
            found, expected = (model.generate([window], [Prompt(head(model), (), 8)])[0] for window in (a, b))
            same(found, expected, 1e-3)
