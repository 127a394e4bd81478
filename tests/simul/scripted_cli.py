"""The command line with a scripted model in place of a real one; also runs as a program for subprocess tests."""

from __future__ import annotations

import io
import os
import sys
import time
from types import SimpleNamespace

import numpy as np

from policies.base import Candidate
from simul.backends.scripted import Pass, ScriptedBackend, ScriptedSegment
from simul.cli.context import Context
from simul.cli.main import main

SECOND = 16_000
SENTENCES = (
    ("we leave early tomorrow", "Morgen fahren wir früh los, sagt sie."),
    ("and come back late", " Und spät kommen wir zurück."),
)
SEGMENT_SECONDS = 3
TEXT = "Morgen fahren wir früh los, sagt sie. Und spät kommen wir zurück."
LINES = "Morgen fahren wir früh los, sagt sie.\nUnd spät kommen wir zurück.\n"
SOURCE = "we leave early tomorrow and come back late"


def scripted_backend(seconds_per_pass: float = 0.0) -> ScriptedBackend:
    """Two segments of three seconds; every half second another word is understood, one pass ahead of certainty."""
    segments = []
    for number, (source, target) in enumerate(SENTENCES):
        start = number * SEGMENT_SECONDS * SECOND
        length = SEGMENT_SECONDS * SECOND
        words = [(" " if i or number else "") + word for i, word in enumerate(target.split())]
        heard = source.split()
        passes = []
        for step in range(1, 7):
            count = round(len(words) * step / 6)
            places = [
                (start + length * i // len(words), start + length * (i + 1) // len(words))
                for i in range(count)
            ]
            understood = " ".join(heard[: round(len(heard) * step / 6)])
            candidate = Candidate(
                tuple(words[:count]), spans=np.array(places, np.int64).reshape(-1, 2), source_text=understood
            )
            passes.append(Pass(start + step * SECOND // 2, candidate))
        segments.append(ScriptedSegment(start, start + length, tuple(passes)))

    def decode_slowly(size: int) -> None:
        if seconds_per_pass:
            print("A pass.", file=sys.stderr, flush=True)
            time.sleep(seconds_per_pass)

    return ScriptedBackend(segments, on_decode=decode_slowly)


def load(config, source, target, needs):
    """Stands for `simul.backends.families.load_backend`."""
    pace = float(os.environ.get("SECONDS_PER_PASS", "0"))
    return SimpleNamespace(backend=scripted_backend(pace), description="Scripted model.")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def command(*arguments, stdin=b"", terminal=False, environ=None, sound=None, loader=load):
    """Run a command in this process: (exit code, standard output, standard error)."""
    stream = Terminal if terminal else io.StringIO
    context = Context(io.BytesIO(stdin), stream(), stream(), environ or {}, loader, sound)
    code = main([str(argument) for argument in arguments], context)
    return code, context.stdout.getvalue(), context.stderr.getvalue()


def talk(path, seconds=6.0, rate=SECOND, channels=1, subtype="PCM_16"):
    """A sound file of quiet noise; the scripted model does not listen to it."""
    import soundfile

    shape = (int(seconds * rate), channels)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, shape).astype(np.float32)
    soundfile.write(path, noise, rate, subtype=subtype)
    return path


if __name__ == "__main__":
    program = Context.of_process()
    program.load_backend = load
    sys.exit(main(None, program))
