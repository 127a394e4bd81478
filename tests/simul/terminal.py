"""A small terminal: replays the escape sequences that `simul.cli.view.render` uses, to see what stays on the screen."""

import re

_SEQUENCES = re.compile(r"\x1b\[(\d*)([A-Za-z])|(\n)|(\r)|([^\x1b])")


def replay(output, width):
    """The lines left on the screen after `output`; trailing blank ones are left away."""
    rows, row, column = [[]], 0, 0
    for number, code, newline, back, character in _SEQUENCES.findall(output):
        if newline:
            row, column = row + 1, 0
        elif back:
            column = 0
        elif code == "A":
            row -= int(number or 1)
        elif code == "C":
            column += int(number or 1)
        elif code == "J":
            del rows[row + 1 :]
            del rows[row][column:]
        elif character:
            assert column < width, "the line runs over the edge of the terminal"
            line = rows[row]
            line += [" "] * (column + 1 - len(line))
            line[column] = character
            column += 1
        assert row >= 0
        rows += [[] for _ in range(row + 1 - len(rows))]
    lines = ["".join(line).rstrip() for line in rows]
    while lines and not lines[-1]:
        lines.pop()
    return lines
