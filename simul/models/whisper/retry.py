"""What is tried where a text is refused though somebody speaks: a wider beam, then also no previous text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.guard import likelihood
from simul.models.whisper.interface import Encoded, Whisper
from simul.models.whisper.tokens import WhisperTokens

WIDE = 5


LONG = 4
"""Passes in a row whose text is refused, after which only every second one is made."""


@dataclass
class Patience:
    """When a segment of which nothing is believed is decoded, and decoded again, before its end.

    What is refused though somebody speaks is decoded again at the second pass in a row, since the next one mostly mends
    it. Where that finds a text that is not refused, it is at the next pass too, so that texts can agree. Where it does
    not, twice as many passes go by each time: the sound is nearly the same, and so is the answer. After `LONG` refused
    passes every second pass is left out. refused: passes in a row; spoken: those in a row in which somebody spoke; due:
    how many of these there are when the next attempt is made; rested: the last pass was left out.
    """

    refused: int = 0
    spoken: int = 0
    due: int = 2
    rested: bool = False

    def rests(self) -> bool:
        """Whether the pass that is asked for is left out."""
        self.rested = self.refused >= LONG and not self.rested
        return self.rested

    def take(self, refused: bool, spoken: bool) -> None:
        """A pass is over, before anything is decoded again; spoken: it was refused though somebody spoke."""
        self.refused = self.refused + 1 if refused else 0
        self.spoken, self.due = (self.spoken + 1, self.due) if spoken else (0, 2)

    @property
    def is_over(self) -> bool:
        """Whether the text is to be decoded again."""
        return self.spoken >= self.due

    def tried(self, found: bool) -> None:
        """It was decoded again; found: with a text that is not refused."""
        self.due = self.spoken + 1 if found else 2 * self.spoken
        self.refused = 0 if found else self.refused


def wide(model: Whisper) -> int:
    """How many hypotheses are followed where those that a model follows by itself led nowhere."""
    return max(WIDE, 2 * model.beam)


def heard_again(
    model: Whisper,
    windows: Sequence[Encoded],
    prompts: Sequence[Prompt],
    found: Sequence[Hypothesis],
    refused: Callable[[int, Hypothesis], bool],
) -> list[Hypothesis]:
    """For each window whose text was refused, the first text that is not, or else the likeliest.

    refused: whether a hypothesis for the window of that index is. Temperature, which Radford et al. (2023, section 4.5)
    turn up instead, would make a stream's text a matter of chance.
    """
    best = list(found)
    left = list(range(len(found)))
    for tried in (prompts, [alone(model.tokens, prompt) for prompt in prompts]):
        chosen = [i for i in left if tried is prompts or tried[i] != prompts[i]]
        if not chosen:
            break
        asked = [replace(tried[i], draft=()) for i in chosen]
        again = model.generate([windows[i] for i in chosen], asked, wide(model))
        for i, hypothesis in zip(chosen, again, strict=True):
            if not refused(i, hypothesis):
                best[i] = hypothesis
                left.remove(i)
            else:
                best[i] = max(best[i], hypothesis, key=likelihood)
    return best


def alone(tokens: WhisperTokens, prompt: Prompt) -> Prompt:
    """A prompt that does not tell of the previous text."""
    return replace(prompt, head=prompt.head[prompt.head.index(tokens.start) :])
