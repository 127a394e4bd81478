"""A Whisper model on onnxruntime, from a CTranslate2 folder: all evidence, cross-attention included.

Nothing here knows of streams. The networks are built from model.bin; besides, the folder holds config.json and
tokenizer.json.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import UsageError
from simul.models.hub import is_multilingual
from simul.models.whisper.causal import CausalEncoder
from simul.models.whisper.features import CAUSAL, LIVE, PADDED, STEP, WINDOWS
from simul.models.whisper.interface import BLOCK, MAX_POSITIONS, check_source, read_folder
from simul.models.whisper.live import live_encoder
from simul.models.whisper.onnxruntime.decoder import Growing, Network, OnnxBatch, OnnxWindow, lengthened
from simul.models.whisper.onnxruntime.encoder import WindowEncoder
from simul.models.whisper.onnxruntime.layers import FLOAT32, INT8
from simul.models.whisper.onnxruntime.networks import cross_graph, decoder_graph, layer_count, session
from simul.models.whisper.onnxruntime.rules import OnnxRules
from simul.models.whisper.onnxruntime.search import greedy, search
from simul.models.whisper.timing import prepared, token_spans, warp
from simul.models.whisper.tokens import WhisperTokens
from simul.models.whisper.weights import FileWeights, Weights
from simul.units import Samples

LATEST_BEGIN = 50
"""A text begins at most one second after its window does."""


class OnnxWhisper:
    """Loads a folder; the networks are shared by all streams.

    compute: "int8" or "float32". threads: 0 for as many as there are cores, at most 4. beam: hypotheses that are
    followed. window: what is encoded (see `features.WINDOWS`); live and causal windows are for the encoder that was
    trained for them, which the package has for whisper-base (`live.live_encoder`). block: frames of a causal block.

    The alignment heads are those of config.json, or else all heads of the last half of the decoder's layers.

    Raises:
        ModelMissingError: a package, the folder or one of its files is missing or damaged.
        UsageError: `window` or `compute` is unknown, or there is no encoder for live windows of this model.
    """

    aligns = attends = True
    grows: bool

    def __init__(
        self,
        folder: Path,
        compute: str = INT8,
        threads: int = 0,
        beam: int = 1,
        window: str = PADDED,
        block: int = BLOCK,
    ) -> None:
        for what, chosen, known in (("window", window, WINDOWS), ("compute", compute, (INT8, FLOAT32))):
            if chosen not in known:
                raise UsageError(
                    f"Whisper on onnxruntime has no {what} {chosen!r}; choose: {', '.join(known)}."
                )
        vocabulary, config = read_folder(folder, "onnxruntime")
        self.folder, self.beam, self.offers = folder, beam, beam
        self.tokens = WhisperTokens(vocabulary, is_multilingual(folder))
        self.detects = self.tokens.multilingual
        threads = threads or min(4, os.cpu_count() or 1)
        weights: Weights
        weights = file = FileWeights(folder / "model.bin")
        heads, layers = int(weights["decoder/num_heads"]), layer_count(weights, "decoder")
        pairs = config.get("alignment_heads") or [
            (layer, head) for layer in range(layers // 2, layers) for head in range(heads)
        ]
        decoder = session(decoder_graph(weights, compute, pairs), threads)
        self._cross = session(cross_graph(weights, compute), threads)
        self._cross_names = [output.name for output in self._cross.get_outputs()]
        if window in (LIVE, CAUSAL):
            weights = ChainMap(live_encoder(weights, folder), file)  # type: ignore[arg-type]
        self._encoder: CausalEncoder | WindowEncoder
        self.grows = window == CAUSAL
        if self.grows:
            self._encoder = CausalEncoder(weights, compute, threads, block)
        else:
            self._encoder = WindowEncoder(weights, compute, threads, window)
        embeddings = file.mapped("decoder/embeddings/weight")
        positions = file["decoder/position_encodings/encodings"]
        self._network = Network(decoder, embeddings, positions, layers, heads)
        self._rules = OnnxRules(
            self.tokens,
            len(embeddings),
            config.get("suppress_ids", ()),
            config.get("suppress_ids_begin", ()),
            LATEST_BEGIN,
        )

    def check_source(self, source: str) -> None:
        """Raise `UsageError` unless the model hears the language `source`."""
        check_source(self.folder, self.tokens, source)

    def encode(self, windows: Sequence[Samples]) -> list[OnnxWindow]:
        """Each window of samples as the decoder attends to it."""
        if isinstance(self._encoder, CausalEncoder):
            return self.grow([self.start() for _ in windows], windows)
        weights = self._encoder.weights
        return [
            self.window(states, -(-len(samples) // STEP), weights(len(samples)))
            for states, samples in zip(self._encoder(windows), windows, strict=True)
        ]

    def window(
        self, states: NDArray[np.float32], content: int, weights: NDArray[np.float32] | None = None
    ) -> OnnxWindow:
        """Encoder output [frames, width], of which `content` frames are audio, as the decoder attends to it.

        weights: see `OnnxWindow`.
        """
        return OnnxWindow(self._attended(states), max(1, min(content, len(states))), weights)

    def _attended(self, states: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The decoder's keys and values of encoder output [frames, width]."""
        found = self._cross.run(self._cross_names, {"states": states[None]})
        return {f"cross_{name}": value for name, value in zip(self._cross_names, found, strict=True)}

    def start(self) -> Growing:
        """A window that will grow."""
        assert isinstance(self._encoder, CausalEncoder)
        return Growing(self._encoder.start())

    def grow(self, kept: Sequence[Growing], windows: Sequence[Samples]) -> list[OnnxWindow]:
        """Windows whose samples, given whole, have become more.

        Whole blocks are encoded once; the rest of the audio and the silence behind it are encoded for this time only.
        """
        causal = self._encoder
        assert isinstance(causal, CausalEncoder)
        for each, samples in zip(kept, windows, strict=True):
            causal.push(each.state, samples[each.state.received :])
        results = []
        fresh = causal.advance([each.state for each in kept])
        for each, states, samples in zip(kept, fresh, windows, strict=True):
            if len(states):
                each.cross = lengthened(each.cross, self._attended(states))
            cross = lengthened(each.cross, self._attended(causal.peek(each.state)))
            results.append(OnnxWindow(cross, max(1, -(-len(samples) // STEP))))
        return results

    def generate(
        self, encoded: Sequence[OnnxWindow], prompts: Sequence[Prompt], beam: int | None = None
    ) -> list[Hypothesis]:
        """One hypothesis per window, with attention and (beam > 1) other hypotheses.

        beam: how many hypotheses are followed, this once; None: as many as the model follows.
        """
        width = beam or self.beam
        if width > 1:
            return search(self._network, self._rules, encoded, prompts, width)
        return greedy(self._network, self._rules, encoded, prompts)

    def languages(self, encoded: Sequence[OnnxWindow]) -> list[dict[str, float]]:
        """How probable each language is that the model hears, per window."""
        start = [self.tokens.start]
        logits, _ = OnnxBatch(self._network, encoded).feed([start] * len(encoded), [[0]] * len(encoded))
        codes = sorted(self.tokens.languages)
        ids = [self.tokens.task(code, code)[1] for code in codes]
        results = []
        for row in logits:
            shares = np.exp(row[0, ids] - row[0, ids].max())
            results.append(dict(zip(codes, (shares / shares.sum()).tolist(), strict=True)))
        return results

    def align(
        self,
        encoded: Sequence[OnnxWindow],
        head: Sequence[int],
        texts: Sequence[Sequence[int]],
        samples: Sequence[int],
    ) -> list[NDArray[np.int64]]:
        """Where each text token lies in its window: int [n, 2] of window samples, non-decreasing.

        head: start, language and task. samples: the audio's length in each window, without padding.
        Dynamic time warping over the cross-attention of the alignment heads (Radford et al. 2023, word timing). Of a
        text that begins what was decoded last in its window the attention is known; else it is decoded once more. Of
        a text longer than the decoder's positions the first tokens come out at the window's beginning.
        """
        return [self._align(*each, head) for each in zip(encoded, texts, samples, strict=True)]

    def _align(
        self, window: OnnxWindow, text: Sequence[int], samples: int, head: Sequence[int]
    ) -> NDArray[np.int64]:
        spans = np.zeros((len(text), 2), np.int64)
        kept = list(text)[-(MAX_POSITIONS - len(head) - 2) :]
        if not kept:
            return spans
        rows = self._attention(window, [*head, self.tokens.no_timestamps, *kept])
        frames = max(1, min(samples // STEP, window.frames))
        matrix = prepared(rows[:, :, :frames])[len(head) : len(head) + len(kept) + 1]
        spans[-len(kept) :] = token_spans(warp(-matrix), len(kept), samples)
        return spans

    def _attention(self, window: OnnxWindow, ids: list[int]) -> NDArray[np.float32]:
        """Attention [heads, tokens, frames] after each of `ids`, which begin with the start token, and some more."""
        known = window.attention
        if known is not None and list(window.ids[: len(ids)]) == ids and known.shape[1] >= len(ids):
            return known[:, : len(ids) + 1]
        return OnnxBatch(self._network, [window]).feed([[*ids, self.tokens.end]], [[0]])[1][0]
