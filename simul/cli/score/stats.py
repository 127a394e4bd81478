"""`simul score stats`: what is in logs of any kind."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.cli.score import inputs, options
from simul.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from latency_metrics.base import Instance


def parser() -> Parser:
    """The options of the subcommand."""
    p = Parser(
        "score stats",
        "What is in logs: words, durations, order of times, lag of single words and its growth, degeneracy. "
        "Reads SimulEval logs, simulstream logs and resegmented files; references are not needed.",
    )
    p.add_argument("logs", nargs="*", metavar="LOG", help="a log; several are shown side by side")
    units = p.add_argument_group("units")
    units.add_argument("--word_level", action="store_true", help="count words (unless --char_level is given)")
    units.add_argument("--char_level", action="store_true", help="count characters")
    reading = p.add_argument_group("reading")
    reading.add_argument(
        "--simulstream_config_file", metavar="FILE", help="evaluation config of a simulstream log"
    )
    reading.add_argument("--emission_cu_key", metavar="KEY", help="key of computation-unaware times")
    reading.add_argument("--emission_ca_key", metavar="KEY", help="key of computation-aware times")
    options.add_output(p, folder=False, per_segment=False)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the subcommand."""
    given = parser().parse(arguments, context)
    options.check(given, context, given.logs)
    if not given.logs:
        raise UsageError("Name a log to look into.")
    if given.word_level and given.char_level:
        raise UsageError("Give --word_level or --char_level, not both.")
    from latency_metrics.reports.log_stats import document, log_stats
    from simul.cli.score.compare import system_names
    from simul.cli.score.output import deliver
    from simul.cli.view.progress import progress

    logs = []
    with progress(context, "reading") as step:
        for done, (name, path) in enumerate(system_names(given.logs), 1):
            kind = inputs.log_kind(path)
            found = _instances(path, kind, given)
            inputs.check_filled(path, found, "utterances")
            logs.append(log_stats(name, kind, found, "char" if given.char_level else "word"))
            step(done, len(given.logs), name)
    deliver(document(logs, "char" if given.char_level else "word"), given, context)
    return ExitCode.OK


def _instances(path: str, kind: inputs.LogKind, given: argparse.Namespace) -> list[Instance]:
    if kind == "resegmented":
        from latency_metrics.formats import read_resegmented

        return read_resegmented(path, cu_key=given.emission_cu_key, ca_key=given.emission_ca_key)
    if kind == "simulstream":
        return _recordings(path, given)
    given.ref_sentences_file = None
    return _named(inputs.read_utterances(path, given, given.char_level), path)


def _named(instances: list[Instance], path: str) -> list[Instance]:
    """Instances that are whole recordings, with the names of their audio; others as they are."""
    from latency_metrics.formats.text import json_objects, raw_lines
    from latency_metrics.scoring.recordings import canonical_names

    sources = [record.get("source") for _, record in json_objects(raw_lines(path), path)]
    names = [source[0] if isinstance(source, list) and source else source for source in sources]
    if any(instance.source_kind == "text" for instance in instances):
        return instances
    texts = [name for name in names if isinstance(name, str)]
    if len(set(texts)) != len(instances):
        return instances
    short = canonical_names(texts)
    return [replace(i, recording=short[name]) for i, name in zip(instances, texts, strict=True)]


def _recordings(path: str, given: argparse.Namespace) -> list[Instance]:
    """The recordings of a simulstream log; their length is the audio that was processed."""
    from latency_metrics.formats import read_simulstream
    from latency_metrics.formats.detokenizers import read_config

    if not given.simulstream_config_file:
        raise UsageError(
            f"{path} is a simulstream log: add its evaluation config, --simulstream_config_file."
        )
    config = read_config(given.simulstream_config_file)
    found = []
    for hypothesis in read_simulstream(path, config, char_level=given.char_level):
        instance = hypothesis.as_instance()
        audio = instance.stream.audio_ms if instance.stream is not None else None
        found.append(replace(instance, source_length=audio))
    return found
