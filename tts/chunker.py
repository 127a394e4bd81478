"""Cuts a stream of settled text into units worth speaking: sentences, clauses, phrases; whole words only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tts.base import TtsError
from tts.language import CLAUSE_ENDS, CLOSERS, SENTENCE_ENDS, LanguageRules, rules_for

_WIDE_MARKS = "。！？｡、，；："
_OPENING = "\"'“‘«([{‹„¿¡-"
# A token: a run of non-blanks with the blanks before it; marks of scripts without blanks end one too.
_NARROW = rf"[^\s{_WIDE_MARKS}]"
_TOKEN = re.compile(rf"\s*(?:{_NARROW}*[{_WIDE_MARKS}]+[{re.escape(CLOSERS)}]*|{_NARROW}+)")
_NUMBER = re.compile(r"\d(?:[\d.,:/]*\d)?")
_HAS_SOUND = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class ChunkerConfig:
    """When a unit is complete. Sentences always are; the rest trades delay against prosody.

    A clause that ends in a comma or its like is spoken from `clause_words` words or `clause_characters`
    characters on; a phrase that a conjunction or preposition follows, from `phrase_words` words on. No unit
    has more than `most_words` words or `most_characters` characters unless it is a single word.
    After `pause` seconds without new text, `pause_words` complete words or more are spoken as they are.
    """

    clause_words: int = 4
    clause_characters: int = 20
    phrase_words: int = 6
    most_words: int = 14
    most_characters: int = 120
    pause_words: int = 2
    pause: float = 1.2

    def __post_init__(self) -> None:
        counts = {
            "clause_words": self.clause_words,
            "clause_characters": self.clause_characters,
            "phrase_words": self.phrase_words,
            "most_words": self.most_words,
            "most_characters": self.most_characters,
            "pause_words": self.pause_words,
        }
        for name, count in counts.items():
            if count < 1:
                raise TtsError(f"The chunker's {name} must be at least 1, not {count}.")
        if not self.pause > 0:
            raise TtsError(f"The chunker's pause must be above 0 seconds, not {self.pause}.")


@dataclass(frozen=True)
class _Word:
    """Tokens spoken together ("10 000", "25 %", "Dr. Frey"), and whether a sentence or clause ends here."""

    text: str
    sentence: bool
    clause: bool


class Chunker:
    """Takes settled text in pieces of any size and gives it back in units, every character once, in order.

    Pieces join as they are: a blank between words is part of a piece. The last word is held until a blank, a
    mark or the end of the segment shows that it is whole.
    """

    def __init__(self, language: str = "en", config: ChunkerConfig | None = None) -> None:
        self.config = config or ChunkerConfig()
        self._rules = rules_for(language)
        self._text = ""
        self._since = 0.0

    @property
    def held(self) -> str:
        """Text received and not yet given back."""
        return self._text

    def push(self, text: str, time: float) -> list[str]:
        """Add settled text that became known at `time` seconds; the units it completes."""
        if text:
            self._text += text
            self._since = time
        return self._release(final=False)

    def poll(self, time: float) -> list[str]:
        """The words that have waited for more text for the configured pause, if it is over by `time`."""
        if time - self._since < self.config.pause:
            return []
        words, closed = _group(self._text, self._rules)
        whole = words[:closed]
        if len(whole) < self.config.pause_words or not _speakable(whole):
            return []
        return [self._take(whole)]

    def flush(self) -> list[str]:
        """Everything held, as at the end of a segment or of the stream; blanks alone are let go."""
        units = self._release(final=True)
        self._text = ""
        return units

    def _release(self, final: bool) -> list[str]:
        units = []
        while self._text:
            words, closed = _group(self._text, self._rules)
            cut = self._cut(words[: len(words) if final else closed], words)
            if cut == 0 and final:
                cut = len(words)
            if cut == 0:
                break
            units.append(self._take(words[:cut]))
        return units

    def _take(self, words: list[_Word]) -> str:
        length = sum(len(word.text) for word in words)
        unit, self._text = self._text[:length], self._text[length:]
        if not self._text.strip():
            unit, self._text = unit + self._text, ""
        return unit

    def _cut(self, whole: list[_Word], words: list[_Word]) -> int:
        """How many of the `whole` words make the next unit; 0 when it is not complete."""
        config = self.config
        characters = 0
        best = 0
        for index, word in enumerate(whole):
            count = index + 1
            longer = characters + len(word.text if index else word.text.lstrip())
            if index and longer > config.most_characters:
                return best or index
            characters = longer
            if not _speakable(whole[:count]):
                if count == config.most_words:
                    return count
                continue
            if word.sentence:
                return count
            if word.clause and (count >= config.clause_words or characters >= config.clause_characters):
                return count
            following = words[count].text.strip(_OPENING + " ").lower() if count < len(words) else ""
            opens = count < len(whole) and following in self._rules.openers
            if opens and count >= config.phrase_words:
                return count
            if count == config.most_words:
                return best or count
            if word.clause or (opens and count >= config.pause_words):
                best = count
        return 0


def _speakable(words: list[_Word]) -> bool:
    return any(_HAS_SOUND.search(word.text) for word in words)


def _group(text: str, rules: LanguageRules) -> tuple[list[_Word], int]:
    """The words of `text` and how many of them are surely whole whatever text follows."""
    tokens = _TOKEN.findall(text)
    ended = text[-1:].isspace()
    words: list[_Word] = []
    start = 0
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if following is not None and _joined(token, following, rules):
            continue
        group = "".join(tokens[start : index + 1])
        words.append(_Word(group, *_marks(token, rules, followed=following is not None or ended)))
        start = index + 1
    if not words:
        return [], 0
    last = words[-1]
    if ended:
        return words, len(words) - _may_join(tokens[-1], rules)
    if last.sentence or last.clause:
        return words, len(words)
    # Digits still arriving may turn out to continue a number: "10 0" becomes "10 000".
    growing = len(tokens) > 1 and tokens[-1].strip().isdigit() and bool(_NUMBER.fullmatch(_bare(tokens[-2])))
    return words, max(0, len(words) - 1 - growing)


def _bare(token: str) -> str:
    return token.strip().lstrip(_OPENING).rstrip(CLOSERS)


def _is_abbreviation(token: str, rules: LanguageRules) -> bool:
    bare = _bare(token)
    if not bare.endswith("."):
        return False
    stem = bare[:-1].lower()
    # A single letter is an initial; dots inside make an acronym.
    return stem in rules.abbreviations or (len(stem) == 1 and stem.isalpha()) or _is_acronym(stem)


def _is_acronym(stem: str) -> bool:
    parts = stem.split(".")
    return len(parts) > 1 and all(len(part) == 1 and part.isalpha() for part in parts)


def _may_join(token: str, rules: LanguageRules) -> bool:
    """Whether what follows a blank may belong to this token: digits, an abbreviation, an ordinal."""
    bare = _bare(token)
    if not _HAS_SOUND.search(token):
        return False
    ordinal = rules.ordinal_dot and bare.endswith(".") and bare[:-1].isdigit()
    return bool(_NUMBER.fullmatch(bare)) or ordinal or _is_abbreviation(token, rules)


def _joined(token: str, following: str, rules: LanguageRules) -> bool:
    """Whether no cut may fall between two tokens."""
    after = following.strip()
    if not _HAS_SOUND.search(after) and after.strip(_OPENING):
        # A mark that stands alone (French ":" and "?") and units such as "%" belong to the word before.
        return True
    bare = _bare(token)
    if _NUMBER.fullmatch(bare):
        return bool(re.match(r"\d{3}(?!\d)", after)) and bool(re.search(r"(?<!\d)\d{1,3}$", bare))
    return _may_join(token, rules)


def _marks(token: str, rules: LanguageRules, followed: bool) -> tuple[bool, bool]:
    """Whether a sentence or a clause ends here; after a digit only a blank makes a mark certain."""
    word = token.strip().rstrip(CLOSERS)
    if not word:
        return False, False
    mark, before = word[-1], word[:-1]
    if before[-1:].isdigit() and not followed and mark in ".,:":
        return False, False
    if mark == "." and not followed and rules.may_go_on(_bare(token).lower()):
        return False, False
    if mark == "." and (
        _is_abbreviation(token, rules) or (rules.ordinal_dot and _bare(token)[:-1].isdigit())
    ):
        return False, False
    return mark in SENTENCE_ENDS, mark in CLAUSE_ENDS
