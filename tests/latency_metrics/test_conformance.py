"""The conformance run: agreement with the vectors, and that a wrong value is seen and reported."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.latency_metrics.conformance.__main__ import main, run_file
from tests.latency_metrics.conformance.tally import Tally
from tests.vectors import VECTORS, metric_vectors


def test_every_vector_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    status = main([str(VECTORS / "metrics")])
    printed = capsys.readouterr().out
    assert status == 0, printed
    agreed, total = printed.splitlines()[-1].removeprefix("all files: ").removesuffix(" agreed").split(" / ")
    assert int(agreed) == int(total) >= 9900


@pytest.mark.parametrize("name", ["shortform", "longform_en-usual", "mwer", "simulstream_logs", "alignment"])
def test_one_wrong_value_is_one_disagreement(name: str, tmp_path: Path) -> None:
    ((_, data),) = metric_vectors(name)
    if name == "shortform":
        data["instances"][3]["expected"]["omnisteval"]["YAAL"] += 1e-4
    elif name == "longform_en-usual":
        data["expected"]["resegmented"][2]["emission_ca"][0] += 0.01
    elif name == "mwer":
        data["cases"][1]["expected"]["units_per_segment"][0] += 1
    elif name == "simulstream_logs":
        data["cases"][0]["expected"]["normalized_erasure"] += 1e-6
    else:
        data["cases"][0]["expected"]["ops"] += "I"
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    tally = run_file(path)
    assert tally is not None
    assert tally.total - tally.agreed == 1
    assert tally.first is not None


def test_exit_status_and_first_disagreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = {"id": "mine", "refs": ["a b", "c"], "hyp": "a b c", "expected": {"units_per_segment": [1, 2]}}
    (tmp_path / "mwer.json").write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "mwer.json: 0 / 1 agreed" in printed
    assert "mine: ([2, 1], 0) instead of ([1, 2], 0)" in printed
    assert "manifest" not in printed


def test_a_folder_without_vectors_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "holds no vector files" in capsys.readouterr().err


def test_tally_rules() -> None:
    tally = Tally()
    tally.value("nan wanted", None, "NaN")
    tally.value("nan wanted", float("nan"), "NaN")
    tally.value("tool gave up", None, {"error": "ZeroDivisionError"})
    tally.value("close", 1.0 + 1e-12, 1.0)
    assert (tally.agreed, tally.total, tally.first) == (4, 4, None)
    tally.value("far", 1.0 + 1e-6, 1.0)
    tally.value("value wanted", None, 1.0)
    tally.value("nan wanted", 1.0, "NaN")
    assert (tally.agreed, tally.total) == (4, 7)
    assert tally.first is not None
    assert tally.first.startswith("far")


def test_random_vectors_of_the_peers_themselves_agree(tmp_path: Path) -> None:
    """Runs where PEERS_PYTHON names an interpreter that has the peers; they make the expected values afresh."""
    python = os.environ.get("PEERS_PYTHON")
    if not python:
        pytest.skip(
            "set PEERS_PYTHON to an interpreter with OmniSTEval, simuleval, simulstream and mweralign"
        )
    script = Path(__file__).with_name("make_peer_vectors.py")
    subprocess.run([python, str(script), str(tmp_path), "--seed", "11", "--size", "5"], check=True)
    assert main([str(tmp_path)]) == 0
