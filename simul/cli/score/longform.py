"""`simul score longform`: whole recordings, cut into reference segments and scored."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.score import inputs, options
from simul.errors import UsageError

if TYPE_CHECKING:
    from latency_metrics.scoring.result import Report


def parser() -> Parser:
    """The options of the subcommand."""
    p = Parser(
        "score longform", "Cut recordings into their reference segments and score quality and latency."
    )
    files = p.add_argument_group("input")
    files.add_argument("--hypothesis_file", metavar="FILE", help="what the system said, a recording a line")
    files.add_argument("--ref_sentences_file", metavar="FILE", help="references, one line per segment")
    options.add_segmentation(p)
    options.add_units(p)
    options.add_reading(p)
    options.add_quality(p)
    p.add_argument(
        "--stream-laal", action="store_true", help="add StreamLAAL (a second segmentation, by mWER)"
    )
    p.add_argument(
        "--recording-end",
        choices=("segmentation", "open"),
        default="segmentation",
        help="limit of LongYAAL in a resegmented file; open: none, as OmniSTEval reads its own files",
    )
    options.add_bootstrap(p)
    options.add_output(p)
    options.add_jobs(p)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the subcommand."""
    given = parser().parse(arguments, context)
    options.check(given, context)
    char_level = options.char_level(given)
    named = [
        flag
        for flag in ("speech_segmentation", "text_segmentation", "resegmented_hypothesis")
        if getattr(given, flag)
    ]
    if len(named) != 1:
        raise UsageError(
            "Give exactly one of --speech_segmentation, --text_segmentation and --resegmented_hypothesis."
        )
    if given.resegmented_hypothesis:
        if given.hypothesis_file:
            raise UsageError(
                "--resegmented_hypothesis takes the place of --hypothesis_file; give one of them."
            )
        report = _segments_of_file(given, char_level)
        source = given.resegmented_hypothesis
    else:
        report = resegmented(given, char_level, context)
        source = given.hypothesis_file

    from simul.cli.score.run import finish

    return finish(report, f"Long form: {inputs.title_of(source)}", given, context)


def resegmented(given: argparse.Namespace, char_level: bool, context: Context) -> Report:
    """Score --hypothesis_file against the segmentation.

    Raises:
        UsageError: a flag is missing.
        MetricsError: an input is malformed.
    """
    if not given.hypothesis_file:
        raise UsageError("There is nothing to score: add --hypothesis_file.")
    from latency_metrics.scoring.longform import score_longform
    from simul.cli.view.progress import progress

    segments = inputs.read_segments(given)
    hypotheses = inputs.read_hypotheses(given.hypothesis_file, segments, given, char_level)
    untimed = bool(given.text_segmentation) or given.hypothesis_format == "text"
    with progress(context, "aligning") as step:
        return score_longform(
            segments,
            hypotheses,
            lang=given.lang,
            char_level=char_level,
            bleu_tokenizer=given.bleu_tokenizer,
            quality=not given.no_quality,
            latency=not (given.no_latency or untimed),
            stream_laal=given.stream_laal,
            offset_delays=given.offset_delays,
            fix_simuleval_emission_ca=given.fix_simuleval_emission_ca,
            jobs=given.jobs,
            progress=step,
        )


def _segments_of_file(given: argparse.Namespace, char_level: bool) -> Report:
    from latency_metrics.formats import read_resegmented
    from latency_metrics.scoring.longform import score_resegmented

    instances = read_resegmented(
        given.resegmented_hypothesis, cu_key=given.emission_cu_key, ca_key=given.emission_ca_key
    )
    inputs.check_filled(given.resegmented_hypothesis, instances, "segments")
    return score_resegmented(
        instances,
        char_level=char_level,
        bleu_tokenizer=given.bleu_tokenizer,
        quality=not given.no_quality,
        latency=not given.no_latency,
        recording_end=given.recording_end,
    )
