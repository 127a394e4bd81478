"""A progress bar on standard error, for work that takes longer than a glance."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from simul.cli.context import Context

Step = Callable[[float, int, str], None]
"""Told how much is done, of how much, and what is being worked on."""


@contextlib.contextmanager
def progress(context: Context, what: str) -> Iterator[Step]:
    """A bar on a terminal, drawn from the first step that is not the last; elsewhere a line per whole unit with -v."""
    with contextlib.ExitStack() as stack:
        state: dict[str, Any] = {}

        def step(done: float, total: int, name: str) -> None:
            if context.verbosity < 0:
                return
            if not context.is_terminal(context.stderr):
                if state.get("told") != int(done):
                    context.detail(f"{what}: {done:.0f} of {total}, {name}")
                state["told"] = int(done)
                return
            if "bar" not in state and done < total:
                state["bar"] = stack.enter_context(_bar(context))
                state["task"] = state["bar"].add_task(what, total=total, item=name)
            if "bar" in state:
                state["bar"].update(state["task"], completed=done, item=name)

        yield step


@contextlib.contextmanager
def byte_progress(context: Context, what: str, total: int) -> Iterator[Callable[[str, int], None]]:
    """A bar of bytes on a terminal; its function is told a file's name and how many bytes of it came."""
    if context.verbosity < 0 or not context.is_terminal(context.stderr):
        yield lambda name, count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[item]}", markup=False),
    )
    with Progress(*columns, console=context.console(context.stderr), transient=True) as bar:
        task = bar.add_task(what, total=total, item="")
        yield lambda name, count: bar.update(task, advance=count, item=name)


def _bar(context: Context) -> Any:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[item]}", markup=False),
    )
    return Progress(*columns, console=context.console(context.stderr), transient=True)
