"""Options of a stream and of its models: one declaration for the command line, the adapters and the documents.

The metadata of a field describes its option: help, metavar, choices, and its name where that is not the field's:
`--device` is the microphone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simul.errors import UsageError

AUTO = "auto"
DEFAULT_POLICY = "local-agreement"
"""The plain form of what leads the dev part within 2 s of LongYAAL (docs/policy-curves.md); it needs tokens only."""


@dataclass(frozen=True)
class StreamOptions:
    """What a stream is to do; shared by every command that opens one.

    `policy_arg` holds texts of the form K=V, the last one of a key counts.
    """

    source: str = field(default="en", metadata={"help": "language that is spoken", "metavar": "LANG"})
    target: str = field(
        default="de",
        metadata={"help": "language to write; the same as --source transcribes", "metavar": "LANG"},
    )
    policy: str = field(
        default=DEFAULT_POLICY,
        metadata={"help": "read/write policy; `simul policies` lists them", "metavar": "NAME"},
    )
    policy_arg: tuple[str, ...] = field(
        default=(), metadata={"help": "a parameter of the policy (repeatable)", "metavar": "K=V"}
    )
    chunk_ms: int = field(
        default=500, metadata={"help": "audio between two decisions, in milliseconds", "metavar": "MS"}
    )

    def __post_init__(self) -> None:
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

    model: str = field(
        default=AUTO,
        metadata={
            "help": "auto (the best on this machine), embedded, a folder with a Whisper model (CTranslate2 or "
            "transformers), or its name in the list of `simul models` or in the hub cache (small, owner/name)",
            "metavar": "NAME|FOLDER",
        },
    )
    asr: str | None = field(
        default=None,
        metadata={
            "help": "recogniser of a cascade: embedded, or a Whisper model as for --model",
            "metavar": "NAME|FOLDER",
        },
    )
    mt: str | None = field(
        default=None,
        metadata={
            "help": "text translator of a cascade: embedded; a name in the list of `simul models`; a CTranslate2 "
            "folder or hub name of an Opus-MT, NLLB or M2M-100 model; a folder with a language model for "
            "conversations; or the address and name of one behind an OpenAI-compatible server "
            "(http://127.0.0.1:8000/v1#MODEL)",
            "metavar": "NAME|FOLDER|URL#MODEL",
        },
    )
    mt_key_variable: str = field(
        default="MT_API_KEY",
        metadata={
            "help": "environment variable that holds the API key of the server that --mt names",
            "metavar": "VARIABLE",
        },
    )
    download: bool = field(
        default=False,
        metadata={"help": "fetch the named models from the hub when they are not on this machine"},
    )
    device: str = field(
        default="auto",
        metadata={
            "help": "where Whisper and translation models run",
            "choices": ("auto", "cpu", "cuda"),
            "option": "model_device",
        },
    )
    compute: str = field(
        default="auto",
        metadata={
            "help": "arithmetic of these models (auto: int8 on a CPU, float16 on a GPU; transformers: float32 "
            "on a CPU)",
            "choices": ("auto", "int8", "int8_float16", "float16", "bfloat16", "float32"),
        },
    )
    threads: int = field(
        default=0,
        metadata={
            "help": "CPU threads of a model (0: as many as there are cores, at most 4)",
            "metavar": "N",
        },
    )
    window: str = field(
        default="auto",
        metadata={
            "help": "what Whisper encodes at a time: 30 s (padded), the audio up to the next multiple of 5 s (bucket, "
            "a quarter of the work), or only the audio there is (live; whisper-base on a CPU); auto: bucket",
            "choices": ("auto", "padded", "bucket", "live"),
        },
    )
    beam: int | None = field(
        default=None, metadata={"help": "beam size (Whisper: 1, translators: 2 unless given)", "metavar": "N"}
    )

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise UsageError(f"The number of threads is {self.threads}; give 0 or more.")
        if not self.mt_key_variable.isidentifier():
            # The value is not repeated: it may be the key itself.
            raise UsageError(
                "What --mt-key-variable says is no name of an environment variable; put the key into a variable and "
                "give the variable's name."
            )
        if self.beam is not None and self.beam < 1:
            raise UsageError(f"The beam size is {self.beam}; give 1 or more.")
        for name in ("device", "compute", "window"):
            choices = type(self).__dataclass_fields__[name].metadata["choices"]
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"Unknown {name} {getattr(self, name)!r}; choose one of: {', '.join(choices)}."
                )
