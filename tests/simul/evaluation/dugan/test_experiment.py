"""The cells of the experiment: average lagging as printed, policies side by side, both loops, progress."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.registry import make_policy
from simul.evaluation.dugan.experiment import ROWS, cell, experiment, speak
from tests.simul.evaluation.dugan.oracle import utterances, words

TEXTS = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=4, max_size=20), min_size=1, max_size=3)


@given(TEXTS, st.sampled_from(ROWS), st.sampled_from([1.0, 2.0]), st.sampled_from(["faithful", "fixed"]))
@settings(max_examples=60)
def test_printed_lagging_is_the_standard_one_and_a_token_more(texts, row, window, profile) -> None:
    found = [cell(row, "en-de", utterances([text]), window, profile, words) for text in texts]
    for text, one in zip(texts, found, strict=True):
        if one.published is None or one.al_ca is None:
            continue
        delays = [1000 * s.delay for s in _spoken(row, text, window, profile) for _ in range(words(s.text))]
        length = 500 * len(text)
        if delays[0] <= length and length not in delays:
            assert one.published == pytest.approx(one.al_ca + 0.5)
    together = cell(row, "en-de", utterances(texts), window, profile, words)
    printed = [one.published for one in found if one.published]
    assert together.published == pytest.approx(sum(printed) / len(printed))


def _spoken(row, text, window, profile):
    args = row[2] if row[1] == "offline" else {**row[2], "profile": profile}
    return speak(make_policy(row[1], args), utterances([text])[0].windows, window, profile == "faithful")


def test_offline_waits_for_everything_and_is_the_ceiling() -> None:
    texts = [list("abcdefghab"), list("cdefghabcdef")]
    results = experiment({"en-de": utterances(texts)}, words)
    offline = [r for r in results if r.row == "Offline"]
    assert all(r.bleu == pytest.approx(100) and r.spoken == 0 for r in offline)
    assert all(r.al >= other.al - 1e-9 for r in offline for other in results)
    greedy = next(r for r in results if (r.row, r.profile, r.window) == ("Greedy", "fixed", 1.0))
    assert greedy.al < offline[0].al
    assert greedy.al_ca > greedy.al
    assert greedy.spoken == greedy.utterances == 2


def test_the_repaired_loop_loses_nothing_where_the_released_one_does() -> None:
    text = list("abcdefghabcdefgh")
    fixed = _spoken(ROWS[4], text, 2.0, "fixed")
    faithful = _spoken(ROWS[4], text, 2.0, "faithful")
    assert "".join(s.text for s in fixed).split() == text
    assert len("".join(s.text for s in faithful).split()) < len(text)


def test_progress_counts_every_utterance_of_every_cell() -> None:
    steps: list[tuple[int, int, str]] = []
    found = utterances([["a", "b", "c", "d"], ["e", "f"]])
    experiment({"en-de": found}, words, windows=(1.0,), progress=lambda *step: steps.append(step))
    cells = 2 * len(ROWS)
    assert [step[:2] for step in steps] == [(i + 1, 2 * cells) for i in range(2 * cells)]
    assert steps[-1][2] == f"en-de, 1 s, fixed: Offline, {found[-1].name}"
