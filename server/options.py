"""Options of a server: one declaration for the command line, the gateway and the documents."""

from __future__ import annotations

from dataclasses import dataclass

from simul.errors import UsageError
from simul.languages import language_code
from simul.options import check_options, option


@dataclass(frozen=True)
class ServeOptions:
    """Where a server listens, how much it takes on, whom it serves."""

    host: str = option(
        "127.0.0.1", "address to listen at; others than this machine need --token-file or --insecure"
    )
    port: int = option(8765, "port to listen at (0: any that is free)", "N", span=(0, 65_535))
    line_port: int = option(
        0,
        "also take 16-bit samples over plain TCP at this port of this machine, and write lines (0: no)",
        "N",
        span=(0, 65_535),
    )
    workers: int = option(
        0, "workers that compute, each with its models (0: one for each processor)", "N", span=(0, 1024)
    )
    engine: str = option(
        "local",
        "what the workers are: processes of this machine (local), or actors of Ray (ray), which RAY_ADDRESS lets run "
        "on the machines of a cluster",
        choices=("local", "ray"),
    )
    sessions: int = option(
        0, "sessions at once; further ones are refused (0: four for each worker)", "N", span=(0, 100_000)
    )
    token_file: str | None = option(None, "file with one token a line; a client must give one", "FILE")
    insecure: bool = option(False, "listen at an address that others reach without asking for a token")
    origin: tuple[str, ...] = option(
        (), "web page's origin that may connect besides the server's own (repeatable)", "URL"
    )
    certfile: str | None = option(None, "certificate for TLS (PEM)", "FILE")
    keyfile: str | None = option(None, "its key, where it is not in the certificate's file", "FILE")
    self_signed: bool = option(
        False, "TLS with a certificate that the server makes; browsers ask once whether to trust it"
    )
    two_way: str | None = option(
        None,
        "a conversation between two languages: each is told in the other, whichever is spoken",
        "LANG,LANG",
    )
    stage: bool = option(
        False, "one speaker, and an audience that reads along, each in a language of its own"
    )
    stage_language: tuple[str, ...] = option(
        (), "with --stage, a language to offer (repeatable; all that are known unless given)", "LANG"
    )
    speak: tuple[str, ...] = option(
        (),
        "with --stage, a language that the audience can also listen to, perhaps by a voice of its own (repeatable)",
        "LANG[=VOICE]",
    )
    caption_sink: tuple[str, ...] = option(
        (),
        "with --stage, where lines of a language are posted to as Zoom and YouTube take captions (repeatable)",
        "LANG=URL",
    )
    journal: str | None = option(
        None,
        "write every session down there, so that clients can resume after the server was restarted",
        "DIR",
    )
    drain_seconds: int = option(10, "on SIGTERM, time that sessions have to end", "S", span=(0, 3600))
    resume_seconds: int = option(
        60, "time that a session waits for a client that dropped out", "S", span=(1, 3600)
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.keyfile and not self.certfile:
            raise UsageError("--keyfile is of no use alone; give --certfile too.")
        if self.certfile and self.self_signed:
            raise UsageError("--certfile and --self-signed are two certificates; give one of them.")
        if self.caption_sink and not self.stage:
            raise UsageError("--caption-sink posts the lines of a stage; give --stage too.")

        if self.speak and not self.stage:
            raise UsageError("--speak is for the audience of a stage; give --stage too.")

        if self.two_way is not None and len(set(self.pair)) != 2:
            raise UsageError(f"--two-way is two languages, such as en,es, not {self.two_way!r}.")
        if self.two_way is not None and self.stage:
            raise UsageError(
                "--two-way is for two people, --stage for one and an audience; give one of them."
            )

    @property
    def pair(self) -> tuple[str, ...]:
        """The languages of a conversation."""
        return tuple(map(language_code, (self.two_way or "").split(","))) if self.two_way else ()

    @property
    def spoken(self) -> dict[str, str]:
        """The languages of `speak`, each with the voice that is to speak it; empty: the usual one."""
        parts = (given.partition("=") for given in self.speak)
        return {language: voice for language, _, voice in parts}

    @property
    def encrypted(self) -> bool:
        """Whether sockets are wrapped in TLS."""
        return self.self_signed or self.certfile is not None
