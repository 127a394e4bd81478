"""Batched beam search against beam search as it is defined, and against all texts there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="decoding needs torch")
pytest.importorskip("transformers", reason="decoding needs the caches of transformers")

from policies.base import StopRule
from simul.decoding import beam as beam_file
from simul.decoding.batch import Batch
from simul.decoding.beam import search
from simul.decoding.interface import Hypothesis, Prompt
from tests.simul.decoding import plain
from tests.simul.decoding.plain import Case, Text, cases, random_script
from tests.simul.decoding.scripted import END, SIZE, TIME, Script, ScriptedDecoder, elsewhere, kept, rules


def decode(
    script: Script, drawn: list[Case], width: int, never: tuple[int, ...] = (), positions: int = 64
) -> tuple[list[Hypothesis], ScriptedDecoder]:
    decoder = ScriptedDecoder(script, positions)
    prompts = [case.prompt for case in drawn]
    texts = [kept(case.number, case.frames, case.content) for case in drawn]
    batch = Batch(decoder, [p.ids for p in prompts], texts)
    return search(batch, rules(never=never), prompts, width), decoder


def two_ways(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
    """0 is likelier than 2 at first, but after it nothing is likely."""
    likely = {(): {0: 1.0, 2: 0.5}, (0,): {}, (2,): {4: 9.0}, (2, 4): {END: 9.0}}
    return [likely.get(seen[1:], {}).get(token, 0.0) for token in range(SIZE)], len(seen)


def test_a_beam_finds_what_the_likeliest_token_hides() -> None:
    case = Case(0, Prompt((0,), (), 4), frames=6, content=6)
    (narrow,), _ = decode(two_ways, [case], 1)
    (found,), _ = decode(two_ways, [case], 3)
    assert narrow.ids[0] == 0
    assert found.ids == (2, 4)
    assert found.ended
    assert len(found.beams) == 2
    assert found.attention is not None
    assert found.attention.argmax(1).tolist() == [1, 2]
    assert found.attention.shape == (2, 6)
    expected = plain.logprobs(two_ways, case, ())[0][2], plain.logprobs(two_ways, case, (2,))[0][4]
    np.testing.assert_allclose(found.logprobs, expected, atol=1e-6)


def test_a_search_is_over_when_as_many_texts_have_ended_as_the_beam_is_wide() -> None:
    def ends_at_once(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
        return [5.0 if token == END else float(token == 0) for token in range(SIZE)], 0

    (found,), decoder = decode(ends_at_once, [Case(0, Prompt((0,), (), 30))], 2)
    assert (found.ids, found.ended, found.beams) == ((), True, ((0,),))
    assert found.logprobs.shape == (0,)
    assert decoder.fed == [(1, 1), (2, 1)]


def test_a_text_that_ends_only_beyond_its_room_has_not_ended_whatever_room_its_neighbours_have() -> None:
    def two_tokens(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
        likely = (2, 4, END)[min(len(seen) - 1, 2)]
        scores = [9.0 if token == likely else -0.1 * token for token in range(SIZE)]
        scores[END] = 50.0 if likely == END else -50.0
        return scores, 0

    found, _ = decode(two_tokens, [Case(0, Prompt((0,), (), 2)), Case(1, Prompt((0,), (), 6))], 2)
    assert [(each.ids, each.ended) for each in found] == [((2, 4), False), ((2, 4), True)]


def test_ending_beats_saying_the_forced_text_again() -> None:
    """The end is less likely than any word of the prefix said once more, and of all the text still the better one."""
    said = (2, 4, 2, 4, 2, 4, 2, 4)

    def repeats(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
        written = seen[1:]
        again = 2 if len(written) % 2 == 0 else 4
        scores = [-9.0] * SIZE
        scores[again] = 0.0 if len(written) == len(said) else 9.0
        scores[END] = 1.5 if len(written) == len(said) else -6.0
        return scores, 0

    (found,), _ = decode(repeats, [Case(0, Prompt((0,), said, 12))], 3)
    assert (found.ids, found.ended) == ((), True)


def test_a_wide_beam_finds_the_best_of_all_texts() -> None:
    script, never = random_script(5), (1, 3, 4, 5, TIME)
    case = Case(0, Prompt((0,), (), 3))
    (found,), _ = decode(script, [case], 27, never)

    def score(text: tuple[int, ...]) -> float:
        longer = text if len(text) == 3 else (*text, END)
        chances = 0.0
        for place, token in enumerate(longer):
            scores, _ = script(0, (0, *longer[:place]))
            allowed = [np.exp(s) for t, s in enumerate(scores) if t not in never]
            chances += scores[token] - float(np.log(sum(allowed)))
        return chances / len(longer)

    texts = [t for n in range(4) for t in itertools.product((0, 2), repeat=n)]
    ranked = sorted(texts, key=score, reverse=True)
    assert [found.ids, *found.beams] == ranked


@settings(max_examples=60)
@given(
    seed=st.integers(0, 99),
    drawn=st.lists(cases(), min_size=1, max_size=4),
    width=st.integers(1, 4),
    positions=st.sampled_from([10, 64]),
    every=st.integers(1, 4),
)
def test_a_batch_gives_what_the_definition_gives(
    seed: int, drawn: list[Case], width: int, positions: int, every: int
) -> None:
    script = random_script(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beam_file, "stride", lambda device: every)
        found, _ = decode(script, drawn, width, positions=positions)
    for case, hypothesis in zip(drawn, found, strict=True):
        best, *others = plain.beam(script, case, positions, width)
        assert list(hypothesis.beams) == [text.ids for text in others]
        cut = _stopped(case, best)
        assert (hypothesis.ids, hypothesis.ended, hypothesis.stopped) == (cut.ids, cut.ended, cut.stopped)
        np.testing.assert_allclose(hypothesis.logprobs, cut.logprobs, atol=1e-5)
        assert hypothesis.attention is not None
        assert tuple(hypothesis.attention.argmax(1)) == cut.frames


def _stopped(case: Case, text: Text) -> Text:
    """A text cut behind the first token that meets the stop rule."""
    for count, (token, chance, frame) in enumerate(
        zip(text.ids, text.logprobs, text.frames, strict=True), start=1
    ):
        if plain.meets(case, token, chance, frame):
            return Text(text.ids[:count], text.logprobs[:count], text.frames[:count], False, True)
    return text


def test_what_was_given_is_kept_for_the_next_pass() -> None:
    script, text = random_script(1), kept(0)
    prompts = [Prompt((0, 2), (4,), 2)]
    for fed in (3, 1):
        decoder = ScriptedDecoder(script)
        search(Batch(decoder, [prompts[0].ids], [text]), rules(), prompts, 2)
        assert decoder.fed[0] == (1, fed)
        assert text.ids == (0, 2, 4)


def test_the_best_text_is_cut_where_it_meets_its_stop_rule() -> None:
    case = Case(0, Prompt((0,), (), 4, StopRule(at_frame=350)), frames=6, content=6)
    (found,), _ = decode(two_ways, [case], 3)
    assert (found.ids, found.ended, found.stopped) == ((2, 4), False, True)


def test_where_asking_costs_something_the_host_asks_at_every_few_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends_at_once(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
        return [5.0 if token == END else float(token == 0) for token in range(SIZE)], 0

    monkeypatch.setattr(beam_file, "stride", lambda device: 3)
    (found,), decoder = decode(ends_at_once, [Case(0, Prompt((0,), (), 30))], 2)
    assert (found.ids, found.beams) == ((), ((0,),))
    assert decoder.fed == [(1, 1), (2, 1), (2, 1)]


def test_tensors_are_made_on_the_device_of_the_decoder() -> None:
    drawn = [Case(0, Prompt((0,), (), 4, StopRule(at_frame=350)), 6, 6), Case(0, Prompt((0,), (2,), 2), 5)]
    prompts, allowed, decoder = [case.prompt for case in drawn], rules(), ScriptedDecoder(two_ways)
    texts = [kept(case.number, case.frames, case.content) for case in drawn]
    with elsewhere():
        found = search(Batch(decoder, [p.ids for p in prompts], texts), allowed, prompts, 3)
    assert [(each.ids, each.stopped) for each in found] == [((2, 4), True), ((4,), False)]
