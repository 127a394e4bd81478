"""A server from start to stop: workers, host, gateway, signals."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from server.certificate import FILE, certificate_folder, fingerprint, self_signed
from server.gateway import LOOPBACK, Gateway
from server.host import Host
from server.hosted import HostLimits
from server.line_port import LinePort
from server.options import ServeOptions
from server.stage.audience import Audience, Frames, terminal_code
from server.stage.sink import CaptionSink, SinkAddress, posting
from server.stage.speech import StageSpeech
from server.stage.stage import Stage
from server.workers.core import WorkerModels
from server.workers.pool import ProcessPool, WorkerPool
from server.workers.speech import installed_voices
from simul.config import StreamOptions
from simul.errors import ExitCode, SimulError, UsageError
from simul.languages import language_code

SESSIONS_A_WORKER = 4
DRAIN_POLL_SECONDS = 0.1
JOURNAL_DRAIN_SECONDS = 0.5


class WorkersFailed(SimulError):
    """The workers cannot load their models; `exit_code` is that of the reason."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code)


def worker_count(options: ServeOptions) -> int:
    """One for each processor unless said otherwise."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return options.workers or usable


def make_pool(
    options: ServeOptions, make_models: Callable[[], WorkerModels], count: int, gpus: int = 0
) -> WorkerPool:
    """The workers that the options name. gpus: of Ray's, how many each worker needs."""
    if options.engine == "local":
        return ProcessPool(make_models, count)
    from server.workers.ray_pool import RayPool

    return RayPool(make_models, count, gpus=gpus)


def tokens_of(path: str | None) -> frozenset[str]:
    """The tokens of a file, one a line.

    Raises:
        UsageError: the file cannot be read, or holds none.
    """
    if path is None:
        return frozenset()
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"The token file {path} cannot be read: {error}.") from error
    found = frozenset(line.strip() for line in lines if line.strip())
    if not found:
        raise UsageError(f"The token file {path} holds no token; write one a line.")
    return found


def speaker_keys(options: ServeOptions) -> frozenset[str]:
    """A token for the speaker of a stage that others can reach."""
    return frozenset() if options.host in LOOPBACK else frozenset({secrets.token_urlsafe(9)})


def offered(options: ServeOptions, source: str) -> tuple[str, ...]:
    """The languages of a stage: the one spoken, and those that were named or that the embedded translator writes."""
    from simul.backends.families import EMBEDDED_SOURCES, EMBEDDED_TARGETS

    english = () if source == "en" else ("en",)
    further = tuple(EMBEDDED_TARGETS) if source == "en" or source in EMBEDDED_SOURCES else ()
    named = options.stage_language or (*english, *further)
    return tuple(dict.fromkeys((source, *named, *options.spoken)))


def check_voices(options: ServeOptions) -> None:
    """Refuse to speak languages that nobody here speaks.

    Raises:
        UsageError: there is such a language.
    """
    if not options.speak:
        return
    offered = installed_voices()
    lacking = [code for code in options.spoken if language_code(code) not in offered]
    if lacking:
        raise UsageError(f"--speak: there is no voice on this machine for {', '.join(lacking)}.")
    for code, voice in options.spoken.items():
        names = [name for name, _ in offered[language_code(code)]]
        if voice and voice not in names:
            raise UsageError(f"--speak {code}={voice}: there is no such voice; there are {', '.join(names)}.")


def caption_sinks(options: ServeOptions, stage: Stage, say: Callable[[str], None]) -> list[CaptionSink]:
    """Receivers that watch the stage.

    Raises:
        UsageError: a language of theirs is not offered.
    """
    sinks = [CaptionSink(SinkAddress.parse(given), say) for given in options.caption_sink]
    for sink in sinks:
        if not stage.watch(sink, sink.address.language, None, time.monotonic()):
            raise UsageError(
                f"--caption-sink {sink.address.language}: the stage offers {', '.join(stage.languages)}; "
                "name the language with --stage-language too."
            )
    return sinks


def reachable_name(host: str) -> str:
    """The address that others reach a server at that listens everywhere."""
    if host not in ("0.0.0.0", "::", ""):
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # No packet is sent: it only makes the system choose the address that leads outside.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def stage_notice(base: str, keys: frozenset[str]) -> str:
    """Where the speaker and the audience go."""
    speaker = f"{base}/" + (f"?token={min(keys)}" if keys else "")
    return f"The speaker: {speaker}\nThe audience: {base}/watch\n{terminal_code(f'{base}/watch')}"


def check_exposure(options: ServeOptions) -> None:
    """Refuse to listen to a network without tokens.

    Raises:
        UsageError: it was not said that this is meant.
    """
    open_to_all = not options.token_file and not options.insecure and not options.stage
    if options.host not in LOOPBACK and open_to_all:
        raise UsageError(
            f"At {options.host} others can reach the server: give --token-file FILE, or --insecure if that is meant."
        )


