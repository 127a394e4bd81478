"""Options that the subcommands of `simul score` share; OmniSTEval's flags keep their names."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from simul.cli.context import Context
from simul.cli.options import LARGEST_SEED, MOST_JOBS, Parser, whole
from simul.cli.places import STANDARD, check_apart, check_folder
from simul.errors import UsageError
from simul.languages import language_code

FORMATS = ("table", "json", "tsv", "html")
SUFFIXES = {".json": "json", ".tsv": "tsv", ".html": "html", ".htm": "html", ".txt": "table"}
"""Format of a file that -o names, by its suffix."""

_UNDERSCORED = [
    "hypothesis_file",
    "ref_sentences_file",
    "speech_segmentation",
    "text_segmentation",
    "resegmented_hypothesis",
    "hypothesis_format",
    "simulstream_config_file",
    "offset_delays",
    "fix_simuleval_emission_ca",
    "emission_cu_key",
    "emission_ca_key",
    "bleu_tokenizer",
    "comet_model",
    "source_sentences_file",
    "no_quality",
    "no_latency",
    "output_folder",
    "char_level",
    "word_level",
]


FEWEST_SAMPLES = 100
"""Samples of a bootstrap below which its intervals are remarked on."""


def spelled(arguments: Iterable[str]) -> list[str]:
    """Arguments with flags as they are declared: OmniSTEval's with underscores, the others with hyphens."""
    found = []
    for text in arguments:
        if text.startswith("--"):
            flag, equals, value = text[2:].partition("=")
            low = flag.replace("-", "_")
            text = "--" + (low if low in _UNDERSCORED else flag.replace("_", "-")) + equals + value
        found.append(text)
    return found


def add_segmentation(p: Parser, resegmented: bool = True) -> None:
    """Reference segments of recordings and the language they are compared in."""
    group = p.add_argument_group("reference segments of whole recordings")
    group.add_argument(
        "--speech_segmentation",
        metavar="FILE",
        help="segments with wav, offset and duration: .yaml, .json or .tsv",
    )
    group.add_argument(
        "--text_segmentation", metavar="FILE", help="lines docid=D,segid=S, one for each reference"
    )
    if resegmented:
        group.add_argument(
            "--resegmented_hypothesis",
            metavar="FILE",
            help="score a file that is cut into segments already (instances.resegmented.jsonl)",
        )
    group.add_argument(
        "--lang",
        type=language_code,
        metavar="CODE",
        help="language of word tokenisation; without it, zh and ja: none",
    )
    group.add_argument(
        "--offset_delays",
        action="store_true",
        help="times count from the start of each recording's first segment",
    )


def add_units(p: Parser) -> None:
    """Word or character level, exactly one of them."""
    group = p.add_argument_group("units (one of them is needed)")
    group.add_argument("--word_level", action="store_true", help="align and count words")
    group.add_argument("--char_level", action="store_true", help="align and count characters")


def add_reading(p: Parser, formats: bool = True) -> None:
    """How hypotheses are read."""
    group = p.add_argument_group("reading hypotheses")
    if formats:
        group.add_argument(
            "--hypothesis_format",
            choices=("jsonl", "text", "simulstream"),
            default="jsonl",
            help="SimulEval log, one text per line, or simulstream log",
        )
        group.add_argument(
            "--simulstream_config_file",
            metavar="FILE",
            help="evaluation config of simulstream (detokenizer_type, latency_unit)",
        )
    group.add_argument(
        "--emission_cu_key", metavar="KEY", help="key of computation-unaware times (delays unless given)"
    )
    group.add_argument(
        "--emission_ca_key", metavar="KEY", help="key of computation-aware times (elapsed unless given)"
    )
    group.add_argument(
        "--fix_simuleval_emission_ca",
        action="store_true",
        help="repair SimulEval's cumulative elapsed times of whole recordings",
    )


def add_quality(p: Parser) -> None:
    """Which scores, and how texts are compared."""
    group = p.add_argument_group("scores")
    group.add_argument("--no_quality", action="store_true", help="leave out BLEU, chrF and COMET")
    group.add_argument("--no_latency", action="store_true", help="leave out latency")
    group.add_argument("--bleu_tokenizer", default="13a", metavar="NAME", help="tokenizer of sacreBLEU")
    group.add_argument("--comet", action="store_true", help="add COMET (needs unbabel-comet and its model)")
    group.add_argument(
        "--comet_model",
        default="Unbabel/wmt22-comet-da",
        metavar="NAME",
        help="checkpoint file, or name of a model in the hub cache",
    )
    group.add_argument("--source_sentences_file", metavar="FILE", help="source texts for COMET, a line each")
    group.add_argument(
        "--allow-download", action="store_true", help="let COMET fetch its model when it is not here"
    )


