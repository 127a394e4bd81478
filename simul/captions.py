"""Subtitles: settled text with its source times becomes cues that can be read, as SubRip or WebVTT.

Rules: at most two lines of 42 columns (16 characters where characters are wide), 1 to 7 seconds on screen, at
most 21 characters a second (13 wide ones), no two cues at once, breaks at sentences and clauses before others.
Cues are written here in 16 lines: `srt` 3.5 cuts times to whole milliseconds (2.4996 s becomes 2,499) and `webvtt-py`
0.6 writes `<` and `&` as they are, which a player takes for markup; neither breaks lines or times cues.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simul.languages import CLAUSE_ENDS, CLOSERS, SENTENCE_ENDS, WIDE
from simul.session.events import Event, SegmentEnd, Settled
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE


@dataclass(frozen=True)
class CueRules:
    """What a cue must keep to; widths in characters, times in seconds."""

    width: int = 42
    lines: int = 2
    shortest: float = 1.0
    longest: float = 7.0
    speed: float = 21.0

    @classmethod
    def of(cls, language: str) -> CueRules:
        """The rules for text in `language`."""
        return cls(width=16, speed=13.0) if language.split("-")[0].lower() in WIDE else cls()


@dataclass(frozen=True)
class Cue:
    """One subtitle: seconds on screen, its lines, and the lines of the source text where two are shown."""

    start: float
    end: float
    lines: tuple[str, ...]
    source: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Word:
    """A piece that is not broken (a word, or a character with the punctuation after it) and its seconds."""

    text: str
    start: float
    end: float
    space: bool


class CueMaker:
    """Turns the events of a session into cues, segment by segment.

    A cue starts when the first of its words was spoken, as far as the backend knows source times; otherwise
    the words of a segment are spread over it by length. Cues of a segment come out once the next segment is
    complete, because how long one may stay depends on what follows it.
    """

    def __init__(self, language: str, source_language: str | None = None) -> None:
        self.rules = CueRules.of(language)
        self._source_rules = CueRules.of(source_language) if source_language else None
        self._transcript = Transcript(language)
        self._characters: list[str] = []
        self._times: list[tuple[float, float] | None] = []
        self._held: Cue | None = None

    def push(self, event: Event) -> list[Cue]:
        """The cues that `event` completes."""
        change = self._transcript.push(event)
        if isinstance(event, Settled):
            self._settle(event, change.added)
        del self._characters[len(self._characters) - change.removed :]
        del self._times[len(self._times) - change.removed :]
        return [] if change.closed is None else list(self._release(self._segment(change.closed)))

    def finish(self) -> list[Cue]:
        """The last cue."""
        held, self._held = self._held, None
        return [held] if held else []

    def _settle(self, event: Settled, text: str) -> None:
        times: list[tuple[float, float] | None] = []
        if event.spans and len(event.spans) == len(event.tokens):
            for token, (start, end) in zip(event.tokens, event.spans, strict=True):
                times += [(start / SAMPLE_RATE, end / SAMPLE_RATE)] * len(token)
        missing = len(text) - len(times)
        # The first token of a stream loses its leading space; held bytes come with a later token.
        unknown: list[tuple[float, float] | None] = [None] * max(0, missing)
        times = times[-missing:] if missing < 0 else unknown + times
        self._characters += text
        self._times += times

    def _segment(self, event: SegmentEnd) -> list[Cue]:
        start, end = event.start / SAMPLE_RATE, event.end / SAMPLE_RATE
        words = _split("".join(self._characters), self._times, start, max(end, start + 0.01))
        self._characters, self._times = [], []
        if not words:
            return []
        rules, source = self._source_rules, (event.source or "").strip()
        if rules is None or not source:
            groups = group_words(words, self.rules)
            return [self._cue(group) for group in groups]
        return self._bilingual(words, source, rules)

    def _bilingual(self, words: Sequence[_Word], source: str, rules: CueRules) -> list[Cue]:
        """Cues short enough that their share of the source fits too."""
        pieces = _split(source, [None] * len(source), words[0].start, words[-1].end)
        limit = self.rules.width * self.rules.lines
        while True:
            groups = group_words(words, self.rules, limit)
            shares = _shares(pieces, [sum(len(word.text) for word in group) for group in groups])
            fitted = [break_lines(share, rules) for share in shares]
            if all(lines is not None for lines in fitted) or len(groups) == len(words):
                break
            limit = max(1, min(limit - 1, int(limit * 0.8)))
        loose = [lines or _fill(share, rules.width) for lines, share in zip(fitted, shares, strict=True)]
        return [self._cue(group, lines) for group, lines in zip(groups, loose, strict=True)]

    def _cue(self, words: Sequence[_Word], source: tuple[str, ...] = ()) -> Cue:
        lines = break_lines(words, self.rules) or _fill(words, self.rules.width)
        return Cue(words[0].start, words[-1].end, lines, source)

    def _release(self, cues: Sequence[Cue]) -> Iterator[Cue]:
        """Give every cue its time on screen; the last stays until what follows is known."""
        for cue in cues:
            if self._held is None:
                self._held = cue
                continue
            before = self._timed(self._held, cue.start)
            yield before
            self._held = Cue(max(cue.start, before.end), cue.end, cue.lines, cue.source)
        if self._held is not None:
            self._held = self._timed(self._held, None)

    def _timed(self, cue: Cue, following: float | None) -> Cue:
        """`cue` with an end: long enough to read, and while it is spoken if nothing follows."""
        rules = self.rules
        reading = sum(map(len, cue.lines)) / rules.speed
        if self._source_rules:
            reading = max(reading, sum(map(len, cue.source)) / self._source_rules.speed)
        needed = min(max(rules.shortest, reading), rules.longest)
        end = max(cue.end, cue.start + needed)
        if following is not None:
            end = min(end, max(following, cue.start + needed))
        return Cue(cue.start, min(end, cue.start + rules.longest), cue.lines, cue.source)


def _split(text: str, times: Sequence[tuple[float, float] | None], start: float, end: float) -> list[_Word]:
    """Words with times that never run backwards and stay within the segment."""
    words: list[_Word] = []
    latest = start
    for a, b, space in _pieces(text):
        known = [t for t in times[a:b] if t is not None]
        if known:
            begin, finish = min(t[0] for t in known), max(t[1] for t in known)
        else:
            begin, finish = (start + (end - start) * place / len(text) for place in (a, b))
        latest = min(max(begin, latest), end)
        words.append(_Word(text[a:b], latest, min(max(finish, latest), end), space))
    return words


def _pieces(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, preceded by a space) of what must stay together: words, or single wide characters."""
    start, space = 0, False
    for place in range(len(text) + 1):
        character = text[place : place + 1]
        if character and not character.isspace():
            alone = _is_wide(character) or (place > start and _is_wide(text[place - 1]))
            closing = character in SENTENCE_ENDS + CLAUSE_ENDS + CLOSERS
            if place > start and alone and not closing:
                yield start, place, space
                start, space = place, False
            continue
        if place > start:
            yield start, place, space
        start, space = place + 1, True


