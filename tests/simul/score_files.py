"""Files for the tests of `simul score`: made-up recordings and utterances as the peers' logs have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.latency_metrics.report_runs import segments, system


def recordings(
    folder: Path, lag: float = 1500.0, errors: float = 0.2, name: str = "system"
) -> dict[str, str]:
    """Segmentation, references and one system's log of recordings; paths by what they are."""
    given = segments()
    segmentation, references = folder / "segments.json", folder / "references.txt"
    entries = [{"wav": s.recording, "offset": s.offset / 1000, "duration": s.duration / 1000} for s in given]
    segmentation.write_text(json.dumps(entries))
    references.write_text("".join(s.reference + "\n" for s in given))
    log = folder / f"{name}.log"
    lines = [
        {
            "index": i,
            "prediction": h.text,
            "delays": h.delays,
            "elapsed": h.elapsed,
            "source": [h.recording, "samplerate: 16000"],
            "source_length": 23000.0,
        }
        for i, h in enumerate(system(given, lag, errors))
    ]
    write_log(log, lines)
    return {"segmentation": str(segmentation), "references": str(references), "log": str(log)}


def write_log(path: Path, lines: list[dict[str, Any]]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def utterances(path: Path, count: int = 12, lag: float = 300.0) -> Path:
    """A log of utterances of 2 s, four words each."""
    lines = [
        {
            "index": i,
            "prediction": "eins zwei drei vier",
            "delays": [lag + 100.0 * i, lag + 600.0, lag + 900.0, 2000.0],
            "elapsed": [lag + 150.0 * i, lag + 700.0, lag + 1000.0, 2300.0],
            "reference": "eins zwei drei vier fünf\n",
            "source": [f"clip{i}.wav"],
            "source_length": 2000.0,
        }
        for i in range(count)
    ]
    write_log(path, lines)
    return path


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """The JSON objects of a log."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
