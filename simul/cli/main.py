"""The executable `simul`: finds the command, runs it, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from simul.cli.commands import COMMANDS, find, listing
from simul.cli.context import Context
from simul.cli.interrupts import interruptible
from simul.errors import ExitCode, SimulError, UsageError, exit_code_of
from simul.install import explain_import

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 model missing, 4 audio device, "
    "5 connection, 6 part of the inputs failed, 130 interrupted."
)


def main(arguments: Sequence[str] | None = None, context: Context | None = None) -> int:
    """Run one command; returns the exit code (see `simul.errors.ExitCode`)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        context = context or Context.of_process()
    except SimulError as error:
        print(f"simul: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    options = given[: given.index("--")] if "--" in given else given
    verbose = bool({"-v", "--verbose"} & set(options))
    try:
        with interruptible():
            code = _dispatch(given, context)
        context.stdout.flush()
        return int(code)
    except SystemExit as request:
        return request.code if isinstance(request.code, int) else ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader has had enough; keep Python from complaining when it flushes on the way out.
        _discard(context)
        return ExitCode.OK
    except Exception as error:
        if _by_interrupt(error):
            return ExitCode.INTERRUPTED
        if verbose:
            traceback.print_exception(error, file=context.stderr)
        message, code = explain(error)
        context.warn(message)
        return code


def explain(error: Exception) -> tuple[str, int]:
    """One sentence for an exception, and the exit code."""
    code = exit_code_of(error)
    if code is not None:
        return str(error), code
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}.", ExitCode.FAILED
    if isinstance(error, ImportError) and (told := explain_import(error)) is not None:
        return told, ExitCode.MODEL_MISSING
    what = str(error).strip().partition("\n")[0] or "no further message"
    return (
        f"Something went wrong that should not ({type(error).__name__}: {what}); "
        "run the same command with -v to see where, and report that.",
        ExitCode.FAILED,
    )


def _by_interrupt(error: BaseException) -> bool:
    """Whether an error came of Ctrl-C, which Python and libraries may wrap, as while a class is made."""
    reason = error.__cause__
    return reason is not None and (isinstance(reason, KeyboardInterrupt) or _by_interrupt(reason))


def _discard(context: Context) -> None:
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, context.stdout.fileno())
    except (OSError, ValueError):
        return


def _dispatch(given: list[str], context: Context) -> int:
    if given and given[0] in ("-h", "--help"):
        context.stdout.write(overview())
        return ExitCode.OK
    if given and given[0] == "--version":
        from importlib.metadata import version

        context.stdout.write(f"simul {version('simul')}\n")
        return ExitCode.OK
    if not given:
        raise UsageError(f"Name a command: {', '.join(COMMANDS)}; `simul --help` describes them.")
    return find(given[0], COMMANDS, "simul").run(given[1:], context)


def overview() -> str:
    """The text of `simul --help`."""
    lines = [
        "usage: simul COMMAND [options]",
        "",
        "Streaming speech translation: speech in, live translation out.",
        "",
        "commands:",
        *listing(COMMANDS),
        "",
        "`simul COMMAND --help` describes a command; `simul --version` prints the version.",
        "Results go to standard output, everything else to standard error.",
        EXIT_CODES,
    ]
    return "\n".join(lines) + "\n"
