"""The executable `simul`, and `python -m simul`."""

import signal
import sys


def main() -> int:
    """Run one command; returns the exit code.

    While the code is imported, Ctrl-C ends the process as it ends any other, without a traceback.
    """
    heeded = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from simul.cli.main import main as run

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
