"""Sound from an address (http, https, HLS, rtsp, rtmp, srt, udp ...) as a source that survives a lost connection."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from simul.audio.container import ContainerSound, Listening
from simul.audio.sound import told
from simul.audio.sources import AudioSource
from simul.clock import Clock, WallClock
from simul.errors import AudioError
from simul.units import SAMPLE_RATE, Samples

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_WEB = frozenset({"http", "https"})
_WEB_OPTIONS = {"reconnect": "1", "reconnect_on_network_error": "1", "reconnect_delay_max": "2"}


def is_address(name: str) -> bool:
    """Whether an input is an address rather than a file: `scheme://...`."""
    return _ADDRESS.match(name) is not None


def address_stem(address: str) -> str:
    """What the outputs of an address are called: the last part of its path, or its host."""
    parts = urlsplit(address)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return last.rpartition(".")[0] or last or parts.hostname or "stream"


class AddressSource(AudioSource):
    """Sound from an address as mono 16 kHz chunks, given out as it arrives, through PyAV.

    A recording on a web server is read to its end; where the connection breaks, reading goes on where it was. A live
    stream has no end; where its connection breaks it is opened anew, up to `attempts` times in a row, and silence
    stands for the time that was lost, so that positions stay true. What happened is told in `notices`.

    Args:
        address: of what FFmpeg can open: http, https (also HLS playlists), rtsp, rtmp, udp, and srt where PyAV's
            libraries have it.
        chunk_ms: chunk length.
        listening: the track and the channel to hear.
        clock: tells how long the connection was lost, and waits between attempts.
        attempts: how often in a row the address is opened again before that is given up.
        pause_seconds: time between attempts.
        timeout_seconds: how long nothing may arrive before a connection counts as lost.

    Raises:
        AudioError: nothing answers there, or what does is no sound; from the iteration, after everything that was
            heard: the connection was lost and did not come back.
        UsageError: an unusable `chunk_ms`; there is not that track or channel.
    """

    def __init__(
        self,
        address: str,
        chunk_ms: float = 500,
        *,
        listening: Listening | None = None,
        clock: Clock | None = None,
        attempts: int = 5,
        pause_seconds: float = 2.0,
        timeout_seconds: float = 10.0,
    ) -> None:
        super().__init__(address, chunk_ms)
        self._listening, self._clock = listening or Listening(), clock or WallClock()
        self._attempts, self._pause, self._timeout = attempts, pause_seconds, timeout_seconds
        self._closed = False
        self._given = 0
        self._losses: list[str] = []
        self._sounds = [self._opened()]
        seconds = self._sounds[0].seconds
        self.duration_samples = None if seconds is None else round(seconds * SAMPLE_RATE)

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""
        return sum(sound.bad_samples for sound in self._sounds)

    @property
    def notices(self) -> list[str]:
        """Sentences on what was found there so far and should be known."""
        return [*told(self.name, self._sounds), *self._losses]

    def close(self) -> None:
        """Hang up; closing twice does no harm."""
        self._closed = True
        for sound in self._sounds:
            sound.close()

    def _opened(self) -> ContainerSound:
        import av

        options = dict(_WEB_OPTIONS) if urlsplit(self.name).scheme.lower() in _WEB else {}
        try:
            container: Any = av.open(self.name, options=options, timeout=self._timeout)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise AudioError(_refusal(self.name, error)) from None
        return ContainerSound(container, self.name, self._listening)

    def _pieces(self) -> Iterator[Samples]:
        try:
            while (failure := (yield from self._connection())) is not None:
                lost = self._clock.now()
                self._reopen(failure)
                away = self._clock.now() - lost
                at = self._given / SAMPLE_RATE
                self._losses.append(
                    f"{self.name}: the connection was lost after {at:.1f} s and came back {away:.1f} s later."
                )
                if self.duration_samples is None:
                    yield self._counted(np.zeros(round(away * SAMPLE_RATE), np.float32))
            if not self._given and not self._closed:
                raise AudioError(f"{self.name} holds no sound; check the address in a player.")
        finally:
            self.close()

    def _connection(self) -> Generator[Samples, None, AudioError | None]:
        """What comes over the newest connection; returns why it broke, None at the end of the sound."""
        known = self._given if self.duration_samples is not None and len(self._sounds) > 1 else 0
        sound = self._sounds[-1]
        try:
            for piece in sound.pieces():
                fresh = piece[min(known, len(piece)) :]
                known -= len(piece) - len(fresh)
                yield self._counted(fresh)
                if self._closed:
                    return None
        except AudioError as error:
            return error
        return self._broken_off()

    def _broken_off(self) -> AudioError | None:
        """Why a recording counts as broken off that ended in order, but long before its length."""
        missing = (self.duration_samples or 0) - self._given
        if missing <= SAMPLE_RATE or len(self._sounds) > self._attempts:
            return None
        return AudioError(f"{missing / SAMPLE_RATE:.1f} s of it did not come")

    def _counted(self, samples: Samples) -> Samples:
        self._given += len(samples)
        return samples

    def _reopen(self, failure: AudioError) -> None:
        """Open the address anew, trying for a while; an AudioError when that fails."""
        self._sounds[-1].close()
        reason = failure
        for attempt in range(self._attempts):
            if self._closed:
                break
            if attempt:
                self._clock.sleep_until(self._clock.now() + self._pause)
            try:
                self._sounds.append(self._opened())
                return
            except AudioError as error:
                reason = error
        raise AudioError(
            f"The connection to {self.name} was lost after {self._given / SAMPLE_RATE:.1f} s and did not come back: "
            f"{str(reason).rstrip('.')}."
        )


def _refusal(address: str, error: Exception) -> str:
    scheme = urlsplit(address).scheme
    reason = getattr(error, "strerror", None) or str(error)
    if "Protocol not found" in reason:
        return (
            f"{address} cannot be read: the installed PyAV knows no {scheme}; let FFmpeg read it "
            f"(`ffmpeg -i {address} -f wav - | simul translate -`)."
        )
    return f"{address} cannot be read ({reason}); check the address and that its server can be reached."
