"""The speech that --speak and --play ask for: into a WAV file, to the loudspeaker."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from simul.cli.places import STANDARD, sound_output
from simul.errors import OutputError

if TYPE_CHECKING:
    from simul.audio.wav import WavWriter
    from simul.cli.context import Context
    from simul.clock import Clock
    from simul.speech import SpeechOutput
    from tts import Engine

_LAST_WORDS_SECONDS = 60.0
"""How long the end of the speech may take after the end of the stream."""


def engine_of(given: argparse.Namespace, context: Context, language: str) -> Engine | None:
    """What speaks where --speak or --play ask for speech; made before a model is loaded, since it may not be here.

    Raises:
        TtsError, ModelMissingError: see `simul.models.voices.speech_engine`.
    """
    if not (given.speak or given.play):
        return None
    from simul.models.voices import speech_engine

    return speech_engine(language, given.voice, context.note)


def make_voice(
    engine: Engine | None,
    given: argparse.Namespace,
    context: Context,
    path: str | None,
    clock: Clock,
    revises: bool,
    stack: contextlib.ExitStack,
    lost: Callable[[OutputError], None],
) -> SpeechOutput | None:
    """The speech that --speak (into `path`) and --play ask for; None without an engine.

    lost: told when the WAV file can no longer be written.
    """
    if engine is None:
        return None
    from simul.speech import SpeechOutput, into_wav, to_loudspeaker
    from tts import Speaker

    players = []
    if path:
        writer = sound_file("--speak", path, engine.rate, context, stack, lost)
        players += [into_wav(writer)] if writer else []
    if given.play:
        from simul.audio.loudspeaker import Loudspeaker

        loudspeaker = stack.enter_context(
            Loudspeaker(engine.rate, context.sound, _play_device(given, context, stack))
        )
        stack.callback(loudspeaker.wait, _LAST_WORDS_SECONDS)
        players.append(to_loudspeaker(loudspeaker))
    return SpeechOutput(Speaker(engine, stopwatch=clock.now), players, revises, context.warn, lost)


def _play_device(given: argparse.Namespace, context: Context, stack: contextlib.ExitStack) -> str | None:
    """The device that --play-device names; a virtual microphone lasts until the command ends."""
    from simul.audio.virtual_microphone import TITLE, VIRTUAL, VirtualMicrophone

    if given.play_device != VIRTUAL:
        name: str | None = given.play_device
        return name
    microphone = stack.enter_context(VirtualMicrophone())
    context.note(f"Other programs hear the translation from the microphone {TITLE}.")
    return microphone.device


def sound_file(
    option: str,
    path: str,
    rate: int,
    context: Context,
    stack: contextlib.ExitStack,
    lost: Callable[[OutputError], None],
) -> WavWriter | None:
    """The WAV file, or standard output for `-`, that an option names; None where the disk is full.

    lost: told of that, at the beginning or at the end.
    """
    from simul.audio.wav import WavWriter

    try:
        writer = WavWriter(sound_output(option, context) if path == STANDARD else path, rate)
    except OutputError as error:
        lost(error)
        return None

    def close() -> None:
        try:
            writer.close()
        except OutputError as error:
            lost(error)

    stack.callback(close)
    return writer
