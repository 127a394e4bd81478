"""`simul eval`: a list of recordings through the same session as live, scored for quality and latency."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from simul.adapters.remote.wire import ADDRESS, PORT
from simul.cli.build import add_list_options, add_session_options, announce, session_factory
from simul.cli.context import Context
from simul.cli.options import MOST_JOBS, Parser, whole
from simul.cli.places import check_folder
from simul.config import DEFAULT_POLICY
from simul.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from latency_metrics.base import Score
    from latency_metrics.scoring.recordings import ReferenceSegment
    from simul.cli.lists import ItemList
    from simul.evaluation.evaluate import EvaluationResult
    from simul.session.factory import SessionFactory


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "eval",
        "Run recordings through sessions on a clock that waits for nothing, write logs, and score them. "
        "LIST is a table with a header: tab-separated columns audio (or file), reference, transcript (or text).",
    )
    p.add_argument("list", nargs="?", metavar="LIST", help="table of recordings (.tsv or .csv)")
    lists = add_list_options(p)
    lists.add_argument("--source-list", metavar="FILE", help="instead of LIST: audio paths, one a line")
    lists.add_argument("--references", metavar="FILE", help="references, one a line")
    p.add_argument(
        "--log", metavar="DIR", help="write instances.log, events/*.jsonl, results.jsonl, scores.json there"
    )
    p.add_argument("--resume", action="store_true", help="take over what --log DIR holds of the same run")
    p.add_argument("--overwrite", action="store_true", help="replace what --log DIR holds of another run")
    p.add_argument("--jobs", type=whole(1, MOST_JOBS), default=1, metavar="N", help="processes")
    p.add_argument("--json", action="store_true", help="scores as JSON")
    remote = p.add_argument_group("SimulEval over HTTP")
    remote.add_argument(
        "--standalone", action="store_true", help="be the agent that `simuleval --remote-eval` evaluates"
    )
    remote.add_argument(
        "--remote-eval",
        action="store_true",
        help="evaluate, instead of a model, an agent of SimulEval's that was started with --standalone",
    )
    remote.add_argument("--remote-address", default=ADDRESS, metavar="HOST", help="where the agent listens")
    remote.add_argument(
        "--remote-port", type=whole(1, 65_535), default=PORT, metavar="N", help="and at which port"
    )
    add_session_options(p)
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    _check(given)
    factory = session_factory(given, context)
    if given.standalone:
        return _be_the_agent(given, context, factory)
    if given.remote_eval:
        factory = _agent_factory(given, factory)
    found = _read(given, factory)
    segments: list[ReferenceSegment] | None = None
    if given.segmentation:
        from simul.cli.lists import read_segments, with_joined_references

        segments = read_segments(given.segmentation, given.references, found.items)
        found.items[:] = with_joined_references(found.items, segments)
    announce(factory, context)
    _say_columns(found, segments, context)
    result = _evaluate(given, context, factory, found, segments)
    for name, failure in result.failures.items():
        context.warn(f"{name}: {failure}")
    for notice in result.report.notices if result.report else ():
        context.detail(str(notice))
    _print(given, context, result, any(item.reference for item in found.items))
    return _exit_code(given, context, result)


def _be_the_agent(given: argparse.Namespace, context: Context, factory: SessionFactory) -> int:
    """Serve one recording after the other to SimulEval, until interrupted."""
    from simul.adapters.appended import AppendedText
    from simul.adapters.remote.service import AgentService, RemoteAgent
    from simul.adapters.sessions import Sessions

    announce(factory, context)
    agent = RemoteAgent(AppendedText(Sessions(factory)), factory.loaded.description)
    with AgentService(agent, given.remote_address, given.remote_port) as service:
        context.note(
            f"Listening at http://{given.remote_address}:{service.server_port}/ for `simuleval --remote-eval`; "
            "Ctrl-C ends it."
        )
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
    return ExitCode.OK


def _agent_factory(given: argparse.Namespace, factory: SessionFactory) -> SessionFactory:
    """Sessions with the agent in place of a model."""
    from simul.adapters.remote.backend import LoadAgent, settings
    from simul.session.factory import SessionFactory

    load = LoadAgent(f"http://{given.remote_address}:{given.remote_port}")
    return SessionFactory(settings(factory.stream), factory.model, load)


def _check_remote(given: argparse.Namespace) -> None:
    if given.standalone and given.remote_eval:
        raise UsageError("--standalone is the agent, --remote-eval evaluates one; give one of them.")
    if given.standalone and (given.list or given.source_list):
        raise UsageError("--standalone takes no list: what is heard comes from SimulEval.")
    if given.remote_eval and given.jobs > 1:
        raise UsageError("An agent of SimulEval's hears one recording at a time; leave --jobs away.")
    if given.remote_eval and (given.policy != DEFAULT_POLICY or given.policy_arg):
        raise UsageError("With --remote-eval the agent decides; give --policy where it is started.")


def _check(given: argparse.Namespace) -> None:
    _check_remote(given)
    if given.standalone:
        return
    if given.log is not None:
        check_folder("--log", given.log)
    if bool(given.list) == bool(given.source_list):
        raise UsageError("Give a LIST, or --source-list with --references; see `simul eval --help`.")
    if given.references and not (given.source_list or given.segmentation):
        raise UsageError("--references goes with --source-list or --segmentation; a LIST has its own column.")
    if given.resume and given.overwrite:
        raise UsageError("--resume takes over an earlier run, --overwrite replaces it; give one of them.")
    if given.resume and not given.log:
        raise UsageError("--resume needs the folder of the earlier run; give --log DIR.")


def _read(given: argparse.Namespace, factory: SessionFactory) -> ItemList:
    from simul.cli.lists import Columns, read_table, read_two_files

    if given.source_list:
        found = read_two_files(given.source_list, None if given.segmentation else given.references)
    else:
        columns = Columns(given.audio_column, given.reference_column, given.transcript_column)
        found = read_table(given.list, columns, factory.stream.source, factory.stream.target, given.where)
    del found.items[given.limit or len(found.items) :]
    return found


def _say_columns(found: ItemList, segments: list[ReferenceSegment] | None, context: Context) -> None:
    if segments is not None:
        context.note(f"Long form: {len(segments)} reference segments, resegmented with SoftSegmenter.")
    elif not any(item.reference for item in found.items):
        context.note("No references: quality is not scored, and latency counts the output's own length.")
    else:
        context.note(f"References: {found.reference_column}.")
    if found.transcript_column and any(item.transcript for item in found.items):
        context.note(f"Transcripts: {found.transcript_column}.")


def _evaluate(
    given: argparse.Namespace,
    context: Context,
    factory: SessionFactory,
    found: ItemList,
    segments: list[ReferenceSegment] | None,
) -> EvaluationResult:
    from dataclasses import asdict

    from simul.cli.interrupts import Interrupts
    from simul.cli.view.progress import progress
    from simul.evaluation.evaluate import evaluate

    settings = {
        **asdict(factory.stream),
        "model": asdict(factory.model),
        "backend": factory.loaded.description,
    }
    with Interrupts() as interrupts, progress(context, "recordings") as step:
        return evaluate(
            found.items,
            factory,
            source=factory.stream.source,
            target=factory.stream.target,
            segmentation=segments,
            log=given.log,
            resume=given.resume,
            overwrite=given.overwrite,
            jobs=given.jobs,
            chunk_ms=factory.stream.chunk_ms,
            settings=settings,
            progress=lambda at: step(at.done, at.total, at.name),
            stopped=interrupts.stopped,
        )


def _print(given: argparse.Namespace, context: Context, result: EvaluationResult, references: bool) -> None:
    if given.json:
        context.stdout.write(json.dumps(result.to_dict(), ensure_ascii=False) + "\n")
        return
    from simul.cli.view.tables import print_table

    if result.done:
        print_table(context, context.stdout, "", ("score", "value", "unit"), _rows(result, references))
        context.note(_legend(result, references))


def _legend(result: EvaluationResult, references: bool) -> str:
    """What the rows say."""
    from latency_metrics.legend import paragraph
    from latency_metrics.quality import QUALITY

    scores = [] if result.report is None else [*result.report.scores, *result.report.extra]
    shown = [
        (s.name, s.value) for s in scores if s.clock != "queue" and (references or s.metric not in QUALITY)
    ]
    errors = [("WER", None)] if result.errors or result.source_errors else []
    return (
        f"{paragraph([*shown, *errors])} Spoken to settled: from the end of a word in the audio to its text, computing "
        "included. Computing behind: from the arrival of a piece of audio to its text. Real-time factor: seconds of "
        "computing for a second of audio."
    )


def _rows(result: EvaluationResult, references: bool) -> list[tuple[str, str, str]]:
    from latency_metrics.quality import QUALITY
    from simul.cli.view.tables import figure

    figures: dict[str, Any] = result.figures()
    rows = [
        (
            "recordings",
            str(figures["recordings"]),
            "" if not figures["missing"] else f"{figures['missing']} missing",
        ),
        ("audio", figure(figures["audio_seconds"] / 60, 1), "min"),
    ]
    scores = [] if result.report is None else [*result.report.scores, *result.report.extra]
    # The session's clock already is the queueing one, so its scores are those of CA.
    scores = [score for score in scores if score.clock != "queue"]
    rows += [_score_row(score) for score in scores if score.metric in QUALITY and references]
    if result.errors is not None:
        rows.append(("WER", figure(result.errors.rate), "%"))
    if result.source_errors is not None:
        rows.append(("WER of the recogniser", figure(result.source_errors.rate), "%"))
    rows += [_score_row(score) for score in scores if score.metric not in QUALITY]
    for label, name in (
        ("spoken to settled, median", "word_lag_p50_s"),
        ("spoken to settled, 95 %", "word_lag_p95_s"),
        ("computing behind, median", "behind_p50_s"),
        ("computing behind, 95 %", "behind_p95_s"),
    ):
        rows.append((label, figure(figures[name]), "s"))
    return [*rows, ("real-time factor", figure(figures["real_time_factor"], 3), "")]


def _score_row(score: Score) -> tuple[str, str, str]:
    from simul.cli.view.tables import figure

    if score.unit == "flag":
        return score.name, "n/a" if score.value != score.value else "yes" if score.value else "no", ""
    return score.name, figure(score.value, 0 if score.unit == "ms" else 2), score.unit


def _exit_code(given: argparse.Namespace, context: Context, result: EvaluationResult) -> int:
    if result.interrupted:
        if given.log:
            context.note(f"Stopped; the same command with --resume goes on from {given.log}.")
        return ExitCode.INTERRUPTED
    missing = len(result.items) - len(result.done)
    if missing:
        context.warn(f"{missing} of {len(result.items)} recordings are missing from these scores.")
        return ExitCode.PARTIAL if result.done else ExitCode.FAILED
    return ExitCode.OK
