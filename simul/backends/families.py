"""Model families: a table for each role that a model can have, and the backend that a configuration leads to.

A new family is one entry of a table (`SPEECH`, `RECOGNIZERS`, `TRANSLATORS`) and one loader; another
Whisper is one of `loaders.WHISPERS` and one loader.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from policies.base import Need
from policies.plugins import is_own
from simul.backends import loaders
from simul.backends.loaders import EMBEDDED, Asked, Part, device
from simul.clock import cpu_seconds, elapsed_seconds
from simul.config import AUTO, ModelConfig
from simul.errors import UsageError
from simul.install import install_hint
from simul.languages import SPOKEN, is_open
from simul.models.catalogue import installed_models, installed_translators, named_model
from simul.models.hub import WHISPER_PACKAGE, FoundModel, is_multilingual, resolve, whisper_names

if TYPE_CHECKING:
    from simul.backends.base import Backend
    from simul.backends.cascade import Recognizer
    from simul.models.translation.interface import TextTranslator

__all__ = [
    "FoundModel",
    "LoadedBackend",
    "ModelConfig",
    "choose",
    "load_backend",
    "load_for_several",
    "load_translators",
]

EMBEDDED_TARGETS = {"de": "German", "es": "Spanish", "fr": "French", "pt": "Portuguese"}
EMBEDDED_SOURCES = {"es": "Spanish", "fr": "French"}
"""Languages that the embedded translator turns into English."""
MORE = f"{install_hint('whisper-base')}, or simul translate --model FOLDER"
STEP, BETWEEN = "+", "en"
"""What joins the names of two translators in a row, and the language between them."""
TRANSLATES_ILL_BYTES = 300_000_000
"""Weights of a Whisper up to which what it hears, translated as text, is better than what it translates itself."""
REAL_TIME_BYTES = {"cpu": 600_000_000, "cuda": 4_000_000_000}
"""Weights above which a model that decodes anew at every chunk is not expected to keep up with speech."""

T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class LoadedBackend:
    """A backend, and one line that says which model it is and what that is good for."""

    backend: Backend
    description: str


@dataclass(frozen=True)
class Family(Generic[T]):
    """Models of one kind in one role.

    title: what messages call such a model. kinds: the folders it loads, as `hub.classify` says them. named: whether a
    word or an address means this family. serves: whether a source and a target may be served, as far as is known
    before loading; where they are not, `refusal` says what to do ({source} and {target} stand for them).
    """

    title: str
    load: Callable[[Asked], Part[T]]
    kinds: Collection[str] = ()
    named: Callable[[str], bool] = lambda name: False
    serves: Callable[[str, str], bool] = lambda source, target: True
    refusal: str = ""


@dataclass(frozen=True)
class Role(Generic[T]):
    """The families among which `option` chooses. does: what they do. aliases: short names of hub repositories."""

    option: str
    does: str
    families: Sequence[Family[T]]
    aliases: Callable[[], Mapping[str, str]] = dict

    def find(self, asked: Asked, name: str, found: Sequence[FoundModel] | None = None) -> Asked:
        """What to tell the loader of the model that `name` means.

        Raises:
            ModelMissingError: there is no such model on this machine (or the download failed).
        """
        if any(family.named(name) for family in self.families):
            return replace(asked, name=name, kind="", folder=Path())
        listed = named_model(name, asked.config.download) if found is None else None
        return asked.of(listed or resolve(name, self.option, asked.config.download, found, self.aliases))

    def family(self, asked: Asked) -> Family[T] | None:
        """The family of the model that was found; None where it is none of this role."""
        for family in self.families:
            if asked.kind in family.kinds if asked.kind else family.named(asked.name):
                return family
        return None

    def serving(self, asked: Asked) -> Family[T]:
        """The family of the model that was found.

        Raises:
            UsageError: it is a model for another role, or does not serve the languages.
        """
        family = self.family(asked)
        if family is None:
            raise UsageError(_misplaced(asked))
        if not family.serves(asked.source, asked.target):
            raise UsageError(family.refusal.format(source=asked.source, target=asked.target))
        return family


def load_backend(
    config: ModelConfig,
    source: str,
    target: str,
    found: Sequence[FoundModel] | None = None,
    needs: frozenset[Need] = frozenset(),
) -> LoadedBackend:
    """Load what `config` names for speech in `source` and text in `target` (ISO 639-1; equal: transcription).

    `found` are the models on this machine (None: look for them). `needs` is what the policy wants to
    see: Whisper divides its text into timed segments, and translators give other hypotheses, only if a policy asks
    for them.

    Raises:
        UsageError: no model named serves the languages, or a folder holds a model of another kind.
        ModelMissingError: a model, a file of it or the package that runs it is not here.
    """
    asked = Asked(config, source, target, needs)
    if (is_open(source) or is_open(target)) and target not in (source, "en"):
        raise UsageError(
            f"The language that is spoken is found out with --source {SPOKEN} --target {SPOKEN}, which writes it down, "
            f"and --source {SPOKEN} --target en, both with a Whisper model; name the source for any other target."
        )
    if config.asr is None and config.mt is None:
        part = (
            _best(asked, found) if config.model == AUTO else _speech(SPEECH.find(asked, config.model, found))
        )
    elif config.model == AUTO:
        part = _cascade(RECOGNIZERS.find(asked, config.asr or EMBEDDED, found))
    else:
        raise UsageError("Give either --model, or --asr and --mt, not both.")
    return LoadedBackend(part.made, part.said)


def choose(found: Sequence[FoundModel], source: str, target: str, device: str = "cpu") -> FoundModel | None:
    """The best Whisper model among `found` that serves the pair directly, or None.

    Whisper transcribes and translates into English. Distilled and turbo models were not trained to translate,
    models named .en hear English only. Of those that keep up with speech on `device` the largest is best; if
    none does, the smallest.
    """
    if not _whisper_serves(source, target):
        return None
    usable = [m for m in found if m.kind == "whisper" and _trained_for(m, source, target)]
    fast = [m for m in usable if m.size <= REAL_TIME_BYTES[device]]
    if fast:
        return max(fast, key=lambda m: (m.size, m.name))
    return min(usable, key=lambda m: (m.size, m.name), default=None)


def _trained_for(model: FoundModel, source: str, target: str) -> bool:
    name = model.name.lower()
    if source != target and ("distil" in name or "turbo" in name):
        return False
    return source == target == "en" or is_multilingual(model.path)


def _best(asked: Asked, found: Sequence[FoundModel] | None) -> Part[Backend]:
    """What serves the languages best without being named.

    The best Whisper model on this machine, with the best translator behind it where it does not write the target, or
    not well; without one the embedded recogniser.
    """
    notes: list[str] = []
    known = installed_models(notes.append) if found is None else found
    where = device(asked.config)
    direct = choose(known, asked.source, asked.target, where)
    chosen = direct or choose(known, asked.source, asked.source, where)
    if chosen is not None and importlib.util.find_spec("faster_whisper") is None:
        notes.append(
            f"The Whisper model {chosen.name} on this machine was passed over: {WHISPER_PACKAGE} first."
        )
        chosen = None
    told = asked if chosen is None else asked.of(chosen)
    behind = chosen is not None and chosen is direct and _better_as_text(asked, chosen)
    part = _cascade(told) if behind else _speech(told)
    return replace(part, said=" ".join([part.said, *notes]))


def _better_as_text(asked: Asked, model: FoundModel) -> bool:
    """Whether a text translator is here whose translation of what `model` hears is better than the model's own."""
    translates = asked.source != asked.target and not is_open(asked.source)
    return translates and model.size <= TRANSLATES_ILL_BYTES and _ready_translator(asked) is not None


