"""`simul devices`: the microphones of this machine."""

from __future__ import annotations

import json
from dataclasses import asdict

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "devices", "List the microphones; `simul mic --device NAME` takes a number or a part of a name."
    )
    p.add_argument("--json", action="store_true", help="as JSON")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    return show_devices(parser().parse(arguments, context).json, context)


def show_devices(as_json: bool, context: Context) -> int:
    """Print them, the default one marked; the exit code."""
    from simul.audio.microphone import list_devices

    devices = list_devices(context.sound)
    if as_json:
        context.stdout.write(json.dumps([asdict(device) for device in devices], ensure_ascii=False) + "\n")
    for device in () if as_json else devices:
        mark = "*" if device.is_default else " "
        channels = "1 channel" if device.channels == 1 else f"{device.channels} channels"
        line = (
            f"{mark} {device.index}: {device.name} ({device.host_api}, {channels}, {device.default_rate} Hz"
            f"{', what this computer plays' if device.is_system_sound else ''})"
        )
        context.stdout.write(line + "\n")
    if not devices:
        context.note("No microphone was found; plug one in, or allow this program to use it.")
    return ExitCode.OK
