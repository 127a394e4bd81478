"""From the events of a session to subtitles in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simul.captions.lines import CueRules, CueWord, broken, filled, grouped, shared, words_of
from simul.captions.pieces import columns
from simul.captions.schedule import Showing, scheduled
from simul.session.events import End, Event, SegmentEnd, Settled
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE

_PAUSE = 1.0
"""Seconds between two segments from which on their words never share a cue."""


@dataclass(frozen=True)
class Cue:
    """One subtitle: seconds on screen, its lines, and the lines of the source text where two are shown."""

    start: float
    end: float
    lines: tuple[str, ...]
    source: tuple[str, ...] = ()


class CueMaker:
    """Turns the events of a session into cues, segment by segment.

    At most two lines of 42 columns, read at no more than 21 columns a second (wide characters: 32 and 26), from 1 to 7
    seconds on screen, no two cues at once, breaks at sentences and clauses before others. Where speech is faster than
    it can be read, cues keep to the speech: none begins more than `CueRules.delay` after its first word, and none
    goes on after the recording. A cue of one word or two is joined with its neighbour unless a pause parts them.

    A cue starts when the first of its words was spoken, as far as the backend knows source times; otherwise
    the words of a segment are spread over it by length. The last cue of a segment comes out once the next segment is
    complete, because what is on screen and how long depends on what follows.
    """

    def __init__(self, language: str, source_language: str | None = None) -> None:
        self.rules = CueRules.of(language)
        self._language, self._source_language = language, source_language or ""
        self._source_rules = CueRules.of(source_language) if source_language else None
        self._transcript = Transcript(language)
        self._characters: list[str] = []
        self._times: list[tuple[float, float] | None] = []
        self._held: list[CueWord] = []
        self._free = self._latest = 0.0

    def push(self, event: Event) -> list[Cue]:
        """The cues that `event` completes."""
        change = self._transcript.push(event)
        if isinstance(event, Settled):
            self._settle(event, change.added)
        del self._characters[len(self._characters) - change.removed :]
        del self._times[len(self._times) - change.removed :]
        if isinstance(event, End):
            self._latest = event.heard / SAMPLE_RATE
            return self.finish()
        return [] if change.closed is None else self._extend(self._segment(change.closed))

    def finish(self) -> list[Cue]:
        """The last cues."""
        held, self._held = self._held, []
        return self._shown(self._groups(held), over=self._latest)

    def _settle(self, event: Settled, text: str) -> None:
        times: list[tuple[float, float] | None] = []
        if event.spans and len(event.spans) == len(event.tokens):
            for token, (start, end) in zip(event.tokens, event.spans, strict=True):
                times += _spread(token, start / SAMPLE_RATE, end / SAMPLE_RATE)
        missing = len(text) - len(times)
        # The first token of a stream loses its leading space; held bytes come with a later token.
        unknown: list[tuple[float, float] | None] = [None] * max(0, missing)
        times = times[-missing:] if missing < 0 else unknown + times
        self._characters += text
        self._times += times

    def _segment(self, event: SegmentEnd) -> list[CueWord]:
        """The words of a segment that is complete, each with its share of the source."""
        start, end = event.start / SAMPLE_RATE, event.end / SAMPLE_RATE
        self._latest = max(self._latest, end)
        end = max(end, start + 0.01)
        text = "".join(self._characters)
        words = words_of(text, self._times, start, end, self._language, self.rules)
        self._characters, self._times = [], []
        rules, source = self._source_rules, (event.source or "").strip()
        if rules is None or not source or not words:
            return words
        unknown = [None] * len(source)
        pieces = words_of(source, unknown, start, end, self._source_language, rules)
        shares = shared(pieces, [len(word.text) for word in words])
        return [
            CueWord(word.text, word.start, word.end, word.space, word.first, share)
            for word, share in zip(words, shares, strict=True)
        ]

    def _groups(self, words: Sequence[CueWord]) -> list[list[CueWord]]:
        return grouped(words, self.rules, self._source_rules or self.rules) if words else []

    def _extend(self, words: list[CueWord]) -> list[Cue]:
        """The cues that are complete now that the words of the next segment are known."""
        if not words:
            return []
        cues: list[Cue] = []
        if self._held and words[0].start - self._held[-1].end >= _PAUSE:
            cues, self._held = self._shown(self._groups(self._held), over=words[0].start), []
        groups = self._groups(self._held + words)
        self._held = groups[-1]
        return cues + self._shown(groups)

    def _shown(self, groups: Sequence[Sequence[CueWord]], over: float | None = None) -> list[Cue]:
        """Cues in time; without `over`, the second after which nothing is shown, all but the last."""
        places = scheduled([self._showing(group) for group in groups], self.rules, self._free, over)
        cues = []
        for group, (start, end) in zip(groups, places, strict=True):
            source = [word for found in group for word in found.source]
            lines = broken(group, self.rules) or filled(group, self.rules)
            rules = self._source_rules or self.rules
            cues.append(Cue(start, end, lines, broken(source, rules) or filled(source, rules)))
        given = cues if over is not None else cues[:-1]
        if given:
            self._free = given[-1].end
        return given

    def _showing(self, words: Sequence[CueWord]) -> Showing:
        reading = sum(columns(word.text) + word.space for word in words) / self.rules.speed
        if self._source_rules:
            source = [word for found in words for word in found.source]
            reading = max(reading, sum(columns(w.text) + w.space for w in source) / self._source_rules.speed)
        needed = min(max(self.rules.shortest, reading), self.rules.longest)
        return Showing(words[0].start, words[-1].end, needed)


def _spread(token: str, start: float, end: float) -> list[tuple[float, float] | None]:
    """Times of the characters of a token, spread over its span; white space before it takes none."""
    bare = len(token.lstrip()) or 1
    blank = len(token) - len(token.lstrip())
    step = (end - start) / bare
    times: list[tuple[float, float] | None] = [(start, start)] * blank
    return times + [(start + step * i, start + step * (i + 1)) for i in range(len(token) - blank)]
