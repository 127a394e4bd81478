"""`simul load`: clients that replay recordings in real time against a server."""

from __future__ import annotations

import asyncio
import json

from simul.cli.context import Context
from simul.cli.options import Parser, whole
from simul.errors import ExitCode


def parser() -> Parser:
    """The options of the command."""
    p = Parser("load", "Replay recordings in real time against a server, with several clients at once.")
    p.add_argument("address", metavar="ADDRESS", help="of the server, such as ws://127.0.0.1:8765")
    p.add_argument(
        "files", nargs="+", metavar="FILE", help="recording; what is said may stand beside it in NAME.txt"
    )
    p.add_argument("--clients", type=whole(1, 1000), default=4, metavar="N", help="clients at once")
    p.add_argument(
        "--protocol", choices=("native", "asr"), default="native", help="simul.v1, or WhisperLiveKit's /asr"
    )
    p.add_argument("--source", metavar="LANG", help="language that is spoken (as the server was started)")
    p.add_argument("--target", metavar="LANG", help="language to write (as the server was started)")
    p.add_argument("--token", metavar="TOKEN", help="where the server asks for one")
    p.add_argument(
        "--stagger", type=float, default=0.0, metavar="S", help="seconds between two clients' starts"
    )
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    from server.client.load import LoadJob, read_recording, run_load, to_report

    recordings = [read_recording(name) for name in given.files]
    address = given.address.replace("http", "ws", 1) if given.address.startswith("http") else given.address
    job = LoadJob(
        address.rstrip("/"),
        given.clients,
        given.protocol,
        given.source,
        given.target,
        given.token,
        given.stagger,
    )
    longest = max(recording.seconds for recording in recordings)
    context.note(f"{job.clients} clients for {longest:.0f} s.")
    report = to_report(job, asyncio.run(run_load(job, recordings)))
    context.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    return ExitCode.PARTIAL if report["failed"] else ExitCode.OK
