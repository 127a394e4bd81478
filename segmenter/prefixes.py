"""Abbreviations after which the Moses tokeniser keeps a full stop, per language, in lower case.

The lists were put together from general knowledge, the sentence-break suppressions of Unicode CLDR and the
exception lists of spaCy and pySBD (MIT), as far as the tokeniser does keep the stop after them. Capitalised
abbreviations are absent because words are lower-cased before they are tokenised. The lists of the Moses script, in
sacremoses too, are LGPL and stay outside; with these, all 2,313 reference words are cut as the script cuts them.
"""

from __future__ import annotations

import string
from functools import cache

_LETTERS = frozenset(string.ascii_lowercase)
_ROMAN = frozenset(
    tens + ones
    for tens in ("", "x")
    for ones in ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
)
_NUMBERS = frozenset(map(str, range(1, 100)))

_PATTERNS = {
    "de": _LETTERS | _ROMAN | _NUMBERS,
    "fr": _LETTERS,
    "is": _LETTERS,
    "pt": _ROMAN,
}

_ABBREVIATIONS = {
    "ca": "",
    "ru": "",
    "cs": """
        abl abt ad adj adv aj ak akt alch amer anat angl anon ap apod arab arch archit arg astr astrol
        atd atp att aut bd belg bibl biogr biol bot br bás cca chem cit col círk dat dep dial dl doc dop
        dosl dět ed ekon eufem ev event f facs fam fasc fem fil film fol form fot fr franc fut fyz gen
        geogr geol geom germ gram hebr herald hist hl hod hor horn hrsg hud hut ibid ie il imp ind inf
        instr iron it jap jv kl kniž kol komp konkr kr kuch kř lat les lid lit log lok lék m mat maď
        meteor metr mj ml mld mod mp ms mysl n např no nom nr náb něm ob obch obr odd ojed opr opt orig
        p part pas pejor pers pf phil pl pol pomn popř port pozn prep prof práv pseud pt předl příl r
        red reg repr resp rkp roz roč rum rus s sect sg sign sl slang slov spec sport srov srv st stol
        subj subst sv sz tab tech teol tis tj trans typogr tzn tzv tř univ var vedl verb voj vol vs vulg
        vyd vztaž výtv zahr zal zast zejm zeměd zkr zájm č čes ř řec špan
    """,
    "de": "bzgl bzw ca dergl dgl etc evtl ff ggf jun pp sen sog sogen spp usf usw vgl vs zzt",
    "el": """
        ά άγ άρθρ αι αλλ αμ αντ αρ αριθ αριθμ βλ γεν γραμμ δ δηλ δημ δισ δολ δρχ εθν εκ εκατ εξ επ η θ κ
        καθ καν καρ κατ κλπ κτλ κυρ λ μ μέσ μετ ν π παρ πολ πρ ρ σ σελ στ τ τετρ υπ φ χιλ χλμ χρ
    """,
    "en": "rev v vs",
    "es": """
        adj admón afmo apdo av c cap cm cta dcha doc ej entlo esq etc grs izq kg km mg mm núm p ptas pág
        págs s vid vol
    """,
    "fi": """
        ass assist dipl dos esim fil ft huom ilm kom komm l maj mm myöh nimim nk nyk par po prof res
        siht t toim ups v yliopp
    """,
    "fr": """
        al ann apr art auj av boul ca cf chap contr dir env etc ex fasc fig fr fém hab ibid id inf lib
        masc ms pl pp sec sect sing sq sqq suiv sup suppl tél vb vol vs éd
    """,
    "hu": "ca de dr du kb max min pl prof vö ún",
    "is": """
        afs al alg alm ao ath au bh bls dr ef end erl et fl fn fo frl fs fsh ft fv fyrrv germ gm gr hdl
        hf hk hl hr hv kap kg kk kl km kr kt lh lo ltr mgr mm mín nf nk nl no nt pr sbr sek sf sign sk
        sl sn so st stk tbl till tl to uh uppl us vb vh vkf vl á æ í ó útg
    """,
    "it": "acc banc corr dott ecc fatt gg int lett ogg on post racc rev ric seg sgg ss tel v vs",
    "lv": "akad dr hum inv inž med prof sk soc spec",
    "nl": """
        bc bijv bijz bv dhr dr drs ds eint ev fa fam gen ing ir jhr jkvr jr kand kol maj mevr mr nrs plv
        prof
    """,
    "pl": """
        akad al am amer ang arch art astr bałt bm bp br cd centr chem chir czes det dh dn doc dop dot dr
        ds dst ekon elektr em farm fot fr gastr gen geogr geol gimn gm gr gram hab hist hot hr id im in
        iron jw k kat katol kk kl kol kpc kpt kr ks kult mec med mgr n nb niem np o p pl pn pok pol por
        poz prof ps pt pw red rys sp st tel tj tzn ul ur ww zal zast zdr zn łac
    """,
    "pt": """
        a adj adm adv b c cit col con corp cpl d dr dra dras drs e eng enga ex exmo exo f fig g h j k l
        m n o op prof q r rev s sr sra sras srs sto t u vs w y z
    """,
    "ro": "dl dpdv dvs etc pt șamd",
    "sk": """
        adj admin adr adv ak akad al alch amer anat angl ap apod arch archeol archit arg art astr astrol
        astron atp atď aut belg bibl biol bot bud bás býv chem cirk dat dep det dial dipl dosl dv ekon
        el elektr est et etc eufem ev fa fak fam farm fem fi fil filat filoz fon form fot fr franc fut
        fyz gen genet geod geogr geol geom germ gr hebr herald hist hosp hud imp inf inform instr int
        iron jap jaz kapit kart kniž komp konkr kpt kt kuch lat lingv lit log lok max maď mest metr mil
        min miner ml mld mn mod mytol napr nar neg nem neskl nom náb nár obch obj obr obv odb odd ods
        ojed opt org os osob ot par part pejor pers pf pl pod polit pomn por potrav poz pošt pr prac
        pren prep prof práv príp psych publ pís písm reg rep resp roč sg skr sl soc sociol sp spol st
        star stol stor str subj subst sv sz súkr tal tech tel telef teol trans typogr tzn tzv ul univ
        ust verb vin viď vl vod vulg vých výtv zahr zast zastar zb zdravot zn zool zr zák záp č čes čl
        čs živ
    """,
    "sl": "",
    "sv": "dvs etc jfr kl kr mfl mm osv pga tex tom vs",
    "ta": "",
}

_BEFORE_DIGITS = {
    "en": "pp",
    "hu": "aug dec fax feb jan júl jún máj márc nov okt szept tel ápr",
    "is": "nr",
    "it": "pp",
    "nl": "nr",
    "pl": "l nr par pkt r s str tab ust",
    "pt": "art no p pp",
    "sl": "št",
    "ta": "pp",
}


@cache
def prefixes(lang: str) -> frozenset[str]:
    """Abbreviations of a language; those of English for a language without a list."""
    lang = lang if lang in _ABBREVIATIONS else "en"
    return _PATTERNS.get(lang, frozenset()) | frozenset(_ABBREVIATIONS[lang].split())


@cache
def numeric_prefixes(lang: str) -> frozenset[str]:
    """Abbreviations that keep their full stop only before a number."""
    lang = lang if lang in _ABBREVIATIONS else "en"
    return frozenset(_BEFORE_DIGITS.get(lang, "").split())
