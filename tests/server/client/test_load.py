"""Clients that load a server: what they report is what the server said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.client.load import (
    ClientReport,
    LoadJob,
    ReplayedRecording,
    ServerUnreachableError,
    quantile,
    read_recording,
    run_load,
    to_report,
)
from simul.audio.wav import WavWriter
from simul.errors import SimulError
from tests.server.proof import expected
from tests.server.rig import noise
from tests.server.test_gateway import Served, run

AUDIO = noise(1.0, seed=7)
PCM = np.rint(AUDIO * 32768).astype("<i2").tobytes()
RECORDING = ReplayedRecording("a.wav", PCM, expected(AUDIO))


@pytest.mark.parametrize("protocol", ["native", "asr"])
def test_every_client_hears_its_recording(protocol: str) -> None:
    async def test(served: Served) -> None:
        job = LoadJob(f"ws://127.0.0.1:{served.port}", 3, protocol, "en", stagger=0.01)
        report = to_report(job, await run_load(job, [RECORDING]))
        assert (report["clients"], report["failed"], report["lost_samples"]) == (3, 0, 0)
        assert report["word_error_rate"] == 0
        assert [session["text"] for session in report["sessions"]] == [expected(AUDIO)] * 3
        assert all(session["finished"] >= 0 for session in report["sessions"])
        assert (report["computing_p95"] is None) == (protocol == "asr")
        assert [session["levels"] for session in report["sessions"]] == [0, 0, 0]

    run(test)


def test_a_refusal_is_in_the_report() -> None:
    async def test(served: Served) -> None:
        job = LoadJob(f"ws://127.0.0.1:{served.port}", 1, source="xx")
        report = to_report(job, await run_load(job, [RECORDING]))
        assert report["failed"] == 1
        assert "'xx'" in report["sessions"][0]["error"]

    run(test)


def test_no_server_is_said_in_a_sentence() -> None:
    async def test(served: Served) -> None:
        await served.gateway.stop()
        with pytest.raises(ServerUnreachableError, match="No client is let in at ws://"):
            await run_load(LoadJob(f"ws://127.0.0.1:{served.port}", 1), [RECORDING])

    run(test)


def test_a_recording_has_its_text_beside_it(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "talk.wav", 16_000) as wav:
        wav.write(AUDIO)
    (tmp_path / "talk.txt").write_text("What is said.", "utf-8")
    recording = read_recording(str(tmp_path / "talk.wav"))
    assert recording == ReplayedRecording("talk.wav", PCM, "What is said.")


def test_lags_are_summed_up() -> None:
    report = ClientReport("a", 1.0, lags=[0.3, 0.1, 0.2], computing=[0.1, 0.4])
    assert (report.summary()["computing_p50"], report.summary()["computing_p95"]) == (0.1, 0.4)
    assert report.summary()["lag_p50"] == 0.2
    assert report.summary()["lag_p95"] == 0.3
    assert quantile([], 0.5) is None
    assert quantile([4.0, 2.0, 3.0, 1.0], 0.5) == 2.0


def test_a_text_beside_a_recording_that_is_no_text_is_named(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "a.wav", 16_000) as wav:
        wav.write(AUDIO)
    (tmp_path / "a.txt").write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(SimulError, match=r"a\.txt, the text of .*a\.wav, cannot be read"):
        read_recording(str(tmp_path / "a.wav"))
