"""Marks, and what is known of a language: abbreviations, ordinals with a dot, words that open a phrase."""

from __future__ import annotations

from dataclasses import dataclass

SENTENCE_ENDS = ".!?…。！？｡؟।"
CLAUSE_ENDS = ",;:–—،、，；：؛"
CLOSERS = "\"'”’»)]}›“」』"

# Words that also end sentences ("no", "art", "min") are left out: a missed pause is worse than a short unit.
_COMMON = "dr prof mr mrs ms vs nr vol fig approx e.g i.e ph.d"
_ABBREVIATIONS = {
    "en": "st sr jr rev gov capt sgt lt inc ltd corp dept a.m p.m u.s u.k u.n",
    "de": "hr fr frl str bzw usw z.b d.h u.a o.ä u.ä ggf evtl inkl exkl zzgl bspw vgl allg mio mrd tel ca "
    "geb dipl mwst st i.d.r",
    "fr": "mm mme mmes mlle mlles av env p.ex tél bd ex chap",
    "es": "sra srta sres ud uds dña dra avda pág págs núm tel p.ej ee.uu aprox",
    "it": "sig sig.ra sigg dott dott.ssa ing avv pag tel",
    "nl": "dhr mevr drs bijv d.w.z o.a enz blz tel ca",
    "pt": "sra srs dra pág tel p.ex",
}
_ORDINAL_DOT = frozenset(
    {"de", "cs", "da", "et", "fi", "hr", "hu", "is", "lv", "nb", "no", "pl", "sk", "sl", "sr"}
)
_OPENERS = {
    "en": "and but or because that which who when while if although so then where before after since until "
    "with without for from into about through between",
    "de": "und aber oder denn weil dass der die das wenn während obwohl damit sondern bevor nachdem seit bis "
    "mit ohne für von aus durch zwischen über nach bei",
    "fr": "et mais ou car parce que qui quand lorsque si bien donc où avant après depuis avec sans pour dans "
    "par entre sur chez",
    "es": "y e pero o porque que quien cuando mientras si aunque pues donde antes después desde con sin para "
    "por entre sobre hasta",
}


@dataclass(frozen=True)
class LanguageRules:
    """Rules of one language; every entry is lower case and abbreviations stand without their last dot."""

    abbreviations: frozenset[str]
    ordinal_dot: bool
    openers: frozenset[str]

    def may_go_on(self, token: str) -> bool:
        """Whether more letters can make an abbreviation of this lower-case token with its last dot."""
        return any(abbreviation.startswith(token) for abbreviation in self.abbreviations)


def rules_for(language: str) -> LanguageRules:
    """The rules of a BCP 47 tag; other languages get the common abbreviations and nothing else."""
    base = language.strip().lower().replace("_", "-").split("-")[0]
    return LanguageRules(
        frozenset(f"{_COMMON} {_ABBREVIATIONS.get(base, '')}".split()),
        base in _ORDINAL_DOT,
        frozenset(_OPENERS.get(base, "").split()),
    )
