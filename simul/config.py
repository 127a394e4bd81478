"""Options of a stream and of its models: one declaration for the command line, the adapters and the documents."""

from __future__ import annotations

from dataclasses import dataclass

from simul.errors import UsageError
from simul.languages import language_code
from simul.options import check_options, option

AUTO = "auto"
MOST_THREADS, MOST_BEAM = 128, 64
DEFAULT_POLICY = "local-agreement"
"""Keeps nearly all of Offline's quality at half its delay (docs/human-translation.md); it needs tokens only."""


@dataclass(frozen=True)
class StreamOptions:
    """What a stream is to do; shared by every command that opens one.

    Languages are codes such as `de`; other spellings of one (`DE`, `de-AT`, `deu`) become it. `policy_arg` holds
    texts of the form K=V, the last one of a key counts.
    """

    source: str = option("en", "language that is spoken; auto: found out by Whisper", "LANG")
    target: str = option("de", "language to write; the same as --source transcribes", "LANG")
    policy: str = option(
        DEFAULT_POLICY,
        "read/write policy; `simul policies` lists them; MODULE:CLASS for one of your own",
        "NAME",
    )
    policy_arg: tuple[str, ...] = option((), "a parameter of the policy (repeatable)", "K=V")
    chunk_ms: int = option(500, "audio between two decisions, in milliseconds", "MS")

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            object.__setattr__(self, name, language_code(getattr(self, name)))
        if not 10 <= self.chunk_ms <= 60_000:
            raise UsageError(f"A chunk of {self.chunk_ms} ms cannot be used; give 10 to 60000 milliseconds.")

    def policy_arguments(self) -> dict[str, str]:
        """The parameters of the policy by name."""
        found = {}
        for text in self.policy_arg:
            name, equals, value = text.partition("=")
            if not equals or not name.strip():
                raise UsageError(f"The policy argument {text!r} is not of the form NAME=VALUE.")
            found[name.strip()] = value.strip()
        return found


@dataclass(frozen=True)
class ModelConfig:
    """Which models to load and how."""

    model: str = option(
        AUTO,
        "auto (the best on this machine), embedded, a folder with a Whisper model (CTranslate2 or transformers), or "
        "its name in the list of `simul models` or in the hub cache (small, owner/name), or MODULE:CLASS of your own",
        "NAME|FOLDER",
    )
    asr: str | None = option(
        None, "recogniser of a cascade: embedded, or a Whisper model as for --model", "NAME|FOLDER"
    )
    mt: str | None = option(
        None,
        "text translator of a cascade: embedded; a name in the list of `simul models`; a CTranslate2 "
        "folder or hub name of an Opus-MT, NLLB or M2M-100 model; a folder with a Firefox student, or with a "
        "language model for conversations; two of these in a row through English (A+B); or the address and name of "
        "one behind an OpenAI-compatible server (http://127.0.0.1:8000/v1#MODEL)",
        "NAME|FOLDER|URL#MODEL",
    )
    mt_key_variable: str = option(
        "MT_API_KEY", "environment variable that holds the API key of the server that --mt names", "VARIABLE"
    )
    download: bool = option(False, "fetch the named models from the hub when they are not on this machine")
    device: str = option(
        "auto",
        "where Whisper and translation models run",
        choices=("auto", "cpu", "cuda"),
        name="model_device",
    )
    compute: str = option(
        "auto",
        "arithmetic of these models (auto: int8 on a CPU, float16 on a GPU; transformers: float32 on a CPU)",
        choices=("auto", "int8", "int8_float16", "float16", "bfloat16", "float32"),
    )
    threads: int = option(
        0, "CPU threads of a model (0: as many as there are cores, at most 4)", "N", span=(0, MOST_THREADS)
    )
    window: str = option(
        "auto",
        "what Whisper encodes at a pass: 30 s (padded), 30 s of whose silence only a part is computed (thinned; on "
        "onnxruntime), the audio up to the next multiple of 10 s (bucket), the audio there is (live), or what is new "
        "of it, in blocks (causal); the last two only with an encoder that has learnt it, such as whisper-base has; "
        "auto: bucket",
        choices=("auto", "padded", "bucket", "thinned", "live", "causal"),
    )
    block_ms: int = option(
        1000,
        "length of the blocks of --window causal, in milliseconds; the encoder has learnt 500, 640, 1000 and 1920",
        "MS",
        span=(20, 30_000),
    )
    beam: int | None = option(
        None,
        "beam size (Whisper: 5 up to 200 MB on a CPU, else 1; translators: 2, unless given)",
        "N",
        span=(1, MOST_BEAM),
    )

    terms: str | None = option(
        None,
        "names and rare words, one a line: what sounds like one of them, and was not clearly said, becomes it",
        "FILE",
    )

    terms_from: str | None = option(
        None,
        "a text or PDF on what is going to be talked about; its names and rare words are terms as well",
        "FILE",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if not self.mt_key_variable.isidentifier():
            # The value is not repeated: it may be the key itself.
            raise UsageError(
                "What --mt-key-variable says is no name of an environment variable; put the key into a variable and "
                "give the variable's name."
            )
