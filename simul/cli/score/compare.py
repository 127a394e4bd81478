"""`simul score compare`: several systems on the same segments, differences and their significance."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.score import inputs, options
from simul.errors import UsageError

if TYPE_CHECKING:
    from latency_metrics.scoring.result import Report

_GENERIC = ("instances", "hypotheses", "log", "output")
"""File names that say nothing about the system."""

_ENDINGS = (".gz", ".log", ".jsonl", ".resegmented", ".txt")


def parser() -> Parser:
    """The options of the subcommand."""
    p = Parser(
        "score compare",
        "Compare systems with the first one on the same segments: logs of recordings (with a segmentation), "
        "resegmented files, or logs of utterances.",
    )
    p.add_argument(
        "systems", nargs="*", metavar="[NAME=]FILE", help="what each system said, the baseline first"
    )
    files = p.add_argument_group("input")
    files.add_argument("--ref_sentences_file", metavar="FILE", help="references, one line per segment")
    options.add_segmentation(p, resegmented=False)
    options.add_units(p)
    options.add_reading(p)
    options.add_quality(p)
    options.add_bootstrap(p, samples=1000)
    options.add_output(p, folder=False, per_segment=False)
    options.add_jobs(p)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the subcommand."""
    given = parser().parse(arguments, context)
    char_level = options.char_level(given)
    options.check(given, context, [path for _, path in system_names(given.systems)])
    if len(given.systems) < 2:
        raise UsageError("Name two or more systems to compare, the baseline first.")
    if given.bootstrap < 1:
        raise UsageError("A comparison draws corpora: give --bootstrap 1 or more (1000 unless given).")
    from latency_metrics.reports.comparison.compare import System, compare
    from latency_metrics.reports.comparison.document import document
    from simul.cli.score.output import deliver
    from simul.cli.score.run import check_scored, exit_code, plan_of, with_comet
    from simul.cli.view.progress import progress

    names = system_names(given.systems)
    twice = next((name for i, (name, _) in enumerate(names) if name in dict(names[:i])), None)
    if twice is not None:
        raise UsageError(f"Two systems are called {twice!r}; name them with NAME=FILE.")
    systems = []
    with progress(context, "scoring") as step:
        for done, (name, path) in enumerate(names, 1):
            report = _scored(path, given, char_level)
            check_scored(report, f"System: {path}")
            if given.comet and not given.no_quality:
                report = with_comet(report, given)
            systems.append(System(name, report))
            step(done, len(names), name)
    with progress(context, "drawing corpora") as step:
        comparison = compare(systems, plan_of(given), step)
    title = f"Comparison of {len(systems)} systems with {systems[0].name}"
    deliver(document(comparison, title), given, context)
    return max(exit_code(system.report) for system in systems)


def system_names(given: Sequence[str]) -> list[tuple[str, str]]:
    """Name and file of each system: NAME=FILE, or else the shortest end of the path that tells files apart."""
    named = []
    for text in given:
        name, equals, path = text.partition("=")
        known = bool(equals) and not os.path.exists(text)
        if not (path if known else text).strip():
            raise UsageError("The name of a log is empty; name a file.")
        named.append((name if known else None, path if known else text))
    plain = [path for name, path in named if name is None]
    depth = 2 if any(_short(path, 1) in _GENERIC for path in plain) else 1
    while depth < 8 and len({_short(path, depth) for path in plain}) < len(set(plain)):
        depth += 1
    return [(_short(path, depth) if name is None else name, path) for name, path in named]


def _short(path: str, depth: int) -> str:
    parts = Path(path).parts[-depth:] or (path,)
    last = parts[-1]
    for ending in _ENDINGS:
        last = last.removesuffix(ending) or last
    return "/".join([*parts[:-1], last])


def _scored(path: str, given: argparse.Namespace, char_level: bool) -> Report:
    """One system's report; what the file is decides how, and all scores come from the same code as alone."""
    quality, latency = not given.no_quality, not given.no_latency
    if given.speech_segmentation or given.text_segmentation:
        from latency_metrics.scoring.longform import score_longform

        segments = inputs.read_segments(given)
        untimed = bool(given.text_segmentation) or given.hypothesis_format == "text"
        return score_longform(
            segments,
            inputs.read_hypotheses(path, segments, given, char_level),
            lang=given.lang,
            char_level=char_level,
            bleu_tokenizer=given.bleu_tokenizer,
            quality=quality,
            latency=latency and not untimed,
            offset_delays=given.offset_delays,
            fix_simuleval_emission_ca=given.fix_simuleval_emission_ca,
            jobs=given.jobs,
        )
    kind = inputs.log_kind(path)
    if kind == "simulstream":
        raise UsageError(
            f"{path} is a log of recordings: add --speech_segmentation and --ref_sentences_file."
        )
    if kind == "resegmented":
        from latency_metrics.formats import read_resegmented
        from latency_metrics.scoring.longform import score_resegmented

        segments_read = read_resegmented(path, cu_key=given.emission_cu_key, ca_key=given.emission_ca_key)
        inputs.check_filled(path, segments_read, "segments")
        return score_resegmented(
            segments_read,
            char_level=char_level,
            bleu_tokenizer=given.bleu_tokenizer,
            quality=quality,
            latency=latency,
        )
    from latency_metrics.scoring.shortform import score_shortform

    return score_shortform(
        inputs.read_utterances(path, given, char_level),
        latency_unit="char" if char_level else "word",
        bleu_tokenizer=given.bleu_tokenizer,
        quality=quality,
        latency=latency,
    )
