"""`simul text`: lines of text through a translator, whole or word by word under a policy."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from simul.cli.context import Context
from simul.cli.options import Parser
from simul.config import ModelConfig
from simul.errors import ExitCode, UsageError
from simul.languages import language_code
from simul.options import add_options, from_namespace

if TYPE_CHECKING:
    from policies.base import Policy
    from simul.evaluation.reading import Reading
    from simul.models.translation.interface import TextTranslator

STDIN = "-"


def parser() -> Parser:
    """The options of the command."""
    p = Parser(
        "text",
        "Translate text, one line out for each line in. With a policy, show for each line after how many source words "
        "what is written.",
    )
    p.add_argument(
        "files", nargs="*", metavar="FILE", help="text in UTF-8; standard input without any, or for -"
    )
    p.add_argument("--source", default="en", metavar="LANG", help="language of the text")
    p.add_argument(
        "--target",
        default="de",
        metavar="LANG[,LANG]",
        help="language to write; of several each has a column",
    )
    p.add_argument(
        "--policy", metavar="NAME", help="read word by word under this read/write policy (`simul policies`)"
    )
    p.add_argument(
        "--policy-arg",
        action="append",
        default=[],
        metavar="K=V",
        help="a parameter of the policy (repeatable)",
    )
    p.add_argument("--format", choices=("text", "json"), default="text", help="text, or one object a line")
    add_options(p, ModelConfig, "model", leave_out=("model", "asr", "crop"))
    return p


def run(arguments: list[str], context: Context) -> int:
    """Run the command."""
    given = parser().parse(arguments, context)
    given.source = language_code(given.source)
    targets = list(dict.fromkeys(language_code(code) for code in given.target.split(",") if code.strip()))
    if not targets or given.source in targets:
        raise UsageError(
            f"Give --target a language other than {given.source!r}, or several with commas between."
        )
    if given.policy_arg and not given.policy:
        raise UsageError("--policy-arg sets a parameter of a policy; name one with --policy.")
    policy = _policy(given) if given.policy else None
    translators = _translators(given, targets, policy, context)
    for number, line in enumerate(_lines(given.files or [STDIN], context), 1):
        if policy is None:
            _write_whole(number, line, given, translators, context)
        else:
            _write_reading(line, policy, given, translators, context.stdout)
        context.stdout.flush()
    return ExitCode.OK


def _policy(given: argparse.Namespace) -> Policy:
    """The policy; what it counts in units of the source it counts in words, unless it was told otherwise."""
    from policies.registry import make_policy
    from simul.config import StreamOptions

    values = StreamOptions(policy=given.policy, policy_arg=tuple(given.policy_arg)).policy_arguments()
    policy = make_policy(given.policy, values)
    if "unit" not in values and getattr(policy, "unit", "word") != "word":
        return make_policy(given.policy, {**values, "unit": "word"})
    return policy


def _translators(
    given: argparse.Namespace, targets: Sequence[str], policy: Policy | None, context: Context
) -> dict[str, TextTranslator]:
    """The translator for each target; says on standard error which they are."""
    from simul.backends.families import load_translators

    needs = policy.needs if policy else frozenset()
    parts = load_translators(from_namespace(ModelConfig, given), given.source, targets, needs)
    told: dict[str, list[str]] = {}
    for code, part in parts.items():
        told.setdefault(part.said, []).append(code)
    for said, codes in told.items():
        context.note(f"{given.source} to {', '.join(codes)}: {said}.")
    return {code: part.made for code, part in parts.items()}


def _lines(names: Sequence[str], context: Context) -> Iterator[str]:
    """The lines of the files, without their ends; standard input stays open."""
    for name in names:
        with contextlib.nullcontext(context.stdin) if name == STDIN else open(name, "rb") as raw:
            for number, line in enumerate(raw, 1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    what = "Standard input" if name == STDIN else name
                    raise UsageError(
                        f"{what} is not text in UTF-8 (line {number}); convert it first."
                    ) from error


def _write_whole(
    number: int,
    line: str,
    given: argparse.Namespace,
    translators: Mapping[str, TextTranslator],
    context: Context,
) -> None:
    """A line translated at once; says where it was in the target language already."""
    from simul.models.translation.interface import TextRequest
    from simul.text import join

    texts = {}
    for code, translator in translators.items():
        result = translator.translate([TextRequest(line, code)])[0]
        texts[code] = " ".join(join(result.tokens).split())
        if result.copied:
            context.note(f"Line {number} is {code} already, at least in part; that is left as it is.")
    if given.format == "json":
        _write_json({"source": line, "targets": texts}, context.stdout)
    else:
        context.stdout.write("\t".join(texts.values()) + "\n")


def _write_reading(
    line: str,
    policy: Policy,
    given: argparse.Namespace,
    translators: Mapping[str, TextTranslator],
    out: TextIO,
) -> None:
    """A line read word by word."""
    from simul.evaluation.reading import read_text

    readings = {
        code: read_text(line, policy, translator, given.source, code)
        for code, translator in translators.items()
    }
    if given.format == "json":
        told = {code: _as_json(reading) for code, reading in readings.items()}
        _write_json({"source": line, "policy": policy.name, "targets": told}, out)
        return
    for code, reading in readings.items():
        lag = "" if reading.laal is None else f"  (LAAL {reading.laal:.1f} words)"
        out.write(f"{given.source}  {line}\n{code}  {reading.target}{lag}\n")
        for row in _table(reading):
            out.write(row + "\n")
        out.write("\n")


def _table(reading: Reading) -> Iterator[str]:
    """Rows with the words read so far counted, those read since the last row, and what is written then."""
    rows, done = [], 0
    for step in reading.steps:
        taken = f"[-{step.removed}] " if step.removed else ""
        rows.append((step.read, " ".join(reading.source[done : step.read]), taken + step.text.strip()))
        done = max(done, step.read)
    width = min(48, max((len(words) for _, words, _ in rows), default=0))
    for read, words, text in rows:
        shown = words if len(words) <= width else "… " + words[2 - width :]
        yield f"{read:4}  {shown:<{width}}  {text}"


def _as_json(reading: Reading) -> dict[str, Any]:
    return {
        "text": reading.target,
        "steps": [asdict(step) for step in reading.steps],
        "delays": list(reading.delays),
        "laal": None if reading.laal is None else round(reading.laal, 3),
    }


def _write_json(value: Mapping[str, Any], out: TextIO) -> None:
    out.write(json.dumps(value, ensure_ascii=False) + "\n")
