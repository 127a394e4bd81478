"""Drawing on a terminal: what is redrawn leaves no trace, what is settled stays, what matters is never cut."""

import io
import os
import pty
import signal
import termios

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from simul.cli.view.live import CaptionPanel, StatusOutput, TerminalOutput
from simul.cli.view.screen import Screen
from simul.cli.view.status import FileStatus, MicrophoneStatus, Piece, Status, bar, clock_text, meter
from simul.clock import VirtualClock
from simul.session.drive import Step
from simul.session.events import Retract, SegmentEnd, Settled, Tail
from tests.simul.terminal import replay

TEXT = st.text("abcdefg hijkl mnop. ", max_size=120)
SECOND = 16_000


def screen(width=30, file=None, stop=lambda: None):
    file = io.StringIO() if file is None else file
    return Screen(lambda: Console(file=file, force_terminal=True, width=width, _environ={}), stop), file


def step(*events, samples=SECOND, level=0.1, arrived=5 * SECOND, behind=0.25):
    sound = None if samples is None else np.full(samples, level, np.float32)
    return Step(sound, list(events), arrived, 0.0, arrived / SECOND + behind)


def settled(text, **more):
    return Settled(0, text, (text,), 0, 6.0, **more)


def tail(text):
    return Tail(0, text, 0, 0.0, "what is heard")


def segment(text):
    return SegmentEnd(0, 0, SECOND, text, "pause", 0, 0.0, "what is heard")


def nothing(step):
    return Status((Piece(Text("status")),))


def test_the_tail_is_replaced_and_the_status_stays_below():
    view, out = screen()
    shown = TerminalOutput(view, nothing)
    shown.step(step(settled(" Guten"), tail(" Mor")))
    assert replay(out.getvalue(), 30) == ["Guten Mor", "status"]
    shown.step(step(tail(" Tag allerseits")))
    assert replay(out.getvalue(), 30) == ["Guten Tag allerseits", "status"]
    shown.step(step(settled(" Tag."), segment("Guten Tag.")))
    assert replay(out.getvalue(), 30) == ["Guten Tag.", "status"]
    shown.close()
    assert replay(out.getvalue(), 30) == ["Guten Tag."]


def test_full_lines_scroll_away_while_the_segment_goes_on():
    view, out = screen(20)
    shown = TerminalOutput(view, nothing)
    shown.step(step(settled("eins zwei drei vier fünf sechs sie"), tail("ben")))
    above = out.getvalue().partition("status")[0]
    assert replay(above, 20) == ["eins zwei drei vier", "fünf sechs sieben"]
    shown.step(step(settled("benundsiebzig"), tail("")))
    assert replay(out.getvalue(), 20) == ["eins zwei drei vier", "fünf sechs", "siebenundsiebzig", "status"]


def test_a_policy_that_revises_keeps_its_segment_open():
    view, out = screen(20)
    shown = TerminalOutput(view, nothing, revises=True)
    shown.step(step(settled(" eins zwei drei vier fünf sechs")))
    shown.step(step(Retract(0, 11, 1, 0, 0.0), settled(" 5")))
    shown.close()
    assert replay(out.getvalue(), 20) == ["eins zwei drei vier", "5"]


@given(st.lists(st.tuples(TEXT, TEXT, st.booleans()), max_size=12), st.integers(20, 60), st.booleans())
def test_only_settled_text_is_left_and_all_of_it(steps, width, captions):
    view, out = screen(width)
    shown = CaptionPanel(view, "en", nothing, False) if captions else TerminalOutput(view, nothing)
    written, segments = "", [""]
    for text, coming, ends in steps:
        shown.step(step(settled(text), tail(coming)))
        segments[-1] += text
        if ends:
            shown.step(step(segment(segments[-1])))
            segments.append("")
    shown.close()
    left = replay(out.getvalue(), width)
    written = "".join(segments)
    kept = "".join("".join(line[9:] if captions else line for line in left).split())
    assert kept == "".join(written.split())


