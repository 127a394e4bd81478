"""Sweeps: points that equal evaluations, traces kept and reused, runs that go on where they stopped."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from policies.base import Candidate
from simul.backends.cascade import CascadeBackend
from simul.backends.scripted import ScriptedBackend
from simul.errors import UsageError
from simul.evaluation.evaluate import evaluate
from simul.evaluation.items import Item
from simul.evaluation.sweep.grid import parse_grid
from simul.evaluation.sweep.item_runner import SweepRunner
from simul.evaluation.sweep.result import LIMITS
from simul.evaluation.sweep.sweep import sweep
from simul.session import Session, SessionConfig
from tests.simul.backends.test_cascade import SCRIPT, WORD, ScriptedRecognizer, UpperCase
from tests.simul.scripted_cli import SECOND, SOURCE, scripted_backend, talk

REFERENCE = "Morgen fahren wir früh los und kommen spät zurück."
GRID = "offline;local-agreement:n=1,2,3;hold-n:n=1,2,4;wait-k:k=2,4;sliding-window"


class AnyCut(ScriptedRecognizer):
    any_cut = True


def cascade() -> CascadeBackend:
    return CascadeBackend(lambda: AnyCut(SCRIPT), UpperCase())


@pytest.fixture
def items(tmp_path):
    return [Item(name, str(talk(tmp_path / f"{name}.wav")), REFERENCE, SOURCE) for name in ("a", "b")]


def scores_of(point):
    return {name: value for name, value in point.scores.items() if "CA" not in name}


@pytest.mark.parametrize("live", [False, True])
def test_points_are_what_an_evaluation_gives(items, live):
    runner = SweepRunner(scripted_backend, parse_grid(GRID), live=live)
    found = sweep(items, runner)
    for point in found.points:
        setting = point.setting

        def session(clock, setting=setting):
            return Session(setting.make(), scripted_backend(), clock, SessionConfig())

        report = evaluate(items, session).report
        expected = {s.name: s.value for s in (*report.scores, *report.extra) if s.value == s.value}
        assert scores_of(point) == pytest.approx({n: v for n, v in expected.items() if "CA" not in n})
        assert point.scores["LAAL (CA)"] >= point.scores["LAAL (CU)"]
        assert point.figures["approximated"] == 0
    if not live:
        assert sum(p.figures["computed"] for p in found.points) < sum(
            p.figures["passes"] for p in found.points
        )


class Remembering(ScriptedBackend):
    """Goes on with the text of audio that is cut only where it made the pass of the chunk before."""

    def decode(self, requests):
        for request in requests:
            state = self.state(request.stream)
            if state.trimmed and request.prefix and request.until - state.decoded_at > SECOND // 2:
                return [Candidate(())]
        return super().decode(requests)


def test_a_policy_that_cuts_audio_is_given_the_model_alone(items):
    def remembering():
        return Remembering(scripted_backend().segments)

    grid = "offline;local-agreement:n=2;stream-att(hold-n(n=2)):audio=words,keep=1"
    found, live = (
        sweep(items, SweepRunner(remembering, parse_grid(grid), live=live)) for live in (False, True)
    )
    assert [scores_of(point) for point in found.points] == [scores_of(point) for point in live.points]
    assert found.points[-1].figures["computed"] == found.points[-1].figures["passes"]


def test_a_cascade_is_replayed_from_its_recogniser(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(9 * WORD), 16000)
    items = [Item("a", str(tmp_path / "a.wav"), "ONE TWO THREE FOUR FIVE SEVEN")]
    grid = parse_grid("offline;local-agreement:n=1,2,3,chunk=100,200;wait-k:unit=word,k=1,2,3")
    traces = tmp_path / "traces"
    first = sweep(items, SweepRunner(cascade, grid, traces=str(traces)))
    assert [path.name for path in traces.iterdir()] == ["a.100ms.recognizer.jsonl"]
    live = sweep(items, SweepRunner(cascade, grid, live=True))
    for replayed, expected in zip(first.points, live.points, strict=True):
        assert scores_of(replayed) == pytest.approx(scores_of(expected))
    (tmp_path / "a.wav").unlink()
    again = sweep(items, SweepRunner(cascade, grid, traces=str(traces)))
    assert [scores_of(p) for p in again.points] == [scores_of(p) for p in first.points]
    other = sweep(items, SweepRunner(cascade, grid, traces=str(traces), model="another"))
    assert "recorded with another model" in other.failures["a"]


def test_without_references_offline_is_the_reference(items):
    bare = [replace(item, reference=None) for item in items]
    found = sweep(bare, SweepRunner(scripted_backend, parse_grid(GRID)))
    assert found.pseudo
    assert found.ceiling().scores["chrF"] == pytest.approx(100)
    assert all(p.scores["chrF"] <= 100.001 and "LongYAAL (CU)" in p.scores for p in found.points)
    with pytest.raises(UsageError, match="add offline"):
        sweep(bare, SweepRunner(scripted_backend, parse_grid("hold-n")))


def test_the_best_setting_is_within_the_limit_and_takes_nothing_back(items):
    found = sweep(items, SweepRunner(scripted_backend, parse_grid(GRID)))
    for limit in (*LIMITS, 0.01, 60):
        best = found.best(limit)
        within = [
            p for p in found.points if p.scores["LAAL (CU)"] <= 1000 * limit and p.setting.policy != "offline"
        ]
        append_only = [p for p in within if p.setting.policy != "sliding-window"]
        assert (best is None) == (not append_only)
        if best is not None:
            assert best in append_only
            assert best.scores["chrF"] == max(p.scores["chrF"] for p in append_only)
    assert found.best(0.01) is None


def test_a_sweep_goes_on_where_it_stopped(items, tmp_path):
    runner, folder = SweepRunner(scripted_backend, parse_grid("offline;hold-n:n=1,2")), tmp_path / "sweep"
    done = []
    first = sweep(items, runner, folder=folder, progress=done.append, stopped=lambda: bool(done))
    assert first.interrupted
    lines = (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["a"]
    (folder / "items.jsonl").write_text(lines[0] + "\n" + lines[0][:300], encoding="utf-8")
    second = sweep(items, runner, folder=folder, resume=True, progress=done.append)
    assert [progress.name for progress in done] == ["a", "b"]
    assert [p.figures["recordings"] for p in second.points] == [2, 2, 2]
    whole = sweep(items, runner)
    assert [scores_of(p) for p in second.points] == [scores_of(p) for p in whole.points]
    points = [
        json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [point["policy"] for point in points] == ["offline", "hold-n", "hold-n"]
    with pytest.raises(UsageError, match="other settings"):
        sweep(items, SweepRunner(scripted_backend, parse_grid("offline")), folder=folder, resume=True)


def test_processes_and_failures(items, tmp_path):
    items.insert(1, Item("gone", str(tmp_path / "gone.wav"), REFERENCE))
    runner = SweepRunner(scripted_backend, parse_grid("offline;hold-n:n=1"))
    alone, shared = sweep(items, runner), sweep(items, runner, jobs=2)
    assert [scores_of(p) for p in alone.points] == [scores_of(p) for p in shared.points]
    assert "does not exist" in alone.failures["gone"]
    assert list(shared.failures) == ["gone"]


def test_recorded_passes_serve_without_a_model(items, tmp_path):
    traces = str(tmp_path / "traces")
    grid = parse_grid("offline;pause:silence_ms=9999")
    known = sweep(items, SweepRunner(scripted_backend, grid, traces=traces))
    replayed = sweep(items, SweepRunner(None, grid, traces=traces))
    assert [scores_of(p) for p in replayed.points] == [scores_of(p) for p in known.points]
    assert all(p.figures["approximated"] == 0 for p in replayed.points)
    guessed = sweep(items, SweepRunner(None, parse_grid("hold-n:n=1"), traces=traces))
    assert guessed.points[0].figures["approximated"] > 0
    nothing = sweep(items, SweepRunner(None, parse_grid("hold-n:n=1,chunk=250"), traces=traces))
    assert "record it with the model first" in nothing.failures["a"]
    assert not nothing.points
