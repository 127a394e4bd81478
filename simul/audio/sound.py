"""What decodes an open recording, and what is to be told of recordings that were heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from simul.audio.intake import FrameIntake, PcmIntake
from simul.units import Samples

_OPPOSED_SECONDS = 0.5


class Sound(Protocol):
    """Decodes one open recording to mono 16 kHz samples; `notices` grow while it is read."""

    notices: list[str]

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far."""
        ...

    @property
    def opposed_seconds(self) -> float:
        """Seconds of sound in which two channels had opposite polarity."""
        ...

    @property
    def surrounding(self) -> int:
        """Channels that are mixed into the centre's: 5 in 5.1 sound."""
        ...

    def pieces(self) -> Iterator[Samples]:
        """The sound; when the recording breaks off, everything before it comes out first."""
        ...


class TakenIn:
    """What the intakes of a recording's parts, `_intakes`, tell of the whole."""

    _intakes: Sequence[FrameIntake | PcmIntake]

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""
        return sum(intake.bad_samples for intake in self._intakes)

    @property
    def opposed_seconds(self) -> float:
        """Seconds of sound in which two channels had opposite polarity."""
        return sum(intake.opposed_seconds for intake in self._intakes)

    @property
    def surrounding(self) -> int:
        """Channels that are mixed into the centre's."""
        return max((intake.surrounding for intake in self._intakes), default=0)


def ends_early(name: str) -> str:
    """What is said of a recording that ends in the middle of what it began."""
    return (
        f"{name} ends in the middle of its sound, without the mark of an end: it was cut short, as by an interrupted "
        "copy or recording."
    )


def told(name: str, sounds: Sequence[Sound]) -> list[str]:
    """The notices of all parts of an input, each once."""
    found = list(dict.fromkeys(notice for sound in sounds for notice in sound.notices))
    if sum(sound.opposed_seconds for sound in sounds) >= _OPPOSED_SECONDS:
        found.append(
            f"{name}: two channels have opposite polarity and would cancel each other; one was turned."
        )
    if any(sound.surrounding for sound in sounds):
        found.append(
            f"{name} is surround sound, mixed as for a broadcast; where music or noise covers the speech, "
            "--channel centre hears the channel of the dialogue alone."
        )
    return found