def add_bootstrap(p: Parser, samples: int = 0) -> None:
    """Confidence intervals by resampling."""
    group = p.add_argument_group("confidence")
    group.add_argument(
        "--bootstrap",
        type=whole(0, 1_000_000),
        default=samples,
        metavar="N",
        help="samples of the bootstrap; 0: none",
    )
    group.add_argument(
        "--bootstrap-by",
        choices=("segment", "document"),
        default="segment",
        help="what is drawn: segments, or whole recordings",
    )
    group.add_argument("--confidence", type=float, default=0.95, metavar="P", help="level of the intervals")
    group.add_argument(
        "--seed", type=whole(0, LARGEST_SEED), default=12345, metavar="N", help="seed of the random draws"
    )


def add_output(p: Parser, folder: bool = True, per_segment: bool = True) -> None:
    """Where results go."""
    group = p.add_argument_group("output")
    group.add_argument("--format", choices=FORMATS, default="table", help="what standard output shows")
    group.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FILE",
        help="write the result there too, in the format of the suffix: .json, .tsv, .html, .txt (repeatable)",
    )
    if folder:
        group.add_argument(
            "--output_folder", metavar="DIR", help="write scores.tsv and the other files of OmniSTEval there"
        )
    if per_segment:
        group.add_argument(
            "--per-segment", metavar="FILE", help="write every score of every segment: .tsv or .jsonl"
        )


def add_jobs(p: Parser) -> None:
    """Recordings at a time."""
    p.add_argument(
        "--jobs",
        type=whole(1, MOST_JOBS),
        default=os.cpu_count() or 1,
        metavar="N",
        help="recordings aligned at a time",
    )


def char_level(given: argparse.Namespace) -> bool:
    """Whether characters are counted.

    Raises:
        UsageError: neither or both of the levels were asked for.
    """
    if given.word_level == given.char_level:
        raise UsageError(
            "Say what is counted: exactly one of --word_level and --char_level "
            "(characters for Chinese and Japanese)."
        )
    return bool(given.char_level)


def check(given: argparse.Namespace, context: Context, logs: Iterable[str] = ()) -> None:
    """Refuse values that are of the right type and still cannot be; `logs`: inputs without an option.

    Raises:
        UsageError: one of them.
    """
    if 0 < getattr(given, "bootstrap", 0) < FEWEST_SAMPLES:
        context.warn(f"Intervals from {given.bootstrap} drawn corpora say little; give --bootstrap 1000.")
    if not 0 < getattr(given, "confidence", 0.5) < 1:
        raise UsageError(f"--confidence is {given.confidence:g}; give a number between 0 and 1.")
    if getattr(given, "comet", False) and not given.no_quality and not given.source_sentences_file:
        raise UsageError("--comet compares with the source: add --source_sentences_file.")
    given.output = [name for name in given.output if name != STANDARD]
    for name in given.output:
        if _suffix(name) not in SUFFIXES:
            raise UsageError(
                f"-o {name} has no known suffix; name a file ending in .json, .tsv, .html or .txt."
            )
    per_segment = getattr(given, "per_segment", None)
    if per_segment and _suffix(per_segment) not in (".tsv", ".jsonl"):
        raise UsageError(f"--per-segment {per_segment} must end in .tsv or .jsonl.")
    check_places(given, context, logs)


_INPUTS = (
    "hypothesis_file",
    "ref_sentences_file",
    "speech_segmentation",
    "text_segmentation",
    "resegmented_hypothesis",
    "simulstream_config_file",
    "source_sentences_file",
    "words",
    "log",
)


def check_places(given: argparse.Namespace, context: Context, logs: Iterable[str] = ()) -> None:
    """Refuse outputs that would overwrite each other or an input; `logs`: inputs without an option.

    Raises:
        UsageError: one of them.
    """
    outputs = [("-o", name) for name in given.output]
    if getattr(given, "per_segment", None):
        outputs.append(("--per-segment", given.per_segment))
    if getattr(given, "output_folder", None):
        check_folder("--output_folder", given.output_folder)
        names = ("scores.tsv", "evaluation_report.txt", "instances.resegmented.jsonl")
        outputs += [("--output_folder", os.path.join(given.output_folder, name)) for name in names]
    inputs = [getattr(given, name, None) for name in _INPUTS]
    check_apart(outputs, [name for name in (*inputs, *logs) if name], context)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def format_of(name: str) -> str:
    """The format of a file that -o names."""
    return SUFFIXES[_suffix(name)]
