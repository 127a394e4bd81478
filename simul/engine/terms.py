"""What a stream is promised by an engine."""

from __future__ import annotations

from dataclasses import dataclass

from simul.errors import UsageError


@dataclass(frozen=True)
class Terms:
    """How a stream is served.

    live: its audio comes while it is spoken, and a decision that would come too late is passed over. Otherwise (a
    file) every decision is taken, in the time that live streams leave over. slack: seconds after the length of a
    chunk within which the decision on it counts as in time. owner: whose the stream is; owners share a device
    fairly, by their weight.
    """

    live: bool = True
    slack: float = 0.0
    owner: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.slack < 0 or self.weight <= 0:
            raise UsageError("A stream's slack is 0 seconds or more, and its weight more than 0.")
