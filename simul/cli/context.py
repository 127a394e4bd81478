"""What a command is given from outside: streams, environment, the way to models and to sound, and how to talk."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from simul.errors import SimulError

if TYPE_CHECKING:
    from rich.console import Console

    from policies.base import Need
    from simul.backends.families import LoadedBackend, ModelConfig
    from simul.cli.view.screen import Screen
    from simul.session.factory import LoadBackend


def load_installed(config: ModelConfig, source: str, target: str, *, needs: frozenset[Need]) -> LoadedBackend:
    """The model on this machine that `config` names."""
    from simul.backends.families import load_backend
    from simul.memory import freeze

    loaded = load_backend(config, source, target, needs=needs)
    freeze()
    return loaded


def _results(stdout: TextIO) -> TextIO:
    """Standard output, where a file or a pipe it is as one whose failed writes say so."""
    from simul.files import NamedFile, text_into

    try:
        descriptor = stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return stdout
    if os.name == "nt" or stdout.isatty():
        return stdout
    stdout.flush()
    return text_into(NamedFile(descriptor, "w", "Standard output", closefd=False))


@dataclass
class Context:
    """The world around one run of a command; tests put in their own.

    Results go to `stdout`, everything for people to `stderr`. `sound` is a module with the interface of
    `sounddevice` (None: that package itself). `verbosity`: -1 errors and warnings only, 0 normal, 1 details.
    `screen`: what draws on the terminal, if anything does.
    """

    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str] = field(default_factory=dict)
    load_backend: LoadBackend = load_installed
    sound: Any = None
    verbosity: int = 0
    screen: Screen | None = None

    @classmethod
    def of_process(cls) -> Context:
        """The context of this process; results are UTF-8 wherever they go.

        Raises:
            SimulError: standard output is closed.
        """
        if sys.stdout is None:
            raise SimulError(
                "Standard output is closed; leave it open, or send it to a file or to /dev/null."
            )
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A byte of an unfinished character inside JSON becomes the escape that JSON itself uses.
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        stdin = sys.stdin.buffer if sys.stdin else io.BytesIO()
        return cls(stdin, _results(sys.stdout), sys.stderr or io.StringIO(), os.environ)

    def note(self, text: str) -> None:
        """Say something that is good to know; silent with -q."""
        if self.verbosity >= 0:
            self._say(text)

    def detail(self, text: str) -> None:
        """Say something that only -v shows."""
        if self.verbosity > 0:
            self._say(text)

    def warn(self, text: str) -> None:
        """Say something that must not be missed."""
        self._say(f"simul: {text}")

    def _say(self, text: str) -> None:
        if self.is_terminal(self.stderr):
            if self.screen is not None and self.screen.drawn:
                self.screen.print(text)
                return
            width = max(20, shutil.get_terminal_size().columns)
            text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
        try:
            print(text, file=self.stderr, flush=True)
        except (OSError, ValueError):
            # Nobody reads standard error any more; results still count.
            return

    def is_terminal(self, stream: TextIO) -> bool:
        """Whether lines written to `stream` can be redrawn."""
        try:
            return stream.isatty() and self.environ.get("TERM") != "dumb"
        except (AttributeError, ValueError):
            return False

    def colours(self, stream: TextIO) -> bool:
        """Whether colours are wanted on `stream`: a terminal, and no NO_COLOR."""
        return self.is_terminal(stream) and not self.environ.get("NO_COLOR")

    def console(self, stream: TextIO, **settings: Any) -> Console:
        """What draws on `stream`; text is taken as it is."""
        from rich.console import Console

        colours = self.colours(stream)
        return Console(
            file=stream,
            no_color=not colours,
            highlight=False,
            markup=False,
            emoji=False,
            _environ=self.environ,
            **settings,
        )
