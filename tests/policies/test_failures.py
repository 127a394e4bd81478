"""The known failure modes of simultaneous translation, each with the remedy that policies have for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Activity, Candidate, Evidence, Need, PlanKind, Segment, StopRule, make_policy
from policies.loop_guard import find_loop
from policies.sliding_window import longest_common_run
from simul.backends.base import Limits
from simul.backends.scripted import LANGUAGES, Pass, ScriptedSegment
from simul.errors import EvidenceError
from simul.session.events import Event, Retract, Settled, Skipped, Tail
from tests.policies.evidence import SECOND, attention, commits, evidence, passes, view
from tests.policies.scripts import CHUNK, Record, RecordingBackend, run

SPEECH = Activity(0, 1.0)
SILENCE = Activity(9 * SECOND, 0.0)


def backend(
    texts: Sequence[str | tuple[str, ...]],
    activity: Activity | Sequence[Activity] | None = None,
    spans: bool = True,
    limits: Limits | None = None,
    **candidate: Any,
) -> RecordingBackend:
    """One segment with one hypothesis per chunk of half a second; tokens end evenly, four a second."""
    made = []
    for number, text in enumerate(texts, start=1):
        tokens = tuple(f" {word}" for word in text.split()) if isinstance(text, str) else text
        ends = [min(number * CHUNK, (i + 1) * SECOND // 4) for i in range(len(tokens))]
        times = np.array([[max(0, e - SECOND // 4), e] for e in ends], dtype=np.int64).reshape(-1, 2)
        given = Candidate(tokens, spans=times if spans else None, source_text="s", **candidate)
        now = activity[number - 1] if isinstance(activity, Sequence) else activity
        made.append(Pass(number * CHUNK, given, {}, now))
    whole = [ScriptedSegment(0, len(texts) * CHUNK, tuple(made))]
    return RecordingBackend(whole, limits or Limits(LANGUAGES, LANGUAGES, trims=True))


def stream(policy: str, made: RecordingBackend) -> list[Event]:
    return run(make_policy(policy), made, made.script[-1].end)


def decoded(made: RecordingBackend) -> list[Record]:
    """The passes over audio that holds something."""
    return [r for r in made.records if r.candidate.source_text]


def texts(events: list[Event]) -> list[str]:
    return [e.text for e in events if isinstance(e, Settled)]


def test_silence_is_not_decoded_and_imagined_words_are_skipped() -> None:
    made = backend(["thanks for watching"] * 6, SILENCE)
    events = stream("gate(hold-n(n=0))", made)
    assert len(decoded(made)) == 1, "only the end of the segment is decoded"
    assert texts(events) == []
    assert [(e.start, e.end) for e in events if isinstance(e, Skipped)] == [(0, 3 * SECOND // 4)]
    assert texts(stream("hold-n(n=0)", backend(["thanks for watching"] * 6, SILENCE))) != []


def test_held_words_are_let_go_when_speech_ends() -> None:
    pause = Activity(SECOND // 2, 0.5)
    made = backend(
        ["a b", "a b", "a b", "a b", "a b c"], [SPEECH, SPEECH, pause, Activity(SECOND, 0.0), SPEECH]
    )
    events = stream("gate(offline, silence_ms=500)", made)
    first = next(e for e in events if isinstance(e, Settled))
    assert (first.text, first.heard, first.reason) == ("a b", 3 * CHUNK, "pause")
    assert [r.request.view.heard // CHUNK for r in decoded(made)] == [3, 5]


def test_no_speech_gate_rejects_segments_of_silence() -> None:
    imagined = Segment(0, SECOND, " thanks", 0.95, 1)
    assert commits(make_policy("greedy"), evidence("thanks", segments=(imagined,))) == [0]
    assert commits(make_policy("greedy(no_speech_limit=1)"), evidence("thanks", segments=(imagined,))) == [1]


def test_a_repetition_loop_is_cut_and_its_context_dropped() -> None:
    policy = make_policy("loop-guard(hold-n(n=0, words=false))")
    looping = evidence("so it is it is it is it is it is")
    decisions = passes(policy, *[looping] * 6)
    assert [d.commit for d in decisions[:4]] == [3] * 4
    assert all(d.drop_context and d.reason == "repetition" for d in decisions)
    skipping = decisions[4]
    assert skipping.commit == 11
    assert skipping.accept == (True,) * 3 + (False,) * 8
    assert commits(policy, evidence("it is it is not")) == [5], "twice is no loop"


def test_a_loop_over_the_committed_text_is_found() -> None:
    policy = make_policy("loop-guard(hold-n(n=0, words=false))")
    before = [" so", " it", " is", " it", " is"]
    assert commits(policy, evidence("it is it is", committed=before)) == [0]
    assert find_loop("abcabcabcx", 0, 3) == (3, 9)
    assert find_loop("abcabcabx", 0, 3) == (0, 0)
    assert find_loop("ababababa", 0, 3) == (2, 8)


def test_a_loop_does_not_reach_the_reader_at_the_end() -> None:
    made = backend(["well it is it is it is it is"] * 2)
    events = stream("loop-guard(offline)", made)
    assert texts(events) == ["well it is"]
    assert any(isinstance(e, Skipped) for e in events)


def test_tokens_per_second_are_limited() -> None:
    policy = make_policy("loop-guard(hold-n, rate=15, slack=20)")
    state = policy.start()
    assert policy.plan(state, view(2.0)).max_new_tokens == 50
    state, _ = policy.judge(state, evidence("a b c d e f g h i", view(2.0)))
    assert policy.plan(state, view(4.0)).max_new_tokens == 50
    made = backend(["a b c d e f g h"] * 2)
    stream("loop-guard(hold-n, rate=1, slack=1)", made)
    assert [len(r.candidate.tokens) for r in decoded(made)] == [1, 8]


def test_an_early_end_is_forbidden_by_schedule_policies() -> None:
    made = backend(["a b c"] * 3)
    stream("wait-k(k=1, chunk_ms=500)", made)
    assert made.records[0].request.stop == StopRule(suppress_end=True)
    assert decoded(made)[-1].request.stop is None, "at the end of the segment the model may end"


def test_premature_full_stops_are_held() -> None:
    made = backend(["I go.", "I go home.", "I go home. Then", "I go home. Then"], SPEECH)
    assert texts(stream("then(hold-n(n=0, words=false), punctuation-hold)", made)) == [
        "I",
        " go",
        " home. Then",
    ]
    assert texts(stream("hold-n(n=0, words=false)", made))[0] == "I go."


def test_cut_words_are_held() -> None:
    made = backend(
        [(" Donau", "dampf"), (" Donau", "dampf", "schiff"), (" Donau", "dampf", "schiff", " fährt")]
    )
    assert texts(stream("hold-n(n=0)", made)) == ["Donaudampfschiff fährt"]
    assert texts(stream("hold-n(n=0, words=false)", made)) == ["Donaudampf", "schiff", " fährt"]


def test_a_stall_is_broken_by_force() -> None:
    """Two readings alternate for ten seconds; agreement never comes."""
    made = backend([f"{'ab'[i % 2]} x y z q r s t" for i in range(20)])
    assert len(texts(stream("local-agreement", made))) == 1
    events = stream("timeout(local-agreement, after_ms=3000, guard_ms=500)", made)
    forced = [e for e in events if isinstance(e, Settled) and e.forced]
    assert forced[0].heard == 6 * CHUNK
    assert all(end <= e.heard - SECOND // 2 for e in forced for _, end in e.spans or ())


@pytest.mark.parametrize(
    "policy", ["offline", "hold-n", "stream-att(local-agreement(n=9), audio=times, max_audio_s=2)"]
)
def test_audio_never_outgrows_its_limit(policy: str) -> None:
    """Two minutes without a pause, and a policy that hardly commits."""
    words = [f"w{i}" for i in range(480)]
    limits = Limits(LANGUAGES, LANGUAGES, 8 * SECOND, 10 * SECOND, trims=True)
    if policy.startswith("stream"):
        limits = Limits(LANGUAGES, LANGUAGES, trims=True)
    made = backend([" ".join(words[: 2 * k]) for k in range(1, 241)], limits=limits)
    events = stream(policy, made)
    assert "".join(texts(events)).split() == words, "nothing is lost, nothing comes twice"
    assert max(len(r.candidate.tokens) for r in made.records) <= 4 * 10 + 2
    assert max(len(r.request.prefix) for r in made.records) <= 4 * 10 + 2
    assert any(e.forced for e in events if isinstance(e, Settled)) or policy == "hold-n"
    assert max(len(r.request.context) for r in made.records) <= 200


def test_stream_att_keeps_the_last_words_and_their_audio() -> None:
    words = [f"w{i}" for i in range(80)]
    made = backend([" ".join(words[: 2 * k]) for k in range(1, 41)])
    events = stream("stream-att(hold-n(n=2), audio=times, keep=4)", made)
    assert "".join(texts(events)).split() == words
    assert max(len(r.request.prefix) for r in made.records) <= 8
    assert max(len(r.candidate.tokens) for r in made.records) <= 12


def test_stream_att_never_forgets_all_text_and_trims_unspaced_scripts() -> None:
    policy = make_policy("stream-att(hold-n, audio=words, history=sentence)")
    committed = [" a", " b.", " c", " d."]
    (decision,) = passes(policy, evidence("e f", committed=committed))
    assert decision.forget == 2
    unspaced = make_policy("stream-att(hold-n, audio=words, keep=3)")
    (decision,) = passes(unspaced, evidence("好", committed=list("家家家家家家")))
    assert decision.forget == 3
    characters = make_policy("stream-att(hold-n, audio=words, history=characters, keep=3)")
    (decision,) = passes(characters, evidence("e", committed=[" abc", " d", " e"]))
    assert decision.forget == 1


def test_stream_att_cuts_in_a_pause_shortly_before() -> None:
    policy = make_policy("stream-att(hold-n(n=0), audio=times, keep=1)")
    state = policy.start()
    pause = Activity(int(0.3 * SECOND), 1.0)
    spans = np.array([[0, 1.0], [1.0, 2.0], [3.1, 3.5], [3.5, 3.9]]) * SECOND
    quiet = view(3.0, activity=pause)
    state, _ = policy.judge(state, evidence("a b", quiet, spans=spans[:2].astype(int)))
    given = evidence("c d", view(4.0), [" a", " b"], [" a", " b"], spans=spans[2:].astype(int))
    state, _ = policy.judge(state, given)
    committed = [" b", " c", " d"]
    later = evidence("", view(5.0), committed, [" c", " d"])
    _, decision = policy.judge(state, later)
    assert decision.forget == 2
    only_c = make_policy("stream-att(hold-n(n=0), audio=times, keep=2)")
    state = only_c.start()
    state, _ = only_c.judge(state, evidence("a b", quiet, spans=spans[:2].astype(int)))
    state, _ = only_c.judge(state, given)
    _, decision = only_c.judge(state, evidence("", view(5.0), [" a", *committed], [" c", " d"]))
    assert decision.forget == 2
    assert decision.cut == 3 * SECOND, "the word begins at 3.1 s, the pause before it ends at 3.0 s"


def test_attention_sinks_neither_stall_nor_pin_the_audio() -> None:
    sunk = attention([60, 70, 80, 90, 95], 100, sink=0.6)
    given = evidence("a b c d e", view(4.0), alignment=sunk)
    policy = make_policy("stream-att(hold-n(n=3), keep=2)")
    later = evidence(
        "c d e f", view(4.5), (" a", " b"), (" a", " b"), alignment=attention([80, 90, 95, 99], 112)
    )
    before, after = passes(policy, given, later)
    assert before.cut is None, (
        "what nothing was committed of is heard from its beginning, not from its attention on"
    )
    assert after.cut == 60 * 640, "the sink at the first frame does not hold the audio"
    flat = attention([5] * 4, 100)
    flat.weights[:] = 1
    fallback = make_policy("switch(local-agreement, align-att, measure=attention-entropy, above=0.9)")
    unsure = evidence("a b c d", view(4.0), alignment=flat)
    assert commits(fallback, unsure, unsure) == [0, 3]


def test_windows_join_without_duplicates() -> None:
    """The speaker's words slide through a window of two seconds; the text is that of one pass."""
    words = [f"w{i % 7}x{i}" for i in range(60)]
    made = backend([" ".join(words[: 2 * k]) for k in range(1, 31)])
    events = stream("sliding-window(window_ms=2000)", made)
    assert [e.text for e in events if e.type == "segment"] == [" ".join(words)]  # type: ignore[attr-defined]
    assert max(len(r.candidate.tokens) for r in made.records) <= 12


