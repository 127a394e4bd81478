"""What happens to sessions, on disk: audio as it came and one JSON line for everything else, enough to go on from.

A session has two files, NAME.pcm and NAME.jsonl, readable by their owner alone. They are appended to as things happen,
so that a server that was killed has lost nothing that it acknowledged. A disk that is full ends the journal, not the
session.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from server import protocol as p
from server.codec import build, decode_server, encode
from server.live import LiveSession
from server.voice import SpokenUtterance
from server.workers.messages import PushAudio, SkipAudio, TrackSpec
from simul.errors import SimulError

LOG = logging.getLogger("simul.server")


class JournalError(SimulError):
    """A journal cannot be read."""


class SessionJournal:
    """Writes what happens to one session; the recorder of its books."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._audio: BinaryIO | None = None
        self._lines: BinaryIO | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._audio = _opened(folder / f"{name}.pcm")
            self._lines = _opened(folder / f"{name}.jsonl")
        except OSError as error:
            self._stop(error)

    @classmethod
    def go_on(cls, folder: Path, restored: Restored) -> SessionJournal:
        """The journal of a session that was restored from it, without what is not whole at its end."""
        for suffix, size in (("pcm", restored.audio_bytes), ("jsonl", restored.line_bytes)):
            os.truncate(folder / f"{restored.live.name}.{suffix}", size)
        return cls(folder, restored.live.name)

    @classmethod
    def begin(cls, folder: Path, live: LiveSession, token: str, owner: str) -> SessionJournal:
        """A journal of a new session."""
        journal = cls(folder, live.name)
        spec = {"spec": asdict(live.spec), "audio": asdict(live.audio), "want": asdict(live.want)}
        journal.line("start", name=live.name, owner=owner, **spec)
        journal.line("token", token=token)
        return journal

    def audio(self, data: bytes) -> None:
        """Audio came."""
        self._write(self._audio, data)
        self.line("audio", bytes=len(data))

    def message(self, message: p.ServerMessage) -> None:
        """A numbered message was made; of speech it is noted what was said, not how it sounds."""
        said = message.end if isinstance(message, SpokenUtterance) else message
        self.line("message", message=encode(said))

    def line(self, kind: str, **fields: Any) -> None:
        """Anything else happened."""
        self._write(self._lines, json.dumps({"kind": kind, **fields}, ensure_ascii=False).encode() + b"\n")

    def _write(self, file: BinaryIO | None, data: bytes) -> None:
        if file is None:
            return
        try:
            file.write(data)
            file.flush()
        except OSError as error:
            self._stop(error)

    def _stop(self, error: OSError) -> None:
        LOG.warning("The journal of session %s ends here: %s", self._name, error)
        self.close()

    def close(self) -> None:
        """Nothing more is written."""
        for file in (self._audio, self._lines):
            if file is not None:
                try:
                    file.close()
                except OSError:
                    LOG.debug("closing a journal failed", exc_info=True)
        self._audio = self._lines = None


def _opened(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


@dataclass
class Restored:
    """A session as its journal tells it. over: nobody can come back for it.

    audio_bytes, line_bytes: how much of the files is whole.
    """

    live: LiveSession
    token: str
    owner: str
    over: bool = False
    audio_bytes: int = 0
    line_bytes: int = 0


def read_lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """What happened, in order, each with its bytes; a last line that was not written to its end is left out.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    try:
        with open(path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                found = json.loads(line)
                if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
                    raise JournalError(f"{path} is no journal of a session: a line has no kind.")
                yield found, len(line)
    except (OSError, ValueError, RecursionError) as error:
        raise JournalError(f"The journal {path} cannot be read: {error}.") from error


def messages(path: Path) -> Iterator[p.ServerMessage]:
    """What the server said in a session.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    for line, _ in read_lines(path):
        if line["kind"] == "message":
            text = line.get("message")
            if not isinstance(text, str):
                raise JournalError(f"{path} is no journal of a session: a message has no text.")
            yield decode_server(text)


def restore(path: Path, now: float, whole: bool = False) -> Restored:
    """The session of a journal, ready to go on. whole: with all its audio, for looking at it.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    lines = read_lines(path)
    try:
        first, size = next(lines)
        spec = _spec(first["spec"])
        live = LiveSession(first["name"], spec, build(p.AudioFormat, first["audio"], ""), now)
        live.want = build(p.Want, first["want"], "")
        found = Restored(live, "", first["owner"], line_bytes=size)
        with open(path.with_suffix(".pcm"), "rb") as audio:
            for line, size in lines:
                found.line_bytes += size
                if not whole or line["kind"] in ("audio", "gap", "finish"):
                    _apply(found, line, audio, now)
    except (StopIteration, KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise JournalError(f"{path} is no journal of a session: {error}.") from error
    live.take()
    return found


def _spec(stored: dict[str, Any]) -> TrackSpec:
    pairs = tuple((name, value) for name, value in stored["policy_args"])
    lists = {name: tuple(stored[name]) for name in ("targets", "terms", "between")}
    return TrackSpec(**{**stored, **lists, "policy_args": pairs})


def _apply(found: Restored, line: dict[str, Any], audio: BinaryIO, now: float) -> None:
    live, kind = found.live, line["kind"]
    if kind == "audio":
        found.audio_bytes += line["bytes"]
        live.push(audio.read(line["bytes"]), now)
    elif kind == "gap":
        live.gap_samples(line["samples"], now)
    elif kind == "cut":
        live.cut(line["cut"], line["id"])
    elif kind == "change":
        live.change(_spec(line["spec"]))
    elif kind == "finish":
        live.finish(now)
    elif kind == "dropped":
        found.over = True
    elif kind == "token":
        found.token = line["token"]
    elif kind == "border":
        live.set_border(line["sample"], line["segment"])
    elif kind == "message":
        message = decode_server(line["message"])
        live.said_before(message)
        found.over = found.over or isinstance(message, p.SessionEnd)


def heard(path: Path) -> bytes:
    """What workers were given in a session: 16-bit samples at 16 kHz, silence for time without audio.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    restored = restore(path, 0.0, whole=True)
    return b"".join(
        command.pcm if isinstance(command, PushAudio) else bytes(2 * command.samples)
        for command in restored.live.kept_commands()
        if isinstance(command, (PushAudio, SkipAudio))
    )


def journals(folder: Path, seconds: float, wall: Callable[[], float] = time.time) -> list[Path]:
    """The journals in a folder that were written to within so many seconds, oldest first."""
    ages = [(wall() - path.stat().st_mtime, path) for path in folder.glob("*.jsonl")]
    return [path for age, path in sorted(ages, reverse=True) if age <= seconds]


def left_over(folder: Path, seconds: float, now: float) -> Iterator[Restored]:
    """Sessions of a server before this one that somebody may come back for; journals that cannot be read are logged."""
    for path in journals(folder, seconds):
        try:
            restored = restore(path, now)
        except JournalError as error:
            LOG.warning("%s", error)
            continue
        if not restored.over:
            yield restored
