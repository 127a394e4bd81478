"""SeamlessM4T on torch against transformers' own generation, against itself, and in sessions."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the Seamless backend needs torch")
pytest.importorskip("transformers", reason="the Seamless backend needs transformers")

import torch

from policies import AlignAtt, make_policy
from policies.base import Evidence, Need, SourceView, StopRule
from simul.backends.base import DecodeRequest, StreamSpec
from simul.backends.families import ModelConfig, load_backend
from simul.backends.seamless import SeamlessBackend
from simul.clock import VirtualClock
from simul.decoding.interface import Prompt
from simul.errors import ModelMissingError, UsageError
from simul.languages import SEAMLESS
from simul.models.hub import classify
from simul.models.seamless.model import SeamlessModel
from simul.models.whisper.guard import GuardConfig
from simul.session import Session, SessionConfig
from simul.session.events import End, SegmentEnd, Settled
from simul.text import follows_word
from tests import tiny_seamless
from tests.simul.backends.streams import hear
from tests.simul.tone_speech import Loud

pytestmark = pytest.mark.usefixtures("one_torch_thread")
RATE = 16000
FRAME = 2560
LENGTHS = (2 * RATE + 240, 3 * RATE + 240, RATE + 240, 24240)
"""Windows of an even number of filter-bank frames: of an odd one transformers keeps half a frame of padding."""
UNGUARDED = GuardConfig(rate=8, repeats=1000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    return tiny_seamless.save(tmp_path_factory.mktemp("seamless"))


@pytest.fixture(scope="module")
def model(made: tuple[Any, Path]) -> SeamlessModel:
    return SeamlessModel(made[1], "cpu")


def sound(samples: int, seed: int) -> np.ndarray:
    """A wandering tone and noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / RATE
    tone = np.sin(2 * np.pi * (300 + 200 * np.sin(time * (2 + seed))) * time)
    return (0.2 * tone + 0.05 * rng.normal(size=samples)).astype(np.float32)


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    return [sound(n, i) for i, n in enumerate(LENGTHS)]


def write(model: SeamlessModel, window: np.ndarray, prefix: tuple[int, ...] = (), **more: Any) -> Any:
    prompt = Prompt(model.head(more.pop("target", "de")), prefix, more.pop("room", 16), **more)
    return model.generate(model.encode([window]), [prompt])[0]


@pytest.mark.parametrize(("target", "code"), [("de", "deu"), ("zh", "cmn")])
def test_transformers_itself_writes_the_same(
    made: tuple[Any, Path], model: SeamlessModel, windows: list[np.ndarray], target: str, code: str
) -> None:
    network, _ = made
    network.set_attn_implementation("eager")
    never = model._rules.never.nonzero()[:, 0].tolist()
    texts = set()
    for window in windows:
        inputs = model._extract(window, sampling_rate=RATE, return_tensors="pt")
        with torch.no_grad():
            told = network.generate(
                **inputs,
                tgt_lang=code,
                max_new_tokens=16,
                num_beams=1,
                do_sample=False,
                suppress_tokens=never,
                return_dict_in_generate=True,
                output_attentions=True,
                output_logits=True,
            )
        found = write(model, window, target=target)
        theirs = told.sequences[0].tolist()
        assert theirs[:2] == list(model.head(target))
        assert theirs[2:] == [*found.ids, *([model.end] if found.ended else [])]
        allowed = ~model._rules.never
        for step, token in enumerate(found.ids):
            scores = told.logits[step][0].masked_fill(~allowed, -torch.inf).log_softmax(-1)
            assert found.logprobs[step] == pytest.approx(float(scores[token]), abs=1e-4)
            weights = told.cross_attentions[step][model.layer][0, :, -1].mean(0)
            np.testing.assert_allclose(found.attention[step], weights.numpy(), atol=1e-4)
        texts.add(found.ids)
    assert len(texts) == len(windows)
    assert max(len(set(text)) for text in texts) > 5


def test_a_forced_prefix_is_continued(model: SeamlessModel, windows: list[np.ndarray]) -> None:
    for window in windows:
        whole = write(model, window)
        for count in range(1, len(whole.ids), 3):
            rest = write(model, window, whole.ids[:count], room=16 - count)
            assert rest.ids == whole.ids[count:]
            np.testing.assert_allclose(rest.logprobs, whole.logprobs[count:], atol=1e-4)
            np.testing.assert_allclose(rest.attention, whole.attention[count:], atol=1e-4)


