"""One stream: feed samples, get events. Synchronous, free of I/O, deterministic under a virtual clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.base import Candidate, Decision, Evidence, Plan, PlanKind, Policy, SourceView
from simul.backends.base import Backend, DecodeRequest, StreamSpec, check_evidence
from simul.clock import Clock
from simul.errors import SimulError, UsageError
from simul.session.events import End, Event, Lag, Retract, SegmentEnd, Settled, Skipped, Start, Tail
from simul.session.window import Window
from simul.session.word_end import WordEnd
from simul.text import Detokenizer
from simul.units import SAMPLE_RATE, Samples


@dataclass(frozen=True)
class SessionConfig:
    """What a stream is to do.

    chunk: samples between two decisions; decisions fall on multiples of it however the audio was cut.
    lag_limit: seconds behind the arrival of audio above which a lag event is put out.
    """

    source: str = "en"
    target: str = "de"
    chunk: int = SAMPLE_RATE // 2
    lag_limit: float = 2.0

    def __post_init__(self) -> None:
        if self.chunk < SAMPLE_RATE // 100:
            raise UsageError(f"A chunk of {self.chunk} samples is too short; use at least 10 ms.")


class Session:
    """Runs read, decode, judge, write for one stream.

    Raises at construction:
        EvidenceError: the policy needs evidence that the backend does not provide.
        UsageError: the backend does not serve the languages.
    """

    def __init__(
        self, policy: Policy, backend: Backend, clock: Clock, config: SessionConfig | None = None
    ) -> None:
        check_evidence(policy, backend)
        self.policy, self.backend, self.clock = policy, backend, clock
        self.config = config or SessionConfig()
        self._handle: Any = None
        self._heard = 0
        self.reset()

    def reset(self) -> None:
        """Forget the stream and be ready for a new one."""
        if self._handle is not None and self._heard:
            self.backend.close(self._handle)
            self._handle = None
        if self._handle is None:
            self._handle = self.backend.open(StreamSpec(self.config.source, self.config.target))
        self._origin = self.clock.now()
        self._state = self.policy.start()
        self._pending: list[Samples] = []
        self._pending_length = 0
        self._window = Window(self.backend.limits)
        self._word_end = WordEnd(self.config.target)
        self._detokenizer = Detokenizer()
        self._gone = Detokenizer()
        self._fresh: tuple[str, ...] = ()
        self._text = self._tail = self._gone_text = ""
        self._source_text: str | None = None
        self._begin: int | None = None
        self._segment = self._tokens = self._passes = self._skipped = self._bad = self._heard = 0
        self._opened = self._finished = False

    @property
    def heard(self) -> int:
        """Samples that have been handed to the backend."""
        return self._heard

    @property
    def finished(self) -> bool:
        """Whether `finish` was called."""
        return self._finished

    def _time(self) -> float:
        return self.clock.now() - self._origin

    def feed(self, samples: Samples) -> list[Event]:
        """Take in float32 mono samples at 16 kHz and return what they brought about.

        Samples that are not finite count as silence and are counted in the end event.
        """
        if self._finished:
            raise SimulError("The session has ended; call reset() before feeding another stream.")
        events = self._open()
        samples = np.asarray(samples, dtype=np.float32).ravel()
        if not np.isfinite(samples).all():
            bad = ~np.isfinite(samples)
            self._bad += int(bad.sum())
            samples = np.where(bad, np.float32(0), samples)
        self._pending.append(samples)
        self._pending_length += len(samples)
        if self._pending_length >= self.config.chunk:
            pending = np.concatenate(self._pending)
            whole = len(pending) - len(pending) % self.config.chunk
            for begin in range(0, whole, self.config.chunk):
                self._push(pending[begin : begin + self.config.chunk])
                events += self._advance()
            self._pending = [pending[whole:]]
            self._pending_length = len(pending) - whole
        return events

    def finish(self) -> list[Event]:
        """No more audio: settle everything that is left and close the stream."""
        if self._finished:
            return []
        events = self._open()
        self._finished = True
        if self._pending_length:
            self._push(np.concatenate(self._pending))
            self._pending, self._pending_length = [], 0
        self.backend.end(self._handle)
        events += self._advance()
        self.backend.close(self._handle)
        self._handle = None
        totals = (self._heard, self._skipped, self._segment, self._tokens, self._passes, self._bad)
        return [*events, End(*totals, time=self._time())]

    def _open(self) -> list[Event]:
        if self._opened:
            return []
        self._opened = True
        names = (self.config.source, self.config.target, self.policy.name, self.backend.name)
        return [Start(*names, sample_rate=SAMPLE_RATE, chunk=self.config.chunk)]

    def _push(self, samples: Samples) -> None:
        self.backend.push(self._handle, samples)
        self._heard += len(samples)

    def _advance(self) -> list[Event]:
        """Plan, decode and judge until the policy wants to read or the stream is over."""
        events: list[Event] = []
        while True:
            view = self.backend.view(self._handle)
            plan = self.policy.plan(self._state, view)
            if plan.kind is PlanKind.READ and not (view.segment_final or self._over(view)):
                break
            request = self._request(view, plan)
            candidate = self.backend.decode([request])[0]
            self._word_end.note(request.prefix, candidate.tokens, candidate.ended)
            self._passes += 1
            events += self._judge(view, candidate)
            if not view.segment_final:
                break
            events += self._end_segment(view, candidate)
            if view.finished:
                break
        return events + self._lag()

    def _over(self, view: SourceView) -> bool:
        """Whether the window must be cut now, and so everything committed, whatever the policy says."""
        return not view.segment_final and self._window.over_hard_limit(view.segment_start, view.heard)

    def _request(self, view: SourceView, plan: Plan) -> DecodeRequest:
        window, final = self._window, view.segment_final or self._over(view)
        prefix = () if self.policy.revises else tuple(window.tokens)
        return DecodeRequest(
            handle=self._handle,
            view=view,
            prefix=prefix,
            prefix_ids=() if self.policy.revises else tuple(window.ids),
            word_complete=self._word_end.complete(prefix),
            context=window.context,
            max_new_tokens=None if final else plan.max_new_tokens,
            stop=None if final else plan.stop,
        )

    def _judge(self, view: SourceView, candidate: Candidate) -> list[Event]:
        committed = tuple(self._window.tokens)
        evidence = Evidence(view, committed, candidate, self._fresh)
        self._state, decision = self.policy.judge(self._state, evidence)
        self._fresh = ()
        over = self._over(view)
        limit = len(candidate.tokens) if view.segment_final or over else candidate.limit
        commit = limit if view.segment_final or over else min(decision.commit, limit)
        forced = decision.forced or (over and commit > decision.commit)
        events: list[Event] = []
        first = 0
        if self.policy.revises:
            first = len(committed) - decision.retract if decision.start is None else decision.start
            if decision.retract:
                events.append(self._retract(view, decision.retract))
        elif decision.retract:
            raise SimulError(
                f"The policy {self.policy.name} took text back without declaring that it revises."
            )
        events += self._settle(
            view, candidate, range(first, commit), decision.accept, decision.reason, forced
        )
        events += self._show_tail(view, candidate, max(first, commit))
        if not view.segment_final:
            self._trim(view, decision)
        return events

    def _trim(self, view: SourceView, decision: Decision) -> None:
        """Forget audio and prefix by the window's limits, or else as the policy allows.

        A backend that bounds its segments itself and cannot be trimmed keeps its audio, and the prefix with it.
        """
        if decision.drop_context:
            self._window.context = ""
        place = self._window.cut(view.segment_start, view.heard)
        if place is None and decision.cut is not None and self.backend.can_trim:
            place = min(decision.cut, view.heard), decision.forget
        if place is not None:
            cut, forget = place
            self._gone_text += self._gone.push(self._window.forget(forget))
            self._window.trimmed(cut)
            if self._begin is None:
                self._begin = view.segment_start
            self.backend.trim(self._handle, cut)

    def _settle(
        self,
        view: SourceView,
        candidate: Candidate,
        indices: range,
        accept: tuple[bool, ...] | None,
        reason: str,
        forced: bool,
    ) -> list[Event]:
        chosen = [i for i in indices if accept is None or i >= len(accept) or accept[i]]
        events = self._report_skipped(view, candidate, [i for i in indices if i not in set(chosen)])
        if not chosen:
            return events
        tokens = tuple(candidate.tokens[i] for i in chosen)
        spans = None
        if candidate.spans is not None:
            clipped = np.minimum(candidate.spans[chosen], view.heard)
            spans = tuple((int(a), int(b)) for a, b in clipped)
        text = self._detokenizer.push(tokens)
        if self._segment == 0 and not self._text:
            text = text.lstrip(" ")
        self._text += text
        self._tokens += len(tokens)
        self._window.commit(candidate, chosen)
        self._fresh = tokens
        place = (self._segment, text, tokens, view.heard, self._time())
        return [*events, Settled(*place, spans=spans, reason=reason, forced=forced)]

    def _report_skipped(self, view: SourceView, candidate: Candidate, dropped: list[int]) -> list[Event]:
        if not dropped:
            return []
        times = candidate.times
        start, end = view.segment_start, view.heard
        if times is not None:
            start, end = int(times[dropped, 0].min()), int(times[dropped, 1].max())
        self._skipped += max(0, end - start)
        return [Skipped(start, end, "the policy skipped it", self._time())]

    def _show_tail(self, view: SourceView, candidate: Candidate, count: int) -> list[Event]:
        text = self._detokenizer.preview(candidate.tokens[count:])
        if self._segment == 0 and not self._text:
            text = text.lstrip(" ")
        if (text, candidate.source_text) == (self._tail, self._source_text):
            return []
        self._tail, self._source_text = text, candidate.source_text
        return [Tail(self._segment, text, view.heard, self._time(), candidate.source_text)]

    def _retract(self, view: SourceView, count: int) -> Retract:
        before = len(self._text)
        self._window.retract(count)
        self._detokenizer = self._gone.copy()
        kept = self._gone_text + self._detokenizer.push(self._window.tokens)
        self._text = kept.lstrip(" ") if self._segment == 0 else kept
        return Retract(self._segment, before - len(self._text), count, view.heard, self._time())

    def _end_segment(self, view: SourceView, candidate: Candidate) -> list[Event]:
        events: list[Event] = []
        rest = self._detokenizer.flush()
        if rest:
            self._text += rest
            events.append(Settled(self._segment, rest, (), view.heard, self._time(), reason="segment end"))
        kind = self.backend.segment_kind(self._handle)
        self.backend.next_segment(self._handle)
        start = view.segment_start if self._begin is None else self._begin
        end = min(max(view.segment_start, self.backend.view(self._handle).segment_start), view.heard)
        if self._text or candidate.source_text:
            text = self._text.strip()
            where = (self._segment, start, end, text, kind, view.heard, self._time())
            events.append(SegmentEnd(*where, source=candidate.source_text))
            self._segment += 1
        self._state = self.policy.next_segment(self._state)
        self._begin = None
        self._window.clear()
        self._word_end = WordEnd(self.config.target)
        self._fresh, self._gone = (), Detokenizer()
        self._text, self._tail, self._gone_text, self._source_text = "", "", "", None
        return events

    def _lag(self) -> list[Event]:
        behind = self._time() - self._heard / SAMPLE_RATE
        return [Lag(behind, self._heard, self._time())] if behind > self.config.lag_limit else []
