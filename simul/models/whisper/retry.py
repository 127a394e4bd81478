"""What is tried where a text is refused though somebody speaks: a wider beam, then also no previous text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.guard import likelihood
from simul.models.whisper.interface import Encoded, Whisper
from simul.models.whisper.tokens import WhisperTokens

WIDE = 5


@dataclass
class Patience:
    """When a segment's text that was refused is decoded again before the segment's end.

    It is at the second pass in a row whose text is refused, since the next one mostly mends it. Where that finds a text
    that is not refused, it is at the next pass too, so that texts can agree. Where it does not, twice as many passes go
    by each time: the sound is nearly the same, and so is the answer. refused: passes in a row; due: how many of them
    there are when the next attempt is made.
    """

    refused: int = 0
    due: int = 2

    def take(self, refused: bool) -> None:
        """A pass is over, before anything is decoded again."""
        self.refused, self.due = (self.refused + 1, self.due) if refused else (0, 2)

    @property
    def is_over(self) -> bool:
        """Whether the text is to be decoded again."""
        return self.refused >= self.due

    def tried(self, found: bool) -> None:
        """It was decoded again; found: with a text that is not refused."""
        self.due = self.refused + 1 if found else 2 * self.refused


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
