"""Words that a recogniser misheard, by the sound of terms: near in sound and spelling, and not clearly said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from policies.base import Word
from policies.punctuation_hold import ends_sentence
from simul.models.terms.reading import Term

LEAST_LETTERS = 4
"""Shorter terms sound like too much else."""
LEAST_JOINED = 6
"""So many letters have words that are joined to a term which is spelled as they are."""
NEAR, NEARER = 0.6, 0.75
"""How alike the letters are of what is put in the place of an unknown word, and of a name that was clearly heard."""
ALIKE = 0.8
"""So alike, letters need not give the same sound."""
UNSURE = 0.5
"""A word of the vocabulary with a lower probability is not clearly said."""
LONGEST = 4
MOST_LIKELY, LIKELY = 10, 0.5
"""How many terms a recogniser is told of at most, and how alike sound and letters of what was heard are to theirs."""

_AROUND = re.compile(r"^(\W*)(.*?)((?:['’]s)?\W*)$", re.DOTALL)


@dataclass(frozen=True)
class HeardWord:
    """A recognised word with its punctuation, its probability where known, and whether it begins a sentence."""

    text: str
    confidence: float | None = None
    begins: bool = False


@dataclass(frozen=True)
class TermRepair:
    """`text` stands for the words [start, stop), which had been understood as `heard`."""

    start: int
    stop: int
    text: str
    heard: str


class TermMatcher:
    """Finds the words that terms are to replace.

    known: frequent words in lower case; None: of this language none are known, and only what is unsure is replaced.

    Words are replaced by a term that has their letters, written otherwise (another capital, one word for two). Where
    letters are near and the sound is the same (metaphone of Philips 1990, as jellyfish computes it), or letters are
    nearly the same, what is no known word, what is a name, or what the recogniser is unsure of is replaced. A known
    word that was clearly said stays.
    """

    def __init__(self, terms: Sequence[Term], known: Collection[str] | None) -> None:
        self._known = known
        self._spelled: dict[str, Term] = {}
        self._sounding: dict[str, list[tuple[str, Term]]] = {}
        self._words: set[str] = {word for term in terms for word in map(_core, term.text.split())}
        for term in terms:
            for form in (term.text, *term.spoken):
                letters = _letters(form)
                if len(letters) >= LEAST_LETTERS:
                    self._spelled.setdefault(letters, term)
                    self._sounding.setdefault(_sound(letters), []).append((letters, term))
        # Passes bring the same words again and again.
        self._nearest = lru_cache(maxsize=4096)(self._sounds_like)

    def find(self, words: Sequence[HeardWord]) -> list[TermRepair]:
        """The repairs of some words, from left to right and not overlapping; the nearest of those that compete."""
        found: list[TermRepair] = []
        place = 0
        while place < len(words):
            best = self._best(words, place)
            if best is not None:
                found.append(best)
            place = place + 1 if best is None else best.stop
        return found

    def likely(self, words: Sequence[str]) -> list[str]:
        """Terms that may have been said where some words were heard, the likeliest first.

        Those that the words spell already are left out, and so are other forms of saying a term.
        """
        spans = {
            _letters("".join(words[start:stop]))
            for start in range(len(words))
            for stop in range(start + 1, min(start + LONGEST - 1, len(words)) + 1)
        }
        heard = [(span, _sound(span)) for span in spans if len(span) >= LEAST_LETTERS - 1]
        found: dict[str, float] = {}
        for letters, term in self._spelled.items():
            if letters in spans or letters != _letters(term.text):
                continue
            near = max((_likeness(letters, *each) for each in heard), default=0.0)
            if near >= LIKELY:
                found[term.text] = near
        return sorted(found, key=lambda text: -found[text])[:MOST_LIKELY]

    def _best(self, words: Sequence[HeardWord], start: int) -> TermRepair | None:
        best, likeness = None, 0.0
        for stop in range(start + 1, min(start + LONGEST, len(words)) + 1):
            span = words[start:stop]
            if any(_parts(word.text)[2] for word in span[:-1]) or any(_parts(w.text)[0] for w in span[1:]):
                break  # Punctuation between them: they do not belong together.
            term, near = self._term(span)
            if term is not None and near > likeness:
                before, after = _parts(span[0].text)[0], _parts(span[-1].text)[2]
                heard = " ".join(word.text for word in span)
                best, likeness = TermRepair(start, stop, before + term.text + after, heard), near
        return best if best is not None and best.text != best.heard else None

    def _term(self, span: Sequence[HeardWord]) -> tuple[Term | None, float]:
        """The term for a span, and how alike they are; none where it is not to be replaced."""
        cores = [_core(word.text) for word in span]
        letters = _letters("".join(cores))
        if len(letters) < LEAST_LETTERS:
            return None, 0.0
        term = self._spelled.get(letters)
        if term is not None:
            return (term, 1.0) if self._rewritten(term, cores) else (None, 0.0)
        if all(core in self._words for core in cores):
            return None, 0.0  # Other terms, as they are written.
        least = self._least(span, cores)
        best, likeness = self._nearest(letters, least == NEAR) if least <= 1 else (None, 0.0)
        return (best, likeness) if likeness >= least else (None, 0.0)

    def _sounds_like(self, letters: str, doubtful: bool) -> tuple[Term | None, float]:
        """The term nearest to some letters among those of their sound; in doubt, among all spelled nearly so."""
        best, likeness = None, 0.0
        for spelled, other in self._sounding.get(_sound(letters), ()):
            near = Levenshtein.normalized_similarity(letters, spelled)
            if near > likeness:
                best, likeness = other, near
        if doubtful and likeness < ALIKE:
            spellings, scorer = self._spelled.keys(), Levenshtein.normalized_similarity
            alike = process.extractOne(letters, spellings, scorer=scorer, score_cutoff=ALIKE)
            if alike is not None:
                best, likeness = self._spelled[alike[0]], alike[1]
        return best, likeness

    def _rewritten(self, term: Term, cores: Sequence[str]) -> bool:
        """Whether words with a term's letters are to be written as the term: not a known word for its capital."""
        if len(cores) == 1:
            return not self._is_known(cores[0]) or cores[0] != cores[0].lower()
        return len(cores) == len(term.text.split()) or len("".join(cores)) >= LEAST_JOINED

    def _least(self, span: Sequence[HeardWord], cores: Sequence[str]) -> float:
        """How alike a term must be to replace a span; above 1 where its first or last word was clearly said."""
        ends = {0, len(span) - 1}
        if all(self._is_doubtful(span[i], cores[i]) for i in ends):
            return NEAR
        names = self._known is not None and all(
            core[:1].isupper() and not word.begins for core, word in zip(cores, span, strict=True)
        )
        return NEARER if names else 2.0

    def _is_doubtful(self, word: HeardWord, core: str) -> bool:
        unsure = word.confidence is not None and word.confidence < UNSURE
        return unsure or not self._is_known(core)

    def _is_known(self, core: str) -> bool:
        return self._known is None or core.lower() in self._known


