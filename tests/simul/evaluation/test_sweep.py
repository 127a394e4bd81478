"""Sweeps: grids, points that equal evaluations, traces kept and reused, curves, and the command."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from policies.base import Need
from policies.errors import PolicyError
from policies.registry import policy_names
from simul.backends.cascade import CascadeBackend
from simul.errors import ExitCode, UsageError
from simul.evaluation.curves import _front, draw, draw_panels, write_html
from simul.evaluation.evaluate import evaluate
from simul.evaluation.items import Item
from simul.evaluation.sweep.grid import Setting, default_grid, parse_grid
from simul.evaluation.sweep.item_runner import SweepRunner
from simul.evaluation.sweep.result import LIMITS, Point, SweepResult
from simul.evaluation.sweep.sweep import sweep
from simul.session import Session, SessionConfig
from tests.simul.backends.test_cascade import SCRIPT, WORD, ScriptedRecognizer, UpperCase
from tests.simul.scripted_cli import SOURCE, TEXT, command, scripted_backend, talk

REFERENCE = "Morgen fahren wir früh los und kommen spät zurück."
GRID = "offline;local-agreement:n=1,2,3;hold-n:n=1,2,4;wait-k:k=2,4;sliding-window"


class AnyCut(ScriptedRecognizer):
    any_cut = True


def cascade() -> CascadeBackend:
    return CascadeBackend(lambda: AnyCut(SCRIPT), UpperCase())


# Grids.


def test_grids_are_products_of_their_values():
    grid = parse_grid(
        "local-agreement:n=2,3,unit=word;timeout(hold-n(n=2)):after_ms=100,200,chunk=250; offline"
    )
    assert [str(setting) for setting in grid] == [
        "local-agreement n=2 unit=word",
        "local-agreement n=3 unit=word",
        "timeout(hold-n(n=2)) after_ms=100 chunk=250",
        "timeout(hold-n(n=2)) after_ms=200 chunk=250",
        "offline",
    ]
    assert [setting.chunk_ms for setting in grid] == [None, None, 250, 250, None]
    assert grid[0].make().n == 2
    assert grid[0].curve == "local-agreement unit=word"
    assert grid[2].curve == "timeout(hold-n) chunk=250"
    assert grid[4].curve == "offline"
    assert parse_grid("hold-n:n=2,chunk=250")[0].curve == "hold-n"


@pytest.mark.parametrize(
    ("grid", "error", "told"),
    [
        ("", UsageError, "empty"),
        ("hold-n:2,3", UsageError, "POLICY:NAME=VALUE"),
        ("hold-n:n=2,n=3", UsageError, "twice"),
        ("hold-n:n=2,chunk=soon", UsageError, "milliseconds"),
        ("hold-m:n=2", PolicyError, "hold-n"),
        ("hold-n:n=-1", PolicyError, "at least 0"),
    ],
)
def test_wrong_grids_are_named(grid, error, told):
    with pytest.raises(error, match=told):
        parse_grid(grid)


def test_the_default_grid_has_every_policy_at_three_settings():
    whole = default_grid(frozenset(Need))
    for name in policy_names():
        settings = {
            s for s in whole if name in str(s).replace("(", " ").replace(")", " ").replace(",", " ").split()
        }
        assert len(settings) >= (1 if name == "offline" else 3), name
    few = default_grid(frozenset({Need.TOKENS}))
    assert few
    assert all(setting.make().needs <= {Need.TOKENS} for setting in few)


# Runs.


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


# Curves and the command.


@pytest.fixture
def table(tmp_path):
    rows = ["id\tfile\ttext\tde"]
    for name in "ab":
        talk(tmp_path / f"{name}.wav")
        rows.append(f"{name}\t{name}.wav\t{SOURCE}\t{REFERENCE}")
    path = tmp_path / "list.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_command_writes_curves_that_need_nothing_else(table, tmp_path):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "out"
    code, out, err = command("sweep", table, "--grid", GRID, "-o", folder)
    assert code == 0, err
    assert "hold-n" in out
    assert "3 s LAAL" in out
    page = (folder / "curves.html").read_text(encoding="utf-8")
    assert page.count("<svg") > 5
    assert page.count("<title>hold-n n=1: ") >= 4
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    png = (folder / "curves.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 20_000
    assert len((folder / "results.jsonl").read_text(encoding="utf-8").splitlines()) == len(parse_grid(GRID))


def test_results_as_json_name_the_best(table):
    code, out, _ = command("sweep", table, "--grid", GRID, "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found["best"]) == {"1", "2", "3"}
    assert len(found["points"]) == len(parse_grid(GRID))
    assert not found["pseudo_references"]


def test_pseudo_references_are_announced_and_offline_is_added(table):
    code, out, err = command("sweep", table, "--grid", "hold-n:n=1", "--json", "--pseudo-references")
    found = json.loads(out)
    assert code == 0
    assert "pseudo-references" in err
    assert [p["policy"] for p in found["points"]] == ["offline", "hold-n"]
    assert found["points"][0]["scores"]["chrF"] == pytest.approx(100)


def test_long_form(table, tmp_path):
    segments = tmp_path / "segments.tsv"
    first, second = TEXT.split(". ")
    segments.write_text(f"id\tstart\tend\ttext\n1\t0\t3\t{first}.\n2\t3\t6\t{second}\n", encoding="utf-8")
    code, out, err = command(
        "sweep", table, "--limit", "1", "--segmentation", segments, "--grid", "offline;hold-n:n=1", "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["latency"] == "LongLAAL (CU)"
    assert found["points"][0]["scores"]["BLEU"] == pytest.approx(100)
    assert "LongYAAL (CU)" in found["points"][1]["scores"]


def test_wrong_use_is_named(table, tmp_path):
    assert command("sweep", table, "--jobs", "0")[0] == ExitCode.USAGE
    assert command("sweep", table, "--resume")[0] == ExitCode.USAGE
    assert command("sweep", table, "--no-model")[0] == ExitCode.USAGE
    assert command("sweep", table, "--grid", "hold-n:m=3")[0] == ExitCode.USAGE
    assert command("sweep")[0] == ExitCode.USAGE
    (table.parent / "b.wav").unlink()
    code, _, err = command("sweep", table, "--grid", "offline")
    assert code == ExitCode.PARTIAL
    assert "1 of 2 recordings are missing" in err


def test_settings_can_be_told_apart():
    assert Setting("hold-n", (("n", "2"),)) != Setting("hold-n", (("n", "2"),), 250)


CURVES = (
    "sliding-window:window_ms=5000,10000", "hold-n:n=1,2", "local-agreement:n=2,3", "word-hold:release_ms=100,200",
    "align-att:distance_ms=100,200", "align-bridge:margin_ms=100,200", "sp-n:n=1,2", "pause:silence_ms=90,180",
    "token-confidence:threshold=0.2,0.3",
)  # fmt: skip


def with_curves(count: int) -> SweepResult:
    """A sweep of `count` policies at two settings each, the better ones slower; the first takes text back."""
    settings = parse_grid(";".join(["offline", *CURVES[:count]]))
    points = [
        Point(setting, {"chrF": 50.0 + i, "LAAL (CU)": 1000.0 + 10 * i}, {"erased": 0.0})
        for i, setting in enumerate(settings)
    ]
    return SweepResult(points, "chrF", "LAAL (CU)", pseudo=False)


def test_many_curves_are_drawn_one_by_one_and_few_in_one_plot(tmp_path):
    few, many = with_curves(3), with_curves(9)
    assert draw(few, "LAAL (CU)", "chrF").count('class="line c') == 3 + 1
    assert draw(many, "LAAL (CU)", "chrF").count('class="line c') == 1 + 1
    panels = draw_panels(many, "LAAL (CU)", "chrF")
    assert panels.count("<svg") == 9
    assert panels.count('class="line c') == 9
    assert panels.count('class="dot cn pale"') == 9 * 2 * 9
    for drawn, found in ((few, 0), (many, 1)):
        write_html(drawn, tmp_path / "page.html", "A sweep")
        assert (tmp_path / "page.html").read_text(encoding="utf-8").count("Policy by policy") == found


def test_the_best_of_append_only_policies_leaves_out_those_that_take_text_back():
    points = with_curves(3).points
    placed = [(p.scores["LAAL (CU)"], p.scores["chrF"], p) for p in points]
    worse = (2000.0, 1.0, points[-1])
    assert _front([*placed, worse]) == [
        (x, y) for x, y, point in placed if point.setting.policy != "sliding-window"
    ]
