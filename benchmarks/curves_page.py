"""The page of docs/ on the quality and latency of policies, from the report of benchmarks.policy_curves."""

from __future__ import annotations

import json
from typing import Any

AGREEMENT = "chrF to Offline"
NOTE = (
    "The embedded model on human English speech; the sets carry no translations. chrF and BLEU are against what the "
    "same translator makes of the *transcript*, sentence by sentence (pseudo-references), and *share* is a setting's "
    "chrF as a share of Offline's. *To Offline* is chrF against what the Offline policy of the same model writes for "
    "the same audio; there Offline has 100 by definition, and less does not mean worse: a translation that had to be "
    "begun early differs from one that could wait. LAAL, LongLAAL and LongYAAL are in seconds; CA counts computation "
    "(CPU time of this machine). Segments of LongLAAL and LongYAAL are those of Offline. LongYAAL leaves out what is "
    "said after the end of a recording, so on short recordings it flatters policies that wait; the long recordings "
    'tell. Policies that take text back are left out of "best": their latency does not tell how much a reader sees '
    "change."
)
EVIDENCE = (
    "Attention, for align-att, edatt and stream-att, is the translator's on the recognised words; segments, for "
    "greedy, confidence-aware, consensus and segment-confidence, are stretches between pauses ([what a model "
    "shows](policies.md#what-a-model-shows)). Every policy has a curve; of wait-k's units the CTC word has none, since "
    "no part of this model counts such words. In the pictures the thick line is the best that append-only policies "
    "have, its settings by name, and below, each policy has a panel of its own with all of its settings. Settings of "
    "stream-att coincide, since a cascade's audio is bounded by its utterances and not cut; those of punctuation-hold "
    "nearly do, since few "
    "marks come before an utterance's end."
)


def markdown(report: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Policies: quality against latency",
        "",
        "Made by `python -m benchmarks.policy_curves --data FOLDER --markdown docs/policy-curves.md`; do not edit by "
        "hand.",
        f"Machine: {json.dumps(report['machine'])}. Wall time: {report['minutes']:.1f} minutes with "
        f"{report['jobs']} processes.",
        "",
        f"Translator: {report['translator']}. Whisper and today's students, against human "
        "translations: [human speech, human translations](human-translation.md).",
        "",
        NOTE,
        "",
        EVIDENCE,
        "",
        *_choice(report),
    ]
    for name, found in report["parts"].items():
        part, target = name.split("/")
        lines += [
            f"## {report['titles'][part]}, into {report['targets'][target]}",
            "",
            f"{found['recordings']:.0f} recordings, {found['audio_seconds'] / 60:.1f} minutes.",
            "",
            f"![Curves](images/policy-curves-{part}-{target}.png)",
            "",
            *_best(found),
            "",
            *_all_settings(found),
            "",
        ]
    return "\n".join(lines)


def _choice(report: dict[str, Any]) -> list[str]:
    """The default, and how the dev part ranks the settings within the bound."""
    lines = [
        "## The default",
        "",
        f"`simul translate` and `simul mic` start with `{report['default']}`. On the dev part (training rows of "
        "librispeech-mini) the best settings within 2 s LongYAAL, mean of both languages, are this policy and "
        "forms of it with a filter, which lie less than one per cent apart. The plain one was chosen: it needs tokens "
        "only, so every model can serve it, and its one number is easy to set.",
        "",
        "| setting | share of Offline's chrF, % | LongYAAL, s |",
        "| --- | ---: | ---: |",
    ]
    ranked = report["dev_ranking"]
    shown = ranked[:8] + [r for r in ranked[8:] if r["setting"] == report["default"]]
    for r in shown:
        lines.append(f"| `{r['setting']}` | {100 * r['share_of_offline']:.1f} | {r['LongYAAL']:.2f} |")
    lines += ["", "The default on every part:", "", "| part | share, % | to Offline | LongYAAL, s | CA |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for name, found in report["parts"].items():
        part, target = name.split("/")
        d = found["default"]
        lines.append(
            f"| {part}, {report['targets'][target]} | {100 * d['share_of_offline']:.1f} | {d[AGREEMENT]:.1f} "
            f"| {d['LongYAAL (CU)']:.2f} | {d['LongYAAL (CA)']:.2f} |"
        )
    return [*lines, ""]


def _cells(point: dict[str, Any], names: tuple[str, ...]) -> str:
    return " | ".join(f"{point[name]:.2f}" if name in point else "–" for name in names)


def _best(found: dict[str, Any]) -> list[str]:
    latency = found["latency"]
    times = (f"{latency} (CU)", f"{latency} (CA)", "LongYAAL (CU)", "LongYAAL (CA)")
    lines = [
        f"| | setting | chrF | share, % | to Offline | {latency} | {latency} CA | LongYAAL | LongYAAL CA |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    named = {"default": found["default"], "offline": found["offline"]}
    named.update({f"best within {limit}": point for limit, point in found["best"].items()})
    for label, point in named.items():
        if point is None:
            lines.append(f"| {label} | none | | | | | | | |")
            continue
        quality = f"{point['chrF']:.1f} | {100 * point['share_of_offline']:.1f} | {point[AGREEMENT]:.1f}"
        lines.append(f"| {label} | `{point['setting']}` | {quality} | {_cells(point, times)} |")
    return lines


def _all_settings(found: dict[str, Any]) -> list[str]:
    times = ("LAAL (CU)", "LAAL (CA)", "LongLAAL (CU)", "YAAL (CU)", "LongYAAL (CU)", "LongYAAL (CA)")
    lines = [
        "<details><summary>All settings</summary>",
        "",
        "| setting | chrF | BLEU | to Offline | LAAL | LAAL CA | LongLAAL | YAAL | LongYAAL | LongYAAL CA "
        "| characters taken back |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for point in found["points"]:
        quality = f"{point['chrF']:.1f} | {point['BLEU']:.1f} | {point[AGREEMENT]:.1f}"
        lines.append(
            f"| `{point['setting']}` | {quality} | {_cells(point, times)} | {point['erased_characters']:.0f} |"
        )
    return [*lines, "", "</details>"]