def test_the_panel_shows_source_settled_text_and_tail_and_leaves_no_border():
    view, out = screen(60)
    shown = CaptionPanel(view, "en → de", nothing)
    shown.step(step(settled("Guten"), tail(" Tag")))
    drawn = "\n".join(replay(out.getvalue(), 60))
    assert all(text in drawn for text in ("en → de", "what is heard", "Guten Tag", "status", "╭", "╯"))
    shown.step(step(settled(" Morgen."), segment("Guten Morgen.")))
    shown.close()
    assert replay(out.getvalue(), 60) == ["   0:00  what is heard", "         Guten Morgen."]


HOUR = 3723 * SECOND


@pytest.mark.parametrize("width", [40, 80])
def test_lag_and_warning_are_never_cut(width):
    """At 40 and 80 columns, an hour into the stream, in the panel and below plain text."""
    for output in (CaptionPanel, TerminalOutput, StatusOutput):
        view, out = screen(width)
        status = MicrophoneStatus()
        shown = output(view, "en → de", status) if output is CaptionPanel else output(view, status)
        for _ in range(8):
            shown.step(step(settled("Guten", spans=((0, 4 * SECOND),)), level=0.0, arrived=HOUR))
        text = "\n".join(replay(out.getvalue(), width))
        needed = ["NO SIGNAL: is it muted?", "1:02:03", "0.2 s behind"]
        if output is CaptionPanel:
            needed += ["lag", " 2.0 s", *(["▰▰▰▰▱"] if width == 80 else [])]
        assert [part for part in needed if part not in text] == []
        assert "…" not in text
        shown.step(step(level=1.0, arrived=HOUR))
        assert "CLIPPED: turn it down" in "\n".join(replay(out.getvalue(), width))


@pytest.mark.parametrize("width", [40, 80])
def test_lag_is_not_cut_behind_the_position_in_a_file(width):
    view, out = screen(width)
    shown = CaptionPanel(view, "en → de", FileStatus("", 2 * HOUR, True, VirtualClock()))
    shown.step(step(settled("Guten", spans=((0, SECOND),)), arrived=HOUR, behind=12.25))
    line = replay(out.getvalue(), width)[-2]
    assert "…" not in line
    assert all(part in line for part in ("1:02:03", "12.2 s behind", "lag", " 5.0 s"))
    assert ("▰" in line) is (width == 80)


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("paced", [False, True])
def test_the_position_in_a_file_is_never_cut(width, paced):
    clock = VirtualClock()
    status = FileStatus("travel", 3600 * SECOND, paced, clock)
    clock.advance(2.0)
    lines = [text.plain for text in status(step(arrived=1800 * SECOND)).lines(width)]
    assert len(lines) == 1
    assert "30:00 / 1:00:00" in lines[0]
    assert ("0.2 s behind" if paced else "900.0×") in lines[0]
    assert ("━" in lines[0], len(lines[0]) <= width) == (width == 80, True)


@given(st.lists(st.tuples(st.text("abc", min_size=1, max_size=30), st.integers(0, 3)), max_size=6))
def test_needed_pieces_stay_and_others_fill_what_is_left(pieces):
    status = Status(tuple(Piece(Text(text), spare) for text, spare in pieces))
    shown = "".join(text.plain for text in status.lines(40))
    needed = "".join(text for text, spare in pieces if not spare)
    assert len(shown) <= 40
    if len(needed) <= 40:
        assert "…" not in shown
        assert len(shown) >= len(needed)
        least = min((len(text) for text, spare in pieces if spare and text not in shown), default=41)
        assert len(shown) + least > 40


def test_bar_meter_and_clock():
    assert bar(0.5, 10).plain == "━━━━━─────"
    assert len(bar(7, 10)) == 10
    drawn = meter(-30, -6, 20).plain
    assert (drawn.count("█"), drawn.index("│")) == (10, 17)
    assert meter(-120, -120, 10).plain == "·" * 10
    assert [clock_text(s) for s in (0, 61.9, 3600, 37_230)] == ["0:00", "1:01", "1:00:00", "10:20:30"]