def _is_wide(character: str) -> bool:
    return "\u3040" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


def _text(words: Sequence[_Word]) -> str:
    return "".join((" " if word.space and i else "") + word.text for i, word in enumerate(words))


def break_lines(words: Sequence[_Word], rules: CueRules) -> tuple[str, ...] | None:
    """`words` on one line or two, the second way broken where it reads best; None when they do not fit."""
    whole = _text(words)
    if len(whole) <= rules.width:
        return (whole,) if whole else ()
    best: tuple[float, tuple[str, ...]] | None = None
    for cut in range(1, len(words)):
        upper, lower = _text(words[:cut]), _text(words[cut:])
        if max(len(upper), len(lower)) > rules.width:
            continue
        cost = abs(len(upper) - len(lower)) / rules.width - _pause(words[cut - 1].text)
        if best is None or cost < best[0]:
            best = (cost, (upper, lower))
    return best[1] if best and rules.lines > 1 else None


def _fill(words: Sequence[_Word], width: int) -> tuple[str, ...]:
    """Lines of at most `width` where words allow; longer words are cut."""
    lines = [""]
    for word in words:
        text = (" " if word.space and lines[-1] else "") + word.text
        if len(lines[-1]) + len(text) > width:
            lines.append("")
            text = word.text
        while len(text) > width:
            lines[-1], text = text[:width], text[width:]
            lines.append("")
        lines[-1] += text
    return tuple(line for line in lines if line)


