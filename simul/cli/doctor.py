"""`simul doctor`: what is installed, what this machine has, and what to do about what is missing."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.errors import ExitCode, SimulError
from simul.install import install_hint

if TYPE_CHECKING:
    from simul.models.catalogue import Places

OK, MISSING, BROKEN = "ok", "missing", "broken"
_MIC_SECONDS = 1.0

_PACKAGES: tuple[tuple[str, str, str, str], ...] = (
    ("numpy", "numpy", "core", ""),
    ("av", "av", "audio files", ""),
    ("ctranslate2", "ctranslate2", "translation", ""),
    ("sentencepiece", "sentencepiece", "translation", ""),
    ("sacrebleu", "sacrebleu", "scores", ""),
    ("numba", "numba", "long-form scores", ""),
    ("rich", "rich", "terminal", ""),
    ("httpx", "httpx", "translation servers, downloads", ""),
    ("pocketsphinx", "pocketsphinx", "embedded recogniser", "embedded"),
    ("espeakng-loader", "espeakng_loader", "speech output", "embedded"),
    ("sounddevice", "sounddevice", "microphone", "mic"),
    ("faster-whisper", "faster_whisper", "Whisper models", "whisper"),
    ("transformers", "transformers", "models of the hub's format", "hf"),
    ("torch", "torch", "training, transformers", "train"),
)
"""Distribution, module, what it is for, extra of this package that brings it (core packages: none)."""

_OPTIONAL = frozenset({"sounddevice", "faster-whisper", "transformers", "torch"})


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do unless `state` is "ok"."""

    area: str
    name: str
    state: str
    detail: str
    remedy: str = ""
    optional: bool = False


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "doctor",
        "Check packages, devices, models and the microphone; exit 1 when something needed is missing.",
    )
    p.add_argument("--no-mic", action="store_true", help="do not listen to the microphone")
    p.add_argument(
        "--models", action="append", default=[], metavar="FOLDER", help="also look for models there"
    )
    p.add_argument("--json", action="store_true", help="findings as JSON")
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    findings = list(examine(context, listen=not given.no_mic, folders=given.models))
    if given.json:
        context.stdout.write(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False) + "\n")
    else:
        _print(context, findings)
    broken = [f for f in findings if f.state != OK and not f.optional]
    return ExitCode.FAILED if broken else ExitCode.OK


def examine(context: Context, listen: bool, folders: list[str]) -> Iterator[Finding]:
    """Look at everything; one finding each. What dies of being looked at is broken, and the others are looked at."""
    for area, look in (
        ("system", _system),
        ("packages", _packages),
        ("devices", _devices),
        ("recogniser", lambda: _checked("recogniser", "pocketsphinx model", _recogniser)),
        ("translator", lambda: _checked("translator", "embedded translator", _translator)),
        ("speech output", lambda: _checked("speech output", "espeak-ng", _speech)),
        ("models", lambda: _models(context, folders)),
        ("microphone", lambda: _microphone(context, listen)),
    ):
        try:
            yield from look()
        except Exception as error:
            yield Finding(area, area, BROKEN, _said(error), "see `simul doctor -v`", area in _MAY_FAIL)
            if context.verbosity > 0:
                traceback.print_exception(error, file=context.stderr)


_MAY_FAIL = frozenset({"devices", "microphone"})
"""Areas without which the toolkit still works."""


