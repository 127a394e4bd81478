"""Make docs/images/server.png: `python -m tests.server.page.picture OUT.png [OPTIONS OF simul serve]`.

A server is started with the options, its page hears examples/printing-en.ogg in real time, and the picture is taken
while it runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.server.page.browser import Browser

RECORDING = Path(__file__).parents[3] / "examples" / "printing-en.ogg"
ROWS = 3
"""Lines of translation that are waited for."""


def main(out: Path, options: list[str]) -> None:
    """Take the picture."""
    command = [sys.executable, "-m", "simul", "serve", "--port", "0", *options]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    address = ""
    for line in server.stderr:
        print(line, end="", file=sys.stderr)
        address = address or "".join(re.findall(r"http://\S+", line))
        if line.startswith("Ready"):
            break
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(Path(folder))
        try:
            page = browser.page(address).size(1280, 720, 1.5)
            page.until("document.querySelector('#source').value")
            page.give_file("#file", RECORDING)
            page.until(
                f"document.querySelectorAll('.row .target .settled:not(:empty)').length >= {ROWS}"
                " && document.querySelector('.row:last-child .target .tail:not(:empty)') !== null",
                180,
            )
            page.picture(out)
        finally:
            browser.close()
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
