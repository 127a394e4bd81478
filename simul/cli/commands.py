"""The commands by name. Each is a module with `parser()` and `run(arguments, context)`, imported only when chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from simul.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from simul.cli.context import Context


class Command(NamedTuple):
    """A command: its module, and one line of help."""

    module: str
    help: str

    def run(self, arguments: list[str], context: Context) -> int:
        """Run it; returns the exit code."""
        code: int = import_module(self.module).run(arguments, context)
        return code


COMMANDS = {
    "translate": Command("simul.cli.translate", "translate or transcribe audio files or standard input"),
    "mic": Command("simul.cli.mic", "translate or transcribe the microphone"),
    "serve": Command("simul.cli.serve", "serve live translation to browsers and other clients"),
    "load": Command("simul.cli.load", "replay recordings in real time against a server"),
    "replay": Command("simul.cli.replay", "print a session from the journal of a server"),
    "schema": Command("simul.cli.schema", "print the documents of the server's protocol"),
    "text": Command("simul.cli.text", "translate text, whole or word by word under a policy"),
    "eval": Command("simul.cli.eval", "run a list of recordings and score quality and latency"),
    "sweep": Command("simul.cli.sweep", "compare policies and settings: quality against latency"),
    "dugan": Command("simul.cli.dugan", "run the experiment of Dugan et al. 2023"),
    "score": Command("simul.cli.score.command", "score logs of simultaneous systems, compare systems"),
    "bench": Command("simul.cli.bench.command", "measure how many live streams this machine holds"),
    "train": Command("simul.cli.train.command", "train translators, and Whisper encoders for live speech"),
    "models": Command("simul.cli.models", "list, fetch, check, find and remove models"),
    "policies": Command("simul.cli.policies", "list the read/write policies and their parameters"),
    "devices": Command("simul.cli.devices", "list the microphones"),
    "version": Command("simul.cli.version", "print the versions of the toolkit, its formats and models"),
    "doctor": Command("simul.cli.doctor", "check packages, devices, models and the microphone"),
}
"""`simul COMMAND`."""

SCORES = {
    "shortform": Command("simul.cli.score.shortform", "a log of utterances: quality and latency"),
    "longform": Command(
        "simul.cli.score.longform", "whole recordings, cut into reference segments and scored"
    ),
    "speech": Command("simul.cli.score.speech", "speech output: playback, silences and latency"),
    "stats": Command("simul.cli.score.stats", "what is in a log: words, durations, lag, oddities"),
    "compare": Command("simul.cli.score.compare", "several systems: differences and their significance"),
}
"""`simul score SUBCOMMAND`."""

BENCHES = {
    "engine": Command("simul.cli.bench.engine", "live streams: the engine against three other ways"),
}
"""`simul bench WHAT`."""

STUDENT = {
    "teach": Command("simul.cli.train.teach", "the student's own translations as text for a run"),
    "prepare": Command("simul.cli.train.prepare", "sentence pairs into pieces, once for all runs"),
    "train": Command(
        "simul.cli.train.train", "train decoders, or encoder and decoders; goes on where it stopped"
    ),
    "export": Command("simul.cli.train.export", "a run's weights as int8 parts to translate with"),
    "score": Command("simul.cli.train.score", "BLEU and chrF on text that no run learns from"),
    "restorer": Command(
        "simul.cli.train.restorer", "the tagger of case and punctuation for recognised words"
    ),
}
"""`simul train student STEP`."""

CAUSAL_WHISPER = {
    "prepare": Command(
        "simul.cli.train.causal_whisper.prepare", "recordings into one pool of sound, once for all runs"
    ),
    "train": Command(
        "simul.cli.train.causal_whisper.train", "teach an encoder to hear in blocks; goes on where it stopped"
    ),
    "export": Command("simul.cli.train.causal_whisper.export", "a run's encoder into its model's folder"),
    "score": Command("simul.cli.train.causal_whisper.score", "distance to the teacher, and word errors"),
}
"""`simul train causal-whisper STEP`."""

RECIPES = {"student": STUDENT, "causal-whisper": CAUSAL_WHISPER}
"""`simul train RECIPE STEP`."""


def find(name: str, table: Mapping[str, Command], before: str) -> Command:
    """The command called `name`, which stands behind `before` on the command line.

    Raises:
        UsageError: there is none.
    """
    if name not in table:
        near = did_you_mean(name, table)
        raise UsageError(f"There is no command `{before} {name}`{near}; choose one of {', '.join(table)}.")
    return table[name]


def listing(table: Mapping[str, Command]) -> list[str]:
    """A line of help for each command."""
    width = max(map(len, table)) + 2
    return [f"  {name:<{width}}{command.help}" for name, command in table.items()]


def modules() -> Iterator[str]:
    """The modules of all commands that have a parser of their own."""
    groups = ("simul.cli.score.command", "simul.cli.train.command", "simul.cli.bench.command")
    steps = [command for recipe in RECIPES.values() for command in recipe.values()]
    for command in (*COMMANDS.values(), *SCORES.values(), *BENCHES.values(), *steps):
        if command.module not in groups:
            yield command.module
