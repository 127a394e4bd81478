"""Keeps the sessions: admits them, gives them to workers, lets clients come back, ends them. It has no sockets.

Everything happens in calls; `tick` carries out what is due. Clock, randomness and workers are handed in.
"""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from server import protocol as p
from server.admission import check_begin, check_number
from server.balance import least_loaded, ready_workers, spare_worker
from server.codec import CloseCode, ProtocolError
from server.connection import AudioFrame, Request
from server.hosted import HARD_QUEUE, Hosted, HostLimits, Peer
from server.journal import SessionJournal, left_over
from server.live import LiveSession
from server.metrics import Metrics, declare
from server.specs import spec_of
from server.stage.speech import KEY as STAGE
from server.stage.stage import Stage
from server.waiting import WaitingClient, WaitingRoom, turn_away
from server.workers.messages import (
    Answer,
    CutReached,
    DropTrack,
    FinishTrack,
    Offer,
    TextJob,
    TextSpoken,
    TextTranslated,
    TrackOpened,
    TrackOutput,
    TrackOver,
    TrackRefused,
    TrackSpec,
    TranslateText,
    WorkerLoad,
)
from server.workers.pool import Workers
from simul.config import StreamOptions

LOG = logging.getLogger("simul.server")
REMEMBERED = 10_000
"""Sessions that are over, of which a client that asks is told so."""


