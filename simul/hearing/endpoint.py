"""Finds where utterances start and end in a stream of 30 ms frames, from voiced/unvoiced decisions alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Change = Literal["none", "start", "pause", "limit"]


@dataclass(frozen=True)
class EndpointConfig:
    """Thresholds in frames of 30 ms.

    An utterance starts when `start_voiced` of the last `lookback` frames are voiced, and then reaches back to
    the first of them. It ends when `end_share` of the last `pause` frames are unvoiced. From `soft_limit`
    frames on, `short_pause` unvoiced frames are enough; at `hard_limit` it ends in any case, so that memory
    and the cost of the final pass are bounded. The defaults were chosen on librispeech-mini train without its
    first 25 rows for what comes out of the translator, which does better on clauses than on long stretches.
    """

    lookback: int = 15
    start_voiced: int = 7
    pause: int = 12
    short_pause: int = 7
    end_share: float = 0.9
    soft_limit: int = 80
    hard_limit: int = 800

    def __post_init__(self) -> None:
        if not 0 < self.start_voiced <= self.lookback:
            raise ValueError(
                f"start_voiced must lie in 1..lookback ({self.lookback}), not {self.start_voiced}"
            )
        if not 0 < self.short_pause <= self.pause:
            raise ValueError(f"short_pause must lie in 1..{self.pause}, not {self.short_pause}")
        if not self.lookback < self.soft_limit <= self.hard_limit:
            raise ValueError("limits must satisfy lookback < soft_limit <= hard_limit")


class Endpointer:
    """State machine over voiced/unvoiced frames.

    Other than `pocketsphinx.Endpointer` it holds back no audio: inside an utterance every frame is passed
    on at once, and only the decision that the utterance has ended waits for the pause.
    """

    def __init__(self, config: EndpointConfig) -> None:
        self._config = config
        self._recent: deque[bool] = deque(maxlen=max(config.lookback, config.pause))
        self._length = 0
        self.in_speech = False

    def push(self, voiced: bool) -> Change:
        """Take the decision for the next frame and tell what changed with it."""
        config = self._config
        self._recent.append(voiced)
        if not self.in_speech:
            window = list(self._recent)[-config.lookback :]
            if sum(window) < config.start_voiced:
                return "none"
            self.in_speech = True
            self._length = len(window)
            return "start"
        self._length += 1
        change = self._ending()
        if change != "none":
            self._recent.clear()
            self.in_speech = False
        return change

    def _ending(self) -> Change:
        config = self._config
        if self._length >= config.hard_limit:
            return "limit"
        pause = config.pause if self._length < config.soft_limit else config.short_pause
        window = list(self._recent)[-pause:]
        silent = len(window) - sum(window)
        return "pause" if len(window) == pause and silent >= config.end_share * pause else "none"

    @property
    def pending_voiced(self) -> int:
        """Voiced frames among the last `lookback` ones that have not yet started an utterance."""
        return 0 if self.in_speech else sum(list(self._recent)[-self._config.lookback :])

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain values."""
        return {"recent": list(self._recent), "length": self._length, "in_speech": self.in_speech}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave."""
        self._recent.extend(dumped["recent"])
        self._length, self.in_speech = dumped["length"], dumped["in_speech"]
