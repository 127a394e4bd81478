"""Drawing on a terminal: what is redrawn leaves no trace, what is settled stays as it was written."""

import io

from hypothesis import given
from hypothesis import strategies as st

from simul.cli.view.render import (
    DIM,
    GREEN,
    PLAIN,
    Screen,
    bar,
    cell_width,
    clock_text,
    fit,
    fit_parts,
    meter,
    wrap,
)
from tests.simul.terminal import replay

TEXT = st.text("abcdefg hijkl mnop. ", max_size=120)


def screen(width=30):
    out = io.StringIO()
    return Screen(out, False, lambda: width), out


def test_the_tail_is_replaced_and_the_status_stays_below():
    view, out = screen()
    view.write("Guten")
    view.draw([(" Mor", DIM)], [("bar", PLAIN)])
    assert replay(out.getvalue(), 30) == ["Guten Mor", "bar"]
    view.draw([(" Tag allerseits", DIM)], [("status", PLAIN)])
    assert replay(out.getvalue(), 30) == ["Guten Tag allerseits", "status"]
    view.write(" Tag.")
    view.end_line()
    view.draw([], [("bar", PLAIN)])
    assert replay(out.getvalue(), 30) == ["Guten Tag.", "bar"]
    view.clear()
    assert replay(out.getvalue(), 30) == ["Guten Tag."]


@given(st.lists(st.tuples(TEXT, TEXT, st.booleans()), max_size=12), st.integers(20, 60))
def test_only_settled_text_is_left(steps, width):
    view, out = screen(width)
    settled = ""
    for text, tail, line_ends in steps:
        view.draw([(tail, DIM)], [("x" * 80, PLAIN)])
        view.write(text)
        settled += text
        view.draw([(tail, DIM)], [("x" * 80, PLAIN)])
        if line_ends:
            view.end_line()
            settled += "\n"
    view.end_line()
    view.clear()
    left = replay(out.getvalue(), width)
    assert "".join("".join(left).split()) == "".join(settled.split())


@given(st.text("abc äö漢字かな ", max_size=80), st.integers(0, 15), st.integers(20, 40))
def test_wrapped_lines_stay_inside_and_lose_nothing_but_blanks(text, column, width):
    lines, end = wrap(text, column, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert column + cell_width(lines[0]) < width or not lines[0]
    assert all(cell_width(line) < width for line in lines[1:])
    assert end == cell_width(lines[-1]) + (column if len(lines) == 1 else 0)


def test_words_are_kept_whole():
    assert wrap("eins zwei drei", 12, 20)[0] == ["eins ", "zwei drei"]


def test_widths():
    assert (cell_width("ä"), cell_width("漢字"), cell_width("e\u0301"), cell_width("\x1b")) == (1, 4, 1, 0)
    assert fit("abcdef", 4) == "abc…"
    assert fit("漢字漢字", 5) == "漢字…"
    assert (
        "".join(text for text, _ in fit_parts([("abc", PLAIN), ("def", GREEN), ("ghi", DIM)], 5)) == "abcd…"
    )


def test_bar_meter_and_clock():
    assert "".join(text for text, _ in bar(0.5, 10)) == "━━━━━─────"
    assert len("".join(text for text, _ in bar(7, 10))) == 10
    drawn = "".join(text for text, _ in meter(-30, -6, 20))
    assert (drawn.count("█"), drawn.index("│")) == (10, 17)
    assert "".join(text for text, _ in meter(-120, -120, 10)) == "·" * 10
    assert [clock_text(s) for s in (0, 61.9, 3600, 37_230)] == ["0:00", "1:01", "1:00:00", "10:20:30"]
