"""Changes one comparison, tie rule or sum of the segmenters at a time and checks that some test fails for each.

    python -m tests.segmenter.mutations

Works on a copy in a temporary folder. Exits with 1 when a change goes unnoticed. Left out because they change no
result: the comparison that picks the greater of two equal scores (`diag >= gap`, `best = ... > up`, `carry`), and
how many words make a character common (`COMMON`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MUTATIONS = [
    ("kernel.py", "if diag - margin >= gap", "if diag - margin > gap"),  # a match no longer wins a tie
    ("kernel.py", "if diag - margin >= gap", "if diag >= gap"),  # ... or wins it where it must not
    ("kernel.py", "np.uint8(DELETE) if up >= left", "np.uint8(DELETE) if up > left"),  # left before up
    ("kernel.py", "gap = up if up >= left else left", "gap = left if up >= left else up"),
    ("kernel.py", "best = diag if diag > up else up", "best = up"),
    ("kernel.py", "carry = peak[lane] if peak[lane] > carry else carry", "carry = peak[lane]"),
    ("kernel.py", "carry = column0[row]", "carry = 0.0"),
    ("kernel.py", "values[0] = column0[row]", "values[0] = values[0]"),
    ("kernel.py", "peak[:] = -np.inf", "peak[0] = -np.inf"),
    ("kernel.py", "step[x + 2 * quarter] << 4", "step[x + 2 * quarter] << 2"),
    ("kernel.py", "if hyp_punctuation[t] == punctuation else -np.inf", "if True else -np.inf"),
    ("kernel.py", "size + hyp_size[t] - shared[t]", "size + hyp_size[t]"),
    ("kernel.py", "union if union > 1", "union if union > 2"),
    ("kernel.py", "shared[rare[x]] += 1", "shared[rare[x]] = 1"),
    ("kernel.py", "shared[t] += members[t]", "shared[t] = members[t]"),
    ("kernel.py", "elif column == 0:", "elif column == 1:"),
    (
        "path.py",
        "advance(start, start + height, m, checkpoints[-1], none)",
        "kernel.to_lanes(checkpoints[-1], m)",
    ),
    (
        "path.py",
        "[*(token in scoring.apart for token in hyp_ids), -1]",
        "[*(False for token in hyp_ids), -1]",
    ),
    ("path.py", "column0[start + 1 : stop + 1]", "column0[start:stop]"),
    ("soft.py", "forced = to_next > to_last", "forced = to_next >= to_last"),
    ("soft.py", "if not forced:", "if True:"),
    ("soft.py", "last += 1\n        forced = False", "last += 1"),
    ("soft.py", "home = last + 1 if forced else last", "home = last"),
    ("soft.py", "home >= 0", "home > 0"),
    ("mwer.py", "margin=0.5", "margin=0.0"),
    ("mwer.py", "bonus=1.0", "bonus=0.0"),
    ("mwer.py", "-np.cumsum", "0.0 * np.cumsum"),
    ("mwer.py", "token.translate(_ASCII_LOWER)", "token.lower()"),
]
"""File of the package, text in it, what replaces its first occurrence."""


def survives(file: str, old: str, new: str) -> bool:
    """Whether all tests pass although the change was made."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for folder in ("segmenter", "tests/segmenter", "tests/vectors"):
            shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "tests/__init__.py"):
            shutil.copy(ROOT / name, copy / name)
        changed = copy / "segmenter" / file
        text = changed.read_text(encoding="utf-8")
        if old not in text:
            raise SystemExit(f"{file} no longer contains {old!r}: bring the list in {__file__} up to date.")
        changed.write_text(text.replace(old, new, 1), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": scratch}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "tests/segmenter"]
        return subprocess.run(command, cwd=copy, env=environment, capture_output=True).returncode == 0


def main() -> int:
    """Try every change and print what became of it."""
    unnoticed = 0
    for file, old, new in MUTATIONS:
        survived = survives(file, old, new)
        unnoticed += survived
        print(f"{'UNNOTICED' if survived else 'found    '} {file}: {old!r} -> {new!r}", flush=True)
    print(f"{len(MUTATIONS) - unnoticed} of {len(MUTATIONS)} changes found")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
