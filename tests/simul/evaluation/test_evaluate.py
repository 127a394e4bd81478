"""Evaluation: the same session as live, scores that the metrics give for the logs, nothing missing unnoticed."""

import itertools
import json

import pytest

from latency_metrics import LAAL
from latency_metrics.formats.simuleval import read_instances
from policies import LocalAgreement
from simul.errors import UsageError
from simul.evaluation.evaluate import EvaluationResult, evaluate
from simul.evaluation.items import Item, ItemResult
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


def result_with(behind, lags, text="a b"):
    return ItemResult("x", "x.wav", text, "", [1.0, 2.0], [1.0, 2.0], 4000, 1, 0.5, behind, lags)


def test_figures_are_taken_over_all_recordings():
    twenty = [float(value) for value in range(20, 0, -1)]
    results = [result_with(twenty[:15], twenty[1:3]), None, result_with(twenty[15:], [], "")]
    found = EvaluationResult([Item("x", "x.wav")] * 3, results, {}, None).figures()
    assert found == {
        "recordings": 2,
        "missing": 1,
        "audio_seconds": 8,
        "units": 4,
        "empty": 1,
        "wer": None,
        "source_wer": None,
        "real_time_factor": 1 / 8,
        "behind_p50_s": 10,
        "behind_p95_s": 19,
        "behind_max_s": 20,
        "word_lag_p50_s": 18,
        "word_lag_p95_s": 19,
    }


def test_figures_of_nothing_are_none():
    found = EvaluationResult([Item("x", "x.wav")], [None], {"x": "gone"}, None).figures()
    assert {name for name, value in found.items() if value is None} == {
        "wer", "source_wer", "real_time_factor", "behind_p50_s", "behind_p95_s", "behind_max_s", "word_lag_p50_s",
        "word_lag_p95_s",
    }  # fmt: skip


def test_the_lag_of_words_is_that_of_the_events(items, tmp_path):
    result = evaluate(items[:1], make_session, log=tmp_path)
    lines = (tmp_path / "events" / "a.jsonl").read_text(encoding="utf-8").splitlines()
    settled = [event for line in lines if (event := from_json(line)).type == "settled"]
    lags = [event.time - max(last for _, last in event.spans) / 16_000 for event in settled]
    assert result.done[0].word_lags == pytest.approx(lags, abs=1e-6)
    assert result.figures()["word_lag_p50_s"] == pytest.approx(sorted(lags)[(len(lags) - 1) // 2], abs=1e-6)
    assert min(result.done[0].behind) >= 0
    assert len(result.done[0].behind) == 12
    assert result.figures()["behind_max_s"] == max(result.done[0].behind)


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


def test_names_must_differ(items):
    with pytest.raises(UsageError, match="called 'a'"):
        evaluate([items[0], items[0]], make_session)
    with pytest.raises(UsageError, match="no recordings"):
        evaluate([], make_session)


def test_progress_only_grows(items):
    seen = []
    evaluate(items, make_session, progress=seen.append)
    assert all(a.done <= b.done for a, b in itertools.pairwise(seen))
    assert (seen[-1].done, seen[-1].total) == (3, 3)
