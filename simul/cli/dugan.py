"""`simul dugan`: the experiment of Dugan et al. 2023 with any Whisper model or cascade."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from simul.cli.context import Context
from simul.cli.options import MOST_ROWS, Parser, whole
from simul.cli.places import check_folder
from simul.config import ModelConfig
from simul.errors import AudioError, ExitCode, UsageError
from simul.languages import language_code
from simul.options import add_options, from_namespace

if TYPE_CHECKING:
    from simul.evaluation.dugan.windows import DecodedUtterance

WHISPER_BEAM = 5
"""The beam of their evaluation."""
SMALLEST_INCREMENT = 0.1
"""Seconds; every window is decoded from its beginning, so that cost grows with the square of their number."""


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "dugan",
        "Run the experiment of Dugan et al. (Interspeech 2023): windows that grow by 1 and 2 seconds; Greedy, "
        "confidence-aware, consensus and Offline; their loop as released (faithful) and repaired (fixed); their "
        "average lagging beside AL, LAAL and YAAL. LIST is a table as for `simul eval`, with a language pair before "
        "it where several are run: ja-en=ja.tsv es-en=es.tsv.",
    )
    p.add_argument("lists", nargs="+", metavar="[PAIR=]LIST", help="tables of recordings with references")
    p.add_argument("--source", default="en", metavar="LANG", help="language spoken, for lists without a pair")
    p.add_argument(
        "--target", default="de", metavar="LANG", help="language written, for lists without a pair"
    )
    p.add_argument(
        "--limit", type=whole(1, MOST_ROWS), default=50, metavar="N", help="first N utterances of each list"
    )
    p.add_argument(
        "--where", action="append", default=[], metavar="COLUMN=VALUE", help="only such rows (repeatable)"
    )
    p.add_argument("--audio-column", metavar="NAME", help="column of audio paths")
    p.add_argument("--reference-column", metavar="NAME", help="column of reference translations")
    p.add_argument("--pseudo-references", action="store_true", help="score against the offline translation")
    p.add_argument(
        "--increment",
        type=float,
        action="append",
        default=[],
        metavar="S",
        help="what windows grow by in s (repeatable)",
    )
    p.add_argument(
        "--passes",
        metavar="DIR",
        help="keep the decoded windows there, also of a run that is stopped, and take them from there",
    )
    p.add_argument("--json", action="store_true", help="all cells as JSON")
    add_options(p, ModelConfig, "model")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    if any(not seconds >= SMALLEST_INCREMENT for seconds in given.increment):
        raise UsageError(
            f"--increment is what a window grows by, in seconds; give a number from {SMALLEST_INCREMENT} on."
        )
    model = from_namespace(ModelConfig, given)
    with contextlib.ExitStack() as stack:
        if given.passes:
            from simul.evaluation.claim import locked
            from simul.files import make_folder

            check_folder("--passes", given.passes)
            stack.enter_context(locked(make_folder(given.passes)))
        return _run(given, context, model)


def _run(given: argparse.Namespace, context: Context, model: ModelConfig) -> int:
    """Run the experiment and print its tables."""
    from simul.cli.view.progress import progress
    from simul.evaluation.dugan.experiment import PROFILES, WINDOWS, experiment
    from simul.evaluation.dugan.tables import LATENCY_HEADER, latency_rows, paper_table

    pairs: dict[str, list[DecodedUtterance]] = {}
    count: Callable[[str], int] = _words
    failed: list[str] = []
    for text in given.lists:
        pair, path = _pair(text, given)
        if pair in pairs:
            raise UsageError(f"The pair {pair} is given twice; give each list its own.")
        pairs[pair], count = _utterances(given, context, model, pair, path, failed)
    windows = tuple(dict.fromkeys(given.increment)) or WINDOWS
    try:
        with progress(context, "utterances") as step:
            results = experiment(pairs, count, windows, progress=step)
    finally:
        if given.passes:
            _keep(given.passes, pairs)
    if given.json:
        context.stdout.write(json.dumps([asdict(result) for result in results]) + "\n")
        return ExitCode.PARTIAL if failed else ExitCode.OK
    for profile in PROFILES:
        context.stdout.write(f"{profile}: BLEU (average lagging as they print it, s)\n\n")
        context.stdout.write(paper_table(results, profile) + "\n\n")
    from simul.cli.view.tables import print_table

    print_table(context, context.stdout, "", LATENCY_HEADER, latency_rows(results))
    return ExitCode.PARTIAL if failed else ExitCode.OK


def _words(text: str) -> int:
    return len(text.split())


def _pair(text: str, given: argparse.Namespace) -> tuple[str, str]:
    """The language pair and the path of a LIST argument."""
    found = re.fullmatch(r"([A-Za-z]{2,3})-([A-Za-z]{2,3})=(.*)", text)
    source, target, path = found.groups() if found else (given.source, given.target, text)
    return f"{language_code(source)}-{language_code(target)}", path


def _utterances(
    given: argparse.Namespace, context: Context, model: ModelConfig, pair: str, path: str, failed: list[str]
) -> tuple[list[DecodedUtterance], Callable[[str], int]]:
    """The utterances of a list with their models, and what counts tokens; `failed` grows by recordings not heard.

    Raises:
        AudioError: no recording of the list can be heard.
    """
    from simul.cli.lists import Columns, read_table
    from simul.evaluation.dugan.readers import reader_of
    from simul.evaluation.dugan.windows import DecodedUtterance, DecodedWindows
    from simul.units import SAMPLE_RATE

    source, _, target = pair.partition("-")
    columns = Columns(given.audio_column, given.reference_column)
    items = read_table(path, columns, source, target, given.where).items[: given.limit]
    if not given.pseudo_references and any(item.reference is None for item in items):
        raise UsageError(
            f"{path} lacks references in {target!r}; name their column with --reference-column, or score against "
            "the offline translation with --pseudo-references."
        )
    backend, count = _backend(context, model, source, target)
    kept = _kept(given.passes, pair)
    found = []
    for item in items:
        try:
            samples = _samples(item.audio)
        except AudioError as error:
            context.warn(f"{error} It is left out.")
            failed.append(item.name)
            continue
        windows = kept.get(item.name) or DecodedWindows(None, len(samples) / SAMPLE_RATE)
        windows.reader = reader_of(backend, samples, source, target)
        reference = windows.whole()[0] if given.pseudo_references else item.reference
        found.append(DecodedUtterance(item.name, str(reference), windows))
    if items and not found:
        raise AudioError(f"No recording of {path} can be heard.")
    return found, count


def _backend(
    context: Context, model: ModelConfig, source: str, target: str
) -> tuple[Any, Callable[[str], int]]:
    """The model, with segments where it is a Whisper model alone, and what counts tokens: its own, else words."""
    from policies.base import Need
    from simul.backends.whisper import WhisperBackend

    needs = frozenset({Need.SEGMENTS})
    loaded = context.load_backend(model, source, target, needs=needs)
    if isinstance(loaded.backend, WhisperBackend) and model.beam is None:
        loaded = context.load_backend(replace(model, beam=WHISPER_BEAM), source, target, needs=needs)
    context.note(loaded.description)
    if not isinstance(loaded.backend, WhisperBackend):
        context.note("Tokens are words, and segments are what lies between pauses of the recognised words.")
        return loaded.backend, _words
    whisper = loaded.backend.model
    return WhisperBackend(whisper, timestamps=True, activity=None), lambda text: len(
        whisper.tokens.encode(text)
    )


def _samples(path: str) -> Any:
    import numpy as np

    from simul.audio.files import FileSource

    with FileSource(path) as source:
        pieces = list(source)
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _kept(folder: str | None, pair: str) -> dict[str, Any]:
    from pathlib import Path

    from simul.evaluation.dugan.windows import read_passes

    path = Path(folder or ".") / f"{pair}.passes.jsonl"
    return read_passes(path) if folder and path.is_file() else {}


def _keep(folder: str, pairs: dict[str, list[DecodedUtterance]]) -> None:
    from simul.evaluation.dugan.windows import write_passes
    from simul.files import make_folder

    for pair, utterances in pairs.items():
        write_passes(make_folder(folder) / f"{pair}.passes.jsonl", utterances)
