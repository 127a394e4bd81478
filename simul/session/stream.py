"""The stream core: the books of one stream. It has no model, no clock and no input or output.

Whoever runs it hands in what a backend sees (`receive`), asks what to decode (`request`), hands in the result
(`answer`), carries out what it orders for the backend (`orders`) and collects what happened (`events`). Every time is
an argument, in seconds since the stream was opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from policies.base import Candidate, Decision, Evidence, PlanKind, Policy, SourceView
from simul.backends.base import DecodeRequest, Limits, StreamSpec
from simul.errors import SimulError, UsageError
from simul.languages import SPACELESS, is_open
from simul.models.terms.reading import Term
from simul.session.asking import begun, judged, next_state, planned
from simul.session.events import (
    End,
    Error,
    Event,
    Lag,
    Late,
    Retract,
    SegmentEnd,
    Settled,
    Skipped,
    SpokenIn,
    Start,
    Tail,
    from_dict,
)
from simul.session.segment import SegmentText
from simul.session.values import view_from_json, view_to_json
from simul.session.window import Window
from simul.session.word_end import WordEnd
from simul.session.words import Standing, source_words, target_words
from simul.units import SAMPLE_RATE


@dataclass(frozen=True)
class SessionConfig:
    """What a stream is to do.

    chunk: samples between two decisions; decisions fall on multiples of it however the audio was cut.
    lag_limit: seconds behind the arrival of audio above which a lag event is put out. name: of the stream, in
    its events. terms: names and rare words that are going to be said, besides those that the model was loaded with.
    """

    source: str = "en"
    target: str = "de"
    chunk: int = SAMPLE_RATE // 2
    lag_limit: float = 2.0
    name: str = ""
    terms: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        if self.chunk < SAMPLE_RATE // 100:
            raise UsageError(f"A chunk of {self.chunk} samples is too short; use at least 10 ms.")

    @property
    def spec(self) -> StreamSpec:
        """What is asked of the backend."""
        return StreamSpec(self.source, self.target, self.terms)


@dataclass(frozen=True)
class Trim:
    """An order to the backend: forget the current segment's audio before the stream sample `before`."""

    before: int


@dataclass(frozen=True)
class NextSegment:
    """An order to the backend: leave the current segment. A `receive` of the view after it must follow."""


Order = Trim | NextSegment


@dataclass
class _Totals:
    """Counts over the whole stream."""

    skipped: int = 0
    segments: int = 0
    tokens: int = 0
    passes: int = 0
    late: int = 0


