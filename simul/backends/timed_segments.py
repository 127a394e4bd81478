"""The timed segments into which Whisper divides its text."""

from __future__ import annotations

from collections.abc import Sequence

from policies.base import Segment
from simul.models.whisper.features import STEP
from simul.models.whisper.tokens import WhisperTokens


def timed_segments(
    tokens: WhisperTokens, timed: Sequence[int], old: int, place: tuple[int, int], no_speech: float
) -> tuple[Segment, ...]:
    """The timed segments that hold new text; those wholly in the committed prefix are left out.

    timed: committed and new text with the time tokens between them; its first `old` text tokens are committed.
    place: the samples [start, until) that it was heard in. no_speech: the probability that nobody speaks there.
    """
    start, until = place
    end = until - start
    found: list[Segment] = []
    begin, last, pieces = 0, 0, list[int]()
    for token in [*timed, None]:
        if token is not None and tokens.is_text(token):
            pieces.append(token)
            continue
        last = end if token is None else min((token - tokens.first_timestamp) * STEP, end)
        if pieces:
            new = pieces[min(old, len(pieces)) :]
            old -= len(pieces) - len(new)
            if new:
                text = "".join(tokens.surfaces(new))
                found.append(Segment(start + begin, start + max(begin, last), text, no_speech, len(new)))
        begin, pieces = last, []
    return tuple(found)
