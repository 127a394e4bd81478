"""Writes docs/whisper-figures.md from the results of whisper_peers, whisper_policies and whisper_robustness.

python -m benchmarks.whisper_page
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.whisper_policies import GRIDS

RESULTS = Path("benchmarks/results")
PAGE = Path("docs/whisper-figures.md")
NOISE = 4
"""So many words more are more errors."""
SHARES = {
    "lag": "lag_mean_share",
    "processor time": "cpu_seconds_per_second_share",
    "memory": "peak_mib_share",
}
DEFAULT = "local-agreement n=2"
Report = Mapping[str, Any]

HEAD = """# Whisper in figures

Made by `python -m benchmarks.whisper_page` from the results of the commands below; do not edit by hand. What the
options mean, and figures on more recordings, is in [Whisper in real time](whisper.md). All on whisper-base, one thread.
"""
PEERS = """## Beside other programs

```sh no-run
python -m benchmarks.openai_checkpoint "$(simul models where whisper-base)" base.pt
python -m benchmarks.whisper_peers clips.tsv... --first 0 --clips {clips} --checkpoint base.pt \\
  --peer whisper_streaming=PYTHON,FOLDER --peer SimulStreaming=PYTHON,FOLDER --peer WhisperLiveKit=PYTHON
```

The same {recordings} recordings of people reading and speaking English ({seconds:.0f} s, {words} words) and the same
weights for all; each program in its own process, pieces of 1 s for the others, 0.5 s for ours unless said.
whisper_streaming 1f25a1a (faster-whisper, int8, its beam of 5), SimulStreaming 077ea37 (torch, float32, greedy) and
WhisperLiveKit 0.2.26 (faster-whisper's encoder, torch's decoder) run as they come, without voice activity detection.
Lag: what had been heard when a word settled, less the word's end on a clock that is the same for all (the transcript
aligned with the audio); computing comes on top. One word is {word:.1f} %; below four words no difference should be
read as one. Processor time counts start-up and loading.
[As JSON](../benchmarks/results/whisper_peers.json).
"""
POLICIES = """## Policies and windows

```sh no-run
python -m benchmarks.whisper_policies clips.tsv... --first 0 --clips {clips} --translate asterisk-prompts/clips.tsv
```

{recordings} recordings ({seconds:.0f} s): enough to see what a policy waits for and costs, not to rank word errors.
Lag as above; CA: with the time that computing took. Processor time is that of the passes.
{missing}[As JSON](../benchmarks/results/whisper_policies.json).
"""
TRANSLATION = """## Into English

Prompts of a telephone system, by the default policy, against the English prompts, which are no literal translations.
"""
ROBUSTNESS = """## Where it may not fail

```sh no-run
python -m benchmarks.whisper_robustness --data FOLDER
```

