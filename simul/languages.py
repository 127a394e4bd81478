"""What is known of languages: how they are written, their names, and the codes of models for the two-letter ones."""

from __future__ import annotations

import re

SPOKEN = "auto"
"""In the place of a code: the language that is spoken, whichever it is."""

OR = "+"
"""Between codes: one of these languages is spoken, now this one, now that one."""


def is_open(language: str) -> bool:
    """Whether a language is found out as somebody speaks: `auto`, or one of several ("en+es")."""
    return language == SPOKEN or OR in language


def alternatives(language: str) -> tuple[str, ...]:
    """The languages that one of several may be; none where it may be any, itself where it is one."""
    return () if language == SPOKEN else tuple(language.split(OR))


SPACELESS = frozenset({"zh", "ja", "th", "lo", "my", "yue", "km"})
"""Languages written without spaces between words."""

WIDE = frozenset({"zh", "ja", "ko", "yue"})
"""Languages whose characters are twice as wide as Latin ones and are read more slowly."""

SENTENCE_ENDS = ".!?…。！？｡؟।"
CLAUSE_ENDS = ",;:–—،、，；：؛"
CLOSERS = "\"'”’»)]}›“」』"
"""Quotes and brackets that may stand after a mark."""


def latency_unit(language: str) -> str:
    """How outputs in `language` are counted by the latency metrics: "word", or "char" where no spaces are written."""
    return "char" if language.split("-")[0].lower() in SPACELESS else "word"


_CODES = """
af:afr_Latn am:amh_Ethi ar:arb_Arab as:asm_Beng az:azj_Latn ba:bak_Cyrl be:bel_Cyrl bg:bul_Cyrl bn:ben_Beng
bo:bod_Tibt bs:bos_Latn ca:cat_Latn cs:ces_Latn cy:cym_Latn da:dan_Latn de:deu_Latn el:ell_Grek en:eng_Latn
es:spa_Latn et:est_Latn eu:eus_Latn fa:pes_Arab fi:fin_Latn fo:fao_Latn fr:fra_Latn ga:gle_Latn gl:glg_Latn
gu:guj_Gujr ha:hau_Latn he:heb_Hebr hi:hin_Deva hr:hrv_Latn ht:hat_Latn hu:hun_Latn hy:hye_Armn id:ind_Latn
is:isl_Latn it:ita_Latn ja:jpn_Jpan jw:jav_Latn jv:jav_Latn ka:kat_Geor kk:kaz_Cyrl km:khm_Khmr kn:kan_Knda
ko:kor_Hang ku:kmr_Latn ky:kir_Cyrl lb:ltz_Latn ln:lin_Latn lo:lao_Laoo lt:lit_Latn lv:lvs_Latn mg:plt_Latn
mi:mri_Latn mk:mkd_Cyrl ml:mal_Mlym mn:khk_Cyrl mr:mar_Deva ms:zsm_Latn mt:mlt_Latn my:mya_Mymr ne:npi_Deva
nl:nld_Latn nn:nno_Latn no:nob_Latn oc:oci_Latn pa:pan_Guru pl:pol_Latn ps:pbt_Arab pt:por_Latn ro:ron_Latn
ru:rus_Cyrl sa:san_Deva sd:snd_Arab si:sin_Sinh sk:slk_Latn sl:slv_Latn sn:sna_Latn so:som_Latn sq:als_Latn
sr:srp_Cyrl su:sun_Latn sv:swe_Latn sw:swh_Latn ta:tam_Taml te:tel_Telu tg:tgk_Cyrl th:tha_Thai tk:tuk_Latn
tl:tgl_Latn tr:tur_Latn tt:tat_Cyrl uk:ukr_Cyrl ur:urd_Arab uz:uzn_Latn vi:vie_Latn yi:ydd_Hebr yo:yor_Latn
yue:yue_Hant zh:zho_Hans zu:zul_Latn
"""
NLLB: dict[str, str] = dict(pair.split(":") for pair in _CODES.split())
"""ISO 639-3 and script."""

