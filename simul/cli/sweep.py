"""`simul sweep`: recordings under a grid of policies, replayed from traces, with quality–latency curves."""

from __future__ import annotations

import argparse
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simul.cli.build import add_list_options, add_session_options, session_factory
from simul.cli.context import Context
from simul.cli.options import MOST_JOBS, Parser, whole
from simul.cli.places import check_folder
from simul.errors import ExitCode, ModelMissingError, UsageError
from simul.files import make_folder

if TYPE_CHECKING:
    from latency_metrics.scoring.recordings import ReferenceSegment
    from policies.base import Need
    from simul.backends.base import Backend
    from simul.backends.families import LoadedBackend
    from simul.cli.lists import ItemList
    from simul.evaluation.sweep.item_runner import SweepRunner
    from simul.evaluation.sweep.result import SweepResult
    from simul.session.factory import SessionFactory

GRID_EXAMPLE = "local-agreement:n=2,3,4;hold-n:n=2,4,6"


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "sweep",
        "Run recordings under a grid of read/write policies and draw quality against latency. The evidence of each "
        "recording is recorded once and replayed under every policy; where a policy leads the model to other text, "
        "the model is asked. LIST is a table as for `simul eval`; without references, the Offline policy's output "
        "stands for them (pseudo-references).",
    )
    p.add_argument("list", metavar="LIST", help="table of recordings (.tsv or .csv)")
    lists = add_list_options(p)
    lists.add_argument("--references", metavar="FILE", help="references of the segments, one a line")
    lists.add_argument(
        "--pseudo-references", action="store_true", help="score against the Offline pass all the same"
    )
    p.add_argument(
        "--grid",
        metavar="GRID",
        help=f"policies and settings, such as {GRID_EXAMPLE!r} (also chunk=250,500); without: every policy that the "
        "model can serve",
    )
    p.add_argument("--trace", metavar="DIR", help="keep the evidence there, and take it from there")
    p.add_argument("--no-model", action="store_true", help="replay the passes of --trace without any model")
    p.add_argument(
        "--live", action="store_true", help="run the model anew under every policy, without a trace"
    )
    p.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="write results.jsonl, items.jsonl, curves.html, curves.png there",
    )
    p.add_argument(
        "--resume", action="store_true", help="take over what --output DIR holds of the same sweep"
    )
    p.add_argument("--overwrite", action="store_true", help="replace what --output DIR holds of another run")
    p.add_argument(
        "--jobs", type=whole(1, MOST_JOBS), default=1, metavar="N", help="processes, one recording each"
    )
    p.add_argument("--json", action="store_true", help="results as JSON")
    add_session_options(p)
    return p


@dataclass(frozen=True)
class _Model:
    """Loads what the options name, with the evidence that the grid needs; can be sent to another process."""

    factory: SessionFactory
    needs: frozenset[Need]

    def loaded(self) -> LoadedBackend:
        """The model with its description."""
        stream = self.factory.stream
        return self.factory.load(self.factory.model, stream.source, stream.target, needs=self.needs)

    def __call__(self) -> Backend:
        return self.loaded().backend


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    _check(given)
    factory = session_factory(given, context)
    found, segments = _read(given, factory)
    runner = _runner(given, factory, context)
    pseudo = segments is None and not any(item.reference for item in found.items)
    if pseudo:
        context.note("No references: the Offline pass of the same model stands for them (pseudo-references).")
    settings = {
        **asdict(factory.stream),
        "model": asdict(factory.model),
        "list": given.list,
        "live": given.live,
    }
    with _held_trace(given):
        result = _sweep(given, context, runner, found, segments, settings)
    for name, failure in result.failures.items():
        context.warn(f"{name}: {failure}")
    guessed = sum(point.figures["approximated"] for point in result.points)
    if guessed:
        context.warn(
            f"{guessed:.0f} passes left the recorded prefix and are continued from other recorded passes; these "
            "scores are approximate. Replay with the model to have them computed."
        )
    if result.points:
        try:
            _write(given, context, runner, result)
        finally:
            _print(given, context, result)
    return _exit_code(given, context, result, len(found.items))


def _held_trace(given: argparse.Namespace) -> AbstractContextManager[None]:
    """The folder of the trace while it is written, unless it is that of the results, which the sweep holds itself."""
    if not given.trace or given.no_model or given.live:
        return nullcontext()
    place = Path(given.trace)
    if given.output and place.resolve() == Path(given.output).resolve():
        return nullcontext()
    from simul.evaluation.claim import locked

    return locked(make_folder(place))


