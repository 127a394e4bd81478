"""The grammar of Whisper's times, against that of transformers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the rules are tensors")
pytest.importorskip("transformers", reason="its grammar is the measure")

import torch

from policies.base import StopRule
from simul.decoding.interface import Prompt
from simul.models.whisper.rules import TimedRules


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), length=st.integers(0, 6))
def test_times_obey_the_grammar_of_transformers(seed: int, length: int) -> None:
    from transformers import GenerationConfig
    from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

    rng = np.random.default_rng(seed)
    tokens = _Layout()
    size = tokens.first_timestamp + 20
    text = [int(i) for i in rng.integers(0, tokens.end, 3)]
    times = [tokens.first_timestamp + int(i) for i in np.sort(rng.integers(0, 20, 3))]
    written = [
        times.pop(0) if times and rng.random() < 0.6 else text[int(rng.integers(3))] for _ in range(length)
    ]
    logits = torch.from_numpy(rng.normal(0, 3, (1, size))).float()
    config = GenerationConfig(
        eos_token_id=tokens.end, no_timestamps_token_id=tokens.no_timestamps, max_initial_timestamp_index=5
    )
    processor = WhisperTimeStampLogitsProcessor(config, begin_index=1)
    expected = processor(torch.tensor([[tokens.start, *written]]), logits).log_softmax(-1)
    rules = TimedRules(tokens, size, [], [], 5, torch.device("cpu"))  # type: ignore[arg-type]
    history = rules.start([Prompt((tokens.start,), tuple(written))])
    torch.testing.assert_close(rules.logprobs(logits, history), expected)


class _Layout:
    """A vocabulary in Whisper's order: text, end, start, no timestamps, times."""

    end, start, no_timestamps, first_timestamp = 10, 11, 12, 13
    grows = np.arange(10) % 2 == 1


def allowed(prompt: Prompt, *written: int, suppress: tuple[int, ...] = ()) -> set[int]:
    """The tokens that may follow, where all are equally likely."""
    rules = TimedRules(_Layout(), 23, suppress, (2, 10), 5, torch.device("cpu"))  # type: ignore[arg-type]
    history = rules.start([prompt])
    for token in written:
        history = rules.push(history, torch.tensor([token]))
    logits = torch.zeros((1, 23))
    logits[0, 13:] = -9
    return set(rules.logprobs(logits, history).isfinite()[0].nonzero()[:, 0].tolist())


def test_text_without_times_is_barred_only_by_the_lists() -> None:
    prompt = Prompt((11, 12))
    assert allowed(prompt, suppress=(5,)) == set(range(23)) - {2, 5, 10}
    assert allowed(prompt, 3, suppress=(5,)) == set(range(23)) - {5}
    assert allowed(Prompt((11, 12), (3,)), suppress=(5,)) == set(range(23)) - {5}


def test_text_with_times_begins_with_one_and_closes_what_it_opens() -> None:
    prompt = Prompt((11,))
    assert allowed(prompt) == set(range(13, 19))
    assert allowed(prompt, 14) == set(range(12))
    assert allowed(prompt, 14, 3) == set(range(12)) | set(range(15, 23))
    assert allowed(prompt, 14, 3, 17) == {10, 11} | set(range(17, 23))
    assert allowed(prompt, 14, 3, 17, 17) == set(range(12))
    assert allowed(Prompt((11,), (14, 3, 17))) == {10, 11} | set(range(17, 23))


def test_a_time_may_come_before_the_word_after_a_whole_one() -> None:
    prompt = Prompt((11,), (14, 3), 9, StopRule(suppress_end=True), word_complete=True)
    assert allowed(prompt) == {0, 2, 4, 6, 8, 11} | set(range(15, 23))
    assert allowed(prompt, 17) == {11} | set(range(17, 23))
    assert allowed(prompt, 17, 17) == {0, 2, 4, 6, 8, 11}
    assert allowed(prompt, 4) == (set(range(12)) - {10}) | set(range(15, 23))
