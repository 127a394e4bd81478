"""Decoding as it is defined, one text at a time and without caches: what the batched loops are held against."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from policies.base import StopRule
from simul.decoding.interface import Prompt
from tests.simul.decoding.scripted import END, FRAME, SIZE, TIME, Script


@dataclass
class Case:
    """A text to be decoded: its number in the script, its encoder frames, and how many of them are audio."""

    number: int
    prompt: Prompt
    frames: int = 5
    content: int = 5


@dataclass
class Text:
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    frames: tuple[int, ...] = ()
    ended: bool = False
    stopped: bool = False


def logprobs(script: Script, case: Case, written: tuple[int, ...]) -> tuple[list[float], int]:
    """Log-probabilities of the next token among those allowed, and the frame it rests on."""
    prompt = case.prompt
    scores, frame = script(case.number, (*prompt.ids, *written))
    logits = torch.tensor(scores)
    if prompt.stop is not None and prompt.stop.suppress_end:
        logits[END] = -torch.inf
    if prompt.word_complete and prompt.prefix and all(token >= TIME for token in written):
        logits[[1, 3, 5]] = -torch.inf
    return logits.log_softmax(-1).tolist(), frame


def meets(case: Case, token: int, logprob: float, frame: int) -> bool:
    """Whether a token meets the stop rule of its prompt: text that is improbable, or whose frame ends too near the
    end of the audio."""
    rule = case.prompt.stop
    if rule is None or token >= TIME:
        return False
    low = rule.score_below is not None and logprob < rule.score_below
    return low or (rule.at_frame is not None and (case.content - 1 - frame) * FRAME < rule.at_frame)


def greedy(script: Script, case: Case, positions: int) -> Text:
    """The most probable token, again and again."""
    text = Text()
    while len(text.ids) < case.prompt.room(positions):
        chances, frame = logprobs(script, case, text.ids)
        token = int(np.argmax(chances))
        if token == END:
            text.ended = True
            break
        text.ids, text.logprobs, text.frames = (
            (*text.ids, token),
            (*text.logprobs, chances[token]),
            (*text.frames, frame),
        )
        if meets(case, token, chances[token], frame):
            text.stopped = True
            break
    return text


def beam(script: Script, case: Case, positions: int, width: int) -> list[Text]:
    """What a beam of `width` finds, best first."""
    live, found = [(0.0, Text())], []
    room, forced = case.prompt.room(positions), len(case.prompt.prefix)
    for step in range(room):
        ways = sorted(_ways(script, case, live), key=lambda way: -way[0])
        live = []
        for total, text in ways:
            if text.ended:
                found.append((total / (forced + len(text.ids) + 1), text))
            else:
                live.append((total, text))
            if len(live) == width:
                break
        if step + 1 == room:
            found += [(total / (forced + room), text) for total, text in live]
        elif len(found) >= width:
            break
    return [text for _, text in sorted(found, key=lambda one: -one[0])[:width]]


def _ways(script: Script, case: Case, live: list[tuple[float, Text]]) -> Iterator[tuple[float, Text]]:
    for (total, text), token in itertools.product(live, range(SIZE)):
        chances, frame = logprobs(script, case, text.ids)
        if not np.isfinite(chances[token]):
            continue
        if token == END:
            yield total + chances[token], Text(text.ids, text.logprobs, text.frames, True)
        else:
            more = (*text.logprobs, chances[token])
            yield total + chances[token], Text((*text.ids, token), more, (*text.frames, frame))


def random_script(seed: int) -> Script:
    """Logits and frames drawn for every text and beginning."""

    def script(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
        rng = np.random.default_rng((seed, number, len(seen), *seen))
        scores = (2.0 * rng.permutation(SIZE) / SIZE + rng.uniform(0, 0.01, SIZE)).astype(np.float32)
        return scores.tolist(), int(rng.integers(0, 3))

    return script


def cases() -> st.SearchStrategy[Case]:
    """Prompts of every kind; their encoder frames are up to twice as many as there is audio."""
    stops = st.builds(
        StopRule,
        at_frame=st.one_of(st.none(), st.integers(0, 450)),
        score_below=st.one_of(st.none(), st.floats(-2.2, -1.2)),
        suppress_end=st.booleans(),
    )
    prompts = st.builds(
        Prompt,
        head=st.lists(st.integers(0, 5), min_size=1, max_size=3).map(tuple),
        prefix=st.lists(st.integers(0, TIME), max_size=5).map(tuple),
        max_new_tokens=st.integers(1, 8),
        stop=st.one_of(st.none(), stops),
        word_complete=st.booleans(),
    )
    return st.builds(Case, st.integers(0, 3), prompts, frames=st.integers(3, 6), content=st.just(3))
