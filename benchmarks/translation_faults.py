"""What users report about small translators, measured: numbers, times, names, negations, capitals, doubled words.

The set is tests/data/translation_faults.tsv: a kind, an English source (in the kind `target`, one that is in the target
language already) and what a translation must hold, for all languages and for each. Conditions are separated by `;;`:
`#347` a number in digits or words, `@8:30` a clock time in any usual form, `~NAME` one of `RULES`, anything else a
regular expression. An empty row of conditions for a language asks nothing there.

    python -m benchmarks.translation_faults [--targets de,es] [--beam 1] [--show] [--output FILE --markdown FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from simul.models.marian.folder import SHIPPED, load
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest

ROWS = Path(__file__).resolve().parent.parent / "tests" / "data" / "translation_faults.tsv"
TARGETS = ("de", "es", "fr", "pt")
HOURS = {
    "de": "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "es": "cero una dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "fr": "zéro une deux trois quatre cinq six sept huit neuf dix onze douze",
    "pt": "zero uma duas três quatro cinco seis sete oito nove dez onze doze",
}
NEGATIONS = {
    "de": r"\b(nicht|kein\w*|nie|niemals|nichts|niemand\w*|weder|ohne|nirgend\w*|nein)\b",
    "es": r"\b(no|nunca|jamás|nada|nadie|ni|sin|ning[uú]n\w*|tampoco)\b",
    "fr": r"\b(ne|pas|jamais|rien|personne|aucune?|ni|sans|non)\b|\bn['’]",
    "pt": r"\b(não|nunca|jamais|nada|ninguém|nem|sem|nenhum\w*)\b",
}
RUDE = {
    "de": r"\b(scheiß\w*|scheiss\w*|fick\w*|huren?|arsch\w*|fotzen?|nutten?|wichs\w*|schlampen?)",
    "es": r"\b(mierdas?|put[oa]s?|joder|jodid\w*|coños?|cabr[oó]n\w*|follar\w*|pollas?|gilipollas|vergas?)\b",
    "fr": r"\b(merdes?|putes?|putain\w*|con|conne|connard\w*|salopes?|bites?|baiser?|enculé\w*|foutre|chier)\b",
    "pt": r"\b(merdas?|putas?|foder\w*|caralhos?|porras?|bucetas?|cu|fodid\w*|viados?)\b",
}


def number(written: str, language: str) -> str:
    """A pattern of the number `written` as in English (1,499 or 2.7)."""
    whole, _, part = written.replace(",", "").partition(".")
    groups = re.findall(r"\d{1,3}(?=(?:\d{3})*$)", whole)
    digits = r"[.,\s]?".join(groups) + (f"[.,]{part}" if part else "")
    patterns = [rf"(?<![\d.,]){digits}(?!\d|[.,]\d)"]
    if not part:
        patterns += [rf"\b{words}\b" for words in spelled(int(whole), language)]
    if whole.endswith("000"):
        patterns.append(rf"\b{whole[:-3]} (mil|mille|tausend)\b")
    return "|".join(patterns)


def spelled(value: int, language: str) -> set[str]:
    """Patterns of a whole number in words: genders, and with blanks or hyphens."""
    from num2words import num2words

    text = num2words(value, lang=language).replace(",", "")
    forms = {text}
    if language == "de":
        forms |= {text.replace("eintausend", "tausend").replace("einhundert", "hundert")}
        forms |= {text.replace("hundert", "hundertund")} if value % 100 else set()
    for masculine, feminine in {
        "es": {"uno": "una", "ientos": "ientas"},
        "pt": {"um": "uma", "dois": "duas", "entos": "entas"},
        "fr": {"un": "une"},
    }.get(language, {}).items():
        forms |= {re.sub(f"{masculine}\\b", feminine, form) for form in set(forms)}
    if language == "es":
        forms |= {re.sub(r"iuno$", "iún", re.sub(r" uno$", " un", text))}
    return {re.sub("[ -]", "[ -]", re.sub("cents?", "cents?", form)) for form in forms}


def clock(hour: int, minute: int, language: str) -> str:
    """A pattern of a time on the twelve-hour clock, in any usual form."""
    this, following = _hour(hour, language), _hour(hour % 12 + 1, language)
    digits = rf"(?<!\d)0?({hour % 12 or 12}|{hour % 12 + 12})"
    if minute:
        patterns = [rf"{digits} ?([:.h]|Uhr|heures?|horas?) ?{minute:02d}(?!\d)"]
    else:
        patterns = [rf"{digits} ?([:.h] ?00|Uhr|h\b|heures?|horas?)"]
    patterns += _WORDS[language](this, following, minute)
    return "|".join(patterns)


def _hour(hour: int, language: str) -> str:
    word = HOURS[language].split()[hour]
    return f"({word}s?|{hour})" if language == "de" and hour == 1 else f"({word}|{hour})"


def _amount(minutes: int, language: str) -> str:
    from num2words import num2words

    return f"({num2words(minutes, lang=language)}|{minutes})"


def _german(this: str, following: str, minute: int) -> list[str]:
    past, to = _amount(minute, "de"), _amount(60 - minute, "de")
    if not minute:
        return [rf"\b{this} Uhr\b(?! (\w*(zehn|zwanzig|dreißig|vierzig|fünfzig)|\d))"]
    patterns = [rf"\b{this} Uhr {past}\b"]
    patterns += [rf"\b{past} (Minuten )?nach {this}\b"] if minute < 30 else []
    patterns += [rf"\b{to} (Minuten )?vor {following}\b"] if minute > 30 else []
    patterns += {
        30: [rf"\bhalb {following}\b"],
        15: [rf"\bViertel (nach {this}|{following})\b"],
        45: [rf"\bViertel vor {following}\b", rf"\bdrei ?viertel {following}\b"],
        25: [rf"\bfünf vor halb {following}\b"],
        35: [rf"\bfünf nach halb {following}\b"],
    }.get(minute, [])
    return patterns


def _spanish(this: str, following: str, minute: int) -> list[str]:
    past, to = _amount(minute, "es"), _amount(60 - minute, "es")
    if not minute:
        return [rf"\blas? {this}\b(?! (y (media|cuarto)|menos)\b)(?![:.]\d)"]
    patterns = [rf"\b{this} y {past}\b"]
    patterns += [rf"\b{following} menos {to}\b"] if minute > 30 else []
    patterns += {
        30: [rf"\b{this} y media\b"],
        15: [rf"\b{this} y cuarto\b"],
        45: [rf"\b{following} menos cuarto\b", rf"\bcuarto para las? {following}\b"],
    }.get(minute, [])
    return patterns


def _french(this: str, following: str, minute: int) -> list[str]:
    past, to = _amount(minute, "fr"), _amount(60 - minute, "fr")
    if not minute:
        return [
            rf"\b{this} heures?\b(?! (et (quart|demi)|moins|\w*(dix|vingt|trente|quarante|cinquante)|\d))"
        ]
    patterns = [rf"\b{this} heures? (et )?{past}\b"]
    patterns += [rf"\b{following} heures? moins {to}\b"] if minute > 30 else []
    patterns += {
        30: [rf"\b{this} heures? et demie?\b"],
        15: [rf"\b{this} heures? et quart\b"],
        45: [rf"\b{following} heures? moins (le )?quart\b"],
    }.get(minute, [])
    return patterns


def _portuguese(this: str, following: str, minute: int) -> list[str]:
    past, to = _amount(minute, "pt"), _amount(60 - minute, "pt")
    if not minute:
        return [rf"\b([àa]s?) {this}\b(?! e (meia|um quarto)\b)(?![:.]\d)", rf"\b{this} horas?\b(?! e\b)"]
    patterns = [rf"\b{this}( horas)? e {past}\b"]
    patterns += [rf"\b{to} (minutos )?para (as?|o) {following}\b"] if minute > 30 else []
    patterns += {
        30: [rf"\b{this}( horas)? e meia\b"],
        15: [rf"\b{this} e (um )?quarto\b"],
        45: [rf"\b(um )?quarto para as? {following}\b", rf"\b{following} menos (um )?quarto\b"],
    }.get(minute, [])
    return patterns


_WORDS: dict[str, Callable[[str, str, int], list[str]]] = {
    "de": _german,
    "es": _spanish,
    "fr": _french,
    "pt": _portuguese,
}


def said_once(source: str, text: str) -> bool:
    """Whether nothing is said twice in a row, and no more than the source can mean."""
    doubled = re.search(r"\b(\w+)\W+\1\b|\b(\w+\W+\w+)\W+\2\b|(\w\w+?)\3\3", text, re.IGNORECASE)
    return bool(text) and doubled is None and len(text) <= 4 * len(source) + 16


RULES: dict[str, Callable[[str, str, str], bool]] = {
    "negation": lambda s, text, code: bool(re.search(NEGATIONS[code], text, re.IGNORECASE)),
    "capitals": lambda s, text, code: text == text.upper().replace("SS", "ß") or text.upper() == text,
    "unchanged": lambda s, text, code: text == s,
    "once": lambda s, text, code: said_once(s, text),
    "clean": lambda s, text, code: not re.search(RUDE[code], text, re.IGNORECASE),
}


def holds(condition: str, source: str, text: str, language: str) -> bool:
    """Whether a translation fulfils a condition of the set."""
    if condition.startswith("~"):
        return RULES[condition[1:]](source, text, language)
    return _pattern(condition, language).search(text) is not None


@cache
def _pattern(condition: str, language: str) -> re.Pattern[str]:
    if condition.startswith("#"):
        condition = number(condition[1:], language)
    elif condition.startswith("@"):
        hour, minute = condition[1:].split(":")
        condition = clock(int(hour), int(minute), language)
    return re.compile(condition, re.IGNORECASE)


def rows(language: str) -> Iterator[tuple[str, str, list[str]]]:
    """(kind, source, conditions) of what the set asks of a language."""
    with open(ROWS, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            found = [part.strip() for part in f"{row['all']};;{row[language]}".split(";;")]
            conditions = [part for part in found if part]
            if conditions:
                yield row["kind"], row["source"], conditions


def measure(translator: MarianTranslator, language: str, show: bool = False) -> dict[str, list[int]]:
    """For each kind how many translations fulfil everything, and how many there are."""
    counts: dict[str, list[int]] = {}
    for kind, source, conditions in rows(language):
        text = "".join(translator.translate([TextRequest(source, language)])[0].tokens).strip()
        right = all(holds(condition, source, text, language) for condition in conditions)
        told = counts.setdefault(kind, [0, 0])
        told[0] += right
        told[1] += 1
        if show and not right:
            print(f"# {language} {kind}: {source} | {text}", flush=True)
    return counts


def table(counts: dict[str, list[int]]) -> dict[str, Any]:
    """Right and asked by kind, and the share of numbers and times together."""
    kinds = {kind: {"right": right, "asked": asked} for kind, (right, asked) in counts.items()}
    chosen = [counts[kind] for kind in ("number", "time") if kind in counts]
    share = 100 * sum(right for right, _ in chosen) / max(1, sum(asked for _, asked in chosen))
    return {"kinds": kinds, "numbers_and_times_percent": round(share, 1)}


def markdown(report: dict[str, Any]) -> str:
    """The page of docs/."""
    lines = [
        "# Faults of the embedded translator, before and after mending",
        "",
        "Made by `python -m benchmarks.translation_faults --markdown docs/translation-faults.md`; do not edit by hand.",
        f"Machine: {json.dumps(report['machine'])}.",
        "",
        "300 English sentences of the kinds that users report (`tests/data/translation_faults.tsv`), written for this",
        "and looked at while the mending was built: a number, a clock time, a name or a negation that must be there,",
        "text in capitals, text that is in the target language already, short texts that invite doubling, words that",
        "invite rude ones. Right means that what is asked for is there; the rest of the sentence may be wrong.",
        "",
        f"Right of those asked, beam {report['beam']}, unmended → mended:",
        "",
        "| kind | " + " | ".join(report["mended"]) + " |",
        "| --- |" + " --- |" * len(report["mended"]),
    ]
    for kind in ("number", "time", "name", "negation", "capitals", "target", "doubled", "rude"):
        cells = []
        for code, told in report["mended"].items():
            before, after = report["unmended"][code]["kinds"][kind], told["kinds"][kind]
            cells.append(f"{before['right']} → {after['right']} of {after['asked']}")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    shares = [
        f"{report['unmended'][code]['numbers_and_times_percent']} → {told['numbers_and_times_percent']} %"
        for code, told in report["mended"].items()
    ]
    lines.append("| numbers and times | " + " | ".join(shares) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--targets", type=lambda text: text.split(","), default=list(TARGETS))
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print the translations that fail")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    students = load(given.model)
    report: dict[str, Any] = {"machine": describe(("numba", "numpy", "num2words")), "beam": given.beam}
    for name, mend in (("unmended", False), ("mended", True)):
        translator = MarianTranslator(students, beam=given.beam, mend=mend)
        counts = {code: measure(translator, code, given.show and mend) for code in given.targets}
        report[name] = {code: table(told) for code, told in counts.items()}
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(markdown(report), encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
