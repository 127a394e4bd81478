"""`simul replay`: what a session of the server was, from its journal."""

from __future__ import annotations

from pathlib import Path

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "replay", "Print the text of a session from the journal of a server (`simul serve --journal DIR`)."
    )
    p.add_argument("journal", metavar="FILE", help="DIR/NAME.jsonl")
    p.add_argument("--json", action="store_true", help="the numbered messages, one a line")
    p.add_argument("--wav", metavar="FILE", help="also write what was heard, 16-bit at 16 kHz")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    from server.codec import encode
    from server.journal import heard, messages
    from server.protocol import SegmentDone

    path = Path(given.journal)
    for message in messages(path):
        if given.json:
            context.stdout.write(encode(message) + "\n")
        elif isinstance(message, SegmentDone):
            row = (f"{message.t0 / 1000:.2f}", f"{message.t1 / 1000:.2f}", message.stream, message.text)
            context.stdout.write("\t".join(row) + "\n")
    if given.wav:
        _write_wav(given.wav, heard(path))
        context.note(f"Wrote {given.wav}.")
    return ExitCode.OK


def _write_wav(name: str, pcm: bytes) -> None:
    import numpy as np

    from simul.audio.wav import WavWriter
    from simul.units import SAMPLE_RATE

    with WavWriter(name, SAMPLE_RATE) as wav:
        wav.write(np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768))