def _speech(asked: Asked) -> Part[Backend]:
    """One model from speech to text; where it does not write the target itself, a cascade behind it."""
    from simul.backends.base import StreamSpec, check_languages

    family = SPEECH.family(asked)
    if family is None or not family.serves(asked.source, asked.target):
        return _cascade(asked)
    part = family.load(asked)
    spec = StreamSpec(asked.source, asked.target)
    check_languages(f"the {family.title} {asked.name}", part.made.limits, spec)
    if (asked.config.terms or asked.config.terms_from) and not part.made.limits.terms:
        raise UsageError(f"The {family.title} {asked.name} takes no terms; leave them out, or use Whisper.")
    return part


def _cascade(asked: Asked) -> Part[Backend]:
    """The recogniser that was found, and the text translator that the configuration names."""
    from simul.backends.cascade import CascadeBackend

    recognizer = RECOGNIZERS.serving(asked)
    translator: Part[TextTranslator | None] = Part(None, "no translation")
    if asked.config.mt is not None or asked.source != asked.target:
        told = _translator(asked)
        translator = TRANSLATORS.serving(told).load(told)
    heard = recognizer.load(asked)
    meter = cpu_seconds if heard.meter is translator.meter is cpu_seconds else elapsed_seconds
    terms = loaders.listed_terms(asked.config, asked.source)
    backend = CascadeBackend(heard.made, translator.made, frozenset({asked.source}), meter, terms)
    return Part(backend, f"Cascade: {heard.said}, {translator.said}.")