class Host:
    """The sessions of one server.

    new_token: gives texts that cannot be guessed. version: of the server, for clients. journal: folder that sessions
    are written down in.
    """

    def __init__(
        self,
        stream: StreamOptions,
        workers: Workers,
        now: Callable[[], float],
        new_token: Callable[[], str],
        limits: HostLimits | None = None,
        version: str = "",
        journal: Path | None = None,
    ) -> None:
        self.stream, self.workers, self.now, self.version = stream, workers, now, version
        self.limits = limits or HostLimits()
        self.sessions: dict[str, Hosted] = {}
        self.metrics = Metrics()
        self.draining: float | None = None
        self.offer = Offer("")
        self.stage: Stage | None = None
        self.journal = journal
        self._new_token = new_token
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._room = WaitingRoom(self.limits.sessions, self.limits.queue, self.limits.wait)
        self._loads: dict[int, WorkerLoad] = {}
        workers.listener = self
        declare(self)

    # -- what clients ask -----------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """Sessions that take up a place."""
        return sum(hosted.status != "over" for hosted in self.sessions.values())

    def begin(self, peer: Peer, start: p.SessionStart, now: float) -> None:
        """A client wants a session; it is answered at once, or in a while if the server is full.

        Raises:
            ProtocolError: it is refused.
        """
        owned = sum(h.owner == peer.owner and h.status != "over" for h in self.sessions.values())
        taken = self.stage is not None and self.active > 0
        check_begin(self.draining is not None, owned, self.limits.per_owner, taken)
        if not self._room.free(self.active):
            self._room.queue(WaitingClient(peer, start, now))
            peer.send([p.SessionWaiting("capacity", "The server is full; waiting for a place.")])
            return
        self._open(peer, start, now)

    def _open(self, peer: Peer, start: p.SessionStart, now: float) -> None:
        spec = replace(self._spec_of(start), owner=peer.owner)
        name = self._new_token()
        live = LiveSession(name, spec, start.audio, now)
        live.want = start.want
        hosted = Hosted(
            live, least_loaded(self.sessions.values(), self.workers), peer.owner, self._new_token(), peer
        )
        self.sessions[name] = hosted
        if self.stage is not None:
            stage = self.stage
            hosted.overheard = lambda message: stage.heard(message, self.now())
        if self.journal is not None:
            live.recorder = SessionJournal.begin(self.journal, live, hosted.token, peer.owner)
        self.metrics.add("sessions_total")
        peer.joined(live)
        if self.workers.is_ready(hosted.worker):
            self._place(hosted)
        else:
            peer.send([p.SessionWaiting("loading", "The models are being loaded; audio is kept until then.")])

    def _spec_of(self, asked: p.SessionStart | p.SessionUpdate, former: TrackSpec | None = None) -> TrackSpec:
        return spec_of(self.stream, asked, former, self.stage is not None)

    @property
    def _next_worker(self) -> int:
        return least_loaded(self.sessions.values(), self.workers)

    def _place(self, hosted: Hosted) -> None:
        """Give a session, with all it has heard since the last border of segments, to its worker."""
        hosted.status = "opening"
        for command in hosted.live.rebuild():
            self.workers.send(hosted.worker, command)
        if hosted.live.finishing:
            self.workers.send(hosted.worker, FinishTrack(hosted.live.name))

    def resume(self, peer: Peer, message: p.SessionResume, now: float) -> LiveSession:
        """A client comes back.

        Raises:
            ProtocolError: there is no such session, or the client cannot show that it is its own.
        """
        hosted = self.sessions.get(message.session)
        if hosted is None:
            known = message.session in self._gone
            said = "is over: nobody came back for it in time" if known else "is not known here"
            raise ProtocolError(
                f"The session {said}; start a new one.",
                "session",
                "resume_expired" if known else "unknown_session",
                CloseCode.RESUME_EXPIRED if known else CloseCode.UNKNOWN_SESSION,
            )
        if not hmac.compare_digest(hosted.token.encode(), message.resume_token.encode()):
            self.metrics.add("resumes_total", result="refused")
            raise ProtocolError(
                "The resume token is not the one given last.",
                "resume_token",
                "bad_token",
                CloseCode.UNAUTHORIZED,
            )
        check_number(message.last_seq, "last_seq", hosted.live.seq)
        self._rejoin(hosted, peer, message, now)
        return hosted.live

    def _rejoin(self, hosted: Hosted, peer: Peer, message: p.SessionResume, now: float) -> None:
        live = hosted.live
        if hosted.peer is not None:
            hosted.peer.close(CloseCode.TAKEN_OVER, "Another connection goes on with the session.")
        hosted.peer, hosted.token = peer, self._new_token()
        if live.recorder is not None:
            live.recorder.line("token", token=hosted.token)
        live.detached_at = None
        gap = self._bridge(hosted, message.next_sample, now)
        live.acknowledge(message.last_seq)
        live.take()
        peer.joined(live)
        resumed = p.SessionResumed(live.name, hosted.token, live.received, message.last_seq, gap)
        peer.send([resumed, *live.after(message.last_seq), p.AudioAck(live.received, seq=live.seq)])
        self.metrics.add("resumes_total", result="gap" if gap else "whole")
        if hosted.status == "over":
            peer.close(CloseCode.DONE, "")

    def _bridge(self, hosted: Hosted, next_sample: int, now: float) -> p.Missing | None:
        """What neither side has any more is a gap, in the text as in the time."""
        live, rate = hosted.live, hosted.live.audio.rate
        missing = next_sample - live.received
        if missing <= 0 or live.finishing:
            return None
        gap = p.Missing(live.received * 1000 // rate, next_sample * 1000 // rate)
        for command in live.gap_samples(missing, now):
            self.workers.send(hosted.worker, command)
        live.tell(
            p.AudioLost(gap.t0, gap.t1, "the connection was lost and the client no longer had the audio")
        )
        return gap

    def receive(self, live: LiveSession, request: Request, now: float) -> None:
        """A message or audio for a session.

        Raises:
            ProtocolError: it cannot be done.
        """
        hosted = self.sessions.get(live.name)
        if hosted is None or hosted.status == "over":
            return
        if live.finishing and not isinstance(request, (p.Ack, p.Ping)):
            # The server ended it, or the client came back and says again that it is at its end.
            return
        if isinstance(request, AudioFrame):
            self.metrics.add("audio_bytes_total", len(request.data))
            commands = live.push(request.data, now)
        elif isinstance(request, p.Gap):
            commands = live.gap(request.ms, now)
        elif isinstance(request, p.Flush):
            commands = [live.cut("flush", request.id)]
        elif isinstance(request, p.Mark):
            commands = [live.cut("mark", request.id)]
        elif isinstance(request, p.SessionClose):
            commands = [*live.finish(now), FinishTrack(live.name)]
        elif isinstance(request, p.SessionUpdate):
            spec = self._spec_of(request, live.spec)
            commands = [live.change(spec)] if spec != live.spec else []
            live.want = request.want or live.want
            problem = hosted.choose_voices(self.offer.voices)
            live.tell(p.SessionUpdated(hosted.config()))
            if problem is not None:
                live.tell(problem)
        else:
            self._answer_at_once(live, request)
            commands = []
        if hosted.status in ("opening", "running"):
            for command in commands:
                self.workers.send(hosted.worker, command)
        hosted.deliver(self.now())

    def _answer_at_once(self, live: LiveSession, request: p.ClientMessage) -> None:
        if isinstance(request, p.Ack):
            check_number(request.seq, "seq", live.seq)
            live.acknowledge(request.seq)
        elif isinstance(request, p.Ping):
            live.tell(p.Pong(request.ts, self.now()))

    def leave(self, peer: Peer, now: float) -> None:
        """A socket is gone: its session waits for the client to come back."""
        self._room.forget(peer)
        for hosted in self.sessions.values():
            if hosted.peer is peer:
                hosted.peer = None
                hosted.live.detached_at = now
                self.metrics.add("detached_total")

    def drop(self, live: LiveSession) -> None:
        """Forget a session at once."""
        hosted = self.sessions.pop(live.name, None)
        if hosted is not None:
            if hosted.status != "over":
                self.workers.send(hosted.worker, DropTrack(live.name))
            if live.recorder is not None:
                live.recorder.line("dropped")
                live.recorder.close()
            self._gone[live.name] = None
            while len(self._gone) > REMEMBERED:
                self._gone.popitem(last=False)

    def full(self, live: LiveSession) -> bool:
        """Whether so much audio waits that no more is to be read from the socket."""
        return live.waiting > HARD_QUEUE

    def take_over(self, now: float) -> int:
        """Go on with the sessions that a server before this one left in the journal; how many there are."""
        if self.journal is None:
            return 0
        found = 0
        for restored in left_over(self.journal, self.limits.resume, now):
            live = restored.live
            if live.name in self.sessions:
                continue
            live.recorder, live.detached_at = SessionJournal.go_on(self.journal, restored), now
            hosted = Hosted(live, self._next_worker, restored.owner, restored.token, None)
            hosted.model, hosted.recalled = "restored", tuple(live.after(0))
            self.sessions[live.name] = hosted
            found += 1
            if self.workers.is_ready(hosted.worker):
                self._place(hosted)
        return found

    # -- what workers say -----------------------------------------------------------------------------------------

    def ready(self, worker: int, offer: Offer) -> None:
        """A worker has loaded its models: it takes the sessions that wait for it."""
        self.offer = offer
        for hosted in self.sessions.values():
            if hosted.worker == worker and hosted.status == "loading":
                self._place(hosted)
            self._voice(hosted)

    def lost(self, worker: int, reason: str) -> None:
        """A worker broke: its sessions go to one that is ready, or wait for its successor."""
        self.metrics.add("worker_losses_total")
        if self.stage is not None:
            self.stage.speech.again(self.now())
        for hosted in self.sessions.values():
            if hosted.worker != worker or hosted.status not in ("opening", "running", "speaking"):
                continue
            hosted.voices.again()
            others = ready_workers(self.workers)
            if others:
                hosted.worker = least_loaded(self.sessions.values(), self.workers, others)
            if hosted.status != "speaking":
                hosted.status = "loading"
                if others:
                    self._place(hosted)
            self._voice(hosted)

    def answered(self, worker: int, answer: Answer) -> None:
        """What a worker says."""
        if isinstance(answer, WorkerLoad):
            self._loads[worker] = answer
            for each in self.sessions.values():
                each.rung = answer.level if each.worker == worker else each.rung
            return
        if isinstance(answer, TextTranslated):
            if self.stage is not None:
                self.stage.translated(answer.number, answer.target, answer.text, self.now())
            return
        if isinstance(answer, TextSpoken) and answer.key == STAGE and self.stage is not None:
            self.stage.speech.spoken(answer, self.now())
            return
        hosted = self.sessions.get(getattr(answer, "key", ""))
        if hosted is None or hosted.worker != worker or hosted.status == "over":
            return
        try:
            self._heard(hosted, answer)
            hosted.deliver(self.now())
            self._voice(hosted)
        except Exception:
            # A fault of this program in one session must not take others with it.
            LOG.exception("session %s failed", hosted.live.name)
            self._over(hosted, "Something went wrong in the server that should not; its log says where.")

    def _heard(self, hosted: Hosted, answer: Answer) -> None:
        if isinstance(answer, TrackOpened):
            self._opened(hosted, answer)
        elif isinstance(answer, TrackRefused):
            self._refused(hosted, answer.message)
        elif isinstance(answer, TrackOutput):
            hosted.live.output(answer, self.now())
            for lag in hosted.live.lags():
                self.metrics.observe("settled_lag_seconds", lag / 1000)
            if answer.compute:
                self.metrics.observe("step_seconds", answer.compute)
        elif isinstance(answer, CutReached):
            hosted.live.reached(answer.kind, answer.id, answer.at)
        elif isinstance(answer, TextSpoken):
            said = hosted.voices.spoken(answer, self.now())
            if said is not None:
                hosted.live.tell(said)
        elif isinstance(answer, TrackOver):
            self._finished(hosted, answer)

    def _finished(self, hosted: Hosted, answer: TrackOver) -> None:
        """A stream is over. One that failed is heard anew from the last border of segments; twice there is enough."""
        live = hosted.live
        if answer.failure and hosted.retried != live.border:
            hosted.retried = live.border
            self.metrics.add("retries_total")
            self._place(hosted)
            return
        live.output(TrackOutput(live.name, answer.closing, answer.processed or live.processed), self.now())
        self._over(hosted, answer.failure)

    def _opened(self, hosted: Hosted, answer: TrackOpened) -> None:
        first = not hosted.model
        hosted.status, hosted.model, hosted.policy = "running", answer.model, answer.policy
        hosted.live.revises = answer.revises
        problem = hosted.choose_voices(self.offer.voices)
        hosted.voices.go_on(hosted.recalled)
        hosted.recalled = ()
        if first and hosted.peer is not None:
            hosted.live.tell(hosted.ready(self.limits, self.version))
        if problem is not None:
            hosted.live.tell(problem)

    def _refused(self, hosted: Hosted, message: str) -> None:
        hosted.live.tell(p.ErrorMessage("unavailable", message, fatal=True))
        self.metrics.add("refused_total", reason="unavailable")
        hosted.deliver(self.now())
        if hosted.peer is not None:
            hosted.peer.close(CloseCode.UNAVAILABLE, message)
        hosted.status = "over"
        self.drop(hosted.live)

    def _voice(self, hosted: Hosted) -> None:
        """Have a worker speak what is settled; where that was the last of it, end the session."""
        now = self.now()
        if hosted.status in ("running", "speaking") and self.workers.is_ready(hosted.worker):
            for job in hosted.voices.jobs(now):
                self.workers.send(hosted.worker, job)
        if hosted.spoken_out(now):
            self._end(hosted, "")

    def _over(self, hosted: Hosted, failure: str) -> None:
        hosted.deliver(self.now())
        hosted.voices.finish()
        if failure or not hosted.voices.busy:
            self._end(hosted, failure)
        else:
            hosted.status, hosted.over_at = "speaking", self.now()

    def _end(self, hosted: Hosted, failure: str) -> None:
        if failure:
            hosted.live.tell(p.ErrorMessage("failed", failure, fatal=True))
        hosted.live.end()
        hosted.status, hosted.over_at = "over", self.now()
        hosted.deliver(self.now())
        if hosted.peer is not None:
            hosted.peer.close(CloseCode.INTERNAL if failure else CloseCode.DONE, failure)

    def translate(self, number: int, text: str, target: str) -> None:
        """Have a line of the stage translated."""
        terms = next((h.live.spec.terms for h in self.sessions.values() if h.status != "over"), ())
        self.work(TranslateText(STAGE, number, text, self.stream.source, target, terms))

    def work(self, job: TextJob) -> bool:
        """Give a job of the stage to a worker that does not hear the speaker, if possible; whether one is there."""
        worker = spare_worker(self.sessions.values(), self.workers)
        if worker is not None:
            self.workers.send(worker, job)
        return worker is not None

    # -- what time brings -----------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """What is due: places for those who wait, progress, sessions that are too old or that nobody comes back for."""
        for waiting in self._room.admitted(self.active):
            self._open(waiting.peer, waiting.start, now)
        for waiting in self._room.expired(now):
            self.metrics.add("refused_total", reason="overloaded")
            turn_away(waiting.peer)
        for hosted in list(self.sessions.values()):
            self._attend(hosted, now)
        if self.stage is not None:
            self.stage.tick(now)

    def _attend(self, hosted: Hosted, now: float) -> None:
        live = hosted.live
        away = live.detached_at if live.detached_at is not None else now
        if now - away > self.limits.resume or (
            hosted.status == "over" and now - hosted.over_at > self.limits.resume
        ):
            self.drop(live)
            return
        if hosted.status != "over":
            if hosted.too_old(now, self.limits) and not live.finishing:
                self._finish(hosted, now)
            hosted.watch_queue()
            hosted.report(now)
        hosted.deliver(now)
        self._voice(hosted)

    def drain(self, now: float, seconds: float) -> None:
        """Take no new sessions, and let those there are end or move."""
        self.draining = now + seconds
        for hosted in self.sessions.values():
            if hosted.status != "over":
                message = "The server is stopping; finish, or resume at the same address once it is up again."
                hosted.live.tell(p.SessionMoving(int(seconds * 1000), "", message))
                hosted.deliver(self.now())

    def finish_all(self, now: float) -> None:
        """End the audio of every session."""
        for hosted in list(self.sessions.values()):
            if hosted.status in ("opening", "running") and not hosted.live.finishing:
                self._finish(hosted, now)

    def _finish(self, hosted: Hosted, now: float) -> None:
        for command in [*hosted.live.finish(now), FinishTrack(hosted.live.name)]:
            self.workers.send(hosted.worker, command)

    @property
    def compute_seconds(self) -> float:
        """Of all workers since they began."""
        return sum(load.compute for load in self._loads.values())

    @property
    def ready_workers(self) -> int:
        """Workers whose models are loaded."""
        return len(ready_workers(self.workers))
