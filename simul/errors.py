"""Errors a user can act on, and the exit codes of the command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of every `simul` command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    MODEL_MISSING = 3
    AUDIO_DEVICE = 4
    CONNECTION = 5
    PARTIAL = 6
    INTERRUPTED = 130


class SimulError(Exception):
    """Something a user can mend; the message says what was wrong, where, and what to do."""

    exit_code = ExitCode.FAILED


class UsageError(SimulError):
    """A value on the command line or in a configuration is not one that is known."""

    exit_code = ExitCode.USAGE


class OutputError(SimulError):
    """A result can no longer be written, since the disk is full or the file went away."""


class AudioError(SimulError):
    """An audio input cannot be read."""


class DeviceError(SimulError):
    """No usable microphone, loudspeaker or audio library."""

    exit_code = ExitCode.AUDIO_DEVICE


class ModelMissingError(SimulError):
    """A model, its files or its package is not on this machine."""

    exit_code = ExitCode.MODEL_MISSING


class ModelDamagedError(ModelMissingError):
    """A file of a model is not the one that the catalogue knows."""


class DownloadError(SimulError):
    """Something could not be fetched from a server."""

    exit_code = ExitCode.CONNECTION


class EvidenceError(SimulError):
    """A policy needs evidence that the backend cannot provide."""

    exit_code = ExitCode.USAGE


class OverloadedError(SimulError):
    """There is no room for a further stream now. `retry_after`: seconds after which it is worth asking again."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def exit_code_of(error: BaseException) -> int | None:
    """The exit code of an error that a user can act on; None for any other.

    The packages that this one stands on have errors of their own, which carry `exit_code` too.
    """
    code = getattr(error, "exit_code", None)
    return None if code is None else int(code)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A clause naming the nearest known word, or nothing."""
    names = list(known)
    begun = sorted((name for name in names if len(word) > 2 and name.startswith(word)), key=len)
    near = begun if len(begun) == 1 else difflib.get_close_matches(word, names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def failure_message(error: Exception) -> str:
    """What an error event says of an exception."""
    if isinstance(error, SimulError):
        return str(error)
    what = str(error).strip().partition("\n")[0] or "no further message"
    return f"Computing failed ({type(error).__name__}: {what}); what was settled before stays valid."