def load_for_several(
    config: ModelConfig,
    source: str,
    targets: Sequence[str],
    found: Sequence[FoundModel] | None = None,
    needs: frozenset[Need] = frozenset(),
) -> LoadedBackend:
    """A recogniser of `source` and a translator into each target language but that one itself.

    Students that share an encoder are loaded as one, so that what is heard is encoded once for all of them.

    Raises:
        UsageError: no model serves a pair of the languages, or a folder holds a model of another kind.
        ModelMissingError: a model, a file of it or the package that runs it is not here.
    """
    from simul.backends.cascade import CascadeBackend
    from simul.models.translation.several import SeveralTranslators

    if config.model != AUTO and config.asr is not None:
        raise UsageError("Give either --model, or --asr and --mt, not both.")
    asked = Asked(config, source, source, needs)
    name = config.asr if config.model == AUTO else config.model
    if name is None:
        known = installed_models(lambda note: None) if found is None else found
        usable = importlib.util.find_spec("faster_whisper") is not None
        best = choose(known, source, source, device(config)) if usable else None
        told = asked if best is None else asked.of(best)
    else:
        told = RECOGNIZERS.find(asked, name, found)
    family = RECOGNIZERS.serving(told)
    others = [code for code in dict.fromkeys(targets) if code != source]
    parts = load_translators(config, source, others, needs)
    heard = family.load(told)
    meters = [heard.meter, *(part.meter for part in parts.values())]
    meter = cpu_seconds if all(m is cpu_seconds for m in meters) else elapsed_seconds
    translator = SeveralTranslators({code: part.made for code, part in parts.items()})
    terms = loaders.listed_terms(config, source)
    backend = CascadeBackend(heard.made, translator, frozenset({source}), meter, terms)
    said = ", ".join(dict.fromkeys(part.said for part in parts.values()))
    return LoadedBackend(backend, f"Cascade into {', '.join(others)}: {heard.said}, {said}.")


def load_translators(
    config: ModelConfig, source: str, targets: Sequence[str], needs: frozenset[Need] = frozenset()
) -> dict[str, Part[TextTranslator]]:
    """The text translator for each target language; one that serves several of them is loaded once for all.

    Raises:
        UsageError: no translator serves a pair of languages, or a folder holds a model of another kind.
        ModelMissingError: a model, a file of it or the package that runs it is not here.
    """
    told = {target: _translator(Asked(config, source, target, needs)) for target in targets}
    loads = {target: TRANSLATORS.serving(asked).load for target, asked in told.items()}
    parts: dict[str, Part[TextTranslator]] = {}
    for target, asked in told.items():
        same = [
            code
            for code in targets
            if code != target and (told[code].name, told[code].folder) == (asked.name, asked.folder)
        ]
        shared = next(
            (parts[code] for code in same if code in parts and target in parts[code].made.targets), None
        )
        # Of most families a model is loaded for one pair of languages.
        parts[target] = shared or loads[target](replace(asked, others=tuple(same)))
    return parts


def _translator(asked: Asked) -> Asked:
    """The translator that the configuration names, or the best one on this machine."""
    return TRANSLATORS.find(asked, asked.config.mt) if asked.config.mt else _best_translator(asked)


def _best_translator(asked: Asked) -> Asked:
    """A translator of the catalogue where one is on this machine, else the embedded one, else two in a row."""
    embedded = TRANSLATORS.find(asked, EMBEDDED)
    direct = _ready_translator(asked)
    if direct is not None or BETWEEN in (asked.source, asked.target):
        return direct or embedded
    first = _ready_translator(replace(asked, target=BETWEEN))
    second = _ready_translator(replace(asked, source=BETWEEN))
    if first is None or second is None:
        return embedded
    return TRANSLATORS.find(asked, f"{first.name}{STEP}{second.name}")


def _ready_translator(asked: Asked) -> Asked | None:
    """A translator of the catalogue for the languages (not where the embedded model is wanted), or the embedded one."""
    if asked.config.model != EMBEDDED:
        for model in installed_translators(asked.source, asked.target):
            if TRANSLATORS.family(asked.of(model)) is not None:
                return asked.of(model)
    embedded = TRANSLATORS.find(asked, EMBEDDED)
    family = TRANSLATORS.family(embedded)
    return embedded if family is not None and family.serves(asked.source, asked.target) else None


def _two_steps(asked: Asked) -> Part[TextTranslator]:
    """Two translators in a row, named one after the other."""
    from simul.models.translation.pivot import PivotTranslator

    names = asked.name.split(STEP)
    if len(names) != 2:
        raise UsageError(
            f"{asked.name!r} is not two translators; give FIRST{STEP}SECOND, with {BETWEEN} between them."
        )
    parts = []
    steps = replace(asked, target=BETWEEN, others=()), replace(asked, source=BETWEEN)
    for step, name in zip(steps, names, strict=True):
        told = TRANSLATORS.find(step, name)
        parts.append(TRANSLATORS.serving(told).load(told))
    first, second = parts
    meter = cpu_seconds if first.meter is second.meter is cpu_seconds else elapsed_seconds
    return Part(PivotTranslator(first.made, second.made, BETWEEN), f"{first.said}, then {second.said}", meter)


