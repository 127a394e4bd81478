"""Where decoded sound stands on a recording's own time: late starts and gaps become silence."""

from __future__ import annotations

_TOLERANCE_SECONDS = 0.1
_BACK_SECONDS = 1.0
_LONGEST_GAP_SECONDS = 3600.0
_MOST_SILENCE = 4.0


class RecordingTime:
    """Compares the time stamps of sound with how much sound there was.

    A jump forward of more than 0.1 s is silence that is missing (smaller ones are the rounding and jitter of
    containers); a jump back of more than 1 s means that time was begun anew, as in files joined end to end, and the
    sound goes on where it was; so it does over jumps of more than an hour, and over any once there was an hour of
    silence and four times as much of it as of sound, since such times are damaged. These are counted in `leaps`.

    Args:
        origin: the time stamp, in seconds, that counts as the recording's start.
    """

    def __init__(self, origin: float = 0.0) -> None:
        self._shift = -origin
        self.position = 0.0
        self.leaps = 0
        self._filled = 0.0

    def missing(self, stamp: float | None) -> float:
        """Seconds of silence before the sound that is stamped with `stamp` (None: it has no time)."""
        if stamp is None:
            return 0.0
        ahead = stamp + self._shift - self.position
        sound = self.position - self._filled
        if ahead > _TOLERANCE_SECONDS and self._filled + ahead > _LONGEST_GAP_SECONDS + _MOST_SILENCE * sound:
            self.leaps += 1
        elif ahead > _TOLERANCE_SECONDS:
            self.position += ahead
            self._filled += ahead
            return ahead
        if ahead > _TOLERANCE_SECONDS or ahead < -_BACK_SECONDS:
            self._shift -= ahead
        return 0.0

    def heard(self, seconds: float) -> None:
        """So much sound was heard."""
        self.position += seconds
