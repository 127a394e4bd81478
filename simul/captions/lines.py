"""How the words of speech become subtitles: which go into one, and where its two lines part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from simul.captions.pieces import columns, pieces
from simul.languages import CLAUSE_ENDS, CLOSERS, SENTENCE_ENDS, SPACELESS, WIDE

_CUT_INSIDE_CLAUSE = 0.5
_NOT_FULL = 0.3
_FEW_WORDS = 2.7
_ACROSS_SEGMENTS = 1.6
_FEW = 2


@dataclass(frozen=True)
class CueRules:
    """What a cue must keep to; widths in columns (a wide character takes two), times in seconds.

    speed: columns a second that can be read. delay: how much later than its first word a cue may begin so that the one
    before it can be read.
    """

    width: int = 42
    lines: int = 2
    shortest: float = 1.0
    longest: float = 7.0
    speed: float = 21.0
    delay: float = 1.5

    @classmethod
    def of(cls, language: str) -> CueRules:
        """The rules for text in `language`."""
        return cls(width=32, speed=26.0) if language.split("-")[0].lower() in WIDE else cls()


@dataclass(frozen=True)
class CueWord:
    """A piece that is not broken, and the seconds at which it was spoken.

    space: a space stands before it. first: it begins a segment. source: the words of the source shown with it.
    """

    text: str
    start: float
    end: float
    space: bool
    first: bool = False
    source: tuple[CueWord, ...] = ()


def words_of(
    text: str,
    times: Sequence[tuple[float, float] | None],
    start: float,
    end: float,
    language: str,
    rules: CueRules,
) -> list[CueWord]:
    """The words of a segment with times that never run backwards and stay within it.

    times: of each character; words without any are spread over the segment by length.
    """
    found: list[CueWord] = []
    latest = start
    for piece in pieces(text, language, rules.width):
        known = [t for t in times[piece.start : piece.end] if t is not None]
        if known:
            begin, finish = min(t[0] for t in known), max(t[1] for t in known)
        else:
            begin, finish = (start + (end - start) * place / len(text) for place in (piece.start, piece.end))
        latest = min(max(begin, latest), end)
        first = not found
        space = piece.space or (first and language.split("-")[0].lower() not in SPACELESS)
        spoken = text[piece.start : piece.end]
        found.append(CueWord(spoken, latest, min(max(finish, latest), end), space, first))
    return found


def joined(words: Sequence[CueWord]) -> str:
    """The text of words."""
    return "".join((" " if word.space and i else "") + word.text for i, word in enumerate(words))


def broken(words: Sequence[CueWord], rules: CueRules) -> tuple[str, ...] | None:
    """`words` on one line or two, the second way broken where it reads best; None when they do not fit."""
    if not words:
        return ()
    cut = _line_cut(_Widths(words), 0, len(words), words, rules)
    if cut is None:
        return None
    return tuple(joined(part) for part in (words[:cut], words[cut:]) if part)


def filled(words: Sequence[CueWord], rules: CueRules) -> tuple[str, ...]:
    """As many lines as the words need, which each fit on one."""
    lines: list[list[CueWord]] = []
    for word in words:
        if lines and columns(joined([*lines[-1], word])) <= rules.width:
            lines[-1].append(word)
        else:
            lines.append([word])
    return tuple(map(joined, lines))


class _Widths:
    """Columns of any run of words, by sums from the beginning."""

    def __init__(self, words: Sequence[CueWord]) -> None:
        self._spaced = [int(word.space) for word in words]
        self._upto = [0, *accumulate(columns(word.text) + word.space for word in words)]

    def __call__(self, begin: int, end: int) -> int:
        return self._upto[end] - self._upto[begin] - (self._spaced[begin] if end > begin else 0)


def _line_cut(widths: _Widths, begin: int, end: int, words: Sequence[CueWord], rules: CueRules) -> int | None:
    """How many of the words `begin` to `end` stand on the first line; None when two lines do not hold them."""
    if widths(begin, end) <= rules.width:
        return end - begin
    if rules.lines < 2 or widths(begin, end) > 2 * rules.width + 1:
        return None
    best: tuple[float, int] | None = None
    for cut in range(begin + 1, end):
        upper, lower = widths(begin, cut), widths(cut, end)
        if max(upper, lower) <= rules.width:
            cost = abs(upper - lower) / rules.width - pause_after(words[cut - 1].text)
            if best is None or cost < best[0]:
                best = (cost, cut - begin)
    return best[1] if best else None


def pause_after(word: str) -> float:
    """How good a place to break there is after `word`: 1 a sentence, 0.5 a clause, 0 none."""
    bare = word.rstrip(CLOSERS)
    return 1.0 if bare.endswith(tuple(SENTENCE_ENDS)) else 0.5 if bare.endswith(tuple(CLAUSE_ENDS)) else 0.0


def grouped(words: Sequence[CueWord], rules: CueRules, source_rules: CueRules) -> list[list[CueWord]]:
    """Cut `words` into cues that keep to the rules, with as few and as natural cuts as can be.

    Dynamic programming over the places to cut: a cue costs 1, a little for being short, half for ending inside a
    clause, more than a further cue for holding words of two segments, and for holding one word or two more than it
    costs to break its neighbour for it.
    """
    widths = _Widths(words)
    source = [word for found in words for word in found.source]
    source_widths = _Widths(source)
    reached = [0, *accumulate(len(word.source) for word in words)]
    costs = [0.0] + [float("inf")] * len(words)
    cuts = [0] * (len(words) + 1)
    for end in range(1, len(words) + 1):
        across = 0
        inside = 0.0 if end == len(words) else _CUT_INSIDE_CLAUSE * (1 - _natural(words, end))
        for begin in range(end - 1, -1, -1):
            alone = end - begin == 1
            if not alone:
                across += words[begin + 1].first
                spoken = words[end - 1].start - words[begin].start
                if widths(begin, end) > 2 * rules.width + 1 or spoken > rules.longest:
                    break
                if _line_cut(widths, begin, end, words, rules) is None:
                    continue
                if _line_cut(source_widths, reached[begin], reached[end], source, source_rules) is None:
                    continue
            few = _FEW_WORDS if end - begin <= _FEW else 0.0
            room = 1 - min(1.0, widths(begin, end) / (rules.width * rules.lines))
            cost = costs[begin] + 1 + few + inside + _ACROSS_SEGMENTS * across + _NOT_FULL * room**2
            if cost < costs[end]:
                costs[end], cuts[end] = cost, begin
    groups = []
    end = len(words)
    while end:
        groups.append(list(words[cuts[end] : end]))
        end = cuts[end]
    return groups[::-1]


def _natural(words: Sequence[CueWord], end: int) -> float:
    """How good a place to end a cue there is before word `end`."""
    return 1.0 if words[end].first else pause_after(words[end - 1].text)


def shared(pieces: Sequence[CueWord], weights: Sequence[int]) -> list[tuple[CueWord, ...]]:
    """Cut `pieces` into as many runs as there are weights, each about its weight's share of the characters."""
    total, whole = max(1, sum(weights)), sum(len(piece.text) for piece in pieces)
    shares: list[tuple[CueWord, ...]] = []
    place, done, reached = 0, 0.0, 0
    for index, weight in enumerate(weights):
        reached += weight
        goal = whole * reached / total
        begin, last = place, index == len(weights) - 1
        while place < len(pieces) and (last or done + len(pieces[place].text) / 2 <= goal):
            done += len(pieces[place].text)
            place += 1
        shares.append(tuple(pieces[begin:place]))
    return shares
