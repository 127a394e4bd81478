"""Ctrl-C before there is code to handle it. Imported before anything else, so it imports next to nothing.

Python answers Ctrl-C with a traceback, also while it imports; the command line answers as other programs do, by ending.
"""

import _signal  # Built in; `signal` takes a third of the time that the command line needs to be there.
import sys


def runs_command_line() -> bool:
    """Whether this process is `simul` or `python -m simul`, and not a program that imports the package."""
    given = sys.orig_argv[1:]
    if "-m" in given[:-1]:
        return given[given.index("-m") + 1] == "simul"
    return bool(given) and given[0].replace("\\", "/").rpartition("/")[2].removesuffix(".exe") == "simul"


if runs_command_line() and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Until `simul.__main__` has imported what handles it.