def _pause(word: str) -> float:
    """How good a place to break there is after `word`: 1 a sentence, 0.5 a clause, 0 none."""
    bare = word.rstrip(CLOSERS)
    return 1.0 if bare.endswith(tuple(SENTENCE_ENDS)) else 0.5 if bare.endswith(tuple(CLAUSE_ENDS)) else 0.0


def group_words(words: Sequence[_Word], rules: CueRules, limit: int | None = None) -> list[list[_Word]]:
    """Cut `words` into cues that keep to the rules, with as few and as natural cuts as can be.

    Dynamic programming over the places to cut: a cue costs 1, a little for being short, and half for ending
    inside a clause. `limit` is the most characters of a cue.
    """
    most = rules.width * rules.lines if limit is None else limit
    costs = [0.0] + [float("inf")] * len(words)
    cuts = [0] * (len(words) + 1)
    for end in range(1, len(words) + 1):
        for begin in range(end - 1, -1, -1):
            cue = words[begin:end]
            alone = end - begin == 1
            length = len(_text(cue))
            if not alone and (length > most or cue[-1].start - cue[0].start > rules.longest):
                break
            if not alone and break_lines(cue, rules) is None:
                continue
            inside = 0.0 if end == len(words) else 0.5 * (1 - _pause(cue[-1].text))
            cost = costs[begin] + 1 + inside + 0.3 * (1 - min(1.0, length / most)) ** 2
            if cost < costs[end]:
                costs[end], cuts[end] = cost, begin
    groups = []
    end = len(words)
    while end:
        groups.append(list(words[cuts[end] : end]))
        end = cuts[end]
    return groups[::-1]


def _shares(pieces: Sequence[_Word], weights: Sequence[int]) -> list[list[_Word]]:
    """Cut `pieces` into as many runs as there are weights, each about its weight's share of the characters."""
    total, whole = sum(weights), sum(len(piece.text) for piece in pieces)
    shares: list[list[_Word]] = []
    place, done, reached = 0, 0.0, 0
    for index, weight in enumerate(weights):
        reached += weight
        goal = whole * reached / total
        share = []
        while place < len(pieces) and (
            index == len(weights) - 1 or done + len(pieces[place].text) / 2 <= goal
        ):
            share.append(pieces[place])
            done += len(pieces[place].text)
            place += 1
        shares.append(share)
    return shares


def timestamp(seconds: float, comma: bool) -> str:
    """`hh:mm:ss,mmm`, with a point in place of the comma for WebVTT."""
    ms = round(max(0.0, seconds) * 1000)
    clock = f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}"
    return f"{clock}{',' if comma else '.'}{ms % 1000:03d}"


def srt(cue: Cue, number: int) -> str:
    """A cue as SubRip, numbered from 1, with the blank line after it."""
    times = f"{timestamp(cue.start, True)} --> {timestamp(cue.end, True)}"
    return "\n".join([str(number), times, *cue.lines, *(f"<i>{line}</i>" for line in cue.source)]) + "\n\n"


VTT_HEADER = "WEBVTT\n\n"


def vtt(cue: Cue) -> str:
    """A cue as WebVTT, with the blank line after it."""
    times = f"{timestamp(cue.start, False)} --> {timestamp(cue.end, False)}"
    lines = [html.escape(line, quote=False) for line in cue.lines]
    source = [f"<i>{html.escape(line, quote=False)}</i>" for line in cue.source]
    return "\n".join([times, *lines, *source]) + "\n\n"
