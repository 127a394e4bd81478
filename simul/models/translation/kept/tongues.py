"""Facts about languages that checks of translations need: frequent words, negations, rude words, usual doublings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MARKS = "\"'“”‘’«»„¡¿()[]….,;:!?–—"


def bare(word: str) -> str:
    """A word without the marks around it."""
    return word.strip(_MARKS)


@dataclass(frozen=True)
class Tongue:
    """One language. common: words that show which language a text is in, none of them usual in the others.

    negation: a pattern of words that deny. denying: what to write where one is missing, likeliest first. rude: a
    pattern of words that nobody wants to read who did not say them. doubled: words that may stand twice in a row.
    """

    common: frozenset[str]
    negation: re.Pattern[str]
    denying: tuple[str, ...]
    rude: re.Pattern[str]
    doubled: frozenset[str] = frozenset()


def _tongue(common: str, negation: str, denying: str, rude: str, doubled: str = "") -> Tongue:
    return Tongue(
        frozenset(common.split()),
        re.compile(rf"\b(?:{negation})\b", re.IGNORECASE),
        tuple(denying.split()),
        re.compile(rf"\b(?:{rude})\b", re.IGNORECASE),
        frozenset(doubled.split()),
    )


TONGUES = {
    "en": _tongue(
        "the and of to is are was were with for that this it he she they we you have has had not be been by from at "
        "his her their our my your there which who what when where how will would can could should do does did but "
        "if or as about into than then them him us please here very i an these those",
        r"not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|\w+n['’]t",
        "not no",
        r"shit\w*|fuck\w*|cunts?|arseholes?|assholes?|whores?|bitch(?:es)?|wank\w*|dicks?|cocks?|sluts?|bastards?",
        "that had very",
    ),
    "de": _tongue(
        "der die das und ist sind war nicht ein eine einen einem einer ich er sie wir ihr mit auf für von zu dem den "
        "des im am es sich auch noch nur wie wo wer warum wenn aber oder haben hat habe hatte wird werden kann kein "
        "keine meine mein seine uns mich mir dir bei nach aus über sehr hier heute morgen seit gestern gibt zum zur "
        "was du dein deine",
        r"nicht\w*|kein\w*|nie|niemals|nichts|niemand\w*|weder|ohne|nirgend\w*|nein|un(?:möglich|fähig)\w*|"
        r"verneint?|vermeid\w*|fehl(?:t|en|te|ten)|lehn\w*|verweiger\w*|ungern|kaum",
        "nicht kein keine nie niemand nichts",
        r"schei(?:ß|ss)\w*|fick\w*|huren?|hurens\w+|ar?schl\w+|arsch|fotzen?|nutten?|wichs\w*|schlampen?|kacke",
        "die der das sie sehr",
    ),
    "es": _tongue(
        "el los las una que es son está están muy pero con por para como más mi su sus yo ella nosotros usted ustedes "
        "hay fue era ha han he se lo le les del al qué dónde cuándo cómo quién hoy mañana ayer desde hace esto esta "
        "este sobre también todos cada y nos donde que de la tu me",
        r"no|nunca|jamás|nada|nadie|ni|sin|ning[uú]n\w*|tampoco|imposib\w*|apenas",
        "no nunca nadie nada",
        r"mierdas?|put[oa]s?|joder|jodid\w*|coños?|cabr[oó]n\w*|follar\w*|pollas?|gilipollas|vergas?|maric[oó]n\w*",
        "muy",
    ),
    "fr": _tongue(
        "le les une est sont était avec pour dans qui ne pas mais sur il elle nous vous ils elles je mon ma mes "
        "son sa ses leur leurs ce cette ces du aux et où quand très aussi plus ont avons avez suis été depuis "
        "être avoir fait hier aujourd'hui demain chaque tous qu'est-ce j'ai c'est n'est que de la tu",
        r"ne|n['’]\w*|pas|jamais|rien|personne|aucune?|ni|sans|non|impossib\w*",
        "ne pas",
        r"merdes?|putes?|putain\w*|con|conne|connards?|salopes?|bites?|baiser?|enculé\w*|foutre|chier",
        "nous vous très",
    ),
    "pt": _tongue(
        "os uma não é são está estão com mas muito ele ela eles elas nós você vocês eu meu minha seu sua isso "
        "isto esta este foi era tem têm há do da dos das no na nos nas ao aos à às pelo pela onde quando quem "
        "hoje amanhã ontem também mais desde cada todos sempre um em que de o as me",
        r"não|nunca|jamais|nada|ninguém|nem|sem|nenhum\w*|tampouco|impossív\w*|discord\w*|desaprov\w*",
        "não nunca ninguém nada",
        r"merdas?|putas?|foder\w*|caralhos?|porras?|bucetas?|cu|fodid\w*|viados?|cacetes?",
        "muito",
    ),
}


def is_in(words: Sequence[str], language: str, instead_of: str) -> bool:
    """Whether a text of at least three words is in `language`, when it should be in `instead_of`.

    >>> is_in("Er wohnt seit drei Jahren in Hamburg.".split(), "de", "en")
    True
    """
    if language not in TONGUES or instead_of not in TONGUES or len(words) < 3:
        return False
    theirs, own = TONGUES[language].common, TONGUES[instead_of].common
    lower = [bare(word).lower() for word in words]
    found = sum(word in theirs - own for word in lower)
    against = sum(word in own - theirs for word in lower)
    accented = sum(word not in theirs and not word.isascii() for word in lower)
    rivals = max(sum(word in tongue.common for word in lower) for tongue in TONGUES.values())
    enough = found + accented >= max(2, 0.25 * len(lower)) and found + accented > 2 * against
    return bool(found) and enough and sum(word in theirs for word in lower) == rivals