def _said(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _system() -> Iterator[Finding]:
    yield Finding("system", "simul", OK, f"{_version('simul') or 'not installed'}, in {_home()}")
    yield Finding("system", "Python", OK, f"{platform.python_version()} on {platform.platform()}")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("system", "processors", OK, f"{usable} usable")


def _home() -> str:
    spec = importlib.util.find_spec("simul")
    return os.path.dirname(spec.origin) if spec and spec.origin else "?"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for distribution, module, use, extra in _PACKAGES:
        found = _version(distribution)
        if found is not None and _present(module):
            yield Finding("packages", distribution, OK, f"{found} ({use})")
            continue
        remedy = install_hint(extra) if extra else f"pip install {distribution}"
        yield Finding("packages", distribution, MISSING, f"for {use}", remedy, distribution in _OPTIONAL)


def _present(module: str) -> bool:
    """Whether a module is there to import; a broken one may fail at being looked for."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _devices() -> Iterator[Finding]:
    try:
        import ctranslate2

        count = ctranslate2.get_cuda_device_count()
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding(
            "devices", "CTranslate2", BROKEN, _said(error), "pip install --force-reinstall ctranslate2"
        )
        return
    if count:
        yield Finding("devices", "GPU", OK, f"{count} usable by CTranslate2")
    elif shutil.which("nvidia-smi"):
        remedy = "install the CUDA libraries that CTranslate2 names in its manual (cuBLAS, cuDNN)"
        yield Finding(
            "devices", "GPU", MISSING, "a driver is there, but CTranslate2 sees no GPU", remedy, True
        )
    else:
        yield Finding("devices", "GPU", OK, "none; models run on the processor")
    if _version("torch"):
        yield _torch()


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        remedy = "pip install --force-reinstall torch -c constraints.txt"
        return Finding("devices", "torch", BROKEN, str(error).partition("\n")[0], remedy, True)
    if not torch.cuda.is_available():
        return Finding("devices", "torch", OK, "on the processor")
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return Finding("devices", "torch", OK, f"CUDA: {names}")


def _checked(area: str, name: str, look: Callable[[], str]) -> Iterator[Finding]:
    """What `look` finds; its errors say what to do themselves."""
    try:
        yield Finding(area, name, OK, look())
    except (SimulError, ValueError, ImportError, OSError) as error:
        yield Finding(area, name, MISSING, "does not work", str(error).partition("\n")[0])


def _recogniser() -> str:
    from simul.models.embedded.sphinx import stock_model

    return f"US English, {stock_model()}"


def _translator() -> str:
    from simul.backends.families import EMBEDDED_SOURCES, EMBEDDED_TARGETS
    from simul.models.marian.folder import SHIPPED_INTO_ENGLISH
    from simul.models.marian.translator import MarianTranslator

    MarianTranslator()
    MarianTranslator(SHIPPED_INTO_ENGLISH, next(iter(EMBEDDED_SOURCES)))
    into = ", ".join(EMBEDDED_TARGETS.values())
    return f"English to {into}; {' and '.join(EMBEDDED_SOURCES.values())} to English"


def _speech() -> str:
    from tts import make_engine

    engine = make_engine("de")
    return f"{len(engine.voices)} voices, {engine.rate} Hz"


def _models(context: Context, folders: list[str]) -> Iterator[Finding]:

    from simul.models.catalogue import Places, known
    from simul.models.catalogue.lookup import folders_of
    from simul.models.hub import find_models

    named = folders_of(folders)
    here = [folder for folder in named if folder.is_dir()]
    for folder in named:
        if folder not in here:
            yield Finding("models", str(folder), MISSING, "no such folder", "check the name")
    places = Places.of_user(context.environ, here)
    for model in find_models(here, places.hub):
        if known(model.name) is None:
            yield Finding("models", model.name, OK, f"{model.kind}, {model.size / 1e6:.0f} MB, {model.path}")
    yield from _catalogue(places)


def _catalogue(places: Places) -> Iterator[Finding]:
    """Models of the catalogue that are here, that are damaged, and those that would make it better."""
    from simul.models.catalogue import ENTRIES, how_to_get, state_of

    told = set()
    for entry in ENTRIES.values():
        state = state_of(entry, places)
        # One line for each command that brings something; those of single downloads differ in nothing else.
        brings = entry.package.extra if entry.package else "download"
        if state.source is not None:
            yield Finding("models", entry.name, OK, f"{entry.task}, {entry.size / 1e6:.0f} MB, {state.at}")
        elif state.wrong:
            yield Finding("models", entry.name, BROKEN, state.wrong[0], how_to_get(entry), True)
        elif brings and brings not in told:
            yield Finding(
                "models", entry.name, MISSING, f"would be better: {entry.about}", how_to_get(entry), True
            )
        told.add(brings)


def _microphone(context: Context, listen: bool) -> Iterator[Finding]:
    from simul.audio.microphone import choose_device, how_to_hear_the_system, list_devices

    try:
        devices = list_devices(context.sound)
        device = choose_device(None, devices)
    except SimulError as error:
        yield Finding("microphone", "input", MISSING, "none", str(error), True)
        return
    names = ", ".join(f"{found.index}: {found.name}" for found in devices)
    yield Finding("microphone", "devices", OK, names)
    playing = [found for found in devices if found.is_system_sound]
    if playing:
        yield Finding("microphone", "system sound", OK, f"{playing[0].name}: simul mic --device system")
    else:
        how = how_to_hear_the_system()
        yield Finding(
            "microphone", "system sound", MISSING, "no device gives what this computer plays", how, True
        )
    if listen:
        yield _level(context, device.index)


def _level(context: Context, device: int) -> Finding:
    """Listen for a second."""
    from simul.audio.level import LevelMeter
    from simul.audio.microphone import MicrophoneSource
    from simul.units import SAMPLE_RATE

    meter = LevelMeter(patience_seconds=0.9 * _MIC_SECONDS)
    heard, level = 0, None
    try:
        with MicrophoneSource(device, 100, backend=context.sound, reopen_attempts=1) as source:
            for samples in source:
                level = meter.push(samples)
                heard += len(samples)
                if heard >= _MIC_SECONDS * SAMPLE_RATE:
                    break
    except SimulError as error:
        return Finding("microphone", "level", BROKEN, "cannot be heard", str(error), True)
    if level is None or level.no_signal:
        remedy = "unmute it, check its cable, or choose another with `simul mic --device`"
        return Finding("microphone", "level", BROKEN, "silent", remedy, True)
    detail = f"peak {meter.peak_dbfs:.0f} dBFS"
    if meter.clipped_samples:
        return Finding(
            "microphone", "level", BROKEN, f"{detail}, clipping", "turn it down in the mixer", True
        )
    return Finding("microphone", "level", OK, detail)


def _print(context: Context, findings: list[Finding]) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    console = context.console(context.stdout)
    width = max(cell_len(finding.name) for finding in findings)
    area = ""
    for finding in findings:
        if finding.area != area:
            heading, area = "\n" if area else "", finding.area
            console.print(Text.assemble(heading, (area, "bold")), soft_wrap=True)
        mark = (
            ("✓", "green") if finding.state == OK else ("–", "yellow") if finding.optional else ("✗", "red")
        )
        pad = " " * (width - cell_len(finding.name))
        state = "" if finding.state == OK else f"{finding.state}, "
        line = Text.assemble("  ", mark, f" {finding.name}{pad}  {state}{finding.detail}")
        console.print(line, soft_wrap=True)
        if finding.remedy:
            console.print(f"    {' ' * width}  → {finding.remedy}", soft_wrap=True)