def _misplaced(asked: Asked) -> str:
    """What to do with a folder that holds a model for another role, or for none."""
    for role in (RECOGNIZERS, TRANSLATORS, SPEECH):
        family = role.family(asked)
        if family is not None:
            return f"The folder {asked.folder} holds a {family.title}, which {role.does}; give it with {role.option}."
    return (
        f"The folder {asked.folder} holds a transformers model; convert it once: "
        f"ct2-transformers-converter --model {asked.folder} "
        "--output_dir OUT --quantization int8 --copy_files tokenizer.json preprocessor_config.json "
        "(for a translation model copy its .spm or .model files), then give OUT."
    )


def _embedded(asked: Asked) -> Part[Backend]:
    """The embedded recogniser, and a translator behind it: the embedded one, or a better one that is here."""
    part = _cascade(asked)
    if asked.source != asked.target and _best_translator(asked).name != EMBEDDED:
        return part
    languages = ", ".join(f"EN→{code.upper()}" for code in EMBEDDED_TARGETS)
    description = (
        f"Embedded model: good for clear English speech and everyday sentences ({languages}, or English "
        f"captions); for more use a Whisper-class model: {MORE}."
    )
    if asked.config.device == "cuda":
        description += " It runs on the processor, whatever --model-device says."
    return replace(part, said=description)


def _whisper_serves(source: str, target: str) -> bool:
    return target in (source, "en")


def _embedded_serves(source: str, target: str) -> bool:
    return target in EMBEDDED_TARGETS if source == "en" else target == "en" and source in EMBEDDED_SOURCES


def _is_address(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def _is_two(name: str) -> bool:
    return STEP in name and not _is_address(name) and not Path(name).expanduser().is_dir()


def _is_own(group: str) -> Callable[[str], bool]:
    """Whether a name means a part of the user's own, unless a folder is called so."""
    return lambda name: is_own(name, group) and not Path(name).expanduser().exists()


SPEECH: Role[Backend] = Role(
    "--model",
    "translates speech by itself",
    (
        Family("embedded model", _embedded, named=lambda name: name == EMBEDDED),
        Family("Whisper model", loaders.whisper, loaders.WHISPERS, serves=_whisper_serves),
        Family("Seamless model", loaders.seamless, ["hf-seamless_m4t_v2"]),
        Family("model of your own", loaders.own_backend, named=_is_own(loaders.BACKENDS)),
    ),
    whisper_names,
)
RECOGNIZERS: Role[Callable[[], Recognizer]] = Role(
    "--asr",
    "recognises speech",
    (
        Family(
            "embedded recogniser",
            loaders.embedded_recognizer,
            named=lambda name: name == EMBEDDED,
            serves=lambda source, target: source == "en",
            refusal="The embedded recogniser hears English only, not {source!r}; for other languages use a "
            f"Whisper-class model: --asr FOLDER, or {MORE}.",
        ),
        Family("Whisper model", loaders.whisper_recognizer, loaders.WHISPERS),
        Family("recogniser of your own", loaders.own_recognizer, named=_is_own(loaders.RECOGNIZERS)),
    ),
    whisper_names,
)
TRANSLATORS: Role[TextTranslator] = Role(
    "--mt",
    "translates text",
    (
        Family(
            "embedded translator",
            loaders.embedded_translator,
            named=lambda name: name == EMBEDDED,
            serves=_embedded_serves,
            refusal="The embedded translator turns English into "
            + ", ".join(f"{name} ({code})" for code, name in EMBEDDED_TARGETS.items())
            + ", and "
            + " and ".join(f"{name} ({code})" for code, name in EMBEDDED_SOURCES.items())
            + " into English, not {source!r} into {target!r}; for other languages give a translation model (Opus-MT, "
            "NLLB, M2M-100, a language model): --mt FOLDER.",
        ),
        Family("language model behind a server", loaders.endpoint_translator, named=_is_address),
        Family("two translators in a row", _two_steps, named=_is_two),
        Family("Firefox student", loaders.student_translator, ["student"]),
        Family("text translation model", loaders.ctranslate2_translator, ["translation"]),
        Family("language model", loaders.causal_translator, ["hf-causal"]),
        Family("translator of your own", loaders.own_translator, named=_is_own(loaders.TRANSLATORS)),
    ),
)
