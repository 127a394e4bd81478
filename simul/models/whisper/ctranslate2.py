"""A Whisper model on CTranslate2: features, encoder, generation after a forced prefix, scores and alignment.

Nothing here knows of streams. The folder is the one that faster-whisper uses: model.bin, config.json,
vocabulary.json, tokenizer.json and, for other than 80 mel bands, preprocessor_config.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import ModelMissingError
from simul.models.hub import is_multilingual
from simul.models.whisper.features import HOP, PADDED, LogMel, check_window
from simul.models.whisper.interface import MAX_POSITIONS, check_source, read_folder
from simul.models.whisper.timing import token_spans
from simul.models.whisper.tokens import WhisperTokens

Encoded = NDArray[np.float32]


class WhisperModel:
    """Loads a folder; the weights are shared by all streams.

    device: "cpu", "cuda" or "auto". compute: CTranslate2's compute type. window: how long windows
    are, "padded" or "bucket" (see `features.WINDOWS`).

    It shows no cross-attention, knows no stop rules and gives one hypothesis.

    Raises:
        ModelMissingError: a package, the folder or one of its files is missing or damaged.
    """

    attends = grows = False
    offers = 1

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        compute: str = "default",
        threads: int = 0,
        beam: int = 1,
        window: str = PADDED,
    ) -> None:
        check_window(window)
        vocabulary, config = read_folder(folder, "ctranslate2")
        import ctranslate2

        try:
            self._model: Any = ctranslate2.models.Whisper(
                str(folder), device=device, compute_type=compute, intra_threads=threads
            )
        except Exception as error:  # RuntimeError of CTranslate2, and whatever a damaged file raises
            raise ModelMissingError(f"The Whisper model in {folder} cannot be loaded: {error}") from error
        self._view: Any = ctranslate2.StorageView
        self._cpu: Any = ctranslate2.Device.cpu
        self.folder, self.beam = folder, beam
        self.tokens = WhisperTokens(vocabulary, is_multilingual(folder))
        self.detects = bool(self._model.is_multilingual)
        self.aligns = bool(config.get("alignment_heads"))
        """Whether the model says which of its attention heads align, so that tokens get source times."""
        self._features = LogMel(int(self._model.n_mels), window)

    def check_source(self, source: str) -> None:
        """Raise `UsageError` unless the model hears the language `source`."""
        check_source(self.folder, self.tokens, source)

    def features(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel features [bands, frames] of at most 30 s, followed by silence up to the window's end."""
        return self._features(samples)

    def encode(self, windows: Sequence[NDArray[np.float32]]) -> list[Encoded]:
        """Encoder output [frames / 2, width] of each window of samples; windows of one length share a batch."""
        features = [self.features(samples) for samples in windows]
        results: list[Encoded] = [np.empty(0, np.float32)] * len(features)
        for indices in _groups([f.shape[1] for f in features]):
            batch = self._view.from_array(np.stack([features[i] for i in indices]))
            encoded = self._numpy(self._model.encode(batch, to_cpu=True))
            for row, index in enumerate(indices):
                results[index] = encoded[row]
        return results

    def languages(self, encoded: Sequence[Encoded]) -> list[dict[str, float]]:
        """How probable each language is that the model hears, per window."""
        results: list[dict[str, float]] = [{}] * len(encoded)
        for indices in _groups([e.shape for e in encoded]):
            batch = self._view.from_array(np.stack([encoded[i] for i in indices]))
            for index, shares in zip(indices, self._model.detect_language(batch), strict=True):
                results[index] = {name[2:-2]: float(share) for name, share in shares}
        return results

    def generate(
        self, encoded: Sequence[Encoded], prompts: Sequence[Prompt], beam: int | None = None
    ) -> list[Hypothesis]:
        """One hypothesis per window; those that CTranslate2 can decode together share a batch.

        beam: how many hypotheses are followed, this once; None: as many as the model follows.
        """
        keys = [
            (e.shape, len(p.head), len(p.prefix) + p.room(MAX_POSITIONS), not p.prefix)
            for e, p in zip(encoded, prompts, strict=True)
        ]
        results: list[Hypothesis | None] = [None] * len(prompts)
        for indices in _groups(keys):
            _, head, length, first = keys[indices[0]]
            found = self._decode(
                [encoded[i] for i in indices],
                [prompts[i] for i in indices],
                head,
                length,
                first,
                beam or self.beam,
            )
            for index, hypothesis in zip(indices, found, strict=True):
                results[index] = hypothesis
        return [r for r in results if r is not None]

    def align(
        self,
        encoded: Sequence[Encoded],
        head: Sequence[int],
        texts: Sequence[Sequence[int]],
        samples: Sequence[int],
    ) -> list[NDArray[np.int64]]:
        """Where each text token lies in its window: int [n, 2] of window samples, non-decreasing.

        head: start, language and task. samples: the audio's length in each window, without padding.
        Dynamic time warping over the cross-attention of the alignment heads (Radford et al. 2023, word timing).
        """
        results: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)] * len(texts)
        for indices in _groups([e.shape for e in encoded]):
            indices = [i for i in indices if texts[i]]
            if not indices:
                continue
            frames = [max(2, min(samples[i] // HOP, 2 * len(encoded[i]))) for i in indices]
            batch = self._view.from_array(np.stack([encoded[i] for i in indices]))
            found = self._model.align(batch, list(head), [list(texts[i]) for i in indices], frames)
            for index, alignment in zip(indices, found, strict=True):
                results[index] = token_spans(alignment.alignments, len(texts[index]), samples[index])
        return results

    def _decode(
        self, encoded: list[Encoded], prompts: list[Prompt], head: int, length: int, first: bool, beam: int
    ) -> list[Hypothesis]:
        """Decode one batch whose heads have one length; `length` counts prefix and new tokens.

        CTranslate2 bounds the text by half of max_length and by max_length less the head. At the beginning of
        a text a blank or the end is suppressed; after a forced prefix the end must stay possible.
        Texts that would make a whole word longer are decoded again after the best token that may stand there.
        """
        limit = max(2 * length, length + head)
        found = self._run(encoded, [[*p.head, *p.prefix] for p in prompts], limit, first, beam)
        texts = [result.sequences_ids[0] for result in found]
        scored = found
        if beam > 1:
            # Beam search keeps no step scores: the winners are forced once more.
            longest = [[*p.head, *text] for p, text in zip(prompts, texts, strict=True)]
            again = max(len(text) for text in texts) + 1
            scored = self._run(encoded, longest, max(2 * again, again + head), False, 1)
        results = [
            self._hypothesis(prompt, text, scores.logits[0], result.no_speech_prob, length)
            for prompt, text, result, scores in zip(prompts, texts, found, scored, strict=True)
        ]
        cut = [
            i
            for i, (prompt, result) in enumerate(zip(prompts, results, strict=True))
            if not result.ended and len(prompt.prefix) + len(result.ids) < length
        ]
        if cut:
            longer = [self._after(prompts[i], results[i], length) for i in cut]
            rest = self._decode([encoded[i] for i in cut], longer, head, length, False, beam)
            for i, more in zip(cut, rest, strict=True):
                results[i] = replace(
                    results[i],
                    ids=(*results[i].ids, *more.ids),
                    logprobs=np.concatenate([results[i].logprobs, more.logprobs]),
                    ended=more.ended,
                )
        return results

    def _hypothesis(
        self, prompt: Prompt, text: list[int], logits: Sequence[Any], no_speech: float, length: int
    ) -> Hypothesis:
        """The text after the prefix with its log-probabilities, from the logits of each of its tokens.

        Where its first text token would make a whole word longer, it is cut there, and the most probable token that
        may stand there takes its place; when that is the end, the text has ended. Up to and with the first text
        token log-probabilities are those among the tokens that may follow a whole word.
        """
        skip, whole = len(prompt.prefix), prompt.grown
        steps: list[float] = []
        for place in range(skip, len(text)):
            token, scores = text[place], self._numpy(logits[place]).ravel().astype(np.float64)
            is_text, barred = self.tokens.is_text(token), False
            if whole:
                scores[: self.tokens.end][self.tokens.grows] = -np.inf
                whole, barred = not is_text, is_text and bool(self.tokens.grows[token])
            if barred:
                best = int(scores.argmax())
                if best == self.tokens.end:
                    return Hypothesis(
                        tuple(text[skip:place]), np.array(steps), True, no_speech_prob=no_speech
                    )
                ids = (*text[skip:place], best)
                logprobs = np.array([*steps, _logprob(scores, best)])
                return Hypothesis(ids, logprobs, False, no_speech_prob=no_speech)
            steps.append(_logprob(scores, token))
        ended = len(text) < length
        return Hypothesis(tuple(text[skip:]), np.array(steps), ended, no_speech_prob=no_speech)

    def _after(self, prompt: Prompt, begun: Hypothesis, length: int) -> Prompt:
        """The prompt to go on with after a text was begun anew."""
        prefix = (*prompt.prefix, *begun.ids)
        is_time = not self.tokens.is_text(prefix[-1])
        return replace(prompt, prefix=prefix, max_new_tokens=length - len(prefix), word_complete=is_time)

    def _run(
        self, encoded: list[Encoded], prompts: list[list[int]], limit: int, first: bool, beam: int
    ) -> Any:
        return self._model.generate(
            self._view.from_array(np.stack(encoded)),
            prompts,
            beam_size=beam,
            max_length=limit,
            suppress_blank=first,
            return_logits_vocab=beam == 1,
            return_no_speech_prob=True,
        )

    def _numpy(self, view: Any) -> NDArray[np.float32]:
        return np.array(view if view.device == "cpu" else view.to_device(self._cpu))


def _logprob(row: NDArray[np.float64], token: int) -> float:
    """The natural log-probability of a token, from the logits of all."""
    top = row.max()
    return float(row[token] - top - np.log(np.exp(row - top).sum()))


def _groups(keys: Sequence[Any]) -> list[list[int]]:
    """Indices of equal keys, in order of first appearance."""
    groups: dict[Any, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return list(groups.values())
