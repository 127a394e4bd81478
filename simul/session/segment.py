"""The text of one segment: settled characters, the tail last shown, and what trimming has taken from the prefix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simul.text import Detokenizer


class SegmentText:
    """Joins the segment's tokens.

    first: the segment begins the stream, so that its text has no leading space.
    """

    def __init__(self, first: bool) -> None:
        self.text = ""
        self.gone_tokens: list[str] = []
        """Tokens whose audio has been forgotten; a policy that revises cannot take them back."""
        self._first = first
        self._joined, self._gone = Detokenizer(), Detokenizer()
        self._gone_text = ""
        self._tail: tuple[str, str | None] = ("", None)

    def _stripped(self, text: str) -> str:
        return text.lstrip(" ") if self._first and not self.text else text

    def push(self, tokens: Sequence[str]) -> str:
        """Settle tokens; the text that they complete."""
        text = self._stripped(self._joined.push(tokens))
        self.text += text
        return text

    def preview(self, tokens: Sequence[str]) -> str:
        """The text that `tokens` would complete."""
        return self._stripped(self._joined.preview(tokens))

    def changed_tail(self, text: str, source: str | None) -> bool:
        """Whether the tail differs from the last one shown; it then counts as shown."""
        changed, self._tail = (text, source) != self._tail, (text, source)
        return changed

    def flush(self) -> str:
        """What is left of an unfinished character at the end."""
        rest = self._joined.flush()
        self.text += rest
        return rest

    def forget(self, tokens: Sequence[str]) -> None:
        """The audio of the first tokens is gone, and they leave the prefix."""
        self.gone_tokens += tokens
        self._gone_text += self._gone.push(tokens)

    def rebuild(self, tokens: Sequence[str]) -> int:
        """Only `tokens` stand after the forgotten ones; how many characters went."""
        before = len(self.text)
        self._joined = self._gone.copy()
        kept = self._gone_text + self._joined.push(tokens)
        self.text = kept.lstrip(" ") if self._first else kept
        return before - len(self.text)

    def dump(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "text": self.text,
            "gone_tokens": self.gone_tokens.copy(),
            "first": self._first,
            "joined": self._joined.held,
            "gone": self._gone.held,
            "gone_text": self._gone_text,
            "tail": list(self._tail),
        }

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> SegmentText:
        """What `dump` gave."""
        text = cls(dumped["first"])
        text.text, text.gone_tokens = dumped["text"], list(dumped["gone_tokens"])
        text._joined = Detokenizer.holding(dumped["joined"])
        text._gone = Detokenizer.holding(dumped["gone"])
        text._gone_text, text._tail = dumped["gone_text"], tuple(dumped["tail"])
        return text