def test_retranslation_takes_back_what_changed() -> None:
    made = backend(["a b", "a c d", "a c d e"])
    events = stream("sliding-window", made)
    seen = [(e.type, getattr(e, "text", getattr(e, "characters", None))) for e in events]
    wanted = [("settled", "a b"), ("retract", 2), ("settled", " c d"), ("settled", " e")]
    assert [s for s in seen if s[0] in ("settled", "retract")] == wanted
    assert sum(isinstance(e, Retract) for e in events) == 1


def windows(*given: Evidence) -> list[tuple[int, int | None, int, int]]:
    """Tokens taken back, first token put out, last one, and tokens forgotten, of a window of two seconds."""
    decisions = passes(make_policy("sliding-window(window_ms=2000, match=0.5)"), *given)
    return [(d.retract, d.start, d.commit, d.forget) for d in decisions]


def test_windows_without_a_common_run_replace_what_rests_on_their_audio() -> None:
    quarter = SECOND // 4
    old = np.array([[i * quarter, (i + 1) * quarter] for i in range(12)])
    first = evidence([f" a{i}" for i in range(12)], view(3.0), spans=old)
    standing = tuple(f" a{i}" for i in range(4, 12))
    new = evidence([f" b{i}" for i in range(10)], view(3.5), standing, spans=old[:10] + 3 * quarter)
    assert windows(first, new) == [(0, 0, 12, 4), (8, 0, 10, 3)]


