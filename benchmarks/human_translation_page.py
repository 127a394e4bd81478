"""The report of benchmarks.human_translation, its picture, and the page of docs/ that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policies.registry import make_policy
from simul.config import DEFAULT_POLICY
from simul.evaluation.sweep.curves import Plane
from simul.evaluation.sweep.drawing import picture
from simul.evaluation.sweep.result import LIMITS, Point, SweepResult

LATENCY, QUALITY = "LongYAAL (CU)", "chrF"
BOUND_S, SHARE = 2.0, 0.92
"""What the default is held to: this share of Offline's chrF at this LongYAAL."""
MODELS = {
    "cascade": "Whisper base, then the embedded translator",
    "direct": "Whisper base alone, by its own translation",
}
NOTE = (
    "Announcements of a telephone system, read by professional speakers; the same prompt in the other language is the "
    "reference, written by people. Ten prompts of 2.5 to 20 s make a recording, with 0.8 s between them. The "
    "Spanish references lack many accents, and a prompt is often said more freely than a translation would be, so "
    "scores are lower than on texts made for scoring; what counts is how settings compare. Of some "
    "thirty sentences in a direction differences below one or two chrF tell nothing. German is in no such set"
)
GERMAN = {
    False: ".",
    True: ": it is shown on the three example talks, whose voices are synthetic and whose translations are human.",
}
OWN = {False: ".", True: "; Whisper's own passes depend on the policy, so there are fewer."}
TERMS = (
    "*Share*: chrF as a share of Offline's, which waits for the end of each utterance. LongYAAL in seconds, over the "
    "sentences of the references; CA counts computation (CPU time of this machine, one core). Policies that take text "
    "back are left out of *best*. All settings decide every {chunk_ms} ms. A cascade's recogniser is heard once and "
    "replayed, so every policy is there at up to three settings"
)


def default_of(result: SweepResult) -> Point:
    """The point of the policy that the program starts with."""
    default = make_policy(DEFAULT_POLICY)
    return next(p for p in result.points if p.setting.make() == default and p.setting.chunk_ms is None)


def row(point: Point, offline: Point) -> dict[str, Any]:
    """The figures of a setting, times in seconds."""
    names = [f"{name} ({clock})" for name in ("LongYAAL", "LongLAAL") for clock in ("CU", "CA")]
    return {
        "setting": str(point.setting),
        "chrF": round(point.scores["chrF"], 2),
        "BLEU": round(point.scores["BLEU"], 2),
        "share_of_offline": round(point.scores[QUALITY] / offline.scores[QUALITY], 4),
        **{name: round(point.scores[name] / 1000, 3) for name in names},
        "erased_characters": point.figures["erased"],
    }


def report_of(result: SweepResult, speech: str, model: str) -> dict[str, Any]:
    """What is told of a direction."""
    offline = result.ceiling()
    assert offline is not None
    best = {f"{limit:g} s": result.best(limit) for limit in LIMITS}
    return {
        "speech": speech,
        "model": model,
        "recordings": offline.figures["recordings"],
        "audio_seconds": offline.figures["audio_seconds"],
        "default": row(default_of(result), offline),
        "offline": row(offline, offline),
        "best": {limit: None if point is None else row(point, offline) for limit, point in best.items()},
        "points": [row(point, offline) for point in result.points],
        "failures": dict(result.failures),
    }


def draw(results: dict[str, SweepResult], titles: dict[str, str], path: Path) -> None:
    """All directions below each other in one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with picture(8.5, 3.6 * len(results)) as drawing:
        parts: Any = drawing.figure.subfigures(len(results), 1, squeeze=False)
        for (name, result), part in zip(results.items(), parts.flat, strict=True):
            Plane(result, LATENCY, QUALITY).overview(drawing, part)
            part.suptitle(titles[name], fontsize=9)
        drawing.png(path)


def verdict(direction: dict[str, Any]) -> str:
    """Whether the default keeps the share within the bound."""
    point = direction["default"]
    share, lag = point["share_of_offline"], point["LongYAAL (CU)"]
    missed = [
        *(["too little quality"] if share < SHARE else []),
        *(["too late"] if lag > BOUND_S else []),
    ]
    return "yes" if not missed else f"no: {', '.join(missed)}"


def markdown(report: dict[str, Any]) -> str:
    """The page."""
    found = report["directions"]
    lines = [
        "# Human speech, human translations: quality against latency",
        "",
        "Made by `python -m benchmarks.human_translation --data FOLDER --markdown docs/human-translation.md "
        f"{' '.join(report['command'])}`; do not "
        "edit by hand.",
        f"Machine: {json.dumps(report['machine'])}.",
        "",
        NOTE + GERMAN["English into German" in found],
        "",
        TERMS.format(chunk_ms=report["chunk_ms"])
        + OWN[any(one["model"] == "direct" for one in found.values())],
        "",
        "## The default",
        "",
        f"Does the default policy keep {100 * SHARE:.0f} % of Offline's chrF at {BOUND_S:g} s of LongYAAL or less?",
        "",
        "| direction | speech | minutes | chrF | Offline's | share, % | LongYAAL | CA | Offline's | holds |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, one in found.items():
        point, offline = one["default"], one["offline"]
        lines.append(
            f"| {name} | {one['speech']} | {one['audio_seconds'] / 60:.1f} | {point['chrF']:.1f} "
            f"| {offline['chrF']:.1f} | {100 * point['share_of_offline']:.1f} | {point['LongYAAL (CU)']:.2f} "
            f"| {point['LongYAAL (CA)']:.2f} | {offline['LongYAAL (CU)']:.2f} | {verdict(one)} |"
        )
    lines += ["", "![Curves](images/human-translation.png)", ""]
    for name, one in found.items():
        lines += [f"## {name}", "", f"{MODELS[one['model']]}; {one['recordings']:.0f} recordings.", ""]
        named = {"default": one["default"], "offline": one["offline"]}
        named.update({f"best within {limit}": point for limit, point in one["best"].items()})
        lines += [*_head("| "), *(_line(f"| {label} ", point) for label, point in named.items()), ""]
        lines += ["<details><summary>All settings</summary>", "", *_head("")]
        lines += [*(_line("", point) for point in one["points"]), "", "</details>", ""]
    return "\n".join(lines).rstrip() + "\n"


def _head(first: str) -> list[str]:
    names = "| setting | chrF | BLEU | share, % | LongYAAL | LongYAAL CA | characters taken back |"
    rule = "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    return [f"{first}{names}", f"{'| --- ' if first else ''}{rule}"]


def _line(first: str, point: dict[str, Any] | None) -> str:
    if point is None:
        return f"{first}| none | | | | | | |"
    return (
        f"{first}| `{point['setting']}` | {point['chrF']:.1f} | {point['BLEU']:.1f} "
        f"| {100 * point['share_of_offline']:.1f} | {point['LongYAAL (CU)']:.2f} | {point['LongYAAL (CA)']:.2f} "
        f"| {point['erased_characters']:.0f} |"
    )