class Stream:
    """Reads, decides and writes for one stream of a backend.

    number: what the backend calls the stream. limits: the backend's. name: the backend's.
    """

    def __init__(
        self, policy: Policy, limits: Limits, name: str, number: int, config: SessionConfig | None = None
    ) -> None:
        self.policy, self.config, self.number = policy, config or SessionConfig(), number
        self._limits = limits
        self._spoken = ""
        self._state = begun(policy)
        self._window = Window(limits)
        self._totals = _Totals()
        self._events: list[Event] = []
        self._orders: list[Order] = []
        self._view = SourceView(0, 0)
        self._arrived = 0.0
        self._request: DecodeRequest | None = None
        self._due = self._over = False
        self._left: SegmentEnd | None = None
        self._last_left = False
        self._begin_segment()
        names = (self.config.source, self.config.target, policy.name, name)
        self._put(Start(*names, sample_rate=SAMPLE_RATE, chunk=self.config.chunk))

    def _begin_segment(self) -> None:
        self._text = SegmentText(first=self._totals.segments == 0)
        self._word_end = WordEnd(self.language)
        self._standing = Standing()
        self._fresh: tuple[str, ...] = ()
        self._start: int | None = None
        self._source_told = 0

    def _put(self, event: Event) -> None:
        language = self.language if isinstance(event, (Settled, Tail, Retract, SegmentEnd)) else ""
        self._events.append(replace(event, stream=self.config.name, language=language))

    @property
    def language(self) -> str:
        """The language of the text; empty while it is that of the speech and not known."""
        return self._spoken if is_open(self.config.target) else self.config.target

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def orders(self) -> list[Order]:
        """What the backend is to do, in order; each is given once."""
        orders, self._orders = self._orders, []
        return orders

    @property
    def ended(self) -> bool:
        """Whether the end event was put out."""
        return self._over

    def receive(self, view: SourceView, at: float, arrived: float | None = None) -> None:
        """A decision point: the source as it stands now, at the time `at`.

        arrived: when the last sample of the view had arrived (None: in real time from the stream's beginning).
        """
        if self._over:
            raise SimulError("The stream has ended; open another one.")
        if self._request is not None:
            raise SimulError("A request of the stream is open; answer it first.")
        self._view = view
        self._arrived = view.heard / SAMPLE_RATE if arrived is None else arrived
        if self._left is not None:
            self._leave_segment(view, at)
        self._due = not self._last_left
        if not self._due:
            self._note_lag(at)

    def pass_over(self, decisions: int, heard: int, at: float, reason: str = "computing is behind") -> None:
        """Take note that decision points up to the sample `heard` are left out."""
        if decisions:
            self._totals.late += decisions
            self._put(Late(decisions, heard, reason, at))

    def request(self, at: float) -> DecodeRequest | None:
        """What to decode now; None: the policy reads on. At most one request is open, and it is given again."""
        if self._request is not None or not self._due:
            return self._request
        view = self._view
        plan = planned(self.policy, self._state, view)
        if plan.kind is PlanKind.READ and not (view.segment_final or self._too_long(view)):
            self._due = False
            self._note_lag(at)
            return None
        window, final = self._window, view.segment_final or self._too_long(view)
        forced = not self.policy.revises
        prefix = tuple(window.tokens) if forced else ()
        self._request = DecodeRequest(
            stream=self.number,
            segment=self._totals.segments,
            view=view,
            prefix=prefix,
            prefix_ids=tuple(window.ids) if forced else (),
            word_complete=self._word_end.complete(prefix),
            context=window.context,
            context_ids=tuple(window.context_ids),
            max_new_tokens=None if final else plan.max_new_tokens,
            stop=None if final else plan.stop,
        )
        return self._request

    def answer(self, candidate: Candidate, at: float) -> None:
        """The result of the open request: judge it, settle what is safe, show the rest."""
        request, view = self._request, self._view
        if request is None:
            raise SimulError("No request of the stream is open; ask for one before answering.")
        self._request, self._due = None, False
        self._word_end.note(request.prefix, candidate.tokens, candidate.ended)
        self._totals.passes += 1
        self._note_language(candidate.spoken, at)
        self._judge(view, candidate, at)
        if view.segment_final:
            self._close_segment(view, candidate, at)
        else:
            self._note_lag(at)

    def fail(self, message: str, at: float, bad_samples: int = 0) -> None:
        """Computing or the source failed: an error and the end; what was settled stays."""
        if not self._over:
            self._request, self._due = None, False
            self._orders.clear()
            self._put_left(self._view.heard, at)
            self._put(Error(message, at))
            self.end(at, bad_samples)

    def end(self, at: float, bad_samples: int = 0) -> None:
        """The stream is over: put out the totals."""
        if not self._over:
            self._put_left(self._view.heard, at)
            self._over = True
            t = self._totals
            totals = (self._view.heard, t.skipped, t.segments, t.tokens, t.passes, bad_samples)
            self._put(End(*totals, time=at, late_decisions=t.late))

    def _too_long(self, view: SourceView) -> bool:
        """Whether the window must be cut now, and so everything committed, whatever the policy says."""
        return not view.segment_final and self._window.over_hard_limit(view.segment_start, view.heard)

    def _judge(self, view: SourceView, candidate: Candidate, at: float) -> None:
        committed = tuple(self._window.tokens)
        evidence = Evidence(view, committed, candidate, self._fresh)
        self._state, decision = judged(self.policy, self._state, evidence)
        self._fresh = ()
        over = self._too_long(view)
        limit = len(candidate.tokens) if view.segment_final or over else candidate.limit
        commit = limit if view.segment_final or over else min(decision.commit, limit)
        first = 0
        if self.policy.revises:
            first = len(committed) - decision.retract if decision.start is None else decision.start
            if decision.retract:
                self._retract(view, decision.retract, at)
        elif decision.retract:
            raise SimulError(
                f"The policy {self.policy.name} took text back without declaring that it revises."
            )
        base = len(self._text.gone_tokens) + (0 if self.policy.revises else len(committed))
        standing = self._standing.update(base, candidate.tokens)
        self._settle(view, candidate, range(first, commit), decision, over, at)
        self._show_tail(view, candidate, max(first, commit), standing, at)
        if not view.segment_final:
            self._trim(view, decision)

    def _trim(self, view: SourceView, decision: Decision) -> None:
        """Forget audio and prefix by the window's limits, or else as the policy allows.

        A backend that bounds its segments itself and cannot be trimmed keeps its audio, and the prefix with it.
        """
        if decision.drop_context:
            self._window.drop_context()
        place = self._window.cut(view.segment_start, view.heard)
        if place is None and decision.cut is not None and self._limits.trims:
            place = min(decision.cut, view.heard), decision.forget
        if place is not None:
            cut, forget = place
            self._text.forget(self._window.forget(forget))
            self._window.trimmed(cut)
            if self._start is None:
                self._start = view.segment_start
            self._orders.append(Trim(cut))

    def _settle(
        self,
        view: SourceView,
        candidate: Candidate,
        indices: range,
        decision: Decision,
        over: bool,
        at: float,
    ) -> None:
        accept = decision.accept
        chosen = [i for i in indices if accept is None or i >= len(accept) or accept[i]]
        self._report_skipped(view, candidate, [i for i in indices if i not in set(chosen)], at)
        if not chosen:
            return
        tokens = tuple(candidate.tokens[i] for i in chosen)
        spans = None
        if candidate.spans is not None:
            spans = tuple(
                (int(min(a, view.heard)), int(min(b, view.heard))) for a, b in candidate.spans[chosen]
            )
        text = self._text.push(tokens)
        self._totals.tokens += len(tokens)
        self._window.commit(candidate, chosen)
        self._fresh = tokens
        self._put(
            Settled(
                self._totals.segments,
                text,
                tokens,
                view.heard,
                at,
                spans=spans,
                reason=decision.reason,
                forced=decision.forced or (over and indices.stop > decision.commit),
                words=target_words(candidate, chosen, view.heard, self.language in SPACELESS),
                source_words=source_words(self._newly_told(view, spans)),
            )
        )

    def _newly_told(self, view: SourceView, spans: tuple[tuple[int, int], ...] | None) -> Any:
        """The recognised words up to where settled text rests that have not been told before."""
        first = last = self._source_told
        reached = view.heard if spans is None or view.segment_final else max(end for _, end in spans)
        while last < len(view.words) and view.words[last].end_sample <= reached:
            last += 1
        self._source_told = last
        return view.words[first:last]

    def _report_skipped(self, view: SourceView, candidate: Candidate, dropped: list[int], at: float) -> None:
        if not dropped:
            return
        times = candidate.times
        start, end = view.segment_start, view.heard
        if times is not None:
            start, end = int(times[dropped, 0].min()), int(times[dropped, 1].max())
        self._totals.skipped += end - start
        self._put(Skipped(start, end, "the policy skipped it", at))

    def _show_tail(
        self, view: SourceView, candidate: Candidate, count: int, standing: list[int], at: float
    ) -> None:
        text = self._text.preview(candidate.tokens[count:])
        if not self._text.changed_tail(text, candidate.source_text):
            return
        chosen = range(count, len(candidate.tokens))
        words = target_words(candidate, chosen, view.heard, self.language in SPACELESS, standing)
        place = (self._totals.segments, text, view.heard, at, candidate.source_text)
        self._put(Tail(*place, words=words, source_words=source_words(view.words)))

    def _retract(self, view: SourceView, count: int, at: float) -> None:
        self._window.retract(count)
        characters = self._text.rebuild(self._window.tokens)
        self._put(Retract(self._totals.segments, characters, count, view.heard, at))

    def _close_segment(self, view: SourceView, candidate: Candidate, at: float) -> None:
        """Everything of the final segment is settled; its end event waits for the view after it."""
        rest = self._text.flush()
        if rest:
            self._put(Settled(self._totals.segments, rest, (), view.heard, at, reason="segment end"))
        start = view.segment_start if self._start is None else self._start
        where = (self._totals.segments, start, view.segment_start, self._text.text.strip(), view.closed_by)
        end = SegmentEnd(*where, view.heard, at, candidate.source_text, source_words(view.words))
        self._left = replace(end, stream=self.config.name, language=self.language)
        self._last_left = view.finished
        self._orders.append(NextSegment())

    def _leave_segment(self, view: SourceView, at: float) -> None:
        """Put out the end of the segment that was left, now that it is known where the next one begins."""
        self._put_left(view.segment_start, at)
        self._state = next_state(self.policy, self._state)
        self._window.forget()
        self._begin_segment()

    def _put_left(self, border: int, at: float) -> None:
        """Put out the end of the segment that was left, if one was and it holds something; it lasts to `border`."""
        left, self._left = self._left, None
        if left is not None and (left.text or left.source):
            end = min(max(left.end, border), left.heard)
            self._events.append(replace(left, end=end, time=at))
            self._totals.segments += 1

    def _note_language(self, spoken: str, at: float) -> None:
        if spoken and spoken != self._spoken:
            self._spoken = spoken
            self._word_end.write(self.language)
            expected = "" if is_open(self.config.source) else self.config.source
            self._put(SpokenIn(spoken, expected, self._view.heard, at))

    def _note_lag(self, at: float) -> None:
        behind = at - self._arrived
        if behind > self.config.lag_limit:
            self._put(Lag(behind, self._view.heard, at))

    def dump(self) -> dict[str, Any]:
        """Everything that changes, as plain JSON values; `load` goes on from it."""
        return {
            "policy": self.policy.dump_state(self._state),
            "window": self._window.dump(),
            "word_end": self._word_end.dump(),
            "text": self._text.dump(),
            "standing": [self._standing.tokens, self._standing.passes],
            "totals": vars(self._totals).copy(),
            "view": view_to_json(self._view),
            "arrived": self._arrived,
            "due": self._due or self._request is not None,
            "spoken": self._spoken,
            "over": self._over,
            "left": None if self._left is None else self._left.to_dict(),
            "last_left": self._last_left,
            "fresh": list(self._fresh),
            "start": self._start,
            "source_told": self._source_told,
            "events": [event.to_dict() for event in self._events],
            "orders": [order.before if isinstance(order, Trim) else None for order in self._orders],
        }

    @classmethod
    def load(
        cls,
        dumped: Mapping[str, Any],
        policy: Policy,
        limits: Limits,
        number: int,
        config: SessionConfig | None = None,
    ) -> Stream:
        """The stream that `dump` stored, as stream `number` of a backend; a request that was open is given again."""
        stream = cls(policy, limits, "", number, config)
        stream._state = policy.load_state(dumped["policy"])
        stream._spoken = dumped["spoken"]
        stream._word_end.write(stream.language)
        stream._totals = _Totals(**dumped["totals"])
        stream._window.load(dumped["window"])
        stream._word_end.load(dumped["word_end"])
        stream._text = SegmentText.load(dumped["text"])
        stream._standing = Standing(*dumped["standing"])
        stream._view, stream._arrived = view_from_json(dumped["view"]), dumped["arrived"]
        stream._due, stream._over = dumped["due"], dumped["over"]
        left = None if dumped["left"] is None else from_dict(dumped["left"])
        assert left is None or isinstance(left, SegmentEnd)
        stream._left, stream._last_left = left, dumped["last_left"]
        stream._fresh, stream._start = tuple(dumped["fresh"]), dumped["start"]
        stream._source_told = dumped["source_told"]
        stream._events = [from_dict(event) for event in dumped["events"]]
        stream._orders = [NextSegment() if cut is None else Trim(cut) for cut in dumped["orders"]]
        return stream