_SEAMLESS = "ig:ibo lg:lug ms:zlm ny:nya om:gaz or:ory wo:wol xh:xho zh:cmn"
SEAMLESS: dict[str, str] = {language: code.split("_")[0] for language, code in NLLB.items()} | dict(
    pair.split(":") for pair in _SEAMLESS.split()
)
"""The three letters of SeamlessM4T, of all languages that it may know; a model says which it writes."""

_NAMES = """
af:Afrikaans am:Amharic ar:Arabic as:Assamese az:Azerbaijani ba:Bashkir be:Belarusian bg:Bulgarian bn:Bengali
bo:Tibetan bs:Bosnian ca:Catalan cs:Czech cy:Welsh da:Danish de:German el:Greek en:English es:Spanish et:Estonian
eu:Basque fa:Persian fi:Finnish fo:Faroese fr:French ga:Irish gl:Galician gu:Gujarati ha:Hausa he:Hebrew hi:Hindi
hr:Croatian ht:Haitian_Creole hu:Hungarian hy:Armenian id:Indonesian ig:Igbo is:Icelandic it:Italian ja:Japanese
jv:Javanese jw:Javanese ka:Georgian kk:Kazakh km:Khmer kn:Kannada ko:Korean ku:Kurdish ky:Kyrgyz lb:Luxembourgish
lg:Ganda ln:Lingala lo:Lao lt:Lithuanian lv:Latvian mg:Malagasy mi:Maori mk:Macedonian ml:Malayalam mn:Mongolian
mr:Marathi ms:Malay mt:Maltese my:Burmese ne:Nepali nl:Dutch nn:Norwegian_Nynorsk no:Norwegian ny:Chichewa
oc:Occitan om:Oromo or:Odia pa:Punjabi pl:Polish ps:Pashto pt:Portuguese ro:Romanian ru:Russian sa:Sanskrit
sd:Sindhi si:Sinhala sk:Slovak sl:Slovenian sn:Shona so:Somali sq:Albanian sr:Serbian su:Sundanese sv:Swedish
sw:Swahili ta:Tamil te:Telugu tg:Tajik th:Thai tk:Turkmen tl:Tagalog tr:Turkish tt:Tatar uk:Ukrainian ur:Urdu
uz:Uzbek vi:Vietnamese wo:Wolof xh:Xhosa yi:Yiddish yo:Yoruba yue:Cantonese zh:Chinese zu:Zulu
"""
NAMES: dict[str, str] = {
    code: name.replace("_", " ") for code, name in (pair.split(":") for pair in _NAMES.split())
}
"""English names, as models that are told the language in words know them."""

_OLD = {"iw": "he", "in": "id", "ji": "yi", "mo": "ro", "nb": "no", "cmn": "zh", "fil": "tl"}
"""Codes that were, or of a part of what the models know: written as theirs."""


def language_code(text: str) -> str:
    """The code that models know a language by: `EN`, `en-US`, `pt_BR.UTF-8`, `deu`, `German` are en, en, pt, de, de.

    What is no code comes back as it is, for whoever looks it up to refuse.
    """
    if (named := _BY_NAME.get(text.strip().casefold())) is not None:
        return named
    base = re.split(r"[-_.@]", text.strip(), maxsplit=1)[0].casefold()
    if not base.isalpha() or len(base) > 3:
        return text
    return _OLD.get(base) or _THREE_LETTERS.get(base, base)


_BY_NAME = {name.casefold(): code for code, name in reversed(NAMES.items())}
"""Codes by English names, without regard to case."""

_THREE_LETTERS = {code.split("_")[0]: language for language, code in NLLB.items()}
_THREE_LETTERS |= {code: language for language, code in SEAMLESS.items()}
_THREE_LETTERS |= {"ger": "de", "fre": "fr", "chi": "zh", "dut": "nl", "gre": "el", "cze": "cs", "per": "fa"}
_THREE_LETTERS |= {"ara": "ar", "aze": "az", "fas": "fa", "lav": "lv", "mon": "mn", "msa": "ms", "nor": "no"}
_THREE_LETTERS |= {"rum": "ro", "slo": "sk", "sqi": "sq", "swa": "sw", "uzb": "uz", "yid": "yi", "kor": "ko"}
"""ISO 639-2 and 639-3, of both kinds where there are two."""
