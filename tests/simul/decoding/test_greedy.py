"""Batched greedy decoding against decoding as it is defined, and row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="decoding needs torch")
pytest.importorskip("transformers", reason="decoding needs the caches of transformers")

import torch

from policies.base import StopRule
from simul.decoding import greedy as greedy_file
from simul.decoding.batch import Batch
from simul.decoding.greedy import greedy, stride
from simul.decoding.interface import Hypothesis, Prompt
from tests.simul.decoding import plain
from tests.simul.decoding.plain import Case, cases, random_script
from tests.simul.decoding.scripted import (
    END,
    SHARP,
    SIZE,
    TIME,
    Script,
    ScriptedDecoder,
    elsewhere,
    kept,
    rules,
    spelled,
)


def decode(script: Script, cases: list[Case], **more: Any) -> tuple[list[Hypothesis], ScriptedDecoder]:
    decoder = ScriptedDecoder(script, **more)
    prompts = [case.prompt for case in cases]
    texts = [kept(case.number, case.frames, case.content) for case in cases]
    return greedy(Batch(decoder, [p.ids for p in prompts], texts), rules(), prompts), decoder


def test_every_text_is_written_to_its_end_or_room_and_rows_leave_when_half_are_over() -> None:
    texts = ((0, 2, 4, END), (0, END), (0, 4, 4, 4, 2, 2, END), (0, END))
    cases = [Case(number, Prompt((0,), (), 9)) for number in range(4)]
    cases[2].prompt = Prompt((0,), (), 5)
    found, decoder = decode(spelled(*texts), cases)
    assert [h.ids for h in found] == [(2, 4), (), (4, 4, 4, 2, 2), ()]
    assert [h.ended for h in found] == [True, True, False, True]
    assert not any(h.stopped for h in found)
    assert decoder.fed == [(4, 1), (2, 1), (2, 1), (1, 1), (1, 1)]
    chance = float(torch.tensor([9.0, *(0.1 * i for i in range(8) if i != 2)]).log_softmax(-1)[0])
    assert found[0].logprobs.dtype == np.float64
    assert found[0].logprobs[0] == pytest.approx(chance, abs=1e-6)
    assert found[1].logprobs.shape == (0,)


def test_rows_stay_while_more_than_half_go_on() -> None:
    cases = [Case(number, Prompt((0,))) for number in range(3)]
    found, decoder = decode(spelled((0, END), (0, 2, END), (0, 4, 2, END)), cases)
    assert [h.ids for h in found] == [(), (2,), (4, 2)]
    assert decoder.fed == [(3, 1), (3, 1), (1, 1)]


def test_where_asking_costs_something_the_host_asks_at_every_few_steps_and_at_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(greedy_file, "stride", lambda device: 3)
    texts = spelled((0, 2, END), (0, 2, 4, 2, 4, 2, 4, END))
    found, decoder = decode(texts, [Case(0, Prompt((0,)))])
    assert found[0].ids == (2,)
    assert len(decoder.fed) == 3
    found, decoder = decode(texts, [Case(number, Prompt((0,), (), 5)) for number in range(2)])
    assert [h.ids for h in found] == [(2,), (2, 4, 2, 4, 2)]
    assert decoder.fed == [(2, 1)] * 3 + [(1, 1)] * 2


def test_tensors_are_made_on_the_device_of_the_decoder() -> None:
    cases = [Case(0, Prompt((0,), (), 3, StopRule(at_frame=0))), Case(1, Prompt((0, 2)), frames=3, content=3)]
    texts = [kept(case.number, case.frames, case.content) for case in cases]
    allowed, decoder = rules(), ScriptedDecoder(spelled((0, 2, 4, END), (0, 2, END)))
    with elsewhere():
        prompts = [case.prompt for case in cases]
        found = greedy(Batch(decoder, [p.ids for p in prompts], texts), allowed, prompts)
    assert [(h.ids, h.ended) for h in found] == [((2, 4), True), ((), True)]


def test_attention_on_a_single_frame_is_shown() -> None:
    (found,), _ = decode(lambda *_: ([9.0] + [0.0] * 7, 0), [Case(0, Prompt((0,), (), 2), 1, 1)])
    assert found.attention is not None
    assert found.attention.tolist() == [[1.0], [1.0]]


def test_attention_is_that_from_which_each_token_was_predicted_on_the_frames_of_the_audio() -> None:
    cases = [Case(0, Prompt((0,), (2,), 2), frames=6, content=4), Case(1, Prompt((0,)), frames=3, content=3)]
    found, _ = decode(spelled((0, 2, 4, 2, END), (0, 2, END)), cases)
    row = torch.zeros(6)
    expected = []
    for frame in (2, 3):
        row = torch.zeros(6)
        row[frame] = SHARP
        expected.append(row.softmax(-1)[:4].numpy())
    assert found[0].attention is not None
    assert found[0].attention.dtype == np.float32
    np.testing.assert_allclose(found[0].attention, expected, atol=1e-6)
    assert found[1].attention is not None
    assert found[1].attention.shape == (1, 3)


def test_a_decoder_without_encoder_shows_no_attention() -> None:
    decoder = ScriptedDecoder(spelled((0, 2, 4, END)), crosses=False)
    prompts = [Prompt((0,)), Prompt((0, 2)), Prompt((0,), (), 1)]
    found = greedy(Batch(decoder, [p.ids for p in prompts]), rules(), prompts)
    assert [(h.ids, h.ended, h.attention) for h in found] == [
        ((2, 4), True, None),
        ((4,), True, None),
        ((2,), False, None),
    ]


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        (StopRule(at_frame=0), None),
        (StopRule(at_frame=1), 5),
        (StopRule(at_frame=100), 5),
        (StopRule(at_frame=101), 4),
        (StopRule(at_frame=450), 1),
        (StopRule(at_frame=9999), 1),
        (StopRule(score_below=-0.002), 2),
        (StopRule(score_below=-0.0005), 1),
        (StopRule(score_below=-0.1), None),
        (StopRule(at_frame=250, score_below=-0.002), 2),
    ],
)
def test_stop_rules_cut_behind_the_token_that_meets_them(rule: StopRule, count: int | None) -> None:
    """Text whose frame ends less than `at_frame` samples before the end of the audio, or that is too improbable."""
    written = (2, 4, 2, 4, 2)

    def script(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
        place = len(seen) - 1
        token = written[place] if place < 5 else END
        sharp = 8.0 if place == 1 else 9.0
        return [sharp if i == token else 0.0 for i in range(SIZE)], place

    case = Case(0, Prompt((0,), (), 5, rule), frames=9, content=5)
    (found,), _ = decode(script, [case])
    assert found.ids == written[: count or 5]
    assert found.stopped == (count is not None)
    assert not found.ended
    assert len(found.logprobs) == len(found.ids)


def test_times_and_the_end_meet_no_stop_rule() -> None:
    script = spelled((0, TIME, 2, TIME, END))
    (found,), _ = decode(script, [Case(0, Prompt((0,), (), 9, StopRule(at_frame=9999)))])
    assert (found.ids, found.stopped) == ((TIME, 2), True)
    (found,), _ = decode(script, [Case(0, Prompt((0,), (TIME, 2), 9, StopRule(at_frame=9999)))])
    assert (found.ids, found.stopped, found.ended) == ((TIME,), False, True)


def test_the_end_can_be_forbidden() -> None:
    (found,), _ = decode(spelled((0, 2, END)), [Case(0, Prompt((0,), (), 4, StopRule(suppress_end=True)))])
    assert (found.ids, found.ended) == ((2, TIME, 0, 0), False)


def test_a_text_has_no_more_room_than_positions_and_goes_on_harmlessly_beyond_them() -> None:
    texts = ((0, 2, 4, 2, 4, 2, 4), (0, 4, 2))
    cases = [Case(0, Prompt((0, 2, 4), (), 50)), Case(1, Prompt((0,), (), 50))]
    found, decoder = decode(spelled(*texts), cases, positions=5)
    assert [len(h.ids) for h in found] == [2, 4]
    assert found[0].ids == (2, 4)
    assert decoder.fed[-1] == (1, 1)
    (found_one,), _ = decode(spelled(*texts), [Case(0, Prompt((0, 2, 4, 2, 4), (), 50))], positions=5)
    assert found_one.ids == (2,)


def test_a_pass_leaves_behind_what_it_computed_and_the_next_costs_what_is_new() -> None:
    script, text = spelled((0, 2, 4, 2, 4, END), (0, 4, END)), kept(0)
    other = kept(1)

    def run(*prompts: Prompt) -> tuple[list[tuple[int, ...]], tuple[int, int]]:
        decoder = ScriptedDecoder(script)
        texts = [text, other][: len(prompts)]
        found = greedy(Batch(decoder, [p.ids for p in prompts], texts), rules(), list(prompts))
        return [h.ids for h in found], decoder.fed[0]

    assert run(Prompt((0,), (2,))) == ([(4, 2, 4)], (1, 2))
    assert text.ids == (0, 2, 4, 2)
    assert text.own is not None
    assert text.own.shape == (1, 2, 1, 4, 10)
    assert text.own[0, 0, 0, :, 0].tolist() == [0, 2, 4, 2]
    assert text.own[0, 1, 0, :, 1].tolist() == [0, -1, -2, -3]
    assert run(Prompt((0,), (2, 4, 2))) == ([(4,)], (1, 1))
    assert run(Prompt((0,), (2,))) == ([(4, 2, 4)], (1, 1))
    assert run(Prompt((0,), (2, 4, 4, 4), 1))[1] == (1, 2)
    assert text.ids == (0, 2, 4, 4, 4)
    assert run(Prompt((0,))) == ([(2, 4, 2, 4)], (1, 1))
    # The row with most that is new decides: of the other text four tokens are new.
    assert run(Prompt((0,), (2, 4, 2)), Prompt((0,), (4, 4, 4), 1))[1] == (2, 4)
    assert run(Prompt((0,), (2, 4, 2)), Prompt((0,), (4, 4, 4), 1))[1] == (2, 1)


@settings(max_examples=100)
@given(
    seed=st.integers(0, 99),
    drawn=st.lists(cases(), min_size=1, max_size=5),
    positions=st.sampled_from([10, 64]),
    every=st.integers(1, 4),
)
def test_a_batch_gives_what_the_definition_gives_also_after_other_passes(
    seed: int, drawn: list[Case], positions: int, every: int
) -> None:
    script = random_script(seed)
    texts = [kept(case.number, case.frames, case.content) for case in drawn]
    prompts = [case.prompt for case in drawn]
    earlier = [Prompt(p.head, p.prefix[: n + 1], 3) for n, p in enumerate(prompts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy_file, "stride", lambda device: every)
        for asked in (earlier, prompts):
            decoder = ScriptedDecoder(script, positions)
            found = greedy(Batch(decoder, [p.ids for p in asked], texts), rules(), asked)
    for case, hypothesis in zip(drawn, found, strict=True):
        expected = plain.greedy(script, case, positions)
        assert (hypothesis.ids, hypothesis.ended, hypothesis.stopped) == (
            expected.ids,
            expected.ended,
            expected.stopped,
        )
        np.testing.assert_allclose(hypothesis.logprobs, expected.logprobs, atol=1e-5)
        assert hypothesis.attention is not None
        assert tuple(hypothesis.attention.argmax(1)) == expected.frames


def test_the_host_asks_at_every_step_where_that_costs_nothing_and_seldom_elsewhere() -> None:
    assert stride(torch.device("cpu")) == 1
    assert stride(torch.device("cuda")) > 1
