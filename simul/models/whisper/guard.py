"""Against Whisper's inventions: loops are cut, texts are bounded by the audio they can rest on, silence is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simul.decoding.interface import Hypothesis
from simul.units import SAMPLE_RATE

_WORD = re.compile(r"\w+")
LONGEST_LOOP = 80
SENTENCE = 17
"""Tokens of a loop that says whole sentences again: one repetition is enough."""
REPEATED = 4
"""Rounds of a loop whose pace tells whether they were said."""


@dataclass(frozen=True)
class Loop:
    """A text ends with `rounds` times the same `length` tokens from token `begin` on, and perhaps part of a round."""

    begin: int
    length: int
    rounds: int


@dataclass(frozen=True)
class GuardConfig:
    """Limits of what is believed.

    rate, slack: at most `rate` tokens per second of audio whose text is not committed, and `slack` more.
    no_speech, logprob: a candidate with a no-speech probability above the first and a mean log-probability
        below the second counts as silence (Radford et al. 2023, section 4.5).
    doubt: seconds of audio whose text is likelier than `logprob` when it was understood.
    suspicion: how much likelier than `logprob` a text has to be where nobody speaks for certain, and by this times the
        no-speech probability otherwise: texts made up over many voices at once are likelier than over noise.
    translated_logprob, translated_suspicion: the same two for translations of at least `brief` seconds of audio, which
        are less likely: there is more than one way to say it.
    speech: below this no-speech probability somebody speaks, however unlikely the text.
    repeats: a run of tokens that follows itself so often is a loop (twice as often for a single token, once for a
        sentence).
    missing: seconds of speech after the end of a text that show that it ended too early.
    """

    rate: float = 15.0
    slack: int = 10
    no_speech: float = 0.6
    logprob: float = -1.0
    doubt: float = 2.0
    suspicion: float = 0.8
    translated_logprob: float = -1.2
    translated_suspicion: float = 0.4
    brief: float = 1.25
    speech: float = 0.1
    repeats: int = 4
    missing: float = 2.0

    def budget(self, seconds: float) -> int:
        """How many tokens may rest on `seconds` of audio."""
        return self.slack + math.ceil(self.rate * max(0.0, seconds))

    def is_silence(self, no_speech: float, logprobs: Sequence[float] | np.ndarray) -> bool:
        """Whether a candidate looks like text made up over silence."""
        return len(logprobs) > 0 and no_speech > self.no_speech and float(np.mean(logprobs)) < self.logprob

    def is_invented(self, found: Hypothesis, samples: int, final: bool, translated: bool = False) -> bool:
        """Whether a text that nothing was committed of looks made up, over silence or over voices without words.

        Where more is to come, an unlikely text is not believed: it mostly changes. At the end of a segment it is, when
        that is so short that the model knew little.
        """
        least, suspicion = self.logprob, self.suspicion
        if translated and samples >= self.brief * SAMPLE_RATE:
            least, suspicion = self.translated_logprob, self.translated_suspicion
        if not found.ids or likelihood(found) >= least + suspicion * found.no_speech_prob:
            return False
        return found.no_speech_prob > self.no_speech or not final or samples >= self.doubt * SAMPLE_RATE

    def is_speech(self, found: Hypothesis) -> bool:
        """Whether somebody speaks where a text was found, so that there must be one."""
        return found.no_speech_prob < self.speech

    def missed(self, samples: int) -> bool:
        """Whether a text ended so many samples too early that speech was left out."""
        return samples > self.missing * SAMPLE_RATE

    @staticmethod
    def echoes(previous: str, text: str, final: bool) -> bool:
        """Whether a text may be no more than the end of the previous text, said again for want of speech understood.

        One word alone tells something only when it is the whole text.
        """
        before, after = (_WORD.findall(each.casefold()) for each in (previous, text))
        count = min(len(before), len(after))
        return count > (0 if final else 1) and before[-count:] == after[:count]

    def loop(self, text: Sequence[int]) -> Loop | None:
        """The loop at the end of a text; None where there is none."""
        for length in range(1, LONGEST_LOOP + 1):
            run = _run(text, length)
            rounds = 1 + run // length
            least = self.repeats * 2 if length == 1 else self.repeats if length < SENTENCE else 2
            if rounds >= least:
                return Loop(len(text) - length - run, length, rounds)
        return None

    def without_loop(self, prefix: Sequence[int], ids: Sequence[int]) -> int:
        """How many of `ids` stand, which follow `prefix`, when a loop at their end is cut after its first round."""
        loop = self.loop([*prefix, *ids])
        if loop is None:
            return len(ids)
        return max(0, loop.begin + loop.length - len(prefix))

    def spoken(self, loop: Loop, ends: Sequence[int]) -> int | None:
        """How many tokens of a text were said, when each token ends at a sample of `ends`; None: all of them.

        People do repeat words. A loop begins with the first round after which `REPEATED` more take less time than
        anyone needs to say them: there the decoder writes on without hearing on. Of a sentence one round stands; where
        each lies in the audio is not known well enough to tell, so what follows the first has to be heard anew.
        """
        if loop.length >= SENTENCE:
            return loop.begin + loop.length
        marks = [ends[loop.begin + loop.length * (r + 1) - 1] for r in range(loop.rounds)]
        least = REPEATED * loop.length / self.rate * SAMPLE_RATE
        for r in range(loop.rounds - REPEATED):
            if marks[r + REPEATED] - marks[r] < least:
                return loop.begin + loop.length * (r + 1)
        return None


def likelihood(found: Hypothesis) -> float:
    """The mean log-probability of a text, but for what its end says again, which is likely whatever was heard."""
    return float(np.mean(found.logprobs[: _said_once(found.ids)])) if found.ids else -math.inf


def _said_once(text: Sequence[int]) -> int:
    """How many tokens a text has without what its end says again, if that is at least half of what comes before."""
    runs = ((length, _run(text, length)) for length in range(1, 1 + len(text) // 2 + len(text) // 4))
    return len(text) - max((run for length, run in runs if run > 2 and 2 * run >= length), default=0)


def _run(text: Sequence[int], length: int) -> int:
    """How many tokens at the end equal the token `length` places before them."""
    run = 0
    while run + length < len(text) and text[-1 - run] == text[-1 - run - length]:
        run += 1
    return run
