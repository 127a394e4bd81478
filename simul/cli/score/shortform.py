"""`simul score shortform`: a log of utterances, quality, latency and degeneracy."""

from __future__ import annotations

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.score import inputs, options
from simul.errors import UsageError


def parser() -> Parser:
    """The options of the subcommand."""
    p = Parser("score shortform", "Score a log of utterances: quality, latency, degeneracy.")
    files = p.add_argument_group("input")
    files.add_argument("--hypothesis_file", metavar="FILE", help="SimulEval log, an utterance a line")
    files.add_argument(
        "--ref_sentences_file", metavar="FILE", help="references, a line each (the log's own unless given)"
    )
    options.add_units(p)
    options.add_reading(p, formats=False)
    options.add_quality(p)
    options.add_bootstrap(p)
    options.add_output(p)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the subcommand."""
    given = parser().parse(arguments, context)
    options.check(given, context)
    char_level = options.char_level(given)
    if not given.hypothesis_file:
        raise UsageError("There is nothing to score: add --hypothesis_file.")
    from latency_metrics.scoring.shortform import score_shortform
    from simul.cli.score.run import finish

    if given.fix_simuleval_emission_ca:
        context.note("--fix_simuleval_emission_ca changes nothing here: it repairs whole recordings only.")
    report = score_shortform(
        inputs.read_utterances(given.hypothesis_file, given, char_level),
        latency_unit="char" if char_level else "word",
        bleu_tokenizer=given.bleu_tokenizer,
        quality=not given.no_quality,
        latency=not given.no_latency,
    )
    return finish(report, f"Short form: {inputs.title_of(given.hypothesis_file)}", given, context)