def prompts(model: SeamlessModel, windows: list[np.ndarray]) -> tuple[list[np.ndarray], list[Prompt]]:
    """Windows, languages, prefixes, rooms and rules of many kinds."""
    text = write(model, windows[0]).ids
    made = [
        (windows[0], Prompt(model.head("de"), text[:5], 9)),
        (windows[1], Prompt(model.head("fr"), (), 16)),
        (windows[2], Prompt(model.head("de"), text[:1], 3, word_complete=True)),
        (windows[3][:21111], Prompt(model.head("en"), text, 12, stop=StopRule(at_frame=4800))),
        (windows[0][:900], Prompt(model.head("de"), (), 16, stop=StopRule(suppress_end=True))),
        (windows[1], Prompt(model.head("de"), text[:9], 16, stop=StopRule(score_below=-2.0))),
    ]
    return [w for w, _ in made], [p for _, p in made]


def test_a_batch_gives_what_single_calls_give(model: SeamlessModel, windows: list[np.ndarray]) -> None:
    chosen, asked = prompts(model, windows)
    encoded = model.encode(chosen)
    together = model.generate(encoded, asked)
    assert len({len(h.ids) for h in together}) > 2
    for window, prompt, shared, found in zip(chosen, asked, encoded, together, strict=True):
        alone = model.encode([window])
        torch.testing.assert_close(alone[0].cross, shared.cross, atol=1e-4, rtol=1e-4)
        single = model.generate(alone, [prompt])[0]
        assert (single.ids, single.ended, single.stopped) == (found.ids, found.ended, found.stopped)
        np.testing.assert_allclose(single.logprobs, found.logprobs, atol=1e-3)
        np.testing.assert_allclose(single.attention, found.attention, atol=1e-3)


@pytest.mark.parametrize("samples", [800, 2239, 2560, 16000, 21111, 33333])
def test_windows_of_any_length_have_the_frames_that_the_adaptor_leaves(
    made: tuple[Any, Path], model: SeamlessModel, samples: int
) -> None:
    window = sound(samples, 7)
    features = model.features(window)
    mask = torch.ones((1, len(features)), dtype=torch.long)
    with torch.no_grad():
        found = model._encoded([features])[0]
        told = made[0].speech_encoder(torch.from_numpy(features)[None], attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found, told[0], atol=1e-4, rtol=1e-4)
    assert len(found) == len(features) // 8 + 1
    assert len(found) == int(made[0]._compute_sub_sample_lengths_from_attention_mask(mask))
    attention = write(model, window, room=3).attention
    assert attention.shape[1] == len(found)
    np.testing.assert_allclose(attention.sum(axis=1), 1, atol=1e-5)
    assert model.frame == FRAME
    assert len(found) * FRAME - model.lead <= samples + FRAME


def test_each_layer_shows_its_own_attention(made: tuple[Any, Path], windows: list[np.ndarray]) -> None:
    shown = [write(SeamlessModel(made[1], "cpu", layer=n), windows[0]).attention for n in range(3)]
    assert not np.allclose(shown[0], shown[1], atol=1e-3)
    assert not np.allclose(shown[1], shown[2], atol=1e-3)
    with pytest.raises(UsageError, match="has no layer 3"):
        SeamlessModel(made[1], "cpu", layer=3)


def test_the_end_can_be_forbidden_and_low_scores_stop(
    made: tuple[Any, Path], tmp_path: Path, windows: list[np.ndarray]
) -> None:
    network, folder = made
    before = write(SeamlessModel(folder, "cpu"), windows[0])
    shutil.copytree(folder, tmp_path / "ends")
    other = type(network).from_pretrained(folder)
    with torch.no_grad():
        # The end is now as likely as the fourth token was, and a little more.
        other.shared.weight[3] = other.shared.weight[before.ids[3]] * 1.5
    other.save_pretrained(tmp_path / "ends")
    model = SeamlessModel(tmp_path / "ends", "cpu")
    free = next(h for w in windows if (h := write(model, w)).ended)
    window = next(w for w in windows if write(model, w).ended)
    assert len(free.ids) < 16
    endless = write(model, window, stop=StopRule(suppress_end=True))
    assert not endless.ended
    assert len(endless.ids) == 16
    assert endless.ids[: len(free.ids)] == free.ids
    assert model.end not in endless.ids
    low = float(np.sort(endless.logprobs)[4])
    stopped = write(model, window, stop=StopRule(suppress_end=True, score_below=low))
    count = int(np.flatnonzero(endless.logprobs < low)[0])
    assert stopped.stopped
    assert stopped.ids == endless.ids[: count + 1]


def backend(model: SeamlessModel, **more: Any) -> SeamlessBackend:
    return SeamlessBackend(model, activity=None, **more)


def opened(served: SeamlessBackend, samples: np.ndarray) -> Any:
    handle = served.open(StreamSpec("en", "de"))
    hear(served, handle, samples)
    return handle


