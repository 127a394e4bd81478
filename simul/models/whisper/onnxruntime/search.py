"""Greedy decoding and beam search over several windows at once, with checked drafts and stop rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from policies.base import StopRule
from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.features import STEP
from simul.models.whisper.interface import MAX_POSITIONS
from simul.models.whisper.onnxruntime.decoder import Network, OnnxBatch, OnnxWindow
from simul.models.whisper.onnxruntime.rules import OnnxRules, Text

Array = NDArray[np.float32]


@dataclass
class Path:
    """One text under way over a window, the log-probabilities of its new tokens, and the attention behind them.

    attention: pieces [heads, tokens, frames], one row for every token fed from the start token on, from which the next
    one was predicted. ended, stopped: see `Hypothesis`. judged: the prompt's stop rule is looked at on the way.
    """

    window: OnnxWindow
    text: Text
    no_speech: float
    attention: list[Array]
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False
    stopped: bool = False
    judged: bool = True

    @property
    def over(self) -> bool:
        """Whether nothing is to be added."""
        return self.ended or self.stopped or len(self.logprobs) >= self.text.prompt.room(MAX_POSITIONS)

    @property
    def score(self) -> float:
        """The mean log-probability of the text and, where it ended, of the end; the forced prefix counts as certain.

        Without the prefix, saying all of it again (each token probable) would beat ending it.
        """
        length = len(self.text.prompt.prefix) + len(self.logprobs)
        return sum(self.logprobs) / length if length else 0.0

    def push(self, token: int, logprob: float) -> None:
        """Write the token that the newest row of attention predicted."""
        end = self.text.tokens.end
        self.logprobs.append(logprob)
        if token == end:
            self.ended = True
            return
        self.text.written.append(token)
        rule = self.text.prompt.stop
        if rule is not None and token < end and self.judged:
            self.stopped = _met(rule, logprob, self.attention[-1][:, -1], self.window.content)

    def fork(self, token: int, logprob: float) -> Path:
        """A path that goes on with a token."""
        text = Text(self.text.prompt, self.text.tokens, [*self.text.written])
        other = replace(self, text=text, attention=[*self.attention], logprobs=[*self.logprobs])
        other.push(token, logprob)
        return other

    def hypothesis(self, beams: Sequence[Path] = ()) -> Hypothesis:
        """What was found; the window remembers it."""
        prompt, ids = self.text.prompt, self.text.written
        start = prompt.head[prompt.head.index(self.text.tokens.start) :]
        shown = np.concatenate(self.attention, axis=1)
        self.window.ids, self.window.attention = (*start, *ids), shown
        old = len(prompt.prefix)
        first = len(start) - 1 + old
        rows = shown[:, first : first + len(ids) - old, : self.window.content]
        return Hypothesis(
            tuple(ids[old:]),
            np.array(self.logprobs[: len(ids) - old], np.float64),
            self.ended,
            self.stopped,
            rows.mean(0),
            tuple(tuple(b.text.written[old:]) for b in beams),
            self.no_speech,
        )


def _met(rule: StopRule, logprob: float, attention: Array, content: int) -> bool:
    """Whether a token meets a stop rule; attention: [heads, frames]."""
    if rule.score_below is not None and logprob < rule.score_below:
        return True
    if rule.at_frame is None:
        return False
    return int(attention[:, :content].mean(0).argmax()) >= content + (-rule.at_frame // STEP)


def _begin(
    network: Network, rules: OnnxRules, windows: Sequence[OnnxWindow], prompts: Sequence[Prompt], drafts: bool
) -> tuple[OnnxBatch, list[Path], list[Array]]:
    """Feed the prompts; for each the path and the logits of what follows its last token.

    With `drafts`, those tokens of the prompts' drafts are taken over that the model writes itself; without, stop
    rules are left for later.
    """
    tokens = rules.tokens
    batch = OnnxBatch(network, windows)
    forced = [(*p.head, *p.prefix) for p in prompts]
    draft = [p.draft[: p.room(MAX_POSITIONS) - 1] if drafts else () for p in prompts]
    starts = [p.head.index(tokens.start) for p in prompts]
    wanted = [
        [start, *range(len(f) - 1, len(f) + len(d))]
        for start, f, d in zip(starts, forced, draft, strict=True)
    ]
    logits, attention = batch.feed([(*f, *d) for f, d in zip(forced, draft, strict=True)], wanted)
    paths, following, rejected = [], [], []
    for row, (window, prompt) in enumerate(zip(windows, prompts, strict=True)):
        speech, *rest = logits[row]
        first, lead = len(forced[row]) - 1, starts[row]
        shown = attention[row][:, lead : first + 1]
        path = Path(
            window,
            Text(prompt, tokens, [*prompt.prefix]),
            _share(speech, tokens.no_speech),
            [shown],
            judged=drafts,
        )
        taken = 0
        for token in draft[row]:
            scores = rules.logprobs(rest[taken], path.text)
            if int(scores.argmax()) != token:
                break
            path.push(token, float(scores[token]))
            if path.over:
                break
            taken += 1
            path.attention.append(attention[row][:, first + taken : first + taken + 1])
        paths.append(path)
        following.append(rest[taken])
        rejected.append(len(draft[row]) - taken)
    batch.reject(rejected)
    return batch, paths, following


def _share(logits: Array, token: int) -> float:
    """The probability of a token."""
    return float(np.exp(logits[token] - logits.max()) / np.exp(logits - logits.max()).sum())


def greedy(
    network: Network, rules: OnnxRules, windows: Sequence[OnnxWindow], prompts: Sequence[Prompt]
) -> list[Hypothesis]:
    """The most probable token at each step, until the end, a stop rule or the room."""
    batch, paths, logits = _begin(network, rules, windows, prompts, drafts=True)
    rows = list(range(len(paths)))
    while True:
        for row, path_logits in zip(rows, logits, strict=True):
            path = paths[row]
            if not path.over:
                scores = rules.logprobs(path_logits, path.text)
                best = int(scores.argmax())
                path.push(best, float(scores[best]))
        going = [i for i, row in enumerate(rows) if not paths[row].over]
        if not going:
            return [path.hypothesis() for path in paths]
        if 2 * len(going) <= len(rows):
            batch.keep(going)
            rows = [rows[i] for i in going]
        # Texts that are over go on in the batch until half of them are.
        last = [[paths[row].text.written[-1]] for row in rows]
        found, attention = batch.feed(last, [[0]] * len(rows))
        logits = [each[0] for each in found]
        for row, piece in zip(rows, attention, strict=True):
            if not paths[row].over:
                paths[row].attention.append(piece)


def search(
    network: Network, rules: OnnxRules, windows: Sequence[OnnxWindow], prompts: Sequence[Prompt], width: int
) -> list[Hypothesis]:
    """For each window the best of the texts that a beam of `width` finds, and the others in `beams`.

    A search ends when `width` texts have ended (Radford et al. 2023, section 4.5), or at the prompt's room, where texts
    that have not ended count too. The best has the highest `Path.score`.
    """
    batch, begun, following = _begin(network, rules, windows, prompts, drafts=False)
    batch.spread(width)
    beams = [_Beam([path], [logits]) for path, logits in zip(begun, following, strict=True)]
    going = beams
    while True:
        for beam in going:
            beam.extend(rules, width)
        rest = [slot for slot, beam in enumerate(going) if len(beam.found) < width]
        if not rest:
            break
        if len(rest) < len(going):
            batch.keep(rest)
            going = [going[slot] for slot in rest]
        batch.select([slot * width + parent for slot, beam in enumerate(going) for parent in beam.parents])
        last = [[path.text.written[-1]] for beam in going for path in beam.paths]
        out, attention = batch.feed(last, [[0]] * len(last))
        for slot, beam in enumerate(going):
            mine = slice(slot * width, (slot + 1) * width)
            beam.logits = [rows[0] for rows in out[mine]]
            for path, piece in zip(beam.paths, attention[mine], strict=True):
                path.attention.append(piece)
    return [beam.hypothesis(p.stop, width, rules.tokens.end) for beam, p in zip(beams, prompts, strict=True)]


@dataclass
class _Beam:
    """The search in one window: its paths with the logits of what follows, the numbers of the paths before that they
    go on from, and the texts that were found."""

    paths: list[Path]
    logits: list[Array]
    parents: list[int] = field(default_factory=list)
    found: list[Path] = field(default_factory=list)

    def extend(self, rules: OnnxRules, width: int) -> None:
        """Go one token further."""
        self.parents, self.paths, ended = _extend(rules, self.paths, self.logits, width)
        self.found += ended
        if self.paths[0].over:
            self.found += self.paths

    def hypothesis(self, rule: StopRule | None, width: int, end: int) -> Hypothesis:
        """The best of what was found."""
        best, *others = sorted(self.found, key=lambda path: -path.score)[:width]
        return stop_at(best.hypothesis(others), rule, end)


def _extend(
    rules: OnnxRules, paths: Sequence[Path], logits: Sequence[Array], width: int
) -> tuple[list[int], list[Path], list[Path]]:
    """The `width` best ways to go on, with the number of the path that each goes on from, and the texts that end."""
    scores = np.stack([rules.logprobs(row, path.text) for row, path in zip(logits, paths, strict=True)])
    totals = scores + np.array([[sum(path.logprobs)] for path in paths], np.float32)
    flat = totals.ravel()
    best = np.argpartition(-flat, 2 * width)[: 2 * width]
    parents: list[int] = []
    going: list[Path] = []
    ended: list[Path] = []
    for place in best[np.argsort(-flat[best], kind="stable")].tolist():
        number, token = divmod(place, scores.shape[1])
        path = paths[number].fork(token, float(scores[number, token]))
        if path.ended:
            ended.append(path)
        elif len(going) < width:
            parents.append(number)
            going.append(path)
        if len(going) == width:
            break
    return parents, going, ended


def stop_at(hypothesis: Hypothesis, rule: StopRule | None, end: int) -> Hypothesis:
    """The hypothesis as a decoder that knows the rule would have left it."""
    if rule is None or hypothesis.attention is None:
        return hypothesis
    for index, token in enumerate(hypothesis.ids):
        row = hypothesis.attention[index]
        if token < end and _met(rule, float(hypothesis.logprobs[index]), row[None], len(row)):
            return hypothesis.first(index + 1, stopped=True)
    return hypothesis
