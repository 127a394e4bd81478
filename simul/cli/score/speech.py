"""`simul score speech`: playback and latency of speech output."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.score import inputs, options
from simul.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from latency_metrics.scoring.result import Report


def parser() -> Parser:
    """The options of the subcommand."""
    p = Parser(
        "score speech",
        "Score speech output: its playback from a SimulEval log, and the words heard in it like long-form text, "
        "each at the moment it has been heard to its end.",
    )
    p.add_argument("log", nargs="?", metavar="LOG", help="SimulEval log of speech output")
    words = p.add_argument_group("words heard in the speech")
    words.add_argument(
        "--words",
        metavar="FILE",
        help='words with times, lines {"source": NAME, "words": [[WORD, START, END]]}',
    )
    words.add_argument("--ref_sentences_file", metavar="FILE", help="references, one line per segment")
    options.add_segmentation(p, resegmented=False)
    p.add_argument("--bleu_tokenizer", default="13a", metavar="NAME", help="tokenizer of sacreBLEU")
    options.add_bootstrap(p)
    options.add_output(p, folder=False)
    options.add_jobs(p)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the subcommand."""
    given = parser().parse(arguments, context)
    options.check(given, context)
    if not given.log and not given.words:
        raise UsageError("There is nothing to score: name a log of speech output, or --words, or both.")
    if given.per_segment and not given.words:
        raise UsageError("--per-segment is about segments of text: add --words.")
    from latency_metrics.reports import speech
    from simul.cli.score.output import deliver
    from simul.cli.score.run import build, check_scored, exit_code, write_per_segment

    name = inputs.title_of(given.log or given.words)
    title = f"Speech output: {name}"
    documents = []
    report: Report | None = None
    if given.words:
        report = _words(given, context)
        check_scored(report, title)
        write_per_segment(report, given, context)
        documents.append(build(report, title, given))
    if given.log:
        played = _playback(given)
        check_scored(played, title)
        documents.append(speech.document(played, title))
    document = documents[0] if len(documents) == 1 else speech.joined(title, *documents)
    deliver(document, given, context)
    return exit_code(report) if report else ExitCode.OK


def _playback(given: argparse.Namespace) -> Report:
    from latency_metrics.formats import read_instances
    from latency_metrics.reports.speech import score_speech

    instances = read_instances(given.log)
    inputs.check_filled(given.log, instances, "utterances")
    return score_speech(instances)


def _words(given: argparse.Namespace, context: Context) -> Report:
    """Words on the playback clock, cut into the reference segments."""
    from latency_metrics.formats.spoken_words import read_spoken_words
    from latency_metrics.scoring.longform import score_longform
    from simul.cli.view.progress import progress

    if not given.speech_segmentation:
        raise UsageError("Words are cut into reference segments: add --speech_segmentation.")
    segments = inputs.read_segments(given)
    words = read_spoken_words(given.words)
    inputs.check_filled(given.words, words, "recordings")
    with progress(context, "aligning") as step:
        return score_longform(
            segments,
            words,
            lang=given.lang,
            bleu_tokenizer=given.bleu_tokenizer,
            offset_delays=given.offset_delays,
            jobs=given.jobs,
            progress=step,
        )