def tls_of(options: ServeOptions) -> ssl.SSLContext | None:
    """The certificate, where one is given or made.

    Raises:
        UsageError: it cannot be read, or made.
    """
    if not options.encrypted:
        return None
    own = self_signed(names_of(options.host), certificate_folder()) if options.self_signed else None
    certfile = str(own or options.certfile)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certfile, options.keyfile)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"The certificate {certfile} cannot be used: {error}.") from error
    return context


def names_of(host: str) -> tuple[str, ...]:
    """What a server at this address is called: by this machine, and by others."""
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname(), reachable_name(host))))


async def run_server(
    options: ServeOptions,
    stream: StreamOptions,
    make_models: Callable[[], WorkerModels],
    say: Callable[[str], None],
    version: str,
    gpus: int = 0,
) -> None:
    """Serve until a signal says stop. gpus: how many each worker needs.

    Raises:
        UsageError: the address cannot be used.
        WorkersFailed: no worker can load its models.
    """
    check_exposure(options)
    count = worker_count(options)
    pool = make_pool(options, make_models, count, gpus)
    limits = HostLimits(options.sessions or SESSIONS_A_WORKER * count, resume=float(options.resume_seconds))
    journal = Path(options.journal) if options.journal else None
    keys = tokens_of(options.token_file)
    if options.stage:
        stream, keys = replace(stream, target=stream.source), keys or speaker_keys(options)
    host = Host(stream, pool, time.monotonic, lambda: secrets.token_urlsafe(24), limits, version, journal)
    gateway = Gateway(host, time.monotonic, keys, frozenset(options.origin), tls_of(options))
    stop = asyncio.Event()
    _on_signal(stop)
    pool.on_foreign_code = lambda: _on_signal(stop)
    try:
        port = await gateway.start(options.host, options.port)
    except OSError as error:
        raise UsageError(
            f"The server cannot listen at {options.host}, port {options.port}: {error.strerror or error}."
        ) from error
    scheme = "https" if options.encrypted else "http"
    say(f"Listening at {scheme}://{options.host}:{port}/ with {count} workers; loading the models.")
    if reachable_name(options.host) != options.host:
        say(f"Others reach it at {scheme}://{reachable_name(options.host)}:{port}/")
    if options.self_signed:
        say(f"Its certificate's SHA-256: {fingerprint(certificate_folder() / FILE)}")
    sinks: list[CaptionSink] = []
    if options.stage:
        base = f"{scheme}://{reachable_name(options.host)}:{port}"
        speech = StageSpeech(options.spoken, host.work, options.spoken)
        host.stage = Stage(offered(options, stream.source), host.translate, speech)
        gateway.audience = Audience(host.stage, Frames(), time.monotonic, f"{base}/watch")
        sinks = caption_sinks(options, host.stage, say)
        say(stage_notice(base, keys))
    if taken := host.take_over(time.monotonic()):
        say(f"{taken} sessions of the journal wait for their clients.")
    lines = LinePort(host, time.monotonic)
    if options.line_port:
        await lines.start("127.0.0.1", options.line_port)
    pool.start()
    try:
        async with posting(sinks):
            await _until_stopped(pool, host, stop, say)
            await _drained(host, options.drain_seconds)
    finally:
        await lines.stop()
        await gateway.stop()
        pool.stop()


async def _until_stopped(
    pool: WorkerPool, host: Host, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Wait for a signal; say once when the models are there.

    Raises:
        WorkersFailed: no worker can load its models.
    """
    assert pool.failed is not None
    told = False
    waiting: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
    failing: asyncio.Future[Any] = pool.failed
    while not stop.is_set():
        await asyncio.wait([waiting, failing], timeout=DRAIN_POLL_SECONDS, return_when="FIRST_COMPLETED")
        if pool.failed.done():
            failed = pool.failed.result()
            waiting.cancel()
            raise WorkersFailed(failed.message, failed.exit_code)
        if not told and host.ready_workers:
            told = True
            say(f"Ready. {host.offer.description}")


async def _drained(host: Host, seconds: float) -> None:
    """Give sessions time to end, then end them; those in a journal wait for the next server."""
    if host.journal is not None:
        seconds = min(seconds, JOURNAL_DRAIN_SECONDS)
    host.drain(time.monotonic(), seconds)
    until = time.monotonic() + seconds
    host_done = False
    while host.active and time.monotonic() < until:
        if host.journal is None and not host_done and time.monotonic() > until - seconds / 2:
            host_done = True
            host.finish_all(time.monotonic())
        await asyncio.sleep(DRAIN_POLL_SECONDS)


def _on_signal(stop: asyncio.Event) -> None:
    """Set it on SIGTERM or SIGINT; a second one ends the process at once. To be called again where Ray took them."""
    loop = asyncio.get_running_loop()

    def once() -> None:
        if stop.is_set():
            os._exit(ExitCode.INTERRUPTED)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, once)
