"""What may be written next, as data: bars and stop rules of several rows at once."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="rules lie on a torch device")

import torch

from policies.base import StopRule
from simul.decoding.interface import Prompt
from simul.decoding.rules import Rules, Stops
from tests.simul.decoding.scripted import END, FRAME, SIZE, TIME, rules

PROMPTS = [
    Prompt((0,)),
    Prompt((0,), (2,)),
    Prompt((0,), (2,), word_complete=True),
    Prompt((0,), (), word_complete=True),
    Prompt((0,), (2,), stop=StopRule(suppress_end=True)),
]


def allowed(made: Rules, history: object, rows: int) -> list[set[int]]:
    found = made.logprobs(torch.zeros((rows, SIZE)), history)  # type: ignore[arg-type]
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(rows))
    return [set(row.isfinite().nonzero()[:, 0].tolist()) for row in found]


def test_rows_are_barred_by_what_was_given_and_written() -> None:
    made = rules(begin=(4,), never=(0,))
    everything = set(range(1, SIZE))
    history = made.start(PROMPTS)
    assert allowed(made, history, 5) == [
        everything - {4},
        everything,
        everything - {1, 3, 5},
        everything - {4},
        everything - {END},
    ]
    history = made.push(history, torch.tensor([2, TIME, TIME, TIME, 2]))
    assert allowed(made, history, 5) == [
        everything,
        everything,
        everything - {1, 3, 5},
        everything,
        everything - {END},
    ]
    history = made.push(history, torch.tensor([TIME, TIME, 2, TIME, 2]))
    assert allowed(made, history, 5)[2:4] == [everything, everything]
    chosen = history.select(torch.tensor([4, 0, 4]))
    assert allowed(made, chosen, 3) == [everything - {END}, everything, everything - {END}]


def test_several_tokens_may_end_a_text() -> None:
    ends = torch.tensor([token in (0, END) for token in range(SIZE)])
    made = Rules(ends, ~ends & ends, ~ends & ends)
    history = made.start([Prompt((1,), stop=StopRule(suppress_end=True))])
    assert allowed(made, history, 1) == [set(range(1, END))]
    assert made.texts.tolist() == (~ends).tolist()


def test_logprobs_are_those_among_the_allowed_tokens_in_single_precision() -> None:
    made = rules(never=tuple(range(2, SIZE)))
    logits = torch.tensor([[1.0, 2.0, *[99.0] * (SIZE - 2)]], dtype=torch.bfloat16)
    found = made.logprobs(logits, made.start([Prompt((0,))]))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[0, :2], torch.tensor([1.0, 2.0]).log_softmax(-1))


@pytest.mark.parametrize(
    ("at_frame", "first"), [(0, 4), (1, 3), (FRAME, 3), (FRAME + 1, 2), (4 * FRAME, 0), (9 * FRAME, 0)]
)
def test_a_frame_is_too_near_the_end_from_so_many_samples_on(at_frame: int, first: int) -> None:
    """Of four frames of audio; silence after them is never attended, whatever the model says."""
    stops = Stops([Prompt((0,), stop=StopRule(at_frame=at_frame))], rules(), [4], FRAME)
    attention = torch.eye(6)[:4] * 0.3
    attention[:, 4:] = 0.35
    rows = torch.zeros(4, dtype=torch.long)
    met = stops.met(rows, torch.full((4,), 2), torch.zeros(4), attention)
    assert met.tolist() == [frame >= first for frame in range(4)]


def test_a_score_is_compared_in_double_precision() -> None:
    stops = Stops([Prompt((0,), stop=StopRule(score_below=-0.1))], rules(), [1], FRAME)
    scores = torch.tensor([-0.1, -0.1 - 1e-12], dtype=torch.float64)
    rows = torch.zeros(2, dtype=torch.long)
    assert stops.met(rows, rows + 2, scores, torch.zeros((2, 0))).tolist() == [False, True]


def test_everything_is_computed_where_the_rules_lie() -> None:
    """On the device without memory, whatever is made elsewhere would not fit."""
    made = Rules(*(torch.zeros(SIZE, dtype=torch.bool, device="meta") for _ in range(3)))
    prompts = [Prompt((0,), stop=StopRule(at_frame=1, score_below=-1.0))]
    history = made.start(prompts)
    rows = torch.zeros(1, dtype=torch.long, device="meta")
    scores = made.logprobs(torch.zeros((1, SIZE), device="meta"), made.push(history, rows))
    stops = Stops(prompts, made, [2], FRAME)
    met = stops.met(rows, rows, scores[:, 0], torch.zeros((1, 3), device="meta"))
    assert (met.device.type, met.shape) == ("meta", (1,))


def test_each_row_is_judged_by_its_own_rule_and_only_text_meets_one() -> None:
    prompts = [
        Prompt((0,)),
        Prompt((0,), stop=StopRule(at_frame=FRAME)),
        Prompt((0,), stop=StopRule(score_below=-1.0)),
        Prompt((0,), stop=StopRule(suppress_end=True)),
    ]
    stops = Stops(prompts, rules(), [3, 3, 3, 3], FRAME)
    rows = torch.tensor([3, 2, 1, 0, 2, 2, 1])
    written = torch.tensor([2, 2, 2, 2, 2, TIME, END])
    scores = torch.tensor([-9.0, -1.1, -9.0, -9.0, -1.0, -9.0, -9.0])
    attention = torch.tensor([[0.1, 0.1, 0.8]]).repeat(7, 1)
    assert stops.met(rows, written, scores, attention).tolist() == [0, 1, 1, 0, 0, 0, 0]
    assert stops.met(rows, written, scores, torch.zeros((7, 0))).tolist() == [0, 1, 0, 0, 0, 0, 0]