def _check(given: argparse.Namespace) -> None:
    for option, folder in (("--output", given.output), ("--trace", given.trace)):
        if folder is not None:
            check_folder(option, folder)
    if given.grid is not None and not given.grid.strip():
        raise UsageError("--grid is empty; name a policy, or leave the option away for all of them.")
    if given.resume and given.overwrite:
        raise UsageError("--resume takes over an earlier run, --overwrite replaces it; give one of them.")
    if given.resume and not given.output:
        raise UsageError("--resume needs the folder of the earlier sweep; give --output DIR.")
    if given.no_model and (given.live or not given.trace):
        raise UsageError("--no-model replays passes of a trace; give --trace DIR, and not --live.")
    if given.trace and not given.no_model and not given.live:
        make_folder(given.trace)
    if given.references and not given.segmentation:
        raise UsageError("--references goes with --segmentation; a LIST has its own column.")


def _read(
    given: argparse.Namespace, factory: SessionFactory
) -> tuple[ItemList, list[ReferenceSegment] | None]:
    from dataclasses import replace

    from simul.cli.lists import Columns, read_segments, read_table, with_joined_references

    columns = Columns(given.audio_column, given.reference_column, given.transcript_column)
    found = read_table(given.list, columns, factory.stream.source, factory.stream.target, given.where)
    del found.items[given.limit or len(found.items) :]
    if given.pseudo_references:
        found.items[:] = [replace(item, reference=None) for item in found.items]
        return found, None
    if not given.segmentation:
        return found, None
    segments = read_segments(given.segmentation, given.references, found.items)
    found.items[:] = with_joined_references(found.items, segments)
    return found, segments


def _runner(given: argparse.Namespace, factory: SessionFactory, context: Context) -> SweepRunner:
    from policies.base import Need
    from simul.evaluation.sweep.grid import default_grid, parse_grid
    from simul.evaluation.sweep.item_runner import SweepRunner

    settings = parse_grid(given.grid) if given.grid else default_grid(frozenset(Need))
    needs = frozenset[Need]().union(*(setting.make().needs for setting in settings))
    model = None if given.no_model else _Model(factory, needs)
    backend, description = None, ""
    if model is not None:
        loaded = model.loaded()
        backend, description = loaded.backend, loaded.description
        context.note(loaded.description)
        if not given.grid:
            settings = default_grid(backend.provides)
    if all(setting.policy != "offline" for setting in settings):
        settings = [*parse_grid("offline"), *settings]
    stream = factory.stream
    return SweepRunner(
        model,
        settings,
        stream.source,
        stream.target,
        stream.chunk_ms,
        given.trace,
        given.live,
        description,
        backend,
    )


def _sweep(
    given: argparse.Namespace,
    context: Context,
    runner: SweepRunner,
    found: ItemList,
    segments: list[ReferenceSegment] | None,
    settings: dict[str, Any],
) -> SweepResult:
    from simul.cli.interrupts import Interrupts
    from simul.cli.view.progress import progress
    from simul.evaluation.sweep.sweep import sweep

    with Interrupts() as interrupts, progress(context, "recordings") as step:
        step(0, len(found.items), "")
        return sweep(
            found.items,
            runner,
            segmentation=segments,
            folder=given.output,
            resume=given.resume,
            overwrite=given.overwrite,
            jobs=given.jobs,
            settings=settings,
            progress=lambda at: step(at.done, at.total, at.name),
            stopped=interrupts.stopped,
        )


def _write(given: argparse.Namespace, context: Context, runner: SweepRunner, result: SweepResult) -> None:
    if not given.output:
        return

    from simul.cli.score.output import writing
    from simul.evaluation.sweep.curves import write_png
    from simul.evaluation.sweep.page import write_html

    folder = Path(given.output)
    title = f"Policies on {Path(given.list).name}, {runner.source} to {runner.target}"
    write_html(result, folder / "curves.html", title)
    try:
        with writing(folder / "curves.png"):
            write_png(result, folder / "curves.png", title)
        context.note(f"Curves: {folder / 'curves.html'}, {folder / 'curves.png'}.")
    except ModelMissingError as error:
        context.note(f"Curves: {folder / 'curves.html'}. {error}")


def _print(given: argparse.Namespace, context: Context, result: SweepResult) -> None:
    if given.json:
        context.stdout.write(json.dumps(result.to_dict(), ensure_ascii=False) + "\n")
        return
    from simul.cli.view.tables import print_table
    from simul.evaluation.sweep.page import best_rows, table

    shown = table(result)
    print_table(context, context.stdout, "", shown.header, shown.rows)
    context.note(shown.note)
    context.stdout.write("\n")
    print_table(context, context.stdout, "", ("within", "best setting", result.quality), best_rows(result))


def _exit_code(given: argparse.Namespace, context: Context, result: SweepResult, count: int) -> int:
    if result.interrupted:
        if given.output:
            context.note(f"Stopped; the same command with --resume goes on from {given.output}.")
        return ExitCode.INTERRUPTED
    if result.failures:
        context.warn(f"{len(result.failures)} of {count} recordings are missing from these scores.")
        return ExitCode.PARTIAL if result.points else ExitCode.FAILED
    return ExitCode.OK
