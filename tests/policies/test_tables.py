"""Decision tables: each rule on evidence written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from policies import PlanKind, make_policy
from policies.attention import RunningColumns
from policies.words import begins_word, count_words, key, whole_words
from tests.policies.evidence import SECOND, attention, commits, evidence, passes, segments, view


@pytest.mark.parametrize(
    ("policy", "given", "expected"),
    [
        ("local-agreement", ["a b c", "a b d e"], [0, 2]),
        ("local-agreement", ["a b", "a b"], [0, 1]),
        ("local-agreement(words=false)", ["a b", "a b"], [0, 2]),
        ("local-agreement(n=1)", ["a b c"], [2]),
        ("local-agreement(n=3)", ["a b c", "a b c", "a b d"], [0, 0, 2]),
        ("local-agreement", ["A b. c d", "a b, c e"], [0, 0]),
        ("local-agreement(compare=normalized)", ["A b. c d", "a b, c e"], [0, 3]),
        ("local-agreement(unit=word, compare=normalized)", ["A b. c d", "a b, c e"], [0, 3]),
        ("hold-n(n=2)", ["a b c d", "a"], [2, 0]),
        ("hold-n(n=0)", ["a b c"], [2]),
        ("hold-n(n=0, words=false)", ["a b c"], [3]),
        ("word-hold", ["a b c"], [2]),
        ("offline", ["a b c"], [0]),
        ("phrase-hold", ["a b", "a b c", "a b c d", "a, b c", "a. b c d e"], [0, 0, 3, 1, 4]),
        ("phrase-hold(words=1)", ["a b", "a,", "a, b"], [1, 0, 1]),
        ("punctuation-hold", ["a b.", "a b. c", "a b?”", "."], [1, 3, 1, 0]),
    ],
)
def test_rules_on_tokens(policy: str, given: list[str], expected: list[int]) -> None:
    assert commits(make_policy(policy), *map(evidence, given)) == expected


def test_local_agreement_compares_what_follows_the_committed_text() -> None:
    policy = make_policy("local-agreement")
    first, second = evidence("a b c"), evidence("a b d e")
    third = evidence("d e f", committed=[" a", " b"], fresh=[" a", " b"])
    assert commits(policy, first, second, third) == [0, 2, 2]


def test_local_agreement_follows_what_was_committed_in_the_end() -> None:
    """Another policy let only one of the two agreed tokens through; the agreement on the second is not lost."""
    policy = make_policy("local-agreement")
    third = evidence("b d x", committed=[" a"], fresh=[" a"])
    assert commits(policy, evidence("a b c"), evidence("a b d e"), third) == [0, 2, 2]


def test_local_agreement_by_words_does_not_mind_how_words_are_cut() -> None:
    policy = make_policy("local-agreement(unit=word)")
    assert commits(policy, evidence([" Haus", "tür", " auf"]), evidence([" Ha", "ustür", " auf", " x"])) == [
        0,
        3,
    ]


def test_normalized_agreement_skips_marks_that_come_and_go() -> None:
    policy = make_policy("local-agreement(compare=normalized, words=false)")
    given = [evidence([" Ja", ",", " gut", "."]), evidence([" ja", " gut", ",", " und"])]
    assert commits(policy, *given) == [0, 2]


def test_drafts_are_not_committed() -> None:
    for name in ("local-agreement(n=1)", "hold-n(n=0)", "greedy(frame_ms=0)", "align-bridge(margin_ms=0)"):
        given = evidence("a b c d", committable=2, spans=np.array([[0, 1]] * 4))
        assert commits(make_policy(name), given) == [2], name


def test_the_last_word_is_released_by_silence() -> None:
    for name in ("hold-n(n=0)", "local-agreement(n=1)", "word-hold", "punctuation-hold"):
        policy = make_policy(name)
        assert commits(policy, evidence("a b.", view(silence=0.39))) == [1], name
        assert commits(policy, evidence("a b.", view(silence=0.4))) == [2], name


def test_shared_prefix_looks_at_all_beams() -> None:
    beams = ((" a", " b", " x"), (" a", " b", " c", " y"))
    once = evidence("a b c d", beams=beams)
    assert commits(make_policy("sp-n"), once) == [2]
    assert commits(
        make_policy("sp-n(n=2)"), once, evidence("a x c d", beams=((" a", " x", " c", " d"),))
    ) == [0, 1]


@pytest.mark.parametrize(
    ("policy", "heard", "tokens", "expected"),
    [
        ("wait-k(k=3, chunk_ms=1000)", 2.9, 9, 0),
        ("wait-k(k=3, chunk_ms=1000)", 3.0, 9, 1),
        ("wait-k(k=3, chunk_ms=1000)", 5.0, 9, 3),
        ("wait-k(k=3, chunk_ms=1000)", 5.0, 2, 1),
        ("wait-k(k=3, chunk_ms=1000, target=token)", 5.0, 2, 2),
        ("wait-k(k=3, chunk_ms=1000, stride_read=2, stride_write=2)", 4.0, 9, 2),
        ("wait-k(k=3, chunk_ms=1000, stride_read=2, stride_write=2)", 5.0, 9, 4),
        ("wait-k(k=1, chunk_ms=1000, catchup=0.25)", 3.0, 9, 4),
        ("wait-k(k=1, chunk_ms=1000, catchup=0.25)", 4.0, 9, 5),
        ("wait-k(k=1, chunk_ms=1000, stride_write=0)", 1.0, 9, 8),
    ],
)
def test_wait_k_by_chunks(policy: str, heard: float, tokens: int, expected: int) -> None:
    """Ma et al. 2019: token i needs min(k + i - 1 - floor(c i), all) source units."""
    given = evidence([f" w{i}" for i in range(tokens)], view(heard))
    assert commits(make_policy(policy), given) == [expected]


@pytest.mark.parametrize("unit", ["word", "ctc-word", "token"])
def test_wait_k_by_counted_units(unit: str) -> None:
    policy = make_policy("wait-k(k=2)", {"unit": unit})
    for read, expected in ((1, 0), (2, 1), (4, 3)):
        assert commits(policy, evidence("a b c d e f", view(units={unit: read}))) == [expected]


def test_wait_k_counts_words_that_were_committed_not_its_quota() -> None:
    """The counter of a released agent advances by the quota; then words that were not there are never made up for."""
    policy = make_policy("wait-k(k=1, chunk_ms=1000)")
    short = evidence([" a", " b"], view(4.0))
    later = evidence([" b", " c", " d", " e", " f", " g"], view(5.0), committed=[" a"], fresh=[" a"])
    assert commits(policy, short, later) == [1, 4]


def test_wait_k_reads_until_its_quota_grows_and_forbids_an_early_end() -> None:
    policy = make_policy("wait-k(k=2, chunk_ms=1000)")
    state = policy.start()
    assert policy.plan(state, view(1.9)).kind is PlanKind.READ
    plan = policy.plan(state, view(2.0))
    assert plan.kind is PlanKind.DECODE
    assert plan.stop is not None
    assert plan.stop.suppress_end
    state, decision = policy.judge(state, evidence("a b c", view(2.0)))
    assert decision.commit == 1
    assert policy.plan(state, view(2.5)).kind is PlanKind.READ
    assert policy.plan(state, view(3.0)).kind is PlanKind.DECODE
    assert make_policy("wait-k(suppress_early_end=false)").plan(state, view(9.0)).stop is None


def test_align_att_stops_at_the_first_token_near_the_end() -> None:
    """50 frames of 40 ms; 400 ms are 10 frames."""
    source = view(2.0)
    aligned = attention([5, 12, 39, 40, 3], 50)
    policy = make_policy("align-att(normalize=none)")
    assert commits(policy, evidence("a b c d e", source, alignment=aligned)) == [3]
    assert commits(make_policy("align-att"), evidence("a b c d e", source, alignment=aligned)) == [3]
    inside = evidence([" a", " b", " c", "c", " e"], source, alignment=aligned)
    assert commits(policy, inside) == [2]
    assert commits(make_policy("align-att(distance_ms=0, normalize=none, words=false)"), inside) == [5]
    assert policy.plan(policy.start(), source).stop.at_frame == 6400  # type: ignore[union-attr]


def test_align_att_ignores_padding_after_the_audio() -> None:
    """The third token attends most to padding; what was heard ends at frame 50, and there it attends to frame 45."""
    padded = attention([5, 12, 70], 100)
    padded.weights[2, 45] = 0.2
    policy = make_policy("align-att(normalize=none, words=false)")
    assert commits(policy, evidence("a b c", view(2.0), alignment=padded)) == [2]
    assert commits(policy, evidence("a b c", view(4.0), alignment=padded)) == [3]
    cut = evidence("a b", view(2.0), alignment=attention([5, 12], 100))
    assert commits(policy, cut) == [2]


def test_align_att_standardises_sinks_away() -> None:
    """A sink at frame 0 hides that the third token rests on the last frames."""
    sunk = attention([5, 12, 45, 46, 47], 50, sink=0.6)
    given = evidence("a b c d e", view(2.0), alignment=sunk)
    assert commits(make_policy("align-att(normalize=none)"), given) == [4]
    assert commits(make_policy("align-att"), given) == [2]


def test_align_att_discards_a_pass_that_has_lost_its_place() -> None:
    policy = make_policy("align-att(normalize=none, words=false)")
    first = evidence("a b", view(12.0), alignment=attention([200, 210], 300))
    fresh = [" a", " b"]
    near = evidence("c", view(12.0), fresh, fresh, alignment=attention([120], 300))
    far = evidence("c", view(12.0), fresh, fresh, alignment=attention([100], 300))
    assert commits(policy, first, near) == [2, 1]
    decisions = passes(policy, first, far)
    assert (decisions[1].commit, decisions[1].reason) == (0, "rewind")


def test_running_columns_agree_with_the_formula_over_all_rows() -> None:
    rows = np.random.default_rng(0).random((12, 30)).astype(np.float32)
    columns = RunningColumns(30)
    for n in range(1, 13):
        scored = columns.push(rows[n - 1 : n])[0]
        seen = rows[:n]
        expected = (seen[-1] - seen.mean(0)) / seen.std(0) if n >= 3 else seen[-1]
        np.testing.assert_allclose(scored, expected, atol=2e-4)
    whole = RunningColumns(30).push(rows)
    np.testing.assert_allclose(whole, (rows - rows.mean(0)) / rows.std(0), atol=2e-4)


def test_edatt_compares_the_mass_of_the_last_frames() -> None:
    """The last frame is dropped; the row is scaled to length 1; two frames of 40 ms count."""
    weights = np.zeros((3, 10), dtype=np.float32)
    weights[0, [2, 9]] = 1, 5
    weights[1, [2, 7]] = 1, 0.1
    weights[2, [2, 8]] = 1, 0.2
    aligned = attention([0, 0, 0], 10)
    aligned = type(aligned)(weights, 640, 0)
    given = evidence("a b c", view(0.4), alignment=aligned)
    assert commits(make_policy("edatt(alpha=0.15, words=false)"), given) == [2]
    assert commits(make_policy("edatt(alpha=0.05, words=false)"), given) == [1]
    assert commits(make_policy("edatt(alpha=0.3, words=false)"), given) == [3]
    assert commits(make_policy("edatt(alpha=0.05, last_ms=40, words=false)"), given) == [2]
    weights[2, [2, 8]] = 3, 4
    assert commits(make_policy("edatt(alpha=0.8, words=false)"), given) == [2], (
        "the mass that equals alpha stops"
    )
    assert commits(make_policy("edatt(alpha=0.801, words=false)"), given) == [3]


def test_align_bridge_keeps_a_margin() -> None:
    ends = [2.0, 5.0, 9.6, 9.7]
    spans = np.array([[0, int(end * SECOND)] for end in ends])
    policy = make_policy("align-bridge(margin_ms=400)")
    assert commits(policy, evidence("a b c d", spans=spans)) == [3]
    assert commits(make_policy("align-bridge(margin_ms=401)"), evidence("a b c d", spans=spans)) == [2]


def test_token_confidence_stops_at_the_first_doubt() -> None:
    scores = np.log([0.9, 0.6, 0.59, 0.9])
    policy = make_policy("token-confidence(threshold=0.6)")
    assert commits(policy, evidence("a b c d", logprobs=scores)) == [2]
    assert commits(policy, evidence("a", logprobs=np.array([np.nan]))) == [0]


def test_segment_confidence_takes_leading_segments() -> None:
    parts = segments((0, 1, "a b", 0.1), (1, 2, "c", 0.1), (2, 3, "d", 0.1))
    scores = np.array([-0.4, -0.6, -0.51, 0.0])
    assert commits(make_policy("segment-confidence"), evidence(**parts, logprobs=scores)) == [2]


def test_pause_waits_for_silence() -> None:
    policy = make_policy("pause(silence_ms=600, preview=false)")
    assert policy.plan(None, view(silence=0.5)).kind is PlanKind.READ
    assert policy.plan(None, view(silence=0.6)).kind is PlanKind.DECODE
    assert commits(policy, evidence("a b", view(silence=0.5)), evidence("a b", view(silence=0.6))) == [0, 2]


def test_gate_opens_for_speech_and_lets_go_at_a_pause() -> None:
    policy = make_policy("gate(offline)")
    state = policy.start()
    silence = view(silence=9.0)
    nobody = view(silence=9.0, activity=type(silence.activity)(9 * SECOND, 0.0))  # type: ignore[misc]
    assert policy.plan(state, nobody).kind is PlanKind.READ
    state, decision = policy.judge(state, evidence("a b", view(silence=0.0)))
    assert decision.commit == 0
    assert policy.plan(state, nobody).kind is PlanKind.DECODE
    state, decision = policy.judge(state, evidence("a b", nobody))
    assert (decision.commit, decision.reason) == (2, "pause")
    assert policy.plan(state, nobody).kind is PlanKind.READ


def test_switch_follows_its_measure() -> None:
    policy = make_policy("switch(hold-n(n=0), hold-n(n=2), measure=segment-ms, above=3000)")
    assert commits(policy, evidence("a b c d", view(3.0)), evidence("a b c d", view(3.1))) == [2, 3]
    unsure = make_policy("switch(offline, hold-n(n=1), measure=attention-entropy, above=0.9)")
    flat = attention([1, 1, 1], 50)
    flat.weights[:] = 1
    assert commits(unsure, evidence("a b c", alignment=flat)) == [0]
    assert commits(unsure, evidence("a b c", alignment=attention([3, 4, 5], 50))) == [2]


@pytest.mark.parametrize(
    ("tokens", "count", "expected"),
    [
        ([" a", "b", " c"], 1, 0),
        ([" a", "b", " c"], 2, 2),
        ([" a", "b"], 2, 0),
        (["家", "が", "好"], 2, 2),
        (["家", "。", "好"], 1, 0),
        (["\udce5\udcae", "\udcb6", "が"], 2, 2),
        (["が", "\udce5\udcae", "\udcb6"], 2, 1),
    ],
)
def test_whole_words(tokens: list[str], count: int, expected: int) -> None:
    assert whole_words(tokens, count) == expected


def test_words_and_keys() -> None:
    assert count_words([" a", "b", " c", "家", "家"]) == 4
    assert count_words(["x", " a"], inside=True) == 1
    assert not begins_word(".")
    assert [key(t) for t in (" Straße,", "STRASSE", "»Ja«", "…", "\udce5", " don't")] == [
        "strasse",
        "strasse",
        "ja",
        "",
        "\udce5",
        "dont",
    ]
