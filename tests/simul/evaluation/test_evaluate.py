"""Evaluation: the same session as live, scores that the metrics give for the logs, nothing missing unnoticed."""

import itertools
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_metrics import LAAL
from latency_metrics.formats.simuleval import read_instances
from policies import LocalAgreement
from simul.errors import UsageError
from simul.evaluation.evaluate import Item, evaluate
from simul.evaluation.word_errors import distance, normalise, word_errors
from simul.evaluation.workers import run_in_processes
from simul.session import Session, SessionConfig
from simul.session.events import from_json
from tests.simul.scripted_cli import SOURCE, TEXT, scripted_backend, talk

REFERENCE = "Morgen fahren wir früh los und kommen spät zurück."


def make_session(clock):
    return Session(LocalAgreement(), scripted_backend(), clock, SessionConfig())


@pytest.fixture
def items(tmp_path):
    names = ("a", "b", "c")
    return [Item(name, str(talk(tmp_path / f"{name}.wav")), REFERENCE, SOURCE) for name in names]


def test_scores_are_those_of_the_metrics_on_the_log(items, tmp_path):
    result = evaluate(items, make_session, log=tmp_path / "log")
    assert [found.text for found in result.done] == [TEXT] * 3
    assert result.figures()["recordings"] == 3
    assert result.figures()["source_wer"] == 0
    assert result.errors is None
    logged = read_instances(tmp_path / "log" / "instances.log")
    for clock in ("cu", "ca"):
        expected = LAAL(clock=clock).corpus(logged).value
        assert result.report[f"LAAL ({clock.upper()})"].value == pytest.approx(expected)
    assert result.report["LAAL (CA)"].value >= result.report["LAAL (CU)"].value
    assert 0 < result.report["BLEU"].value < 100
    kept = json.loads((tmp_path / "log" / "scores.json").read_text(encoding="utf-8"))
    assert kept["scores"]["LAAL (CU)"]["value"] == result.report["LAAL (CU)"].value


def test_delays_are_where_the_stream_was_when_text_settled(items, tmp_path):
    result = evaluate(items[:1], make_session, log=tmp_path / "log")
    lines = (tmp_path / "log" / "events" / "a.jsonl").read_text(encoding="utf-8").splitlines()
    settled = [event for line in lines if (event := from_json(line)).type == "settled"]
    expected = [(event.heard / 16, event.time * 1000) for event in settled for _ in event.text.split()]
    found = result.done[0]
    assert list(zip(found.delays, found.elapsed, strict=True)) == [
        pytest.approx(pair, abs=1e-3) for pair in expected
    ]
    assert found.length == 6000


def test_transcription_is_scored_by_word_errors(items):
    spoken = [Item(item.name, item.audio, TEXT.upper().replace(",", "")) for item in items]
    wrong = [Item(item.name, item.audio, TEXT.replace("Morgen", "Heute")) for item in items]
    assert evaluate(spoken, make_session, source="de", target="de").errors.rate == 0
    assert evaluate(wrong, make_session, source="de", target="de").errors.rate == pytest.approx(100 / 12)


def test_without_references_latency_counts_the_outputs_own_length(items):
    bare = [Item(item.name, item.audio) for item in items]
    result = evaluate(bare, make_session)
    assert "BLEU" not in result.report
    assert result.report["LAAL (CU)"].value == result.report["AL (CU)"].value


def test_a_missing_recording_is_named_and_the_others_go_on(items, tmp_path):
    items.insert(1, Item("gone", str(tmp_path / "gone.wav"), REFERENCE))
    result = evaluate(items, make_session)
    assert list(result.failures) == ["gone"]
    assert "does not exist" in result.failures["gone"]
    assert result.results[1] is None
    assert result.figures()["missing"] == 1


def test_a_run_goes_on_where_it_stopped(items, tmp_path):
    done = []

    def counting(clock):
        done.append(clock)
        return make_session(clock)

    log = tmp_path / "log"
    first = evaluate(items, counting, log=log, settings={"n": 1}, stopped=lambda: len(done) == 2)
    assert first.interrupted
    assert len(first.done) == 1
    second = evaluate(items, counting, log=log, resume=True, settings={"n": 1})
    assert len(done) == 4
    assert [found.name for found in second.done] == ["a", "b", "c"]
    assert not second.interrupted
    assert len(read_instances(log / "instances.log")) == 3
    with pytest.raises(UsageError, match="other settings"):
        evaluate(items, counting, log=log, resume=True, settings={"n": 2})


def test_a_result_cut_off_in_the_middle_is_run_again(items, tmp_path):
    evaluate(items, make_session, log=tmp_path)
    kept = (tmp_path / "results.jsonl").read_text(encoding="utf-8")
    (tmp_path / "results.jsonl").write_text(kept[:-200], encoding="utf-8")
    result = evaluate(items, make_session, log=tmp_path, resume=True)
    assert [found.text for found in result.done] == [TEXT] * 3


def test_processes_give_the_same(items):
    alone, shared = (evaluate(items, make_session, jobs=jobs) for jobs in (1, 2))
    assert [found.delays for found in shared.done] == [found.delays for found in alone.done]
    assert shared.report["BLEU"].value == alone.report["BLEU"].value


def dies_on_three(number):
    if number == 3:
        os._exit(7)
    if number == 5:
        raise ValueError("five is no good")
    return number * 10


def test_a_process_that_dies_costs_one_piece_of_work():
    outcomes = {o.index: o for o in run_in_processes(dies_on_three, [(i, i) for i in range(8)], 2)}
    assert sorted(outcomes) == list(range(8))
    assert [outcomes[i].result for i in range(8)] == [0, 10, 20, None, 40, None, 60, 70]
    assert "exit code 7" in outcomes[3].failure
    assert outcomes[5].failure == "five is no good"


def test_names_must_differ(items):
    with pytest.raises(UsageError, match="called 'a'"):
        evaluate([items[0], items[0]], make_session)
    with pytest.raises(UsageError, match="no recordings"):
        evaluate([], make_session)


def test_progress_only_grows(items):
    seen = []
    evaluate(items, make_session, progress=seen.append)
    assert all(a.done <= b.done for a, b in itertools.pairwise(seen))
    assert (seen[-1].done, seen[-1].total, seen[-1].audio_seconds) == (3, 3, 18)


# Word errors.


def test_texts_are_normalised():
    assert normalise("Don’t — stop, e-mail me: ‘now’!") == ["don't", "stop", "e", "mail", "me", "now"]
    assert normalise("今日は、天気。", "ja") == list("今日は天気")


WORDS = st.lists(st.sampled_from("abcde"), max_size=12)


@given(WORDS, WORDS)
def test_distance_is_that_of_the_recursion(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        following = [i]
        for j, y in enumerate(b, 1):
            following.append(min(row[j] + 1, following[-1] + 1, row[j - 1] + (x != y)))
        row = following
    assert distance(a, b) == row[-1]


def test_errors_are_counted_over_the_corpus():
    errors = word_errors([("one two three four", "one two three for"), ("five", "")])
    assert (errors.edits, errors.words, errors.rate) == (2, 5, 40)
    assert word_errors([("", "noise")]).rate != word_errors([("", "noise")]).rate
