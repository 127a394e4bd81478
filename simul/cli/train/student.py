"""What the steps of `simul train student` share."""

from __future__ import annotations

from simul.cli.options import Parser
from simul.errors import UsageError

_START = (
    "folder of a Firefox student (model*.bin, vocab*.spm) or of parts (encoder.npz, source.spm, LANGUAGE.npz)"
)


def student_parser(step: str, description: str) -> Parser:
    """The parser of a step with the option that nearly all have, `--start`."""
    parser = Parser(f"train student {step}", description)
    if step != "score":
        parser.add_argument("--start", required=True, metavar="FOLDER", help=_START)
    return parser


def listed(text: str) -> tuple[str, ...]:
    """The languages of a list.

    Raises:
        UsageError: it is empty.
    """
    found = tuple(code.strip() for code in text.split(",") if code.strip())
    if not found:
        raise UsageError("--languages is empty; give target languages, such as de,es.")
    return found
