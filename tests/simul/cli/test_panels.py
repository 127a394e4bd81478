"""The caption panel of several languages: each has its own lines, and all settled text stays."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console
from rich.text import Text

from simul.cli.view.panels import LanguagePanel
from simul.cli.view.screen import Screen
from simul.cli.view.status import Piece, Status
from simul.session.drive import Step
from simul.session.events import Event, SegmentEnd, Settled, Tail
from simul.units import SAMPLE_RATE
from tests.simul.terminal import replay

WIDTH = 60


def panel() -> tuple[LanguagePanel, io.StringIO]:
    out = io.StringIO()
    screen = Screen(lambda: Console(file=out, force_terminal=True, width=WIDTH, _environ={}), lambda: None)
    status = Status((Piece(Text("status")),))
    return LanguagePanel(screen, "en → de, es", lambda step: status, ("de", "es")), out


def step(*events: Event) -> Step:
    return Step(np.zeros(8000, np.float32), list(events), SAMPLE_RATE, 0.0, 1.0)


def settled(code: str, text: str) -> Settled:
    return Settled(0, text, (text,), SAMPLE_RATE, 1.0, stream=code, language=code)


def test_each_language_has_lines_of_its_own_and_what_is_settled_stays() -> None:
    shown, out = panel()
    shown.step(
        step(
            settled("de", "Guten"),
            Tail(0, " Tag", SAMPLE_RATE, 1.0, "Good day", stream="de", language="de"),
            settled("es", "Buenos"),
        )
    )
    drawn = "\n".join(replay(out.getvalue(), WIDTH))
    assert all(text in drawn for text in ("en → de, es", "Good day", "de  Guten Tag", "es  Buenos", "status"))
    end = SegmentEnd(0, 0, SAMPLE_RATE, "Guten Tag.", "pause", SAMPLE_RATE, 2.0, stream="de", language="de")
    shown.step(step(settled("de", " Tag."), end))
    shown.close()
    left = [line.split() for line in replay(out.getvalue(), WIDTH) if line.strip()]
    assert left == [["0:00", "de", "Guten", "Tag."], ["es", "Buenos"]]


def test_a_step_of_another_stream_changes_nothing() -> None:
    shown, out = panel()
    shown.step(step(settled("fr", "Bonjour")))
    shown.close()
    assert "Bonjour" not in out.getvalue()
