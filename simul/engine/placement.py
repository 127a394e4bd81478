"""Who gets in, on which device, and who moves: pure functions of how much of each device is used."""

from __future__ import annotations

from collections.abc import Sequence

LIMIT = 0.7
"""The share of a device's time that streams may be admitted to; the rest is for what varies."""
MARGIN = 0.2
"""By how much more one device must be used than another before a stream moves."""


def place(used: Sequence[float | None], extra: float, limit: float = LIMIT) -> int | None:
    """The device with most room for a stream that takes `extra` of one; None: none has room.

    used: the share of each device's time that is taken; None: the device does not work.
    """
    working = [(share, number) for number, share in enumerate(used) if share is not None]
    if not working or min(working)[0] + extra > limit:
        return None
    return min(working)[1]


def rebalance(used: Sequence[float | None], extra: float, margin: float = MARGIN) -> tuple[int, int] | None:
    """From which device to which a stream that takes `extra` should move; None: it is not worth it."""
    working = [(share, number) for number, share in enumerate(used) if share is not None]
    if len(working) < 2:
        return None
    (low, to), (high, source) = min(working), max(working)
    return (source, to) if high - low > margin and high - extra > low + extra else None


def refusal(streams: int, used: float, extra: float, limit: float = LIMIT) -> str | None:
    """Why a stream that takes `extra` of a device is not admitted, as a sentence; None: it is."""
    if used + extra <= limit:
        return None
    if not streams:
        return (
            f"This machine is too slow for the stream: it would take {used + extra:.0%} of it, and {limit:.0%} may be "
            "used; choose a smaller model or a longer chunk."
        )
    return (
        f"This machine is full: {streams} streams use {used:.0%} of it, one more would make {used + extra:.0%}, and "
        f"{limit:.0%} may be used; try again when one has ended."
    )