def test_a_screen_closed_and_drawn_on_again_erases_nothing_above():
    view, out = screen()
    view.draw(Text("one\ntwo\nthree"))
    view.print("kept")
    view.close()
    view.print("more")
    view.draw(Text("again"))
    view.close()
    assert replay(out.getvalue(), 30) == ["kept", "more"]


@pytest.fixture
def terminal():
    """A pseudo-terminal: the file that programs write to, and a function that reads what arrived."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as file:

        def read():
            print("#", file=file, flush=True)
            arrived = ""
            while "#" not in arrived:
                arrived += os.read(master, 100_000).decode()
            return arrived.partition("#")[0]

        yield file, read, master
    os.close(master)


def echoes(file):
    return bool(termios.tcgetattr(file.fileno())[3] & termios.ECHO)


def test_keys_are_not_echoed_while_something_is_drawn(terminal, monkeypatch):
    file, read, keys = terminal
    monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp())
    view, _ = screen(30, file)
    view.print("before")
    assert echoes(file)
    view.draw(Text("drawn"))
    assert not echoes(file)
    os.write(keys, b"typed\n")
    assert os.read(file.fileno(), 100) == b"typed\n"
    view.print("kept")
    view.close()
    assert echoes(file)
    assert replay(read(), 30) == ["before", "kept"]


def test_the_terminal_is_left_alone_from_the_background(terminal, monkeypatch):
    """Changing it would stop a process that runs in the background."""
    file = terminal[0]
    monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
    view, _ = screen(30, file)
    view.draw(Text("drawn"))
    assert echoes(file)
    view.close()


@pytest.fixture
def default_signals():
    """A terminal's shell leaves these to the program; whatever runs the tests may not."""
    before = [(number, signal.signal(number, signal.SIG_DFL)) for number in (signal.SIGTSTP, signal.SIGCONT)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.usefixtures("default_signals")
def test_ctrl_z_takes_the_drawing_away_and_going_on_brings_it_back():
    seen = []
    view, out = screen(30, stop=lambda: seen.append(replay(out.getvalue(), 30)))
    view.print("kept")
    view.draw(Text("drawn\ntwice"))
    signal.raise_signal(signal.SIGTSTP)
    assert seen == [["kept"]]
    assert replay(out.getvalue(), 30) == ["kept", "drawn", "twice"]
    assert signal.getsignal(signal.SIGTSTP) == view._told
    view.close()
    assert replay(out.getvalue(), 30) == ["kept"]
    assert signal.getsignal(signal.SIGTSTP) == signal.getsignal(signal.SIGCONT) == signal.SIG_DFL


@pytest.mark.usefixtures("default_signals")
def test_ctrl_z_within_a_write_waits_for_its_end():
    seen = []

    class Interrupted(io.StringIO):
        def write(self, text):
            if "now" in text and not seen:
                seen.append("pressed")
                signal.raise_signal(signal.SIGTSTP)
            return super().write(text)

    view, out = screen(30, Interrupted(), stop=lambda: seen.append(replay(out.getvalue(), 30)))
    view.draw(Text("first"))
    view.draw(Text("now"))
    assert seen == ["pressed", []]
    assert replay(out.getvalue(), 30) == ["now"]
    view.close()


@pytest.mark.usefixtures("default_signals")
def test_after_a_stop_nobody_was_told_of_all_is_drawn_below():
    view, out = screen(30)
    view.draw(Text("drawn\ntwice"))
    out.write("\nstopped by somebody\n")
    signal.raise_signal(signal.SIGCONT)
    view.draw(Text("new"))
    assert replay(out.getvalue(), 30) == ["drawn", "twice", "stopped by somebody", "new"]
    view.close()
