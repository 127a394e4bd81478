"""The captions of a talk: lines of settled text, translated once for each language and only while somebody watches it.

No input, output or clock. Lines are sentences, or what of a segment is left at its end; a long sentence is cut. Where a
translation is late, the line stands in for it in the language spoken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from server import protocol as p
from server.stage.messages import AudienceLanguage, Caption, CaptionTail, WatchReady, WatchState
from server.stage.speech import StageSpeech
from simul.languages import NAMES
from simul.models.translation.sentences import sentence_spans

LATE_SECONDS = 2.0
KEPT_LINES = 2_000
SHOWN_SECONDS = 180.0
"""Of the talk, to those who join late."""
LONGEST_LINE = 240
CAUGHT_UP = 500
"""Events of a language that are kept for those who come back."""


class Watcher(Protocol):
    """Somebody in the audience."""

    def tell(self, message: p.ServerMessage) -> None:
        """Show a message; must not wait."""


@dataclass
class Line:
    """A line of the talk: when it was complete, and its translations by language ("" : asked for)."""

    number: int
    text: str
    t0: int
    t1: int
    since: float
    translations: dict[str, str] = field(default_factory=dict)
    stood_in: set[str] = field(default_factory=set)


Translate = Callable[[int, str, str], None]
"""Asks for a line in a language: its number, its text, the language."""


class Stage:
    """Captions of one talk after the other. languages: codes that can be watched, the one spoken first.

    speech: those that can be heard as well.
    """

    def __init__(
        self, languages: Iterable[str], translate: Translate, speech: StageSpeech | None = None
    ) -> None:
        self.languages = tuple(dict.fromkeys(languages))
        self.speech = speech or StageSpeech((), lambda job: False)
        self.live = False
        self._translate = translate
        self._watchers: dict[str, list[Watcher]] = {code: [] for code in self.languages}
        self._lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._told: dict[str, deque[Caption]] = {code: deque(maxlen=CAUGHT_UP) for code in self.languages}
        self._open = ""
        self._t0: int | None = None
        self._count = self._event = 0

    @property
    def source(self) -> str:
        """The language spoken."""
        return self.languages[0]

    @property
    def watchers(self) -> int:
        """How many watch."""
        return sum(len(watching) for watching in self._watchers.values())

    def lines(self) -> list[Line]:
        """The lines that are kept."""
        return list(self._lines)

    # -- the talk -------------------------------------------------------------------------------------------------

    def heard(self, message: p.ServerMessage, now: float) -> None:
        """What the speaker's session says."""
        if isinstance(message, p.SessionReady):
            self._set_live(True)
        elif isinstance(message, p.SessionEnd):
            self._set_live(False)
        elif isinstance(message, p.SettledText) and message.stream == p.SOURCE:
            self._t0 = message.t0 if self._t0 is None else self._t0
            self._open += message.text
            self._cut(message.t1, now, last=False)
            self._show_tail(message.tail)
        elif isinstance(message, p.TailText) and message.stream == p.SOURCE:
            self._show_tail(message.text)
        elif isinstance(message, p.SegmentDone) and message.stream == p.SOURCE:
            self._cut(message.t1, now, last=True)

    def _set_live(self, live: bool) -> None:
        if live != self.live:
            self.live = live
            for code in self.languages:
                self._tell(code, WatchState(live))

    def _cut(self, t1: int, now: float, last: bool) -> None:
        """Make lines of what is open; the sentence that goes on stays."""
        words = self._open.split()
        spans = sentence_spans(words, self.source)
        ready = spans if last else spans[:-1]
        done = [" ".join(words[a:b]) for a, b in ready]
        rest = words[ready[-1][1] if ready else 0 :]
        while not last and len(text := " ".join(rest)) > LONGEST_LINE:
            count = len(text[:LONGEST_LINE].split()) - 1 or 1
            done.append(" ".join(rest[:count]))
            rest = rest[count:]
        if done:
            self._open = " ".join(rest)
        for text in done:
            self._line(text, t1, now)

    def _line(self, text: str, t1: int, now: float) -> None:
        line = Line(self._count, text, self._t0 if self._t0 is not None else t1, t1, now)
        self._count += 1
        self._t0 = t1
        self._lines.append(line)
        for code in self.languages:
            if code == self.source:
                self._show(line, code, text)
                self.speech.say(code, text, line.t0, line.t1, now)
            elif self._watchers[code] or self.speech.heard(code):
                self._ask(line, code)

    def _ask(self, line: Line, code: str) -> None:
        if code not in line.translations:
            line.translations[code] = ""
            self._translate(line.number, line.text, code)

    def _show_tail(self, text: str) -> None:
        shown = (self._open + text).strip()
        self._tell(self.source, CaptionTail(self.source, shown))

    def translated(self, number: int, code: str, text: str, now: float) -> None:
        """A translation; empty where there is none to be had."""
        line = next((line for line in reversed(self._lines) if line.number == number), None)
        if line is None:
            return
        if text:
            line.translations[code] = text
            self._show(line, code, text)
            self.speech.say(code, text, line.t0, line.t1, now)
        elif code not in line.stood_in:
            self._stand_in(line, code)

    def tick(self, now: float) -> None:
        """Lines whose translations are late are shown as they were said; what is spoken goes on."""
        self.speech.tick(now)
        for line in reversed(self._lines):
            if now - line.since > 10 * LATE_SECONDS:
                break
            for code, text in line.translations.items():
                if not text and code not in line.stood_in and now - line.since > LATE_SECONDS:
                    self._stand_in(line, code)

    def _stand_in(self, line: Line, code: str) -> None:
        line.stood_in.add(code)
        self._show(line, code, line.text, stand_in=True)

    def _show(self, line: Line, code: str, text: str, stand_in: bool = False) -> None:
        self._event += 1
        language = self.source if stand_in else code
        caption = Caption(self._event, line.number, language, text, line.t0, line.t1, stand_in)
        self._told[code].append(caption)
        self._tell(code, caption)

    def _tell(self, code: str, message: p.ServerMessage) -> None:
        for watcher in list(self._watchers[code]):
            watcher.tell(message)

    # -- the audience ---------------------------------------------------------------------------------------------

    def watch(self, watcher: Watcher, language: str, after: int | None, now: float) -> bool:
        """Somebody watches a language; False where there is no such. after: the last event they know."""
        if language not in self._watchers:
            return False
        named = tuple(AudienceLanguage(code, NAMES.get(code, code)) for code in self.languages)
        watcher.tell(WatchReady(named, self.source, language, self.live, self.speech.languages))
        self._watchers[language].append(watcher)
        told = self._told[language]
        if after is not None and told and told[0].event <= after + 1:
            for caption in told:
                if caption.event > after:
                    watcher.tell(caption)
            self._show_past(watcher, language, now, missing=True)
        else:
            self._show_past(watcher, language, now)
        if language == self.source and self._open:
            watcher.tell(CaptionTail(language, self._open.strip()))
        return True

    def _show_past(self, watcher: Watcher, language: str, now: float, missing: bool = False) -> None:
        """The last minutes; what was not translated yet is asked for, and stands there as it was said until then.

        missing: only what was said while nobody watched the language.
        """
        shown = {caption.line: caption for caption in self._told[language]}
        for line in self._lines:
            if now - line.since > SHOWN_SECONDS:
                continue
            if line.number in shown:
                if not missing:
                    watcher.tell(shown[line.number])
            else:
                line.stood_in.add(language)
                place = (line.number, self.source, line.text, line.t0, line.t1, True)
                watcher.tell(Caption(self._event, *place))
            if language != self.source:
                self._ask(line, language)

    def leave(self, watcher: Watcher) -> None:
        """Somebody stops watching."""
        for watching in self._watchers.values():
            if watcher in watching:
                watching.remove(watcher)

    def webvtt(self, language: str) -> str:
        """What has been said so far, as WebVTT; lines without a translation stand there as they were said."""
        cues = ["WEBVTT\n"]
        for line in self._lines:
            text = line.translations.get(language) or line.text
            times = f"{_stamp(line.t0)} --> {_stamp(max(line.t1, line.t0 + 1))}"
            cues.append(f"{line.number + 1}\n{times}\n{_safe(text)}\n")
        return "\n".join(cues)


def _stamp(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
