"""Decoded windows: each decoded once, kept in a file, and enough for the same cells without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policies.registry import make_policy
from simul.errors import UsageError
from simul.evaluation.dugan.experiment import experiment, speak
from simul.evaluation.dugan.windows import DecodedUtterance, read_passes, write_passes
from tests.simul.evaluation.dugan.oracle import utterances, words


def test_a_window_is_decoded_once_for_all_policies() -> None:
    found = utterances([list("abcdefgh")])
    experiment({"en-de": found}, words)
    asked = found[0].windows.reader.asked
    assert len(set(asked)) == len(asked)


def test_kept_windows_give_the_same_table_without_a_model(tmp_path: Path) -> None:
    found = utterances([list("abcdefgh"), list("hgfedcba")])
    results = experiment({"en-de": found}, words)
    write_passes(tmp_path / "passes.jsonl", found)
    kept = read_passes(tmp_path / "passes.jsonl")
    again = [DecodedUtterance(u.name, u.reference, kept[u.name]) for u in found]
    assert experiment({"en-de": again}, words) == results
    policy = make_policy("greedy", {"profile": "faithful"})
    with pytest.raises(UsageError, match="was not kept"):
        speak(policy, kept["0"], 0.7, True)
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no kept windows"):
        read_passes(tmp_path / "bad.jsonl")


def test_windows_are_told_apart_to_the_millisecond_and_empty_ones_hold_nothing() -> None:
    windows = utterances([list("abcdefgh")])[0].windows
    assert windows.window(0.0, 2.0) is windows.window(0.0002, 2.0001)
    assert windows.window(0.0, 2.001) is not windows.window(0.0, 2.0)
    assert windows.window(3.0, 3.0) == windows.window(4.0, 3.0) == ((), (0.0,))
    assert sorted(windows.passes) == [(0, 2000), (0, 2001)]


def test_an_utterance_whose_whole_is_not_known_is_kept_too(tmp_path: Path) -> None:
    (found,) = utterances([list("abcd")])
    found.windows.window(0.0, 1.0)
    write_passes(tmp_path / "passes.jsonl", [found])
    (record,) = map(json.loads, (tmp_path / "passes.jsonl").read_text(encoding="utf-8").splitlines())
    assert (record["name"], record["reference"], record["length"], record["offline"]) == (
        "0",
        "a b c d",
        2.0,
        None,
    )
    assert record["passes"] == [
        {
            "begin": 0.0,
            "end": 1.0,
            "segments": [{"start": 0.0, "end": 1.0, "text": " a b", "no_speech_prob": 0.05}],
            "elapsed": [0.1, 0.1],
        }
    ]
    kept = read_passes(tmp_path / "passes.jsonl")["0"]
    assert kept.passes == found.windows.passes
    with pytest.raises(UsageError, match="whole utterance was not kept"):
        kept.whole()
