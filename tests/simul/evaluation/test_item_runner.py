"""The runner of one recording: events as they come, progress, a stop in the middle, and a copy for other processes."""

from __future__ import annotations

import json
import pickle

import pytest

from policies import LocalAgreement
from simul.errors import SimulError
from simul.evaluation.item_runner import ItemRunner
from simul.evaluation.items import Item
from simul.session import Session, SessionConfig
from tests.simul.scripted_cli import SOURCE, TEXT, scripted_backend, talk


def make_session(clock):
    return Session(LocalAgreement(), scripted_backend(), clock, SessionConfig())


@pytest.fixture
def item(tmp_path):
    return Item("a/b", str(talk(tmp_path / "a.wav")))


def test_a_recording_becomes_a_result(item, tmp_path):
    shares = []
    runner = ItemRunner(make_session, "de", str(tmp_path), watch=lambda *told: shares.append(told))
    found = runner(item)
    assert (found.name, found.audio, found.text, found.source_text) == ("a/b", item.audio, TEXT, SOURCE)
    assert (found.length, found.segments, found.bad_samples) == (6000, 2, 0)
    assert {name for name, _ in shares} == {"a/b"}
    assert [share for _, share in shares] == pytest.approx([*(i / 12 for i in range(1, 13)), 1.0])
    events = [json.loads(line)["type"] for line in (tmp_path / "a_b.jsonl").read_text().splitlines()]
    assert (events[0], events[-1]) == ("start", "end")


def test_a_stop_in_the_middle_gives_no_result(item, tmp_path):
    shares = []
    runner = ItemRunner(
        make_session, "de", watch=lambda *told: shares.append(told), stopped=lambda: len(shares) >= 3
    )
    assert runner(item) is None
    assert len(shares) == 4


def test_what_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(SimulError, match="does not exist"):
        ItemRunner(make_session, "de")(Item("x", str(tmp_path / "gone.wav")))


def test_a_copy_for_another_process_leaves_watching_behind(item):
    runner = ItemRunner(make_session, "de", chunk_ms=250, watch=lambda *told: None, stopped=lambda: True)
    copy = pickle.loads(pickle.dumps(runner))
    assert copy == ItemRunner(make_session, "de", chunk_ms=250)
    assert copy(item).text == TEXT
