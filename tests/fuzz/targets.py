"""What is fuzzed: functions that take bytes and may refuse them in a sentence, but neither fail otherwise nor hang."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from latency_metrics import formats
from latency_metrics.formats import detokenizers
from latency_metrics.scoring.shortform import score_shortform
from policies.registry import make_policy
from simul.audio.files import FileSource
from simul.audio.sources import StdinSource
from simul.captions import CueMaker
from simul.cli import lists
from simul.config import ModelConfig, StreamOptions
from simul.errors import exit_code_of
from simul.evaluation.records import StreamRecord
from simul.evaluation.sweep.grid import parse_grid
from simul.languages import language_code
from simul.options import from_table
from simul.session.events import from_json
from tests.fuzz.server_targets import frames, raw_bytes
from tests.simul.scripted_cli import command

MOST_SECONDS = 60
"""Audio of a file that is read to its end; what says that it is longer is left then."""


class Unexpected(AssertionError):
    """A command said something that no command should say."""


def refusing(read: Callable[[], object]) -> None:
    """Call `read`; errors that are sentences are what a user should get."""
    try:
        read()
    except Exception as error:
        if exit_code_of(error) is None:
            raise


def run(*arguments: str) -> None:
    """Run a command, which may refuse."""
    code, out, err = command(*arguments)
    if "Traceback" in err or "should not" in err or code not in (0, 1, 2, 3, 6):
        raise Unexpected(f"exit {code}: {out[-300:]} {err[-600:]}")


def in_file(read: Callable[[str], object], suffix: str, data: bytes, folder: Path) -> None:
    """Let `read` have the data as a file."""
    path = folder / f"input{suffix}"
    path.write_bytes(data)
    refusing(lambda: read(str(path)))


def audio_file(data: bytes, folder: Path) -> None:
    """A recording, by its content."""
    in_file(_hear_file, ".bin", data, folder)


def audio_pipe(data: bytes, folder: Path) -> None:
    """A recording on standard input."""
    refusing(lambda: _hear(StdinSource(io.BytesIO(data), 500)))


def _hear_file(path: str) -> None:
    with FileSource(path) as source:
        _hear(source)


def _hear(pieces: object) -> None:
    heard = 0
    for samples in pieces:  # type: ignore[attr-defined]
        heard += len(samples)
        if heard > MOST_SECONDS * 16_000:
            break


def events(data: bytes, folder: Path) -> None:
    """Lines of events, into subtitles and into a record."""
    makers = CueMaker("de", "en"), StreamRecord("th")

    def take(line: str) -> None:
        event = from_json(line)
        assert from_json(event.to_json()) == event
        makers[0].push(event)
        makers[1].event(event)

    for line in data.decode("utf-8", "replace").split("\n"):
        refusing(partial(take, line))
    refusing(makers[0].finish)
    refusing(makers[1].instance)


def logs(data: bytes, folder: Path) -> None:
    """A log of each kind, read and scored."""
    in_file(_score, ".log", data, folder)
    in_file(formats.read_resegmented, ".jsonl", data, folder)
    in_file(lambda path: formats.read_simulstream(path, "word"), ".jsonl", data, folder)
    in_file(formats.read_recordings, ".log", data, folder)


def _score(path: str) -> None:
    score_shortform(formats.read_instances(path))


def log_commands(data: bytes, folder: Path) -> None:
    """A log, given to commands."""
    path = folder / "input.log"
    path.write_bytes(data)
    cases = Path(__file__).resolve().parents[1] / "simul" / "cli" / "cases"
    segmented = (
        "--speech_segmentation",
        str(cases / "seg.json"),
        "--ref_sentences_file",
        str(cases / "ref.txt"),
    )
    run("score", "stats", str(path))
    run("score", "longform", "--word_level", "--jobs", "1", "--hypothesis_file", str(path), *segmented)


def segmentations(data: bytes, folder: Path) -> None:
    """A segmentation in each format, a configuration in YAML, lists of recordings."""
    for suffix in (".yaml", ".json", ".tsv"):
        in_file(formats.read_segmentation, suffix, data, folder)
    in_file(formats.read_text_segmentation, ".txt", data, folder)
    in_file(lambda path: detokenizers.get_detokenizer(detokenizers.read_config(path)), ".yaml", data, folder)
    for suffix in (".tsv", ".csv"):
        in_file(lambda path: lists.read_table(path, lists.Columns(), "en", "de"), suffix, data, folder)
        in_file(lambda path: lists.read_segments(path, None, []), suffix, data, folder)
    in_file(lambda path: lists.read_two_files(path, path), ".txt", data, folder)


def configurations(data: bytes, folder: Path) -> None:
    """A configuration file of the command line, and the same as a table of an adapter."""
    path = folder / "simul.toml"
    path.write_bytes(data)
    run("policies", "wait-k", "-q", "--config", str(path))
    run("translate", "nowhere.wav", "--config", str(path))
    refusing(lambda: from_table([StreamOptions, ModelConfig], _table(data), "the table"))


def _table(data: bytes) -> dict[str, object]:
    import yaml

    try:
        found = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def policies(data: bytes, folder: Path) -> None:
    """An expression of policies, a grid, a language."""
    text = data.decode("utf-8", "replace")
    refusing(lambda: make_policy(text))
    refusing(lambda: parse_grid(text) if text.count(",") < 12 else None)
    language_code(text)


Target = Callable[[bytes, Path], None]
TARGETS: dict[str, tuple[Target, str]] = {
    "audio-file": (audio_file, r"RIFF WAVEfmt\x20 data fLaC OggS \xff\xff\xff\xff moov RF64 ds64"),
    "audio-pipe": (audio_pipe, r"RIFF WAVE fmt\x20 data \xff\xff\xff\xff RF64 ds64 LIST"),
    "events": (events, r'"type" "settled" null 1e400 -1 [] {} \ud800 NaN "segment" "text"'),
    "logs": (logs, r'"delays" 1e400 NaN null [[ "source" -0.0 \xe2\x80\xa8 \u0000 "durations"'),
    "log-commands": (log_commands, r'talk_a.wav talk_b.wav "prediction" 1e9 -5 [] " \x20'),
    "segmentations": (segmentations, r"&a\x20 *a <<:\x20 !!python/object 1e-05 \t wav 0x ?\x20 :\x20"),
    "configurations": (configurations, r"[translate] policy_arg threads\x20=\x20 beam \n {} [[ '''"),
    "policies": (policies, "all-of( my:Own n= ( ) , hold-n : ; switch( 1e9 chunk="),
    "server-frames": (
        frames,
        r'\n \nb "type" session.start session.resume null 1e400 -1 [] {} \ud800 NaN "end" "ms"',
    ),
    "server-bytes": (
        raw_bytes,
        r"GET\x20 HTTP/1.1 \x0d\n Upgrade: websocket Host: \x81 \x88 \xff \x7e \x7f /v1/session",
    ),
}
"""Target, and words of its language that are put in at random, with escapes."""


def words_of(name: str) -> list[bytes]:
    """The words of a target's language."""
    return [_escaped(word) for word in TARGETS[name][1].split(" ")]


def _escaped(word: str) -> bytes:
    return re.sub(
        rb"\\(x..|[nt])",
        lambda found: {b"n": b"\n", b"t": b"\t"}.get(found[1]) or bytes([int(found[1][1:], 16)]),
        word.encode(),
    )


SEEDS = Path(__file__).parent / "seeds"


def seeds_of(name: str) -> list[bytes]:
    """The inputs that are kept for a target, those that failed once among them; audio also from the tests' clips."""
    folder = SEEDS / name
    found = [path.read_bytes() for path in sorted(folder.glob("*"))] if folder.is_dir() else []
    return found or [b""]


def scratch(folder: str | os.PathLike[str]) -> Path:
    """A folder for the files of a run."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path
