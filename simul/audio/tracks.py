"""Which of a recording's audio tracks is heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simul.errors import UsageError
from simul.languages import NAMES, NLLB, SEAMLESS

_MORE = """
de:ger fr:fre nl:dut cs:cze sk:slo el:gre zh:chi fa:per ro:rum sq:alb hy:arm eu:baq ka:geo is:ice mk:mac mi:mao ms:may
my:bur cy:wel bo:tib ar:ara az:aze et:est lv:lav sw:swa mn:mon ne:nep uz:uzb no:nor fa:fas sq:sqi
"""
"""Codes of ISO 639-2, bibliographic or of macrolanguages, that models do not use."""


def _three_letters() -> dict[str, str]:
    found = {code.split("_")[0]: language for language, code in NLLB.items()}
    found |= {code: language for language, code in SEAMLESS.items()}
    for pair in _MORE.split():
        language, code = pair.split(":")
        found[code] = language
    return found


_TWO_LETTERS = _three_letters()
"""Languages by the codes of ISO 639-2 and -3 that containers use."""

_APART = ("comment", "visual_impaired", "hearing_impaired", "descriptions", "karaoke", "clean_effects")


def language_of(stream: Any) -> str | None:
    """The two-letter code of a track's language, or what the container says; None where it says nothing."""
    tag = str(stream.metadata.get("language", "")).strip().lower().split("-")[0]
    return None if tag in ("", "und", "mul", "zxx") else _TWO_LETTERS.get(tag, tag)


def choose_track(streams: Sequence[Any], track: str | None, language: str | None, name: str) -> Any:
    """One of the audio tracks of a container.

    Unless `track` names one, by number from 1 or by language: the one in `language`, else the one that the container
    says to take, else the first; commentaries and descriptions only where there is nothing else.

    Raises:
        UsageError: `track` is none of them.
    """
    if track is not None:
        wanted = track.strip().lower()
        wanted = _TWO_LETTERS.get(wanted, wanted)
        fitting = [
            stream
            for number, stream in enumerate(streams, 1)
            if wanted in (str(number), language_of(stream) or "")
        ]
        if not fitting:
            listed = "; ".join(describe(streams, stream) for stream in streams)
            raise UsageError(f"{name} has no audio track {track!r}; choose from: {listed}.")
        return fitting[0]
    source = None if language is None else language.split("-")[0].lower()

    def rank(stream: Any) -> tuple[bool, bool, bool]:
        apart = any(_has(stream, kind) for kind in _APART)
        return apart, language_of(stream) != source, not _has(stream, "default")

    return min(streams, key=rank)


def check_only_track(track: str | None, name: str) -> None:
    """Refuse to look for another track where there is one only, as in WAV and raw sound.

    Raises:
        UsageError: `track` is neither None nor the first.
    """
    if track is not None and track.strip() != "1":
        raise UsageError(f"{name} has one audio track, and no {track!r}; leave --track away.")


def describe(streams: Sequence[Any], chosen: Any) -> str:
    """A track as `track 2 (English, default)`."""
    language = language_of(chosen)
    title = str(chosen.metadata.get("title", "")).strip()
    said = [NAMES.get(language or "", language or ""), title, "default" if _has(chosen, "default") else ""]
    inside = ", ".join(part for part in said if part)
    return f"track {list(streams).index(chosen) + 1}" + (f" ({inside})" if inside else "")


def _has(stream: Any, kind: str) -> bool:
    flag = getattr(type(stream.disposition), kind, None)
    return flag is not None and bool(stream.disposition & flag)
