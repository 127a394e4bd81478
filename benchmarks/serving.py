"""How a server bears several clients: starts `simul serve` on this machine and runs `simul load` against it.

python -m benchmarks.serving --clients 1,2,4 --protocol asr RECORDING... prints JSON with the machine described.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from benchmarks.machine import describe


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> int:
    """The status of an address of the server; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def wait_for(port: int, path: str, began: float) -> float:
    """Seconds until an address is answered with 200."""
    while get(port, path) != 200:
        time.sleep(0.05)
    return round(time.monotonic() - began, 2)


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("files", nargs="+")
    p.add_argument("--clients", default="4")
    p.add_argument("--protocol", default="asr")
    p.add_argument("--model", default="whisper-base")
    p.add_argument("--source", default="en")
    p.add_argument("--target", default="en")
    given = p.parse_args()
    port = free_port()
    serve = [sys.executable, "-m", "simul", "serve", "--port", str(port), "--model", given.model, "-q"]
    began = time.monotonic()
    with subprocess.Popen([*serve, "--source", given.source, "--target", given.target]) as server:
        try:
            answers, ready = wait_for(port, "/health", began), wait_for(port, "/readyz", began)
            runs = []
            for clients in given.clients.split(","):
                load = [sys.executable, "-m", "simul", "load", f"ws://127.0.0.1:{port}", *given.files, "-q"]
                load += ["--clients", clients, "--protocol", given.protocol]
                runs.append(json.loads(subprocess.run(load, stdout=subprocess.PIPE, check=True).stdout))
        finally:
            server.terminate()
    machine = describe(("websockets", "ctranslate2", "faster-whisper"))
    report = {"machine": machine, "model": given.model, "answers": answers, "ready": ready, "runs": runs}
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
