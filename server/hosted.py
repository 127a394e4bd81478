"""One session as a host keeps it: its books, its worker, its client, and what the client is told by the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from server import protocol as p
from server.connection import ConnectionLimits
from server.live import LiveSession
from server.voice import SessionVoices
from server.workers.messages import OfferedVoices
from simul.languages import language_code

SOFT_QUEUE, HARD_QUEUE = 4.0, 60.0
"""Seconds of audio that wait: above the first the client is told, above the second its socket is not read."""
CALM_QUEUE = 1.5
PROGRESS_SECONDS = 1.0
WARNING_SECONDS = 60.0
LAST_WORDS_SECONDS = 30.0
"""For speech after everything is settled."""


class Peer(Protocol):
    """A client's socket as the host sees it."""

    owner: str

    def send(self, messages: Iterable[p.ServerMessage]) -> None:
        """Queue messages."""

    def close(self, code: int, reason: str) -> None:
        """Close once what is queued has been sent."""

    def joined(self, session: LiveSession) -> None:
        """The socket carries this session now."""


@dataclass(frozen=True)
class HostLimits:
    """What a host takes on. sessions: at once; times in seconds."""

    sessions: int = 8
    per_owner: int = 0
    resume: float = 60.0
    wait: float = 2.0
    queue: int = 16
    connection: ConnectionLimits = field(default_factory=ConnectionLimits)


@dataclass
class Hosted:
    """One session in the host. status: "loading", "opening", "running", "speaking" (all is settled, and not yet spoken)
    or "over". overheard: told every message. speech: streams that are spoken; chosen: their voices, where not the usual
    one; unspoken: what was said of voices that there are not; recalled: what a server before this one said.

    rung: how much rarer the worker decides than it should. retried: the sample that a stream which failed was begun
    anew at.
    """

    live: LiveSession
    worker: int
    owner: str
    token: str
    peer: Peer | None
    status: str = "loading"
    model: str = ""
    policy: str = ""
    level: int = 0
    rung: int = 0
    over_at: float = 0.0
    told_at: float = 0.0
    told: tuple[int, int] = (-1, -1)
    warned: bool = False
    retried: int = -1
    overheard: Callable[[p.ServerMessage], None] = lambda message: None
    speech: tuple[str, ...] = ()
    chosen: dict[str, str] = field(default_factory=dict)
    unspoken: str = ""
    recalled: tuple[p.ServerMessage, ...] = ()
    voices: SessionVoices = field(init=False)

    def __post_init__(self) -> None:
        self.voices = SessionVoices(self.live.name)

    def choose_voices(self, offered: OfferedVoices) -> p.ErrorMessage | None:
        """Speak the target languages, where that is wanted; what is to be said of voices that there are not."""
        want, faults = self.live.want, []
        wanted = self.live.spec.targets if want.speech else ()
        mute = tuple(target for target in wanted if language_code(target) not in offered)
        if mute:
            faults.append(f"There is no voice here for {', '.join(mute)}; it is written, not spoken.")
        self.speech, self.chosen = tuple(target for target in wanted if target not in mute), {}
        for target in self.speech:
            name, names = want.voice.get(target, ""), [name for name, _ in offered[language_code(target)]]
            if name in names:
                self.chosen[target] = name
            elif name:
                known = ", ".join(names)
                faults.append(
                    f"There is no voice {name!r} for {target} (there are {known}); the usual one speaks."
                )
        self.voices.choose(self.speech, self.chosen)
        said = " ".join(faults)
        news, self.unspoken = said != self.unspoken, said
        return p.ErrorMessage("speech", said, param="want") if said and news else None

    def spoken_out(self, now: float) -> bool:
        """Whether all is settled, and now is spoken too, or takes too long."""
        late = now - self.over_at > LAST_WORDS_SECONDS
        return self.status == "speaking" and (late or not self.voices.busy)

    def too_old(self, now: float, limits: HostLimits) -> bool:
        """Whether the session has reached its longest time; its client is warned before."""
        left = self.live.opened + limits.connection.session - now
        if left < WARNING_SECONDS and not self.warned:
            self.warned = True
            message = "The session is about to reach its longest time; start a new one."
            self.live.tell(p.SessionMoving(max(0, int(left * 1000)), "", message))
        return left <= 0

    def deliver(self, now: float) -> None:
        """Send what is new."""
        messages = self.live.take()
        for message in messages:
            self.overheard(message)
            self.voices.heard(message, self.speech, now)
        if self.peer is not None and messages:
            self.peer.send(messages)

    def config(self) -> p.StreamConfig:
        """What the session does."""
        live, spec = self.live, self.live.spec
        names = tuple(live.streams)
        return p.StreamConfig(
            spec.source,
            spec.targets,
            names,
            spec.policy,
            spec.chunk // 16,
            self.model,
            live.audio,
            self.speech,
            len(spec.terms),
            spec.between,
            self.chosen,
        )

    def ready(self, limits: HostLimits, version: str) -> p.SessionReady:
        """What the client is told when the session begins."""
        bounds = limits.connection
        told = p.ServerLimits(
            bounds.frame_bytes, int(HARD_QUEUE * 1000), int(bounds.idle * 1000), int(bounds.session * 1000)
        )
        resume = int(limits.resume * 1000)
        return p.SessionReady(self.live.name, self.token, resume, self.config(), told, version)

    def watch_queue(self) -> None:
        """Say when computing falls behind, and when it keeps up again."""
        live = self.live
        behind = live.waiting > (CALM_QUEUE if self.level else SOFT_QUEUE)
        level = max(self.rung, int(behind)) if self.status == "running" else 0
        if level == self.level:
            return
        self.level = level
        if level:
            reason = f"computing is {live.waiting:.1f} s behind the audio of all sessions together"
            live.tell(p.Degraded(level, "text is decided on less often; no audio is left out", reason))
        else:
            live.tell(p.Degraded(0, "", "computing keeps up again"))

    def report(self, now: float) -> None:
        """Say what has been received and processed, where that changed, at most once a second."""
        state = (self.live.received, self.live.processed)
        if now - self.told_at < PROGRESS_SECONDS or state == self.told or self.status != "running":
            return
        self.told, self.told_at = state, now
        self.live.tell(p.AudioAck(self.live.received))
        if self.live.want.progress:
            self.live.tell(self.live.progress())
