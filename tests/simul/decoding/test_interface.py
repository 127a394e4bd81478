"""Prompts and hypotheses."""

from __future__ import annotations

import numpy as np

from simul.decoding.interface import Hypothesis, Prompt


def test_a_prompt_says_what_is_given_and_how_much_may_follow() -> None:
    prompt = Prompt((1, 2), (3,), 10)
    assert prompt.ids == (1, 2, 3)
    assert [prompt.room(positions) for positions in (100, 13, 12, 4, 3, 1)] == [10, 10, 9, 1, 1, 1]
    assert Prompt((1,), (), 0).room(9) == 1


def test_only_a_word_that_is_given_can_grow() -> None:
    assert Prompt((1,), (2,), word_complete=True).grown
    assert not Prompt((1,), (), word_complete=True).grown
    assert not Prompt((1,), (2,)).grown


def test_a_hypothesis_is_cut_with_all_that_belongs_to_its_tokens() -> None:
    attention = np.arange(6, dtype=np.float32).reshape(3, 2)
    whole = Hypothesis((5, 6, 7), np.array([-1.0, -2.0, -3.0]), True, False, attention, ((8,),), 0.25)
    assert whole.first(3) is whole
    cut = whole.first(2)
    assert (cut.ids, cut.ended, cut.stopped, cut.beams) == ((5, 6), False, False, ((8,),))
    assert cut.logprobs.tolist() == [-1.0, -2.0]
    assert cut.attention is not None
    assert cut.attention.tolist() == [[0, 1], [2, 3]]
    assert cut.no_speech_prob == 0.25
    stopped = whole.first(3, stopped=True)
    assert (stopped.ids, stopped.ended, stopped.stopped) == ((5, 6, 7), False, True)
    blind = Hypothesis((5,), np.array([-1.0]), True)
    assert blind.first(0).attention is None
