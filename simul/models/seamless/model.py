"""A SeamlessM4T v2 model with text output on torch, from a folder of the transformers package.

Nothing here knows of streams, and nothing is downloaded. The folder holds config.json, generation_config.json,
preprocessor_config.json, the tokenizer and the weights (model.safetensors, one file or several). Of a folder with
the whole model only the speech encoder and the text decoder are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import UsageError
from simul.languages import SEAMLESS
from simul.models.folder import load_network, load_processors
from simul.models.translation.ctranslate2 import piece_surface
from simul.text import follows_word
from simul.units import SAMPLE_RATE

if TYPE_CHECKING:
    import torch

    from simul.decoding.batch import KeyValues

HOP = 160
"""Samples per filter-bank frame."""
FAMILY = "Seamless"
FILES = ("preprocessor_config.json",)
LAYER = 4
"""The decoder layer that shows its attention, counted from 0 (Papi et al. 2023 take the fourth or fifth)."""


class SeamlessModel:
    """Loads a folder; the weights are shared by all streams.

    device: "cpu", "cuda" or "auto". compute: float32, float16 or bfloat16; "auto" is float32 on a CPU and float16
    on a GPU. layer: the decoder layer whose cross-attention is shown, counted from 0; None: the fifth, or the last
    of a decoder that has fewer.

    Raises:
        ModelMissingError: a package, the folder or one of its files is missing or damaged.
        UsageError: `compute` or `layer` is not one there is.
    """

    def __init__(
        self, folder: Path, device: str = "auto", compute: str = "auto", layer: int | None = None
    ) -> None:
        self.folder = folder
        self._network, self._device = load_network(
            folder, "SeamlessM4Tv2ForSpeechToText", FAMILY, device, compute, FILES, _register
        )
        tokenizer, self._extract = load_processors(folder, FAMILY)
        config = self._network.config
        self.layer = min(LAYER, config.decoder_layers - 1) if layer is None else layer
        if not 0 <= self.layer < config.decoder_layers:
            raise UsageError(
                f"The decoder of {folder.name} has no layer {layer}; give 0 to {config.decoder_layers - 1}."
            )
        stride = config.adaptor_stride**config.num_adapter_layers if config.add_adapter else 1
        self.frame = HOP * int(self._extract.stride) * stride
        """Samples of an encoder frame: 2560, that is 160 ms, in the published models."""
        self.lead = self.frame // 2 if config.add_adapter else 0
        """How many samples before the window its first frame begins: the adaptor centres its kernel on it."""
        self._read_vocabulary(tokenizer)

    def _read_vocabulary(self, tokenizer: Any) -> None:
        """Text of the tokens, language tokens, and the tokens that are never written."""
        import torch

        from simul.decoding.rules import Rules

        config, told = self._network.config, self._network.generation_config
        pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        listed = getattr(told, "text_decoder_lang_to_code_id", None) or {
            piece[2:-2]: i
            for i, piece in enumerate(pieces)
            if piece and piece.startswith("__") and piece.endswith("__")
        }
        self._codes = {str(code): int(number) for code, number in listed.items()}
        special = {int(i) for i in (*tokenizer.all_special_ids, *self._codes.values())}
        self._surfaces = [
            "" if i in special or piece is None else piece_surface(piece) for i, piece in enumerate(pieces)
        ]
        self.targets = {language: code for language, code in SEAMLESS.items() if code in self._codes}
        """The model's codes of the languages that it writes, by their ISO 639-1 codes."""
        self.end = int(config.eos_token_id)
        self._start = int(config.decoder_start_token_id)
        follows = {i for i, text in enumerate(self._surfaces) if follows_word(text)}
        size = config.vocab_size
        never = [i >= len(pieces) or (i in special and i != self.end) for i in range(size)]
        grows = [i not in follows and i != self.end for i in range(size)]
        ends = [i == self.end for i in range(size)]
        self._rules = Rules(*(torch.tensor(flags, device=self._device) for flags in (ends, never, grows)))

    def head(self, target: str) -> tuple[int, ...]:
        """The tokens that begin a text in the language `target` (ISO 639-1)."""
        return self._start, self._codes[self.targets[target]]

    def surfaces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The text of each token, with a leading space where a word begins."""
        return tuple(self._surfaces[i] for i in ids)

    def features(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter banks of one window, normalised over it, float32 [n, 160]: one row each 20 ms."""
        found = self._extract(samples, sampling_rate=SAMPLE_RATE, return_tensors="np")
        rows = int(found["attention_mask"][0].sum())
        features: NDArray[np.float32] = found["input_features"][0, :rows].astype(np.float32)
        return features

    def encode(self, windows: Sequence[NDArray[np.float32]]) -> list[KeyValues]:
        """Each window of samples as the decoder attends to it; a batch gives what single calls give."""
        import torch

        from simul.decoding.batch import KeyValues, cross_keys

        attentions = [layer.cross_attention for layer in self._network.text_decoder.layers]
        with torch.inference_mode():
            hidden = self._encoded([self.features(samples) for samples in windows]) if windows else []
            return [KeyValues(cross_keys(attentions, frames), len(frames)) for frames in hidden]

    def _encoded(self, features: Sequence[NDArray[np.float32]]) -> list[torch.Tensor]:
        """The speech encoder's output [frames, width] for features [n, bands] of windows of any lengths.

        The conformer runs on all windows at once; it masks padding everywhere. The adaptor does not: its convolution
        would mix what stands after the end of a window into the last frame, so each window passes it alone, without
        padding. A window of n features gives n // 8 + 1 frames with the usual kernel and stride of 8.
        """
        import torch

        encoder, device = self._network.speech_encoder, self._device
        lengths = [len(f) for f in features]
        batch = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(f) for f in features], batch_first=True)
        mask = None
        if min(lengths) < max(lengths):
            mask = torch.arange(max(lengths), device=device) < torch.tensor(lengths, device=device)[:, None]
        hidden = encoder.feature_projection(batch.to(device, encoder.dtype))
        hidden = encoder.encoder(hidden, attention_mask=mask)
        hidden = hidden + 0.5 * encoder.intermediate_ffn(hidden)
        found = []
        for row, length in enumerate(lengths):
            alone = hidden[row : row + 1, :length]
            if encoder.adapter is not None:
                alone = encoder.adapter(alone, attention_mask=None)
            found.append(encoder.inner_layer_norm(alone)[0])
        return found

    def generate(self, encoded: Sequence[KeyValues], prompts: Sequence[Prompt]) -> list[Hypothesis]:
        """One hypothesis per window; a batch gives what single calls give.

        What the decoder computed over a window stays with it for further passes.
        """
        import torch

        from simul.decoding.batch import Batch
        from simul.decoding.greedy import greedy
        from simul.models.seamless.decoder import SeamlessDecoder

        decoder = SeamlessDecoder(self._network, self.layer, self.frame, self._device)
        with torch.inference_mode():
            return greedy(Batch(decoder, [p.ids for p in prompts], encoded), self._rules, prompts)


def _register() -> str:
    from simul.decoding.attention import register

    return register()
