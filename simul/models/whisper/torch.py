"""A Whisper model on torch, from a folder of the transformers package: all evidence, cross-attention included.

Nothing here knows of streams, and nothing is downloaded. The folder holds config.json, tokenizer.json, the weights
(model.safetensors, one file or several) and, in models of the hub, generation_config.json.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import UsageError
from simul.models.folder import load_network, reading
from simul.models.hub import is_multilingual
from simul.models.whisper.features import CAUSAL, LIVE, PADDED, STEP, THINNED, WINDOWS, LogMel
from simul.models.whisper.interface import BLOCK, MAX_POSITIONS, check_source
from simul.models.whisper.timing import prepared, token_spans, warp
from simul.models.whisper.tokens import TokenizerFile, WhisperTokens
from simul.models.whisper.transformers_encoder import use_live_encoder

if TYPE_CHECKING:
    import torch

    from simul.decoding.graphs import Graphs, Recorder
    from simul.decoding.steps import FixedGreedy
    from simul.models.whisper.decoder import EncodedWindow, WhisperDecoder
    from simul.models.whisper.slots import SlotEncoder, SlotWindow

LATEST_BEGIN = 50
"""A text begins at most one second after its window does, unless the model says otherwise."""
FAMILY = "Whisper"


class TorchWhisper:
    """Loads a folder; the weights are shared by all streams.

    device: "cpu", "cuda" or "auto". compute: float32, float16 or bfloat16; "auto" is float32 on a CPU and float16
    on a GPU. beam: hypotheses that are followed. window: what is encoded (see `features.WINDOWS`); live and causal
    windows are for the encoder that was trained for them (`live.live_encoder`). block: frames of a causal block.
    record: what records steps on a device (None: CUDA graphs on a GPU, nothing elsewhere).

    The alignment heads are those of the model's generation_config.json, or else all heads of the last half of the
    decoder's layers.

    Raises:
        ModelMissingError: a package, the folder or one of its files is missing or damaged.
        UsageError: the folder holds another kind of model, `compute` or `window` is unknown, or there is no encoder for
            live windows of this model.
    """

    aligns = attends = True
    grows: bool

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        compute: str = "auto",
        beam: int = 1,
        window: str = PADDED,
        block: int = BLOCK,
        record: Callable[[torch.device], Recorder | None] | None = None,
    ) -> None:
        known = [name for name in WINDOWS if name != THINNED]
        if window not in known:
            raise UsageError(f"Whisper on torch has no window {window!r}; choose: {', '.join(known)}.")
        network, self._device = load_network(
            folder,
            "WhisperForConditionalGeneration",
            FAMILY,
            device,
            compute,
            ["tokenizer.json"],
            _register,
        )
        with reading(folder, FAMILY):
            vocabulary = TokenizerFile(folder / "tokenizer.json")
            self._features = LogMel(int(network.config.num_mel_bins), window)
        if window in (LIVE, CAUSAL):
            use_live_encoder(network, folder)
        self._network = network
        self.grows = window == CAUSAL
        self._recorder = self._make_recorder(record)
        self._slots = self._make_slots(block) if self.grows else None
        self.folder, self.beam = folder, beam
        self.offers = beam
        self.tokens = WhisperTokens(vocabulary, is_multilingual(folder))
        self.detects = self.tokens.multilingual
        self._rules = self._make_rules()
        self._heads = self._alignment_heads()
        self._fixed = self._make_fixed() if beam == 1 else None

    def _make_recorder(self, record: Callable[[torch.device], Recorder | None] | None) -> Recorder | None:
        from simul.decoding.graphs import recorder_for

        return (record or recorder_for)(self._device)

    @property
    def graphs(self) -> list[Graphs]:
        """What is recorded of the steps; nothing where they just run."""
        used = [None if self._fixed is None else self._fixed.graphs]
        used += [None if self._slots is None else self._slots.graphs]
        return [graphs for graphs in used if graphs is not None]

    def _make_slots(self, block: int) -> SlotEncoder:
        from simul.decoding.graphs import Graphs
        from simul.models.whisper.slots import SlotEncoder

        graphs = None if self._recorder is None else Graphs(self._recorder)
        return SlotEncoder(self._network, block, graphs=graphs)

    def _make_fixed(self) -> FixedGreedy | None:
        """Greedy decoding that is replayed, where something records it."""
        if self._recorder is None:
            return None
        from simul.decoding.graphs import Graphs
        from simul.decoding.steps import FixedGreedy

        frames = int(self._network.config.max_source_positions)
        return FixedGreedy(self._decoder(), self._rules, Graphs(self._recorder), frames)

    def _alignment_heads(self) -> Any:
        """Those that the model names, or all of the last half of the decoder's layers."""
        from simul.models.whisper.decoder import alignment_heads

        config, told = self._network.config, self._network.generation_config
        return alignment_heads(
            getattr(told, "alignment_heads", None),
            config.decoder_layers,
            config.decoder_attention_heads,
            self._device,
        )

    def _make_rules(self) -> Any:
        """The tokens that the model's configuration bars; without any, the special tokens."""
        from simul.models.whisper.rules import TimedRules

        told, tokens = self._network.generation_config, self.tokens
        suppress = getattr(told, "suppress_tokens", None)
        begin = getattr(told, "begin_suppress_tokens", None)
        latest = getattr(told, "max_initial_timestamp_index", None)
        return TimedRules(
            tokens,
            self._network.config.vocab_size,
            range(tokens.start, tokens.no_timestamps) if suppress is None else suppress,
            [*tokens.encode(" "), tokens.end] if begin is None else begin,
            LATEST_BEGIN if latest is None else latest,
            self._device,
        )

    def check_source(self, source: str) -> None:
        """Raise `UsageError` unless the model hears the language `source`."""
        check_source(self.folder, self.tokens, source)

    def features(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel features [bands, frames] of at most 30 s, followed by silence up to the window's end."""
        return self._features(samples)

    def encode(self, windows: Sequence[NDArray[np.float32]]) -> list[EncodedWindow]:
        """Each window of samples as the decoder attends to it; windows of one length share a batch."""
        if self._slots is not None:
            return self.grow([self.start() for _ in windows], windows)
        import torch

        from simul.decoding.batch import cross_keys
        from simul.models.whisper.decoder import EncodedWindow

        features = [self.features(samples) for samples in windows]
        attentions = [layer.encoder_attn for layer in self._network.model.decoder.layers]
        made: dict[int, EncodedWindow] = {}
        by_length: dict[int, list[int]] = {}
        for index, feature in enumerate(features):
            by_length.setdefault(feature.shape[1], []).append(index)
        for indices in by_length.values():
            batch = torch.from_numpy(np.stack([features[i] for i in indices]))
            with torch.inference_mode():
                hidden = self._encoder(batch.to(self._device, self._network.dtype))
                for row, index in enumerate(indices):
                    content = min(-(-len(windows[index]) // STEP), hidden.shape[1])
                    made[index] = EncodedWindow(cross_keys(attentions, hidden[row]), content)
        return [made[i] for i in range(len(windows))]

    def start(self) -> SlotWindow:
        """A window that will grow."""
        assert self._slots is not None
        return self._slots.start()

    def grow(self, kept: Sequence[SlotWindow], windows: Sequence[NDArray[np.float32]]) -> list[EncodedWindow]:
        """Windows whose samples, given whole, have become more; see `SlotEncoder.grow`."""
        assert self._slots is not None
        return [*self._slots.grow(kept, windows)]

    def _encoder(self, features: torch.Tensor) -> torch.Tensor:
        """The encoder's output [rows, frames / 2, width] for features [rows, bands, frames] of any length.

        The library's own forward takes 3000 frames only; the positional table is cut here instead.
        """
        from torch.nn.functional import gelu

        encoder = self._network.model.encoder
        hidden = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        for layer in encoder.layers:
            hidden = layer(hidden, None)
        return encoder.layer_norm(hidden)

    def languages(self, encoded: Sequence[EncodedWindow]) -> list[dict[str, float]]:
        """How probable each language is that the model hears, per window."""
        import torch

        from simul.decoding.batch import Batch

        codes = sorted(self.tokens.languages)
        ids = [self.tokens.task(code, code)[1] for code in codes]
        with torch.inference_mode():
            batch = Batch(self._decoder(), [(self.tokens.start,)] * len(encoded), encoded)
            shares = batch.logits[:, ids].float().softmax(-1).tolist()
        return [dict(zip(codes, row, strict=True)) for row in shares]

    def generate(
        self, encoded: Sequence[EncodedWindow], prompts: Sequence[Prompt], beam: int | None = None
    ) -> list[Hypothesis]:
        """One hypothesis per window, all of them in one batch, with attention and (beam > 1) other hypotheses.

        beam: how many hypotheses are followed, this once; None: as many as the model follows.

        What the decoder computed over a window stays with it, so that a further pass computes only the tokens in
        which its prompt differs.
        """
        import torch

        from simul.decoding.batch import Batch
        from simul.decoding.beam import search
        from simul.decoding.greedy import greedy

        width = beam or self.beam
        with torch.inference_mode():
            if self._fixed is not None and width == 1:
                found, silence = self._fixed(prompts, encoded)
            else:
                decoder, rules = self._decoder(), self._rules
                batch = Batch(decoder, [p.ids for p in prompts], encoded)
                found = greedy(batch, rules, prompts) if width == 1 else search(batch, rules, prompts, width)
                silence = decoder.silence.tolist()
        for window, chance in zip(encoded, silence, strict=True):
            window.no_speech = chance if chance >= 0 else window.no_speech
        return [replace(h, no_speech_prob=w.no_speech) for h, w in zip(found, encoded, strict=True)]

    def _decoder(self) -> WhisperDecoder:
        from simul.models.whisper.decoder import WhisperDecoder

        return WhisperDecoder(self._network, self._heads, self.tokens)

    def align(
        self,
        encoded: Sequence[EncodedWindow],
        head: Sequence[int],
        texts: Sequence[Sequence[int]],
        samples: Sequence[int],
    ) -> list[NDArray[np.int64]]:
        """Where each text token lies in its window: int [n, 2] of window samples, non-decreasing.

        head: start, language and task. samples: the audio's length in each window, without padding.
        Dynamic time warping over the cross-attention of the alignment heads (Radford et al. 2023, word timing), in
        a pass of its own over head, text and end, without previous text or times. Of a text longer than the
        decoder's positions the first tokens come out at the window's beginning.
        """
        import torch

        room = MAX_POSITIONS - len(head) - 2
        kept = [list(text)[-room:] for text in texts]
        sequences = [[*head, self.tokens.no_timestamps, *text, self.tokens.end] for text in kept]
        results: list[NDArray[np.int64]] = []
        with torch.inference_mode():
            scores = None
            if any(kept):
                longest = max(map(len, sequences))
                padded = [[*s, *[self.tokens.end] * (longest - len(s))] for s in sequences]
                scores = self._decoder().teach(encoded, torch.tensor(padded, device=self._device)).cpu()
            for row, (text, sequence) in enumerate(zip(kept, sequences, strict=True)):
                spans = np.zeros((len(texts[row]), 2), np.int64)
                if text and scores is not None:
                    frames = max(1, min(samples[row] // STEP, encoded[row].cross.shape[3]))
                    shares = scores[row, :, : len(sequence), :frames].softmax(-1).numpy()
                    path = warp(-prepared(shares)[len(head) : -1])
                    spans[-len(text) :] = token_spans(path, len(text), samples[row])
                results.append(spans)
        return results


def _register() -> str:
    from simul.decoding.attention import register

    return register()