@pytest.mark.parametrize("distance", [200, 700, 1500, 5000])
def test_a_stop_rule_changes_no_decision(
    model: SeamlessModel, windows: list[np.ndarray], distance: float
) -> None:
    served = backend(model, guard=UNGUARDED)
    policy = AlignAtt(distance_ms=distance, normalize="none")
    shorter = 0
    for window in windows:
        found = []
        for stop in (None, policy.plan(policy.start(), SourceView(1, 1)).stop):
            handle = opened(served, window)
            view = served.view(handle)
            candidate = served.decode([DecodeRequest(handle, 0, view, stop=stop)])[0]
            decision = policy.judge(policy.start(), Evidence(view, (), candidate))[1]
            found.append((decision.commit, candidate))
        assert found[0][0] == found[1][0]
        (_, whole), (_, cut) = found
        assert cut.ids == whole.ids[: len(cut.ids)]
        shorter += len(cut.ids) < len(whole.ids)
    assert shorter or distance == 200


def test_evidence_lies_in_the_stream(model: SeamlessModel, windows: list[np.ndarray]) -> None:
    served = backend(model, guard=UNGUARDED)
    assert served.provides == {Need.TOKENS, Need.LOGPROBS, Need.SPANS, Need.ALIGNMENT}
    handle = opened(served, np.concatenate(windows))
    served.trim(handle, RATE)
    view = served.view(handle)
    first = served.decode([DecodeRequest(handle, 0, view)])[0]
    assert len(first.tokens) == len(first.ids) == len(first.logprobs) == len(first.spans) > 8
    assert first.alignment.origin == RATE - FRAME // 2
    assert (np.diff(first.spans, axis=0) >= 0).all()
    assert (first.spans >= RATE).all()
    assert (first.spans <= view.heard).all()
    rest = served.decode([DecodeRequest(handle, 0, view, first.tokens[:4], first.ids[:4])])[0]
    assert rest.ids[:4] == first.ids[4:8]
    assert rest.spans[0, 0] >= first.spans[3, 0]
    assert rest.alignment.weights.shape == (len(rest.ids), first.alignment.weights.shape[1])


def test_a_batch_of_streams_gives_what_single_ones_give(
    model: SeamlessModel, windows: list[np.ndarray]
) -> None:
    served = backend(model)
    handles = [opened(served, window) for window in [*windows, windows[0][:100]]]
    together = served.decode([DecodeRequest(h, 0, served.view(h)) for h in handles])
    assert together[-1].tokens == ()
    for window, found in zip(windows, together, strict=False):
        handle = opened(served, window)
        alone = served.decode([DecodeRequest(handle, 0, served.view(handle))])[0]
        assert (alone.ids, alone.tokens, alone.ended) == (found.ids, found.tokens, found.ended)
        np.testing.assert_array_equal(alone.spans, found.spans)


def test_an_unchanged_window_is_encoded_once(
    model: SeamlessModel, windows: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, seen = backend(model), []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda w: (seen.extend(map(len, w)), encode(w))[1])
    handle = opened(served, windows[2])
    for _ in range(2):
        served.decode([DecodeRequest(handle, 0, served.view(handle))])
    hear(served, handle, windows[3])
    served.decode([DecodeRequest(handle, 0, served.view(handle))])
    assert seen == [LENGTHS[2], LENGTHS[2] + LENGTHS[3]]


def test_loops_are_cut(model: SeamlessModel, windows: list[np.ndarray]) -> None:
    guarded = backend(model, guard=GuardConfig(repeats=2))
    handle = opened(guarded, windows[1])
    loop = guarded.decode([DecodeRequest(handle, 0, guarded.view(handle))])[0]
    free = write(model, windows[1], room=64).ids
    assert loop.ids == free[: len(loop.ids)]
    assert len(loop.ids) < len(free)
    assert not loop.ended


@pytest.mark.parametrize(
    "policy",
    [
        "local-agreement(n=2)",
        "align-att(distance_ms=320)",
        "align-att(normalize=none)",
        "edatt",
        "hold-n(n=2)",
    ],
)
def test_sessions_settle_in_order_and_once(model: SeamlessModel, policy: str) -> None:
    samples = sound(19 * RATE, 5)
    config = SessionConfig("en", "de", chunk=2 * RATE)
    served = backend(model, guard=GuardConfig(rate=2))
    session = Session(make_policy(policy), served, VirtualClock(), config)
    events = [
        e for begin in range(0, len(samples), 7001) for e in session.feed(samples[begin : begin + 7001])
    ]
    events += session.finish()
    settled = [e for e in events if isinstance(e, Settled)]
    segments = [e for e in events if isinstance(e, SegmentEnd)]
    assert segments
    assert isinstance(events[-1], End)
    assert events[-1].heard == len(samples)
    assert "".join(e.text for e in settled).split() == " ".join(s.text for s in segments).split()
    assert [e.heard for e in settled] == sorted(e.heard for e in settled)
    for event in settled:
        assert event.spans is not None
        assert all(0 <= a <= b <= event.heard for a, b in event.spans)
    if policy == "edatt":
        again = Session(make_policy(policy), served, VirtualClock(), config)
        whole = [e for e in again.feed(samples) + again.finish() if isinstance(e, Settled)]
        assert [e.tokens for e in whole] == [e.tokens for e in settled]