def test_windows_without_times_forget_what_lies_before_their_common_run() -> None:
    first = evidence("a b c d e f", view(3.0))
    second = evidence("c d e f g", view(3.5), [" a", " b", " c", " d", " e", " f"])
    assert windows(first, second) == [(0, 0, 6, 0), (0, 4, 5, 2)]


def test_longest_common_run_on_known_values() -> None:
    assert longest_common_run("abcdef", "xcdey") == (2, 1, 3)
    assert longest_common_run("abab", "ab") == (2, 0, 2)
    assert longest_common_run("ab", "")[2] == longest_common_run("ab", "cd")[2] == 0


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_longest_common_run_is_the_last_one_of_its_length(a: str, b: str) -> None:
    runs = [
        (length, i, j)
        for i in range(len(a))
        for j in range(len(b))
        for length in range(1, min(len(a) - i, len(b) - j) + 1)
        if a[i : i + length] == b[j : j + length]
    ]
    at_a, at_b, length = longest_common_run(a, b)
    assert (length, at_a, at_b) == max(runs) if runs else length == 0


def test_half_characters_are_never_shown() -> None:
    made = backend(
        [("\udcf0\udc9f",), ("\udcf0\udc9f", "\udc98\udc80"), ("\udcf0\udc9f", "\udc98\udc80", " ok")]
    )
    events = stream("hold-n(n=0, words=false)", made)
    shown = [e.text for e in events if isinstance(e, Settled | Tail)]
    assert "".join(texts(events)) == "😀 ok"
    assert all("\ufffd" not in text for text in shown)


def test_the_end_of_the_stream_settles_everything_but_for_faithful_profiles() -> None:
    made = backend(["a b c d"] * 3)
    for policy in ("local-agreement(n=9)", "align-bridge(margin_ms=99999)", "wait-k(k=99)", "hold-n(n=99)"):
        assert texts(stream(policy, made)) == ["a b c d"], policy


def test_a_policy_without_its_evidence_is_refused_with_a_substitute() -> None:
    made = RecordingBackend((), provided=frozenset({Need.TOKENS, Need.SPANS}))
    with pytest.raises(EvidenceError, match="align-bridge"):
        run(make_policy("align-att"), made, CHUNK)
    with pytest.raises(EvidenceError, match="without its gate"):
        run(make_policy("gate(hold-n)"), made, CHUNK)


def test_unchanged_audio_is_not_decoded_again() -> None:
    for name in (
        "local-agreement",
        "hold-n",
        "align-att",
        "consensus",
        "timeout(consensus)",
        "sliding-window",
    ):
        policy = make_policy(name)
        assert policy.plan(policy.start(), view(8.0, new=0)).kind is PlanKind.READ, name
