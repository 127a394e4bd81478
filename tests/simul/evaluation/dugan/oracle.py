"""Utterances that need no model: a word is heard every half second."""

from __future__ import annotations

from policies.dugan import ClipSegment
from simul.evaluation.dugan.windows import DecodedUtterance, DecodedWindows


def words(text: str) -> int:
    return len(text.split())


class Oracle:
    """Hears a word every half second; three make a segment; one pass takes a tenth of a second."""

    def __init__(self, text: list[str]) -> None:
        self.text, self.asked = text, []

    def window(self, begin: float, end: float):
        self.asked.append((begin, end))
        first, last = round(begin * 2), min(int(end * 2), len(self.text))
        heard = self.text[first:last]
        groups = [heard[i : i + 3] for i in range(0, len(heard), 3)]
        segments = []
        for number, group in enumerate(groups):
            start = 1.5 * number
            segments.append(ClipSegment(start, start + len(group) / 2, " " + " ".join(group), 0.05))
        return tuple(segments), (0.1,) * (len(segments) + 1)

    def whole(self):
        return " " + " ".join(self.text), 0.5


def utterances(texts: list[list[str]]) -> list[DecodedUtterance]:
    return [
        DecodedUtterance(str(i), " ".join(text), DecodedWindows(Oracle(text), len(text) / 2))
        for i, text in enumerate(texts)
    ]