[As JSON](../benchmarks/results/whisper_robustness.json).
"""


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; the first column is text."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def spread(row: Report, name: str) -> str:
    """Mean, median and 95th percentile of a lag."""
    return ", ".join(f"{row[f'{name}_{part}']:.2f}" for part in ("mean", "median", "p95"))


def peers(report: Report) -> str:
    """The programs side by side, and what is claimed."""
    cases: Report = report["cases"]
    words = next(iter(cases.values()))["words"]
    count = len(report["recordings"])
    text = PEERS.format(
        recordings=count, seconds=report["seconds"], words=words, word=100 / words, clips=count // 3
    )
    header = ("", "word errors %", "written form %", "lag s: mean, median, 95 %", "CPU s per s", "MiB")
    rows = [
        (
            name,
            case["wer"],
            case["written"],
            spread(case, "lag"),
            case["cpu_seconds_per_second"],
            case["peak_mib"],
        )
        for name, case in cases.items()
    ]
    return f"{text}\n{table(header, rows)}\n{claims(report['claims'])}"


def claims(found: Sequence[Report]) -> str:
    """Where ours has lower lag, less computing and less memory at no more errors, and where not."""
    lines = ["What ours needs of what a peer needs (below 1: less), and how many words more it errs:\n"]
    header = ("", "beside", "words more", "lag", "CPU", "memory")
    rows = [
        (
            each["ours"],
            each["peer"],
            f"{each['edits_more']:+d}",
            each["lag_mean_share"],
            each["cpu_seconds_per_second_share"],
            each["peak_mib_share"],
        )
        for each in found
    ]
    return "\n".join([*lines, table(header, rows), *map(_verdict, _by_setting(found))])


def _by_setting(found: Sequence[Report]) -> list[list[Report]]:
    names = dict.fromkeys(each["ours"] for each in found)
    return [[each for each in found if each["ours"] == name] for name in names]


def _verdict(found: Sequence[Report]) -> str:
    """Beside which peers lag, computing and memory are all less at no more errors, and what is not less elsewhere."""
    held, missed = [], []
    for each in found:
        more = [name for name, share in SHARES.items() if each[share] >= 1]
        more += ["errors"] if each["edits_more"] >= NOISE else []
        (missed if more else held).append(each["peer"] + (f" ({', '.join(more)})" if more else ""))
    parts = [f"less of everything than {', '.join(held)}"] if held else []
    parts += [f"not less than {', '.join(missed)}"] if missed else []
    return f"- {found[0]['ours']}, at errors that do not differ or fewer: {'; '.join(parts)}.\n"


def policies(report: Report) -> str:
    """Windows, then policies; the default is marked."""
    cases: Report = report["cases"]
    count = len(report["recordings"])
    missing = ", ".join(f"`{name}`" for name in GRIDS if name not in cases)
    said = f"Known to the command and not measured yet: {missing}.\n" if missing else ""
    parts = [POLICIES.format(recordings=count, seconds=report["seconds"], clips=count // 3, missing=said)]
    header = (
        "",
        "word errors %",
        "LAAL CU, CA",
        "LongYAAL CU, CA",
        "lag s: mean, median, 95 %",
        "CPU s per s",
        "MiB",
    )
    for windows in (True, False):
        rows = [
            (
                name.removeprefix("window ") if windows else _marked(row["setting"]),
                row["wer"],
                _pair(row, "laal"),
                _pair(row, "longyaal"),
                spread(row, "lag"),
                row["cpu_seconds_per_second"],
                case["peak_mib"],
            )
            for name, case in cases.items()
            if "settings" in case and name.startswith("window ") == windows
            for row in case["settings"]
        ]
        parts.append(table(("window" if windows else "policy", *header[1:]), rows))
    translated = {name: case for name, case in cases.items() if "bleu" in case}
    if translated:
        header = ("", "recordings", "BLEU", "chrF", "LAAL CU, CA", "CPU s per s")
        rows = [
            (n, c["recordings"], c["bleu"], c["chrf"], _pair(c, "laal"), c["cpu_seconds_per_second"])
            for n, c in translated.items()
        ]
        parts += [TRANSLATION, table(header, rows)]
    return "\n".join(parts)


def _marked(setting: str) -> str:
    return f"**`{setting}`** (default)" if setting == DEFAULT else f"`{setting}`"


def _pair(row: Report, name: str) -> str:
    return ", ".join(
        f"{row[f'{name}_{clock}']:.2f}" if f"{name}_{clock}" in row else "–" for clock in ("cu", "ca")
    )


def robustness(report: Report) -> str:
    """Hours, noise, a slow machine."""
    cases: Report = report["cases"]
    parts = [ROBUSTNESS]
    for name, case in cases.items():
        if name.startswith("long"):
            parts.append(_long(case))
    noises = {n: c for n, c in cases.items() if "words_per_5_minutes" in c}
    if noises:
        languages = list(dict.fromkeys(n.split()[1] for n in noises))
        kinds = list(dict.fromkeys(n.split()[0] for n in noises))
        parts.append("**Sound without words.** Words written, by language setting:\n")
        rows = [
            (
                f"{kind}, {_lasting([case['seconds'] for n, case in noises.items() if n.split()[0] == kind])}",
                *(noises.get(f"{kind} {language}", {}).get("words", "–") for language in languages),
            )
            for kind in kinds
        ]
        parts.append(table(("", *languages), rows))
    slow = [case for name, case in cases.items() if name.startswith("slow")]
    if slow:
        parts.append(
            "**A slow machine.** Live speech (`--simulate`) on a quarter of a core, beside a whole one. Behind: from "
            "the arrival of audio to what settled of it.\n"
        )
        header = (
            "",
            "words",
            "behind s: mean, 95 %, most",
            "decisions passed over",
            "audio skipped",
            "CPU s per s",
        )
        rows = [
            (
                f"`{case['setting'] or 'default'}`, {label}",
                run["words"],
                f"{run['behind_mean']:.2f}, {run['behind_p95']:.2f}, {run['behind_max']:.2f}",
                run["decisions_passed_over"],
                run["skipped_samples"],
                run["cpu_seconds_per_second"],
            )
            for case in slow
            for label, run in (("whole core", case["whole"]), ("a quarter", case["part"]))
        ]
        parts.append(table(header, rows))
    return "\n".join(parts)


def _lasting(seconds: Sequence[float]) -> str:
    """How long a noise was in the first setting, and in the others where that differs."""
    others = sorted({each for each in seconds if each != seconds[0]})
    return f"{seconds[0]:.0f} s" + "".join(f" (others {each:.0f} s)" for each in others)


def _long(case: Report) -> str:
    memory, cpu = case["resident_mib_per_minute"], case["cpu_seconds_per_minute"]
    third = max(1, len(cpu) // 3)
    return (
        f"**Long form.** {case['minutes']:.0f} minutes: one recording of {case['words_of_reference_per_pass']} words "
        f"{len(case['words_per_pass'])} times in one stream. Words written per pass: "
        f"{', '.join(map(str, case['words_per_pass']))}; word errors: "
        f"{', '.join(f'{rate:.1f}' for rate in case['wer_per_pass'])} %. Processor time per minute: "
        f"{sum(cpu[:third]) / third:.1f} s in the first third, {sum(cpu[-third:]) / third:.1f} s in the last; "
        f"memory {memory[third]} MiB after a third, {memory[-1]} MiB at the end.\n"
    )


def main() -> None:
    parts = [HEAD]
    for name, write in (("peers", peers), ("policies", policies), ("robustness", robustness)):
        place = RESULTS / f"whisper_{name}.json"
        if place.exists():
            parts.append(write(json.loads(place.read_text(encoding="utf-8"))))
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
