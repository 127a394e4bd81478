"""The reference of all policies as Markdown, made from the registry.

python -m policies.reference docs/policies.md    rewrites the part of the file between its two marks
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from policies.parameters import Parameter
from policies.registry import PolicyInfo, describe, make_policy

BEGIN, END = "<!-- policies: begin -->", "<!-- policies: end -->"


def reference() -> str:
    """One section per policy: description, evidence, an expression, parameters."""
    return "\n\n".join(_section(info) for info in describe())


def _section(info: PolicyInfo) -> str:
    policy = make_policy(info.example)
    needs = ", ".join(sorted(need.value for need in policy.needs))
    lines = [f"### {info.name}", "", info.text, "", f"Evidence: {needs}. Example: `{info.example}`."]
    if info.parameters:
        lines += ["", "| parameter | values | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [_row(p) for p in info.parameters]
    return "\n".join(lines)


def _row(p: Parameter) -> str:
    default = (
        str(p.default).lower()
        if p.type == "bool"
        else f"{p.default:g}"
        if p.type == "float"
        else str(p.default)
    )
    return f"| `{p.name}` | {p.expected()} | {default} | {p.help} |"


def updated(text: str) -> str:
    """`text` with the part between the marks made anew.

    Raises:
        ValueError: the marks are missing.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"The file lacks the marks {BEGIN} and {END}; add them where the reference is to stand."
        )
    return f"{head}{BEGIN}\n\n{reference()}\n\n{END}{tail}"


def main() -> int:
    """Rewrite the reference in the file given on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m policies.reference", description="Write the policies' reference."
    )
    parser.add_argument("file", type=Path, help="a Markdown file with the two marks")
    path = parser.parse_args().file
    try:
        path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
