"""`simul train causal-whisper score`: distance to the teacher, and word errors on given clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simul.cli.context import Context
from simul.cli.options import MOST_ROWS, Parser, whole
from simul.cli.view.progress import progress
from simul.config import MOST_BEAM
from simul.errors import ExitCode, UsageError


def parser() -> Parser:
    """Options of this step."""
    made = Parser(
        "train causal-whisper score",
        "Distance of an encoder's states to its teacher's on sound kept out of training, and word errors, as JSON.",
    )
    made.add_argument(
        "--model",
        default="whisper-base",
        metavar="NAME|FOLDER",
        help="Whisper model with an encoder that `export` wrote, or whisper-base (default: %(default)s)",
    )
    made.add_argument("--run", metavar="FOLDER", help="folder that `prepare` wrote")
    made.add_argument(
        "--windows", type=whole(1, MOST_ROWS), default=64, metavar="N", help="windows of 10 s to compare"
    )
    made.add_argument(
        "--clips", metavar="FILE", help="table (tab stops, columns file and text) of recordings to decode"
    )
    made.add_argument("--limit", type=whole(1, MOST_ROWS), metavar="N", help="at most so many recordings")
    made.add_argument("--language", default="en", metavar="LANGUAGE", help="of the recordings")
    made.add_argument("--beam", type=whole(1, MOST_BEAM), default=5, metavar="N", help="beam size")
    made.add_argument(
        "--compute", choices=("int8", "float32"), default="int8", help="arithmetic of the model"
    )
    return made


def run(arguments: list[str], context: Context) -> int:
    """Run this step; returns the exit code."""
    given = parser().parse(arguments, context)
    if given.run is None and given.clips is None:
        raise UsageError("There is nothing to score; give --run FOLDER, --clips FILE or both.")
    from simul.evaluation.word_errors import word_errors
    from simul.training.causal_whisper.score import decode_clips, read_clips, score_states
    from simul.training.causal_whisper.teacher import teacher_folder

    folder = teacher_folder(given.model)
    found: dict[str, Any] = {}
    if given.run is not None:
        with progress(context, "comparing") as draw:
            found["distance"] = score_states(folder, Path(given.run), given.windows, draw)
    if given.clips is not None:
        clips = read_clips(Path(given.clips), given.limit)
        said = [clip.text for clip in clips]
        with progress(context, "decoding") as draw:
            texts = decode_clips(folder, clips, given.language, given.beam, given.compute, draw)
        found["word errors %"] = {
            way: round(word_errors(zip(said, written, strict=True), given.language).rate, 2)
            for way, written in texts.items()
        }
    context.stdout.write(json.dumps(found, indent=1) + "\n")
    return ExitCode.OK
