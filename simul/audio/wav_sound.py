"""The sound of WAV streams: every block of it, of files joined end to end too, from a file or a pipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from simul.audio.intake import PcmIntake
from simul.audio.sound import TakenIn
from simul.audio.wav import Read, WavBlocks, WavFormat
from simul.errors import AudioError
from simul.units import Samples

_READ_BYTES = 1 << 13
_JOINT = re.compile(rb"(?:RIFF|RF64|BW64).{4}WAVEfmt ", re.DOTALL)
_BEGUN = re.compile(rb"[RB]")
_JOINT_BYTES = 16


class WavSound(TakenIn):
    """Decodes a WAV stream from `read` on: PCM, float and G.711 as mono 16 kHz samples.

    Args:
        read: up to n bytes of the stream, fewer only at its end.
        read_some: at least one byte and at most n, without waiting for more; b"" at the end.
        name: what to call the stream in messages.
        channel: the only channel to hear, see `ChannelMixer`.
        skip: passes over n bytes and says how many there were; None reads them.

    Raises:
        AudioError: the header is damaged, ends early, or tells of an encoding that is not PCM, float or G.711.
    """

    def __init__(
        self,
        read: Read,
        read_some: Read,
        name: str,
        channel: str | None = None,
        skip: Callable[[int], int] | None = None,
    ) -> None:
        self._stream = _Unreadable(read, read_some)
        self._name, self._channel = name, channel
        self._blocks = WavBlocks(
            self._stream.read, name, None if skip is None else self._stream.skipping(skip)
        )
        found = self._blocks.next()
        if found is None:
            raise AudioError(f"{name} does not start with a WAV header.")
        self.format: WavFormat = found
        self._intakes: list[PcmIntake] = [self._intake(found)]
        self.notices: list[str] = []

    @property
    def frames(self) -> int:
        """Complete frames taken so far."""
        return sum(intake.frames for intake in self._intakes)

    def _intake(self, form: WavFormat) -> PcmIntake:
        return PcmIntake(form.encoding, form.rate, form.channels, form.names, self._channel, self._name)

    def pieces(self) -> Iterator[Samples]:
        """The sound of all blocks.

        Raises:
            AudioError: the stream broke off with an error, or the header of a joined file is damaged.
        """
        failure: AudioError | None = None
        try:
            form: WavFormat | None = self.format
            while form is not None:
                if _kind(form) != _kind(self.format):
                    yield self._intakes[-1].finish()
                    self._intakes.append(self._intake(form))
                self.format = form
                yield from self._block(form)
                form = self._blocks.next()
        except AudioError as error:
            failure = error
        yield self._intakes[-1].finish()
        if failure is not None:
            raise failure

    def _block(self, form: WavFormat) -> Iterator[Samples]:
        self._intakes[-1].begin_frame()
        if form.data_bytes is None:
            for data in self._stream.until_joint():
                yield self._intakes[-1].push(data)
            return
        left = form.data_bytes
        while left > 0 and (data := self._stream.read_some(min(_READ_BYTES, left))):
            left -= len(data)
            yield self._intakes[-1].push(data)
        if left > 0 and form.promised:
            self.notices.append(self._cut_short(form, left))

    def _cut_short(self, form: WavFormat, left: int) -> str:
        second = form.frame_bytes * form.rate
        whole = (form.data_bytes or 0) / second
        return (
            f"{self._name} announces {whole:.1f} s of sound and ends after {whole - left / second:.1f} s: it was cut "
            "short, as by an interrupted copy or download."
        )


def _kind(form: WavFormat) -> tuple[str, int, int]:
    return form.encoding, form.rate, form.channels


class _Unreadable:
    """A stream to which bytes read too far can be given back."""

    def __init__(self, read: Read, read_some: Read) -> None:
        self._read, self._read_some = read, read_some
        self._back = b""

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer only at the end of the stream."""
        data, self._back = self._back[:count], self._back[count:]
        return data if len(data) == count else data + self._read(count - len(data))

    def read_some(self, most: int) -> bytes:
        """At least one byte and at most `most`; b"" at the end."""
        data, self._back = self._back[:most], self._back[most:]
        return data or self._read_some(most)

    def skipping(self, skip: Callable[[int], int]) -> Callable[[int], int]:
        """`skip` that begins with what was given back."""

        def over(count: int) -> int:
            passed = min(count, len(self._back))
            self._back = self._back[passed:]
            return passed + skip(count - passed)

        return over

    def until_joint(self) -> Iterator[bytes]:
        """Sound of unknown length: up to the end, or up to the header of a further WAV file joined to it."""
        held = b""
        while data := self.read_some(_READ_BYTES):
            held += data
            found = _JOINT.search(held)
            if found:
                self._back = held[found.start() :] + self._back
                yield held[: found.start()]
                return
            sure = max(0, len(held) - _JOINT_BYTES + 1)
            begun = _BEGUN.search(held, sure)
            sure = begun.start() if begun else len(held)
            yield held[:sure]
            held = held[sure:]
        yield held
