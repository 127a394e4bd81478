"""Greedy decoding that is replayed from recordings against the loop that is not, on tiny Whisper networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="decoding needs torch")
pytest.importorskip("transformers", reason="decoding needs the caches of transformers")
pytest.importorskip("faster_whisper", reason="the tiny model's tokenizer is made with it")

import torch

from policies.base import StopRule
from simul.decoding import steps
from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.torch import TorchWhisper
from tests.simul.decoding.tape import HostQuestion, TapeRecorder
from tests.simul.tone_speech import audio, head
from tests.tiny_models import RATE

pytestmark = pytest.mark.usefixtures("one_torch_thread")


class Pair:
    """A model whose steps are recorded, and the same without."""

    def __init__(self, folder: Path) -> None:
        self.recorder = TapeRecorder()
        self.replayed = TorchWhisper(folder, "cpu", window="bucket", record=lambda device: self.recorder)
        self.plain = TorchWhisper(folder, "cpu", window="bucket")


@pytest.fixture(scope="module")
def pair(torch_whisper: Path) -> Pair:
    return Pair(torch_whisper)


def same(found: Hypothesis, expected: Hypothesis) -> None:
    assert (found.ids, found.ended, found.stopped) == (expected.ids, expected.ended, expected.stopped)
    np.testing.assert_allclose(found.logprobs, expected.logprobs, atol=1e-4)
    np.testing.assert_allclose(found.no_speech_prob, expected.no_speech_prob, rtol=1e-3)
    assert found.attention is not None
    assert expected.attention is not None
    np.testing.assert_allclose(found.attention, expected.attention, atol=1e-4)


def drawn_prompt(model: TorchWhisper, rng: np.random.Generator) -> Prompt:
    """Previous text, prefix, room, stop rule and times, each now and then."""
    tokens = model.tokens
    task = tokens.task("en", "en")
    timed = bool(rng.random() < 0.3)
    start = task if timed else (*task, tokens.no_timestamps)
    words = tokens.encode(" red blue house river seven")
    before = words[: int(rng.integers(0, len(words)))]
    given = (tokens.previous, *before, *start) if before and rng.random() < 0.5 else start
    prefix = words[: int(rng.integers(0, 6))] if rng.random() < 0.6 else ()
    if timed and prefix:
        prefix = (tokens.first_timestamp, *prefix)
    rule = rng.choice(4)
    stop = [
        None,
        StopRule(at_frame=int(rng.integers(0, RATE))),
        StopRule(score_below=float(-rng.random() / 10)),
        StopRule(suppress_end=True),
    ][rule]
    return Prompt(given, prefix, int(rng.integers(1, 30)), stop, bool(prefix) and bool(rng.random() < 0.5))


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000))
def test_what_is_replayed_is_what_is_computed_also_after_other_passes(pair: Pair, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    sounds = [audio(1, seed + i, words=int(rng.integers(1, 5)))[0] for i in range(count)]
    mine, other = pair.replayed.encode(sounds), pair.plain.encode(sounds)
    for _ in range(3):
        chosen = [int(i) for i in rng.permutation(count)[: int(rng.integers(1, count + 1))]]
        prompts = [drawn_prompt(pair.plain, rng) for _ in chosen]
        found = pair.replayed.generate([mine[i] for i in chosen], prompts)
        expected = pair.plain.generate([other[i] for i in chosen], prompts)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
        for i in chosen:
            assert mine[i].ids == other[i].ids
            assert mine[i].own is not None
            assert other[i].own is not None
            torch.testing.assert_close(mine[i].own, other[i].own, atol=1e-4, rtol=0)


def test_a_shape_is_recorded_once(torch_whisper: Path) -> None:
    pair = Pair(torch_whisper)
    sounds = [audio(1, seed)[0] for seed in range(4)]

    def count(rows: int, room: int) -> int:
        pair.replayed.generate(
            pair.replayed.encode(sounds[:rows]), [Prompt(head(pair.plain), (), room)] * rows
        )
        return len(pair.recorder.tapes)

    assert count(4, 10) == 2, "one of the prompt, one of the steps behind it"
    assert count(4, 12) == count(2, 3) == 2
    assert count(1, 10) == 4
    assert count(1, 80) == 6
    assert count(4, 10) == count(1, 80) == 6


def test_more_rows_than_ever_make_other_tensors_and_old_recordings_void(torch_whisper: Path) -> None:
    pair = Pair(torch_whisper)
    sounds = [audio(1, seed)[0] for seed in range(3)]
    for rows in (1, 3, 1):
        prompts = [Prompt(head(pair.plain), (), 12)] * rows
        found = pair.replayed.generate(pair.replayed.encode(sounds[:rows]), prompts)
        for a, b in zip(found, pair.plain.generate(pair.plain.encode(sounds[:rows]), prompts), strict=True):
            same(a, b)
    assert len(pair.recorder.tapes) == 6


def test_more_texts_than_a_pass_takes_are_several_passes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "ROWS", (1, 2))
    sounds = [audio(1, seed)[0] for seed in range(5)]
    prompts = [Prompt(head(pair.plain), (), 4 + i) for i in range(5)]
    found = pair.replayed.generate(pair.replayed.encode(sounds), prompts)
    assert len(found) == 5
    for a, b in zip(found, pair.plain.generate(pair.plain.encode(sounds), prompts), strict=True):
        same(a, b)


def test_where_recording_fails_the_steps_just_run(torch_whisper: Path) -> None:
    def failing(step: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    model = TorchWhisper(torch_whisper, "cpu", window="bucket", record=lambda device: failing)
    plain = TorchWhisper(torch_whisper, "cpu", window="bucket")
    sounds = [audio(1, seed)[0] for seed in range(2)]
    prompts = [Prompt(head(plain), (), 12)] * 2
    for a, b in zip(
        model.generate(model.encode(sounds), prompts),
        plain.generate(plain.encode(sounds), prompts),
        strict=True,
    ):
        same(a, b)
    assert model.graphs[0].failure == "operation not permitted when stream is capturing"


def test_the_tape_tells_what_could_not_be_recorded() -> None:
    numbers, kept = torch.arange(4.0), torch.zeros(2)
    for step in (
        lambda: kept.copy_(numbers[numbers > 1]),
        lambda: kept.fill_(float(numbers.sum())),
        lambda: kept.copy_(torch.tensor([1.0, 2.0])),
    ):
        with pytest.raises(HostQuestion):
            TapeRecorder(warm=0)(step)
    replay = TapeRecorder()(lambda: [kept.copy_(numbers[:2] * 2)].clear())
    numbers += 1
    replay()
    assert kept.tolist() == [2, 4]
    numbers.resize_(2000)
    with pytest.raises(AssertionError, match="moved or changed"):
        replay()


def questions(model: TorchWhisper, room: int, patch: pytest.MonkeyPatch) -> int:
    """How often the host asks while so many tokens are written."""
    window = model.encode([audio(1, 3)[0]])
    asked = []

    def counted(name: str) -> None:
        real: Any = getattr(torch.Tensor, name)

        def asking(self: torch.Tensor, *more: Any, **others: Any) -> Any:
            asked.append(name)
            return real(self, *more, **others)

        patch.setattr(torch.Tensor, name, asking)

    for name in (
        "tolist",
        "item",
        "__bool__",
        "__int__",
        "__float__",
        "__index__",
        "numpy",
        "cpu",
        "nonzero",
    ):
        counted(name)
    found = model.generate(window, [Prompt(head(model), (), room, StopRule(suppress_end=True))])
    patch.undo()
    assert len(found[0].ids) == room
    return len(asked)


@pytest.mark.parametrize("replayed", [False, True])
def test_the_host_asks_once_in_several_steps(
    torch_whisper: Path, replayed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = steps.EVERY if replayed else 4
    pair = Pair(torch_whisper)
    model = pair.replayed if replayed else pair.plain

    def ask(room: int) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("simul.decoding.greedy.stride", lambda device: 4)
            return questions(model, room, patch)

    ask(50), ask(10)
    few, many = ask(10), ask(50)
    assert 0 < many - few <= 40 // every
