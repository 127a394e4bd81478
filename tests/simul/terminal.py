"""A terminal that keeps what scrolls away, to see what a drawing leaves on it."""

import pyte


def replay(output, width):
    """The lines left after `output`, with those that scrolled away; trailing blank ones are left out."""
    screen = pyte.HistoryScreen(width, 25, history=100_000, ratio=0.5)
    screen.set_mode(pyte.modes.LNM)  # "\n" also goes to the first column, as terminals are set for programs
    pyte.Stream(screen).feed(output)
    above = ["".join(row[column].data for column in range(width)) for row in screen.history.top]
    lines = [line.rstrip() for line in [*above, *screen.display]]
    while lines and not lines[-1]:
        lines.pop()
    return lines
