"""Grids of policies and settings: how they are written, and one that covers every policy a backend can serve."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.base import Need, Policy
from policies.registry import make_policy
from simul.errors import UsageError

CHUNK = "chunk"
"""The key of a grid that sets the audio between two decisions, in ms; no policy has a parameter of that name."""


@dataclass(frozen=True)
class Setting:
    """One point of a grid: a policy (name or expression), its parameters, and the chunk in ms (None: the run's).

    fixed: the parameters, `chunk` among them, that the entry of the grid gives but one value.
    """

    policy: str
    args: tuple[tuple[str, str], ...] = ()
    chunk_ms: int | None = None
    fixed: frozenset[str] = field(default=frozenset(), compare=False)

    def make(self) -> Policy:
        """A new policy.

        Raises:
            PolicyError: there is no such policy or parameter, or a value does not fit.
        """
        return make_policy(self.policy, dict(self.args))

    @property
    def label(self) -> str:
        """The setting in short, such as "n=2 chunk=250"; empty for a policy without any."""
        parts = [f"{name}={value}" for name, value in self.args]
        if self.chunk_ms is not None:
            parts.append(f"{CHUNK}={self.chunk_ms}")
        return " ".join(parts)

    @property
    def curve(self) -> str:
        """What a curve is drawn of: the policy without numbers, its settings that are words, and the fixed ones."""
        plain = re.sub(r",?\s*[\w-]+=[^,()]*", "", self.policy).replace("()", "")
        given = [
            f"{name}={value}"
            for name, value in self.args
            if name in self.fixed or not re.fullmatch(r"[-+.\d]+", value)
        ]
        chunk = [f"{CHUNK}={self.chunk_ms}"] if CHUNK in self.fixed else []
        return " ".join([re.sub(r"\s+", "", plain), *given, *chunk])

    def __str__(self) -> str:
        return f"{self.policy} {self.label}".strip()


def parse_grid(text: str) -> list[Setting]:
    """The settings of a grid such as "local-agreement:n=2,3,4;wait-k:unit=word,k=3,5,7;offline".

    Entries are divided by semicolons; an entry is a policy, which may be an expression, and after a colon its
    parameters with one or more values each, all of whose combinations are taken. The key `chunk` sets the audio
    between two decisions in ms.

    Raises:
        UsageError: an entry cannot be read.
        PolicyError: there is no such policy or parameter, or a value does not fit.
    """
    settings: dict[Setting, None] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        policy, rest = _halves(entry)
        axes = _axes(rest, entry)
        several = any(len(values) > 1 for values in axes.values())
        fixed = frozenset(name for name, values in axes.items() if several and len(values) == 1)
        for values in itertools.product(*axes.values()):
            args = dict(zip(axes, values, strict=True))
            chunk = args.pop(CHUNK, None)
            if chunk is not None and not re.fullmatch(r"[1-9]\d*", chunk):
                raise UsageError(f"The chunk {chunk!r} in {entry!r} is no number of milliseconds.")
            setting = Setting(
                policy.strip(), tuple(args.items()), None if chunk is None else int(chunk), fixed
            )
            setting.make()
            settings[setting] = None
    if not settings:
        raise UsageError("The grid is empty; give for example local-agreement:n=2,3,4;hold-n:n=2,4,6.")
    return list(settings)


_OWN_NAME = re.compile(r"[\w.]*:[A-Za-z_][\w.]*(?=\s*(?:$|[:(,)]))")
"""A policy of one's own, MODULE:CLASS; what follows the colon is no parameter."""


def _halves(entry: str) -> tuple[str, str]:
    """The policy, and its parameters behind the first colon that is not within the name of one's own policy."""
    own = [match.span() for match in _OWN_NAME.finditer(entry)]
    for match in re.finditer(":", entry):
        if not any(start <= match.start() < end for start, end in own):
            return entry[: match.start()], entry[match.end() :]
    return entry, ""


def _axes(text: str, entry: str) -> dict[str, list[str]]:
    """The values of each parameter: "unit=word,k=1,3" gives {"unit": ["word"], "k": ["1", "3"]}."""
    axes: dict[str, list[str]] = {}
    name = ""
    for piece in filter(None, (part.strip() for part in text.split(","))):
        before, equals, value = piece.partition("=")
        if equals:
            name = before.strip()
            if name in axes:
                raise UsageError(f"The grid entry {entry!r} gives {name} twice; list its values: {name}=1,2.")
            axes[name] = [value.strip()]
        elif name:
            axes[name].append(piece)
        else:
            raise UsageError(f"The grid entry {entry!r} cannot be read; write POLICY:NAME=VALUE,VALUE.")
    return axes


DEFAULT: Sequence[str] = (
    "offline",
    "greedy:frame_ms=500,1000,2000",
    "wait-k:unit=word,k=1,3,5,8,12",
    "wait-k:unit=chunk,k=3,6,9,15",
    "wait-k:unit=ctc-word,k=1,3,5,8",
    "local-agreement:n=1,2,3,4",
    "local-agreement:n=2,unit=word,compare=normalized,chunk=250,500,1000",
    "hold-n:n=0,2,4,6,9",
    "hold-n:n=4,6,8,chunk=250",
    "sp-n:n=1,2,3",
    "token-confidence:threshold=0.2,0.3,0.4,0.5,0.7,0.85",
    "token-confidence:threshold=0.2,0.3,0.4,0.5,chunk=250",
    "align-bridge:margin_ms=0,400,800,1500,2500",
    "align-att:distance_ms=200,400,800,1600",
    "edatt:alpha=0.6,0.2,0.1,0.05",
    "edatt:last_ms=400,alpha=0.6,0.2,0.1,0.05",
    "stream-att(local-agreement(n=2), audio=times):keep=5,20,40",
    "stream-att(align-att):keep=5,20,40",
    "confidence-aware:confidence_threshold=0.5,0.7,0.9",
    "consensus:consensus_threshold=0.5,0.75,0.9",
    "segment-confidence:threshold=-1,-0.5,-0.3",
    "pause:silence_ms=90,180,270",
    "sliding-window:window_ms=5000,10000,15000",
    "timeout(local-agreement(n=3)):after_ms=1500,3000,5000",
    "gate(local-agreement(n=2)):silence_ms=90,180,270",
    "loop-guard(local-agreement(n=2)):repeats=2,3,4",
    "then(local-agreement(n=2), word-hold(release_ms=100));then(local-agreement(n=2), word-hold(release_ms=300));"
    "then(local-agreement(n=2), word-hold(release_ms=600))",
    "then(local-agreement(n=2), phrase-hold(words=2));then(local-agreement(n=2), phrase-hold(words=3));"
    "then(local-agreement(n=2), phrase-hold(words=5))",
    "then(hold-n(n=2), punctuation-hold(release_ms=100));then(hold-n(n=2), punctuation-hold(release_ms=300));"
    "then(hold-n(n=2), punctuation-hold(release_ms=600))",
    "all-of(local-agreement(n=2), hold-n(n=1));all-of(local-agreement(n=2), hold-n(n=2));"
    "all-of(local-agreement(n=2), hold-n(n=4))",
    "all-of(local-agreement(n=2), token-confidence(threshold=0.2)):chunk=250,500;"
    "all-of(local-agreement(n=2), token-confidence(threshold=0.3)):chunk=250,500;"
    "all-of(local-agreement(n=2), token-confidence(threshold=0.4)):chunk=250,500",
    "any-of(local-agreement(n=3), pause(silence_ms=90));any-of(local-agreement(n=3), pause(silence_ms=180));"
    "any-of(local-agreement(n=3), pause(silence_ms=270))",
    "switch(hold-n(n=4), local-agreement(n=2), measure=segment-ms):above=3000,6000,10000",
    "word-hold:release_ms=100,300,600",
    "punctuation-hold:release_ms=100,300,600",
)
"""Every policy at three or more settings; Offline has none."""


def default_grid(provides: frozenset[Need]) -> list[Setting]:
    """The settings of the default grid whose policies a backend with the evidence `provides` can serve."""
    settings = [setting for entries in DEFAULT for setting in parse_grid(entries)]
    return [setting for setting in settings if setting.make().needs <= provides]
