"""The books of a stream to the last field: what a scripted policy decides, and what is asked, ordered and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies.base import (
    DECODE,
    READ,
    Candidate,
    Decision,
    Evidence,
    Plan,
    Policy,
    SourceView,
    StopRule,
    Word,
)
from simul.backends.base import DecodeRequest, Limits
from simul.backends.scripted import LANGUAGES
from simul.errors import SimulError, UsageError
from simul.languages import SPOKEN
from simul.session import SessionConfig, Stream
from simul.session.events import (
    End,
    Error,
    Lag,
    Late,
    Retract,
    SegmentEnd,
    Settled,
    Skipped,
    SpokenIn,
    Start,
    Tail,
    TimedWord,
)
from simul.session.stream import NextSegment, Trim

FREE = Limits(LANGUAGES, LANGUAGES, trims=True)
NAMED: dict[str, Any] = {"stream": "hall", "language": "de"}


class Scripted(Policy):
    """Decides what stands in its lists, one after another; its state counts the segments."""

    name = "scripted"

    def __init__(
        self, decisions: Sequence[Decision], plans: Sequence[Plan] = (), revises: bool = False
    ) -> None:
        self.decisions, self.plans, self.seen = list(decisions), list(plans), list[Evidence]()
        self.revises = revises  # type: ignore[misc]

    def start(self) -> int:
        return 0

    def plan(self, state: Any, view: SourceView) -> Plan:
        return self.plans.pop(0) if self.plans else DECODE

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        self.seen.append(evidence)
        return state, self.decisions.pop(0)

    def next_segment(self, state: int) -> int:
        return state + 1

    def dump_state(self, state: int) -> Any:
        return state

    def load_state(self, stored: Any) -> int:
        return int(stored)


def made(*decisions: Decision, limits: Limits = FREE, **more: Any) -> Stream:
    core = Stream(Scripted(decisions, **more), limits, "model", 7, SessionConfig(name="hall"))
    core.events()
    return core


def candidate(*tokens: str, **more: Any) -> Candidate:
    """Tokens of 100 samples each, numbered from 10 on, each as likely as not."""
    spans = np.array([(100 * i, 100 * (i + 1)) for i in range(len(tokens))], np.int64).reshape(-1, 2)
    ids = tuple(range(10, 10 + len(tokens)))
    return Candidate(tokens, ids, np.log(np.full(len(tokens), 0.5)), spans, **more)


def step(core: Stream, heard: int, found: Candidate, **view: Any) -> DecodeRequest:
    """A decision on what was heard, asked 0.1 s and answered 0.2 s after it arrived."""
    at = heard / 16_000
    core.receive(SourceView(heard, 1000, **view), at)
    request = core.request(at + 0.1)
    assert request is not None
    core.answer(found, at + 0.2)
    assert core.request(at + 0.2) is None
    return request


def replica(core: Stream) -> Stream:
    stored = json.loads(json.dumps(core.dump()))
    policy = Scripted(core.policy.decisions, core.policy.plans)  # type: ignore[attr-defined]
    other = Stream.load(stored, policy, FREE, 7, core.config)
    assert other.dump() == core.dump()
    return other


def word(text: str, place: int, stability: int | None = None) -> TimedWord:
    return TimedWord(text, 100 * place, 100 * (place + 1), 0.5, stability)


def test_a_stream_says_what_it_is_to_do() -> None:
    config = SessionConfig("en", "fr", 4000, name="hall")
    (start,) = Stream(Scripted([]), FREE, "model", 7, config).events()
    assert start == Start(
        "en", "fr", "scripted", "model", sample_rate=16_000, chunk=4000, stream="hall", language=""
    )
    assert SessionConfig() == SessionConfig("en", "de", 8000, 2.0, "")
    assert SessionConfig(chunk=160).chunk == 160
    with pytest.raises(UsageError, match="chunk of 159 samples is too short; use at least 10 ms"):
        SessionConfig(chunk=159)


def test_every_field_of_what_settles_is_told_and_the_next_request_goes_on_from_it() -> None:
    core = made(Decision(2, reason="sure"), Decision(1, forced=True))
    words = (Word("one", 0, 150), Word("two", 150, 250), Word("three", 250, 390))
    spoken = [TimedWord(w.text, w.start_sample, w.end_sample) for w in words]
    first = step(core, 16_000, candidate(" a", " b", " c", source_text="one two"), words=words)
    assert first == DecodeRequest(7, 0, SourceView(16_000, 1000, words=words))
    settled, tail = core.events()
    assert settled == Settled(
        0,
        "a b",
        (" a", " b"),
        16_000,
        1.2,
        ((0, 100), (100, 200)),
        "sure",
        False,
        (word("a", 0), word("b", 1)),
        (spoken[0],),
        **NAMED,
    )
    assert tail == Tail(0, " c", 16_000, 1.2, "one two", (word("c", 2, 1),), tuple(spoken), **NAMED)
    second = step(core, 24_000, candidate(" c"), words=words)
    assert second == DecodeRequest(
        7, 0, SourceView(24_000, 1000, words=words), (" a", " b"), (10, 11), word_complete=True
    )
    settled, tail = core.events()
    assert (settled.reason, settled.forced, settled.source_words) == ("", True, ())  # type: ignore[attr-defined]
    assert tail == Tail(0, "", 24_000, 1.7, None, (), tuple(spoken), **NAMED)
    assert core.request(9.0) is None


def test_the_evidence_is_what_was_seen_committed_and_new() -> None:
    core = made(Decision(2), Decision(1), Decision(0), Decision(0))
    for heard in (8000, 16_000, 24_000, 32_000):
        step(core, heard, candidate(" a", " b", " c"))
    seen = core.policy.seen  # type: ignore[attr-defined]
    assert [(e.source.heard, e.committed, e.fresh) for e in seen] == [
        (8000, (), ()),
        (16_000, (" a", " b"), (" a", " b")),
        (24_000, (" a", " b", " a"), (" a",)),
        (32_000, (" a", " b", " a"), ()),
    ]


def test_what_the_policy_plans_bounds_the_pass_unless_the_segment_is_over() -> None:
    plan = Plan(DECODE.kind, 5, StopRule(at_frame=3))
    core = made(Decision(0), Decision(0), plans=[READ, plan, plan])
    core.receive(SourceView(8000, 8000), 0.5)
    assert core.request(0.5) is None
    assert core.request(0.6) is None
    open_request = step(core, 16_000, candidate(" a"))
    assert (open_request.max_new_tokens, open_request.stop) == (5, plan.stop)
    final = step(core, 24_000, candidate(" a"), segment_final=True)
    assert (final.max_new_tokens, final.stop, final.final) == (None, None, True)


def test_the_end_of_a_segment_settles_all_whatever_the_policy_reads_or_waits_for() -> None:
    core = made(Decision(0), plans=[READ])
    found = candidate(" a", " b", committable=1, source_text="one")
    step(
        core,
        8000,
        found,
        segment_start=300,
        segment_final=True,
        finished=True,
        closed_by="end",
        words=(Word("one", 0, 7999),),
    )
    assert core.orders() == [NextSegment()]
    core.receive(SourceView(8000, 0, segment_start=8000, segment_final=True, finished=True), 0.9)
    assert core.request(0.9) is None
    core.end(1.0, 3)
    core.end(1.1, 4)
    heard = (TimedWord("one", 0, 7999),)
    settled, tail, segment, end = core.events()
    assert (settled.text, settled.forced, settled.source_words) == ("a b", False, heard)  # type: ignore[attr-defined]
    assert tail.text == ""  # type: ignore[attr-defined]
    assert segment == SegmentEnd(0, 300, 8000, "a b", "end", 8000, 0.9, "one", heard, **NAMED)
    assert end == End(8000, 0, 1, 2, 1, 3, 1.0, stream="hall")
    assert core.ended


def test_a_segment_that_holds_nothing_is_not_told_nor_counted() -> None:
    core = made(Decision(0), Decision(0), Decision(0))
    step(core, 8000, Candidate(()), segment_final=True)
    step(core, 16_000, candidate(" a"), segment_final=True)
    step(core, 24_000, candidate(" b", " c"), segment_final=True)
    core.end(2.0)
    *events, end = core.events()
    assert [event.segment for event in events if isinstance(event, SegmentEnd)] == [0, 1]
    assert end == End(24_000, 0, 2, 3, 3, 0, 2.0, stream="hall")
    assert core.dump()["policy"] == 2


def test_half_a_character_at_the_end_of_a_segment_is_told_as_such() -> None:
    core = made(Decision(0))
    step(core, 8000, Candidate((" a", "\udcf0\udc9f")), segment_final=True)
    first, second, *_ = core.events()
    assert (first.text, second) == (  # type: ignore[attr-defined]
        "a",
        Settled(0, "\ufffd", (), 8000, 0.7, reason="segment end", **NAMED),
    )
    core.end(1.0)
    segment = core.events()[0]
    assert (segment.text, segment.time) == ("a\ufffd", 1.0)  # type: ignore[attr-defined]


def test_a_segment_lasts_to_where_the_next_begins_but_not_beyond_what_was_heard() -> None:
    def end_of(border: int) -> tuple[int, int]:
        core = made(Decision(0))
        step(core, 8000, candidate(" a"), segment_start=200, segment_final=True)
        core.receive(SourceView(8000, 0, segment_start=border), 0.9)
        (segment,) = [event for event in core.events() if isinstance(event, SegmentEnd)]
        return segment.start, segment.end

    assert [end_of(border) for border in (100, 5000, 9000)] == [(200, 200), (200, 5000), (200, 8000)]


def test_the_next_segment_begins_anew_with_the_text_before_it_as_context() -> None:
    core = made(Decision(0), Decision(1), Decision(0))
    step(core, 8000, candidate(" a", " b"), segment_final=True)
    core.orders()
    request = step(core, 16_000, candidate(" c", " d"), segment_start=8000)
    assert request == DecodeRequest(
        7, 1, SourceView(16_000, 1000, segment_start=8000), context=" a b", context_ids=(10, 11)
    )
    segment, settled, tail = core.events()[1:]
    assert (segment.type, segment.time) == ("segment", 1.0)  # type: ignore[attr-defined]
    assert (settled.segment, settled.text, tail.segment, tail.text) == (1, " c", 1, " d")  # type: ignore[attr-defined]
    assert tail.words == (word("d", 1, 1),)  # type: ignore[attr-defined]
    seen = core.policy.seen[-1]  # type: ignore[attr-defined]
    assert (seen.committed, seen.fresh) == ((), ())
    assert core.dump()["policy"] == 1


def test_the_policy_cuts_only_where_the_backend_trims_and_not_beyond_what_was_heard() -> None:
    cut = Decision(3, cut=150, forget=1)
    core = made(cut, Decision(0, cut=99_999, forget=1), Decision(0, drop_context=True), Decision(0))
    step(core, 8000, candidate(" a", " b", " c"))
    assert core.orders() == [Trim(150)]
    request = step(core, 16_000, Candidate(()), segment_start=150)
    assert (request.prefix, request.context, request.context_ids) == ((" b", " c"), " a", (10,))
    assert core.orders() == [Trim(16_000)]
    request = step(core, 24_000, Candidate(()), segment_start=16_000)
    assert (request.prefix, request.prefix_ids, request.context) == ((" c",), (12,), " a b")
    request = step(core, 32_000, Candidate((" d",)), segment_start=16_000, segment_final=True)
    assert (request.prefix, request.context, request.context_ids) == ((" c",), "", ())
    assert core.orders() == [NextSegment()]
    core.end(3.0)
    (segment,) = [event for event in core.events() if isinstance(event, SegmentEnd)]
    # A segment begins where it began before its audio was trimmed.
    assert (segment.start, segment.text) == (0, "a b c d")
    fixed = made(cut, limits=replace(FREE, trims=False))
    step(fixed, 8000, candidate(" a", " b", " c"))
    assert fixed.orders() == []


def test_a_window_that_is_too_long_is_settled_and_cut_even_if_the_policy_reads() -> None:
    core = made(
        Decision(1), Decision(0), limits=replace(FREE, soft_window=1000, hard_window=2000), plans=[READ]
    )
    request = step(core, 2001, candidate(" a", " b"))
    assert (request.max_new_tokens, request.stop) == (None, None)
    settled = core.events()[0]
    assert (settled.text, settled.forced) == ("a b", True)  # type: ignore[attr-defined]
    assert core.orders() == [Trim(2001)]
    core = made(Decision(2), limits=replace(FREE, soft_window=1000, hard_window=2000))
    step(core, 2001, candidate(" a", " b"))
    assert not core.events()[0].forced  # type: ignore[attr-defined]
    # The end of a segment is no limit, however long it is.
    core = made(Decision(0), limits=replace(FREE, soft_window=1000, hard_window=2000))
    step(core, 9999, candidate(" a", " b"), segment_final=True)
    assert not core.events()[0].forced  # type: ignore[attr-defined]
    assert core.orders() == [NextSegment()]


def test_above_the_soft_limit_the_window_is_cut_at_committed_text_rather_than_where_the_policy_says() -> None:
    core = made(Decision(2, cut=50, forget=0), limits=replace(FREE, soft_window=1000, hard_window=2000))
    step(core, 1500, candidate(" a", " b", " c"))
    assert core.orders() == [Trim(200)]
    assert core.dump()["window"]["context"] == " a b"


def test_a_draft_is_shown_and_not_committed() -> None:
    core = made(Decision(3))
    step(core, 8000, candidate(" a", " b", " c", committable=1))
    settled, tail = core.events()
    assert (settled.text, tail.text) == ("a", " b c")  # type: ignore[attr-defined]


def test_source_spans_end_where_listening_ended() -> None:
    core = made(Decision(2))
    step(core, 150, candidate(" a", " b"))
    assert core.events()[0].spans == ((0, 100), (100, 150))  # type: ignore[attr-defined]
    bare = made(Decision(1))
    step(bare, 8000, Candidate((" a", " b")), words=(Word("one", 0, 7999),))
    settled = bare.events()[0]
    assert (settled.spans, settled.words) == (None, (TimedWord("a"),))  # type: ignore[attr-defined]
    assert settled.source_words == (TimedWord("one", 0, 7999),)  # type: ignore[attr-defined]


def test_what_the_policy_skips_is_told_with_its_place_and_counted() -> None:
    core = made(Decision(4, accept=(True, False, False)), Decision(1, accept=(False,)))
    step(core, 8000, candidate(" a", " b", " c", " d", " e"), segment_start=0)
    skipped, settled, tail = core.events()
    assert skipped == Skipped(100, 300, "the policy skipped it", 0.7, stream="hall")
    assert (settled.text, settled.tokens, tail.text) == ("a d", (" a", " d"), " e")  # type: ignore[attr-defined]
    step(core, 16_000, Candidate((" x",)), segment_start=15_000)
    assert core.events()[0] == Skipped(15_000, 16_000, "the policy skipped it", 1.2, stream="hall")
    core.end(2.0)
    (end,) = core.events()
    assert (end.skipped, end.tokens, end.passes) == (1200, 2, 2)  # type: ignore[attr-defined]


def test_a_policy_that_revises_sees_no_forced_prefix_and_takes_back_what_it_says() -> None:
    core = made(Decision(3), Decision(3, retract=2), Decision(3), revises=True)
    assert step(core, 8000, candidate(" a", " b", " c")).prefix_ids == ()
    core.events()
    second = step(core, 16_000, candidate(" a", " x", " y", " z"))
    assert (second.prefix, second.prefix_ids, second.word_complete) == ((), (), False)
    retract, settled, tail = core.events()
    assert retract == Retract(0, 4, 2, 16_000, 1.2, **NAMED)
    assert (settled.text, tail.text) == (" x y", " z")  # type: ignore[attr-defined]
    assert tail.words == (word("z", 3, 1),)  # type: ignore[attr-defined]
    step(core, 24_000, candidate(" a", " x", " y", " z"))
    assert core.events() == []
    core = made(Decision(1), Decision(0, retract=1))
    step(core, 8000, candidate(" a"))
    with pytest.raises(SimulError, match="policy scripted took text back without"):
        step(core, 16_000, candidate(" a"))


@pytest.mark.parametrize("revises", [False, True])
def test_words_of_the_tail_count_the_passes_in_which_they_stood_after_what_settled(revises: bool) -> None:
    core = made(Decision(1), Decision(1 if revises else 0), revises=revises)
    step(core, 8000, candidate(" a", " b", " c"))
    again = (" a", " b", " c", " d")
    step(core, 16_000, candidate(*again[0 if revises else 1 :]))
    tail = core.events()[-1]
    assert [(each.text, each.stability) for each in tail.words] == [("b", 2), ("c", 2), ("d", 1)]  # type: ignore[attr-defined]


def test_the_same_tail_is_not_told_twice() -> None:
    core = made(Decision(0), Decision(0), Decision(0))
    step(core, 8000, candidate(" a", source_text="one"))
    step(core, 16_000, candidate(" a", source_text="one"))
    step(core, 24_000, candidate(" a", source_text="two"))
    assert [(event.heard, event.source) for event in core.events()] == [(8000, "one"), (24_000, "two")]  # type: ignore[attr-defined]


def test_a_language_that_is_found_out_is_told_once_and_is_that_of_the_text() -> None:
    config = SessionConfig(SPOKEN, SPOKEN)
    core = Stream(Scripted([Decision(1)] * 5), FREE, "model", 7, config)
    assert core.language == ""
    core.events()
    step(core, 8000, candidate(" a", spoken="fr"))
    step(core, 16_000, candidate(" a", spoken="fr"))
    step(core, 24_000, candidate(" a", spoken=""))
    step(core, 32_000, candidate("家", "が", spoken="ja"))
    assert not step(core, 40_000, candidate("が")).word_complete
    spoken = [event for event in core.events() if isinstance(event, SpokenIn)]
    assert spoken == [SpokenIn("fr", "", 8000, 0.7), SpokenIn("ja", "", 32_000, 2.2)]
    assert core.language == "ja"
    told = Stream(Scripted([Decision(1)] * 2), FREE, "model", 7, SessionConfig("en", "de"))
    told.events()
    step(told, 8000, candidate(" a", spoken="fr"))
    first, settled, *_ = told.events()
    assert (first, settled.language, told.language) == (SpokenIn("fr", "en", 8000, 0.7), "de", "de")


@pytest.mark.parametrize(
    ("language", "words", "whole"), [("ja", ["家", "が"], False), ("de", ["家が"], True)]
)
def test_where_no_blanks_are_written_words_are_characters_and_none_is_known_to_be_over(
    language: str, words: list[str], whole: bool
) -> None:
    core = Stream(Scripted([Decision(2), Decision(0)]), FREE, "model", 7, SessionConfig("en", language))
    core.events()
    step(core, 8000, Candidate(("家", "が", " x")))
    settled, tail = core.events()
    assert [each.text for each in settled.words] == words  # type: ignore[attr-defined]
    assert [each.text for each in tail.words] == ["x"]  # type: ignore[attr-defined]
    stored = replica(core)
    for each in (core, stored):
        assert step(each, 16_000, Candidate(("家", "が"))).word_complete is whole
        assert [word.text for word in each.events()[0].words] == words  # type: ignore[attr-defined]


def test_a_word_after_which_the_decoder_ended_is_over() -> None:
    for ended in (True, False):
        core = made(Decision(1), Decision(0))
        step(core, 8000, candidate(" a", ended=ended))
        assert step(core, 16_000, candidate(" b")).word_complete is ended


def test_lag_is_told_above_its_limit_after_reading_and_after_decisions() -> None:
    core = made(Decision(0), plans=[READ, READ])
    core.receive(SourceView(8000, 8000), 2.5)
    assert core.request(2.5) is None
    assert core.events() == []
    core.receive(SourceView(16_000, 8000), 3.5)
    assert core.request(3.5) is None
    assert core.events() == [Lag(2.5, 16_000, 3.5, stream="hall")]
    core.receive(SourceView(24_000, 8000), 4.0, arrived=2.0)
    assert core.request(4.1) is not None
    core.answer(Candidate(()), 4.25)
    assert core.events() == [Lag(2.25, 24_000, 4.25, stream="hall")]


def test_lag_is_told_of_what_was_heard_after_the_last_segment_too() -> None:
    core = made(Decision(0))
    step(core, 8000, candidate(" a"), segment_final=True, finished=True)
    core.receive(SourceView(8000, 0, segment_final=True, finished=True), 9.5)
    assert core.events()[-1] == Lag(9.0, 8000, 9.5, stream="hall")


def test_decision_points_that_are_left_out_are_told_with_the_reason() -> None:
    core = made()
    core.pass_over(2, 8000, 0.5)
    core.pass_over(1, 9000, 0.6, "sparing")
    core.pass_over(0, 9000, 0.7)
    core.end(1.0)
    *late, end = core.events()
    assert late == [
        Late(2, 8000, "computing is behind", 0.5, stream="hall"),
        Late(1, 9000, "sparing", 0.6, stream="hall"),
    ]
    assert end == End(0, 0, 0, 0, 0, 0, 1.0, 3, stream="hall")


def test_a_failure_tells_the_segment_that_was_left_the_error_and_the_end_and_orders_nothing() -> None:
    core = made(Decision(0))
    step(core, 8000, candidate(" a"), segment_final=True)
    core.fail("It broke.", 1.5, 4)
    segment, error, end = core.events()[1:]
    assert (segment.type, segment.end, segment.time) == ("segment", 8000, 1.5)  # type: ignore[attr-defined]
    assert error == Error("It broke.", 1.5, stream="hall")
    assert end == End(8000, 0, 1, 1, 1, 4, 1.5, stream="hall")
    assert core.orders() == []
    core.fail("Again.", 2.0)
    assert core.events() == []
    assert core.request(2.0) is None
    with pytest.raises(SimulError, match=r"^The stream has ended; open another one\.$"):
        core.receive(SourceView(16_000, 8000), 3.0)
    waiting = made()
    waiting.receive(SourceView(8000, 8000), 0.5)
    assert waiting.request(0.5) is not None
    waiting.fail("It broke.", 0.6)
    assert waiting.request(0.7) is None
    assert waiting.events()[-1] == End(8000, 0, 0, 0, 0, 0, 0.6, stream="hall")
    with pytest.raises(
        SimulError, match=r"^No request of the stream is open; ask for one before answering\.$"
    ):
        waiting.answer(Candidate(()), 0.7)


def test_a_request_stays_open_until_it_is_answered() -> None:
    core = made(Decision(0))
    core.receive(SourceView(8000, 8000), 0.5)
    request = core.request(0.5)
    assert core.request(0.6) is request
    with pytest.raises(SimulError, match=r"^A request of the stream is open; answer it first\.$"):
        core.receive(SourceView(16_000, 8000), 1.0)
    core.answer(Candidate(()), 1.0)
    with pytest.raises(SimulError, match="No request of the stream is open"):
        core.answer(Candidate(()), 1.0)