def test_committed_words_do_not_grow(model: SeamlessModel) -> None:
    samples = sound(9 * RATE, 11)
    session = Session(
        make_policy("hold-n(n=1)"),
        backend(model, guard=UNGUARDED),
        VirtualClock(),
        SessionConfig("en", "de", RATE),
    )
    settled = [e for e in session.feed(samples) + session.finish() if isinstance(e, Settled)]
    assert len(settled) > 2
    assert all(follows_word(event.tokens[0]) for event in settled[1:])


def test_pauses_end_segments(model: SeamlessModel) -> None:
    quiet = np.zeros(RATE, np.float32)
    samples = np.concatenate([quiet, sound(2 * RATE, 1), quiet, quiet, sound(2 * RATE, 2), quiet])
    served = SeamlessBackend(model, activity=Loud)
    assert Need.ACTIVITY in served.provides
    session = Session(make_policy("align-att"), served, VirtualClock(), SessionConfig("en", "de", RATE // 2))
    events = session.feed(samples) + session.finish()
    segments = [e for e in events if isinstance(e, SegmentEnd)]
    assert len(segments) == 2
    assert segments[0].kind == "pause"
    assert segments[1].start > 4 * RATE


def test_a_folder_becomes_a_backend(made: tuple[Any, Path]) -> None:
    pytest.importorskip("faster_whisper", reason="voice activity detection needs faster-whisper")
    _, folder = made
    assert classify(folder) == "hf-seamless_m4t_v2"
    loaded = load_backend(ModelConfig(model=str(folder), device="cpu", threads=1), "es", "fr", [])
    assert isinstance(loaded.backend, SeamlessBackend)
    assert "Seamless" in loaded.description
    assert loaded.backend.limits.targets == {"de", "en", "fr", "zh"}
    session = Session(make_policy("align-att"), loaded.backend, VirtualClock(), SessionConfig("es", "fr"))
    assert isinstance((session.feed(sound(RATE, 1)) + session.finish())[-1], End)
    with pytest.raises(UsageError, match="'sv' is not served"):
        load_backend(ModelConfig(model=str(folder), device="cpu", threads=1), "en", "sv", [])
    with pytest.raises(UsageError, match="give it with --model"):
        load_backend(ModelConfig(mt=str(folder)), "en", "de", [])
    with pytest.raises(UsageError, match="leave --beam out"):
        load_backend(ModelConfig(model=str(folder), beam=4), "en", "de", [])


def test_faults_of_a_folder_are_named(
    made: tuple[Any, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(made[1], folder)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelMissingError, match="has no preprocessor_config"):
        SeamlessModel(folder, "cpu")
    shutil.copy(made[1] / "preprocessor_config.json", folder)
    with pytest.raises(UsageError, match="int8"):
        SeamlessModel(folder, "cpu", "int8")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelMissingError, match="cannot be loaded"):
        SeamlessModel(folder, "cpu")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelMissingError, match=r"transformers.*\[hf\]"):
        SeamlessModel(made[1], "cpu")


def test_the_sentencepiece_file_alone_serves_as_tokenizer(made: tuple[Any, Path], tmp_path: Path) -> None:
    import sentencepiece

    folder = tmp_path / "pieces"
    shutil.copytree(made[1], folder)
    (folder / "tokenizer.json").unlink()
    text = tmp_path / "text"
    text.write_text(" ".join(tiny_seamless.WORDS) + "\n", encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "sentencepiece.bpe"),
        model_type="bpe",
        vocab_size=60,
        minloglevel=2,
    )
    codes = {code: 61 + i for i, code in enumerate(tiny_seamless.LANGUAGES)}
    tiny_seamless.network(65, codes, seed=3).save_pretrained(folder)
    model = SeamlessModel(folder, "cpu")
    processor: Any = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))
    pieces = [processor.id_to_piece(i).replace("\u2581", " ") for i in range(3, 60)]
    assert model.surfaces(range(4, 61)) == tuple(pieces)
    assert set("".join(model.surfaces(range(4)) + model.surfaces(range(61, 65)))) == set()
    assert model.head("de") == (3, 61)


def test_language_codes() -> None:
    assert [SEAMLESS[c] for c in ("de", "zh", "ms", "ar", "fa", "lv", "no")] == [
        "deu", "cmn", "zlm", "arb", "pes", "lvs", "nob",
    ]  # fmt: skip
    assert all(len(code) == 3 for code in SEAMLESS.values())
