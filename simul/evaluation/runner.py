"""A run over recordings that can be resumed, as evaluations and sweeps make it: results in memory and in a folder."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from simul.errors import OutputError, SimulError, UsageError
from simul.evaluation.claim import REMEDY, SETTINGS, check_claim, write_settings
from simul.evaluation.items import Item
from simul.evaluation.workers import Outcome, attempt, run_in_processes
from simul.files import create, json_line, make_folder, safe_name

R = TypeVar("R")


@dataclass(frozen=True)
class Progress:
    """How far a run is: recordings done (the running one in parts), in all, and which it was."""

    done: float
    total: int
    name: str


@dataclass(frozen=True)
class ResultFormat(Generic[R]):
    """How the results of one kind of run are kept, a line of JSON for each recording.

    kind: what such a run is called. file: name of the file. write: the fields of a result beside the recording's
    name and audio. read: the result of such a line; raises ValueError, TypeError or KeyError where it is none.
    """

    kind: str
    file: str
    write: Callable[[R], Mapping[str, Any]]
    read: Callable[[dict[str, Any]], R]


class ResumableRun(Generic[R]):
    """Recordings and the results that they have so far.

    results: in the order of the items, None where one is missing. failures: why, by name of the recording.
    """

    def __init__(
        self,
        items: Sequence[Item],
        form: ResultFormat[R],
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        settings: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        """`resume`: take over what `folder` holds of an earlier run with the same `settings`; `overwrite`: replace
        what it holds of another run, which is refused otherwise.

        Raises:
            UsageError: no items, two of one name, or `folder` is missing or holds another run.
            SimulError: `folder` cannot be made or read.
        """
        _check_names(items)
        if resume and folder is None:
            raise UsageError(f"Resuming needs the folder of the earlier {form.kind}; name it.")
        self.items, self.settings = items, dict(settings or {})
        self.results: list[R | None] = [None] * len(items)
        self.failures: dict[str, str] = {}
        self._form = form
        self._folder = None if folder is None else make_folder(folder)
        if self._folder is not None:
            if resume:
                self._take_over(self._folder)
            else:
                check_claim(self._folder, self.settings, overwrite, form.file)
                if not overwrite:
                    self._check_recordings(self._folder / form.file)

    @property
    def done(self) -> list[tuple[Item, R]]:
        """The recordings that have a result, with it."""
        pairs = zip(self.items, self.results, strict=True)
        return [(item, result) for item, result in pairs if result is not None]

    def run(
        self,
        work: Callable[[Item], R | None],
        jobs: int = 1,
        progress: Callable[[Progress], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Let `work` make the results that are missing; a recording that fails is named, and the others go on.

        Args:
            work: gives the result of a recording, or None where it was stopped; must be picklable for several `jobs`.
            jobs: processes.
            progress: called after every recording.
            stopped: ends the run; what is finished is kept.

        Raises:
            SimulError: the folder cannot be written.
        """
        with self._lines() as keep:
            for outcome in self._outcomes(work, jobs, stopped):
                item = self.items[outcome.index]
                if outcome.result is not None:
                    self.results[outcome.index] = outcome.result
                    keep(item, outcome.result)
                elif outcome.unwritable:
                    # Without room for results the others would fail too; what is kept can be resumed from.
                    raise OutputError(str(outcome.failure))
                elif outcome.failure is not None and not stopped():
                    self.failures[item.name] = outcome.failure
                else:  # A stop ends what is running, or makes it fail.
                    continue
                if progress:
                    progress(self.progress(item.name))

    def progress(self, name: str, share: float = 0.0) -> Progress:
        """How far the run is, `share` of the recording `name` being done."""
        return Progress(len(self.done) + len(self.failures) + share, len(self.items), name)

    def _outcomes(
        self, work: Callable[[Item], R | None], jobs: int, stopped: Callable[[], bool]
    ) -> Iterable[Outcome[R | None]]:
        todo = [(i, self.items[i]) for i, result in enumerate(self.results) if result is None]
        if jobs > 1 and len(todo) > 1:
            return run_in_processes(work, todo, jobs, stopped)
        return (attempt(work, index, item) for index, item in todo if not stopped())

    @contextlib.contextmanager
    def _lines(self) -> Iterator[Callable[[Item, R], object]]:
        """What keeps a result in the folder, where those known already are written anew."""
        if self._folder is None:
            yield lambda item, result: None
            return
        write_settings(self._folder, self.settings)
        with create(self._folder / self._form.file) as file:

            def keep(item: Item, result: R) -> None:
                file.write(json_line({"name": item.name, "audio": item.audio, **self._form.write(result)}))

            for item, result in self.done:
                keep(item, result)
            yield keep

    def _check_recordings(self, path: Path) -> None:
        """Refuse a file with results of recordings that this run does not have."""
        ours = {(item.name, item.audio) for item in self.items}
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else ():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                record = json.loads(line)
                if (record["name"], record["audio"]) not in ours:
                    raise UsageError(
                        f"{path.parent} holds the results of other recordings ({record['name']}); {REMEDY}"
                    )

    def _take_over(self, folder: Path) -> None:
        """The results that `folder` holds of an earlier run with the same settings."""
        places = {(item.name, item.audio): i for i, item in enumerate(self.items)}
        for line in self._earlier_lines(folder):
            # The last line may have been cut off in the middle.
            with contextlib.suppress(ValueError, TypeError, KeyError):
                record = json.loads(line)
                place = places.get((record["name"], record["audio"]))
                if place is not None:
                    self.results[place] = self._form.read(record)

    def _earlier_lines(self, folder: Path) -> list[str]:
        kind = self._form.kind
        try:
            before = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            lines = (folder / self._form.file).read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise SimulError(f"The earlier {kind} in {folder} cannot be read: {error}.") from error
        if before != json.loads(json.dumps(self.settings)):
            raise UsageError(f"{folder} holds a {kind} with other settings; {REMEDY}")
        return lines


def _check_names(items: Sequence[Item]) -> None:
    if not items:
        raise UsageError("The list holds no recordings; there is nothing to run.")
    names: set[str] = set()
    for item in items:
        name = safe_name(item.name)
        if name in names:
            raise UsageError(f"Two recordings are called {name!r}; give each its own name.")
        names.add(name)