def named_words(terms: TermMatcher, words: Sequence[Word]) -> tuple[Word, ...]:
    """A recogniser's words, those that sound like terms written as those, with what was `heard` there."""
    before = ("", *(word.text for word in words))
    heard = [
        HeardWord(word.text, word.confidence, not said or ends_sentence(said))
        for word, said in zip(words, before, strict=False)
    ]
    named: list[Word] = []
    place = 0
    for repair in terms.find(heard):
        named += words[place : repair.start]
        span, place = words[repair.start : repair.stop], repair.stop
        known = [word.confidence for word in span if word.confidence is not None]
        confidence = min(known) if len(known) == len(span) else None
        first, last = span[0].start_sample, span[-1].end_sample
        named.append(Word(repair.text, first, last, confidence, repair.heard))
    return (*named, *words[place:])


def _parts(text: str) -> tuple[str, str, str]:
    """What stands before a word's letters, the word, and its possessive and punctuation."""
    match = _AROUND.match(text)
    assert match is not None
    return match[1], match[2], match[3]


def _core(text: str) -> str:
    return _parts(text)[1]


def _letters(text: str) -> str:
    """The letters and digits of a text in lower case, without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum())


@lru_cache(maxsize=4096)
def _likeness(term: str, letters: str, sound: str) -> float:
    """How alike a term's letters and sound are to others, in the mean."""
    same = Levenshtein.normalized_similarity
    return (same(term, letters) + same(_sound(term), sound)) / 2


@lru_cache(maxsize=16384)
def _sound(letters: str) -> str:
    from jellyfish import metaphone

    # In other scripts nothing is left of the sound: there the letters are it.
    return metaphone(letters) or letters
